"""What `--base` calls introduced, in real repositories."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from tests.e2e.program import Program, Repository, by_status

Make = Callable[[str], Repository]


def manifests(target: int | str, port: int = 8080, *, name: str = "web") -> str:
    """A Service and its Deployment."""
    return f"""apiVersion: v1
kind: Service
metadata: {{name: {name}}}
spec:
  selector: {{app: {name}}}
  ports: [{{port: 80, targetPort: {target}}}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}}}
spec:
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec:
      containers:
        - name: web
          image: registry.example.org/web:1
          ports: [{{name: http, containerPort: {port}}}]
          readinessProbe: {{httpGet: {{path: /, port: {port}}}}}
"""


def settings(line: str, *, name: str = "conf") -> str:
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\ndata:\n  {line}\n"


UNREADABLE = 'a: "TRUE" IF USE'
GOOD = manifests(8080)
BAD = manifests(8081)


def committed(repository: Repository, files: Mapping[str, str]) -> None:
    repository.write(files)
    repository.commit()


def news(report: Mapping[str, Any]) -> dict[tuple[str, str], bool]:
    """Which findings are introduced, by rule and file."""
    found = report["findings"]
    assert all(one["location"] is not None for one in found)
    return {(one["rule"], one["location"]["path"]): one["introduced"] for one in found}


# files of a folder that hold the same objects


def test_alternatives_are_compared_file_by_file(portproof: Program, make_repository: Make) -> None:
    repository = make_repository("")
    committed(repository, {"k8s/dev.yaml": manifests(8080, 8080), "k8s/prod.yaml": manifests(9091, 9090)})
    repository.write({"k8s/dev.yaml": manifests(8081, 8080)})
    with repository.untouched():
        report = portproof.check("--base", "HEAD")
    assert by_status(report)["checked"] == ["manifests:k8s/dev.yaml", "manifests:k8s/prod.yaml"]
    old = ("service-target-number", "k8s/prod.yaml")
    assert news(report) == {("service-target-number", "k8s/dev.yaml"): True, old: False}
    repository.write({"k8s/dev.yaml": f"# which is for tests\n{manifests(8080, 8080)}"})
    assert news(portproof.check("--base", "HEAD")) == {old: False}
    assert portproof("check", "--base", "HEAD").code == 0


def test_a_file_that_they_share_concerns_every_alternative(portproof: Program, make_repository: Make) -> None:
    repository = make_repository("")
    both = {"k8s/dev.yaml": manifests(8080, 8080), "k8s/prod.yaml": manifests(9090, 9090)}
    committed(repository, {**both, "k8s/other.yaml": manifests(7070, 7070, name="other")})
    repository.write({"k8s/other.yaml": manifests(7071, 7070, name="other")})
    report = portproof.check("--base", "HEAD")
    assert by_status(report)["checked"] == ["manifests:k8s/dev.yaml", "manifests:k8s/prod.yaml"]
    assert news(report) == {("service-target-number", "k8s/other.yaml"): True}


def test_a_folder_that_becomes_alternatives_keeps_its_past(portproof: Program, make_repository: Make) -> None:
    repository = make_repository("")
    committed(repository, {"k8s/dev.yaml": manifests(8081, 8080)})
    repository.write({"k8s/prod.yaml": manifests(9091, 9090)})
    assert news(portproof.check("--base", "HEAD")) == {
        ("service-target-number", "k8s/dev.yaml"): False,
        ("service-target-number", "k8s/prod.yaml"): True,
    }


def test_alternatives_that_become_a_folder_keep_their_past(portproof: Program, make_repository: Make) -> None:
    repository = make_repository("")
    committed(repository, {"k8s/dev.yaml": manifests(8081, 8080), "k8s/prod.yaml": manifests(9090, 9090)})
    (repository.root / "k8s/prod.yaml").unlink()
    report = portproof.check("--base", "HEAD")
    assert by_status(report)["checked"] == ["manifests:k8s"]
    assert news(report) == {("service-target-number", "k8s/dev.yaml"): False}


# what cannot be rendered


@pytest.mark.parametrize("folder", ["k8s/", ""])
def test_an_unreadable_manifest_that_is_left_alone_is_no_news(
    portproof: Program, make_repository: Make, folder: str
) -> None:
    repository = make_repository("")
    conf = f"{folder}conf.yaml"
    committed(repository, {f"{folder}svc.yaml": GOOD, conf: settings(UNREADABLE)})
    repository.write({f"{folder}svc.yaml": f"{GOOD}# a comment\n"})
    assert news(portproof.check("--base", "HEAD")) == {("render-failed", conf): False}
    assert portproof("check", "--base", "HEAD").code == 0
    assert portproof("check").code == 1


def test_lines_above_an_unreadable_line_make_no_news(portproof: Program, make_repository: Make) -> None:
    repository = make_repository("")
    committed(repository, {"k8s/svc.yaml": GOOD, "k8s/conf.yaml": settings(UNREADABLE)})
    moved = settings("b: x\n  " + UNREADABLE)
    repository.write({"k8s/conf.yaml": f"{settings('c: x', name='one')}---\n{moved}"})
    assert news(portproof.check("--base", "HEAD")) == {("render-failed", "k8s/conf.yaml"): False}


def test_what_the_change_breaks_is_news(portproof: Program, make_repository: Make) -> None:
    repository = make_repository("")
    committed(repository, {"k8s/svc.yaml": GOOD, "k8s/conf.yaml": settings("a: x")})
    repository.write({"k8s/conf.yaml": settings(UNREADABLE)})
    assert news(portproof.check("--base", "HEAD")) == {("render-failed", "k8s/conf.yaml"): True}
    assert portproof("check", "--base", "HEAD").code == 1


def test_of_two_unreadable_files_only_the_new_one_is_news(portproof: Program, make_repository: Make) -> None:
    repository = make_repository("")
    committed(repository, {"k8s/svc.yaml": GOOD, "k8s/a.yaml": settings(UNREADABLE)})
    repository.write({"k8s/b.yaml": settings(UNREADABLE, name="other")})
    report = portproof.check("--base", "HEAD")
    assert news(report) == {("render-failed", "k8s/a.yaml"): False, ("render-failed", "k8s/b.yaml"): True}


def failures_in_lines(report: Mapping[str, Any]) -> dict[int, bool]:
    return {one["location"]["line"]: one["introduced"] for one in report["findings"]}


@pytest.mark.parametrize("second", [UNREADABLE, 'b: "FALSE" IF NOT'], ids=["the-same-words", "other-words"])
def test_a_second_unreadable_document_of_one_file_is_news(
    portproof: Program, make_repository: Make, second: str
) -> None:
    repository = make_repository("")
    first = settings(UNREADABLE)
    committed(repository, {"k8s/svc.yaml": GOOD, "k8s/conf.yaml": first})
    repository.write({"k8s/conf.yaml": f"{first}---\n{settings(second, name='other')}"})
    assert failures_in_lines(portproof.check("--base", "HEAD")) == {6: False, 13: True}


def test_a_breakage_that_is_altered_is_news(portproof: Program, make_repository: Make) -> None:
    repository = make_repository("")
    committed(repository, {"k8s/svc.yaml": GOOD, "k8s/conf.yaml": settings(UNREADABLE)})
    repository.write({"k8s/conf.yaml": settings('a: "TRUE" UNLESS USED')})
    assert news(portproof.check("--base", "HEAD")) == {("render-failed", "k8s/conf.yaml"): True}


def chart(line: str, **values: str) -> dict[str, str]:
    """A chart whose template has `line` in the data of a ConfigMap."""
    return {
        "charts/web/Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.0.0\n",
        "charts/web/values.yaml": "name: web\nempty: {}\n",
        "charts/web/templates/all.yaml": GOOD,
        "charts/web/templates/conf.yaml": settings(line),
        **{f"charts/web/values-{name}.yaml": text for name, text in values.items()},
    }


REMOTE = "a: {{ .Values.empty.deep.er }}"
CHARTS = {
    "fails-at-run-time": REMOTE,
    "cannot-be-parsed": "a: {{ .Values.name",
    "renders-to-no-yaml": UNREADABLE,
}


@pytest.mark.parametrize("line", CHARTS.values(), ids=CHARTS)
def test_a_chart_that_was_broken_before_is_no_news(
    portproof: Program, make_repository: Make, line: str
) -> None:
    repository = make_repository("")
    committed(repository, chart(line))
    moved = {"charts/web/templates/conf.yaml": f"# moved\n# by lines\n{settings(line)}"}
    repository.write({"charts/web/values.yaml": "name: web\nempty: {}\nmore: 1\n", **moved})
    report = portproof.check("--base", "HEAD")
    assert news(report) == {("render-failed", "charts/web/templates/conf.yaml"): False}
    assert portproof("check", "--base", "HEAD").code == 0


@pytest.mark.parametrize("line", CHARTS.values(), ids=CHARTS)
def test_a_chart_that_the_change_breaks_is_news(portproof: Program, make_repository: Make, line: str) -> None:
    repository = make_repository("")
    committed(repository, chart("a: x"))
    repository.write(chart(line))
    assert set(news(portproof.check("--base", "HEAD")).values()) == {True}


def test_a_broken_chart_that_the_change_breaks_elsewhere_is_news(
    portproof: Program, make_repository: Make
) -> None:
    repository = make_repository("")
    committed(repository, chart(REMOTE))
    other = {"charts/web/templates/a.yaml": settings("b: {{ .Values.name.first }}", name="other")}
    repository.write({**chart("a: x"), **other})
    assert news(portproof.check("--base", "HEAD")) == {("render-failed", "charts/web/templates/a.yaml"): True}


def test_a_broken_chart_with_new_values_is_no_news(portproof: Program, make_repository: Make) -> None:
    repository = make_repository("")
    committed(repository, chart(REMOTE, dev="name: dev\n"))
    (repository.root / "charts/web/values-dev.yaml").rename(repository.root / "charts/web/values-test.yaml")
    report = portproof.check("--base", "HEAD")
    assert "helm:charts/web?values=values-test.yaml" in by_status(report)["failed"]
    assert set(news(report).values()) == {False}


OVERLAY = {
    "deploy/base/kustomization.yaml": "resources: [all.yaml]\n",
    "deploy/base/all.yaml": GOOD,
    "deploy/prod/kustomization.yaml": "resources: [../base]\npatches: [{path: patch.yaml}]\n",
    "deploy/prod/patch.yaml": "apiVersion: v1\nkind: Service\nmetadata: {name: gone}\nspec: {type: NodePort}\n",
}
MENDED = {"deploy/prod/patch.yaml": OVERLAY["deploy/prod/patch.yaml"].replace("gone", "web")}


def test_an_overlay_that_was_broken_before_is_no_news(portproof: Program, make_repository: Make) -> None:
    repository = make_repository("")
    committed(repository, OVERLAY)
    repository.write({"deploy/base/all.yaml": f"# a comment\n{GOOD}"})
    repository.replace("deploy/prod/patch.yaml", "kind: Service\n", "# moved\nkind: Service\n")
    repository.replace("deploy/prod/kustomization.yaml", "patches:", "# moved\npatches:")
    where = "deploy/prod/kustomization.yaml"
    assert news(portproof.check("--base", "HEAD")) == {("render-failed", where): False}
    assert portproof("check", "--base", "HEAD").code == 0


def test_an_overlay_that_the_change_breaks_is_news(portproof: Program, make_repository: Make) -> None:
    repository = make_repository("")
    committed(repository, {**OVERLAY, **MENDED})
    repository.write(OVERLAY)
    assert list(news(portproof.check("--base", "HEAD")).values()) == [True]


def test_an_overlay_that_is_broken_elsewhere_now_is_news(portproof: Program, make_repository: Make) -> None:
    repository = make_repository("")
    committed(repository, OVERLAY)
    repository.write({**MENDED, "deploy/base/kustomization.yaml": "resources: [all.yaml, more.yaml]\n"})
    report = portproof.check("--base", "HEAD")
    assert set(news(report).values()) == {True}


# the base as a witness


def changed(portproof: Program, make_repository: Make, before: str, after: str) -> list[Any]:
    """What a change of one manifest brings in."""
    repository = make_repository("")
    committed(repository, {"k8s/all.yaml": before})
    repository.write({"k8s/all.yaml": after})
    return [one for one in portproof.check("--base", "HEAD")["findings"] if one["introduced"]]


def test_a_far_number_that_the_probes_contradict_is_an_error(
    portproof: Program, make_repository: Make
) -> None:
    (found,) = changed(portproof, make_repository, manifests(8080), manifests(9090))
    assert (found["rule"], found["severity"], found["expected"]) == ("service-target-number", "error", 8080)
    assert found["location"]["line"] == 6
    assert found["message"].startswith("This change sends port 80 of Service/web to 9090 instead of 8080")
    assert found["fix"]["edits"][0]["new"] == "8080"
    assert portproof("check", "--base", "HEAD").code == 1


def test_a_change_that_moves_both_ends_is_quiet(portproof: Program, make_repository: Make) -> None:
    assert changed(portproof, make_repository, manifests(8080), manifests(9090, 9090)) == []


def test_a_selector_that_leaves_its_pods_is_an_error(portproof: Program, make_repository: Make) -> None:
    after = manifests(8080).replace("selector: {app: web}", "selector: {app: x}", 1)
    (found,) = changed(portproof, make_repository, manifests(8080), after)
    assert (found["rule"], found["severity"]) == ("service-lost-pods", "error")
    assert found["fix"]["edits"][0]["new"] == "web"


def test_without_a_base_nothing_is_said_of_what_moved(portproof: Program, make_repository: Make) -> None:
    alone = manifests(8080).replace("selector: {app: web}", "selector: {app: x}", 1)
    alone = alone.replace("metadata: {name: web}", "metadata: {name: front}", 1)
    make_repository("").write({"k8s/all.yaml": alone})
    assert portproof.check()["findings"] == []
