"""Sentences of a review: prose in which everything that a stranger may have named stands in a code span."""

from __future__ import annotations

import re

from portproof.report.model import Fix, Result
from portproof.report.safe import code_span, one_line, shortened, stripped

_WORD = re.compile(r"[A-Za-z]+(?:[-'][A-Za-z]+)*\Z")
_HEX = re.compile(r"[0-9a-fA-F]{7,}\Z")
_PARTS = re.compile(r"(\(*)(.*?)([),.;:]*)\Z", re.DOTALL)
_WORKLOADS = frozenset({"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Pod", "Job", "CronJob"})
_REACHING = frozenset(
    {
        "service-target-name",
        "service-target-number",
        "service-target-numeric-string",
        "service-target-protocol",
        "service-target-invalid",
    }
)


def code(text: str, limit: int = 200) -> str:
    """A code span."""
    return code_span(text, limit)


def prose(text: str, limit: int = 700) -> str:
    """A message of a rule as Markdown: plain words stay, names, numbers and all else become code spans."""
    plain = shortened(one_line(stripped(text, keep="\n\r\t\v\f")), limit)
    return " ".join(_word(word) for word in plain.split(" "))


def reached(result: Result, fix: Fix) -> str:
    """What the fix achieves: ``Service/backend-v1 reaches Deployment/backend-v1 on 8080``, or that the finding is gone."""
    service = result.resource
    others = [one.resource for one in result.related if one.resource.kind in _WORKLOADS]
    if service is None or result.rule not in _REACHING or not others:
        return "this finding is gone"
    changed = [one.after for one in fix.effects if (one.resource, one.field) == (service, result.field)]
    port = changed[0] if changed else result.value
    on = "" if port is None else f" on {code(str(port))}"
    return f"{code(str(service))} reaches {code(str(others[0]))}{on}"


def _word(word: str) -> str:
    found = _PARTS.match(word)
    if found is None:  # every text matches; this keeps the type checker and the reader calm
        return code(word)
    before, core, after = found.groups()
    if not core:
        return before + after
    if len(core) > 2 and core[0] == core[-1] == "'":
        return f"{before}{code(core[1:-1])}{after}"
    if _WORD.match(core) and not _HEX.match(core) and not core.lower().startswith("www"):
        return word
    return f"{before}{code(core)}{after}"
