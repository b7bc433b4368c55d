"""Why the workflow runs: the event's name and file -> what to look at, and what may be trusted."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

from msgspec import Struct

from portproof.action.checkout import commit_at, is_commit
from portproof.errors import UsageError

_MAX_EVENT = 32 * 1024 * 1024
_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+\Z", re.ASCII)
_SAFE_EVENT = "pull_request"


class PullEvent(Struct, frozen=True):
    """A pull request's own run; `fork` says that its branch lies in another repository than its base."""

    number: int
    head: str
    base: str
    fork: bool = True


class RunEvent(Struct, frozen=True):
    """Another workflow has ended: its report is posted, and nothing is rendered."""

    head: str
    owner: str
    repository: str
    branch: str
    numbers: tuple[int, ...]


class OtherEvent(Struct, frozen=True):
    """A push, a merge queue, a schedule, or a button: there is nobody to comment to."""

    name: str


Event: TypeAlias = PullEvent | RunEvent | OtherEvent


def read(environ: Mapping[str, str], workspaces: tuple[Path, ...]) -> Event:
    """Read the event. Raises `UsageError` for a `pull_request_target` whose checkout is not surely the base."""
    name = environ.get("GITHUB_EVENT_NAME", "")
    if name == "pull_request_target":
        _refuse_head(environ, workspaces)
        return OtherEvent(name)
    if name not in (_SAFE_EVENT, "workflow_run"):
        return OtherEvent(name or "unknown")
    data = _data(environ)
    try:
        return _pull_event(data) if name == _SAFE_EVENT else _run_event(data)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UsageError(
            f"the event file does not describe a {name} event ({error!r})"[:200],
            next_step="Check GITHUB_EVENT_NAME and GITHUB_EVENT_PATH.",
        ) from error


def is_repository(text: str) -> bool:
    """Whether `text` is a repository's full name."""
    return bool(_REPOSITORY.match(text)) and ".." not in text


def _refuse_head(environ: Mapping[str, str], workspaces: tuple[Path, ...]) -> None:
    """Under `pull_request_target` the token may write and secrets are there; the head's files must not be."""
    base = environ.get("GITHUB_SHA", "")
    if base and all(commit_at(root) == base for root in workspaces):
        return
    raise UsageError(
        "pull_request_target with a checkout that is not the base: rendering a stranger's files next to a token that "
        "may write is not safe",
        next_step="Use `on: pull_request`. To comment on pull requests from forks, post from a second workflow "
        "(`on: workflow_run`), as docs/forks.md shows.",
    )


def _data(environ: Mapping[str, str]) -> Any:
    file = Path(environ.get("GITHUB_EVENT_PATH", ""))
    try:
        with file.open("rb") as stream:
            return json.loads(stream.read(_MAX_EVENT))  # what is cut off is no JSON any more
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(
            f"the event file cannot be read ({type(error).__name__})", next_step="Check GITHUB_EVENT_PATH."
        ) from error


def _pull_event(data: Any) -> PullEvent:
    pull = data["pull_request"]
    head, base = pull["head"], pull["base"]
    source = (head.get("repo") or {}).get("full_name")  # null when the fork has been removed
    fork = source is None or source != (base.get("repo") or {}).get("full_name")
    return PullEvent(_number(pull["number"]), _commit(head["sha"]), _commit(base["sha"]), fork)


def _run_event(data: Any) -> RunEvent:
    run = data["workflow_run"]
    if run["event"] != _SAFE_EVENT:
        raise ValueError(f"the run was started by {str(run['event'])[:40]}, not by {_SAFE_EVENT}")
    repository = str(run["head_repository"]["full_name"])
    if not is_repository(repository):
        raise ValueError("head_repository")
    branch = str(run["head_branch"])
    numbers = tuple(_number(one["number"]) for one in run.get("pull_requests") or [])
    return RunEvent(_commit(run["head_sha"]), repository.partition("/")[0], repository, branch, numbers)


def _number(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError("number")
    return value


def _commit(value: Any) -> str:
    if not isinstance(value, str) or not is_commit(value):
        raise ValueError("sha")
    return value
