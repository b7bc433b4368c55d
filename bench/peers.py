"""kube-linter and kube-score on the same charts: how long they take, and what they find of the mutants of `mutate.py`.

Both are found on PATH or in GOBIN; ``go install`` builds them: `TOOLS` names the versions. kube-linter renders charts itself,
with their defaults; kube-score gets what helm renders. Neither looks at the source, so what they find has no place in it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from mutants import Mutant
from mutate import mutants, trial
from repositories import cloned
from workbench import opened

from portproof.discover.model import HelmTarget
from portproof.source import Tree

TOOLS = {
    "kube-linter": "golang.stackrox.io/kube-linter/cmd/kube-linter@v0.7.2",
    "kube-score": "github.com/zegl/kube-score/cmd/kube-score@v1.20.0",
}


def find(tool: str) -> str | None:
    """The path of a tool; None where it is not built, which is said."""
    place = (
        os.environ.get("GOBIN")
        or subprocess.run(["go", "env", "GOPATH"], capture_output=True, text=True, check=True).stdout.strip()
        + "/bin"
    )
    found = shutil.which(tool) or shutil.which(tool, path=place)
    if found is None:
        print(f"{tool} is not here: go install {TOOLS[tool]}", file=sys.stderr)
    return found


@dataclass(frozen=True, slots=True)
class Found:
    """Of how many mutants in charts each program has something new to say; None for one that is not here."""

    mutants: int
    portproof: int
    located: int
    kube_linter: int | None
    kube_score: int | None


def found(repository: Path, limit: int, seed: str) -> Found:
    """Put mutants into a clone, one after another, and ask all three."""
    linter, score = find("kube-linter"), find("kube-score")
    with cloned(repository) as clone, opened(clone) as bench, ThreadPoolExecutor(2) as pool:
        chosen, _ = mutants(bench, limit, seed, pool)
        charts = [one for one in chosen if isinstance(one.target, HelmTarget)]
        ours = [trial(bench, one) for one in charts]
        helm = str(bench.ready.config.helm or os.environ["PORTPROOF_HELM"])
        lint = None if linter is None else _told(clone, charts, partial(_linted, linter))
        scored = None if score is None else _told(clone, charts, partial(_scored, score, helm))
    return Found(
        len(charts),
        sum(one.found for one in ours),
        sum(one.located for one in ours),
        lint,
        scored,
    )


def _told(clone: Path, charts: Sequence[Mutant], ask: Callable[[Path], set[tuple[str, ...]]]) -> int:
    """Of how many mutants a program says something."""
    return sum(_is_new(clone, one, ask) for one in charts)


def _is_new(clone: Path, mutant: Mutant, ask: Callable[[Path], set[tuple[str, ...]]]) -> bool:
    """Whether a program says something of a chart with the mutant that it does not say without."""
    chart = clone / mutant.target.path
    before = ask(chart)
    file = clone / mutant.edit.span.path
    text = file.read_bytes()
    try:
        file.write_text(Tree(clone).with_edits([mutant.edit]).text(mutant.edit.span.path), encoding="utf-8")
        return bool(ask(chart) - before)
    finally:
        file.write_bytes(text)


def _linted(program: str, chart: Path) -> set[tuple[str, ...]]:
    done = subprocess.run([program, "lint", "--format", "json", str(chart)], capture_output=True, check=False)
    try:
        reports = json.loads(done.stdout or b"{}").get("Reports") or []
    except ValueError:
        return set()
    return {
        (one["Check"], str(one["Object"].get("K8sObject", "")), one["Diagnostic"]["Message"])
        for one in reports
    }


def _scored(program: str, helm: str, chart: Path) -> set[tuple[str, ...]]:
    rendered = subprocess.run(
        [helm, "template", "release-name", str(chart)], capture_output=True, check=False
    )
    done = subprocess.run(
        [program, "score", "--output-format", "json", "-"],
        input=rendered.stdout,
        capture_output=True,
        check=False,
    )
    try:
        objects = json.loads(done.stdout or b"[]")
    except ValueError:
        return set()
    return {
        (str(one.get("object_name")), check["check"]["id"], str(comment.get("summary")))
        for one in objects or []
        for check in one.get("checks") or []
        if not check.get("skipped") and check.get("grade", 10) < 10
        for comment in check.get("comments") or [{}]
    }


if __name__ == "__main__":
    print(found(Path(sys.argv[1]), int(sys.argv[2]), "1"))
