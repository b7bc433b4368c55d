"""What ``portproof init`` prints: a ``portproof.yaml`` for what lies in the repository.

It states what is certain, and has the rest as comments: taken as it is, it makes no finding worse.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from portproof.discover.model import Discovery, HelmTarget
from portproof.discover.unread import Unread
from portproof.report.safe import one_line, shortened, visible
from portproof.source import RelPath

_PLAIN = re.compile(r"[A-Za-z0-9_/][\w./@+-]*")
_WIDTH = 110

_HEAD = (
    "# What portproof checks here beyond what it always finds. Every key is optional: see docs/configuration.md.",
    "# What is uncertain is a comment. Remove the # from what is true.",
)
_NOTHING = "# portproof finds what is here by itself. Every key is optional: see docs/configuration.md."


def starter(discovery: Discovery, failed: Mapping[str, str], together: Mapping[str, Sequence[str]]) -> str:
    """The file. `failed` says why targets do not render, by their ids; `together` are ids that may be deployed together."""
    found = [*_charts(discovery, failed), *_environments(together), *_unread(discovery.unread)]
    return "\n".join([*_HEAD, *found] if found else [_NOTHING]) + "\n"


def _charts(discovery: Discovery, failed: Mapping[str, str]) -> Iterator[str]:
    """The values files that were found elsewhere, chart by chart; those that the chart does not render with as comments."""
    found: dict[RelPath, list[HelmTarget]] = defaultdict(list)
    for one in discovery.targets:
        if isinstance(one, HelmTarget) and one.inferred:
            found[one.chart].append(one)
    if not found:
        return
    certain = {chart for chart, some in found.items() if any(one.id not in failed for one in some)}
    yield ""
    yield "charts:" if certain else "# charts:"
    for chart, some in sorted(found.items()):
        mark = "" if chart in certain else "# "
        yield f"{mark}  - path: {_word(chart)}"
        yield f"{mark}    values:"
        for one in some:
            why = failed.get(one.id)
            if why is not None:
                yield f"      # It does not render with this file alone: {_short(why)}"
            yield f"      {'' if why is None else '# '}- {_word(_from(chart, one.values[0]))}"


def _environments(together: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """What seems to be deployed together."""
    if not together:
        return
    yield ""
    yield "# Deployed together, as far as names tell. State it, and a call that misses there is an error:"
    yield "# environments:"
    for name, ids in sorted(together.items()):
        yield f"#   {_word(name)}:"
        yield from (f"#     - {_word(one)}" for one in ids)


def _unread(several: Sequence[Unread]) -> Iterator[str]:
    """What is unread, with the reason."""
    if not several:
        return
    yield ""
    yield "# Unread:"
    yield from (f"#   {visible(one.path)}: {visible(one_line(one.reason))}" for one in several)


def _from(chart: RelPath, path: RelPath) -> str:
    """How the configuration names a values file of a chart."""
    if chart == ".":
        return path
    return path[len(chart) + 1 :] if path.startswith(f"{chart}/") else f"/{path}"


def _word(text: str) -> str:
    """A text as YAML reads it."""
    return text if _PLAIN.fullmatch(text) else json.dumps(text)


def _short(text: str) -> str:
    return shortened(visible(one_line(text)), _WIDTH)
