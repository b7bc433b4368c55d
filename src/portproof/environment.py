"""Which targets are deployed together, and who of them calls whom.

Where ``portproof.yaml`` does not say it (`environments`), it is guessed with care: charts and overlays of one repository
are deployed together when they are for the same environment (``values-prod.yaml``, ``overlays/prod``; a target that is
for none in particular goes with all), and lie in the same example or test (``examples/guestbook``), if in any. Charts
that are published from a channel (``stable``, ``incubator``) go with nobody, nor do those of a repository that has dozens.
Values files of chart tests (``ci/``) install a chart alone.
"""

from __future__ import annotations

import fnmatch
import re
from collections import defaultdict
from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import TypeVar

from msgspec import Struct

from portproof.discover.kept import speaking_of
from portproof.discover.model import HelmTarget, ManifestTarget, Target
from portproof.discover.places import environment_in, named_by_values
from portproof.graph.answers import unanswered
from portproof.graph.meetings import Meeting
from portproof.graph.model import Neighbour, Service, ServiceEdge, Surroundings
from portproof.graph.names import is_placeholder
from portproof.replacing import replace
from portproof.rules.callers.caller_service_port import RULE
from portproof.rules.evaluate import Evaluation, FindingKey
from portproof.source import RelPath, Tree, parent

_WORD = re.compile(r"[a-z0-9][a-z0-9-]*")
MANY_CHARTS = 50
_CHANNELS = frozenset({"stable", "incubator", "experimental", "deprecated", "archive", "archived", "legacy"})
"""Folders of a collection that charts are published from: what lies in one is for users to combine, not for us."""
_APART = frozenset(
    {
        "example",
        "examples",
        "sample",
        "samples",
        "test",
        "tests",
        "testdata",
        "e2e",
        "docs",
        "hack",
        "demo",
        "demos",
    }
)


_NOTHING = Surroundings()
_Value = TypeVar("_Value", bound=Hashable)


class TargetInterface(Struct, frozen=True):
    """What a target offers to others, what it asks of Services that it does not have, and which numbers work in it.

    It is kept to the end of a run, and has nothing of the graph but these. `offers` are set where an environment is stated
    to have nothing else: only there somebody asks for them. `plain` are the names that its own Services had before a
    kustomization renamed them.
    """

    target: Target
    services: tuple[Neighbour, ...]
    calls: tuple[ServiceEdge, ...]
    offers: Surroundings = _NOTHING
    meetings: tuple[Meeting, ...] = ()
    plain: frozenset[str] = frozenset()


_SEVERAL = 2
"""As many Services of the same names are no accident."""


class Environment:
    """The targets of a run, tied together by the calls between them.

    `stated` are globs of the ids of targets that are deployed together, by name; who is in one of them goes with nobody
    else. Without `guess` nobody else goes together. The `complete` ones have nothing else in them.
    """

    def __init__(
        self,
        interfaces: Iterable[TargetInterface],
        stated: Mapping[str, tuple[str, ...]] = MappingProxyType({}),
        *,
        guess: bool = True,
        complete: frozenset[str] = frozenset(),
    ) -> None:
        self._complete = complete
        self._interfaces = tuple(interfaces)
        self._stated = stated
        self._guess = guess
        self._installed = {one.target.path for one in self._interfaces if _installed_as(one.target)}
        self._offers: dict[str, list[tuple[Target, Neighbour]]] = defaultdict(list)
        for one in self._interfaces:
            for service in one.services:
                self._offers[service.service.key.name].append((one.target, service))
        self._names: dict[str, frozenset[str]] = {
            one.target.id: _shared(frozenset(each.service.key.name for each in one.services))
            for one in self._interfaces
        }
        self._working: dict[int, list[TargetInterface]] = defaultdict(list)
        for one in self._interfaces:
            for number in {met.number for met in one.meetings}:
                self._working[number].append(one)

    def around(self, target: Target) -> Mapping[str, tuple[Neighbour, ...]]:
        """The Services of other targets that `target` names, by name."""
        own = [one for one in self._interfaces if one.target.id == target.id]
        names = {call.whom.name for one in own for call in one.calls}.union(*(one.plain for one in own))
        found = {name: tuple(self._neighbours(target, name)) for name in sorted(names)}
        return {name: neighbours for name, neighbours in found.items() if neighbours}

    def surroundings(self, target: Target) -> Surroundings | None:
        """What all other targets have of the environments of `target`; None where one of those may have more."""
        names = self.named(target)
        if not names or not names <= self._complete:
            return None
        others = [
            one.offers
            for one in self._interfaces
            if one.target.id != target.id and names & self.named(one.target)
        ]
        return Surroundings(
            tuple(offer for one in others for offer in one.services),
            tuple(offer for one in others for offer in one.pods),
        )

    def meetings(self, target: Target, number: int) -> tuple[Meeting, ...]:
        """Where the number works in other targets, whatever environment those are for; examples and tests are apart."""
        yard = _yard(target)
        return tuple(
            met
            for one in self._working.get(number, ())
            if one.target.id != target.id and _yard(one.target) == yard
            for met in one.meetings
            if met.number == number
        )

    def callers(self) -> Iterator[Target]:
        """The targets that ask for a port which no Service of that name around them has."""
        for one in self._interfaces:
            if any(
                unanswered(call, tuple(self._neighbours(one.target, call.whom.name))) for call in one.calls
            ):
                yield one.target

    def deserted(self, target: Target, after: Evaluation) -> frozenset[FindingKey]:
        """The calls of other targets that would miss, as findings, if `target` rendered to what `after` is about."""
        changed = interface_of(target, after, offers=bool(self._complete))
        before = [one for each in self._interfaces if each.target.id == target.id for one in each.services]
        names = _lost(before, changed.services)
        if not names:
            return frozenset()
        now = Environment(
            [*(one for one in self._interfaces if one.target.id != target.id), changed],
            self._stated,
            guess=self._guess,
            complete=self._complete,
        )
        return frozenset(
            (RULE.id, call.holder, call.whom.site.identity)
            for one in self._interfaces
            if one.target.id != target.id
            for call in one.calls
            if call.whom.name in names
            and unanswered(call, tuple(now._neighbours(one.target, call.whom.name)))
            and not unanswered(call, tuple(self._neighbours(one.target, call.whom.name)))
        )

    def lost_since(self, base: Iterable[TargetInterface]) -> frozenset[str]:
        """The names of Services that had a port in `base` which they have no more: their callers may miss it."""
        return _lost(_services(base), _services(self._interfaces))

    def _neighbours(self, target: Target, name: str) -> Iterator[Neighbour]:
        """The Services of that name that are deployed with `target`: of each chart, those of the same environment."""
        charts: dict[tuple[str, str, str], list[tuple[Target, Neighbour]]] = defaultdict(list)
        named = self.named(target)
        # Its own is in another namespace, or in one that is not known; a placeholder stands for any name.
        has_its_own = name in self._names.get(target.id, ()) or is_placeholder(name)
        for other, service in self._offers.get(name, ()):
            if other.path == target.path and not _both_installed(target, other):
                continue
            if named or self.named(other):
                if named & self.named(other):
                    yield replace(service, stated=True)
            elif self._guess and not has_its_own and self._may_meet(target, other):
                charts[other.kind, other.path, _installed_as(other)].append((other, service))
        label = environment_of(target)
        for offers in charts.values():
            same = [one for other, one in offers if environment_of(other) == label]
            general = [one for other, one in offers if label and not environment_of(other)]
            yield from same or general or (() if label else (one for _, one in offers))

    def _may_meet(self, target: Target, other: Target) -> bool:
        """Whether nothing tells that they are not deployed together.

        Where one has every Service of the other, and several, they are the same application in two ways: a chart, and a
        folder of manifests beside it.
        """
        fewer, more = sorted((self._names.get(one.id, frozenset()) for one in (target, other)), key=len)
        twins = len(fewer) >= _SEVERAL and fewer <= more
        return not twins and _yard(other) == _yard(target) and not self._is_mere_default(other)

    def _is_mere_default(self, target: Target) -> bool:
        """Whether it is a chart's own values alone, while the repository says how the chart is installed."""
        return isinstance(target, HelmTarget) and not target.values and target.path in self._installed

    def named(self, target: Target) -> frozenset[str]:
        """The stated environments that `target` is in."""
        return frozenset(
            name
            for name, globs in self._stated.items()
            if any(fnmatch.fnmatchcase(target.id, glob) for glob in globs)
        )


class Reach:
    """Whether one target may call a Service of another, whatever they render to: see `Environment`."""

    def __init__(self, stated: Mapping[str, tuple[str, ...]], *, guess: bool) -> None:
        self._environment = Environment((), stated, guess=guess)
        self._guess = guess
        self._facts: dict[str, _Place] = {}

    def __call__(self, caller: Target, other: Target) -> bool:
        """Whether `Environment.around` might give the caller something of the other."""
        if other.path == caller.path and not _both_installed(caller, other):
            return False
        here, there = self._place(caller), self._place(other)
        if here.named or there.named:
            return not here.named.isdisjoint(there.named)
        return self._guess and here.yard == there.yard and (not here.label or there.label in ("", here.label))

    def is_complete(self, target: Target, complete: frozenset[str]) -> bool:
        """Whether the target is in stated environments alone that have nothing else."""
        named = self._place(target).named
        return bool(named) and named <= complete

    def _place(self, target: Target) -> _Place:
        if target.id not in self._facts:
            named = self._environment.named(target)
            self._facts[target.id] = _Place(named, _yard(target), environment_of(target))
        return self._facts[target.id]


class _Place(Struct, frozen=True):
    """What `Reach` needs to know of a target."""

    named: frozenset[str]
    yard: tuple[str, ...]
    label: str


class Together(Struct, frozen=True):
    """Targets that are deployed together: the configuration says so (`stated`), or it is guessed."""

    targets: tuple[Target, ...]
    stated: bool


def together(
    targets: Iterable[Target], stated: Mapping[str, tuple[str, ...]], *, guess: bool
) -> Iterator[Together]:
    """The groups of two and more targets that are deployed together; see `Environment` for `stated` and `guess`.

    Of each chart a group has what is for its environment, else what is for none in particular. Alternatives, which nobody
    applies together, and a chart's own tests are in no group.
    """
    if not guess and not stated:
        return
    fit = [one for one in targets if not _is_alone(one)]
    named: set[str] = set()
    for globs in stated.values():
        group = [one for one in fit if any(fnmatch.fnmatchcase(one.id, glob) for glob in globs)]
        named |= {one.id for one in group}
        if len(group) > 1:
            yield Together(tuple(group), stated=True)
    yards: dict[tuple[str, ...], list[Target]] = defaultdict(list)
    for one in fit if guess else ():
        if one.id not in named:
            yards[_yard(one)].append(one)
    for yard in yards.values():
        for label in sorted({environment_of(one) for one in yard} - {""}) or [""]:
            members = tuple(_of_environment(yard, label))
            if 1 < len(members) <= MANY_CHARTS:  # nobody deploys more together: they are to choose from
                yield Together(members, stated=False)


def named_environments(targets: Iterable[Target], *, guess: bool) -> Mapping[str, tuple[str, ...]]:
    """The ids of the targets that seem to be deployed together, by the environment that they are for."""
    found: dict[str, tuple[str, ...]] = {}
    for group in together(targets, {}, guess=guess):
        names = {environment_of(one) for one in group.targets} - {""}
        if len(names) == 1 and not names & found.keys():
            found[names.pop()] = tuple(sorted(one.id for one in group.targets))
    return found


def _is_alone(target: Target) -> bool:
    if isinstance(target, ManifestTarget):
        return target.is_alternative
    return isinstance(target, HelmTarget) and any(map(_is_for_tests, target.values))


def _is_for_tests(path: RelPath) -> bool:
    """Whether a values file is one of chart-testing's, which nobody deploys with."""
    return "/ci/" in f"/{path}"


def _of_environment(targets: Iterable[Target], label: str) -> Iterator[Target]:
    charts: dict[tuple[str, str, str], list[Target]] = defaultdict(list)
    for one in targets:
        charts[one.kind, one.path, _installed_as(one)].append(one)
    for several in charts.values():
        same = [one for one in several if environment_of(one) == label]
        yield from same or (one for one in several if not environment_of(one))


def is_collection(targets: Iterable[Target]) -> bool:
    """Whether these are charts to choose from: nobody deploys so many together."""
    charts: set[RelPath] = set()
    for one in targets:
        if isinstance(one, HelmTarget) and one.remote is None:
            charts.add(one.chart)
            if len(charts) > MANY_CHARTS:
                return True
    return False


def _services(several: Iterable[TargetInterface]) -> Iterator[Neighbour]:
    return (one for each in several for one in each.services)


def _lost(before: Iterable[Neighbour], after: Iterable[Neighbour]) -> frozenset[str]:
    """The names of Services that lack a port in `after` which they have in `before`."""
    now = {pair for one in after for pair in _ports(one)}
    return frozenset(name for one in before for name, number in _ports(one) if (name, number) not in now)


def _ports(one: Neighbour) -> Iterator[tuple[str, object]]:
    return ((one.service.key.name, port.number.value) for port in one.service.ports)


def missing_services(several: Iterable[TargetInterface]) -> frozenset[str]:
    """The names of the Services that these targets call and that none of them has."""
    together = list(several)
    offered = {one.service.key.name for one in _services(together)}
    return frozenset(
        call.whom.name for each in together for call in each.calls if call.whom.name not in offered
    )


def mentioning(targets: Sequence[Target], tree: Tree, names: Collection[str]) -> list[Target]:
    """Those of `targets` that may call or have a Service of these names."""
    return [one for one in speaking_of(targets, names) if mentions(one, tree, names)]


def mentions(target: Target, tree: Tree, names: Collection[str]) -> bool:
    """Whether `target` may call or have a Service of these names: its release is called so, or its files say so."""
    if not names:
        return False
    release = target.release if isinstance(target, HelmTarget) else ""
    if release and any(name == release or name.startswith(f"{release}-") for name in names):
        return True
    return any(
        name in words for words in (words_in(tree, file) for file in speaking_files(target)) for name in names
    )


def speaking_files(target: Target) -> tuple[RelPath, ...]:
    """The files of a target in which it mentions Services."""
    return target.value_files if isinstance(target, HelmTarget) else target.files


def words_in(tree: Tree, file: RelPath) -> frozenset[str]:
    """The words of a file that may be names of Services."""
    return frozenset(_WORD.findall(tree.text_or_none(file) or ""))


def interface_of(target: Target, evaluation: Evaluation, *, offers: bool = False) -> TargetInterface:
    """What `target`, rendered, offers and calls; nothing for a chart's own tests. With `offers` those, too."""
    if isinstance(target, HelmTarget) and any(map(_is_for_tests, target.values)):
        return TargetInterface(target, (), ())
    return TargetInterface(
        target,
        tuple(Neighbour(_lean(one), target.id, one.key in evaluation.settled) for one in evaluation.services),
        evaluation.calls,
        evaluation.offers if offers else _NOTHING,
        tuple(map(_lean_meeting, evaluation.meetings)),
        _plain(evaluation),
    )


def _plain(evaluation: Evaluation) -> frozenset[str]:
    """The names that Services had before a kustomization renamed them."""
    affixes = evaluation.manifests.affixes
    names = (affix.plain(one.key.name) for affix in affixes for one in evaluation.services)
    return frozenset(name for name in names if name is not None)


def _lean(service: Service) -> Service:
    """The Service, which has most in common with those of the same chart with other values."""
    selector = _mapping(tuple(service.selector.items()))
    return replace(service, key=_shared(service.key), selector=selector, ports=_shared(service.ports))


def _lean_meeting(met: Meeting) -> Meeting:
    return replace(met, service=_shared(met.service), workload=_shared(met.workload))


@lru_cache(maxsize=100)
def _mapping(items: tuple[tuple[str, str], ...]) -> Mapping[str, str]:
    """As `_shared`."""
    return dict(items)


@lru_cache(maxsize=100)
def _shared(value: _Value) -> _Value:
    """One object for all that are equal, as long as they follow one another: what each target offers is kept to the end."""
    return value


def environment_of(target: Target) -> str:
    """The environment that `target` is for (``prod``), or empty."""
    if not isinstance(target, ManifestTarget) and target.install is not None and target.install.environment:
        return target.install.environment
    chart = target.path.rpartition("/")[2]
    for path in reversed(target.values):
        if named := _without(named_by_values(path.rpartition("/")[2]), chart):
            return named
        if not _is_for_tests(path) and (named := environment_in(path)):
            return _without(named, chart) or named
    installed = isinstance(target, HelmTarget) and target.install is not None
    return environment_in(parent(target.values[-1]) if installed else target.path)


def _without(named: str, chart: str) -> str:
    """What is left of a name beside the chart's: ``prod`` of ``shop-prod``."""
    return named.removeprefix(f"{chart}-").removesuffix(f"-{chart}") if named != chart else ""


def _installed_as(target: Target) -> str:
    """The name of the object that installs a chart, empty when none is known to."""
    return target.install.name if isinstance(target, HelmTarget) and target.install else ""


def _both_installed(one: Target, other: Target) -> bool:
    """Whether two targets are two installs of one chart, which may call each other; else they are alternatives."""
    return _installed_as(one) != _installed_as(other) and "" not in (_installed_as(one), _installed_as(other))


def _yard(target: Target) -> tuple[str, ...]:
    """The example, the test or the published chart that a target belongs to; empty for what is meant to be deployed."""
    steps = target.path.split("/")
    for index, step in enumerate(steps):
        if step in _APART or step in _CHANNELS:
            return tuple(steps[: index + 2])
    return ()
