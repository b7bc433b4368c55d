"""Renderings -> the map: each target by itself, then the calls from one target to another."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from msgspec import Struct

from portproof.discover.model import KUSTOMIZATION_NAMES, UNNAMED, HelmTarget, KustomizeTarget, Target
from portproof.environment import Environment, TargetInterface, interface_of, is_collection
from portproof.graph.answers import answer, answers, checks, ends, may_mean, unlisted
from portproof.graph.model import (
    ContainerPort,
    MatchBy,
    Missed,
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
from portproof.graph.references import ReferenceKind
from portproof.graph.weighing import Confidence, weigh
from portproof.graph.workloads import is_test
from portproof.portmap.installed import environment_name
from portproof.portmap.model import (
    ENTRIES,
    Ask,
    Caller,
    End,
    Loose,
    Place,
    PodTemplate,
    PortLine,
    PortMap,
    ServiceMap,
    TargetMap,
    Verdict,
)
from portproof.portmap.places import Places
from portproof.portmap.pods import COUNTING, selecting
from portproof.portmap.siblings import Siblings
from portproof.portmap.traced import Begun, NotBegun, Together, begin, one_by_one, parts, traced
from portproof.render.model import Renderer
from portproof.replacing import replace
from portproof.resources import ResourceKey, of_kinds
from portproof.rules.edges import edges
from portproof.rules.evaluate import states_namespace
from portproof.source import Tree, parent
from portproof.trace.model import Origin
from portproof.yamldoc import lookup

CALLS = ENTRIES | {Relation.CUSTOM, Relation.CALLER, Relation.MONITOR, Relation.SCRAPE}
"""How somebody opens a connection to a Service; policies and settings of a mesh only speak of one."""

_H2 = ("grpc", "h2c", "http2", "kubernetes.io/h2c")
_TLS = re.compile(r"tls|ssl|^grpcs")
"""What names of ports say that speak TLS, behind which HTTP/2 cannot be seen without a handshake."""
UNSTATED = "<release>"
"""Stands in names for that of a release which nobody states."""


class Asked(Struct, frozen=True):
    """What the map is to show: `targets` of `tree`; all of the repository's are `everything`.

    `rows` are references of the configuration's own, `environments` what it says is deployed together. With `places` it
    says where each number is written, which takes a second rendering.
    """

    tree: Tree
    targets: Sequence[Target]
    everything: Sequence[Target]
    rows: tuple[ReferenceKind, ...]
    environments: Mapping[str, tuple[str, ...]]
    jobs: int
    places: bool = True


class _Seen(Struct, frozen=True):
    """A target on the map, what it offers and calls, and who holds a port of its Services by (namespace, name, index)."""

    map: TargetMap
    interface: TargetInterface


def port_map(asked: Asked, render: Renderer, together: Together = one_by_one) -> PortMap:
    """Render each target, and read the map from what comes out. One that does not render has a reason instead.

    Where the numbers are written is asked of many charts `together`.
    """
    places = Places(asked.tree)
    siblings = Siblings(asked.tree)
    read_as = partial(_of_target, places)
    begin_one = partial(begin, asked.tree, asked.rows, render, siblings)
    seen: dict[str, _Seen] = {}
    with ThreadPoolExecutor(max_workers=asked.jobs) as pool:
        for several in parts(asked.targets):
            begun = list(pool.map(begin_one, several))
            pairs = (
                list(traced(begun, render, together, pool, asked.jobs))
                if asked.places
                else [(one, {}) for one in begun]
            )
            for read_of, origins in pairs:
                siblings.learn(read_of.target, origins)
            for one in pool.map(read_as, *zip(*pairs, strict=True)):
                seen[one.map.id] = one
    in_order = [seen[one.id] for one in asked.targets]
    environment = Environment(
        (one.interface for one in in_order), asked.environments, guess=not is_collection(asked.everything)
    )
    foreign = _foreign(in_order, environment)
    return PortMap(tuple(_with_callers(one.map, foreign.get(one.map.id, {})) for one in in_order))


def _of_target(places: Places, begun: Begun | NotBegun, origins: Mapping[Site, Origin]) -> _Seen:
    shown = TargetMap(begun.target.id, _family(begun.target), environment_name(begun.target))
    if isinstance(begun, NotBegun):
        return _Seen(replace(shown, reason=begun.reason), TargetInterface(begun.target, (), ()))
    read_of, target = begun.evaluation, begun.target
    counting = of_kinds(begun.rendering, COUNTING)
    stated = {*read_of.settled, *(one.key for one in counting if states_namespace(one, target))}
    settled = frozenset(one for one in stated if not _is_of_release(one, target))
    found = _Reader(begun.graph, target, settled, places, origins)
    problems = read_of.manifests.problems
    return _Seen(
        replace(
            shown,
            services=tuple(found.services()),
            loose=tuple(found.loose()),
            reason=problems[0].message.partition("\n")[0] if problems else "",
            pods=tuple(found.pods()),
            selectors=tuple(selecting(begun.graph, counting, settled.__contains__)),
        ),
        interface_of(begun.target, read_of),
    )


def _is_of_release(key: ResourceKey, target: Target) -> bool:
    """Whether it is where the release goes, and nobody states where that is: helm is told ``default``."""
    unstated = isinstance(target, HelmTarget) and not target.install and target.namespace == "default"
    return unstated and key.namespace == "default"


class _Reader:
    """Reads one target's part of the map from its graph."""

    def __init__(
        self,
        graph: PortGraph,
        target: Target,
        settled: frozenset[ResourceKey],
        places: Places,
        found: Mapping[Site, Origin],
    ) -> None:
        self._graph = graph
        self._settled = settled
        self._target = target
        self._places = places
        self._origins = found
        self._reached: set[Site] = set()
        self._calls, self._astray = self._calling()

    def services(self) -> Iterator[ServiceMap]:
        """The Services in the order of the rendering; of two with one name, the last is the one that is applied."""
        for service in {one.key: one for one in self._graph.services}.values():
            pods = self._graph.select(service)
            yield ServiceMap(
                namespace=service.key.namespace,
                settled=service.key in self._settled,
                name=self._name(service.key.name),
                type="Headless" if service.headless else service.type,
                selector=tuple(sorted((key, self._name(value)) for key, value in service.selector.items())),
                workloads=tuple(self._name(str(one.key)) for one in pods.workloads),
                ports=tuple(self._port(service, index, one) for index, one in enumerate(service.ports)),
                astray=tuple(sorted(set(self._astray.get(service, ())))),
                note=unlisted(service)
                or ("" if pods.workloads else pods.unknown or "no pods match its selector"),
                idle=self._idle(pods.workloads),
                unready=self._publishes_unready(service),
            )

    def _publishes_unready(self, service: Service) -> bool:
        """Whether pods that are not ready are endpoints; before Kubernetes 1.11 an annotation said so, and it still counts."""
        data = self._graph.read_from[service].data
        annotation = "service.alpha.kubernetes.io/tolerate-unready-endpoints"
        return (
            lookup(data, ("spec", "publishNotReadyAddresses")) is True
            or lookup(data, ("metadata", "annotations", annotation)) == "true"
        )

    def pods(self) -> Iterator[PodTemplate]:
        """The pods of each workload, as what selects them sees them; those of ``helm test`` come and go."""
        for one in self._graph.workloads:
            if is_test(self._graph.read_from[one]):
                continue
            yield PodTemplate(
                self._name(str(one.key)),
                one.key.namespace,
                one.key in self._settled,
                tuple(sorted((key, self._name(value)) for key, value in one.labels.items())),
                frozenset(self._name(name) for name in one.configs),
            )

    def _idle(self, workloads: Sequence[Workload]) -> str:
        """Why no pod may run: replicas of 0, or KEDA, which scales to zero unless it is told not to."""
        scaled = {
            (lookup(one.data, ("spec", "scaleTargetRef", "kind")) or "Deployment", name)
            for one in self._graph.of_kind("ScaledObject", "keda.sh")
            if not lookup(one.data, ("spec", "minReplicaCount"))
            and (name := lookup(one.data, ("spec", "scaleTargetRef", "name")))
        }
        said = [
            "replicas: 0"
            if lookup(self._graph.read_from[one].data, ("spec", "replicas")) == 0
            else "KEDA scales it to zero"
            if (one.key.kind, one.key.name) in scaled
            else ""
            for one in workloads
        ]
        return said[0] if said and all(said) else ""

    def loose(self) -> Iterator[Loose]:
        """What containers declare and no Service leads to; only after `services`."""
        for workload in self._graph.workloads:
            for container in workload.containers:
                for port in container.ports:
                    if port.number not in self._reached:
                        yield Loose(
                            self._name(str(workload.key)),
                            container.name,
                            port.value or None,
                            "" if port.name is None else str(port.name_text),
                            port.protocol,
                            self._place(port.number),
                        )

    def _calling(self) -> tuple[dict[Site, list[Caller]], dict[Service, list[Caller]]]:
        """Who asks for each port of a Service, by the port's number field; and for ports that a Service lacks."""
        held: dict[Site, list[Caller]] = defaultdict(list)
        astray: dict[Service, list[Caller]] = defaultdict(list)
        tests = {one.key for one in self._graph.resources if is_test(one)}  # they are there for a minute
        for edge in edges(self._graph):
            if edge.relation not in CALLS or not isinstance(edge.whom, ServiceName) or edge.holder in tests:
                continue
            found = answer(self._graph, edge)
            if isinstance(found, Reached):
                for port in found.ports:
                    if isinstance(port, ServicePort):
                        held[port.number].append(self._caller(edge.holder, edge.relation, edge.wanted, True))
            elif isinstance(found, Missed):
                for service in found.by:
                    if isinstance(service, Service):
                        astray[service].append(self._caller(edge.holder, edge.relation, edge.wanted, False))
        return held, astray

    def _caller(
        self, holder: ResourceKey, relation: Relation, wanted: str | int | None, reached: bool
    ) -> Caller:
        verdict = Verdict.REACHED if reached else Verdict.MISSED
        return Caller(
            self._name(str(holder)),
            relation.value,
            "" if wanted is None else str(wanted),
            verdict.value,
            namespace=holder.namespace,
        )

    def _port(self, service: Service, index: int, port: ServicePort) -> PortLine:
        found = ends(self._graph, service, port)
        self._reached |= {end.number for _, end in found.reached}
        shown = [
            *(self._end(workload, end) for workload, end in found.reached),
            *(self._undeclared(service, port, one) for one in found.missed),
            *(End("", "", None, "", Verdict.UNKNOWN, reason) for reason in found.unknown),
        ]
        return PortLine(
            index=index,
            number=port.number.value if isinstance(port.number.value, int) else None,
            name="" if port.name is None else str(port.name_text),
            protocol=port.protocol,
            target=str(port.target.value),
            node_port=port.node_port.value
            if port.node_port and isinstance(port.node_port.value, int)
            else None,
            ask=self._ask(service, port, found.reached),
            ends=tuple(shown),
            callers=tuple(sorted(set(self._calls.get(port.number, ())))),
            written=self._place(port.number),
            target_written=None if port.implicit else self._place(port.target),
        )

    def _undeclared(self, service: Service, port: ServicePort, workload: Workload) -> End:
        """A container may listen on a number that it does not declare: that is broken only if other facts say so."""
        name = self._name(str(workload.key))
        by_number = isinstance(port.target.value, int)
        if by_number and weigh(self._graph, service, port, workload).confidence is Confidence.NONE:
            reason = f"{name} does not declare {port.target.value}, and may listen on it all the same"
            return End(name, "", None, "", Verdict.UNKNOWN, reason)
        return End(name, "", None, "", Verdict.MISSED, _declared(workload))

    def _end(self, workload: Workload, end: ContainerPort) -> End:
        return End(
            self._name(str(workload.key)),
            end.container,
            end.value or None,
            "" if end.name is None else str(end.name_text),
            Verdict.REACHED,
            place=self._place(end.number),
        )

    def _ask(
        self, service: Service, port: ServicePort, reached: Iterable[tuple[Workload, ContainerPort]]
    ) -> Ask:
        """By the workload's own probe of that port; else what the port's name or protocol says."""
        if port.protocol != "TCP":
            return Ask(port.protocol.lower())
        for workload, end in reached:
            for check, edge in checks(workload):
                met = answer(self._graph, edge)
                if not (isinstance(met, Reached) and end in met.ports) or check.is_hook:
                    continue
                if check.handler == "grpc":
                    return Ask("h2")
                if check.handler == "httpGet":
                    handler = lookup(self._graph.read_from[workload].data, edge.at) or {}
                    scheme = str(handler.get("scheme") or "HTTP").lower()
                    return Ask(scheme, str(handler.get("path") or "/"))
        entry = lookup(self._graph.read_from[service].data, port.path) or {}
        said = (str(entry.get("appProtocol") or ""), str(port.name_text or ""))
        plain = (one.lower() for one in said if not _TLS.search(one.lower()))
        return Ask("h2") if any(one.startswith(_H2) for one in plain) else Ask("tcp")

    def _place(self, site: Site) -> Place | None:
        return self._places.of(self._origins.get(site))

    def _name(self, text: str) -> str:
        return shown_name(self._target, text)


def _declared(workload: Workload) -> str:
    return ", ".join(dict.fromkeys(str(port.number.value) for port in workload.ports))


def shown_name(target: Target, text: str) -> str:
    """A name as committed text may say it: a release that nobody states is called ``<release>``."""
    unstated = isinstance(target, HelmTarget) and target.install is None
    return text.replace(UNNAMED, UNSTATED) if unstated else text


def _foreign(
    seen: Iterable[_Seen], environment: Environment
) -> dict[str, dict[tuple[str, str, int], list[Caller]]]:
    """The callers from other targets: by the target that has the Service, its namespace and name, and the port's index.

    A call that no Service around it answers is counted against the first that it may mean, with the index -1.
    """
    found: dict[str, dict[tuple[str, str, int], list[Caller]]] = defaultdict(lambda: defaultdict(list))
    for one in seen:
        around = environment.around(one.interface.target)
        for call in one.interface.calls:
            neighbours = [each for each in around.get(call.whom.name, ()) if may_mean(call.whom, each)]
            met = [(each, index) for each in neighbours for index in _answering(call, each.service)]
            for each, index in met or [(each, -1) for each in neighbours[:1] if not each.service.headless]:
                verdict = Verdict.MISSED if index < 0 else Verdict.REACHED
                holder = shown_name(one.interface.target, str(call.holder))
                caller = Caller(
                    holder,
                    call.relation.value,
                    str(call.wanted),
                    verdict.value,
                    one.map.id,
                    call.holder.namespace,
                )
                found[each.target][each.service.key.namespace, each.service.key.name, index].append(caller)
    return found


def _answering(call: ServiceEdge, service: Service) -> Iterator[int]:
    return (index for index, port in enumerate(service.ports) if answers(port, call.wanted, MatchBy.NUMBER))


def _with_callers(target: TargetMap, foreign: Mapping[tuple[str, str, int], Iterable[Caller]]) -> TargetMap:
    if not foreign:
        return target
    plain = {
        (place, name.replace(UNNAMED, UNSTATED), index): callers
        for (place, name, index), callers in foreign.items()
    }

    def more(service: ServiceMap, index: int, known: tuple[Caller, ...]) -> tuple[Caller, ...]:
        return tuple(sorted({*known, *plain.get((service.namespace, service.name, index), ())}))

    return replace(
        target,
        services=tuple(
            replace(
                one,
                ports=tuple(replace(port, callers=more(one, port.index, port.callers)) for port in one.ports),
                astray=more(one, -1, one.astray),
            )
            for one in target.services
        ),
    )


def _family(target: Target) -> str:
    """What the environments of one thing have in common: the chart, or the kustomizations that overlays are made of."""
    if not isinstance(target, KustomizeTarget):
        return f"{target.kind}:{target.path}"
    roots = {parent(file) for file in target.files if file.rpartition("/")[2] in KUSTOMIZATION_NAMES}
    bases = sorted(roots - {target.folder})
    return f"kustomize:{bases[0] if bases else target.folder}"
