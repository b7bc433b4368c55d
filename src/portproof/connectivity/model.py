"""What a connectivity test opens, for whom, and what is left out."""

from __future__ import annotations

from dataclasses import dataclass

from portproof.portmap.model import Ask, PortLine, ServiceMap


@dataclass(frozen=True, slots=True)
class Edge:
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


@dataclass(frozen=True, slots=True, order=True)
class Skipped:
    """What no test opens, and why."""

    what: str
    reason: str
