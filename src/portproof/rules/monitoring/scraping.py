"""What the rules about monitors share: whether the pods declare what is scraped, and what was meant."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from itertools import groupby
from typing import TypeVar

from portproof.graph.evidence import is_near_miss, numbers_in_settings
from portproof.graph.meant import first_unique
from portproof.graph.model import ContainerPort, Missed, Pods, PortGraph, ServicePort, Workload
from portproof.graph.names import is_digits, is_near_name, is_placeholder
from portproof.graph.phrasing import declared
from portproof.graph.purpose import has_words, speaks_http
from portproof.graph.referrers import renaming
from portproof.replacing import replace
from portproof.rules.base import Finding, Label, Remedy, Scalar, Severity
from portproof.rules.monitoring.edges import pod_edge
from portproof.rules.monitoring.monitors import Endpoint, FieldMeaning, Monitors

_Lack = TypeVar("_Lack")


def _rejected(endpoint: Endpoint, answer: Callable[[Endpoint], Scalar | None]) -> Finding | None:
    """What to say of a number where a name belongs, or of a text that can be no name; None when neither.

    The schemas of the monitors take text for a name and a number for a number; the name of a container's port has at
    least one letter.
    """
    value, means = endpoint.port.value, endpoint.means
    if is_placeholder(value):
        return None
    if (
        isinstance(value, int) is (means in (FieldMeaning.SERVICE_NAME, FieldMeaning.NAME))
        and means is not FieldMeaning.EITHER
    ):
        what = f"the field must be {means.value}: the API server rejects the {endpoint.monitor.kind}"
    elif is_digits(value) and means in (FieldMeaning.NAME, FieldMeaning.EITHER):
        what = "a number in quotes is read as a port name, and those need a letter: nothing is scraped"
    else:
        return None
    right = answer(endpoint)
    fix = "remove the quotes" if str(right) == value else f"set {endpoint.field} to {right}"
    return Finding(
        message=f"{endpoint.monitor} scrapes {endpoint.field} {value!r}, but {what}.",
        severity=Severity.ERROR,
        primary=endpoint.port,
        expected=right,
        remedies=(Remedy(fix, ((endpoint.port, right),)),) if right is not None else (),
    )


def answer_for(endpoint: Endpoint, workloads: Sequence[Workload]) -> Scalar | None:
    """What a field that holds a number in the wrong form should hold, as far as the pods declare that number."""
    text = str(endpoint.port.value)
    number = int(text) if is_digits(text) and len(text) <= 5 else None
    ports = [port for one in workloads for port in one.ports if port.value == number]
    if not ports or number is None:
        return None
    if endpoint.means is not FieldMeaning.NAME:
        return number
    return next((port.name.value for port in ports if port.name is not None), None)


def lacking(monitors: Monitors, endpoint: Endpoint) -> tuple[Workload, ...]:
    """The workloads that the monitor of `endpoint` leads to when all of them lack its port; none when one has, or may have it."""
    pods, unknown = monitors.pods(endpoint)
    if unknown or not pods.workloads:
        return ()
    found = pods.answer(pod_edge(endpoint, Pods(pods.workloads[0])))
    return pods.workloads if isinstance(found, Missed) else ()


def undeclared(graph: PortGraph, endpoint: Endpoint, workloads: Sequence[Workload]) -> Finding:
    """What to say when none of the pods behind `endpoint` declares its port."""
    wanted = endpoint.port.value
    assert wanted is not None  # noqa: S101 - an endpoint has a port
    first = workloads[0]
    sent = [
        one for service in graph.services_of(first) for one in service.ports if one.target.value == wanted
    ]
    is_known = wanted in numbers_in_settings(first) or any(isinstance(wanted, int) for _ in sent)
    meant = None if is_known else _meant(first, wanted)
    value = _value(endpoint, meant)
    what = f"port {wanted}" if isinstance(wanted, int) else f"the port named {wanted!r}"
    who = f"of {first.key}, which declares {declared(first.ports)}"
    if len(workloads) > 1:
        who = f"of {len(workloads)} workloads, and none declares it ({first.key} declares {declared(first.ports)})"
    advice = (
        f" Declare {wanted} in the container that listens there{_or_by_name(() if endpoint.pods else sent)}."
        if is_known
        else ""
    )
    shown = (meant,) if meant else first.ports[:3]
    return Finding(
        message=(
            f"{endpoint.monitor} scrapes {what} {who}: only declared ports are found, so nothing is scraped.{advice}"
        ),
        severity=Severity.WARNING if endpoint.namespaces is None else Severity.ERROR,
        primary=endpoint.port,
        expected=value,
        related=tuple(Label(one.name or one.number, f"{first.key} declares it here") for one in shown),
        remedies=tuple(_remedies(graph, endpoint, workloads, meant, value)),
    )


def _or_by_name(sent: Sequence[ServicePort]) -> str:
    """The other way: a Service's port that sends to the number is found whatever the pods declare."""
    named = [one for one in sent if one.name_text]
    return f", or scrape the port named {named[0].name_text} of {named[0].number.resource}" if named else ""


def _meant(workload: Workload, wanted: Scalar) -> ContainerPort | None:
    """The declared port that was probably meant: the only near one, else the only one."""
    ports = [one for one in workload.ports if one.protocol == "TCP"]
    if isinstance(wanted, int):
        near = [one for one in ports if is_near_miss(one.value, wanted)]
    else:
        near = [one for one in ports if one.name and is_near_name(str(one.name.value), wanted)]
    worded = [one for one in ports if has_words(one.name_text, wanted)]
    scraped = [one for one in ports if speaks_http(one.name_text, one.value)]
    return first_unique(near, worded, scraped if len(ports) == 1 else ports)


def _value(endpoint: Endpoint, meant: ContainerPort | None) -> Scalar | None:
    """What the endpoint's field would hold to mean `meant`; None when the field cannot hold it."""
    if meant is None:
        return None
    name = meant.name_text
    if endpoint.means is FieldMeaning.NUMBER or (
        isinstance(endpoint.port.value, int) and endpoint.means is FieldMeaning.EITHER
    ):
        return meant.value
    return name if endpoint.means is FieldMeaning.NAME or name else meant.value


def _remedies(
    graph: PortGraph,
    endpoint: Endpoint,
    workloads: Sequence[Workload],
    meant: ContainerPort | None,
    value: Scalar | None,
) -> Iterator[Remedy]:
    wanted = endpoint.port.value
    if value is not None:
        yield Remedy(f"set {endpoint.field} to {value}", ((endpoint.port, value),))
    if meant is not None and isinstance(wanted, str) and len(workloads) == 1:
        changes = renaming(graph, workloads[0], meant, wanted)
        if changes:
            yield Remedy(f"name the container's port {wanted}", changes)


def findings(
    monitors: Monitors,
    *,
    pods: bool,
    answer: Callable[[Endpoint], Scalar | None],
    lack: Callable[[Endpoint], _Lack | None],
    tell: Callable[[Endpoint, _Lack], Finding],
) -> Iterator[Finding]:
    """What is to be said of the monitors over pods, or over Services.

    `answer` gives what a field with a value in the wrong form should hold; `lack` what an endpoint selects when all of
    it lacks the port, else None; `tell` puts that into words.
    """
    lacks: dict[Hashable, _Lack | None] = {}
    for _, group in groupby(monitors.endpoints(pods=pods), key=lambda one: one.monitor):
        endpoints = tuple(group)
        for one in endpoints:
            if one.question not in lacks:
                lacks[one.question] = lack(one)
        served = any(lacks[one.question] is None for one in endpoints)
        for one in endpoints:
            rejection, lacked = _rejected(one, answer), lacks[one.question]
            if rejection is not None:
                yield rejection
            elif lacked is not None:
                found = _keeping(monitors, tell(one, lacked))
                yield _beside_others(found) if served else found


def _beside_others(found: Finding) -> Finding:
    """A monitor whose other endpoints find targets may name this one for another version of what it scrapes."""
    if isinstance(found.primary.value, str) and is_near_name(found.primary.value, str(found.expected)):
        return found
    text = f"{found.message} Its other endpoints may find targets."
    return replace(found, message=text, severity=Severity.NOTE, expected=None, remedies=())


def _keeping(monitors: Monitors, found: Finding) -> Finding:
    """The finding without the remedies that take away a name which a monitor asks for."""
    kept = tuple(
        one
        for one in found.remedies
        if not any(monitors.ask(site.resource, site.value) for site, _ in one.changes)
    )
    return replace(found, remedies=kept)


def lasting_first(workloads: Sequence[Workload]) -> tuple[Workload, ...]:
    """Those whose pods last before those whose pods end; none when all of them end."""
    lasting = tuple(one for one in workloads if one.serves)
    return (*lasting, *(one for one in workloads if not one.serves)) if lasting else ()
