"""One wrong line in the shop: the finding names that line, and a proven fix gives the old text back.

Each mutation is one change of one scalar, at the place where a person would have made the mistake. Mutations that have
nothing to do with each other share a run.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from tests.e2e.program import Program, Repository, by_status, fixes, place

pytestmark = pytest.mark.slow

MakeRepository = Callable[[str], Repository]

DEFAULTS = "helm:charts/shop"
MINIMAL = "helm:charts/shop?values=ci/minimal-values.yaml"
PROD = "helm:charts/shop?values=values-prod.yaml"
STAGING = "helm:charts/shop?values=values-staging.yaml"
PAYMENTS = "helm:charts/payments"
SHOP = (DEFAULTS, MINIMAL, PROD, STAGING)
K_DEV, K_PROD, K_STAGING = (f"kustomize:k8s/overlays/{name}" for name in ("dev", "prod", "staging"))
MAIL_DEV, MAIL_PROD = (f"kustomize:k8s/apps/mail/overlays/{name}" for name in ("dev", "prod"))
LEGACY = "manifests:deploy/legacy"
EVERY = (*SHOP, PAYMENTS, K_DEV, K_PROD, K_STAGING, MAIL_DEV, MAIL_PROD, LEGACY)

Expected = tuple[str, str, tuple[str, ...]]
"""Rule, kind and name, targets."""


@dataclass(frozen=True)
class Mutation:
    """Write `new` in place of what stands between the angle quotes of `context` in the file `path`.

    `at_other_end` is for mistakes in the declaration: the finding is about the reference, and names the mutated line
    as related.
    """

    name: str
    path: str
    context: str
    new: str
    expected: tuple[Expected, ...]
    at_other_end: bool = False

    def __str__(self) -> str:
        return self.name

    def meets(self, other: Mutation) -> bool:
        """Whether both are about one object, in whichever environment."""
        return not self._objects.isdisjoint(other._objects)

    @property
    def _objects(self) -> set[str]:
        names = {name.partition("/")[2] for _, name, _ in self.expected}
        return {re.sub("^(dev|prod|staging)-", "", name) for name in names}

    def apply(self, repository: Repository) -> str:
        """Make the change; gives the place of the new text."""
        text = repository.read(self.path).decode()
        repository.write({self.path: self.applied(text)})
        start = text.index(self._old) + self.context.index("«")
        line, column = text.count("\n", 0, start) + 1, start - (text.rfind("\n", 0, start) + 1) + 1
        return f"{self.path}:{line}:{column}-{line}:{column + len(self.new)}"

    def applied(self, text: str) -> str:
        """The text of the file with the change."""
        assert text.count(self._old) == 1, f"{self.context!r} is not unique"
        return text.replace(self._old, re.sub("«.*»", self.new, self.context))

    @property
    def _old(self) -> str:
        return self.context.replace("«", "").replace("»", "")


MUTATIONS = (
    Mutation(
        "umbrella-value-over-a-subcharts-own",
        "charts/shop/values.yaml",
        "    port: 8443\n    targetPort: «8443»",
        "8444",
        (("service-target-number", "Service/shop-checkout", SHOP),),
    ),
    Mutation(
        "values-of-a-vendored-subchart",
        "charts/shop/charts/cart/values.yaml",
        "adminTargetPort: «9190»",
        "9109",
        (("service-target-number", "Service/shop-cart", SHOP),),
    ),
    Mutation(
        "global-value",
        "charts/shop/values.yaml",
        "cart: «8070» #",
        "8071",
        (("service-target-number", "Service/shop-cart", SHOP),),
    ),
    Mutation(
        "values-prod-only",
        "charts/shop/values-prod.yaml",
        "targetPort: «8843»",
        "8844",
        (("service-target-number", "Service/shop-web", (PROD,)),),
    ),
    Mutation(
        "template-literal",
        "charts/shop/templates/worker.yaml",
        "targetPort: «6060» # pprof",
        "6061",
        (("service-target-number", "Service/shop-worker", SHOP),),
    ),
    Mutation(
        "default-in-a-template",
        "charts/shop/templates/web.yaml",
        ".Values.web.service.targetPort | default «8080»",
        "8088",
        (("service-target-number", "Service/shop-web", (DEFAULTS, MINIMAL, STAGING)),),
    ),
    Mutation(
        "default-in-a-helper",
        "charts/shop/templates/_helpers.tpl",
        ".Values.worker.healthPort | default «9400»",
        "9401",
        (("service-target-number", "Service/shop-worker", SHOP),),
    ),
    Mutation(
        "default-in-a-helper-of-the-container",
        "charts/shop/templates/_helpers.tpl",
        ".Values.web.containerPort | default «8080»",
        "8081",
        (("service-target-number", "Service/shop-web", (DEFAULTS, MINIMAL, STAGING)),),
        at_other_end=True,
    ),
    Mutation(
        "key-of-a-map-that-becomes-ports-of-the-service",
        "charts/shop/charts/catalog/values.yaml",
        "ports:\n    «grpc»:\n      port: 9000",
        "grcp",
        (("service-target-name", "Service/shop-catalog", SHOP),),
    ),
    Mutation(
        "key-of-a-map-that-becomes-ports-of-the-container",
        "charts/shop/charts/catalog/values.yaml",
        "«http»: 8080",
        "htpp",
        (
            ("probe-port-name", "Deployment/shop-catalog", SHOP),
            ("service-target-name", "Service/shop-catalog", SHOP),
        ),
        at_other_end=True,
    ),
    Mutation(
        "name-of-a-native-sidecars-port",
        "charts/shop/charts/cart/templates/services.yaml",
        "targetPort: «proxy-metrics»",
        "proxy-metric",
        (("service-target-name", "Service/shop-cart", SHOP),),
    ),
    Mutation(
        "probe-in-to-yaml-values",
        "charts/shop/charts/catalog/values.yaml",
        "path: /ready\n      port: «http»",
        "htttp",
        (("probe-port-name", "Deployment/shop-catalog", SHOP),),
    ),
    Mutation(
        "chart-mounted-twice-from-a-file-address",
        "charts/payments/values.yaml",
        "targetPort: «9080»",
        "9081",
        (("service-target-number", "Service/payments", (PAYMENTS, *SHOP)),),
    ),
    Mutation(
        "template-in-a-value",
        "charts/payments/values.yaml",
        "targetPort: «telemetry»",
        "telemtry",
        (
            ("service-target-name", "Service/payments", (PAYMENTS,)),
            ("service-target-name", "Service/shop-card", SHOP),
            ("service-target-name", "Service/shop-invoice", (DEFAULTS, PROD, STAGING)),
        ),
    ),
    Mutation(
        "value-of-an-alias",
        "charts/shop/values.yaml",
        "targetPort: «9700»",
        "9701",
        (("service-target-number", "Service/shop-invoice", (DEFAULTS, PROD, STAGING)),),
    ),
    Mutation(
        "ingress-path-number",
        "charts/shop/values.yaml",
        "service: web\n      port: «80»",
        "8090",
        (("ingress-backend-port", "Ingress/shop", (DEFAULTS, STAGING)),),
    ),
    Mutation(
        "ingress-path-name",
        "charts/shop/values.yaml",
        "service: catalog\n      port: «http»",
        "htp",
        (("ingress-backend-port", "Ingress/shop", (DEFAULTS, STAGING)),),
    ),
    Mutation(
        "kustomize-base",
        "k8s/base/web/service.yaml",
        "targetPort: «8080»",
        "8081",
        (  # staging patches it away
            ("service-target-number", "Service/web", (K_DEV, K_PROD)),
        ),
    ),
    Mutation(
        "kustomize-base-of-the-second-application",
        "k8s/apps/mail/base/mailer.yaml",
        "targetPort: «8025»",
        "8026",
        (("service-target-number", "Service/mailer", (MAIL_DEV, MAIL_PROD)),),
    ),
    Mutation(
        "strategic-merge-patch",
        "k8s/overlays/prod/patches/api-service.yaml",
        "targetPort: «50061»",
        "50062",
        (("service-target-number", "Service/prod-api", (K_PROD,)),),
    ),
    Mutation(
        "json6902-patch",
        "k8s/overlays/staging/patches/web-service.json",
        '"value": «8800»',
        "8080",
        (("service-target-number", "Service/staging-web", (K_STAGING,)),),
    ),
    Mutation(
        "json6902-patch-of-the-container",
        "k8s/overlays/staging/patches/web-deployment.yaml",
        "value: «8800»",
        "8801",
        (("service-target-number", "Service/staging-web", (K_STAGING,)),),
        at_other_end=True,
    ),
    Mutation(
        "inline-patch",
        "k8s/overlays/dev/kustomization.yaml",
        "targetPort: «9229»",
        "9292",
        (("service-target-number", "Service/api", (K_DEV,)),),
    ),
    Mutation(
        "component",
        "k8s/components/metrics/service.yaml",
        "targetPort: «metrics»",
        "metrcs",
        (("service-target-name", "Service/prod-api", (K_PROD, K_STAGING)),),
    ),
    Mutation(
        "component-probe",
        "k8s/components/metrics/exporter.yaml",
        "port: «metrics»",
        "metric",
        (("probe-port-name", "Deployment/prod-api", (K_PROD, K_STAGING)),),
    ),
    Mutation(
        "replacement-source",
        "k8s/overlays/staging/settings.yaml",
        "workerTarget: «health»",
        "heatlh",
        (("service-target-name", "Service/staging-worker", (K_STAGING,)),),
    ),
    Mutation(
        "config-map-generator-literal",
        "k8s/overlays/prod/kustomization.yaml",
        "TARGET=«postgres»",
        "postgre",
        (("service-target-name", "Service/prod-postgres", (K_PROD,)),),
    ),
    Mutation(
        "manifest-with-crlf",
        "deploy/legacy/shipping.yaml",
        "targetPort: «7070»   # not 80!\r\n",
        "7071",
        (("service-target-number", "Service/shipping", (LEGACY,)),),
    ),
    Mutation(
        "manifest-with-quotes",
        "deploy/legacy/shipping.yaml",
        'targetPort: "«admin»"}',
        "amdin",
        (("service-target-name", "Service/shipping", (LEGACY,)),),
    ),
    Mutation(
        "json-manifest",
        "deploy/legacy/reports-service.json",
        '"targetPort": «8600»',
        "8060",
        (("service-target-number", "Service/reports", (LEGACY,)),),
    ),
    Mutation(
        "list-item",
        "deploy/legacy/backoffice.yaml",
        "targetPort: «5000»",
        "5001",
        (("service-target-number", "Service/backoffice", (LEGACY,)),),
    ),
    Mutation(
        "declaration-in-a-manifest",
        "deploy/legacy/reports-deployment.yaml",
        "containerPort: «8600»",
        "8601",
        (("service-target-number", "Service/reports", (LEGACY,)),),
        at_other_end=True,
    ),
)


def test_the_shop_is_clean(portproof: Program, make_repository: MakeRepository) -> None:
    make_repository("shop")
    run = portproof("check", "--fail-on", "note", "--format", "json")
    assert run.report["findings"] == []
    assert by_status(run.report) == {"checked": sorted(EVERY), "failed": [], "skipped": []}
    assert run.code == 0


def together() -> list[list[Mutation]]:
    """The mutations in groups; those of one group share a run, for they are about other objects."""
    groups: list[list[Mutation]] = []
    for one in MUTATIONS:
        group = next((group for group in groups if not any(map(one.meets, group))), None)
        if group is None:
            groups.append(group := [])
        group.append(one)
    return groups


@pytest.mark.parametrize("mutations", together(), ids=lambda group: f"{group[0]}-and-{len(group) - 1}-more")
def test_one_wrong_line(
    mutations: list[Mutation], portproof: Program, make_repository: MakeRepository
) -> None:
    repository = make_repository("shop")
    originals = {one.path: repository.read(one.path).decode() for one in mutations}
    mutated = {one.name: one.apply(repository) for one in mutations}
    with repository.untouched():
        run = portproof("check", "--format", "json")
    findings = run.report["findings"]

    assert sorted(map(_summary, findings)) == sorted(
        expected for one in mutations for expected in one.expected
    )
    assert by_status(run.report) == {"checked": sorted(EVERY), "failed": [], "skipped": []}
    assert run.code == 1
    for one in mutations:
        without = originals[one.path]
        for other in mutations:
            if other.path == one.path and other is not one:
                without = other.applied(without)
        for finding in findings:
            if _summary(finding) in one.expected:
                _assert_found(one, finding, mutated[one.name], without.encode(), repository)


def _assert_found(
    mutation: Mutation, finding: Mapping[str, Any], mutated: str, original: bytes, repository: Repository
) -> None:
    """The finding names the mutated place, and a proven fix gives the file as it was without this mutation."""
    assert finding["location"]["proof"] == "proven", mutation
    places = [finding["location"]]
    if mutation.at_other_end:
        places = [one["location"] for one in finding["related"]]
    assert mutated in map(place, places), mutation
    assert all(one["proof"] == "proven" for one in places), mutation
    assert any(_restores(fix, mutation.path, original, repository) for fix in fixes(finding)), mutation
    if not mutation.at_other_end:
        assert [place(edit) for edit in finding["fix"]["edits"]] == [mutated], mutation


def _summary(finding: dict[str, Any]) -> Expected:
    resource = finding["resource"]
    return finding["rule"], f"{resource['kind']}/{resource['name']}", tuple(finding["targets"])


def _restores(fix: Mapping[str, Any], path: str, original: bytes, repository: Repository) -> bool:
    """Whether git makes the original from the fix's patch; the mutated file is put back afterwards."""
    mutated = repository.read(path)
    repository.git("apply", "-", stdin=fix["patch"])
    restored = repository.read(path)
    repository.git("apply", "--reverse", "-", stdin=fix["patch"])
    assert repository.read(path) == mutated
    return restored == original
