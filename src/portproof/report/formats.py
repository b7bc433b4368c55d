"""The report in any of the formats (`flags.FORMATS`); each writer is loaded when its format is asked for."""

# ruff: noqa: PLC0415

from __future__ import annotations

from portproof.report.model import Report


def write(kind: str, report: Report, *, color: bool = False) -> str:
    """The report in one of the formats."""
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

            return text.write(report, color=color)
