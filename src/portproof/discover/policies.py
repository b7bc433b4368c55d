"""What else decides which calls the network lets through: policies of whole clusters, and policies that others make."""

from __future__ import annotations

import re

from msgspec import Struct, field

from portproof.discover.reading import aside
from portproof.discover.walk import walk
from portproof.source import Tree

_ENDINGS = (".yaml", ".yml")
_OF_CLUSTERS = re.compile(
    r"^kind:[ \t]*[\"']?(?:CiliumClusterwideNetworkPolicy|GlobalNetworkPolicy|(?:Baseline)?AdminNetworkPolicy|"
    r"ClusterNetworkPolicy)\b",
    re.MULTILINE,
)
_KYVERNO = re.compile(r"^apiVersion:[ \t]*[\"']?(?:policies\.)?kyverno\.io/", re.MULTILINE)
_GENERATED = re.compile(r"^[ \t]+(?:- )?kind:[ \t]*[\"']?(?:Cilium)?NetworkPolicy\b", re.MULTILINE)
_GENERATE = re.compile(r"^[ \t-]+generate:", re.MULTILINE)


class Policies(Struct):
    """Whether a repository has such policies besides its own NetworkPolicies; its files are looked through when asked first."""

    tree: Tree
    _known: list[bool] = field(default_factory=list)

    def __call__(self) -> bool:
        """Whether there are some: of Cilium, Calico or Antrea for all namespaces, or a rule of Kyverno that makes them."""
        if not self._known:
            self._known.append(self._look())
        return self._known[0]

    def _look(self) -> bool:
        tree = aside(self.tree)
        listing = walk(tree.root, (".",), ())
        files = (one.child(name) for one in listing.folders.values() for name in one.files)
        return any(_is_one(tree.text_or_none(path) or "") for path in files if path.endswith(_ENDINGS))


def _is_one(text: str) -> bool:
    if "NetworkPolicy" not in text:
        return False
    made = _KYVERNO.search(text) and _GENERATE.search(text) and _GENERATED.search(text)
    return bool(made or _OF_CLUSTERS.search(text))
