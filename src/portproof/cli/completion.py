"""What a shell completes: rules and reports here; commands, options, formats and files by click.

A shell starts the program at each press of Tab, so nothing is imported for it but the list of rules.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from portproof.flags import FORMATS

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

SHELLS = ("bash", "zsh", "fish")

_SPLIT, _SPLIT_ONCE = 'string split ","', 'string split --max 1 ","'
_ENDINGS = {
    "json": "json",
    "sarif": "sarif",
    "markdown": "md",
    "junit": "xml",
    "gitlab": "json",
    "rdjson": "json",
}
"""What the files of some formats end in; the others are text."""


def script(app: click.Command, shell: str) -> str:
    """The script of one of `SHELLS`; it calls the program by its name on PATH."""
    from click.shell_completion import get_completion_class  # noqa: PLC0415 - one command needs it

    kind = get_completion_class(shell)
    if kind is None:
        raise ValueError(shell)
    source = kind(app, {}, "portproof", "_PORTPROOF_COMPLETE").source()
    # click's script for fish takes each comma for the one after the type, also those of a list and of a summary.
    return f"{source.replace(_SPLIT, _SPLIT_ONCE)}\n"


def complete_rules(
    _context: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """The rules that go on with what is typed, which may be a list with commas; each with its summary."""
    from click.shell_completion import CompletionItem  # noqa: PLC0415 - a shell asks; nobody else does

    from portproof.rules.listing import listed  # noqa: PLC0415

    before, comma, begun = incomplete.rpartition(",")
    given = before.split(",")
    return [
        CompletionItem(f"{before}{comma}{rule.id}", help=rule.summary)
        for rule in listed()
        if rule.id.startswith(begun) and rule.id not in given
    ]


def complete_reports(
    _context: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """``FORMAT=FILE`` for each format, with a name to change."""
    from click.shell_completion import CompletionItem  # noqa: PLC0415 - a shell asks; nobody else does

    offered = (f"{one}=portproof.{_ENDINGS.get(one, 'txt')}" for one in FORMATS)
    return [CompletionItem(one) for one in offered if one.startswith(incomplete)]
