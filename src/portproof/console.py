"""What a run says on standard error while it goes on: notes, and how far it is."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from portproof.parallel import Progress


def say(text: str) -> None:
    """A line for the reader; its words may be those of a file under test, or of its name."""
    from portproof.report.safe import log_entry  # noqa: PLC0415 - most runs have nothing to say

    click.echo(log_entry(text), err=True)


@contextmanager
def progress(*, quiet: bool = False) -> Iterator[Progress]:
    """A line on standard error once a run takes longer than a moment; it vanishes at the end on a terminal."""
    started = time.monotonic()
    last = started
    live = sys.stderr.isatty()
    shown = False

    def told(what: str, done: int, total: int) -> None:
        nonlocal last, shown
        now = time.monotonic()
        if quiet or now - started < 1.0 or now - last < (0.1 if live else 10.0):
            return
        last, shown = now, True
        line = f"{what} {done} of {total} {'targets' if what == 'rendered' else 'findings'}"
        click.echo(f"\r{line}\033[K" if live else line, err=True, nl=not live, color=True)

    try:
        yield told
    finally:
        if live and shown:
            click.echo("\r\033[K", err=True, nl=False, color=True)
