"""The API server calls a webhook on a port that the Service does not have.

Admission webhooks, the conversion webhook of a custom resource, and APIServices name
a Service and the number of one of its ports, never a port name or a container port.
Without a number, the API server uses 443.

Why it matters:

The API server cannot reach the webhook:

* Each request that the webhook is asked about waits and fails, or passes unchecked
  with `failurePolicy: Ignore`.
* The APIs of an APIService are unavailable.
* Objects of a custom resource cannot be read in another version.

The API server rejects a port that is a string, or outside 1 to 65535, wherever the
Service is.

Severity:

* **warning**: the Service is in another target, and nothing but names says that the
  two are deployed together.
* **error**: otherwise.

Fix:

Sometimes. It changes the port of the webhook, or the Service's port if nothing else
uses it. There is no fix when several ports could be meant.

Bad (the target port)::

    apiVersion: admissionregistration.k8s.io/v1
    kind: ValidatingWebhookConfiguration
    metadata: {name: policy}
    webhooks:
      - name: policy.example.org
        sideEffects: None
        admissionReviewVersions: [v1]
        clientConfig: {service: {name: policy, namespace: default, path: /validate, port: 9443}}
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: policy}
    spec:
      selector: {app: policy}
      ports:
        - {port: 443, targetPort: 9443}

Bad (the default is 443)::

    apiVersion: apiregistration.k8s.io/v1
    kind: APIService
    metadata: {name: v1beta1.metrics.k8s.io}
    spec:
      group: metrics.k8s.io
      version: v1beta1
      groupPriorityMinimum: 100
      versionPriority: 100
      service: {name: metrics, namespace: default}
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: metrics}
    spec:
      selector: {app: metrics}
      ports:
        - {port: 80, targetPort: 8443}

Good::

    apiVersion: admissionregistration.k8s.io/v1
    kind: ValidatingWebhookConfiguration
    metadata: {name: policy}
    webhooks:
      - name: policy.example.org
        sideEffects: None
        admissionReviewVersions: [v1]
        clientConfig: {service: {name: policy, namespace: default, path: /validate}}
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: policy}
    spec:
      selector: {app: policy}
      ports:
        - {port: 443, targetPort: 9443}

Not reported when:

* no target that is deployed together with this one has the Service in that namespace,
  and the API server accepts the port.
* the Service is of type ExternalName.
* the Service lists no ports.
* the webhook is called by `url`.
* the port is a placeholder, such as `${PORT}`.
"""

from __future__ import annotations

from collections.abc import Iterator

from portproof.graph.answers import missed
from portproof.graph.model import PortGraph, Relation
from portproof.rules.base import Finding, Severity, Trait, rule
from portproof.rules.port_fields import PortField, invalid
from portproof.rules.port_references import finding

_WEBHOOKS = ("ValidatingWebhookConfiguration", "MutatingWebhookConfiguration")
_FIELDS = (
    PortField(
        ("admissionregistration.k8s.io",),
        _WEBHOOKS,
        ("webhooks[*].clientConfig.service",),
        "port",
        "service",
        lowest=1,
    ),
    PortField(("apiregistration.k8s.io",), ("APIService",), ("spec.service",), "port", "service", lowest=1),
    PortField(
        ("apiextensions.k8s.io",),
        ("CustomResourceDefinition",),
        ("spec.conversion.webhook.clientConfig.service", "spec.conversion.webhookClientConfig.service"),
        "port",
        "service",
        lowest=1,
    ),
)


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each call to a port that the Service does not have."""
    for edge in graph.asking(Relation.WEBHOOK):
        services = missed(graph, edge)
        if services:
            yield finding(graph, edge, services, does="points to", so="the API server cannot reach it")
    yield from invalid(graph, _FIELDS, Relation.WEBHOOK)


RULE = rule(__name__, __doc__, severity=Severity.ERROR, check=check, traits=[Trait.SPANS_TARGETS])
