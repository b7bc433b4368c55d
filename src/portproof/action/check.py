"""The report of a run: render and check the checkout against its base, or read what the first workflow has left."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct

from portproof.action import configured
from portproof.action.configured import Choice
from portproof.action.context import Context
from portproof.action.event import Event, PullEvent
from portproof.action.head_files import Heads
from portproof.action.inputs import inside
from portproof.errors import UsageError
from portproof.flags import Flags
from portproof.github import files as base
from portproof.github.model import ChangedFiles, GithubError, Pull
from portproof.github.publish import degraded
from portproof.replacing import replace
from portproof.report.fixes import Fixes
from portproof.report.model import Report
from portproof.report.port_diff import PortDiff
from portproof.revision import Comparison, OldFiles, compare_with
from portproof.session import Request, combined_fixes, port_diff_of, report_of, session
from portproof.source import RelPath


class ActionReport(Struct, frozen=True):
    """A report, and what the rest of the run needs to know of how it came about.

    `fixes` is None where nothing was rendered. `ports` is what a pull request does to ports, where its base could be read.
    """

    report: Report
    fail_on: str
    fixes: Fixes | None = None
    unmapped_lines: frozenset[tuple[RelPath, int]] = frozenset()
    heads: Heads | None = None
    ports: PortDiff | None = None

    @property
    def shown(self) -> Report:
        """The report without what the base has too: that is nobody's news."""
        return self.report.news


class PullRequest(Struct, frozen=True):
    """The pull request as GitHub shows it."""

    pull: Pull
    files: ChangedFiles

    @property
    def touched(self) -> frozenset[RelPath] | None:
        """The paths that differ from the base; None when GitHub does not list them all."""
        return None if len(self.files.changes) < self.pull.changed_files else self.files.touched


class Trust(Struct, frozen=True):
    """What a run may do over the network for the checkout.

    With `offline` nothing at all. With `untrusted` charts are fetched only from hosts that the configuration names.
    """

    offline: bool = False
    untrusted: bool = False


def trust(event: Event, choice: Choice) -> Trust:
    """How far the checkout is trusted: a fork's pull request brings its own dependencies, and must not choose where to fetch them.

    The base's configuration says which hosts it may ask, none unless it names some. Where the configuration may be the
    fork's own (`Choice.own`), it could name any host: then nothing is fetched. Everybody else can push to the
    repository, and is trusted with what the configuration allows.
    """
    fork = isinstance(event, PullEvent) and event.fork
    return Trust(offline=fork and choice.own, untrusted=fork)


def check(run: Context) -> ActionReport:
    """Render and check, against the base where the event has one, in the lines of the head."""
    pull_request = _pull_request(run)
    comparison = _comparison(run, pull_request)
    choice = _configuration(run, pull_request, comparison)
    try:
        found = _checked(run, comparison, choice)
    except GithubError as error:
        _not_compared(run, error)
        found = _checked(run, None, choice)
    # A shard says nothing by itself: who merges the shards knows the lines of the head, too.
    return found if run.inputs.shard else _in_head(run, found, pull_request)


def received(run: Context) -> ActionReport:
    """The report that the first workflow has left; nothing is rendered, and nothing in it is believed unseen."""
    from portproof.action import untrusted_report  # noqa: PLC0415 - only the second workflow needs it

    if len(run.inputs.paths) != 1:
        raise UsageError(
            "the input path names several reports, and only one can be posted",
            next_step="Set path to the downloaded report.",
        )
    report = untrusted_report.load(inside(run.checkout.workspace, "path", run.inputs.paths[0]))
    return ActionReport(report, run.inputs.fail_on or "error")


def merged(run: Context) -> ActionReport:
    """The report that those of all shards come to, in the lines of the head; nothing is rendered.

    They were written in this run, by jobs that can do no more than this one.
    """
    from portproof.parts.joining import joined  # noqa: PLC0415 - only the job after the shards needs it
    from portproof.parts.shard import in_order, read  # noqa: PLC0415

    files = [
        file for text in run.inputs.merge for file in _reports(inside(run.checkout.workspace, "merge", text))
    ]
    if not files:
        raise UsageError(
            "the input merge names no JSON report",
            next_step="Download the reports of the shards to that folder.",
        )
    shards = in_order([(file, read(file)) for file in files])
    report = replace(joined([one.part for one in shards]), given=shards[0].given)
    found = ActionReport(report, run.inputs.fail_on or shards[0].fail_on)
    return _in_head(run, found, _pull_request(run))


def _reports(place: Path) -> list[Path]:
    return sorted(place.glob("*.json")) if place.is_dir() else [place]


def _pull_request(run: Context) -> PullRequest | None:
    """Read the pull request and its files; None when there is none, or GitHub does not tell."""
    if not isinstance(run.event, PullEvent) or run.client is None:
        return None
    try:
        pull = run.client.pull(run.event.number)
        return PullRequest(replace(pull, head=run.event.head), run.client.files(run.event.number))
    except GithubError as error:
        run.notes.say(degraded(error))
        return None


def _comparison(run: Context, pull_request: PullRequest | None) -> Comparison | None:
    """The base to compare with: through git where it is there, else through the API."""
    if not isinstance(run.event, PullEvent):
        return None
    checkout = run.checkout
    try:
        return compare_with("HEAD^1" if checkout.is_merge else run.event.base, checkout.root, run.environ)
    except UsageError as error:
        reason: Exception = error
    if pull_request is not None and run.client is not None:
        try:
            return base.comparison(run.client, pull_request.pull, pull_request.files, checkout.here)
        except GithubError as error:
            reason = error
    _not_compared(run, reason)
    return None


def _not_compared(run: Context, reason: Exception) -> None:
    """Say that everything is reported, unless that is what the workflow wants."""
    if run.inputs.only_introduced:
        run.notes.say(f"not compared with the base: {reason}; all findings are reported")


def _configuration(run: Context, pull_request: PullRequest | None, comparison: Comparison | None) -> Choice:
    """The base's configuration, where the pull request changes it, else that of the checkout."""
    place = configured.place(run.checkout, run.inputs.config)
    if not isinstance(run.event, PullEvent) or place is None:
        return Choice(None)
    changed = None if comparison is None else comparison.changed
    known = changed if pull_request is None else pull_request.touched
    if known is not None and not (place.paths & known):
        return Choice(None)
    try:
        choice = configured.choose(place, _old_files(run, pull_request, comparison))
    except GithubError as error:
        choice = Choice(None, own=place.is_there)
        if place.is_there:
            run.notes.say(f"the configuration may come from this pull request itself: {error}")
    if choice.note:
        run.notes.say(choice.note)
    return choice


def _old_files(run: Context, pull_request: PullRequest | None, comparison: Comparison | None) -> OldFiles:
    """The files of the base. Raises `GithubError` when they cannot be had."""
    if comparison is not None:
        return comparison.old
    if pull_request is None or run.client is None:
        raise GithubError("the base's files cannot be read")
    commit = base.base_of(run.client, pull_request.pull, run.checkout.here)
    return base.ApiFiles(run.client, commit, frozenset())


def _checked(run: Context, comparison: Comparison | None, choice: Choice) -> ActionReport:
    """One check of the checkout."""
    allowed = trust(run.event, choice)
    config = None if run.inputs.config is None else str(_inside(run, "config", run.inputs.config))
    request = Request(
        paths=tuple(str(_inside(run, "path", one)) for one in run.inputs.paths),
        flags=Flags(
            config=config, offline=allowed.offline, fail_on=run.inputs.fail_on, shard=run.inputs.shard
        ),
        root=run.checkout.root,
        file=choice.file,
        untrusted=allowed.untrusted,
        what_if=True,
        environ=run.environ,
    )
    with session(request, comparison if run.inputs.only_introduced else None) as checked:
        report = report_of(checked, together=True)
        if run.inputs.shard:
            return ActionReport(report, checked.ready.config.fail_on)
        fixes = combined_fixes(checked)
        ports = port_diff_of(checked, comparison)
    return ActionReport(report, checked.ready.config.fail_on, fixes, ports=ports)


def _inside(run: Context, name: str, text: str) -> Path:
    return inside(run.checkout.workspace, name, text)


def _in_head(run: Context, found: ActionReport, pull_request: PullRequest | None) -> ActionReport:
    """The same report in the lines of the head: the checkout is a merge commit, unless told otherwise."""
    if pull_request is None or run.client is None:
        return found
    checkout = run.checkout
    heads = Heads(run.client, pull_request.pull.head, pull_request.files, checkout.root, checkout.commit)
    report, unmapped_lines = heads.relocated(found.report)
    return replace(found, report=report, unmapped_lines=unmapped_lines, heads=heads)
