"""What a template of an ApplicationSet is filled in with: sets of parameters, each read from where it is written.

They are read anew for each rendering, so that an edit of a list element, or of a file that a generator reads, moves what
is rendered.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct

from portproof.discover.gitops import fasttemplate, gotemplate
from portproof.source import RelPath, SourceError, Tree
from portproof.yamldoc import FieldPath, YamlError, load_all, lookup


class FillError(Exception):
    """A template cannot be filled in here; the message says why."""


class Part(Struct, frozen=True):
    """Parameters that are `given` as JSON, or the value at `at` in a document of `file`."""

    given: str = ""
    file: RelPath = ""
    document: int = 0
    at: FieldPath = ()

    def read(self, tree: Tree) -> Mapping[str, Any]:
        """The parameters. Raises `FillError` when they are gone."""
        if self.given or not self.file:
            found = json.loads(self.given or "{}")
        else:
            try:
                documents = load_all(tree.text(self.file)) or [{}]
            except (YamlError, SourceError) as error:
                raise FillError(
                    str(error) if isinstance(error, SourceError) else f"{self.file}: {error}"
                ) from error
            found = lookup(documents[self.document], self.at) if self.document < len(documents) else None
        if not isinstance(found, dict):
            raise FillError(f"{self.file}: its parameters are not a mapping")
        return found


class Fill(Struct, frozen=True):
    """The parameters of one Application of a set, later parts win, and how its template is written.

    `missing` is Go's option ``missingkey``; at `template` in the set is what a generator adds to the template.
    """

    parts: tuple[Part, ...]
    go: bool = False
    missing: str = ""
    template: FieldPath = ()

    @property
    def files(self) -> tuple[RelPath, ...]:
        """The files that parameters are read from."""
        return tuple(dict.fromkeys(part.file for part in self.parts if part.file and not part.given))

    def parameters(self, tree: Tree) -> Mapping[str, Any]:
        """What the template is filled in with. Raises `FillError`."""
        return merged([part.read(tree) for part in self.parts], go=self.go)


def merged(several: Iterable[Mapping[str, Any]], *, go: bool) -> Mapping[str, Any]:
    """Sets of parameters as one: deep for Go templates, flat otherwise, where later ones win."""
    found: Mapping[str, Any] = {}
    for one in several:
        found = deep(found, one) if go else {**found, **fasttemplate.flatten(one)}
    return found


def deep(below: Any, above: Any) -> Any:
    """Two values as one: mappings are merged, of anything else `above` counts."""
    if not (isinstance(below, dict) and isinstance(above, dict)):
        return above
    return below | {key: deep(below[key], value) if key in below else value for key, value in above.items()}


def fill(data: Any, parameters: Mapping[str, Any], *, go: bool, missing: str = "") -> Any:
    """`data` with each of its texts filled in, keys too. Raises `FillError`."""
    if isinstance(data, dict):
        return {
            fill_text(key, parameters, go=go, missing=missing): fill(
                value, parameters, go=go, missing=missing
            )
            for key, value in data.items()
        }
    if isinstance(data, list):
        return [fill(value, parameters, go=go, missing=missing) for value in data]
    return fill_text(data, parameters, go=go, missing=missing) if isinstance(data, str) else data


def fill_text(text: str, parameters: Mapping[str, Any], *, go: bool, missing: str = "") -> str:
    """One text, filled in. Raises `FillError`."""
    if "{{" not in text:
        return text
    try:
        return gotemplate.fill(text, parameters, missing) if go else fasttemplate.fill(text, parameters)
    except gotemplate.TemplateError as error:
        raise FillError(str(error)) from error
