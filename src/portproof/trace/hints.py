"""Places that are known without a probe: plain manifests by position, and the best guess for the rest."""

from __future__ import annotations

import re
from collections.abc import Sequence

from portproof import yamldoc
from portproof.discover.model import KustomizeTarget
from portproof.graph.model import Piece, Site
from portproof.manifests import Manifests, Resource
from portproof.source import SourceError, Span, Tree
from portproof.trace import pieces
from portproof.trace.model import Origin, Proof


def by_position(manifests: Manifests, fields: Sequence[Site], tree: Tree) -> dict[Site, Origin]:
    """Origins in plain manifests: the text itself is what is applied, so its place is certain."""
    found: dict[Site, Origin] = {}
    resources = {one.key: one for one in manifests.resources}
    parsed: dict[int, list[yamldoc.Document]] = {}
    for one in fields:
        resource = resources.get(one.resource)
        if resource is None or resource.document.source is None or resource.document.offset is None:
            continue
        key = id(resource.document)
        if key not in parsed:  # once, however many of its fields are asked for
            parsed[key] = _documents(resource.document.text)
        span = _span_in_document(resource, one, tree, parsed[key])
        if span is not None:
            found[one] = span
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
    try:
        text = tree.text(document.source)[start:end]
    except SourceError:
        return None
    return Origin(Span(document.source, start, end), text, Proof.PROVEN)


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
    resource = next((found for found in manifests.resources if found.key == one.resource), None)
    if resource is None or resource.document.source is None:
        return None
    return _in_template(resource.document.source, one, tree)


def _in_template(path: str, one: Site, tree: Tree) -> Origin | None:
    """The line of the template that writes the field, else the one that names the resource's kind."""
    try:
        content = tree.text(path)
    except SourceError:
        return None
    key = next((step for step in reversed(one.path) if isinstance(step, str)), "")
    lines = list(re.finditer(rf"^[ \t-]*{re.escape(key)}[ \t]*:[ \t]*(.*?)[ \t]*\r?$", content, re.MULTILINE))
    for match in (*(found for found in lines if str(one.value) in found.group(1)), *lines):
        return Origin(Span(path, match.start(1), match.end(1)), match.group(1), Proof.HINTED)
    match_kind = re.search(rf"^kind:[ \t]*({re.escape(one.resource.kind)})\b", content, re.MULTILINE)
    if match_kind is None:
        return None
    return Origin(Span(path, match_kind.start(1), match_kind.end(1)), match_kind.group(1), Proof.HINTED)


def _in_overlay_files(target: KustomizeTarget, one: Site, tree: Tree) -> Origin | None:
    """The same field of a resource of that kind and name (prefixes and suffixes aside) in an input file."""
    for path in sorted(target.files):
        try:
            content = tree.text(path)
            parsed = yamldoc.documents(content)
        except (SourceError, yamldoc.YamlError):
            continue
        for document in parsed:
            data = document.data
            if not isinstance(data, dict) or data.get("kind") != one.resource.kind:
                continue
            name = str(yamldoc.lookup(data, ("metadata", "name")) or "")
            place = document.spans.get(one.path)
            if name and name in one.resource.name and place is not None:
                text = content[place.start : place.end]
                return Origin(Span(path, place.start, place.end), text, Proof.HINTED)
    return None
