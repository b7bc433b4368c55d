"""A renderer without binaries: ``${service.port}`` in a template is a value, ``${+service.port}`` the next number."""

from __future__ import annotations

import re
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path

from portproof import yamldoc
from portproof.discover.model import HelmTarget, Mount, Target
from portproof.render.model import NotRendered, RenderedDocument, RenderFailure, Rendering
from portproof.source import Tree


@dataclass
class FakeRenderer:
    """Renders ``templates/*.yaml`` with the chart's values and the target's; counts what it is asked."""

    asked: list[Tree] = field(default_factory=list)

    def __call__(self, target: Target, tree: Tree) -> Rendering | RenderFailure | NotRendered:
        assert isinstance(target, HelmTarget)
        self.asked.append(tree)
        values: dict[str, object] = {}
        for path in (f"{target.chart}/values.yaml", *target.values):
            _merge(values, deepcopy(yamldoc.load(tree.text(path))) or {})
        documents = []
        for file in sorted((tree.root / target.chart / "templates").glob("*.yaml")):
            path = file.relative_to(tree.root).as_posix()
            try:
                text = re.sub(r"\$\{([^}]*)\}", lambda match: _evaluate(match[1], values), tree.text(path))
            except LookupError as error:
                return RenderFailure(target, f"no value {error}")
            documents += [RenderedDocument(part, path) for _, part in yamldoc.split(text)]
        return Rendering(target, tuple(documents))


def _merge(into: dict[str, object], new: dict[str, object]) -> None:
    for key, value in new.items():
        old = into.get(key)
        if isinstance(old, dict) and isinstance(value, dict):
            _merge(old, value)
        else:
            into[key] = value


def _evaluate(expression: str, values: dict[str, object]) -> str:
    must, _, expression = expression.rpartition("!")  # ${8080!service.port} fails unless the value is 8080
    plus = expression.startswith("+")
    value: object = values
    for step in expression.lstrip("+").split("."):
        if not isinstance(value, dict) or step not in value:
            raise LookupError(expression)
        value = value[step]
    if must and str(value) != must:
        raise LookupError(f"{expression} is not {must}")
    return str(int(str(value)) + 1) if plus else str(value)


def chart(root: Path, files: dict[str, str], values: tuple[str, ...] = ()) -> HelmTarget:
    """Write a chart named ``web`` below `root`."""
    for name, text in files.items():
        file = root / "web" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text.encode())
    return HelmTarget(
        "web", tuple(f"web/{name}" for name in values), release="web", mounts=(Mount(".", "web"),)
    )
