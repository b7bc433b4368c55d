"""`portproof diff`: what a change does to ports, in real repositories."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from portproof import revision
from tests.e2e.program import Program, Repository
from tests.e2e.test_base import manifests
from tests.e2e.test_traffic_chain_callers import ORDERS, SHOP
from tests.e2e.test_unchecked import FILES, REMOTE, deleted, renamed

Make = Callable[[str], Repository]
INGRESS = """apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {{name: plain}}
spec:
  rules:
    - host: shop.example.org
      http:
        paths:
          - {{path: /, pathType: Prefix, backend: {{service: {{name: plain, port: {{number: {port}}}}}}}}}
"""
PAGE = (Path(__file__).parents[2] / "docs" / "diff.md").read_text()
DEFAULT, PRODUCTION = "helm:charts/web", "helm:charts/web?values=values-prod.yaml"


@pytest.fixture
def repository(make_repository: Make) -> Repository:
    found = make_repository("")
    found.write({**FILES, "k8s/ingress.yaml": INGRESS.format(port=80)})
    found.commit()
    return found


def diff(portproof: Program, *args: str) -> dict[str, Any]:
    run = portproof("diff", "--base", "HEAD", "--offline", "--format", "json", *args)
    assert run.code == 0, run.stderr
    found: dict[str, Any] = json.loads(run.stdout)
    assert found["schema"] == "portproof/diff/1"
    return found


def rows(found: dict[str, Any]) -> dict[str, list[tuple[str, str, str]]]:
    """The changes of each target that has any: kind, relation, holder."""
    return {
        one["id"]: [
            (row["kind"], row["relation"], "{kind}/{name}".format_map(row["resource"]))
            for row in one["changes"]
        ]
        for one in found["targets"]
        if one["changes"]
    }


def callers(change: dict[str, Any]) -> tuple[tuple[str | None, str, str], ...]:
    """Who asks for the port of a change: what becomes of them, relation, holder."""
    return tuple(
        (one["kind"], one["relation"], "{kind}/{name}".format_map(one["resource"]))
        for one in change["callers"]
    )


def test_a_change_that_concerns_no_port_is_one_line(portproof: Program, repository: Repository) -> None:
    repository.write({"k8s/svc.yaml": f"# a comment\n{FILES['k8s/svc.yaml']}", "README.md": "x\n"})
    with repository.untouched():
        run = portproof("diff", "--base", "HEAD")
    assert (run.code, run.stdout) == (0, "No port changes.\n")


def test_nothing_changed_is_no_port_change(portproof: Program, repository: Repository) -> None:
    repository.commit()
    assert portproof("diff", "--base", "HEAD").stdout == "No port changes.\n"
    assert diff(portproof)["targets"] == []


def test_an_end_that_moves_alone_is_broken(portproof: Program, repository: Repository) -> None:
    repository.write({"charts/web/values-prod.yaml": "target: 9090\n"})
    found = diff(portproof)
    assert rows(found) == {PRODUCTION: [("broken", "Service target", "Service/web")]}
    assert [one["id"] for one in found["targets"]] == [PRODUCTION]
    (change,) = found["targets"][0]["changes"]
    assert (change["before"]["asked"], change["after"]["asked"]) == (8080, 9090)
    assert (change["before"]["reaches"], change["after"]["reaches"]) == ([8080], [])
    assert found["summary"] == {
        "broken": 1, "moved": 0, "changed": 0, "mended": 0, "new": 0, "gone": 0
    }  # fmt: skip
    repository.commit()
    repository.write({"charts/web/values-prod.yaml": "target: 8080\n"})
    assert rows(diff(portproof)) == {PRODUCTION: [("mended", "Service target", "Service/web")]}


def test_both_ends_move_together(portproof: Program, repository: Repository) -> None:
    repository.write({"base/all.yaml": manifests(9090, 9090, name="base")})
    found = diff(portproof)
    assert rows(found) == {
        f"kustomize:overlays/{target}": [("moved", "Service target", f"Service/{name}")]
        for target, name in (("dev", "dev-base"), ("prod", "base"))
    }
    assert {callers(change) for one in found["targets"] for change in one["changes"]} == {
        (("moved", "probe", "Deployment/base"),),
        (("moved", "probe", "Deployment/dev-base"),),
    }
    text = portproof("diff", "--base", "HEAD").stdout.splitlines()
    assert text[:3] == [
        "overlays/dev",
        "  moved together  Service/dev-base 80: targetPort 8080 -> 9090",
        "                    asked by readinessProbe of Deployment/dev-base (moves too)",
    ]


def test_a_service_port_is_a_change_for_itself_and_for_who_asks(
    portproof: Program, repository: Repository
) -> None:
    repository.replace("k8s/svc.yaml", "port: 80,", "port: 8000,")
    assert rows(diff(portproof)) == {
        "manifests:k8s": [
            ("broken", "Ingress backend", "Ingress/plain"),
            ("moved", "Service target", "Service/plain"),
        ]
    }
    assert portproof("diff", "--base", "HEAD").stdout.splitlines() == [
        "k8s",
        "  broken  Service/plain has no port 80 any more; it has only 8000",
        "            asked by Ingress/plain",
        "  moved   Service/plain: port 80 -> 8000",
        "            asked by Ingress/plain (broken)",
        "",
        "2 port changes: 1 broken, 1 moved",
    ]


POLICY = """apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: plain}
spec:
  podSelector: {}
  ingress: [{ports: [{port: 8080}]}]
---
apiVersion: monitoring.coreos.com/v1
kind: PodMonitor
metadata: {name: plain}
spec:
  selector: {matchLabels: {app: plain}}
  podMetricsEndpoints: [{portNumber: 8080}]
"""


def test_policies_and_monitors_are_edges_too(portproof: Program, repository: Repository) -> None:
    repository.write({"k8s/policy.yaml": POLICY})
    repository.commit()
    repository.write({"k8s/svc.yaml": manifests(9090, 9090, name="plain")})
    assert rows(diff(portproof)) == {
        "manifests:k8s": [
            ("broken", "monitor", "PodMonitor/plain"),
            ("moved", "Service target", "Service/plain"),
        ]
    }
    text = portproof("diff", "--base", "HEAD").stdout.splitlines()
    assert text[1:3] == [
        "  broken          Deployment/plain declares no port 8080 any more; it declares only 9090",
        "                    asked by PodMonitor/plain, NetworkPolicy/plain",
    ]


def test_order_and_api_version_are_no_change(portproof: Program, repository: Repository) -> None:
    two = "ports: [{name: a, port: 80, targetPort: 8080}, {name: b, port: 81, targetPort: 8080}]"
    other = "ports: [{name: b, port: 81, targetPort: 8080}, {name: a, port: 80, targetPort: 8080}]"
    one = "ports: [{port: 80, targetPort: 8080}]"
    repository.replace("k8s/svc.yaml", one, two)
    repository.commit()
    repository.replace("k8s/svc.yaml", two, other)
    repository.replace("k8s/svc.yaml", "apiVersion: apps/v1", "apiVersion: extensions/v1beta1")
    assert rows(diff(portproof)) == {}


def test_what_comes_and_goes(portproof: Program, repository: Repository) -> None:
    # another program: one that is only called otherwise would be the same
    more = manifests(8080, name="more").replace("image: ", "image: example.org/more/")
    repository.write({"k8s/more.yaml": more})
    deleted("k8s/other.yaml")(repository.root)
    assert rows(diff(portproof)) == {
        "manifests:k8s": [
            ("new", "Service target", "Service/more"),
            ("gone", "Service target", "Service/other"),
        ]
    }


def test_a_removed_folder_is_gone_and_a_renamed_one_is_no_change(
    portproof: Program, repository: Repository
) -> None:
    renamed("k8s", "deploy")(repository.root)
    assert rows(diff(portproof)) == {}
    deleted("deploy")(repository.root)
    found = rows(diff(portproof))
    assert set(found) == {"manifests:k8s"}
    assert {kind for kind, _, _ in found["manifests:k8s"]} == {"gone"}


def test_pods_that_a_service_no_longer_means_are_a_change(portproof: Program, repository: Repository) -> None:
    repository.replace("k8s/svc.yaml", "selector: {app: plain}", "selector: {app: other}")
    assert rows(diff(portproof)) == {"manifests:k8s": [("changed", "Service target", "Service/plain")]}


@pytest.mark.parametrize(
    ("files", "target"),
    [
        ({"charts/web/templates/all.yaml": "{{ if }}"}, DEFAULT),
        ({"overlays/prod/kustomization.yaml": f"resources: ['{REMOTE}']\n"}, "kustomize:overlays/prod"),
        ({"k8s/svc.yaml": "apiVersion: v1\nkind: Service\nmetadata: {name: x\n"}, "manifests:k8s"),
    ],
    ids=["fails", "skipped", "unreadable"],
)
def test_what_cannot_be_rendered_is_said(
    portproof: Program, repository: Repository, files: dict[str, str], target: str
) -> None:
    repository.write(files)
    reasons = {one["id"]: one["reason"] for one in diff(portproof)["targets"] if one["status"] == "failed"}
    assert reasons[target]
    text = portproof("diff", "--base", "HEAD", "--offline").stdout
    name = target.partition(":")[2]
    assert f"  {name}: " in text or f"  {name} (" in text
    assert "No port changes in what could be compared.\n" in text


def test_paths_limit_it_and_the_same_input_gives_the_same_bytes(
    portproof: Program, repository: Repository
) -> None:
    repository.write(
        {"charts/web/values.yaml": "target: 9090\n", "base/all.yaml": manifests(9090, name="base")}
    )
    assert set(rows(diff(portproof, "charts"))) == {DEFAULT}
    outputs = {
        portproof("diff", "--base", "HEAD", "--format", kind, "--jobs", jobs).stdout
        for kind in ("text", "json", "markdown")
        for jobs in ("1", "2")
    }
    assert len(outputs) == 3


def test_wrong_use(portproof: Program, repository: Repository) -> None:
    repository.commit()
    for args, told in (
        ((), "next: Name one: `portproof diff --base origin/main`.\n"),
        (("--base", "nowhere"), "next: Fetch it first: `git fetch origin nowhere`.\n"),
        (("--base", "origin/nowhere"), "next: Fetch it first: `git fetch origin nowhere`.\n"),
        (("--base", "HEAD~99"), "in a shallow clone run `git fetch --unshallow` first.\n"),
        (("--base", ""), "next: Check how it is written"),
        (("--base", "HEAD", "missing"), "missing: no such file or folder\n"),
        (("--base", "HEAD", "--format", "sarif"), "'sarif' is not one of 'text', 'markdown', 'json'"),
        (("--base", "HEAD", "--fail-on", "error"), "No such option '--fail-on'"),
    ):
        run = portproof("diff", *args)
        assert (run.code, run.stdout) == (2, "")
        assert told in run.stderr
    shutil.rmtree(repository.root / ".git")
    run = portproof("diff", "--base", "HEAD")
    assert (run.code, run.stdout) == (2, "")
    assert "--base needs a git repository" in run.stderr


def test_callers_of_other_charts_are_named_and_break_where_they_call(
    portproof: Program, make_repository: Make
) -> None:
    shop = make_repository("")
    shop.write({**ORDERS, **SHOP})
    shop.commit()
    shop.replace("charts/orders/values.yaml", "port: 80", "port: 8080")
    found = diff(portproof)
    assert rows(found) == {
        "helm:charts/orders": [("moved", "Service target", "Service/orders")],
        "helm:charts/shop": [("broken", "caller", "Deployment/shop")],
    }
    assert callers(found["targets"][0]["changes"][0]) == (("broken", "caller", "Deployment/shop"),)
    command = "$ portproof diff --base origin/main\n"
    assert PAGE.partition(command)[2].startswith(portproof("diff", "--base", "HEAD").stdout)
    (example,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    (shown,) = json.loads(example)["targets"]
    real = found["targets"][0]
    (change,), (shown_change,) = real.pop("changes"), shown.pop("changes")
    assert shown == real
    for one in (change, shown_change):
        one.pop("callers")[0]["resource"].pop("name")
    assert shown_change == change
    shop.replace("charts/shop/values.yaml", "orders:80", "orders:8080")
    (service,) = (one for one in diff(portproof)["targets"] if one["id"] == "helm:charts/orders")
    assert callers(service["changes"][0]) == (("moved", "caller", "Deployment/shop"),)
    shop.commit()
    shop.replace("charts/orders/templates/deployment.yaml", "containerPort: 8080", "containerPort: 9090")
    (service,) = diff(portproof)["targets"]
    assert callers(service["changes"][0]) == ((None, "caller", "Deployment/shop"),)


def test_a_service_that_loses_its_pods_is_broken(portproof: Program, repository: Repository) -> None:
    repository.replace("k8s/svc.yaml", "selector: {app: plain}", "selector: {app: plian}")
    assert rows(diff(portproof)) == {"manifests:k8s": [("broken", "Service target", "Service/plain")]}
    assert portproof("diff", "--base", "HEAD").stdout.splitlines()[1:3] == [
        "  broken  Service/plain 80: targetPort 8080; no pods here have the labels of its selector",
        "            asked by Ingress/plain",
    ]


def test_a_service_that_is_not_there_any_more_is_broken_for_who_still_asks(
    portproof: Program, repository: Repository
) -> None:
    text = FILES["k8s/svc.yaml"]
    repository.write(
        {
            "k8s/svc.yaml": text.replace(
                "kind: Service\nmetadata: {name: plain}", "kind: Service\nmetadata: {name: renamed}"
            )
        }
    )
    assert portproof("diff", "--base", "HEAD").stdout.splitlines() == [
        "k8s",
        "  broken   Service/plain is gone, or called otherwise",
        "             asked by Ingress/plain",
        "  renamed  Service/plain 80 -> Service/renamed 80: targetPort 8080",
        "",
        "2 port changes: 1 broken, 1 renamed",
    ]


def test_the_same_under_another_name_or_in_another_namespace_is_no_change(
    portproof: Program, repository: Repository
) -> None:
    other = "kind: Deployment\nmetadata: {name: plain}", "kind: Deployment\nmetadata: {name: other-one}"
    repository.replace("k8s/svc.yaml", *other)
    repository.replace("overlays/dev/kustomization.yaml", "namePrefix", "namespace: dev\nnamePrefix")
    assert rows(diff(portproof)) == {}
    split = "ports: [{name: a, port: 80, targetPort: 8080}, {name: b, port: 90, targetPort: 8080}]"
    repository.replace("k8s/svc.yaml", "ports: [{port: 80, targetPort: 8080}]", split)
    assert rows(diff(portproof)) == {"manifests:k8s": [("new", "Service target", "Service/plain")]}


def test_equal_changes_of_several_environments_are_one_row(
    portproof: Program, repository: Repository
) -> None:
    repository.write(
        {"charts/web/values.yaml": "target: 9090\n", "charts/web/values-prod.yaml": "target: 9090\n"}
    )
    assert portproof("diff", "--base", "HEAD").stdout.splitlines() == [
        "charts/web (default values, values-prod.yaml)",
        "  broken  Service/web 80: targetPort 8080 -> 9090; Deployment/web declares only 8080",
        "",
        "1 port change: 1 broken",
    ]


def test_an_overlay_that_is_removed_alone_is_gone_and_nothing_else_is_copied(
    portproof: Program, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied: list[Any] = []
    whole = revision.Comparison.base_tree

    def counted(*args: Any, **options: Any) -> Any:
        copied.append(options["whole"])
        return whole(*args, **options)

    monkeypatch.setattr(revision.Comparison, "base_tree", counted)
    deleted("overlays/dev")(repository.root)
    assert rows(diff(portproof)) == {
        "kustomize:overlays/dev": [("gone", "Service target", "Service/dev-base")]
    }
    deleted("charts/web/values-prod.yaml")(repository.root)
    assert set(rows(diff(portproof))) == {"kustomize:overlays/dev", PRODUCTION}
    assert not any(copied)


MARKDOWN = """### 2 port changes: 1 broken, 1 moved

**`k8s`**

| | port | asked by |
|---|---|---|
| **broken** | `Service/plain` has no port `80` any more; it has only `8000` | `Ingress/plain` |
| moved | `Service/plain`: port `80` → `8000` | `Ingress/plain` (broken) |
"""


def test_markdown(portproof: Program, repository: Repository) -> None:
    repository.replace("k8s/svc.yaml", "port: 80,", "port: 8000,")
    run = portproof("diff", "--base", "HEAD", "--format", "markdown")
    assert (run.code, run.stdout) == (0, MARKDOWN)
    repository.replace("k8s/svc.yaml", "port: 8000,", "port: 80,")
    assert portproof("diff", "--base", "HEAD", "--format", "markdown").stdout == "No port changes.\n"
