"""Real commits that touch ports, each checked as the pull request that it may have been.

Run: ``python bench/history.py REPO... --keep FOLDER [--each N] [--seed S] [--again]``; nothing is written into
the repositories: each is cloned, and its commits are laid out in the clone. A commit counts when helm or kustomize, run
bare, renders at least one target that it concerns on both revisions. FOLDER gets a JSON file for each commit, and
``findings.md``: every error and warning that a commit brings in, beside its diff, to be judged by reading.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from overhead import bare_commands
from repositories import PROGRAM, cloned, expand, name, share, table

from portproof.flags import Flags
from portproof.session import Request, prepare

PORT_FIELD = r"^[[:space:]]*(- )?\"?[A-Za-z]*([pP]ort|portName|serviceName)\"?:[[:space:]]"
"""A line of YAML that sets a field of a port, or the same in a template."""

FILES = ("*.yaml", "*.yml", "*.tpl", "*.json", ":!.github", ":!*crd*", ":!*/testdata/*", ":!*.golden.*")

NEWEST = 400
"""Commits of a repository that are drawn from: older ones are of charts that helm renders no more."""

BUDGET = 2
"""How often the time of rendering both revisions a check may take, and a second more."""

LARGE = 40
"""Targets that a commit may concern; more take minutes, and say the same many times."""

TRIES = 6
"""Commits that are tried for each that is asked for; many concern nothing that can be rendered."""


@dataclass
class Result:
    """What became of one commit. `seconds` are portproof's; `bare` those of the programs alone, in both revisions."""

    repository: str
    commit: str
    subject: str
    exit: int = 0
    counted: bool = False
    targets: int = 0
    seconds: float = 0.0
    bare: float = 0.0
    findings: list[dict[str, Any]] = field(default_factory=list)
    stderr: str = ""


def git(clone: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=clone, capture_output=True, check=True)
    return done.stdout.decode("utf-8", "replace")


def commits(clone: Path, seed: str) -> list[str]:
    """Commits whose difference has a port field, in an order that is random but fixed by `seed`."""
    options = ("--no-merges", f"--max-count={NEWEST}", "--format=%H %P", "-E", f"-G{PORT_FIELD}")
    # Where a snapshot lacks a file, git stops there: what it has found until then are the newest.
    log = subprocess.run(
        ["git", "log", *options, "--", *FILES], cwd=clone, capture_output=True, text=True, check=False
    )
    found = log.stdout.splitlines()
    random.Random(f"{seed}:{clone.name}").shuffle(found)
    return [commit for commit, *parents in map(str.split, found) if parents]


def lay_out(clone: Path, revision: str) -> bool:
    """False where a snapshot of the repository lacks a file of the revision."""
    try:
        git(clone, "checkout", "-q", "-f", "--detach", revision)
    except subprocess.CalledProcessError:
        return False
    git(clone, "clean", "-q", "-f", "-d", "-x")
    return True


def trial(clone: Path, commit: str, repository: str) -> Result:
    """Check `commit` against its parent, then render what it concerns in both revisions, bare."""
    result = Result(repository, commit, git(clone, "log", "-1", "--format=%s", commit).strip())
    if not (lay_out(clone, f"{commit}^") and lay_out(clone, commit)):
        return result
    request = Request(paths=(str(clone),), flags=Flags(offline=True, base=f"{commit}^"))
    if not 0 < len(prepare(request).targets) <= LARGE:
        return result
    wanted = check(clone, result)
    if result.exit not in (0, 1):
        result.counted = True  # a failure of ours is one, whatever could be rendered
        return result
    after, rendered_after = bare(clone, wanted)
    lay_out(clone, f"{commit}^")
    before, rendered_before = bare(clone, wanted)
    result.bare = before + after
    # Plain manifests need no program.
    result.counted = bool(rendered_before and rendered_after) or (bool(wanted) and not before + after)
    return result


def check(clone: Path, result: Result) -> set[str]:
    """Run portproof on the work tree of a clone, and note what it says; the ids of what was rendered."""
    base = f"{result.commit}^"
    options = ("--offline", "--jobs", "1", "--format", "json", "--base", base)
    started = time.perf_counter()
    done = subprocess.run(
        [*PROGRAM, "check", *options, str(clone)], capture_output=True, text=True, check=False
    )
    result.seconds = time.perf_counter() - started
    result.exit, result.stderr = done.returncode, done.stderr[-4000:]
    if done.returncode not in (0, 1):
        return set()
    report = json.loads(done.stdout)
    wanted = {one["id"] for one in report["targets"] if one["status"] in ("checked", "failed")}
    result.targets = len(wanted)
    result.findings = [one for one in report["findings"] if one["introduced"] and one["severity"] != "note"]
    return wanted


def bare(clone: Path, wanted: set[str]) -> tuple[float, int]:
    """Seconds that helm and kustomize need for the targets, and how many of them render."""
    commands = list(bare_commands(clone, wanted)) if wanted else []
    if not commands:
        return 0.0, 0
    started = time.perf_counter()
    done = [subprocess.run(argv, capture_output=True, check=False, cwd=clone) for argv in commands]
    return time.perf_counter() - started, sum(one.returncode == 0 for one in done)


def hunks(clone: Path, one: Result) -> str:
    """The hunks of the commit's difference that have a port field, and those of the files that findings name."""
    named = {place["path"] for finding in one.findings for place in _places(finding)}
    shown = git(clone, "show", "-U4", "--format=", "--no-renames", one.commit, "--", *FILES)
    kept = []
    for text in re.split(r"(?m)^(?=diff --git )", shown):
        head, *parts = re.split(r"(?m)^(?=@@ )", text)
        path = head.partition(" b/")[2].partition("\n")[0]
        parts = [part for part in parts if path in named or re.search(r"(?mi)^[-+].*port|^[-+].*name:", part)]
        if parts:
            kept.append(f"--- {path}\n" + "".join(parts))
    return "".join(kept)


def _places(finding: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from (
        place for place in (finding["location"], *(one["location"] for one in finding["related"])) if place
    )


def say(clone: Path, one: Result) -> Iterator[str]:
    """Every finding of a commit, and its difference, as Markdown."""
    yield f"\n## {one.repository} {one.commit[:12]} {one.subject}\n"
    for finding in one.findings:
        resource = finding["resource"] or {"kind": "?", "name": "?"}
        yield f"* **{finding['severity']} {finding['rule']}** {resource['kind']}/{resource['name']} {finding['field']}"
        yield f"  = {finding['value']!r}: {finding['message']}"
        places = ", ".join(
            f"{place['path']}:{place['line']} [{place['proof']}]" for place in _places(finding)
        )
        yield f"  * {places or 'place unknown'}; in {len(finding['targets'])}: {finding['targets'][0]}"
        if finding.get("change"):
            yield f"  * change: {json.dumps(finding['change'])}"
        if finding["fix"]:
            yield f"  * fix ({finding['fix'].get('safety', '')}): {finding['fix']['description']}"
    yield f"\n```diff\n{hunks(clone, one)[:12000]}\n```"


def repository_results(repository: Path, chosen: argparse.Namespace) -> list[Result]:
    kept: Path = chosen.keep / name(repository).replace("/", "__")
    kept.mkdir(parents=True, exist_ok=True)
    results: list[Result] = []
    with cloned(repository) as clone:
        lines: list[str] = []
        for commit in commits(clone, chosen.seed)[: TRIES * chosen.each]:
            if sum(one.counted for one in results) == chosen.each:
                break
            file = kept / f"{commit}.json"
            one = Result(**json.loads(file.read_text(encoding="utf-8"))) if file.exists() else None
            if one is None:
                one = trial(clone, commit, name(repository))
            elif chosen.again and one.counted and lay_out(clone, commit):
                check(clone, one)
            file.write_text(json.dumps(asdict(one), indent=1), encoding="utf-8")
            results.append(one)
            if one.counted and one.findings:
                lines += say(clone, one)
        (kept / "findings.md").write_text("\n".join(lines), encoding="utf-8")
    counted = [one for one in results if one.counted]
    print(*_row(name(repository), counted), sep="  ", file=sys.stderr, flush=True)
    return counted


def _row(label: str, some: Sequence[Result]) -> tuple[object, ...]:
    found = [finding["severity"] for one in some for finding in one.findings]
    timed = [one for one in some if one.bare]
    ratios = [one.seconds / one.bare for one in timed]
    return (
        label,
        len(some),
        sum(bool(one.findings) for one in some),
        found.count("error"),
        found.count("warning"),
        sum(one.exit not in (0, 1) for one in some),
        share(sum(one.seconds <= BUDGET * one.bare + 1 for one in timed), len(timed)),
        f"{sum(one.seconds for one in timed):.1f}",
        f"{sum(one.bare for one in some):.1f}",
        f"{statistics.median(ratios):.2f}" if ratios else "-",
    )


def print_tables(results: Sequence[Result]) -> None:
    head = (
        "repository",
        "commits",
        "with findings",
        "error",
        "warning",
        "code 2 or 3",
        "s",
        "bare s",
        "median ratio",
    )
    names = sorted({one.repository for one in results})
    rows = [_row(label, [one for one in results if one.repository == label]) for label in names]
    print(*table([head, *rows, _row("all", results)]), sep="\n")
    found = [(finding["severity"], finding["rule"]) for one in results for finding in one.findings]
    print(*(f"{found.count(key):6}  {key[0]:8} {key[1]}" for key in sorted(set(found))), sep="\n")


def joined(folder: Path, repositories: Iterable[Path]) -> str:
    parts = (folder / name(one).replace("/", "__") / "findings.md" for one in repositories)
    return "".join(part.read_text(encoding="utf-8") for part in parts)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("repository", type=Path, nargs="+")
    parser.add_argument(
        "--keep", type=Path, required=True, help="results of commits; those that are there are not run again"
    )
    parser.add_argument("--each", type=int, default=12, help="commits for each repository at most")
    parser.add_argument("--seed", default="1")
    parser.add_argument("--again", action="store_true", help="check those again that are there")
    chosen = parser.parse_args()
    repositories = expand(chosen.repository)
    results = [one for repository in repositories for one in repository_results(repository, chosen)]
    (chosen.keep / "findings.md").write_text(joined(chosen.keep, repositories), encoding="utf-8")
    print_tables(results)


if __name__ == "__main__":
    main()
