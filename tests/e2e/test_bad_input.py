"""What cannot be rendered, read or understood: said clearly, with the right exit code, and without losing the rest."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from tests.e2e.program import Process, Program, Repository, by_status, environment, place

MakeRepository = Callable[[str], Repository]

CHART = "apiVersion: v2\nname: bad\nversion: 1.0.0\n"
SERVICE = "apiVersion: v1\nkind: Service\nmetadata:\n  name: bad\nspec:\n  ports:\n    - port: 80\n"
HEALTHY = ("helm:chart", "kustomize:kustomize/overlays/prod", "manifests:manifests")
"""The targets of the incident; each has its finding whatever else is in the repository."""


@dataclass(frozen=True)
class Failure:
    """Files that cannot be rendered, and what is said about them."""

    name: str
    files: Mapping[str, str]
    target: str
    at: str
    says: str
    severity: str = "error"

    def __str__(self) -> str:
        return self.name

    def among(self, path: str) -> str:
        """A path, or what names one, where others lie beside it: in a folder that is called like the failure."""
        assert path.count("bad/") + path.endswith(":bad") == 1
        return re.sub(r"\bbad(/|$)", rf"{self.name}\1", path)


FAILURES = (
    Failure(
        "broken-manifest",
        {"bad/service.yaml": SERVICE + "  selector: {app: bad\n---\n" + SERVICE},
        "manifests:bad",
        "bad/service.yaml:",
        "",
    ),
    Failure(
        "tab-in-a-manifest",
        {"bad/service.yaml": "apiVersion: v1\nkind: Service\nspec:\n\tports: []\n"},
        "manifests:bad",
        "bad/service.yaml:4:",
        "cannot start any token",
    ),
    Failure(
        "broken-json",
        {"bad/service.json": '{"apiVersion": "v1", "kind": "Service",\n "spec": {"ports": [}}\n'},
        "manifests:bad",
        "bad/service.json:2:",
        "",
    ),
    Failure(
        "template-syntax",
        {
            "bad/Chart.yaml": CHART,
            "bad/templates/service.yaml": "kind: Service\nport: {{ .Values.port }\n",
        },
        "helm:bad",
        "bad/templates/service.yaml:2:",
        "unexpected",
    ),
    Failure(
        "no-such-function",
        {
            "bad/Chart.yaml": CHART,
            "bad/templates/service.yaml": "kind: Service\n\nport: {{ .Values.port | quot }}\n",
        },
        "helm:bad",
        "bad/templates/service.yaml:3:",
        "quot",
    ),
    Failure(
        "nil-pointer",
        {"bad/Chart.yaml": CHART, "bad/templates/service.yaml": "kind: Service\nport: {{ .Values.a.b.c }}\n"},
        "helm:bad",
        "bad/templates/service.yaml:2:",
        "nil pointer",
        severity="note",
    ),
    Failure(
        "unconditional-fail",
        {
            "bad/Chart.yaml": CHART,
            "bad/templates/service.yaml": '\n{{ fail "moved to another repository" }}\n',
        },
        "helm:bad",
        "bad/templates/service.yaml:2:",
        "moved to another repository",
    ),
    Failure(
        "required",
        {
            "bad/Chart.yaml": CHART,
            "bad/templates/service.yaml": '\n\nhost: {{ required "a host is needed" .Values.host }}\n',
        },
        "helm:bad",
        "bad/templates/service.yaml:3:",
        "a host is needed",
        severity="note",
    ),
    Failure(
        "template-that-makes-broken-yaml",
        {"bad/Chart.yaml": CHART, "bad/templates/service.yaml": SERVICE + "  selector: {{ `{app: [` }}\n"},
        "helm:bad",
        "bad/templates/service.yaml:",
        "",
    ),
    Failure(
        "broken-values",
        {"bad/Chart.yaml": CHART, "bad/values.yaml": "a: [\n", "bad/templates/service.yaml": SERVICE},
        "helm:bad",
        "bad/values.yaml:",
        "",
    ),
    Failure(
        "missing-base",
        {"bad/kustomization.yaml": "resources:\n  - ../nowhere\n"},
        "kustomize:bad",
        "bad/kustomization.yaml:",
        "nowhere",
    ),
    Failure(
        "patch-without-a-target",
        {
            "bad/kustomization.yaml": "resources: [service.yaml]\npatches: [{path: patch.yaml}]\n",
            "bad/service.yaml": SERVICE,
            "bad/patch.yaml": SERVICE.replace("name: bad", "name: other"),
        },
        "kustomize:bad",
        "bad/",
        "other",
    ),
    Failure(
        "broken-kustomization",
        {"bad/kustomization.yaml": "resources: [service.yaml\n", "bad/service.yaml": SERVICE},
        "kustomize:bad",
        "bad/kustomization.yaml:",
        "",
    ),
)


def test_what_cannot_be_rendered(portproof: Program, make_repository: MakeRepository) -> None:
    repository = make_repository("incident/broken")
    for failure in FAILURES:
        repository.write({failure.among(path): text for path, text in failure.files.items()})
    report = _checked(repository, portproof, code=1)

    targets = {failure.among(failure.target): failure for failure in FAILURES}
    assert by_status(report) == {"checked": list(HEALTHY), "failed": sorted(targets), "skipped": []}
    found = [one for one in report["findings"] if one["rule"] == "render-failed"]
    assert sorted(one["targets"] for one in found) == sorted([target] for target in targets)
    for finding in found:
        failure = targets[finding["targets"][0]]
        assert finding["severity"] == failure.severity, failure
        assert failure.says in finding["message"], failure
        assert finding["location"] is not None, finding["message"]
        assert place(finding["location"]).startswith(failure.among(failure.at)), failure
        assert finding["location"]["proof"] == "hinted", failure
        assert finding["fix"] is None, failure
    _says_nothing_of_this_machine(repository, json.dumps(report))
    assert all(one["reason"] for one in report["targets"] if one["id"] in targets)
    _others_are_still_checked(report)


@pytest.mark.parametrize("failure", FAILURES, ids=str)
def test_a_failure_alone(failure: Failure, portproof: Program, make_repository: MakeRepository) -> None:
    repository = make_repository("")
    repository.write(failure.files)
    with repository.untouched():
        run = portproof("check")
    assert run.code == (1 if failure.severity == "error" else 0), run.stderr
    assert "render-failed" in run.stdout
    assert failure.says in run.stdout
    assert "Traceback" not in run.stderr
    _says_nothing_of_this_machine(repository, run.stdout + run.stderr)


def test_good_documents_of_a_folder_with_a_broken_one(
    portproof: Program, make_repository: MakeRepository
) -> None:
    repository = make_repository("incident/broken")
    repository.write({"manifests/broken.yaml": "apiVersion: v1\nkind: Service\nspec: [\n"})
    report = _checked(repository, portproof, code=1)
    assert by_status(report)["failed"] == ["manifests:manifests"]
    assert (
        sorted(one["rule"] for one in report["findings"]) == ["render-failed"] + ["service-target-number"] * 3
    )


def test_a_missing_path(portproof: Program, make_repository: MakeRepository) -> None:
    repository = make_repository("incident/broken")
    for path in ("nowhere", "chart/nowhere.yaml", "chart/values.yaml/deeper"):
        with repository.untouched():
            run = portproof("check", "chart", path)
        _is_wrong_use(run.code, run.stdout, run.stderr)
        assert path in run.stderr


def test_an_empty_folder(portproof: Program, make_repository: MakeRepository) -> None:
    repository = make_repository("")
    report = _checked(repository, portproof, code=0)
    assert (report["targets"], report["findings"]) == ([], [])
    run = portproof("check")
    assert run.code == 0
    assert "nothing to check" in run.stdout.lower()


def test_a_folder_outside_of_git(portproof: Program, make_repository: MakeRepository) -> None:
    repository = make_repository("incident/broken")
    shutil.rmtree(repository.root / ".git")
    report = _checked(repository, portproof, "chart", code=1)
    assert place(report["findings"][0]["location"]).startswith("values.yaml:")


FORMATS = ("text", "json", "sarif", "github", "markdown")
MISSING = "dependencies: [{name: redis, version: 20.1.0, repository: https://charts.example.com}]\n"


@pytest.mark.parametrize("format_", FORMATS)
def test_a_part_that_is_missing_is_shown(
    format_: str, portproof: Program, make_repository: MakeRepository
) -> None:
    repository = make_repository("incident/repaired")
    repository.write({"bad/Chart.yaml": CHART + MISSING, "bad/templates/service.yaml": SERVICE})
    with repository.untouched():
        run = portproof("check", "--offline", "--format", format_, *(() if format_ == "json" else ("bad",)))
    assert run.code == 0, run.stderr
    assert "helm:bad" in run.stdout
    assert "without a part" in run.stdout
    assert "redis" in run.stdout
    assert "Not compared" not in run.stdout
    if format_ == "json":
        assert by_status(run.report) == {"checked": ["helm:bad", *HEALTHY], "failed": [], "skipped": []}


@pytest.mark.parametrize("format_", FORMATS)
def test_missing_dependencies_that_are_needed_are_skipped_and_shown(
    format_: str, portproof: Program, make_repository: MakeRepository
) -> None:
    repository = make_repository("incident/repaired")
    needed = MISSING.replace("}]", ", import-values: [data]}]")
    repository.write({"bad/Chart.yaml": CHART + needed, "bad/templates/service.yaml": SERVICE})
    with repository.untouched():
        run = portproof("check", "--offline", "--format", format_, *(() if format_ == "json" else ("bad",)))
    assert run.code == 0, run.stderr
    assert "helm:bad" in run.stdout
    assert "redis" in run.stdout
    if format_ == "json":
        assert by_status(run.report) == {"checked": list(HEALTHY), "failed": [], "skipped": ["helm:bad"]}


def test_files_that_are_no_text(portproof: Program, make_repository: MakeRepository) -> None:
    contents = {
        "picture": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0",
        "noise": os.urandom(4096) + b"\0",
        "latin-1": b"apiVersion: v1\nkind: Service\n# caf\xe9\n",
        "utf-16": "apiVersion: v1\nkind: Service\n".encode("utf-16"),
    }
    repository = make_repository("incident/broken")
    for name, content in contents.items():
        repository.write({f"bad/{name}.yaml": content, f"manifests/{name}.yaml": content})
    report = _checked(repository, portproof, code=1)
    _others_are_still_checked(report)
    assert "manifests:bad/latin-1.yaml" in by_status(report)["skipped"]  # it claims to be a manifest


def test_a_binary_file_in_a_chart(portproof: Program, make_repository: MakeRepository) -> None:
    repository = make_repository("incident/broken")
    repository.write({"chart/files/logo.png": b"\x89PNG\0" * 100, "chart/crds/noise.yaml": b"\0\1\2"})
    _others_are_still_checked(_checked(repository, portproof, code=1))


def test_a_file_of_50_megabytes(portproof: Program, make_repository: MakeRepository) -> None:
    repository = make_repository("incident/broken")
    line = b"# " + b"x" * 1021 + b"\n"
    repository.write({"manifests/huge.yaml": SERVICE.encode() + line * (50 * 1024)})
    report = _checked(repository, portproof, code=1)
    assert by_status(report)["skipped"] == ["manifests:manifests/huge.yaml"]
    (reason,) = [one["reason"] for one in report["targets"] if one["status"] == "skipped"]
    assert "50.0 MiB" in reason
    _others_are_still_checked(report)


def test_a_folder_without_permission(make_repository: MakeRepository) -> None:
    program = _bound_by_permissions()
    repository = make_repository("incident/broken")
    repository.write({"locked/service.yaml": SERVICE})
    locked = repository.root / "locked"
    locked.chmod(0)
    try:
        run = program("check", "--format", "json")
    finally:
        locked.chmod(0o755)
    assert run.code == 1, run.stderr
    assert by_status(run.report) == {"checked": list(HEALTHY), "failed": [], "skipped": ["manifests:locked"]}
    (reason,) = [one["reason"] for one in run.report["targets"] if one["id"] == "manifests:locked"]
    assert "permission denied" in reason
    _others_are_still_checked(run.report)


def test_files_without_permission(make_repository: MakeRepository) -> None:
    program = _bound_by_permissions()
    repository = make_repository("incident/broken")
    locked = [
        repository.root / path for path in ("chart/templates/service.yaml", "kustomize/base/service.yaml")
    ]
    for file in locked:
        file.chmod(0)
    try:
        run = program("check", "--format", "json")
    finally:
        for file in locked:
            file.chmod(0o644)
    assert run.code == 1, run.stderr
    others = [one for one in run.report["targets"] if one["status"] != "checked"]
    assert [one["id"] for one in others] == [
        "helm:chart",
        "kustomize:kustomize/overlays/prod",
    ]
    assert all("permission denied" in one["reason"] for one in others)
    found = [one["targets"] for one in run.report["findings"] if one["rule"] == "service-target-number"]
    assert found == [["manifests:manifests"]]


def test_links_that_lead_nowhere_or_in_circles(portproof: Program, make_repository: MakeRepository) -> None:
    repository = make_repository("incident/broken")
    for name, target in (
        ("manifests/dangling.yaml", "nowhere.yaml"),
        ("manifests/circle", "../manifests"),
        ("manifests/self.yaml", "self.yaml"),
        ("outside", "/etc"),
    ):
        (repository.root / name).symlink_to(target)
    _others_are_still_checked(_checked(repository, portproof, code=1))


def test_a_link_out_of_a_chart_is_refused(portproof: Program, make_repository: MakeRepository) -> None:
    repository = make_repository("incident/broken")
    (repository.root / "chart" / "templates" / "passwd.yaml").symlink_to("/etc/passwd")
    report = _checked(repository, portproof, code=1)
    assert by_status(report) == {"checked": list(HEALTHY[1:]), "failed": [], "skipped": ["helm:chart"]}
    assert "root:" not in json.dumps(report)


@pytest.mark.parametrize("option", ["--select", "--ignore"])
def test_an_unknown_rule(option: str, portproof: Program, make_repository: MakeRepository) -> None:
    repository = make_repository("incident/broken")
    with repository.untouched():
        run = portproof("check", option, "service-target-numbr")
    _is_wrong_use(run.code, run.stdout, run.stderr)
    assert "service-target-numbr" in run.stderr
    assert "service-target-number" in run.stderr.replace("service-target-numbr", "")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("fail-on: [\n", "portproof.yaml:"),
        ("fail-on: error\nfail_onn: error\n", "portproof.yaml:2"),
        ("fail-on: sometimes\n", "sometimes"),
        ("ignore: [no-such-rule]\n", "no-such-rule"),
        ("jobs: 0\n", "jobs"),
        ("helm: /bin/sh\n", "helm"),
        ("- one\n", "portproof.yaml:1"),
    ],
)
def test_a_broken_configuration(
    text: str, says: str, portproof: Program, make_repository: MakeRepository
) -> None:
    repository = make_repository("incident/broken")
    repository.write({"portproof.yaml": text})
    for command in ("check", "fix"):
        with repository.untouched():
            run = portproof(command)
        _is_wrong_use(run.code, run.stdout, run.stderr)
        assert says in run.stderr


def test_a_missing_configuration(portproof: Program, make_repository: MakeRepository) -> None:
    make_repository("incident/broken")
    run = portproof("check", "--config", "nowhere.yaml")
    _is_wrong_use(run.code, run.stdout, run.stderr)
    assert "nowhere.yaml" in run.stderr


@pytest.mark.parametrize(
    "args",
    [
        ("--format", "xml"),
        ("--fail-on", "sometimes"),
        ("--jobs", "0"),
        ("--jobs", "many"),
        ("--report", "json"),
        ("--report", "xml=report.xml"),
        ("--report", "json=manifests/service.yaml/report.json"),
        ("--no-such-option",),
        ("--base", "no-such-revision"),
        ("--base", "--output=stolen"),
    ],
    ids=" ".join,
)
def test_wrong_use(args: tuple[str, ...], process: Process, make_repository: MakeRepository) -> None:
    repository = make_repository("incident/broken")
    with repository.untouched():
        run = process("check", *args)
    assert run.code == 2, run.stderr
    assert args[-1].partition("=")[0].lstrip("-") in run.stderr
    assert "Traceback" not in run.stderr


def test_no_such_command(process: Process, make_repository: MakeRepository) -> None:
    make_repository("")
    for args in (("chek",), ("explain", "no-such-rule")):
        run = process(*args)
        assert run.code == 2
        assert args[-1] in run.stderr


def _checked(repository: Repository, program: Program, *args: str, code: int) -> dict[str, Any]:
    with repository.untouched():
        run = program("check", "--format", "json", *args)
    assert run.code == code, run.stderr
    assert "Traceback" not in run.stderr
    return run.report


def _others_are_still_checked(report: Mapping[str, Any]) -> None:
    found = [one["targets"] for one in report["findings"] if one["rule"] == "service-target-number"]
    assert sorted(found) == [[target] for target in HEALTHY]


def _is_wrong_use(code: int, stdout: str, stderr: str) -> None:
    assert code == 2, stderr
    assert stdout == ""
    assert stderr.startswith("portproof: ")
    assert "next: " in stderr
    assert "Traceback" not in stderr


def _says_nothing_of_this_machine(repository: Repository, text: str) -> None:
    assert str(repository.root) not in text
    assert "/tmp/" not in text


def _bound_by_permissions() -> Process:
    """The program as somebody for whom permissions count; root gives up the right to pass them over."""
    if os.geteuid() != 0:
        return Process(environment())
    prefix = ("setpriv", "--bounding-set", "-dac_override,-dac_read_search")
    try:
        subprocess.run([*prefix, "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("root cannot give up CAP_DAC_OVERRIDE here")
    return Process(environment(), prefix)
