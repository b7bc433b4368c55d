r"""Strings that others wrote, made harmless for the place where they are shown.

Names, messages and source lines come from the repository under test, which may be hostile: a Service may well be
called ``\x1b[2J``, ``::error::`` or ``</details>``.
"""

from __future__ import annotations

import re
import unicodedata
from itertools import count
from urllib.parse import quote

_TELLING = (
    r"(?:passw(?:or)?d|passphrase|pwd|secret|token|credential|api[-_]?key|access[-_]?key|private[-_]?key)"
)
_CREDENTIALS = (
    # user:password@ and token@ of a URL; user:password@ of a connection string without a scheme, as for MySQL in Go.
    re.compile(r"(?<=://)(?P<hidden>[^\s/?#\"'<>]{1,500})(?=@)"),
    re.compile(r"(?<![^\s\"'=,;])[^\s:/@\"'=]{1,100}:(?P<hidden>[^\s/@\"']{1,200})(?=@(?!sha256))"),
    # password: x, --api-key=x, "token": "x", PASSWORD=x; but not secretName: x, nor secretKeyRef: {...}, nor what helm and
    # kustomize say: templates/secret.yaml:9, 'secret.yaml': no such file, scanning for the next token: found ...
    re.compile(
        rf"(?i){_TELLING}(?!s?-?(?:name|(?:key)?ref\b))[\w.-]{{0,60}}(?<!\.yaml)(?<!\.yml)(?<!\.json)(?<!\.tpl)"
        r"[\"']?[ \t]{0,9}[:=][ \t]{0,9}[\"']?(?<!the next token: )"
        r"(?P<hidden>(?!(?:true|false|null)\b)[^\s\"',;&{}]{2,})"
    ),
    # - name: DB_PASSWORD, and its value on the next line
    re.compile(
        rf"(?im)^[ \t+-]{{0,80}}name:[ \t]*[\"']?[\w.-]{{0,80}}?{_TELLING}[\w.-]{{0,80}}[\"']?[ \t]*\r?\n"
        r"[ \t+-]{0,80}value:[ \t]*(?P<hidden>[^\s{][^\r\n]*)"
    ),
)
_LINE = re.compile(r"^([ \t]*(?:- +){0,9}(?:[\"']?[A-Za-z_][\w./-]{0,100}[\"']?:(?=\s|\Z))?)(.*)$", re.DOTALL)
"""Its indentation and key, and the rest."""

_WORD = re.compile(
    r"(?P<shown>\{\{.{0,1000}?\}\}|(?<![\w.-])(?:\d{1,5}|true|false|null)(?![\w.-]))|[^\s\"'{}\[\],:#&*!|>%@`]+"
)
"""A word of a value, or what of it is shown."""

LONGEST_RUN = 200
"""Backticks in a row that a fence can be longer than: cmark-gfm counts to 255, and takes all beyond for as many."""

_RUN = re.compile(r"`+")
_LONG_RUN = re.compile(rf"`{{{LONGEST_RUN + 1},}}")
_PIPE = re.compile(r"(?<!\\)\\*\|")
_COMMAND = re.compile(r"^(\s*):(?=:)")
_ANY_COMMAND = re.compile(r":(?=:[A-Za-z][A-Za-z-]{0,40}(?: [^\r\n:]{0,500}(?::[^\r\n:]{1,500}){0,9})?::)")
BRACKET = re.compile(r"##(?=[A-Za-z]{0,20}\[)")
"""Where the old syntax of GitHub's runner, and those of Azure and TeamCity, begin a command: anywhere in a line."""


def visible(text: str) -> str:
    r"""`text` with control, bidirectional, zero-width and surrogate characters as escapes (``\x1b``, ``\u202e``)."""
    if text.isprintable():
        return text
    return "".join(visible_character(character) for character in text)


def visible_character(character: str) -> str:
    r"""One character, or its escape when it would not be seen as one; ``\n`` is escaped too."""
    if character.isprintable() or unicodedata.category(character) == "Zs":
        return character
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def stripped(text: str, *, keep: str = "") -> str:
    """`text` without such characters, for places where an escape would be noise; those in `keep` stay."""
    if text.isprintable():
        return text
    return "".join(
        character
        for character in text
        if character.isprintable() or character in keep or unicodedata.category(character) == "Zs"
    )


def log_line(line: str) -> str:
    """A line that no runner takes for a command of the workflow.

    GitHub's looks for ``::`` at the start of a line, leading white space aside, and for ``##[`` anywhere in it; Azure's for
    ``##vso[`` anywhere.
    """
    return BRACKET.sub("## ", _COMMAND.sub(r"\1: ", line))


def for_log(text: str, kind: str) -> str:
    """A document of `kind` that is printed into the log of a runner: it holds no command but those that it is made of.

    XML says the same with references for characters, as JSON does anywhere. Markdown gets a space that can be seen; what looks like
    ``::command::`` is broken anywhere in it, because something may cut the line before that.
    """
    if kind in ("github", "azure", "json", "sarif", "gitlab", "rdjson"):
        return text
    if kind == "junit":
        text = BRACKET.sub("#&#35;", text)
        return "\n".join(_COMMAND.sub(r"\1&#58;", line) for line in text.split("\n"))
    if kind == "markdown":
        text = _ANY_COMMAND.sub(": ", text)
    return "\n".join(map(log_line, text.split("\n")))


def log_entry(text: str) -> str:
    """One line for a log, whatever `text` holds: line ends and controls as escapes, and no workflow command."""
    return log_line(visible(text))


def discreet(text: str) -> str:
    """Source text with stars for what looks like a password or a token, each character by its own: columns stay.

    For the neighbours of a place, which nobody asked to see; what a rule says of a place itself is a port or a name.
    """
    for pattern in _CREDENTIALS:
        text = pattern.sub(_starred, text)
    return text


def outline(text: str) -> str:
    """Lines that are no YAML, with stars for each word of their values: columns stay, and so does what a parser reads.

    Where nobody can tell what is a key and what a value, a pattern for names of secrets finds too few. Keys, punctuation, numbers
    of ports and expressions of a template are shown.
    """
    return "\n".join(
        _LINE.sub(lambda one: one[1] + _WORD.sub(_masked, one[2]), line) for line in text.split("\n")
    )


def _masked(found: re.Match[str]) -> str:
    return found[0] if found["shown"] else "*" * len(found[0])


def _starred(found: re.Match[str]) -> str:
    start, end = (at - found.start() for at in found.span("hidden"))
    return f"{found[0][:start]}{'*' * (end - start)}{found[0][end:]}"


def shortened(text: str, limit: int) -> str:
    """`text`, cut with an ellipsis when it is longer than `limit`."""
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def address_of(path: str) -> str:
    """A path of the repository as part of an address.

    A name that is not UTF-8 on disk comes with surrogate escapes and leaves as its bytes; other lone surrogates cannot
    come from a disk, and must not stop a report.
    """
    try:
        data = path.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        data = path.encode("utf-8", "replace")
    return quote(data)


def one_line(text: str) -> str:
    """`text` with line ends and runs of white space as single spaces."""
    return " ".join(text.split())


def code_span(text: str, limit: int = 300) -> str:
    """A Markdown code span: nothing in it is a link, a mention, an image or a tag."""
    content = shortened(one_line(stripped(text, keep="\n\r\t\v\f")), limit) or " "
    # cmark-gfm takes a run of more than 80 for text: so not one more than the longest, but the first length that is free.
    runs = {len(run) for run in _RUN.findall(content)}
    ticks = "`" * next(length for length in count(1) if length not in runs)
    # A backtick or a space at an end would join the delimiter or be trimmed; CommonMark takes one space off.
    pad = " " if content[0] in "` " or content[-1] in "` " else ""
    return f"{ticks}{pad}{content}{pad}{ticks}"


def cell(markdown: str) -> str:
    r"""Markdown of ours inside a table cell, where a pipe ends the cell unless written ``\|``."""
    # A backslash before the pipe would make that escape ambiguous between renderers, so it is dropped.
    return _PIPE.sub(r"\\|", markdown)


def fenced(text: str, language: str = "") -> str:
    """A Markdown fence that `text` cannot leave."""
    content = _LONG_RUN.sub("`" * LONGEST_RUN, stripped(text, keep="\n\t").rstrip("\n"))
    fence = fence_around(content)
    return f"{fence}{language}\n{content}\n{fence}"


def fence_around(content: str) -> str:
    """The marker of a fence that no line of `content` ends; not for one with a run of more than `LONGEST_RUN`."""
    return "`" * max(3, longest_run(content) + 1)


def longest_run(text: str) -> int:
    """The length of the longest run of backticks in `text`."""
    return max(map(len, _RUN.findall(text)), default=0)
