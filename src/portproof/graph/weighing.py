"""Is a number that no container declares a mistake? Evidence items, and a table that decides.

Kubernetes never compares a numeric ``targetPort`` with the declared ports (kubernetes/endpointslice ``utils.go``
FindPort), and a container may listen on a port that it does not declare. So such a number is broken only when other
facts say so: they are collected as a set of `Fact`, and `_TABLE` turns the set into a `Confidence`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from enum import Enum, IntEnum, auto
from functools import lru_cache

from msgspec import Struct

from portproof.graph.answers import resolve, target_number
from portproof.graph.evidence import (
    CLIENTS_PORTS,
    EXPORTERS_PORTS,
    GATEWAYS_PORTS,
    HABITUAL_PORTS,
    USUAL_PORTS,
    WELL_KNOWN,
    are_of_one_program,
    built_to_listen,
    image_listening,
    is_in_pod_spec,
    is_meant_to_listen,
    is_near_miss,
    is_said_by_a_dockerfile,
    numbers_in_settings,
    running,
    silent_main,
    silent_server,
)
from portproof.graph.meant import first_unique
from portproof.graph.model import ContainerPort, PortGraph, Service, ServicePort, Workload
from portproof.graph.numbers import numbers_in
from portproof.graph.past import declared_now, port_before, program_changed, reached_before, workload_before
from portproof.graph.referrers import other_ports

_CORROBORATING = frozenset(
    {"NetworkPolicy", "CiliumNetworkPolicy", "ServiceMonitor", "PodMonitor", "AuthorizationPolicy"}
)

_PROXY = re.compile(r"(?<!sql)(?<!sql[-_])proxy|nginx|envoy|stunnel|ghostunnel", re.IGNORECASE)
"""Names of what takes traffic for the other containers of a pod; not those that lead out, as to Cloud SQL."""


_GATEWAY = re.compile(r"kong|kourier|envoy", re.IGNORECASE)
_EXPORTER = re.compile(r"exporter", re.IGNORECASE)


class Confidence(IntEnum):
    """How sure it is that the number is a mistake. DOUBTFUL: the declaration may as well be the wrong end."""

    NONE = 0
    DOUBTFUL = 1
    LIKELY = 2
    CERTAIN = 3


class Suspect(Enum):
    """Which end was probably changed: the reference, or the declaration it was to reach."""

    REFERENCE = "reference"
    DECLARATION = "declaration"


class Fact(Enum):
    """What may be true of a number that nobody declares, and of the declared port that was probably meant."""

    PROBED = auto()
    CONFIGURED = auto()
    DEFAULT_OF_IMAGE = auto()
    BUILT = auto()
    NEAR = auto()
    SAME_NAME = auto()
    ORPHAN = auto()
    REPEATS = auto()
    ONLY_ORPHAN = auto()
    ALONE = auto()
    ASKED = auto()
    WRITTEN_TWICE = auto()
    OWN_PORT = auto()
    OTHERS_AGREE = auto()
    OTHERS_UNDECLARED = auto()
    COPIED = auto()
    TARGET_MOVED = auto()
    DECLARATION_MOVED = auto()
    DECLARATION_GONE = auto()
    # concluded from those above
    FITS = auto()
    VOUCHED = auto()
    SUPPORTED = auto()
    SLIP = auto()


_MOVED = frozenset({Fact.TARGET_MOVED, Fact.DECLARATION_MOVED})

_TABLE: tuple[tuple[frozenset[Fact], frozenset[Fact], Confidence], ...] = (
    # An application that leaves other ports undeclared does not vouch for those it declares: only a typo tells.
    (frozenset({Fact.OTHERS_UNDECLARED, Fact.NEAR, Fact.ORPHAN}), _MOVED, Confidence.LIKELY),
    (frozenset({Fact.OTHERS_UNDECLARED}), _MOVED, Confidence.NONE),
    # A change moved one end of what met in the base, and the program speaks for the other one.
    (frozenset({Fact.TARGET_MOVED, Fact.VOUCHED}), frozenset({Fact.OTHERS_AGREE}), Confidence.CERTAIN),
    (frozenset({Fact.DECLARATION_MOVED, Fact.VOUCHED}), frozenset(), Confidence.CERTAIN),
    (frozenset({Fact.DECLARATION_MOVED}), frozenset(), Confidence.LIKELY),
    (frozenset({Fact.FITS, Fact.SUPPORTED}), frozenset({Fact.OTHERS_AGREE}), Confidence.CERTAIN),
    (frozenset({Fact.SLIP}), frozenset(), Confidence.LIKELY),
    (frozenset({Fact.FITS, Fact.SUPPORTED}), frozenset(), Confidence.LIKELY),
    (frozenset({Fact.FITS, Fact.NEAR}), frozenset({Fact.OTHERS_AGREE, Fact.COPIED}), Confidence.LIKELY),
    (frozenset({Fact.FITS, Fact.REPEATS}), frozenset({Fact.OTHERS_AGREE}), Confidence.LIKELY),
    (frozenset({Fact.TARGET_MOVED}), frozenset(), Confidence.LIKELY),
    (frozenset({Fact.FITS}), frozenset(), Confidence.DOUBTFUL),
)
"""The first row whose facts are all there, and none of those in its second column, decides; else there is no mistake."""


class Move(Struct, frozen=True):
    """What a change did: it moved the Service's target, or moved or removed the declaration (`fact`), away from the other.

    `old` is what the end that moved was in the base. `end` is the declared port that the Service reached there, as it is
    now; None when it is gone, or when the pods have not declared any.
    """

    fact: Fact
    end: ContainerPort | None
    old: str | int | None


class Weighed(Struct, frozen=True):
    """The verdict on a number that no container of `workload` declares.

    `meant` is the declared port that was probably meant, None when nothing singles one out. `reasons` say what speaks
    for a mistake, strongest first; `silence` that nothing else mentions the number, when that is so. `move` is what a
    change did to the edge, where it met in the base.
    """

    workload: Workload
    meant: ContainerPort | None
    reasons: tuple[str, ...] = ()
    silence: tuple[str, ...] = ()
    confidence: Confidence = Confidence.NONE
    suspect: Suspect = Suspect.REFERENCE
    move: Move | None = None

    @property
    def strongest(self) -> tuple[str, ...]:
        """At most three reasons, and last that nothing else mentions the number, when that is so."""
        return (*self.reasons[:3], *self.silence)


def weigh(graph: PortGraph, service: Service, port: ServicePort, workload: Workload) -> Weighed:
    """Weigh the evidence about `port`, whose numeric target no container of `workload` declares."""
    wanted = port.target.value
    declared = [one for one in workload.ports if one.protocol == port.protocol]
    move = _move(graph, service, port, workload)
    if not isinstance(wanted, int) or (move is None and _may_well_listen(workload, port, wanted, declared)):
        return Weighed(workload, None)
    if move is not None and move.end is None:
        return _without_end(graph, workload, move)
    others = [*other_ports(graph, service, port, workload)]
    reached = {number for one in others if (number := target_number(one, workload)) is not None}
    orphans = [one for one in declared if one.value not in reached]
    meant = _meant(port, declared, orphans, wanted) if move is None else move.end
    if meant is None:
        return Weighed(workload, None)
    facts = {
        *_facts_of_pods(workload, port, meant, declared),
        *_facts_of_services(service, port, workload, meant),
        *_facts_of_others(graph, wanted, reached, orphans, meant),
        *([Fact.COPIED] if _is_copied(graph, port, workload, meant) else []),
        *([] if move is None else [move.fact]),
    }
    if move is not None and move.fact is Fact.DECLARATION_MOVED and meant.value not in _probed(workload):
        facts.discard(Fact.PROBED)  # a probe by name goes where the declaration goes
    facts |= set(_concluded(facts))
    if _is_excused(graph, workload, meant, facts) or _is_of_another_program(
        port, workload, meant, others, facts
    ):
        return Weighed(workload, None)
    is_said = Fact.OTHERS_AGREE in facts or is_in_pod_spec(workload, wanted)
    return Weighed(
        workload,
        meant,
        tuple(_reasons(facts, port, workload, meant)),
        () if is_said else (f"nothing else mentions {wanted}",),
        next((one for needs, bars, one in _TABLE if needs <= facts and not bars & facts), Confidence.NONE),
        _suspect(facts),
        move,
    )


def _without_end(graph: PortGraph, workload: Workload, move: Move) -> Weighed:
    """The verdict where the pods do not declare what the Service reached, neither now nor, perhaps, in the base."""
    if move.fact is Fact.TARGET_MOVED:
        said = (
            f"the probes use {move.old}"
            if move.old in _probed(workload)
            else f"the pod's settings mention {move.old}"
        )
        return Weighed(workload, None, (said,), (), Confidence.LIKELY, Suspect.REFERENCE, move)
    before = workload_before(graph, workload)
    names = {one.name for one in workload.containers}
    stayed = before is not None and all(
        one.name in names and not program_changed(graph, workload, one.name)
        for one in before.containers
        if any(each.value == move.old for each in one.ports)
    )
    # Pods that go without any declaration, and are otherwise as they were, serve as they did.
    confidence = Confidence.LIKELY if workload.ports or not stayed else Confidence.DOUBTFUL
    return Weighed(workload, None, (), (), confidence, Suspect.DECLARATION, move)


def _is_excused(graph: PortGraph, workload: Workload, meant: ContainerPort, facts: set[Fact]) -> bool:
    """Whether something else explains the number: a container that declares nothing, or a program that changed as well."""
    of_a_helper = not facts & {Fact.SAME_NAME, *_MOVED} and silent_main(workload, meant) is not None
    if of_a_helper or Fact.NEAR in facts:
        return of_a_helper
    if Fact.TARGET_MOVED in facts:
        return Fact.VOUCHED not in facts and program_changed(graph, workload, meant.container)
    if Fact.DECLARATION_MOVED in facts:
        return False
    beside = Fact.SAME_NAME not in facts and silent_server(workload, meant) is not None
    return beside or _has_silent_proxy(workload)


def _is_of_another_program(
    port: ServicePort,
    workload: Workload,
    meant: ContainerPort,
    others: Sequence[ServicePort],
    facts: set[Fact],
) -> bool:
    """Whether the number is a usual one of the program that other Service ports reach, and `meant` is of one beside it.

    openHAB declares 8443 and listens on 8080 as well; 9080 is the log shipper's.
    """
    if facts & {Fact.SAME_NAME, *_MOVED} or port.target.value not in USUAL_PORTS:
        return False
    programs = {found.container for one in others if (found := resolve(one, workload)) is not None}
    return bool(programs) and meant.container not in programs


def _suspect(facts: set[Fact]) -> Suspect:
    """The end that was probably changed: the declaration, when others agree with the reference or it has moved."""
    if {Fact.CONFIGURED, Fact.DEFAULT_OF_IMAGE, Fact.BUILT, Fact.OTHERS_UNDECLARED} & facts:
        return Suspect.REFERENCE
    if facts >= {Fact.DECLARATION_MOVED, Fact.PROBED}:
        return Suspect.REFERENCE
    odd = {Fact.OTHERS_AGREE, Fact.DECLARATION_MOVED} & facts
    return Suspect.DECLARATION if odd else Suspect.REFERENCE


def _facts_of_others(
    graph: PortGraph, wanted: int, reached: set[int], orphans: Sequence[ContainerPort], meant: ContainerPort
) -> Iterator[Fact]:
    """What other Services and policies say of the number, and of the port that was probably meant."""
    if meant in orphans:
        yield Fact.ORPHAN
    if list(orphans) == [meant]:
        yield Fact.ONLY_ORPHAN
    if wanted in reached or wanted in numbers_of_policies(graph):
        yield Fact.OTHERS_AGREE


def _is_copied(graph: PortGraph, port: ServicePort, workload: Workload, meant: ContainerPort) -> bool:
    """Whether the declaration was probably copied from another workload's, whose own number it is.

    Then `port` and ``targetPort``, which agree, are the ones that somebody thought about.
    """
    if not _is_written_twice(port) or meant.value in USUAL_PORTS:
        return False
    others = (one for one in graph.workloads if one.key.name != workload.key.name)
    return any(declared.value == meant.value for one in others for declared in one.ports)


def _move(graph: PortGraph, service: Service, port: ServicePort, workload: Workload) -> Move | None:
    """What a change did to an edge that met in the base; None when it did not move one end away from the other.

    None, too, when the pod names the number that the Service sends to.
    """
    old, wanted = port_before(graph, service, port), port.target.value
    if old is None or workload.opaque or not isinstance(wanted, int) or is_meant_to_listen(workload, wanted):
        return None
    before = reached_before(graph, service, port, workload)
    if before is None:
        return _move_of_undeclared(graph, workload, old.target.value, wanted)
    end = declared_now(graph, workload, before)
    if wanted == before.value:  # the Service stayed
        if end is None:
            return (
                None if is_in_pod_spec(workload, wanted) else Move(Fact.DECLARATION_GONE, None, before.value)
            )
        return Move(Fact.DECLARATION_MOVED, end, before.value) if end.value != before.value else None
    if end is None or end.value != before.value or is_in_pod_spec(workload, wanted):
        return None
    return Move(Fact.TARGET_MOVED, end, old.target.value)


def _move_of_undeclared(graph: PortGraph, workload: Workload, old: object, wanted: int) -> Move | None:
    """A target that moved between numbers which nobody declares, while the pod still names the one of the base."""
    before = workload_before(graph, workload)
    if before is None or before.ports or workload.ports or not isinstance(old, int) or old == wanted:
        return None
    said = is_in_pod_spec(workload, old) and is_in_pod_spec(before, old)
    return Move(Fact.TARGET_MOVED, None, old) if said and not is_in_pod_spec(workload, wanted) else None


def _probed(workload: Workload) -> frozenset[object]:
    return frozenset(check.port.value for one in running(workload) for check in one.checks)


def _facts_of_pods(
    workload: Workload, port: ServicePort, meant: ContainerPort, declared: Sequence[ContainerPort]
) -> Iterator[Fact]:
    """What the pod itself says of the port that was probably meant."""
    if _probes_use_declared(workload, meant):
        yield Fact.PROBED
    if meant.value in numbers_in_settings(workload):
        yield Fact.CONFIGURED
    if image_listening(workload, meant.value):
        yield Fact.DEFAULT_OF_IMAGE
    if built_to_listen(workload, meant.value):
        yield Fact.BUILT
    if isinstance(port.target.value, int) and is_said_by_a_dockerfile(workload, port.target.value):
        yield Fact.OTHERS_AGREE
    if len({one.value for one in declared}) == 1:
        yield Fact.ALONE
    if port.name is not None and meant.name is not None and port.name.value == meant.name.value:
        yield Fact.SAME_NAME


def _facts_of_services(
    service: Service, port: ServicePort, workload: Workload, meant: ContainerPort
) -> Iterator[Fact]:
    """What the Service's own fields say of the number, beside the port that was probably meant."""
    wanted = port.target.value
    # Two ports that programs listen on by habit are two habits, not a typo.
    if (
        isinstance(wanted, int)
        and is_near_miss(wanted, meant.value)
        and not {wanted, meant.value} <= USUAL_PORTS
    ):
        yield Fact.NEAR
    if repeats_what_callers_expect(port):
        yield Fact.REPEATS
    if _is_written_twice(port):
        yield Fact.WRITTEN_TWICE
    if not port.implicit and meant.value == port.number.value:
        yield Fact.ASKED
    if _has_own_port(service, port, workload, meant):
        yield Fact.OWN_PORT
    if _listens_undeclared(service, port, workload):
        yield Fact.OTHERS_UNDECLARED


def _concluded(facts: set[Fact]) -> Iterator[Fact]:
    """What follows: the declared port fits the reference, something vouches for it, the number is a typo of it."""
    if Fact.SAME_NAME in facts or (Fact.ONLY_ORPHAN in facts and {Fact.ALONE, Fact.NEAR, Fact.ASKED} & facts):
        yield Fact.FITS
    # Nobody makes the same typo twice, unless both numbers come from one value: then the names have to agree.
    typed_once = Fact.NEAR in facts and Fact.WRITTEN_TWICE not in facts
    vouched = {Fact.PROBED, Fact.CONFIGURED, Fact.DEFAULT_OF_IMAGE, Fact.BUILT} & facts
    if vouched:
        yield Fact.VOUCHED
    if typed_once or vouched or facts >= {Fact.NEAR, Fact.SAME_NAME}:
        yield Fact.SUPPORTED
    if typed_once and Fact.OWN_PORT not in facts:
        yield Fact.SLIP


def _reasons(facts: set[Fact], port: ServicePort, workload: Workload, meant: ContainerPort) -> Iterator[str]:
    """What speaks for a mistake, strongest first, in words that a message can quote."""
    wanted = port.target.value
    odd, right = (wanted, meant.value) if Fact.DECLARATION_MOVED not in facts else (meant.value, wanted)
    words = {
        Fact.PROBED: f"the probes use {meant.value}",
        Fact.CONFIGURED: f"the container's settings mention {meant.value}",
        Fact.DEFAULT_OF_IMAGE: f"{image_listening(workload, meant.value)} listens on {meant.value} by default",
        Fact.BUILT: f"{built_to_listen(workload, meant.value)} makes the program listen on {meant.value}",
        Fact.COPIED: f"another workload declares {meant.value}, too",
        Fact.NEAR: "" if Fact.COPIED in facts else f"{odd} looks like a typo for {right}",
        Fact.SAME_NAME: f"both ports are named {str(meant.name_text)!r}",
        Fact.ONLY_ORPHAN: f"no other Service port reaches {meant.value}",
        Fact.REPEATS: f"{wanted} only repeats the Service's port",
    }
    if Fact.DECLARATION_MOVED in facts and wanted in _probed(workload):
        yield f"the probes still use {wanted}"
    yield from (text for fact, text in words.items() if text and fact in facts)


def _may_well_listen(
    workload: Workload, port: ServicePort, wanted: int, declared: Sequence[ContainerPort]
) -> bool:
    """Whether a program of the pod may well listen on `wanted`, or nothing is known about where its programs listen."""
    return (
        wanted in HABITUAL_PORTS
        or is_in_pod_spec(workload, wanted)
        or (_is_an_exporters(workload, wanted) and not _is_typo_of_namesake(port, wanted, declared))
        or bool(image_listening(workload, wanted))
        or bool(built_to_listen(workload, wanted))
        or not declared
        or bool(workload.opaque)
        or any(not isinstance(one.number.value, int) for one in declared)
        or any(are_of_one_program(wanted, one.value) for one in declared)
        or (wanted in GATEWAYS_PORTS and _is_called(workload, _GATEWAY))
    )


def _is_an_exporters(workload: Workload, wanted: int) -> bool:
    """Whether an exporter of the pod may open the number without declaring it."""
    return wanted in EXPORTERS_PORTS and _is_called(workload, _EXPORTER)


def _is_typo_of_namesake(port: ServicePort, wanted: int, declared: Sequence[ContainerPort]) -> bool:
    """Whether the number is a near miss of the declared port that has the name of the Service's port."""
    return port.name is not None and any(
        one.name is not None and one.name.value == port.name.value and is_near_miss(wanted, one.value)
        for one in declared
    )


def repeats_what_callers_expect(port: ServicePort) -> bool:
    """Whether ``targetPort`` says what callers of ``port`` expect, as 443 and 5432, wherever the program listens.

    Not 80: images that serve pages do listen there, whatever the developers' own server used (4200, 5173).
    """
    wanted = port.target.value
    return (
        not port.implicit
        and wanted == port.number.value
        and isinstance(wanted, int)
        and (80 != wanted < WELL_KNOWN or wanted in CLIENTS_PORTS)
    )


def _is_called(workload: Workload, name: re.Pattern[str]) -> bool:
    """Whether a container or its image is called so."""
    return any(name.search(text) for one in running(workload) for text in (one.name, one.image))


def _has_silent_proxy(workload: Workload) -> bool:
    """Whether a proxy is in front of the others and declares no port: traffic may well go to where it listens."""
    silent = (one for one in running(workload) if not one.ports)
    return any(_PROXY.search(text) for one in silent for text in (one.name, one.image))


def _is_written_twice(port: ServicePort) -> bool:
    """Whether ``port`` and ``targetPort`` both say the number: no typo, for nobody makes the same one twice."""
    wanted = port.target.value
    return (
        not port.implicit and wanted == port.number.value and isinstance(wanted, int) and wanted >= WELL_KNOWN
    )


def _listens_undeclared(service: Service, port: ServicePort, workload: Workload) -> bool:
    """Whether a Service sends other numbers too to ports nobody declares: the application just does not declare them."""
    return any(
        isinstance(other.target.value, int) and resolve(other, workload) is None
        for other in service.ports
        if other.path != port.path and other.target.value != port.target.value
    )


def _has_own_port(service: Service, port: ServicePort, workload: Workload, meant: ContainerPort) -> bool:
    """Whether another port of the same Service reaches `meant`: two ports of one Service are meant to differ."""
    reached = (resolve(one, workload) for one in service.ports if one.path != port.path)
    return any(one is not None and one.value == meant.value for one in reached)


def _meant(
    port: ServicePort, declared: list[ContainerPort], orphans: list[ContainerPort], wanted: int
) -> ContainerPort | None:
    """The declared port that the reference probably stands for."""
    by_name = [one for one in declared if port.name and one.name and one.name.value == port.name.value]
    by_number = [one for one in declared if one.value == port.number.value]
    near = [one for one in declared if is_near_miss(wanted, one.value)]
    near_orphans = [one for one in near if one in orphans]
    return first_unique(by_name, by_number, near_orphans, near, orphans, declared, by=lambda one: one.value)


def _probes_use_declared(workload: Workload, meant: ContainerPort) -> bool:
    """Whether some probe contacts `meant` and none contacts a port that is not declared."""
    for container in running(workload):
        if container.name != meant.container:
            continue
        probed = [check.port.value for check in container.checks if not check.is_hook]
        known = {one.value for one in container.ports} | {
            one.name.value for one in container.ports if one.name
        }
        own = {meant.value, meant.name_text}
        return bool(own & set(probed)) and all(value in known for value in probed)
    return False


@lru_cache(maxsize=4)
def numbers_of_policies(graph: PortGraph) -> frozenset[int]:
    """The numbers that policies and monitors of a rendering mention."""
    found = [numbers_in(one.data.get("spec")) for one in graph.resources if one.key.kind in _CORROBORATING]
    return frozenset().union(*found)
