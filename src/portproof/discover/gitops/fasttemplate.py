"""The older syntax of ApplicationSets: ``{{ key }}``, where `key` is looked up whole and nothing is computed.

argo-cd ``applicationset/utils/utils.go`` (``Replace``): an unknown key stays as it is, braces included.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from portproof.discover.gitops.gotemplate import shown

_TAG = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)


def fill(text: str, parameters: Mapping[str, Any]) -> str:
    """`text` with the parameters that it names."""

    def value(found: re.Match[str]) -> str:
        known = parameters.get(found[1].strip())
        return known if isinstance(known, str) else found[0]

    return _TAG.sub(value, text)


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
