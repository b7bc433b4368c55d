"""The annotation ``portproof/ignore`` of a rendered object: on each line rules, and why.

::

    metadata:
      annotations:
        portproof/ignore: |
          service-selector the operator labels the pods
          service-target-number, service-target-protocol a sidecar is injected
"""

from __future__ import annotations

import re

from msgspec import Struct

from portproof.graph.fields import mapping
from portproof.graph.model import Site
from portproof.resources import Manifests
from portproof.suppressions.model import Suppression, SuppressionSource
from portproof.suppressions.parse import named, problem

ANNOTATION = "portproof/ignore"
_MAX = 10_000
"""Characters that are read."""

_LINE = re.compile(r"(?P<rules>[^\s,]+(?:\s*,\s*[^\s,]+)*)\s*(?P<reason>.*)\Z")


class Annotated(Struct, frozen=True):
    """The annotation of one object, and what it says. Equal lines of several objects are equal ignores."""

    site: Site
    ignores: tuple[Suppression, ...]


def annotated_in(manifests: Manifests) -> tuple[Annotated, ...]:
    """Every annotation of a rendering."""
    found = []
    for resource in manifests.resources:
        annotations = mapping(mapping(resource.data.get("metadata")).get("annotations"))
        if ANNOTATION in annotations:
            text = str(annotations[ANNOTATION])
            site = Site(resource.key, ("metadata", "annotations", ANNOTATION), text)
            found.append(Annotated(site, tuple(map(_ignore, _lines(text)))))
    return tuple(found)


def _lines(text: str) -> list[str]:
    """The lines that say something; one empty line when there is none, so that it is pointed out."""
    return [line.strip() for line in text[:_MAX].splitlines() if line.strip()] or [""]


def _ignore(line: str) -> Suppression:
    match = _LINE.match(line)
    rules, reason = (named(match["rules"]), match["reason"]) if match else ((), "")
    return Suppression(SuppressionSource.ANNOTATION, rules, reason, line, problem=problem(rules, reason))
