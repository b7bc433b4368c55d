"""What a HelmRelease changes in a rendered chart (``postRenderers``): kustomize's patches and images.

helm-controller ``internal/postrender``: each renderer is a kustomization with the output of helm as its only file. Hooks do
not pass through it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from portproof import yamldoc
from portproof.discover.gitops.given import GivenError, read_description, substituted
from portproof.discover.model import Install
from portproof.render.kustomize import Kustomize
from portproof.render.model import RenderedDocument, RenderFailure, Rendering
from portproof.replacing import replace
from portproof.source import Tree

_HOOK = re.compile(r"""^[ ]+["']?helm\.sh/hook["']?[ ]*:""", re.MULTILINE)
_OBJECTS = "objects.yaml"


def post_rendered(
    found: Rendering, install: Install, tree: Tree, kustomize: Kustomize
) -> Rendering | RenderFailure:
    """The rendering as the post-renderers of `install` leave it. kustomize keeps no comment, so sources are told by names."""
    try:
        renderers = substituted(
            yamldoc.lookup(read_description(tree, install), install.post_renderers), tree, install
        )
    except GivenError as error:
        return RenderFailure(found.target, str(error))
    before = {_key(one): one for one in found.documents}
    texts = [one.text for one in found.documents if not _HOOK.search(one.text)]
    hooks = [one for one in found.documents if _HOOK.search(one.text)]
    for number, renderer in enumerate(renderers if isinstance(renderers, list) else ()):
        options = yamldoc.lookup(renderer, ("kustomize",))
        if not isinstance(options, dict) or not texts:
            continue
        files = {_OBJECTS: "\n---\n".join(texts), "kustomization.yaml": json.dumps(_kustomization(options))}
        built = kustomize.build(files, tree)
        if isinstance(built, str):
            message = f"{install.file}: postRenderers[{number}] of {install.name} fails: {built}"
            return RenderFailure(found.target, message)
        texts = [one.text for one in built]
    documents = [_as_before(RenderedDocument(text), before) for text in texts]
    return replace(found, documents=(*documents, *hooks))


def _as_before(one: RenderedDocument, before: Mapping[Any, RenderedDocument]) -> RenderedDocument:
    """The document with the template that it came from."""
    same = before.get(_key(one))
    return one if same is None else replace(one, source=same.source, elsewhere=same.elsewhere)


def _kustomization(options: Mapping[str, Any]) -> Mapping[str, Any]:
    """A kustomization with the patches and images of a renderer, and nothing that reads a file."""
    images = options.get("images")
    patches = [*_patches(options)]
    return {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [_OBJECTS],
        **({"patches": patches} if patches else {}),
        **({"images": images} if isinstance(images, list) and images else {}),
    }


def _patches(options: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The patches of a renderer, those of the older fields too."""
    for one in _mappings(options.get("patchesStrategicMerge")):
        yield {"patch": json.dumps(one)}
    for one in (*_mappings(options.get("patchesJson6902")), *_mappings(options.get("patches"))):
        patch = one.get("patch")
        text = patch if isinstance(patch, str) else json.dumps(patch)
        yield {"patch": text, **{key: one[key] for key in ("target", "options") if key in one}}


def _mappings(data: Any) -> Sequence[Mapping[str, Any]]:
    return [one for one in data if isinstance(one, dict)] if isinstance(data, list) else []


def _key(document: RenderedDocument) -> tuple[Any, ...] | None:
    """What an object is known by: its kind and name; None for what cannot be read."""
    try:
        data = yamldoc.load(document.text)
    except yamldoc.YamlError:
        return None
    return tuple(yamldoc.lookup(data, path) for path in (("kind",), ("metadata", "name")))
