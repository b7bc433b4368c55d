"""A report that another workflow has written: data of a stranger, held against the schema before anything is believed.

It follows ``report/report.schema.json``, and is stricter where a text will be shown or a path be used.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from portproof.discover.unread import Unread
from portproof.errors import UsageError
from portproof.report import model
from portproof.report.model import Report
from portproof.resources import ResourceKey
from portproof.rules import all_rules
from portproof.rules.severity import Severity
from portproof.source import normalise

MAX_BYTES = 16 * 1024 * 1024
_MAX_FINDINGS = 5_000

_Short = Annotated[str, Meta(max_length=2_000)]
_Text = Annotated[str, Meta(max_length=20_000)]
_Path = Annotated[str, Meta(min_length=1, max_length=4_096, pattern=r"^[^\x00-\x1f\x7f]+\Z")]
_Line = Annotated[int, Meta(ge=1, le=10_000_000)]
_Count = Annotated[int, Meta(ge=0)]
_Rule = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,63}\Z")]
_FixId = Annotated[str, Meta(pattern=r"^([0-9a-f]{16})?\Z")]
_Fingerprint = Annotated[str, Meta(pattern=r"^[0-9a-f]{16,64}\Z")]


class _Part(msgspec.Struct, forbid_unknown_fields=True):
    pass


class _Resource(_Part):
    api_version: _Short
    kind: _Short
    namespace: _Short
    name: _Short

    def made(self) -> ResourceKey:
        return ResourceKey(self.api_version, self.kind, self.namespace, self.name)


class _Location(_Part):
    path: _Path
    line: _Line
    column: _Line
    end_line: _Line
    end_column: _Line
    proof: Literal["proven", "hinted"]

    def made(self) -> model.Location:
        place = (self.line, self.column, self.end_line, self.end_column)
        return model.Location(_checked(self.path), *place, self.proof)


class _Edit(_Part):
    path: _Path
    line: _Line
    column: _Line
    end_line: _Line
    end_column: _Line
    old: _Short
    new: _Short

    def made(self) -> model.TextEdit:
        place = (self.line, self.column, self.end_line, self.end_column)
        return model.TextEdit(_checked(self.path), *place, self.old, self.new)


class _Effect(_Part):
    resource: _Resource
    field: _Short
    before: Any
    after: Any
    intended: bool

    def made(self) -> model.Effect:
        return model.Effect(self.resource.made(), self.field, self.before, self.after, self.intended)


class _Risk(_Part):
    kind: Literal["program", "callers", "operator", "scheme", "shared", "guess", "change"]
    message: _Text


class _Fix(_Part):
    description: _Text
    safety: Literal["safe", "unsafe"]
    risks: Annotated[list[_Risk], Meta(max_length=500)]
    edits: Annotated[list[_Edit], Meta(min_length=1, max_length=100)]
    effects: Annotated[list[_Effect], Meta(max_length=5_000)]
    patch: Annotated[str, Meta(max_length=500_000)]
    id: _FixId
    cures: Annotated[list[_Fingerprint], Meta(max_length=5_000)]
    excludes: Annotated[list[_FixId], Meta(max_length=500)]

    def made(self) -> model.Fix:
        edits = tuple(edit.made() for edit in self.edits)
        # A report from elsewhere that calls a fix unsafe without a reason must not make it a safe one.
        found = [(one.kind, one.message) for one in self.risks]
        if self.safety == "unsafe" and not found:
            found = [("guess", "the report calls it unsafe and does not say why")]
        effects = tuple(one.made() for one in self.effects)
        return model.Fix(
            self.description,
            edits,
            effects,
            self.patch,
            tuple(found),
            self.id,
            tuple(self.cures),
            tuple(self.excludes),
        )


class _Related(_Part):
    message: _Text
    resource: _Resource
    field: _Short
    location: _Location | None

    def made(self) -> model.Related:
        place = self.location.made() if self.location else None
        return model.Related(self.message, self.resource.made(), self.field, place)


class _Change(_Part):
    end: _Text
    before: _Short | int | None
    after: _Short | int | None
    other_end: _Text | None
    stayed: _Short | int | None

    def made(self) -> model.Change:
        return model.Change(self.end, self.before, self.after, self.other_end, self.stayed)


class _Finding(_Part):
    rule: _Rule
    severity: Literal["error", "warning", "note"]
    message: _Text
    resource: _Resource | None
    field: _Short
    value: _Short | int | None
    expected: _Short | int | None
    targets: Annotated[list[_Path], Meta(max_length=5_000)]
    location: _Location | None
    related: Annotated[list[_Related], Meta(max_length=500)]
    fix: _Fix | None
    alternatives: Annotated[list[_Fix], Meta(max_length=50)]
    fingerprint: _Fingerprint
    introduced: bool | None
    change: _Change | None = None
    when: Annotated[dict[_Short, bool | int], Meta(max_length=100)] | None = None

    def made(self) -> model.Result:
        return model.Result(
            rule=self.rule,
            severity=Severity(self.severity),
            message=self.message,
            resource=self.resource.made() if self.resource else None,
            field=self.field,
            value=self.value,
            expected=self.expected,
            targets=tuple(self.targets),
            location=self.location.made() if self.location else None,
            related=tuple(one.made() for one in self.related),
            fix=self.fix.made() if self.fix else None,
            alternatives=tuple(one.made() for one in self.alternatives),
            fingerprint=self.fingerprint,
            introduced=self.introduced,
            change=self.change.made() if self.change else None,
            when=tuple((self.when or {}).items()),
        )


class _Target(_Part):
    id: _Path
    kind: Literal["helm", "kustomize", "manifests"]
    path: _Path
    values: list[_Path]
    status: Literal["checked", "failed", "skipped"]
    reason: _Text | None
    resources: _Count
    seconds: Annotated[float, Meta(ge=0)]

    def made(self) -> model.TargetStatus:
        return model.TargetStatus(
            self.id,
            self.kind,
            _checked(self.path),
            tuple(map(_checked, self.values)),
            self.status,
            self.reason or (None if self.status == "checked" else "no reason known"),
            self.resources,
            self.seconds,
        )


class _Unread(_Part):
    path: _Path
    kind: _Rule
    reason: _Text

    def made(self) -> Unread:
        return Unread(_checked(self.path), self.kind, self.reason)


class _Tool(_Part):
    name: Literal["portproof"]
    version: _Short
    helm: _Short | None
    kustomize: _Short | None


class _Summary(_Part):
    error: _Count
    warning: _Count
    note: _Count
    checked: _Count
    failed: _Count
    skipped: _Count
    ignored: _Count = 0


class _Report(_Part):
    schema: Literal["portproof/report/1"]
    tool: _Tool
    targets: Annotated[list[_Target], Meta(max_length=100_000)]
    findings: Annotated[list[_Finding], Meta(max_length=_MAX_FINDINGS)]
    summary: _Summary
    unread: Annotated[list[_Unread], Meta(max_length=100_000)] = msgspec.field(default_factory=list)


def load(file: Path) -> Report:
    """The report in a file, or in the only JSON file of a folder. Raises `UsageError` for anything else."""
    try:
        found = [one for one in sorted(file.iterdir()) if one.suffix == ".json"] if file.is_dir() else [file]
        if len(found) != 1:
            raise UsageError(
                f"found {len(found)} JSON files, but expected one report",
                next_step="Set the input path to the downloaded report.",
            )
        return parse(_bytes(found[0]))
    except OSError as error:
        raise UsageError(
            f"the report cannot be read: {(error.strerror or 'no').lower()}",
            next_step="Download the artifact of the first workflow, and set the input path to its file.",
        ) from error


def parse(data: bytes) -> Report:
    """The report that `data` holds; the pages of its rules are those of this version. Raises `UsageError` when it breaks the schema."""
    try:
        found = msgspec.json.decode(data, type=_Report)
        report = Report(
            tools=model.ToolVersions(found.tool.version, found.tool.helm, found.tool.kustomize),
            paths=(".",),
            rules=all_rules(),
            targets=tuple(one.made() for one in found.targets),
            results=tuple(one.made() for one in found.findings),
            skips=(),
            lines={},
            left_out=found.summary.ignored,
            unread=tuple(one.made() for one in found.unread),
        )
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise UsageError(
            f"not a portproof report: {str(error)[:200]}",
            next_step="Post only a report that `report-file` of the same version wrote.",
        ) from error
    counts = {severity.value: report.count(severity) for severity in Severity}
    if any(getattr(found.summary, name) != count for name, count in counts.items()):
        raise UsageError(
            "the report's counts do not match its findings",
            next_step="Post only a report that `report-file` wrote.",
        )
    return report


def _bytes(file: Path) -> bytes:
    handle = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as stream:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(0, "it is not a regular file")
        data = stream.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise OSError(0, f"it is larger than {MAX_BYTES // 1024 // 1024} MiB")
    return data


def _checked(path: str) -> str:
    if normalise(path) != path:
        raise ValueError(f"not a path in the repository: {path[:80]!r}")
    return path
