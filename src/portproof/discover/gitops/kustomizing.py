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
from portproof.source import RelPath, Tree
from portproof.yamldoc import YamlError, load, lookup

_ARGO = {"namePrefix": "namePrefix", "nameSuffix": "nameSuffix", "namespace": "namespace"}
_FLUX = {"namePrefix": "namePrefix", "nameSuffix": "nameSuffix", "targetNamespace": "namespace"}


def edited(tree: Tree, folder: RelPath, install: Install) -> Mapping[RelPath, str]:
    """The kustomization of `folder` as `install` builds it, by its path. Raises `GivenError`."""
    options = lookup(read_description(tree, install), install.values)
    path, data = _kustomization(tree, folder, install.resources)
    if isinstance(options, dict):
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
    for key in ("patches", "components"):
        more = options.get(key)
        if isinstance(more, list) and more:
            own = found.get(key)
            found[key] = [*(own if isinstance(own, list) else ()), *more]
    return found


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
