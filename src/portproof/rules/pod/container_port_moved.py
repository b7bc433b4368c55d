"""A change moves a container's port, but nothing tells its program.

A container listens where its program does, whatever port it declares. The rule
compares with the base revision of a pull request, or of `--base`. It reports a
declared port that moves together with the Service that reaches it, while image,
command, arguments, environment and files of the container stay as they are. It has to
be known what the program does without them: by its image, or by the Dockerfile of the
repository that builds it.

The usual cause is a value that feeds both `targetPort` and `containerPort`.

Why it matters:

Requests go to a port where nothing listens and are refused. In the base they were
answered.

Severity:

* **error**: the image is a well-known one, and listens on the old port by default.
* **warning**: the Dockerfile of the repository makes the program listen on the old
  port.

Fix:

Sometimes. It sets the declared port, and the Services that use its number, back to
the old one. There is none when such a Service has no `targetPort` or selects other
workloads too.

Bad::

    # base
    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      selector: {app: web}
      ports: [{port: 80, targetPort: 8086}]
    ---
    # base
    apiVersion: v1
    kind: Pod
    metadata: {name: web, labels: {app: web}}
    spec:
      containers:
        - {name: web, image: "influxdb:2.7", ports: [{containerPort: 8086}]}
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      selector: {app: web}
      ports: [{port: 80, targetPort: 9000}]
    ---
    apiVersion: v1
    kind: Pod
    metadata: {name: web, labels: {app: web}}
    spec:
      containers:
        - {name: web, image: "influxdb:2.7", ports: [{containerPort: 9000}]}

Good::

    # base
    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      selector: {app: web}
      ports: [{port: 80, targetPort: 8086}]
    ---
    # base
    apiVersion: v1
    kind: Pod
    metadata: {name: web, labels: {app: web}}
    spec:
      containers:
        - name: web
          image: influxdb:2.7
          args: ["--http-bind-address=:8086"]
          ports: [{containerPort: 8086}]
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      selector: {app: web}
      ports: [{port: 80, targetPort: 9000}]
    ---
    apiVersion: v1
    kind: Pod
    metadata: {name: web, labels: {app: web}}
    spec:
      containers:
        - name: web
          image: influxdb:2.7
          args: ["--http-bind-address=:9000"]
          ports: [{containerPort: 9000}]

Not reported when:

* the image, command, arguments, environment or mounted files change, too.
* nothing says where the program listens: who made the change may know.
* the image's tag names no version (`latest`): the program may have changed.
* a setting, a ConfigMap, an annotation, a probe or a policy says the old or the new
  number.
* the image is known to listen on the new port.
* the container still declares the old port.
* the Service did not reach the port in the base, or does not reach it now.
* another container of the pod declares no port.
* injection adds ports to the pods.
"""

from __future__ import annotations

from collections.abc import Iterator

from portproof.graph.model import PortGraph
from portproof.graph.phrasing import listing
from portproof.graph.referrers import moving
from portproof.rules.base import Finding, Remedy, Severity, Trait, rule
from portproof.rules.pod.moved_ports import MovedPort, moved_ports


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each declared port that moved with its Service, and without its program."""
    yield from (_finding(graph, one) for one in moved_ports(graph))


def _finding(graph: PortGraph, one: MovedPort) -> Finding:
    workload, container, port, old, going = one.workload, one.container, one.port, one.was, one.going
    changes = moving(graph, workload, port, old)
    back = Remedy(f"set containerPort back to {old}", changes)
    built = container.built
    evidence = f" Evidence: {listing(each.label for each in built.witnesses[:3])}." if built else ""
    so = f"so requests are refused if it still listens on {old}"
    if one.is_known:
        so = f"and {container.image.partition('@')[0]} listens on {old} by default: requests are refused"
    verb = "goes" if len(going) == 1 else "go"
    return Finding(
        message=(
            f"This change moves the port of container {container.name!r} of {workload.key} from {old} to {port.value}, and "
            f"{listing(str(each.key) for each in going[:3])} {verb} along. But nothing tells its program, {so}.{evidence}"
        ),
        severity=Severity.ERROR if one.is_known else Severity.WARNING,
        primary=port.number,
        expected=old if changes else None,
        remedies=(back,) if changes else (),
    )


RULE = rule(__name__, __doc__, severity=Severity.ERROR, check=check, traits=[Trait.COMPARES])
