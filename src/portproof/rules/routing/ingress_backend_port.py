"""An Ingress asks for a port that the Service does not have.

The port of an Ingress backend must be a port of the Service, by number or by name,
and never a container port.

Why it matters:

No request gets through. Only ingress-nginx also accepts the target port. The API
server rejects a backend:

* without a port.
* with both a port name and a port number.
* with a number outside 1 to 65535.
* with a name that no container port could have.

The name of a Service port may have up to 63 characters. If it has more than 15, an
Ingress can refer to the port only by its number.

Severity:

* **error**: the Service has no such port, or the API server rejects the backend.
* **warning**: the AWS controller serves the Ingress, but the annotation for its port
  name `use-annotation` is missing. It is also a warning when the Service is in
  another target, and nothing but names says that the two are deployed together.
* **note**: an Ingress for ingress-nginx asks for the target port. Its class says so,
  or its annotations if it has no class. This works until another controller takes
  over. Also when a number such as 65535 closes one path of a Service whose other paths work.

Fix:

Sometimes. It changes the port of the backend, or the Service's port if nothing else
uses it. There is no fix when several ports could be meant.

Bad (the target port)::

    apiVersion: networking.k8s.io/v1
    kind: Ingress
    metadata: {name: web}
    spec:
      defaultBackend: {service: {name: web, port: {number: 8080}}}
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      selector: {app: web}
      ports:
        - {name: http, port: 80, targetPort: 8080}

Bad (a number as a name)::

    apiVersion: networking.k8s.io/v1
    kind: Ingress
    metadata: {name: web}
    spec:
      defaultBackend: {service: {name: web, port: {name: "80"}}}

Good::

    apiVersion: networking.k8s.io/v1
    kind: Ingress
    metadata: {name: web}
    spec:
      defaultBackend: {service: {name: web, port: {number: 80}}}
      rules:
        - host: web.example.org
          http:
            paths:
              - {path: /, pathType: Prefix, backend: {service: {name: web, port: {name: http}}}}
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      selector: {app: web}
      ports:
        - {name: http, port: 80, targetPort: 8080}

Not reported when:

* no target that is deployed together with this one has the Service, and the API
  server accepts the backend.
* the name of the Service is still empty.
* the Service is of type ExternalName.
* the backend is a `resource`.
* the controller answers every request itself, by an annotation such as
  `nginx.ingress.kubernetes.io/permanent-redirect`.
* the port is a placeholder, such as `${PORT}`.
* the port name is `use-annotation`, and the annotation
  `alb.ingress.kubernetes.io/actions.<service>` exists.
* the port name is `use-annotation`, and Argo Rollouts writes the annotation.
* the port name is `use-annotation`, and neither class nor annotations show that the
  AWS controller serves the Ingress.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from portproof.graph.answered import is_answered
from portproof.graph.answers import answer, missed
from portproof.graph.fields import mapping
from portproof.graph.meant import only
from portproof.graph.model import PortGraph, Reached, Relation, Service, ServiceEdge, Site
from portproof.graph.names import is_digits, is_placeholder, port_name_problem
from portproof.replacing import replace
from portproof.resources import Resource
from portproof.rules.base import Finding, Remedy, Scalar, Severity, Trait, rule
from portproof.rules.port_references import finding
from portproof.yamldoc import lookup

_ANNOTATION = "use-annotation"
_NOBODYS = (1, 9, 65534, 65535)
"""Numbers that stand for a port where nothing answers: the first, the last, and that of the discard service."""


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each backend port that is rejected or missing."""
    for edge in graph.asking(Relation.INGRESS):
        if edge.port is not None and edge.port.value == _ANNOTATION:
            yield from _without_annotation(graph, edge, edge.port)
            continue
        if not edge.whom.site.value:  # values that are yet to be given
            continue
        refusal = _rejection(graph, edge)
        services = missed(graph, edge) if edge.port is not None else ()
        if refusal is not None:
            yield refusal
        elif services and not is_answered(graph.resource(edge.holder)):
            found = _missing(graph, edge, services)
            yield _meant(found) if _is_shut(graph, edge) else found


def _meant(found: Finding) -> Finding:
    return replace(found, severity=Severity.NOTE, expected=None, remedies=())


def _is_shut(graph: PortGraph, edge: ServiceEdge) -> bool:
    """Whether a number that nobody listens on closes one path of a Service that the Ingress reaches on others."""
    return edge.wanted in _NOBODYS and any(
        other.holder == edge.holder
        and other.whom.place == edge.whom.place
        and isinstance(answer(graph, other), Reached)
        for other in graph.asking(Relation.INGRESS)
    )


def _missing(graph: PortGraph, edge: ServiceEdge, services: Sequence[Service]) -> Finding:
    aimed = any(not one.implicit and one.target.value == edge.wanted for one in services[0].ports)
    works = aimed and _takes_target_ports(graph.resource(edge.holder))
    so = "it works only with ingress-nginx" if works else "no request gets through"
    if aimed and not works:
        so += " unless ingress-nginx serves it"
    found = finding(graph, edge, services, does="sends traffic to", so=so)
    if isinstance(found.expected, str) and port_name_problem(found.expected):  # a Service's own may be longer
        remedies = tuple(one for one in found.remedies if one.changes[0][0] != edge.port)
        found = replace(found, expected=None, remedies=remedies)
    return replace(found, severity=Severity.NOTE) if works else found


def _takes_target_ports(ingress: Resource | None) -> bool:
    """Whether it is written for ingress-nginx, which finds a Service's port by its targetPort, too.

    kubernetes/ingress-nginx ``internal/ingress/controller/controller.go``, serviceEndpoints.
    """
    named = _class(ingress)
    return "nginx" in named if named else _has_annotation_of(ingress, "nginx.ingress.kubernetes.io/")


def _is_albs(ingress: Resource | None) -> bool:
    """Whether its class or its annotations are those of the AWS Load Balancer Controller."""
    return "alb" in _class(ingress) or _has_annotation_of(ingress, "alb.ingress.kubernetes.io/")


def _class(ingress: Resource | None) -> str:
    """The controller that the Ingress asks for, in lower case; empty when it leaves that to the cluster."""
    spec = mapping(ingress.data.get("spec")) if ingress is not None else {}
    named = spec.get("ingressClassName") or _annotations(ingress).get("kubernetes.io/ingress.class", "")
    return str(named).lower()


def _has_annotation_of(ingress: Resource | None, prefix: str) -> bool:
    return any(str(one).startswith(prefix) for one in _annotations(ingress))


def _annotations(ingress: Resource | None) -> Mapping[str, object]:
    metadata = mapping(ingress.data.get("metadata")) if ingress is not None else {}
    return mapping(metadata.get("annotations"))


def _has_rollouts(graph: PortGraph) -> bool:
    """Argo Rollouts writes the annotation itself, while a rollout is under way."""
    return any(one.key.group == "argoproj.io" and one.key.kind == "Rollout" for one in graph.resources)


def _rejection(graph: PortGraph, edge: ServiceEdge) -> Finding | None:
    """What the API server rejects, whatever the Service has."""
    port, services = edge.port, graph.variants(*edge.whom.place)
    sends = f"{edge.holder} sends traffic to Service/{edge.whom.name}"
    asks = f"{edge.holder} asks Service/{edge.whom.name}"
    if port is None:
        return _rejected(edge.whom.site, f"{sends} without a port")
    field = port.path[-1]
    number_too = _number_beside(graph, port) if field == "name" else None
    if number_too is not None:
        return _rejected(number_too, f"{sends} with both a port name ({port.value!r}) and a number")
    if is_placeholder(port.value):
        return None
    number = int(str(port.value)) if is_digits(port.value) else 0
    fitting = number if 1 <= number <= 65535 else None
    if field == "number" and not isinstance(port.value, int):
        return _rejected(
            port, f"{asks} for port number {str(port.value)!r}, which must be a number, not a string", fitting
        )
    if field == "name" and isinstance(port.value, int):
        what = f"{asks} for port name {port.value}, which must be a string, not a number"
        return _rejected(port, what, _name_of(services, port.value))
    if isinstance(port.value, int) and not 1 <= port.value <= 65535:
        return _rejected(port, f"{asks} for port number {port.value}, which must be between 1 and 65535")
    problem = port_name_problem(port.value) if isinstance(port.value, str) else ""
    if not problem:
        return None
    is_old = field == "servicePort"  # v1beta1, whose one field holds a name or a number
    fix = fitting if is_old and fitting else _name_of(services, number)
    return _rejected(port, f"{asks} for port name {port.value!r}, which {problem}", fix)


def _number_beside(graph: PortGraph, name: Site) -> Site | None:
    """The number that a backend gives beside the name of its port."""
    path = (*name.path[:-1], "number")
    ingress = graph.resource(name.resource)
    value = lookup(ingress.data, path) if ingress is not None else None
    return Site(name.resource, path, value) if value else None


def _name_of(services: Sequence[Service], number: int) -> Scalar | None:
    name = only(
        port.name.value
        for service in services
        for port in service.ports
        if number and port.number.value == number and port.name is not None
    )
    return name if isinstance(name, str) and not port_name_problem(name) else None


def _rejected(site: Site, what: str, expected: Scalar | None = None) -> Finding:
    fix = "remove the quotes" if isinstance(expected, int) else f"set the port to {expected}"
    return Finding(
        message=f"{what}: the API server rejects the Ingress.",
        severity=Severity.ERROR,
        primary=site,
        expected=expected,
        remedies=() if expected is None else (Remedy(fix, ((site, expected),)),),
    )


def _without_annotation(graph: PortGraph, edge: ServiceEdge, port: Site) -> Iterator[Finding]:
    action, ingress = f"alb.ingress.kubernetes.io/actions.{edge.whom.name}", graph.resource(edge.holder)
    if action in _annotations(ingress) or not _is_albs(ingress) or _has_rollouts(graph):
        return
    yield Finding(
        message=(
            f"{edge.holder} uses the port name '{_ANNOTATION}' for Service/{edge.whom.name}, but "
            f"does not have the annotation '{action}' that it refers to."
        ),
        severity=Severity.WARNING,
        primary=port,
    )


RULE = rule(__name__, __doc__, severity=Severity.ERROR, check=check, traits=[Trait.SPANS_TARGETS])
