"""What is asked for, of which tree, with which configuration."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from portproof import config as configuration
from portproof.config import Config, FileConfig
from portproof.errors import UsageError
from portproof.flags import Flags, Given
from portproof.rules.vocabulary import vocabulary
from portproof.source import RelPath, normalise, work_tree


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be checked, and what the command line says of it.

    `root` is the root where the caller knows it: a checkout may come without ``.git``. `file` is the configuration file
    where the caller has read it; then neither ``--config`` nor the root's is. `untrusted` says that the tree may be
    anybody's: charts are fetched only from hosts that a configuration names. With `what_if` other values of charts are tried, if the
    configuration or the command line says so.
    """

    paths: tuple[str, ...] = ()
    flags: Flags = field(default_factory=Flags)
    root: Path | None = None
    file: FileConfig | None = None
    untrusted: bool = False
    what_if: bool = False
    environ: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))

    @property
    def given(self) -> Given:
        """The command line, for hints that repeat it."""
        return Given(self.paths, self.flags)


def root_and_paths(given: tuple[str, ...], known: Path | None = None) -> tuple[Path, tuple[RelPath, ...]]:
    """The root (the enclosing git work tree, else the PATH itself) and the paths relative to it."""
    absolute = [Path(text).absolute() for text in given or (".",)]
    for text, path in zip(given or (".",), absolute, strict=True):
        if not path.exists():
            raise UsageError(f"{text}: no such file or folder", next_step="Name a path that exists.")
    resolved = [path.resolve() for path in absolute]
    root = known or work_tree(resolved[0])
    if root is None:
        folders = [path if path.is_dir() else path.parent for path in resolved]
        root = Path(os.path.commonpath(folders))
    relative = []
    for text, path in zip(given or (".",), resolved, strict=True):
        if not path.is_relative_to(root):
            raise UsageError(f"{text} is outside {root.name}", next_step="Check one repository at a time.")
        relative.append(normalise(path.relative_to(root).as_posix()) or ".")
    return root, tuple(relative)


def configured(request: Request, root: Path) -> tuple[FileConfig, Config]:
    """What the configuration file says, and what holds after the flags."""
    file = request.file or configuration.load(root, request.flags.config, vocabulary())
    return file, configuration.merge(file, request.flags, untrusted=request.untrusted)
