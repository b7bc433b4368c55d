"""The report: everything portproof has to say, with places in files, independent of any format.

Positions in here are for people: lines and columns count from 1, columns in code points, ends exclusive.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any

from msgspec import Struct, field

from portproof.discover.model import Skip
from portproof.discover.unread import Unread
from portproof.flags import Given
from portproof.graph.chains import Hop
from portproof.replacing import replace
from portproof.resources import ResourceKey
from portproof.rules.base import Rule, Severity
from portproof.source import RelPath
from portproof.suppressions.model import SuppressionSource


class Location(Struct, frozen=True, order=True):
    """A place that a person edits; `proof` is ``proven`` or ``hinted``."""

    path: RelPath
    line: int
    column: int
    end_line: int
    end_column: int
    proof: str


class TextEdit(Struct, frozen=True):
    """One edit of one scalar, in lines and columns."""

    path: RelPath
    line: int
    column: int
    end_line: int
    end_column: int
    old: str
    new: str


class Effect(Struct, frozen=True):
    """A field of the rendering that a fix changes; it is about those that are `intended`, the others come along."""

    resource: ResourceKey
    field: str
    before: object
    after: object
    intended: bool = False


class Fix(Struct, frozen=True):
    """A proven way to cure a finding. `patch` is a unified diff that ``git apply`` accepts at the root.

    `risks` say why it is unsafe, each a kind (``callers``) and a clause; a safe one has none. `id` names its edits, wherever
    their lines are. `cures` are the fingerprints of all findings that are gone with it, `excludes` the ids of fixes of other
    findings with which it does not go together, where that was tried.
    """

    description: str
    edits: tuple[TextEdit, ...]
    effects: tuple[Effect, ...]
    patch: str
    risks: tuple[tuple[str, str], ...] = ()
    id: str = ""
    cures: tuple[str, ...] = ()
    excludes: tuple[str, ...] = ()

    @property
    def is_safe(self) -> bool:
        """Whether it can be applied without a second look."""
        return not self.risks


class Related(Struct, frozen=True):
    """The other end of a finding, or a piece of its evidence."""

    message: str
    resource: ResourceKey
    field: str
    location: Location | None


class RenderedObject(Struct, frozen=True):
    """Lines of a rendered object, with what is secret masked, around a field of it.

    `line` counts from 0 in `lines`, the columns are those of a place. `above` and `below` say whether lines are cut off there.
    """

    target: str
    name: str
    lines: tuple[str, ...]
    line: int
    column: int
    end_column: int
    above: bool
    below: bool


class Change(Struct, frozen=True):
    """What a change did to an edge: the field of one end moved from `before` to `after`, the other end stayed.

    Both are fields, as ``Service/web spec.ports[0].targetPort``. `after` is None where the end is gone, `before` where it
    is new. `other_end` is None where both ends moved.
    """

    end: str
    before: str | int | None
    after: str | int | None
    other_end: str | None = None
    stayed: str | int | None = None


class Result(Struct, frozen=True):
    """One finding as it is reported.

    `resource` is None for findings about a target as a whole (``render-failed``). `introduced` is None unless a base
    was compared with, and where the base could not be rendered. With a base `location` is where the change touched the edge, and the field itself is one of the `related`
    places if it is elsewhere. `chain` is the way of the traffic through the field, for a picture; formats for programs
    leave it out. `when` are the values that show it, by their keys, where the target's own values do not.
    """

    rule: str
    severity: Severity
    message: str
    resource: ResourceKey | None
    field: str
    value: str | int | None
    expected: str | int | None
    targets: tuple[str, ...]
    location: Location | None
    related: tuple[Related, ...]
    fix: Fix | None
    alternatives: tuple[Fix, ...]
    fingerprint: str
    introduced: bool | None = None
    chain: tuple[Hop, ...] = ()
    change: Change | None = None
    when: tuple[tuple[str, bool | int | str], ...] = ()

    @property
    def is_elsewhere(self) -> bool:
        """Whether `location` is a line of the change other than that of the field itself."""
        return any((one.resource, one.field) == (self.resource, self.field) for one in self.related)


class Ignored(Struct, frozen=True):
    """A finding that is left out: how and why. `brought` is true when what leaves it out is new since the base."""

    result: Result
    how: SuppressionSource
    reason: str
    brought: bool = False


class TargetStatus(Struct, frozen=True):
    """What became of a target: ``checked``, ``failed`` or ``skipped`` (then `reason` says why).

    The `reason` of one that was checked says without which part it was, or why it could not be compared with the base.
    """

    id: str
    kind: str
    path: RelPath
    values: tuple[RelPath, ...]
    status: str
    reason: str | None
    resources: int
    seconds: float

    @property
    def main_file(self) -> RelPath:
        """The file to look at first: a chart's ``Chart.yaml``, else the target's own path."""
        if self.kind != "helm":
            return self.path
        return "Chart.yaml" if self.path == "." else f"{self.path}/Chart.yaml"


class ReportVerdict(Enum):
    """What a report comes to. That nothing was checked is never a pass."""

    UNAFFECTED = "nothing to check: what changed concerns no target"
    EMPTY = "nothing to check: there is no target"
    UNCHECKED = "no target could be checked"
    CLEAN = "no findings"
    FINDINGS = "findings"


class ToolVersions(Struct, frozen=True):
    """Portproof's own version, and those of helm and kustomize, None where nothing needed them."""

    portproof: str
    helm: str | None
    kustomize: str | None


class Terminal(Struct, frozen=True):
    """What shows a text: whether it has colors, and how many columns; None where it is none, but a file or a log."""

    color: bool = False
    width: int | None = None


class Report(Struct, frozen=True):
    """All of it, in the order in which it is shown; `lines` holds the source lines that excerpts need.

    `paths` are what was asked for, `rules` those that ran, with their pages.
    `base` is the commit that was compared with, if any; `unaffected` counts the targets that were not rendered because
    the difference cannot affect them. `ignored` are findings that are left out; `left_out` is their number, also where
    only that is known. `given` is the command line that asked for it. `unread` is what looks deployable and was not looked
    at. `further` are keys of the JSON report that only those get who ask for them. `rendered` are the objects behind the
    findings, by fingerprint; None where nobody asked for them.
    """

    tools: ToolVersions
    paths: tuple[RelPath, ...]
    rules: tuple[Rule, ...]
    targets: tuple[TargetStatus, ...]
    results: tuple[Result, ...]
    skips: tuple[Skip, ...]
    lines: Mapping[RelPath, Mapping[int, str]]
    base: str | None = None
    unaffected: int = 0
    ignored: tuple[Ignored, ...] = ()
    left_out: int = 0
    given: Given = field(default_factory=Given)
    unread: tuple[Unread, ...] = ()
    further: Mapping[str, Any] = field(default_factory=dict)
    rendered: Mapping[str, RenderedObject] | None = None

    @property
    def news(self) -> Report:
        """The report without what the base has too."""
        results = tuple(result for result in self.results if result.introduced is not False)
        old = [one for one in self.ignored if one.result.introduced is False and not one.brought]
        ignored = tuple(one for one in self.ignored if one not in old)
        return replace(self, results=results, ignored=ignored, left_out=self.left_out - len(old))

    @property
    def verdict(self) -> ReportVerdict:
        """What it comes to."""
        if self.results:
            return ReportVerdict.FINDINGS
        if not self.targets:
            return ReportVerdict.UNAFFECTED if self.unaffected else ReportVerdict.EMPTY
        return ReportVerdict.CLEAN if self.status_count("checked") else ReportVerdict.UNCHECKED

    def count(self, severity: Severity) -> int:
        """How many findings have exactly this severity."""
        return sum(result.severity is severity for result in self.results)

    def fails(self, threshold: str) -> bool:
        """Whether a finding counts: at or above the threshold, and introduced where a base was compared with."""
        return any(self.counts(one, threshold) for one in self.results)

    def counts(self, result: Result, threshold: str) -> bool:
        """Whether one finding makes the check fail."""
        new = result.introduced or (result.introduced is None and not self.base)
        return result.severity.reaches(threshold) and bool(new)

    @property
    def is_whole(self) -> bool:
        """Whether all that looks deployable was looked at: ``--strict`` asks for it."""
        return not self.unread and not self.status_count("skipped")

    def status_count(self, status: str) -> int:
        """How many targets have this status."""
        return sum(target.status == status for target in self.targets)
