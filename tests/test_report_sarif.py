"""SARIF against the standard's own schema."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from portproof.replacing import replace
from portproof.report import sarif
from portproof.report.links import SITE
from portproof.report.model import Ignored, Report
from portproof.rules.base import Rule, Severity
from portproof.suppressions.model import SuppressionSource
from tests.support.reports import (
    FIX,
    INCIDENT,
    RELATED,
    RESULT,
    SERVICE,
    UNSAFE,
    place,
    report,
    result,
    status,
)
from tests.test_report_text import hostile_report

VALIDATOR = Draft202012Validator(
    json.loads((Path(__file__).parent / "data" / "sarif-schema-2.1.0.json").read_text("utf-8"))
)
PAGE = """\
A Service sends traffic to a port number that nothing listens on.

Kubernetes uses a numeric ``targetPort``
as it is.

Bad::

    targetPort: 8081
"""
RULES = (
    Rule("other-rule", Severity.NOTE, "Another one", lambda _: (), "Another one."),
    Rule(
        "service-target-number",
        Severity.ERROR,
        "A Service sends traffic to a port number that nothing listens on",
        lambda _: (),
        PAGE,
    ),
)


def run_of(written: Report) -> Any:
    text = sarif.write(replace(written, rules=RULES))
    text.encode()
    value = json.loads(text)
    VALIDATOR.validate(value)
    assert value["version"] == "2.1.0"
    (run,) = value["runs"]
    return run


def test_rules_with_results_have_their_pages() -> None:
    driver = run_of(INCIDENT)["tool"]["driver"]
    (rule,) = driver["rules"]
    assert rule["id"] == "service-target-number"
    assert (
        rule["shortDescription"]["text"]
        == "A Service sends traffic to a port number that nothing listens on."
    )
    assert rule["fullDescription"]["text"] == "Kubernetes uses a numeric ``targetPort`` as it is."
    assert rule["defaultConfiguration"] == {"level": "error"}
    assert driver["informationUri"] == SITE
    assert rule["helpUri"] == f"{SITE}rules/service-target-number/"
    assert rule["help"]["markdown"].endswith(f"\n[service-target-number on the web]({rule['helpUri']})\n")
    assert (
        rule["help"]["markdown"]
        .partition("\n\n**How to suppress it:**")[0]
        .endswith("Bad:\n\n```yaml\ntargetPort: 8081\n```")
    )


def test_the_incident() -> None:
    run = run_of(INCIDENT)
    assert run["columnKind"] == "unicodeCodePoints"
    (found,) = run["results"]
    assert (found["ruleId"], found["ruleIndex"], found["level"]) == ("service-target-number", 0, "error")
    artifact = {"uri": "charts/backend/values.yaml", "uriBaseId": "SRCROOT"}
    region = {"startLine": 14, "startColumn": 15, "endLine": 14, "endColumn": 19}
    around = "  # the port that clients use\n  port: 80\n  targetPort: 8081"
    assert found["locations"] == [
        {
            "physicalLocation": {
                "artifactLocation": artifact,
                "region": {**region, "snippet": {"text": "8081"}},
                "contextRegion": {"startLine": 12, "endLine": 14, "snippet": {"text": around}},
            },
            "logicalLocations": [
                {
                    "name": "Service/backend-v1 spec.ports[0].targetPort",
                    "fullyQualifiedName": "Service/backend-v1 spec.ports[0].targetPort",
                    "kind": "object",
                }
            ],
        }
    ]
    (related,) = found["relatedLocations"]
    assert related["physicalLocation"]["region"]["startLine"] == 7
    assert found["partialFingerprints"] == {"portproof/v1": "0123456789abcdef"}
    assert [fix["description"]["text"] for fix in found["fixes"]] == [
        "set targetPort to 8080",
        "set containerPort to 8081",
    ]
    assert found["fixes"][0]["artifactChanges"] == [
        {
            "artifactLocation": artifact,
            "replacements": [{"deletedRegion": region, "insertedContent": {"text": "8080"}}],
        }
    ]
    assert "baselineState" not in found
    assert run["invocations"] == [{"executionSuccessful": True, "toolExecutionNotifications": []}]


def test_every_result_has_a_place_for_code_scanning() -> None:
    targets = (status("helm:."), status("helm:charts/a"), status("kustomize:overlays/prod"))
    results = [
        result(resource=None, location=None, targets=(target,))
        for target in (*(one.id for one in targets), "gone")
    ]
    found = run_of(report(*results, result(location=None, targets=()), targets=targets))["results"]
    places = [one["locations"][0]["physicalLocation"] for one in found]
    assert [one["artifactLocation"]["uri"] for one in places] == [
        "Chart.yaml",
        "charts/a/Chart.yaml",
        "overlays/prod",
        ".",
        ".",
    ]
    assert not any("region" in one for one in places)
    assert {one["properties"]["proof"] for one in found} == {"unknown"}


def test_what_was_not_checked_is_notified() -> None:
    targets = (status("helm:charts/a", "skipped", "Why."), status("kustomize:b", "failed", "How."))
    notes = run_of(report(targets=targets))["invocations"][0]["toolExecutionNotifications"]
    assert [(note["level"], note["message"]["text"]) for note in notes] == [
        ("warning", "Nothing was checked: 1 skipped, 1 failed."),
        ("error", "kustomize:b failed: How."),
        ("warning", "helm:charts/a skipped: Why."),
    ]


def test_the_worst_come_first_and_the_base_is_told() -> None:
    found = run_of(
        report(
            result(severity=Severity.NOTE, introduced=False, rule="unknown-rule"),
            result(
                introduced=True, related=(replace(RELATED, location=None),), location=place(proof="hinted")
            ),
        )
    )["results"]
    assert [one["level"] for one in found] == ["error", "note"]
    assert [one["baselineState"] for one in found] == ["new", "unchanged"]
    assert found[0]["relatedLocations"] == []
    assert found[0]["properties"]["proof"] == "hinted"
    assert "ruleIndex" not in found[1]


def test_more_results_than_github_takes_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sarif, "MAX_RESULTS", 3)
    run = run_of(report(*[result(severity=Severity.NOTE)] * 3, *[result()] * 2))
    assert [one["level"] for one in run["results"]] == ["error", "error", "note"]
    (note,) = run["invocations"][0]["toolExecutionNotifications"]
    assert note["message"]["text"] == "2 more findings are not in this file."


def test_paths_are_uris() -> None:
    paths = {
        "a b/ü.yaml": "a%20b/%C3%BC.yaml",
        "c:d#e?f%": "c%3Ad%23e%3Ff%25",
        "x\udcff": "x%FF",
        "y\ud800": "y%3F",
    }
    found = run_of(report(*(result(location=place(path=path)) for path in paths)))["results"]
    uris = [one["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for one in found]
    assert uris == list(paths.values())


def test_hostile_names_stay_data() -> None:
    run_of(hostile_report())
    linked = result(message="see [here](http://example.com)")
    assert run_of(report(linked))["results"][0]["message"]["text"] == "see [here] (http://example.com)"


def messages(data: Any) -> Iterator[str]:
    """Every text that a reader of SARIF shows."""
    if isinstance(data, dict):
        yield from (value for key, value in data.items() if key in ("text", "justification"))
    for item in data.values() if isinstance(data, dict) else data if isinstance(data, list) else ():
        yield from messages(item)


def test_no_message_links_or_steers_a_terminal() -> None:
    hostile = "\x1b[2J[here](http://example.com)\u202e"
    fix = replace(FIX, description=hostile)
    one = result(message=hostile, related=(replace(RELATED, message=hostile),), fix=fix, alternatives=(fix,))
    left_out = Ignored(replace(one, message="M."), SuppressionSource.COMMENT, hostile)
    targets = (status(hostile, "skipped", hostile), status("helm:a", "failed", hostile))
    found = run_of(report(one, targets=targets, ignored=(left_out,), left_out=1))
    shown = [text for text in messages([found["results"], found["invocations"]]) if "example.com" in text]
    assert len(shown) == 8
    assert all(text.isprintable() for text in shown)
    assert sum("](" in text for text in shown) == 1  # the justification, which is no message


@settings(max_examples=25, deadline=None)
@given(st.text(), st.text())
def test_any_text_is_valid(name: str, message: str) -> None:
    finding = result(message=message, resource=replace(SERVICE, name=name), location=place(path=f"p{name}"))
    run_of(report(finding, targets=(status(f"helm:{name}", "skipped", message),)))


@pytest.mark.parametrize(
    ("how", "kind"),
    [
        (SuppressionSource.COMMENT, "inSource"),
        (SuppressionSource.ANNOTATION, "inSource"),
        (SuppressionSource.CONFIG, "external"),
        (SuppressionSource.BASELINE, "external"),
    ],
)
def test_what_is_left_out_is_suppressed(how: SuppressionSource, kind: str) -> None:
    left_out = Ignored(RESULT, how, "it is \x1b[1mfine")
    run = run_of(report(ignored=(left_out,), left_out=1))
    (found,) = run["results"]
    assert found["suppressions"] == [{"kind": kind, "justification": "it is \\x1b[1mfine"}]
    assert found["ruleId"] == RESULT.rule
    said = run["invocations"][0]["toolExecutionNotifications"]
    assert [(one["level"], one["message"]["text"]) for one in said] == [
        ("note", f"1 suppressed (1 {how.value}).")
    ]


def test_code_scanning_gets_no_suppressed_results() -> None:
    written = report(RESULT, ignored=(Ignored(RESULT, SuppressionSource.COMMENT, "fine"),), left_out=1)
    (run,) = json.loads(sarif.write(replace(written, rules=RULES), suppressed=False))["runs"]
    assert ["suppressions" in one for one in run["results"]] == [False]


def test_an_unsafe_fix_is_none_that_a_viewer_could_apply() -> None:
    (found,) = run_of(report(replace(RESULT, fix=UNSAFE, alternatives=(FIX,))))["results"]
    assert len(found["fixes"]) == 1
    (found,) = run_of(report(replace(RESULT, fix=UNSAFE, alternatives=())))["results"]
    assert found["fixes"] == []


def snippets(
    lines: dict[int, str], rule: str = "service-target-number", **where: Any
) -> tuple[str, str] | None:
    """The text of the place in these lines of its file, and that of the lines around it."""
    at = replace(place(), **where)
    (found,) = run_of(
        report(result(rule=rule, message="not YAML: expected the node", location=at), lines={at.path: lines})
    )["results"]
    physical = found["locations"][0]["physicalLocation"]
    if "contextRegion" not in physical:
        assert "snippet" not in physical["region"]
        return None
    return physical["region"]["snippet"]["text"], physical["contextRegion"]["snippet"]["text"]


def test_secrets_in_snippets_are_masked_as_in_text() -> None:
    lines = {
        12: "  - name: DB_PASSWORD",
        13: "    value: hunter2",
        14: "  targetPort: 8081",
        15: "token: t0ken",
    }
    assert snippets(lines) == (
        "8081",
        "  - name: DB_PASSWORD\n    value: *******\n  targetPort: 8081\ntoken: *****",
    )
    # What is not YAML may hold one anywhere.
    text = snippets({14: "  targetPort: 8081 hunter2 ]"}, "render-failed")
    assert text == ("8081", "  targetPort: 8081 ******* ]")


def test_a_place_of_several_lines_has_all_of_them() -> None:
    lines = {14: "    command: [sh,", 15: "", 16: "      -c]\r", 17: "    next: 1"}
    found = snippets(lines, column=14, end_line=16, end_column=10)
    assert found == ("[sh,\n\n      -c]", "    command: [sh,\n\n      -c]\n    next: 1")


def test_controls_and_links_in_snippets_are_defused() -> None:
    assert snippets({14: "\ttargetPort: \u202e8081"}) == ("8081", " targetPort: \\u202e8081")
    found = snippets({14: "  targetPort: 8081 # [a](b)"})
    assert found == ("8081", "  targetPort: 8081 # [a] (b)")


@pytest.mark.parametrize(
    "lines", [{}, {13: "port: 80"}, {14: f"  targetPort: 8081 # {'x' * sarif.MAX_SNIPPET}"}]
)
def test_there_is_no_snippet_of_lines_that_are_unknown_or_too_long(lines: dict[int, str]) -> None:
    assert snippets(lines) is None
