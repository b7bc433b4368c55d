"""The entries of ``ignore`` in portproof.yaml that give a reason."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable

from msgspec import Struct

from portproof.config import IgnoreConfig, matches
from portproof.resources import ResourceKey
from portproof.source import RelPath, Span
from portproof.suppressions.model import Subject, Suppression, SuppressionSource


class ConfiguredSuppression(Struct, frozen=True):
    """An entry, and the ignore that it is."""

    given: IgnoreConfig
    ignore: Suppression

    def means(self, subject: Subject) -> bool:
        """Whether the entry is about the finding."""
        given = self.given
        return (
            subject.rule in given.rules
            and (given.target is None or fnmatch.fnmatchcase(subject.target.id, given.target))
            and (given.path is None or any(matches(given.path, path) for path, _ in subject.lines))
            and (given.resource is None or _is(subject.resource, given.resource))
        )


def entries(given: Iterable[IgnoreConfig], path: RelPath | None) -> tuple[ConfiguredSuppression, ...]:
    """The entries of the configuration at `path`; None when it lies outside of the tree."""
    return tuple(ConfiguredSuppression(one, _ignore(one, path)) for one in given)


def _ignore(given: IgnoreConfig, path: RelPath | None) -> Suppression:
    span = None if path is None else Span(path, given.start, given.end)
    return Suppression(SuppressionSource.CONFIG, given.rules, given.reason, given.reason, span)


def _is(resource: ResourceKey | None, globs: tuple[str, ...]) -> bool:
    if resource is None:
        return False
    kind, *namespace, name = globs
    pairs = [(resource.kind, kind), (resource.name, name), *((resource.namespace, one) for one in namespace)]
    return all(fnmatch.fnmatchcase(text, glob) for text, glob in pairs)
