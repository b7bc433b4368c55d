"""What a report comes to, and the line that says so in every format."""

from __future__ import annotations

from typing import Any

import pytest

from portproof.discover.model import Skip
from portproof.report.model import ReportVerdict
from portproof.report.summary_line import headline
from portproof.rules.severity import Severity
from tests.support.reports import report, result, status

BASE = "0123456789abcdef"
SKIPPED, FAILED = status("helm:a", "skipped", "why"), status("helm:b", "failed", "why")
CASES: dict[str, tuple[ReportVerdict, dict[str, Any], str]] = {
    "unaffected": (
        ReportVerdict.UNAFFECTED,
        {"targets": (), "unaffected": 2, "base": BASE},
        "Nothing to check: the changes since 0123456789ab affect none of 2 targets",
    ),
    "empty": (
        ReportVerdict.EMPTY,
        {"targets": (), "paths": ("docs", "src")},
        "Nothing to check under docs, src: no chart, kustomization or manifest was found",
    ),
    "passed over": (
        ReportVerdict.EMPTY,
        {"targets": (), "skips": (Skip("helm", "lib", "a library chart"),)},
        "Nothing to check under .: no chart, kustomization or manifest was found (1 folder skipped; `portproof targets` lists them)",
    ),
    "unchecked": (
        ReportVerdict.UNCHECKED,
        {"targets": (SKIPPED, FAILED)},
        "Nothing was checked: 1 skipped, 1 failed",
    ),
    "clean": (
        ReportVerdict.CLEAN,
        {"targets": (status(), SKIPPED), "unaffected": 3, "base": BASE},
        "No findings: 1 target checked, 12 resources (1 skipped, 0 failed); 3 unaffected by the changes since 0123456789ab",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_report_without_findings(name: str) -> None:
    verdict, changes, line = CASES[name]
    assert report(**changes).verdict is verdict
    assert headline(report(**changes), str) == line


@pytest.mark.parametrize("targets", [(), (status(),), (FAILED,)])
def test_a_finding_decides_whatever_else_there_is(targets: tuple[Any, ...]) -> None:
    written = report(result(), result(severity=Severity.NOTE), targets=targets, unaffected=1)
    assert written.verdict is ReportVerdict.FINDINGS
    assert headline(written).startswith("1 error, 1 note in ")


def test_paths_are_named_where_they_can_be_written() -> None:
    assert headline(report(targets=())) == "Nothing to check: no chart, kustomization or manifest was found"


@pytest.mark.parametrize(
    ("threshold", "severity", "fails"),
    [
        ("error", Severity.ERROR, True),
        ("error", Severity.WARNING, False),
        ("warning", Severity.WARNING, True),
        ("note", Severity.NOTE, True),
        ("warning", Severity.NOTE, False),
        ("never", Severity.ERROR, False),
    ],
)
def test_a_finding_at_or_above_the_threshold_fails(threshold: str, severity: Severity, fails: bool) -> None:
    assert severity.reaches(threshold) is fails
    assert report(result(severity=severity)).fails(threshold) is fails
    assert not report(result(severity=severity, introduced=False)).fails(threshold)
    assert report(result(severity=severity, introduced=True)).fails(threshold) is fails
