"""What is fuzzed: a function that takes any text, and the words that take it to interesting places."""

from __future__ import annotations

import atexit
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

CORPUS = Path(__file__).parent / "corpus"


@dataclass(frozen=True)
class Target:
    """`check` raises for a text that breaks what it promises. `words` are pieces of the language, `seeds` whole texts."""

    name: str
    check: Callable[[str], None]
    words: Sequence[str]
    seeds: Sequence[str] = ()

    @property
    def folder(self) -> Path:
        """Where the inputs that are kept lie."""
        return CORPUS / self.name

    def kept(self) -> list[str]:
        """The inputs that are kept, in the order of their names."""
        return [read(file) for file in sorted(self.folder.glob("*"))]


def read(file: Path) -> str:
    """An input, to the letter."""
    return file.read_bytes().decode("utf-8", "surrogatepass")


def write(file: Path, text: str) -> None:
    """Keep an input."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(text.encode("utf-8", "surrogatepass"))


@cache
def scratch() -> Path:
    """A folder for targets that read files, the same one all the time."""
    folder = tempfile.TemporaryDirectory(prefix="portproof-fuzz-")
    atexit.register(folder.cleanup)
    return Path(folder.name)


def put(name: str, text: str) -> Path:
    """A file of the scratch folder that holds `text`; what is no text on any disk is held as bytes that are none."""
    file = scratch() / name
    file.write_bytes(text.encode("utf-8", "surrogatepass"))
    return file
