"""Remedy + origins -> the edits that would give its fields their new values, best first.

Where a template holds a literal, or reads the value of another port, and the other end of the edge has an expression,
people put that expression there: one environment's number in a template that all share is wrong in the next one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import pairwise

from msgspec import Struct, field

from portproof.graph.model import Site
from portproof.graph.names import is_digits
from portproof.render.actions import actions
from portproof.rules.base import Finding, Remedy, Scalar
from portproof.source import Edit, RelPath, Span, Tree
from portproof.trace.model import Origin, Proof
from portproof.trace.templates import is_quoted_number

_STRINGS = r"(?:quote|squote|toString)"
_FILTER = re.compile(_STRINGS)
_CALL = re.compile(rf"{_STRINGS}\s+([\w.$]+|\(.*\))\Z")
_PATH = re.compile(r"[\w.$]+")
_SUBCHART = re.compile(r"(?P<chart>(?:.*/)?)charts/(?P<name>[A-Za-z_]\w*)/templates/")
_ROOT = re.compile(r"(?<![\w$.)\]])\.(?=(?:Values|Release|Chart|Capabilities|Template|Files|Subcharts)\b)")
_DOT = re.compile(r"(?<![\w$.)\]\"])\.(?![\w.])")


class Follows(Struct, frozen=True):
    """What has to hold of an expression: where the text of `source` is another, both `sites` hold that."""

    source: Origin
    sites: tuple[Site, Site]


class Attempt(Struct, frozen=True):
    """Edits that may cure a finding, and what they do in words; those of an expression are to follow its value.

    A field that is added is written behind the text at `beside`.
    """

    description: str
    edits: tuple[Edit, ...]
    follows: Follows | None = None
    beside: Span | None = None

    @property
    def at(self) -> frozenset[Span]:
        """The places that a person would look at to make the edits."""
        return frozenset({self.beside} if self.beside else {edit.span for edit in self.edits})


class Sources(Struct, frozen=True):
    """Where the fields of a finding come from: the text that decides each, and the action of a template that writes it."""

    origins: Mapping[Site, Origin]
    written: Mapping[Site, Origin] = field(default_factory=dict)


def sites_of(finding: Finding) -> list[Site]:
    """Every field that a finding speaks about, without repeats."""
    changed = [site for remedy in finding.remedies for site, _ in remedy.changes]
    like = (one.like for one in finding.remedies if one.like is not None)
    return list(dict.fromkeys((finding.primary, *(label.site for label in finding.related), *changed, *like)))


def in_question(finding: Finding, origins: Mapping[Site, Origin]) -> set[Site]:
    """The fields of which it has to be known which action writes them, too."""
    wanted: set[Site] = set()
    for remedy in finding.remedies:
        if len(remedy.changes) != 1:
            continue
        site, new = remedy.changes[0]
        origin = origins.get(remedy.beside or site)
        if origin is None or origin.proof is not Proof.PROVEN:
            continue
        own = site == finding.primary and (is_quoted_number(site, new) or origin.shared)
        if remedy.beside and not _in_template(origin):
            wanted.add(remedy.beside)
            own = True
        elif own and not _in_template(origin):
            wanted.add(site)
        if own or (_in_template(origin) and site == finding.primary):
            wanted.update(
                one
                for one in _others(finding, site, new)
                if (found := origins.get(one)) and not _is_literal(found)
            )
    return wanted


def requoted(finding: Finding, sources: Sources) -> Sources:
    """The same sources, with the action that makes a string of a number in place of the number that is right."""
    origins = dict(sources.origins)
    for remedy in finding.remedies:
        for site, new in remedy.changes:
            if site in sources.written and is_quoted_number(site, new):
                origins[site] = sources.written[site]
    return Sources(origins, sources.written)


def attempts(finding: Finding, remedy: Remedy, sources: Sources, tree: Tree) -> Iterator[Attempt]:
    """The edits that give the remedy's fields their new values; none when a place is not proven or nothing changes."""
    if remedy.beside is not None:
        yield from _additions(finding, remedy, remedy.beside, sources, tree)
        return
    plain = _plain(finding, remedy, sources, tree)
    # Who asks reads the number of who answers, not the other way round.
    asks = len(remedy.changes) == 1 and remedy.changes[0][0] == finding.primary
    expressions = list(_expressions(finding, remedy, sources, tree)) if asks else []
    origin = sources.origins.get(remedy.changes[0][0])
    if origin is not None and _in_template(origin):
        yield from expressions
        expressions = []
    if plain is not None:
        yield Attempt(remedy.description, plain)
    yield from expressions


def _plain(finding: Finding, remedy: Remedy, sources: Sources, tree: Tree) -> tuple[Edit, ...] | None:
    edits: set[Edit] = set()
    for site, new in remedy.changes:
        origin = sources.origins.get(site)
        if origin is None or origin.proof is not Proof.PROVEN:
            return None
        if (
            origin.is_action
            and not _same_number(site, new)
            and not _is_everywhere(finding, site, new, sources)
        ):
            return None
        for span in (origin.span, *origin.partners):
            edit = _edit(span, origin, site, new, tree)
            if edit.old == edit.new:
                return None
            edits.add(edit)
    spans = sorted(edits)
    if any(one.span.path == two.span.path and two.span.start < one.span.end for one, two in pairwise(spans)):
        return None  # two fields come from one scalar and are to get different values
    return tuple(spans)


def _edit(span: Span, origin: Origin, site: Site, new: Scalar, tree: Tree) -> Edit:
    """Replace exactly the scalar; quotes go when a string has to become a number, and come the other way round."""
    text, value = origin.text, site.value
    if origin.is_action and _same_number(site, new):
        bare = _bare(text)
        return _unquoted(span, text, bare, tree) or Edit(span, text, bare)
    if isinstance(value, str) and isinstance(new, int):
        return _unquoted(span, text, str(new), tree) or Edit(span, text, str(new))
    if isinstance(value, int) and is_digits(new) and not _quotes(span, tree):
        return Edit(span, text, f'"{new}"')
    return Edit(span, text, str(new))


def _quotes(span: Span, tree: Tree) -> str:
    """The quote on both sides of a place; empty when there is none."""
    content = tree.text(span.path)
    before, after = content[span.start - 1 : span.start], content[span.end : span.end + 1]
    return before if before in ("'", '"') and before == after else ""


def _unquoted(span: Span, old: str, new: str, tree: Tree) -> Edit | None:
    quote = _quotes(span, tree)
    if not quote:
        return None
    return Edit(Span(span.path, span.start - 1, span.end + 1), f"{quote}{old}{quote}", new)


def _same_number(site: Site, new: Scalar) -> bool:
    """Whether only the quotes are wrong."""
    return isinstance(new, int) and site.value == str(new)


def _bare(action: str) -> str:
    """An action without the filter that makes a string of what it writes."""
    start = re.match(r"\{\{-?\s*", action)
    end = re.search(r"\s*-?\}\}\Z", action)
    if start is None or end is None:
        return action
    body = action[start.end() : end.start()]
    return f"{start[0]}{_number(body)}{end[0]}"


def _number(body: str) -> str:
    before, _, last = body.rpartition("|")
    if before and _FILTER.fullmatch(last.strip()):
        body = before.rstrip()
    call = _CALL.match(body)
    return call[1] if call else body


def _in_template(origin: Origin) -> bool:
    return "/templates/" in f"/{origin.span.path}"


def _is_literal(origin: Origin) -> bool:
    return _in_template(origin) and not origin.is_action


def _others(finding: Finding, site: Site, new: Scalar) -> Iterator[Site]:
    """The fields of the finding that hold what `site` is to hold."""
    return (one for one in sites_of(finding) if one != site and str(one.value) == str(new))


def _is_everywhere(finding: Finding, site: Site, new: Scalar, sources: Sources) -> bool:
    """Whether what `site` is to hold is a literal at the other end, too: the same in every environment."""
    found = [sources.origins.get(one) for one in _others(finding, site, new)]
    return bool(found) and all(one is not None and _is_literal(one) for one in found)


def _expressions(finding: Finding, remedy: Remedy, sources: Sources, tree: Tree) -> Iterator[Attempt]:
    """The expressions of the fields that hold what the remedy's field is to hold, put where that is written."""
    site, new = remedy.changes[0]
    origin = sources.origins.get(site)
    place = origin if origin is not None and _in_template(origin) else None
    if origin is not None and origin.shared:
        place = place or sources.written.get(site)  # the value is right for another port
    if place is None or place.proof is not Proof.PROVEN or place.partners:
        return
    for body, other, follows in _bodies(finding, site, new, sources, place.span.path):
        edit = _expressed(place, site, new, body, tree)
        if edit.old != edit.new:
            elsewhere = " elsewhere" if other.resource == site.resource else ""
            said = f"write {{{{ {body} }}}}, as {other.resource} does{elsewhere}"
            yield Attempt(said, (edit,), follows)


def _bodies(
    finding: Finding, site: Site, new: Scalar, sources: Sources, here: RelPath
) -> Iterator[tuple[str, Site, Follows]]:
    """The expressions of the fields that hold `new`, as a template at `here` may have to write them, and what they follow."""
    for other in _others(finding, site, new):
        source, expression = sources.origins.get(other), sources.written.get(other)
        if source is None or expression is None or source.proof is not Proof.PROVEN or _in_template(source):
            continue
        body = _from_chart(_number(_body(expression.text)), here, expression.span.path)
        for text in dict.fromkeys((body, _DOT.sub("$", _ROOT.sub("$.", body)))):
            yield text, other, Follows(source, (site, other))


def _from_chart(body: str, here: RelPath, there: RelPath) -> str:
    """An expression of a subchart's template as that of the chart that has the subchart: its values lie below its name."""
    found = _SUBCHART.match(there)
    if found is None or not here.startswith(f"{found['chart']}templates/"):
        return body
    return body.replace(".Values.", f".Values.{found['name']}.")


def _body(action: str) -> str:
    return action[2:-2].removeprefix("-").removesuffix("-").strip()


def _expressed(place: Origin, site: Site, new: Scalar, body: str, tree: Tree) -> Edit:
    span, text = place.span, place.text
    around = (one for one in actions(tree.text(span.path)) if one.start < span.start and span.end < one.end)
    if next(around, None) is not None:  # a literal of an action: {{ .Values.port | default 8080 }}
        return Edit(span, text, body if _PATH.fullmatch(body) else f"({body})")
    written = f"{{{{ {body} }}}}"
    if isinstance(site.value, str) and isinstance(new, int) and site.piece is None:
        return _unquoted(span, text, written, tree) or Edit(span, text, written)
    return Edit(span, text, written)


def _additions(
    finding: Finding, remedy: Remedy, beside: Site, sources: Sources, tree: Tree
) -> Iterator[Attempt]:
    """The field, written on a line of its own behind that of `beside`, or behind it within braces."""
    ((site, new),) = remedy.changes
    key = str(site.path[-1])
    for place in (sources.written.get(beside), sources.origins.get(beside)):
        if place is None or place.proof is not Proof.PROVEN or place.partners:
            continue
        bodies = _bodies(finding, site, new, sources, place.span.path)
        for body, other, follows in bodies if _in_template(place) else ():
            edit = _added(place.span, beside, key, f"{{{{ {body} }}}}", tree)
            if edit is not None:
                said = f"add {key}: {{{{ {body} }}}}, as {other.resource} has it"
                yield Attempt(said, (edit,), follows, place.span)
        edit = _added(place.span, beside, key, str(new), tree)
        if edit is not None:
            yield Attempt(remedy.description, (edit,), beside=place.span)


def _added(span: Span, beside: Site, key: str, value: str, tree: Tree) -> Edit | None:
    """`key` in the mapping that has the scalar at `span`; None where that is written in another way than by its key."""
    text, own = tree.text(span.path), re.escape(str(beside.path[-1]))
    start = text.rfind("\n", 0, span.start) + 1
    lead = re.match(
        rf"(?P<block>[ ]*(?:-[ ]+)*)?(?P<flow>.*[{{,][ \t]*)?(?P<quote>[\"']?){own}(?P=quote)[ \t]*:[ \t]*[\"']?\Z",
        text[start : span.start],
    )
    if lead is None:
        return None
    name = f"{lead['quote']}{key}{lead['quote']}"
    if lead["flow"]:
        at = span.end + len(_quotes(span, tree))
        return Edit(Span(span.path, at, at), "", f", {name}: {value}")
    end = text.find("\n", span.end)
    at = len(text) if end < 0 else end - (text[end - 1] == "\r")
    line = "\r\n" if text[at : at + 1] == "\r" else "\n"
    return Edit(Span(span.path, at, at), "", f"{line}{' ' * len(lead['block'] or '')}{name}: {value}")
