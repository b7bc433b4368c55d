"""The renderer of a run: helm, kustomize or plain text, behind one function."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from portproof import process
from portproof.discover.model import HelmTarget, KustomizeTarget, ManifestTarget, Target
from portproof.render import plain
from portproof.render.fetch import Fetcher
from portproof.render.helm import Helm
from portproof.render.kustomize import Kustomize
from portproof.render.model import NotRendered, RenderFailure, Rendering
from portproof.render.scratch import Scratch
from portproof.source import Tree


class Program(Protocol):
    """A tool that can be started: the beginning of its command line, an absolute path first."""

    @property
    def argv(self) -> tuple[str, ...]:
        """``("/bin/helm",)``; for kustomize ``("/bin/kustomize", "build")`` or ``("/bin/kubectl", "kustomize")``."""
        ...


@dataclass(frozen=True, slots=True)
class RenderOptions:
    """What a run allows: the network, seconds for one render, and where fetched charts are kept.

    `environ` is where proxies and certificates for fetching come from; the tools get nothing else of it.
    """

    offline: bool
    cache: Path
    seconds: float = 60.0
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
        self._fetcher = Fetcher(
            scratch=self._scratch, cache=options.cache, offline=options.offline, environ=options.environ
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is not None:  # renders in other threads would go on writing into the folder
            process.kill_all()
        self._scratch.remove()

    def render(self, target: Target, tree: Tree) -> Rendering | RenderFailure | NotRendered:
        """Render `target` as `tree` has it. Nothing is ever written into the tree.

        Raises `ToolError` when a tool that is needed is missing.
        """
        match target:
            case HelmTarget():
                return self._helm.render(target, tree)
            case KustomizeTarget():
                return self._kustomize.render(target, tree)
            case ManifestTarget():
                return plain.render(target, tree)

    @cached_property
    def _helm(self) -> Helm:
        return Helm(self._find_helm().argv, self._scratch, self._fetcher, self._options.seconds)

    @cached_property
    def _kustomize(self) -> Kustomize:
        return Kustomize(self._find_kustomize().argv, self._scratch, self._options.seconds)
