"""The commands that check a repository and mend it: check, merge, fix, diff.

What a command needs after the first renders is imported by the functions that use it, so that it loads meanwhile.
"""

# ruff: noqa: PLC0415

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
from msgspec import Struct

from portproof import standard_input
from portproof.commands.output import print_document, seen_from_here, with_timings, write_text
from portproof.commands.replay import Printed, Replay
from portproof.console import say
from portproof.errors import ExitCode, UsageError
from portproof.replacing import replace
from portproof.session import Request, Session, port_diff, report_of, root_and_paths, session
from portproof.timings import Stage, timed

if TYPE_CHECKING:
    from portproof.combined import Combined
    from portproof.flags import Given
    from portproof.outcome import FindingGroup, Outcome
    from portproof.report.model import Report


class Output(Struct, frozen=True):
    """Where a report goes: in one format to standard output, in others to files.

    `width` is that of the terminal, in columns; None where standard output is none.
    """

    format: str = "text"
    color: bool = False
    width: int | None = None
    files: tuple[tuple[str, Path], ...] = ()

    def say(self, printed: Printed, root: Path | None) -> int:
        """Print and write it; gives the exit code."""
        return printed.say(self.format, [file for _, file in self.files], root)


def check(request: Request, output: Output, past: Replay | None = None) -> int:
    """Run ``portproof check``; gives the exit code. `past` keeps what is said."""
    with session(request) as run, timed(Stage.REPORT):
        report = replace(report_of(run), given=request.given)
        is_certain = run.is_certain()
    if request.flags.write_baseline:
        _write_baseline(Path(request.flags.write_baseline), run)
    root, fail_on, notes, tools = run.ready.tree.root, run.ready.config.fail_on, run.ready.notes, _tools(run)
    del run  # what there is to print of thousands of targets takes the room of what was found
    printed = _printed(report, fail_on, root, output)
    if past is not None and is_certain:
        past.keep(replace(printed, notes=notes), tools)
    return output.say(printed, root)


def _printed(report: Report, fail_on: str, root: Path | None, output: Output) -> Printed:
    """What a report says in each format that is asked for, and the exit code."""
    from portproof.report import formats
    from portproof.report.model import Terminal

    flags = report.given.flags
    seen = str if root is None else seen_from_here(root)
    if flags.only_new:
        report = report.news
    with timed(Stage.REPORT):
        texts = tuple(formats.write(kind, report, seen=seen, fail_on=fail_on) for kind, _ in output.files)
        terminal = Terminal(output.color, output.width)
        shown = formats.write(output.format, report, seen=seen, fail_on=fail_on, terminal=terminal)
    kinds = (kind for kind, _ in output.files)
    texts = tuple(
        with_timings(text) if kind == "json" else text for kind, text in zip(kinds, texts, strict=True)
    )
    fails = report.fails(fail_on) or (flags.strict and not report.is_whole)
    return Printed(ExitCode.FINDINGS if fails else ExitCode.OK, shown, texts)


def _tools(run: Session) -> dict[str, str | None]:
    """The paths of the tools that a run names."""
    helm = run.programs.helm.path if run.tools.helm else None
    kustomize = run.programs.kustomize.path if run.tools.kustomize else None
    return {"helm": helm, "kustomize": kustomize}


def merge(files: Sequence[Path], output: Output, fail_on: str | None) -> int:
    """Run ``portproof merge``: the reports of all shards as that of one check; gives its exit code."""
    from portproof.parts.joining import joined
    from portproof.parts.shard import in_order, read

    shards = in_order([(file, read(file)) for file in files])
    first = shards[0]
    report = replace(joined([one.part for one in shards]), given=first.given)
    root = _root(first.given)
    return output.say(_printed(report, fail_on or first.fail_on, root, output), root)


def _root(given: Given) -> Path | None:
    """The root of what was checked, if that is here; else paths are written as the root has them."""
    try:
        return root_and_paths(given.paths)[0]
    except UsageError:
        return None


def _write_baseline(file: Path, run: Session) -> None:
    """Write the findings that do not count from now on."""
    from portproof.report.summary_line import plural
    from portproof.suppressions.baseline import written

    known = run.outcome.verdict.known
    write_text(file, written(known), root=run.ready.tree.root)
    say(f"{file} holds {plural(len({one.fingerprint for one in known}), 'known finding')}")
    if run.ready.path_of(file) != run.ready.config.baseline:
        say(f"  next: Add `baseline: {file}` to portproof.yaml, and commit both.")


def fix(request: Request, *, write_files: bool, unsafe: bool = False) -> int:
    """Run ``portproof fix``; the exit code is 1 while findings remain that no fix cures. `unsafe` ones count if wanted.

    With a base, only what the base does not have is fixed. Raises `UsageError` for standard input, which is no file.
    """
    if standard_input.is_named(request.paths):
        raise UsageError(
            "fix cannot edit standard input",
            next_step="Run `portproof fix` in the repository that the manifests come from.",
        )
    with session(request) as run:
        from portproof.combined import combine
        from portproof.write import write

        outcome = replace(run.outcome, merged=run.news)
        combined = combine(outcome, run.prover, unsafe=unsafe)
    if write_files:
        for path in write(combined.edits, combined.tree):
            say(f"fixed {path}")
    elif combined.edits:
        _print_patch(combined, request.given)
    left = [one for one in outcome.merged if one not in combined.cured]
    _say_fixed(run, outcome, len(left), "written" if write_files else "", unsafe=unsafe)
    for one in left:
        _say_left(one, request.given, unsafe=unsafe)
    _say_unseen(run)
    threshold = run.ready.config.fail_on
    return ExitCode.FINDINGS if any(one.finding.severity.reaches(threshold) for one in left) else ExitCode.OK


def _print_patch(combined: Combined, given: Given) -> None:
    """Print the patch for ``git apply`` in the current folder; where it cannot work there, say where it does."""
    from portproof import assemble
    from portproof.patch import applied_in

    tree, paths = combined.tree, sorted({edit.span.path for edit in combined.edits})
    names, elsewhere = applied_in(Path.cwd(), tree.root, paths)
    click.echo(assemble.patch_of(combined.edits, tree, names.__getitem__), nl=False)
    if elsewhere is not None:
        say(f"Not all of these files are below this folder: `{given.fix()} | git -C {elsewhere} apply`")


def _say_fixed(run: Session, outcome: Outcome, left: int, how: str, *, unsafe: bool) -> None:
    """How many findings are fixed; of those that the base has, too, only that there are some."""
    from portproof.report.summary_line import plural

    found = len(outcome.merged)
    what, done = "introduced finding" if run.introduced else "finding", found - left
    if found:
        have = "has" if done == 1 else "have"
        say(
            f"{done} of {plural(found, what)} {have} a {_wanted(unsafe)}{f' ({how})' if how and done else ''}"
        )
    else:
        say(f"Nothing to fix: no {what}s")
    old = len(run.outcome.merged) - found
    if old:
        say(f"  {old} already in the base; without --base they are fixed, too")


def _say_unseen(run: Session) -> None:
    from portproof.report.summary_line import plural

    outcome = run.outcome
    ignored = len(outcome.verdict.ignored)
    failed = sum(one.outcome is not None or bool(one.problems) for one in outcome.checked)
    if ignored:
        say(f"  {ignored} suppressed; `portproof check` shows how")
    if failed:
        say(f"  {plural(failed, 'target')} not checked; `portproof check` shows why")


def _wanted(unsafe: bool) -> str:
    return "proven fix" if unsafe else "proven, safe fix"


def _say_left(one: FindingGroup, given: Given, *, unsafe: bool) -> None:
    """Why a finding is left: there is no fix, it is unsafe, or it does not go together with the others."""
    risky = one.fix if one.fix and not one.fix.is_safe else None
    say(f"  no {_wanted(unsafe)}: {one.first.found.rule.id}: {one.finding.message}")
    if risky and not unsafe:
        say(f"    unsafe, `{given.fix('--unsafe')}` includes it: {risky.description}")
        for risk in risky.risks:
            say(f"      {risk.text}")


def diff(request: Request, *, output: str) -> int:
    """Run ``portproof diff``; whatever the change does, the exit code is 0."""
    found = port_diff(request)
    from portproof.report import port_diff as data
    from portproof.report import port_table as table

    writers = {"text": table.text, "markdown": table.markdown, "json": data.json}
    print_document(writers[output](found), output)
    return ExitCode.OK
