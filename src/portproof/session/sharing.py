"""Which of the targets of a run are those of a shard, and what its report has to say so that it can be joined."""

# ruff: noqa: PLC0415

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from msgspec import Struct

from portproof import cut as cutting
from portproof.cut import Cut, Share
from portproof.discover.model import STREAM, Target
from portproof.errors import UsageError
from portproof.flags import FLAGS
from portproof.replacing import replace
from portproof.session.prepared import Prepared
from portproof.session.request import Request

if TYPE_CHECKING:
    from collections.abc import Callable

    from portproof.outcome import Outcome
    from portproof.parts.model import Part
    from portproof.parts.shard import Shard
    from portproof.pipeline import Plan


class Found(Protocol):
    """What a check has found; with a base it says, too, whether a Service lost a port."""

    @property
    def outcome(self) -> Outcome:
        """All of it."""
        ...

    @property
    def loses_ports(self) -> bool:
        """Whether callers may miss a port that the base had, wherever they are."""
        ...


_Found = TypeVar("_Found", bound=Found)


class Shared(Struct, frozen=True):
    """The targets of a shard among those of the run."""

    share: Share
    cut: Cut

    @property
    def targets(self) -> tuple[Target, ...]:
        """Its own."""
        return self.cut.of(self.share)

    @property
    def others(self) -> frozenset[str]:
        """The ids of those that other shards report."""
        every = (one.id for shard in self.cut.shards for one in shard)
        return frozenset(every) - {one.id for one in self.targets}


def shared(request: Request, ready: Prepared) -> Shared | None:
    """The shard that is asked for; None for a run over all. Raises `UsageError` where no shard can be."""
    flags = request.flags
    if flags.shard is None:
        if flags.costs is not None:
            raise UsageError("--costs needs --shard", next_step="Name the shard: `--shard 1/4`.")
        return None
    share = cutting.parsed(flags.shard)
    if ready.paths == (STREAM,):
        raise UsageError(
            "--shard cannot be combined with standard input", next_step="Drop --shard: it is one target."
        )
    if flags.write_baseline:
        raise UsageError(
            "--write-baseline cannot be combined with --shard",
            next_step="Drop --shard: a baseline records every finding.",
        )
    estimates = cutting.estimated(ready.targets, ready.tree)
    costs = cutting.Costs(estimates)
    if flags.costs is not None:
        costs = cutting.measured(estimates, cutting.costs_in(Path(flags.costs)))
    whole_charts = tries_values(request, ready)
    return Shared(share, cutting.cut(ready.targets, share.total, costs, whole_charts=whole_charts))


def tries_values(request: Request, ready: Prepared) -> bool:
    """Whether other values are tried: where that is asked for, and of itself for what a change touches."""
    by_itself = ready.comparison is not None and "what_if" not in ready.file.said
    return request.what_if and (ready.config.what_if or by_itself)


def grown(
    request: Request, ready: Prepared, shared: Shared, plan: Plan, check: Callable[[Plan], _Found]
) -> _Found:
    """What `check` says of the shard's targets and of all that belongs to that, as a run over all would say it."""
    from portproof.growth import Growth

    growth = Growth.of(plan)
    compares, tries = ready.comparison is not None, tries_values(request, ready)
    part_of_it = compares or set(plan.targets) != set(plan.everything)
    if (growth.reach is not None and (part_of_it or tries)) or (compares and tries):
        # Who else is to be asked, what a change took from whom, and how many values are tried, depends on all of it.
        return check(plan)
    wanted = frozenset(shared.targets)
    while True:
        targets = tuple(one for one in plan.targets if one in wanted)
        elsewhere = frozenset(one.id for one in plan.targets if one not in wanted)
        found = check(replace(plan, targets=targets, elsewhere=elsewhere, beside=growth.beside))
        more = frozenset(plan.targets) if found.loses_ports else growth.needed(found.outcome)
        if more <= wanted:
            return found
        wanted |= more


def shard_of(request: Request, ready: Prepared, shared: Shared, part: Part) -> Shard:
    """The part of a shard with what the others have to have in common with it."""
    from portproof.parts.shard import Shard

    return Shard(
        shared.share.index,
        shared.share.total,
        shared.cut.digest,
        _asked(request, ready),
        _commit(ready.tree.root),
        ready.file.config.fail_on,
        request.given,
        part,
    )


_OF_THE_MACHINE = frozenset(
    {
        "jobs",
        "helm",
        "kustomize",
        "quiet",
        "show_rendered",
        "no_cache",
        "timings",
        "shard",
        "costs",
        "fail_on",
        "base",
    }
)
"""Where the tools are, how they are started, what text shows besides, and what makes one shard fail.

Of a base it is the commit that counts.
"""


def _asked(request: Request, ready: Prepared) -> str:
    """A digest of the configuration and of the options."""
    import hashlib
    import json

    import msgspec

    config = msgspec.to_builtins(ready.config, str_keys=True, order="sorted")
    said = {name: value for name, value in config.items() if name not in _OF_THE_MACHINE}
    options = {name: getattr(request.flags, name) for name in FLAGS if name not in _OF_THE_MACHINE}
    text = json.dumps([said, options, ready.paths, request.what_if, ready.file.path], sort_keys=True)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")


def _commit(root: Path) -> str:
    """The commit that is checked out, read without starting git; empty where that cannot be said."""
    folder = root / ".git"
    with suppress(OSError, ValueError):
        if folder.is_file():
            folder = root / folder.read_text(encoding="utf-8").removeprefix("gitdir:").strip()
        head = (folder / "HEAD").read_text(encoding="utf-8").strip()
        found = head if not head.startswith("ref: ") else _of_branch(folder, head.removeprefix("ref: "))
        return found if _COMMIT.fullmatch(found) else ""
    return ""


def _of_branch(folder: Path, name: str) -> str:
    """The commit of a branch, which a linked work tree has in the folder of the main one."""
    common = folder / "commondir"
    shared = folder / common.read_text(encoding="utf-8").strip() if common.is_file() else folder
    if (shared / name).is_file():
        return (shared / name).read_text(encoding="utf-8").strip()
    packed = (shared / "packed-refs").read_text(encoding="utf-8").splitlines()
    return next((line.split()[0] for line in packed if line.endswith(f" {name}")), "")
