"""The commands that check a repository and mend it: check, merge, fix, diff."""

from __future__ import annotations

import os
from pathlib import Path

import click

from portproof.cli.completion import complete_reports
from portproof.cli.group import app
from portproof.cli.options import (
    EXIT_CODES,
    LISTING_CODES,
    OF_CHECK,
    OF_ONE_CHART,
    SHARED,
    color_option,
    colored,
    epilog,
    option,
    path_arguments,
    terminal_width,
    with_flags,
    with_options,
)
from portproof.errors import UsageError
from portproof.flags import FLAGS, FORMATS, Flags
from portproof.replacing import replace

_report_format = click.option(
    "--format",
    "output",
    type=click.Choice(FORMATS),
    default="text",
    show_default=True,
    help="Format of the report on standard output.",
)
_report_files = click.option(
    "--report",
    "reports",
    metavar="FORMAT=FILE",
    multiple=True,
    shell_complete=complete_reports,
    help="Also write the report to a file, in any of these formats. Can be repeated.",
)


@app.command(
    short_help="Check every port reference under PATH.",
    epilog=epilog(
        EXIT_CODES.format(good="no finding at or above --fail-on", bad="findings"),
        "portproof check",
        "portproof check charts/backend --fail-on warning",
        "portproof check --base origin/main --report sarif=portproof.sarif",
        "kubectl get all,ingress,networkpolicy -A -o yaml | portproof check -",
    ),
)
@path_arguments
@with_options(*SHARED)
@_report_format
@_report_files
@with_options(*OF_CHECK)
@color_option
@with_flags
def check(paths: tuple[str, ...], flags: Flags, output: str, reports: tuple[str, ...], color: str) -> int:
    """Check every port reference under PATH.

    PATH is a file or folder; the default is the current folder. Every chart is rendered with each of its values files,
    every overlay is built, and all manifests are read. With - as the only PATH, manifests are read from standard input.
    """
    from portproof.commands.replay import replay  # noqa: PLC0415

    partly = [name for name in ("base", "select", "baseline") if getattr(flags, name)]
    if flags.write_baseline and partly:
        raise UsageError(
            f"--write-baseline cannot be combined with --{partly[0]}",
            next_step=f"Drop --{partly[0]}: a baseline records every finding.",
        )
    files = tuple(map(_report, reports))
    colors, width = colored(color), terminal_width()
    past = replay(
        paths, flags, ("check", output, str(colors), str(width), *(kind for kind, _ in files)), os.environ
    )
    printed = past.printed() if past is not None else None
    if past is not None and printed is not None:
        return printed.say(output, [file for _, file in files], past.root)

    from portproof.commands import checking  # noqa: PLC0415
    from portproof.session import Request  # noqa: PLC0415

    request = Request(paths, flags, what_if=True)
    return checking.check(request, checking.Output(output, colors, width, files), past)


@app.command(
    short_help="Join the JSON reports of shards.",
    epilog=epilog(
        EXIT_CODES.format(good="no finding at or above --fail-on", bad="findings"),
        "portproof merge shard-1.json shard-2.json",
        "portproof merge shards/*.json --report sarif=portproof.sarif --fail-on warning",
    ),
)
@click.argument("files", nargs=-1, required=True, metavar="REPORT...", type=click.Path(path_type=Path))
@_report_format
@_report_files
@with_options("fail_on")
@color_option
@with_flags
def merge(*, files: tuple[Path, ...], flags: Flags, output: str, reports: tuple[str, ...], color: str) -> int:
    """Join the JSON reports of `portproof check --shard I/N` into the report of one check.

    REPORT is a file. All N of them are needed: of the same revision, options and versions. What the configuration and the
    options of the shards say holds here, too; but --fail-on is that of this command, or of the configuration.
    """
    from portproof.commands import checking  # noqa: PLC0415

    to = checking.Output(output, colored(color), terminal_width(), tuple(map(_report, reports)))
    return checking.merge(files, to, flags.fail_on)


@app.command(
    short_help="Print or apply the proven fixes.",
    epilog=epilog(
        EXIT_CODES.format(
            good="every finding at or above fail-on has a proven, safe fix", bad="findings without such a fix"
        ),
        "portproof fix | git apply",
        "portproof fix --write charts/backend",
        "portproof fix --base origin/main --write",
    ),
)
@path_arguments
@with_options(*SHARED)
@click.option("--write", is_flag=True, help="Apply the fixes to the files instead of printing a patch.")
@click.option("--unsafe", is_flag=True, help="Include proven fixes that move what others rely on.")
@with_flags
def fix(*, paths: tuple[str, ...], flags: Flags, write: bool, unsafe: bool) -> int:
    """Print the proven, safe fixes for PATH as one unified diff.

    PATH is a file or folder; the default is the current folder. A fix is proven if rendering with it cures the finding
    and causes no new one. It is safe if no number or name moves that a program, a caller or an operator relies on.
    With --base, only findings that the base does not have are fixed.
    """
    from portproof.commands import checking  # noqa: PLC0415
    from portproof.session import Request  # noqa: PLC0415

    return checking.fix(Request(paths, flags, what_if=flags.what_if), write_files=write, unsafe=unsafe)


@app.command(
    short_help="Show what a change does to ports.",
    epilog=epilog(
        LISTING_CODES.format(wrong="usage or configuration error, or a missing tool"),
        "portproof diff --base origin/main",
        "portproof diff --base HEAD~1 charts/backend",
        "portproof diff --base main --format markdown > ports.md",
    ),
)
@path_arguments
@option(
    "base",
    replace(FLAGS["base"], help="Git revision to compare with: the merge base of it and HEAD. Required."),
)
@with_options(*OF_ONE_CHART, "timings")
@click.option(
    "--format",
    "output",
    type=click.Choice(("text", "markdown", "json")),
    default="text",
    show_default=True,
    help="Format of the output.",
)
@with_flags
def diff(paths: tuple[str, ...], flags: Flags, output: str) -> int:
    """Show what the change since --base does to the ports under PATH.

    PATH is a file or folder; the default is the current folder. What the change affects is rendered in both revisions.
    A row for each port that is broken, moved, new or gone names who asks for it. Environments with equal changes share a
    row. Nothing is judged: the exit code is 0 whatever changes.
    """
    from portproof.commands import checking  # noqa: PLC0415
    from portproof.session import Request  # noqa: PLC0415

    return checking.diff(Request(paths, flags), output=output)


def _report(text: str) -> tuple[str, Path]:
    """The format and the file of ``--report``."""
    kind, separator, file = text.partition("=")
    if not separator or kind not in FORMATS or not file:
        raise UsageError(
            f"--report {text}: must be FORMAT=FILE",
            next_step=f"Write it like --report json=report.json. FORMAT is one of {', '.join(FORMATS)}.",
        )
    return kind, Path(file)
