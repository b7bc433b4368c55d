"""What a run posts on the pull request; what goes wrong is told, and changes nothing else."""

from __future__ import annotations

import click

from portproof.action.check import ActionReport
from portproof.action.context import Context
from portproof.action.event import RunEvent
from portproof.action.head_files import Heads
from portproof.action.links import job_key, links
from portproof.action.tell import summary
from portproof.github.model import ChangedFiles, GithubError
from portproof.github.publish import Budget, Job, Publisher, degraded
from portproof.report import port_table
from portproof.report.review import BODY_LIMIT
from portproof.report.safe import log_line, visible
from portproof.report.summary_line import plural

_TABLE = 20_000
"""Bytes of a review that may tell what the pull request does to ports."""

_NO_TOKEN = "no comments: the input github-token is empty"  # noqa: S105 - a message


def number_of(run: Context, event: RunEvent) -> int | None:
    """The pull request that a run was for, by what GitHub knows of its head; never by what the report says."""
    if run.client is None:
        run.notes.say(_NO_TOKEN)
        return None
    try:
        found = [run.client.pull(number) for number in event.numbers]
        found = found or run.client.pulls_of(event.owner, event.branch)
    except GithubError as error:
        run.notes.say(degraded(error))
        return None
    fitting = [pull for pull in found if pull.head == event.head and pull.head_repository == event.repository]
    if len(fitting) == 1:
        return fitting[0].number
    run.notes.say(
        f"no comments: found {plural(len(fitting), 'open pull request')} with the head {event.head[:10]}"
    )
    return None


def post(run: Context, found: ActionReport, number: int, budget: Budget) -> None:
    """Post what the workflow wants posted on the pull request of that number."""
    if run.inputs.comment == "none":
        return
    if run.client is None:
        run.notes.say(_NO_TOKEN)
        return
    heads = found.heads or Heads(run.client, run.head, ChangedFiles({}, {}), None, None)
    left_out = found.shown.left_out
    job = Job(
        number=number,
        report=found.report,
        links=links(run.environ, run.head, found.unmapped_lines),
        key=job_key(run.environ, run.inputs),
        texts=heads.texts,
        aside=f"{left_out} suppressed" if left_out else "",
        ports="" if found.ports is None else port_table.folded(found.ports, _TABLE),
    )
    publisher = Publisher(run.client, job, budget)
    if run.inputs.comment == "summary":
        outcome = publisher.summary(summary(run, found, BODY_LIMIT))
    else:
        outcome = publisher.review()
    if outcome.problem:
        run.notes.say(outcome.message)
    else:
        click.echo(log_line(f"portproof: {visible(outcome.message)}"))
