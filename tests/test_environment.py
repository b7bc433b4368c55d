"""Which targets are deployed together, and what an edit of one does to the calls of another."""

from __future__ import annotations

import pytest

from portproof import yamldoc
from portproof.discover.model import HelmTarget, KustomizeTarget, ManifestTarget, Target
from portproof.environment import (
    MANY_CHARTS,
    Environment,
    TargetInterface,
    environment_of,
    interface_of,
    is_collection,
    together,
)
from portproof.render.model import RenderedDocument, Rendering
from portproof.rules import all_rules
from portproof.rules.evaluate import Evaluation, RuleSet, evaluate

SERVICE = "apiVersion: v1\nkind: Service\nmetadata: {{name: orders}}\nspec:\n  ports: [{{port: {port}}}]\n"
INGRESS = (
    "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: shop}\n"
    "spec: {defaultBackend: {service: {name: '${SERVICE}', port: {number: 8002}}}}\n"
)
CALLER = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: shop}\ndata: {url: 'http://orders:80'}\n"


def seen(target: Target, text: str) -> Evaluation:
    documents = tuple(RenderedDocument(part) for _, part in yamldoc.split(text))
    return evaluate(Rendering(target, documents), RuleSet(all_rules()))


def tied(target: Target, text: str) -> TargetInterface:
    return interface_of(target, seen(target, text))


def calls(caller: Target, *others: tuple[Target, int]) -> bool:
    """Whether `caller`, which calls port 80, is found to miss, with the Service elsewhere on these ports."""
    around = [tied(target, SERVICE.format(port=port)) for target, port in others]
    return [one.id for one in Environment([tied(caller, CALLER), *around]).callers()] == [caller.id]


@pytest.mark.parametrize(
    ("target", "environment"),
    [
        (HelmTarget("charts/a"), ""),
        (HelmTarget("charts/a", ("charts/a/values-prod.yaml",)), "prod"),
        (HelmTarget("charts/a", ("charts/a/values.staging.yaml",)), "staging"),
        (HelmTarget("charts/a", ("env/prod-values.yaml",)), "prod"),
        (HelmTarget("charts/a", ("charts/a/values-base.yaml", "charts/a/values-qa.yaml")), "qa"),
        (KustomizeTarget("apps/a/overlays/eu-west"), "eu-west"),
        (KustomizeTarget("apps/a/production"), "production"),
        (KustomizeTarget("clusters/one/apps"), "one"),
        (KustomizeTarget("clusters/stages/dev/apps"), "dev"),
        (KustomizeTarget("clusters/stages/one/apps"), "one"),
        (ManifestTarget("deploy/dev"), "dev"),
        (ManifestTarget("deploy/device"), ""),
    ],
)
def test_the_environment_is_read_from_names(target: Target, environment: str) -> None:
    assert environment_of(target) == environment


SHOP = HelmTarget("charts/shop")
ORDERS = HelmTarget("charts/orders")


def prod(target: HelmTarget) -> HelmTarget:
    return HelmTarget(target.chart, (f"{target.chart}/values-prod.yaml",))


def dev(target: HelmTarget) -> HelmTarget:
    return HelmTarget(target.chart, (f"{target.chart}/values-dev.yaml",))


def test_a_call_that_nobody_answers_is_found() -> None:
    assert calls(SHOP, (ORDERS, 8080))
    assert not calls(SHOP, (ORDERS, 80))
    assert not calls(SHOP)


def test_one_of_several_services_of_the_name_is_enough() -> None:
    assert not calls(SHOP, (ORDERS, 8080), (HelmTarget("charts/orders-v2"), 80))


def test_the_same_environment_counts_before_the_general_one() -> None:
    assert calls(prod(SHOP), (prod(ORDERS), 8080), (ORDERS, 80))
    assert not calls(prod(SHOP), (prod(ORDERS), 80), (ORDERS, 8080))
    assert not calls(prod(SHOP), (dev(ORDERS), 8080), (ORDERS, 80))
    assert not calls(prod(SHOP), (dev(ORDERS), 8080))
    assert calls(SHOP, (dev(ORDERS), 8080), (prod(ORDERS), 8443))


def test_charts_of_a_channel_stand_apart() -> None:
    assert not calls(ManifestTarget("stable/shop"), (ManifestTarget("incubator/orders"), 8080))
    assert not calls(ManifestTarget("stable/shop"), (ManifestTarget("stable/orders"), 8080))
    assert calls(ManifestTarget("stable/shop/web"), (ManifestTarget("stable/shop/orders"), 8080))


def test_charts_of_a_large_collection_call_nobody() -> None:
    around = [tied(SHOP, CALLER), tied(ORDERS, SERVICE.format(port=8080))]
    assert list(Environment(around).callers())
    assert not list(Environment(around, guess=False).callers())
    assert list(Environment(around, {"shop": ("*",)}, guess=False).callers())
    many = [HelmTarget(f"charts/{number}") for number in range(MANY_CHARTS + 1)]
    assert is_collection(many)
    assert not is_collection(many[1:])


def test_examples_and_tests_stand_apart() -> None:
    assert not calls(SHOP, (ManifestTarget("examples/a"), 8080))
    assert not calls(ManifestTarget("examples/b"), (ManifestTarget("examples/a"), 8080))
    assert calls(ManifestTarget("examples/a/shop"), (ManifestTarget("examples/a/orders"), 8080))


def test_a_chart_test_installs_the_chart_alone() -> None:
    alone = HelmTarget("charts/orders", ("charts/orders/ci/test-values.yaml",))
    assert not calls(SHOP, (alone, 8080))


def test_a_service_of_the_targets_own_comes_before_those_of_others() -> None:
    """It is in another namespace as it stands: where the caller goes is said when it is applied."""
    own = SERVICE.format(port=80).replace("name: orders", "name: orders, namespace: shop")
    caller = tied(ManifestTarget("kubernetes"), f"{CALLER}---\n{own}")
    found = Environment([caller, tied(ORDERS, SERVICE.format(port=8080))])
    assert (list(found.callers()), found.around(caller.target)) == ([], {})


def test_a_name_that_is_filled_in_later_means_nobody() -> None:
    caller = tied(ManifestTarget("deploy/k8s"), INGRESS)
    other = tied(ManifestTarget("deploy/old"), SERVICE.format(port=80).replace("orders", '"${SERVICE}"'))
    assert list(Environment([caller, other]).callers()) == []


@pytest.mark.parametrize(("shared", "missed"), [("web cart", False), ("web", True), ("web other", True)])
def test_the_same_application_in_two_ways_is_not_called(shared: str, *, missed: bool) -> None:
    """A folder of manifests and a chart have the same Services: nobody deploys both."""
    service = SERVICE.replace("orders", "{name}")
    chart = "---\n".join(service.format(name=name, port=8080) for name in ("orders", "web", "cart"))
    folder = "---\n".join([CALLER, *(service.format(name=name, port=80) for name in shared.split())])
    caller = tied(ManifestTarget("kubernetes"), folder)
    found = Environment([caller, tied(HelmTarget("shop-chart"), chart)]).callers()
    assert [one.id for one in found] == (["manifests:kubernetes"] if missed else [])


def test_a_settled_namespace_has_to_be_the_one_that_is_called() -> None:
    elsewhere = SERVICE.replace("name: orders", "name: orders, namespace: sales").format(port=8080)
    near = CALLER.replace("name: shop", "name: shop, namespace: web")
    assert not list(Environment([tied(SHOP, near), tied(ORDERS, elsewhere)]).callers())
    there = near.replace("http://orders", "http://orders.sales")
    assert list(Environment([tied(SHOP, there), tied(ORDERS, elsewhere)]).callers())


STATED = {"one": ("helm:charts/shop", "helm:charts/or*"), "two": ("helm:charts/shop", "manifests:ext?a")}


def stated(*others: tuple[Target, int]) -> list[tuple[str, bool]]:
    """The targets with the Service that are deployed with the shop, and whether that is stated."""
    around = [tied(target, SERVICE.format(port=port)) for target, port in others]
    found = Environment([tied(SHOP, CALLER), *around], STATED).around(SHOP)
    return [(one.target, one.stated) for one in found.get("orders", ())]


def test_a_stated_environment_counts_before_any_guess() -> None:
    assert stated((prod(ORDERS), 8080)) == [("helm:charts/orders?values=values-prod.yaml", True)]
    assert stated((ManifestTarget("extra"), 80)) == [("manifests:extra", True)]
    assert stated((ManifestTarget("other"), 80)) == []  # a guess would have found it
    assert [name for name, _ in stated((ORDERS, 80), (ManifestTarget("extra"), 81))] == [
        "helm:charts/orders",
        "manifests:extra",
    ]


def test_who_is_stated_goes_with_nobody_else() -> None:
    lonely = Environment([tied(ManifestTarget("a"), CALLER), tied(ORDERS, SERVICE.format(port=81))], STATED)
    assert not lonely.around(ManifestTarget("a"))
    assert not list(lonely.callers())


def test_an_edit_that_takes_a_called_port_away_is_told() -> None:
    environment = Environment([tied(SHOP, CALLER), tied(ORDERS, SERVICE.format(port=80))])
    ((rule, resource, path),) = environment.deserted(ORDERS, seen(ORDERS, SERVICE.format(port=8080)))
    assert (rule, str(resource), path) == ("caller-service-port", "ConfigMap/shop", ("data", "url", "orders"))
    assert not environment.deserted(ORDERS, seen(ORDERS, SERVICE.format(port=80)))


def test_a_call_that_missed_before_is_nobodys_fault() -> None:
    environment = Environment([tied(SHOP, CALLER), tied(ORDERS, SERVICE.format(port=8080))])
    assert not environment.deserted(ORDERS, seen(ORDERS, SERVICE.format(port=9090)))


# who is deployed together


def groups(*targets: Target, guess: bool = True, **stated: tuple[str, ...]) -> list[tuple[list[str], bool]]:
    return [([each.id for each in one.targets], one.stated) for one in together(targets, stated, guess=guess)]


PROD = HelmTarget("charts/shop", ("charts/shop/values-prod.yaml",))
DEV = HelmTarget("charts/shop", ("charts/shop/values-dev.yaml",))


def test_targets_of_one_environment_go_together_and_general_ones_with_each() -> None:
    assert groups(ORDERS, DEV, PROD) == [
        (["helm:charts/orders", "helm:charts/shop?values=values-dev.yaml"], False),
        (["helm:charts/orders", "helm:charts/shop?values=values-prod.yaml"], False),
    ]
    assert groups(ORDERS, SHOP) == [(["helm:charts/orders", "helm:charts/shop"], False)]


def test_of_a_chart_with_values_for_an_environment_the_general_one_stays_away() -> None:
    assert groups(ORDERS, SHOP, PROD) == [
        (["helm:charts/orders", "helm:charts/shop?values=values-prod.yaml"], False)
    ]


def test_who_is_in_a_stated_environment_is_not_guessed_to_go_with_others() -> None:
    edge = HelmTarget("charts/edge")
    assert groups(ORDERS, SHOP, edge, all=("helm:charts/orders", "helm:charts/shop")) == [
        (["helm:charts/orders", "helm:charts/shop"], True)
    ]
    assert groups(ORDERS, SHOP, guess=False) == []


def test_alternatives_examples_chart_tests_and_collections_are_apart() -> None:
    alternative = ManifestTarget("k8s/dev.yaml", ("k8s/dev.yaml",))
    tested = HelmTarget("charts/edge", ("charts/edge/ci/test-values.yaml",))
    example = HelmTarget("examples/one/shop")
    assert groups(ORDERS, alternative, tested, example) == []
    many = [HelmTarget(f"charts/{number}") for number in range(MANY_CHARTS + 1)]
    assert groups(*many) == []
    assert len(groups(*many[1:])) == 1
