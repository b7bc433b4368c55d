"""Runs the mutations of repositories as pull requests, and prints what became of them: ``mutate.py --base``."""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import islice
from pathlib import Path

from pull_requests import Case, Ground, Healthy, Outcome, cases, decoded, healthy, trial
from repositories import cloned, expand, name, share, table
from workbench import Bench, opened

ENOUGH = 10
"""References that have to arrive in a repository that is drawn."""


def kept_in(chosen: argparse.Namespace, repository: Path) -> Path:
    """Where the changes of a repository and their results are."""
    folder: Path = chosen.keep
    return folder / name(repository).replace("/", "__")


def drawn(repositories: Sequence[Path], chosen: argparse.Namespace) -> Iterator[Path]:
    """As many repositories as are wanted in which enough arrives, in an order that is random but fixed by the seed."""
    order = list(repositories)
    random.Random(chosen.seed).shuffle(order)
    found = 0
    for repository in order:
        if found == chosen.draw:
            return
        known = (kept_in(chosen, repository) / "cases.json").exists()
        if repository.name not in chosen.without and (known or _is_enough(repository, chosen.seed)):
            found += 1
            yield repository


def _is_enough(repository: Path, seed: str) -> bool:
    with cloned(repository) as clone, opened(clone) as bench:
        arrives = 0
        for subject in _subjects(bench, seed):
            arrives += len(subject.arrives)
            if arrives >= ENOUGH:
                return True
    return False


def _subjects(bench: Bench, seed: str) -> Iterator[Healthy]:
    """The targets of a repository, one of each path, in an order that is random but fixed by `seed`."""
    targets = list(bench.ready.discovery.targets)
    random.Random(seed).shuffle(targets)
    return healthy({one.path: one for one in targets}.values(), bench.ready.tree, bench.render)


def run(chosen: argparse.Namespace) -> None:
    """Run the mutations of all repositories as pull requests, and print what became of them."""
    results: list[Outcome] = []
    repositories = expand(chosen.repository)
    for repository in drawn(repositories, chosen) if chosen.draw else repositories:
        folder = kept_in(chosen, repository)
        folder.mkdir(parents=True, exist_ok=True)
        with cloned(repository) as clone, opened(clone) as bench:
            results += _pull_requests(bench, folder, chosen, name(repository))
        mine = [one for one in results if one.repository == name(repository)]
        print(*_base_row(name(repository), mine), sep="  ", file=sys.stderr, flush=True)
    print_pull_requests(results)


def _pull_requests(bench: Bench, folder: Path, chosen: argparse.Namespace, label: str) -> Iterator[Outcome]:
    made, done = folder / "cases.json", folder / "results.json"
    if not made.exists():
        subjects = list(islice(_subjects(bench, chosen.seed), chosen.limit))
        ground = Ground(bench.ready.tree, bench.render, bench.ready.discovery.targets)
        found, aside = cases(subjects, ground, chosen.limit, chosen.seed)
        kept = {"aside": aside, "cases": [asdict(one) for one in found]}
        made.write_text(json.dumps(kept, indent=1), encoding="utf-8")
    every = [decoded(one) for one in json.loads(made.read_text(encoding="utf-8"))["cases"]]
    known: dict[Case, Outcome] = {}
    if done.exists():
        for data in json.loads(done.read_text(encoding="utf-8")):
            one = Outcome(**{**data, "case": decoded(data["case"])})
            known[one.case] = one
    targets = {one.id: one for one in bench.ready.discovery.targets}
    for case in every:
        result = known.get(case)
        if result is None or (chosen.again and not result.right):
            known[case] = result = trial(bench.repository, label, case, targets[case.target], bench.render)
            done.write_text(json.dumps([asdict(one) for one in known.values()], indent=1), encoding="utf-8")
        yield result


def print_pull_requests(results: Sequence[Outcome]) -> None:
    head = ("", "changes", "reported", "error", "warning", "at the line", "cured", "base's text", "moved along",
            "together", "said of these", "crashed", "s")  # fmt: skip
    for label in (
        lambda one: one.repository,
        lambda one: one.case.kind,
        lambda one: "far" if one.case.far else "near",
    ):
        groups: dict[str, list[Outcome]] = defaultdict(list)
        for one in results:
            groups[label(one)].append(one)
        print(
            *table(
                [head, *(_base_row(key, groups[key]) for key in sorted(groups)), _base_row("all", results)]
            ),
            sep="\n",
        )
        print()
    for one in results:
        if not one.right:
            case = one.case
            print(f"{one.repository} {case.path}:{case.line} {case.value} -> {case.new}  | {case.text}")
            print(f"    {'together: ' if case.together else ''}{case.kind}, {case.target}")
            print(
                f"    reported: {one.severity or '-'} at {one.location or '-'}; cure: {one.cure} ({one.fix})"
            )
            print(*(f"      {line}" for line in one.said), sep="\n")


def _base_row(label: str, some: Sequence[Outcome]) -> tuple[object, ...]:
    single = [one for one in some if not one.case.together]
    together = [one for one in some if one.case.together]
    found = [one for one in single if one.reported]
    return (
        label,
        len(single),
        share(len(found), len(single)),
        sum(one.severity == "error" for one in single),
        sum(one.severity == "warning" for one in single),
        share(sum(one.at_line for one in single), len(single)),
        share(sum(one.cured for one in single), len(single)),
        sum(one.cure == "base's text" for one in single),
        sum(one.cure == "moved along" for one in single),
        len(together),
        sum(bool(one.alarms) for one in together),
        sum(one.exit not in (0, 1) for one in some),
        f"{sum(one.seconds for one in some):.0f}",
    )
