"""A change of ports in words, for text and for Markdown: what moved, and who asks for it.

Names and numbers come from the repository: `mark` makes each of them harmless for where it is shown.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

from msgspec import Struct

from portproof.graph.differences import Caller, ChangeKind, EdgeChange, EdgeState
from portproof.graph.model import Relation
from portproof.graph.phrasing import listing
from portproof.replacing import replace
from portproof.report.summary_line import listed

_CALLERS = 6
_TARGETS = 4
_OFFERS = 5
_VALUES = "?values="
_BECOMES = {
    ChangeKind.BROKEN: "broken",
    ChangeKind.MOVED: "moves too",
    ChangeKind.CHANGED: "changed",
    ChangeKind.MENDED: "repaired",
    ChangeKind.NEW: "new",
    ChangeKind.GONE: "gone",
}
_NO_PODS, _NO_SERVICE = "no workload here has these labels", "is not in this rendering"
UNANSWERED, UNDECLARED = "new, unanswered", "new, undeclared"
TITLES = (
    "broken",
    UNANSWERED,
    UNDECLARED,
    "moved together",
    "moved",
    "renamed",
    "changed",
    "repaired",
    "new",
    "gone",
)
"""What a change is called, in the order in which they are shown."""

URGENT = TITLES[:2]
"""Those that nobody should overlook."""


class Words(Struct, frozen=True):
    """How names and numbers, and sentences with names in them, are written; and what stands between old and new."""

    mark: Callable[[str], str]
    prose: Callable[[str], str]
    arrow: str

    def moved(self, before: object, after: object) -> str:
        """``8080 → 9090``; one word where both are the same."""
        old, new = (self.mark("nothing" if one is None else str(one)) for one in (before, after))
        return old if old == new else f"{old} {self.arrow} {new}"


def title(change: EdgeChange) -> str:
    """What kind of change it is; one of `TITLES`."""
    if change.kind is ChangeKind.MOVED:
        return _moved(change)
    if change.kind is ChangeKind.NEW and change.after and change.after.meets is False:
        by_number = isinstance(change.after.asked, int) and not change.after.whom.startswith("Service/")
        return "new" if by_number and _own(change) else UNDECLARED if by_number else UNANSWERED
    if change.kind is ChangeKind.CHANGED and change.was is not None and _numbers_stay(change):
        return "renamed"
    return "repaired" if change.kind is ChangeKind.MENDED else str(change.kind.value)


def _moved(change: EdgeChange) -> str:
    """Whether both ends got another number, or only one of them, which changes nothing for the other."""
    before, after = change.before, change.after
    kinds = {one.kind for one in change.callers}
    if before is None or after is None or ChangeKind.BROKEN in kinds:
        return "moved"
    if change.together or (before.port != after.port and ChangeKind.MOVED in kinds):
        return "moved together"
    moved = before.port != after.port or before.reaches != after.reaches
    return "moved" if moved else "changed"


def _numbers_stay(change: EdgeChange) -> bool:
    before, after = change.before, change.after
    return before is not None and after is not None and replace(before, whom=after.whom) == after


def what(change: EdgeChange, words: Words) -> str:
    """What moved, in one line: ``Service/cart 80: targetPort 8080 → 9090``."""
    return "; ".join(filter(None, (_told(change, words), _unmet(change, words))))


def _told(change: EdgeChange, words: Words) -> str:
    if change.relation is Relation.TARGET:
        return _service(change, words)
    if is_left_behind(change):
        return _missing(change, words)
    before, after = change.before, change.after
    name = names([change, *_fellows(change)], words)
    if before is None or after is None:
        state = after or before
        verb = "ask" if ", " in name or " and " in name else "asks"
        return f"{name} {verb} for {_asked(state, words, _own(change))}" if state else name
    own = _own(change)
    if before.whom != after.whom:
        return f"{name}: {_asked(before, words, own)} {words.arrow} {_asked(after, words, own)}"
    whom = "" if own or not before.whom else f"{words.mark(before.whom)} "
    number = words.moved(_range(before), _range(after))
    if (
        before.reaches
        and after.reaches
        and (_range(before), _range(after)) != (_numbers(before), _numbers(after))
    ):
        number += f" ({words.moved(_numbers(before), _numbers(after))})"
    return f"{name}: {whom}{number}"


def _service(change: EdgeChange, words: Words) -> str:
    """What becomes of a Service's port."""
    before, after, name = change.before, change.after, words.moved(change.was or change.holder, change.holder)
    if before is None or after is None:
        return _alone(change, words)
    parts = []
    if before.port == after.port and before.port is not None:
        name = words.moved(f"{change.was or change.holder} {before.port}", f"{change.holder} {after.port}")
    elif before.port != after.port:
        parts.append(f"port {words.moved(before.port, after.port)}")
    implicit = before.asked == before.port and after.asked == after.port and before.port != after.port
    stays = before.port == after.port and before.reaches == after.reaches and before.whom == after.whom
    if not implicit and (before.asked != after.asked or stays or change.kind is ChangeKind.BROKEN):
        parts.append(f"targetPort {words.moved(before.asked, after.asked)}")
    told = (before.reaches, after.reaches) == ((before.asked,), (after.asked,))
    if before.reaches != after.reaches and before.reaches and after.reaches and not told:
        parts.append(f"containerPort {words.moved(_numbers(before), _numbers(after))}")
    if before.whom != after.whom and after.whom and before.whom:
        parts.append(f"pods of {words.moved(before.whom, after.whom)}")
    elif before.whom != after.whom and after.whom:
        parts.append(f"now selects pods of {words.mark(after.whom)}")
    return f"{name}: {', '.join(parts)}" if parts else name


def _alone(change: EdgeChange, words: Words) -> str:
    """A port of a Service that is new or gone, or that goes on without some of its pods, or with more of them."""
    state = change.after or change.before
    assert state is not None  # noqa: S101 - it has one of both
    name = words.mark(f"{change.holder} {state.port}")
    if not change.also:
        return f"{name}: {_port(state, words)}"
    verb = "also sends to" if change.after else "no longer sends to"
    return f"{name} {verb} {words.mark(state.whom)} (targetPort {words.mark(str(state.asked))})"


def _port(state: EdgeState, words: Words) -> str:
    target = f"targetPort {words.mark(str(state.asked))}"
    if state.reaches and state.reaches != (state.asked,):
        target += f" ({words.mark(_numbers(state))})"
    return f"{target} of {words.mark(state.whom)}" if state.whom else target


def is_left_behind(change: EdgeChange) -> bool:
    """Whether an edge is broken because what it still asks for is not there any more."""
    before, after = change.before, change.after
    if change.kind is not ChangeKind.BROKEN or change.relation is Relation.TARGET or not before or not after:
        return False
    return before.asked == after.asked and before.whom == after.whom and bool(before.whom)


def _missing(change: EdgeChange, words: Words) -> str:
    """The port that is not there any more; those who ask for it are the callers."""
    after = change.after
    assert after is not None  # noqa: S101 - `is_left_behind`
    if after.meets is None:
        return f"{words.mark(after.whom)} is gone, or called otherwise"
    has = "has" if after.whom.startswith("Service/") else "declares"
    return f"{words.mark(after.whom)} {has} no port {words.mark(_range(after))} any more"


def _unmet(change: EdgeChange, words: Words) -> str:
    """Why nobody answers after the change; empty where somebody does."""
    before, after = change.before, change.after
    if after is None or after.meets or (before is None and _own(change) and isinstance(after.asked, int)):
        return ""
    if before is not None and before.meets is False:
        return ""
    if after.meets is None:
        return "" if is_left_behind(change) else _reason(change, after, words)
    whom = after.whom.partition(" ")[0]
    who = "it" if is_left_behind(change) or _own(change) else words.mark(whom) if whom else "what it selects"
    has = "has" if after.whom.startswith("Service/") else "declares"
    if not after.offers:
        return "" if is_left_behind(change) else f"{who} {has} no port"
    return f"{who} {has} only {listed(tuple(map(words.mark, after.offers)), _OFFERS)}"


def _reason(change: EdgeChange, after: EdgeState, words: Words) -> str:
    """Why it is not known who answers; where nobody did before, only that nobody is there."""
    if after.unknown == _NO_PODS:
        return "no pods here have the labels of its selector"
    if after.asked is None and change.relation is Relation.TARGET:
        return "its port is empty"
    if after.unknown.endswith(_NO_SERVICE):
        if change.before and change.before.meets is None:
            return ""
        return f"{words.mark(after.whom)} is not rendered here"
    return words.prose(after.unknown) if change.before and change.before.meets else ""


def _asked(state: EdgeState, words: Words, own: bool) -> str:
    wanted = _range(state) or "any port"
    return words.mark(wanted if own or not state.whom else f"{state.whom} {wanted}")


def _range(state: EdgeState) -> str:
    if state.asked is None:
        return ""
    return f"{state.asked}-{state.last}" if state.last is not None else str(state.asked)


def _numbers(state: EdgeState) -> str:
    return ", ".join(map(str, state.reaches))


def _own(change: EdgeChange) -> bool:
    """Whether the pods ask for a port of their own: a probe, a hook, an annotation."""
    return change.relation in (Relation.PROBE, Relation.HOOK) or any(
        state.whom == str(change.holder) for state in (change.before, change.after) if state is not None
    )


# who asks


def callers(change: EdgeChange, words: Words) -> str:
    """Who asks for the port, and what becomes of them: ``Ingress/web (moves too), env of Deployment/front``."""
    here: dict[str, list[EdgeChange | Caller]] = defaultdict(list)
    elsewhere: dict[tuple[str, str], list[str]] = defaultdict(list)
    if is_left_behind(change):
        here[""].append(change)
    for one in change.callers:
        becomes = _becomes(one.kind, change)
        if one.target:
            (name,) = _by_holder([one], words)
            elsewhere[name, becomes].append(one.target)
        elif one not in _fellows(change):
            here[becomes].append(one)
    told = [f"{name}{becomes}" for becomes, group in here.items() for name in _by_holder(group, words)]
    told += [
        f"{name} in {environments(dict.fromkeys(targets), words)}{becomes}"
        for (name, becomes), targets in elsewhere.items()
    ]
    return listed(tuple(dict.fromkeys(told)), _CALLERS)


def _becomes(kind: ChangeKind | None, change: EdgeChange) -> str:
    if kind is None or (kind is change.kind and kind is not ChangeKind.MOVED):
        return ""
    return f" ({_BECOMES[kind]})"


def _fellows(change: EdgeChange) -> tuple[Caller, ...]:
    """Those who do what the edge itself does, where it is no Service's: they ask for the same, and none for the other."""
    if change.relation is Relation.TARGET or is_left_behind(change):
        return ()
    return tuple(one for one in change.callers if one.kind is change.kind)


def names(askers: Iterable[EdgeChange | Caller], words: Words) -> str:
    """Who asks, as people call it: ``livenessProbe, readinessProbe of Deployment/web, Ingress/web``."""
    return listed(tuple(_by_holder(askers, words)), _CALLERS)


def _by_holder(askers: Iterable[EdgeChange | Caller], words: Words) -> Iterator[str]:
    parts: dict[str, dict[str, None]] = defaultdict(dict)
    for one in askers:
        parts[str(one.holder)][_part(one)] = None
    for holder, several in parts.items():
        told = listing(several)
        yield f"{told} of {words.mark(holder)}" if told else words.mark(holder)


def _part(one: EdgeChange | Caller) -> str:
    steps = one.field.replace("[", ".").split(".")
    if one.relation in (Relation.PROBE, Relation.HOOK, Relation.CALLER):
        for name in reversed(steps):
            if name.endswith("Probe") or name in ("preStop", "postStart", "env", "args", "command"):
                return name
    return "annotation" if "annotations" in steps else ""


# where


def environments(ids: Iterable[str], words: Words, among: Iterable[str] = ()) -> str:
    """Targets as people name them: ``charts/web (default values, values-prod.yaml), overlays/prod``.

    A chart's default values are named where others of the chart are `among` the targets that are spoken of.
    """
    mixed = {_split(id_)[0] for id_ in among if _split(id_)[1]}
    values: dict[str, list[str]] = defaultdict(list)
    for id_ in ids:
        path, given = _split(id_)
        values[path].append(given)
    return listed(tuple(_targets(values, mixed, words)), _TARGETS)


def _split(id_: str) -> tuple[str, str]:
    """The path of a target, and the values that it is given."""
    path, _, given = id_.partition(":")[2].partition(_VALUES)
    return path, given


def _targets(values: Mapping[str, list[str]], mixed: Collection[str], words: Words) -> Iterator[str]:
    for path, several in values.items():
        name = words.mark("the root of the repository" if path == "." else path)
        if several == [""] and path not in mixed:
            yield name
        else:
            given = tuple(words.mark(one.lstrip("/")) if one else "default values" for one in several)
            yield f"{name} ({listed(given, _TARGETS)})"
