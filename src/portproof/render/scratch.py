"""The scratch folder: the only place that a render may write to, and the environment that keeps it there."""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from portproof.process import MIB

# A render lives for a tenth of a second and makes less garbage than fits into memory: without the collector helm takes a
# fifth less processor time, and beyond the limit the collector works as ever. kustomize holds much more at once (every
# object as a tree of YAML nodes), so its collector only runs less often, which halves its time on large overlays. One
# thread of Go each, because as many renders run at once as there are processors.
HELM_TUNING: dict[str, str] = {"GOGC": "off", "GOMEMLIMIT": "300MiB", "GOMAXPROCS": "1"}
KUSTOMIZE_TUNING: dict[str, str] = {"GOGC": "800", "GOMEMLIMIT": "400MiB", "GOMAXPROCS": "1"}

HELM_MEMORY = 1920 * MIB
KUSTOMIZE_MEMORY = 1920 * MIB
"""Address space, of which Go sets aside 1.1 GiB at its start that it never uses.

The largest overlay that was seen needs 0.4 GiB of its own; charts need 0.1 GiB. So the collector has to work well before
the rest is used up: what it may leave is bounded above. Runaway ones are stopped in seconds, and two of them at once leave
something of 2 GiB.
"""

_DEAD_PROXY = "http://127.0.0.1:9"
_PROXY_NAMES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")


class Scratch:
    """One temporary folder for a whole run, with a home for the tools in it.

    ``home`` is what helm and kustomize take for the user's home, ``cwd`` the empty folder they start in.
    """

    def __init__(self) -> None:
        # Resolved, because the tools print resolved paths and messages are cleaned of ours.
        self.root = Path(tempfile.mkdtemp(prefix="portproof-")).resolve()
        self.cwd = self.root / "cwd"
        self.home = self.root / "home"
        for folder in (
            "cwd",
            "bin",
            "work",
            "fetched",
            "home/temporary",
            "home/plugins",
            "home/cache",
            "home/config",
            "home/data",
        ):
            (self.root / folder).mkdir(parents=True)
        self._numbers = itertools.count(1)
        offline = self._environment(dict.fromkeys(_PROXY_NAMES[:2], _DEAD_PROXY))
        self.helm_environment = offline | HELM_TUNING
        self.kustomize_environment = offline | KUSTOMIZE_TUNING

    def give_to(self, user: int, group: int) -> None:
        """Let another user write into the home, and pass through to what is to be read."""
        self.root.chmod(0o711)
        for folder, _, _ in os.walk(self.home):
            os.chown(folder, user, group)

    def remove(self) -> None:
        """Remove the folder and everything in it."""
        shutil.rmtree(self.root, ignore_errors=True)

    @contextmanager
    def folder(self) -> Iterator[Path]:
        """A new empty folder that is removed at the end of the block."""
        path = self.root / "work" / str(next(self._numbers))
        path.mkdir()
        try:
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)

    def fetched(self) -> Path:
        """A new empty folder for what is fetched, which stays as long as the run."""
        path = self.root / "fetched" / str(next(self._numbers))
        path.mkdir()
        return path

    def _environment(self, network: Mapping[str, str]) -> dict[str, str]:
        """Built from nothing. An empty PATH folder: neither git nor a shell is within reach."""
        home = str(self.home)
        environment = {
            "PATH": str(self.root / "bin"),
            "HOME": home,
            "TMPDIR": f"{home}/temporary",
            "XDG_CACHE_HOME": f"{home}/cache",
            "XDG_CONFIG_HOME": f"{home}/config",
            "XDG_DATA_HOME": f"{home}/data",
            "HELM_CACHE_HOME": f"{home}/cache/helm",
            "HELM_CONFIG_HOME": f"{home}/config/helm",
            "HELM_DATA_HOME": f"{home}/data/helm",
            "HELM_PLUGINS": f"{home}/plugins",
            "HELM_REGISTRY_CONFIG": f"{home}/config/registry.json",
            "HELM_REPOSITORY_CACHE": f"{home}/cache/repository",
            "HELM_REPOSITORY_CONFIG": f"{home}/config/repositories.yaml",
            "KUBECONFIG": os.devnull,
            "KUBERC": "off",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ALLOW_PROTOCOL": "none",
            "NO_PROXY": "",
            "GOTRACEBACK": "none",
        }
        lower = {name.lower(): value for name, value in network.items() if name in _PROXY_NAMES}
        return environment | lower | dict(network)
