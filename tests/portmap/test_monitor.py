"""Which ports ``portproof monitor`` probes, and why it leaves the others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import yaml

from portproof.portmap.model import Ask, End, PortLine, PortMap, ServiceMap, TargetMap, Verdict
from portproof.portmap.monitor import Monitoring, chosen, operator
from tests.e2e.program import Program, Repository

MakeRepository = Callable[[str], Repository]
END = End("Deployment/web", "web", 8080, "http", Verdict.REACHED)
PORT = PortLine(0, 80, "http", "TCP", "http", None, Ask("tcp"), (END,))
WEB = ServiceMap("shop", True, "web", "ClusterIP", (("app", "web"),), ("Deployment/web",), (PORT,))


def on_map(*services: ServiceMap, environment: str = "prod") -> PortMap:
    return PortMap((TargetMap("kustomize:prod", "kustomize:base", environment, services),))


@pytest.mark.parametrize(
    ("service", "address"),
    [
        (WEB, "web.shop.svc:80"),
        (replace(WEB, type="Headless"), "web.shop.svc:8080"),
        (replace(WEB, type="Headless", ports=(replace(PORT, target="9090"),)), "web.shop.svc:9090"),
        (
            replace(WEB, ports=(replace(PORT, ends=(replace(END, verdict=Verdict.MISSED),)),)),
            "web.shop.svc:80",
        ),
    ],
)
def test_what_is_probed(service: ServiceMap, address: str) -> None:
    probed, omitted = chosen(on_map(service))
    assert ([one.address for one in probed], omitted) == ([address], ())


@pytest.mark.parametrize(
    ("service", "reason"),
    [
        (replace(WEB, settled=False), "its namespace is not stated"),
        (replace(WEB, name="<release>-web"), "the name of the release is not stated"),
        (replace(WEB, type="ExternalName"), "another host's name"),
        (replace(WEB, idle="replicas: 0"), "scaled to zero (replicas: 0)"),
        (replace(WEB, ports=(replace(PORT, protocol="UDP"),)), "UDP cannot be probed"),
        (replace(WEB, ports=(replace(PORT, number=3306),)), "MySQL bans a host"),
        (replace(WEB, ports=(replace(PORT, ends=(replace(END, number=3306),)),)), "MySQL bans a host"),
        (replace(WEB, workloads=(), ports=(replace(PORT, ends=()),), note="no selector"), "(no selector)"),
        (replace(WEB, type="Headless", ports=(replace(PORT, ends=()),)), "is not known"),
    ],
)
def test_what_is_left_has_a_reason(service: ServiceMap, reason: str) -> None:
    probed, (omitted,) = chosen(on_map(service))
    assert probed == ()
    assert reason in omitted.reason
    assert omitted.what.endswith(f":{service.ports[0].name}")


def test_labels_and_namespace_are_those_that_were_asked_for() -> None:
    probed, _ = chosen(on_map(WEB, environment="PR 12/blue"))
    several = list(
        yaml.safe_load_all(operator(Monitoring(namespace="ops", labels={"release": "stack"}), probed))
    )
    assert [one["metadata"]["name"] for one in several] == ["portproof-pr-12-blue-tcp", "portproof"]
    assert {one["metadata"]["namespace"] for one in several} == {"ops"}
    assert {one["metadata"]["labels"]["release"] for one in several} == {"stack"}


def test_the_overlay_of_the_incident_is_probed(portproof: Program, make_repository: MakeRepository) -> None:
    make_repository("incident/broken")
    run = portproof("monitor", "--environment", "prod")
    assert run.code == 0
    probe, rule = yaml.safe_load_all(run.stdout)
    assert probe["spec"]["targets"]["staticConfig"]["static"] == ["backend-v1.shop.svc:80"]
    assert rule["kind"] == "PrometheusRule"
    run = portproof("monitor", "--output", "monitoring")
    assert run.code == 0
    assert "wrote monitoring/alerts_test.yaml" in run.stderr
    assert "not probed: backend-v1:http (defaults): its namespace is not stated" in run.stderr


def test_a_label_without_a_value_is_wrong_use(portproof: Program, make_repository: MakeRepository) -> None:
    make_repository("incident/broken")
    run = portproof("monitor", "--label", "release")
    assert run.code == 2
    assert "--label release: must be KEY=VALUE" in run.stderr
    assert "--label release=prometheus" in run.stderr
