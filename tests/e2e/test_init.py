"""``portproof init`` proposes a configuration; one that names what is not there is wrong use."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.e2e.program import Program, Repository
from tests.e2e.test_gitops import CHART
from tests.e2e.test_layouts import BROKEN, SOUND, broken_manifests


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    found = Repository(tmp_path)
    found.write(CHART)
    found.commit()
    monkeypatch.chdir(tmp_path)
    return found


def shop(repository: Repository) -> None:
    """Values in several places, one that is not enough by itself, one of unknown use, and an overlay."""
    template = '{{ if eq (.Values.service.target | int) 1 }}{{ fail "not 1" }}{{ end }}\n'
    repository.write(
        {
            "charts/web/templates/b.yaml": template,
            "envs/prod.yaml": BROKEN,
            "envs/qa.yaml": "service: {target: 1}\ncontainer: {port: 1}\n",
            "charts/web/staging-values.yaml": SOUND,
            "overlays/prod/kustomization.yaml": "resources: [all.yaml]\n",
            "overlays/prod/all.yaml": broken_manifests(),
            "monitoring/values.yaml": SOUND,
        }
    )


def told(report: dict[str, Any]) -> list[Any]:
    return [(one["rule"], one["severity"], one["targets"], one["fingerprint"]) for one in report["findings"]]


def test_it_prints_what_there_is(portproof: Program, repository: Repository) -> None:
    shop(repository)
    run = portproof("init")
    assert run.code == 0, run.stderr
    assert run.stdout == (
        "# What portproof checks here beyond what it always finds. Every key is optional: see docs/configuration.md.\n"
        "# What is uncertain is a comment. Remove the # from what is true.\n"
        "\n"
        "charts:\n"
        "  - path: charts/web\n"
        "    values:\n"
        "      - /envs/prod.yaml\n"
        "      # It does not render with this file alone: not 1\n"
        "      # - /envs/qa.yaml\n"
        "      - staging-values.yaml\n"
        "\n"
        "# Deployed together, as far as names tell. State it, and a call that misses there is an error:\n"
        "# environments:\n"
        "#   prod:\n"
        '#     - "helm:charts/web?values=/envs/prod.yaml"\n'
        '#     - "kustomize:overlays/prod"\n'
        "\n"
        "# Unread:\n"
        "#   monitoring/values.yaml: its keys are those of charts/web, but its place says 'monitoring'; "
        "if it is given to charts/web: `charts: [{path: charts/web, values: [/monitoring/values.yaml]}]` "
        "in portproof.yaml\n"
    )
    assert not (repository.root / "portproof.yaml").exists()


def test_taken_as_it_is_nothing_becomes_worse(portproof: Program, repository: Repository) -> None:
    shop(repository)
    before = portproof.check()
    assert portproof("init", "--write").code == 0
    after = portproof.check()
    assert told(after) == told(before)
    assert [one["id"] for one in after["targets"]] == [one["id"] for one in before["targets"]]
    assert after["unread"] == before["unread"]


def test_the_comments_are_true_when_they_are_uncommented(portproof: Program, repository: Repository) -> None:
    shop(repository)
    text = portproof("init").stdout.partition("# Unread")[0]
    repository.write({"portproof.yaml": text.replace("# environments", "environments").replace("#   ", "  ")})
    assert portproof.check()["summary"]["error"] == 2


def test_without_anything_to_say_it_says_so_and_is_valid(portproof: Program, repository: Repository) -> None:
    assert portproof("init", "--write").code == 0
    assert repository.read("portproof.yaml") == (
        b"# portproof finds what is here by itself. Every key is optional: see docs/configuration.md.\n"
    )
    assert portproof.check()["findings"] == []


def test_nothing_is_overwritten(portproof: Program, repository: Repository) -> None:
    repository.write({".portproof.yaml": "jobs: 1\n"})
    run = portproof("init", "--write")
    assert (run.code, repository.read(".portproof.yaml")) == (2, b"jobs: 1\n")
    assert ".portproof.yaml already exists" in run.stderr
    assert portproof("init").code == 0


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        (
            "charts:\n  - path: charts/web\n  - path: charts/wbe\n",
            3,
            "charts/wbe: named in the configuration",
        ),
        (
            "charts:\n  - path: charts/web\n    values:\n      - values.yaml\n      - [nope.yaml]\n",
            5,
            "the values file nope.yaml in the configuration does not exist",
        ),
    ],
)
def test_a_configuration_that_names_what_is_not_there_is_wrong_use(
    portproof: Program, repository: Repository, text: str, line: int, what: str
) -> None:
    shop(repository)
    repository.write({"portproof.yaml": text})
    for words in (("check",), ("targets",), ("check", "charts"), ("check", "overlays")):
        run = portproof(*words)
        assert run.code == 2
        assert run.stderr.startswith(f"portproof: portproof.yaml:{line}: charts: ")
        assert what in run.stderr
