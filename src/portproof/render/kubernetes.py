"""The version of Kubernetes that a chart wants (``kubeVersion`` in Chart.yaml), where it is not the one that helm assumes."""

from __future__ import annotations

import re
from collections.abc import Sequence

from portproof.discover.versions import fitting, is_range, satisfies

_WANTED = re.compile(
    r"chart requires kubeVersion: (?P<wanted>[^\n]{1,300}?) which is incompatible with Kubernetes v1\.(?P<minor>\d{1,4})\b"
)
_OLDEST = 14
"""The first version that a chart of today may mean: those of apiVersion v2 are younger."""


def unmet(stderr: str) -> tuple[str, int] | None:
    """The range that helm finds a chart to want, and the minor version that it was rendered for; None without one."""
    found = _WANTED.search(stderr)
    return (found["wanted"].strip(), int(found["minor"])) if found and is_range(found["wanted"]) else None


def suitable(wanted: Sequence[str], newest: int) -> str | None:
    """The newest version up to the minor version `newest` that lies in all of the ranges; None where none does."""
    named = [one for one in map(fitting, wanted) if one.startswith("1.") and int(one.split(".")[1]) <= newest]
    known = [f"1.{minor}.{patch}" for minor in range(newest, _OLDEST - 1, -1) for patch in (0, 99)]
    return next((one for one in (*known, *named) if all(satisfies(one, each) for each in wanted)), None)
