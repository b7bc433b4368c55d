"""The renderer of a run: helm, kustomize or plain text, behind one function."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self, TypeAlias

from msgspec import Struct, field

from portproof import process
from portproof.discover.gitops.given import GivenError
from portproof.discover.model import HelmTarget, KustomizeTarget, ManifestTarget, StreamTarget, Target
from portproof.render import plain, stream
from portproof.render.descriptions import with_description
from portproof.render.fetch import Fetcher
from portproof.render.helm import Helm
from portproof.render.kustomize import Kustomize
from portproof.render.model import NotRendered, Renderer, RenderFailure, Rendering
from portproof.render.sandboxes import Sandboxes
from portproof.render.scratch import Scratch
from portproof.render.starts import KeptStarts
from portproof.source import Tree
from portproof.timings import Purpose, Stage, timed

if TYPE_CHECKING:
    from portproof.render.batch import EditedChart

_Answer: TypeAlias = "Rendering | RenderFailure | NotRendered"

PREFETCH = 4
"""How many renders `Engine.prefetch` begins for each job: about as many as end while the rest of the program is imported."""


class Program(Protocol):
    """A tool that can be started: the beginning of its command line, an absolute path first."""

    @property
    def argv(self) -> tuple[str, ...]:
        """``("/bin/helm",)``; for kustomize ``("/bin/kustomize", "build")`` or ``("/bin/kubectl", "kustomize")``."""
        ...


class RenderOptions(Struct, frozen=True):
    """What a run allows: the network, seconds for one render, and where fetched charts are kept.

    `hosts` are the only ones that charts are fetched from; None stands for every one with a public address.
    `kept` has answers of earlier runs. `environ` is where proxies and certificates for fetching come from; the tools get nothing else of it.
    """

    offline: bool
    cache: Path
    seconds: float = 60.0
    hosts: tuple[str, ...] | None = None
    kept: KeptStarts = field(default_factory=KeptStarts)
    environ: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))


class Engine:
    """A context manager that owns the scratch folder of a run; `render` is the `Renderer` and thread-safe.

    The tools are asked for when the first target needs them, so that a repository without charts needs no helm.
    """

    def __init__(
        self, *, helm: Callable[[], Program], kustomize: Callable[[], Program], options: RenderOptions
    ) -> None:
        self._find_helm = helm
        self._find_kustomize = kustomize
        self._options = options
        self._scratch = Scratch()
        self._sandboxes = Sandboxes(self._scratch)
        self._fetcher = Fetcher(
            scratch=self._scratch,
            cache=options.cache,
            offline=options.offline,
            hosts=options.hosts,
            environ=options.environ,
        )
        self._pool: ThreadPoolExecutor | None = None
        self._prefetched: dict[str, Future[_Answer]] = {}
        self._prefetched_in: Tree | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for future in self._prefetched.values():
            future.cancel()
        if kind is not None:  # renders in other threads would go on writing into the folder
            process.kill_all()
        if self._pool is not None:
            self._pool.shutdown()
        self._options.kept.close()
        self._sandboxes.close()
        self._scratch.remove()

    @property
    def is_certain(self) -> bool:
        """Whether nothing has been rendered that may be something else in a run of the same input: what is fetched may."""
        return self._options.kept.is_certain and not self._fetcher.was_asked

    def prefetch(
        self, targets: Sequence[Target], tree: Tree, jobs: int, known: Mapping[str, _Answer] | None = None
    ) -> None:
        """Begin to render the first of `targets`, `jobs` at a time; to be called once. `known` has been rendered before.

        The first `render` of each in this `tree` gives what has become of it, any further one renders anew.
        """
        self._pool = ThreadPoolExecutor(jobs)
        self._prefetched_in = tree
        for id_, answer in (known or {}).items():
            self._prefetched[id_] = Future()
            self._prefetched[id_].set_result(answer)
        for target in targets[: jobs * PREFETCH]:
            if target.id not in self._prefetched:
                self._prefetched[target.id] = self._pool.submit(self._render, target, tree)

    def render(self, target: Target, tree: Tree) -> Rendering | RenderFailure | NotRendered:
        """Render `target` as `tree` has it. Nothing is ever written into the tree.

        Raises `ToolError` when a tool that is needed is missing.
        """
        begun = self._prefetched.pop(target.id, None) if tree is self._prefetched_in else None
        return self._render(target, tree) if begun is None else begun.result()

    def render_together(self, charts: Sequence[EditedChart]) -> list[Rendering | None]:
        """What edited charts render to, many in one process; None where `render` has to be asked."""
        from portproof.render.batch import render_together  # noqa: PLC0415 - start-up: only the map needs it

        with timed(Stage.RENDERS, purpose=Purpose.TRACING):
            return render_together(self._helm, charts)

    def _render(self, target: Target, tree: Tree) -> _Answer:
        here = self._prefetched_in
        base = Purpose.BASE if here is not None and here.root != tree.root else None
        with timed(Stage.RENDERS, target.id, base):
            return self._rendered(target, tree)

    def _rendered(self, target: Target, tree: Tree) -> _Answer:
        if isinstance(target, HelmTarget | KustomizeTarget) and target.install and target.install.parent:
            try:
                tree = with_description(tree, target.install, self._parents)
            except GivenError as error:
                return RenderFailure(target, str(error))
        match target:
            case HelmTarget():
                return self._as_installed(target, tree)
            case KustomizeTarget():
                return self._kustomize.render(target, tree)
            case ManifestTarget():
                return plain.render(target, tree)
            case StreamTarget():
                return stream.render(target)

    def _as_installed(self, target: HelmTarget, tree: Tree) -> _Answer:
        """A chart, with what is done to it after helm."""
        found = self._helm.render(target, tree)
        install = target.install
        if install is None or not install.post_renderers or not isinstance(found, Rendering):
            return found
        from portproof.render.postrender import post_rendered  # noqa: PLC0415 - start-up: few releases have any

        return post_rendered(found, install, tree, self._kustomize)

    @cached_property
    def _parents(self) -> Renderer:
        """Renders what holds descriptions: once for all that it describes."""
        from portproof.render.cache import remember  # noqa: PLC0415 - start-up: few repositories have any

        return remember(self._render)

    @cached_property
    def _helm(self) -> Helm:
        return Helm(
            self._find_helm().argv,
            self._scratch,
            self._sandboxes,
            self._fetcher,
            self._options.seconds,
            self._options.kept,
        )

    @cached_property
    def _kustomize(self) -> Kustomize:
        return Kustomize(
            self._find_kustomize().argv,
            self._scratch,
            self._sandboxes,
            self._options.seconds,
            self._options.kept,
            self._render_chart,
            self._fetcher,
        )

    def _render_chart(self, target: HelmTarget, tree: Tree) -> _Answer:
        return self._helm.render(target, tree)
