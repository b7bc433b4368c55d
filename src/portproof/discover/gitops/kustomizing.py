"""What Argo CD and Flux make of a kustomization before they build it.

Both edit its file: Argo CD with ``kustomize edit`` (``util/kustomize/kustomize.go``), Flux by itself (fluxcd/pkg
``kustomize/kustomize_generator.go``), which also writes one where there is none. A prefix, suffix or namespace replaces that
of the file; patches and components are added to it.
"""

from __future__ import annotations

import json
import posixpath
from collections.abc import Mapping, Sequence
from typing import Any

from portproof.discover.gitops.given import GivenError, read_description
from portproof.discover.model import KUSTOMIZATION_NAMES, Install
from portproof.source import RelPath, Tree, join
from portproof.yamldoc import YamlError, load, lookup

_ARGO = {"namePrefix": "namePrefix", "nameSuffix": "nameSuffix", "namespace": "namespace"}
_FLUX = {"namePrefix": "namePrefix", "nameSuffix": "nameSuffix", "targetNamespace": "namespace"}


def edited(tree: Tree, folder: RelPath, install: Install) -> Mapping[RelPath, str]:
    """The kustomization of `folder` as `install` builds it, by its path. Raises `GivenError`."""
    options = lookup(read_description(tree, install), install.values)
    path, data = _kustomization(tree, folder, install.resources)
    if isinstance(options, dict):
        if options.get("ignoreMissingComponents") is True:
            options = {**options, "components": _present(tree, folder, options.get("components"))}
        data = with_options(data, options, _FLUX if install.tool == "Kustomization" else _ARGO)
    return {path: json.dumps(data, ensure_ascii=False, indent=1) + "\n"}


def with_options(
    data: Mapping[str, Any], options: Mapping[str, Any], names: Mapping[str, str]
) -> Mapping[str, Any]:
    """A kustomization with the options of a description."""
    found = dict(data)
    for option, key in names.items():
        if options.get(option):
            found[key] = options[option]
    added = {key: _list(options.get(key)) for key in ("patches", "components", "replicas")}
    added["images"] = [_image(one) if isinstance(one, str) else one for one in _list(options.get("images"))]
    labels = options.get("commonLabels")
    if isinstance(labels, dict) and labels:
        added["labels"] = [
            {
                "pairs": labels,
                "includeSelectors": options.get("labelWithoutSelector") is not True,
                "includeTemplates": options.get("labelIncludeTemplates") is True,
            }
        ]
    for key, more in added.items():
        if more:
            found[key] = [*_list(found.get(key)), *more]
    return found


def _list(data: Any) -> Sequence[Any]:
    return data if isinstance(data, list) else ()


def _image(text: str) -> Mapping[str, str]:
    """Argo CD's ``[old=]name[:tag|@digest]`` as kustomize has it."""
    old, equals, new = text.partition("=")
    name, at, digest = (new if equals else old).partition("@")
    bare, colon, tag = name.rpartition(":")
    if not colon or "/" in tag:
        bare, tag = name, ""
    found = {"name": old if equals else bare, "newName": bare, "newTag": tag, "digest": digest if at else ""}
    return {key: value for key, value in found.items() if value}


def _present(tree: Tree, folder: RelPath, components: Any) -> Sequence[str]:
    """Those components that there are."""
    paths = [(one, join(folder, one)) for one in _list(components) if isinstance(one, str)]
    return [
        one
        for one, path in paths
        if path and any(tree.text_or_none(f"{path}/{name}") is not None for name in KUSTOMIZATION_NAMES)
    ]


def _kustomization(
    tree: Tree, folder: RelPath, resources: Sequence[RelPath]
) -> tuple[RelPath, Mapping[str, Any]]:
    prefix = "" if folder == "." else f"{folder}/"
    for name in KUSTOMIZATION_NAMES:
        text = tree.text_or_none(prefix + name)
        if text is None:
            continue
        try:
            data = load(text)
        except YamlError as error:
            raise GivenError(f"{prefix}{name}: {error}") from error
        return prefix + name, data if isinstance(data, dict) else {}
    listed = [posixpath.relpath(path, folder) for path in resources]
    kind = {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization"}
    return f"{prefix}{KUSTOMIZATION_NAMES[0]}", {**kind, "resources": listed}
