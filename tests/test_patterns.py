"""No line, however long, keeps one of our patterns busy: time grows with the length, not with its square."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import portproof
from portproof.render import actions
from portproof.report import excerpt, marks, mermaid, phrases, safe, text
from tests.support.boxed import boxed
from tests.support.reports import report, result

LENGTH = 20_000
SECONDS = 1.0  # of our own time; a linear pattern takes a thousandth, a quadratic one more
PIECES = (
    "a",
    "0",
    " ",
    "-",
    "/",
    ":",
    "a.",
    "a: ",
    "a=",
    "\\",
    '"',
    "{{ ",
    "\n",
    "\n ",
    "- ",
    "---\n",
    "http://",
    "@",
    "%",
    "_",
)
USES: dict[str, Callable[[re.Pattern[str], str], Any]] = {
    "match": re.Pattern.match,
    "fullmatch": re.Pattern.fullmatch,
    "search": re.Pattern.search,
    "finditer": lambda pattern, text: list(pattern.finditer(text)),
    "findall": re.Pattern.findall,
    "split": re.Pattern.split,
    "sub": lambda pattern, text: pattern.sub("", text),
}
BOUNDED = {
    "portproof.render.actions._STEP": "a line is cut at its last end (`pieces`)",
    "portproof.graph.addresses._HOST_BEFORE": "as many characters as a host has (MAX_HOST)",
    "portproof.graph.addresses._LINE": "lines of less than 400 characters",
}
"""Patterns that would take long, and what is long for them."""


def uses() -> Iterator[tuple[str, str, str]]:
    """Every pattern that a module of ours holds, and how that module applies it."""
    for info in pkgutil.walk_packages(portproof.__path__, "portproof."):
        if info.name.endswith("__main__"):
            continue
        module = importlib.import_module(info.name)
        source = inspect.getsource(module)
        for name, value in vars(module).items():
            known = f"{info.name}.{name}" in BOUNDED
            if isinstance(value, re.Pattern) and isinstance(value.pattern, str) and not known:
                applied = re.findall(rf"(?<![\w.]){name}\.({'|'.join(USES)})\b", source)
                yield from ((info.name, name, use) for use in sorted(set(applied)))


@pytest.mark.slow
@pytest.mark.parametrize(("module", "name", "use"), list(uses()))
def test_a_long_line_is_read_in_a_moment(module: str, name: str, use: str) -> None:
    pattern: re.Pattern[str] = getattr(importlib.import_module(module), name)
    for piece in (*PIECES, pattern.pattern[:40]):
        line = (piece * (LENGTH // len(piece) + 1))[:LENGTH]
        with boxed(SECONDS):
            USES[use](pattern, line)
            USES[use](pattern, line + "\0")


MEGABYTE = 1_000_000
SIGNS = ("(", ")", ",", ".", "\\", "`", "|", ":", "a,", "a:", "://", "password", "\n", "\u0300")
SAID: dict[str, Callable[[str], object]] = {
    "a message": phrases.prose,
    "a word of one": phrases._word,
    "a span": safe.code_span,
    "a cell": safe.cell,
    "a fence": safe.fenced,
    "a label": mermaid.escaped,
    "a line of a log": safe.log_entry,
    "a neighbour": safe.discreet,
    "a comment": marks.read,
    "a comment without its marks": marks.without,
    "a message for a terminal": lambda line: text.write(report(result(message=line)), width=80),
    "the beginning of a line": excerpt.clip,
    "the end of a line": lambda line: excerpt.clip(line, MEGABYTE - 5, MEGABYTE),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SAID)
def test_whatever_is_said_of_a_megabyte_is_said_in_a_moment(name: str) -> None:
    for sign in SIGNS:
        line = (sign * MEGABYTE)[:MEGABYTE]
        with boxed(4 * SECONDS):
            SAID[name](line + "x")


def test_no_report_applies_a_pattern_that_is_not_tried_here() -> None:
    """One that is written where it is used is held by nobody; that of a mark is its own text."""
    for info in pkgutil.iter_modules(importlib.import_module("portproof.report").__path__):
        source = inspect.getsource(importlib.import_module(f"portproof.report.{info.name}"))
        found = re.findall(
            r"\bre\.(?:sub|search|match|fullmatch|split|findall|finditer)\((?!pattern,)", source
        )
        assert not found, info.name


@pytest.mark.slow
def test_templates_and_errors_are_read_in_a_moment() -> None:
    started = time.process_time()
    actions.pieces("{{" * 1_000_000)
    endless = '{{ fail "a" /* "' + '\\"' * 500_000 + " */ }}"
    assert not any(one.says("other") for one in actions.actions(endless))
    assert time.process_time() - started < 10


def test_pieces_of_a_line_stand_between_its_steps() -> None:
    assert actions.pieces("  port: {{ .a }}-{{ .b }}: x {{ if ") == ("port:", "-", ": x {{ if")
    assert actions.pieces("plain") == ("plain",)
    assert actions.pieces("}} x") == ("}} x",)
    assert actions.pieces("{{ .a }}") == ()
