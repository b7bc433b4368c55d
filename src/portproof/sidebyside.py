"""Both revisions of what a change concerns, rendered and held side by side: ports only, nothing traced or proven."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeAlias

from msgspec import Struct, field

from portproof.children import discover_all
from portproof.config import Config
from portproof.discover.model import Skip, Target
from portproof.environment import Environment, TargetInterface, interface_of, is_collection, mentions
from portproof.graph import folding, link
from portproof.graph.differences import Caller, ChangeKind, EdgeChange, EdgeState
from portproof.graph.model import PortGraph, Relation, Service, ServiceEdge
from portproof.graph.references import ReferenceKind
from portproof.render.model import NotRendered, Renderer, RenderFailure, Rendering
from portproof.replacing import replace
from portproof.report.port_diff import PortDiff, TargetDiff
from portproof.resources import ResourceKey, read
from portproof.revision import Comparison
from portproof.rules.edges import edges
from portproof.rules.evaluate import evaluation
from portproof.source import RelPath, Tree
from portproof.yamldoc import format_path

_Answer: TypeAlias = "Rendering | RenderFailure | NotRendered | Skip"
Layouts: TypeAlias = Iterable[Callable[[], Tree]]
"""Ways to lay out the base, each with more of it than the one before; the next is tried when a target lacks something."""


class Revisions(Struct, frozen=True):
    """What to hold side by side: the `targets` below `paths` of `tree`, as far as `comparison` concerns them, and their past.

    `skips` are what lies there and is not rendered, `everything` are all targets of the tree. `others` are what targets
    besides these offer and call, where that is known already; else None, and those that may call a moved port are rendered.
    """

    comparison: Comparison
    tree: Tree
    paths: tuple[RelPath, ...]
    targets: tuple[Target, ...]
    skips: tuple[Skip, ...]
    everything: Sequence[Target]
    config: Config
    rows: tuple[ReferenceKind, ...]
    others: tuple[TargetInterface, ...] | None = None


def port_diff(asked: Revisions, render: Renderer, layouts: Layouts) -> PortDiff:
    """Render both revisions and compare the edges of each target.

    A target that was moved or renamed, and has the same edges as before, is no difference.
    """
    with ThreadPoolExecutor(max_workers=asked.config.jobs) as pool:
        sides = _Sides(asked, render, pool)
        sides.look(layouts)
        compared = list(pool.map(lambda id_: _compared(sides, id_), sides.ids))
        several = len(asked.everything) > 1 or len(compared) > 1
        if several and any(_is_service(change) for one in compared for change in one.changes):
            compared = _Outside(sides, compared).completed(compared)
    return PortDiff(asked.comparison.revision, tuple(_without_renames(compared)))


class _Sides(Struct):
    """What each target renders to in both revisions, by its id."""

    asked: Revisions
    render: Renderer
    pool: ThreadPoolExecutor
    before: dict[str, _Answer] = field(default_factory=dict)
    after: dict[str, _Answer] = field(default_factory=dict)

    @property
    def ids(self) -> list[str]:
        """The targets that are compared: those of today, and those that were."""
        return sorted({*self.after, *self.before})

    def look(self, layouts: Layouts) -> None:
        """Render today's targets and those of the base, in as little of it as they need."""
        asked = self.asked
        known = {one.id: one for one in asked.targets if asked.comparison.affects(one)}
        skipped = {one.id: one for one in asked.skips if one.counts and one.id not in known}
        begun = self.begin(known, asked.tree)
        for layout in layouts:
            tree = layout()
            found = discover_all(tree, asked.paths, asked.config, self.render)
            past: dict[str, Target | Skip] = {
                one.id: one for one in found.skips if one.counts and one.id in known
            }
            past |= {one.id: one for one in found.targets if one.id in known or asked.comparison.affects(one)}
            lacking = {
                id_: one for id_, one in past.items() if not isinstance(self.before.get(id_), Rendering)
            }
            rendered = self.begin(lacking, tree)
            self.after |= begun
            self.before |= rendered
            if not self.lacks(skipped):
                break
        self.after |= {id_: one for id_, one in skipped.items() if id_ in self.before}

    def begin(
        self, wanted: Mapping[str, Target | Skip] | Mapping[str, Target], tree: Tree
    ) -> Iterator[tuple[str, _Answer]]:
        """What targets render to in a tree, begun now and waited for when it is looked at; a skip stays one."""

        def one(what: Target | Skip) -> _Answer:
            return what if isinstance(what, Skip) else self.render(what, tree)

        return zip(wanted, self.pool.map(one, wanted.values()), strict=True)

    def lacks(self, skipped: Collection[str]) -> bool:
        """Whether a target did not render in the base that renders today, or is gone: it may have lacked files."""
        return any(
            not isinstance(was, Rendering)
            and (isinstance(self.after[id_], Rendering) if id_ in self.after else id_ not in skipped)
            for id_, was in self.before.items()
        )


def _compared(sides: _Sides, id_: str) -> TargetDiff:
    before, after = sides.before.get(id_), sides.after.get(id_)
    if _is_same(before, after):
        return TargetDiff(id_)
    rows = sides.asked.rows
    old = _graph(before, rows)
    new = _graph(after, rows, None if isinstance(old, str) else old)
    if isinstance(old, str):
        return TargetDiff(id_, reason=f"in the base: {old}" if old != new else f"in both revisions: {old}")
    if isinstance(new, str):
        return TargetDiff(id_, reason=new)
    return TargetDiff(id_, folding.changes(old, new, edges))


def _is_same(before: _Answer | None, after: _Answer | None) -> bool:
    """Whether both revisions render to the same text, as most do: then there is no need to read it."""
    if not isinstance(before, Rendering) or not isinstance(after, Rendering):
        return False
    return [one.text for one in before.documents] == [one.text for one in after.documents]


def _graph(
    answer: _Answer | None, rows: tuple[ReferenceKind, ...], base: PortGraph | None = None
) -> PortGraph | str | None:
    """The ports of a rendering; None for a target that is not there, and text that says why it is not known."""
    if answer is None:
        return None
    if isinstance(answer, NotRendered | Skip):
        return answer.reason
    if isinstance(answer, RenderFailure):
        return answer.message.partition("\n")[0]
    manifests = read(answer)
    if manifests.problems:
        return manifests.problems[0].message.partition("\n")[0]
    return link.build(manifests, rows, base=base)


# who asks from elsewhere


def _is_service(change: EdgeChange) -> bool:
    return change.relation is Relation.TARGET


_Place: TypeAlias = tuple[str, ResourceKey, str]
"""Where a call is made: the target, the object, and its field."""


class _Around:
    """Who calls whom from one target to another, in one revision."""

    def __init__(self, interfaces: Sequence[TargetInterface], asked: Revisions) -> None:
        guess = not is_collection(asked.everything)
        environment = Environment(interfaces, asked.config.environments, guess=guess)
        self.made: dict[_Place, ServiceEdge] = {}
        self.services = {
            (one.target.id, each.service.key.name): each.service
            for one in interfaces
            for each in one.services
        }
        self._calls: dict[tuple[str, str], dict[_Place, ServiceEdge]] = defaultdict(dict)
        for one in interfaces:
            around = environment.around(one.target)
            for call in one.calls:
                place = one.target.id, call.holder, format_path(call.at)
                self.made[place] = call
                for neighbour in around.get(call.whom.name, ()):
                    self._calls[neighbour.target, neighbour.service.key.name][place] = call

    def calls(self, target: str, service: str, state: EdgeState | None) -> dict[_Place, ServiceEdge]:
        """The calls to a port of a Service of `target`."""
        found = self._calls.get((target, service), {})
        return (
            {} if state is None else {place: one for place, one in found.items() if one.wanted == state.port}
        )


class _Outside:
    """Completes changes of Services' ports with those who ask for them from other targets."""

    def __init__(self, sides: _Sides, compared: Sequence[TargetDiff]) -> None:
        self._sides = sides
        names = {
            key.name
            for one in compared
            for change in one.changes
            for key in (change.holder, change.was)
            if key and _is_service(change)
        }
        others = self._others(frozenset(names))
        rows = sides.asked.rows
        self._before, self._after = (
            _Around(
                [*(_interface(one, rows) for one in answers.values() if isinstance(one, Rendering)), *others],
                sides.asked,
            )
            for answers in (sides.before, sides.after)
        )
        self._broken: dict[str, dict[EdgeChange, None]] = defaultdict(dict)

    def _others(self, names: frozenset[str]) -> tuple[TargetInterface, ...]:
        """What targets offer and call that are the same in both revisions, and may call Services of these names."""
        asked, known = self._sides.asked, self._sides.ids
        if asked.others is not None:
            return tuple(one for one in asked.others if one.target.id not in known)
        several = (one for one in asked.everything if one.id not in known)
        wanted: dict[str, Target | Skip] = {
            one.id: one for one in several if mentions(one, asked.tree, names)
        }
        answers = self._sides.begin(wanted, asked.tree)
        return tuple(_interface(one, asked.rows) for _, one in answers if isinstance(one, Rendering))

    def completed(self, compared: Iterable[TargetDiff]) -> list[TargetDiff]:
        """The same with the callers from elsewhere, and with what is broken there."""
        done = {
            one.id: replace(one, changes=tuple(self._called(one.id, each) for each in one.changes))
            for one in compared
        }
        for id_, broken in self._broken.items():
            known = done.get(id_, TargetDiff(id_))
            done[id_] = replace(known, changes=(*broken, *known.changes))
        return [done[id_] for id_ in sorted(done)]

    def _called(self, id_: str, change: EdgeChange) -> EdgeChange:
        if not _is_service(change):
            return change
        name = change.holder.name
        before = self._before.calls(id_, (change.was or change.holder).name, change.before)
        after = self._after.calls(id_, name, change.after)
        callers = [
            _caller(
                place,
                call,
                ChangeKind.MOVED if place in before and before[place].wanted != call.wanted else None,
            )
            for place, call in after.items()
        ]
        for place, call in before.items():
            now = self._after.made.get(place)
            if place not in after and now and (now.whom.place, now.wanted) == (call.whom.place, call.wanted):
                callers.append(_caller(place, call, ChangeKind.BROKEN))
                self._broken[place[0]][_broken(call, self._after.services.get((id_, name)))] = None
        return replace(change, callers=(*change.callers, *callers))


def _caller(place: _Place, call: ServiceEdge, kind: ChangeKind | None) -> Caller:
    target, holder, field_ = place
    return Caller(call.relation, holder, field_, kind, target)


def _broken(call: ServiceEdge, service: Service | None) -> EdgeChange:
    """A call that a Service of another target answered, which does not have the port any more, or is not there."""
    whom = f"Service/{call.whom.name}"
    ports = [] if service is None else [one.number.value for one in service.ports]
    offers = tuple(str(one) for one in ports if one is not None)
    number = call.wanted if isinstance(call.wanted, int) else None
    before = EdgeState(whom, call.wanted, None, None, True, () if number is None else (number,))
    after = EdgeState(whom, call.wanted, None, None, False if service else None, (), offers)
    return EdgeChange(ChangeKind.BROKEN, call.relation, call.holder, format_path(call.at), before, after)


def _interface(rendering: Rendering, rows: tuple[ReferenceKind, ...]) -> TargetInterface:
    """What a target offers, and all that it asks of Services that it does not have."""
    manifests = read(rendering)
    graph = link.build(manifests, rows)
    found = interface_of(rendering.target, evaluation(manifests, graph))
    asking = (one for one in graph.asking(*Relation) if not graph.variants(*one.whom.place))
    return replace(found, calls=tuple(asking))


def _without_renames(targets: Sequence[TargetDiff]) -> Iterator[TargetDiff]:
    """The targets without those that are only called otherwise: all that is gone in one is new in another."""
    gone = [one for one in targets if one.changes and all(change.after is None for change in one.changes)]
    new = [one for one in targets if one.changes and all(change.before is None for change in one.changes)]
    same: set[str] = set()
    for one in gone:
        was = [(change.relation, change.holder, change.field, change.before) for change in one.changes]
        for other in new:
            now = [(change.relation, change.holder, change.field, change.after) for change in other.changes]
            if other.id not in same and was == now:
                same |= {one.id, other.id}
                break
    for one in targets:
        yield TargetDiff(one.id) if one.id in same else one
