"""A program is configured to listen on one port, but traffic goes to another.

A program listens where its settings say, whatever ports its container declares.
The rule reports a setting for the program's own port (`PORT`,
`--web.listen-address`) whose number the pod does not declare. A Service or a
probe must also go to the one port that the container declares for that purpose.

These settings are read:

* variables: `PORT`, alone, after a word such as `HTTP`, `SERVER`, `LISTEN` or
  `METRICS`, or after the container's own name (`VOUCH_PORT` of `vouch`).
* variables of frameworks, such as `QUARKUS_MANAGEMENT_PORT`, `STREAMLIT_SERVER_PORT`
  and `NITRO_PORT`.
* variables of a program whose image the container has, such as `GF_SERVER_HTTP_PORT`
  of `grafana` and `KC_HTTP_PORT` of `keycloak`.
* `-Dserver.port` in `JAVA_TOOL_OPTIONS`, and `--bind` in `GUNICORN_CMD_ARGS`.
* variables that hold an address: `LISTEN_ADDRESS`, `BIND_ADDR`,
  `ASPNETCORE_URLS` and the like.
* arguments: `--port`, `--listen`, `--bind-address`, and those after such a word
  (`--metrics-addr`).
* a ConfigMap that the variables come from.
* a ConfigMap that is mounted as files: an outermost `address`, `listen` or the
  like that is a port of this pod (`address: ":443"`).
* a ConfigMap that is mounted where a server reads its configuration, or that its
  command names.

These keys of servers are read:

* nginx and Apache: `listen`.
* HAProxy: `bind` of a `frontend` or `listen`.
* Envoy: its static listeners.
* Caddy: the addresses of sites.
* Spring Boot: `server.port` and `management.server.port`.
* Quarkus and Micronaut: `quarkus.http.port` and `micronaut.server.port`.
* Grafana: `http_port`.
* Loki, Tempo and Mimir: `http_listen_port` and `grpc_listen_port`.
* Redis and Valkey: `port`.
* collectors of OpenTelemetry: `endpoint` of the receivers, the `prometheus` exporter and
  `health_check`, as far as a pipeline or `service.extensions` starts them.
* Fluent Bit: `Port` of inputs that listen, and `HTTP_Port`.
* Vector: `address` of sources and of the API.
* Telegraf: `service_address` of inputs, and `listen` of outputs.
* Traefik: `address` of entry points.
* MySQL, MariaDB, MongoDB, PgBouncer, Elasticsearch, ZooKeeper: their port.
* RabbitMQ: `listeners.tcp.default`, `management.tcp.port`, `prometheus.tcp.port`.
* Mosquitto: `listener`. Odoo: `http_port`. Distribution: `http.addr`.

A setting for metrics, health, webhooks, gRPC, administration or TLS is compared
with the port whose name has such a word. Any other setting is compared with the
port that has none, or with the only port if that is for gRPC or TLS. For
`--web.listen-address` of exporters the only port may be for metrics too. A server of
many ports, such as a collector, has its setting compared with the port of the usual
number or name (4317, `otlp`).

With the base revision of a pull request, or of `--base`, any setting is read that
said the number of the declared port there. That can be a variable, an argument or
a line of a file (`listen 8080;`). The rule reports a change that moves it, while the
declared port and its traffic stay.

Why it matters:

Requests to the declared port are refused.

Severity:

* **warning**: because only the program knows which settings it reads.
* **note**: when the setting is the variable `PORT`, and both a Service and a probe of the container go
  to the declared port. Many programs do not read that variable, and the pods would never become ready.
  Also when the Dockerfile that builds the image in this repository mentions that port, and not the other.

Fix:

Yes. It sets `containerPort` to the number of the setting, or the setting to the
declared port.

Bad::

    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      selector: {app: web}
      ports:
        - {port: 80, targetPort: http}
    ---
    apiVersion: v1
    kind: Pod
    metadata: {name: web, labels: {app: web}}
    spec:
      containers:
        - name: web
          image: web:1
          env: [{name: PORT, value: "3000"}]
          ports: [{name: http, containerPort: 8080}]

Bad (an argument)::

    apiVersion: v1
    kind: Pod
    metadata: {name: manager}
    spec:
      containers:
        - name: manager
          image: manager:1
          args: [--health-probe-bind-address=:9090]
          ports: [{name: health, containerPort: 8081}]
          livenessProbe: {httpGet: {path: /healthz, port: health}}

Bad (a file)::

    apiVersion: v1
    kind: ConfigMap
    metadata: {name: ca}
    data:
      ca.json: |
        {
          "address": ":443"
        }
    ---
    apiVersion: v1
    kind: Pod
    metadata: {name: ca}
    spec:
      containers:
        - name: ca
          image: ca:1
          ports: [{name: https, containerPort: 9000}]
          livenessProbe: {tcpSocket: {port: https}}
          volumeMounts: [{name: config, mountPath: /etc/ca}]
      volumes:
        - name: config
          configMap: {name: ca}

Good::

    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      selector: {app: web}
      ports:
        - {port: 80, targetPort: http}
    ---
    apiVersion: v1
    kind: Pod
    metadata: {name: web, labels: {app: web}}
    spec:
      containers:
        - name: web
          image: web:1
          env: [{name: PORT, value: "3000"}]
          ports: [{name: http, containerPort: 3000}]

Not reported when:

* a container of the pod declares the number.
* a Service or a probe uses the number.
* the container declares several ports for that purpose, or none.
* nothing goes to the declared port.
* the container's other settings or its ConfigMaps mention the declared port.
* two settings for one purpose differ.
* the value names another host (`127.0.0.1:8080`, `db:5432`).
* `SERVER_PORT` is next to a `SERVER_NAME`: together they are the address that
  clients outside use.
* `PORT` is next to a `SERVER` or `HOST` with another name, whose port it is.
* the line of a file is inside another object, mapping or section, unless a change
  moved its number.
* the file has a section for listening (`[http]`).
* the file of a server leaves open where it listens: a variable, a profile, a
  condition, dynamic listeners, a `server` without `listen`.
* the server reads another file too that isn't in the rendering, such as
  `default.conf` of nginx's image or one from a Secret.
* the command is a script that may rewrite the file.
* a collector reads several files, or no pipeline uses the receiver.
* the setting opens UDP only.
* the container takes variables from a Secret, or from a ConfigMap that isn't in the
  rendering, and the setting is in the file of a server.
* injection adds ports to the pods.
* the rendering has variants of the object.
* a change moves a setting together with the declared port, or with the Service's
  target.
* a change moves a setting that names a host, or to a port of another Service.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from itertools import groupby

from portproof.graph.model import ContainerPort, PortGraph, Site, Workload
from portproof.graph.phrasing import listing
from portproof.graph.purpose import Purpose, purpose
from portproof.graph.referrers import moving, renumbering
from portproof.rules import moved_settings
from portproof.rules.base import Finding, Label, Remedy, Severity, rule
from portproof.rules.pod import listening
from portproof.rules.pod.listening import Listening
from portproof.rules.reached import Around, LeftBehind, around_of, left_behind, reaching


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each setting that keeps a program away from the port that traffic goes to."""
    moved = [(workload, one) for workload, one in moved_settings.read(graph) if not workload.opaque]
    said = {one.site for _, one in moved}
    yield from (_left_behind(graph, one) for one in left_behind(graph, moved))
    for workload, every in groupby(listening.read(graph), key=lambda pair: pair[0]):
        around = None if workload.opaque else around_of(graph, workload)
        for _, group in groupby(every, key=lambda pair: pair[1].container.path):
            told = [one for _, one in group]
            if around is not None and not any(_place(one.site) in map(_place, said) for one in told):
                yield from _of(graph, workload, told, around)


def _place(site: Site) -> object:
    return site.resource, site.path, site.piece and site.piece.start


def _left_behind(graph: PortGraph, one: LeftBehind) -> Finding:
    """What to say of settings that a change moved away from a port that traffic still goes to."""
    first, port, workload = one.told[0], one.told[0].port, one.workload
    names = listing(dict.fromkeys(each.label for each in one.told))
    verb = "use" if len(one.reaching) > 1 else "uses"
    where = f" in {workload.key}"
    if port is not None:
        where = f", the port that container {first.container.name!r} of {workload.key} declares"
    along = () if port is None else moving(graph, workload, port, one.number)
    back = tuple((each.site, first.was) for each in one.told)
    return Finding(
        message=(
            f"This change moves {names} from {first.was} to {one.number}. But {listing(one.reaching[:3])} still {verb} "
            f"{first.was}{where}: requests there are refused if the program listens on {one.number} now."
        ),
        severity=Severity.WARNING,
        primary=first.site,
        related=() if port is None else (Label(port.number, f"{first.was} is still declared here"),),
        remedies=(
            *([Remedy(f"set containerPort to {one.number}", along)] if along else []),
            Remedy(f"set {names} back to {first.was}", back),
        ),
    )


def _of(graph: PortGraph, workload: Workload, told: Sequence[Listening], around: Around) -> Iterator[Finding]:
    together: dict[Hashable, list[Listening]] = {}
    for one in told:
        together.setdefault(one.kind, []).append(one)
    for same in together.values():
        one = same[0]
        if len({other.number for other in same}) > 1 or one.number in around.known:
            continue
        meant = _meant(one, workload)
        if meant is None:
            continue
        going = reaching(one.container, (meant.value, meant.name_text), meant.value, around)
        if going:
            yield _finding(graph, workload, same, meant, going)


def _meant(one: Listening, workload: Workload) -> ContainerPort | None:
    """The declared port that the setting is about, when there is one, and no setting mentions it."""
    tcp = [port for port in one.container.ports if port.protocol == "TCP"]
    usual = [port for port in tcp if port.value == (one.default or None) or _name(port) in one.ports]
    if one.ports or usual:
        return usual[0] if len(usual) == 1 and not _is_mentioned(usual[0], workload, one) else None
    purposes = {one.purpose}
    if one.purpose is Purpose.MAIN and len(tcp) == 1:
        purposes |= {Purpose.GRPC, Purpose.TLS, *([Purpose.METRICS] if one.is_exporters else [])}
    ports = [port for port in tcp if purpose(_name(port)) in purposes]
    return ports[0] if len(ports) == 1 and not _is_mentioned(ports[0], workload, one) else None


def _is_mentioned(port: ContainerPort, workload: Workload, one: Listening) -> bool:
    return port.value in one.container.mentions | workload.config_numbers


def _name(port: ContainerPort) -> str:
    return str(port.name.value) if port.name is not None else ""


def _is_outvoted(told: Sequence[Listening], meant: ContainerPort, going: Sequence[str]) -> bool:
    """Whether a variable that any program may read, and many do not, is contradicted by more than the declared port.

    That is by a Service and a probe, or by a Service and the Dockerfile that the image is built from.
    """
    one = told[0]
    if {each.name for each in told} != {"PORT"} or one.file:
        return False
    built = one.container.built
    is_said = built is not None and meant.value in built.said and one.number not in built.said
    probed = sum(each.startswith("the ") for each in going)
    return is_said or 0 < probed < len(going)


def _finding(
    graph: PortGraph,
    workload: Workload,
    told: Sequence[Listening],
    meant: ContainerPort,
    going: Sequence[str],
) -> Finding:
    one = told[0]
    verb = "use" if len(going) > 1 else "uses"
    changes = renumbering(graph, workload, meant, one.number)
    remedies = [Remedy(f"set containerPort to {one.number}", changes)] if changes else []
    names = listing(dict.fromkeys(other.name for other in told))
    sites = dict.fromkeys(other.site for other in told)
    remedies.append(Remedy(f"set {names} to {meant.value}", tuple((site, meant.value) for site in sites)))
    return Finding(
        message=(
            f"In {workload.key}, {one.label} tells container {one.container.name!r} to listen on {one.number}. But "
            f"{listing(going[:3])} {verb} {meant.value}, the port that the container declares: requests there are "
            f"refused{' if the program reads it' if _is_outvoted(told, meant, going) else ''}."
        ),
        severity=Severity.NOTE if _is_outvoted(told, meant, going) else Severity.WARNING,
        primary=one.site if one.file else meant.number,
        expected=meant.value if one.file else one.number if changes else None,
        related=(
            *([Label(meant.number, f"{meant.value} is declared here")] if one.file else []),
            *(Label(other.site, f"{other.label} is set here") for other in told[bool(one.file) :]),
        ),
        remedies=tuple(remedies),
    )


RULE = rule(__name__, __doc__, severity=Severity.WARNING, check=check)
