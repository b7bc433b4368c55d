"""Descriptions of deployments that no file has: the rendering of another target holds them."""

from __future__ import annotations

from portproof import yamldoc
from portproof.discover.gitops.given import GivenError
from portproof.discover.model import Install, Parent
from portproof.render.model import Renderer, Rendering
from portproof.source import Tree


def with_description(tree: Tree, install: Install, render: Renderer) -> Tree:
    """The tree with what the parent of `install` says in it, at `Install.read_from`. Raises `GivenError` without one."""
    parent = install.parent
    if parent is None:
        return tree
    answer = render(parent.target, tree)
    found = answer.documents if isinstance(answer, Rendering) else ()
    text = next((one.text for one in found if parent.name in one.text and _is(parent, one.text)), None)
    if text is None:
        raise GivenError(
            f"{install.file}: the {parent.kind} {parent.name} is not in what {parent.target.id} renders to"
        )
    return Tree(tree.root, {**tree.overlay, install.read_from: text})


def _is(parent: Parent, text: str) -> bool:
    try:
        data = yamldoc.load(text)
    except yamldoc.YamlError:
        return False
    found = (
        yamldoc.lookup(data, path) for path in (("kind",), ("metadata", "namespace"), ("metadata", "name"))
    )
    return tuple(one or "" for one in found) == (parent.kind, parent.namespace, parent.name)
