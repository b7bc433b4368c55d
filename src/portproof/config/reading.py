"""The configuration file at the root, read and checked; and what it says under what the flags say."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from portproof.config.keys import KEYS
from portproof.config.model import Config, FileConfig, Flags, IgnoreConfig
from portproof.config.place import ConfigValue, Vocabulary, checked
from portproof.config.processors import default_jobs
from portproof.errors import ConfigError
from portproof.source import SourceError, read_text
from portproof.yamldoc import YamlError, documents

NAMES = ("portproof.yaml", ".portproof.yaml")


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
        return FileConfig()
    if not (root / found[0]).resolve().is_relative_to(root.resolve()):
        raise ConfigError(
            f"{found[0]} is a link that leads out of the repository",
            next_step="Put the file itself into the repository, or name it with --config.",
        )
    return parse(_read(root / found[0], found[0]), found[0], vocabulary)


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
        raise ConfigError(f"{name}: more than one document", next_step="Put all keys into one document.")
    place = ConfigValue(name, text, found[0], vocabulary or Vocabulary())
    return FileConfig(
        path=name,
        **checked(place, found[0].data, KEYS),
        lines={key: place.at(key).line for key in found[0].data},
    )


def merge(file: FileConfig, flags: Flags | None = None) -> Config:
    """Put flags over file over defaults; a flag that is given replaces what the file says.

    There are two exceptions. Offline: either can switch the network off, neither can switch it on again. Ignore: the
    flag says which rules do not run; findings that the file leaves out for a reason stay left out.
    """
    flags = flags or Flags()
    defaults = Config()
    return Config(
        fail_on=_first(flags.fail_on, file.fail_on, defaults.fail_on),
        select=_first(flags.select, file.select, defaults.select),
        ignore=_first(flags.ignore, tuple(one for one in file.ignore or () if isinstance(one, str))),
        ignores=tuple(one for one in file.ignore or () if isinstance(one, IgnoreConfig)),
        severity=file.severity,
        baseline=_first(flags.baseline, file.baseline, ""),
        jobs=_first(flags.jobs, file.jobs, default_jobs()),
        helm=flags.helm,
        kustomize=flags.kustomize,
        offline=flags.offline or bool(file.offline),
        allow_hosts=(file.allow_hosts or ()) if flags.untrusted else file.allow_hosts,
        exclude=file.exclude,
        charts=file.charts,
        references=file.references,
        environments=file.environments,
        timeout=_first(file.timeout, defaults.timeout),
    )


def _first(*values: Any) -> Any:
    return next(value for value in values if value is not None)


def _read(file: Path, name: str) -> str:
    if not file.is_file():
        raise ConfigError(f"{name}: no such file", next_step="Give --config the path of a YAML file.")
    try:
        return read_text(file, name)
    except SourceError as error:
        raise ConfigError(str(error), next_step="Make it a readable UTF-8 file.") from error
