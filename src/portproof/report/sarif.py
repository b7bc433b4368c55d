"""The report as SARIF 2.1.0, in the part of it that GitHub code scanning and editors read.

https://docs.oasis-open.org/sarif/sarif/v2.1.0/
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

from portproof.report import pages, summary_line
from portproof.report.excerpt import around, hiding
from portproof.report.json_ import change, dumps
from portproof.report.links import SITE, rule_page
from portproof.report.model import Fix, Ignored, Location, Report, Result, TargetStatus, TextEdit
from portproof.report.safe import address_of, visible
from portproof.rules.base import Rule, Severity
from portproof.source import RelPath
from portproof.suppressions.model import SuppressionSource

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
MAX_RESULTS = 25_000
"""GitHub refuses a run with more."""

MAX_SNIPPET = 4_000
"""Characters of the lines around a place; longer ones are left out: code scanning takes 10 MB, and shows the file itself."""

_Lines: TypeAlias = Mapping[RelPath, Mapping[int, str]]
_ROOT = "SRCROOT"
_PROBLEM = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "recommendation"}


def write(report: Report, *, suppressed: bool = True) -> str:
    """The report as one run of the tool, with the pages of the rules that have results: all pages are 300 kB.

    Findings that are left out are there as `suppressed` results. GitHub's code scanning takes these for open alerts, so
    what is made for it has to go without.
    """
    reported = {one.rule for one in (*report.results, *(one.result for one in report.ignored if suppressed))}
    rules = [rule for rule in report.rules if rule.id in reported]
    index = {rule.id: number for number, rule in enumerate(rules)}
    results = sorted(report.results, key=lambda result: result.severity.rank)
    targets = {target.id: target for target in report.targets}
    found = [_result(result, index, targets, report.lines) for result in results]
    ignored = [
        {**_result(one.result, index, targets, report.lines), "suppressions": [_suppression(one)]}
        for one in report.ignored
        if suppressed
    ]
    run = {
        "tool": {
            "driver": {
                "name": "portproof",
                "version": report.tools.portproof,
                "informationUri": SITE,
                "rules": [_rule(rule) for rule in rules],
            }
        },
        "invocations": [
            {"executionSuccessful": True, "toolExecutionNotifications": _notifications(report)},
        ],
        "originalUriBaseIds": {_ROOT: {"description": {"text": "The root of the repository."}}},
        "columnKind": "unicodeCodePoints",
        "results": [*found, *ignored][:MAX_RESULTS],
        "properties": {"helm": report.tools.helm, "kustomize": report.tools.kustomize},
    }
    return dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]})


def _rule(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.id,
        "name": "".join(word.capitalize() for word in rule.id.split("-")),
        "shortDescription": {"text": f"{rule.summary}."},
        "fullDescription": {"text": _prose(rule)},
        "helpUri": rule_page(rule.id),
        # GitHub does not show the helpUri: the page's last line is a link
        "help": {"text": pages.page(rule), "markdown": pages.markdown(rule, linked=True)},
        "defaultConfiguration": {"level": rule.severity.value},
        "properties": {
            "tags": ["kubernetes", "networking"],
            "precision": "very-high" if rule.severity is Severity.ERROR else "high",
            "problem.severity": _PROBLEM[rule.severity],
        },
    }


def _prose(rule: Rule) -> str:
    paragraphs = [block.text for block in pages.blocks(rule.page) if isinstance(block, pages.Prose)]
    return " ".join((paragraphs[0] if paragraphs else f"{rule.summary}.").split())


def _result(
    result: Result, index: Mapping[str, int], targets: Mapping[str, TargetStatus], lines: _Lines
) -> dict[str, Any]:
    fixes: list[dict[str, Any]] = []
    for fix in (result.fix, *result.alternatives):  # viewers apply one with a click
        if fix and fix.is_safe and (offer := _fix(fix)) not in fixes:  # the schema wants them distinct
            fixes.append(offer)
    baseline = {None: {}, True: {"baselineState": "new"}, False: {"baselineState": "unchanged"}}
    related = [one for one in result.related if one.location]
    return {
        "ruleId": result.rule,
        **({"ruleIndex": index[result.rule]} if result.rule in index else {}),
        "level": result.severity.value,
        "message": _message(result.message),
        "locations": [_primary(result, targets, lines)],
        "relatedLocations": [
            {"id": number, **_physical(one.location), "message": _message(one.message)}
            for number, one in enumerate(related, 1)
            if one.location
        ],
        "partialFingerprints": {"portproof/v1": result.fingerprint},
        **baseline[result.introduced],
        "fixes": fixes,
        "properties": {
            "targets": list(result.targets),
            "proof": result.location.proof if result.location else "unknown",
            **({"change": change(result.change)} if result.change else {}),
        },
    }


def _suppression(one: Ignored) -> dict[str, str]:
    kind = "inSource" if one.how in (SuppressionSource.COMMENT, SuppressionSource.ANNOTATION) else "external"
    return {"kind": kind, "justification": "\n".join(map(visible, one.reason.split("\n")))}


def _message(text: str) -> dict[str, str]:
    # "[text](target)" is a link in a SARIF message; the parts of a message come from strangers.
    return {"text": "\n".join(visible(line) for line in text.replace("](", "] (").split("\n"))}


def _primary(result: Result, targets: Mapping[str, TargetStatus], lines: _Lines) -> dict[str, Any]:
    """The place of a result. Code scanning refuses a file with a result that has none, so the target stands in."""
    if result.location:
        place = _with_snippets(
            _physical(result.location), result.location, lines, hiding(result.rule, result.message)
        )
    else:
        target = targets.get(result.targets[0]) if result.targets else None
        place = {"physicalLocation": {"artifactLocation": _artifact(target.main_file if target else ".")}}
    if result.resource is None:
        return place
    name = summary_line.field_of(result.resource, result.field)
    return {**place, "logicalLocations": [{"name": name, "fullyQualifiedName": name, "kind": "object"}]}


def _physical(location: Location) -> dict[str, Any]:
    return {"physicalLocation": {"artifactLocation": _artifact(location.path), "region": _region(location)}}


def _with_snippets(
    place: dict[str, Any], at: Location, lines: _Lines, hide: Callable[[str], str]
) -> dict[str, Any]:
    """A place with its text and the lines around it, as far as the report has them; secrets are masked."""
    shown = around(lines.get(at.path, {}), at.line, at.end_line, hide)
    if not shown or sum(map(len, shown.values())) > MAX_SNIPPET:
        return place
    marked = [shown[number] for number in range(at.line, at.end_line + 1)]
    marked[-1] = marked[-1][: at.end_column - 1]
    marked[0] = marked[0][at.column - 1 :]
    physical = place["physicalLocation"]
    region = {**physical["region"], "snippet": _snippet(marked)}
    context = {"startLine": min(shown), "endLine": max(shown), "snippet": _snippet(shown.values())}
    return {"physicalLocation": {**physical, "region": region, "contextRegion": context}}


def _snippet(lines: Iterable[str]) -> dict[str, str]:
    # What shows a snippet may take it for a message, and controls for what they are: a tab becomes one space.
    return _message("\n".join(line.rstrip("\r").replace("\t", " ") for line in lines))


def _artifact(path: RelPath) -> dict[str, str]:
    return {"uri": address_of(path), "uriBaseId": _ROOT}


def _region(place: Location | TextEdit) -> dict[str, int]:
    return {
        "startLine": place.line,
        "startColumn": place.column,
        "endLine": place.end_line,
        "endColumn": place.end_column,
    }


def _fix(fix: Fix) -> dict[str, Any]:
    paths = dict.fromkeys(edit.path for edit in fix.edits)
    return {
        "description": _message(fix.description),
        "artifactChanges": [
            {
                "artifactLocation": _artifact(path),
                "replacements": [
                    {"deletedRegion": _region(edit), "insertedContent": {"text": edit.new}}
                    for edit in fix.edits
                    if edit.path == path
                ],
            }
            for path in paths
        ],
    }


def _notifications(report: Report) -> list[dict[str, Any]]:
    """What could not be looked at: nobody shall take it for clean."""
    in_part = summary_line.in_part(report)
    known = {target.id for targets in in_part.values() for target in targets}
    found = [
        {
            "level": "error" if target.status == "failed" else "warning",
            "message": _message(f"{target.id} {target.status}: {target.reason or 'no reason known'}"),
            "locations": [{"physicalLocation": {"artifactLocation": _artifact(target.main_file)}}],
        }
        for status in ("failed", "skipped")
        for target in report.targets
        if target.status == status and target.id not in known
    ]
    found += [
        {
            "level": "note",
            "message": _message(f"{target.id} checked: {reason}"),
            "locations": [{"physicalLocation": {"artifactLocation": _artifact(target.main_file)}}],
        }
        for reason, targets in in_part.items()
        for target in targets
    ]
    if unread := summary_line.unread(report):
        found.append({"level": "note", "message": _message(f"{unread}.")})
    if report.left_out:
        found.append({"level": "note", "message": _message(f"{summary_line.ignored(report)}.")})
    if not report.status_count("checked"):
        found.insert(0, {"level": "warning", "message": _message(f"{summary_line.headline(report)}.")})
    if len(report.results) > MAX_RESULTS:
        more = len(report.results) - MAX_RESULTS
        found.insert(
            0, {"level": "warning", "message": _message(f"{more} more findings are not in this file.")}
        )
    return found
