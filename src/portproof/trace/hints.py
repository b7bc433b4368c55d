"""Places that are known without a probe: plain manifests by position, and the best guess for the rest."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import takewhile

from portproof import yamldoc
from portproof.discover.model import HelmTarget, KustomizeTarget, RemoteChart
from portproof.discover.remote_charts import place_of
from portproof.graph.model import Piece, Site
from portproof.resources import Manifests, Resource, ResourceKey
from portproof.source import SourceError, Span, Tree
from portproof.trace import pieces
from portproof.trace.model import Origin, Proof


def by_position(manifests: Manifests, fields: Sequence[Site], tree: Tree) -> dict[Site, Origin]:
    """Origins in plain manifests: the text itself is what is applied, so its place is certain.

    A field that is not there is hinted at by what stands beside it.
    """
    found: dict[Site, Origin] = {}
    resources = {one.key: one for one in manifests.resources}
    variants = Counter(one.key for one in manifests.resources)
    parsed: dict[int, list[yamldoc.Document]] = {}
    for one in fields:
        resource = resources.get(one.resource)
        if resource is None or resource.document.source is None or resource.document.offset is None:
            continue
        key = id(resource.document)
        if key not in parsed:  # once, however many of its fields are asked for
            parsed[key] = _documents(resource.document.text)
        origin = _span_in_document(resource, one, tree, parsed[key])
        if origin is None and parsed[key] and variants[one.resource] == 1:
            origin = _beside(resource, one, parsed[key][0])
        if origin is not None:
            found[one] = origin
    return found


def _documents(text: str) -> list[yamldoc.Document]:
    try:
        return yamldoc.documents(text)
    except yamldoc.YamlError:
        return []


def _span_in_document(
    resource: Resource, one: Site, tree: Tree, parsed: Sequence[yamldoc.Document]
) -> Origin | None:
    document = resource.document
    assert document.source is not None  # noqa: S101 - by_position() looked
    assert document.offset is not None  # noqa: S101
    place = parsed[0].spans.get((*resource.inside, *one.path)) if parsed else None
    if place is None:
        return None
    inset = 1 if place.quote else 0
    start, end = place.start + inset, place.end - inset
    if one.piece is not None:
        within = _within_scalar(resource, one, one.piece, start, end)
        if within is None:
            return None
        start, end = within, within + one.piece.end - one.piece.start
    start, end = document.offset + start, document.offset + end
    text = tree.text_or_none(document.source)
    return None if text is None else Origin(Span(document.source, start, end), text[start:end], Proof.PROVEN)


def _beside(resource: Resource, one: Site, parsed: yamldoc.Document) -> Origin | None:
    """The first text of what is nearest around a field that is not there."""
    document, path = resource.document, (*resource.inside, *one.path)
    if document.source is None or document.offset is None or path in parsed.spans:
        return None
    found = _nearest(parsed.spans, path, len(resource.inside) + 1)
    if found is None:
        return None
    place = found[1]
    span = Span(document.source, document.offset + place.start, document.offset + place.end)
    return Origin(span, document.text[place.start : place.end], Proof.HINTED)


def _nearest(
    spans: Mapping[yamldoc.FieldPath, yamldoc.ScalarSpan], path: yamldoc.FieldPath, least: int
) -> tuple[int, yamldoc.ScalarSpan] | None:
    """The first scalar within the innermost mapping or list on the way to `path`, and how many steps lead there.

    None when fewer than `least` steps do.
    """
    for length in range(len(path), least - 1, -1):
        around = [place for where, place in spans.items() if where[:length] == path[:length]]
        if around:
            return length, min(around, key=lambda place: place.start)
    return None


def _within_scalar(resource: Resource, one: Site, piece: Piece, start: int, end: int) -> int | None:
    """The offset of `piece` in the document; None unless another number there changes exactly that part of the field."""
    text, value = resource.document.text, yamldoc.lookup(resource.data, one.path)
    if not isinstance(value, str):
        return None
    offset = pieces.place_in(text[start:end], value, piece)
    if offset is None:
        return None
    at, size = start + offset, piece.end - piece.start
    other = "7" * size if text[at : at + size] != "7" * size else "8" * size
    try:
        changed = yamldoc.load(text[:at] + other + text[at + size :])
    except yamldoc.YamlError:
        return None
    expected = value[: piece.start] + other + value[piece.end :]
    return at if yamldoc.lookup(changed, (*resource.inside, *one.path)) == expected else None


def best(manifests: Manifests, one: Site, tree: Tree) -> Origin | None:
    """The best place known without proof; None when there is nothing better than a guess."""
    if isinstance(manifests.target, KustomizeTarget):
        return _in_overlay_files(manifests.target, one, tree)
    if isinstance(manifests.target, HelmTarget) and manifests.target.remote is not None:
        return _at_version(manifests.target.remote, tree)
    named = [found for found in manifests.resources if found.key == one.resource]
    holding = (found for found in named if yamldoc.lookup(found.data, one.path) == one.value)
    resource = next(holding, named[0] if named else None)
    if resource is None or resource.document.source is None:
        return None
    beside = yamldoc.lookup(resource.data, one.path[:-1])
    return _in_template(resource.document.source, one, beside if isinstance(beside, dict) else {}, tree)


def _at_version(chart: RemoteChart, tree: Tree) -> Origin | None:
    """The version of a chart of a registry: what no value of this repository moves comes with it."""
    span, text = place_of(chart, tree), tree.text_or_none(chart.file)
    return None if span is None or text is None else Origin(span, text[span.start : span.end], Proof.HINTED)


def _in_template(path: str, one: Site, beside: Mapping[str, object], tree: Tree) -> Origin | None:
    """The line of the template that writes the field, or what the field is in, else the one that names the resource's kind.

    `beside` is the mapping that has the field: the variable of a container is the one below its own name.
    """
    content = tree.text_or_none(path)
    if content is None:
        return None
    keys = [str(step) for step in one.path if isinstance(step, str)]
    lines = [found for found in _KEY.finditer(content) if keys and found["key"].strip("\"'") == keys[-1]]
    if lines:
        own = _lines_of(content, one.resource)
        around = {found: _parents(content, found) for found in lines}
        found = max(
            lines,
            key=lambda each: (
                each.start() in own,
                _agreeing(around[each], keys[-2::-1]),
                sum(str(beside.get(key)) == text for key, text in _siblings(content, each)),
                str(one.value) in each["text"],
                _spelled(each["text"], str(beside.get(keys[-1]))),
            ),
        )
        return Origin(Span(path, found.start("text"), found.end("text")), found["text"], Proof.HINTED)
    around_it = _written_around(content, keys, _lines_of(content, one.resource))
    if around_it is not None:
        return Origin(
            Span(path, around_it.start("key"), around_it.end("key")), around_it["key"], Proof.HINTED
        )
    match_kind = re.search(rf"^kind:[ \t]*({re.escape(one.resource.kind)})\b", content, re.MULTILINE)
    if match_kind is None:
        return None
    return Origin(Span(path, match_kind.start(1), match_kind.end(1)), match_kind.group(1), Proof.HINTED)


def _written_around(content: str, keys: Sequence[str], own: range) -> re.Match[str] | None:
    """The line of the innermost mapping around a field that the template writes out; a part within it comes from elsewhere."""
    lines = [one for one in _KEY.finditer(content) if one.start() in own]
    for width in range(len(keys) - 1, 1, -1):
        for one in lines:
            outer = keys[width - 2 :: -1] if width > 1 else ()
            if one["key"].strip("\"'") == keys[width - 1] and _agreeing(_parents(content, one), outer) == len(
                outer
            ):
                return one
    return None


_KEY = re.compile(
    r"^(?P<indent>[ \t]*(?:-[ \t]+)*)(?P<key>[\w./-]+|\"[^\"\n]+\"|'[^'\n]+')[ \t]*:(?!\S)[ \t]*(?P<text>.*?)[ \t]*\r?$",
    re.MULTILINE,
)
"""A line of a template that writes a key; those of the template language do not begin so."""


def _lines_of(content: str, key: ResourceKey) -> range:
    """The offsets of the document in a template that makes a resource of that kind and name, as far as its text says so."""
    said = list(re.finditer(rf"^kind:[ \t]*[\"']?{re.escape(key.kind)}\b", content, re.MULTILINE))
    documents = [
        range(
            content.rfind("\n---", 0, one.start()) + 1, _or_end(content, content.find("\n---", one.start()))
        )
        for one in said
    ]
    if not documents:
        return range(len(content))
    return max(documents, key=lambda one: _alike(content[one.start : one.stop], key.name))


def _or_end(content: str, offset: int) -> int:
    return len(content) if offset < 0 else offset


def _alike(document: str, name: str) -> int:
    """How many letters of the name the document spells out; -1 when it spells another."""
    said = re.search(r"^[ \t]+name:[ \t]*(.*?)[ \t]*\r?$", document, re.MULTILINE)
    return _spelled(said[1], name) if said else 0


def _spelled(text: str, value: str) -> int:
    """How many letters of a value the text of a template spells out, its actions aside; -1 when it spells another."""
    parts = [part.strip("\"' ") for part in re.split(r"\{\{.*?\}\}", text)]
    return sum(map(len, parts)) if all(part in value for part in parts) else -1


def _siblings(content: str, line: re.Match[str]) -> Iterator[tuple[str, str]]:
    """The keys beside that of a line, with their texts: those of the same entry of a list, where it is in one."""
    width = len(line["indent"])
    above = reversed([*takewhile(lambda one: one.start() < line.start(), _KEY.finditer(content))])
    if "-" not in line["indent"]:
        yield from _until_entry(above, width)
    below = takewhile(lambda one: "-" not in one["indent"], _KEY.finditer(content, line.end()))
    yield from _until_entry(below, width)


def _until_entry(lines: Iterable[re.Match[str]], width: int) -> Iterator[tuple[str, str]]:
    """The keys at the same indent, up to the first line of the entry, or to what is further out."""
    for one in lines:
        if len(one["indent"]) < width:
            return
        if len(one["indent"]) == width:
            yield one["key"].strip("\"'"), one["text"].strip("\"'")
            if "-" in one["indent"]:
                return


def _parents(content: str, line: re.Match[str]) -> Iterator[str]:
    """The keys that stand around a line of a template, by their indents, the nearest first."""
    width = len(line["indent"])
    for above in reversed(list(_KEY.finditer(content, 0, line.start()))):
        if len(above["indent"]) < width:
            width = len(above["indent"])
            yield above["key"].strip("\"'")


def _agreeing(found: Iterator[str], wanted: Sequence[str]) -> int:
    """How many keys agree before the first that does not."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(found, wanted, strict=False)))


def _in_overlay_files(target: KustomizeTarget, one: Site, tree: Tree) -> Origin | None:
    """The same field of a resource of that kind and name in an input file, else what stands beside it there."""
    found = [
        (near, path, text)
        for path, text, document in _inputs(target, tree)
        if _is_about(document, one) and (near := _nearest(document.spans, one.path, 2)) is not None
    ]
    if not found:
        return None
    (_, place), path, text = max(found, key=lambda each: each[0][0])  # the first of the nearest ones
    return Origin(Span(path, place.start, place.end), text[place.start : place.end], Proof.HINTED)


def _inputs(target: KustomizeTarget, tree: Tree) -> Iterator[tuple[str, str, yamldoc.Document]]:
    """The documents of an overlay's files that are YAML."""
    for path in sorted(target.files):
        try:
            text = tree.text(path)
            parsed = yamldoc.documents(text)
        except (SourceError, yamldoc.YamlError):
            continue
        yield from ((path, text, document) for document in parsed)


def _is_about(document: yamldoc.Document, one: Site) -> bool:
    """Whether it has the kind of the resource, and its name, prefixes and suffixes aside."""
    data = document.data
    if not isinstance(data, dict) or data.get("kind") != one.resource.kind:
        return False
    name = str(yamldoc.lookup(data, ("metadata", "name")) or "")
    return bool(name) and name in one.resource.name
