"""Port bugs of public charts, rebuilt small: each is found, at the line to edit, with the fix that heals it.

One folder of ``fixtures/bugs`` for each bug, called after the repository and the number of the thread; the first line of its
manifests names all threads about it. Nothing in them is copied.
"""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.program import FIXTURES, Program, Repository, environment

BUGS = FIXTURES / "bugs"
_THREAD = re.compile(r"[\w.-]+/[\w.-]+#\d+")


@dataclass(frozen=True)
class Bug:
    """What is said of a rebuilt bug: the rule, the severity, file and text of the place, and the fix in file, old, new.

    `also` are the rules that say it of the same place in other words, with the same fix.

    `unsafe` are the kinds of what speaks against a fix that cures the finding and is not what its people did: against
    `other` where there is one, an alternative.
    """

    folder: str
    rule: str
    severity: str
    path: str
    text: str
    fix: tuple[str, str, str] | None = None
    unsafe: tuple[str, ...] = ()
    other: tuple[str, str, str] | None = None
    also: tuple[str, ...] = ()


FOUND = (
    Bug(
        "ArroyoSystems.arroyo.682",
        "service-target-number",
        "error",
        "templates/controller.yaml",
        "8001",
        ("templates/controller.yaml", "8001", "{{ .Values.controller.http }}"),
        ("program",),
    ),
    Bug(
        "Unleash.helm-charts.106",
        "service-target-number",
        "error",
        "templates/edge.yaml",
        "{{ .Values.service.port }}",
        ("templates/edge.yaml", "", "\n      targetPort: http"),
    ),
    Bug(
        "clickvisual.clickvisual.414",
        "service-target-name",
        "error",
        "templates/visual.yaml",
        "http",
        ("templates/visual.yaml", "http", "{{ .Values.service.port }}"),
    ),
    Bug(
        "gimlet-io.onechart.25",
        "ingress-backend-port",
        "error",
        "templates/one.yaml",
        "{{ .Values.containerPort }}",
        ("templates/one.yaml", "{{ .Values.containerPort }}", "{{ .Values.svcPort }}"),
        ("program", "shared"),
        ("values.yaml", "8080", "80"),
    ),
    Bug(
        "microcumulus.ca-injector.4",
        "webhook-service-port",
        "error",
        "templates/webhook.yaml",
        "{{ .Release.Name }}",
        ("values.yaml", "80", "443"),
    ),
    Bug(
        "mogensen.cert-checker.10",
        "service-monitor-port",
        "error",
        "values.yaml",
        "metrics",
        ("values.yaml", "metrics", "web"),
    ),
    Bug(
        "oauth2-proxy.manifests.86",
        "service-target-name",
        "error",
        "values-tls.yaml",
        "https",
        ("values-tls.yaml", "https", "http"),
        ("callers", "scheme"),
    ),
    Bug(
        "rhobs.troubleshooting-scenarios.46",
        "service-target-number",
        "error",
        "web.yaml",
        "8081",
        ("web.yaml", "8081", "8080"),
    ),
    Bug(
        "Keyfactor.ejbca-community-helm.39",
        "service-target-shared",
        "warning",
        "templates/service.yaml",
        "proxy-http",
        ("templates/service.yaml", "proxy-http", "proxy-https"),
    ),
    Bug(
        "castai.helm-charts.951",
        "service-target-number",
        "warning",
        "templates/proxy.yaml",
        "{{ .servicePort }}",
        ("templates/proxy.yaml", "{{ .servicePort }}", "{{ .port }}"),
        ("callers",),
        ("values.yaml", "5432", "10001"),
    ),
    Bug(
        "neo4j.helm-charts.344",
        "service-target-number",
        "note",
        "templates/proxy.yaml",
        "{{ add .Values.service.port 8000 }}",
    ),
    Bug(
        "smallstep.helm-charts.82",
        "listening-port",
        "warning",
        "values.yaml",
        "443",
        ("values.yaml", "443", "9000"),
    ),
    Bug(
        "vouch.helm-charts.13",
        "listening-port",
        "warning",
        "templates/vouch.yaml",
        "9090",
        ("templates/vouch.yaml", "9090", "{{ .Values.config.vouch.port }}"),
    ),
    Bug(
        "helm.charts.15392",
        "image-port",
        "warning",
        "values-standard-port.yaml",
        "80",
        ("values-standard-port.yaml", "80", "9115"),
        ("callers",),
        also=("port-follows-service",),
    ),
)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    repository = Repository(tmp_path_factory.mktemp("bugs"))
    shutil.copytree(BUGS, repository.root, dirs_exist_ok=True)
    repository.commit()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(repository.root)
        return Program(environment()).check()


def of(report: dict[str, Any], folder: str) -> list[dict[str, Any]]:
    return [
        one
        for one in report["findings"]
        if any(
            target.partition(":")[2].partition("/")[0].partition("?")[0] == folder
            for target in one["targets"]
        )
    ]


@pytest.mark.parametrize("bug", FOUND, ids=lambda bug: bug.folder)
def test_a_bug_is_found_where_it_is_mended(bug: Bug, report: dict[str, Any]) -> None:
    found, *others = of(report, bug.folder)
    assert (found["rule"], found["severity"]) == (bug.rule, bug.severity)
    assert tuple(one["rule"] for one in others) == bug.also
    assert all(
        (one["location"], one["fix"]["id"]) == (found["location"], found["fix"]["id"]) for one in others
    )
    place = found["location"]
    lines = (BUGS / place["path"]).read_text().splitlines()
    assert place["path"] == f"{bug.folder}/{bug.path}"
    assert lines[place["line"] - 1][place["column"] - 1 : place["end_column"] - 1].strip("\"'") == bug.text
    assert edits(found["fix"]) == ([bug.fix] if bug.fix else [])


def edits(fix: dict[str, Any] | None) -> list[tuple[str, str, str]]:
    return [
        (one["path"].partition("/")[2], one["old"], one["new"]) for one in (fix or {"edits": []})["edits"]
    ]


@pytest.mark.parametrize("bug", FOUND, ids=lambda bug: bug.folder)
def test_a_fix_that_moves_what_others_rely_on_is_unsafe(bug: Bug, report: dict[str, Any]) -> None:
    found, *_ = of(report, bug.folder)
    kinds = {
        tuple(edits(one)): tuple(risk["kind"] for risk in one["risks"])
        for one in (found["fix"], *found["alternatives"])
        if one is not None
    }
    if bug.other:
        assert kinds[bug.other,] == bug.unsafe
        assert found["fix"]["safety"] == "safe"
    elif bug.fix:
        assert kinds[bug.fix,] == bug.unsafe
        assert found["fix"]["safety"] == ("unsafe" if bug.unsafe else "safe")


def test_what_is_written_without_asking_is_what_their_people_did(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = Repository(tmp_path)
    shutil.copytree(BUGS, repository.root, dirs_exist_ok=True)
    repository.commit()
    monkeypatch.chdir(repository.root)
    written = Program(environment())("fix", "--write")
    assert written.code == 1  # what is unsafe, or has no fix, is left
    safe = {f"{one.folder}/{one.fix[0]}" for one in FOUND if one.fix and (one.other or not one.unsafe)}
    assert set(repository.git("diff", "--name-only").split()) == safe
    assert "unsafe, `portproof fix --unsafe` includes it: set containerPort to 9115" in written.stderr
    Program(environment())("fix", "--write", "--unsafe")
    every = {f"{one.folder}/{one.fix[0]}" for one in FOUND if one.fix}
    assert set(repository.git("diff", "--name-only").split()) == every
