"""What is asked for, of which tree, with which configuration."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct, field

from portproof import config as configuration
from portproof.config import Config, FileConfig
from portproof.flags import Flags, Given
from portproof.rules.vocabulary import vocabulary


class Request(Struct, frozen=True):
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


def configured(request: Request, root: Path) -> tuple[FileConfig, Config]:
    """What the configuration file says, and what holds after the flags."""
    file = request.file or configuration.load(root, request.flags.config, vocabulary())
    return file, configuration.merge(file, request.flags, untrusted=request.untrusted)
