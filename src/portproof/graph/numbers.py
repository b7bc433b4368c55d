"""Numbers that a text mentions: any of them may be a port."""

from __future__ import annotations

import re
from typing import Any

from portproof.yamldoc import leaves

_NUMBER = re.compile(r"(?<!\d)\d{2,5}(?!\d)")


def numbers_in(value: Any) -> frozenset[int]:
    """The numbers of 2 to 5 digits anywhere in `value`: a port that a text mentions is among them."""
    found: set[int] = set()
    for _, leaf in leaves(value):
        if isinstance(leaf, bool) or leaf is None:
            continue
        if isinstance(leaf, int):
            found.add(leaf)
        elif isinstance(leaf, str):
            found.update(int(number) for number in _NUMBER.findall(leaf))
    return frozenset(found)
