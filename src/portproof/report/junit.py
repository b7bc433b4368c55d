"""The report as JUnit XML: a suite for each target, a failed case for each finding in it.

What must not turn a build red is a case that passes and says it in ``system-out``: findings below the lowest severity that
fails the check, and those that the base has too. Readers differ in what they show, so a case's text has everything (GitLab
shows the text only). They drop a second case of the same name, so names differ. The schema is ``junit-10.xsd`` of
https://github.com/jenkinsci/xunit-plugin, which knows no ``file`` and no ``line``.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from xml.etree import ElementTree as ET

from portproof.report import plain, summary_line
from portproof.report.model import Report, Result, TargetStatus
from portproof.report.safe import one_line, shortened, visible

_NOT_XML = re.compile("[^\\t\\n\\r\\x20-\\ud7ff\\ue000-\\ufffd\\U00010000-\\U0010ffff]")
_SHORT = 300


def write(report: Report, *, fail_on: str = "error") -> str:
    """The report; findings at or above `fail_on` are failures."""
    names = Names()

    def suited(target: TargetStatus, found: list[Result]) -> ET.Element:
        cases = [_case(one, names, fails=report.counts(one, fail_on)) for one in found]
        if not found or target.status != "checked":
            cases.append(_whole(target, names))
        return suite(target.id, cases, target.seconds)

    suites = [
        suited(target, [one for one in report.results if target.id in one.targets])
        for target in report.targets
    ]
    if loose := [one for one in report.results if not one.targets]:
        suites.append(suited(TargetStatus("portproof", "", ".", (), "checked", None, 0, 0.0), loose))
    if report.unread:
        suites.append(_unread(report, names))
    return document(suites)


def document(suites: Iterable[ET.Element]) -> str:
    """The whole file."""
    root = ET.Element("testsuites", {"name": "portproof"})
    root.extend(suites)
    for total in ("tests", "failures", "errors"):
        root.set(total, str(sum(int(suite.get(total, "0")) for suite in root)))
    ET.indent(root)
    text = ET.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def suite(name: str, cases: Sequence[ET.Element], seconds: float) -> ET.Element:
    """A suite of these cases, and their counts."""
    counts = Counter(child.tag for case in cases for child in case)
    made = ET.Element(
        "testsuite",
        {
            "name": _clean(name),
            "tests": str(len(cases)),
            "failures": str(counts["failure"]),
            "errors": str(counts["error"]),
            "skipped": str(counts["skipped"]),
            "time": f"{seconds:.3f}",
        },
    )
    made.extend(cases)
    return made


class Names:
    """Gives each case a name that no other of its class has."""

    def __init__(self) -> None:
        self._seen: Counter[tuple[str, str]] = Counter()

    def of(self, kind: str, name: str) -> dict[str, str]:
        """The attributes of a case in the class `kind`."""
        self._seen[kind, name] += 1
        count = self._seen[kind, name]
        return {"classname": _clean(kind), "name": _clean(name if count == 1 else f"{name} #{count}")}


def _unread(report: Report, names: Names) -> ET.Element:
    """A suite of what makes no target: skipped, each with the reason."""
    cases = []
    for one in report.unread:
        case = ET.Element("testcase", names.of(one.kind, one.path))
        say(case, "skipped", "", one.reason)
        cases.append(case)
    return suite("unread", cases, 0.0)


def _whole(target: TargetStatus, names: Names) -> ET.Element:
    """The case of a target without findings: passed, skipped with the reason, or an error."""
    case = ET.Element("testcase", {**names.of("target", target.id), "time": f"{target.seconds:.3f}"})
    tag = {"failed": "error", "skipped": "skipped"}.get(target.status)
    if tag:
        say(case, tag, target.status, target.reason or "no reason known")
    return case


def _case(result: Result, names: Names, *, fails: bool) -> ET.Element:
    place = f"{result.location.path}:{result.location.line}" if result.location else ""
    name = " ".join(filter(None, (place, str(result.resource) if result.resource else "")))
    case = ET.Element("testcase", names.of(result.rule, name or summary_line.subject(result)))
    if fails:
        say(case, "failure", result.severity.value, plain.whole(result), short=result.message)
    else:
        ET.SubElement(case, "system-out").text = _clean(f"{result.severity.value}: {plain.whole(result)}")
    return case


def say(case: ET.Element, tag: str, kind: str, text: str, *, short: str = "") -> None:
    """Say that a case failed or was skipped, and why; a failure is of a `kind`."""
    attributes = {"message": shortened(one_line(_clean(short or text)), _SHORT)}
    if tag != "skipped":
        attributes["type"] = kind
    ET.SubElement(case, tag, attributes).text = _clean(text)


def _clean(text: str) -> str:
    """`text` without what XML 1.0 cannot hold, escaped or not."""
    return _NOT_XML.sub("", "\n".join(map(visible, text.split("\n"))))
