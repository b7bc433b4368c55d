"""What the commands share: options, exit codes and examples of ``--help``."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial, wraps
from typing import Any

import click

from portproof.cli.completion import complete_rules
from portproof.flags import AD_HOC, FLAGS, Flag, Flags, option_of

Command = Callable[..., Any]
SHARED = tuple(name for name, flag in FLAGS.items() if not flag.only)
OF_RENDERING = ("config", "jobs", "helm", "kustomize", "offline", "no_cache")
"""The flags of a command that renders and judges nothing."""
OF_ONE_CHART = (*OF_RENDERING, *AD_HOC)
"""Those of one that can do so for a chart with values of the command line."""
OF_CHECK = tuple(name for name, flag in FLAGS.items() if flag.only == "check")


def with_options(*names: str) -> Callable[[Command], Command]:
    """Add the options of these flags; `with_flags` hands them over."""

    def add(command: Command) -> Command:
        for name in reversed(names):
            command = option(name, FLAGS[name])(command)
        return command

    return add


def option(name: str, flag: Flag) -> Callable[[Command], Command]:
    """Add the option of one flag, as it is or with other words."""
    kind: click.Choice[str] | click.IntRange | click.Path | None = None
    if flag.choices:
        kind = click.Choice(flag.choices)
    elif flag.least is not None:
        kind = click.IntRange(min=flag.least)
    elif flag.metavar in ("FILE", "PATH"):
        kind = click.Path()
    return click.option(
        name,
        option_of(name),
        *filter(None, (flag.short,)),
        type=kind,
        metavar=flag.metavar or None,
        multiple=flag.many,
        is_flag=flag.switch,
        help=flag.help,
        shell_complete=complete_rules if flag.metavar.startswith("RULE") else None,
    )


def with_flags(command: Callable[..., int]) -> Command:
    """Hand a command its flags as one value, `flags`; its other options it gets by their names."""

    @wraps(command)
    def called(**options: Any) -> int:
        given = {name: options.pop(name) for name in FLAGS if name in options}
        for name, value in given.items():
            if FLAGS[name].verbatim:
                given[name] = tuple(value) or None
            elif FLAGS[name].many:
                given[name] = (
                    tuple(one.strip() for text in value for one in text.split(",") if one.strip()) or None
                )
        flags = Flags(**given)
        return (
            _timed(partial(command, flags=flags, **options))
            if flags.timings
            else command(flags=flags, **options)
        )

    return called


def _timed(command: Callable[[], int]) -> int:
    """Run a command, and then say where its time went."""
    from portproof import timings  # noqa: PLC0415
    from portproof.report.timing_table import table  # noqa: PLC0415

    with timings.running() as clock:
        code = command()
        taken = clock.taken()
    click.echo(table(taken), nl=False, err=True)
    return code


class TakesMany(click.Command):
    """A command whose option ``--report`` takes all words up to the next option: what a shell makes of ``logs/*``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Repeat the option for each of its words."""
        return super().parse_args(ctx, list(_repeated("--report", args)))


def _repeated(option: str, args: Iterable[str]) -> Iterator[str]:
    values = 0  # how many the option has; none before it, and after the end of its words
    inside = False
    for word in args:
        if word == option:
            inside, values = True, 0
            yield word
        elif inside and (word == "-" or not word.startswith("-")):
            yield from ((option, word) if values else (word,))
            values += 1
        else:
            inside = False
            yield word


path_arguments = click.argument("paths", nargs=-1, metavar="[PATH]...", type=click.Path())
text_or_json = click.option(
    "--format",
    "output",
    type=click.Choice(("text", "json")),
    default="text",
    show_default=True,
    help="Format of the output.",
)

EXIT_CODES = """\b
Exit codes:
  0  {good}
  1  {bad}
  2  usage or configuration error, or a missing tool
  3  internal error"""

LISTING_CODES = """\b
Exit codes: 0 done, 2 {wrong}, 3 internal error"""


def epilog(codes: str, *examples: str) -> str:
    """What ``--help`` shows below the options: the exit codes, then commands to copy."""
    title = "Example:" if len(examples) == 1 else "Examples:"
    return "\n".join((codes, "", "\b", title, *(f"  {example}" for example in examples)))


color_option = click.option(
    "--color",
    type=click.Choice(("auto", "always", "never")),
    default="auto",
    show_default=True,
    help="Color of text; auto heeds NO_COLOR and FORCE_COLOR, else colors a terminal only.",
)


def colored(choice: str) -> bool:
    """Whether standard output gets colors."""
    return wants_color(choice, os.environ, terminal=sys.stdout.isatty())


WIDEST = 100
"""Longer lines of prose are hard to read."""
NARROWEST = 40


def terminal_width() -> int | None:
    """The columns that prose may have on the terminal, of which COLUMNS has the last word; None if there is none."""
    if not sys.stdout.isatty():
        return None
    return max(NARROWEST, min(shutil.get_terminal_size((WIDEST, 24)).columns, WIDEST))


def wants_color(choice: str, environ: Mapping[str, str], *, terminal: bool) -> bool:
    """Whether to color: as chosen; else as the environment says, to which ``FORCE_COLOR=0`` is a no; else on a terminal.

    The variables are those of no-color.org, force-color.org and bixense.com/clicolors; that for none wins.
    """
    if choice != "auto":
        return choice == "always"
    if environ.get("NO_COLOR"):
        return False
    forced = (environ.get("FORCE_COLOR", ""), environ.get("CLICOLOR_FORCE", ""))
    if any(value not in ("", "0") for value in forced):
        return True
    refused = "0" in forced or environ.get("CLICOLOR") == "0" or environ.get("TERM") == "dumb"
    return terminal and not refused
