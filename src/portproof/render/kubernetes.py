"""The cluster that a chart demands, where it is not the one that helm assumes.

That is a version of Kubernetes (``kubeVersion`` in Chart.yaml), and APIs without which a template calls ``fail``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from msgspec import Struct

from portproof.discover.model import Cluster
from portproof.discover.versions import fitting, is_range, satisfies
from portproof.render.chartpaths import ChartPaths
from portproof.render.guards import missing_apis, refusal
from portproof.replacing import replace
from portproof.source import Tree

_WANTED = re.compile(
    r"chart requires kubeVersion: (?P<wanted>[^\n]{1,300}?) which is incompatible with Kubernetes v1\.(?P<minor>\d{1,4})\b"
)
_OLDEST = 14
"""The first version that a chart of today may mean: those of apiVersion v2 are younger."""
_MAX_APIS = 8
"""As many are taken to be there; each takes a render."""


class Demanded(Struct, frozen=True):
    """What a chart demands of its cluster: ranges of versions, the version that lies in them, APIs."""

    ranges: tuple[str, ...] = ()
    newest: int = 0
    version: str = ""
    apis: tuple[str, ...] = ()

    @property
    def options(self) -> tuple[str, ...]:
        """Options of helm that give the chart such a cluster."""
        version = (f"--kube-version={self.version}",) if self.version else ()
        return (*version, *(f"--api-versions={one}" for one in self.apis))

    def further(self, stderr: str, known: Cluster, tree: Tree, paths: ChartPaths) -> Demanded | None:
        """The same and what helm's error says is demanded, too; None where it says nothing of that.

        What is `known` of the cluster counts as it is.
        """
        found = None if known.kube_version else unmet(stderr)
        if found is not None and found[0] not in self.ranges:
            ranges, newest = (*self.ranges, found[0]), max(self.newest, found[1])
            version = suitable(ranges, newest)
            return replace(self, ranges=ranges, newest=newest, version=version) if version else None
        refused = None if known.api_versions else refusal(stderr)
        if refused is None or len(self.apis) == _MAX_APIS:
            return None
        api = next((one for one in missing_apis(refused[1], tree, paths) if one not in self.apis), None)
        return replace(self, apis=(*self.apis, api)) if api else None


def unmet(stderr: str) -> tuple[str, int] | None:
    """The range that helm finds a chart to want, and the minor version that it was rendered for; None without one."""
    found = _WANTED.search(stderr)
    return (found["wanted"].strip(), int(found["minor"])) if found and is_range(found["wanted"]) else None


def suitable(wanted: Sequence[str], newest: int) -> str | None:
    """The newest version up to the minor version `newest` that lies in all of the ranges; None where none does."""
    named = [one for one in map(fitting, wanted) if one.startswith("1.") and int(one.split(".")[1]) <= newest]
    known = [f"1.{minor}.{patch}" for minor in range(newest, _OLDEST - 1, -1) for patch in (0, 99)]
    return next((one for one in (*known, *named) if all(satisfies(one, each) for each in wanted)), None)
