"""What a tool says, made fit to show: without paths of this machine, control characters, or thousands of lines."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from portproof import process
from portproof.errors import ToolError
from portproof.process import Completed, Ending, Limits
from portproof.source import RelPath, Tree

MAX_LINES = 10
MAX_LINE = 400
MAX_TEXT = 100_000

_LOGGED = re.compile(
    r"^E\d{4} [^\n]{1,80}\] \"command failed\" err=(?:\"(?P<quoted>(?:[^\"\\\n]|\\.)*)\"|<\n(?P<block>.*?)\n >)",
    re.MULTILINE | re.DOTALL,
)
_GO_ESCAPE = re.compile(r"\\(.)")
_ESCAPE = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
_ADDRESS = re.compile(r"\b0x[0-9a-f]{6,}")  # differs from run to run
_CRASH = re.compile(r"^panic: ([^\n]{1,300})", re.MULTILINE)
_ERROR = re.compile(r"^(?:Error|error): ?", re.MULTILINE)
_OUT_OF_MEMORY = re.compile(
    r"out of memory|cannot allocate memory|failed to reserve|failed to create new OS thread"
)


class Places(Struct, frozen=True):
    """Where files of the tree lie for the tool: prefixes on disk, and what they are called in the repository."""

    prefixes: Mapping[str, RelPath]

    @classmethod
    def of(cls, tree: Tree, more: Mapping[Path, RelPath] | None = None) -> Places:
        """The tree itself, and copies: folders on disk and the folder of the tree that each stands for."""
        prefixes: dict[str, RelPath] = {}
        for folder, name in {tree.root: ".", **(more or {})}.items():
            prefixes[str(folder)] = name
            prefixes[os.path.realpath(folder)] = name
        return cls(prefixes)

    def relative(self, text: str) -> str:
        """`text` with every path of this machine that is known written relative to the repository."""
        for prefix in sorted(self.prefixes, key=len, reverse=True):
            name = self.prefixes[prefix]
            text = text.replace(f"{prefix}/", "" if name == "." else f"{name}/")
            text = re.sub(re.escape(prefix) + r"(?![\w./-])", name.replace("\\", r"\\"), text)
        return text


_QUOTED_VALUE = re.compile(
    r"(?<=literal sources \[)[^\n]{1,20000}(?=\]: )|(?<=invalid literal source )[^\n]{1,20000}(?=, expected)"
    r"|(?<=unknown anchor ')[^'\n]{1,20000}|(?<=!!str `)[^`\n]{1,20000}|(?<=!!int `)[^`\n]{1,20000}"
)
"""Where a tool repeats a value that it cannot read, which may be a password."""


def clean(text: str) -> str:
    """At most ten lines of printable text, without values that it quotes."""
    text = _QUOTED_VALUE.sub("…", text)
    text = _ADDRESS.sub("0x…", _ESCAPE.sub("", text)).replace("\t", "    ")
    lines = []
    for line in text.splitlines():
        printable = "".join(character for character in line if character.isprintable()).rstrip()
        if printable:
            lines.append(printable if len(printable) <= MAX_LINE else printable[: MAX_LINE - 1] + "…")
    if len(lines) > MAX_LINES:
        lines = [*lines[: MAX_LINES - 1], f"… ({len(lines) - MAX_LINES + 1} more lines)"]
    return "\n".join(lines)


def stopped(tool: str, done: Completed, limits: Limits) -> str | None:
    """Why the tool was stopped from outside; None when it came to an end by itself.

    Raises `ToolError` when the tool is not a program that can be started.
    """
    match done.ending:
        case Ending.TIMEOUT:
            return f"{tool} did not finish within {limits.seconds:g} s and was killed"
        case Ending.TOO_MUCH_OUTPUT:
            return f"{tool} printed more than {limits.output_bytes // process.MIB} MiB and was killed"
        case Ending.NOT_STARTED:
            if not os.access(done.argv[0], os.X_OK):
                raise ToolError(
                    f"{tool} cannot be started: {clean(done.stderr)}",
                    next_step="Run `portproof tools` to see which tools are in use.",
                )
            return f"{tool} could not be started: {clean(done.stderr)}"
        case Ending.EXITED:
            if done.returncode != 0 and _OUT_OF_MEMORY.search(done.stderr[:4000]):
                return f"{tool} ran out of memory: the limit is {(limits.memory_bytes or 0) / 1024**3:g} GiB"
            if done.returncode < 0:
                return f"{tool} was killed by signal {-done.returncode}"
            return None


def crashed(tool: str, stderr: str) -> str | None:
    """That a tool met a bug of its own, which says nothing of its input; None when it did not."""
    found = _CRASH.search(stderr)
    if found is None or _ERROR.search(stderr):  # the words of an error are those of a template
        return None
    return f"{tool} crashed on it, which is a bug of this version ({clean(found[1])}); another version may render it"


def reason_of(error: OSError) -> str:
    """What the system says, without a path."""
    return (error.strerror or type(error).__name__).lower()


def _unlogged(stderr: str) -> str:
    """What a kubectl up to 1.32 says through its logger: quoted on one line, or indented between angle brackets."""
    found = _LOGGED.search(stderr)
    if found is None:
        return stderr
    if found["quoted"] is not None:
        return _GO_ESCAPE.sub(lambda one: {"n": "\n", "t": "\t"}.get(one[1], one[1]), found["quoted"])
    return "\n".join(line.removeprefix("\t") for line in found["block"].split("\n"))


DENIED = "permission denied"
"""What a tool says of a file that it may not read."""


def error_text(stderr: str) -> str:
    """The error itself: from the first line that begins with ``Error:`` on, without log lines and advice."""
    stderr = "\n".join(line for line in _unlogged(stderr).split("\n") if not line.startswith("# Warning:"))
    found = _ERROR.search(stderr)
    text = stderr[found.end() :] if found else stderr
    text = text.partition("\nUse --debug flag to render out invalid YAML")[0].strip()
    return text if len(text) <= 2 * MAX_TEXT else text[:MAX_TEXT] + text[-MAX_TEXT:]
