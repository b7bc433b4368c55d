"""Whether a proven fix can be applied without a second look; ``docs/fixes.md`` tells users the same.

A proof says that the finding is gone and that no new one came. It does not say that it works now: a declaration moves and
the program stays where it is, a Service's port moves and callers that nobody rendered do not. A fix is safe when all that
changes is on the broken edge itself, and no number or name moves that a program, a caller or an operator relies on.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from portproof.effects import Change
from portproof.graph.answers import answer, answers, edges, endpoint_numbers, ends
from portproof.graph.evidence import (
    USUAL_PORTS,
    is_in_pod_spec,
    is_meant_to_listen,
    is_near_miss,
    running,
    silent_server,
)
from portproof.graph.model import (
    Container,
    ContainerPort,
    Edge,
    Missed,
    Pods,
    PortGraph,
    Reached,
    Relation,
    Service,
    ServiceEdge,
    ServiceName,
    ServicePort,
    Site,
    Workload,
)
from portproof.graph.numbers import numbers_in
from portproof.graph.past import program_changed, reached_before, workload_before
from portproof.graph.phrasing import listing
from portproof.graph.weighing import repeats_what_callers_expect
from portproof.resources import ResourceKey
from portproof.yamldoc import FieldPath, format_path, lookup

Field: TypeAlias = tuple[ResourceKey, FieldPath]
"""A field of a rendered object."""


class Danger(Enum):
    """What makes a fix unsafe."""

    PROGRAM = "program"
    CALLERS = "callers"
    OPERATOR = "operator"
    SCHEME = "scheme"
    SHARED = "shared"
    GUESS = "guess"
    CHANGE = "change"
    CONTRADICTED = "contradicted"


@dataclass(frozen=True, slots=True)
class Risk:
    """One reason why a fix is unsafe; `text` is a clause without a full stop."""

    danger: Danger
    text: str


@dataclass(frozen=True, slots=True, eq=False)
class TargetEffects:
    """What the edits of a fix do to one target that reads them.

    `ends` are the fields of the edges that they mend there, empty where they mend none. `before` and `after` are the graphs
    of the rendering without and with the edits.
    """

    target: str
    ends: frozenset[Field]
    changes: tuple[Change, ...]
    before: PortGraph
    after: PortGraph

    def is_end(self, change: Change) -> bool:
        """Whether the change is on one of the broken edges."""
        return any(
            key == change.resource and path[: len(change.path)] == change.path for key, path in self.ends
        )


GUESS = Risk(Danger.GUESS, "it makes the finding go away, but nothing says that it is what was meant")

_NAMES_SHOWN = 3
_SEVERAL = 2
"""So many who ask for another number or name are evidence that what is there is wrong; one may be wrong itself."""
_TLS = re.compile(
    r"(?:\A|[-_.])(?:https|tls|ssl|wss|grpcs|ldaps|amqps|mqtts|http2s)(?:\Z|[-_.\d])", re.IGNORECASE
)
_PLAIN = re.compile(r"(?:\A|[-_.])(?:http|ws|h2c|grpc|ldap|amqp|mqtt)(?:\Z|[-_.\d])", re.IGNORECASE)
_PORT_NAME = re.compile(r"[A-Za-z0-9](?:[-A-Za-z0-9]{0,61}[A-Za-z0-9])?")
_TLS_NUMBERS = frozenset({443, 8443})
_PLAIN_NUMBERS = frozenset({80, 8080})
_SCHEME_FIELDS = frozenset({"scheme", "appProtocol", "protocol"})
_INSTALLING = frozenset({("helm.toolkit.fluxcd.io", "HelmRelease"), ("argoproj.io", "Application")})
"""What installs a chart: what it makes of the chart is a target of its own, and is judged there."""
_CHECKSUM = re.compile(r"[0-9a-f]{32,128}")
_GENERATED = re.compile(r"-[a-z0-9]{10}\Z")
"""What kustomize adds to the name of a ConfigMap or Secret that it generates: a hash of its data."""


def risks(effects: Sequence[TargetEffects], *, guess: bool = False) -> tuple[Risk, ...]:
    """Why a proven fix is unsafe, each reason once; empty when it is safe.

    `effects` are those on all targets that read the edited files, `guess` that nothing speaks for this end of the edge.
    """
    found = [GUESS] if guess else []
    for one in effects:
        found += _Judge(one).risks()
    found += _contradictions(effects)
    return tuple(dict.fromkeys(found))


@dataclass(frozen=True, slots=True)
class _Declared:
    """A field of a container's port."""

    workload: Workload
    port: ContainerPort
    part: str


@dataclass(frozen=True, slots=True)
class _Offered:
    """A field of a Service's port."""

    service: Service
    port: ServicePort
    part: str


class _Judge:
    """Asks of every change in one target who relies on what moves."""

    def __init__(self, effects: TargetEffects) -> None:
        self.effects = effects
        self.before, self.after = effects.before, effects.after
        self._roles = dict(_roles(effects.before))
        self._asking = {(site.resource, site.path) for site in _asking_sites(effects.before)}

    def risks(self) -> Iterator[Risk]:
        moves = [one for one in _paired(self.effects.changes) if not (_follows(one) or self._is_unread(one))]
        for change in moves:
            if self._restores(change):
                yield from self._relied_upon_since(change)
                continue
            on_edge = self.effects.is_end(change)
            if on_edge and str(change.before) == str(change.after):
                continue  # quotes come or go; the number stays
            own = list(self._of_role(change))
            yield from own
            if not on_edge and not own:
                yield Risk(Danger.SHARED, self._shared(change))
        if moves:
            yield from self._lost()

    def _is_unread(self, change: Change) -> bool:
        """Whether no pod reads it: kustomize takes values from ConfigMaps, and a controller renders a chart with those here."""
        key = change.resource
        if (key.group, key.kind) in _INSTALLING:
            return True
        read = any(key.name in one.configs for one in self.after.workloads)
        return key.kind == "ConfigMap" and key.group == "" and not read and not self.effects.is_end(change)

    def _shared(self, change: Change) -> str:
        where = f"{change.resource} {format_path(change.path)}"
        if self.effects.ends:
            return f"{where} shares the value"
        return f"{where} shares the value in {self.effects.target}, where nothing is wrong with it"

    # Taking back what the change brought

    def _restores(self, change: Change) -> bool:
        """Whether the field gets back what it held in the base, which worked."""
        base = self.before.base
        if base is None:
            return False
        resource = base.resource(change.resource)
        old = None if resource is None else lookup(resource.data, change.path)
        if isinstance(old, dict | list):  # an empty one, which a change has as text
            old = str(old)
        return old == change.after and type(old) is type(change.after)

    def _relied_upon_since(self, change: Change) -> Iterator[Risk]:
        """Whether the program follows the declaration that is to be taken back."""
        role = self._roles.get((change.resource, change.path))
        if not isinstance(role, _Declared) or role.part != "number" or not isinstance(change.before, int):
            return
        workload, new = role.workload, change.before
        past = workload_before(self.before, workload)
        if past is None or (is_meant_to_listen(workload, new) and not is_meant_to_listen(past, new)):
            yield Risk(
                Danger.CHANGE, f"the change tells the program of {workload.key} to listen on {new}, too"
            )
        elif program_changed(self.before, workload, role.port.container):
            text = f"the image or settings of {workload.key} change, too: its program may listen on {new} now"
            yield Risk(Danger.CHANGE, text)

    # What a field means

    def _of_role(self, change: Change) -> Iterator[Risk]:
        role = self._roles.get((change.resource, change.path))
        if isinstance(role, _Declared):
            yield from self._declared(role, change)
        elif isinstance(role, _Offered):
            yield from self._offered(role, change)
        elif change.path and change.path[-1] in _SCHEME_FIELDS:
            yield Risk(Danger.SCHEME, _flip(change))
        elif (change.resource, change.path) in self._asking:
            yield from _reference(change)
        elif self.effects.is_end(change):
            yield from self._setting(change)

    def _declared(self, role: _Declared, change: Change) -> Iterator[Risk]:
        workload, port = role.workload, role.port
        if role.part == "number":
            now = next((one for one in self.after.workloads if one.key == workload.key), workload)
            container = next((one for one in now.containers if one.name == port.container), None)
            if container is None or not self._told(now, container, change.after, change.before):
                yield Risk(
                    Danger.PROGRAM,
                    f"nothing tells the program of {workload.key} to listen on {change.after} instead of "
                    f"{change.before}: the declared port alone moves nothing",
                )
        elif role.part == "hostPort" and not (workload.host_network and self.effects.is_end(change)):
            yield Risk(Danger.OPERATOR, f"{change.before} is the port of {workload.key} on its nodes")
        elif role.part == "protocol":
            yield Risk(Danger.SCHEME, _flip(change))
        elif role.part == "name":
            yield from self._name(workload, change)

    def _name(self, workload: Workload, change: Change) -> Iterator[Risk]:
        """Who knows a container's port by its name. That the name is wrong is certain when several ask for the new one."""
        asks = {
            (edge.holder, edge.at)
            for edge in edges(self.before)
            if isinstance(edge.whom, Pods)
            and edge.whom.workload is workload
            and edge.wanted == change.after
            and isinstance(answer(self.before, edge), Missed)
        }
        if len(asks) < _SEVERAL:
            text = f"Services, monitors and policies that are not in this rendering may use the name {change.before} of {workload.key}"
            yield Risk(Danger.CALLERS, text)

    def _told(self, workload: Workload, container: Container, new: object, old: object) -> bool:
        """Whether the container's own settings, its files or its image say `new`, and nothing of it says `old`."""
        called = {edge.wanted for edge in self.after.asking(Relation.CALLER) if edge.holder == workload.key}
        settings = (container.mentions | workload.config_numbers) - called
        default = new in container.default_ports and not settings & set(container.default_ports)
        return (new in settings or default) and old not in settings

    def _offered(self, role: _Offered, change: Change) -> Iterator[Risk]:
        service, port = role.service, role.port
        if role.part == "target":
            yield from self._target(service, port, change)
        elif role.part == "nodePort":
            yield Risk(Danger.OPERATOR, f"{change.before} is the port of {service.key} on every node")
        elif role.part == "protocol":
            yield Risk(Danger.SCHEME, _flip(change))
        else:
            yield from self._callers(service, port, change)

    def _callers(self, service: Service, port: ServicePort, change: Change) -> Iterator[Risk]:
        """Who uses the number or name of a Service's port: known callers, and those that nobody has rendered.

        That it is wrong is certain when nobody who is known uses it and several ask for the new one, or one who has no
        number of its own to change (the default of a webhook).
        """
        what = f"{'the name' if isinstance(change.before, str) else 'port'} {change.before} of {service.key}"
        if service.type in ("LoadBalancer", "NodePort"):
            yield Risk(Danger.CALLERS, f"clients outside of the cluster use {what} ({service.type})")
            return
        if service.headless and change.after in (endpoint_numbers(self.before, service, port) or ()):
            return  # its clients reach the pods themselves, at the pods' own port
        asking = [one for one in self.before.asking(*Relation) if one.whom.place == _place(service)]
        found = [(one, answer(self.before, one)) for one in asking]
        users = [
            one for one, reply in found if isinstance(reply, Reached) and _uses(one, port, change.before)
        ]
        asks = [one for one, reply in found if isinstance(reply, Missed) and one.wanted == change.after]
        if users:
            yield Risk(Danger.CALLERS, f"{_holders(users)} {_verb(users, 'use')} {what}")
        elif len({one.holder for one in asks}) < _SEVERAL and not any(one.port is None for one in asks):
            yield Risk(Danger.CALLERS, f"callers that are not in this rendering may use {what}")

    def _target(self, service: Service, port: ServicePort, change: Change) -> Iterator[Risk]:
        now = next((one for one in self.after.services if one.key == service.key), service)
        entry = next((one for one in now.ports if one.path == port.path), port)
        for workload, end in ends(self.after, now, entry).reached:
            own = _is_tls(port.name_text)  # without a name: 443 in front of a plain port is common
            one = _is_tls(change.before) if own is None else own
            other = _is_tls(change.after) if own is None else _is_tls(end.name_text, end.value)
            if None not in (one, other) and one is not other:
                text = (
                    f"port {port.label} of {service.key} and port {end.label} of {workload.key} differ in TLS"
                )
                yield Risk(Danger.SCHEME, text)
            yield from self._listening(service, port, change, (workload, end))

    def _listening(
        self, service: Service, port: ServicePort, change: Change, reached: tuple[Workload, ContainerPort]
    ) -> Iterator[Risk]:
        """Whether the program listens where the Service is to send to: Kubernetes compares a declaration with nothing."""
        workload, end = reached
        was = port.target.value if change.before is None else change.before
        silent = silent_server(workload, end)
        if _moved_alone(self.before, service, port, workload, end):
            text = f"this change moved the port of {workload.key} to {end.value}, and nothing says that its program follows"
        elif silent is not None:
            text = (
                f"container {silent.name} of {workload.key} declares no port and may be the one that is meant"
            )
        elif isinstance(was, int) and not _is_vouched(workload, end, port, was):
            text = f"only its declaration says that the program of {workload.key} listens on {end.value}, and not on {was}"
        else:
            return
        yield Risk(Danger.PROGRAM, text)

    def _setting(self, change: Change) -> Iterator[Risk]:
        """What a program is told: whatever else speaks of the old number has to go along."""
        gone = numbers_in(change.before) - numbers_in(change.after)
        for workload in self.after.workloads:
            key = change.resource
            if workload.key != key and not (key.kind == "ConfigMap" and key.name in workload.configs):
                continue
            probed = {check.port.value for one in running(workload) for check in one.checks}
            said = frozenset().union(*(one.mentions for one in running(workload)))
            still = gone & (probed | said | workload.config_numbers | workload.annotation_numbers)
            if still:
                number = min(int(str(one)) for one in still)
                yield Risk(Danger.PROGRAM, f"something else of {workload.key} still says {number}")

    def _lost(self) -> Iterator[Risk]:
        """Edges that reached their port without the edits, and miss it with them."""
        now = {_identity(edge): edge for edge in edges(self.after)}
        for edge in edges(self.before):
            other = now.get(_identity(edge))
            if other is None or not isinstance(answer(self.before, edge), Reached):
                continue
            if isinstance(answer(self.after, other), Missed):
                text = f"{edge.holder} ({edge.relation.value}) reaches its port today and would miss it"
                yield Risk(Danger.CALLERS, text)


def _roles(graph: PortGraph) -> Iterator[tuple[Field, _Declared | _Offered]]:
    for workload in graph.workloads:
        for port in (port for container in workload.containers for port in container.ports):
            sites = {
                "number": port.number,
                "name": port.name,
                "hostPort": port.host_port,
                "protocol": port.protocol_site,
            }
            yield from (
                ((one.resource, one.path), _Declared(workload, port, part))
                for part, one in sites.items()
                if one
            )
    for service in graph.services:
        for entry in service.ports:
            offered = {
                "number": entry.number,
                "name": entry.name,
                "nodePort": entry.node_port,
                "protocol": entry.protocol_site,
            }
            yield from (
                ((one.resource, one.path), _Offered(service, entry, part))
                for part, one in offered.items()
                if one
            )
            # Where it is absent, a fix may add it.
            yield (service.key, (*entry.path, "targetPort")), _Offered(service, entry, "target")


def _asking_sites(graph: PortGraph) -> Iterator[Site]:
    for edge in edges(graph):
        if edge.port is not None:
            yield edge.port


def _paired(changes: Iterable[Change]) -> list[Change]:
    """The changes, with those of an object whose generated name changes taken as changes of one object."""
    every = list(changes)
    gone: dict[tuple[str, str, str, FieldPath], Change] = {}
    for one in every:
        if one.after is None and one.resource.kind in ("ConfigMap", "Secret"):
            gone[_stem(one)] = one
    paired: list[Change] = []
    met: set[tuple[str, str, str, FieldPath]] = set()
    for one in every:
        stem = _stem(one)
        if one.before is None and stem in gone:
            met.add(stem)
            before = gone[stem].before
            if before != one.after:
                paired.append(Change(one.resource, one.path, before, one.after))
        else:
            paired.append(one)
    return [one for one in paired if not (one.after is None and _stem(one) in met)]


def _stem(change: Change) -> tuple[str, str, str, FieldPath]:
    key = change.resource
    return key.kind, key.namespace, _GENERATED.sub("", key.name), change.path


def _follows(change: Change) -> bool:
    """Whether the change only tells that another one was made: a checksum, or the hash in a generated name."""
    before, after = str(change.before), str(change.after)
    if _CHECKSUM.fullmatch(before) and _CHECKSUM.fullmatch(after):
        return True
    generated = _GENERATED.search(before) and _GENERATED.search(after)
    return bool(generated) and _GENERATED.sub("", before) == _GENERATED.sub("", after)


def _contradictions(effects: Sequence[TargetEffects]) -> Iterator[Risk]:
    """Environments that read the edited text, do not render the field, and whose other end holds another value.

    A template's literal gets the number of the one environment that renders it: as soon as another does, it is wrong there.
    """
    news = {
        (change.resource, change.path): change.after for one in effects if one.ends for change in one.changes
    }
    others: dict[Field, object] = {}
    for one in effects:
        for key, path in one.ends:
            resource = one.before.resource(key)
            value = None if resource is None else lookup(resource.data, path)
            if (key, path) not in news and value is not None and value in news.values():
                others[key, path] = value
    holders = {key for key, _ in news}
    for one in effects:
        if one.ends or any(one.before.resource(key) for key in holders):
            continue
        for (key, path), value in others.items():
            resource = one.before.resource(key)
            own = None if resource is None else lookup(resource.data, path)
            if own is not None and own != value:
                text = f"in {one.target}, {key} {format_path(path)} is {own}, and the text is the same"
                yield Risk(Danger.CONTRADICTED, text)


def _reference(change: Change) -> Iterator[Risk]:
    one, other = _is_tls(change.before), _is_tls(change.after)
    if None not in (one, other) and one is not other:
        yield Risk(Danger.SCHEME, f"{change.before} and {change.after} differ in TLS")


def _flip(change: Change) -> str:
    return f"{change.resource} would speak {change.after or 'the default'} instead of {change.before or 'the default'}"


def _is_tls(*values: object) -> bool | None:
    """Whether a port is for TLS by the first of these names and numbers that tells; None when none does.

    What is no name of a port, as the address that somebody calls, tells nothing and is not quoted.
    """
    for value in values:
        if isinstance(value, int) and value in _TLS_NUMBERS | _PLAIN_NUMBERS:
            return value in _TLS_NUMBERS
        if isinstance(value, str) and _PORT_NAME.fullmatch(value):
            if _TLS.search(value):
                return True
            if _PLAIN.search(value):
                return False
    return None


def _moved_alone(
    graph: PortGraph, service: Service, port: ServicePort, workload: Workload, end: ContainerPort
) -> bool:
    """Whether the change moved the declaration that the Service is to follow, while nothing tells the program."""
    here = next((one for one in graph.workloads if one.key == workload.key), None)
    past = None if here is None else reached_before(graph, service, port, here)
    if past is None or here is None or past.value == end.value:
        return False
    return not is_meant_to_listen(here, end.value) and not program_changed(graph, here, end.container)


def _is_vouched(workload: Workload, end: ContainerPort, port: ServicePort, was: int) -> bool:
    """Whether more than the declaration says that the program listens there.

    A probe, the settings or the image; the Service's own port; or that the old number is one that says nothing of the
    program: what callers expect, or a typo of a usual one.
    """
    number = end.value
    containers = [one for one in running(workload) if one.name == end.container]
    checks = [check for one in containers for check in one.checks if not check.is_hook]
    if any(check.port.value in (number, end.name_text) for check in checks):
        return True
    if is_in_pod_spec(workload, number) or is_meant_to_listen(workload, number):
        return True
    if is_near_miss(was, number):
        return number == port.number.value or (number in USUAL_PORTS and was not in USUAL_PORTS)
    return number == port.number.value or repeats_what_callers_expect(port)


def _place(service: Service) -> tuple[str, str]:
    return service.key.namespace, service.key.name


def _uses(edge: ServiceEdge, port: ServicePort, value: object) -> bool:
    return edge.wanted == value and answers(port, edge.wanted, edge.by)


def _holders(several: Sequence[ServiceEdge]) -> str:
    names = list(dict.fromkeys(str(one.holder) for one in several))
    more = [f"{len(names) - _NAMES_SHOWN} more"] if len(names) > _NAMES_SHOWN else []
    return listing([*names[:_NAMES_SHOWN], *more])


def _verb(several: Sequence[ServiceEdge], verb: str) -> str:
    return f"{verb}s" if len({one.holder for one in several}) == 1 else verb


def _identity(edge: Edge[ServiceName | Pods]) -> tuple[object, ...]:
    pods = edge.whom.workload if isinstance(edge.whom, Pods) else None
    return edge.relation, edge.holder, edge.at, None if pods is None else pods.key
