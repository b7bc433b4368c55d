"""Workflow commands, read back by a port of the runner's own parser."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from portproof.replacing import replace
from portproof.report.annotations import write
from portproof.report.safe import log_entry, log_line
from portproof.rules.base import Severity
from tests.support.reports import INCIDENT, RELATED, SERVICE, VALUES, place, report, result, status
from tests.support.runner import Command, obeyed, parse
from tests.support.runner import lines as runner_lines
from tests.test_report_text import HOSTILE, hostile_report


def test_the_incident() -> None:
    assert write(INCIDENT) == (
        "::error file=charts/backend/values.yaml,line=14,endLine=14,col=15,endColumn=19,"
        "title=portproof%3A service-target-number::"
        "Service/backend-v1 sends port 80 to 8081, but Deployment/backend-v1 declares only 8080 (http): "
        "the readiness probe uses 8080, and nothing mentions 8081.%0A"
        "Deployment/backend-v1 declares 8080 here: charts/backend/values.yaml:7:16%0A"
        "Fix (proven by rendering again): set targetPort to 8080\n"
        "portproof: 1 error in 1 target\n"
    )


def test_no_location_no_file() -> None:
    assert write(report(result(location=None, message="M."))) == (
        "::error title=portproof%3A service-target-number::M.%0A"
        "In Service/backend-v1 spec.ports[0].targetPort; the line to edit is unknown.\n"
        "portproof: 1 error in 1 target\n"
    )


def test_hints_and_targets_are_said() -> None:
    hinted = result(
        message="M.", location=place(proof="hinted"), targets=("helm:a", "helm:b"), severity=Severity.NOTE
    )
    command = parse(write(report(hinted)).split("\n")[0])
    assert command is not None
    assert command.name == "notice"
    assert command.data == "M.\nThis line is a best guess, not proven.\nIn 2 targets: helm:a, helm:b"


def test_a_place_of_several_lines_has_no_columns() -> None:
    location = replace(place(), end_line=16)
    assert write(report(result(location=location))).startswith(
        f"::error file={VALUES},line=14,endLine=16,title="
    )


def test_the_worst_come_first_and_the_rest_is_counted() -> None:
    findings = [result(severity=severity) for severity in reversed(Severity) for _ in range(12)]
    written = write(report(*findings, targets=(status(), status("helm:a", "skipped", "Why.")))).split("\n")
    assert [line.split(" ")[0] for line in written] == (
        ["::error"] * 10 + ["::warning"] * 10 + ["::notice"] * 10 + ["portproof:", ""]
    )
    assert written[28:31] == [
        "::notice title=portproof%3A 1 target not checked::skipped helm:a: Why.",
        "::notice title=portproof::Not shown here: 2 errors, 2 warnings, 4 notes. See the job summary or the log.",
        "portproof: 12 errors, 12 warnings, 12 notes in 2 targets (1 skipped, 0 failed)",
    ]


@pytest.mark.parametrize(("notes", "shown"), [(9, 9), (10, 10), (11, 9)])
def test_ten_notices_with_the_closing_one(notes: int, shown: int) -> None:
    written = write(report(*(result(severity=Severity.NOTE) for _ in range(notes))))
    assert written.count("::notice file=") == shown
    assert written.count("::notice ") <= 10
    assert ("Not shown here: " in written) == (notes > shown)


def test_nothing_checked_is_no_pass() -> None:
    assert write(report(targets=())) == (
        "::warning title=portproof::Nothing to check under .: no chart, kustomization or manifest was found\n"
        "portproof: Nothing to check under .: no chart, kustomization or manifest was found\n"
    )
    skipped = write(report(targets=(status("helm:a", "skipped", "Why."),)))
    assert "::warning title=portproof::Nothing was checked: 1 skipped, 0 failed\n" in skipped
    assert write(report()) == "portproof: No findings: 1 target checked, 12 resources\n"


def test_hostile_names_stay_data() -> None:
    commands = [parse(line) for line in runner_lines(write(hostile_report()))]
    assert [command and command.name for command in commands] == ["error", "error", "notice", None]
    first = commands[0]
    assert first is not None
    assert set(first.properties) == {"file", "line", "endLine", "col", "endColumn", "title"}
    assert first.data.startswith("::error::\\x1b[31m::error::x\\x0d## [add-mask]")


def test_paths_that_were_asked_for_stay_data() -> None:
    *_, last, _ = write(report(targets=(), paths=("##[error]x\x1b[2J\n::error::y",))).split("\n")
    assert last.isprintable()
    assert parse(last) is None


def test_what_is_long_is_cut() -> None:
    reason = status("helm:a", "skipped", "why " * 200)
    one, other, _, _ = write(report(result(rule="r" * 300, message="m" * 9_000), targets=(reason,))).split(
        "\n"
    )
    command, notice = parse(one), parse(other)
    assert command is not None
    assert notice is not None
    assert (len(command.data), len(command.properties["title"])) == (4_000, 200)
    assert command.data.endswith("…")
    assert len(notice.data) < 350


def test_of_many_reasons_the_first_are_told_and_the_rest_is_counted() -> None:
    targets = tuple(status(f"helm:{number}", "skipped", f"reason {number}") for number in range(14))
    command = parse(write(report(targets=targets)).split("\n")[1])
    assert command is not None
    assert command.properties["title"] == "portproof: 14 targets not checked"
    assert command.data.count("\n") == 10
    assert command.data.endswith("\nand 4 more")


def test_values_come_back_as_they_were() -> None:
    path = "charts/a,b: 100%25/values.yaml"
    command = parse(write(report(result(message="50%0A: a, b", location=place(path=path)))).split("\n")[0])
    assert command is not None
    assert command.properties["file"] == path
    assert command.data == "50%0A: a, b"


hostile = st.one_of(
    st.text(),
    st.lists(
        st.sampled_from(
            ["::", "error", " ", "##[", "]", "set-env", "%", "0A", "\n", "\r", ",", "=", "\u2028", "x"]
        )
    ).map("".join),
    st.just(HOSTILE),
)


@settings(deadline=None)
@given(hostile, hostile, hostile)
def test_no_text_becomes_a_command(name: str, message: str, reason: str) -> None:
    findings = (
        result(message=message, location=place(path=f"p{name}"), targets=(name, reason)),
        result(resource=replace(SERVICE, name=name), message=message, field=reason, location=None),
        result(message=message, related=(replace(RELATED, message=name),), severity=Severity.NOTE),
    )
    written = write(report(*findings, targets=(status(f"helm:{name}", "skipped", reason),)))
    commands = [parse(line) for line in runner_lines(written)]
    assert [command and command.name for command in commands] == ["error", "error", "notice", "notice", None]
    assert all(
        set(command.properties) <= {"file", "line", "endLine", "col", "endColumn", "title"}
        for command in commands
        if command
    )
    assert all(line.isprintable() or "\u3000" in line or " " in line for line in runner_lines(written))
    written.encode()


@settings(deadline=None)
@given(hostile)
@example("\t ::error::x")
@example("x ##[error]y")
def test_no_log_line_becomes_a_command(text: str) -> None:
    assert all(parse(log_line(line)) is None for line in runner_lines(text))
    assert obeyed(log_entry(text)) == []


def test_the_port_of_the_parser_sees_commands() -> None:
    assert parse("  ::error file=a%2Cb,line=1::x%0Ay") == Command(
        "error", {"file": "a,b", "line": "1"}, "x\ny"
    )
    assert parse("text ##[add-mask]x") == Command("add-mask", {}, "x")
    assert parse("text ::error::x") is None
