"""What a change to one target breaks for another of the same environment.

Both revisions of an environment are joined: all that its targets render is linked as one rendering. A finding of the joined
head that neither the joined base has, nor one of the targets by itself, is what the change broke between two of them.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from msgspec import Struct

from portproof.discover.model import Target
from portproof.graph import link
from portproof.graph.model import Site
from portproof.graph.moved import Move, Moves
from portproof.graph.references import ReferenceKind
from portproof.replacing import replace
from portproof.resources import Manifests, Resource, ResourceKey
from portproof.rules import known
from portproof.rules.base import Finding, Severity
from portproof.rules.edges import edges
from portproof.rules.evaluate import FindingKey, RuleFinding, RuleSet, findings
from portproof.source import RelPath, Tree
from portproof.yamldoc import lookup

_LOCAL = frozenset({"pod", "service"})
"""Families about a Service and its pods: whose pods a guessed neighbour's selector finds is chance."""

_VERSIONS = frozenset({"helm.sh/chart", "app.kubernetes.io/version", "chart"})
_WORD = re.compile(r"[a-z0-9][a-z0-9-]*")


class Part(Struct, frozen=True, dict=True):  # what is found out once is kept
    """A target of an environment in both revisions: None where it is not there, or was not rendered.

    `known` are the findings that it has by itself.
    """

    target: Target
    base: Manifests | None
    head: Manifests | None
    rows: Sequence[ReferenceKind] = ()
    known: frozenset[FindingKey] = frozenset()

    @cached_property
    def words(self) -> frozenset[str]:
        """Names and labels by which others may mean something of it that differs between the revisions."""
        if self.base is self.head:
            return frozenset()
        before, after = (_meanings(one, self.rows) for one in (self.base, self.head))
        return frozenset(word for one in before.keys() ^ after.keys() for word in (before | after)[one])


@dataclass(frozen=True, slots=True)
class Abroad:
    """A finding about two targets. `target` has the field that is wrong, `owners` say whose each of the fields is.

    `is_own` says that the target has the finding by itself, and only the move is news.
    """

    target: Target
    found: RuleFinding
    move: Move | None
    owners: Mapping[Site, Part] = field(compare=False)
    is_own: bool = False

    @property
    def key(self) -> tuple[str, FindingKey]:
        """What tells it from others."""
        return self.target.id, self.found.key


def broken_between(
    parts: Sequence[Part], rule_set: RuleSet, kept: frozenset[str] = frozenset(), *, stated: bool
) -> Iterator[Abroad]:
    """What the change broke between these targets, which are deployed together: the configuration says so, or it is guessed.

    A guess makes a warning of an error. `kept` are Services that the change has put into files that others read.
    """
    rules = tuple(one for one in rule_set.rules if stated or known(one.id).family not in _LOCAL)
    asked = replace(rule_set, rules=rules)
    images = rule_set.images
    base = link.build(
        replace(_joined(parts[0].target, [one.base for one in parts]), images=images), rule_set.rows
    )
    joined = replace(_joined(parts[0].target, [one.head for one in parts]), images=images)
    head = link.build(joined, rule_set.rows, base=base, kept=kept)
    before = frozenset(one.key for one in findings(base, asked, parts[0].target))
    moves = Moves(head, edges)
    owners = _Owners(parts)
    for found in findings(head, asked, parts[0].target):
        finding = found.finding
        was = moves.was(finding.primary)
        part = owners.of(finding.primary)
        if part is None or (was is not None and (found.rule.id, *was) in before):
            continue
        move = moves.of(finding.primary, [label.site for label in finding.related])
        ends = owners.of_all(_sites(finding, move))
        others = [one for one in ends.values() if one is not part]
        own = found.key in part.known
        if not others or (any(found.key in one.known for one in parts) and not own):
            continue
        told = replace(found, finding=_told(finding, ends, part, stated=stated), chain=())
        yield Abroad(part.target, told, move, ends, own)


def mentions_any(
    target: Target, tree: Tree, words: Collection[str], known_words: dict[RelPath, frozenset[str]]
) -> bool:
    """Whether a file of `target` has one of the words; those of files that were read are in `known_words`."""
    for path in target.inputs(tree) if words else ():
        if path not in known_words:
            known_words[path] = frozenset(_WORD.findall(tree.text_or_none(path) or ""))
        if not known_words[path].isdisjoint(words):
            return True
    return False


def _sites(finding: Finding, move: Move | None) -> list[Site]:
    sites = [finding.primary, *(label.site for label in finding.related)]
    if move is not None:
        sites += [one for one in (move.past, move.now, move.other) if one is not None]
    return list(dict.fromkeys(sites))


class _Owners:
    """Whose each resource is: the first that has it in the head, else in the base."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self._found: dict[ResourceKey, Part] = {}
        for which in ("head", "base"):
            for part in parts:
                manifests = part.head if which == "head" else part.base
                for one in () if manifests is None else manifests.resources:
                    self._found.setdefault(one.key, part)

    def of(self, site: Site) -> Part | None:
        return self._found.get(site.resource)

    def of_all(self, sites: Iterable[Site]) -> dict[Site, Part]:
        return {site: part for site in sites if (part := self.of(site)) is not None}


def _joined(target: Target, several: Iterable[Manifests | None]) -> Manifests:
    """One rendering of all; whose it is matters to nobody."""
    return Manifests(target, tuple(one for each in several if each is not None for one in each.resources))


def _told(finding: Finding, owners: Mapping[Site, Part], own: Part, *, stated: bool) -> Finding:
    """The finding in the words of two targets. A fix would have to be proven in both, so it has none."""
    other, part = next((site, part) for site, part in owners.items() if part is not own)
    severity = finding.severity
    if severity is Severity.ERROR and not stated:
        severity = Severity.WARNING
    verb = (
        "is"
        if part.head is not None and any(one.key == other.resource for one in part.head.resources)
        else "was"
    )
    where = f"({other.resource} {verb} in {part.target.path})"
    return replace(
        finding,
        message=f"{finding.message.removesuffix('.')} {where}.",
        severity=severity,
        remedies=(),
        expected=None,
    )


def _meanings(manifests: Manifests | None, rows: Sequence[ReferenceKind]) -> dict[Hashable, frozenset[str]]:
    """What others may mean of a target, and whom it means itself: each with the words that stand for it."""
    if manifests is None:
        return {}
    graph = link.build(manifests, rows)
    found: dict[Hashable, frozenset[str]] = {}
    pods = {one.key for one in graph.workloads}
    for workload in graph.workloads:
        ports = tuple((one.name_text, one.value, one.protocol) for one in workload.ports)
        pod_labels = tuple(sorted(workload.labels.items()))
        found[workload.key, pod_labels, ports] = _words(workload.key.name, *workload.labels.values())
    for one in manifests.resources:
        if one.key not in pods and one.key.kind != "ConfigMap":
            labels = _labels(one)
            selector = lookup(one.data, ("spec", "selector"))
            found[one.key, repr(labels), repr(one.data.get("spec"))] = _words(
                one.key.name, *labels.values(), *(selector.values() if isinstance(selector, dict) else ())
            )
    for some in graph.edges.values():
        found |= {
            (edge.relation, edge.holder, edge.whom.place, edge.wanted): _words(edge.whom.name)
            for edge in some
        }
    return found


def _labels(resource: Resource) -> dict[str, object]:
    """The labels of an object, without those that say which version of a chart made it."""
    labels = lookup(resource.data, ("metadata", "labels"))
    return (
        {key: one for key, one in labels.items() if key not in _VERSIONS} if isinstance(labels, dict) else {}
    )


def _words(*texts: object) -> frozenset[str]:
    return frozenset(text for text in texts if isinstance(text, str) and _WORD.fullmatch(text))
