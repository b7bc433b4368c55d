"""Values that stand for a place: unused, of the same grammar as the text they replace."""

from __future__ import annotations

import re
import string
from collections.abc import Iterable, Iterator

_ALPHABET = string.digits + string.ascii_lowercase
MAX_NAME = 15
"""The length of a port's name (apimachinery IsValidPortName); longer words are not port names anyway."""


class Sentinels:
    """Gives out values that occur nowhere in `texts`.

    Numbers are ports that are 13 apart, so that arithmetic on one (``add .port 1``) is not taken for another. Words
    begin with the word that they replace, so that they sort where it did (a template that ranges over a map keeps
    its order) and still start with the same protocol.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        self._texts = tuple(texts)
        self._numbers = self._free_numbers()
        self._suffixes = self._free_suffixes()

    def next(self, text: str) -> str:
        """An unused stand-in for `text`. Raises `StopIteration` when there is none left."""
        if text.isdigit():
            return next(self._numbers)
        suffix = next(self._suffixes)
        return text[: MAX_NAME - len(suffix)].rstrip("-") + suffix

    def _free_numbers(self) -> Iterator[str]:
        used = self._used(r"\d{5}")  # looked for when the first is asked for: charts hold megabytes
        yield from (text for number in range(31013, 65000, 13) if (text := str(number)) not in used)

    def _free_suffixes(self) -> Iterator[str]:
        used = self._used(r"-0[0-9a-z]{2}")
        pairs = (f"-0{first}{second}" for first in _ALPHABET for second in _ALPHABET)
        yield from (suffix for suffix in pairs if suffix not in used)

    def _used(self, pattern: str) -> set[str]:
        return {found for text in self._texts for found in re.findall(pattern, text)}
