"""The map of manifests that a test writes down, read as the program reads them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from portproof import yamldoc
from portproof.discover.model import ManifestTarget, Target
from portproof.portmap.model import PortMap
from portproof.portmap.survey import Asked, port_map
from portproof.render.model import RenderedDocument, Rendering
from portproof.source import Tree


def port_map_of(**targets: str) -> PortMap:
    """The map of folders of manifests, by the names of the folders; they are deployed together."""
    several = tuple(ManifestTarget(name) for name in targets)

    def render(target: Target, _tree: Tree) -> Rendering:
        parts = [RenderedDocument(text) for _, text in yamldoc.split(targets[target.path])]
        return Rendering(target, tuple(parts))

    asked = Asked(Tree(Path("/nowhere")), several, several, (), {"together": ("*",)}, 1)
    return port_map(asked, render)


def yaml(*several: Mapping[str, Any]) -> str:
    """Objects as the documents of a file."""
    return "---\n".join(yamldoc.dump(dict(one)) for one in several)
