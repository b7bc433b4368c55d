"""Which fields differ between two renderings of one target."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from msgspec import Struct

from portproof import yamldoc
from portproof.graph.names import port_name_problem
from portproof.render.model import RenderedDocument, Rendering
from portproof.replacing import replace
from portproof.resources import ResourceKey, objects
from portproof.yamldoc import FieldPath, leaves

HIDDEN = "(hidden)"
"""Stands for every value of a Secret, and for texts that no edit has put there."""

_TOKEN = re.compile(r"[\w.-]+|[^\w.-]", re.ASCII)
_HARMLESS = re.compile(r"[0-9]{1,5}|[0-9a-f]{32,128}")
"""Numbers, and checksums."""

_LONG = 253
_PORT_OR_NAME = re.compile(r"(?i)port|protocol|\Aname\Z|\Akind\Z")


class Change(Struct, frozen=True):
    """A field whose value differs; None stands for a field that is not there."""

    resource: ResourceKey
    path: FieldPath
    before: Any
    after: Any


def differences(before: Rendering, after: Rendering, namespace: str) -> list[Change]:
    """Every field that differs, in a fixed order; compared as parsed data, and only where the text differs."""
    old_documents, new_documents = _differing(before, after)
    old = _by_key(old_documents, namespace)
    new = _by_key(new_documents, namespace)
    changes: list[Change] = []
    for key in sorted({*old, *new}):
        changes += _in_resource(key, old.get(key), new.get(key))
    return changes


def _differing(before: Rendering, after: Rendering) -> tuple[list[RenderedDocument], list[RenderedDocument]]:
    same = {one.text for one in before.documents} & {one.text for one in after.documents}
    return (
        [one for one in before.documents if one.text not in same],
        [one for one in after.documents if one.text not in same],
    )


def _by_key(documents: list[RenderedDocument], namespace: str) -> dict[ResourceKey, Any]:
    found: dict[ResourceKey, Any] = {}
    for document in documents:
        try:
            data = yamldoc.load(document.text)
        except yamldoc.YamlError:
            continue  # manifests.read reports it
        found.update({key: item for key, item, _ in objects(data, namespace, ())})
    return found


def _in_resource(key: ResourceKey, old: Any, new: Any) -> Iterator[Change]:
    before, after = dict(leaves(old)) if old is not None else {}, dict(leaves(new)) if new is not None else {}
    for path in dict.fromkeys((*before, *after)):
        one, other = before.get(path), after.get(path)
        if one != other or type(one) is not type(other):
            if key.kind == "Secret":
                yield Change(key, path, HIDDEN if one is not None else None, HIDDEN)
            else:
                yield Change(key, path, _scalar(one), _scalar(other))


def _scalar(value: Any) -> Any:
    """The value itself; an empty mapping or list, the only ones that are leaves, as text, for effects are kept in sets."""
    return str(value) if isinstance(value, dict | list) else value


def redacted(change: Change, words: Collection[str]) -> Change:
    """`change` as it may be told: of a text only what differs, and of that only numbers and what holds one of `words`.

    `words` are the texts that the edits take away and put there; the name of a port is told as it is. A field may hold a whole configuration file or a URL
    with a password in it, which are nobody's business.
    """
    before, after = change.before, change.after
    of_port = _PORT_OR_NAME.search(str(change.path[-1]) if change.path else "") is not None
    names = of_port and not any(port_name_problem(str(one)) for one in (before, after))
    if names or (before in words and after in words):
        return change
    if isinstance(before, str) and isinstance(after, str):
        before, after = _differing_part(before, after, words)
    elif not of_port:
        before, after = (_single(one, words) if isinstance(one, str) else one for one in (before, after))
    return replace(change, before=before, after=after)


def _differing_part(before: str, after: str, words: Collection[str]) -> tuple[str, str]:
    """Both texts without what they have in common, for which ellipses stand."""
    old, new = _TOKEN.findall(before), _TOKEN.findall(after)
    if len(old) == len(new):
        same = [one == other for one, other in zip(old, new, strict=True)]
        return _without(old, same, words), _without(new, same, words)
    start = 0
    while start < min(len(old), len(new)) and old[start] == new[start]:
        start += 1
    end = 0
    while end < min(len(old), len(new)) - start and old[-1 - end] == new[-1 - end]:
        end += 1
    left, right = "…" if start else "", "…" if end else ""
    parts = ("".join(tokens[start : len(tokens) - end]) for tokens in (old, new))
    one, other = (f"{left}{_single(part, words)}{right}" if part else f"{left}{right}" for part in parts)
    return one, other


def _without(tokens: Sequence[str], same: Sequence[bool], words: Collection[str]) -> str:
    text = ""
    for token, known in zip(tokens, same, strict=True):
        if not known:
            text += _single(token, words)
        elif not text.endswith("…"):
            text += "…"
    return text


def _single(text: str, words: Collection[str]) -> str:
    if _HARMLESS.fullmatch(text) or (
        len(text) <= _LONG and _TOKEN.fullmatch(text) and any(word in text for word in words)
    ):
        return text
    return HIDDEN
