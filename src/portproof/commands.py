"""The commands that check something: what they print, what they write, and their exit codes.

What a command needs after the first renders is imported by the functions that use it, so that it loads meanwhile.
"""

# ruff: noqa: PLC0415

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from portproof import __version__, files
from portproof import config as configuration
from portproof.console import say
from portproof.discover.model import STREAM
from portproof.errors import ExitCode, UsageError
from portproof.sandbox import kernel_support
from portproof.session import (
    Programs,
    Request,
    Session,
    configured,
    port_diff,
    port_map,
    report_of,
    root_and_paths,
    session,
    starter,
)
from portproof.source import RelPath, Tree
from portproof.toolchain import install

if TYPE_CHECKING:
    from portproof.connectivity.manifests import Form
    from portproof.connectivity.model import Placed
    from portproof.flags import Given
    from portproof.outcome import FindingGroup, Outcome
    from portproof.pipeline import Combined
    from portproof.portmap.monitor import Monitoring, Probed


def check(
    request: Request, *, output: str, color: bool = False, reports: tuple[tuple[str, Path], ...] = ()
) -> int:
    """Run ``portproof check``; gives the exit code. `reports` are formats that go to files."""
    with session(request) as run:
        report = replace(report_of(run), given=request.given)
    from portproof.report import formats

    if request.flags.only_new:
        report = report.news

    seen = _seen_from_here(run.ready.tree.root)
    fail_on = run.ready.config.fail_on
    for kind, file in reports:
        write_report(file, formats.write(kind, report, seen=seen, fail_on=fail_on))
    if request.flags.write_baseline:
        _write_baseline(Path(request.flags.write_baseline), run)
    click.echo(formats.write(output, report, color=color, seen=seen, fail_on=fail_on), nl=False, color=True)
    fails = report.fails(fail_on) or (request.flags.strict and not report.is_whole)
    return ExitCode.FINDINGS if fails else ExitCode.OK


def _seen_from_here(root: Path) -> Callable[[RelPath], str]:
    """How paths of the tree are written in the current folder, when that and the root lie in each other."""
    here, root = Path.cwd().resolve(), root.resolve()
    if here == root or not (here.is_relative_to(root) or root.is_relative_to(here)):
        return str
    return lambda path: os.path.relpath(root / path, here)


def _write_baseline(file: Path, run: Session) -> None:
    """Write the findings that do not count from now on."""
    from portproof.suppressions.baseline import written

    known = run.outcome.verdict.known
    write_report(file, written(known))
    say(f"{file} holds {len({one.fingerprint for one in known})} known findings")
    if run.ready.path_of(file) != run.ready.config.baseline:
        say(f"  next: Add `baseline: {file}` to portproof.yaml, and commit both.")


def fix(request: Request, *, write_files: bool, unsafe: bool = False) -> int:
    """Run ``portproof fix``; the exit code is 1 while findings remain that no fix cures. `unsafe` ones count if wanted.

    With a base, only what the base does not have is fixed. Raises `UsageError` for standard input, which is no file.
    """
    if STREAM in request.paths:
        raise UsageError(
            "fix cannot edit standard input",
            next_step="Run `portproof fix` in the repository that the manifests come from.",
        )
    with session(request) as run:
        from portproof import pipeline
        from portproof.write import write

        outcome = replace(run.outcome, merged=run.news)
        combined = pipeline.combine(outcome, run.prover, unsafe=unsafe)
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
    found = len(outcome.merged)
    what = "introduced findings" if run.introduced else "findings"
    say(
        f"{found - left} of {found} {what} have a {_wanted(unsafe)}{f' ({how})' if how and found > left else ''}"
    )
    old = len(run.outcome.merged) - found
    if old:
        say(f"  {old} already in the base; without --base they are fixed, too")


def _say_unseen(run: Session) -> None:
    outcome = run.outcome
    ignored = len(outcome.verdict.ignored)
    failed = sum(one.outcome is not None or bool(one.problems) for one in outcome.checked)
    if ignored:
        say(f"  {ignored} suppressed; `portproof check` shows how")
    if failed:
        say(f"  {failed} targets not checked; `portproof check` shows why")


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
    click.echo(writers[output](found), nl=False)
    return ExitCode.OK


def show_map(request: Request, *, output: str, environment: str | None, only_broken: bool) -> int:
    """Run ``portproof map``; whatever it shows, the exit code is 0."""
    found = port_map(request)
    from portproof.portmap import html, json_, markdown, mermaid, selection, text

    shown = selection.selected(found, environment, only_broken=only_broken)
    writers = {
        "text": text.write,
        "json": json_.write,
        "markdown": markdown.write,
        "mermaid": mermaid.write,
        "html": html.write,
    }
    click.echo(writers[output](shown), nl=False)
    return ExitCode.OK


def keep_map(request: Request, files_given: tuple[str, ...], *, write_files: bool) -> int:
    """Run ``portproof map --write`` or ``--check`` for these Markdown files; 1 when one is not what it should be."""
    from portproof.portmap import documents

    wanted = documents.find(files_given, Path.cwd())
    found = port_map(request)
    stale = [one for one in documents.compared(wanted, found) if one.before != one.after]
    for one in stale:
        if write_files:
            write_report(one.file, one.after)
            say(f"wrote {one.name}")
        else:
            click.echo(documents.difference(one), nl=False)
    if stale and not write_files:
        names = " ".join(shlex.quote(one.name) for one in stale)
        say(f"the port map is out of date in {len(stale)} of {len(wanted)} files")
        say(f"  next: portproof map --write {names}")
        return ExitCode.FINDINGS
    if not stale:
        say(f"the port map is up to date in {len(wanted)} {'file' if len(wanted) == 1 else 'files'}")
    return ExitCode.OK


def monitor(
    request: Request, monitoring: Monitoring, *, kind: str, environment: str | None, folder: Path | None
) -> int:
    """Run ``portproof monitor``: to standard output, or each file into `folder`."""
    found = port_map(request, places=False)
    from portproof.portmap import monitor as written
    from portproof.portmap import selection

    shown = selection.selected(found, environment, only_broken=False)
    probed, omitted = written.chosen(shown, http=monitoring.http)
    for one in omitted:
        say(f"not probed: {one.what} ({one.environment}): {one.reason}")
    if not probed:
        say("no Service port can be probed: nothing is written")
        return ExitCode.OK
    _say_dead_links(monitoring, probed, request)
    made = written.files(monitoring, probed, kind)
    if folder is None:
        click.echo(made["portproof.yaml"] if kind == "operator" else made["scrape.yaml"], nl=False)
        if any(one.module == written.HTTP for one in probed):
            say(f"the exporter needs the module {written.HTTP}; --output writes it to modules.yaml")
        return ExitCode.OK
    for name, text in made.items():
        write_report(folder / name, text)
        say(f"wrote {folder / name}")
    return ExitCode.OK


def _say_dead_links(monitoring: Monitoring, probed: Sequence[Probed], request: Request) -> None:
    """Which links of the alerts lead nowhere, as far as the repository's Markdown files are what they lead to."""
    if not monitoring.runbooks:
        return
    from portproof.portmap import documents
    from portproof.portmap.monitor import dead_links

    root, _ = root_and_paths(() if STREAM in request.paths else request.paths)
    try:
        pages = {one.name: one.text or "" for one in documents.find((), root)}
    except UsageError:  # no file has a block
        pages = {}
    dead = dead_links(monitoring, probed, pages)
    for one in dead:
        say(f"no runbook: no block of the map has what {one} leads to")
    if dead:
        say("  next: `portproof map --write PORTS.md`, and publish it at that address.")


def postmortem(request: Request, fingerprint: str | None, revisions: str | None, file: Path | None) -> int:
    """Run ``portproof postmortem``: to standard output, or into `file`."""
    from portproof.postmortem import markdown
    from portproof.postmortem.making import post_mortem

    text = markdown.write(post_mortem(request, fingerprint, revisions))
    if file is None:
        click.echo(text, nl=False)
    else:
        write_report(file, text)
        say(f"wrote {file}")
    return ExitCode.OK


def connectivity(request: Request, form: Form, placed: Placed, *, folder: Path | None) -> int:
    """Run ``portproof connectivity``: to standard output, or a file for each environment into `folder`."""
    found = port_map(
        request,
        environment=placed.environment,
        release=placed.release,
        namespace=placed.namespace,
        places=False,
    )
    from portproof.connectivity import manifests
    from portproof.connectivity.plan import plan
    from portproof.connectivity.words import left_out, summary

    planned = plan(found, placed, repeated=form.kind == "cronjobs")
    for line in left_out(planned):
        say(line)
    say(summary(planned))
    if folder is None:
        click.echo(manifests.write(form, planned.pods), nl=False)
        return ExitCode.OK
    for name, text in manifests.files(form, planned.pods).items():
        write_report(folder / name, text)
        say(f"wrote {folder / name}")
    return ExitCode.OK


def connectivity_report(
    request: Request, logs: tuple[str, ...], placed: Placed, *, output: str, color: bool = False
) -> int:
    """Run ``portproof connectivity --report``; the exit code is 1 if an edge failed."""
    from portproof.connectivity import log

    heard = log.joined([log.read(_log(name)) for name in logs])
    if not heard.lines:
        raise UsageError(
            f"no line of connect in {', '.join(logs)} ({heard.others} other lines)",
            next_step="Save the logs of the tests when they have ended: `kubectl -n NAMESPACE logs -l app.kubernetes.io/managed-by=portproof --tail=-1`.",
        )
    found = port_map(
        request, environment=placed.environment, release=placed.release, namespace=placed.namespace
    )
    from portproof.connectivity import findings, results, written
    from portproof.connectivity.plan import plan

    joined = results.results(plan(found, placed), plan(found, placed, repeated=True), heard)
    if not joined.tested:
        raise UsageError(
            f"none of the {len(heard.lines)} results is of an edge of this repository, such as {heard.lines[0].edge}",
            next_step="Give the PATH, --environment, --release and --namespace with which the tests were written.",
        )
    tree = Tree(root_and_paths(request.paths, request.root)[0])
    report = findings.report(joined, tree.text_or_none, __version__)
    click.echo(
        written.write(output, joined, report, color=color, seen=_seen_from_here(tree.root)),
        nl=False,
        color=True,
    )
    return ExitCode.FINDINGS if joined.failed else ExitCode.OK


def _log(name: str) -> bytes:
    """What a log has; ``-`` is standard input."""
    if name == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(name).read_bytes()
    except OSError as error:
        raise UsageError(
            f"cannot read {name}: {error.strerror}", next_step="Name a file, or - for standard input."
        ) from error


def init(request: Request, *, write_file: bool) -> int:
    """Run ``portproof init``: print a configuration file, or write it where there is none. Raises `UsageError`."""
    place, text = starter(request)
    if not write_file:
        click.echo(text, nl=False)
        return ExitCode.OK
    there = next((name for name in configuration.NAMES if os.path.lexists(place.with_name(name))), None)
    if there is not None:
        raise UsageError(
            f"{there} already exists, and nothing is overwritten",
            next_step="Run `portproof init` without --write, and copy what you need.",
        )
    write_report(place, text)
    say(f"wrote {place}")
    say("  next: Remove the # from what is true, then run `portproof check`.")
    return ExitCode.OK


def tools(request: Request, *, install_them: bool) -> int:
    """Run ``portproof tools``; gives the exit code."""
    from portproof.report import pages

    if install_them:
        found = [install(name, environ=request.environ, notify=say) for name in ("helm", "kustomize")]
    else:
        root, _ = root_and_paths(())
        chosen = Programs(configured(request, root)[1], request.environ)
        found = [chosen.helm, chosen.kustomize]
    click.echo(pages.tools_text(found), nl=False)
    offer = kernel_support()
    if not offer.landlock:
        say(
            "Landlock is unavailable on this system: nothing limits which files helm and kustomize read and write"
        )
    if not offer.filters:
        say(
            "seccomp is unavailable on this system: nothing stops helm and kustomize from opening connections"
        )
    return ExitCode.OK


def write_report(file: Path, text: str) -> None:
    """Write a report to a file, whole or not at all; a link gives way to it. Raises `UsageError` when that fails."""
    data = text.encode("utf-8")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        if file.exists() and not (file.is_file() or file.is_dir()):  # a pipe or a terminal
            file.write_bytes(data)
        else:
            files.replace(file, data)
    except OSError as error:
        raise UsageError(f"cannot write {file}: {error.strerror}", next_step="Name another file.") from error
