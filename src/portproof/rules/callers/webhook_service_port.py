"""The API server calls a webhook on a port that the Service does not have.

Admission webhooks, the conversion webhook of a custom resource and an APIService
name a *Service* and, by number, one of its own ports: neither the port of the
container nor a name. Without a number the API server takes 443.

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

What comes of it: each request that the webhook is asked about waits and fails
(or passes unchecked, with `failurePolicy: Ignore`); the APIs of an APIService
are unavailable; objects of a custom resource cannot be read in another version.

The API server rejects a port that is text, or not between 1 and 65535, wherever
the Service is.

Silent when the Service is not in the rendering (or in another namespace of
it) and the port is possible, when it is an ExternalName or lists no ports at all, when the webhook is
called by `url`, and for placeholders (`${PORT}`).
"""

from __future__ import annotations

from collections.abc import Iterator

from portproof.graph.answers import missed
from portproof.graph.model import PortGraph, Relation
from portproof.rules.base import Finding, Severity, rule
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


RULE = rule(__name__, __doc__, severity=Severity.ERROR, check=check)
