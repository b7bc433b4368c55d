"""A rule's message in its parts, for a reader who wants the harm first.

Rules write a message as one or two sentences and the facts: what is so, what comes of it, ``Evidence: …``, a question.
What comes of it is the last clause before the facts, after a colon or after "so".
"""

from __future__ import annotations

import re

from msgspec import Struct

_SENTENCE = re.compile(r"(?<=[.?]) (?=[A-Z])")
_ASKED = re.compile(r"[;:] (?=did you mean )")
_ADVICE = re.compile(r"(?:Add|Did|Do|Does|Set|Use|Is|Are)\b")
_SO = re.compile(r", so |: |, and (?=(?:the API server|its controller) rejects )")
_EXPLAINS = re.compile(
    r"(?:it (?:must|may|still|selects|looks)\b|its (?:port|own)\b|one of the two\b|set `|no endpoint\b|['\d]|[A-Z]\w*/)"
)
"""How a clause begins that says why, and not what comes of it."""

_REJECTS = re.compile(r"(?:The API server|Its controller|The route|Pods of|Broken ports)\b")
"""How a sentence of its own begins that says what comes of it."""

_DOUBT = re.compile(r"\bsends port (\d+) .*: one of the two is wrong\.?\Z")
"""A sentence that leaves open which end is wrong, and with that whether anything fails."""


class Parts(Struct, frozen=True):
    """A message taken apart. `harm` is a clause without its full stop, empty where a message names none.

    `cause` are the sentences that lead to it, `evidence` the facts, `advice` the questions and what to add.
    """

    harm: str
    cause: tuple[str, ...]
    evidence: str = ""
    advice: tuple[str, ...] = ()


def parts(message: str) -> Parts:
    """The parts of a message; one of several lines is what a tool says, and all of it is cause."""
    lines = message.split("\n")
    sentences = [
        one[:1].upper() + one[1:]
        for line in lines
        for part in _ASKED.split(line)
        for one in _SENTENCE.split(part)
        if one
    ]
    evidence = " ".join(one for one in sentences if one.startswith("Evidence: "))
    told = [one for one in sentences if not one.startswith("Evidence: ")]
    advice = tuple(one for one in told[1:] if one.endswith("?") or _ADVICE.match(one))
    body = [_ended(one) for one in told if one not in advice]
    harm, cause = _harm(body) if len(lines) == 1 else ("", body)
    return Parts(harm, tuple(cause) or (message,), evidence.removeprefix("Evidence: "), advice)


def words(text: str) -> int:
    """How many words a reader reads."""
    return len(text.split())


def _harm(body: list[str]) -> tuple[str, list[str]]:
    """The clause that says what comes of it, and the sentences without it."""
    for index, sentence in enumerate(body[1:], 1):
        if _REJECTS.match(sentence):
            return _lowered(sentence.rstrip(".")), [*body[:index], *body[index + 1 :]]
    for index in reversed(range(len(body))):
        found = _clause(body[index])
        if found is not None:
            harm, rest = found
            return harm, [*body[:index], rest, *body[index + 1 :]]
    doubt = next(filter(None, map(_DOUBT.search, body)), None)
    return (f"requests to port {doubt[1]} may fail" if doubt else ""), body


def _clause(sentence: str) -> tuple[str, str] | None:
    """The last clause of a sentence that says what comes of it, and the sentence without it."""
    breaks = list(_SO.finditer(sentence))
    for number in reversed(range(len(breaks))):
        start = breaks[number].end()
        end = breaks[number + 1].start() if number + 1 < len(breaks) else len(sentence)
        clause = sentence[start:end].rstrip(".")
        if _EXPLAINS.match(clause) or ", but " in clause:
            continue
        rest = sentence[end:].removeprefix(": ").removeprefix(", so ")
        before = sentence[: breaks[number].start()]
        return clause, _ended(f"{before}: {rest}" if rest.strip(".") else before)
    return None


def _ended(sentence: str) -> str:
    return sentence if sentence.endswith((".", "?")) else f"{sentence}."


def _lowered(sentence: str) -> str:
    first = sentence.split(" ", 1)[0]
    return sentence if first.isupper() or "/" in first else sentence[:1].lower() + sentence[1:]
