"""An Ingress asks for a port that the Service does not have.

The port of an Ingress backend is a port of the *Service*: its number (`port`)
or its name, never the port of the container.

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

ingress-nginx accepts the target port too; other controllers do not. A **note**
therefore, where an Ingress of its class (or without a class, but with its
annotations) asks for the target port: that works until another controller takes
over. Everything else is an **error**. The API server refuses a backend without a port, with both a name and a number, and with
a name that no container port could have: the name of a Service port may have 63
characters, but one of more than 15 can be referred to only by its number.

Silent when the Service is not in the rendering (except for what the API server
refuses) or has no name yet, when it is an ExternalName, for `resource` backends, for placeholders
(`${PORT}`), and for the port name `use-annotation` when the annotation
`alb.ingress.kubernetes.io/actions.<service>` exists or Argo Rollouts writes it, or
when neither class nor annotations say that the AWS controller serves the Ingress.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from portproof.graph.evidence import is_near_miss
from portproof.graph.model import IngressBackend, PortGraph, Service, ServicePort, Site
from portproof.graph.names import is_digits, is_near_name, is_placeholder, port_name_problem
from portproof.graph.phrasing import offered
from portproof.rules.base import Finding, Label, Remedy, Scalar, Severity, rule

_ANNOTATION = "use-annotation"


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each backend port that is refused or not there."""
    for backend in graph.backends:
        if backend.port is not None and backend.port.value == _ANNOTATION:
            action = f"alb.ingress.kubernetes.io/actions.{backend.service.value}"
            if action not in backend.annotations and backend.is_albs and not _has_rollouts(graph):
                yield _without_annotation(backend, backend.port, action)
            continue
        if not backend.service.value:  # values that are yet to be given
            continue
        services = graph.variants(backend.service.resource.namespace, backend.service.value)
        refusal = _refusal(backend, services)
        if refusal is not None:
            yield refusal
        elif backend.port is not None and services and not any(_has(one, backend.port) for one in services):
            yield _missing(graph, backend, backend.port, services[0])


def _has_rollouts(graph: PortGraph) -> bool:
    """Argo Rollouts writes the annotation itself, while a rollout is under way."""
    return any(one.key.group == "argoproj.io" and one.key.kind == "Rollout" for one in graph.resources)


def _has(service: Service, wanted: Site) -> bool:
    if service.type == "ExternalName" or is_placeholder(wanted.value):
        return True
    if any(
        is_placeholder(one.number.value) or (one.name and is_placeholder(one.name.value))
        for one in service.ports
    ):
        return True
    if isinstance(wanted.value, int):
        return any(port.number.value == wanted.value for port in service.ports)
    return any(port.name is not None and port.name.value == wanted.value for port in service.ports)


def _refusal(backend: IngressBackend, services: Sequence[Service]) -> Finding | None:
    """What the API server does not take, whatever the Service has."""
    port = backend.port
    who = f"{backend.service.resource} sends traffic to Service/{backend.service.value}"
    if port is None:
        return _refused(backend.service, f"{who} without a port")
    if backend.number is not None:
        return _refused(backend.number, f"{who} with both a port name ({port.value!r}) and a number")
    if is_placeholder(port.value):
        return None
    field = port.path[-1]
    number = int(str(port.value)) if is_digits(port.value) else 0
    if field == "number" and not isinstance(port.value, int):
        fix = number if 1 <= number <= 65535 else None
        return _refused(port, f"{who}, port number {str(port.value)!r}, which is a string", fix)
    if field == "name" and isinstance(port.value, int):
        return _refused(
            port, f"{who}, port name {port.value}, which is a number", _name_of(services, port.value)
        )
    if not isinstance(port.value, str):
        return None
    problem = port_name_problem(port.value)
    if not problem:
        return None
    fix_number = number if backend.old and 1 <= number <= 65535 else _name_of(services, number)
    return _refused(port, f"{who}, port name {port.value!r}, which {problem}", fix_number)


def _name_of(services: Sequence[Service], number: int) -> Scalar | None:
    names = {
        port.name.value
        for service in services
        for port in service.ports
        if number and port.number.value == number and port.name is not None
    }
    name = names.pop() if len(names) == 1 else None
    return name if isinstance(name, str) and not port_name_problem(name) else None


def _refused(site: Site, what: str, expected: Scalar | None = None) -> Finding:
    fix = "write it without quotes" if isinstance(expected, int) else f"set the port to {expected}"
    return Finding(
        message=f"{what}: the API server refuses the Ingress.",
        severity=Severity.ERROR,
        primary=site,
        expected=expected,
        remedies=() if expected is None else (Remedy(fix, ((site, expected),)),),
    )


def _without_annotation(backend: IngressBackend, port: Site, action: str) -> Finding:
    return Finding(
        message=(
            f"{backend.service.resource} has the port name '{_ANNOTATION}' for Service/{backend.service.value}, but "
            f"not the annotation '{action}' that the name stands for."
        ),
        severity=Severity.WARNING,
        primary=port,
    )


def _missing(graph: PortGraph, backend: IngressBackend, wanted: Site, service: Service) -> Finding:
    meant = _meant(service, wanted, backend)
    aimed = [one for one in service.ports if not one.implicit and one.target.value == wanted.value]
    what = (
        f"port {wanted.value}" if isinstance(wanted.value, int) else f"the port named {str(wanted.value)!r}"
    )
    works = bool(aimed) and backend.takes_target_ports
    tail = (
        ": that is its targetPort, which only ingress-nginx accepts here."
        if aimed
        else ": no request gets through."
    )
    return Finding(
        message=f"{wanted.resource} sends traffic to {what} of {service.key}, which has {offered(service.ports)}{tail}",
        severity=Severity.NOTE if works else Severity.ERROR,
        primary=wanted,
        expected=meant[1] if meant else None,
        related=tuple(
            Label(one.name or one.number, f"{service.key} has it here") for one in _shown(service, meant)
        ),
        remedies=_remedies(graph, wanted, service, meant),
    )


def _shown(service: Service, meant: tuple[ServicePort, Scalar] | None) -> Sequence[ServicePort]:
    return (meant[0],) if meant else service.ports[:3]


def _meant(service: Service, wanted: Site, backend: IngressBackend) -> tuple[ServicePort, Scalar] | None:
    """The one port that the backend probably stands for, with the value that its field can hold."""
    ports = [one for one in service.ports if one.protocol == "TCP"]
    aimed = [one for one in ports if not one.implicit and one.target.value == wanted.value]
    near = [one for one in ports if _is_near(one, wanted)]
    for group in (aimed, near, ports):
        if len(group) == 1:
            value = _value(group[0], wanted, backend)
            return None if value is None else (group[0], value)
    return None


def _is_near(port: ServicePort, wanted: Site) -> bool:
    if isinstance(wanted.value, int):
        return isinstance(port.number.value, int) and is_near_miss(port.number.value, wanted.value)
    return port.name is not None and is_near_name(str(port.name.value), str(wanted.value))


def _value(port: ServicePort, wanted: Site, backend: IngressBackend) -> Scalar | None:
    name = port.name.value if port.name is not None else None
    usable = isinstance(name, str) and not port_name_problem(name)
    if isinstance(wanted.value, str) and (usable or not backend.old):
        return name if usable else None
    return port.number.value


def _remedies(
    graph: PortGraph, wanted: Site, service: Service, meant: tuple[ServicePort, Scalar] | None
) -> tuple[Remedy, ...]:
    if meant is None or wanted.value is None:
        return ()
    port, value = meant
    remedies = [Remedy(f"set the backend's port to {value}", ((wanted, value),))]
    end = port.number if isinstance(wanted.value, int) else port.name
    others = [one for one in graph.backends if one.service.value == service.key.name and one.port is not None]
    alone = all(one.port is not None and one.port.value == wanted.value for one in others)
    if end is not None and alone and not port.implicit:
        field = "port" if isinstance(wanted.value, int) else "port name"
        remedies.append(Remedy(f"set the Service's {field} to {wanted.value}", ((end, wanted.value),)))
    return tuple(remedies)


RULE = rule(__name__, __doc__, severity=Severity.ERROR, check=check)
