"""What is known before anything is rendered: paths, configuration, targets."""

# ruff: noqa: PLC0415 - a comparison is loaded only for those that compare

from __future__ import annotations

import fnmatch
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from portproof import config as configuration
from portproof import standard_input
from portproof.children import discover_all
from portproof.config import Config, FileConfig
from portproof.console import say
from portproof.discover.find import discover
from portproof.discover.gitignore import ignored_by_git
from portproof.discover.model import STREAM, Discovery, Target
from portproof.errors import ConfigError, ToolError, UsageError
from portproof.render.model import NotRendered, Renderer, RenderFailure, Rendering
from portproof.session.ad_hoc import alone, refuse_for_stream, with_ad_hoc
from portproof.session.programs import Programs, engine_of
from portproof.session.request import Request, configured
from portproof.source import RelPath, Tree, root_and_paths

if TYPE_CHECKING:
    from portproof.render.engine import Engine
    from portproof.revision import Comparison

CONFIG_NAMES = frozenset(configuration.NAMES)
"""Files at the root that concern every target."""


@dataclass(frozen=True, slots=True)
class Prepared:
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
    found = discover(tree, paths, config)
    while ignored := _ignored(tree, found) - config.ignored:  # without an overlay its base is a target
        config = replace(config, ignored=config.ignored | ignored)
        found = discover(tree, paths, config)
    _refuse_what_is_not_there(request, file, found)
    with _Rendered(request, config) as rendered:
        found = alone(discover_all(tree, paths, config, rendered, found), config)
    if request.flags.base is not None:
        from portproof.revision import compare_with

        comparison = compare_with(request.flags.base, root, request.environ)
    notes = tuple(_idle_environments(file, found)) if paths == (".",) else ()
    targets = found.targets
    reconfigured = request.file is None and comparison is not None and CONFIG_NAMES & comparison.changed
    if comparison is not None and not reconfigured:
        targets = tuple(target for target in targets if comparison.affects(target))
    return Prepared(
        tree, paths, config, file, found, targets, comparison, notes, rendered.answers, rendered.is_certain
    )


class _Rendered(ExitStack):
    """Renders what holds descriptions of deployments, and keeps the `answers`; no tool is looked for before that."""

    def __init__(self, request: Request, config: Config) -> None:
        super().__init__()
        self._request = request
        self._config = config
        self._render: Renderer | None = None
        self._engine: Engine | None = None
        self.is_certain = True
        self.answers: dict[str, Rendering | RenderFailure | NotRendered] = {}

    def __call__(self, target: Target, tree: Tree) -> Rendering | RenderFailure | NotRendered:
        """See `Renderer`. Without the tool nothing is known; who needs it says so."""
        try:
            if self._render is None:
                programs = Programs(self._config, self._request.environ)
                self._engine = self.enter_context(engine_of(self._request, self._config, programs))
                self._render = self._engine.render
            self.answers[target.id] = self._render(target, tree)
            self.is_certain = self._engine is None or self._engine.is_certain
        except ToolError as error:
            self.is_certain = False
            return NotRendered(target, str(error))
        return self.answers[target.id]


def _ignored(tree: Tree, found: Discovery) -> frozenset[RelPath]:
    """What git ignores of that which makes targets."""
    return ignored_by_git({path for one in found.everything for path in one.made_by}, tree)


def _refuse_what_is_not_there(request: Request, file: FileConfig, found: Discovery) -> None:
    """Raise `ConfigError` for a configuration that names what is not there. One of another revision cannot be to blame."""
    wrong = min((one for one in found.skips if one.configured), key=lambda one: one.configured, default=None)
    if wrong is None or request.file is not None:
        return
    named = f"charts: {wrong.path}: {wrong.reason}"
    raise ConfigError(
        f"{file.path}:{wrong.configured}: {named}",
        next_step="Correct the path, or remove it. `portproof init` prints what there is.",
    )


def _prepare_stream(request: Request) -> Prepared:
    """The same for standard input; the configuration is that of the repository that one stands in, if any."""
    root, _ = root_and_paths((), request.root)
    file, config = configured(request, root)
    targets = (standard_input.target(),)
    return Prepared(Tree(root), (STREAM,), config, file, Discovery(targets, (), targets), targets, None, ())


def _idle_environments(file: FileConfig, found: Discovery) -> Iterator[str]:
    """Which globs of `environments` mean nothing that is there: a slip would silently undo them."""
    ids = [one.id for one in (*found.targets, *found.skips)]
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
