"""The part of a shard as it stands in its JSON report, and the shards of one run, held against each other."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import date, time
from enum import Enum
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from portproof.errors import UsageError
from portproof.flags import Given
from portproof.parts.model import Part
from portproof.report.json_ import plain

KEY = "shard"
"""The key of a JSON report that holds it."""

MAX_BYTES = 512 * 1024 * 1024
"""Of one report: a shard of thousands of charts with findings has a hundredth of it."""


class Shard(Struct, frozen=True):
    """What the report of a shard says beside what every report says.

    `cut` and `configuration` are digests of what all shards of a run have in common, `revision` is the commit, if there is
    one. `given` and `fail_on` are those of its command line and configuration.
    """

    index: int
    total: int
    cut: str
    configuration: str
    revision: str
    fail_on: str
    given: Given
    part: Part

    def data(self) -> Any:
        """The shard as JSON has it."""
        # A value of a manifest becomes the text that a report makes of it.
        return plain(
            msgspec.to_builtins(self, str_keys=True, builtin_types=(bytes, date, time), enc_hook=str)
        )


def read(file: Path) -> Shard:
    """The shard of the report in a file. Raises `UsageError` for anything else."""
    try:
        with file.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise UsageError(
            f"{file}: {(error.strerror or 'cannot be read').lower()}",
            next_step="Name the JSON reports of all shards.",
        ) from error
    if len(data) > MAX_BYTES:
        raise UsageError(
            f"{file}: larger than {MAX_BYTES // 1024 // 1024} MiB",
            next_step="Name the JSON reports of all shards.",
        )
    try:
        report = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise UsageError(
            f"{file}: not a JSON report: {str(error)[:200]}", next_step="Name the JSON reports of all shards."
        ) from error
    if not isinstance(report, dict) or KEY not in report:
        raise UsageError(
            f"{file}: not the report of a shard",
            next_step="Write the reports to merge with `portproof check --shard I/N --report json=FILE`.",
        )
    try:
        return msgspec.convert(report[KEY], Shard, str_keys=True)
    except (msgspec.ValidationError, ValueError, RecursionError) as error:
        raise UsageError(
            f"{file}: not a shard of this version: {str(error)[:200]}",
            next_step="Write the reports with the same version of portproof that merges them.",
        ) from error


class _Difference(Enum):
    """In what the shards of one run agree."""

    VERSION = "versions of portproof"
    TOTAL = "numbers of shards"
    REVISION = "revisions"
    BASE = "revisions to compare with"
    HELM = "versions of helm"
    KUSTOMIZE = "versions of kustomize"
    CONFIGURATION = "configurations or options"
    CUT = "targets, or costs by which they were cut"


_FACTS: dict[_Difference, Callable[[Shard], object]] = {
    _Difference.VERSION: lambda one: one.part.tools.portproof,
    _Difference.TOTAL: lambda one: one.total,
    _Difference.REVISION: lambda one: one.revision,
    _Difference.BASE: lambda one: one.part.base,
    _Difference.HELM: lambda one: one.part.tools.helm,
    _Difference.KUSTOMIZE: lambda one: one.part.tools.kustomize,
    _Difference.CONFIGURATION: lambda one: one.configuration,
    _Difference.CUT: lambda one: one.cut,
}
_MAY_LACK = frozenset({_Difference.HELM, _Difference.KUSTOMIZE})
"""What a shard without a chart, or without an overlay, has not asked for."""


def in_order(read: Sequence[tuple[Path, Shard]]) -> tuple[Shard, ...]:
    """The shards of one run, all of them, by their index. Raises `UsageError` where they are not that."""
    first = read[0][1]
    for what, fact in _FACTS.items():
        known = [(file, fact(one)) for file, one in read]
        if what in _MAY_LACK:
            known = [(file, value) for file, value in known if value is not None]
        for file, value in known[1:]:
            if value != known[0][1]:
                raise UsageError(
                    f"{known[0][0]} and {file} have different {what.value}{_said(known[0][1], value)}",
                    next_step="Merge the reports of one run: same revision, options, version and costs in every shard.",
                )
    for index, count in sorted(Counter(one.index for _, one in read).items()):
        if count > 1:
            files = [str(file) for file, one in read if one.index == index]
            raise UsageError(
                f"shard {index}/{first.total} is there twice: {' and '.join(files)}",
                next_step="Give each report once, and each shard a file of its own name.",
            )
    missing = sorted(set(range(1, first.total + 1)) - {one.index for _, one in read})
    if missing:
        names = ", ".join(f"{index}/{first.total}" for index in missing)
        raise UsageError(
            f"no report of shard {names}",
            next_step="Look at the job of that shard: it wrote no report, or its file was not handed over.",
        )
    return tuple(sorted((one for _, one in read), key=lambda one: one.index))


def _said(one: object, other: object) -> str:
    """Two values, if they say something to a reader."""
    short = all(value is None or len(str(value)) <= 40 for value in (one, other))
    return f": {one} and {other}" if short else ""
