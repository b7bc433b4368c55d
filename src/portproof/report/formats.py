"""The report in any of the formats (`flags.FORMATS`); each writer is loaded when its format is asked for."""

# ruff: noqa: PLC0415

from __future__ import annotations

from collections.abc import Callable

from portproof.report.model import Report, Terminal
from portproof.source import RelPath


def write(
    kind: str,
    report: Report,
    *,
    seen: Callable[[RelPath], str] = str,
    fail_on: str = "error",
    terminal: Terminal = Terminal(),  # noqa: B008 - it does not change
) -> str:
    """The report in one of the formats.

    Text has its paths as `seen` says that the reader sees them and is made for its `terminal`, the others have those of the root. Formats that pass or
    fail have as failures what is at or above `fail_on`.
    """
    match kind:
        case "json":
            from portproof.report import json_

            return json_.write(report)
        case "sarif":
            from portproof.report import sarif

            return sarif.write(report)
        case "github":
            from portproof.report import annotations

            return annotations.write(report)
        case "markdown":
            from portproof.report import markdown

            return markdown.write(report)
        case "junit":
            from portproof.report import junit

            return junit.write(report, fail_on=fail_on)
        case "gitlab":
            from portproof.report import gitlab

            return gitlab.write(report)
        case "rdjson":
            from portproof.report import rdjson

            return rdjson.write(report)
        case "azure":
            from portproof.report import azure

            return azure.write(report)
        case _:
            from portproof.report import text

            return text.write(report, color=terminal.color, seen=seen, width=terminal.width)
