"""Which configuration counts on a pull request: the base's, so that no change judges itself by its own rules."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from msgspec import Struct

from portproof import config as configuration
from portproof.action.checkout import Checkout
from portproof.action.inputs import inside
from portproof.config import FileConfig
from portproof.errors import ConfigError, UsageError
from portproof.replacing import replace
from portproof.revision import OldFiles
from portproof.rules.vocabulary import vocabulary
from portproof.source import RelPath


class Place(Struct, frozen=True):
    """Where the configuration is looked for: a repository's root, and the file that the workflow names, if it does."""

    root: Path
    given: RelPath | None = None

    @property
    def paths(self) -> frozenset[RelPath]:
        """Everything that decides what the configuration says: the files, and where they lead when they are links."""
        names = configuration.NAMES if self.given is None else (self.given,)
        root = self.root.resolve()
        real = ((root / name).resolve() for name in names)
        inside = (path.relative_to(root).as_posix() for path in real if path.is_relative_to(root))
        return frozenset((*names, *inside))

    @property
    def is_there(self) -> bool:
        """Whether the checkout has such a file."""
        return any(os.path.lexists(self.root / path) for path in self.paths)

    def load(self, root: Path, *, optional: bool = False) -> FileConfig:
        """The configuration of the tree at `root`; an `optional` one may be missing. Raises `ConfigError`."""
        if self.given is None:
            return configuration.load(root, vocabulary=vocabulary())
        file = root / self.given
        if optional and not os.path.lexists(file):
            return FileConfig()
        return replace(configuration.load(root, str(file), vocabulary()), path=self.given)


def place(checkout: Checkout, config: str | None) -> Place | None:
    """Where a run's configuration is looked for; None when it lies outside of the repository that is checked."""
    root = checkout.root
    if config is None:
        return Place(root)
    file = Path(os.path.normpath(inside(checkout.workspace, "config", config)))
    return Place(root, file.relative_to(root).as_posix()) if file.is_relative_to(root) else None


class Choice(Struct, frozen=True):
    """The configuration that counts, None for that of the checkout, and what there is to say of it.

    `own` says that it may be the pull request's own.
    """

    file: FileConfig | None
    note: str = ""
    own: bool = False


def choose(place: Place, old: OldFiles) -> Choice:
    """Hold the configuration of the checkout against that of the base, read through `old`.

    Raises `ConfigError` when that of the checkout is wrong: better said now than after the merge.
    """
    own = place.load(place.root)
    try:
        base = _of_base(place, old)
    except (ConfigError, UsageError) as error:
        # The base is broken for everybody; who mends it must be able to.
        return Choice(
            None, f"the base's configuration is invalid ({error}); this pull request's applies", own=True
        )
    if replace(own, path=None) == replace(base, path=None):
        return Choice(None)
    if base.path is None:
        return Choice(base, f"this pull request adds {own.path}; until it is merged, the defaults apply")
    if own.path is None:
        return Choice(
            base, f"this pull request removes {base.path}; until it is merged, the file still applies"
        )
    return Choice(
        base, f"this pull request changes {own.path}; until it is merged, the base's version applies"
    )


def _of_base(place: Place, old: OldFiles) -> FileConfig:
    with tempfile.TemporaryDirectory(prefix="portproof-config-") as folder:
        old.restore(sorted(place.paths), Path(folder))
        return place.load(Path(folder), optional=True)
