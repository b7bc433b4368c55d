"""Which ports ``portproof monitor`` probes, and why it leaves the others."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from portproof.portmap.model import Ask, End, PortLine, PortMap, ServiceMap, TargetMap, Verdict
from portproof.portmap.monitor import (
    HTTP,
    TCP,
    Monitoring,
    Probed,
    chosen,
    dead_links,
    files,
    modules,
    operator,
)
from portproof.replacing import replace
from tests.e2e.program import Program, Repository

MakeRepository = Callable[[str], Repository]
END = End("Deployment/web", "web", 8080, "http", Verdict.REACHED)
PORT = PortLine(0, 80, "http", "TCP", "http", None, Ask("tcp"), (END,))
WEB = ServiceMap("shop", True, "web", "ClusterIP", (("app", "web"),), ("Deployment/web",), (PORT,))


CRDS = json.loads((Path(__file__).parents[1] / "data" / "prometheus-operator.json").read_text())
ASKED = replace(WEB, ports=(replace(PORT, ask=Ask("http", "/healthz")),))
PROBED = (
    Probed("prod", "db.shop.svc:5432"),
    Probed("prod", "http://web.shop.svc:80/healthz", HTTP),
    Probed("test", "web.test.svc:80"),
)
RUNBOOKS = "https://git.example.com/shop/blob/main/docs/PORTS.md"


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
        (replace(WEB, ports=(replace(PORT, protocol="UDP"),)), "UDP cannot be checked"),
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
    left = [one for one in run.stderr.splitlines() if one.startswith("not probed: ")]
    assert left == [
        "not probed: backend-v1:http (defaults), backend-v1:http (manifests): its namespace is not stated"
    ]


def test_a_label_without_a_value_is_wrong_use(portproof: Program, make_repository: MakeRepository) -> None:
    make_repository("incident/broken")
    run = portproof("monitor", "--label", "release")
    assert run.code == 2
    assert "--label release: must be KEY=VALUE" in run.stderr
    assert "--label release=prometheus" in run.stderr


# ports that a probe of the workload asks for a path


@pytest.mark.parametrize(
    ("ask", "expected"),
    [
        (Ask("http", "/healthz"), Probed("prod", "http://web.shop.svc:80/healthz", HTTP)),
        (Ask("https", "ready?x=://a"), Probed("prod", "https://web.shop.svc:80/ready?x=://a", HTTP)),
        (Ask("h2"), Probed("prod", "web.shop.svc:80", TCP)),
        (Ask("tcp"), Probed("prod", "web.shop.svc:80", TCP)),
    ],
)
def test_a_path_is_asked_for_only_if_that_is_wanted(ask: Ask, expected: Probed) -> None:
    shown = on_map(replace(WEB, ports=(replace(PORT, ask=ask),)))
    assert chosen(shown, http=True) == ((expected,), ())
    assert chosen(shown) == ((Probed("prod", "web.shop.svc:80"),), ())
    assert expected.service == ("shop", "web")


def test_each_module_and_environment_has_one_probe() -> None:
    several = [one for one in yaml.safe_load_all(operator(Monitoring(), PROBED)) if one["kind"] == "Probe"]
    assert [(one["metadata"]["name"], one["spec"]["module"]) for one in several] == [
        ("portproof-prod-tcp", TCP),
        ("portproof-prod-http", HTTP),
        ("portproof-test-tcp", TCP),
    ]
    assert {one["spec"]["jobName"] for one in several} == {"portproof"}


def test_the_exporter_is_told_of_the_modules_that_are_used() -> None:
    assert yaml.safe_load(modules(PROBED))["modules"].keys() == {TCP, HTTP}
    assert yaml.safe_load(modules(PROBED[:1]))["modules"].keys() == {TCP}


# what the operator's custom resources have


def unknown(data: Any, known: Any, path: str) -> Iterator[str]:
    """The keys and types that a CRD does not have."""
    if isinstance(known, dict):
        assert isinstance(data, dict), path
        for key, value in data.items():
            if key in known or "*" in known:
                yield from unknown(value, known.get(key, known.get("*")), f"{path}.{key}")
            else:
                yield f"{path}.{key}"
    elif isinstance(known, list):
        assert isinstance(data, list), path
        for item in data:
            yield from unknown(item, known[0], f"{path}[]")
    elif not (known and isinstance(data, str) and ("string" in known or data in known.split()[1:])):
        yield path


def test_the_operator_knows_every_key_that_is_written() -> None:
    everything = Monitoring(labels={"release": "stack"}, runbooks=RUNBOOKS, http=True)
    several = list(yaml.safe_load_all(operator(everything, PROBED)))
    assert [each for one in several for each in unknown(one["spec"], CRDS[one["kind"]], one["kind"])] == []
    probe = several[0]["spec"]
    probe["scrape_timeout"] = probe.pop("scrapeTimeout")
    probe["targets"]["staticConfig"]["relabelingConfigs"][0]["targetlabel"] = "x"
    probe["targets"]["ingress"] = {}
    assert list(unknown(probe, CRDS["Probe"], "Probe")) == [
        "Probe.targets.staticConfig.relabelingConfigs[].targetlabel",
        "Probe.targets.ingress",
        "Probe.scrape_timeout",
    ]


# where alerts lead


@pytest.mark.parametrize(
    ("pages", "dead"),
    [
        ({"docs/PORTS.md": '<a id="shop-db"></a> <a id="shop-web"></a> <a id="test-web"></a>'}, ()),
        ({"docs/PORTS.md": '<a id="shop-db"></a> <a id="shop-web"></a>'}, ("test-web",)),
        # A page of that name in another folder is another page; what is published elsewhere may be any.
        (
            {
                "PORTS.md": '<a id="test-web"></a>',
                "docs/PORTS.md": '<a id="shop-db"></a> <a id="shop-web"></a>',
            },
            ("test-web",),
        ),
        ({"XPORTS.md": '<a id="shop-db"></a> <a id="shop-web"></a> <a id="test-web"></a>'}, ()),
        ({}, ("shop-db", "shop-web", "test-web")),
    ],
)
def test_a_link_that_no_page_answers_is_dead(pages: dict[str, str], dead: tuple[str, ...]) -> None:
    found = dead_links(Monitoring(runbooks=RUNBOOKS), PROBED, pages)
    assert found == tuple(f"{RUNBOOKS}#{one}" for one in dead)
    assert dead_links(Monitoring(), PROBED, pages) == ()


def test_dead_links_are_said(portproof: Program, make_repository: MakeRepository) -> None:
    make_repository("incident/broken")
    args = (
        "monitor",
        "--environment",
        "prod",
        "--runbook-url",
        "https://git.example.com/shop/blob/main/PORTS.md",
    )
    run = portproof(*args)
    assert run.code == 0
    assert (
        "no runbook: no block of the map has what https://git.example.com/shop/blob/main/PORTS.md#shop-backend-v1"
        in run.stderr
    )
    assert "next: `portproof map --write PORTS.md`" in run.stderr
    assert portproof("map", "--write", "PORTS.md").code == 0
    assert "no runbook" not in portproof(*args).stderr


def test_the_path_of_the_readiness_probe_is_asked_for(
    portproof: Program, make_repository: MakeRepository
) -> None:
    make_repository("incident/repaired")
    run = portproof("monitor", "--environment", "prod", "--http")
    probe, _ = yaml.safe_load_all(run.stdout)
    (asked,) = probe["spec"]["targets"]["staticConfig"]["static"]
    assert asked.startswith("http://backend-v1.shop.svc:80/")
    assert probe["spec"]["module"] == HTTP
    assert "the exporter needs the module portproof_http; --output writes it to modules.yaml" in run.stderr
    assert set(files(Monitoring(), PROBED, "prometheus")) == {
        "scrape.yaml",
        "modules.yaml",
        "alerts.yaml",
        "alerts_test.yaml",
    }
