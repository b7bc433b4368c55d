"""The words that all formats share: counts, places, verdicts in plain English."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

from portproof.rules.severity import Severity

if TYPE_CHECKING:
    from portproof.report.model import Location, Report, Result, TargetStatus
    from portproof.resources import ResourceKey

_INDEX = re.compile(r"\[\d+\]")
_WAYS = {
    "CONFIG": "entries in portproof.yaml",
    "COMMENT": "comments",
    "ANNOTATION": "annotations",
    "BASELINE": "entries in the baseline",
}


WITHOUT = "without a part: "
"""What the reason of a target begins with that was checked without something that could not be had."""

PLACED = "with placeholders for values that it was not given: "
"""What the reason of a failed target ends with that was checked with values made up for it."""

TOOK = "not pinned: "
"""What the reason of a target begins with whose chart was taken in a version that is written nowhere."""

_UNREAD = {
    "ytt": "ytt values file",
    "values": "values file",
    "applicationset": "ApplicationSet",
    "application": "Application",
    "flux": "Flux object",
    "skaffold": "Skaffold file",
    "terraform": "Terraform release",
    "remote-chart": "remote chart",
    "remote-base": "remote base",
    "remote-file": "remote file",
    "helm-charts": "helmCharts field",
    "dependency": "chart dependency",
    "generated-file": "generated file",
    "submodule": "git submodule",
    "openshift-template": "OpenShift Template",
}
"""Kinds of what is unread, where the word for programs is not the one for people."""

_ONLY_RENDERED = ("dependency", "generated-file")
"""What only rendering shows to be unread."""


def plural(count: int, noun: str) -> str:
    """``1 error``, ``2 errors``."""
    if count == 1:
        return f"{count} {noun}"
    return f"{count} {noun[:-1]}ies" if noun.endswith("cy") else f"{count} {noun}s"


def headline(report: Report, as_path: Callable[[str], str] | None = None) -> str:
    """The whole report in one line; that nothing was checked never reads like a pass.

    When there was nothing to check, what was asked for is named, each path written by `as_path`; without that it is not.
    """
    from portproof.report.model import ReportVerdict  # noqa: PLC0415 - what is listed without a report starts at once

    match report.verdict:
        case ReportVerdict.UNAFFECTED:
            unaffected = plural(report.unaffected, "target")
            return f"Nothing to check: the changes {_since(report)} affect none of {unaffected}"
        case ReportVerdict.EMPTY:
            return _nothing_found(report, as_path)
        case ReportVerdict.UNCHECKED:
            skipped, failed = report.status_count("skipped"), report.status_count("failed")
            return f"Nothing was checked: {skipped} skipped, {failed} failed"
        case ReportVerdict.CLEAN:
            return _no_findings(report)
        case ReportVerdict.FINDINGS:
            return _findings(report)


def _nothing_found(report: Report, as_path: Callable[[str], str] | None) -> str:
    under = f" under {listed(tuple(map(as_path, report.given.paths or report.paths)))}" if as_path else ""
    aside = (
        f" ({plural(len(report.skips), 'folder')} skipped; `portproof targets` lists them)"
        if report.skips
        else ""
    )
    return f"Nothing to check{under}: no chart, kustomization or manifest was found{aside}"


def _no_findings(report: Report) -> str:
    checked = plural(report.status_count("checked"), "target")
    resources = sum(target.resources for target in report.targets if target.status == "checked")
    rest = f"; {report.unaffected} unaffected by the changes {_since(report)}" if report.unaffected else ""
    return f"No findings: {checked} checked, {plural(resources, 'resource')}{_not_checked(report)}{rest}"


def _findings(report: Report) -> str:
    counts = [plural(count, one.value) for one in Severity if (count := report.count(one))]
    new = sum(result.introduced is True for result in report.results)
    compared = any(result.introduced is not None for result in report.results)
    introduced = f", {new} introduced since the base" if compared and new < len(report.results) else ""
    targets = plural(len(report.targets), "target")
    return f"{', '.join(counts)} in {targets}{_not_checked(report)}{introduced}"


def _not_checked(report: Report) -> str:
    skipped, failed = report.status_count("skipped"), report.status_count("failed")
    return f" ({skipped} skipped, {failed} failed)" if skipped or failed else ""


def _since(report: Report) -> str:
    return f"since {report.base[:12]}" if report.base else ""


def ignored(report: Report) -> str:
    """``3 suppressed (2 in portproof.yaml, 1 by comment)``; empty when nothing is."""
    ways = Counter(one.how.value for one in report.ignored)
    listing = ", ".join(f"{count} {way}" for way, count in ways.items())
    aside = f" ({listing})" if listing else ""
    return f"{report.left_out} suppressed{aside}" if report.left_out else ""


def brought(report: Report) -> str:
    """``2 findings are suppressed by comments that this change adds``; empty when the base has them all."""
    new = [one for one in report.ignored if one.brought]
    ways = " and ".join(dict.fromkeys(_WAYS[one.how.name] for one in new))
    verb = "is" if len(new) == 1 else "are"
    return f"{plural(len(new), 'finding')} {verb} suppressed by {ways} that this change adds" if new else ""


def unread(report: Report) -> str:
    """``Unread: 2 values files, 1 helmfile``; empty when nothing is."""
    counts = Counter(_UNREAD.get(one.kind, one.kind) for one in report.unread)
    return f"Unread: {', '.join(plural(count, noun) for noun, count in counts.items())}" if counts else ""


def unread_where(report: Report) -> str:
    """Where what is unread is listed. Some of it is known only after rendering: the report says it."""
    known = any(one.kind not in _ONLY_RENDERED for one in report.unread)
    return "`portproof targets` lists them" if known else ""


def place(location: Location) -> str:
    """``charts/backend/values.yaml:14:15``."""
    return f"{location.path}:{location.line}:{location.column}"


def field_of(resource: ResourceKey | None, field: str) -> str:
    """``Service/backend-v1 spec.ports[0].targetPort``."""
    return " ".join(part for part in (str(resource) if resource else "", field) if part)


def subject(result: Result) -> str:
    """Where a finding is: its place, or, without one, the field or the target that it is about."""
    if result.location:
        return place(result.location)
    return field_of(result.resource, result.field) or (result.targets[0] if result.targets else "")


def listed(items: tuple[str, ...], limit: int = 3) -> str:
    """``a, b, c and 4 more``."""
    more = len(items) - limit
    if more <= 0:
        return ", ".join(items)
    return f"{', '.join(items[:limit])} and {more} more"


def limited(report: Report) -> dict[str, list[TargetStatus]]:
    """The targets that were checked with a reservation, by that.

    Without a part, with placeholders, or not compared with the base.
    """
    groups: dict[str, list[TargetStatus]] = {}
    for target in report.targets:
        _, placed, names = (target.reason or "").partition(PLACED)
        reason = f"{placed}{names}" if placed else target.reason if target.status == "checked" else None
        if reason:
            groups.setdefault(reason, []).append(target)
    return groups


def in_part(report: Report) -> dict[str, list[TargetStatus]]:
    """Those of them that were checked without a part or with placeholders, by what is said of it."""
    found = limited(report).items()
    return {reason: targets for reason, targets in found if WITHOUT in reason or PLACED in reason}


def unchecked(report: Report) -> dict[tuple[str, str], list[TargetStatus]]:
    """The targets that failed, then those that were skipped, by equal status and reason.

    One that was checked with placeholders is none of them. A failure that a finding tells about is not told twice.
    """
    from portproof.rules.run import render_failed  # noqa: PLC0415 - lists of rules need not load one

    told = {
        target
        for result in report.results
        if result.rule == render_failed.RULE.id
        for target in result.targets
    }
    groups: dict[tuple[str, str], list[TargetStatus]] = {}
    for status in ("failed", "skipped"):
        for target in report.targets:
            if target.status == status and PLACED not in (target.reason or ""):
                known = status == "failed" and target.id in told
                reason = f"see {render_failed.RULE.id} above" if known else target.reason or "no reason known"
                groups.setdefault((status, reason), []).append(target)
    return groups
