"""An Ingress names a Service that is not there, while one is that can only be meant.

The Service of a backend may live in another chart or overlay, so a missing Service
alone is not reported. It is reported when a Service here has the requested port, and
one of these:

* Its name differs by a typo, and no other's does.
* It is the only one whose name has all words that are asked for, and more: `web` and `shop-web-service`. It has pods, and nobody
  asks for it by its own name.
* It is the only one of that name, but in another namespace. Both namespaces are
  written in the manifests.

Why it matters:

The Ingress finds no Service, so no request gets through.

Severity:

* **error**: when a change made the typo: in the base revision, the name was right. Also
  when no target of an environment has the Service, and `environments` in
  `portproof.yaml` says that it is `complete`.
* **warning**: otherwise.

Fix:

Sometimes. It sets the backend's Service name to the existing one. There is no fix when
the namespaces differ.

Bad::

    apiVersion: networking.k8s.io/v1
    kind: Ingress
    metadata: {name: shop}
    spec:
      defaultBackend: {service: {name: fronted, port: {number: 80}}}
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: frontend}
    spec:
      selector: {app: shop}
      ports:
        - {port: 80}

Good::

    apiVersion: networking.k8s.io/v1
    kind: Ingress
    metadata: {name: shop}
    spec:
      defaultBackend: {service: {name: frontend, port: {number: 80}}}
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: frontend}
    spec:
      selector: {app: shop}
      ports:
        - {port: 80}

Not reported when:

* no Service in the namespace has a similar name, and none elsewhere has the same.
* the names differ by a word, and somebody asks for the Service by its own, or it has no pods here.
* the namespace of one of the two is not written in the manifests, or is a placeholder (`${NAMESPACE}`).
* a name has fewer than four letters, and there are other Services, or others name it.
* more than one Service has a similar name.
* the names differ in their digits.
* the names differ in a word of one letter, such as `web` and `web-b`.
* the similar Service lacks the port.
* the port name is `use-annotation`.
* another target of the same environment has a Service of that name.
* the controller answers every request itself, by an annotation such as
  `nginx.ingress.kubernetes.io/permanent-redirect`.
"""

from __future__ import annotations

from collections.abc import Iterator

from portproof.graph.answered import is_answered
from portproof.graph.model import PortGraph, Relation
from portproof.rules.base import Finding, Severity, Trait, rule
from portproof.rules.port_references import absent_services


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each backend Service that is missing because of a typo, or in another namespace."""
    for edge, finding in absent_services(graph, Relation.INGRESS):
        if edge.wanted != "use-annotation" and not is_answered(graph.resource(edge.holder)):
            yield finding


RULE = rule(
    __name__, __doc__, severity=Severity.ERROR, check=check, traits=[Trait.SPANS_TARGETS, Trait.NEEDS_ALL]
)
