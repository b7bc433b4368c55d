"""One run of the action: what the event asks for, the check, telling the runner, and then posting."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import click

from portproof.action import checkout, inputs
from portproof.action import event as events
from portproof.action.check import check, merged, received
from portproof.action.context import Context, Notes, head_of
from portproof.action.event import OtherEvent, PullEvent, RunEvent
from portproof.action.post import number_of, post
from portproof.action.tell import hand_over, tell
from portproof.errors import ExitCode, UsageError
from portproof.github.client import USUAL, Client, Waits
from portproof.github.publish import Budget
from portproof.replacing import replace
from portproof.report.annotations import escaped_data

_API = "https://api.github.com"
_WAIT = "PORTPROOF_GITHUB_WAIT"
_MAX_WAIT = 600.0


def run(
    environ: Mapping[str, str],
    *,
    waits: Waits = USUAL,
    sleep: Callable[[float], None] = time.sleep,
) -> int:
    """Run the action with the variables of a runner; gives the exit code. `waits` are the client's.

    Raises `UsageError` where no runner has started it.
    """
    if not environ.get("GITHUB_ACTIONS"):
        raise UsageError(
            "`portproof action` runs in workflows of GitHub only",
            next_step='Run `portproof check`; in the image: `docker run --rm -v "$PWD:/work:ro" -w /work IMAGE check`.',
        )
    token = inputs.token(environ)
    secret = inputs.variables("github-token")
    clean = {name: value for name, value in environ.items() if name not in secret}
    given = inputs.read(environ)
    for warning in given.warnings:
        click.echo(f"::warning title=portproof::{escaped_data(warning)}")
    workspace = Path(environ.get("GITHUB_WORKSPACE") or ".").resolve()
    roots = checkout.work_trees(workspace, given.paths)
    event = events.read(clean, roots or (workspace,))
    here = checkout.read(workspace, roots, clean, head_of(event))
    wait = _wait(clean)
    client = None
    repository = clean.get("GITHUB_REPOSITORY", "")
    if token and not isinstance(event, OtherEvent) and events.is_repository(repository):
        client = Client(
            repository,
            token,
            clean.get("GITHUB_API_URL") or _API,
            replace(waits, patience=min(wait, waits.patience)),
        )
    return act(Context(given, event, clean, here, client, Notes(clean)), Budget(wait, sleep))


def act(context: Context, budget: Budget) -> int:
    """Check, tell, post; gives the exit code, which is that of the findings whatever GitHub says.

    A shard only leaves its report for the job that merges them: that one tells, posts, and passes or fails.
    """
    event = context.event
    if isinstance(event, RunEvent):
        found, number = received(context), number_of(context, event)
    else:
        found = merged(context) if context.inputs.merge else check(context)
        number = event.number if isinstance(event, PullEvent) else None
    if context.inputs.shard and not isinstance(event, RunEvent):
        hand_over(context, found)
        return ExitCode.OK
    tell(context, found)
    if number is not None:
        post(context, found, number, budget)
    return ExitCode.FINDINGS if found.report.fails(found.fail_on) else ExitCode.OK


def _wait(environ: Mapping[str, str]) -> float:
    text = environ.get(_WAIT, "60")
    if not re.fullmatch(r"\d{1,3}", text) or float(text) > _MAX_WAIT:
        raise UsageError(
            f"{_WAIT} cannot be {text[:40]!r}",
            next_step=f"Set it to a number of seconds, at most {_MAX_WAIT:.0f}.",
        )
    return float(text)
