"""A broken port that only one environment's values file shows: found wherever that lies, or said to be unread."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.program import Program, Repository
from tests.e2e.test_gitops import CHART

BROKEN = "service:\n  target: 8081\ncontainer:\n  port: 8080\n"
SOUND = "service:\n  target: 8081\ncontainer:\n  port: 8081\n"


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    found = Repository(tmp_path)
    found.write(CHART)
    found.commit()
    monkeypatch.chdir(tmp_path)
    return found


@pytest.mark.parametrize(
    "path",
    [
        "envs/prod.yaml",
        "env/prod/values.yaml",
        "environments/prod/web.yaml",
        "clusters/prod/web/values.yaml",
        "values/prod.yaml",
        "helm_vars/prod/values.yaml",
        "prod-values.yaml",
        "values_prod.yaml",
        "charts/web/prod-values.yaml",
        "charts/web/envs/prod.yaml",
    ],
)
def test_each_layout(portproof: Program, repository: Repository, path: str) -> None:
    repository.write({path: BROKEN})
    found = portproof.check()
    (finding,) = found["findings"]
    assert (finding["rule"], finding["severity"]) == ("service-target-number", "error")
    assert (finding["location"]["path"], finding["location"]["line"]) == (path, 2)
    assert finding["fix"] is None or {one["path"] for one in finding["fix"]["edits"]} == {path}
    repository.write({path: SOUND})
    found = portproof.check()
    assert (found["findings"], found["summary"]["checked"], found["unread"]) == ([], 2, [])


def test_what_stays_open_is_unread_and_strict_fails_for_it(
    portproof: Program, repository: Repository
) -> None:
    repository.write({"monitoring/grafana/values.yaml": BROKEN})
    run = portproof("check")
    assert run.code == 0
    assert run.stdout.endswith("Unread: 1 values file (`portproof targets` lists them)\n")
    assert portproof("check", "--strict").code == 1
    assert portproof("check", "--strict", "charts").code == 0
    (one,) = portproof.check()["unread"]
    assert (one["path"], one["kind"]) == ("monitoring/grafana/values.yaml", "values")
    pasted = one["reason"].split("`")[1]
    repository.write({"portproof.yaml": f"{pasted}\n"})
    found = portproof.check()
    assert (found["summary"]["error"], found["unread"]) == (1, [])


def test_strict_fails_for_what_is_skipped(portproof: Program, repository: Repository) -> None:
    assert portproof("check", "--strict").code == 0
    repository.write({"overlays/prod/kustomization.yaml": "helmCharts: [{name: a}]\n"})
    assert portproof("check").code == 0
    assert portproof("check", "--strict").code == 1


def test_values_that_are_not_all_that_a_chart_needs_are_a_note(
    portproof: Program, repository: Repository
) -> None:
    template = '{{ required "a host" .Values.host }}'
    repository.write(
        {
            "charts/web/templates/b.yaml": f"# {template}\n",
            "charts/web/values.yaml": "host: a\n" + CHART["charts/web/values.yaml"],
        }
    )
    repository.write({"envs/prod.yaml": "host: ''\n" + SOUND})
    (finding,) = portproof.check()["findings"]
    assert (finding["rule"], finding["severity"]) == ("render-failed", "note")


def test_what_git_ignores_is_no_target_unless_it_is_named_or_read(
    portproof: Program, repository: Repository
) -> None:
    manifests = broken_manifests()
    repository.write(
        {
            ".gitignore": "/rendered/\nvalues-secret.yaml\nlocal.yaml\n/kept/\n",
            "rendered/all.yaml": manifests,
            "deploy/all.yaml": manifests.replace("8081", "8080"),
            "deploy/local.yaml": manifests,
            "charts/web/values-secret.yaml": BROKEN,
            "overlays/kustomization.yaml": "resources: [local.yaml]\n",
            "overlays/local.yaml": manifests.replace("8081", "8080"),
            "kept/all.yaml": manifests.replace("8081", "8080"),
        }
    )
    repository.git("add", "--force", "kept/all.yaml")
    found = portproof.check()
    assert [one["id"] for one in found["targets"]] == [
        "helm:charts/web",
        "kustomize:overlays",
        "manifests:deploy",
        "manifests:kept",
    ]
    assert found["findings"] == []
    assert portproof.check("rendered")["summary"]["error"] == 1
    assert portproof.check("deploy/local.yaml")["summary"]["error"] == 1
    assert portproof.check("--base", "HEAD")["findings"] == []


def broken_manifests() -> str:
    """A Service that sends to a port which its pods do not have."""
    return """apiVersion: v1
kind: Service
metadata: {name: api}
spec: {selector: {app: api}, ports: [{port: 80, targetPort: 8081}]}
---
apiVersion: v1
kind: Pod
metadata: {name: api, labels: {app: api}}
spec: {containers: [{name: api, image: a, ports: [{containerPort: 8080}]}]}
"""
