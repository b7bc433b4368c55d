"""What to do when a Service does not answer: commands to paste, what they print when all is well, and what else means.

Each number comes from the map, so the runbook is true as long as the map is (`blocks` holds it to that).
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Iterator, Sequence

from msgspec import Struct

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
            "The program listens elsewhere: ports are in hexadecimal, and state `0A` (for UDP `07`) is listening. "
            "Without `cat` in the image: "
            "`kubectl debug -it POD --image=busybox --target=CONTAINER -- cat /proc/net/tcp /proc/net/tcp6`."
        ),
    ),
    (PAST, "The program is at fault, not the Service."),
    (
        FIRST_AID,
        (
            "A failed test: the list of ports has changed, see what the Service says. Argo CD and Flux put the old value "
            "back: mend the source too, `portproof check` shows the line. To roll back a release: `helm rollback` brings "
            "back Services and pods, `kubectl rollout undo` only pods."
        ),
    ),
)
"""What it means when a step shows something else than the runbook expects."""

_TABLES = {
    "TCP": ("/proc/net/tcp /proc/net/tcp6", "0A"),
    "UDP": ("/proc/net/udp /proc/net/udp6", "07"),
}
"""Where Linux lists the sockets of a protocol, and the state of one that waits."""

_NAMED_PORTS = 3
"""kubernetes ``pkg/printers/internalversion``, formatDiscoveryPorts."""

_CONTAINERS = 2
_PATCHES = 2
"""As many that a runbook has eight steps at most."""

_EXEC = frozenset({"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "Pod"})
"""Kinds that ``kubectl exec`` takes as KIND/NAME."""

_PLAIN = re.compile(r"[A-Za-z0-9._-]*")
_FILES = 5
"""Files whose history is asked for."""

_JSONPATH = r"""{range .spec.ports[*]}{.name} {.port} -> {.targetPort}{"\n"}{end}"""


class Step(Struct, frozen=True):
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
    """The column PORTS, for each workload that differs; kubectl names three ports and counts the rest."""
    workloads = dict.fromkeys(end.workload for end in _ends(service))
    columns = dict.fromkeys(_column(service, one) for one in workloads)
    return " and ".join(f"PORTS {one}" for one in columns)


def _column(service: ServiceMap, workload: str) -> str:
    numbers = []
    for port in service.ports:
        met = [end.number for end in port.ends if end.workload == workload and end.number is not None]
        if port.target_number is not None:  # nobody asks whether it is declared
            numbers.append(port.target)
        elif met:
            numbers.append(str(met[0]))
    named = ",".join(numbers[:_NAMED_PORTS])
    return f"{named} + {len(numbers) - _NAMED_PORTS} more..." if len(numbers) > _NAMED_PORTS else named


def _listening(card: Card) -> Iterator[Step]:
    """What the first containers listen on, and a way to the first of them that passes by the Service."""
    seen: dict[tuple[str, str, str], dict[int, None]] = {}
    for one in card.variants:
        for port in one.service.ports:
            for end in port.ends:
                kind = end.workload.partition("/")[0]
                if (
                    end.verdict is Verdict.REACHED
                    and end.number
                    and kind in _EXEC
                    and port.protocol in _TABLES
                ):
                    seen.setdefault((end.workload, end.container, port.protocol), {})[end.number] = None
    for (workload, container, protocol), numbers in list(seen.items())[:_CONTAINERS]:
        tables, state = _TABLES[protocol]
        yield Step(
            f"{LISTENING} in container {container} of {workload}",
            f"kubectl {_space(card)} exec {_pod(workload)} -c {_shell(container)} -- cat {tables}",
            (("", " and ".join(f":{number:04X} with state {state} ({number})" for number in numbers)),),
        )
    for (workload, _, protocol), numbers in seen.items():
        if protocol == "TCP":  # kubectl forwards nothing else
            number = next(iter(numbers))
            local = 10_000 + number % 10_000
            yield Step(
                f"{PAST}, from {workload}",
                f"kubectl {_space(card)} port-forward {_pod(workload)} {local}:{number}",
                (("", f"Forwarding from 127.0.0.1:{local}, and an answer there"),),
            )
            return


def _pod(workload: str) -> str:
    kind, _, name = workload.partition("/")
    return f"{kind.lower()}/{_shell(name)}"


def _history(places: Sequence[Written]) -> Iterator[Step]:
    known = {one.place.path: None for one in places if one.place.proven}
    if known:
        files = " ".join(_shell(path) for path in list(known)[:_FILES])
        yield Step(HISTORY, f"git log -p -5 -- {files}")


def _first_aid(card: Card) -> Iterator[Step]:
    """One patch for all ports, by the environments whose ports are alike."""
    wanted: dict[tuple[tuple[int, int, int | str], ...], list[str]] = {}
    for one in card.variants:
        targets = tuple(
            (port.index, port.number, port.target if port.target_number is None else port.target_number)
            for port in one.service.ports
            if port.number and port.verdict is Verdict.REACHED
        )
        if targets:
            wanted.setdefault(targets, []).extend(one.environments)
    for targets, names in list(wanted.items())[:_PATCHES]:
        patch = [operation for each in targets for operation in _put_back(*each)]
        everywhere = set(names) == set(card.environments)
        where = "" if everywhere else f" in {', '.join(dict.fromkeys(names))}"
        yield Step(
            f"{FIRST_AID}: put the target ports back{where}",
            f"kubectl {_space(card)} patch service {_shell(card.name)} --type=json "
            f"-p {shlex.quote(json.dumps(patch, separators=(',', ':')))}",
            (("", "patched; `no change`: the Service was right"),),
        )


def _put_back(index: int, number: int, target: int | str) -> tuple[dict[str, object], ...]:
    """The operations for one port: the test guards the index, for the list may have changed."""
    return (
        {"op": "test", "path": f"/spec/ports/{index}/port", "value": number},
        {"op": "replace", "path": f"/spec/ports/{index}/targetPort", "value": target},
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
    """``-n shop``; ``-n "${NAMESPACE:?}"`` where nobody states it, or several do: the shell stops where it is not set."""
    stated = {space for one in card.variants for space in one.namespaces}
    return (
        f"-n {_shell(next(iter(stated)))}" if len(stated) == 1 and "" not in stated else '-n "${NAMESPACE:?}"'
    )


def _shell(text: str) -> str:
    """A word of a command line, whatever strangers put into it; a release that nobody states is a variable there."""
    word = one_line(stripped(text))
    if UNSTATED in word and _PLAIN.fullmatch(word.replace(UNSTATED, "")):
        return f'"{word.replace(UNSTATED, "${RELEASE:?}")}"'
    return shlex.quote(word)
