"""``connect`` between network namespaces: what the network does to a connection, and what the result calls it.

``.ci/network`` runs these as root; without ``PORTPROOF_NETWORK`` they are left.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from junitparser import JUnitXml

from tests.connectivity.cluster import ELSEWHERE, NOBODY, NODE, NODE6, Cluster, cluster
from tests.e2e.program import Program, Repository

pytestmark = pytest.mark.skipif(
    not os.environ.get("PORTPROOF_NETWORK"), reason="no PORTPROOF_NETWORK; .ci/network runs these as root"
)
NAMES = {"backend-v1.shop": NODE, "redis.shop": "10.96.0.20", "both.shop": NODE6}
EXAMPLE = Path(__file__).parents[2] / "examples" / "incident"
ONCE = ("--attempts", "1", "--timeout")
LONG = "60"
"""Seconds: longer than anything takes that has an end."""


@pytest.fixture(scope="module")
def network() -> Iterator[Cluster]:
    with cluster(NAMES, listening=[8080, 9001, 9002, 9003, 9004]) as made:
        made.policy(
            "tcp dport 9001 drop",
            "tcp dport 9002 reject",
            "tcp dport 9003 reject with tcp reset",
            "tcp dport 9004 reject with icmpx type admin-prohibited",
        )
        yield made


@pytest.mark.parametrize(
    ("edge", "result"),
    [
        ("backend-v1.shop:8080/tcp", "connected"),
        ("backend-v1.shop:8080/http/healthz", "connected"),
        ("backend-v1.shop:8080/http/nope", "wrong answer"),
        ("backend-v1.shop:8080/h2", "wrong answer"),
        (f"[{NODE6}]:8080/http/healthz", "connected"),
        ("backend-v1.shop:8081/tcp", "refused"),
        (f"[{NODE6}]:8081/tcp", "refused"),
        ("backend-v1.shop:9001/tcp", "timeout"),
        (f"[{NODE6}]:9001/tcp", "timeout"),
        ("backend-v1.shop:9002/tcp", "refused"),
        ("backend-v1.shop:9003/tcp", "refused"),
        ("backend-v1.shop:9004/tcp", "no route"),
        (f"[{NODE6}]:9004/tcp", "no route"),
        (f"{NOBODY}:8080/tcp", "no route"),
        (f"{ELSEWHERE}:8080/tcp", "no route"),
        ("backend-v2.shop:8080/tcp", "dns"),
    ],
)
def test_what_the_network_does_has_a_name(network: Cluster, edge: str, result: str) -> None:
    timeout = "2" if result == "timeout" else LONG
    code, (line,), _ = network.connect(*ONCE, timeout, "--from", "shop/web", edge)
    assert (line["edge"], line["result"]) == (edge, result), line
    assert code == (0 if result == "connected" else 1)


def test_a_service_leads_to_its_target_port() -> None:
    with cluster({"backend-v1.shop": "10.96.0.10"}, listening=[8080]) as made:
        made.serve("10.96.0.10", 80, 8080)
        made.serve("10.96.0.10", 81, 8081)
        made.without_endpoints("10.96.0.10", 82)
        edges = {
            "backend-v1.shop:80/http/healthz": "connected",
            "backend-v1.shop:81/http/healthz": "refused",  # nothing listens on the target
            "backend-v1.shop:82/tcp": "refused",  # no endpoint has it: the caller cannot tell the two apart
        }
        code, lines, _ = made.connect(*ONCE, LONG, *edges)
    assert code == 1
    assert {one["edge"]: one["result"] for one in lines} == edges


def test_a_port_that_the_service_lacks_times_out() -> None:
    """kube-proxy has no rule for it, so the packet leaves for the Service's address, which nobody has."""
    with cluster({"backend-v1.shop": "10.96.0.10"}, listening=[8080]) as made:
        made.serve("10.96.0.10", 80, 8080)
        _, (line,), _ = made.connect(*ONCE, "2", "backend-v1.shop:8080/tcp")
    assert line["result"] == "timeout"


def test_a_policy_that_takes_seconds_to_apply_is_waited_for() -> None:
    with cluster(NAMES, listening=[8080]) as made:
        made.policy("tcp dport 8080 add @callers { tcp sport } drop")

        def apply() -> None:
            made.policy_met(3)  # a connection has a port of its own: two attempts are over
            made.policy_gone()

        later = threading.Thread(target=apply)
        later.start()
        code, (line,), _ = made.connect(
            "--attempts", "100", "--pause", "0.5", "--timeout", "0.5", "backend-v1.shop:8080/tcp"
        )
        later.join()
    assert (code, line["result"]) == (0, "connected")
    assert line["detail"].startswith("attempt ")


def test_the_example_has_what_the_tests_print() -> None:
    """The Jobs of the example, while the Service of its backend goes to 8081: their log, but for how long it took."""
    jobs = yaml.safe_load_all((EXAMPLE / "jobs.yaml").read_text())
    with cluster({"backend-v1.shop": "10.96.0.10", "web.shop": "10.96.0.11"}, listening=[8080, 3000]) as made:
        made.serve("10.96.0.10", 80, 8081)
        made.serve("10.96.0.11", 80, 3000)
        printed = []
        for job in jobs:
            _, *arguments = job["spec"]["template"]["spec"]["containers"][0]["args"]
            printed += made.connect(*arguments, "--pause", "0.2")[1]
    kept = [json.loads(line) for line in (EXAMPLE / "connect.log").read_text().splitlines()]
    assert [{**one, "milliseconds": 0} for one in printed] == [{**one, "milliseconds": 0} for one in kept]


@pytest.mark.parametrize(("fixture", "result"), [("broken", "refused"), ("repaired", "connected")])
def test_the_incident_from_the_connection_to_the_line(
    portproof: Program,
    make_repository: Callable[[str], Repository],
    tmp_path: Path,
    fixture: str,
    result: str,
) -> None:
    """The Jobs of the chart, run where its program listens on 8080 and kube-proxy does what its Service says."""
    make_repository(f"incident/{fixture}")
    chart = ("chart", "--release", "backend-v1", "--namespace", "shop")
    (job,) = yaml.safe_load_all(portproof("connectivity", *chart).stdout)
    command, *arguments = job["spec"]["template"]["spec"]["containers"][0]["args"]
    assert command == "connect"
    (target,) = json.loads(portproof("map", "chart", "--format", "json").stdout)["targets"]
    (service,) = target["services"]
    (port,) = service["ports"]
    name = arguments[-1].partition(":")[0]
    with cluster({name: "10.96.0.10"}, listening=[8080]) as made:
        made.serve("10.96.0.10", port["port"], port["target_port"])
        code, _, log = made.connect(*arguments, "--pause", "0.2")
    assert code == (result != "connected")
    (tmp_path / "log").write_text(f"[pod/portproof/connect] {log}")

    report = portproof("connectivity", *chart, "--report", tmp_path / "log", "--format", "junit")
    assert report.code == code
    (suite,) = JUnitXml.fromstring(report.stdout.encode())
    (case,) = suite
    assert (suite.tests, suite.failures, case.classname) == (1, code, "shop/anyone")
    found = portproof("connectivity", *chart, "--report", tmp_path / "log", "--format", "json").report[
        "findings"
    ]
    if not code:
        assert case.is_passed
        assert found == []
        return
    (failure,), (finding,) = case.result, found
    assert failure.type == result
    assert failure.text.startswith(
        "chart/values.yaml:10 service.targetPort: refused (Connection refused; 5 attempts)."
    )
    assert (finding["location"]["path"], finding["location"]["line"]) == ("chart/values.yaml", 10)
    assert finding["location"]["proof"] == "proven"
    assert "`portproof fix` prints the proven fix" in finding["message"]
