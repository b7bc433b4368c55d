"""Publishing a review: once per run, never twice, and without losing a finding whatever GitHub answers."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from typing import TypeAlias

from msgspec import Struct, field

from portproof.diff import Changes
from portproof.github.client import Client
from portproof.github.files import mapped
from portproof.github.model import (
    ForbiddenError,
    GithubError,
    LimitedError,
    MissingError,
    MovedError,
    Pull,
    RejectedError,
    Said,
    UnclearError,
)
from portproof.github.plan import ReviewPlan, plan
from portproof.report import marks
from portproof.report.causes import Cause, one_cause
from portproof.report.links import Links
from portproof.report.marks import Mark
from portproof.report.model import Report, Result
from portproof.report.review import (
    BODY_LIMIT,
    Comment,
    Diff,
    Review,
    body,
    compose,
    fixed,
    fixed_entry,
    plain,
)
from portproof.report.review import comment as comment_on
from portproof.report.summary_line import plural
from portproof.source import RelPath

PERMISSIONS = "`permissions: { contents: read, pull-requests: write }`"
_WAIT = 60.0
_MAX_REVIEWS = 12

Texts: TypeAlias = Callable[[Iterable[RelPath]], Mapping[RelPath, str]]
"""Reads the head's files of these names; those that cannot be read as text are left out."""


class Budget(Struct):
    """How many seconds may still be waited for GitHub's limits."""

    seconds: float = 60.0
    sleep: Callable[[float], None] = time.sleep

    def wait(self, seconds: float | None) -> bool:
        """Wait, GitHub's own minute when it does not say how long; False when that is beyond the budget."""
        wanted = _WAIT if seconds is None else seconds
        if wanted > self.seconds:
            return False
        self.seconds -= wanted
        self.sleep(wanted)
        return True


class Job(Struct, frozen=True):
    """What is to be published on which pull request: the report, in the lines of its head.

    `key` is that of the job's marks, `aside` completes the counts of a review, and `ports` is a table below all else.
    """

    number: int
    report: Report
    links: Links
    key: str
    texts: Texts
    aside: str = ""
    ports: str = ""

    @property
    def head(self) -> str:
        """The commit that the report is about."""
        return self.links.head


class PublishOutcome(Struct, frozen=True):
    """What became of it, in a line; `problem` when something that should be there is not."""

    message: str
    problem: bool = False


class Publisher(Struct):
    """Publishes one job."""

    client: Client
    job: Job
    budget: Budget = field(default_factory=Budget)

    def review(self) -> PublishOutcome:
        """Post what is new as one review, and take back what no longer holds."""
        try:
            self._look()
            said = self.client.said(self.job.number)
            todo = plan(self.job.report, said, self.job.key)
            posted = self._post(todo)
            changed = self._revise(todo)
        except MovedError as moved:
            return PublishOutcome(str(moved))
        except GithubError as error:
            return PublishOutcome(degraded(error), problem=True)
        parts = [part for part in (posted, changed) if part]
        return PublishOutcome(", ".join(parts) if parts else "nothing new to report")

    def summary(self, text: str) -> PublishOutcome:
        """Keep one comment in the conversation up to date; without findings none is begun."""
        key = self.job.key
        try:
            self._look()
            known = self._summary()
            wanted = f"{marks.summary(key)}\n{text}"
            if known is None and not self.job.report.results:
                return PublishOutcome("no findings, so no summary was posted")
            if known and known[1] == wanted:
                return PublishOutcome("the summary is up to date")
            self._once(
                lambda: self.client.remark(self.job.number, wanted, known[0] if known else None),
                lambda: (now := self._summary()) is not None and now[1] == wanted,
            )
        except MovedError as moved:
            return PublishOutcome(str(moved))
        except GithubError as error:
            return PublishOutcome(degraded(error), problem=True)
        return PublishOutcome("the summary was updated" if known else "the summary was posted")

    def _summary(self) -> tuple[int, str] | None:
        found = [
            (one.id, one.body)
            for one in self.client.remarks(self.job.number)
            if marks.key_of_summary(one.body) == self.job.key
        ]
        return found[0] if found else None

    def _look(self) -> None:
        """Read the pull request. Raises `MovedError` when it is to get no review from this run."""
        pull: Pull = self.client.pull(self.job.number)
        if pull.refusal:
            raise MovedError(f"no review: {pull.refusal}")
        if pull.head != self.job.head:
            then, now = self.job.head[:10], pull.head[:10]
            raise MovedError(
                f"no review: the head moved from {then} to {now}, and the run for that commit reports instead"
            )

    # what is new

    def _post(self, todo: ReviewPlan) -> str:
        """Say what is new; a comment that comes back where it was is edited, elsewhere it is said anew."""
        if not todo.new and not todo.back:
            return ""
        diff = self._diff()
        again = [result for said, result in todo.back if not _stands(said, self._comment([result], diff))]
        results = (*todo.new, *again)
        if not results:
            return ""
        standing = [result for _, result in todo.known]
        try:
            return self._send(self._compose(results, diff, standing))
        except RejectedError:
            # The diff is not what it was a moment ago: look again, compute again.
            self.client.drop_pending(self.job.number)
            return self._apart(self._compose(results, self._diff(), standing))

    def _diff(self) -> Diff:
        listed = self.client.files(self.job.number).changes
        named = _paths(self.job.report.results)
        unlisted = self.job.texts(_unlisted(named, listed))
        changes = (
            mapped(self.client, self.client.pull(self.job.number), listed, unlisted) if unlisted else listed
        )
        return Diff(changes, self.job.texts(_readable(named, changes)))

    def _comment(self, results: Sequence[Result], diff: Diff) -> Comment | None:
        """The comment for findings of one cause."""
        return comment_on(one_cause(results), self.job.links, diff, self.job.key)

    def _compose(self, results: Iterable[Result], diff: Diff, standing: Iterable[Result]) -> Review:
        return compose(results, self.job.links, diff, self.job.key, standing)

    def _body(self, review: Review) -> str:
        text = body(review, self.job.links, self.job.key, self.job.aside)
        whole = f"{text.rstrip()}\n\n{self.job.ports}" if self.job.ports else text
        return whole if len(whole.encode(errors="replace")) <= BODY_LIMIT else text

    def _send(self, review: Review) -> str:
        """Comments on files first: what GitHub refuses there becomes part of the body."""
        self._look()
        review = self._comment_on_files(review)
        if review.inline or review.rest:
            self._submit(self._body(review), review.inline, review.rest)
        return f"posted {plural(len(review.results), 'finding')}"

    def _comment_on_files(self, review: Review) -> Review:
        kept: list[Comment] = []
        refused: list[Cause] = []
        for one in review.files:
            try:
                self._once(
                    lambda one=one: self.client.comment_on_file(self.job.number, self.job.head, one),  # type: ignore[misc]
                    lambda one=one: self._is_said(one.cause.results),  # type: ignore[misc]
                )
                kept.append(one)
            except RejectedError:
                refused.append(one.cause)
        return Review(review.inline, tuple(kept), (*review.rest, *refused))

    def _apart(self, review: Review) -> str:
        """GitHub refuses the review and does not say for which comment: halve it until each either stands or not."""
        self._look()
        review = self._comment_on_files(review)
        waiting: list[tuple[Comment, ...]] = [review.inline] if review.inline else []
        rest = list(review.rest)
        tries = 0
        while waiting:
            group = waiting.pop(0)
            tries += 1
            if tries > _MAX_REVIEWS:
                rest += [one.cause for one in group]
                continue
            try:
                self._submit(self._body(Review(group, (), ())), group, ())
            except RejectedError:
                half = len(group) // 2
                if half == 0:
                    rest += [one.cause for one in group]
                else:
                    waiting = [group[:half], group[half:], *waiting]
        if rest:
            self._submit(self._body(Review((), (), tuple(rest))), (), rest)
        count = plural(len(review.results), "finding")
        return f"posted {count}, in several reviews because GitHub rejected a single one"

    def _submit(self, text: str, comments: Sequence[Comment], rest: Sequence[Cause]) -> None:
        results = Review(tuple(comments), (), tuple(rest)).results
        self._once(
            lambda: self.client.submit(self.job.number, self.job.head, text, comments),
            lambda: self._is_said(results),
        )

    def _is_said(self, results: Sequence[Result]) -> bool:
        """Whether a comment of ours tells of each of these; read back after a write whose fate is not known."""
        known = {_about(one.mark) for one in self.client.said(self.job.number) if not one.mark.fixed}
        return {_about(marks.of_result(one, "")) for one in results} <= known

    # what no longer holds

    def _revise(self, todo: ReviewPlan) -> str:
        """Say of fixed findings that they are, take stale suggestions away, and bring back what came back."""
        parts = []
        partly = {said.id for said, _ in (*todo.known, *todo.back) if not said.review}
        partly &= {said.id for said in todo.gone if not said.review}
        if gone := self._take_back(todo, partly):
            parts.append(f"marked {plural(gone, 'finding')} as fixed")
        if todo.back or any(said.mark.edit for said, _ in todo.known):
            renewed = self._renew(todo, partly)
            if renewed:
                parts.append(f"updated {plural(renewed, 'comment')}")
        return ", ".join(parts)

    def _take_back(self, todo: ReviewPlan, partly: AbstractSet[int]) -> int:
        """Say that findings are fixed; a comment of which some are left (`partly`) tells only of those."""
        bodies: dict[tuple[int, bool], tuple[Said, str]] = {}
        settled = []
        for one in todo.gone:
            text = bodies[one.id, one.review][1] if (one.id, one.review) in bodies else one.body
            if one.review:
                text = fixed_entry(text, one.mark, self.job.head)
            elif one.id in partly:
                text = marks.with_state(text, one.mark, fixed=True, note="")
            else:
                text = fixed(one.body, self.job.head)
                settled.append(one)
            bodies[one.id, one.review] = (one, text)
        for one, text in bodies.values():
            anew = one.id in partly and not one.review
            self._edit(one, self._told_anew(one, todo, text) if anew else text)
        self._resolve([one for one in settled if not one.discussed], resolved=True)
        return len(todo.gone)

    def _told_anew(self, said: Said, todo: ReviewPlan, text: str) -> str:
        """A comment of several findings, some of them gone: the marks of those, and what is left to say."""
        results = _members(todo)[said.id]
        new = self._comment(results, self._diff())
        gone = "".join(f"{mark}\n" for mark in marks.read(text) if mark.fixed)
        if new is not None and _stands(said, new):
            return gone + new.body
        return gone + plain(one_cause(results), self.job.links, self.job.key, away=said.line is None)

    def _renew(self, todo: ReviewPlan, done: AbstractSet[int]) -> int:
        diff = self._diff()
        count = 0
        reopened = []
        members = _members(todo)
        for said, _ in todo.back:
            new = None if said.review or said.id in done else self._comment(members[said.id], diff)
            if new is not None and _stands(said, new):
                self._edit(said, new.body)
                reopened.append(said)
                count += 1
        for said, _ in todo.known:
            if said.review or said.id in done or said.line is None or not said.mark.edit:
                continue
            new = self._comment(members[said.id], diff)
            if new and new.edit == said.mark.edit:
                continue
            # The suggestion of that time is not what a render proves today: nobody should click it.
            fresh = (
                new.body
                if new is not None and _stands(said, new)
                else plain(one_cause(members[said.id]), self.job.links, self.job.key, away=False)
            )
            self._edit(said, fresh)
            count += 1
        self._resolve(reopened, resolved=False)
        return count

    def _edit(self, said: Said, text: str) -> None:
        if text == said.body:
            return
        with suppress(MissingError):  # somebody deleted it meanwhile
            self._once(lambda: self.client.edit(self.job.number, said, text), lambda: False)

    def _resolve(self, comments: Sequence[Said], *, resolved: bool) -> None:
        """Resolve conversations where the token may; the comments say it in any case."""
        if not comments:
            return
        try:
            threads = self.client.threads(self.job.number)
            for one in comments:
                thread, already = threads.get(one.id, ("", resolved))
                if already != resolved:
                    self.client.resolve(thread, resolved=resolved)
        except GithubError:
            return

    def _once(self, send: Callable[[], None], is_done: Callable[[], bool]) -> None:
        """Send a write. When it is not known whether it took effect look first, then try one more time."""
        unclear = 0
        while True:
            try:
                send()
            except UnclearError:
                unclear += 1
                if is_done():
                    return
                if unclear > 1:
                    raise
            except LimitedError as error:
                if not self.budget.wait(error.seconds):
                    raise
                if is_done():
                    return
            else:
                return


def degraded(error: GithubError) -> str:
    """One line on why nothing was posted, and what would help."""
    if isinstance(error, ForbiddenError):
        return (
            f"no comments ({error}): the token is read-only, as it is on pull requests from forks and Dependabot. "
            f"Elsewhere, give the job {PERMISSIONS}"
        )
    if isinstance(error, LimitedError):
        return f"no comments ({error}): GitHub's rate limit won't reset within PORTPROOF_GITHUB_WAIT"
    return f"no comments ({error})"


def _members(todo: ReviewPlan) -> Mapping[int, Sequence[Result]]:
    """The findings that each comment on a line or a file still has to tell of."""
    found: dict[int, list[Result]] = defaultdict(list)
    for said, result in (*todo.known, *todo.back):
        if not said.review:
            found[said.id].append(result)
    return found


def _about(mark: Mark) -> tuple[str, str]:
    return mark.fingerprint, mark.place


def _stands(said: Said, new: Comment | None) -> bool:
    """Whether a comment still stands where the new one would go."""
    if new is None or said.review or said.path != new.path:
        return False
    return (
        said.line == new.line
        and said.start_line == new.start_line
        and (said.line is not None or new.line is None)
    )


def _paths(results: Iterable[Result]) -> set[RelPath]:
    found: set[RelPath] = set()
    for result in results:
        if result.location:
            found.add(result.location.path)
        found |= {edit.path for fix in (result.fix, *result.alternatives) if fix for edit in fix.edits}
    return found


def _unlisted(paths: Iterable[RelPath], changes: Changes) -> list[RelPath]:
    """The changed files of these names whose patch GitHub does not tell."""
    listed = {path: changes[path] for path in sorted(paths) if path in changes}
    return [path for path, one in listed.items() if not one.mapped and not one.removed]


def _readable(paths: Iterable[RelPath], changes: Changes) -> list[RelPath]:
    return sorted(
        path for path in paths if path in changes and changes[path].hunks and not changes[path].removed
    )
