"""What the map knows: Services, their ports, who asks for them, and what answers."""

from __future__ import annotations

from enum import Enum

from msgspec import Struct

from portproof.graph.model import Relation
from portproof.graph.selectors import Selector
from portproof.source import RelPath

ENTRIES = frozenset(
    {
        Relation.INGRESS,
        Relation.ROUTE,
        Relation.WEBHOOK,
        Relation.VIRTUAL_SERVICE,
        Relation.TRAEFIK,
        Relation.HTTP_PROXY,
        Relation.OPENSHIFT_ROUTE,
        Relation.CONTROLLER,
    }
)
"""Who lets requests in from outside: the other callers are workloads, or speak for some."""


class Verdict(Enum):
    """Whether an edge reaches a port, or why nobody can say."""

    REACHED = "reached"
    MISSED = "missed"
    UNKNOWN = "unknown"


class Place(Struct, frozen=True, order=True):
    """Where a number or name is written.

    `key` is the way to it in the file (``service.targetPort``, ``Service/web spec.ports[0].port``); empty in a template. A
    place that is not `proven` is the best guess. Lines and columns count from 1, with an exclusive end, and are for
    programs and messages: they move.
    """

    path: RelPath
    key: str
    line: int
    proven: bool
    column: int = 1
    end_line: int = 1
    end_column: int = 1


class End(Struct, frozen=True):
    """What a port of a Service leads to in one workload; without a `container`, nothing there declares it.

    `number` is what its pods listen on as far as they say it. `reason` is why nobody can know, or what they declare instead.
    """

    workload: str
    container: str
    number: int | None
    name: str
    verdict: Verdict
    reason: str = ""
    place: Place | None = None


class Caller(Struct, frozen=True, order=True):
    """Somebody who asks for a port of a Service, by the number or name `asks`; `target` is another target's id, or empty.

    `namespace` is that of the holder.
    """

    holder: str
    relation: str
    asks: str
    verdict: str
    target: str = ""
    namespace: str = ""


class Ask(Struct, frozen=True):
    """How to find out whether a port answers: ``tcp``, ``http`` with the path of the workload's own probe, ``h2``, ``udp``."""

    kind: str
    path: str = ""


class PortLine(Struct, frozen=True):
    """A port of a Service: `target` is what it sends to, a number or a name; `index` is its place in the list."""

    index: int
    number: int | None
    name: str
    protocol: str
    target: str
    node_port: int | None
    ask: Ask
    ends: tuple[End, ...]
    callers: tuple[Caller, ...] = ()
    written: Place | None = None
    target_written: Place | None = None

    @property
    def target_number(self) -> int | None:
        """The number that the target is; None for a name."""
        return int(self.target) if self.target.isascii() and self.target.isdigit() else None

    @property
    def verdict(self) -> Verdict:
        """Missed when any workload lacks it, unknown when nothing is known of one, else reached."""
        verdicts = {one.verdict for one in self.ends}
        if Verdict.MISSED in verdicts:
            return Verdict.MISSED
        return Verdict.REACHED if verdicts == {Verdict.REACHED} else Verdict.UNKNOWN


class ServiceMap(Struct, frozen=True):
    """A Service of one target. `astray` ask for a port that it lacks; `note` says why its ports lead nowhere known.

    `selector` is how its pods are found, and `workloads` are those it selects. Its namespace is `settled` when a manifest
    or the release states it. All of its pods may be scaled to zero: `idle` says by what. With `unready` its endpoints
    are pods that are not ready, too (``publishNotReadyAddresses``).
    """

    namespace: str
    settled: bool
    name: str
    type: str
    selector: tuple[tuple[str, str], ...]
    workloads: tuple[str, ...]
    ports: tuple[PortLine, ...]
    astray: tuple[Caller, ...] = ()
    note: str = ""
    idle: str = ""
    unready: bool = False


class Loose(Struct, frozen=True):
    """A port that a container declares and no Service of its rendering leads to."""

    workload: str
    container: str
    number: int | None
    name: str
    protocol: str
    place: Place | None = None


class PodTemplate(Struct, frozen=True):
    """The pods of a `workload` (``Deployment/web``), and the names of the ConfigMaps that they read (`configs`).

    The namespace is `settled` as that of a Service is.
    """

    workload: str
    namespace: str
    settled: bool
    labels: tuple[tuple[str, str], ...]
    configs: frozenset[str]


class Purpose(Enum):
    """What pods are selected for."""

    POLICY = "policy"
    IDENTITY = "policy by identity"
    BUDGET = "disruption budget"
    AUTOSCALER = "autoscaler"
    MONITOR = "monitor"


class OpenPorts(Struct, frozen=True):
    """TCP ports of pods, by their `name`, or by number from `first` to `last`."""

    first: int
    last: int
    name: str = ""

    def has(self, number: int | None, name: str) -> bool:
        """Whether a port of that number and name is among them."""
        if self.name:
            return self.name == name
        return number is not None and self.first <= number <= self.last


class PodSelector(Struct, frozen=True):
    """Something other than a Service that selects pods: `name` is ``NetworkPolicy/web``.

    An empty `namespace` stands for all of them. `selector` is None when it is not known whom it selects. Of a policy,
    `keys` are the keys of the labels of the pods that it selects, `peers` those of the pods that it lets in; `ingress`
    and `egress` are the directions that it closes, and `open` the ports that it leaves open to everybody. The namespace is `settled` as that of a Service is; to be
    everywhere is settled.
    """

    purpose: Purpose
    name: str
    namespace: str
    selector: Selector | None
    keys: frozenset[str] = frozenset()
    peers: frozenset[str] = frozenset()
    ingress: bool = False
    egress: bool = False
    settled: bool = True
    open: tuple[OpenPorts, ...] = ()

    @property
    def kind(self) -> str:
        """``NetworkPolicy``."""
        return self.name.partition("/")[0]


class TargetMap(Struct, frozen=True):
    """A rendered target; with a `reason` it is not on the map. `family` is what it has in common with its siblings.

    `environment` is what people call it: the overlay's folder, the values file's word, ``defaults``. `pods` are those of
    its workloads, `selectors` what else selects pods.
    """

    id: str
    family: str
    environment: str
    services: tuple[ServiceMap, ...] = ()
    loose: tuple[Loose, ...] = ()
    reason: str = ""
    pods: tuple[PodTemplate, ...] = ()
    selectors: tuple[PodSelector, ...] = ()


class PortMap(Struct, frozen=True):
    """All targets, in the order of their ids."""

    targets: tuple[TargetMap, ...]

    @property
    def broken(self) -> int:
        """How many ports and calls do not reach anything."""
        return sum(
            (port.verdict is Verdict.MISSED)
            + sum(one.verdict == Verdict.MISSED.value for one in port.callers)
            for target in self.targets
            for service in target.services
            for port in service.ports
        ) + sum(len(service.astray) for target in self.targets for service in target.services)
