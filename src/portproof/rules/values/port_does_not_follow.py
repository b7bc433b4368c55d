"""A template writes a port as a number, although the port it asks for is a value that can be moved.

The number and the value are equal in the chart's defaults, so the defaults work.
Whoever sets the value to another port breaks the reference: the number stays.
The rule runs with `--what-if`, and for charts that a change touches. It moves every
port value of `values.yaml` to a number of its own, and reports the references that no
longer meet. It also reports a program that is told another port while its probes or
Services stay.
(`base` in the examples is what the defaults render to.)

Why it matters:

A chart's values are its promise. With another value for the port, the Ingress,
the Service or the probe asks for a port that is not there.

Severity:

* **warning**: always, because the defaults work.

Fix:

Yes. It writes the expression of the other end in place of the number. The fix is
proven with the value moved again.

Bad::

    # base
    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      selector: {app: web}
      ports: [{port: 8080}]
    ---
    # base
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
      ports: [{port: 21007}]
    ---
    apiVersion: networking.k8s.io/v1
    kind: Ingress
    metadata: {name: web}
    spec:
      defaultBackend: {service: {name: web, port: {number: 8080}}}

Bad (an address with a number)::

    # base
    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      selector: {app: web}
      ports: [{port: 8080}]
    ---
    # base
    apiVersion: v1
    kind: Pod
    metadata: {name: shop}
    spec:
      containers:
        - {name: shop, image: shop:1, env: [{name: WEB_URL, value: "http://web:8080/api"}]}
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      selector: {app: web}
      ports: [{port: 21007}]
    ---
    apiVersion: v1
    kind: Pod
    metadata: {name: shop}
    spec:
      containers:
        - {name: shop, image: shop:1, env: [{name: WEB_URL, value: "http://web:8080/api"}]}

Good::

    # base
    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      selector: {app: web}
      ports: [{port: 8080}]
    ---
    # base
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
      ports: [{port: 21007}]
    ---
    apiVersion: networking.k8s.io/v1
    kind: Ingress
    metadata: {name: web}
    spec:
      defaultBackend: {service: {name: web, port: {number: 21007}}}

Bad (the program moves, its probe stays)::

    # base
    apiVersion: v1
    kind: Pod
    metadata: {name: manager}
    spec:
      containers:
        - name: manager
          image: manager:1
          args: ["--health-probe-bind-address=:8081"]
          livenessProbe: {httpGet: {path: /healthz, port: 8081}}
    ---
    apiVersion: v1
    kind: Pod
    metadata: {name: manager}
    spec:
      containers:
        - name: manager
          image: manager:1
          args: ["--health-probe-bind-address=:21007"]
          livenessProbe: {httpGet: {path: /healthz, port: 8081}}

Bad (the target takes the value of the Service's port)::

    # base
    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      selector: {app: web}
      ports: [{port: 8080, targetPort: 8080}]
    ---
    # base
    apiVersion: v1
    kind: Pod
    metadata: {name: web, labels: {app: web}}
    spec:
      containers:
        - {name: web, image: web:1, ports: [{containerPort: 8080}]}
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      selector: {app: web}
      ports: [{port: 21007, targetPort: 21007}]
    ---
    apiVersion: v1
    kind: Pod
    metadata: {name: web, labels: {app: web}}
    spec:
      containers:
        - {name: web, image: web:1, ports: [{containerPort: 8080}]}

Not reported when:

* both ends are values, each with a key of its own.
* the value that is moved is the one that asks, and no port of a Service is moved by it.
* a setting of the program says the number that the target moves to, or other pods of the
  Service follow.
* the values do not render, or the comment above the key says that it has to stay.
* the reference does not meet in the defaults either.
* an address names a headless Service, or the Service of the pods that are told it.
* only the number that a container declares moves, and no argument, variable or file
  tells its program.
"""

from __future__ import annotations

from collections.abc import Iterator

from portproof.graph.answers import answer, edges, resolve
from portproof.graph.evidence import numbers_in_settings
from portproof.graph.identity import AnyEdge, identities
from portproof.graph.model import (
    ContainerPort,
    Missed,
    Pods,
    PortGraph,
    Reached,
    Relation,
    Service,
    ServiceName,
    ServicePort,
    Site,
    Workload,
)
from portproof.graph.pairing import ports
from portproof.graph.past import declared_now, port_before, reached_before
from portproof.graph.phrasing import listing
from portproof.replacing import replace
from portproof.rules import moved_settings
from portproof.rules.base import Finding, Label, Remedy, Severity, Trait, rule
from portproof.rules.reached import LeftBehind, left_behind


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each edge that met under other values, and whose number stayed while its port moved."""
    if graph.base is None:
        return
    then = dict(identities(graph.base, dict.fromkeys(edges(graph.base))))
    seen: set[Site] = set()
    for known, edge in identities(graph, dict.fromkeys(edges(graph))):
        old, asking = then.get(known), _place(edge)
        if old is None or asking is None or asking in seen or not _is_asked_of(graph, edge, asking):
            continue
        met = answer(graph.base, old) if edge.wanted is not None and edge.wanted == old.wanted else None
        if not isinstance(met, Reached) or not isinstance(answer(graph, edge), Missed):
            continue
        moved = (_renamed if isinstance(edge.wanted, str) else _moved)(graph, edge, met.ports[0])
        if moved is not None:
            seen.add(asking)
            yield _finding(edge, asking, moved)
    for found in _targets(graph):
        if found.primary not in seen:
            seen.add(found.primary)
            yield found
    moved_away = ((workload, one) for workload, one in moved_settings.read(graph) if not workload.opaque)
    for one in left_behind(graph, moved_away):
        primary = _asking(one)
        if primary is not None and primary not in seen:
            yield _program(one, primary)


def _place(edge: AnyEdge) -> Site | None:
    """The field that asks; where a webhook leaves the port out, its Service's name."""
    if edge.port is None and edge.relation is Relation.WEBHOOK and isinstance(edge.whom, ServiceName):
        return edge.whom.site
    return edge.port


def _is_asked_of(graph: PortGraph, edge: AnyEdge, asking: Site) -> bool:
    """Whether the number in a text is one that a Service answers: callers of a headless one reach the pods themselves."""
    if asking.piece is None:
        return True
    if edge.relation is not Relation.CALLER or not isinstance(edge.whom, ServiceName):
        return False
    return not any(one.headless for one in graph.variants(*edge.whom.place))


def _asking(one: LeftBehind) -> Site | None:
    """The number that stayed: that of the declared port, else that of a probe."""
    first = one.told[0]
    if first.port is not None:
        return first.port.number
    return next((check.port for check in first.container.checks if check.port.value == first.was), None)


def _program(one: LeftBehind, primary: Site) -> Finding:
    """What to say of a program that a value moves away from the port that traffic goes to."""
    first = one.told[0]
    names = listing(dict.fromkeys(each.label for each in one.told))
    verb = "use" if len(one.reaching) > 1 else "uses"
    return Finding(
        message=(
            f"In {one.workload.key}, a value moves {names} from {first.was} to {one.number}, but {listing(one.reaching[:3])} still "
            f"{verb} {first.was}: requests there are refused."
        ),
        severity=Severity.WARNING,
        primary=primary,
        related=tuple(Label(each.site, f"{each.label} moves with the value") for each in one.told),
        remedies=(Remedy(f"set it to {one.number}", ((primary, one.number),)),),
    )


def _targets(graph: PortGraph) -> Iterator[Finding]:
    """What to say of targets that take the number or the name of the Service's own port, which the pods do not follow."""
    for service in graph.services:
        for port in () if service.headless else service.ports:
            wanted, old = port.target.value, port_before(graph, service, port)
            if old is None or wanted == old.target.value or wanted not in (port.number.value, port.name_text):
                continue
            workloads = graph.select(service).workloads
            if any(resolve(port, one) for one in workloads):
                continue  # it is meant for those that follow
            for workload in workloads:
                met = reached_before(graph, service, port, workload)
                now = None if met is None else declared_now(graph, workload, met)
                is_told = wanted in numbers_in_settings(workload)
                if now is not None and not (workload.opaque or is_told or resolve(port, workload)):
                    yield _target(service, port, workload, now)


def _target(service: Service, port: ServicePort, workload: Workload, now: ContainerPort) -> Finding:
    is_name = isinstance(port.target.value, str) and now.name is not None
    site = now.name if is_name and now.name is not None else now.number
    value = site.value
    assert value is not None  # noqa: S101 - it has been reached
    what = "name of the port" if is_name else "port"
    return Finding(
        message=(
            f"A value moves the {what} of {service.key} to {port.target.value}, and its target along, but {workload.key} "
            f"declares {repr(value) if is_name else value}: nothing answers there."
        ),
        severity=Severity.WARNING,
        primary=port.target,
        expected=value,
        related=(Label(site, "declared here"),),
        remedies=(Remedy(f"send it to {value}", ((port.target, value),)),),
    )


def _moved(graph: PortGraph, edge: AnyEdge, port: ServicePort | ContainerPort) -> Site | None:
    """The number that answered, as the values move it; None where it did not move or is not there any more."""
    now = _now(graph, edge, port)
    if isinstance(now, ContainerPort):
        workload = edge.whom.workload if isinstance(edge.whom, Pods) else None
        if workload is None or not _is_told(workload, now):
            return None  # the declaration alone moves: traffic goes on
    if now is None or now.number.value == port.number.value or not isinstance(now.number.value, int):
        return None
    return now.number


def _renamed(graph: PortGraph, edge: AnyEdge, port: ServicePort | ContainerPort) -> Site | None:
    """The name of the port that answered, as the values move it; None where it did not move, or is not there any more."""
    now = _now(graph, edge, port)
    if now is None or now.name is None or now.name.value == port.name_text:
        return None
    return now.name


def _now(
    graph: PortGraph, edge: AnyEdge, port: ServicePort | ContainerPort
) -> ServicePort | ContainerPort | None:
    """What became of a port that answered in the base."""
    if isinstance(port, ContainerPort):
        workload = edge.whom.workload if isinstance(edge.whom, Pods) else None
        return None if workload is None else declared_now(graph, workload, port)
    new, old = _services(graph, port)
    return next((one for one, was in ports(new, old).items() if was is port), None)


def _is_told(workload: Workload, port: ContainerPort) -> bool:
    """Whether the program moves, too: a setting of its container, or a file, says the number."""
    own = (one.mentions for one in workload.containers if one.name == port.container)
    return port.value in workload.config_numbers.union(*own)


def _services(graph: PortGraph, port: ServicePort) -> tuple[tuple[ServicePort, ...], tuple[ServicePort, ...]]:
    """The ports of the Service that has `port` in the base, now and then."""
    for new, old in graph.before.services.items():
        if any(one is port for one in old.ports):
            return new.ports, old.ports
    return (), ()


def _finding(edge: AnyEdge, asking: Site, moved: Site) -> Finding:
    number = moved.value
    assert number is not None  # noqa: S101 - `_moved` and `_renamed` looked
    what = "port" if isinstance(number, int) else "name of the port"
    wanted = str(edge.wanted) if isinstance(number, int) else repr(edge.wanted)
    if edge.port is None:
        port = replace(asking, path=(*asking.path[:-1], "port"), value=None)
        wanted += " (the default)"
        remedy = Remedy(f"add port: {number}", ((port, number),), beside=asking)
    else:
        remedy = Remedy(f"ask for {number}", ((asking, number),))
    return Finding(
        message=(
            f"{edge.holder} asks for port {wanted}, but a value moves the {what} of {moved.resource}: with {number} there, "
            f"nothing answers."
        ),
        severity=Severity.WARNING,
        primary=asking,
        expected=number,
        related=(Label(moved, "this port moves with the value"),),
        remedies=(remedy,),
    )


RULE = rule(__name__, __doc__, severity=Severity.WARNING, check=check, traits=[Trait.WHAT_IF])
