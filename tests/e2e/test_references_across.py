"""Routes, Ingresses and mesh objects whose Service another target of the same environment has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.e2e.program import Program, Repository, place

SERVICE = """apiVersion: v1
kind: Service
metadata: {name: orders}
spec:
  selector: {app: orders}
  ports:
    - {name: http, port: 80, targetPort: 8080}
"""
ASKING = {
    "ingress-backend-port": """apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: edge}
spec:
  defaultBackend: {service: {name: orders, port: {number: 8080}}}
""",
    "route-backend-port": """apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: edge}
spec:
  rules: [{backendRefs: [{name: orders, port: 8080}]}]
""",
    "virtual-service-port": """apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: edge}
spec:
  hosts: [orders.example.org]
  http: [{route: [{destination: {host: orders, port: {number: 8080}}}]}]
""",
    "destination-rule-port": """apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: edge}
spec:
  host: orders
  trafficPolicy: {portLevelSettings: [{port: {number: 8080}}]}
""",
    "traefik-service-port": """apiVersion: traefik.io/v1alpha1
kind: IngressRoute
metadata: {name: edge}
spec:
  routes: [{match: PathPrefix(`/`), services: [{name: orders, port: 8080}]}]
""",
    "httpproxy-service-port": """apiVersion: projectcontour.io/v1
kind: HTTPProxy
metadata: {name: edge}
spec:
  routes: [{services: [{name: orders, port: 8080}]}]
""",
    "controller-service-port": """apiVersion: apisix.apache.org/v2
kind: ApisixRoute
metadata: {name: edge}
spec:
  http: [{name: a, backends: [{serviceName: orders, servicePort: 8080}]}]
""",
    "webhook-service-port": """apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: edge}
webhooks: [{name: a.example.org, clientConfig: {service: {name: orders, namespace: default, port: 8080}}}]
""",
    "backend-tls-policy-port": """apiVersion: gateway.networking.k8s.io/v1
kind: BackendTLSPolicy
metadata: {name: edge}
spec:
  targetRefs: [{group: "", kind: Service, name: orders, sectionName: web}]
""",
}
ROUTE = ASKING["route-backend-port"]
NAMED = "metadata: {name: edge}", "metadata: {name: edge, namespace: shop}"
LIVES = "metadata: {name: orders}", "metadata: {name: orders, namespace: shop}"


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    monkeypatch.chdir(tmp_path)
    return Repository(tmp_path)


def found(portproof: Program) -> list[dict[str, Any]]:
    findings: list[dict[str, Any]] = portproof.check()["findings"]
    return findings


@pytest.mark.parametrize("rule", ASKING)
def test_a_service_of_another_target_is_asked(portproof: Program, repository: Repository, rule: str) -> None:
    repository.write({"services/orders/a.yaml": SERVICE, "edge/b.yaml": ASKING[rule]})
    (one,) = found(portproof)
    assert (one["rule"], one["severity"]) == (rule, "warning")
    assert one["message"].endswith("(the Service is in services/orders).")
    assert one["location"]["path"] == "edge/b.yaml"
    (edit,) = one["fix"]["edits"]
    assert edit["path"] == "edge/b.yaml"
    assert edit["new"] in ("80", "http")
    repository.replace("edge/b.yaml", edit["old"], edit["new"])
    assert found(portproof) == []


def test_of_services_of_one_name_nobody_knows_which_is_meant(
    portproof: Program, repository: Repository
) -> None:
    repository.write({"orders/a.yaml": SERVICE, "billing/a.yaml": SERVICE.replace("port: 80,", "port: 90,")})
    repository.write({"edge/b.yaml": ROUTE})
    (one,) = found(portproof)
    assert one["message"].endswith("(the Service is in billing and orders).")
    assert (one["fix"], one["alternatives"]) == (None, [])


def test_what_the_configuration_names_together_is_no_guess(
    portproof: Program, repository: Repository
) -> None:
    repository.write({"services/orders/a.yaml": SERVICE, "edge/b.yaml": ROUTE})
    repository.write({"portproof.yaml": "environments: {all: ['*']}\n"})
    assert [one["severity"] for one in found(portproof)] == ["error"]


def test_a_release_is_where_its_description_puts_it(portproof: Program, repository: Repository) -> None:
    release = """apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: orders, namespace: shop}
spec:
  chart: {spec: {chart: charts/orders, sourceRef: {kind: GitRepository, name: fleet}}}
"""
    repository.write(
        {
            "charts/orders/Chart.yaml": "apiVersion: v2\nname: orders\nversion: 1.0.0\n",
            "charts/orders/templates/service.yaml": SERVICE,
            "apps/orders/release.yaml": release,
            "apps/orders/route.yaml": ROUTE.replace(*NAMED),
            "apps/orders/kustomization.yaml": "resources: [release.yaml, route.yaml]\n",
        }
    )
    (one,) = found(portproof)
    assert place(one["location"]).startswith("apps/orders/route.yaml:5:")
    repository.replace("apps/orders/route.yaml", "namespace: shop", "namespace: web")
    assert found(portproof) == []


@pytest.mark.parametrize(
    ("service", "route"),
    [
        ("overlays/prod", "overlays/dev"),  # another environment
        ("examples/a", "edge"),  # an example is deployed by itself
    ],
)
def test_who_is_not_deployed_together_is_not_compared(
    portproof: Program, repository: Repository, service: str, route: str
) -> None:
    repository.write({f"{service}/a.yaml": SERVICE, f"{route}/b.yaml": ROUTE})
    assert found(portproof) == []


def test_a_service_of_another_namespace_is_another_one(portproof: Program, repository: Repository) -> None:
    repository.write({"orders/a.yaml": SERVICE.replace(*LIVES), "edge/b.yaml": ROUTE.replace(*NAMED)})
    assert len(found(portproof)) == 1
    repository.replace("edge/b.yaml", "namespace: shop", "namespace: web")
    assert found(portproof) == []


def test_one_of_several_that_has_the_port_is_enough(portproof: Program, repository: Repository) -> None:
    other = SERVICE.replace("port: 80,", "port: 8080,")
    repository.write({"orders/a.yaml": SERVICE, "orders-v2/a.yaml": other, "edge/b.yaml": ROUTE})
    assert found(portproof) == []


def test_the_name_is_no_typo_of_a_neighbour_if_another_target_has_it(
    portproof: Program, repository: Repository
) -> None:
    near = SERVICE.replace("name: orders", "name: order").replace("port: 80,", "port: 8080,")
    repository.write({"edge/a.yaml": near, "edge/b.yaml": ROUTE})
    assert [one["rule"] for one in found(portproof)] == ["route-backend-service"]
    repository.write({"orders/a.yaml": SERVICE.replace("port: 80,", "port: 8080,")})
    assert found(portproof) == []


MONITOR = """apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
metadata: {name: orders}
spec:
  selector: {matchLabels: {app: orders}}
  endpoints: [{port: http}]
"""
PODS = """apiVersion: apps/v1
kind: Deployment
metadata: {name: orders}
spec:
  selector: {matchLabels: {app: orders}}
  template:
    metadata: {labels: {app: orders}}
    spec: {containers: [{name: orders, image: "registry.example.org/orders:1", ports: [{containerPort: 8080}]}]}
"""
LABELLED = SERVICE.replace("metadata: {name: orders}", "metadata: {name: orders, labels: {app: orders}}")


@pytest.mark.parametrize(
    ("asking", "answering", "rule"),
    [
        (ROUTE.replace("8080", "80"), SERVICE, "route-backend-service"),
        (ASKING["ingress-backend-port"].replace("8080", "80"), SERVICE, "ingress-service"),
        (SERVICE, PODS, "service-selector"),
        (MONITOR, LABELLED, "monitor-selector"),
    ],
)
def test_in_a_complete_environment_everything_absent_is_an_error(
    portproof: Program, repository: Repository, asking: str, answering: str, rule: str
) -> None:
    other = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: other}\n"
    repository.write(
        {"asking/a.yaml": asking, "other/b.yaml": PODS.replace("orders", "other") + "---\n" + other}
    )
    assert found(portproof) == []
    repository.write({"portproof.yaml": "environments: {all: ['*']}\n"})
    assert found(portproof) == []
    repository.write({"portproof.yaml": "environments: {all: {complete: true, targets: ['*']}}\n"})
    (one,) = found(portproof)
    assert (one["rule"], one["severity"]) == (rule, "error")
    repository.write({"answering/c.yaml": answering + "---\n" + PODS})
    assert found(portproof) == []


@pytest.mark.parametrize(
    "text", ["environments: {all: {complete: true}}\n", "environments: {all: {complete: 1, targets: [a]}}\n"]
)
def test_a_complete_environment_names_its_targets(
    portproof: Program, repository: Repository, text: str
) -> None:
    repository.write({"a.yaml": SERVICE, "portproof.yaml": text})
    assert "portproof.yaml:1: environments.all" in portproof("check").stderr


SHOP = """apiVersion: v1
kind: Pod
metadata: {name: worker, labels: {app: shop-orders}}
spec: {containers: [{name: orders, image: orders, ports: [{containerPort: 8080}]}]}
---
apiVersion: v1
kind: Service
metadata: {name: shop-orders}
spec: {selector: {app: shop-orders}, ports: [{port: 8080}]}
---
"""
CALL = """apiVersion: v1
kind: Pod
metadata: {name: edge}
spec: {containers: [{name: edge, image: edge, env: [{name: ORDERS_URL, value: "http://orders:8080"}]}]}
"""


@pytest.mark.parametrize(
    ("rule", "asking"),
    [
        ("caller-service", CALL),
        ("ingress-service", ASKING["ingress-backend-port"]),
        ("route-backend-service", ROUTE),
    ],
)
def test_a_name_that_differs_by_a_word_is_no_mistake_where_another_target_has_it(
    portproof: Program, repository: Repository, rule: str, asking: str
) -> None:
    repository.write({"edge/b.yaml": SHOP + asking})
    (one,) = found(portproof)
    assert (one["rule"], one["severity"], one["location"]["path"]) == (rule, "warning", "edge/b.yaml")
    repository.write({"orders/a.yaml": SERVICE.replace("port: 80,", "port: 8080,")})
    assert found(portproof) == []
