"""Manifests from standard input: ``helm template … | portproof check -``, ``kubectl get … -o yaml | portproof check -``."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Sequence

from portproof.discover.model import StreamTarget
from portproof.errors import UsageError
from portproof.flags import STANDARD_INPUT, Flags
from portproof.render.plain import MAX_CHARACTERS
from portproof.yamldoc import split

_PIPE = "Pipe manifests into it: `helm template charts/backend | portproof check -`."

_KIND = re.compile(r"""(?:^|[\s{,])["']?kind["']?[ \t]*:[ \t]*["']?(?!List\b)[A-Za-z]""")
"""That there is an object; a List alone is what kubectl prints where it finds nothing."""

_TOP_KIND = re.compile(r"^kind:", re.MULTILINE)
"""More than one in a document: somebody has joined files that do not begin with ``---``."""


def is_named(paths: Iterable[str]) -> bool:
    """Whether one of the paths of a command line is standard input."""
    return any(path in STANDARD_INPUT for path in paths)


def is_asked_for(paths: Sequence[str], flags: Flags) -> bool:
    """Whether the paths of a command line are standard input. Raises `UsageError` where that goes with nothing else."""
    if not is_named(paths):
        return False
    if len(paths) > 1:
        raise UsageError(
            "- (standard input) cannot be combined with other paths",
            next_step="Check one or the other. A file of that name is `./-`.",
        )
    if flags.base is not None:
        raise UsageError(
            "- (standard input) cannot be compared with --base",
            next_step="Drop --base, or check the repository that the manifests come from.",
        )
    return True


def target() -> StreamTarget:
    """What standard input holds. Raises `UsageError` for what cannot be manifests, and for nothing at all."""
    stream = sys.stdin
    if stream is None or stream.isatty():
        raise UsageError("standard input is not a pipe", next_step=_PIPE)
    data = stream.buffer.read(MAX_CHARACTERS + 1)
    if len(data) > MAX_CHARACTERS:
        raise UsageError(
            f"standard input is larger than {MAX_CHARACTERS // 1024 // 1024} MiB",
            next_step="Check fewer namespaces or kinds at a time.",
        )
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(f"standard input is not UTF-8 (byte {error.start})", next_step=_PIPE) from error
    if "\0" in text:
        raise UsageError("standard input is binary", next_step=_PIPE)
    if not text.strip():
        raise UsageError(
            "standard input is empty",
            next_step="Look at what the command before the pipe says; it may have failed.",
        )
    if "apiVersion" not in text or _KIND.search(text) is None:
        raise UsageError(
            "standard input has no Kubernetes object",
            next_step="Look at what the command before the pipe prints: YAML or JSON with apiVersion and kind.",
        )
    if any(len(_TOP_KIND.findall(document)) > 1 for _, document in split(text)):
        raise UsageError(
            "standard input has several objects in one YAML document, of which only the last counts",
            next_step="Put a line `---` between the files: `for f in *.yaml; do echo ---; cat $f; done | portproof check -`.",
        )
    return StreamTarget(text)
