"""Rendering -> resources: who they are, their plain data, and where they came from."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from msgspec import Struct

from portproof import live, yamldoc
from portproof.builds.model import Images, none_built
from portproof.discover.model import HelmTarget, StreamTarget, Target
from portproof.render.affixes import Affix
from portproof.render.model import FailureSite, RenderedDocument, RenderFailure, Rendering
from portproof.render.patches import Crowded
from portproof.timings import Stage, timed
from portproof.yamldoc import FieldPath

CLUSTER_SCOPED = frozenset(
    {
        "Namespace",
        "ClusterRole",
        "ClusterRoleBinding",
        "CustomResourceDefinition",
        "PersistentVolume",
        "StorageClass",
        "PriorityClass",
        "IngressClass",
        "GatewayClass",
        "Node",
        "APIService",
        "ValidatingWebhookConfiguration",
        "MutatingWebhookConfiguration",
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
        "RuntimeClass",
        "CSIDriver",
        "PodSecurityPolicy",
        "ClusterIssuer",
        "ClusterPodMonitoring",
        "GlobalNetworkPolicy",
        "CiliumClusterwideNetworkPolicy",
    }
)

_IRRELEVANT = frozenset(
    {
        "CustomResourceDefinition",
        "ClusterRole",
        "ClusterRoleBinding",
        "Role",
        "RoleBinding",
        "ServiceAccount",
        "Secret",
        "PodSecurityPolicy",
        "PodDisruptionBudget",
        "PersistentVolumeClaim",
        "PersistentVolume",
        "StorageClass",
        "PriorityClass",
        "ResourceQuota",
        "LimitRange",
        "HorizontalPodAutoscaler",
        "PrometheusRule",
        # What controllers write into a cluster.
        "ControllerRevision",
        "Event",
        "Lease",
    }
)
"""Kinds that hold no port and no evidence about one; the largest documents are among them, so they stay unparsed.

Secrets are left out on purpose: nothing of theirs may show in a message.
"""

_UNREAD = _IRRELEVANT - {"CustomResourceDefinition"}
"""The same for what is parsed before its kind is known: the items of a List, and JSON."""

MAX_DOCUMENTS = 50_000
MAX_CHARACTERS = 25 * 1024 * 1024
"""What of one rendering is parsed; installers of whole platforms have a twentieth of it, their CRDs aside."""

_CONVERSION = re.compile(
    r"""[\n{,][ \t]*["']?conversion["']?[ \t]*:(?=(?s:.){0,300}?lientConfig["']?[ \t]*:)"""
)
"""A CustomResourceDefinition that is converted by a webhook names the port of a Service, unlike all others.

Of the text between the two keys there is little: the strategy, and the versions that the webhook reads. In either style
of YAML they stand behind a line feed, a brace or a comma.
"""

# A line feed in front instead of ^: several times faster on large documents.
_KIND = re.compile(r"\nkind:[ \t]*[\"']?([A-Za-z]+)[\"']?[ \t]*(?:#[^\n]*)?\r?(?=\n|\Z)")


class ResourceKey(Struct, frozen=True, order=True):
    """Who a resource is. The namespace is resolved: never empty unless the kind has none."""

    api_version: str
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}"

    @property
    def group(self) -> str:
        """The API group; empty for the core group."""
        return self.api_version.rpartition("/")[0]


class Resource(Struct, frozen=True, eq=False):
    """One object of a rendering.

    `document` is the rendered document it stands in, and `inside` the path within that document (``items[2]`` in a
    List, else empty).
    """

    key: ResourceKey
    data: Mapping[str, Any]
    document: RenderedDocument
    inside: FieldPath = ()


@dataclass(frozen=True, slots=True)
class Manifests:
    """The resources of a rendering that can matter to ports, in printed order, and the documents that are not YAML.

    `crowded` are ports of one number in patches, `affixes` what kustomizations put around names. `images` says which images of it the repository builds.
    """

    target: Target
    resources: tuple[Resource, ...]
    problems: tuple[RenderFailure, ...] = ()
    crowded: tuple[Crowded, ...] = ()
    affixes: tuple[Affix, ...] = ()
    images: Images = field(default=none_built, compare=False, repr=False)


def read(rendering: Rendering) -> Manifests:
    """Parse the documents of `rendering`; one broken document does not lose the others, and too many are a problem."""
    with timed(Stage.PARSING, rendering.target.id):
        return _read(rendering)


def _read(rendering: Rendering) -> Manifests:
    target = rendering.target
    namespace = target.namespace if isinstance(target, HelmTarget) else "default"
    found: list[tuple[ResourceKey, dict[str, Any], RenderedDocument, FieldPath]] = []
    problems: list[RenderFailure] = list(rendering.problems)
    count = size = 0
    for document in rendering.documents:
        if is_irrelevant(document.text):
            continue
        count += 1
        size += len(document.text)
        if count > MAX_DOCUMENTS or size > MAX_CHARACTERS:
            problems.append(_too_much(target, document))
            break
        try:
            data = yamldoc.load(document.text)
        except yamldoc.YamlError as error:
            problems.append(_problem(target, document, error))
            continue
        found += [
            (key, item, document, inside)
            for key, item, inside in objects(data, namespace, ())
            if key.kind not in _UNREAD
        ]
    # What controllers have made of other objects of the rendering is none of its own.
    read_as = live.settled([live.Item(key.kind, key.namespace, key.name, item) for key, item, _, _ in found])
    resources = (
        Resource(key, data, document, inside)
        for (key, _, document, inside), data in zip(found, read_as, strict=True)
        if data is not None
    )
    return Manifests(target, tuple(resources), tuple(problems), rendering.crowded, rendering.affixes)


def of_kinds(rendering: Rendering, kinds: Collection[str]) -> tuple[Resource, ...]:
    """The resources of these kinds, which `read` may leave unparsed; what is not YAML has none."""
    target = rendering.target
    namespace = target.namespace if isinstance(target, HelmTarget) else "default"
    found: list[Resource] = []
    for document in rendering.documents:
        if not set(kinds) & set(_KIND.findall(f"\n{document.text}")):
            continue
        with suppress(yamldoc.YamlError):
            several = objects(yamldoc.load(document.text), namespace, ())
            found += [
                Resource(key, item, document, inside) for key, item, inside in several if key.kind in kinds
            ]
    return tuple(found)


def is_irrelevant(text: str) -> bool:
    """Whether the document is of a kind that is not parsed; decided by its unindented ``kind:`` lines."""
    kinds = _KIND.findall(f"\n{text}")
    if not kinds or any(kind not in _IRRELEVANT for kind in kinds):
        return False
    # Looked for first, as it is found at once that most have none.
    return "CustomResourceDefinition" not in kinds or not ("lientConfig" in text and _CONVERSION.search(text))


def objects(
    data: Any, namespace: str, inside: FieldPath
) -> Iterator[tuple[ResourceKey, dict[str, Any], FieldPath]]:
    """Every object in a document, Lists unfolded, with its key and its path in the document.

    `namespace` is what an object without one of its own gets.
    """
    if not isinstance(data, dict):
        return
    kind, api_version = data.get("kind"), data.get("apiVersion")
    if not isinstance(kind, str) or not isinstance(api_version, str):
        return
    items = data.get("items")
    if kind.endswith("List") and isinstance(items, list):
        for index, item in enumerate(items):
            yield from objects(item, namespace, (*inside, "items", index))
        return
    metadata = data.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    name = metadata.get("name") or metadata.get("generateName") or ""
    own = "" if kind in CLUSTER_SCOPED else str(metadata.get("namespace") or namespace)
    yield ResourceKey(api_version, kind, own, str(name)), data, inside


def _too_much(target: Target, document: RenderedDocument) -> RenderFailure:
    return RenderFailure(
        target,
        f"more than {MAX_DOCUMENTS:,} documents or {MAX_CHARACTERS // 1024 // 1024} MiB in one target: the rest was not "
        "checked; split the target",
        None if document.source is None else FailureSite(document.source, document.line),
    )


def _problem(target: Target, document: RenderedDocument, error: yamldoc.YamlError) -> RenderFailure:
    if isinstance(target, StreamTarget):
        at = f"line {document.line + error.line - 1} of standard input"
        return RenderFailure(target, f"{at} is not YAML: {error.problem}")
    if document.source is None:
        return RenderFailure(target, f"the rendered output is not YAML: {error}")
    if document.offset is None:
        return RenderFailure(
            target,
            f"the template does not render to valid YAML: {error.problem}",
            FailureSite(document.source),
        )
    return RenderFailure(
        target,
        f"not YAML: {error.problem}",
        FailureSite(document.source, document.line + error.line - 1, error.column),
    )
