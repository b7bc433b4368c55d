"""A variable that Kubernetes makes of a Service's name spoils a setting of the program.

Every pod gets variables for the Services of its namespace. For a Service
`board` one of them is `BOARD_PORT`, and its value is an address such as
`tcp://10.96.0.17:9106`. Another container of the same image sets `BOARD_PORT`
to a number, so the program takes it for its own setting.

Why it matters:

The program fails to start, because the address is not a number. Whether the
variable is there depends on what was created first, so it may work for a while
and fail after a restart.
https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables

Severity:

* **warning**: when the container runs the same command as the one that sets the
  variable, or shares another setting of that prefix with it.

Fix:

No. Set `enableServiceLinks: false` in the pod's spec, unless the program needs
those variables. Or give the container the variable itself.

Bad::

    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: board}
    spec:
      selector: {matchLabels: {app: board}}
      template:
        metadata: {labels: {app: board}}
        spec:
          containers:
            - name: board
              image: example.com/board:1.4
              env: [{name: BOARD_PORT, value: "9106"}, {name: BOARD_DATABASE, value: db}]
              ports: [{name: http, containerPort: 9106}]
    ---
    apiVersion: batch/v1
    kind: Job
    metadata: {name: board-migrate}
    spec:
      template:
        spec:
          restartPolicy: Never
          containers:
            - name: migrate
              image: example.com/board:1.4
              args: [migrate]
              env: [{name: BOARD_DATABASE, value: db}]
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: board}
    spec:
      selector: {app: board}
      ports: [{name: http, port: 9106, targetPort: http}]

Good::

    apiVersion: batch/v1
    kind: Job
    metadata: {name: board-migrate}
    spec:
      template:
        spec:
          enableServiceLinks: false
          restartPolicy: Never
          containers:
            - name: migrate
              image: example.com/board:1.4
              args: [migrate]
              env: [{name: BOARD_DATABASE, value: db}]
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: board}
    spec:
      selector: {app: board}
      ports: [{name: http, port: 9106, targetPort: http}]

Not reported when:

* the pod has `enableServiceLinks: false`.
* the container sets the variable itself.
* a Secret or a ConfigMap that isn't rendered may set it.
* the Service has no address of its own: it is headless or an `ExternalName`.
* no container of the same image and tag sets the variable to a number.
* a script that a ConfigMap gives to the container names the variable and `tcp://`: it expects the address.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from portproof.graph import settings
from portproof.graph.fields import indexed, mapping
from portproof.graph.model import Container, PortGraph, Service, Site, Workload
from portproof.graph.mounted import mounts
from portproof.graph.names import is_digits
from portproof.replacing import replace
from portproof.resources import Resource, ResourceKey
from portproof.rules.base import Finding, Label, Severity, rule
from portproof.yamldoc import lookup

_SEPARATORS = re.compile(r"[-.]")


class _Told(Struct, frozen=True):
    """What a container is told by variables: their texts and places, as far as they are known.

    `names` has those whose text is unknown, too; `whole` is False when a source of more of them cannot be read. `scripts`
    are the texts of the files that ConfigMaps give it.
    """

    workload: Workload
    container: Container
    data: Mapping[str, Any]
    texts: Mapping[str, tuple[str, Site]]
    names: frozenset[str]
    whole: bool
    linked: bool
    scripts: tuple[str, ...]

    @property
    def runs(self) -> tuple[str, str]:
        """Command and arguments, to be compared."""
        return str(self.data.get("command")), str(self.data.get("args"))


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each container whose setting a Service's variable spoils."""
    prefixes = {
        (one.key.namespace, _prefix(one.key.name)): one
        for one in graph.services
        if not one.headless and one.type != "ExternalName" and one.ports
    }
    if not prefixes:
        return
    everybody = list(_everybody(graph))
    for (namespace, prefix), service in prefixes.items():
        here = [one for one in everybody if one.workload.key.namespace == namespace]
        witness = _witness(here, f"{prefix}_PORT")
        if witness is None:
            continue
        for one in here:
            if one.container.image == witness.container.image and _is_spoiled(one, witness, prefix):
                yield _finding(one, witness, service, f"{prefix}_PORT")


def _prefix(name: str) -> str:
    """How a Service's name begins its variables (k/k ``envvars.go``)."""
    upper = _SEPARATORS.sub("_", name.upper())
    return f"_{upper}" if upper[:1].isdigit() else upper


def _everybody(graph: PortGraph) -> Iterator[_Told]:
    maps = settings.config_maps(graph.resources)
    holders: dict[ResourceKey, list[Resource]] = {}
    for resource in graph.resources:
        holders.setdefault(resource.key, []).append(resource)
    for workload in graph.workloads:
        if len(holders[workload.key]) > 1:  # variants of one object cannot be told apart by their key
            continue
        for container in workload.containers:
            told = _told(workload, container, holders[workload.key][0], maps)
            if told is not None:
                yield told


def _told(
    workload: Workload, container: Container, resource: Resource, maps: Mapping[tuple[str, str], Resource]
) -> _Told | None:
    data, pod = lookup(resource.data, container.path), lookup(resource.data, container.path[:-2])
    if not isinstance(data, dict) or not isinstance(pod, dict):
        return None
    known = {
        one.name: (one.text, one.site) for one in settings.variables(resource.key, container.path, data, maps)
    }
    said = frozenset(str(one.get("name")) for _, one in indexed(data.get("env")))
    sources = [mapping(one.get("configMapRef")).get("name") for _, one in indexed(data.get("envFrom"))]
    whole = all((resource.key.namespace, str(name)) in maps for name in sources)
    linked = pod.get("enableServiceLinks") is not False
    scripts = tuple(one.text for one in mounts(resource.key.namespace, pod, data, maps).files)
    return _Told(workload, container, data, known, said | known.keys(), whole, linked, scripts)


def _witness(everybody: list[_Told], variable: str) -> _Told | None:
    """Who sets the variable to a number: the program reads it, and wants a number there."""
    found = (one for one in everybody if variable in one.texts and is_digits(one.texts[variable][0]))
    return next(found, None)


def _is_spoiled(one: _Told, witness: _Told, prefix: str) -> bool:
    if not one.linked or not one.whole or f"{prefix}_PORT" in one.names:
        return False
    if any(f"{prefix}_PORT" in text and "tcp://" in text for text in one.scripts):
        return False  # the script knows what Kubernetes makes of it
    shared = {name for name in one.names & witness.names if name.startswith(f"{prefix}_")}
    return bool(shared) or one.runs == witness.runs


def _finding(one: _Told, witness: _Told, service: Service, variable: str) -> Finding:
    key, container = one.workload.key, one.container
    text, site = witness.texts[variable]
    return Finding(
        message=(
            f"{key} gets {variable}=tcp://… from {service.key}, where the program of container {container.name!r} "
            f"takes a number ({text} in {witness.workload.key}): it may fail to start. "
            f"Set enableServiceLinks: false in the pod, or set {variable} here too."
        ),
        severity=Severity.WARNING,
        primary=Site(key, (*container.path, "name"), container.name),
        related=(Label(replace(site, value=int(text)), f"{variable} is a number here"),),
    )


RULE = rule(__name__, __doc__, severity=Severity.WARNING, check=check)
