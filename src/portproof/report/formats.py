"""The report in any of the formats (`flags.FORMATS`); each writer is loaded when its format is asked for."""

# ruff: noqa: PLC0415

from __future__ import annotations

from collections.abc import Callable

from portproof.report.model import Report
from portproof.source import RelPath


def write(kind: str, report: Report, *, color: bool = False, seen: Callable[[RelPath], str] = str) -> str:
    """The report in one of the formats; text has its paths as `seen` says that the reader sees them, the others have those of the root."""
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
        case _:
            from portproof.report import text

            return text.write(report, color=color, seen=seen)
