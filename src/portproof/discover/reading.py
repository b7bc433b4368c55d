"""Which files of a tree were read, and not only glanced at (`facts`)."""

from __future__ import annotations

from dataclasses import dataclass, field

from portproof.discover.facts import Facts
from portproof.replacing import replace
from portproof.source import RelPath, Tree


@dataclass(frozen=True, slots=True)
class Noted(Tree):
    """A tree that notes which of its files are `read`: what they say may decide anything; and which are only `skimmed`.

    Trees that `replace` makes of it note them in the same place.
    """

    read: set[RelPath] = field(default_factory=set, compare=False)
    skimmed: set[RelPath] = field(default_factory=set, compare=False)

    def text(self, path: RelPath) -> str:
        """See `Tree.text`."""
        self.read.add(path)
        return Tree.text(self, path)


def aside(tree: Tree) -> Tree:
    """The same tree, but what is read there is not noted: for those who ask for `Facts` alone, and for renderers."""
    return Tree(tree.root, tree.overlay) if isinstance(tree, Noted) else tree


def skim(tree: Tree) -> Tree:
    """The same tree for those to whom idle lines (`facts.skimmed_alike`) are all the same."""
    return replace(tree, read=tree.skimmed) if isinstance(tree, Noted) else tree


def facts(tree: Tree, path: RelPath) -> Facts:
    """The facts of a file; those of an empty one where it cannot be read as text."""
    return Facts(aside(tree).text_or_none(path) or "")
