"""The scalars of a target's input files that could decide a field: those that read like its value.

Files are searched as text, not as YAML, because most of them are templates. A
wrong candidate costs nothing but a place in a probe render: only a candidate
whose sentinel shows up in the field is believed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from portproof.discover.model import KustomizeTarget, Target
from portproof.source import RelPath, Span

MAX_CANDIDATES = 600
"""Beyond this a value is too common to be traced (``http`` in a chart of a thousand templates)."""

_PORTISH = re.compile(
    r"""(?:
        (?:^|[\s{,"'.-])(?:name|port|targetPort|portName|servicePort|number|value|serviceName|containerPort|appProtocol
           |nodePort|hostPort|[A-Za-z]*[pP]ort(?:Name)?)["']?[ \t]*:[ \t]*(?:&[\w-]+[ \t]+)?["']?   # after a key that names ports
        | \bdefault[ \t]+["']?                                                    # default "http"
        | =                                                                       # a literal of a generator
    )$""",
    re.VERBOSE | re.MULTILINE,
)


@dataclass(frozen=True, slots=True, order=True)
class Candidate:
    """A place that reads `text`. Candidates of a lower `rank` are tried first, each rank in a render of its own.

    0: a number anywhere, or a name where ports are named. 1: a key of a mapping in values. 2: any other word.
    """

    rank: int
    span: Span
    text: str


def candidates(inputs: Mapping[RelPath, str], texts: Iterable[str]) -> list[Candidate]:
    """Every place in the input files of a target, given with what they hold, that reads like one of `texts`."""
    patterns = [(text, _pattern(text)) for text in sorted(set(texts))]
    found: list[Candidate] = []
    for path, content in inputs.items():
        for text, pattern in patterns:
            if text in content:
                found += _in_file(path, content, text, pattern)
    return sorted(found)


def _pattern(text: str) -> re.Pattern[str]:
    # The text stands first and what may not be before it looks back over it: the search for a literal is far faster.
    word = re.escape(text)
    if text.isdigit():
        return re.compile(rf"{word}(?<![\w-]{word})(?<!\d\.{word})(?![\w-])(?!\.\d)")
    # A word of a template is not a name when it is part of a path, a field (.Values.http) or a URL.
    return re.compile(rf"{word}(?<![\w./$-]{word})(?![\w./-])(?!:/)")


def _in_file(path: RelPath, content: str, text: str, pattern: re.Pattern[str]) -> Iterator[Candidate]:
    for match in pattern.finditer(content):
        rank = 0 if text.isdigit() else _rank_of_name(path, content, match)
        if rank is not None:
            yield Candidate(rank, Span(path, match.start(), match.end()), text)


def _rank_of_name(path: RelPath, content: str, match: re.Match[str]) -> int | None:
    start = content.rfind("\n", 0, match.start()) + 1
    before, after = content[start : match.start()], content[match.end() : match.end() + 2]
    if "#" in before and before.lstrip().startswith("#"):
        return None
    if re.match(r"[\"']?:", after):
        return (
            None if "/templates/" in f"/{path}" else 1
        )  # a key in a template is structure, never a port's name
    return 0 if _PORTISH.search(before) else 2


def is_kustomize(target: Target) -> bool:
    """Whether patches can couple several places (see `Origin.partners`)."""
    return isinstance(target, KustomizeTarget)
