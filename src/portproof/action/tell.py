"""What a run leaves with the runner: annotations, the job's summary, files and outputs."""

from __future__ import annotations

import click

from portproof.action import output
from portproof.action.check import ActionReport
from portproof.action.context import Context
from portproof.action.links import links
from portproof.report import annotations as commands
from portproof.report import fixes, json_, markdown, port_table, sarif
from portproof.report.links import Links
from portproof.report.safe import log_line
from portproof.report.summary_line import plural
from portproof.rules.base import Severity


def tell(run: Context, found: ActionReport) -> None:
    """Annotate, summarise, write the files and set the outputs; all of it before anything is written to GitHub."""
    _annotate(run, found)
    _summarise(run, found)
    _leave_files(run, found)


def hand_over(run: Context, found: ActionReport) -> None:
    """Write the files of a shard and set the outputs: nothing of it is said twice."""
    _leave_files(run, found)
    checked = plural(len(found.report.targets), "target")
    findings = plural(len(found.report.results), "finding")
    click.echo(log_line(f"portproof: shard {run.inputs.shard}: {checked}, {findings}"))


def summary(run: Context, found: ActionReport, limit: int) -> str:
    """What the findings are, for people; places are links where it is known which commit they are of."""
    ports = ports_table(found, limit // 2)
    return markdown.write(
        found.shown, limit=limit, links=_links(run, found), notes=run.notes.texts, ports=ports
    )


def _links(run: Context, found: ActionReport) -> Links | None:
    """Addresses of places; None where it is not known which commit they are of."""
    checkout = run.checkout
    head = run.head or (checkout.event_commit if checkout.commit == checkout.event_commit else "")
    return links(run.environ, head, found.unmapped_lines) if head else None


def ports_table(found: ActionReport, limit: int) -> str:
    """What the pull request does to ports, as Markdown; empty where it is not known."""
    return "" if found.ports is None else port_table.markdown(found.ports, min(limit, port_table.LIMIT))


def _annotate(run: Context, found: ActionReport) -> None:
    shown = found.shown
    click.echo(commands.write(shown), nl=False)
    hidden = len(found.report.results) - len(shown.results)
    if hidden:
        run.notes.say(
            f"{plural(hidden, 'finding')} already in the base not shown; the report files list them all"
        )


def _summarise(run: Context, found: ActionReport) -> None:
    room = output.summary_room(run.environ, markdown.SUMMARY_LIMIT)
    output.summary(run.environ, summary(run, found, room) + "\n")
    run.notes.summarised = True


def _leave_files(run: Context, found: ActionReport) -> None:
    """Write the reports, where the workflow asks for them or else outside of the checkout, and set the outputs."""
    folder = output.folder(run.environ)
    report, workspace = found.report, run.checkout.workspace
    texts: dict[str, tuple[str | None, str, str]] = {
        # Code scanning takes suppressed results for open alerts: so they are left out.
        "sarif-file": (
            run.inputs.sarif_file,
            "portproof.sarif",
            sarif.write(report, suppressed=False),
        ),
        "report-file": (run.inputs.report_file, "portproof.json", json_.write(report)),
    }
    if found.fixes is not None:
        body = fixes.body(report, found.fixes, links=_links(run, found))
        texts["patch-file"] = (None, "portproof.patch", found.fixes.patch)
        texts["body-file"] = (None, "portproof.md", body)
    written = {}
    for name, (wanted, default, text) in texts.items():
        place = wanted or str(folder / default)
        if wanted or text:
            output.write(workspace, place, text)
            written[name] = output.for_later_steps(run.environ, workspace, place)
    compared = any(result.introduced is not None for result in report.results)
    introduced = sum(result.introduced is True for result in report.results)
    counts = {
        "findings": len(report.results),
        "errors": report.count(Severity.ERROR),
        "warnings": report.count(Severity.WARNING),
        "introduced": introduced if compared or not report.results else "",
    }
    output.outputs(run.environ, {**{name: str(count) for name, count in counts.items()}, **written})
