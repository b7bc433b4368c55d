"""A template that fails on what a ``lookup`` would find: nobody's mistake where there is no cluster."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from tests.e2e.program import Program
from tests.support.rendering import write_files

CHART = "apiVersion: v2\nname: shop\nversion: 1.0.0\n"
OBJECT = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: shop}\ndata: {host: "%s"}\n'
ASKED = '{{ $found := (lookup "v1" "ConfigMap" "apps" "cluster") }}\n'


@pytest.mark.parametrize(
    ("template", "status"),
    [
        (ASKED + OBJECT % "{{ $found.data.domain }}", "skipped"),
        (OBJECT % '{{ (lookup "v1" "ConfigMap" "apps" "cluster").data.domain }}', "skipped"),
        (ASKED + OBJECT % "{{ get $found.data `domain` | upper }}", "skipped"),
        (ASKED + OBJECT % "{{ .Values.shop.domain }}", "failed"),
        (OBJECT % "{{ $.Values.lookup.domain }}", "failed"),
    ],
)
def test_a_chart_that_relies_on_an_object_of_the_cluster(
    template: str, status: str, tmp_path: Path, portproof: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_files(tmp_path, {"shop/Chart.yaml": CHART, "shop/templates/a.yaml": template})
    assert statuses(portproof) == [status]


def test_a_library_in_an_archive_may_ask(
    tmp_path: Path, portproof: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    files = {
        "lib/Chart.yaml": "apiVersion: v2\nname: lib\nversion: 1.0.0\ntype: library\n",
        "lib/templates/_a.tpl": '{{ define "lib.domain" }}\n' + ASKED + "{{ $found.data.domain }}{{ end }}\n",
    }
    write_files(
        tmp_path, {"shop/Chart.yaml": CHART, "shop/templates/a.yaml": OBJECT % '{{ include "lib.domain" . }}'}
    )
    archive = tmp_path / "shop/charts/lib-1.0.0.tgz"
    archive.parent.mkdir()
    with tarfile.open(archive, "w:gz") as packed:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text)
            packed.addfile(member, io.BytesIO(text.encode()))
    assert statuses(portproof) == ["skipped"]


LACKS = {
    "shop/Chart.yaml": CHART,
    "shop/values.yaml": "host: {}\n",
    "shop/templates/a.yaml": OBJECT % "{{ .Values.site.name }}",
}
INSTALLED = """apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: shop}
spec:
  destination: {namespace: shop}
  source:
    repoURL: https://example.com/shop.git
    path: shop
    helm: {valuesObject: {site: {name: a.example}}}
"""


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, [("shop", "failed")]),
        ({"app.yaml": INSTALLED}, [("shop", "checked"), ("shop", "checked")]),
        ({"deploy.sh": "helm upgrade -i shop ./shop -f $VALUES\n"}, [("shop", "checked")]),
        ({"deploy.sh": "helm upgrade -i shop ./shop\n"}, [("shop", "failed")]),
    ],
)
def test_a_chart_that_is_installed_with_other_values(
    files: dict[str, str],
    expected: list[tuple[str, str]],
    tmp_path: Path,
    portproof: Program,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    write_files(tmp_path, LACKS | files)
    assert [(one["path"], one["status"]) for one in portproof.check()["targets"]] == expected


def test_what_no_values_cure_is_a_mistake_whatever_is_given(
    tmp_path: Path, portproof: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    broken = {"shop/templates/a.yaml": OBJECT % "{{ .Release.Time.Seconds }}"}
    write_files(tmp_path, LACKS | broken | {"deploy.sh": "helm upgrade -i shop ./shop -f $VALUES\n"})
    assert statuses(portproof) == ["failed"]


def test_values_for_the_tests_of_a_chart_that_something_else_installs(
    tmp_path: Path, portproof: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_files(tmp_path, LACKS | {"shop/ci/a-values.yaml": "host: {a: 1}\n"})
    assert statuses(portproof) == ["failed", "failed"]
    (tmp_path / "helmfile.yaml").write_text(
        "releases: [{name: shop, chart: ./{{ env `C` }}, values: [x.yaml.gotmpl]}]\n"
    )
    assert "failed" not in statuses(portproof)[1:]


def statuses(portproof: Program) -> list[str]:
    return [one["status"] for one in portproof.check()["targets"]]
