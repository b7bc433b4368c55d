"""The values that an object of Argo CD or Flux gives to a chart, as helm takes them: a values file, and ``--set``.

They are read from the tree at each render, so that an edit of the object's file is an edit of the values.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct, field

from portproof.discover.gitops.given import GivenError, read_description, read_stored, substituted
from portproof.discover.model import HelmTarget, Install
from portproof.render.placeholders import WORD
from portproof.source import Tree
from portproof.yamldoc import FieldPath, YamlError, leaves, load, lookup

MAX_OPTIONS = 64 * 1024
"""Characters of all parameters together; Linux takes twice as many in one argument."""

_COMMA = re.compile(r"(?<!\\),")


class InstallValues(Struct, frozen=True):
    """`values` is the text of a values file, `options` are further arguments of helm.

    `parts` are the texts of those of the target's values files that are only a part of their file, by their indexes.
    """

    values: str = "{}\n"
    options: tuple[str, ...] = ()
    parts: Mapping[int, str] = field(default_factory=dict)


def install_values(target: HelmTarget, install: Install, tree: Tree) -> InstallValues:
    """What the object that installs `target` gives to it. Raises `GivenError`."""
    path = target.values[-1]
    if install.document < 0:
        return InstallValues(options=install.options)
    data = read_description(tree, install)
    values = lookup(data, install.values) if install.values else None
    parameters = _options(lookup(data, install.parameters)) if install.parameters else ()
    made_up = (f"--set-string={path}={WORD}" for path in install.unknown)
    options = (*install.options, *parameters, *made_up)
    if sum(map(len, options)) > MAX_OPTIONS or any("\0" in one for one in options):
        raise GivenError(f"{path}: its parameters are too long, or contain a NUL byte")
    parts = {
        index: _text_of(read_stored(tree, target.values[index], document, at), tree, install)
        for index, document, at in install.parts
    }
    return InstallValues(_text_of(values, tree, install), options, parts)


def _text_of(values: Any, tree: Tree, install: Install) -> str:
    """Values as the text of a values file; Argo CD's `values`, and those of a ConfigMap, are a text of YAML already."""
    if isinstance(values, str) and not install.variables:
        return values
    if isinstance(values, str):
        try:
            values = load(values)
        except YamlError as error:
            raise GivenError(f"{install.file}: its values are not YAML: {error.problem}") from error
    return json.dumps(substituted(values or {}, tree, install), ensure_ascii=False) + "\n"


def _options(parameters: Any) -> Iterator[str]:
    """argo-cd ``util/helm/helm.go``: ``--set name=value``, in which only a list in braces keeps its commas."""
    if isinstance(parameters, dict):  # Skaffold's, which may be nested
        parameters = [{"name": _joined(path), "value": value} for path, value in leaves(parameters)]
    for one in parameters if isinstance(parameters, list) else ():
        if isinstance(one, dict) and isinstance(one.get("name"), str):
            value = one.get("value")
            text = "" if value is None else value if isinstance(value, str) else json.dumps(value)
            if not (text.startswith("{") and text.endswith("}")):
                text = _COMMA.sub(r"\\,", text)
            yield f"--set{'-string' if one.get('forceString') is True else ''}={one['name']}={text}"


def _joined(path: FieldPath) -> str:
    """A path as ``--set`` takes it; a key may have dots of its own."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).removeprefix(".")
