"""The baseline: what is known does not count, what is new does, and what is gone is to be removed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.program import Program, Repository, environment, place

MakeRepository = Callable[[str], Repository]
FILE = "baseline.json"
WRONG = "  targetPort: 8081 # the change that broke every request\n"


@pytest.fixture(scope="module")
def written(committed: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The baseline of the incident in its three forms."""
    root = shutil.copytree(committed("incident/broken"), tmp_path_factory.mktemp("baseline") / "repository")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        run = Program(environment())("check", "--write-baseline", FILE)
    assert run.code == 0
    assert run.stdout.splitlines()[-2:] == [
        "No findings: 3 targets checked, 6 resources",
        "3 suppressed (3 in the baseline)",
    ]
    assert run.stderr == (
        "baseline.json holds 3 known findings\n"
        "  next: Add `baseline: baseline.json` to portproof.yaml, and commit both.\n"
    )
    return (root / FILE).read_bytes()


@pytest.fixture
def known(written: bytes, make_repository: MakeRepository) -> Repository:
    """The incident in its three forms, all known."""
    repository = make_repository("incident/broken")
    repository.write({FILE: written, "portproof.yaml": f"baseline: {FILE}\n"})
    return repository


def test_known_findings_do_not_count(portproof: Program, known: Repository) -> None:
    run = portproof("check", "--format", "json")
    assert (run.code, run.report["findings"], run.report["summary"]["ignored"]) == (0, [], 3)
    lines = json.loads(known.read(FILE))["findings"]
    assert [(one["target"], one["resource"], one["field"]) for one in lines] == [
        ("helm:chart", "default/Service/backend-v1", "spec.ports[0].targetPort"),
        ("kustomize:kustomize/overlays/prod", "shop/Service/backend-v1", "spec.ports[0].targetPort"),
        ("manifests:manifests", "default/Service/backend-v1", "spec.ports[0].targetPort"),
    ]


def test_lines_may_move_and_ports_may_change(portproof: Program, known: Repository) -> None:
    known.replace("chart/values.yaml", WRONG, "\n\n  targetPort: 8082\n")
    assert portproof("check").code == 0


def test_a_new_finding_counts(portproof: Program, known: Repository) -> None:
    known.replace("chart/values.yaml", "  port: 80\n", "  port: 99999\n")
    run = portproof("check", "--format", "json")
    assert run.code == 1
    assert "service-port-range" in [one["rule"] for one in run.report["findings"]]
    assert run.report["summary"]["ignored"] == 3


def test_a_known_finding_that_is_gone_is_told_at_its_line(portproof: Program, known: Repository) -> None:
    known.replace("chart/values.yaml", WRONG, "  targetPort: 8080\n")
    (found,) = portproof.check()["findings"]
    assert (found["rule"], found["severity"]) == ("unused-ignore", "note")
    assert found["message"] == (
        "default/Service/backend-v1 spec.ports[0].targetPort in helm:chart no longer has a finding of "
        "service-target-number. Remove this entry, or write the baseline again."
    )
    line = known.read(FILE).decode().splitlines()[found["location"]["line"] - 1]
    print_ = json.loads(known.read(FILE))["findings"][0]["fingerprint"]
    assert line == f'      "fingerprint": "{print_}",'
    assert place(found["location"]).startswith(f"{FILE}:5:22-5:")
    run = portproof("check", "--write-baseline", FILE)
    assert run.stderr == "baseline.json holds 2 known findings\n"
    assert portproof.check()["findings"] == []


@pytest.mark.parametrize("args", [("kustomize",), ("--select", "service-target-number"), ("--base", "HEAD")])
def test_what_was_not_checked_is_not_called_gone(
    portproof: Program, known: Repository, args: tuple[str, ...]
) -> None:
    known.replace("chart/values.yaml", WRONG, "  targetPort: 8080\n")
    assert portproof.check(*args)["findings"] == []


def test_a_chart_that_was_removed_is_called_gone(portproof: Program, known: Repository) -> None:
    known.git("rm", "-r", "-q", "--force", "chart")
    assert [one["message"].split(" no longer has ")[0] for one in portproof.check()["findings"]] == [
        "default/Service/backend-v1 spec.ports[0].targetPort in helm:chart"
    ]


def test_a_flag_names_another_baseline(portproof: Program, known: Repository) -> None:
    known.write({"empty.json": '{"schema": "portproof/baseline/1", "findings": []}\n'})
    assert portproof("check", "--baseline", "empty.json").code == 1
    assert portproof("check", "chart", "--baseline", FILE).code == 0


def test_a_failure_to_render_can_be_known(portproof: Program, make_repository: MakeRepository) -> None:
    repository = make_repository("incident/repaired")
    repository.write({"chart/templates/bad.yaml": '{{ include "nowhere" . }}\n'})
    assert portproof("check").code == 1
    assert portproof("check", "--write-baseline", FILE).code == 0
    repository.write({"portproof.yaml": f"baseline: {FILE}\n"})
    run = portproof("check", "--format", "json")
    assert (run.code, run.report["findings"]) == (0, [])
    assert (run.report["summary"]["failed"], run.report["summary"]["ignored"]) == (1, 1)
    repository.write({"chart/templates/bad.yaml": "\n"})
    assert [one["rule"] for one in portproof.check()["findings"]] == ["unused-ignore"]


def test_what_is_ignored_otherwise_is_not_written(
    portproof: Program, make_repository: MakeRepository
) -> None:
    repository = make_repository("incident/broken")
    comment = "# portproof: ignore[service-target-number] the mesh listens there"
    repository.replace("chart/values.yaml", WRONG, f"  targetPort: 8081 {comment}\n")
    run = portproof("check", "--write-baseline", FILE)
    assert (run.code, run.stdout.splitlines()[-1]) == (0, "3 suppressed (1 by comment, 2 in the baseline)")
    assert len(json.loads(repository.read(FILE))["findings"]) == 2


def test_a_baseline_that_a_change_adds_is_told(portproof: Program, known: Repository) -> None:
    assert (
        portproof("check", "--base", "HEAD")
        .stdout.splitlines()[-1]
        .endswith("3 findings are suppressed by entries in the baseline that this change adds")
    )
    known.commit()
    known.replace("chart/values.yaml", "replicas: 2\n", "replicas: 3\n")
    assert portproof("check", "--base", "HEAD").stdout.splitlines()[-1] == "1 suppressed (1 in the baseline)"


@pytest.mark.parametrize(
    ("files", "args", "said"),
    [
        (
            {"portproof.yaml": "jobs: 1\nbaseline: known.json\n"},
            (),
            (
                "portproof.yaml:2: baseline: known.json: no such file",
                "Write it: `portproof check --write-baseline known.json`.",
            ),
        ),
        (
            {},
            ("--baseline", "known.json"),
            (
                "--baseline: known.json: no such file",
                "Write it: `portproof check --write-baseline known.json`.",
            ),
        ),
        (
            {"portproof.yaml": "baseline: ../known.json\n"},
            (),
            (
                "portproof.yaml:1: baseline: '../known.json' points outside the repository",
                "Write it relative to the root of the repository.",
            ),
        ),
        (
            {"portproof.yaml": "baseline: known.json\n", "known.json": "{}\n"},
            (),
            (
                "known.json: not a baseline: Object missing required field `schema`",
                "Write it again: `portproof check --write-baseline known.json`.",
            ),
        ),
        (
            {},
            ("--write-baseline", "b.json", "--base", "HEAD"),
            (
                "--write-baseline cannot be combined with --base",
                "Drop --base: a baseline records every finding.",
            ),
        ),
        (
            {},
            ("--write-baseline", "b.json", "--select", "host-port"),
            (
                "--write-baseline cannot be combined with --select",
                "Drop --select: a baseline records every finding.",
            ),
        ),
    ],
)
def test_mistakes_say_what_to_do(
    portproof: Program,
    make_repository: MakeRepository,
    files: dict[str, str | bytes],
    args: tuple[str, ...],
    said: tuple[str, str],
) -> None:
    make_repository("").write(files)
    run = portproof("check", *args)
    assert (run.code, run.stderr) == (2, "portproof: {}\n  next: {}\n".format(*said))


def test_a_link_out_of_the_repository_is_no_baseline(
    portproof: Program, make_repository: MakeRepository
) -> None:
    repository = make_repository("")
    (repository.root.parent / "secret.json").write_text("{}")
    (repository.root / "b.json").symlink_to("../secret.json")
    repository.write({"portproof.yaml": "baseline: b.json\n"})
    run = portproof("check")
    assert run.code == 2
    assert "a link that points outside the repository" in run.stderr
