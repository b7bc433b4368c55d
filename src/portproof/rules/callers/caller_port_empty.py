"""A program calls a Service by an address that ends in a colon, with no port behind it.

A template that writes `{{ .Values.service.port }}` behind a colon renders nothing there if the chart has no such value.
helm reports no error. The rule reads arguments and environment variables of pods, the test pods of helm included. It
looks for URLs such as `http://web:/health`, and for words such as `web:` of `wget`, `curl` and `nc`.
The host must be a Service of the rendered manifests.

Why it matters:

The address isn't valid for most programs: `wget web:` ends with "bad port". Those that accept it call the
default port of the scheme, which is right by chance at most.

Severity:

* **warning**: always, because some programs take the default port.

Fix:

No. The value that the template reads doesn't exist, and only you know which one was meant.

Bad::

    apiVersion: v1
    kind: Pod
    metadata: {name: web-test, annotations: {helm.sh/hook: test}}
    spec:
      restartPolicy: Never
      containers:
        - {name: wget, image: busybox, command: [wget], args: ["web:"]}
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      selector: {app: web}
      ports:
        - {port: 80}

Bad (a URL)::

    apiVersion: v1
    kind: Pod
    metadata: {name: shop}
    spec:
      containers:
        - name: shop
          image: shop:1
          env: [{name: WEB_URL, value: "http://web:/api"}]
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      selector: {app: web}
      ports:
        - {port: 80}

Good::

    apiVersion: v1
    kind: Pod
    metadata: {name: web-test, annotations: {helm.sh/hook: test}}
    spec:
      restartPolicy: Never
      containers:
        - {name: wget, image: busybox, command: [wget], args: ["web:80"]}
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      selector: {app: web}
      ports:
        - {port: 80}

Not reported when:

* no Service of that name is in the rendered manifests.
* a word that is no URL is for another program: `redis:` may begin the keys of a cache.
* a placeholder follows the colon (`http://web:$PORT`).
* the text is in a ConfigMap.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from portproof.graph import hosts, settings
from portproof.graph.model import Container, PortGraph, Service, Site, Workload
from portproof.graph.pairs import NamedValue
from portproof.graph.phrasing import offered
from portproof.resources import Resource
from portproof.rules.base import Finding, Label, Severity, rule
from portproof.yamldoc import lookup

_HOST = r"[a-z0-9](?:[a-z0-9.-]{0,250}[a-z0-9])?"
_URL = re.compile(
    rf"(?<![\w+.-])[a-z][a-z0-9+.-]{{0,20}}://(?:[^\s/@\"'<>]{{0,200}}@)?({_HOST}):(?=[/?#\s]|\Z)"
)
_WORD = re.compile(rf"({_HOST}):(?:/\S*)?")
_CALLS = re.compile(r"(?:\A|/)(?:wget|curl|nc|netcat|ncat|telnet)\Z")


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each address of a Service with an empty port."""
    maps = settings.config_maps(graph.resources)
    for workload in graph.workloads:
        for container in workload.containers:
            for text in _texts(graph, workload, container, maps):
                service = _called(graph, workload, text)
                if service is not None:
                    yield _finding(workload, text, service)


def _texts(
    graph: PortGraph, workload: Workload, container: Container, maps: Mapping[tuple[str, str], Resource]
) -> Iterator[tuple[NamedValue, str]]:
    """The settings of a container that hold such an address, with the host of the first one."""
    data = lookup(graph.read_from[workload].data, container.path)
    if not isinstance(data, Mapping):
        return
    words = list(settings.flags(workload.key, container.path, data))
    calls = any(_CALLS.search(one.text) for one in words[:1])
    for one in (*settings.variables(workload.key, container.path, data, maps), *words):
        found = _URL.search(one.text) or (_WORD.fullmatch(one.text) if calls and one in words else None)
        if found is not None and one.site.resource == workload.key:
            yield one, found[1]


def _called(graph: PortGraph, workload: Workload, text: tuple[NamedValue, str]) -> Service | None:
    place = hosts.place(text[1], workload.key.namespace)
    found = () if place is None else graph.variants(*place)
    return found[0] if found and found[0].ports else None


def _finding(workload: Workload, text: tuple[NamedValue, str], service: Service) -> Finding:
    site = text[0].site
    return Finding(
        message=(
            f"{workload.key} calls '{text[1]}:' with no port behind the colon, so the call probably fails. "
            f"{service.key} has {offered(service.ports)}."
        ),
        severity=Severity.WARNING,
        primary=Site(site.resource, site.path, text[0].text),
        related=tuple(Label(one.number, f"a port of {service.key}") for one in service.ports[:3]),
    )


RULE = rule(__name__, __doc__, severity=Severity.WARNING, check=check)
