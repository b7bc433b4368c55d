"""The older syntax of ApplicationSets: ``{{ key }}``, where `key` is looked up whole and nothing is computed.

argo-cd ``applicationset/utils/utils.go`` (``Replace``): an unknown key stays as it is, braces included.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from portproof.discover.gitops.gotemplate import MAX_LENGTH, TemplateError, shown


def fill(text: str, parameters: Mapping[str, Any]) -> str:
    """`text` with the parameters that it names. Raises `TemplateError` for what would be too long."""
    written: list[str] = []
    at = length = 0
    while True:
        start = text.find("{{", at)
        end = text.find("}}", start + 2) if start >= 0 else -1
        if end < 0:
            return "".join((*written, text[at:]))
        known = parameters.get(text[start + 2 : end].strip())
        part = text[at:start] + (known if isinstance(known, str) else text[start : end + 2])
        length += len(part)
        if length > MAX_LENGTH:
            raise TemplateError("a text that is too long")
        written.append(part)
        at = end + 2


def flatten(data: Any, prefix: str = "") -> dict[str, str]:
    """Structured parameters as flat ones: keys with dots, ``a.0`` for items of lists, scalars as Go prints them."""
    if isinstance(data, dict):
        items = [(str(key), value) for key, value in data.items()]
    elif isinstance(data, list):
        items = [(str(index), value) for index, value in enumerate(data)]
    else:
        return {prefix: shown(data)}
    found: dict[str, str] = {}
    for key, value in items:
        found |= flatten(value, f"{prefix}.{key}" if prefix else key)
    return found
