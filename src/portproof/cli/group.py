"""The group that the commands belong to."""

from __future__ import annotations

import click

from portproof import __version__


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Run `portproof COMMAND --help` for the options, exit codes and examples of a command.",
)
@click.version_option(__version__, prog_name="portproof")
def app() -> None:
    """Check that every port reference in Helm charts, Kustomize overlays and manifests reaches a port.

    portproof renders with the real helm and kustomize. For each broken reference it names the line to edit, and it
    offers a fix only if rendering again has proven it.
    """
