"""What there is to render: what an earlier run has found, where that is known, else what this one finds by looking."""

# ruff: noqa: PLC0415 - what is kept is loaded only for those that ask for it

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING

from msgspec import Struct, field

from portproof import yamldoc
from portproof.children import discover_all
from portproof.config import Config, FileConfig
from portproof.discover.find import discover
from portproof.discover.gitignore import ignored_by_git
from portproof.discover.kept import near
from portproof.discover.model import Discovery, HelmTarget, Target
from portproof.discover.reading import Noted
from portproof.errors import ConfigError, ToolError, UsageError
from portproof.render.model import NotRendered, Renderer, RenderFailure, Rendering
from portproof.replacing import replace
from portproof.session.ad_hoc import alone
from portproof.session.programs import Programs, engine_of
from portproof.session.request import Request
from portproof.source import RelPath, Tree, is_within

if TYPE_CHECKING:
    from portproof.render.engine import Engine
    from portproof.revision import Comparison

_MANIFESTS = (".yaml", ".yml", ".json")

MIN_KEPT = 200
"""Fewer targets are found sooner than git says what differs."""


class Asked(Struct, frozen=True):
    """Where somebody wants to know what there is, by which configuration."""

    tree: Tree
    paths: tuple[RelPath, ...]
    config: Config
    file: FileConfig

    @property
    def is_all(self) -> bool:
        """Whether that is the whole tree."""
        return self.paths == (".",)


class Looked(Struct, frozen=True):
    """What there is; the configuration says by now what git ignores. `rendered` and `is_certain` are those of `Prepared`."""

    found: Discovery
    config: Config
    rendered: Mapping[str, Rendering | RenderFailure | NotRendered] = field(default_factory=dict)
    is_certain: bool = True


def look(request: Request, asked: Asked, comparison: Comparison | None) -> Looked:
    """What there is. With a `comparison` it is perhaps known; what is looked for is kept for runs that have one.

    Raises `ConfigError` for a configuration that names what is not there.
    """
    known = None
    if comparison is not None and asked.is_all:
        from portproof.session.recalled import recalled

        known = recalled(request, asked.tree.root, asked.config, comparison)
        found = None if known is None else known.found()
        if found is not None and not _has_repository(
            asked.tree, near(found[0].everything, comparison.changed)
        ):
            return Looked(*found)
    noted = Noted(asked.tree.root)
    looked = _looked_through(request, replace(asked, tree=noted))
    if asked.is_all and not looked.rendered and len(looked.found.everything) >= MIN_KEPT:
        from portproof.session.recalled import recalled

        known = known or recalled(request, asked.tree.root, asked.config, comparison)
        if known is not None:
            known.keep(looked.found, noted, looked.config.ignored)
    return looked


def _has_repository(tree: Tree, targets: Sequence[Target]) -> bool:
    """Whether a chart holds a ``.git`` that nobody has seen there: git does not list it where it has the files around it."""
    charts = {
        mount.source
        for one in targets
        if isinstance(one, HelmTarget) and not one.git
        for mount in one.mounts
        if mount.source != "."
    }
    return any(
        ".git" in (*folders, *files) for one in charts for _, folders, files in os.walk(tree.on_disk(one))
    )


def _looked_through(request: Request, asked: Asked) -> Looked:
    """Look through the whole tree."""
    tree, paths, config = asked.tree, asked.paths, asked.config
    found = discover(tree, paths, config)
    while ignored := _ignored(tree, found) - config.ignored:  # without an overlay its base is a target
        config = replace(config, ignored=config.ignored | ignored)
        found = discover(tree, paths, config)
    _refuse_what_is_not_there(request, asked.file, found)
    _refuse_what_is_no_yaml(tree, paths, found)
    with _Rendered(request, config) as rendered:
        found = alone(discover_all(tree, paths, config, rendered, found), config)
    return Looked(found, config, rendered.answers, rendered.is_certain)


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
    """What git ignores of that which makes targets, or is unread."""
    made_by = {path for one in found.everything for path in one.made_by}
    return ignored_by_git(made_by | {one.path for one in found.unread}, tree)


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


def _refuse_what_is_no_yaml(tree: Tree, paths: Iterable[RelPath], found: Discovery) -> None:
    """Raise `UsageError` for a file that is named and that nothing reads, if the reason is that it cannot be read as YAML."""
    for path in paths:
        known = any(one.reads(path) for one in found.everything) or any(
            is_within(path, skip.path) for skip in found.skips
        )
        text = None if known or not path.endswith(_MANIFESTS) else tree.text_or_none(path)
        if text is None:
            continue
        try:
            yamldoc.documents(text)
        except yamldoc.YamlError as error:
            raise UsageError(
                f"{path}:{error.line}: not YAML: {error.problem}",
                next_step="Correct the file, or name the folder of what reads it.",
            ) from error
