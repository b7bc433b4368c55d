"""``portproof check -``: what helm prints, and what kubectl prints of a cluster, with the pods that run there."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from portproof.discover.find import discover
from portproof.flags import FORMATS
from portproof.render.plain import MAX_CHARACTERS
from portproof.source import Tree
from tests.e2e.program import FIXTURES, Process, Program, Repository
from tests.support import cluster, rendering

MakeRepository = Callable[[str], Repository]

SHOP = (
    "helm:charts/shop?values=values-prod.yaml",
    "helm:charts/payments",
    "kustomize:k8s/overlays/prod",
    "manifests:deploy/legacy",
)
SERVICE = """\
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: 8081}]}
"""
WEB = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: web:1, ports: [{containerPort: 8080}], readinessProbe: {tcpSocket: {port: 8080}}}]}
"""
BROKEN = f"{SERVICE}---\n{WEB}"


@cache
def rendered(id_: str) -> list[cluster.Object]:
    """The objects of a target of the shop."""
    tree = Tree(FIXTURES / "shop")
    target = next(one for one in discover(tree).targets if one.id == id_)
    with tempfile.TemporaryDirectory() as folder, rendering.engine(Path(folder)) as engine:
        found = rendering.rendered(engine.render(target, tree))
    documents = [one for document in found.documents for one in yaml.safe_load_all(document.text) if one]
    return [item for one in documents for item in (one["items"] if one["kind"] == "List" else [one])]


def live(id_: str, *, sidecar: bool = False) -> list[cluster.Object]:
    own = cluster.running(copy.deepcopy(rendered(id_)), namespace="shop", release="shop", sidecar=sidecar)
    return [*own, *cluster.control_plane()]


def checked(portproof: Program, text: str, *args: str) -> dict[str, Any]:
    return portproof.piped(text, "check", "-", "--format", "json", *args).report


@pytest.mark.parametrize("output", ["yaml", "json"])
@pytest.mark.parametrize("sidecar", [False, True], ids=["plain", "mesh"])
@pytest.mark.parametrize("target", SHOP)
def test_a_healthy_cluster_has_no_finding(
    portproof: Program, target: str, sidecar: bool, output: str
) -> None:
    objects = live(target, sidecar=sidecar)
    kinds = {one["kind"] for one in objects}
    assert {"Pod", "ReplicaSet", "EndpointSlice", "Service"} <= kinds
    report = checked(portproof, cluster.printed(objects, output=output))
    assert report["findings"] == []
    (status,) = report["targets"]
    assert (status["id"], status["path"], status["kind"], status["status"]) == (
        "manifests:-",
        "-",
        "manifests",
        "checked",
    )
    assert status["resources"] == len(objects)


@pytest.mark.parametrize("target", SHOP)
def test_a_port_that_was_moved_in_the_cluster_is_found_once_and_says_where_it_is_from(
    portproof: Program, target: str
) -> None:
    objects = live(target)
    services = [one for one in objects if one["kind"] == "Service" and one["metadata"]["namespace"] == "shop"]
    port = next(
        port
        for one in services
        if one["spec"].get("selector")
        for port in one["spec"]["ports"]
        if isinstance(port["targetPort"], str)
    )
    port["targetPort"] = "nosuch"
    report = checked(portproof, cluster.printed(objects))
    wrong = [one for one in report["findings"] if one["rule"] == "service-target-name"]
    assert [one["value"] for one in wrong] == ["nosuch"]
    (finding,) = wrong
    assert (finding["location"], finding["fix"], finding["alternatives"]) == (None, None, [])
    assert "from the Helm release shop in namespace shop" in [one["message"] for one in finding["related"]]
    assert finding["resource"]["namespace"] == "shop"


def test_a_port_of_a_container_that_admission_adds_is_declared(portproof: Program) -> None:
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "envoy"},
               "spec": {"selector": {"app": "web"}, "ports": [{"port": 15020, "targetPort": "merged-stats"}]}}  # fmt: skip
    objects = [service, yaml.safe_load(WEB)]
    with_it = cluster.printed(cluster.running(objects, namespace="shop", sidecar=True))
    assert checked(portproof, with_it)["findings"] == []
    without = cluster.printed(cluster.running(objects, namespace="shop"))
    assert [one["rule"] for one in checked(portproof, without)["findings"]] == ["service-target-name"]


def test_pods_that_somebody_else_makes_are_selected(portproof: Program) -> None:
    """An operator's own workloads are not in the input, but their pods are."""
    service, workload = yaml.safe_load(SERVICE), yaml.safe_load(WEB)
    objects = cluster.running([service, workload], namespace="shop")
    pods = [one for one in objects if one["kind"] in ("Service", "Pod")]
    for one in pods:
        if one["kind"] == "Pod":
            one["metadata"]["ownerReferences"] = [
                {"apiVersion": "x.io/v1", "kind": "WebSet", "name": "w", "uid": "u", "controller": True}
            ]
    (finding,) = checked(portproof, cluster.printed(pods))["findings"]
    assert finding["rule"] == "service-target-number"
    assert finding["expected"] == 8080


def test_a_cluster_is_mapped(portproof: Program) -> None:
    run = portproof.piped(cluster.printed(live(SHOP[0])), "map", "-", "--format", "json")
    assert run.code == 0
    assert '"id": "manifests:-"' in run.stdout
    assert "coredns" in run.stdout


def test_a_cluster_is_probed_and_tested(portproof: Program, make_repository: MakeRepository) -> None:
    make_repository("")
    text = cluster.printed(live(SHOP[0]))
    run = portproof.piped(text, "monitor", "-", "--runbook-url", "https://git.example.com/PORTS.md")
    assert run.code == 0
    assert ".kube-system.svc:9153" in run.stdout
    assert (
        "no runbook: no block of the map has what https://git.example.com/PORTS.md#kube-system-kube-dns"
        in run.stderr
    )
    run = portproof.piped(text, "connectivity", "-")
    assert run.code == 0
    assert "kube-dns.kube-system:9153/" in run.stdout


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_tells_it_without_a_place(portproof: Program, kind: str) -> None:
    run = portproof.piped(BROKEN, "check", "-", "--format", kind)
    assert run.code == 1
    assert "Service/web" in run.stdout
    assert "8081" in run.stdout


def test_what_helm_prints_names_its_templates(process: Process, make_repository: MakeRepository) -> None:
    make_repository("incident/broken")
    helm = rendering.current_helm().argv
    text = subprocess.run([*helm, "template", "shop", "chart"], capture_output=True, check=True).stdout
    done = Program(process.environ).piped(text, "check", "-")
    assert done.code == 1
    assert (
        "error[service-target-number] Service/shop spec.ports[0].targetPort (the line to edit is unknown)"
        in done.stdout
    )
    assert "note: from the template backend-v1/templates/service.yaml: Service/shop" in done.stdout


def test_outside_of_a_repository_it_works_in_a_pipe(tmp_path: Path, process: Process) -> None:
    text = tmp_path / "manifests.yaml"
    text.write_text(BROKEN)
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    script = f"cat {text} | {sys.executable} -m portproof check - | cat"
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=folder,
        env=dict(process.environ),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("error[service-target-number] Service/web")
    assert list(folder.iterdir()) == []


def test_the_configuration_of_the_repository_counts(
    portproof: Program, make_repository: MakeRepository
) -> None:
    repository = make_repository("")
    repository.write({"portproof.yaml": "severity: {service-target-number: note}\n"})
    run = portproof.piped(BROKEN, "check", "-")
    assert (run.code, run.stdout.split("[")[0]) == (0, "note")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("", "standard input is empty"),
        ("\n  \n", "standard input is empty"),
        ("Error: chart not found\n", "standard input has no Kubernetes object"),
        (
            "apiVersion: v1\nkind: Service\nmetadata: {name: web}\napiVersion: v1\nkind: Service\nmetadata: {name: db}\n",
            "standard input has several objects in one YAML document, of which only the last counts",
        ),
        ('apiVersion: v1\nitems: []\nkind: List\nmetadata:\n  resourceVersion: ""\n', "standard input has no Kubernetes object"),
        ('{"apiVersion": "v1", "items": [], "kind": "List"}', "standard input has no Kubernetes object"),
        (b"apiVersion: v1\nkind: Service\n\xff", "standard input is not UTF-8 (byte 29)"),
        (b"apiVersion: v1\nkind: Service\n\0", "standard input is binary"),
        (b"#" * (MAX_CHARACTERS + 1), "standard input is larger than 50 MiB"),
    ],
    ids=["empty", "blank", "an error", "joined", "nothing found", "nothing found in JSON", "latin", "binary", "huge"],
)  # fmt: skip
def test_input_that_cannot_be_checked_is_never_a_pass(
    portproof: Program, given: str | bytes, said: str
) -> None:
    run = portproof.piped(given, "check", "-")
    assert run.code == 2
    assert run.stderr.startswith(f"portproof: {said}\n  next: ")


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["check", "-", "charts"], "- (standard input) cannot be combined with other paths"),
        (["check", "-", "-"], "- (standard input) cannot be combined with other paths"),
        (["check", "-", "--base", "HEAD"], "- (standard input) cannot be compared with --base"),
        (["diff", "-", "--base", "HEAD"], "- (standard input) cannot be compared with --base"),
        (["fix", "-"], "fix cannot edit standard input"),
        (["fix", "-", "--write"], "fix cannot edit standard input"),
        (["map", "--write", "-"], "-: "),
    ],
    ids=" ".join,
)
def test_what_does_not_go_with_standard_input_says_so(portproof: Program, args: list[str], said: str) -> None:
    run = portproof.piped(BROKEN, *args)
    assert run.code == 2
    assert run.stderr.startswith(f"portproof: {said}")
    assert "\n  next: " in run.stderr


def test_a_broken_document_does_not_lose_the_others(portproof: Program) -> None:
    run = portproof.piped(
        f"{BROKEN}---\napiVersion: v1\nkind: Service\nmetadata: {{name: 'x}}\n",
        "check",
        "-",
        "--format",
        "json",
    )
    by_rule = {one["rule"]: one for one in run.report["findings"]}
    assert set(by_rule) == {"service-target-number", "render-failed"}
    assert by_rule["render-failed"]["message"].startswith("line 18 of standard input is not YAML")
    assert by_rule["render-failed"]["location"] is None


@pytest.mark.parametrize(
    "bomb",
    [
        "apiVersion: v1\nkind: Service\na: &a [x, x]\n" + "".join(f"{k}: &{k} [*{j}, *{j}, *{j}, *{j}]\n" for j, k in zip("abcdefghijklmnop", "bcdefghijklmnopq", strict=True)),
        "apiVersion: v1\nkind: Service\nspec: " + "[" * 5_000,
        '{"apiVersion": "v1", "items": [{"kind": "Service", "a": ' + "[" * 100_000,
        '{"apiVersion": "v1", "items": [{"kind": "Service", "a": ' + "[" * 100_000 + "]" * 100_000 + '}], "kind": "List"}',
        "apiVersion: v1\nkind: Service\n" + "".join(f"k{n}: 1\n" for n in range(200_000)),
    ],
    ids=["aliases", "depth", "broken JSON", "deep JSON", "values"],
)  # fmt: skip
def test_hostile_input_has_the_limits_of_a_file(portproof: Program, bomb: str) -> None:
    run = portproof.piped(
        f"{bomb}\n---\n{BROKEN}" if not bomb.startswith("{") else bomb, "check", "-", "--format", "json"
    )
    assert [one["rule"] for one in run.report["findings"]][-1] in ("render-failed", "service-target-number")
    assert run.report["targets"][0]["status"] == "failed"


def test_a_list_whose_items_share_an_anchor_is_read_as_a_whole(portproof: Program) -> None:
    text = (
        "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Service\n  metadata: {name: web}\n"
        "  spec: {selector: &s {app: web}, ports: [{port: 80, targetPort: 8081}]}\n"
        "- apiVersion: apps/v1\n  kind: Deployment\n  metadata: {name: web}\n  spec:\n    selector: {matchLabels: *s}\n"
        "    template: {metadata: {labels: *s}, spec: {containers: [{name: web, image: a, ports: [{containerPort: 8080}], livenessProbe: {tcpSocket: {port: 8080}}}]}}\n"
    )
    assert [one["rule"] for one in checked(portproof, text)["findings"]] == ["service-target-number"]


def test_nothing_of_a_secret_is_shown(portproof: Program) -> None:
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "web"},
        "stringData": {"URL": "http://web:hunter2@web:9999/"},
    }
    for output in ("yaml", "json"):
        run = portproof.piped(
            cluster.printed([secret, *yaml.safe_load_all(BROKEN)], output=output),
            "check",
            "-",
            "--format",
            "json",
        )
        assert "hunter2" not in run.stdout
        assert len(json.loads(run.stdout)["findings"]) == 1
