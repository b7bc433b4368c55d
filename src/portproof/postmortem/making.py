"""From a finding to its post-mortem: which revision to check, what to search in the history, what is done already."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from msgspec import Struct, field

from portproof import pipeline
from portproof.discover.model import HelmTarget, Target
from portproof.environment import TargetInterface
from portproof.errors import UsageError
from portproof.git import Git
from portproof.outcome import FindingGroup, fingerprint_of
from portproof.portmap.places import Places
from portproof.postmortem import practice
from portproof.postmortem.history import History, newest
from portproof.postmortem.model import (
    Broken,
    Cause,
    Commit,
    End,
    NotFound,
    PostMortem,
)
from portproof.postmortem.search import MAX_CANDIDATES, Search
from portproof.postmortem.seen import Commits, HasAbroad, HasFailure, HasFinding, Question, failure
from portproof.replacing import replace
from portproof.report import summary_line, text
from portproof.report.model import Report, Result
from portproof.report.summary_line import field_of, listed
from portproof.revision import Comparison, between, commit_named, repository, since
from portproof.rules.base import Trait
from portproof.rules.evaluate import RuleFinding
from portproof.session import Request, Session, port_map, report_of, root_and_paths, session
from portproof.source import RelPath, Tree
from portproof.yamldoc import format_path

_ASKED = "postmortem"
_KNOWN = 5
_TOUCHED = 10


class _Checked(Struct, frozen=True):
    """A run with the history around it: `history` is where the trigger is searched, `compare` tells a commit from its tree.

    `known` are the commits as far as findings of a target have asked for them.
    """

    run: Session
    report: Report
    history: History
    whole: History
    compare: Callable[[str], Comparison]
    good: Commit | None = None
    known: dict[object, Commits] = field(default_factory=dict)


def post_mortem(request: Request, fingerprint: str | None, revisions: str | None) -> PostMortem:
    """The post-mortem of a finding of the checkout, or of what BAD has and GOOD has not (``GOOD..BAD``).

    Raises `UsageError` when there is no such finding or revision, and in a shallow clone that lacks the commit in question.
    """
    root, _ = root_and_paths(())
    git = repository(root, request.environ, asked=_ASKED)
    checking = _of_revisions(request, git, revisions) if revisions else _of_checkout(request, git)
    with checking as checked:
        wanted = _wanted(checked, fingerprint, revisions)
        broken = tuple(_broken(checked, git, one) for one in wanted)
        head = checked.whole.commit("HEAD") if revisions else None
    known = practice.read(Tree(root), git.lines("ls-files", "-z"))
    current = port_map(replace(request, paths=(str(root),), root=root)) if practice.has_map(known) else None
    return PostMortem(
        tuple(replace(one, runbook=_runbook(known, one)) for one in broken),
        practice.actions(known, current, _fixed(broken, head), fixable=all(map(_is_fixable, broken))),
        checked.whole.commit(checked.whole.end),
        checked.good,
    )


@contextmanager
def _of_checkout(request: Request, git: Git) -> Iterator[_Checked]:
    """The checkout as it is, against no other revision."""
    history = History(git, newest(History(git, "HEAD")).hash)
    with session(replace(request, paths=(str(git.root),), root=git.root)) as run:
        yield _Checked(run, report_of(run), history, history, lambda commit: since(git, commit))


@contextmanager
def _of_revisions(request: Request, git: Git, revisions: str) -> Iterator[_Checked]:
    """BAD, laid out in a folder of its own, against GOOD."""
    good, bad = (commit_named(git, one, asked="--rev") for one in _both(revisions))
    with TemporaryDirectory(prefix="portproof-bad-", ignore_cleanup_errors=True) as folder:
        root = Path(folder).resolve() / git.root.name
        since(git, bad).base_tree((), Tree(git.root), root, whole=True)
        with session(replace(request, paths=(str(root),), root=root), between(git, good, bad)) as run:
            whole = History(git, bad)
            yield _Checked(
                run,
                report_of(run),
                History(git, bad, good),
                whole,
                lambda commit: between(git, commit, bad),
                whole.commit(good),
            )


def _both(revisions: str) -> tuple[str, str]:
    good, dots, bad = revisions.partition("..")
    if not (good and dots and bad) or bad.startswith(".") or ".." in bad:
        raise UsageError(
            f"--rev {revisions}: must be GOOD..BAD",
            next_step="Name a revision that worked and one that did not: `--rev v1.4.0..v1.5.0`.",
        )
    return good, bad


def _wanted(checked: _Checked, fingerprint: str | None, revisions: str | None) -> list[Result]:
    """The findings that the post-mortem is about. Raises `UsageError` when there are none, or when a prefix means several."""
    found = list(checked.report.results)
    if revisions:
        found = [one for one in found if one.introduced]
        if not found:
            raise UsageError(
                f"--rev {revisions}: the second revision has no finding that the first does not have",
                next_step="Name a revision that worked first, then one that did not.",
            )
    if fingerprint is None:
        return found
    chosen = [one for one in found if one.fingerprint.startswith(fingerprint.lower())]
    if len({one.fingerprint for one in chosen}) == 1:
        return chosen
    if chosen:
        raise UsageError(
            f"{fingerprint}: {len(chosen)} findings have a fingerprint that begins like this: {_listed(chosen)}",
            next_step="Give more of the fingerprint.",
        )
    if not found:
        raise UsageError(
            f"{fingerprint}: `portproof check` has no finding here",
            next_step="After a fix, name a revision that worked and one that did not: `--rev GOOD..BAD`.",
        )
    raise UsageError(
        f"{fingerprint}: no finding has this fingerprint; there are {_listed(found)}",
        next_step="Run `portproof check --format json` to see the fingerprints. After a fix, use `--rev GOOD..BAD`.",
    )


def _listed(found: Sequence[Result]) -> str:
    known = (f"{one.fingerprint[:8]} ({one.rule} at {summary_line.subject(one)})" for one in found)
    return listed(tuple(known), _KNOWN)


def _broken(checked: _Checked, git: Git, result: Result) -> Broken:
    """One finding with its history. Raises `UsageError` when the clone is too shallow to have that."""
    shown = text.finding(checked.report, result)
    subject = _subject(checked, result)
    if subject is None:
        return Broken(result, (), NotFound("The finding is about more than one target."), (), shown)
    ends = subject.ends
    cause = _cause(checked, subject, result)
    if isinstance(cause, NotFound) and checked.history.is_shallow:
        raise UsageError(
            "this clone is shallow, and the commit that brought the finding is not in it",
            next_step="Fetch the history: `git fetch --unshallow`, or a part of it with `git fetch --deepen=500`.",
        )
    ended, ended_by = _ended(checked, git, subject)
    touched = _lines(checked, checked.whole, ends)[:_TOUCHED]
    return Broken(
        result,
        ends,
        cause,
        tuple(map(checked.whole.commit, touched)),
        shown,
        tuple(_unharmed(checked.report, result)),
        subject.commits.callers(subject.found, result.targets) if subject.found else (),
        ended=ended,
        ended_by=ended_by,
    )


class _Subject(Struct, frozen=True):
    """What is searched for: `ask` asks anew whether commits have it, beginning with the tree of the run."""

    target: Target
    commits: Commits
    found: RuleFinding | None
    ends: tuple[End, ...]
    ask: Callable[[], Question]


def _subject(checked: _Checked, result: Result) -> _Subject | None:
    """What the history is searched for; None where a finding is about no target in particular."""
    run = checked.run
    group = next((one for one in run.outcome.merged if one.fingerprint == result.fingerprint), None)
    if group is not None:
        found, target = group.first.found, group.first.target
        commits = _commits(checked, target, found)
        alone = HasFinding(commits, found).takes(checked.history.end)
        ask = (
            partial(HasFinding, commits, found)
            if alone or not checked.good
            else _abroad(checked, target, found)
        )
        return _Subject(target, commits, found, tuple(_ends(run, group)), ask)
    at = result.location
    ends = (End("", None, at.path, at.line, proven=at.proof == "proven"),) if at else ()
    for one in run.outcome.checked:
        for failed in one.failures:
            if fingerprint_of(failed) == result.fingerprint:
                commits = _commits(checked, one.target, None)
                return _Subject(
                    one.target, commits, None, ends, partial(HasFailure, commits, failure(failed))
                )
    return None


def _abroad(checked: _Checked, target: Target, found: RuleFinding) -> Callable[[], Question]:
    """How to ask for a finding that only the comparison with GOOD shows, between two targets."""
    git, good = checked.history.git, checked.good
    assert good is not None  # noqa: S101 - else there is no such finding

    def lay_out(commit: str, into: Path) -> Comparison:
        since(git, commit).base_tree((), Tree(git.root), into, whole=True)
        return between(git, good.hash, commit)

    asked = HasAbroad(_plan(checked, target), checked.run.ready.config, (target.id, found.key), lay_out)
    return lambda: asked


def _ends(run: Session, group: FindingGroup) -> Iterator[End]:
    """Both ends, and what else the finding speaks of, with the places where they are written."""
    places, first = Places(run.ready.tree), group.first
    sites = dict.fromkeys((group.finding.primary, *(one.site for one in group.finding.related)))
    for site in sites:
        field, origin = field_of(site.resource, format_path(site.path)), first.origins.get(site)
        found = places.of(origin)
        if found is None:
            yield End(field, site.value)
        else:
            yield End(field, site.value, found.path, found.line, found.key, found.proven)


def _commits(checked: _Checked, target: Target, found: RuleFinding | None) -> Commits:
    """The commits for a finding of a target; findings that depend on nothing else share them."""
    spanning = found if found is not None and Trait.SPANS_TARGETS in found.rule.traits else None
    key = target.id, None if spanning is None else spanning.key
    if key not in checked.known:
        run, plan = checked.run, _plan(checked, target)
        others: tuple[TargetInterface, ...] = ()
        if run.compared is not None:
            plan = replace(plan, witness=run.compared.plan.witness)
            others = run.compared.survey.neighbours
        own = tuple(one.interface for one in run.outcome.checked if one.interface is not None)
        checked.known[key] = Commits(plan, run.ready.config, (*own, *others), spanning, checked.compare)
    return checked.known[key]


def _plan(checked: _Checked, target: Target) -> pipeline.Plan:
    """What there is to render of a run, for one target."""
    run = checked.run
    config, everything = run.ready.config, run.ready.discovery.everything
    return pipeline.Plan(
        tree=run.ready.tree,
        targets=(target,),
        everything=everything,
        rule_set=run.rule_set,
        render=run.render,
        fresh=run.render,
        jobs=config.jobs,
        environments=config.environments,
        complete=config.complete,
    )


def _cause(checked: _Checked, subject: _Subject, result: Result) -> Cause:
    """Search the trigger: first the commits that touched a line of an end, then its file, then what the target reads."""
    history, ends = checked.history, subject.ends
    paths = _files(ends, result)
    read = _read_by((subject.target, *subject.commits.partners))

    def candidates() -> Iterator[Sequence[str]]:
        yield _lines(checked, history, ends)
        yield history.newest_first(
            [*(one for path in paths for one in history.of_file(path)), *history.of_paths(paths)]
        )
        yield history.of_paths(read)

    return Search(history, subject.ask()).cause(candidates(), (paths, read))


def _files(ends: Sequence[End], result: Result) -> tuple[RelPath, ...]:
    named = [result.location.path] if result.location else []
    return tuple(dict.fromkeys([*named, *(one.path for one in ends if one.path)]))


def _read_by(targets: Iterable[Target]) -> tuple[RelPath, ...]:
    """The files and folders that targets are rendered from."""
    found: set[RelPath] = set()
    for one in targets:
        if isinstance(one, HelmTarget):
            found |= {*(mount.source for mount in one.mounts), *one.values}
        else:
            found |= set(one.files)
    return tuple(sorted(found))


def _lines(checked: _Checked, history: History, ends: Iterable[End]) -> list[str]:
    """The commits that touched the line of an end; not of a file with changes that are not committed, whose lines differ."""
    edited = checked.compare(history.end).changed
    found = [
        commit
        for one in ends
        if one.line and one.path not in edited
        for commit in history.of_line(one.path, one.line)
    ]
    return history.newest_first(found)


def _ended(checked: _Checked, git: Git, subject: _Subject) -> tuple[bool, Commit | None]:
    """Whether the commit that is checked out lacks the finding that BAD has, and which commit since is proven to have ended it."""
    head = newest(History(git, "HEAD")).hash
    if checked.good is None or head == checked.history.end or _has(subject, head) is not False:
        return False, None
    history = History(git, head, checked.history.end)
    paths = (*dict.fromkeys(one.path for one in subject.ends if one.path), *_read_by((subject.target,)))
    for name in reversed(history.of_paths(paths)[-MAX_CANDIDATES:]):
        if _has(subject, name) is False:
            commit = history.commit(name)
            before = [_has(subject, one) for one in commit.parents]
            return True, commit if before and all(before) else None
    return True, None


def _has(subject: _Subject, commit: str) -> bool | None:
    """Whether a commit has the finding; None where it cannot be rendered."""
    asked = subject.ask()
    return None if asked.fails(commit) else asked.takes(commit)


def _unharmed(report: Report, result: Result) -> Iterator[str]:
    """The targets of the same folders that do not have the finding."""
    paths = {one.path for one in report.targets if one.id in result.targets}
    for one in report.targets:
        if one.path in paths and one.status == "checked" and one.id not in result.targets:
            yield one.id


def _runbook(known: practice.Practice, broken: Broken) -> str:
    """Where the runbook of the Service of a finding is."""
    result = broken.result
    every = [result.resource, *(one.resource for one in result.related)]
    services = [one.name for one in every if one is not None and one.kind == "Service"]
    return next(filter(None, (practice.runbook(known, name) for name in services)), "")


def _is_fixable(broken: Broken) -> bool:
    result = broken.result
    return any(one is not None and one.is_safe for one in (result.fix, *result.alternatives))


def _fixed(broken: Sequence[Broken], head: Commit | None) -> str:
    """What shows that the findings are gone; empty while one is not."""
    if head is None or not all(one.ended for one in broken):
        return ""
    by = [one.ended_by for one in broken if one.ended_by is not None]
    return f"commit {by[0].short}" if by else f"gone at {head.short}"
