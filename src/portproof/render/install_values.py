"""The values that an object of Argo CD or Flux gives to a chart, as helm takes them: a values file, and ``--set``.

They are read from the tree at each render, so that an edit of the object's file is an edit of the values.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from portproof.discover.model import HelmTarget, Install
from portproof.source import SourceError, Tree
from portproof.yamldoc import YamlError, load_all, lookup

MAX_OPTIONS = 64 * 1024
"""Characters of all parameters together; Linux takes twice as many in one argument."""

_COMMA = re.compile(r"(?<!\\),")


class GivenError(Exception):
    """The object cannot be read (any more); the message says why."""


@dataclass(frozen=True, slots=True)
class InstallValues:
    """`values` is the text of a values file, `options` are further arguments of helm."""

    values: str = "{}\n"
    options: tuple[str, ...] = ()


def install_values(target: HelmTarget, install: Install, tree: Tree) -> InstallValues:
    """What the object that installs `target` gives to it. Raises `GivenError`."""
    path = target.values[-1]
    try:
        found = load_all(tree.text(path))
    except (SourceError, YamlError) as error:
        raise GivenError(str(error) if isinstance(error, SourceError) else f"{path}: {error}") from error
    if install.document >= len(found):
        raise GivenError(f"{path}: the object that installs the chart is gone")
    data = found[install.document]
    values = lookup(data, install.values) if install.values else None
    options = tuple(_options(lookup(data, install.parameters))) if install.parameters else ()
    if sum(map(len, options)) > MAX_OPTIONS or any("\0" in one for one in options):
        raise GivenError(f"{path}: its parameters are too long, or contain a NUL byte")
    if isinstance(values, str):  # Argo CD's `values` is a text of YAML
        return InstallValues(values, options)
    return InstallValues(json.dumps(values or {}, ensure_ascii=False) + "\n", options)


def _options(parameters: Any) -> Iterator[str]:
    """argo-cd ``util/helm/helm.go``: ``--set name=value``, in which only a list in braces keeps its commas."""
    for one in parameters if isinstance(parameters, list) else ():
        if isinstance(one, dict) and isinstance(one.get("name"), str):
            value = one.get("value")
            text = "" if value is None else value if isinstance(value, str) else json.dumps(value)
            if not (text.startswith("{") and text.endswith("}")):
                text = _COMMA.sub(r"\\,", text)
            yield f"--set{'-string' if one.get('forceString') is True else ''}={one['name']}={text}"
