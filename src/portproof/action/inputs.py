"""What the workflow asks for: ``INPUT_*`` variables -> `Inputs`, checked once."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from portproof import cut
from portproof.config import Config
from portproof.errors import UsageError
from portproof.flags import FAIL_ON

NAMES = (
    "path",
    "github-token",
    "fail-on",
    "config",
    "comment",
    "only-introduced",
    "sarif-file",
    "report-file",
    "shard",
    "merge",
)
COMMENTS = ("review", "summary", "none")
_BOOLEANS = {"true": True, "false": False}
_MAX = 4_096


class Inputs(Struct, frozen=True):
    """The inputs of `action.yml`. `warnings` are about inputs that look like slips of the pen.

    `fail_on` is None for ``error`` too: the runner hands over the default of `action.yml` as if the workflow had given
    it, so that word cannot speak against ``portproof.yaml``. Where neither says more, ``error`` is what counts.
    `shard` is the part that is to be checked, `merge` are the reports of all of them, or folders that hold those.
    """

    paths: tuple[str, ...] = (".",)
    fail_on: str | None = None
    config: str | None = None
    comment: str = "review"
    only_introduced: bool = True
    sarif_file: str | None = None
    report_file: str | None = None
    shard: str | None = None
    merge: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def read(environ: Mapping[str, str]) -> Inputs:
    """Read and check the inputs. Raises `UsageError`, which names the input that is wrong."""
    given, warnings = _given(environ)
    if given["shard"] and given["merge"]:
        raise UsageError(
            "the inputs shard and merge exclude each other",
            next_step="Give the jobs that check `shard`, and the one after them `merge`.",
        )
    return Inputs(
        paths=_paths("path", given["path"]) or (".",),
        fail_on=_fail_on(given.get("fail-on", "")),
        config=_path("config", given["config"]) if given.get("config") else None,
        comment=_choice("comment", given.get("comment", ""), COMMENTS) or "review",
        only_introduced=_BOOLEANS[
            _choice("only-introduced", given.get("only-introduced", "").lower(), tuple(_BOOLEANS)) or "true"
        ],
        sarif_file=_path("sarif-file", given["sarif-file"]) if given.get("sarif-file") else None,
        report_file=_path("report-file", given["report-file"]) if given.get("report-file") else None,
        shard=str(cut.parsed(given["shard"])) if given["shard"] else None,
        merge=_paths("merge", given["merge"]),
        warnings=tuple(warnings),
    )


def _paths(name: str, text: str) -> tuple[str, ...]:
    return tuple(_path(name, line) for line in text.split("\n") if line.strip())


def token(environ: Mapping[str, str]) -> str:
    """The token, empty when there is none. Raises `UsageError` for what cannot be one."""
    text = next((environ[name] for name in variables("github-token") if environ.get(name)), "").strip()
    if not re.fullmatch(r"[!-~]{0,1000}", text):
        raise UsageError(
            "the input github-token contains whitespace or control characters",
            next_step="Pass only the token.",
        )
    return text


def variables(name: str) -> tuple[str, str]:
    """The variables that hold an input: the runner's way, and the one that a shell can set."""
    return f"INPUT_{name.upper()}", f"INPUT_{name.upper().replace('-', '_')}"


def _given(environ: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    given: dict[str, str] = {}
    warnings: list[str] = []
    known = {variable for name in NAMES for variable in variables(name)}
    for name in NAMES:
        runner, shell = variables(name)
        given[name] = environ.get(runner, environ.get(shell, "")).strip()
        if runner != shell and runner in environ and environ.get(shell) not in (None, "", environ[runner]):
            warnings.append(f"the input is called {name}; {name.replace('-', '_')} was ignored")
    for variable in sorted(environ):
        if variable.startswith("INPUT_") and variable not in known and environ[variable]:
            name = variable.removeprefix("INPUT_").lower()
            near = difflib.get_close_matches(name.replace("_", "-"), NAMES, n=1)
            hint = f"did you mean {near[0]}?" if near else f"the inputs are {', '.join(NAMES)}"
            warnings.append(f"there is no input {name}: {hint}")
    return given, warnings


def _choice(name: str, text: str, allowed: tuple[str, ...]) -> str:
    if text and text not in allowed:
        raise UsageError(
            f"the input {name} cannot be {text[:80]!r}", next_step=f"Use one of {', '.join(allowed)}."
        )
    return text


def _fail_on(text: str) -> str | None:
    chosen = _choice("fail-on", text, FAIL_ON)
    return None if chosen in ("", Config().fail_on) else chosen


def _path(name: str, text: str) -> str:
    """A path as somebody wrote it; where it leads is checked by those who use it."""
    text = text.strip()
    if len(text) > _MAX or any(ord(character) < 32 or ord(character) == 127 for character in text):
        raise UsageError(
            f"the input {name} is not a path: {text[:80]!r}", next_step="Write one path per line."
        )
    if text.startswith("-"):
        raise UsageError(
            f"the input {name} begins with a hyphen: {text[:80]!r}", next_step=f"Write ./{text[:80]} instead."
        )
    return text


def inside(workspace: Path, name: str, text: str) -> Path:
    """The path `text` below the workspace. Raises `UsageError` when it leads out of it, through links too."""
    found = workspace / text
    if not found.resolve().is_relative_to(workspace.resolve()):
        raise UsageError(
            f"the input {name} points outside the workspace: {text[:80]!r}",
            next_step="Name a path inside the checkout.",
        )
    return found
