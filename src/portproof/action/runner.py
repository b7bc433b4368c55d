"""One run of the action: what the event asks for, the check, and telling everybody."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import click

from portproof import run as program
from portproof.action import configured, output
from portproof.action import event as events
from portproof.action import inputs as reading
from portproof.action.configured import Choice
from portproof.action.event import Event, OtherEvent, PullEvent, RunEvent
from portproof.action.head_files import Heads
from portproof.action.inputs import Inputs
from portproof.errors import ExitCode, UsageError
from portproof.github import files as base
from portproof.github.client import Client
from portproof.github.model import ChangedFiles, GithubError, Pull
from portproof.github.publish import Budget, Job, Publisher, PublishOutcome, degraded
from portproof.report import annotations as commands
from portproof.report import json_, markdown, marks, sarif
from portproof.report.model import Report
from portproof.report.phrases import prose
from portproof.report.review import BODY_LIMIT
from portproof.report.safe import log_line, visible
from portproof.report.scene import Scene
from portproof.report.summary_line import plural
from portproof.revision import Comparison, OldFiles, compare_with
from portproof.rules import all_rules
from portproof.rules.base import Rule, Severity
from portproof.source import RelPath

_API = "https://api.github.com"
_WEB = "https://github.com"
_WAIT = "PORTPROOF_GITHUB_WAIT"
_MAX_WAIT = 600.0


@dataclass(frozen=True, slots=True)
class Checked:
    """A report, and what the rest of the run needs to know of how it came about."""

    report: Report
    rules: tuple[Rule, ...]
    fail_on: str
    paths: tuple[RelPath, ...] = (".",)
    patch: str = ""
    astray: frozenset[tuple[RelPath, int]] = frozenset()
    heads: Heads | None = None

    @property
    def shown(self) -> Report:
        """The report without what the base has too: that is nobody's news."""
        news = tuple(result for result in self.report.results if result.introduced is not False)
        old = [one for one in self.report.ignored if one.result.introduced is False and not one.brought]
        ignored = tuple(one for one in self.report.ignored if one not in old)
        return replace(self.report, results=news, ignored=ignored, left_out=self.report.left_out - len(old))


@dataclass(frozen=True, slots=True)
class Look:
    """The pull request as GitHub shows it."""

    pull: Pull
    files: ChangedFiles

    @property
    def touched(self) -> frozenset[RelPath] | None:
        """The paths that differ from the base; None when GitHub does not list them all."""
        return None if len(self.files.changes) < self.pull.changed_files else self.files.touched


@dataclass(slots=True)
class Action:
    """One run. `environ` holds no token any more; `client` does. `told` says that the summary is written."""

    inputs: Inputs
    event: Event
    environ: Mapping[str, str]
    workspace: Path
    client: Client | None
    budget: Budget
    notes: list[str] = field(default_factory=list)
    told: bool = False

    def run(self) -> int:
        """Do it; gives the exit code, which is that of the findings whatever GitHub says."""
        if isinstance(self.event, RunEvent):
            checked, number = self.received(), self.number_of(self.event)
            head = self.event.head
        else:
            checked = self.check()
            number, head = (
                (self.event.number, self.event.head) if isinstance(self.event, PullEvent) else (None, "")
            )
        self.tell(checked)
        if number is not None:
            self.publish(checked, number, head)
        return ExitCode.FINDINGS if program.fails(checked.report, checked.fail_on) else ExitCode.OK

    # the report

    def check(self) -> Checked:
        """Render and check, against the base where the event has one, in the lines of the head."""
        look = self.look()
        comparison = self.comparison(look)
        choice = self.configuration(look, comparison)
        if not self.inputs.only_introduced:
            comparison = None
        try:
            checked = self.checked(comparison, choice)
        except GithubError as error:
            self.not_compared(error)
            checked = self.checked(None, choice)
        return self.in_head(checked, look)

    def checked(self, comparison: Comparison | None, choice: Choice) -> Checked:
        """One check of the checkout. A fork's brings its own dependencies: the base says whom to ask for them."""
        fork = isinstance(self.event, PullEvent) and self.event.fork
        config = self.inputs.config
        request = program.Request(
            paths=tuple(str(reading.inside(self.workspace, "path", one)) for one in self.inputs.paths),
            root=self.root,
            config=None if config is None else str(reading.inside(self.workspace, "config", config)),
            file=choice.file,
            offline=fork and choice.own,
            untrusted=fork,
            fail_on=self.inputs.fail_on,
            environ=self.environ,
        )
        with program.session(request, comparison) as session:
            report = program.report_of(session)
            patch = program.combined_patch(session)
        ready = session.ready
        return Checked(report, session.rule_set.rules, ready.config.fail_on, ready.paths, patch)

    @property
    def root(self) -> Path | None:
        """The root of the repository; None lets the program look for it."""
        return None if self.roots else self.workspace

    @property
    def roots(self) -> tuple[Path, ...]:
        """The work trees that the paths lie in."""
        return _work_trees(self.workspace, self.inputs.paths)

    def look(self) -> Look | None:
        """Read the pull request and its files; None when there is none, or GitHub does not tell."""
        if not isinstance(self.event, PullEvent) or self.client is None:
            return None
        try:
            pull = self.client.pull(self.event.number)
            return Look(replace(pull, head=self.event.head), self.client.files(self.event.number))
        except GithubError as error:
            self.note(degraded(error))
            return None

    @property
    def here(self) -> str:
        """The commit that is checked out."""
        found = events.checked_out(self.roots[0]) if self.roots else None
        return found or self.environ.get("GITHUB_SHA", "")

    def comparison(self, look: Look | None) -> Comparison | None:
        """The base to compare with: through git where it is there, else through the API."""
        if not isinstance(self.event, PullEvent):
            return None
        merge = self.here not in (self.event.head, "") and self.here == self.environ.get("GITHUB_SHA")
        try:
            root = self.roots[0] if self.roots else self.workspace
            return compare_with("HEAD^1" if merge else self.event.base, root, self.environ)
        except UsageError as error:
            reason: Exception = error
        if look is not None and self.client is not None:
            try:
                return base.comparison(self.client, look.pull, look.files, self.here)
            except GithubError as error:
                reason = error
        self.not_compared(reason)
        return None

    def not_compared(self, reason: Exception) -> None:
        """Say that everything is reported, unless that is what the workflow wants."""
        if self.inputs.only_introduced:
            self.note(f"not compared with the base: {reason}; everything is reported")

    def configuration(self, look: Look | None, comparison: Comparison | None) -> Choice:
        """The base's configuration, where the pull request changes it, else that of the checkout."""
        place = configured.place(self.workspace, self.roots, self.inputs.config)
        if not isinstance(self.event, PullEvent) or place is None:
            return Choice(None)
        known = look.touched if look is not None else comparison.changed if comparison is not None else None
        if known is not None and not (place.paths & known):
            return Choice(None)
        try:
            choice = configured.choose(place, self.old_files(look, comparison))
        except GithubError as error:
            choice = Choice(None, own=place.is_there)
            if place.is_there:
                self.note(f"the configuration may be this pull request's own: {error}")
        if choice.note:
            self.note(choice.note)
        return choice

    def old_files(self, look: Look | None, comparison: Comparison | None) -> OldFiles:
        """The files of the base. Raises `GithubError` when they cannot be had."""
        if comparison is not None:
            return comparison.old
        if look is None or self.client is None:
            raise GithubError("the base's files cannot be read")
        return base.ApiFiles(self.client, base.base_of(self.client, look.pull, self.here), frozenset())

    def in_head(self, checked: Checked, look: Look | None) -> Checked:
        """The same report in the lines of the head: the checkout is a merge commit, unless told otherwise."""
        if look is None or self.client is None:
            return checked
        root = self.roots[0] if self.roots else self.workspace
        heads = Heads(self.client, look.pull.head, look.files, root, events.checked_out(root))
        report, astray = heads.relocated(checked.report)
        return replace(checked, report=report, astray=astray, heads=heads)

    def received(self) -> Checked:
        """The report that the first workflow has left; nothing is rendered, and nothing in it is believed unseen."""
        from portproof.action import untrusted_report  # noqa: PLC0415 - only the second workflow needs it

        if len(self.inputs.paths) != 1:
            raise UsageError(
                "several paths where one report should be", next_step="give the downloaded report"
            )
        report = untrusted_report.load(reading.inside(self.workspace, "path", self.inputs.paths[0]))
        return Checked(report, tuple(all_rules()), self.inputs.fail_on or "error")

    def number_of(self, event: RunEvent) -> int | None:
        """The pull request that a run was for, by what GitHub knows of its head; never by what the report says."""
        if self.client is None:
            self.note("no comments: without the input github-token nothing can be posted")
            return None
        try:
            found = [self.client.pull(number) for number in event.numbers]
            found = found or self.client.pulls_of(event.owner, event.branch)
        except GithubError as error:
            self.note(degraded(error))
            return None
        fitting = [
            pull for pull in found if pull.head == event.head and pull.head_repository == event.repository
        ]
        if len(fitting) == 1:
            return fitting[0].number
        self.note(f"no comments: {plural(len(fitting), 'open pull request')} with the head {event.head[:10]}")
        return None

    # telling

    def tell(self, checked: Checked) -> None:
        """Annotations, summary, files and outputs; all of it before anything is written to GitHub."""
        shown = checked.shown
        click.echo(commands.write(shown, paths=checked.paths), nl=False)
        hidden = len(checked.report.results) - len(shown.results)
        if hidden:
            self.note(f"{plural(hidden, 'finding')} of the base not shown; the report files have them")
        room = output.summary_room(self.environ, markdown.SUMMARY_LIMIT)
        output.summary(self.environ, self.summary(checked, room) + "\n")
        self.told = True
        self.files(checked)

    def summary(self, checked: Checked, limit: int) -> str:
        """What the findings are, for people; places are links where it is known which commit they are of."""
        head = "" if isinstance(self.event, OtherEvent) else self.event.head
        if not head and self.roots and events.checked_out(self.roots[0]) == self.environ.get("GITHUB_SHA"):
            head = self.environ["GITHUB_SHA"]
        scene = self.scene(head, checked.astray) if head else None
        return markdown.write(checked.shown, paths=checked.paths, limit=limit, scene=scene, notes=self.notes)

    def files(self, checked: Checked) -> None:
        """Write the reports, where the workflow asks for them or else outside of the checkout, and set the outputs."""
        folder = output.folder(self.environ)
        report = checked.report
        texts = {
            "sarif-file": (self.inputs.sarif_file, "portproof.sarif", self.sarif(checked)),
            "report-file": (self.inputs.report_file, "portproof.json", json_.write(report)),
            "patch-file": (None, "portproof.patch", checked.patch),
        }
        written = {}
        for name, (wanted, default, text) in texts.items():
            place = wanted or str(folder / default)
            if wanted or text:
                output.write(self.workspace, place, text)
                written[name] = output.for_later_steps(self.environ, self.workspace, place)
        compared = any(result.introduced is not None for result in report.results)
        introduced = sum(result.introduced is True for result in report.results)
        counts = {
            "findings": len(report.results),
            "errors": report.count(Severity.ERROR),
            "warnings": report.count(Severity.WARNING),
            "introduced": introduced if compared or not report.results else "",
        }
        output.outputs(self.environ, {**{name: str(count) for name, count in counts.items()}, **written})

    def sarif(self, checked: Checked) -> str:
        """For code scanning, which takes suppressed results for open alerts: so they are left out."""
        return sarif.write(checked.report, checked.rules, suppressed=False)

    def publish(self, checked: Checked, number: int, head: str) -> None:
        """Post what the workflow wants posted; what goes wrong is told, and changes nothing else."""
        if self.inputs.comment == "none":
            return
        if self.client is None:
            self.note("no comments: without the input github-token nothing can be posted")
            return
        heads = checked.heads or Heads(self.client, head, ChangedFiles({}, {}), None, None)
        left_out = checked.shown.left_out
        scene = replace(self.scene(head, checked.astray), ignored=f"{left_out} ignored" if left_out else "")
        job = Job(number, head, checked.report, scene, heads.texts)
        publisher = Publisher(self.client, job, self.budget)
        if self.inputs.comment == "summary":
            outcome = publisher.summary(self.summary(checked, BODY_LIMIT))
        else:
            outcome = publisher.review()
        self.outcome(outcome)

    def scene(self, head: str, astray: frozenset[tuple[RelPath, int]]) -> Scene:
        """Addresses for people, and the key of this job's marks."""
        web = self.environ.get("GITHUB_SERVER_URL", _WEB)
        if not re.fullmatch(r"https?://[\w.:-]+", web, re.ASCII):
            web = _WEB
        own, ref = self.environ.get("GITHUB_ACTION_REPOSITORY", ""), self.environ.get("GITHUB_ACTION_REF", "")
        known = events.is_repository(own) and re.fullmatch(r"[\w./-]{1,100}", ref, re.ASCII)
        run_id = self.environ.get("GITHUB_RUN_ID", "")
        repository = f"{web}/{self.environ.get('GITHUB_REPOSITORY', '')}"
        names = (self.environ.get(name, "") for name in ("GITHUB_WORKFLOW", "GITHUB_JOB"))
        return Scene(
            head=head,
            web=repository,
            changes={},
            astray=astray,
            key=marks.digest("\0".join((*names, *self.inputs.paths, self.inputs.config or ""))),
            rules=f"{web}/{own}/blob/{ref}/docs/rules.md" if known else "",
            log=f"{repository}/actions/runs/{run_id}" if run_id.isdigit() else "",
        )

    def outcome(self, outcome: PublishOutcome) -> None:
        """Tell what became of the posting."""
        if outcome.problem:
            self.note(outcome.message)
        else:
            click.echo(log_line(f"portproof: {visible(outcome.message)}"))

    def note(self, text: str) -> None:
        """Say something about this run: in the log, as a notice, and in the summary."""
        if text in self.notes:
            return
        self.notes.append(text)
        click.echo(f"::notice title=portproof::{commands.escaped_data(text)}")
        if self.told:
            output.summary(self.environ, f"> Note: {prose(text)}\n\n")


def run(
    environ: Mapping[str, str],
    *,
    pace: float | None = 1.0,
    sleep: Callable[[float], None] = time.sleep,
) -> int:
    """Run the action with the variables of a runner; gives the exit code. `pace` is the time between two writes."""
    token = reading.token(environ)
    secret = reading.variables("github-token")
    clean = {name: value for name, value in environ.items() if name not in secret}
    inputs = reading.read(environ)
    for warning in inputs.warnings:
        click.echo(f"::warning title=portproof::{commands.escaped_data(warning)}")
    workspace = Path(environ.get("GITHUB_WORKSPACE") or ".").resolve()
    event = events.read(clean, _work_trees(workspace, inputs.paths) or (workspace,))
    wait = _wait(clean)
    client = None
    repository = clean.get("GITHUB_REPOSITORY", "")
    if token and not isinstance(event, OtherEvent) and events.is_repository(repository):
        client = Client(
            repository, token, clean.get("GITHUB_API_URL") or _API, patience=min(wait, 60.0), pace=pace
        )
    return Action(inputs, event, clean, workspace, client, Budget(wait, sleep)).run()


def _wait(environ: Mapping[str, str]) -> float:
    text = environ.get(_WAIT, "60")
    if not re.fullmatch(r"\d{1,3}", text) or float(text) > _MAX_WAIT:
        raise UsageError(f"{_WAIT} is {text[:40]!r}", next_step=f"give seconds, at most {_MAX_WAIT:.0f}")
    return float(text)


def _work_trees(workspace: Path, paths: Iterable[str]) -> tuple[Path, ...]:
    """The work trees that the paths lie in, without repeats; empty when one of them lies in none."""
    found: dict[Path, None] = {}
    for text in paths:
        path = reading.inside(workspace, "path", text).resolve()
        tree = next(
            (
                one
                for one in (path, *path.parents)
                if one.is_relative_to(workspace) and (one / ".git").exists()
            ),
            None,
        )
        if tree is None:
            return ()
        found[tree] = None
    return tuple(found)
