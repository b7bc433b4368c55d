"""What a comment at the line of a finding calls meant: a note without a fix, for its author knows."""

from __future__ import annotations

import re
from collections.abc import Iterator

from portproof.outcome import TracedFinding
from portproof.replacing import replace
from portproof.rules.base import Severity
from portproof.rules.evaluate import RuleSet
from portproof.source import Span, Tree

MAX_LINES = 10
"""Lines of comments above a field that are read."""

_COMMENT = re.compile(r"[ \t]*(?:#|\{\{-?\s*/\*)(?P<text>.*)")
_BEHIND = re.compile(r"[ \t]#(?P<text>.*)")
_MEANT = re.compile(
    r"(?i)\b(?:on purpose|intentional(?:ly)?|deliberate(?:ly)?|not open|(?:does not|doesn't) exist|no such port|"
    r"(?:nothing|nobody|no one) listens|black ?hole|dummy|bogus)\b"
)


def on_purpose(one: TracedFinding, tree: Tree, rule_set: RuleSet) -> TracedFinding:
    """The finding as a note if a comment behind its field, or right above it, says that it is meant."""
    finding = one.found.finding
    origin = one.origins.get(finding.primary)
    if origin is None or not any(map(_MEANT.search, _comments(tree, origin.span))):
        return one
    severity = rule_set.severity(one.found.rule.id, Severity.NOTE)
    message = f"{finding.message} A comment there says that it is meant."
    told = replace(finding, message=message, severity=severity, expected=None, remedies=())
    return replace(one, found=replace(one.found, finding=told))


def _comments(tree: Tree, span: Span) -> Iterator[str]:
    """The comment in the rest of the line of a text, and those of the lines right above."""
    text = tree.text_or_none(span.path) or ""
    behind = _BEHIND.search(text[span.end :].partition("\n")[0])
    if behind:
        yield behind["text"]
    above = text[: span.start].rpartition("\n")[0].rsplit("\n", MAX_LINES)[-MAX_LINES:]
    for line in reversed(above):
        comment = _COMMENT.match(line)
        if comment is None:
            return
        yield comment["text"]
