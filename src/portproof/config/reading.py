"""The configuration file at the root, read and checked; and what it says under what the flags say."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from portproof.config.model import IgnoreConfig
from portproof.config.place import ConfigValue, Vocabulary, checked
from portproof.config.settings import KEYS, Config, FileConfig
from portproof.errors import ConfigError
from portproof.flags import Flags
from portproof.replacing import replace
from portproof.source import LineIndex, SourceError, read_text
from portproof.yamldoc import YamlError, documents

NAMES = ("portproof.yaml", ".portproof.yaml")
_MISNAMED = ("portproof.yml", ".portproof.yml", ".github/portproof.yaml", ".github/portproof.yml")


def load(root: Path, given: str | None = None, vocabulary: Vocabulary | None = None) -> FileConfig:
    """Read the file `given`, else ``portproof.yaml`` or ``.portproof.yaml`` at `root`, else nothing.

    `vocabulary` holds the words it may use. Raises `ConfigError` for a file that is missing, ambiguous or wrong.
    """
    if given is not None:
        return parse(_read(Path(given), given), given, vocabulary)
    found = [name for name in NAMES if os.path.lexists(root / name)]
    if len(found) > 1:
        raise ConfigError(
            f"both {found[0]} and {found[1]} exist", next_step="Keep one, or name one with --config."
        )
    if not found:
        _refuse_misnamed(root)
        return FileConfig()
    if not (root / found[0]).resolve().is_relative_to(root.resolve()):
        raise ConfigError(
            f"{found[0]} is a link that points outside the repository",
            next_step="Put the file itself into the repository, or name it with --config.",
        )
    return parse(_read(root / found[0], found[0]), found[0], vocabulary)


def _refuse_misnamed(root: Path) -> None:
    """Raise `ConfigError` for a file that somebody takes for the configuration: nothing in it would hold."""
    name = next((one for one in _MISNAMED if os.path.lexists(root / one)), None)
    if name is not None:
        raise ConfigError(
            f"{name} is not read", next_step=f"Rename it to {NAMES[0]}, or name it with --config."
        )


def parse(text: str, name: str, vocabulary: Vocabulary | None = None) -> FileConfig:
    """Check the text of the configuration file that is called `name`. Raises `ConfigError`."""
    try:
        found = [document for document in documents(text) if document.data is not None]
    except YamlError as error:
        raise ConfigError(
            f"{name}:{error.line}: not valid YAML: {error.problem}", next_step="Correct the file."
        ) from error
    if not found:
        return FileConfig(path=name)
    if len(found) > 1:
        raise ConfigError(f"{name}: more than one YAML document", next_step="Put all keys into one document.")
    place = ConfigValue(name, text, found[0], vocabulary or Vocabulary())
    said = checked(place, found[0].data, KEYS)
    rules = tuple(one for one in said.get("ignore", ()) if isinstance(one, str))
    entries = tuple(one for one in said.get("ignore", ()) if isinstance(one, IgnoreConfig))
    stated = said.get("environments", {})
    config = Config(
        **{
            **said,
            "ignore": rules,
            "ignores": entries,
            "environments": {name: one.targets for name, one in stated.items()},
            "complete": frozenset(name for name, one in stated.items() if one.complete),
        }
    )
    return FileConfig(name, config, frozenset(said), {key: place.at(key).line for key in found[0].data})


def exclude_lines(text: str, globs: Sequence[str]) -> tuple[tuple[str, int], ...]:
    """The globs of ``exclude`` in the text of a configuration file, each with its line from 1."""
    spans = next((one.spans for one in documents(text) if one.data is not None), {})
    index = LineIndex.of(text)
    found = []
    for number, glob in enumerate(globs):
        span = spans.get(("exclude", number)) or spans.get(("exclude",))
        found.append((glob, 1 if span is None else index.position(span.start)[0]))
    return tuple(found)


def merge(file: FileConfig, flags: Flags | None = None, *, untrusted: bool = False) -> Config:
    """Put flags over file over defaults; a flag that is given replaces what the file says.

    There are exceptions. Offline: either can switch the network off, neither can switch it on again; so with what-if. Ignore: the
    flag says which rules do not run; findings that the file leaves out for a reason stay left out. Of an `untrusted`
    tree charts are fetched only from hosts that a configuration names.
    """
    flags = flags or Flags()
    settings = {one.name for one in fields(Config)}
    given = {one.name: getattr(flags, one.name) for one in fields(Flags) if one.name in settings}
    config = replace(file.config, **{name: value for name, value in given.items() if value is not None})
    return replace(
        config,
        offline=flags.offline or file.config.offline,
        what_if=flags.what_if or file.config.what_if,
        allow_hosts=config.allow_hosts or () if untrusted else config.allow_hosts,
    )


def _read(file: Path, name: str) -> str:
    if not file.is_file():
        raise ConfigError(f"{name}: no such file", next_step="Give --config the path of a YAML file.")
    try:
        return read_text(file, name)
    except SourceError as error:
        raise ConfigError(str(error), next_step="Make it a readable UTF-8 file.") from error
