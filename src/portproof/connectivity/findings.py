"""Results -> findings at the lines of the source: in the form of every other report, so that its writers write them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping

from portproof import connect
from portproof.connectivity.log import Line
from portproof.connectivity.meaning import meaning, next_step
from portproof.connectivity.model import Edge
from portproof.connectivity.results import Results, Tested
from portproof.portmap.model import Place
from portproof.report.marks import digest
from portproof.report.model import Location, Report, Result, ToolVersions
from portproof.report.summary_line import listed
from portproof.resources import ResourceKey
from portproof.rules.run.connectivity_failed import RULE
from portproof.rules.severity import Severity
from portproof.source import RelPath

_CONTEXT = 3
"""Source lines kept on either side of a place."""


def report(results: Results, text_of: Callable[[RelPath], str | None], version: str) -> Report:
    """The findings: failures first, then what is not known. No target was checked, so the report lists none."""
    found = [
        *_results(_failed(several, result) for (_, result), several in _groups(results.failed)),
        *_results(_missing(several) for _, several in _groups(Tested(one, None) for one in results.missing)),
        *(_strange(line) for line in results.strange),
    ]
    return Report(
        tools=ToolVersions(version, None, None),
        paths=(".",),
        rules=(RULE,),
        targets=(),
        results=tuple(found),
        skips=(),
        lines=_lines(found, text_of),
    )


def _results(found: Iterable[Result]) -> list[Result]:
    """In the order of their places; those without a place come last."""
    return sorted(found, key=lambda one: (one.location is None, one.location or one.message, one.message))


def _groups(tested: Iterable[Tested]) -> Iterator[tuple[tuple[object, str], list[Tested]]]:
    """The edges that one line of the source and one result explain, whoever calls and in whichever environment."""
    groups = defaultdict(list)
    for one in tested:
        result = one.line.result if one.line else ""
        place, field = written(one.edge, result)
        service = one.edge.service
        who = (service.namespace, service.name) if place is None else ()
        groups[(place, field, who, one.edge.port.number, one.edge.port.target), result].append(one)
    yield from groups.items()


def written(edge: Edge, result: str) -> tuple[Place | None, str]:
    """The place and the field that a failure is about: the Service's own port when nothing got as far as its target."""
    port = edge.port
    fields = [
        (port.written, f"spec.ports[{port.index}].port"),
        (port.target_written, f"spec.ports[{port.index}].targetPort"),
    ]
    if result not in (connect.TIMEOUT, connect.DNS):
        fields.reverse()
    return next((one for one in fields if one[0] is not None), fields[0])


def named(edge: Edge) -> str:
    """An edge for people: ``backend-v1.shop:80 (http /healthz)``."""
    return f"{edge.address} ({' '.join(filter(None, (edge.ask.kind, edge.ask.path)))})"


def _failed(several: list[Tested], result: str) -> Result:
    edge, line = several[0].edge, several[0].line
    assert line is not None  # noqa: S101 - it has failed
    callers = listed(tuple(dict.fromkeys(one.edge.caller for one in several)))
    asked = listed(tuple(dict.fromkeys(named(one.edge) for one in several)))
    detail = f" ({line.detail})" if line.detail else ""
    verb = "gets an answer from" if result == connect.WRONG_ANSWER else "cannot connect to"
    said = f"{callers} {verb} {asked}: {result}{detail}."
    message = "\n".join((said, meaning(result, edge), next_step(result, edge)))
    return _result(several, result, Severity.ERROR, message)


def _missing(several: list[Tested]) -> Result:
    callers = listed(tuple(dict.fromkeys(one.edge.caller for one in several)))
    asked = listed(tuple(dict.fromkeys(named(one.edge) for one in several)))
    message = (
        f"The log has no result of {callers} for {asked}, so nobody knows whether it works.\n"
        "The test was not applied, did not end, or is older than the edge."
    )
    return _result(several, "", Severity.NOTE, message)


def _result(several: list[Tested], result: str, severity: Severity, message: str) -> Result:
    edge = several[0].edge
    place, field = written(edge, result)
    targets = tuple(sorted({one.edge.target for one in several}))
    return Result(
        rule=RULE.id,
        severity=severity,
        message=message,
        resource=ResourceKey("v1", "Service", edge.service.namespace, edge.service.name),
        field=field,
        value=_value(edge, field),
        expected=None,
        targets=targets,
        location=_location(place),
        related=(),
        fix=None,
        alternatives=(),
        fingerprint=_fingerprint(targets[0], edge.service.name, field, result),
    )


def _strange(line: Line) -> Result:
    who = f"{line.caller} to " if line.caller else ""
    message = (
        f"The log has a result for {who}{line.edge}, which is not an edge of the repository: {line.result}.\n"
        "The test is older than the last change, or was written with other options."
    )
    return Result(
        rule=RULE.id,
        severity=Severity.NOTE,
        message=message,
        resource=None,
        field=line.edge,
        value=None,
        expected=None,
        targets=(),
        location=None,
        related=(),
        fix=None,
        alternatives=(),
        fingerprint=_fingerprint(line.caller, line.edge),
    )


def _value(edge: Edge, field: str) -> str | int | None:
    if not field.endswith("targetPort"):
        return edge.port.number
    port = edge.port
    return port.target if port.target_number is None else port.target_number


def _location(place: Place | None) -> Location | None:
    if place is None:
        return None
    proof = "proven" if place.proven else "hinted"
    return Location(place.path, place.line, place.column, place.end_line, place.end_column, proof)


def _fingerprint(*parts: str) -> str:
    """The same when lines move or messages are reworded."""
    return digest("\0".join((RULE.id, *parts)), 32)


def _lines(
    found: Iterable[Result], text_of: Callable[[RelPath], str | None]
) -> Mapping[RelPath, Mapping[int, str]]:
    """The source lines around each place."""
    lines: dict[RelPath, dict[int, str]] = defaultdict(dict)
    for location in {one.location for one in found if one.location}:
        text = (text_of(location.path) or "").split("\n")
        for number in range(max(1, location.line - _CONTEXT), location.end_line + _CONTEXT + 1):
            if number < len(text) or (number == len(text) and text[-1]):
                lines[location.path][number] = text[number - 1]
    return lines
