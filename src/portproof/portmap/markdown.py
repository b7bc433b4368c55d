"""The map as Markdown that is fit to be committed: nothing in it changes unless a port does.

So there are no line numbers, dates, versions, counts or aligned columns in it; a Service has a block of its own, and a
port a row of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from portproof.portmap import runbook, words
from portproof.portmap.cards import Card, Written, cards, families, loose, written
from portproof.portmap.model import Loose, PortLine, PortMap, ServiceMap, TargetMap
from portproof.portmap.survey import UNSTATED
from portproof.report.safe import cell, code_span, discreet, fenced, one_line, stripped


def write(port_map: PortMap) -> str:
    """All of the map."""
    return document(port_map, port_map.targets, symptoms=True)


def document(port_map: PortMap, shown: Sequence[TargetMap], *, symptoms: bool) -> str:
    """The Services of the targets `shown`; with what callers see and what it means, which a file needs only once."""
    lines: list[str] = []
    if symptoms and any(one.services for one in shown):
        lines += [*_symptoms(shown), ""]
    for family, several in families(shown).items():
        found, rest = cards(several), loose(several)
        if found or rest:
            lines += [f"## {code_span(family)}", ""]
        for card in found:
            lines += [*_card(card, written(card, port_map)), ""]
        if rest:
            lines += ["### Ports that no Service leads to", ""]
            lines += [_loose(one, environments, several) for one, environments in rest]
            lines.append("")
    left = [one for one in shown if one.reason]
    if left:
        lines += ["Not on the map:", ""]
        lines += [f"* {code_span(one.id)}: {code_span(one_line(discreet(one.reason)))}" for one in left]
        lines.append("")
    return "\n".join(lines).rstrip("\n") + "\n" if lines else ""


def _symptoms(shown: Sequence[TargetMap]) -> Iterator[str]:
    yield "| a caller sees | which means | steps of the runbook to take first |"
    yield "|---|---|---|"
    for seen, means, *first in runbook.SYMPTOMS:
        yield f"| {seen} | {means} | {'; '.join(first)} |"
    yield ""
    yield "| a step of the runbook shows something else | which means |"
    yield "|---|---|"
    yield from (f"| {title} | {means} |" for title, means in runbook.OTHERWISE)
    services = [each for one in shown for each in one.services]
    if not all(one.settled for one in services):
        yield ""
        yield "Before you paste commands: `NAMESPACE=...`, the namespace that you deployed to."
    if any(one.id.startswith("helm:") and "#" not in one.id and one.services for one in shown):
        yield ""
        yield "A chart's names are those of a release with the chart's name, unless something here states another."
    if any(UNSTATED in one.name for one in services):
        yield ""
        yield "`<release>` is the name of your release; before you paste commands: `RELEASE=...`."


def _loose(one: Loose, environments: Sequence[str], several: Sequence[TargetMap]) -> str:
    name = f" ({code_span(one.name)})" if one.name else ""
    where = f", in {_spans(environments)}" if len({each.environment for each in several}) > 1 else ""
    number = code_span(str(one.number or "?"))
    return f"* {code_span(one.workload)}, container {code_span(one.container)}: {number}{name}{where}"


def _card(card: Card, places: Sequence[Written]) -> Iterator[str]:
    yield f"### Service {code_span(card.name)}"
    yield ""
    yield " ".join(f'<a id="{anchor}"></a>' for anchor in card.anchors)
    yield ""
    several = len(card.variants) > 1
    yield from _table(card)
    for one in card.variants:
        where = f" in {_spans(one.environments)}" if several else ""
        if not one.service.ports:
            yield f"No ports{where}: {one.service.note or 'none are listed'}."
            yield ""
        for each in one.service.astray:
            yield f"**Not reached**{where}: {code_span(words.caller(each))} asks for port {code_span(each.asks)}."
            yield ""
    if places:
        yield "Where the numbers are written:"
        yield ""
        yield from _written(places, card.environments)
        yield ""
    yield from _runbook(card, places)


def _table(card: Card) -> Iterator[str]:
    """A row for each port, with its environments where they differ."""
    rows: dict[tuple[str, ...], list[str]] = {}
    for one in card.variants:
        for port in one.service.ports:
            rows.setdefault(_row(port, one.service), []).extend(one.environments)
    several = any(set(names) != set(card.environments) for names in rows.values())
    if not rows:
        return
    head = ["port", "leads to", "callers found"]
    yield f"| {' | '.join(['environment', *head] if several else head)} |"
    yield f"|{'---|' * (4 if several else 3)}"
    for row, names in rows.items():
        where = "all" if set(names) == set(card.environments) else _spans(list(dict.fromkeys(names)))
        yield f"| {' | '.join(cell(text) for text in ((where, *row) if several else row))} |"
    yield ""


def _row(port: PortLine, service: ServiceMap) -> tuple[str, ...]:
    named, more = words.first_callers(port.callers)
    callers = "<br>".join(code_span(name) for name in named) + (f"<br>and {more} more" if more else "")
    return (
        f"{code_span(words.asked(port))} → {code_span(port.target)}",
        "<br>".join(_marked(text) for text in words.leads_to(port, service)),
        callers or "none found",
    )


def _marked(text: str) -> str:
    """A line of where a port leads: what is wrong is bold, so that it shows without colour."""
    start, colon, rest = text.partition(": ")
    if start == "not reached":
        return f"**not reached**: {code_span(rest)}"
    if start == "not known":
        return f"not known: {code_span(rest)}"
    return f"{code_span(start)}{colon}{code_span(rest)}"


def _written(places: Sequence[Written], environments: Sequence[str]) -> Iterator[str]:
    for one in places:
        key = f": {code_span(one.place.key)}" if one.place.key else ""
        guess = "" if one.place.proven else " (best guess)"
        where = "" if set(one.environments) == set(environments) else f", in {_spans(one.environments)}"
        yield f"* {one.what}{where}: {code_span(one.place.path)}{key}{guess}"


def _runbook(card: Card, places: Sequence[Written]) -> Iterator[str]:
    yield f"<details><summary>Runbook: requests to {_plain(card.name)} fail</summary>"
    yield ""
    if runbook.is_broken(card):
        yield "**The numbers are wrong in the source already**: `portproof check` shows the line and the fix."
        yield ""
    lines: list[str] = []
    for step in runbook.steps(card, places):
        lines.append(f"# {one_line(stripped(step.title))}")
        for environments, text in step.expected:
            where = f"in {environments} " if environments else ""
            lines.append(f"# {one_line(stripped(f'{where}expect {text}'))}")
        lines.append(step.command)
    yield from fenced("\n".join(lines), "sh").split("\n")
    yield ""
    yield "</details>"


def _plain(text: str) -> str:
    """A name inside HTML."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _spans(names: Sequence[str]) -> str:
    return ", ".join(code_span(one) for one in names)
