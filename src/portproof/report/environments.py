"""Where a finding bites, in the words of those who deploy: an overlay, a values file, a release."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable

from portproof.graph.phrasing import listing
from portproof.report.summary_line import listed

_SHOWN = 3
_DEFAULT_VALUES = "the default values"


def where(targets: Iterable[str], shown: Callable[[str], str]) -> str:
    """``in 'prod'``, ``with 'values-prod.yaml'``, ``in release 'shop'``; empty where there is only one environment to name.

    `targets` are ids; `shown` writes a name that a stranger chose.
    """
    names: dict[str, dict[str, None]] = defaultdict(dict)
    for one in targets:
        preposition, name = _environment(one)
        if preposition:
            names[preposition][name] = None
    if set(names) == {"with"} and [*names["with"]] == [""]:
        return ""  # a chart with its own values and nothing else: that goes without saying
    parts = []
    for preposition, several in names.items():
        written = tuple(shown(one) if one else _DEFAULT_VALUES for one in several)
        plural = "s" if len(written) > 1 and preposition == "in release" else ""
        parts.append(f"{preposition}{plural} {_joined(written)}")
    return " and ".join(parts)


def _environment(target: str) -> tuple[str, str]:
    """How an environment is introduced, and its name; nothing for manifests, which say nothing of one."""
    kind, _, rest = target.partition(":")
    path, _, values = rest.partition("?values=")
    if kind == "kustomize" and path not in ("", "."):
        return "in", path.rpartition("/")[2]
    if kind == "helm":
        files, _, release = values.partition("#")
        return ("in release", release) if release else ("with", files.split(",")[-1].rpartition("/")[2])
    return "", ""


def _joined(names: tuple[str, ...]) -> str:
    if 1 < len(names) <= _SHOWN:
        return listing(names)
    return listed(names, _SHOWN - 1)
