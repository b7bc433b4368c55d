"""Values, release and cluster that are said on the command line, of the one chart that is named."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.program import Program, Repository, by_status
from tests.e2e.test_base import manifests

Make = Callable[[str], Repository]

TEMPLATE = (
    manifests(8080)
    .replace("targetPort: 8080", "targetPort: {{ .Values.target }}")
    .replace("metadata: {name: web}", "metadata: {name: {{ .Release.Name }}-{{ .Release.Namespace }}}")
)
CHART = {
    "charts/web/Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.0.0\n",
    "charts/web/values.yaml": "target: 8080\n",
    "charts/web/values-dev.yaml": "target: 8080\n",
    "charts/web/templates/all.yaml": TEMPLATE,
    "charts/other/Chart.yaml": "apiVersion: v2\nname: other\nversion: 1.0.0\n",
    "charts/other/templates/all.yaml": "a: {{ .Capabilities.KubeVersion.Version }}\n",
    "mine/bad.yaml": "target: 8081\n",
    "mine/good.yaml": "target: 8080\n",
}


@pytest.fixture
def charts(make_repository: Make) -> Repository:
    """Two charts, and values beside them."""
    repository = make_repository("")
    repository.write(CHART)
    repository.commit()
    return repository


def test_values_of_the_command_line_are_the_only_ones(portproof: Program, charts: Repository) -> None:
    assert charts.root == Path.cwd()
    report = portproof.check("charts/web", "-f", "mine/bad.yaml")
    assert by_status(report)["checked"] == ["helm:charts/web?values=/mine/bad.yaml"]
    (found,) = report["findings"]
    assert (found["location"]["path"], found["location"]["line"]) == ("mine/bad.yaml", 1)
    assert found["location"]["proof"] == "proven"
    assert report["unread"] == []


def test_the_last_values_win_and_a_single_one_over_all(portproof: Program, charts: Repository) -> None:
    assert charts.root == Path.cwd()
    both = ("-f", "mine/bad.yaml", "--values", "mine/good.yaml")
    report = portproof.check("charts/web", *both)
    assert by_status(report)["checked"] == ["helm:charts/web?values=/mine/bad.yaml,/mine/good.yaml"]
    assert report["findings"] == []
    report = portproof.check("charts/web", *both, "--set", "target=8082,a={b,c}")
    assert by_status(report)["checked"] == [
        "helm:charts/web?values=/mine/bad.yaml,/mine/good.yaml&set=target=8082,a={b,c}"
    ]
    (found,) = report["findings"]
    assert found["value"] == 8082
    assert found["fix"] is None or "8082" not in json.dumps(found["fix"]["edits"])
    assert by_status(portproof.check("charts/web", "--set", "target=8080"))["checked"] == [
        "helm:charts/web?set=target=8080"
    ]


def test_the_release_is_said_of_all_that_is_checked_anyway(portproof: Program, charts: Repository) -> None:
    charts.write(
        {
            "portproof.yaml": "charts: [{path: charts/*, release: conf, namespace: conf}]\n",
            "charts/web/values-dev.yaml": "target: 8081\n",
        }
    )
    (found,) = portproof.check("charts/web")["findings"]
    assert found["resource"]["name"] == "conf-conf"
    said = ("--release", "mine", "--namespace", "here", "--kube-version", "1.29.0")
    report = portproof.check("charts/web/Chart.yaml", *said)
    assert by_status(report)["checked"] == [
        "helm:charts/web",
        "helm:charts/web?values=values-dev.yaml",
    ]
    (found,) = report["findings"]
    assert found["resource"]["name"] == "mine-here"


def test_paths_are_those_from_where_one_stands(
    portproof: Program, charts: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(charts.root / "charts/web")
    report = portproof.check("-f", "../../mine/bad.yaml")
    assert by_status(report)["checked"] == ["helm:charts/web?values=/mine/bad.yaml"]


def test_a_base_is_rendered_with_them_too(portproof: Program, charts: Repository) -> None:
    charts.write({"mine/good.yaml": "target: 8083\n", "mine/bad.yaml": "# the same\ntarget: 8081\n"})
    news = {}
    for name in ("good", "bad"):
        (found,) = portproof.check("charts/web", "--base", "HEAD", "-f", f"mine/{name}.yaml")["findings"]
        news[name] = found["introduced"]
    assert news == {"good": True, "bad": False}
    shown = portproof("diff", "charts/web", "--base", "HEAD", "-f", "mine/good.yaml")
    assert shown.code == 0
    assert "8083" in shown.stdout


def test_fix_and_map_take_them(portproof: Program, charts: Repository) -> None:
    done = portproof("fix", "charts/web", "-f", "mine/bad.yaml", "--write")
    assert done.code == 0, done.stderr
    assert charts.read("mine/bad.yaml") == b"target: 8080\n"
    shown = portproof("map", "charts/web", "-f", "mine/bad.yaml", "--release", "mine", "--format", "json")
    assert shown.code == 0, shown.stderr
    assert "mine-default" in shown.stdout


def test_the_hint_repeats_them(portproof: Program, charts: Repository) -> None:
    assert charts.root == Path.cwd()
    shown = portproof("check", "charts/web", "-f", "mine/good.yaml", "-f", "mine/bad.yaml", "--release", "x")
    hint = next(line for line in shown.stdout.splitlines() if "portproof fix" in line)
    command = shlex.split(hint.split("`")[1])
    assert command[1:] == [
        *("fix", "--values", "mine/good.yaml", "--values", "mine/bad.yaml", "--release", "x"),
        "charts/web",
    ]
    assert portproof(*command[1:], "--write").code == 0
    assert charts.read("mine/bad.yaml") == b"target: 8080\n"


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ((".", "-f", "mine/bad.yaml"), "--values is about one chart, and . is none"),
        (("mine", "--release", "x"), "--release is about one chart, and mine is none"),
        (
            ("charts/web", "charts/other", "--set", "a=1"),
            "--set is about one chart, and there are several paths",
        ),
        (("charts/web", "-f", "mine/none.yaml"), "--values mine/none.yaml: no such file"),
        (("charts/web", "-f", "../outside.yaml"), "--values ../outside.yaml is outside"),
        (("-", "--set", "a=1"), "--set is about a chart, and - has rendered manifests"),
    ],
)
def test_what_they_cannot_be_about_is_said_with_the_next_step(
    args: tuple[str, ...], said: str, portproof: Program, charts: Repository
) -> None:
    (charts.root.parent / "outside.yaml").write_text("a: 1\n")
    done = portproof("check", *args)
    assert done.code == 2
    assert said in done.stderr
    assert "\n  next: " in done.stderr
