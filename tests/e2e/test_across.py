"""A change to one target that breaks another, which it does not touch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from tests.e2e.program import Program, Repository

Make = Callable[[str], Repository]


def deployment(name: str) -> str:
    return f"""apiVersion: apps/v1
kind: Deployment
metadata:
  name: {name}
spec:
  selector:
    matchLabels: {{app: {name}}}
  template:
    metadata:
      labels: {{app: {name}}}
    spec:
      containers:
        - name: {name}
          image: registry.example.org/{name}:1
          ports:
            - name: http
              containerPort: 8080
"""


SERVICE = """apiVersion: v1
kind: Service
metadata:
  name: orders
  labels: {app: orders}
spec:
  selector: {app: orders}
  ports:
    - name: http
      port: 80
      targetPort: http
"""
GATEWAY = """apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: edge}
spec:
  gatewayClassName: example
  listeners:
    - name: web
      port: 80
      protocol: HTTP
"""
ROUTE = """apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: shop}
spec:
  parentRefs: [{name: edge, sectionName: web}]
  rules:
    - backendRefs:
        - name: orders
          port: 80
"""
MONITOR = """apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
metadata: {name: orders}
spec:
  selector: {matchLabels: {app: orders}}
  endpoints:
    - port: http
"""
POLICY = """apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: orders}
spec:
  podSelector: {matchLabels: {app: orders}}
  ingress:
    - ports:
        - port: http
"""
CALLER = """apiVersion: v1
kind: ConfigMap
metadata: {name: shop}
data:
  ORDERS_URL: http://orders:80/v1
"""
ORDERS, EDGE, SHOP = "apps/orders", "apps/edge", "apps/shop"


def chart(folder: str, **templates: str) -> dict[str, str]:
    return {
        f"{folder}/Chart.yaml": f"apiVersion: v2\nname: {folder.rpartition('/')[2]}\nversion: 1.0.0\n",
        f"{folder}/values.yaml": "replicas: 1\n",
        **{f"{folder}/templates/{name}.yaml": text for name, text in templates.items()},
    }


def overlay(folder: str, **resources: str) -> dict[str, str]:
    names = ", ".join(f"{name}.yaml" for name in resources)
    return {
        f"{folder}/kustomization.yaml": f"resources: [{names}]\n",
        **{f"{folder}/{name}.yaml": text for name, text in resources.items()},
    }


def manifests(folder: str, **files: str) -> dict[str, str]:
    return {f"{folder}/{name}.yaml": text for name, text in files.items()}


FORMS = {"chart": (chart, "/templates"), "overlay": (overlay, ""), "manifests": (manifests, "")}


def files(form: str, **shop: str) -> dict[str, str]:
    """Who offers something, in a form, and the chart ``shop`` that asks for it."""
    make, _ = FORMS[form]
    return {
        **make(ORDERS, service=SERVICE, deployment=deployment("orders")),
        **make(EDGE, gateway=GATEWAY),
        **chart(SHOP, deployment=deployment("shop"), **shop),
    }


def broken(portproof: Program) -> list[tuple[str, str, str]]:
    """What a change breaks between targets: the rule, the severity, and where it is said."""
    report = portproof.check("--base", "HEAD")
    new = [one for one in report["findings"] if one["introduced"]]
    for one in new:
        edits = [edit for fix in (one["fix"], *one["alternatives"]) if fix for edit in fix["edits"]]
        assert all(edit["path"].startswith(SHOP) for edit in edits), "only the end of who asks is offered"
    return [(one["rule"], one["severity"], _place(one["location"])) for one in new]


def _place(location: Mapping[str, Any]) -> str:
    return "{path}:{line}".format_map(location)


Edit = tuple[str, str, str]
RENAMED: Edit = ("service", "  name: orders\n", "  name: purchases\n")
MOVED: Edit = ("service", "port: 80\n", "port: 8080\n")
CASES: dict[str, tuple[dict[str, str], str, Edit, str, int]] = {
    "route-service-renamed": ({"route": ROUTE}, ORDERS, RENAMED, "service-gone", 4),
    "route-port-moved": ({"route": ROUTE}, ORDERS, MOVED, "route-backend-port", 10),
    "route-listener-renamed": (
        {"route": ROUTE},
        EDGE,
        ("gateway", "- name: web", "- name: http"),
        "route-parent-listener",
        7,
    ),
    "monitor-port-renamed": (
        {"monitor": MONITOR},
        ORDERS,
        ("service", "- name: http", "- name: web"),
        "service-monitor-port",
        9,
    ),
    "policy-port-renamed": (
        {"policy": POLICY},
        ORDERS,
        ("deployment", "- name: http", "- name: web"),
        "network-policy-port",
        16,
    ),
    "caller-service-renamed": ({"caller": CALLER}, ORDERS, RENAMED, "service-gone", 4),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("case", CASES)
def test_a_change_that_breaks_another_target_is_found(
    portproof: Program, make_repository: Make, case: str, form: str
) -> None:
    shop, folder, (name, old, new), rule, line = CASES[case]
    path = f"{folder}{FORMS[form][1]}/{name}.yaml"
    repository = make_repository("")
    repository.write(files(form, **shop))
    repository.commit()
    repository.replace(path, old, new)
    if case == "policy-port-renamed":
        repository.replace(path.replace("deployment", "service"), "targetPort: http", "targetPort: web")
    with repository.untouched():
        assert (rule, "warning", f"{path}:{line}") in broken(portproof)


def test_in_a_stated_environment_it_is_an_error(portproof: Program, make_repository: Make) -> None:
    repository = make_repository("")
    repository.write(files("chart", route=ROUTE))
    repository.write({"portproof.yaml": "environments: {all: ['helm:apps/*']}\n"})
    repository.commit()
    repository.replace("apps/orders/templates/service.yaml", *MOVED[1:])
    assert broken(portproof) == [("route-backend-port", "error", "apps/orders/templates/service.yaml:10")]


def test_the_message_names_the_other_target(portproof: Program, make_repository: Make) -> None:
    repository = make_repository("")
    repository.write(files("overlay", route=ROUTE))
    repository.commit()
    repository.replace("apps/orders/service.yaml", *MOVED[1:])
    (one,) = portproof.check("--base", "HEAD")["findings"]
    assert one["message"].endswith("(the Service is in apps/orders).")
    assert one["change"] == {
        "end": "Service/orders spec.ports[0].port",
        "before": 80,
        "after": 8080,
        "other_end": "HTTPRoute/shop spec.rules[0].backendRefs[0].port",
        "stayed": 80,
    }


@pytest.mark.parametrize("form", FORMS)
def test_a_target_that_is_removed_is_missed(portproof: Program, make_repository: Make, form: str) -> None:
    repository = make_repository("")
    repository.write(files(form, route=ROUTE))
    repository.commit()
    for path in files(form, route=ROUTE):
        if path.startswith(ORDERS):
            (repository.root / path).unlink()
    assert [rule for rule, _, _ in broken(portproof)] == ["service-gone"]


def test_a_caller_learns_what_moved(portproof: Program, make_repository: Make) -> None:
    repository = make_repository("")
    repository.write(files("chart", caller=CALLER))
    repository.commit()
    repository.replace("apps/orders/templates/service.yaml", *MOVED[1:])
    (one,) = portproof.check("--base", "HEAD")["findings"]
    assert (one["rule"], _place(one["location"])) == (
        "caller-service-port",
        "apps/orders/templates/service.yaml:10",
    )
    assert (one["change"]["before"], one["change"]["after"], one["change"]["stayed"]) == (80, 8080, 80)


QUIET: dict[str, dict[str, str]] = {
    "both-move": {
        "apps/orders/templates/service.yaml": SERVICE.replace("port: 80", "port: 8080"),
        "apps/shop/templates/route.yaml": ROUTE.replace("port: 80", "port: 8080"),
        "apps/shop/templates/caller.yaml": CALLER.replace(":80", ":8080"),
    },
    "another-image": {
        "apps/orders/templates/deployment.yaml": deployment("orders").replace("orders:1", "orders:2")
    },
    "to-another-target": {
        "apps/orders/templates/service.yaml": "# moved\n",
        "apps/edge/templates/service.yaml": SERVICE,
    },
    "a-target-that-fails": {"apps/orders/templates/service.yaml": "{{ if }}"},
}


@pytest.mark.parametrize("case", QUIET)
def test_what_still_meets_or_is_not_known_is_quiet(
    portproof: Program, make_repository: Make, case: str
) -> None:
    repository = make_repository("")
    repository.write(files("chart", route=ROUTE, policy=POLICY, monitor=MONITOR, caller=CALLER))
    repository.commit()
    repository.write(QUIET[case])
    rules = {one["rule"] for one in portproof.check("--base", "HEAD")["findings"] if one["introduced"]}
    assert rules <= {"render-failed"}


def test_other_environments_are_not_meant(portproof: Program, make_repository: Make) -> None:
    repository = make_repository("")
    repository.write(
        {
            **overlay("orders/overlays/dev", service=SERVICE, deployment=deployment("orders")),
            **overlay("orders/overlays/prod", service=SERVICE, deployment=deployment("orders")),
            **overlay("shop/overlays/prod", route=ROUTE),
        }
    )
    repository.commit()
    repository.replace("orders/overlays/dev/service.yaml", *MOVED[1:])
    assert portproof.check("--base", "HEAD")["findings"] == []
    repository.replace("orders/overlays/prod/service.yaml", *MOVED[1:])
    (one,) = portproof.check("--base", "HEAD")["findings"]
    assert (one["rule"], one["targets"]) == ("route-backend-port", ["kustomize:shop/overlays/prod"])
