"""The report as the JSON object that CONTRACT promises (``report.schema.json`` describes it)."""

from __future__ import annotations

import io
import json
import math
import unicodedata
from typing import Any

from portproof.discover.unread import Unread
from portproof.report.model import (
    Change,
    Effect,
    Fix,
    Location,
    Related,
    Report,
    Result,
    TargetStatus,
    TextEdit,
)
from portproof.report.safe import BRACKET
from portproof.resources import ResourceKey
from portproof.rules.severity import Severity

SCHEMA = "portproof/report/1"


def write(report: Report) -> str:
    """The report as JSON; equal reports give equal bytes."""
    return dumps(
        {
            "schema": SCHEMA,
            "tool": {
                "name": "portproof",
                "version": report.tools.portproof,
                "helm": report.tools.helm,
                "kustomize": report.tools.kustomize,
            },
            "targets": [_target(target) for target in report.targets],
            "findings": [_finding(result) for result in report.results],
            "unread": [unread(one) for one in report.unread],
            "summary": {
                **_severities(report),
                **{status: report.status_count(status) for status in ("checked", "failed", "skipped")},
                **({"ignored": report.left_out} if report.left_out else {}),
            },
            **report.further,
        }
    )


def dumps(value: Any) -> str:
    """JSON for people and programs: indented, readable, and without a character that a terminal would obey."""
    written = io.StringIO()
    # `json.dumps` would hold each word of a large report in a list first, which takes ten times the room of its text.
    for words in json.JSONEncoder(indent=2, ensure_ascii=False, allow_nan=False).iterencode(value):
        written.write(words)
    text = written.getvalue()
    # Only a string can hold it, and in the log of a workflow it would start a command.
    text = BRACKET.sub(r"#\\u0023", text)
    if text.isascii() and "\x7f" not in text:
        return text + "\n"
    return "".join(map(_escaped, text)) + "\n"


def _escaped(character: str) -> str:
    # Controls, bidirectional marks and lone surrogates (which no UTF-8 stream takes) can only be inside of strings;
    # the line feeds between them are JSON's own.
    if character == "\n" or character.isprintable() or unicodedata.category(character) == "Zs":
        return character
    return json.dumps(character)[1:-1]


def _severities(report: Report) -> dict[str, int]:
    return {severity.value: report.count(severity) for severity in Severity}


def _target(target: TargetStatus) -> dict[str, Any]:
    return {
        "id": target.id,
        "kind": target.kind,
        "path": target.path,
        "values": list(target.values),
        "status": target.status,
        "reason": target.reason,
        "resources": target.resources,
        "seconds": round(target.seconds, 3),
    }


def unread(one: Unread) -> dict[str, str]:
    """Something that is unread."""
    return {"path": one.path, "kind": one.kind, "reason": one.reason}


def _finding(result: Result) -> dict[str, Any]:
    return {
        "rule": result.rule,
        "severity": result.severity.value,
        "message": result.message,
        "resource": _resource(result.resource),
        "field": result.field,
        "value": result.value,
        "expected": result.expected,
        "targets": list(result.targets),
        "location": _location(result.location),
        "related": [_related(related) for related in result.related],
        "fix": _fix(result.fix) if result.fix else None,
        "alternatives": [_fix(fix) for fix in result.alternatives],
        "fingerprint": result.fingerprint,
        "introduced": result.introduced,
        "change": change(result.change),
        "when": dict(result.when) or None,
    }


def change(moved: Change | None) -> dict[str, Any] | None:
    """What the change did to the edge of a finding, in the same words for every format that programs read."""
    if moved is None:
        return None
    return {
        "end": moved.end,
        "before": moved.before,
        "after": moved.after,
        "other_end": moved.other_end,
        "stayed": moved.stayed,
    }


def _resource(key: ResourceKey | None) -> dict[str, str] | None:
    if key is None:
        return None
    return {"api_version": key.api_version, "kind": key.kind, "namespace": key.namespace, "name": key.name}


def _location(location: Location | None) -> dict[str, Any] | None:
    return {**_range(location), "proof": location.proof} if location else None


def _range(place: Location | TextEdit) -> dict[str, Any]:
    return {
        "path": place.path,
        "line": place.line,
        "column": place.column,
        "end_line": place.end_line,
        "end_column": place.end_column,
    }


def _related(related: Related) -> dict[str, Any]:
    return {
        "message": related.message,
        "resource": _resource(related.resource),
        "field": related.field,
        "location": _location(related.location),
    }


def _fix(fix: Fix) -> dict[str, Any]:
    return {
        "description": fix.description,
        "safety": "safe" if fix.is_safe else "unsafe",
        "risks": [{"kind": kind, "message": message} for kind, message in fix.risks],
        "edits": [{**_range(edit), "old": edit.old, "new": edit.new} for edit in fix.edits],
        "effects": [_effect(effect) for effect in fix.effects],
        "patch": fix.patch,
        "id": fix.id,
        "cures": list(fix.cures),
        "excludes": list(fix.excludes),
    }


def _effect(effect: Effect) -> dict[str, Any]:
    return {
        "resource": _resource(effect.resource),
        "field": effect.field,
        "before": plain(effect.before),
        "after": plain(effect.after),
        "intended": effect.intended,
    }


def plain(value: object) -> Any:
    """A value of a manifest as JSON can say it: ``.nan`` and ``.inf`` become text."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if isinstance(value, str | int | float | None) else str(value)
