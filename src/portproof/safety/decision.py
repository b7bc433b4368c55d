"""The decision: which reasons speak against a proven fix. It is safe when there are none."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from msgspec import Struct

from portproof.effects import Change
from portproof.graph import selectors
from portproof.graph.model import ContainerPort, PortGraph, Service, ServicePort, Workload
from portproof.rules.edges import edges
from portproof.safety import callers, program, scheme, sharing
from portproof.safety.model import GUESS, Danger, Field, Risk, TargetEffects
from portproof.yamldoc import lookup

_KEPT = {
    "StatefulSet": frozenset({"serviceName", "selector", "podManagementPolicy"}),
    "Deployment": frozenset({"selector"}),
    "ReplicaSet": frozenset({"selector"}),
    "DaemonSet": frozenset({"selector"}),
    "Service": frozenset({"clusterIP"}),
}
"""Fields of a spec that the API server lets nobody change (k/k pkg/apis/apps/validation, pkg/apis/core/validation)."""

_COMPARED = re.compile(r"issuer|audience|redirect_?ur[il]|callback_?url|allowed_?origins?", re.IGNORECASE)
"""Names of addresses that are compared, as those of OpenID Connect Core 1.0, section 3.1.3.7 (``iss``, ``aud``)."""


def risks(
    effects: Sequence[TargetEffects], *, guess: bool = False, follows: bool = False
) -> tuple[Risk, ...]:
    """Why a proven fix is unsafe, each reason once; empty when it is safe.

    `effects` are those on all targets that read the edited files, `guess` that nothing speaks for this end of the edge.
    What `follows` the other end holds its value in every environment.
    """
    found = [risk for one in effects for risk in _in_target(one)]
    if not follows:
        found += sharing.contradictions(effects)
    # What is known to speak against a fix says more than that nothing speaks for it.
    return tuple(dict.fromkeys(found)) or ((GUESS,) if guess else ())


class _Declared(Struct, frozen=True):
    """A field of a container's port."""

    workload: Workload
    port: ContainerPort
    part: str


class _Offered(Struct, frozen=True):
    """A field of a Service's port."""

    service: Service
    port: ServicePort
    part: str


def _in_target(effects: TargetEffects) -> Iterator[Risk]:
    """What speaks against the changes in one target: of each, who relies on what moves."""
    roles = dict(_roles(effects.before))
    asking = {(one.port.resource, one.port.path) for one in edges(effects.before) if one.port is not None}
    moves = sharing.meant(effects)
    for change in moves:
        role = roles.get((change.resource, change.path))
        if _restores(effects, change):
            if isinstance(role, _Declared) and role.part == "number":
                yield from program.of_restored(effects.before, role.workload, role.port, change)
            continue
        on_edge = effects.is_end(change)
        if on_edge and str(change.before) == str(change.after):
            continue  # quotes come or go; the number stays
        own = [
            *_kept(effects, change),
            *_compared(effects, change),
            *_of_role(effects, role, asking, change),
        ]
        yield from own
        if not on_edge and not own:
            yield sharing.shared(effects, change)
    if moves:
        yield from callers.lost(effects.before, effects.after)
        yield from _disowned(effects)


def _kept(effects: TargetEffects, change: Change) -> Iterator[Risk]:
    """A field that an object keeps for as long as it exists; a change may still bring the object in."""
    key, field = change.resource, change.path[1] if len(change.path) > 1 else None
    base = effects.before.base
    is_new = base is not None and base.resource(key) is None
    if change.path[:1] == ("spec",) and field in _KEPT.get(key.kind, ()) and not is_new:
        yield Risk(
            Danger.IMMUTABLE, f"the API server changes no {field} of a {key.kind}: delete {key.name} first"
        )


def _compared(effects: TargetEffects, change: Change) -> Iterator[Risk]:
    """An address that is compared as text with what the other side calls itself: it has to stay what it is."""
    resource = effects.before.resource(change.resource)
    if resource is None or not change.path or "://" not in str(change.before):
        return
    own = change.path[-1]
    name = lookup(resource.data, (*change.path[:-1], "name")) if own == "value" else own
    if _COMPARED.search(str(name)):
        text = (
            f"{name} may be compared as text with what the other side calls itself"  # it may hold a password
        )
        yield Risk(Danger.CALLERS, text)


def _disowned(effects: TargetEffects) -> Iterator[Risk]:
    """The workloads whose selector no longer selects their own pods: the API server rejects them."""
    labelled = {one.resource for one in effects.changes if "labels" in one.path}
    for workload in effects.after.workloads:
        if workload.key not in labelled:
            continue
        wanted = lookup(effects.after.read_from[workload].data, ("spec", "selector"))
        selector = selectors.kubernetes(wanted) if wanted else None
        if selector is not None and not selector.matches(workload.labels):
            yield Risk(
                Danger.CHANGE,
                f"the selector of {workload.key} does not select its own pods then, so the API server rejects it",
            )


def _restores(effects: TargetEffects, change: Change) -> bool:
    """Whether the field gets back what it held in the base, which worked."""
    base = effects.before.base
    if base is None:
        return False
    resource = base.resource(change.resource)
    old = None if resource is None else lookup(resource.data, change.path)
    if isinstance(old, dict | list):  # an empty one, which a change has as text
        old = str(old)
    return old == change.after and type(old) is type(change.after)


def _of_role(
    effects: TargetEffects, role: _Declared | _Offered | None, asking: set[Field], change: Change
) -> Iterator[Risk]:
    """What a field means, and who relies on it."""
    if isinstance(role, _Declared):
        yield from _declared(effects, role, change)
    elif isinstance(role, _Offered):
        yield from _offered(effects, role, change)
    elif change.path and change.path[-1] in scheme.FIELDS:
        yield scheme.flipped(change)
    elif (change.resource, change.path) in asking:
        yield from scheme.of_reference(change)
        yield from program.of_references(effects, change)
    elif effects.is_end(change):
        yield from program.of_setting(effects.after, change)


def _declared(effects: TargetEffects, role: _Declared, change: Change) -> Iterator[Risk]:
    workload, port = role.workload, role.port
    if role.part == "number":
        yield from program.of_declaration(effects.after, workload, port, change)
    elif role.part == "hostPort" and not (workload.host_network and effects.is_end(change)):
        yield Risk(Danger.OPERATOR, f"{change.before} is the port of {workload.key} on its nodes")
    elif role.part == "protocol":
        yield scheme.flipped(change)
    elif role.part == "name":
        yield from callers.of_name(effects.before, workload, change)


def _offered(effects: TargetEffects, role: _Offered, change: Change) -> Iterator[Risk]:
    service, port = role.service, role.port
    if role.part == "target":
        for workload, end in program.reached(effects.after, service, port):
            yield from scheme.of_target(service, port, change, workload, end)
            yield from program.of_target(effects, service, port, change, (workload, end))
    elif role.part == "nodePort":
        yield Risk(Danger.OPERATOR, f"{change.before} is the port of {service.key} on every node")
    elif role.part == "protocol":
        yield scheme.flipped(change)
    else:
        yield from callers.of_service(effects.before, service, port, change)


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
