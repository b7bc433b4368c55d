"""What a connectivity test opens, for whom, and what is left out."""

from __future__ import annotations

from msgspec import Struct

from portproof.portmap.model import Ask, PortLine, ServiceMap, TargetMap


class Placed(Struct, frozen=True):
    """What the command line says of names that no file states: the `namespace`, and the `release` of a chart.

    `environment` is the one that is meant, or all.
    """

    environment: str | None = None
    release: str = ""
    namespace: str = ""

    def of(self, target: TargetMap, namespace: str, *, settled: bool) -> str:
        """The namespace of something in `target`; empty when nobody states it."""
        if settled:
            return namespace
        return self.namespace if self.release or not target.id.startswith("helm:") else ""


class Edge(Struct, frozen=True):
    """A port of a Service, to be opened as one caller does.

    `caller` is what the test prints as ``from``: the namespace and the name of the workload `holder` (``Deployment/web``),
    or, without a holder, of nobody in particular. `namespace` is where the test runs. `address` is
    ``service.namespace:port``, of the `service` that `target` renders; `port` has the places that its numbers come from.
    """

    environment: str
    namespace: str
    caller: str
    holder: str
    address: str
    ask: Ask
    target: str
    service: ServiceMap
    port: PortLine

    @property
    def text(self) -> str:
        """What ``connect`` gets as argument and prints as ``edge``: ``backend-v1.shop:80/http/healthz``."""
        path = self.ask.path
        return f"{self.address}/{self.ask.kind}{path if path.startswith('/') or not path else f'/{path}'}"


class CallerTest(Struct, frozen=True):
    """The pod that opens all edges of one caller in one environment.

    `labels` are those of the caller's labels that policies on its edges look at. `notes` say who else counts the pod.
    """

    environment: str
    namespace: str
    caller: str
    labels: tuple[tuple[str, str], ...]
    edges: tuple[Edge, ...]
    notes: tuple[str, ...] = ()


class Skipped(Struct, frozen=True, order=True):
    """What no test opens, and why."""

    what: str
    reason: str


class Plan(Struct, frozen=True):
    """The tests by environment, namespace and caller, and what they leave out."""

    pods: tuple[CallerTest, ...]
    skipped: tuple[Skipped, ...]

    @property
    def edges(self) -> tuple[Edge, ...]:
        """All edges that are opened."""
        return tuple(edge for pod in self.pods for edge in pod.edges)
