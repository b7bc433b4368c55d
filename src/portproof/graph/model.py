"""Ports as Kubernetes sees them: declarations, references, and what is known about the pods behind a Service."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from functools import cached_property
from typing import Generic, TypeAlias, TypeVar

from msgspec import Struct, field

from portproof.graph.names import is_digits
from portproof.graph.witness import Built
from portproof.render.affixes import Affix
from portproof.render.patches import Crowded
from portproof.resources import Resource, ResourceKey
from portproof.yamldoc import FieldPath, lookup

RUNTIME_LABELS = frozenset(
    {
        "statefulset.kubernetes.io/pod-name",
        "apps.kubernetes.io/pod-index",
        "batch.kubernetes.io/job-name",
        "batch.kubernetes.io/controller-uid",
        "job-name",
        "controller-uid",
        "controller-revision-hash",
        "pod-template-hash",
        "rollouts-pod-template-hash",
    }
)
"""Labels that controllers put on pods; a pod template does not have them."""


class Piece(Struct, frozen=True):
    """A number within the text of a field, by its offsets there; `label` tells it from the others of the same text."""

    start: int
    end: int
    label: str


class Site(Struct, frozen=True):
    """A field of a resource and the value it holds there; with a `piece`, the number in that part of its text."""

    resource: ResourceKey
    path: FieldPath
    value: str | int | None
    piece: Piece | None = None

    @property
    def identity(self) -> FieldPath:
        """What tells the site from all others of its resource, however its text moves."""
        return self.path if self.piece is None else (*self.path, self.piece.label)


class ContainerPort(Struct, frozen=True):
    """An entry of ``containers[].ports``. `name`, `host_port`, `protocol_site` are None when the field is absent."""

    number: Site
    name: Site | None
    protocol: str
    host_port: Site | None
    container: str
    host_ip: str = ""
    protocol_site: Site | None = None

    @property
    def value(self) -> int:
        """The port number (0 when the manifest does not hold a number there)."""
        return self.number.value if isinstance(self.number.value, int) else 0

    @property
    def name_text(self) -> str | int | None:
        """What the name's field holds; None without a name."""
        return None if self.name is None else self.name.value

    @property
    def label(self) -> str:
        """``http`` or, without a name, ``8080``."""
        return str(self.name.value) if self.name else str(self.number.value)


class Role(Enum):
    """What kind of container it is; a native sidecar is an init container with ``restartPolicy: Always``."""

    REGULAR = "regular"
    SIDECAR = "sidecar"
    INIT = "init"


class PortCheck(Struct, frozen=True):
    """A probe or lifecycle hook that contacts a port of its own container.

    `name` is the field (``readinessProbe``, ``preStop``), `handler` the action (``httpGet``, ``tcpSocket``, ``grpc``).
    """

    name: str
    handler: str
    port: Site
    host: str | None = None

    @property
    def label(self) -> str:
        """``readinessProbe``, ``preStop hook``."""
        return f"{self.name} hook" if self.is_hook else self.name

    @property
    def is_hook(self) -> bool:
        """Whether it is a lifecycle hook rather than a probe."""
        return self.name in ("postStart", "preStop")


class Container(Struct, frozen=True):
    """A container of a pod template. `mentions` are the numbers its command, args and environment contain.

    `default_ports` are where its image listens when told nothing, the main one first; empty when that is unknown, and
    when something that cannot be read may tell it another (`images.default_ports`). `built` is what the Dockerfile of its
    image says, None where this repository has none that certainly builds it.
    """

    name: str
    role: Role
    path: FieldPath
    image: str
    ports: tuple[ContainerPort, ...]
    checks: tuple[PortCheck, ...]
    mentions: frozenset[int]
    default_ports: tuple[int, ...] = ()
    built: Built | None = None

    @property
    def built_port(self) -> int | None:
        """Where its Dockerfile makes the program listen; None when that is not certain."""
        return None if self.built is None else self.built.number


class Workload(Struct, frozen=True, eq=False, dict=True):  # what is found out once is kept
    """Something that makes pods, described by its pod template.

    Compared by identity. `serves` is False for what never becomes a lasting endpoint: Jobs, CronJobs, helm hooks, Pods
    that run to completion. `opaque` says why the
    declared ports cannot be trusted to be all (an injection template, ``hostNetwork``), or is empty. `config_numbers`
    are numbers in ConfigMaps of the rendering that the pod refers to (by the names in `configs`); `annotation_numbers`
    those in its annotations.
    """

    key: ResourceKey
    labels: Mapping[str, str]
    containers: tuple[Container, ...]
    serves: bool
    host_network: bool
    opaque: str
    config_numbers: frozenset[int]
    annotation_numbers: frozenset[int]
    configs: frozenset[str] = frozenset()

    @property
    def is_custom(self) -> bool:
        """Whether a custom resource holds the template (a Rollout), of which the API server knows the schema alone.

        OpenShift's API server validates the template of a DeploymentConfig as Kubernetes does.
        """
        return "." in self.key.group and self.key.kind != "DeploymentConfig"

    @cached_property
    def ports(self) -> tuple[ContainerPort, ...]:
        """Declared ports in the order in which Kubernetes searches: containers, then native sidecars."""
        ranked = sorted(
            (one for one in self.containers if one.role is not Role.INIT),
            key=lambda one: one.role is Role.SIDECAR,
        )
        return tuple(port for container in ranked for port in container.ports)

    def port(self, target: object, protocol: str) -> ContainerPort | None:
        """The first declared port of that number or name and protocol, as Kubernetes finds it (FindPort); else None."""
        return self._by_target.get((target, protocol))

    @cached_property
    def _by_target(self) -> Mapping[tuple[object, str], ContainerPort]:
        found: dict[tuple[object, str], ContainerPort] = {}
        for port in self.ports:
            for target in (port.value, None if port.name is None else port.name.value):
                found.setdefault((target, port.protocol), port)
        return found


class ServicePort(Struct, frozen=True):
    """An entry of a Service's ``ports``.

    `target` is the field that decides where traffic goes: ``targetPort``, or ``port`` when that is absent, 0 or
    empty (then `implicit` is true). `name`, `node_port`, `protocol_site` are None when absent.
    """

    number: Site
    name: Site | None
    target: Site
    implicit: bool
    protocol: str
    node_port: Site | None
    path: FieldPath
    protocol_site: Site | None = None

    @property
    def name_text(self) -> str | int | None:
        """What the name's field holds; None without a name."""
        return None if self.name is None else self.name.value

    @property
    def label(self) -> str:
        """``http`` or, without a name, ``8080``."""
        return str(self.name.value) if self.name else str(self.number.value)


class Service(Struct, frozen=True, eq=False):
    """A Service; `selector` is empty when endpoints are made by somebody else.

    Compared by identity: a folder of manifests may hold the same Service in two variants.
    """

    key: ResourceKey
    type: str
    selector: Mapping[str, str]
    headless: bool
    ports: tuple[ServicePort, ...]


class Selection(Struct, frozen=True):
    """The workloads of a rendering that a Service selects.

    `unknown` is empty, or says why other pods may stand behind the Service, or why these may not.
    """

    workloads: tuple[Workload, ...]
    unknown: str = ""


class MatchBy(Enum):
    """How an edge says which port it means: by its number, its name, or whichever it holds.

    ENDPOINT is by the name of a Service's port, or by the number at which the pods behind it are reached; EXPOSED by
    either number, that of the port or that at which the pods are reached.
    """

    NUMBER = "number"
    NAME = "name"
    EITHER = "either"
    ENDPOINT = "endpoint"
    EXPOSED = "exposed"


class Relation(Enum):
    """How somebody asks for a port of somebody; the value says who asks."""

    TARGET = "Service target"
    INGRESS = "Ingress backend"
    ROUTE = "Gateway API backend"
    PARENT = "Gateway API parent"
    BACKEND_TLS = "backend TLS policy"
    WEBHOOK = "webhook"
    VIRTUAL_SERVICE = "virtual service"
    DESTINATION_RULE = "destination rule"
    TRAEFIK = "Traefik route"
    HTTP_PROXY = "Contour proxy"
    OPENSHIFT_ROUTE = "OpenShift route"
    CONTROLLER = "route of another controller"
    LOAD_BALANCER = "load balancer"
    CUSTOM = "reference of the configuration"
    CALLER = "caller"
    PROBE = "probe"
    HOOK = "lifecycle hook"
    MONITOR = "monitor"
    SCRAPE = "scrape annotation"
    POLICY = "policy"
    GATEWAY = "Istio gateway"
    SIDECAR = "Istio sidecar"
    MATCH = "match of a virtual service"

    @property
    def carries_requests(self) -> bool:
        """Whether it is a route of a controller, along which requests reach the Service it names."""
        return self in (
            Relation.ROUTE,
            Relation.VIRTUAL_SERVICE,
            Relation.TRAEFIK,
            Relation.HTTP_PROXY,
            Relation.CONTROLLER,
        )


class ServiceName(Struct, frozen=True):
    """A Service, as somebody names it. `site` is the field that does; its namespace is `stated` there, or the holder's."""

    namespace: str
    name: str
    site: Site
    stated: bool = False

    @property
    def place(self) -> tuple[str, str]:
        """Namespace and name."""
        return self.namespace, self.name


class Pods(Struct, frozen=True):
    """The pods of one workload, or one `container` of them; without a workload, `unknown` says why it is not known."""

    workload: Workload | None
    unknown: str = ""
    container: Container | None = None


Whom_co = TypeVar("Whom_co", bound="ServiceName | Pods", covariant=True)


class Edge(Struct, Generic[Whom_co], frozen=True):
    """Somebody asks for a port of somebody: the one shape of every reference to a port.

    `holder` is the object that asks and `at` the part of it that does. `whom` is a Service by its name, or pods. `port`
    is the field that says which port; without it, `default` is what the reader of the holder takes (None: it needs
    none). `by` says what may answer. With a `last` it asks for any of a range of numbers, from that in `port`. The port
    has to have the `protocol`; empty: any. An `idle` edge has the weight 0: nothing is sent along it yet. Whether the
    schema of the holder's kind wants a number or text is known (`typed`), or not: then text of digits is a number, too.
    """

    relation: Relation
    holder: ResourceKey
    at: FieldPath
    whom: Whom_co
    port: Site | None
    by: MatchBy
    default: str | int | None = None
    protocol: str = ""
    idle: bool = False
    typed: bool = True
    last: int | None = None

    @property
    def wanted(self) -> str | int | None:
        """The number or name that is asked for."""
        if self.port is None:
            return self.default
        value = self.port.value
        is_number = not self.typed and self.by is MatchBy.NUMBER and is_digits(value)
        return int(str(value)) if is_number else value


ServiceEdge: TypeAlias = Edge[ServiceName]
"""Somebody asks for a port of a Service."""

PodEdge: TypeAlias = Edge[Pods]
"""Somebody asks for a port of pods."""


class Reached(Struct, frozen=True):
    """The ports that an edge reaches: of Services, or of containers."""

    ports: tuple[ServicePort | ContainerPort, ...]


class Missed(Struct, frozen=True):
    """Nobody who is meant has the port. `by` are those who were asked: variants of a Service, or a workload."""

    by: tuple[Service | Workload, ...]


class Unknown(Struct, frozen=True):
    """Whether the port is there cannot be known, for the `reason`; it completes "not checked: ..."."""

    reason: str


Answer: TypeAlias = Reached | Missed | Unknown
"""Whether an edge reaches a port."""


class Neighbour(Struct, frozen=True):
    """A Service that another target renders, which is deployed together with this one.

    `target` is that target's id. Its namespace is `settled` when its manifest states it: else it goes wherever the
    release goes. That they are deployed together is `stated` by the configuration, or else guessed.
    """

    service: Service
    target: str
    settled: bool
    stated: bool = False


class Offer(Struct, frozen=True):
    """A Service of a target, or pods of it (without a name): their labels, and their namespace where it is written down."""

    name: str
    namespace: str | None
    labels: Mapping[str, str]

    def is_in(self, namespaces: frozenset[str] | None) -> bool:
        """Whether it is, or may be, in one of these namespaces; None stands for all."""
        return namespaces is None or self.namespace is None or self.namespace in namespaces


class Surroundings(Struct, frozen=True):
    """All Services and pods of the other targets of an environment, of which it is stated that it has nothing else."""

    services: tuple[Offer, ...] = ()
    pods: tuple[Offer, ...] = ()


class MeshHosts(Struct, frozen=True):
    """Services whose ports an Istio mesh replaces or hides, so that their own list of ports does not decide.

    `replaced` are those that a ServiceEntry describes instead, `exported` those that only some namespaces see; each by
    namespace and name.
    """

    replaced: frozenset[tuple[str, str]]
    exported: frozenset[tuple[str, str]]

    def shows(self, service: ServiceName, namespace: str) -> bool:
        """Whether the ports of `service` are those that the mesh sees from `namespace`."""
        seen = service.place not in self.exported or service.namespace == namespace
        return seen and service.place not in self.replaced


class GoverningService(Struct, frozen=True):
    """A StatefulSet's ``serviceName``."""

    name: Site
    labels: Mapping[str, str]


class Before(Struct, frozen=True):
    """What the Services, workloads and keys of resources of a rendering were in the base; new ones are not in it."""

    services: Mapping[Service, Service] = field(default_factory=dict)
    workloads: Mapping[Workload, Workload] = field(default_factory=dict)
    keys: Mapping[ResourceKey, ResourceKey] = field(default_factory=dict)


class PortGraph(Struct, frozen=True, eq=False):
    """Everything about ports in one rendering; `link.build` makes it.

    `unknown_owners` are resources that may make pods of their own (``Kafka/main``): while there are any, a Service
    without pods may be served by them. `resources` are those the graph was built from; `kinds`, `named` and `fronts`
    find resources by kind, Services by namespace and name, and the Services that select a workload; `read_from` is the
    resource that each Service and workload was read from. `edges` are those that name a Service, and `asked` the names and
    numbers that they ask for, by the Service's namespace and name. `neighbours` are the Services of other targets, by name.
    `base` is the graph of the same target in the base revision, where there is one: a witness of what worked. `before`
    says what is the same there. `kept` are the names of Services that the change has put into files of others: they are not
    gone. `surroundings` are what else there is, where all that there is is known. `crowded` are ports of one number in patches, `affixes` what
    kustomizations put around names. `own_names` are names of Services that change with the release, so that no other release has them.
    """

    services: tuple[Service, ...]
    workloads: tuple[Workload, ...]
    governing: tuple[GoverningService, ...]
    unknown_owners: tuple[str, ...]
    resources: tuple[Resource, ...]
    read_from: Mapping[Service | Workload, Resource]
    selections: Mapping[Service, Selection]
    edges: Mapping[Relation, tuple[ServiceEdge, ...]]
    mesh_hosts: MeshHosts
    neighbours: Mapping[str, tuple[Neighbour, ...]]
    kinds: Mapping[str, tuple[Resource, ...]]
    named: Mapping[tuple[str, str], tuple[Service, ...]]
    fronts: Mapping[Workload, tuple[Service, ...]]
    asked: Mapping[tuple[str, str], frozenset[tuple[str | int, MatchBy]]]
    base: PortGraph | None = None
    kept: frozenset[str] = frozenset()
    own_names: frozenset[str] = frozenset()
    surroundings: Surroundings | None = None
    crowded: tuple[Crowded, ...] = ()
    affixes: tuple[Affix, ...] = ()
    before: Before = field(default_factory=Before)

    def of_kind(self, kind: str, *groups: str) -> tuple[Resource, ...]:
        """The resources of a kind in one of the API groups, in printed order."""
        return tuple(one for one in self.kinds.get(kind, ()) if one.key.group in groups)

    def asking(self, *relations: Relation) -> tuple[ServiceEdge, ...]:
        """The edges of these relations that name a Service, by relation and then in printed order."""
        return tuple(one for relation in relations for one in self.edges.get(relation, ()))

    def resource(self, key: ResourceKey) -> Resource | None:
        """The resource of that key, the first where a folder holds several variants; None when there is none."""
        return next((one for one in self.kinds.get(key.kind, ()) if one.key == key), None)

    def services_of(self, workload: Workload) -> tuple[Service, ...]:
        """The Services that send traffic to the pods of `workload`."""
        return self.fronts.get(workload, ())

    def select(self, service: Service) -> Selection:
        """The workloads behind `service`."""
        return self.selections[service]

    def is_empty(self, site: Site) -> bool:
        """Whether the field is there and holds nothing, as a template leaves it when its value was not given."""
        for resource in self.resources:
            if resource.key == site.resource:
                holder = lookup(resource.data, site.path[:-1])
                if (
                    isinstance(holder, dict)
                    and site.path[-1] in holder
                    and holder[str(site.path[-1])] is None
                ):
                    return True
        return False

    def service(self, namespace: str, name: object) -> Service | None:
        """The Service of that name, or None when the rendering has none."""
        return next(iter(self.variants(namespace, name)), None)

    def variants(self, namespace: str, name: object) -> tuple[Service, ...]:
        """Every Service of that name: a folder of manifests may hold several variants of one."""
        return self.named.get((namespace, str(name)), ())
