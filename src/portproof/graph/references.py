"""References to a port of a Service, in every kind that has one: a table of JSONPaths.

A new kind is a row here; users add rows of their own in ``portproof.yaml``. What a row cannot say (listeners,
hosts, grants) is read by the module of its family. Meanings: kubernetes/api ``admissionregistration/v1/types.go``
ServiceReference (a port of the Service, 443 by default), the same for ``apiregistration/v1`` and the conversion of
custom resources.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from portproof.graph import sites
from portproof.graph.model import By, ServiceReference, Site
from portproof.graph.workloads import mapping, scalar
from portproof.manifests import Resource
from portproof.yamldoc import FieldPath


@dataclass(frozen=True, slots=True)
class Row:
    """Where the resources of some kinds name a Service and a port of it.

    `at` are JSONPaths of the objects that hold the reference; `service`, `namespace` and `port` are fields of such an
    object, deeper ones with dots. An object whose own ``kind`` or ``group`` says that it names something else than a
    Service is passed over. `default` is the port that counts when the field is absent.
    """

    rule: str
    groups: tuple[str, ...]
    kinds: tuple[str, ...]
    at: tuple[str, ...]
    service: str = "name"
    namespace: str = "namespace"
    port: str = "port"
    by: By = By.NUMBER
    default: int | None = None


CUSTOM = "custom-reference-port"
"""The rule of the rows that a configuration adds."""

ROWS: tuple[Row, ...] = (
    Row(
        "webhook-service-port",
        ("admissionregistration.k8s.io",),
        ("ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"),
        ("webhooks[*].clientConfig.service",),
        default=443,
    ),
    Row("webhook-service-port", ("apiregistration.k8s.io",), ("APIService",), ("spec.service",), default=443),
    Row(
        "webhook-service-port",
        ("apiextensions.k8s.io",),
        ("CustomResourceDefinition",),
        ("spec.conversion.webhook.clientConfig.service", "spec.conversion.webhookClientConfig.service"),
        default=443,
    ),
)


def read(resources: Sequence[Resource], rows: Sequence[Row] = ()) -> Iterator[ServiceReference]:
    """Every reference of the table, and of the further `rows`, in the order of the resources."""
    by_kind: dict[str, list[Row]] = {}
    for row in (*ROWS, *rows):
        for kind in row.kinds:
            by_kind.setdefault(kind, []).append(row)
    for resource in resources:
        for row in by_kind.get(resource.key.kind, ()):
            if resource.key.group in row.groups:
                for text in row.at:
                    for path, holder in sites.find(text, resource.data):
                        if isinstance(holder, dict):
                            yield from _reference(row, resource, path, holder)


def _reference(
    row: Row, resource: Resource, path: FieldPath, holder: Mapping[str, Any]
) -> Iterator[ServiceReference]:
    if holder.get("kind") not in (None, "", "Service") or holder.get("group") not in (None, "", "core"):
        return
    name = scalar(_field(holder, row.service))
    if name is None or name == "":
        return
    namespace = _field(holder, row.namespace)
    port = scalar(_field(holder, row.port))
    yield ServiceReference(
        rule=row.rule,
        service=Site(resource.key, (*path, *row.service.split(".")), name),
        namespace=str(namespace) if namespace else resource.key.namespace,
        port=None if port is None else Site(resource.key, (*path, *row.port.split(".")), port),
        by=row.by,
        default=row.default,
        holder=path,
    )


def _field(holder: Mapping[str, Any], dotted: str) -> Any:
    """A field of `holder`, None when it is absent or the way to it leads through something else than mappings."""
    value: Any = holder
    for step in dotted.split("."):
        value = mapping(value).get(step)
    return value
