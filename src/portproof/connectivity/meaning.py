"""What a result means, and what to do next, in the names of the Service that was asked.

A caller sees less than there is: what refuses, drops or answers may be kube-proxy, a policy or the program. So each meaning
names all that it can be, and the next step tells them apart.
"""

from __future__ import annotations

import shlex

from portproof import connect
from portproof.connectivity.model import Edge
from portproof.portmap.model import Verdict


def meaning(result: str, edge: Edge) -> str:
    """What a failure means, in one sentence or two."""
    target, port = edge.port.target, edge.port.number
    return {
        connect.REFUSED: (
            f"Nothing listens on the target port {target}, or no endpoint has it: a caller cannot tell the two apart."
        ),
        connect.TIMEOUT: (
            f"A network policy or a firewall drops the connection, or the Service in the cluster has no port {port}."
        ),
        connect.NO_ROUTE: "The Service has no endpoint, its node is gone, or a policy rejects the connection.",
        connect.DNS: "There is no such Service in the cluster, or the caller may not ask the name server.",
        connect.WRONG_ANSWER: (
            f"Something accepts connections on the target port {target}, but it is another program or another path."
        ),
    }.get(result, "This is not one of the usual failures.")


def next_step(result: str, edge: Edge) -> str:
    """What to do about it. A mismatch that the manifests show is mended there; else the cluster is asked."""
    if edge.port.verdict is Verdict.MISSED:
        return f"{_known(edge)} `portproof fix` prints the proven fix, if there is one."
    name, _, namespace = map(shlex.quote, edge.address.rpartition(":")[0].partition("."))
    slices = f"`kubectl -n {namespace} get endpointslices -l kubernetes.io/service-name={name}`"
    service = f"`kubectl -n {namespace} get service {name}`"
    return {
        connect.REFUSED: (
            f"Next: {slices}. If the column PORTS shows a port, the program listens elsewhere. "
            "If not, check the selector, the name of the port, and readiness."
        ),
        connect.TIMEOUT: (
            f"Next: {service} must show the port {edge.port.number}, "
            f"and `kubectl -n {namespace} get networkpolicies` must admit the caller."
        ),
        connect.NO_ROUTE: f"Next: {slices}. It must show an endpoint, on a node that is ready.",
        connect.DNS: f"Next: {service}. When it is there, the caller's egress policies must admit port 53.",
        connect.WRONG_ANSWER: "Next: compare the target port, and the path of the probe, with what the program serves.",
    }.get(result, "Next: run the test again, and read the detail.")


def _known(edge: Edge) -> str:
    """What the manifests say of a port that nobody declares."""
    missed = [end for end in edge.port.ends if end.verdict is Verdict.MISSED]
    whom = ", ".join(dict.fromkeys(end.workload for end in missed if end.workload))
    declared = ", ".join(dict.fromkeys(end.reason for end in missed if end.reason))
    has = f"{whom or 'its pods'} declares {declared or 'no port'}"
    return f"`portproof check` reports it: the Service sends to {edge.port.target}, and {has}."
