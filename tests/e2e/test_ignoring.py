"""Findings that are left out on purpose: how it is said, how it is shown, and when it is no longer needed."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e.program import Program, Repository, place

MakeRepository = Callable[[str], Repository]
RULE = "service-target-number"
REASON = "the mesh listens there"
COMMENT = f"# portproof: ignore[{RULE}] {REASON}"
VALUES = "chart/values.yaml"
WRONG = "  targetPort: 8081 # the change that broke every request\n"


@pytest.fixture
def broken(make_repository: MakeRepository) -> Repository:
    """The incident, as a chart only."""
    repository = make_repository("incident/broken")
    repository.git("rm", "-r", "--quiet", "kustomize", "manifests")
    repository.commit()
    return repository


def notes(report: dict[str, Any]) -> list[tuple[str, str | None, str]]:
    """The findings that an ignore does nothing: rule, place and message."""
    return [
        (one["severity"], place(one["location"]) if one["location"] else None, one["message"])
        for one in report["findings"]
        if one["rule"] == "unused-ignore"
    ]


def rules(report: dict[str, Any]) -> list[str]:
    """The rules of the findings."""
    return [one["rule"] for one in report["findings"]]


def last_line(portproof: Program, *args: str) -> str:
    """What the text report ends with."""
    return portproof("check", *args).stdout.splitlines()[-1]


PLACES = {
    "at the end of a line of values": (VALUES, WRONG, f"  targetPort: 8081 {COMMENT}\n"),
    "above a line of values": (VALUES, WRONG, f"  {COMMENT}\n  # -- the port\n{WRONG}"),
    "in a template": (
        "chart/templates/service.yaml",
        "      targetPort: {{ .Values.service.targetPort }}\n",
        f"      {{{{- /* portproof: ignore[{RULE}] {REASON} */}}}}\n      targetPort: 8081\n",
    ),
    "as YAML's own comment in a template": (
        "chart/templates/service.yaml",
        "      targetPort: {{ .Values.service.targetPort }}\n",
        f"      targetPort: 8081 {COMMENT}\n",
    ),
}


@pytest.mark.parametrize("name", PLACES)
def test_a_comment_leaves_a_finding_of_a_chart_out(portproof: Program, broken: Repository, name: str) -> None:
    broken.replace(*PLACES[name])
    run = portproof("check", "--format", "json")
    assert (run.code, run.report["findings"]) == (0, [])
    assert run.report["summary"] == {
        "error": 0, "warning": 0, "note": 0, "checked": 1, "failed": 0, "skipped": 0, "ignored": 1,
    }  # fmt: skip
    text = portproof("check")
    assert text.code == 0
    assert text.stdout.splitlines()[-1] == "1 suppressed (1 by comment)"


@pytest.mark.parametrize(
    ("path", "old"),
    [
        (
            "kustomize/overlays/prod/service.yaml",
            "      targetPort: 8081 # the change that broke every request\n",
        ),
        ("manifests/service.yaml", "      targetPort: 8081 # the change that broke every request\n"),
    ],
)
def test_a_comment_leaves_a_finding_of_overlays_and_manifests_out(
    portproof: Program, make_repository: MakeRepository, path: str, old: str
) -> None:
    repository = make_repository("incident/broken")
    folder = path.partition("/")[0]
    assert rules(portproof.check(folder)) == [RULE]
    repository.replace(path, old, f"      targetPort: 8081 {COMMENT}\n")
    report = portproof.check(folder)
    assert report["findings"] == []
    assert report["summary"]["ignored"] == 1


def test_an_ignored_finding_is_not_mended(portproof: Program, broken: Repository) -> None:
    broken.replace(VALUES, WRONG, f"  targetPort: 8081 {COMMENT}\n")
    with broken.untouched():
        run = portproof("fix", "--write")
    assert (run.code, run.stdout) == (0, "")
    assert "1 suppressed" in run.stderr


def test_every_format_tells_the_number(portproof: Program, broken: Repository) -> None:
    broken.replace(VALUES, WRONG, f"  targetPort: 8081 {COMMENT}\n")
    assert "\n1 suppressed (1 by comment).\n" in portproof("check", "--format", "markdown").stdout
    assert portproof("check", "--format", "github").stdout.endswith("; 1 suppressed (1 by comment)\n")
    (run,) = json.loads(portproof("check", "--format", "sarif").stdout)["runs"]
    (result,) = run["results"]
    assert result["suppressions"] == [{"kind": "inSource", "justification": REASON}]
    assert (result["ruleId"], result["level"]) == (RULE, "error")
    assert [one["level"] for one in run["invocations"][0]["toolExecutionNotifications"]] == ["note"]


WORDLESS = {
    "no reason": (f"# portproof: ignore[{RULE}]", "it gives no reason"),
    "no rule": ("# portproof: ignore it is fine", "it names no rule"),
    "everything": ("# portproof: ignore[*] it is fine", "it must name its rules, and * is not a rule"),
    "a rule that is none": (
        "# portproof: ignore[service-target-nubmer] it is fine",
        f"there is no rule 'service-target-nubmer'. Did you mean {RULE}? Run `portproof rules` to list them",
    ),
}


@pytest.mark.parametrize("name", WORDLESS)
def test_a_comment_that_says_too_little_does_not_count(
    portproof: Program, broken: Repository, name: str
) -> None:
    comment, problem = WORDLESS[name]
    broken.replace(VALUES, WRONG, f"  targetPort: 8081 {comment}\n")
    report = portproof.check()
    assert rules(report) == [RULE, "unused-ignore"]
    assert "ignored" not in report["summary"]
    start = len("  targetPort: 8081 ") + 1
    assert notes(report) == [
        (
            "note",
            f"{VALUES}:10:{start}-10:{start + len(comment)}",
            f"This comment suppresses nothing: {problem}. Write it as `portproof: ignore[rule] reason`.",
        )
    ]


UNUSED = f"Unused ignore: no finding of {RULE} matches this comment. Remove this comment."


def test_a_comment_whose_finding_is_gone_is_told(portproof: Program, broken: Repository) -> None:
    broken.replace(VALUES, WRONG, f"  targetPort: 8080 {COMMENT}\n")
    run = portproof("check", "--format", "json")
    assert run.code == 0
    assert notes(run.report) == [("note", f"{VALUES}:10:20-10:{20 + len(COMMENT)}", UNUSED)]
    assert portproof("check", "--fail-on", "note").code == 1
    # All that reads the file is rendered when only its chart is asked for, too.
    assert len(notes(portproof.check("chart"))) == 1


@pytest.mark.parametrize(
    "args",
    [
        ("--select", "service-selector"),
        ("--select", f"{RULE},unused-ignore"),
        ("--ignore", RULE),
        ("--base", "HEAD"),
    ],
)
def test_what_was_not_asked_for_keeps_an_ignore_quiet(
    portproof: Program, broken: Repository, args: tuple[str, str]
) -> None:
    broken.replace(VALUES, WRONG, f"  targetPort: 8080 {COMMENT}\n")
    assert notes(portproof.check(*args)) == []


def test_a_target_that_does_not_render_keeps_its_ignores_quiet(
    portproof: Program, broken: Repository
) -> None:
    broken.replace(VALUES, WRONG, f"  targetPort: 8080 {COMMENT}\n")
    broken.write({"chart/ci/strict-values.yaml": "strict: true\n", "chart/templates/strict.yaml": STRICT})
    report = portproof.check()
    assert rules(report) == ["render-failed"]
    assert "unused-ignore" not in rules(report)


STRICT = '{{ if .Values.strict }}{{ fail "never" }}{{ end }}\n'


def test_what_lies_outside_of_the_path_keeps_an_ignore_quiet(
    portproof: Program, make_repository: MakeRepository
) -> None:
    repository = make_repository("incident/broken")
    base = "kustomize/base/deployment.yaml"
    repository.replace(base, "containerPort: 8080", f"containerPort: 8080 {COMMENT}")
    repository.write({"other/kustomization.yaml": "resources: [../kustomize/base, missing.yaml]\n"})
    assert notes(portproof.check("kustomize")) == []
    repository.write({"other/kustomization.yaml": "resources: [../kustomize/base]\n"})
    assert notes(portproof.check("kustomize")) == []
    assert [where for _, where, _ in notes(portproof.check("kustomize", "other"))] == [
        f"{base}:22:35-22:{35 + len(COMMENT)}"
    ]


def test_unused_ignores_can_be_switched_off_and_made_worse(portproof: Program, broken: Repository) -> None:
    broken.replace(VALUES, WRONG, f"  targetPort: 8080 {COMMENT}\n")
    broken.write({"portproof.yaml": "ignore: [unused-ignore]\n"})
    assert portproof.check()["findings"] == []
    broken.write({"portproof.yaml": "severity: {unused-ignore: error}\n"})
    run = portproof("check", "--format", "json")
    assert (run.code, [severity for severity, *_ in notes(run.report)]) == (1, ["error"])


# entries of portproof.yaml


ENTRY = "ignore:\n  - rule: service-target-number\n    reason: the mesh listens there\n"


@pytest.mark.parametrize(
    "narrow",
    [
        "",
        "    path: chart/*.yaml\n",
        "    resource: Service/backend-*\n",
        "    resource: Service/default/backend-v1\n",
        "    target: helm:chart*\n",
        "    path: chart/**\n    resource: '*/*'\n    target: helm:*\n",
    ],
)
def test_an_entry_leaves_a_finding_out(portproof: Program, broken: Repository, narrow: str) -> None:
    broken.write({"portproof.yaml": ENTRY + narrow})
    run = portproof("check", "--format", "json")
    assert (run.code, run.report["findings"], run.report["summary"]["ignored"]) == (0, [], 1)
    assert last_line(portproof) == "1 suppressed (1 in portproof.yaml)"
    (result,) = json.loads(portproof("check", "--format", "sarif").stdout)["runs"][0]["results"]
    assert result["suppressions"] == [{"kind": "external", "justification": REASON}]


@pytest.mark.parametrize(
    "narrow",
    [
        "    path: other/**\n",
        "    resource: Service/shop/*\n",
        "    target: kustomize:*\n",
        "    resource: Pod/*\n",
    ],
)
def test_an_entry_for_something_else_is_unused(portproof: Program, broken: Repository, narrow: str) -> None:
    broken.write({"portproof.yaml": ENTRY + narrow})
    report = portproof.check()
    assert rules(report) == [RULE, "unused-ignore"]
    said = f"Unused ignore: no finding of {RULE} matches this entry. Remove this entry."
    assert notes(report) == [("note", "portproof.yaml:2:11-2:32", said)]


def test_an_entry_of_a_file_that_is_given_is_told_where_it_is(
    portproof: Program, broken: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken.write({"ci/own.yaml": ENTRY + "    path: other/**\n", "portproof.yaml": "jobs: 1\n"})
    monkeypatch.chdir(broken.root / "ci")
    assert [where for _, where, _ in notes(portproof.check("..", "--config", "own.yaml"))] == [
        "ci/own.yaml:2:11-2:32"
    ]
    outside = broken.root.parent / "own.yaml"
    outside.write_text(ENTRY + "    path: other/**\n")
    assert [where for _, where, _ in notes(portproof.check("..", "--config", str(outside)))] == [None]


def test_an_entry_that_gives_no_reason_is_refused(portproof: Program, broken: Repository) -> None:
    broken.write({"portproof.yaml": "ignore:\n  - host-port\n  - rule: service-target-number\n"})
    run = portproof("check")
    assert run.code == 2
    assert run.stderr == (
        "portproof: portproof.yaml:3: ignore[1]: the key 'reason' is missing\n"
        "  next: Give a reason, like `reason: the sidecar listens there`.\n"
    )


def test_a_flag_says_which_rules_run_and_leaves_the_entries_alone(
    portproof: Program, broken: Repository
) -> None:
    broken.write({"portproof.yaml": f"{ENTRY}  - service-selector\n"})
    assert portproof.check("--ignore", "host-port")["summary"]["ignored"] == 1


def test_a_chart_that_does_not_render_can_be_left_out_and_stays_visible(
    portproof: Program, broken: Repository
) -> None:
    broken.write({"chart/templates/bad.yaml": '{{ include "nowhere" . }}\n'})
    assert portproof("check").code == 1
    broken.write(
        {
            "portproof.yaml": "ignore:\n  - {rule: render-failed, reason: being rewritten, target: helm:chart}\n"
        }
    )
    run = portproof("check", "--format", "json")
    assert (run.code, run.report["findings"]) == (0, [])
    assert (run.report["summary"]["failed"], run.report["summary"]["ignored"]) == (1, 1)
    text = portproof("check").stdout
    assert "failed helm:chart" in text
    assert text.splitlines()[-1] == "1 suppressed (1 in portproof.yaml)"


# annotations


ANNOTATIONS = "  annotations:\n    portproof/ignore: {}\n"


def test_an_annotation_leaves_the_findings_of_its_object_out(portproof: Program, broken: Repository) -> None:
    template = "chart/templates/service.yaml"
    broken.replace(template, "metadata:\n", f"metadata:\n{ANNOTATIONS.format(f'{RULE} {REASON}')}")
    run = portproof("check", "--format", "json")
    assert (run.code, run.report["findings"]) == (0, [])
    assert last_line(portproof) == "1 suppressed (1 by annotation)"


def test_an_annotation_in_a_base_is_used_when_one_overlay_needs_it(
    portproof: Program, make_repository: MakeRepository
) -> None:
    repository = make_repository("incident/broken")
    repository.replace(
        "kustomize/base/service.yaml", "metadata:\n", f"metadata:\n{ANNOTATIONS.format(f'{RULE} {REASON}')}"
    )
    repository.write(
        {"kustomize/overlays/dev/kustomization.yaml": "resources: [../../base]\nnamespace: dev\n"}
    )
    report = portproof.check("kustomize")
    assert (len(report["targets"]), report["findings"], report["summary"]["ignored"]) == (2, [], 1)


def test_an_annotation_that_does_nothing_is_told_where_it_is_written(
    portproof: Program, broken: Repository
) -> None:
    broken.replace(VALUES, WRONG, f"  targetPort: 8080\n  note: host-port {REASON}\n")
    broken.replace(
        "chart/templates/service.yaml",
        "metadata:\n",
        f"metadata:\n{ANNOTATIONS.format('{{ .Values.service.note | quote }}')}",
    )
    report = portproof.check()
    assert notes(report) == [
        (
            "note",
            f"{VALUES}:11:9-11:{9 + len('host-port ' + REASON)}",
            "Unused ignore: no finding of host-port matches this annotation. Remove this annotation.",
        )
    ]


def test_an_annotation_that_says_too_little_does_not_count(
    portproof: Program, make_repository: MakeRepository
) -> None:
    repository = make_repository("incident/broken")
    repository.replace("manifests/service.yaml", "metadata:\n", f"metadata:\n{ANNOTATIONS.format(RULE)}")
    report = portproof.check("manifests")
    assert rules(report) == [RULE, "unused-ignore"]
    ((_, where, message),) = notes(report)
    assert where is not None
    assert where.startswith("manifests/service.yaml:5:23-")
    assert message == (
        "This annotation suppresses nothing: it gives no reason. Write each of its lines as `rule reason`."
    )


# what a change adds


def test_a_comment_that_a_change_adds_counts_and_is_told(portproof: Program, broken: Repository) -> None:
    broken.replace(VALUES, WRONG, f"  targetPort: 8081 {COMMENT}\n")
    said = "1 finding is suppressed by comments that this change adds"
    run = portproof("check", "--base", "HEAD")
    assert (run.code, run.stdout.splitlines()[-1]) == (0, f"1 suppressed (1 by comment); {said}")
    assert (
        f"::notice title=portproof::{said}.\n"
        in portproof("check", "--base", "HEAD", "--format", "github").stdout
    )
    assert f"\n{said}.\n" in portproof("check", "--base", "HEAD", "--format", "markdown").stdout
    broken.commit()
    broken.replace(VALUES, "  port: 80\n", "  port: 81\n")
    assert last_line(portproof, "--base", "HEAD") == "1 suppressed (1 by comment)"


def test_other_ignores_that_a_change_adds_are_told(portproof: Program, broken: Repository) -> None:
    note = ANNOTATIONS.format(f"{RULE} {REASON}")
    broken.replace("chart/templates/service.yaml", "metadata:\n", f"metadata:\n{note}")
    assert last_line(portproof, "--base", "HEAD").endswith(
        "1 finding is suppressed by annotations that this change adds"
    )
    broken.git("checkout", "--quiet", ".")
    broken.write({"portproof.yaml": ENTRY})
    assert last_line(portproof, "--base", "HEAD").endswith(
        "1 finding is suppressed by entries in portproof.yaml that this change adds"
    )


def test_a_comment_that_says_too_little_is_news_when_a_change_adds_it(
    portproof: Program, broken: Repository
) -> None:
    broken.replace(VALUES, WRONG, f"  targetPort: 8081 # portproof: ignore[{RULE}]\n")
    found = {one["rule"]: one["introduced"] for one in portproof.check("--base", "HEAD")["findings"]}
    assert found == {RULE: False, "unused-ignore": True}
    broken.commit()
    broken.replace(VALUES, "  port: 80\n", "  port: 81\n")
    found = {one["rule"]: one["introduced"] for one in portproof.check("--base", "HEAD")["findings"]}
    assert found == {RULE: False, "unused-ignore": False}
