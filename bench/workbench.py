"""A repository that is rendered within this process, and what the rules say about it as it is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from portproof.discover.model import Target
from portproof.flags import Flags
from portproof.render.engine import Engine, RenderOptions
from portproof.render.model import Renderer, Rendering
from portproof.rules.evaluate import FindingKey, RuleSet, evaluate
from portproof.rules.rule_set import selected_rules
from portproof.session import Prepared, Programs, Request, prepare
from portproof.source import Tree
from portproof.toolchain import cache_folder


@dataclass
class Bench:
    """One repository under test."""

    repository: Path
    ready: Prepared
    rule_set: RuleSet
    render: Renderer
    known: dict[str, frozenset[FindingKey] | None] = field(default_factory=dict)

    def keys(self, target: Target, tree: Tree) -> frozenset[FindingKey] | None:
        rendering = self.render(target, tree)
        return evaluate(rendering, self.rule_set).keys if isinstance(rendering, Rendering) else None

    def healthy(self, target: Target) -> frozenset[FindingKey] | None:
        """What the rules say about a target before anything is changed; None when it does not render."""
        if target.id not in self.known:
            self.known[target.id] = self.keys(target, self.ready.tree)
        return self.known[target.id]

    def readers(self, path: str) -> list[Target]:
        """The targets that read `path` and render."""
        return [
            one for one in self.ready.discovery.targets if one.reads(path) and self.healthy(one) is not None
        ]


@contextmanager
def opened(repository: Path) -> Iterator[Bench]:
    request = Request(paths=(str(repository),), flags=Flags(offline=True))
    ready = prepare(request)
    tools = Programs(ready.config, request.environ)
    options = RenderOptions(offline=True, seconds=ready.config.timeout, cache=cache_folder(request.environ))
    with Engine(helm=lambda: tools.helm, kustomize=lambda: tools.kustomize, options=options) as engine:
        yield Bench(repository, ready, selected_rules(ready.config), engine.render)
