"""YAML text -> findings, without a renderer or a binary; and findings -> the lines of an expected.txt."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from portproof import config, resources, yamldoc
from portproof.builds.images import Builds
from portproof.builds.model import Images
from portproof.discover.model import ManifestTarget
from portproof.graph import link
from portproof.graph.model import PortGraph, Site
from portproof.graph.references import ReferenceKind
from portproof.render.affixes import affixes_in
from portproof.render.model import RenderedDocument, Rendering
from portproof.render.patches import in_patch
from portproof.replacing import replace
from portproof.resources import Manifests, Resource, ResourceKey
from portproof.rules import all_rules
from portproof.rules.base import Finding, Remedy, Rule
from portproof.rules.rule_set import selected_rules
from portproof.rules.vocabulary import vocabulary
from portproof.source import Tree

_BASE = re.compile(r"\s*# base\n")
"""The first line of a document that is of the base revision: the others are what a change makes of it."""
_PATCH = re.compile(r"\s*# patch\n")
"""The first line of a patch of a kustomization, whose result the other documents are."""
_KUSTOMIZATION = re.compile(r"\s*# kustomization\n")
"""The first line of a kustomization, which the other documents are what is built of."""
_BUILD = re.compile(
    r"\s*# (?P<path>\S*(?:Dockerfile|compose\.yaml|skaffold\.yaml|\.properties|\.conf|\.github/workflows/\S+))\n"
)
"""The first line of a file of the repository that says how an image is built; the rest is its text."""
_SOURCE = re.compile(r"\s*# Source: (\S+)\n")
_FILE = re.compile(r"\s*# File: (\S+)\n")
RULES = {rule.id: rule for rule in all_rules()}


def read(text: str, *, base: bool = False) -> Manifests:
    """Resources of rendered text; ``# Source:`` begins a document of a chart, ``# File:`` one of a plain manifest.

    Documents that begin with ``# base`` are read only for the `base`, the others only for what is there now. Those that
    begin with ``# patch`` are patches, those with ``# kustomization`` kustomizations. Those that begin with the path of a Dockerfile, or of what belongs to one, are files.
    """
    marks = (_PATCH, _BUILD, _KUSTOMIZATION)
    patches = [part for _, part in yamldoc.split(text) if any(one.match(part) for one in marks)]
    affixes = tuple(one for part in patches if _KUSTOMIZATION.match(part) for one in affixes_in(part))
    documents = tuple(
        _document(offset, part)
        for offset, part in yamldoc.split(text)
        if bool(_BASE.match(part)) is base and part not in patches
    )
    crowded = tuple(one for part in patches if _PATCH.match(part) for one in in_patch(part))
    found = resources.read(Rendering(ManifestTarget("x"), documents, crowded=crowded, affixes=affixes))
    assert not found.problems, found.problems
    return replace(found, images=_images(text))


def _images(text: str) -> Images:
    """What the files of the text build."""
    found = [(part, match) for _, part in yamldoc.split(text) if (match := _BUILD.match(part))]
    files = {match["path"]: part[match.end() :] for part, match in found}
    return Builds(Tree(Path("nowhere"), files), tuple(sorted(files)))


def _document(offset: int, text: str) -> RenderedDocument:
    plain = _FILE.match(text)
    origin = plain or _SOURCE.match(text)
    return RenderedDocument(text, source=origin[1] if origin else None, offset=offset if plain else None)


def rows(text: str) -> tuple[ReferenceKind, ...]:
    """The references that a ``portproof.yaml`` adds, where the first document is one."""
    first = next((part for _, part in yamldoc.split(text)), "")
    if not first.startswith("# portproof.yaml\n"):
        return ()
    file = config.parse(first, "portproof.yaml", vocabulary())
    return selected_rules(config.merge(file)).rows


def graph(text: str) -> PortGraph:
    return link.build(read(text), rows(text), base=base(text))


def base(text: str) -> PortGraph | None:
    """The graph of the base revision, where the text holds documents of one."""
    found = read(text, base=True)
    return link.build(found, rows(text)) if found.resources else None


def findings(rule: Rule, text: str) -> list[Finding]:
    return list(rule.check(graph(text)))


def keys(
    resources: Manifests, further: Sequence[ReferenceKind] = (), before: PortGraph | None = None
) -> set[tuple[str, str, str]]:
    """What every rule finds: rule, resource and field, as the engine tells findings apart."""
    built = link.build(resources, further, base=before)
    return {
        (rule.id, str(finding.primary.resource), yamldoc.format_path(finding.primary.identity))
        for rule in RULES.values()
        for finding in rule.check(built)
    }


def remedied(resources: Manifests, remedy: Remedy) -> Manifests:
    """The resources after the remedy's fields have been set."""
    changed = [
        Resource(one.key, copy.deepcopy(dict(one.data)), one.document, one.inside)
        for one in resources.resources
    ]
    for site, value in remedy.changes:
        holders = [one.data for one in changed if one.key == site.resource]
        assert len(holders) == 1, f"{site.resource} is not unique"
        _set(holders[0], site, value)
    named = tuple(Resource(_named(one), one.data, one.document, one.inside) for one in changed)
    return Manifests(resources.target, named, resources.problems, images=resources.images)


def _named(resource: Resource) -> ResourceKey:
    """The key that the resource's own fields say."""
    metadata, key = resource.data["metadata"], resource.key
    return replace(key, name=metadata["name"], namespace=metadata.get("namespace", key.namespace))


def _set(data: Any, site: Site, value: str | int) -> None:
    for step in site.path[:-1]:
        data = data[step]
    last: Any = site.path[-1]
    if site.piece is None:
        held = data[last] if isinstance(data, list) else data.get(last)
        assert held == site.value, f"{site.path} does not hold what the finding says"
        data[last] = value
    else:
        text, start, end = data[last], site.piece.start, site.piece.end
        assert text[start:end] == str(site.value), f"{site.path} does not hold what the finding says"
        data[last] = f"{text[:start]}{value}{text[end:]}"


def described(rule: Rule, found: Iterable[Finding]) -> str:
    """The findings as an expected.txt has them."""
    return "".join(line + "\n" for finding in found for line in _lines(rule, finding))


def _lines(rule: Rule, finding: Finding) -> Iterator[str]:
    yield f"{finding.severity.value} {rule.id}: {finding.message}"
    yield f"  {_place(finding.primary)} = {finding.primary.value!r}"
    if finding.expected is not None:
        yield f"  expected: {finding.expected}"
    for label in finding.related:
        yield f"  related: {_place(label.site)} = {label.site.value!r}: {label.text}"
    for remedy in finding.remedies:
        changes = ", ".join(f"{_place(site)} -> {value!r}" for site, value in remedy.changes)
        yield f"  remedy: {remedy.description}: {changes}"


def _place(site: Site) -> str:
    return f"{site.resource} {yamldoc.format_path(site.identity)}"
