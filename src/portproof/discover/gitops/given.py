"""What a description says, read from a tree: filled in when it is a template, with the files that are merged over it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from portproof.discover.model import Install
from portproof.source import RelPath, SourceError, Tree
from portproof.yamldoc import FieldPath, YamlError, load, load_all, lookup


class GivenError(Exception):
    """The description cannot be read (any more); the message says why."""


def read_description(tree: Tree, install: Install) -> Mapping[str, Any]:
    """The object that installs something, as it is when everything is filled in. Raises `GivenError`."""
    file = install.file
    found = read_document(tree, install.read_from, install.document)
    if not isinstance(found, dict):
        raise GivenError(f"{file}: the object that installs the chart is gone")
    data: Mapping[str, Any] = found
    if install.fill is not None:
        from portproof.discover.gitops.applicationset import application  # noqa: PLC0415 - start-up
        from portproof.discover.gitops.filling import FillError  # noqa: PLC0415

        try:
            data = application(data, install.fill, install.fill.parameters(tree))
        except FillError as error:
            raise GivenError(f"{file}: {error}") from error
    for path in install.overrides:
        data = with_override(data, install.source, read_document(tree, path, 0))
    return data


def read_document(tree: Tree, file: RelPath, number: int) -> Any:
    """A document of a file. Raises `GivenError`."""
    try:
        found = load_all(tree.text(file))
    except (SourceError, YamlError) as error:
        raise GivenError(str(error) if isinstance(error, SourceError) else f"{file}: {error}") from error
    if number >= len(found):
        raise GivenError(f"{file}: the object that installs the chart is gone")
    return found[number]


def read_stored(tree: Tree, file: RelPath, number: int, at: FieldPath) -> Any:
    """What a document holds at a path; the data of a Secret decoded. Raises `GivenError`."""
    whole = read_document(tree, file, number)
    found = lookup(whole, at)
    if lookup(whole, ("kind",)) != "Secret" or at[:1] != ("data",):
        return found
    if isinstance(found, dict):
        return {key: _decoded(file, value) for key, value in found.items()}
    return _decoded(file, found)


def _decoded(file: RelPath, value: Any) -> str:
    import base64  # noqa: PLC0415 - start-up

    try:
        return base64.b64decode(str(value)).decode()
    except ValueError as error:
        raise GivenError(f"{file}: a Secret there has data that is no text in base64") from error


def with_override(data: Mapping[str, Any], source: FieldPath, patch: Any) -> Mapping[str, Any]:
    """`data` with a JSON merge patch at `source`; where the source lies cannot be overridden."""
    if not isinstance(patch, dict):
        return data
    kept = {key: value for key, value in patch.items() if key not in _FIXED}
    found = _put(data, source, _merge_patch(lookup(data, source), kept))
    return found if isinstance(found, dict) else data


_FIXED = ("repoURL", "path", "chart", "targetRevision", "ref")


def _merge_patch(below: Any, patch: Any) -> Any:
    """RFC 7396: null removes, mappings are merged, all else replaces."""
    if not isinstance(patch, dict):
        return patch
    found = dict(below) if isinstance(below, dict) else {}
    for key, value in patch.items():
        if value is None:
            found.pop(key, None)
        else:
            found[key] = _merge_patch(found.get(key), value)
    return found


def _put(data: Any, path: FieldPath, value: Any) -> Any:
    if not path:
        return value
    step, *rest = path
    if isinstance(data, list) and isinstance(step, int):
        return [_put(one, tuple(rest), value) if index == step else one for index, one in enumerate(data)]
    if isinstance(data, dict):
        return {**data, step: _put(data.get(step), tuple(rest), value)}
    return data


def read_mapping(text: str) -> Mapping[str, Any]:
    """The first document of a text, empty when it is no mapping."""
    try:
        data = load(text)
    except YamlError:
        return {}
    return data if isinstance(data, dict) else {}


def read_variables(tree: Tree, install: Install) -> Mapping[str, str]:
    """The variables of a substitution; line ends are removed from them. Raises `GivenError`."""
    from portproof.discover.gitops.gotemplate import shown  # noqa: PLC0415 - start-up

    found: dict[str, str] = {}
    for file, document, at in install.variables:
        given = read_stored(tree, file, document, at)
        for name, value in given.items() if isinstance(given, dict) else ():
            found[str(name)] = shown(value).replace("\n", "")
    return found


def substituted(data: Any, tree: Tree, install: Install) -> Any:
    """`data` with what Flux substitutes in it, if it does. Raises `GivenError`."""
    variables = read_variables(tree, install) if install.variables else {}
    if not variables:
        return data
    from portproof.discover.gitops.envsubst import substitute  # noqa: PLC0415 - start-up

    return substitute(data, variables, closed=install.closed)
