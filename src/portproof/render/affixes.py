"""What kustomizations put before and behind the names of their objects: ``namePrefix`` and ``nameSuffix``.

kustomize renames the references that it knows, too (kubernetes-sigs/kustomize ``api/internal/konfig/builtinpluginconsts``):
not the addresses in variables and files, nor the backends of kinds that are no part of Kubernetes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from portproof.discover.model import KUSTOMIZATION_NAMES, KustomizeTarget
from portproof.source import Tree
from portproof.yamldoc import YamlError, load_all


class Affix(Struct, frozen=True):
    """What one kustomization puts around names; either may be empty, not both."""

    prefix: str
    suffix: str

    def __str__(self) -> str:
        fields = (("namePrefix", self.prefix), ("nameSuffix", self.suffix))
        return " and ".join(f"{field} {text!r}" for field, text in fields if text)

    def plain(self, name: str) -> str | None:
        """The name without it; None where the name does not have it, or is nothing else."""
        whole = len(self.prefix) + len(self.suffix) < len(name)
        if not whole or not name.startswith(self.prefix) or not name.endswith(self.suffix):
            return None
        return name[len(self.prefix) : len(name) - len(self.suffix)]


def affixes(target: KustomizeTarget, tree: Tree) -> tuple[Affix, ...]:
    """Those of a kustomization, and of all that it builds on."""
    found: dict[Affix, None] = {}
    for file in target.files:
        text = tree.text_or_none(file) or ""
        if file.rpartition("/")[2] in KUSTOMIZATION_NAMES and ("namePrefix" in text or "nameSuffix" in text):
            found |= dict.fromkeys(affixes_in(text))
    return tuple(found)


def affixes_in(text: str) -> Iterator[Affix]:
    """Those of one kustomization; none where it is no YAML, which rendering reports."""
    try:
        documents = [one for one in load_all(text) if isinstance(one, dict)]
    except YamlError:
        return
    for data in documents:
        affix = Affix(_text(data.get("namePrefix")), _text(data.get("nameSuffix")))
        if affix.prefix or affix.suffix:
            yield affix


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
