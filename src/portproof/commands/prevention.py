"""The commands for after the merge: map, monitor, connectivity, postmortem.

What a command needs after the first renders is imported by the functions that use it, so that it loads meanwhile.
"""

# ruff: noqa: PLC0415

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from portproof import __version__, standard_input
from portproof.commands.output import print_document, seen_from_here, write_text
from portproof.console import say
from portproof.errors import ExitCode, UsageError
from portproof.session import Request, port_map, root_and_paths
from portproof.source import Tree

if TYPE_CHECKING:
    from portproof.connectivity.manifests import Form
    from portproof.connectivity.model import Placed
    from portproof.portmap.monitor import Monitoring, Probed


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
    print_document(writers[output](shown), output)
    return ExitCode.OK


def keep_map(request: Request, files_given: tuple[str, ...], *, write_files: bool) -> int:
    """Run ``portproof map --write`` or ``--check`` for these Markdown files; 1 when one is not what it should be."""
    from portproof.portmap import documents
    from portproof.report.summary_line import plural

    wanted = documents.find(files_given, Path.cwd())
    found = port_map(request)
    stale = [one for one in documents.compared(wanted, found) if one.before != one.after]
    for one in stale:
        if write_files:
            write_text(one.file, one.after)
            say(f"wrote {one.name}")
        else:
            click.echo(documents.difference(one), nl=False)
    if stale and not write_files:
        names = " ".join(shlex.quote(one.name) for one in stale)
        say(f"the port map is out of date in {len(stale)} of {plural(len(wanted), 'file')}")
        say(f"  next: portproof map --write {names}")
        return ExitCode.FINDINGS
    if not stale:
        say(f"the port map is up to date in {plural(len(wanted), 'file')}")
    return ExitCode.OK


def monitor(
    request: Request, monitoring: Monitoring, *, kind: str, environment: str | None, folder: Path | None
) -> int:
    """Run ``portproof monitor``: to standard output, or each file into `folder`."""
    found = port_map(request, places=False)
    from portproof.portmap import monitor as written
    from portproof.portmap import selection, words

    shown = selection.selected(found, environment, only_broken=False)
    probed, omitted = written.chosen(shown, http=monitoring.http)
    for line in words.left_out(
        ((f"{one.what} ({one.environment})", one.reason) for one in omitted), "not probed"
    ):
        say(line)
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
        write_text(folder / name, text)
        say(f"wrote {folder / name}")
    return ExitCode.OK


def _say_dead_links(monitoring: Monitoring, probed: Sequence[Probed], request: Request) -> None:
    """Which links of the alerts lead nowhere, as far as the repository's Markdown files are what they lead to."""
    if not monitoring.runbooks:
        return
    from portproof.portmap import documents
    from portproof.portmap.monitor import dead_links

    root, _ = root_and_paths(() if standard_input.is_named(request.paths) else request.paths)
    try:
        pages = {one.name: one.text or "" for one in documents.find((), root)}
    except UsageError:  # no file has a block
        pages = {}
    dead = dead_links(monitoring, probed, pages)
    for one in dead:
        say(f"no runbook: no block of the map has what {one} leads to")
    if dead:
        say("  next: `portproof map --write PORTS.md`, and publish it at that address.")


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
        write_text(folder / name, text)
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
            f"no result of a test in {', '.join(logs)} ({heard.others} other lines)",
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
            f"no result is for an edge of this repository; the first is for {heard.lines[0].edge}",
            next_step="Give the PATH, --environment, --release and --namespace with which the tests were written.",
        )
    tree = Tree(root_and_paths(request.paths, request.root)[0])
    report = findings.report(joined, tree.text_or_none, __version__)
    text = written.write(output, joined, report, color=color, seen=seen_from_here(tree.root))
    print_document(text, output)
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


def postmortem(request: Request, fingerprint: str | None, revisions: str | None, file: Path | None) -> int:
    """Run ``portproof postmortem``: to standard output, or into `file`."""
    from portproof.postmortem import markdown
    from portproof.postmortem.making import post_mortem

    text = markdown.write(post_mortem(request, fingerprint, revisions))
    if file is None:
        print_document(text, "markdown")
    else:
        write_text(file, text)
        say(f"wrote {file}")
    return ExitCode.OK
