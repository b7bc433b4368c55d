"""Which of a chart's values show what its defaults do not: found by rendering, within a budget of renders."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property, partial

from msgspec import Struct, field

from portproof.discover.chart_files import chart_files
from portproof.discover.model import HelmTarget
from portproof.graph.model import PortGraph
from portproof.pipeline import Plan
from portproof.render.model import NotRendered, RenderFailure, Rendering
from portproof.replacing import replace
from portproof.resources import Resource, ResourceKey
from portproof.resources import read as read_resources
from portproof.rules.base import Scalar, Trait
from portproof.rules.edges import edges
from portproof.rules.evaluate import Evaluation, FindingKey, RuleSet, compared, evaluate, graph_of
from portproof.source import RelPath
from portproof.whatif.documented import is_declared, is_passed_on
from portproof.whatif.excused import Offer, of_the_chart, worth_saying
from portproof.whatif.mistaken import may_be_taken, taken_from_services
from portproof.whatif.values import Setting, Values, named_in, parts_of, subcharts, variant
from portproof.yamldoc import lookup

MAX_RENDERS = 40
"""Renders of one chart that look for the values; nearly always two are enough."""

MAX_TOGETHER = 3
"""Settings that a finding may need at once: nobody promises more."""

_FIRST = 3
"""Settings that are tried alone, or with the part that they belong to, before all are halved."""

_BLAMED = 6
"""How often what a failure speaks of is left out, before what is left is halved."""

_HALVED = 10
"""Renders that look for the fewest settings of one finding by halving."""

_OBJECTS = 6
"""Templates of optional objects that are looked at with their part alone."""

_ON_NODES = re.compile(r"(?i)(?:use_?)?host_?(?:network|ports?)")
"""Switches that open ports of nodes."""

_COMPARED = (Trait.VALUES, Trait.WHAT_IF)


class Shown(Struct, frozen=True):
    """Settings of a chart, and the findings that appear with them alone; `moves` says that they move ports.

    With other parts the question is not there if `depends`.
    """

    settings: tuple[Setting, ...]
    keys: frozenset[FindingKey]
    moves: bool
    depends: bool = False

    @property
    def numbers(self) -> frozenset[Scalar]:
        """What ports are moved to: numbers, as text, too, and names."""
        return frozenset().union(*(one.moved for one in self.settings))


class Search(Struct, dict=True):
    """The search in one chart, with at most `limit` renders. `known` are the findings that it has anyway.

    What is `certain` is no matter of another part that may have what is asked for.
    """

    plan: Plan
    rule_set: RuleSet
    target: HelmTarget
    values: Values
    known: frozenset[FindingKey]
    limit: int = MAX_RENDERS
    certain: bool = False
    renders: int = 0
    rendered: dict[tuple[Setting, ...], Rendering | None] = field(default_factory=dict)
    failed: dict[tuple[Setting, ...], RenderFailure] = field(default_factory=dict)
    seen: dict[tuple[tuple[Setting, ...], bool], Evaluation | None] = field(default_factory=dict)

    @cached_property
    def plain(self) -> Rendering | None:
        """What the chart renders to as it is, with placeholders where it wants some; None unless all of it is there."""
        answer = self.plan.render(self.target, self.plan.tree)
        if not isinstance(answer, Rendering) or (answer.problems and not answer.placeholders):
            return None
        return answer

    @cached_property
    def offer(self) -> Offer:
        """What the chart may have with further values."""
        files = chart_files([self.target.chart], self.plan.tree)
        texts = {one: self.plan.tree.text_or_none(one) or "" for one in files if "/templates/" in f"/{one}"}
        return Offer(self.values, texts, self.plain)

    @cached_property
    def apart(self) -> frozenset[object]:
        """The names of subcharts that are charts of the repository themselves: they are tried there."""
        charts = {one.chart for one in self.plan.everything if isinstance(one, HelmTarget)}
        return frozenset(name for name, folder in subcharts(self.target, self.plan.tree) if folder in charts)

    def _own(self, settings: Iterable[Setting]) -> list[Setting]:
        """The settings but for those inside of such subcharts."""
        return [one for one in settings if one.path[0] not in self.apart or one.path[1:] == ("enabled",)]

    def _ports(self, taken: str, parts: Iterable[Setting] = ()) -> list[Setting]:
        """The ports that are moved: none of a configuration that the chart hands on as its user writes it."""
        templates = self.offer.templates.values()
        own = self._own(self.values.ports(taken, partial(is_declared, templates), parts))
        return [one for one in own if not is_passed_on(one.path, templates)]

    def run(self) -> Iterator[Shown]:
        """What appears when parts are switched on, then what does not follow when ports move: those of optional parts last."""
        if self.plain is None:
            return
        parts = self._largest(self._own(self.values.switches()), moves=False)
        shown = [*self._found(parts, self.known, moves=False)]
        yield from shown
        if not self.certain:
            yield from self._alone(parts, self.known.union(*(one.keys for one in shown)))
        taken = "".join(one.text for one in self.plain.documents)
        ports = self._largest(self._ports(taken), moves=True)
        alone = [*self._found(ports, self.known, moves=True)]
        yield from alone
        every = ([*parts, *self._ports(taken, parts)], [*parts, *ports])
        both = next((one for one in every if parts and self.asked(tuple(one), moves=True) is not None), [])
        yield from self._found(both, self.known.union(*(one.keys for one in alone)), moves=True)
        graph = graph_of(self._rendered(tuple(parts)) or self.plain, self.rule_set)
        names = self._own(self.values.names(taken, _names(graph)))
        if names and self.asked((*parts, *names), moves=True) is None:
            parts, names = [], self._largest(names, moves=True)
        yield from self._found([*parts, *names] if names else [], self.known, moves=True)
        override = [*self.values.override(taken)]
        if self.asked((*parts, *override), moves=True) is None:
            parts = []
        yield from self._found([*parts, *override] if override else [], self.known, moves=True)

    def _alone(self, parts: Sequence[Setting], known: frozenset[FindingKey]) -> Iterator[Shown]:
        """What appears with one part alone, and not with all, because another part takes the question away.

        What another part has is none: who switches on what asks for it switches that on, too. Nor is a Service alone.
        """
        whole = self._rendered(tuple(parts))
        if whole is None or self.plain is None or not parts:
            return
        graph = graph_of(whole, self.rule_set)
        everything = {one.key: one for one in graph.resources}
        old = {one.key for one in read_resources(self.plain).resources}
        asking = {edge.holder for edge in edges(graph)} - old
        # A switch that denies everything leaves a policy with nothing to ask for.
        asking |= {one.key for one in graph.resources if one.key.kind == "NetworkPolicy"} - old
        sources = sorted({one.document.source or "" for one in graph.resources if one.key in asking})
        texts = [self.plan.tree.text_or_none(path) or "" for path in sources[:_OBJECTS] if path]
        first = (next((one for one in parts if f"Values.{one.key}" in text), None) for text in texts)
        for one in dict.fromkeys(filter(None, first)):
            around = (part for part in parts if _is_around(part, one))
            settings = (*around, one)
            evaluation = self.asked(settings, moves=False) if len(settings) <= MAX_TOGETHER else None
            new = frozenset() if evaluation is None else evaluation.keys - known
            keys = frozenset(key for key in new if key[1].kind != "Service")
            if keys:
                keys = _unanswered(keys, everything)
            if keys:
                yield Shown(settings, keys, moves=False, depends=True)
                known |= keys

    def _found(
        self, together: Sequence[Setting], known: frozenset[FindingKey], *, moves: bool
    ) -> Iterator[Shown]:
        evaluation = self.asked(tuple(together), moves=moves)
        if evaluation is None:
            return
        found: dict[tuple[Setting, ...], set[FindingKey]] = {}
        for key in sorted(evaluation.keys - known, key=str):
            shows = self._smallest(together, key, evaluation, moves=moves)
            if shows is not None and not _are_modes(shows) and not self.values.exclude(shows):
                found.setdefault(shows, set()).update(self._alike(shows, key, evaluation, moves=moves))
        for shows, keys in found.items():
            yield Shown(shows, frozenset(keys), moves)

    def _largest(self, settings: list[Setting], *, moves: bool) -> list[Setting]:
        """As many of the settings as render together; what a failure speaks of is left out, else it is halved."""
        left = settings
        for _ in range(_BLAMED):
            if not left or self.asked(tuple(left), moves=moves) is not None:
                return left
            culprits = self._blamed(left)
            if not culprits:
                break
            left = [one for one in left if one not in culprits]
        return self._halved(left, moves=moves)

    def _blamed(self, settings: Sequence[Setting]) -> Sequence[Setting]:
        """The settings that a failure to render them speaks of: in its words and the line it blames, else in that template."""
        failure = self.failed.get(tuple(settings))
        if failure is None:
            return ()
        site = failure.site
        text = "" if site is None else self.plan.tree.text_or_none(site.path) or ""
        lines = text.split("\n")
        line = lines[site.line - 1] if site is not None and site.line <= len(lines) else ""
        return named_in(settings, f"{failure.message}\n{line}") or named_in(settings, text)

    def _halved(self, settings: list[Setting], *, moves: bool) -> list[Setting]:
        if not settings or self.asked(tuple(settings), moves=moves) is not None:
            return settings
        if len(settings) == 1 or self.renders >= self.limit // 2:
            return []
        half = len(settings) // 2
        left = self._halved(settings[:half], moves=moves)
        right = self._halved(settings[half:], moves=moves)
        both = [*left, *right]
        if not left or not right or self.asked(tuple(both), moves=moves) is not None:
            return both
        return max(left, right, key=len)

    def _smallest(
        self, settings: Sequence[Setting], key: FindingKey, whole: Evaluation, *, moves: bool
    ) -> tuple[Setting, ...] | None:
        """The fewest settings that show a finding; None where it takes more than anybody would promise."""

        def shows(some: Sequence[Setting]) -> bool:
            return bool(self._alike(tuple(some), key, whole, moves=moves))

        likely = [*dict.fromkeys(_likely(settings, key, whole, self.plan, moves=moves))]
        for some in _first(likely, settings):
            if shows(some):
                return some
        left = likely if likely and shows(likely) else [*settings]
        parts = 2
        end = min(self.limit, self.renders + _HALVED)
        while len(left) > 1 and self.renders < end:
            size = -(-len(left) // parts)
            without = ([*left[:at], *left[at + size :]] for at in range(0, len(left), size))
            smaller = next((one for one in without if one and shows(one)), None)
            if smaller is not None:
                left, parts = smaller, max(parts - 1, 2)
            elif size == 1:
                break
            else:
                parts = min(2 * parts, len(left))
        return tuple(left) if len(left) <= MAX_TOGETHER else None

    def _alike(
        self, settings: tuple[Setting, ...], key: FindingKey, whole: Evaluation, *, moves: bool
    ) -> frozenset[FindingKey]:
        """A finding with some of the settings: the same, or that about the object which a template makes in its place."""
        evaluation = self.asked(settings, moves=moves)
        if evaluation is None:
            return frozenset()
        if key in evaluation.keys:
            return frozenset({key})
        rule, resource, path = key
        source = _sources(whole).get(resource)
        sources = _sources(evaluation)
        return frozenset(
            one
            for one in evaluation.keys - self.known
            if source and (one[0], sources.get(one[1]), one[2]) == (rule, source, path)
        )

    def asked(self, settings: tuple[Setting, ...], *, moves: bool) -> Evaluation | None:
        """What the rules say with these settings; None where they do not render, or where the budget is spent.

        What moves is compared with the same parts switched on, and nothing moved.
        """
        if (settings, moves) not in self.seen:
            self.seen[settings, moves] = self._judged(settings, moves=moves)
        return self.seen[settings, moves]

    def _judged(self, settings: tuple[Setting, ...], *, moves: bool) -> Evaluation | None:
        answer = self._rendered(settings) if settings else None
        if answer is None:
            return None
        if not moves:
            return worth_saying(evaluate(answer, self.rule_set.without(*_COMPARED)), self.offer)
        still = self._rendered(parts_of(settings))
        if still is None:
            return None
        rules = self.rule_set.only(*_COMPARED)
        found = compared(evaluate(answer, rules), answer, rules, still)
        found = of_the_chart(found, settings, self.values)
        if not may_be_taken(answer, settings):
            return found
        taken = taken_from_services(evaluate(answer, self.rule_set.without(*_COMPARED)), settings)
        if taken:
            had = evaluate(still, self.rule_set.without(*_COMPARED)).keys
            said = {one.finding.primary for one in found.found}
            new = (one for one in taken if one.key not in had and one.finding.primary not in said)
            found = replace(found, found=(*found.found, *new))
        return found

    def _rendered(self, settings: tuple[Setting, ...]) -> Rendering | None:
        if not settings:
            return self.plain
        if settings not in self.rendered:
            if self.renders >= self.limit:
                return None
            self.renders += 1
            target, path, text = variant(self.target, self.values, settings, "portproof-what-if")
            tree = self.plan.tree
            answer = self.plan.fresh(target, replace(tree, overlay={**tree.overlay, path: text}))
            is_whole = isinstance(answer, Rendering) and not answer.problems
            self.rendered[settings] = answer if is_whole and isinstance(answer, Rendering) else None
            failure = answer.without if isinstance(answer, NotRendered) else answer
            if isinstance(failure, RenderFailure):
                self.failed[settings] = failure
        return self.rendered[settings]


def _names(graph: PortGraph) -> frozenset[object]:
    """The names that ports of Services and containers have."""
    services = (port.name_text for service in graph.services for port in service.ports)
    pods = (port.name_text for workload in graph.workloads for port in workload.ports)
    return frozenset({*services, *pods} - {None})


def _first(likely: Sequence[Setting], settings: Sequence[Setting]) -> Iterator[tuple[Setting, ...]]:
    """What is tried first for a finding: each likely setting alone, then with the parts that it lies in."""
    alone = likely[:_FIRST]
    yield from ((one,) for one in alone)
    for one in alone:
        around = tuple(part for part in settings if _is_around(part, one))
        if around and len(around) < MAX_TOGETHER:
            yield (*around, one)


def _unanswered(
    keys: frozenset[FindingKey], everything: Mapping[ResourceKey, Resource]
) -> frozenset[FindingKey]:
    """The findings whose field is not there with all parts: they take it away, and do not have what it asks for."""
    return frozenset(
        key for key in keys if key[1] in everything and lookup(everything[key[1]].data, key[2]) is None
    )


def _is_around(part: Setting, other: Setting) -> bool:
    """Whether a setting switches on the part that the other is a part of: ``metrics.enabled``, ``metrics.monitor.enabled``."""
    *above, last = part.path
    is_part = part.is_part and last in ("enabled", "create", "install")
    return bool(above) and is_part and part != other and [*other.path[: len(above)]] == above


def _are_modes(settings: Sequence[Setting]) -> bool:
    """Whether they choose several ways to install a chart at once, each of which is for itself.

    ``tags`` choose the subcharts of one way. Who gives two parts the network of their nodes chooses their ports, too; and to
    one that has it, host ports give nothing.
    """
    tags = sum(one.path[0] == "tags" for one in settings)
    on_nodes = sum(_ON_NODES.fullmatch(str(one.path[-1])) is not None for one in settings)
    return max(tags, on_nodes) > 1


def _sources(evaluation: Evaluation) -> Mapping[ResourceKey, RelPath | None]:
    """The template of each object."""
    return {one.key: one.document.source for one in evaluation.manifests.resources}


def _likely(
    settings: Sequence[Setting], key: FindingKey, whole: Evaluation, plan: Plan, *, moves: bool
) -> Iterator[Setting]:
    """The settings that may show a finding, the likeliest first: those that its objects hold, or their templates name."""
    finding = next(one.finding for one in whole.found if one.key == key)
    sites = [finding.primary, *(one.site for one in finding.related)]
    if moves:
        held = {one.value for one in sites} | {finding.expected}
        yield from (one for one in settings if one.moved & held)
        settings = parts_of(settings)
    sources: Mapping[object, str | None] = {one.key: one.document.source for one in whole.manifests.resources}
    texts = [plan.tree.text_or_none(path) or "" for one in sites if (path := sources.get(one.resource))]
    for named in texts:
        yield from _named(settings, named)


def _named(settings: Sequence[Setting], text: str) -> Iterator[Setting]:
    """The settings that a template names, those by their whole key first; a subchart knows them without its name."""
    rest = []
    for one in settings:
        key = one.key.partition("[")[0]  # a template loops over the entries of a list
        inner = key.partition(".")[2]
        if f"Values.{key}" in text:
            yield one
        elif "." in inner and inner in text:
            rest.append(one)
    yield from rest
