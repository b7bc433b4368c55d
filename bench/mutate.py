"""Breaks port references in real repositories, one text change at a time, and sees what portproof makes of it.

Run: ``python bench/mutate.py REPO... [--limit N] [--seed S] [--jobs N] [--out FILE]``; nothing is written into the
repositories. `references` says which references break, `mutants` which changes of text are tried. Of each mutant:
*found* (an error or warning about one of the two ends), *located* (the finding, or an edit of its fix, names the
changed line as proven), *healed* (the fix gives a tree without a finding that the repository did not have).

With ``--base`` each change is a pull request instead (`pull_requests`): ``python bench/mutate.py --base REPO... --keep
FOLDER``. FOLDER keeps the changes and what became of them; a change that is there is not made again, nor run again
without ``--again``. ``--draw N`` takes N of the repositories, by the seed, among those in which enough arrives.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path

import pull_request_runs
from mutants import Attempt, Mutant, Subject, changes, input_texts
from references import MISSED, REACHED, Place, references
from repositories import expand, name, share, table
from workbench import Bench, opened

from portproof import pipeline, resources
from portproof.combined import combine
from portproof.discover.model import Target
from portproof.graph import link
from portproof.outcome import FindingGroup
from portproof.render.cache import remember
from portproof.render.model import NotRendered, Renderer, RenderFailure, Rendering
from portproof.rules.base import Severity
from portproof.source import Edit, LineIndex, Span, Tree
from portproof.trace.model import Origin, Proof

ATTEMPTS = 10
"""Text changes that are tried for each mutant that is asked for; most of them are not effective."""

_LOUD = (Severity.ERROR, Severity.WARNING)


@dataclass
class Result:
    """What became of one mutant. `severity` is the worst of the findings about it; `new` lists every new finding."""

    repository: str
    target: str
    kind: str
    place: str
    line: str
    old: str
    new: str
    far: bool
    targets: int
    severity: str = ""
    rules: list[str] = field(default_factory=list)
    aside: list[str] = field(default_factory=list)
    located: bool = False
    location: bool = False
    fix_edit: bool = False
    fix: str = ""
    alternatives: list[str] = field(default_factory=list)
    together: str = ""
    findings: int = 0
    tracing: int = 0
    proving: int = 0
    seconds: float = 0.0

    @property
    def found(self) -> bool:
        return self.severity in ("error", "warning")


class Counting:
    """A renderer that counts who asks: tracing calls it directly, everything else through the cache or `fix`."""

    def __init__(self, render: Renderer, target: Target) -> None:
        self._render = render
        self._target = target
        self.calls: Counter[str] = Counter()

    def __call__(self, target: Target, tree: Tree) -> Rendering | RenderFailure | NotRendered:
        if target.id == self._target.id:
            self.calls[sys._getframe(1).f_globals["__name__"].rpartition(".")[2]] += 1  # noqa: SLF001
        return self._render(target, tree)

    @property
    def tracing(self) -> int:
        return self.calls["probe"]

    @property
    def proving(self) -> int:
        return self.calls.total() - self.tracing - 1  # one render is the check itself


def mutants(
    bench: Bench, limit: int, seed: str, pool: ThreadPoolExecutor
) -> tuple[list[Mutant], Counter[str]]:
    """At most `limit` mutants, spread over targets and kinds; and how many were set aside, by reason."""
    tree, targets = bench.ready.tree, list(bench.ready.discovery.targets)
    random.Random(seed).shuffle(targets)
    by_path = {one.path: one for one in targets}
    chosen = list(by_path.values())[: 2 * limit]
    subjects = [one for one in pool.map(lambda one: Subject.of(one, tree, bench.render), chosen) if one]
    paths = _paths(tree.root)
    each = math.ceil(ATTEMPTS * limit / max(1, len(subjects)))
    tries = [
        (subject, attempt)
        for subject in subjects
        for attempt in islice(changes(subject, input_texts(subject.target, tree, paths), seed), max(8, each))
    ]
    judged = [one for one in pool.map(partial(_judge, bench), tries) if one]
    quiet = Counter(one.verdict for one in judged if one.verdict != MISSED)
    return _spread([one for one in judged if one.verdict == MISSED], limit), quiet


def _judge(bench: Bench, one: tuple[Subject, Attempt]) -> Mutant | None:
    subject, attempt = one
    return subject.judge(attempt, bench.render)


def _paths(root: Path) -> list[str]:
    found = []
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(one for one in folders if one != ".git")
        found += [os.path.relpath(f"{folder}/{one}", root) for one in files]
    return sorted(found)


def _spread(found: list[Mutant], limit: int) -> list[Mutant]:
    """Take turns among kinds, and within a kind among targets; a place is changed once."""
    taken: dict[Span, Mutant] = {}
    by_kind: Counter[str] = Counter()
    by_target: Counter[tuple[str, str]] = Counter()
    left = list(found)
    while left and len(taken) < limit:
        best = min(left, key=lambda one: (by_kind[one.kind], by_target[one.kind, one.target.id]))
        taken.setdefault(best.edit.span, best)
        by_kind[best.kind] += 1
        by_target[best.kind, best.target.id] += 1
        left = [one for one in left if one.edit.span not in taken]
    return list(taken.values())


def trial(bench: Bench, mutant: Mutant) -> Result:
    """Run portproof on the repository with the mutant in it."""
    tree = bench.ready.tree.with_edits([mutant.edit])
    targets = bench.readers(mutant.edit.span.path)
    counting = Counting(bench.render, mutant.target)
    plan = pipeline.Plan(
        tree=tree,
        targets=tuple(targets),
        everything=bench.ready.discovery.targets,
        rule_set=bench.rule_set,
        render=remember(counting),
        fresh=counting,
        jobs=1,
    )
    started = time.perf_counter()
    survey = pipeline.survey(plan)
    prover = pipeline.prover_of(plan, survey)
    outcome = pipeline.finish(plan, survey, prover)
    seconds = time.perf_counter() - started
    result = _result(bench, mutant, len(targets))
    result.seconds, result.tracing, result.proving = round(seconds, 2), counting.tracing, counting.proving
    fresh = [one for one in outcome.merged if _is_new(one, bench)]
    result.findings = len(fresh)
    about = [one for one in fresh if _is_about(one, mutant)]
    about.sort(key=lambda one: one.finding.severity.rank)
    result.rules = [_say(one) for one in about]
    # The same mistake shows in every target that reads the file, under other namespaces and names.
    result.aside = [_say(one) for one in fresh if one not in about and _say(one) not in result.rules]
    if not about:
        return result
    result.severity = about[0].finding.severity.value
    loud = [one for one in about if one.finding.severity in _LOUD]
    _locate(result, loud, mutant, tree)
    _heal(result, loud, bench, mutant, tree)
    result.together = _healing(combine(outcome, prover).edits, bench, mutant, tree)
    return result


def _result(bench: Bench, mutant: Mutant, targets: int) -> Result:
    edit = mutant.edit
    text = bench.ready.tree.text(edit.span.path)
    number = LineIndex.of(text).position(edit.span.start)[0]
    line = text.split("\n")[number - 1].strip()[:100]
    place = f"{edit.span.path}:{number}"
    return Result(
        name(bench.repository),
        mutant.target.id,
        mutant.kind,
        place,
        line,
        edit.old,
        edit.new,
        mutant.far,
        targets,
    )


def _is_new(one: FindingGroup, bench: Bench) -> bool:
    return any(member.found.key not in (bench.healthy(member.target) or ()) for member in one.members)


def _is_about(one: FindingGroup, mutant: Mutant) -> bool:
    """Whether the primary or a related field is an end of a reference that the mutant breaks."""
    # Each target may have the resource under another namespace or name.
    findings = [member.found.finding for member in one.members]
    sites = [site for found in findings for site in (found.primary, *(label.site for label in found.related))]
    ends: set[Place] = {end for broken in mutant.broken for end in (broken.source, *broken.ends)}
    return any(
        site.resource == key and site.path[: len(path)] == path for site in sites for key, path in ends
    )


def _say(one: FindingGroup) -> str:
    return f"{one.finding.severity.value} {one.first.found.rule.id}"


def _locate(result: Result, loud: Sequence[FindingGroup], mutant: Mutant, tree: Tree) -> None:
    index = LineIndex.of(tree.text(mutant.edit.span.path))
    line = index.position(mutant.edit.span.start)[0]

    def hits(span: Span) -> bool:
        return span.path == mutant.edit.span.path and index.position(span.start)[0] == line

    def proven(origin: Origin | None) -> bool:
        return origin is not None and origin.proof is Proof.PROVEN and hits(origin.span)

    for one in loud:
        places = [one.first.origins.get(label.site) for label in one.finding.related]
        result.location |= proven(one.first.origins.get(one.finding.primary))
        result.fix_edit |= one.fix is not None and any(hits(edit.span) for edit in one.fix.edits)
        result.located |= any(map(proven, places)) or any(
            hits(edit.span) for fix in one.proposals for edit in fix.edits
        )
    result.located |= result.location


def _heal(result: Result, loud: Sequence[FindingGroup], bench: Bench, mutant: Mutant, tree: Tree) -> None:
    fixes = [_healing(one.fix.edits, bench, mutant, tree) for one in loud if one.fix]
    result.fix = next((how for how in ("restored", "healed", "not healed") if how in fixes), "none")
    others = [fix.edits for one in loud for fix in one.alternatives]
    result.alternatives = [_healing(edits, bench, mutant, tree) for edits in others]


def _healing(edits: Sequence[Edit], bench: Bench, mutant: Mutant, tree: Tree) -> str:
    """``restored`` when the edits give back the original text, ``healed`` when the repository is as healthy again."""
    mended = tree.with_edits(edits)
    paths = {mutant.edit.span.path, *(edit.span.path for edit in edits)}
    if all(mended.text(path) == bench.ready.tree.text(path) for path in paths):
        return "restored"
    for target in {one.id: one for path in paths for one in bench.readers(path)}.values():
        keys = bench.keys(target, mended)
        if keys is None or keys - (bench.healthy(target) or frozenset()):
            return "not healed"
    rendering = bench.render(mutant.target, mended)
    assert isinstance(rendering, Rendering)
    now = references(link.build(resources.read(rendering)))
    arrives = all(one.source in now and now[one.source].state == REACHED for one in mutant.broken)
    return "healed" if arrives else "not healed"


def summary(results: Sequence[Result], label: Callable[[Result], str], title: str) -> list[str]:
    """A table with a line for each group of results."""
    groups: dict[str, list[Result]] = defaultdict(list)
    for one in results:
        groups[label(one)].append(one)
    head = (title, "mutants", "found", "error", "warning", "located", "at the finding", "by the fix",
            "fix heals", "restores", "or alternative", "all fixes", "extra renders", "s")  # fmt: skip
    rows: list[tuple[object, ...]] = [head]
    rows += [_row(key, groups[key]) for key in sorted(groups)]
    return [*table([*rows, _row("all", results)]), ""]


def _row(key: str, group: Sequence[Result]) -> tuple[object, ...]:
    whole = len(group)
    heals = [one for one in group if one.fix in ("healed", "restored")]
    either = [one for one in group if {"healed", "restored"} & {one.fix, *one.alternatives}]
    extra = [(one.tracing + one.proving) / max(1, one.findings) for one in group if one.found]
    return (
        key,
        whole,
        share(sum(one.found for one in group), whole),
        sum(one.severity == "error" for one in group),
        sum(one.severity == "warning" for one in group),
        share(sum(one.located for one in group), whole),
        sum(one.location for one in group),
        sum(one.fix_edit for one in group),
        share(len(heals), whole),
        sum(one.fix == "restored" for one in group),
        share(len(either), whole),
        share(sum(one.together in ("healed", "restored") for one in group), whole),
        f"{sum(extra) / len(extra):.1f} (max {max(extra):.1f})" if extra else "-",
        f"{sum(one.seconds for one in group) / whole:.1f}" if whole else "-",
    )


_LISTS: tuple[tuple[str, Callable[[Result], bool]], ...] = (
    ("Not found", lambda one: not one.found),
    ("Found, not located", lambda one: one.found and not one.located),
    (
        "Located, not healed by the first fix",
        lambda one: one.located and one.fix not in ("healed", "restored"),
    ),
    ("More was said", lambda one: bool(one.aside)),
)


def listing(results: Sequence[Result]) -> Iterator[str]:
    """Every mutant that was not found, located and healed, with what came out."""
    for title, wanted in _LISTS:
        some = [one for one in results if wanted(one)]
        yield f"{title}: {len(some)}"
        for one in some:
            said = "; ".join(one.rules) or "nothing"
            aside = f"; beside it: {'; '.join(one.aside)}" if one.aside else ""
            fixes = f"fix: {one.fix or '-'}; alternatives: {' '.join(one.alternatives) or '-'}"
            yield f"  {one.kind}: {one.repository} {one.place} {one.old} -> {one.new}  | {one.line}"
            yield f"      {one.target}: {said}{aside}"
            yield f"      {fixes}; all fixes together: {one.together or '-'}"
        yield ""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("repository", type=Path, nargs="+")
    parser.add_argument("--limit", type=int, default=20, help="mutants for each repository at most")
    parser.add_argument("--seed", default="1")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--out", type=Path, help="write all results there as JSON")
    parser.add_argument("--base", action="store_true", help="make each mutation a pull request")
    parser.add_argument("--keep", type=Path, help="with --base: where changes and results are kept")
    parser.add_argument("--draw", type=int, default=0, help="with --base: take so many of the repositories")
    parser.add_argument(
        "--without",
        action="append",
        default=[],
        help="with --draw: a repository that is too slow to be drawn",
    )
    parser.add_argument("--again", action="store_true", help="with --base: run those again that fell short")
    chosen = parser.parse_args()
    if chosen.base:
        if not chosen.keep:
            parser.error("--base needs --keep")
        pull_request_runs.run(chosen)
        return
    results: list[Result] = []
    quiet: Counter[str] = Counter()
    with ThreadPoolExecutor(chosen.jobs) as pool:
        for repository in expand(chosen.repository):
            with opened(repository) as bench:
                found, aside = mutants(bench, chosen.limit, chosen.seed, pool)
                results += pool.map(partial(trial, bench), found)
                quiet += aside
            print(f"{name(repository)}: {len(found)} mutants", file=sys.stderr)
            if chosen.out:
                chosen.out.write_text(
                    json.dumps([asdict(one) for one in results], indent=1), encoding="utf-8"
                )
    print(*summary(results, lambda one: one.repository, "repository"), sep="\n")
    print(*summary(results, lambda one: one.kind, "kind / changed end"), sep="\n")
    print(*summary(results, lambda one: "far number" if one.far else "slip", "new value"), sep="\n")
    print(
        "Set aside, quiet by design:",
        ", ".join(f"{one} {count}" for one, count in sorted(quiet.items())) or "none",
    )
    print(*listing(results), sep="\n")


if __name__ == "__main__":
    main()
