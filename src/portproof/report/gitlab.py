"""The report as GitLab's Code Quality, for the widget of a merge request.

GitLab compares the fingerprints of two pipelines by itself, so all findings are written, those of the base too. It stops
reading at the first entry that its schema rejects (``app/validators/json_schemas/codeclimate.json``), and an entry whose
fingerprint was there before replaces the first. https://docs.gitlab.com/ci/testing/code_quality/
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from portproof.report import plain
from portproof.report.json_ import dumps
from portproof.report.marks import digest
from portproof.report.model import Report
from portproof.report.safe import one_line, visible
from portproof.rules.severity import Severity

_SEVERITIES = {Severity.ERROR: "major", Severity.WARNING: "minor", Severity.NOTE: "info"}


def write(report: Report) -> str:
    """A list, one entry a finding; an empty list without findings."""
    seen: Counter[str] = Counter()
    targets = {one.id: one for one in report.targets}
    entries: list[dict[str, Any]] = []
    for result in report.results:
        seen[result.fingerprint] += 1
        path, line = plain.file_of(result, targets)
        entries.append(
            {
                "description": visible(one_line(plain.whole(result))),
                "check_name": result.rule,
                "fingerprint": _fingerprint(result.fingerprint, seen[result.fingerprint]),
                "severity": _SEVERITIES[result.severity],
                "location": {"path": path, "lines": {"begin": line}},
            }
        )
    entries += [_unseen(*one) for one in plain.unseen(report)]
    return dumps(entries)


def _unseen(name: str, path: str, reason: str) -> dict[str, Any]:
    """An entry for what is unread or unchecked: the widget has no other place to say so."""
    return {
        "description": visible(one_line(f"{name}: {reason}")),
        "check_name": "not-checked",
        "fingerprint": digest(f"not-checked {name}", 32),
        "severity": "info",
        "location": {"path": path, "lines": {"begin": 1}},
    }


def _fingerprint(known: str, count: int) -> str:
    """The finding's own, and for a twin one that tells it from the first."""
    return known if count == 1 else digest(f"{known} {count}", len(known))
