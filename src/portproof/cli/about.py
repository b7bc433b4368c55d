"""The commands that show rules, targets and tools, and the one that the action's image runs."""

from __future__ import annotations

import click

from portproof.cli.completion import SHELLS, complete_rules
from portproof.cli.group import app
from portproof.cli.options import (
    EXIT_CODES,
    LISTING_CODES,
    color_option,
    colored,
    epilog,
    path_arguments,
    text_or_json,
    with_flags,
    with_options,
)
from portproof.errors import ExitCode
from portproof.flags import Flags


@app.command(
    short_help="Explain rules.",
    epilog=epilog(
        LISTING_CODES.format(wrong="usage error"),
        "portproof explain service-target-number",
        "portproof explain probe-port-name probe-port-number --format markdown",
    ),
)
@click.argument("names", metavar="RULE...", nargs=-1, required=True, shell_complete=complete_rules)
@click.option(
    "--format",
    "output",
    type=click.Choice(("text", "markdown")),
    default="text",
    show_default=True,
    help="Format of the output.",
)
@color_option
def explain(names: tuple[str, ...], output: str, color: str) -> int:
    """Explain each RULE: what it checks, why it matters, examples, what it does not report, and how to suppress it.

    `portproof rules` lists the rules.
    """
    from portproof.report import pages  # noqa: PLC0415
    from portproof.rules import find  # noqa: PLC0415

    found = [find(name) for name in dict.fromkeys(names)]
    texts = (
        [pages.markdown(rule, linked=True) for rule in found]
        if output == "markdown"
        else [pages.page(rule, color=colored(color)) for rule in found]
    )
    click.echo("\n".join(texts), nl=False, color=True)
    return ExitCode.OK


@app.command(
    short_help="List the rules.",
    epilog=epilog(LISTING_CODES.format(wrong="usage error"), "portproof rules --format json"),
)
@text_or_json
def rules(output: str) -> int:
    """List the rules, one per line: id, highest severity, summary."""
    from portproof.report import pages  # noqa: PLC0415
    from portproof.rules.listing import listed  # noqa: PLC0415

    write = pages.rules_json if output == "json" else pages.rules_table
    click.echo(write(listed()), nl=False)
    return ExitCode.OK


@app.command(
    short_help="List what would be rendered, and why the rest would not.",
    epilog=epilog(
        LISTING_CODES.format(wrong="usage or configuration error"),
        "portproof targets",
        "portproof targets charts --format json",
    ),
)
@path_arguments
@with_options("config")
@text_or_json
@with_flags
def targets(paths: tuple[str, ...], flags: Flags, output: str) -> int:
    """List what `portproof check PATH` would render, and why the rest would not be.

    PATH is a file or folder; the default is the current folder. Only what describes further deployments is rendered.
    """
    from portproof.commands.output import print_document  # noqa: PLC0415
    from portproof.report import pages  # noqa: PLC0415
    from portproof.session import Request, prepare, say_notes  # noqa: PLC0415

    ready = prepare(Request(paths, flags))
    say_notes(ready)
    text = (
        pages.targets_json(ready.discovery)
        if output == "json"
        else pages.targets_text(ready.discovery, ready.paths)
    )
    print_document(text, output)
    return ExitCode.OK


@app.command(
    short_help="Propose a portproof.yaml.",
    epilog=epilog(
        LISTING_CODES.format(wrong="usage or configuration error, or a missing tool"),
        "portproof init",
        "portproof init --write",
    ),
)
@click.argument("paths", nargs=-1, metavar="[PATH]")
@with_options("config", "jobs", "helm", "offline")
@click.option("--write", is_flag=True, help="Write portproof.yaml at the root, unless there is one.")
@with_flags
def init(*, paths: tuple[str, ...], flags: Flags, write: bool) -> int:
    """Propose a portproof.yaml for what lies under PATH: charts, values files, environments.

    PATH is a file or folder; the default is the current folder. What is uncertain is a comment. Taken as it is, the file makes no
    finding worse. It is printed; nothing is ever overwritten.
    """
    from portproof.commands import about  # noqa: PLC0415
    from portproof.session import Request  # noqa: PLC0415

    return about.init(Request(paths, flags), write_file=write)


@app.command(
    short_help="Show or install helm and kustomize.",
    epilog=epilog(
        LISTING_CODES.format(wrong="usage or configuration error, or a missing tool"),
        "portproof tools",
        "portproof tools install",
    ),
)
@click.argument("action", type=click.Choice(("show", "install")), default="show")
@with_options("helm", "kustomize", "offline")
@with_flags
def tools(action: str, flags: Flags) -> int:
    """Show the helm and kustomize in use, or install pinned ones.

    `show` is the default. It prints the path and version of each tool, and where it was found. `install` downloads
    the pinned versions into the tool cache, whatever is on PATH.
    """
    from portproof.commands import about  # noqa: PLC0415
    from portproof.session import Request  # noqa: PLC0415

    return about.tools(Request(flags=flags), install_them=action == "install")


@app.command(
    short_help="Print the completion script of a shell.",
    epilog=epilog(
        LISTING_CODES.format(wrong="usage error"),
        "source <(portproof completion bash)",
        "portproof completion fish | source",
    ),
)
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> int:
    """Print the script that completes portproof's commands, options, rules, formats and files in a SHELL.

    bash needs version 4.4 or later.
    """
    from portproof.cli.completion import script  # noqa: PLC0415

    click.echo(script(app, shell), nl=False)
    return ExitCode.OK


@app.command(
    short_help="Run as a GitHub action.",
    epilog=epilog(
        EXIT_CODES.format(good="no finding at or above fail-on", bad="findings"),
        "INPUT_PATH=charts portproof action",
    ),
)
def action() -> int:
    """Run as a GitHub action; the action's image calls this.

    It reads the inputs from INPUT_* variables, the rest from GITHUB_* variables and the event file.
    """
    from portproof.action import main as run_action  # noqa: PLC0415

    return run_action()
