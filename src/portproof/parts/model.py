"""What a run found out about its targets, as data: what can only be judged beside other targets is left as facts.

A whole run has one part, each shard of one another. Whatever is in here can be written as JSON and read back.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct, field

from portproof.discover.model import (
    HelmTarget,
    Install,
    KustomizeTarget,
    ManifestTarget,
    RemoteChart,
    Skip,
    Target,
)
from portproof.discover.unread import Unread
from portproof.render.model import FailureSite, RenderFailure
from portproof.report.model import Ignored, Location, Result, TargetStatus, ToolVersions
from portproof.rules.severity import Severity
from portproof.source import RelPath
from portproof.suppressions.collected import Use
from portproof.suppressions.model import Suppression
from portproof.suppressions.unused import UnusedSuppression


class Failed(Struct, frozen=True):
    """A failure to render; how bad it is depends on what became of other targets.

    `is_old` says that the base has it, too, `was_checked` that the base could render the target. `ignore` leaves it out,
    and is `brought` when it is new.
    """

    target: str
    kind: str
    path: RelPath
    values: tuple[RelPath, ...]
    inferred: bool
    installed: bool
    remote: bool
    message: str
    site: FailureSite | None
    location: Location | None
    demanded: bool
    wants: str
    has: tuple[str, ...]
    fingerprint: str
    is_old: bool = False
    was_checked: bool = False
    ignore: Suppression | None = None
    brought: bool = False

    @property
    def failure(self) -> RenderFailure:
        """The same to those who judge it."""
        return RenderFailure(self._target, self.message, self.site, self.demanded, 0.0, self.wants, self.has)

    @property
    def _target(self) -> Target:
        match self.kind:
            case "helm":
                install = Install("", -1) if self.installed else None
                remote = RemoteChart("", "", "", self.path, 0, ()) if self.remote else None
                return HelmTarget(
                    self.path, self.values, install=install, remote=remote, inferred=self.inferred
                )
            case "kustomize":
                return KustomizeTarget(self.path)
            case _:
                return ManifestTarget(self.path)


class Lost(Struct, frozen=True):
    """A target that a change takes out of the check: at which line of which path, and why."""

    target: str
    path: RelPath
    line: int
    reason: str
    location: Location
    fingerprint: str
    ignore: Suppression | None = None
    brought: bool = False


class Idle(Struct, frozen=True):
    """An ignore that left something open in this part; `targets` read its file, `brought` is None without a base."""

    unused: UnusedSuppression
    location: Location | None
    targets: tuple[str, ...]
    brought: bool | None


class Part(Struct, frozen=True):
    """What a run found out about its targets.

    `rules` are the ids of those that ran, `severities` what the configuration makes of them. `skipped`, `unread` and
    `skips` are about the whole tree, `absent` is about charts of this part. `rendered` are the folders of charts that were
    rendered whole. `unaffected` counts the targets that nobody was to look at; `added` are those that were looked at all
    the same. `used` and `idle` are ignores; `complete` says that nothing of this part was left out.
    """

    tools: ToolVersions
    paths: tuple[RelPath, ...]
    rules: tuple[str, ...]
    severities: Mapping[str, Severity]
    targets: tuple[TargetStatus, ...]
    skipped: tuple[TargetStatus, ...]
    results: tuple[Result, ...]
    ignored: tuple[Ignored, ...]
    failures: tuple[Failed, ...]
    lost: tuple[Lost, ...]
    rendered: tuple[RelPath, ...]
    used: tuple[Use, ...]
    idle: tuple[Idle, ...]
    complete: bool
    skips: tuple[Skip, ...]
    lines: Mapping[RelPath, Mapping[int, str]]
    unread: tuple[Unread, ...] = ()
    absent: tuple[Unread, ...] = ()
    base: str | None = None
    unaffected: int = 0
    added: tuple[str, ...] = field(default=())
