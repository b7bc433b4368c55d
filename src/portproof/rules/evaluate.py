"""Rendering -> findings: reads the resources, links the ports, asks the rules."""

from __future__ import annotations

import base64
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeAlias

from msgspec import Struct, field

from portproof.builds.model import Images, none_built
from portproof.discover.model import HelmTarget, Target
from portproof.graph.fields import labels
from portproof.graph.meetings import Meeting, meetings
from portproof.graph.model import (
    Neighbour,
    Offer,
    PortGraph,
    Relation,
    Service,
    ServiceEdge,
    Site,
    Surroundings,
)
from portproof.graph.references import ReferenceKind
from portproof.render.model import Rendering
from portproof.render.placeholders import NUMBER, WORD
from portproof.replacing import replace
from portproof.resources import Manifests, Resource, ResourceKey
from portproof.resources import read as read_resources
from portproof.rules.base import Finding, Rule, Severity, Trait
from portproof.timings import Stage, timed
from portproof.yamldoc import FieldPath, lookup

if TYPE_CHECKING:
    from portproof.graph.chains import Chains, Hop


def no_policies() -> bool:
    """No policies are known besides those of a rendering."""
    return False


FindingKey: TypeAlias = tuple[str, ResourceKey, FieldPath]
"""What makes two findings of one target the same: rule, resource and field; never lines or words."""


class RuleSet(Struct, frozen=True):
    """What is asked of every rendering: these rules, about the built-in references and those of further `rows`.

    `severities` are those that all findings of a rule get, whatever the rule says, by the rule's id. `images` says which
    images of a rendering the repository builds, `policies` whether it has policies that no rendering of a target shows.
    """

    rules: tuple[Rule, ...]
    rows: tuple[ReferenceKind, ...] = ()
    severities: Mapping[str, Severity] = field(default_factory=dict)
    images: Images = none_built
    policies: Callable[[], bool] = no_policies

    def only(self, *traits: Trait) -> RuleSet:
        """The rules with one of these traits."""
        return replace(self, rules=tuple(one for one in self.rules if one.traits & {*traits}))

    def without(self, *traits: Trait) -> RuleSet:
        """The rules with none of these traits."""
        return replace(self, rules=tuple(one for one in self.rules if not one.traits & {*traits}))

    def has(self, rule: str) -> bool:
        """Whether the rule of that id runs."""
        return any(one.id == rule for one in self.rules)

    def severity(self, rule: str, found: Severity) -> Severity:
        """The severity of a finding of that rule, which the rule itself found to be `found`."""
        return self.severities.get(rule, found)


class RuleFinding(Struct, frozen=True):
    """A finding, the rule that has it, and the way of the traffic through the field that is wrong."""

    rule: Rule
    finding: Finding
    chain: tuple[Hop, ...] = ()

    @property
    def key(self) -> FindingKey:
        """The identity of the finding within its target."""
        return self.rule.id, self.finding.primary.resource, self.finding.primary.identity


class Evaluation(Struct, frozen=True):
    """What the rules say about one rendering.

    `services` are what it offers to others (those whose namespace is written down are `settled`), `calls` what it asks of
    Services that it does not have. `offers` are its Services and pods, with their labels; `meetings` are numbers that work.
    """

    manifests: Manifests
    found: tuple[RuleFinding, ...]
    services: tuple[Service, ...]
    settled: frozenset[ResourceKey]
    calls: tuple[ServiceEdge, ...]
    offers: Surroundings = field(default_factory=Surroundings)
    meetings: tuple[Meeting, ...] = ()

    @property
    def keys(self) -> frozenset[FindingKey]:
        """The identities of all findings."""
        return frozenset(one.key for one in self.found)

    @property
    def depends(self) -> bool:
        """Whether something of what was found may be otherwise with other targets around."""
        return any(Trait.SPANS_TARGETS in one.rule.traits for one in self.found)


class Witnesses(Struct, frozen=True):
    """What other renderings of a target tell about it.

    `base` is what it rendered to in the base revision, where a change concerns it; `kept` are Services that are in files
    that others read by now. `renamed` renders it under another name of the release; it is asked only if the names of
    absent Services may come from there, and so are `switched_off`, the parts that the target's values leave out, and `whole`, which renders it with those. `surroundings` are all other Services and pods of its environment, if that is known.
    """

    base: Rendering | None = None
    kept: frozenset[str] = frozenset()
    renamed: Callable[[], Rendering | None] = lambda: None
    switched_off: Callable[[], frozenset[str]] = frozenset
    whole: Callable[[], Rendering | None] = lambda: None
    surroundings: Surroundings | None = None


_NO_WITNESSES = Witnesses()


def warm_up() -> None:
    """Load what the first `evaluate` needs; done beside the first render, it costs no time of its own."""
    from portproof import yamlnodes  # noqa: F401, PLC0415
    from portproof.graph import chains, link, sites  # noqa: F401, PLC0415

    sites.compiled("$")


def evaluate(
    rendering: Rendering,
    rule_set: RuleSet,
    neighbours: Mapping[str, tuple[Neighbour, ...]] = MappingProxyType({}),
    witnesses: Witnesses = _NO_WITNESSES,
) -> Evaluation:
    """Ask `rule_set` about `rendering`; findings keep the order of the rules and of the resources.

    `neighbours` are Services of other targets that it may call, by name.
    """
    read = _with_images(rendering, rule_set)
    graph = _linked(read, rule_set, neighbours, witnesses.base, witnesses.kept)
    names = _own_names(graph, rule_set, rendering.target, witnesses)
    graph = replace(graph, own_names=names, surroundings=witnesses.surroundings)
    if rendering.without:
        able = tuple(one for one in rule_set.rules if Trait.NEEDS_ALL not in one.traits)
        rule_set = replace(rule_set, rules=able)
    found = findings(graph, rule_set, rendering.target)
    if any(Trait.CLOSED in one.rule.traits for one in found) and rule_set.policies():
        found = tuple(one for one in found if Trait.CLOSED not in one.rule.traits)
    if rendering.placeholders:
        found = tuple(_with_placeholders(graph, found, rule_set, rendering.placeholders))
    return evaluation(read, graph, found)


def _with_placeholders(
    graph: PortGraph, found: Iterable[RuleFinding], rule_set: RuleSet, names: tuple[str, ...]
) -> Iterator[RuleFinding]:
    """Those that depend on no placeholder, each saying that there are some.

    Where a value is empty, nobody gives that one either. Who gives the others may list the ports that a pod lacks, too.
    """
    said = f"The chart was rendered with placeholders for values that it was not given: {', '.join(names)}."
    for one in found:
        finding = one.finding
        sites = (finding.primary, *(label.site for label in finding.related))
        texts = [finding.message, str(finding.expected), *(f"{each.resource} {each.value}" for each in sites)]
        is_made_up = any(mark in text for text in texts for mark in (WORD, str(NUMBER)))
        if not is_made_up and not _is_beside_nothing(graph, finding.primary):
            message, evidence, rest = finding.message.partition(" Evidence: ")
            severity = rule_set.severity(one.rule.id, Severity.NOTE) if finding.awaited else finding.severity
            words = f"{message} {said}{evidence}{rest}"
            yield replace(one, finding=replace(finding, message=words, severity=severity))


def _is_beside_nothing(graph: PortGraph, site: Site) -> bool:
    """Whether a field, or one of the same mapping (``port: {number: }`` of a backend), is empty."""
    resource = graph.resource(site.resource)
    around = lookup(resource.data, site.path[:-1]) if resource and site.path else None
    fields = around.values() if isinstance(around, dict) else ()
    return None in (site.value, *fields) or any(
        None in one.values() for one in fields if isinstance(one, dict)
    )


def compared(
    known: Evaluation,
    rendering: Rendering,
    rule_set: RuleSet,
    defaults: Rendering,
    neighbours: Mapping[str, tuple[Neighbour, ...]] = MappingProxyType({}),
) -> Evaluation:
    """What is `known` of a rendering, with what the rules say that compare it to the chart's `defaults`."""
    if rendering.placeholders != defaults.placeholders:  # a number that was made up is none that moved
        return known
    if rendering.without or defaults.without:
        rule_set = rule_set.without(Trait.NEEDS_ALL)
    new = _new_numbers(rendering, defaults)
    # Names of ports are moved, too, but only to try it.
    if not new and not rule_set.only(Trait.WHAT_IF).rules and not _asks_as_before(known, defaults):
        return known
    if new.keys() & (_secret(rendering) - _secret(defaults)):  # a Secret may be what tells the program
        rule_set = rule_set.without(Trait.VALUES)
    more = _of_values(known.manifests, rule_set, rendering, defaults, neighbours)
    # Of two that miss the same, what other values have done says more.
    said = {one.finding.primary for one in more if Trait.NEEDS_ALL in one.rule.traits}
    kept = (
        one
        for one in known.found
        if Trait.NEEDS_ALL not in one.rule.traits or one.finding.primary not in said
    )
    return replace(known, found=(*kept, *more))


def _asks_as_before(known: Evaluation, defaults: Rendering) -> bool:
    """Whether something asks for a Service that is not there, and may be in the defaults."""
    names = {one.whom.name for one in known.calls}
    services = (one.text for one in defaults.documents if names and _IS_SERVICE.search(one.text))
    return any(name in text for text in services for name in names)


_COMPARED = (Trait.VALUES, Trait.WHAT_IF)
_BEFORE = "|".join(
    f"(?<={word}{quote}[:=])" for word in ("port", "addr", "address", "listen", "bind") for quote in ("", '"')
)
_NUMBER = re.compile(
    rf"(?i)[:=](?= *[\"']?[\d:*\[])(?:{_BEFORE}) *[\"']?(?:0\.0\.0\.0|\[::\]|\*)?:?(\d{{1,5}})\b"
)
_IS_SERVICE = re.compile(r"(?m)kind(?<=^kind): *[\"']?Service\b")
_IS_SECRET = re.compile(r"(?m)kind(?<=^kind): *\"?Secret\b")
"""They begin with what a search finds at once, and then look back: renderings have megabytes of dashboards."""

_BASE64 = re.compile(r"[A-Za-z0-9+/]{4,}={0,2}")
_DIGITS = re.compile(r"\d{1,5}")


def _new_numbers(rendering: Rendering, defaults: Rendering) -> Counter[str]:
    """The numbers of ports that the defaults have not, or not so often: where none moves, there is nothing to compare.

    Documents that both have, most of them, are not searched: their numbers are in both.
    """
    own, other = (Counter(one.text for one in each.documents) for each in (rendering, defaults))
    return _numbers(own - other) - _numbers(other - own)


def _numbers(texts: Counter[str]) -> Counter[str]:
    return Counter(number for text in texts.elements() for number in _NUMBER.findall(text))


def _secret(rendering: Rendering) -> frozenset[str]:
    """The numbers that Secrets hold, which nothing else reads."""
    texts = [one.text for one in rendering.documents if _IS_SECRET.search(one.text)]
    encoded = [word for text in texts for word in _BASE64.findall(text)]
    return frozenset(number for text in (*texts, *map(_decoded, encoded)) for number in _DIGITS.findall(text))


def _decoded(word: str) -> str:
    try:
        return base64.b64decode(word).decode("utf-8", "replace")
    except ValueError:
        return ""


def _of_values(
    read: Manifests,
    rule_set: RuleSet,
    rendering: Rendering,
    defaults: Rendering,
    neighbours: Mapping[str, tuple[Neighbour, ...]],
) -> tuple[RuleFinding, ...]:
    """What the rules say that compare a rendering with that of the defaults."""
    asked = rule_set.only(*_COMPARED)
    if not asked.rules:
        return ()
    graph = _linked(read, asked, neighbours, defaults, frozenset())
    found = findings(graph, asked, read.target, _COMPARED)
    if rendering.placeholders:
        return tuple(_with_placeholders(graph, found, rule_set, rendering.placeholders))
    return found


def evaluation(read: Manifests, graph: PortGraph, found: tuple[RuleFinding, ...] = ()) -> Evaluation:
    """What has been found out about a rendering, by what was read of it."""
    settled = frozenset(one.key for one in read.resources if states_namespace(one, read.target))
    return Evaluation(
        read,
        found,
        graph.services,
        settled,
        tuple(one for one in graph.asking(*Relation) if not graph.variants(*one.whom.place)),
        _offers(graph, settled),
        meetings(graph, read.target.id),
    )


def _offers(graph: PortGraph, settled: frozenset[ResourceKey]) -> Surroundings:
    def place(key: ResourceKey) -> str | None:
        return key.namespace if key in settled else None

    return Surroundings(
        tuple(
            Offer(
                one.key.name,
                place(one.key),
                labels(lookup(graph.read_from[one].data, ("metadata", "labels"))),
            )
            for one in graph.services
        ),
        tuple(Offer("", place(one.key), one.labels) for one in graph.workloads),
    )


def findings(
    graph: PortGraph, rule_set: RuleSet, target: Target, compared: Collection[Trait] = ()
) -> tuple[RuleFinding, ...]:
    """What the rules say about a graph of `target`, once of each field.

    Those that compare values are asked only where the base of the graph is of other values: of the traits `compared`.
    """
    # Imported on first use: compiling the JSONPaths takes as long as a render, and goes on beside the first one.
    from portproof.graph.chains import Chains  # noqa: PLC0415

    with timed(Stage.RULES, target.id):
        return _findings(graph, rule_set, target, compared, Chains(graph))


def _findings(
    graph: PortGraph, rule_set: RuleSet, target: Target, compared: Collection[Trait], chains: Chains
) -> tuple[RuleFinding, ...]:
    seen: dict[FindingKey, RuleFinding] = {}
    for rule in rule_set.rules:
        if rule.traits.intersection(_COMPARED).difference(compared):
            continue
        for finding in rule.check(graph):
            severity = rule_set.severity(rule.id, _severity(finding, target))
            judged = finding if severity is finding.severity else replace(finding, severity=severity)
            ends = [label.site for label in finding.related]
            one = RuleFinding(rule, judged, chains.around(finding.primary, ends, finding.expected))
            seen.setdefault(one.key, one)
    return tuple(seen.values())


def graph_of(
    rendering: Rendering,
    rule_set: RuleSet,
    neighbours: Mapping[str, tuple[Neighbour, ...]] = MappingProxyType({}),
    base: Rendering | None = None,
    kept: frozenset[str] = frozenset(),
) -> PortGraph:
    """The graph that `evaluate` asks the rules about."""
    return _linked(_with_images(rendering, rule_set), rule_set, neighbours, base, kept)


def _linked(
    read: Manifests,
    rule_set: RuleSet,
    neighbours: Mapping[str, tuple[Neighbour, ...]],
    base: Rendering | None,
    kept: frozenset[str],
) -> PortGraph:
    from portproof.graph import link  # noqa: PLC0415

    past = None if base is None else link.build(_with_images(base, rule_set), rule_set.rows)
    return link.build(read, rule_set.rows, neighbours, past, kept)


def _with_images(rendering: Rendering, rule_set: RuleSet) -> Manifests:
    return replace(read_resources(rendering), images=rule_set.images)


def _own_names(graph: PortGraph, rule_set: RuleSet, target: Target, witnesses: Witnesses) -> frozenset[str]:
    """The names of absent Services that change with the release; of those that pods call, none of a part that is off."""
    from portproof.graph import own  # noqa: PLC0415

    if not isinstance(target, HelmTarget) or not rule_set.has("own-service-absent"):
        return frozenset()
    if any("ci" in path.split("/")[:-1] for path in target.values):  # they try parts of a chart
        return frozenset()
    if not own.lost(graph, target.release):
        return frozenset()
    other = witnesses.renamed()
    if other is None:
        return frozenset()
    there = _linked(_with_images(other, rule_set), rule_set, {}, None, frozenset())
    called = own.moved(own.calls(graph), own.calls(there))
    off = witnesses.switched_off() if called else frozenset()
    called = frozenset(name for name in called if not own.is_of_part(name, target.release, off))
    there_too = _services_of(witnesses.whole()) if called else frozenset()
    return own.moved(own.routes(graph), own.routes(there)) | (called - there_too)


def _services_of(rendering: Rendering | None) -> frozenset[str]:
    """The names of the Services of a rendering."""
    read = read_resources(rendering).resources if rendering else ()
    return frozenset(one.key.name for one in read if one.key.kind == "Service" and not one.key.group)


def _severity(finding: Finding, target: Target) -> Severity:
    """What a chart's defaults leave unset is worth knowing and no more: whoever installs it gives the value."""
    defaults = isinstance(target, HelmTarget) and not target.values
    return Severity.NOTE if finding.unset and defaults else finding.severity


def states_namespace(resource: Resource, target: Target) -> bool:
    """Whether the namespace of a resource is written down, or said of the release."""
    if isinstance(target, HelmTarget) and target.namespace != "default":
        return True
    return lookup(resource.data, ("metadata", "namespace")) is not None
