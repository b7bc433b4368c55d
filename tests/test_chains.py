"""The way of the traffic around a finding: from manifests to hops."""

from __future__ import annotations

import pytest

from portproof.graph.chains import Chains, Fate, Hop
from portproof.graph.model import PortGraph
from portproof.rules.base import Finding
from tests.support.rules import RULES, graph

INGRESS = """
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: NAME}
spec: {defaultBackend: {service: {name: backend, port: {PORT}}}}
---
"""
SERVICE = """
apiVersion: v1
kind: Service
metadata: {name: backend}
spec: {selector: {app: backend}, ports: [PORTS]}
---
"""
PODS = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: backend}
spec:
  template:
    metadata: {labels: {app: backend}}
    spec:
      containers:
        - name: web
          image: example/web
          ports: [PORTS]
          livenessProbe: {httpGet: {port: PROBE}}
---
"""
HTTP = "{name: http, port: 80, targetPort: 8081}"
HOOK = "lifecycle: {preStop: {tcpSocket: {port: 8080}}}"
GOOD = "{name: http, port: 80, targetPort: http}"


def service(ports: str = HTTP) -> str:
    return SERVICE.replace("PORTS", ports)


def pods(ports: str = "{name: http, containerPort: 8080}", probe: str = "8080") -> str:
    return PODS.replace("PORTS", ports).replace("PROBE", probe)


def ingress(port: str = "number: 80", name: str = "front") -> str:
    return INGRESS.replace("NAME", name).replace("PORT", port)


def around(built: PortGraph, one: Finding) -> tuple[Hop, ...]:
    return Chains(built).around(one.primary, [label.site for label in one.related], one.expected)


def ways(text: str, rule: str) -> list[str]:
    """The hops around the only finding of a rule, one line each."""
    built = graph(text)
    found: list[Finding] = list(RULES[rule].check(built))
    (one,) = found
    signs = {Fate.ARRIVES: "->", Fate.FAILS: "-x", Fate.WOULD: "~>"}
    return [
        f"{hop.start.name} {signs[hop.fate]} {hop.end.name} {hop.port}".rstrip() for hop in around(built, one)
    ]


def test_a_caller_comes_through_every_ingress_that_asks_for_that_port() -> None:
    text = (
        ingress()
        + ingress("name: http", "named")
        + ingress("number: 9000", "admin")
        + service(f"{HTTP}, {{name: admin, port: 9000, targetPort: 9000}}")
        + pods("{name: http, containerPort: 8080}, {name: admin, containerPort: 9000}")
    )
    assert ways(text, "service-target-number") == [
        "caller -> Ingress/front",
        "Ingress/front -> Service/backend 80",
        "caller -> Ingress/named",
        "Ingress/named -> Service/backend http",
        "Service/backend -x Deployment/backend 8081",
        "Service/backend ~> Deployment/backend 8080",
    ]


def test_without_an_ingress_the_caller_asks_the_service_itself() -> None:
    assert ways(service() + pods(), "service-target-number") == [
        "caller -> Service/backend 80",
        "Service/backend -x Deployment/backend 8081",
        "Service/backend ~> Deployment/backend 8080",
    ]


def test_the_stops_tell_their_ports() -> None:
    text = service() + pods(
        "{name: http, containerPort: 8080}, {containerPort: 53, protocol: UDP}, {containerPort: 1}, {containerPort: 2}"
    )
    built = graph(text)
    (one,) = RULES["service-target-number"].check(built)
    hops = around(built, one)
    assert hops[1].start.ports == ("port 80 (http)",)
    assert hops[1].end.ports == ("container web", "8080 (http)", "53/UDP", "1", "and 1 more")


def test_many_callers_are_counted() -> None:
    text = "".join(ingress(name=f"front-{number}") for number in range(5)) + service() + pods()
    found = ways(text, "service-target-number")
    assert found[6:] == [
        "2 more -> Service/backend",
        "Service/backend -x Deployment/backend 8081",
        "Service/backend ~> Deployment/backend 8080",
    ]


def test_a_workload_that_is_reached_is_not_marked() -> None:
    text = service() + pods() + pods("{containerPort: 8081}").replace("name: backend}", "name: other}", 1)
    assert ways(text, "service-workloads-differ")[1:] == [
        "Service/backend -x Deployment/backend 8081",
        "Service/backend -> Deployment/other 8081",
    ]


def test_where_protocols_differ_they_are_told() -> None:
    text = service("{port: 53, targetPort: dns, protocol: UDP}") + pods("{name: dns, containerPort: 53}")
    assert ways(text, "service-target-protocol")[:2] == [
        "caller -> Service/backend 53",
        "Service/backend -x Deployment/backend dns/UDP",
    ]


def test_a_number_in_quotes_is_shown_in_quotes() -> None:
    text = service("{port: 80, targetPort: '8080'}") + pods()
    assert ways(text, "service-target-numeric-string")[1:] == [
        'Service/backend -x Deployment/backend "8080"',
        "Service/backend ~> Deployment/backend 8080",
    ]


def test_an_ingress_that_asks_for_no_port_of_the_service_is_followed_to_where_it_should_lead() -> None:
    assert ways(ingress("name: htpp") + service(GOOD) + pods(), "ingress-backend-port") == [
        "caller -> Ingress/front",
        "Ingress/front -x Service/backend htpp",
        "Ingress/front ~> Service/backend http",
        "Service/backend -> Deployment/backend http",
    ]


def test_a_service_that_is_not_here_stands_beside_the_one_that_is() -> None:
    text = ingress().replace("name: backend", "name: bakend") + service(GOOD) + pods()
    assert ways(text, "ingress-service") == [
        "caller -> Ingress/front",
        "Ingress/front -x Service/bakend 80",
        "Ingress/front ~> Service/backend 80",
        "Service/backend -> Deployment/backend http",
    ]


def test_a_reference_of_the_table_is_a_caller_like_an_ingress() -> None:
    text = (
        """
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: hook}
webhooks: [{name: a.example.com, clientConfig: {service: {name: backend, namespace: default, port: 81}}}]
---
"""
        + service(GOOD)
        + pods()
    )
    assert ways(text, "webhook-service-port")[:3] == [
        "caller -> ValidatingWebhookConfiguration/hook",
        "ValidatingWebhookConfiguration/hook -x Service/backend 81",
        "ValidatingWebhookConfiguration/hook ~> Service/backend 80",
    ]


def test_a_probe_comes_from_the_kubelet() -> None:
    assert ways(pods(probe="htpp"), "probe-port-name") == [
        "kubelet -x Deployment/backend htpp",
        "kubelet ~> Deployment/backend http",
    ]


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (service("{port: 80}, {port: 81}") + pods(), "service-port-name"),
        (pods("{name: UPPER, containerPort: 8080}"), "container-port-name"),
        (
            pods().replace("livenessProbe: {httpGet: {port: 8080}}", HOOK),
            "lifecycle-tcp-socket",
        ),
    ],
)
def test_what_is_on_no_way_has_none(text: str, rule: str) -> None:
    built = graph(text)
    found = list(RULES[rule].check(built))
    assert found
    assert [around(built, one) for one in found] == [()] * len(found)
