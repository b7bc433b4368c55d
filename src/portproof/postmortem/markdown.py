"""A post-mortem as Markdown, in the order of the sections that Google's SRE book gives.

What only people know is ``TODO(people)``. Everything that a stranger named is a code span or in a fence.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeAlias

from portproof.graph.chains import Fate, Hop
from portproof.postmortem.model import Broken, Commit, End, NotFound, PostMortem, Trigger, Uncommitted
from portproof.replacing import replace
from portproof.report import mermaid, phrases
from portproof.report.model import Fix
from portproof.report.safe import cell, code_span, discreet, fenced
from portproof.report.wording import parts
from portproof.rules.run import render_failed

TODO = "TODO(people)"
_TARGETS = 20
_WILL_FAIL = re.compile(r"\bwill fail\b")
_THIS = re.compile(r"\A[Tt]his change\b")

_Story: TypeAlias = tuple[Broken, ...]
"""Findings of which the document says the same: one story that happened to several files."""


def write(document: PostMortem) -> str:
    """The document; the same input gives the same bytes."""
    stories = _stories(document.broken)
    sections = (
        _head(document, stories),
        _summary(stories),
        _impact(document),
        _of_each("Root cause", stories, _root_cause),
        _of_each("Trigger", stories, _trigger),
        _of_each("Resolution", stories, _resolution, _RESOLVED),
        _asked("Detection", "who or what noticed, and when? Which alert should have fired, and did it?"),
        _action_items(document),
        _lessons(),
        _timeline(document),
        _of_each("Supporting information", stories, _supporting),
    )
    return "\n".join(line for section in sections for line in (*section, "")).rstrip("\n") + "\n"


def _stories(broken: Iterable[Broken]) -> tuple[_Story, ...]:
    found: dict[object, list[Broken]] = {}
    for one in broken:
        by = one.cause.commit.hash if isinstance(one.cause, Trigger) else None
        key = (one.result.rule, one.result.message, one.result.chain, by)
        found.setdefault(key if by else id(one), []).append(one)
    return tuple(map(tuple, found.values()))


def _head(document: PostMortem, stories: Sequence[_Story]) -> Iterator[str]:
    title = _harm(stories[0][0], where=len(stories[0]) == 1)
    more = f", and {len(stories) - 1} more" if len(stories) > 1 else ""
    yield f"# Post-mortem: {title[:1].lower() if title[:1].isalpha() else title[:1]}{title[1:]}{more}"
    yield ""
    since = [one.cause.commit for one in document.broken if isinstance(one.cause, Trigger)]
    left = [target for one in document.broken if not one.ended for target in one.result.targets]
    status = "fixed in the repository" if not left else "open: the repository still has it"
    if left and any(one.ended for one in document.broken):
        status = f"open: partly fixed, but not for {_spans(sorted(set(left)))}"
    rows = [
        ("Status", f"draft; {status}"),
        ("Date and duration", TODO),
        ("Authors", TODO),
        ("In the repository since", f"{min(one.when for one in since)} UTC" if since else TODO),
        ("Checked", f"commit {_hash(document.checked)}, {document.checked.when} UTC"),
    ]
    if document.good is not None:
        rows.append(("Compared with", f"commit {_hash(document.good)}, {document.good.when} UTC"))
    if len(stories) > 1:
        rows.append(("Findings", f"{len(stories)}, each with its own part in the sections below"))
    yield "| | |"
    yield "|---|---|"
    yield from (f"| {name} | {cell(value)} |" for name, value in rows)


def _harm(one: Broken, *, where: bool = True) -> str:
    """What went wrong, as it is; a check says what will happen, this document is written after it did."""
    if one.result.rule == render_failed.RULE.id:
        return f"{_spans(one.result.targets)} cannot be rendered"
    result = one.result if where else replace(one.result, targets=())
    return _WILL_FAIL.sub("fail", phrases.harm(result)).removesuffix(".")


def _summary(stories: Sequence[_Story]) -> Iterator[str]:
    yield "## Summary"
    for story in stories:
        one = story[0]
        told = parts(one.result.message)
        causes = [phrases.prose(text) for text in (told.cause if told.harm else told.cause[1:])]
        if isinstance(one.cause, Trigger):
            by = f"commit {_hash(one.cause.commit)} of {one.cause.commit.when[:10]}"
            if causes and _THIS.match(causes[0]):
                causes[0] = _THIS.sub(phrases.capital(by), causes[0])
            else:
                causes.append(f"It came with {by}.")
        elif causes:
            causes[0] = _THIS.sub("The change", causes[0])
        yield ""
        yield " ".join([f"{_harm(one, where=len(story) == 1)}.", *causes])
    yield ""
    yield f"{TODO}: what users saw, in one sentence."


def _impact(document: PostMortem) -> Iterator[str]:
    yield "## Impact"
    yield ""
    yield f"{TODO}: who was affected, how many requests failed, from when to when."
    yield ""
    targets = sorted({target for one in document.broken for target in one.result.targets})
    unharmed = sorted({target for one in document.broken for target in one.unharmed} - set(targets))
    yield f"* Deployed from: {_spans(targets)}"
    if unharmed:
        yield f"* Not affected, although from the same folder: {_spans(unharmed)}"
    callers = list(dict.fromkeys(name for one in document.broken for name in one.callers))
    if callers:
        yield f"* Callers in the manifests: {_spans(callers)}"


def _spans(names: Sequence[str]) -> str:
    more = len(names) - _TARGETS
    return ", ".join(map(code_span, names[:_TARGETS])) + (f" and {more} more" if more > 0 else "")


def _root_cause(story: _Story) -> Iterator[str]:
    one = story[0]
    if one.result.chain:
        yield from _chain(one.result.chain)
        picture = mermaid.picture(one.result)
        if picture is not None:
            yield ""
            yield fenced(picture, "mermaid")
        yield ""
    rows = dict.fromkeys(_end(end) for each in story for end in each.ends)
    if rows:
        yield "| field | value | written in | key |"
        yield "|---|---|---|---|"
        yield from rows
    told = parts(one.result.message)
    if told.evidence:
        yield ""
        yield f"What shows which end is wrong: {phrases.prose(told.evidence)}"
    yield ""
    yield f"{TODO}: why nothing stopped it before it was deployed."


def _chain(hops: Sequence[Hop]) -> Iterator[str]:
    """The way of a request, a line a hop; what would work is in the section about the fix."""
    yield "The way of a request:"
    yield ""
    for hop in dict.fromkeys(hops):
        if hop.fate is Fate.WOULD:
            continue
        asked = f" on {code_span(hop.port)}" if hop.port else ""
        ports = f" ({', '.join(map(code_span, hop.end.ports))})" if hop.end.ports else ""
        lost = ": **not reached**" if hop.fate is Fate.FAILS else ""
        yield f"* {code_span(hop.start.name)} → {code_span(hop.end.name)}{ports}{asked}{lost}"


def _end(end: End) -> str:
    where = code_span(f"{end.path}:{end.line}") if end.path else "unknown"
    guess = "" if end.proven or not end.path else " (best guess)"
    value = "" if end.value is None else code_span(str(end.value))
    cells = (
        code_span(end.field) if end.field else "",
        value,
        f"{where}{guess}",
        code_span(end.key) if end.key else "",
    )
    return f"| {' | '.join(map(cell, cells))} |"


def _trigger(story: _Story) -> Iterator[str]:
    cause = story[0].cause
    if isinstance(cause, Uncommitted):
        yield (
            f"A change in the work tree that is not committed: commit {_hash(cause.head)}, which is checked out, does "
            "not have the finding."
        )
    elif isinstance(cause, NotFound):
        yield f"Not found. {cause.reason}"
        if cause.tried:
            yield ""
            yield "| commit | time (UTC) | subject | it |"
            yield "|---|---|---|---|"
            for each in cause.tried:
                yield f"| {_commit(each.commit)} | {each.why} |"
        yield ""
        yield f"{TODO}: what changed?"
    else:
        yield from _proven(cause, [one.cause.difference for one in story if isinstance(one.cause, Trigger)])


def _proven(cause: Trigger, differences: Sequence[str]) -> Iterator[str]:
    yield f"Commit {_hash(cause.commit)} of {cause.commit.when} UTC: {code_span(cause.commit.subject)}"
    yield ""
    if not cause.parents:
        yield "Proven by rendering: this commit has the finding, and it is the first of the repository."
    else:
        names = " and ".join(map(_hash, cause.parents))
        has = "its parent {} does not" if len(cause.parents) == 1 else "none of its parents {} has it"
        yield f"Proven by rendering: this commit has the finding, and {has.format(names)}."
    if len(cause.parents) > 1:
        yield "Each side worked. The finding is what they make together."
    difference = "\n".join(one.rstrip("\n") for one in dict.fromkeys(differences))
    if difference and discreet(difference) == difference:
        yield ""
        yield fenced(difference, "diff")
    else:
        yield ""
        yield f"`git show {cause.commit.short}` shows the change."


_RESOLVED = f"{TODO}: what ended it, and when: a fix, a rollback, a change in the cluster?"


def _resolution(story: _Story) -> Iterator[str]:
    """What ended each finding, or would; of a part of them it says where."""
    partly = len({one.ended for one in story}) > 1
    shown = dict.fromkeys("\n".join(_resolved(one, partly=partly)) for one in story)
    for number, text in enumerate(shown):
        if number:
            yield ""
        yield text


def _resolved(one: Broken, *, partly: bool) -> Iterator[str]:
    where = f" for {_spans(one.result.targets)}" if partly else ""
    if one.ended_by is not None:
        yield (
            f"Commit {_hash(one.ended_by)} of {one.ended_by.when} UTC ended it in the repository{where}: "
            f"{code_span(one.ended_by.subject)}. Proven by rendering: its parent has the finding, this commit does not."
        )
    elif one.ended:
        yield f"The commit that is checked out no longer has the finding{where}."
    else:
        if partly:
            yield f"**Still there**{where}."
            yield ""
        yield from _fix(one)


def _fix(one: Broken) -> Iterator[str]:
    safe = next((each for each in (one.result.fix, *one.result.alternatives) if each and each.is_safe), None)
    if safe is not None:
        yield from _proven_fix(one, safe)
        return
    risky = one.result.fix
    if risky is None:
        yield "No fix is proven: nothing in the repository says which end is meant."
        return
    yield phrases.other_told(one.result, risky, None)


def _proven_fix(one: Broken, fix: Fix) -> Iterator[str]:
    yield f"{phrases.fix_lead(fix, None)} {phrases.proof(one.result, fix)}"
    yield ""
    yield phrases.patch_shown(fix)


def _action_items(document: PostMortem) -> Iterator[str]:
    yield "## Action items"
    yield ""
    yield "What portproof sees in the repository is ticked."
    yield ""
    yield "| done | action | kind | owner | ticket |"
    yield "|---|---|---|---|---|"
    for one in document.actions:
        note = (
            f" ({code_span(one.seen)})"
            if one.seen
            else f" ({phrases.prose(one.lacking)})"
            if one.lacking
            else ""
        )
        owner = "" if one.seen else TODO
        yield f"| {'yes' if one.seen else 'no'} | {cell(f'{one.text}{note}')} | {one.kind} | {owner} | {owner} |"
    yield f"| no | {TODO} | | | |"


def _lessons() -> Iterator[str]:
    yield "## Lessons learned"
    yield ""
    yield from (f"* {title}: {TODO}" for title in ("What went well", "What went wrong", "Where we got lucky"))


def _timeline(document: PostMortem) -> Iterator[str]:
    yield "## Timeline"
    yield ""
    yield "Commits that touched the line of either end, and what people add. Times are UTC."
    yield ""
    rows: dict[Commit, str] = {}
    for one in document.broken:
        for each in one.touched:
            rows.setdefault(each, "")
    for one in document.broken:
        if isinstance(one.cause, Trigger):
            rows[one.cause.commit] = "**brought the finding**"
        if one.ended_by is not None:
            rows[one.ended_by] = "**ended it**"
    yield "| time | commit | what |"
    yield "|---|---|---|"
    for commit in sorted(rows, key=lambda each: (each.when, each.hash)):
        note = f"; {rows[commit]}" if rows[commit] else ""
        yield f"| {commit.when} | {_hash(commit)} | {cell(code_span(commit.subject))}{note} |"
    for what in ("deployed", "first failure", "noticed", "mitigated", "resolved"):
        yield f"| {TODO} | | {what} |"


def _supporting(story: _Story) -> Iterator[str]:
    for number, one in enumerate(story):
        if number:
            yield ""
        yield f"`portproof check` reports {code_span(one.result.fingerprint)}:"
        yield ""
        yield fenced(one.shown, "text")
    first = story[0]
    yield ""
    yield f"* {phrases.rule_told(first.result.rule, None)}"
    yield from dict.fromkeys(f"* Runbook: {code_span(one.runbook)}" for one in story if one.runbook)
    if isinstance(first.cause, Trigger) and first.cause.parents:
        old, new = first.cause.parents[0].short, first.cause.commit.short
        yield f"* To see it again: `git checkout {new}`, then `portproof check --base {old}`"


def _asked(title: str, question: str) -> Iterator[str]:
    yield f"## {title}"
    yield ""
    yield f"{TODO}: {question}"


def _of_each(
    title: str, stories: Sequence[_Story], told: Callable[[_Story], Iterator[str]], question: str = ""
) -> Iterator[str]:
    """A section that says something of each story, below what people are asked."""
    yield f"## {title}"
    if question:
        yield ""
        yield question
    for number, story in enumerate(stories, 1):
        yield ""
        if len(stories) > 1:
            yield f"### {number}. {_harm(story[0], where=len(story) == 1)}"
            yield ""
        yield from told(story)


def _commit(commit: Commit) -> str:
    return f"{_hash(commit)} | {commit.when} | {cell(code_span(commit.subject))}"


def _hash(commit: Commit) -> str:
    return f"`{commit.short}`"
