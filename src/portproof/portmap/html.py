"""The map as one HTML page that asks for nothing: its style and script are in it, and its policy forbids everything else.

All that it shows is in the markup, so it reads and prints without its script, which adds the search, the filters, the arrow
keys and the lines. Names come from strangers: each passes the template's escaping, and no address is made of one.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from msgspec import Struct

from portproof.portmap import runbook, words
from portproof.portmap.cards import Card, Written, anchor, cards, families, loose, written
from portproof.portmap.model import Loose, PortMap, ServiceMap, TargetMap, Verdict
from portproof.portmap.selection import is_broken
from portproof.portmap.survey import UNSTATED
from portproof.portmap.way import Anchors, Way, Ways
from portproof.report.safe import discreet, one_line, visible
from portproof.report.summary_line import plural

_KINDS = {"helm": "Helm chart", "kustomize": "Kustomize", "manifests": "Manifests"}
_SAID = {
    Verdict.REACHED: ("✓", "reached"),
    Verdict.MISSED: ("✕", "not reached"),
    Verdict.UNKNOWN: ("?", "not known"),
}
_PORTS_IN_INDEX = 3


class Fact(Struct, frozen=True):
    """What else is known of a Service, with its environments where it is not the same in all."""

    label: str
    text: str
    environments: tuple[str, ...]


class Block(Struct, frozen=True):
    """A Service on the page. `found` is what a search looks at, `wrong` says in words what is not reached."""

    anchor: str
    aliases: tuple[str, ...]
    name: str
    brief: str
    environments: tuple[str, ...]
    facts: tuple[Fact, ...]
    ways: tuple[Way, ...]
    places: tuple[Written, ...]
    steps: tuple[runbook.Step, ...]
    wrong: tuple[str, ...]
    unknown: bool
    found: str


class Unserved(Struct, frozen=True):
    """A port that no Service leads to."""

    port: Loose
    environments: tuple[str, ...]


class Group(Struct, frozen=True):
    """A family of targets: what it is, where it lies, its Services."""

    kind: str
    path: str
    anchor: str
    blocks: tuple[Block, ...]
    unserved: tuple[Unserved, ...]


def write(port_map: PortMap) -> str:
    """The page; equal maps give equal bytes."""
    style, first, script = _asset("page.css"), _asset("first.js"), _asset("page.js")
    groups = tuple(_groups(port_map))
    targets = port_map.targets
    return (
        _environment()
        .get_template("page.html.jinja")
        .render(
            policy=(
                f"default-src 'none'; script-src {_hash(first)} {_hash(script)}; style-src {_hash(style)}; "
                "base-uri 'none'; form-action 'none'"
            ),
            style=Markup(style),  # noqa: S704 - our own file
            first=Markup(first),  # noqa: S704 - our own file
            script=Markup(script),  # noqa: S704 - our own file
            groups=groups,
            broken=[(group, block) for group in groups for block in group.blocks if block.wrong],
            edges_broken=port_map.broken,
            services=sum(len(group.blocks) for group in groups),
            targets=sum(not one.reason for one in targets),
            environments=sorted({one.environment for one in targets if one.services}),
            left=[(one.id, one_line(discreet(one.reason))) for one in targets if one.reason],
            symptoms=[(seen, means, first) for seen, means, *first in runbook.SYMPTOMS],
            otherwise=runbook.OTHERWISE,
            unstated_namespace=not all(each.settled for one in targets for each in one.services),
            unstated_release=any(UNSTATED in each.name for one in targets for each in one.services),
        )
    )


def _groups(port_map: PortMap) -> Iterator[Group]:
    grouped = [(family, several, cards(several)) for family, several in families(port_map.targets).items()]
    every = [card for _, _, found in grouped for card in found]
    anchors = _anchors(every)
    ways = Ways.of(port_map, _by_service(every, anchors))
    taken = {name for several in anchors.values() for name in several}
    for family, several, found in grouped:
        rest = tuple(Unserved(one, names) for one, names in loose(several))
        if found or rest:
            kind, _, path = family.partition(":")
            blocks = tuple(
                _block(card, anchors[card.family, card.name], ways, port_map, several) for card in found
            )
            own = _free(f"{family}-no-service", taken)
            yield Group(_KINDS.get(kind, kind), path, own, blocks, rest)


def _anchors(several: Iterable[Card]) -> dict[tuple[str, str], tuple[str, ...]]:
    """The anchors of each card, as in the Markdown. Where two have the same, it is the first one's, as browsers read it."""
    taken: set[str] = set()
    found = {}
    for card in several:
        own = tuple(one for one in card.anchors if one and one not in taken)
        taken |= set(own)
        found[card.family, card.name] = own or (_free(f"{card.family}-{card.name}", taken),)
    return found


def _free(text: str, taken: set[str]) -> str:
    """An anchor that nothing else has."""
    wanted = anchor(text) or "service"
    chosen, number = wanted, 2
    while chosen in taken:
        chosen, number = f"{wanted}-{number}", number + 1
    taken.add(chosen)
    return chosen


def _by_service(several: Iterable[Card], anchors: dict[tuple[str, str], tuple[str, ...]]) -> Anchors:
    return {
        (target, card.name): anchors[card.family, card.name][0]
        for card in several
        for one in card.variants
        for target in one.targets
    }


def _block(
    card: Card, anchors: tuple[str, ...], ways: Ways, port_map: PortMap, several: Sequence[TargetMap]
) -> Block:
    places = written(card, PortMap(tuple(several)) if several else port_map)
    shown = ways.of_card(card)
    services = [one.service for one in card.variants]
    return Block(
        anchor=anchors[0],
        aliases=anchors[1:],
        name=card.name,
        brief=_brief(services[0]),
        environments=card.environments,
        facts=tuple(_facts(card)),
        ways=shown,
        places=places,
        steps=runbook.steps(card, places),
        wrong=tuple(_wrong(card)) if any(map(is_broken, services)) else (),
        unknown=any(way.port.verdict is Verdict.UNKNOWN for way in shown),
        found=json.dumps(list(dict.fromkeys(map(visible, _searched(card))))),
    )


def _brief(service: ServiceMap) -> str:
    """The ports of a Service, in a few words."""
    said = [
        port.target
        if port.target == str(port.number)
        else f"{port.number or '?'}\N{NO-BREAK SPACE}→\N{NO-BREAK SPACE}{port.target}"
        for port in service.ports
    ]
    more = f" and {len(said) - _PORTS_IN_INDEX} more" if len(said) > _PORTS_IN_INDEX else ""
    return ", ".join(said[:_PORTS_IN_INDEX]) + more if said else "no ports"


def _facts(card: Card) -> Iterator[Fact]:
    """Type, namespace and selector; and why nothing may answer."""
    every = set(card.environments)
    said: dict[tuple[str, str], list[str]] = {}
    for one in card.variants:
        for label, text in _said_of(one.service):
            said.setdefault((label, text), []).extend(one.environments)
        for namespace in one.namespaces:
            said.setdefault(("Namespace", namespace or "not stated"), []).extend(one.environments)
    for (label, text), names in sorted(said.items(), key=lambda each: _ORDER.index(each[0][0])):
        yield Fact(label, text, () if set(names) == every else tuple(dict.fromkeys(names)))


_ORDER = ("Type", "Namespace", "Selector", "Replicas", "Note")


def _said_of(service: ServiceMap) -> Iterator[tuple[str, str]]:
    yield "Type", service.type
    if service.selector:
        yield "Selector", ", ".join(f"{key}={value}" for key, value in service.selector)
    if service.idle:
        yield "Replicas", f"no pod may run: {service.idle}"
    if service.note:
        yield "Note", service.note


def _wrong(card: Card) -> Iterator[str]:
    """What is not reached, a sentence each."""
    said: dict[str, list[str]] = {}
    for one in card.variants:
        for port in one.service.ports:
            for end in port.ends:
                if end.verdict is Verdict.MISSED:
                    text = f"port {words.asked(port)} is {words.missed(end, port)}"
                    said.setdefault(text, []).extend(one.environments)
        for each in one.service.astray:
            said.setdefault(words.astray(each), []).extend(one.environments)
    for text, names in said.items():
        if set(names) != set(card.environments):
            yield f"in {', '.join(dict.fromkeys(names))}: {text}"
        elif len(card.environments) > 1:
            yield f"in all {len(card.environments)} environments: {text}"
        else:
            yield text


def _searched(card: Card) -> Iterator[str]:
    """What a search finds a Service by, each with the word that says what it is."""
    yield f"Service {card.name}"
    for one in card.variants:
        yield from (f"environment {name}" for name in one.environments)
        yield from (f"namespace {name}" for name in one.namespaces if name)
        yield from one.service.workloads
        for port in one.service.ports:
            yield f"port {words.asked(port)} to {port.target}"
            yield from (f"node port {number}" for number in (port.node_port,) if number)
            yield from (words.answers(end) for end in port.ends if end.container)
            yield from (f"caller {words.caller(each)}" for each in port.callers)
        yield from (f"caller {words.caller(each)} of port {each.asks}" for each in one.service.astray)


def _hash(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"'sha256-{digest}'"


@cache
def _asset(name: str) -> str:
    return files("portproof.portmap").joinpath("page", name).read_text(encoding="utf-8")


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("portproof", "portmap/page"),
        undefined=StrictUndefined,
        autoescape=True,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"plural": plural}
    environment.globals |= {"said": _SAID, "listed": _listed, "commands": _commands}
    return environment


def _shown(value: object) -> object:
    """What every expression of the template passes: characters that are not seen are shown as escapes."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _listed(values: Sequence[str]) -> str:
    """Strings as the script reads them from an attribute."""
    return json.dumps([visible(one) for one in values])


def _commands(steps: Sequence[runbook.Step]) -> Iterator[tuple[str, list[str], str]]:
    """Each step: what it is for, what to expect, the command."""
    for step in steps:
        expected = [f"{f'in {where}: ' if where else ''}{text}" for where, text in step.expected]
        yield step.title, expected, step.command
