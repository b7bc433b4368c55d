"""What to do when a Service does not answer: commands to paste, what they print when all is well, and what else means.

Each number comes from the map, so the runbook is true as long as the map is (`blocks` holds it to that).
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from portproof.portmap.cards import Card, Written
from portproof.portmap.model import End, ServiceMap, Verdict
from portproof.portmap.survey import UNSTATED
from portproof.report.safe import one_line, stripped

SERVICE, ENDPOINTS, LISTENING, PAST, HISTORY, FIRST_AID = (
    "What the Service says",
    "Whether ready pods are behind it, and on which port",
    "What listens",
    "The program itself, past the Service and all policies",
    "Who changed these numbers",
    "First aid",
)
"""The titles of the steps."""

SYMPTOMS = (
    (
        "connection refused at once",
        "nothing listens on the target port, or no pod is ready",
        ENDPOINTS,
        LISTENING,
    ),
    ("a timeout", "the Service has no such port, or a policy drops the traffic", SERVICE, PAST),
    ("no such host", "the Service has another name or namespace", SERVICE),
    ("502 or 503 from an Ingress", "it finds no endpoint, or asks for the wrong port", SERVICE, ENDPOINTS),
    ("an answer of another program", "the target port is another container's", LISTENING, PAST),
)
"""What a caller sees, what it means, and the steps to take first."""

OTHERWISE = (
    (SERVICE, "The cluster was changed by hand, or runs another version."),
    (
        ENDPOINTS,
        "Another number: the Service is wrong. `<unset>` or none: the selector, a port's name, or readiness.",
    ),
    (
        LISTENING,
        (
            "The program listens elsewhere. State `0A` is listening, and ports are in hexadecimal. "
            "Without `cat` in the image: `kubectl debug POD --image=busybox --target=CONTAINER`."
        ),
    ),
    (PAST, "The program is at fault, not the Service."),
    (
        FIRST_AID,
        (
            "Argo CD and Flux undo it: mend the source too, `portproof check` shows the line. "
            "`kubectl rollout undo` brings back pods, never a Service; `helm rollback` brings back both."
        ),
    ),
)
"""What it means when a step shows something else than the runbook expects."""

_EXEC = frozenset({"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "Pod"})
"""Kinds that ``kubectl exec`` takes as KIND/NAME."""

_PLAIN = re.compile(r"[A-Za-z0-9._-]*")
_FILES = 5
"""Files whose history is asked for."""

_JSONPATH = r"""{range .spec.ports[*]}{.name} {.port} -> {.targetPort}{"\n"}{end}"""


@dataclass(frozen=True, slots=True)
class Step:
    """A step: what it is for, the command, and what it prints when all is well, by environments where that differs."""

    title: str
    command: str
    expected: tuple[tuple[str, str], ...] = ()


def steps(card: Card, places: Sequence[Written]) -> tuple[Step, ...]:
    """The steps for one Service, in the order in which to take them."""
    found = [_service(card)]
    if any(one.service.selector for one in card.variants):
        found.append(_endpoints(card))
    found += _listening(card)
    found += _history(places)
    found += _first_aid(card)
    return tuple(found)


def is_broken(card: Card) -> bool:
    """Whether what is expected here does not work: a port of the Service is not reached."""
    return any(port.verdict is Verdict.MISSED for one in card.variants for port in one.service.ports)


def _service(card: Card) -> Step:
    return Step(
        SERVICE,
        f"kubectl {_space(card)} get service {_shell(card.name)} -o jsonpath='{_JSONPATH}'",
        _by_environment(card, _service_ports),
    )


def _service_ports(service: ServiceMap) -> str:
    return ", ".join(f"{port.name} {port.number} -> {port.target}".lstrip() for port in service.ports)


def _endpoints(card: Card) -> Step:
    return Step(
        ENDPOINTS,
        f"kubectl {_space(card)} get endpointslices -l kubernetes.io/service-name={_shell(card.name)}",
        _by_environment(card, _endpoint_ports),
    )


def _endpoint_ports(service: ServiceMap) -> str:
    numbers = dict.fromkeys(str(end.number) for end in _ends(service))
    return f"PORTS {','.join(numbers)}" if numbers else ""


def _listening(card: Card) -> Iterator[Step]:
    seen: dict[tuple[str, str], dict[int, None]] = {}
    for one in card.variants:
        for end in _ends(one.service):
            seen.setdefault((end.workload, end.container), {})[end.number or 0] = None
    for (workload, container), numbers in seen.items():
        kind, _, name = workload.partition("/")
        if kind not in _EXEC or 0 in numbers:
            continue
        pod = f"{kind.lower()}/{_shell(name)}"
        yield Step(
            f"{LISTENING} in container {container} of {workload}",
            f"kubectl {_space(card)} exec {pod} -c {_shell(container)} -- cat /proc/net/tcp /proc/net/tcp6",
            (("", " and ".join(f":{number:04X} 0A ({number})" for number in numbers)),),
        )
        number = next(iter(numbers))
        local = 10_000 + number % 10_000
        yield Step(
            f"{PAST}, from {workload}",
            f"kubectl {_space(card)} port-forward {pod} {local}:{number}",
            (("", f"an answer on localhost:{local}"),),
        )


def _history(places: Sequence[Written]) -> Iterator[Step]:
    known = {one.place.path: None for one in places if one.place.proven}
    if known:
        files = " ".join(_shell(path) for path in list(known)[:_FILES])
        yield Step(HISTORY, f"git log -p -5 -- {files}")


def _first_aid(card: Card) -> Iterator[Step]:
    wanted: dict[tuple[str, int, int, str], list[str]] = {}
    for one in card.variants:
        for port in one.service.ports:
            if port.target.isdigit() and port.number and port.verdict is Verdict.REACHED:
                what = (port.name or str(port.number), port.index, port.number, port.target)
                wanted.setdefault(what, []).extend(one.environments)
    for (label, index, number, target), names in wanted.items():
        guard = {"op": "test", "path": f"/spec/ports/{index}/port", "value": number}
        put = {"op": "replace", "path": f"/spec/ports/{index}/targetPort", "value": int(target)}
        everywhere = set(names) == set(card.environments)
        where = "" if everywhere else f" in {', '.join(dict.fromkeys(names))}"
        yield Step(
            f"{FIRST_AID}: put the target of port {label} back{where}",
            f"kubectl {_space(card)} patch service {_shell(card.name)} --type=json "
            f"-p '{json.dumps([guard, put], separators=(',', ':'))}'",
        )


def _ends(service: ServiceMap) -> Iterator[End]:
    for port in service.ports:
        yield from (end for end in port.ends if end.verdict is Verdict.REACHED)


def _by_environment(card: Card, say: Callable[[ServiceMap], str]) -> tuple[tuple[str, str], ...]:
    """What is expected, by environments where it differs; nothing where nothing is known."""
    said: dict[str, list[str]] = {}
    for one in card.variants:
        said.setdefault(say(one.service), []).extend(one.environments)
    if len(said) == 1:
        return tuple(("", text) for text in said if text)
    return tuple((", ".join(dict.fromkeys(names)), text) for text, names in said.items() if text)


def _space(card: Card) -> str:
    """``-n shop``; ``-n "$NAMESPACE"`` where nobody states it, or several do."""
    stated = {space for one in card.variants for space in one.namespaces}
    return f"-n {_shell(next(iter(stated)))}" if len(stated) == 1 and "" not in stated else '-n "$NAMESPACE"'


def _shell(text: str) -> str:
    """A word of a command line, whatever strangers put into it; a release that nobody states is a variable there."""
    word = one_line(stripped(text))
    if UNSTATED in word and _PLAIN.fullmatch(word.replace(UNSTATED, "")):
        return f'"{word.replace(UNSTATED, "${RELEASE}")}"'
    return shlex.quote(word)
