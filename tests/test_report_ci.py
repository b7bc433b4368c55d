"""The formats of other CI systems: what their readers need, and what a hostile name must not become."""

from __future__ import annotations

import json
from collections.abc import Callable
from xml.etree import ElementTree as ET

import pytest
from jsonschema import Draft202012Validator

from portproof.discover.unread import Unread
from portproof.replacing import replace
from portproof.report import azure, gitlab, junit, plain, rdjson
from portproof.report.model import Report
from portproof.rules.base import Severity
from tests.support.reports import INCIDENT, RESULT, UNSAFE, place, report, status
from tests.test_report_text import hostile_report

COMMANDS = (
    *("error", "warning", "notice", "group", "endgroup", "add-mask", "save-state", "set-output"),
    *("add-matcher", "debug", "stop-commands", "echo"),
)
QUALITY = Draft202012Validator(
    {
        "type": "array",
        "items": {
            "type": "object",
            "required": ["description", "check_name", "fingerprint", "severity", "location"],
            "properties": {
                "description": {"type": "string", "minLength": 1},
                "check_name": {"type": "string"},
                "fingerprint": {"type": "string", "minLength": 8},
                "severity": {"enum": ["info", "minor", "major", "critical", "blocker"]},
                "location": {
                    "type": "object",
                    "required": ["path", "lines"],
                    "properties": {
                        "path": {"type": "string", "pattern": r"^(?!\./|/)."},
                        "lines": {
                            "type": "object",
                            "required": ["begin"],
                            "properties": {"begin": {"type": "integer", "minimum": 1}},
                        },
                    },
                },
            },
        },
    }
)
_POSITION = {
    "type": "object",
    "required": ["line"],
    "properties": {
        "line": {"type": "integer", "minimum": 1},
        "column": {"type": "integer", "minimum": 1},
    },
    "additionalProperties": False,
}
_RANGE = {
    "type": "object",
    "required": ["start"],
    "properties": {"start": _POSITION, "end": _POSITION},
    "additionalProperties": False,
}
_LOCATION = {
    "type": "object",
    "required": ["path", "range"],
    "properties": {"path": {"type": "string"}, "range": _RANGE},
    "additionalProperties": False,
}
DIAGNOSTICS = Draft202012Validator(
    {
        "type": "object",
        "required": ["source", "diagnostics"],
        "properties": {
            "diagnostics": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["message", "location", "severity", "code"],
                    "properties": {
                        "message": {"type": "string", "minLength": 1},
                        "location": _LOCATION,
                        "severity": {"enum": ["ERROR", "WARNING", "INFO"]},
                        "suggestions": {
                            "type": "array",
                            "items": {
                                "type": "object",
                                "required": ["range", "text"],
                                "properties": {"range": {**_RANGE, "required": ["start", "end"]}},
                            },
                        },
                        "related_locations": {
                            "type": "array",
                            "items": {"properties": {"location": _LOCATION}},
                        },
                    },
                },
            }
        },
    }
)
TWINS = report(RESULT, RESULT)
SEVERAL = report(
    RESULT,
    replace(RESULT, severity=Severity.WARNING, fingerprint="0" * 32),
    replace(RESULT, severity=Severity.NOTE, fingerprint="1" * 32, location=None),
)
UNSEEN = replace(
    report(RESULT),
    targets=(
        *report(RESULT).targets,
        replace(status("helm:charts/b"), status="skipped", reason="no network"),
    ),
    unread=(Unread("envs/prod.yaml", "values", "two charts have these keys"),),
)
ALL = pytest.mark.parametrize(
    "written",
    [INCIDENT, SEVERAL, TWINS, report(), UNSEEN, report(replace(RESULT, fix=UNSAFE)), hostile_report()],
)


def suites(written: Report, fail_on: str = "error") -> ET.Element:
    return ET.fromstring(junit.write(written, fail_on=fail_on))


@ALL
def test_code_quality_is_what_gitlab_reads(written: Report) -> None:
    entries = json.loads(gitlab.write(written))
    QUALITY.validate(entries)
    assert len(entries) == len(written.results) + sum(1 for _ in plain.unseen(written))
    assert len({one["fingerprint"] for one in entries}) == len(entries)


def test_code_quality_has_the_findings_of_the_base_too() -> None:
    both = replace(report(replace(RESULT, introduced=False)), base="a" * 40)
    assert len(json.loads(gitlab.write(both))) == 1


def test_a_fingerprint_stays_when_lines_and_words_move() -> None:
    moved = replace(RESULT, location=place(line=99), message="Other words.")
    first, second = (json.loads(gitlab.write(report(one)))[0] for one in (RESULT, moved))
    assert first["fingerprint"] == second["fingerprint"]
    assert first["location"]["lines"]["begin"] != second["location"]["lines"]["begin"]


@ALL
def test_rdjson_is_what_reviewdog_reads(written: Report) -> None:
    DIAGNOSTICS.validate(json.loads(rdjson.write(written)))


def test_a_suggestion_is_whole_lines_where_the_diagnostic_is() -> None:
    (found,) = json.loads(rdjson.write(report(RESULT)))["diagnostics"]
    assert found["suggestions"] == [
        {"range": {"start": {"line": 14}, "end": {"line": 14}}, "text": "  targetPort: 8080"}
    ]
    assert found["location"]["range"] == found["suggestions"][0]["range"]


def test_an_unsafe_fix_is_no_suggestion() -> None:
    (found,) = json.loads(rdjson.write(report(replace(RESULT, fix=UNSAFE))))["diagnostics"]
    assert "suggestions" not in found


def test_columns_count_bytes() -> None:
    row = "über: 8081"
    where = place("a.yaml", 1, 7, 4)
    written = replace(report(replace(RESULT, fix=None, location=where)), lines={"a.yaml": {1: row}})
    (found,) = json.loads(rdjson.write(written))["diagnostics"]
    assert found["location"]["range"] == {
        "start": {"line": 1, "column": 8},
        "end": {"line": 1, "column": 12},
    }


def test_reviewdog_gets_only_what_is_new() -> None:
    old, new = replace(RESULT, introduced=False), replace(RESULT, introduced=True)
    written = replace(report(old, new), base="a" * 40)
    assert len(json.loads(rdjson.write(written))["diagnostics"]) == 1


@ALL
def test_junit_counts_and_names_add_up(written: Report) -> None:
    root = suites(written)
    names = [(case.get("classname"), case.get("name")) for case in root.iter("testcase")]
    assert len(names) == len(set(names)) == int(root.get("tests", ""))
    assert all(kind and name for kind, name in names)
    for suite in root:
        assert {"name", "tests", "failures", "errors"} <= set(suite.keys())
        assert len(suite) == int(suite.get("tests", "")) > 0
        assert len(list(suite.iter("failure"))) == int(suite.get("failures", ""))
    assert all(one.text and one.get("message") for one in root.iter("failure"))


@pytest.mark.parametrize(("fail_on", "failures"), [("error", 1), ("warning", 2), ("note", 3), ("never", 0)])
def test_only_what_fails_the_check_is_a_failure(fail_on: str, failures: int) -> None:
    root = suites(SEVERAL, fail_on)
    assert int(root.get("failures", "")) == failures
    assert len(list(root.iter("system-out"))) == 3 - failures
    assert SEVERAL.fails(fail_on) is (failures > 0)


def test_what_the_base_has_too_is_no_failure() -> None:
    old = replace(report(replace(RESULT, introduced=False)), base="a" * 40)
    assert suites(old).get("failures") == "0"


def test_every_target_has_a_case() -> None:
    broken = replace(status("helm:charts/a"), status="failed", reason="no template")
    skipped = replace(status("helm:charts/b"), status="skipped", reason="a dependency is not here")
    root = suites(replace(report(), targets=(broken, skipped, status("helm:charts/c"))))
    cases = {case.get("name"): [one.tag for one in case] for case in root.iter("testcase")}
    assert cases == {"helm:charts/a": ["error"], "helm:charts/b": ["skipped"], "helm:charts/c": []}


def test_junit_holds_nothing_that_xml_cannot() -> None:
    evil = "".join(map(chr, range(32))) + "\ufffe\uffff]]>&<\ud800"
    root = suites(report(replace(RESULT, message=evil)))
    (failure,) = root.iter("failure")
    assert failure.text
    assert "]]>&<" in failure.text


def azure_issues(written: Report) -> list[tuple[dict[str, str], str]]:
    """The commands, as the agent reads them."""
    found = []
    for line in azure.write(written).splitlines():
        if line.startswith("##vso[task.logissue "):
            head, _, text = line.partition("]")
            pairs = head.removeprefix("##vso[task.logissue ").split(";")
            found.append((dict(one.split("=", 1) for one in pairs if one), text))
    return found


@pytest.mark.parametrize("write", [azure.write, gitlab.write, junit.write, rdjson.write])
def test_what_was_not_looked_at_is_in_every_format(write: Callable[[Report], str]) -> None:
    shown = write(UNSEEN)
    assert "helm:charts/b" in shown
    assert "values" in shown


def test_azure_names_the_line() -> None:
    ((properties, text),) = azure_issues(report(RESULT))
    assert properties == {
        "type": "error",
        "sourcepath": "charts/backend/values.yaml",
        "linenumber": "14",
        "columnnumber": "15",
        "code": "service-target-number",
    }
    assert text.startswith("Service/backend-v1 sends port 80 to 8081")
    assert "\n" not in text


@pytest.mark.parametrize("name", COMMANDS)
def test_azure_runs_no_command_of_a_stranger(name: str) -> None:
    evil = f"x ##vso[task.{name} a=b;]c ##[{name}]d\n::{name}::e\r\n%0A##vso[task.complete]"
    written = replace(
        report(replace(RESULT, message=evil, location=place(path=f"a;]##vso[task.{name}].yaml"))),
        targets=(replace(status(evil), status="skipped", reason=evil),),
    )
    lines = azure.write(written).splitlines()
    assert [line.count("##vso[") for line in lines] == [1, 1, 0]
    assert not [line for line in lines if "##[" in line or line.lstrip().startswith("::")]
    assert all(line.startswith("##vso[task.logissue type=") for line in lines[:2])


def test_azure_says_what_was_not_checked() -> None:
    skipped = replace(status("helm:charts/b"), status="skipped", reason="a dependency is not here")
    assert [text for _, text in azure_issues(replace(report(), targets=(skipped,)))] == [
        "Not checked: skipped helm:charts/b: a dependency is not here"
    ]
