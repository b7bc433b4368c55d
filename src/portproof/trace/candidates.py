"""The scalars of a target's input files that could decide a field: those that read like its value.

Files are searched as text, not as YAML, because most of them are templates. A
wrong candidate costs nothing but a place in a probe render: only a candidate
whose sentinel shows up in the field is believed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct

from portproof.discover.model import KustomizeTarget, Target
from portproof.graph.model import Piece
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


class Candidate(Struct, frozen=True, order=True):
    """A place that reads `text`. Candidates of a lower `rank` are tried first, each rank in a render of its own.

    0: a number anywhere, or a name where ports are named. 1: a key of a mapping in values. 2: any other word.
    """

    rank: int
    span: Span
    text: str


def candidates(inputs: Mapping[RelPath, str], texts: Iterable[str]) -> list[Candidate]:
    """Every place in the input files of a target, given with what they hold, that reads like one of `texts`."""
    words = sorted(set(texts))
    return sorted(
        one for path, content in inputs.items() for word in words for one in _in_file(path, content, word)
    )


_RUN = re.compile(r"[^\s\"'<>,;|]+")
"""What a text is made of: an address with all that is around its host."""
_PORT_BEHIND = re.compile(r"[\w.-]*:\d")


def is_host(text: str, piece: Piece) -> bool:
    """Whether a part of a text is the host of an address: behind a scheme, or with a port behind it."""
    return text.endswith("//", 0, piece.start) or _PORT_BEHIND.match(text, piece.end) is not None


def in_addresses(inputs: Mapping[RelPath, str], text: str, piece: Piece) -> Iterator[Candidate]:
    """The places that read like the host in a text, with the same scheme, port and path around it.

    The name of a Service alone is found all over the files, and another name in all these places renders something else.
    """
    run = next((one for one in _RUN.finditer(text) if one.start() <= piece.start < one.end()), None)
    if run is None:
        return
    name, head = text[piece.start : piece.end], text[run.start() : piece.end]
    # Behind the host a template may write the port.
    for words in (rf"{re.escape(run[0])}(?![\w./:-])", rf"{re.escape(head)}(?=[.:/]\{{\{{)"):
        whole = re.compile(rf"(?<![\w./:-]){words}")
        for path, content in inputs.items():
            for found in whole.finditer(content):
                start = found.start() + piece.start - run.start()
                yield Candidate(0, Span(path, start, start + len(name)), name)


_BEFORE_NUMBER = re.compile(r"(?<![\w-])(?<!\d\.)")
_AFTER_NUMBER = re.compile(r"(?![\w-])(?!\.\d)")
_BEFORE_NAME = re.compile(r"(?<![\w./$-])")
_AFTER_NAME = re.compile(r"(?![\w./-])(?!:/)")
"""A word of a template is not a name when it is part of a path, a field (``.Values.http``) or a URL."""


def _in_file(path: RelPath, content: str, text: str) -> Iterator[Candidate]:
    is_number = text.isdigit()
    before, after = (_BEFORE_NUMBER, _AFTER_NUMBER) if is_number else (_BEFORE_NAME, _AFTER_NAME)
    start = content.find(text)
    while start >= 0:
        end = start + len(text)
        if before.match(content, start) and after.match(content, end):
            rank = 0 if is_number else _rank_of_name(path, content, start, end)
            if rank is not None:
                yield Candidate(rank, Span(path, start, end), text)
            start = content.find(text, end)
        else:
            start = content.find(text, start + 1)


def _rank_of_name(path: RelPath, content: str, start: int, end: int) -> int | None:
    line = content.rfind("\n", 0, start) + 1
    before, after = content[line:start], content[end : end + 2]
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
