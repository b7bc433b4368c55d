"""One run of the action as values: what is asked for, why, of which checkout; and what the run says of itself."""

from __future__ import annotations

from collections.abc import Mapping

import click
from msgspec import Struct, field

from portproof.action import output
from portproof.action.checkout import Checkout
from portproof.action.event import Event, OtherEvent
from portproof.action.inputs import Inputs
from portproof.github.client import Client
from portproof.report.annotations import escaped_data
from portproof.report.phrases import prose


class Notes(Struct):
    """What a run says of itself, each sentence once: at once as a notice in the log, and in the job's summary.

    `summarised` says that the summary is written: what comes later is added to it.
    """

    environ: Mapping[str, str]
    texts: list[str] = field(default_factory=list)
    summarised: bool = False

    def say(self, text: str) -> None:
        """Say it, unless it has been said."""
        if text in self.texts:
            return
        self.texts.append(text)
        click.echo(f"::notice title=portproof::{escaped_data(text)}")
        if self.summarised:
            output.summary(self.environ, f"> Note: {prose(text)}\n\n")


class Context(Struct, frozen=True):
    """One run. `environ` holds no token any more; `client` does, and is None where there is none."""

    inputs: Inputs
    event: Event
    environ: Mapping[str, str]
    checkout: Checkout
    client: Client | None
    notes: Notes

    @property
    def head(self) -> str:
        """The pull request's last commit; empty where the run is not for one."""
        return head_of(self.event)


def head_of(event: Event) -> str:
    """The last commit of the event's pull request; empty where it has none."""
    return "" if isinstance(event, OtherEvent) else event.head
