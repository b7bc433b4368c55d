"""kube-linter and kube-score on the same charts: what they find of the mutants of `mutate.py`.

Both are found on PATH or in GOBIN. They judge the text that portproof judges: what helm renders with the mutant in it and with
the values of the target. Neither looks at the source, so what they find has no place in it.

Run: ``python bench/peers.py REPOSITORY LIMIT`` prints each mutant, and who finds it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeAlias

from mutants import Mutant
from mutate import Result, mutants, trial
from repositories import cloned, report
from workbench import opened

from portproof.discover.model import HelmTarget
from portproof.render.cache import remember
from portproof.render.model import Renderer, Rendering
from portproof.rules.base import Severity
from portproof.source import Tree

Said: TypeAlias = frozenset[tuple[str, ...]]
"""What a program says of a rendering: the check, the object, the message."""

LINTER_CHECKS = ("--add-all-built-in", "--exclude", "schema-validation,privileged-ports")
"""All checks of kube-linter, but for the one that fetches schemas, and one that repeats each low number whatever asks for it."""

SCORE_CHECKS = ("--all-default-optional",)
"""All checks of kube-score."""


def find(tool: str) -> str | None:
    """The path of a tool; None where it is not built, which is said."""
    place = os.environ.get("GOBIN") or str(Path.home() / "go" / "bin")
    found = shutil.which(tool) or shutil.which(tool, path=place)
    if found is None:
        print(f"{tool} is neither on PATH nor in {place}", file=sys.stderr)
    return found


@dataclass(frozen=True, slots=True)
class Tried:
    """One mutant, and who has something new to say; None for a program that is not here.

    Of portproof that is an error or a warning: of the tree as it is, and of the mutant as a change with ``--base``. `noted`
    says that it is a note instead.
    """

    kind: str
    place: str
    change: str
    portproof: bool
    noted: bool
    located: bool
    with_base: bool
    kube_linter: bool | None
    kube_score: bool | None
    said: tuple[str, ...]
    """The new words of the other two."""


def found(repository: Path, limit: int, seed: str) -> list[Tried]:
    """Put mutants into charts, one at a time, and ask all three."""
    programs = {"kube-linter": (find("kube-linter"), _linted), "kube-score": (find("kube-score"), _scored)}
    asked = {name: _Asked(program, ask) for name, (program, ask) in programs.items() if program}
    with cloned(repository) as clone, opened(clone) as bench, ThreadPoolExecutor(2) as pool:
        chosen, _ = mutants(bench, limit, seed, pool)
        charts = [one for one in chosen if isinstance(one.target, HelmTarget)]
        render = remember(bench.render)
        return [_tried(bench.ready.tree, one, trial(bench, one), render, asked) for one in charts]


def _tried(tree: Tree, mutant: Mutant, ours: Result, render: Renderer, asked: dict[str, _Asked]) -> Tried:
    after = tree.with_edits([mutant.edit])
    before, now = (_text(mutant, one, render) for one in (tree, after))
    new = {name: one.says(now) - one.says(before) for name, one in asked.items()}
    linter, score = ([*new[name]] if name in new else None for name in ("kube-linter", "kube-score"))
    return Tried(
        mutant.kind,
        ours.place,
        f"{ours.old} -> {ours.new}",
        ours.found,
        ours.severity == Severity.NOTE.value,
        ours.located,
        _introduced(after, mutant.edit.span.path),
        None if linter is None else bool(linter),
        None if score is None else bool(score),
        tuple(sorted(": ".join(one) for one in (*(linter or ()), *(score or ())))),
    )


def _introduced(after: Tree, path: str) -> bool:
    """Whether the change brings in an error or a warning."""
    file = after.root / path
    text = file.read_bytes()
    try:
        file.write_text(after.text(path), encoding="utf-8", newline="")
        findings = report(after.root, ("--base", "HEAD"))["findings"]
    finally:
        file.write_bytes(text)
    return any(one["introduced"] and one["severity"] != "note" for one in findings)


@dataclass(frozen=True, slots=True)
class _Asked:
    """A program, and how to ask it."""

    program: str
    ask: Callable[[str, str], Said]

    def says(self, text: str) -> Said:
        return self.ask(self.program, text)


def _text(mutant: Mutant, tree: Tree, render: Renderer) -> str:
    rendering = render(mutant.target, tree)
    assert isinstance(rendering, Rendering)  # or it were no mutant
    return "\n---\n".join(one.text for one in rendering.documents)


def _linted(program: str, text: str) -> Said:
    printed = _answer([program, "lint", "--format", "json", *LINTER_CHECKS, "-"], text)
    return frozenset(
        (one["Check"], _name(one["Object"]["K8sObject"]), one["Diagnostic"]["Message"])
        for one in printed["Reports"] or ()
    )


def _name(found: dict[str, Any]) -> str:
    return f"{found['GroupVersionKind']['Kind']}/{found['Name']}"


def _scored(program: str, text: str) -> Said:
    return frozenset(
        (
            check["check"]["id"],
            one["object_name"],
            f"{comment['path']} {comment['summary']} {comment['description']}",
        )
        for one in _answer([program, "score", "--output-format", "json", *SCORE_CHECKS, "-"], text) or ()
        for check in one["checks"] or ()
        if not check["skipped"] and check["grade"] < _GOOD
        for comment in check["comments"] or ()
    )


_GOOD = 10
"""The grade of kube-score for what it has nothing against."""


def _answer(argv: Sequence[str], text: str) -> Any:
    done = subprocess.run(argv, input=text, text=True, capture_output=True, check=False)
    try:
        return json.loads(done.stdout)
    except ValueError:
        # A silent program would count as one that finds nothing.
        raise SystemExit(f"{' '.join(argv)} ended with {done.returncode}\n{done.stderr[-2000:]}") from None


if __name__ == "__main__":
    print(json.dumps([asdict(one) for one in found(Path(sys.argv[1]), int(sys.argv[2]), "1")], indent=1))
