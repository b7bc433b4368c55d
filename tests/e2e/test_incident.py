"""The incident that portproof was made for: found in every form, at its line, with the fix that heals it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tests.e2e.program import Process, Program, Repository, by_status, place

MakeRepository = Callable[[str], Repository]


@dataclass(frozen=True)
class Form:
    """One of the three forms of the incident."""

    folder: str
    target: str
    namespace: str
    wrong: str
    declared: str

    def __str__(self) -> str:
        return self.folder


FORMS = (
    Form(
        "chart",
        "helm:chart",
        "default",
        wrong="chart/values.yaml:10:15-10:19",
        declared="chart/values.yaml:13:9-13:13",
    ),
    Form(
        "kustomize",
        "kustomize:kustomize/overlays/prod",
        "shop",
        wrong="kustomize/overlays/prod/service.yaml:9:19-9:23",
        declared="kustomize/base/deployment.yaml:22:30-22:34",
    ),
    Form(
        "manifests",
        "manifests:manifests",
        "default",
        wrong="manifests/service.yaml:12:19-12:23",
        declared="manifests/deployment.yaml:22:30-22:34",
    ),
)


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_the_finding(form: Form, process: Process, make_repository: MakeRepository) -> None:
    repository = make_repository("incident/broken")
    with repository.untouched():
        run = process("check", form.folder, "--format", "json")
    report = run.report

    assert run.code == 1
    assert run.stderr == ""
    assert by_status(report) == {"checked": [form.target], "failed": [], "skipped": []}
    (finding,) = report["findings"]
    assert finding["rule"] == "service-target-number"
    assert finding["severity"] == "error"
    assert finding["resource"] == {
        "api_version": "v1",
        "kind": "Service",
        "namespace": form.namespace,
        "name": "backend-v1",
    }
    assert finding["field"] == "spec.ports[0].targetPort"
    assert (finding["value"], finding["expected"]) == (8081, 8080)
    assert finding["targets"] == [form.target]
    assert place(finding["location"]) == form.wrong
    assert finding["location"]["proof"] == "proven"
    (related,) = finding["related"]
    assert place(related["location"]) == form.declared
    assert related["location"]["proof"] == "proven"
    assert finding["introduced"] is None


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_either_fix_heals(form: Form, portproof: Program, make_repository: MakeRepository) -> None:
    repository = make_repository("incident/broken")
    (finding,) = portproof.check(form.folder)["findings"]

    (edit,) = finding["fix"]["edits"]
    assert (place(edit), edit["old"], edit["new"]) == (form.wrong, "8081", "8080")
    (effect,) = finding["fix"]["effects"]
    assert effect["resource"] == finding["resource"]
    assert (effect["field"], effect["before"], effect["after"]) == ("spec.ports[0].targetPort", 8081, 8080)

    (other,) = finding["alternatives"]
    (edit,) = other["edits"]
    assert (place(edit), edit["old"], edit["new"]) == (form.declared, "8080", "8081")
    (effect,) = other["effects"]
    assert effect["resource"]["kind"] == "Deployment"
    assert effect["field"] == "spec.template.spec.containers[0].ports[0].containerPort"

    for fix in (finding["fix"], *finding["alternatives"]):
        repository.git("apply", "-", stdin=fix["patch"])
        run = portproof("check", form.folder, "--fail-on", "note", "--format", "json")
        assert run.report["findings"] == []
        assert run.code == 0
        repository.git("checkout", "--quiet", ".")


def test_all_at_once(portproof: Program, make_repository: MakeRepository) -> None:
    make_repository("incident/broken")
    run = portproof("check", "--format", "json")
    assert run.code == 1
    assert sorted(place(one["location"]) for one in run.report["findings"]) == sorted(
        form.wrong for form in FORMS
    )
    assert run.report["summary"] == {
        "error": 3,
        "warning": 0,
        "note": 0,
        "checked": 3,
        "failed": 0,
        "skipped": 0,
    }


def test_the_text_names_place_and_fix(portproof: Program, make_repository: MakeRepository) -> None:
    make_repository("incident/broken")
    run = portproof("check")
    assert run.code == 1
    assert "\033" not in run.stdout
    for form in FORMS:
        path, line, *_ = form.wrong.split(":")
        assert f"{path}:{line}:" in run.stdout
    assert "service-target-number" in run.stdout
    assert "8080" in run.stdout


@pytest.mark.parametrize("format_", ["text", "json", "sarif", "github", "markdown"])
def test_every_format_names_the_file(
    format_: str, portproof: Program, make_repository: MakeRepository
) -> None:
    repository = make_repository("incident/broken")
    run = portproof("check", "chart", "--format", format_)
    assert run.code == 1
    assert "chart/values.yaml" in run.stdout
    assert str(repository.root) not in run.stdout
    written = repository.root.parent / "out" / f"report.{format_}"
    again = portproof("check", "chart", "--format", format_, "--report", f"{format_}={written}")
    assert again.code == 1
    if format_ not in ("json", "text", "markdown"):  # those tell how long it took
        assert written.read_text() == again.stdout == run.stdout


def test_fail_on_never(portproof: Program, make_repository: MakeRepository) -> None:
    make_repository("incident/broken")
    run = portproof("check", "--fail-on", "never", "--format", "json")
    assert run.code == 0
    assert run.report["summary"]["error"] == 3


def test_ignoring_the_rule(portproof: Program, make_repository: MakeRepository) -> None:
    make_repository("incident/broken")
    run = portproof("check", "--ignore", "service-target-number", "--format", "json")
    assert run.code == 0
    assert run.report["findings"] == []


@pytest.mark.parametrize("folder", ["", *(form.folder for form in FORMS)])
def test_fix_prints_a_patch_that_git_applies(
    folder: str, portproof: Program, make_repository: MakeRepository
) -> None:
    repository = make_repository("incident/broken")
    with repository.untouched():
        run = portproof("fix", *([folder] if folder else []))
    assert run.code == 0, run.stderr
    repository.git("apply", "-", stdin=run.stdout)
    _is_repaired(repository, folder, portproof)


@pytest.mark.parametrize("folder", ["", *(form.folder for form in FORMS)])
def test_fix_writes(
    folder: str, process: Process, portproof: Program, make_repository: MakeRepository
) -> None:
    repository = make_repository("incident/broken")
    run = process("fix", "--write", *([folder] if folder else []))
    assert run.code == 0, run.stderr
    _is_repaired(repository, folder, portproof)
    changed = repository.git("status", "--porcelain").splitlines()
    wrong = {form.wrong.split(":")[0] for form in FORMS if folder in ("", form.folder)}
    assert sorted(changed) == sorted(f" M {path}" for path in wrong)


def test_fix_of_what_is_right_prints_nothing(portproof: Program, make_repository: MakeRepository) -> None:
    repository = make_repository("incident/repaired")
    with repository.untouched():
        run = portproof("fix")
    assert (run.code, run.stdout) == (0, "")


def test_the_repaired_state_is_clean(portproof: Program, make_repository: MakeRepository) -> None:
    repository = make_repository("incident/repaired")
    with repository.untouched():
        run = portproof("check", "--fail-on", "note", "--format", "json")
    assert run.code == 0
    assert run.report["findings"] == []
    assert by_status(run.report)["checked"] == sorted(form.target for form in FORMS)


def _is_repaired(repository: Repository, folder: str, portproof: Program) -> None:
    run = portproof("check", *([folder] if folder else []), "--fail-on", "note", "--format", "json")
    assert run.report["findings"] == []
    assert run.code == 0
    # Nothing but the number has changed: not a comment, not a blank.
    assert repository.git("diff", "--word-diff=porcelain", "--unified=0").count("+8080") == len(
        [form for form in FORMS if folder in ("", form.folder)]
    )
