"""``portproof connectivity --report``: what tests have printed, at the lines of the source."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import yaml
from junitparser import Failure, JUnitXml, Skipped, TestSuite

from portproof import connect
from tests.e2e.program import Program, Repository

MakeRepository = Callable[[str], Repository]
INCIDENT = ("chart", "--release", "backend-v1", "--namespace", "shop")
"""How the incident's chart is installed."""
WORKLOADS = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
        - name: web
          env:
            - {name: BACKEND, value: "http://backend.shop:80/"}
            - {name: QUEUE, value: "queue.shop:5672"}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: backend, namespace: shop}
spec:
  selector: {matchLabels: {app: backend}}
  template:
    metadata: {labels: {app: backend}}
    spec:
      containers:
        - name: backend
          ports: [{containerPort: 8080}]
          readinessProbe: {httpGet: {path: /healthz, port: 8080}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: queue, namespace: shop}
spec:
  selector: {matchLabels: {app: queue}}
  template:
    metadata: {labels: {app: queue}}
    spec:
      containers:
        - name: queue
          ports: [{containerPort: 5672}]
"""
SERVICES = """\
apiVersion: v1
kind: Service
metadata: {name: backend, namespace: shop}
spec:
  selector: {app: backend}
  ports:
    - port: 80
      targetPort: 8080
---
apiVersion: v1
kind: Service
metadata: {name: queue, namespace: shop}
spec:
  selector: {app: queue}
  ports:
    - port: 5672
"""
BACKEND, QUEUE = "backend.shop:80/http/healthz", "queue.shop:5672/tcp"


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two environments of one thing: the overlays of a base; in `test` all is in another namespace."""
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "workloads.yaml").write_text(WORKLOADS)
    (tmp_path / "base" / "services.yaml").write_text(SERVICES)
    (tmp_path / "base" / "kustomization.yaml").write_text("resources: [workloads.yaml, services.yaml]\n")
    for name in ("prod", "test"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "kustomization.yaml").write_text("resources: [../base]\n")
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def said(results: Mapping[str, str], caller: str = "shop/web") -> str:
    """What `connect` prints for these edges."""
    return "".join(
        connect.line(caller, connect.Outcome(connect.Edge.parse(edge), result, 1500, "why"))
        for edge, result in results.items()
    )


def logged(folder: Path, *texts: str) -> list[Path]:
    """The logs as files."""
    files = []
    for text in texts:
        file = folder / f"{len(list(folder.glob('*.log')))}.log"
        file.write_text(text)
        files.append(file)
    return files


def edges(portproof: Program, *arguments: str) -> dict[str, list[str]]:
    """The edges of the tests that the program writes, by who calls."""
    jobs = yaml.safe_load_all(portproof("connectivity", *arguments).stdout)
    found = [one["spec"]["template"]["spec"]["containers"][0]["args"] for one in jobs]
    return {args[args.index("--from") + 1]: args[args.index("--from") + 2 :] for args in found}


def test_the_incident_is_found_at_its_line(
    portproof: Program, make_repository: MakeRepository, tmp_path: Path
) -> None:
    make_repository("incident/broken")
    ((caller, (edge,)),) = edges(portproof, *INCIDENT).items()
    (log,) = logged(tmp_path, said({edge: "refused"}, caller))

    run = portproof("connectivity", *INCIDENT, "--report", log, "--format", "json")

    assert run.code == 1
    (finding,) = run.report["findings"]
    (known,) = portproof.check("chart")["findings"]
    assert finding["rule"] == "connectivity-failed"
    assert finding["location"] == known["location"]
    assert (finding["field"], finding["value"]) == (known["field"], known["value"])
    assert finding["resource"] == known["resource"] | {
        "namespace": "shop",
        "name": finding["resource"]["name"],
    }
    assert finding["targets"] == known["targets"]
    assert "`portproof check` reports it: the Service sends to 8081, and " in finding["message"]
    assert "declares 8080. `portproof fix` prints" in finding["message"]


def test_an_agreement_that_fails_is_looked_for_in_the_cluster(portproof: Program, shop: Path) -> None:
    (log,) = logged(shop, said({BACKEND: "refused", QUEUE: "timeout"}))
    run = portproof("connectivity", "--environment", "prod", "--report", log, "--format", "json")
    assert run.code == 1
    backend, queue = run.report["findings"]
    assert [(one["location"]["path"], one["location"]["line"], one["field"]) for one in (backend, queue)] == [
        ("base/services.yaml", 8, "spec.ports[0].targetPort"),
        ("base/services.yaml", 16, "spec.ports[0].port"),
    ]
    assert "`kubectl -n shop get endpointslices -l kubernetes.io/service-name=backend`" in backend["message"]
    assert "`kubectl -n shop get service queue` must show the port 5672" in queue["message"]
    assert "portproof fix" not in backend["message"] + queue["message"]


@pytest.mark.parametrize("result", connect.FAILURES)
def test_every_failure_has_a_meaning_and_a_next_step(portproof: Program, shop: Path, result: str) -> None:
    (log,) = logged(shop, said({BACKEND: result, QUEUE: "connected"}))
    run = portproof("connectivity", "--environment", "prod", "--report", log, "--format", "json")
    assert run.code == 1
    (finding,) = run.report["findings"]
    first, meaning, following = finding["message"].split("\n")
    assert f"backend.shop:80 (http /healthz): {result} (why)." in first
    assert meaning.endswith(".")
    assert following.startswith("Next: ")


def test_all_connected_is_success(portproof: Program, shop: Path) -> None:
    (log,) = logged(shop, said({BACKEND: "connected", QUEUE: "connected"}))
    run = portproof("connectivity", "--environment", "prod", "--report", log)
    assert (run.code, run.stdout) == (0, "0 of 2 edges failed, 2 connected\n")


def test_text_is_for_people(portproof: Program, shop: Path) -> None:
    old = said({"old.shop:80/tcp": "refused"})
    (log,) = logged(shop, f"Defaulted container\n{said({BACKEND: 'no route'})}{old}")
    run = portproof("connectivity", "prod", "--report", log)
    assert run.code == 1
    lines = run.stdout.splitlines()
    assert lines[0] == "error[connectivity-failed] base/services.yaml:8:19"
    assert lines[1] == "  shop/web cannot connect to backend.shop:80 (http /healthz): no route (why)."
    assert "  8 |       targetPort: 8080" in lines
    assert (
        "  The log has no result of shop/web for queue.shop:5672 (tcp), so nobody knows whether it works."
        in lines
    )
    assert any("old.shop:80/tcp, which is not an edge of the" in one for one in lines)
    assert lines[-2:] == [
        "1 of 2 edges failed, 0 connected, 1 without a result, 1 result of edges that are not in the repository",
        "1 line of the log is not from connect",
    ]


def test_an_environment_without_a_result_is_named(portproof: Program, shop: Path) -> None:
    (shop / "test" / "kustomization.yaml").write_text("resources: [../base]\nnamespace: test\n")
    (log,) = logged(shop, said({BACKEND: "connected", QUEUE: "connected"}))
    run = portproof("connectivity", "--report", log)
    assert run.code == 0
    assert "No result at all for 1 environment: test\n" in run.stdout


def test_one_line_of_the_source_is_one_finding(portproof: Program, shop: Path) -> None:
    """A result counts for all environments in which the edge has that name."""
    (log,) = logged(shop, said({BACKEND: "refused", QUEUE: "connected"}))
    run = portproof("connectivity", "--report", log, "--format", "json")
    (finding,) = run.report["findings"]
    assert finding["targets"] == ["kustomize:prod", "kustomize:test"]


# logs


def test_the_last_result_counts(portproof: Program, shop: Path) -> None:
    (log,) = logged(shop, said({BACKEND: "refused", QUEUE: "connected"}) + said({BACKEND: "connected"}))
    assert portproof("connectivity", "--report", log).code == 0
    (log,) = logged(shop, said({BACKEND: "connected", QUEUE: "connected"}) + said({BACKEND: "dns"}))
    assert portproof("connectivity", "--report", log).code == 1


def test_a_result_without_a_caller_counts_for_all(portproof: Program, shop: Path) -> None:
    (log,) = logged(shop, said({BACKEND: "refused"}, caller=""))
    run = portproof("connectivity", "--report", log, "--format", "json")
    assert [one["severity"] for one in run.report["findings"]] == ["error", "note"]


def test_the_result_of_another_caller_does_not_count(portproof: Program, shop: Path) -> None:
    (log,) = logged(shop, said({BACKEND: "connected"}) + said({QUEUE: "connected"}, caller="shop/cart"))
    run = portproof("connectivity", "--report", log, "--format", "json")
    missing, strange = run.report["findings"]
    assert "no result of shop/web for queue.shop:5672 (tcp)" in missing["message"]
    assert "shop/cart to queue.shop:5672/tcp" in strange["message"]


@pytest.mark.parametrize(
    "order",
    [
        ("--report", "{0}", "{1}", "--format", "junit"),
        ("--format", "junit", "--report", "{0}", "--report={1}"),
    ],
)
def test_several_logs_are_one(portproof: Program, shop: Path, order: tuple[str, ...]) -> None:
    logs = logged(shop, said({BACKEND: "connected"}), said({QUEUE: "connected"}))
    run = portproof("connectivity", "prod", *(one.format(*logs) for one in order))
    assert run.code == 0
    assert JUnitXml.fromstring(run.stdout.encode()).tests == 2


def test_standard_input_is_a_log(shop: Path) -> None:
    command = [sys.executable, "-m", "portproof", "connectivity", "prod", "--report", "-"]
    text = said({BACKEND: "connected", QUEUE: "refused"})
    done = subprocess.run(command, cwd=shop, input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "1 of 2 edges failed" in done.stdout


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no result of a test in 0.log"),
        (
            "Error from server: container is waiting to start: ImagePullBackOff\n",
            "no result of a test in 0.log",
        ),
        (said({"other.place:80/tcp": "connected"}), "no result is for an edge of this repository"),
    ],
)
def test_a_log_that_says_nothing_is_no_success(
    portproof: Program, shop: Path, text: str, message: str
) -> None:
    logged(shop, text)
    run = portproof("connectivity", "--report", "0.log")
    assert (run.code, run.stdout) == (2, "")
    assert message in run.stderr
    assert "next: " in run.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--report", "nowhere.log"), "cannot read nowhere.log: No such file or directory"),
        (("--report",), "Option '--report' requires an argument"),
        (("--format", "junit"), "--format junit needs --report"),
        (("--report", "0.log", "--format", "jobs"), "--format jobs does not go with --report"),
        (("--report", "0.log", "--output", "x"), "--output does not go with --report"),
        (("--report", "0.log", "--environment", "x"), "no target is for the environment 'x'"),
    ],
)
def test_wrong_use_has_a_next_step(
    portproof: Program, shop: Path, arguments: tuple[str, ...], message: str
) -> None:
    logged(shop, said({BACKEND: "connected"}))
    run = portproof("connectivity", *arguments)
    assert run.code == 2
    assert message in run.stderr


def test_what_cronjobs_leave_out_is_not_missed(portproof: Program, shop: Path) -> None:
    """Jobs open a MySQL port, CronJobs do not, and a log does not say whose it is."""
    for name in ("services.yaml", "workloads.yaml"):
        file = shop / "base" / name
        file.write_text(file.read_text().replace("5672", "3306"))
    (log,) = logged(shop, said({BACKEND: "connected"}))
    run = portproof("connectivity", "prod", "--report", log)
    assert (run.code, run.stdout.splitlines()[0]) == (0, "0 of 1 edge failed, 1 connected")
    (log,) = logged(shop, said({BACKEND: "connected", "queue.shop:3306/tcp": "refused"}))
    assert portproof("connectivity", "prod", "--report", log).code == 1


# formats


def junit(text: str) -> dict[str, TestSuite]:
    """The suites of a file, by their names, as another program reads it."""
    return {str(suite.name): suite for suite in JUnitXml.fromfile(BytesIO(text.encode()))}


def test_junit_has_a_case_for_each_edge(portproof: Program, shop: Path) -> None:
    (log,) = logged(shop, said({BACKEND: "refused", QUEUE: "connected", "old.shop:1/tcp": "dns"}))
    suites = junit(portproof("connectivity", "prod", "--report", log, "--format", "junit").stdout)
    cases = {case.name: case for case in suites["prod"]}
    assert list(cases) == ["-> backend.shop:80 (http /healthz)", "-> queue.shop:5672 (tcp)"]
    assert {case.classname for case in cases.values()} == {"shop/web"}
    assert cases["-> queue.shop:5672 (tcp)"].is_passed
    assert cases["-> queue.shop:5672 (tcp)"].time == 1.5
    (failure,) = cases["-> backend.shop:80 (http /healthz)"].result
    assert isinstance(failure, Failure)
    assert failure.type == "refused"
    assert failure.message.startswith(
        "base/services.yaml:8 Service/backend spec.ports[0].targetPort: refused (why). Nothing listens on the target port 8080"
    )
    assert failure.text.startswith(
        "base/services.yaml:8 Service/backend spec.ports[0].targetPort: refused (why).\n"
    )
    assert "kubectl -n shop get endpointslices" in failure.text
    assert (suites["prod"].tests, suites["prod"].failures, suites["prod"].skipped) == (2, 1, 0)
    ((left,),) = [list(suites["not tested"])]
    assert (left.classname, left.name) == ("shop/web", "-> old.shop:1/tcp")
    assert isinstance(left.result[0], Skipped)


def test_junit_shows_what_was_not_tested(portproof: Program, shop: Path) -> None:
    headless = SERVICES.replace("{app: queue}\n", "{app: queue}\n  clusterIP: None\n")
    (shop / "base" / "services.yaml").write_text(headless)
    (shop / "test" / "kustomization.yaml").write_text("resources: [../base]\nnamespace: test\n")
    (log,) = logged(shop, said({BACKEND: "connected"}))
    suites = junit(portproof("connectivity", "--report", log, "--format", "junit").stdout)
    left: dict[tuple[str, str], Any] = {
        (case.classname, case.name): case.result[0] for case in suites["not tested"]
    }
    assert all(isinstance(one, Skipped) and one.message and one.text for one in left.values())
    assert ("environment", "test") in left
    assert any("queue" in name and kind == "skipped" for kind, name in left)


def test_nothing_in_a_log_is_obeyed(portproof: Program, shop: Path) -> None:
    """Names come from a log, which anything may have written."""
    hostile = "\x1b[2J::error::x\x00\ud800]]>&<"
    line = connect.Outcome(connect.Edge.parse(BACKEND), "refused", 1, hostile)
    strange = connect.Outcome(connect.Edge.parse(f"x:1/http/{hostile}"), "refused", 1, "")
    (log,) = logged(shop, connect.line("shop/web", line) + connect.line(hostile, strange))
    for kind in ("text", "junit", "json", "github"):
        run = portproof("connectivity", "prod", "--report", log, "--format", kind)
        assert run.code == 1
        assert all(one.isprintable() or one == "\n" for one in run.stdout)
        if kind == "github":
            commands = [one for one in run.stdout.splitlines() if one.startswith("::")]
            assert [one.split(" ")[0] for one in commands] == ["::error", "::notice", "::notice"]
        if kind == "junit":
            assert {"prod", "not tested"} == set(junit(run.stdout))


def test_workflow_commands_mark_the_line(portproof: Program, shop: Path) -> None:
    (log,) = logged(shop, said({BACKEND: "refused", QUEUE: "connected"}))
    run = portproof("connectivity", "prod", "--report", log, "--format", "github")
    command, headline = run.stdout.splitlines()
    assert command.startswith(
        "::error file=base/services.yaml,line=8,endLine=8,col=19,endColumn=23,title=portproof%3A"
    )
    assert headline == "portproof: 1 of 2 edges failed, 1 connected"


@pytest.mark.parametrize("kind", ["text", "junit", "json", "github"])
def test_the_same_log_gives_the_same_bytes(portproof: Program, shop: Path, kind: str) -> None:
    (log,) = logged(shop, said({BACKEND: "refused"}))
    first, second = (
        portproof("connectivity", "--report", log, "--format", kind, "--jobs", jobs).stdout
        for jobs in ("1", "4")
    )
    assert first == second
