"""What is known before anything is rendered: paths, configuration, targets."""

# ruff: noqa: PLC0415 - a comparison is loaded only for those that compare

from __future__ import annotations

import fnmatch
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct, field

from portproof import config as configuration
from portproof import standard_input
from portproof.config import Config, FileConfig
from portproof.console import say
from portproof.discover.builders import is_dockerfile
from portproof.discover.kept import ids_of, near
from portproof.discover.model import STREAM, Discovery, Target
from portproof.errors import UsageError
from portproof.render.model import NotRendered, RenderFailure, Rendering
from portproof.session.ad_hoc import refuse_for_stream, with_ad_hoc
from portproof.session.looking import Asked, look
from portproof.session.request import Request, configured
from portproof.source import RelPath, Tree, root_and_paths

if TYPE_CHECKING:
    from portproof.revision import Comparison

CONFIG_NAMES = frozenset(configuration.NAMES)
"""Files at the root that concern every target."""


class Prepared(Struct, frozen=True):
    """What is known before anything is checked. `targets` are those to check, a part of the discovery's.

    `rendered` is what came of those that had to be rendered to know what there is, by their ids. With `is_certain` that
    would be the same in another run of the same input.

    `notes` are for the reader, one line each.
    """

    tree: Tree
    paths: tuple[RelPath, ...]
    config: Config
    file: FileConfig
    discovery: Discovery
    targets: tuple[Target, ...]
    comparison: Comparison | None
    notes: tuple[str, ...]
    rendered: Mapping[str, Rendering | RenderFailure | NotRendered] = field(default_factory=dict)
    is_certain: bool = True

    def path_of(self, file: Path) -> RelPath | None:
        """A file as the tree names it; None outside of the tree."""
        root, resolved = self.tree.root.resolve(), file.resolve()
        return resolved.relative_to(root).as_posix() if resolved.is_relative_to(root) else None


def prepare(request: Request, comparison: Comparison | None = None) -> Prepared:
    """Resolve paths, read the configuration, find the targets, and which of them a comparison concerns."""
    if request.flags.only_new and request.flags.base is None:
        raise UsageError(
            "--only-new needs a revision to compare with",
            next_step="Name one: `--base origin/main`.",
        )
    if standard_input.is_asked_for(request.paths, request.flags):
        refuse_for_stream(request)
        return _prepare_stream(request)
    root, paths = root_and_paths(request.paths, request.root)
    file, config = configured(request, root)
    tree = Tree(root)
    config = with_ad_hoc(request, config, tree, paths)
    if request.flags.base is not None:
        from portproof.revision import compare_with

        comparison = compare_with(request.flags.base, root, request.environ)
    looked = look(request, Asked(tree, paths, config, file), comparison)
    found = looked.found
    notes = tuple(_idle_environments(file, found)) if paths == (".",) else ()
    targets = found.targets
    reconfigured = request.file is None and comparison is not None and CONFIG_NAMES & comparison.changed
    if comparison is not None and not reconfigured:
        built = _of_images(tree, found, comparison)
        several = targets if built else near(targets, comparison.changed)
        targets = tuple(one for one in several if one.id in built or comparison.affects(one))
    return Prepared(
        tree,
        paths,
        looked.config,
        file,
        found,
        tuple(targets),
        comparison,
        notes,
        looked.rendered,
        looked.is_certain,
    )


def _of_images(tree: Tree, found: Discovery, comparison: Comparison) -> frozenset[str]:
    """The ids of targets that may have an image of whose Dockerfile the comparison says something else."""
    if not any(map(is_dockerfile, found.builders)):
        return frozenset()
    from portproof.builds.images import Builds

    names = Builds(tree, found.builders).built_anew(comparison.changed)
    if not names:
        return frozenset()
    from portproof.across import mentions_any

    known: dict[RelPath, frozenset[str]] = {}
    return frozenset(one.id for one in found.targets if mentions_any(one, tree, names, known))


def _prepare_stream(request: Request) -> Prepared:
    """The same for standard input; the configuration is that of the repository that one stands in, if any."""
    root, _ = root_and_paths((), request.root)
    file, config = configured(request, root)
    targets = (standard_input.target(),)
    return Prepared(Tree(root), (STREAM,), config, file, Discovery(targets, (), targets), targets, None, ())


def _idle_environments(file: FileConfig, found: Discovery) -> Iterator[str]:
    """Which globs of `environments` mean nothing that is there: a slip would silently undo them."""
    if not file.config.environments:
        return
    ids = [*ids_of(found.targets), *(one.id for one in found.skips)]
    for name, globs in file.config.environments.items():
        for glob in globs:
            if not fnmatch.filter(ids, glob):
                yield (
                    f"{file.path}:{file.lines['environments']}: environments: {name}: no target matches {glob!r} "
                    "(`portproof targets` lists them)"
                )


def say_notes(ready: Prepared) -> None:
    """Write what the reader should know to standard error."""
    for note in ready.notes:
        say(note)
