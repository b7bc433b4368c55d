"""Results as JUnit XML: a suite for each environment, a case for each edge, passed ones too.

What no test opens, and edges of which the log says nothing, are skipped cases with the reason. A case's text has everything,
because readers such as GitLab show nothing else (`report.junit` has the rest of what readers want).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from xml.etree import ElementTree as ET

from portproof.connectivity.findings import named, written
from portproof.connectivity.meaning import meaning, next_step
from portproof.connectivity.results import Results, Tested
from portproof.report import junit


def write(results: Results) -> str:
    """The results; equal ones give equal bytes."""
    names = junit.Names()
    suites = []
    for environment in dict.fromkeys(one.edge.environment for one in results.tested):
        tested = [one for one in results.tested if one.edge.environment == environment]
        seconds = sum(one.line.milliseconds for one in tested if one.line) / 1000
        suites.append(junit.suite(environment, [_case(one, names) for one in tested], seconds))
    if left := list(_left(results, names)):
        suites.append(junit.suite("not tested", left, 0.0))
    return junit.document(suites)


def _case(one: Tested, names: junit.Names) -> ET.Element:
    edge, line = one.edge, one.line
    took: Mapping[str, str] = {"time": f"{line.milliseconds / 1000:.3f}"} if line else {}
    case = ET.Element("testcase", {**names.of(edge.caller, f"-> {named(edge)}"), **took})
    if line is None:
        junit.say(case, "skipped", "", "The log has no result for this edge.")
    elif line.is_failure:
        place, field = written(edge, line.result)
        key = place.key if place and place.key else field
        source = f"{place.path}:{place.line} {key}" if place else f"Service/{edge.service.name} {field}"
        detail = f" ({line.detail})" if line.detail else ""
        text = [
            f"{source}: {line.result}{detail}.",
            meaning(line.result, edge),
            next_step(line.result, edge),
        ]
        junit.say(case, "failure", line.result, "\n".join(text), short=" ".join(text[:2]))
    return case


def _left(results: Results, names: junit.Names) -> Iterator[ET.Element]:
    """What was not tested, and why."""
    said = [
        *(("environment", name, "The log has no result for this environment.") for name in results.silent),
        *(("skipped", one.what, one.reason) for one in results.skipped),
        *(
            (
                one.caller or "by hand",
                f"-> {one.edge}",
                f"{one.result}, of an edge that the repository does not have.",
            )
            for one in results.strange
        ),
    ]
    for kind, name, reason in said:
        case = ET.Element("testcase", names.of(kind, name))
        junit.say(case, "skipped", "", reason)
        yield case
