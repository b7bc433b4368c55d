"""Every edge of a rendering with its answer: those that the graph knows, and those that families read from their own kinds.

A family has edges when its package has a module ``edges`` with a function of that name; there is no other list. Nothing
is loaded or made before somebody asks.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from functools import cache
from itertools import chain
from pathlib import Path
from typing import TypeAlias

from portproof.graph import answers
from portproof.graph.model import Answer, Edge, Pods, PortGraph, ServiceName

_Reader: TypeAlias = Callable[[PortGraph], Iterator[Edge[ServiceName | Pods]]]


def edges(graph: PortGraph) -> Iterator[Edge[ServiceName | Pods]]:
    """All edges: the graph's own, then those of each family, by the family's name."""
    readers = (answers.edges, *(_reader(family) for family in families()))
    return chain.from_iterable(read(graph) for read in readers)


def every(graph: PortGraph) -> Iterator[tuple[Edge[ServiceName | Pods], Answer]]:
    """All edges with their answers."""
    return ((edge, answers.answer(graph, edge)) for edge in edges(graph))


@cache
def families() -> tuple[str, ...]:
    """The families that read edges of their own kinds."""
    return tuple(sorted(file.parent.name for file in Path(__file__).parent.glob("*/edges.py")))


def _reader(family: str) -> _Reader:
    found: _Reader = importlib.import_module(f"portproof.rules.{family}.edges").edges
    return found
