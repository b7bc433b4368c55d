"""A patch gives two ports the same number, and kustomize keeps only the last of them.

A strategic-merge patch finds the entries of a list of ports by their number alone,
unless every entry states its protocol. So of `53` without a protocol and `53` over UDP,
one is lost. The rule looks at the ports of Services and of containers.

Why it matters:

The port is missing from what is deployed, without any error. Clients of that protocol
get no answer.

Severity:

* **warning**: always, because a later patch may add the port again.

Fix:

No. State the `protocol` of every entry of the patch, even if it is TCP.

Bad::

    # patch
    apiVersion: v1
    kind: Service
    metadata: {name: dns}
    spec:
      ports:
        - {name: dns-tcp, port: 53}
        - {name: dns, port: 53, protocol: UDP}
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: dns}
    spec:
      selector: {app: dns}
      ports:
        - {name: dns, port: 53, protocol: UDP}

Good::

    # patch
    apiVersion: v1
    kind: Service
    metadata: {name: dns}
    spec:
      ports:
        - {name: dns-tcp, port: 53, protocol: TCP}
        - {name: dns, port: 53, protocol: UDP}
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: dns}
    spec:
      selector: {app: dns}
      ports:
        - {name: dns-tcp, port: 53, protocol: TCP}
        - {name: dns, port: 53, protocol: UDP}

Not reported when:

* the target is no kustomization.
* all ports of the patch are in the result.
* none of them is in the result.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from portproof.graph.model import ContainerPort, PortGraph, ServicePort
from portproof.graph.phrasing import listing
from portproof.render.patches import Crowded, PatchedPort
from portproof.resources import ResourceKey
from portproof.rules.base import Finding, Severity, rule


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each port that is left of several in a patch."""
    for crowd in graph.crowded:
        for key, ports in _lists(graph, crowd):
            kept = [one for one in ports if _as_patched(one) in crowd.ports]
            lost = [one for one in crowd.ports if one not in map(_as_patched, ports)]
            if kept and lost:
                yield _finding(key, crowd, kept[0], lost)


def _lists(
    graph: PortGraph, crowd: Crowded
) -> Iterator[tuple[ResourceKey, Sequence[ServicePort | ContainerPort]]]:
    """The lists of ports that the patch may be about: a kustomization may put words before and behind its names."""
    for service in graph.services if crowd.kind == "Service" else ():
        if crowd.name in service.key.name:
            yield service.key, service.ports
    for workload in graph.workloads:
        if workload.key.kind == crowd.kind and crowd.name in workload.key.name:
            for one in workload.containers:
                if one.name == crowd.container:
                    yield workload.key, one.ports


def _as_patched(port: ServicePort | ContainerPort) -> PatchedPort:
    number = port.number.value
    return PatchedPort(str(port.name_text or ""), number if isinstance(number, int) else 0, port.protocol)


def _finding(
    key: ResourceKey, crowd: Crowded, kept: ServicePort | ContainerPort, lost: Sequence[PatchedPort]
) -> Finding:
    number = crowd.ports[0].number
    who = f"container {crowd.container!r} of {key}" if crowd.container else str(key)
    return Finding(
        message=(
            f"A patch gives {who} {len(crowd.ports)} ports {number}, of which {listing(map(_said, lost))} "
            f"{'is' if len(lost) == 1 else 'are'} lost: kustomize merges ports by their number where one states no "
            f"protocol. Only {_said(_as_patched(kept))} is left."
        ),
        severity=Severity.WARNING,
        primary=kept.name or kept.number,
    )


def _said(port: PatchedPort) -> str:
    return f"{port.name} ({port.protocol})" if port.name else port.protocol


RULE = rule(__name__, __doc__, severity=Severity.WARNING, check=check)
