"""The commands about what there is: init, tools."""

# ruff: noqa: PLC0415

from __future__ import annotations

import os

import click

from portproof import config as configuration
from portproof.commands.output import write_text
from portproof.console import say
from portproof.errors import ExitCode, UsageError
from portproof.sandbox import kernel_support
from portproof.session import Programs, Request, configured, root_and_paths, starter
from portproof.toolchain import install


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
    write_text(place, text)
    say(f"wrote {place}")
    say("  next: Look it over, then run `portproof check`.")
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
