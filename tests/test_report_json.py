"""The JSON report keeps to CONTRACT, whatever strangers wrote."""

from __future__ import annotations

import importlib.resources
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from portproof.discover.unread import Unread
from portproof.replacing import replace
from portproof.report import json_
from portproof.report.model import Effect, ToolVersions
from portproof.rules.base import Severity
from tests.support.reports import FIX, INCIDENT, SERVICE, place, report, result, status
from tests.test_report_text import hostile_report

SCHEMA = json.loads((importlib.resources.files("portproof.report") / "report.schema.json").read_text("utf-8"))
VALIDATOR = Draft202012Validator(SCHEMA)


def load(written: str) -> Any:
    written.encode()
    value = json.loads(written)
    VALIDATOR.validate(value)
    return value


def test_the_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)


def test_what_was_not_looked_at_is_listed() -> None:
    unread = (
        Unread("envs/prod.yaml", "values", "keys of charts/a and charts/b"),
        Unread("helmfile.yaml", "helmfile", "a template"),
    )
    value = load(json_.write(report(unread=unread)))
    assert value["unread"] == [
        {"path": "envs/prod.yaml", "kind": "values", "reason": "keys of charts/a and charts/b"},
        {"path": "helmfile.yaml", "kind": "helmfile", "reason": "a template"},
    ]
    assert load(json_.write(INCIDENT))["unread"] == []


def test_keys_and_their_order_are_those_of_the_contract() -> None:
    value = load(json_.write(INCIDENT))
    assert list(value) == ["schema", "tool", "targets", "findings", "unread", "summary"]
    assert value["tool"] == {"name": "portproof", "version": "0.1.0", "helm": "v4.1.4", "kustomize": "v5.7.1"}
    assert list(value["targets"][0]) == [
        "id",
        "kind",
        "path",
        "values",
        "status",
        "reason",
        "resources",
        "seconds",
    ]
    (finding,) = value["findings"]
    assert list(finding) == [
        *("rule", "severity", "message", "resource", "field", "value", "expected", "targets", "location"),
        *("related", "fix", "alternatives", "fingerprint", "introduced", "change", "when"),
    ]
    assert list(finding["location"]) == ["path", "line", "column", "end_line", "end_column", "proof"]
    assert list(finding["related"][0]) == ["message", "resource", "field", "location"]
    assert list(finding["fix"]) == [
        *("description", "safety", "risks", "edits", "effects", "patch"),
        *("id", "cures", "excludes"),
    ]
    assert list(finding["fix"]["edits"][0]) == [
        "path",
        "line",
        "column",
        "end_line",
        "end_column",
        "old",
        "new",
    ]
    assert list(finding["fix"]["effects"][0]) == ["resource", "field", "before", "after", "intended"]
    assert list(value["summary"]) == ["error", "warning", "note", "checked", "failed", "skipped"]


def test_the_incident() -> None:
    finding = load(json_.write(INCIDENT))["findings"][0]
    assert finding["resource"] == {
        "api_version": "v1",
        "kind": "Service",
        "namespace": "default",
        "name": "backend-v1",
    }
    assert (finding["value"], finding["expected"], finding["introduced"]) == (8081, 8080, None)
    assert finding["location"] == {
        "path": "charts/backend/values.yaml",
        "line": 14,
        "column": 15,
        "end_line": 14,
        "end_column": 19,
        "proof": "proven",
    }
    assert finding["alternatives"][0]["description"] == "set containerPort to 8081"
    assert finding["fingerprint"] == "0123456789abcdef"


def test_what_is_absent_is_null() -> None:
    whole = result(resource=None, field="", location=None, value=None, expected=None, severity=Severity.NOTE)
    targets = (status("helm:a", "skipped", "Why."), status("kustomize:b", "failed", "How."))
    value = load(json_.write(report(whole, targets=targets, tools=ToolVersions("0.1.0", None, None))))
    assert value["tool"]["helm"] is None
    assert [value["findings"][0][key] for key in ("resource", "location", "fix", "value", "expected")] == [
        None
    ] * 5
    assert value["summary"] == {"error": 0, "warning": 0, "note": 1, "checked": 0, "failed": 1, "skipped": 1}


def test_the_same_report_gives_the_same_bytes() -> None:
    assert json_.write(INCIDENT) == json_.write(INCIDENT)
    assert json_.write(INCIDENT).endswith("}\n")


def test_hostile_names_come_back_as_they_were() -> None:
    hostile = hostile_report()
    written = json_.write(hostile)
    assert all(line.isprintable() for line in written.split("\n"))
    assert "##[" not in written
    assert load(written)["findings"][0]["message"] == hostile.results[0].message


@pytest.mark.parametrize("character", ["\x7f", "\x9b", "\u202e", "\u200b", "\u2028", "\ud800"])
def test_no_character_is_left_that_a_terminal_would_obey(character: str) -> None:
    written = json_.write(report(result(message=character)))
    assert character not in written
    assert load(written)["findings"][0]["message"] == character


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (float("nan"), "nan"),
        (float("inf"), "inf"),
        ({"a": [1.5, None, True]}, {"a": [1.5, None, True]}),
        (b"x", "b'x'"),
    ],
)
def test_any_value_of_a_manifest_can_be_said(value: object, expected: object) -> None:
    fix = replace(FIX, effects=(Effect(SERVICE, "f", value, None),))
    (effect,) = load(json_.write(report(result(fix=fix))))["findings"][0]["fix"]["effects"]
    assert effect["before"] == expected


@settings(deadline=None)
@given(st.text(st.characters(codec=None)))
def test_any_text_survives(text: str) -> None:
    written = json_.write(report(result(message=text, location=place(path=f"p{text}".replace("..", "")))))
    written.encode()
    assert "##[" not in written
    # Two lone surrogates that meet are one character to JSON.
    assert json.loads(written)["findings"][0]["message"] == text.encode("utf-16", "surrogatepass").decode(
        "utf-16", "surrogatepass"
    )


def keys_of(schema: Mapping[str, Any]) -> Iterator[str]:
    """The keys that a schema has, at any depth."""
    for key, below in schema.get("properties", {}).items():
        yield key
        yield from keys_of(below)
    for below in schema.get("$defs", {}).values():
        yield from keys_of(below)


def test_the_page_for_consumers_has_every_key_and_a_report_that_is_one() -> None:
    page = (Path(__file__).parents[1] / "docs" / "json-report.md").read_text(encoding="utf-8")
    example = page[page.index("```json\n") + 8 : page.index("\n```\n", page.index("```json\n"))]
    VALIDATOR.validate(json.loads(example))
    said = {*re.findall(r"`(\w+)`", page), *re.findall(r'"(\w+)":', example)}
    places = {"line", "column"}  # "Lines and columns count from 1"
    assert set(keys_of(SCHEMA)) - places - said == set()
