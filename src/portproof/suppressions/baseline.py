"""The baseline: a file of known findings, which are suppressed. ``check --write-baseline`` writes it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path

import msgspec

from portproof.errors import ConfigError
from portproof.source import RelPath, SourceError, Span, read_text
from portproof.suppressions.collected import REASON, Baseline, Known
from portproof.suppressions.model import Subject, Suppression, SuppressionSource

SCHEMA = "portproof/baseline/1"
_QUOTED = re.compile(r'"([^"\\]{1,200})"')


class _Line(msgspec.Struct, forbid_unknown_fields=True):
    """One known finding. The fingerprint counts; the rest tells people, and which run can say that it is gone."""

    fingerprint: str
    rule: str
    target: str
    resource: str
    field: str


class _File(msgspec.Struct, forbid_unknown_fields=True):
    schema: str
    findings: list[_Line]


def read(file: Path, name: str, path: RelPath | None) -> Baseline:
    """The baseline in `file`, which messages call `name` and the tree `path`. Raises `ConfigError`."""
    try:
        text = read_text(file, name)
        data = msgspec.json.decode(text, type=_File)
    except (SourceError, msgspec.DecodeError, UnicodeError) as error:
        words = str(error).removeprefix(f"{name}: ")
        raise ConfigError(f"{name}: not a baseline: {words}", next_step=_next_step(name)) from error
    if data.schema != SCHEMA:
        raise ConfigError(f"{name}: unknown baseline version: {data.schema[:80]}", next_step=_next_step(name))
    # A fingerprint that is written with escapes is not found; then its place is not known.
    places = {found[1]: found.start() for found in reversed(list(_QUOTED.finditer(text)))}
    return Baseline(
        {line.fingerprint: _known(line, places.get(line.fingerprint), path) for line in data.findings}
    )


def _next_step(name: str) -> str:
    return f"Write it again: `portproof check --write-baseline {name}`."


def _known(line: _Line, start: int | None, path: RelPath | None) -> Known:
    place = None if path is None or start is None else Span(path, start, start + len(line.fingerprint) + 2)
    ignore = Suppression(SuppressionSource.BASELINE, (line.rule,), REASON, line.fingerprint, place)
    about = " ".join(part for part in (line.resource, line.field) if part)
    return Known(line.target, about, ignore)


def kind_and_folder(subject: Subject) -> str:
    """What a baseline says of a target: its values files may change, its findings are the same."""
    return f"{subject.target.kind}:{subject.target.path}"


def written(subjects: Iterable[Subject]) -> str:
    """The text of a baseline in which these findings are known; equal findings give equal bytes."""
    lines = {
        one.fingerprint: {
            "fingerprint": one.fingerprint,
            "rule": one.rule,
            "target": kind_and_folder(one),
            "resource": ""
            if one.resource is None
            else f"{one.resource.namespace}/{one.resource}".lstrip("/"),
            "field": one.field,
        }
        for one in subjects
    }
    order = sorted(lines.values(), key=lambda line: (line["target"], line["rule"], *line.values()))
    return json.dumps({"schema": SCHEMA, "findings": order}, indent=2, ensure_ascii=True) + "\n"
