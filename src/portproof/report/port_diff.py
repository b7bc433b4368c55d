"""What ``portproof diff`` prints: the edges that a change moves, breaks, mends, adds and removes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from portproof.graph.differences import ChangeKind, EdgeChange, EdgeState
from portproof.report.json_ import dumps
from portproof.report.safe import discreet, log_line, one_line, visible
from portproof.report.summary_line import plural

SCHEMA = "portproof/diff/1"


@dataclass(frozen=True, slots=True)
class TargetDiff:
    """A target in both revisions; with a `reason` it was not compared: it did not render in one of them."""

    id: str
    changes: tuple[EdgeChange, ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True)
class PortDiff:
    """What a change does to ports since the commit `base`, by the targets that it concerns, in the order of their ids."""

    base: str
    targets: tuple[TargetDiff, ...]

    @property
    def counts(self) -> Counter[ChangeKind]:
        """How many edges there are of each kind."""
        return Counter(change.kind for one in self.targets for change in one.changes)


def text(diff: PortDiff) -> str:
    """For people: a block for each target with changes, then what was not compared, then one line that sums it up."""
    lines: list[str] = []
    for one in diff.targets:
        if one.changes:
            lines.append(visible(one.id))
            rows = [_row(change) for change in one.changes]
            widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
            lines += [f"  {_padded(row, widths)}" for row in rows]
            lines.append("")
    unknown = [one for one in diff.targets if one.reason]
    if unknown:
        lines += ["Not compared:"]
        lines += [f"  {visible(one.id)}: {visible(one_line(discreet(one.reason)))}" for one in unknown]
        lines.append("")
    lines.append(_summary(diff))
    return "".join(f"{log_line(line)}\n" for line in lines)


def json(diff: PortDiff) -> str:
    """For programs."""
    return dumps(
        {
            "schema": SCHEMA,
            "base": diff.base,
            "targets": [
                {
                    "id": one.id,
                    "status": "failed" if one.reason else "compared",
                    "reason": discreet(one.reason) or None,
                    "changes": [_change(change) for change in one.changes],
                }
                for one in diff.targets
            ],
            "summary": {kind.value: diff.counts[kind] for kind in ChangeKind},
        }
    )


def _summary(diff: PortDiff) -> str:
    counts = diff.counts
    if not counts:
        return "No port changes" + (
            " in what could be compared" if any(one.reason for one in diff.targets) else ""
        )
    some = ", ".join(f"{counts[kind]} {kind.value}" for kind in ChangeKind if counts[kind])
    return f"{plural(counts.total(), 'port change')}: {some}"


def _padded(row: tuple[str, ...], widths: list[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _row(change: EdgeChange) -> tuple[str, ...]:
    before, after = change.before, change.after
    if before is None or after is None:
        state = before or after
        what = _said(state) if state else ""
    else:
        was, now = _said(before), _said(after)
        what = was if was == now else f"{was} => {now}"
    cells = (change.kind.value, change.relation.value, str(change.holder), change.field, what)
    return tuple(visible(one_line(cell)) for cell in cells)


def _said(state: EdgeState) -> str:
    return " ".join(_words(state))


def _words(state: EdgeState) -> Iterator[str]:
    if state.port is not None and state.port != state.asked:
        yield f"{state.port} ->"
    if state.asked is not None:
        yield f"{state.asked}-{state.last}" if state.last is not None else str(state.asked)
    if state.whom:
        yield f"of {state.whom}"
    others = [str(one) for one in state.reaches if one != state.asked]
    if others:
        yield f"({', '.join(others)})"
    if state.meets is not True:
        yield "(nobody has it)" if state.meets is False else "(not known)"


def _change(change: EdgeChange) -> dict[str, Any]:
    holder = change.holder
    return {
        "kind": change.kind.value,
        "relation": change.relation.value,
        "resource": {
            "api_version": holder.api_version,
            "kind": holder.kind,
            "namespace": holder.namespace,
            "name": holder.name,
        },
        "field": change.field,
        "before": _state(change.before),
        "after": _state(change.after),
    }


def _state(state: EdgeState | None) -> dict[str, Any] | None:
    if state is None:
        return None
    return {
        "whom": state.whom or None,
        "asked": state.asked,
        "last": state.last,
        "port": state.port,
        "meets": state.meets,
        "reaches": list(state.reaches),
    }
