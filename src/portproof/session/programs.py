"""The helm and kustomize of a run, and what renders with them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

from portproof import standard_input
from portproof.config import Config
from portproof.console import say
from portproof.render.engine import Engine, RenderOptions
from portproof.render.starts import KeptStarts
from portproof.renderings import renderings_folder
from portproof.session.request import Request
from portproof.source import root_and_paths
from portproof.textstore import TextStore
from portproof.tool_file import identity
from portproof.toolchain import Tool, cache_folder, find_helm, find_kustomize


class Programs:
    """The tools of a run, each found when it is first asked for: a repository without charts needs no helm."""

    def __init__(self, config: Config, environ: Mapping[str, str]) -> None:
        self._config = config
        self._environ = environ

    @cached_property
    def helm(self) -> Tool:
        """The helm in use."""
        return find_helm(self._config.helm, offline=self._config.offline, environ=self._environ, notify=say)

    @cached_property
    def kustomize(self) -> Tool:
        """The kustomize in use."""
        return find_kustomize(
            self._config.kustomize, offline=self._config.offline, environ=self._environ, notify=say
        )


def engine_of(request: Request, config: Config, programs: Programs) -> Engine:
    """What renders the targets of a run, within the limits that the configuration sets."""
    options = RenderOptions(
        offline=config.offline,
        hosts=config.allow_hosts,
        seconds=config.timeout,
        cache=cache_folder(request.environ),
        kept=_kept(request),
        environ=request.environ,
    )
    return Engine(helm=lambda: programs.helm, kustomize=lambda: programs.kustomize, options=options)


def _kept(request: Request) -> KeptStarts:
    """What earlier runs have rendered, unless the command line or the environment says that nothing is kept."""
    if request.flags.no_cache:
        return KeptStarts()
    root, _ = root_and_paths(() if standard_input.is_named(request.paths) else request.paths, request.root)
    folder = renderings_folder(request.environ, root)
    if folder is None:
        return KeptStarts()
    return KeptStarts(TextStore(folder), lambda path: identity(path, cache_folder(request.environ)))
