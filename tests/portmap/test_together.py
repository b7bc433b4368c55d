"""Charts that are traced together have the places that each has by itself, and helm is started far less often."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from portproof.config import Config
from portproof.discover.find import discover
from portproof.discover.model import HelmTarget
from portproof.portmap.survey import Asked, port_map
from portproof.render.batch import EditedChart
from portproof.render.model import NotRendered, RenderFailure, Rendering
from portproof.source import Tree
from tests.support.rendering import engine

FIXTURES = Path(__file__).parents[2] / "fixtures"
HELPERS = '{{ define "common.port" }}{{ .Values.port | default 8080 }}{{ end }}\n'
"""Named templates have one name in all charts of a process."""


def _asked(root: Path) -> Asked:
    tree = Tree(root)
    found = discover(tree, (".",), Config())
    return Asked(tree, found.targets, found.everything, (), {}, 2)


def _chart(root: Path, name: str, *, helpers: str = "", target: str = "{{ .Values.port }}") -> None:
    folder = root / "charts" / name
    (folder / "templates").mkdir(parents=True)
    (folder / "Chart.yaml").write_text(f"apiVersion: v2\nname: {name}\nversion: 1.0.0\n")
    (folder / "values.yaml").write_text("port: 8080\nother: 8080\n")
    (folder / "templates/_helpers.tpl").write_text(helpers)
    (folder / "templates/app.yaml").write_text(
        f"""\
apiVersion: v1
kind: Service
metadata: {{name: "{{{{ .Release.Name }}}}-{name}"}}
spec:
  selector: {{app: {name}}}
  ports:
    - port: {target}
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}}}
spec:
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec:
      containers: [{{name: {name}, image: example.com/{name}, ports: [{{containerPort: 8080}}]}}]
"""
    )


@pytest.mark.parametrize(("fixture", "count"), [("shop", 0), ("own", 3)])
def test_the_map_is_the_same(tmp_path: Path, fixture: str, count: int) -> None:
    """`count` charts are answered together: not the one that asks whether it is a subchart, nor one of two whose helpers clash."""
    root = FIXTURES / fixture
    if fixture == "own":
        root = tmp_path
        _chart(root, "a", helpers=HELPERS, target='{{ include "common.port" . }}')
        _chart(root, "b", helpers=HELPERS.replace("8080", "8081"), target='{{ include "common.port" . }}')
        _chart(root, "c")
        _chart(root, "d", target="{{ .Values.other }}")
        _chart(
            root, "e", target="{{ if .Chart.IsRoot }}{{ .Values.port }}{{ else }}{{ .Values.other }}{{ end }}"
        )
    asked = _asked(root)
    with engine(tmp_path / "engine") as renderer:
        alone = port_map(asked, renderer.render)
        answered: list[Rendering | None] = []

        def together(charts: Sequence[EditedChart]) -> Sequence[Rendering | None]:
            answered.extend(found := renderer.render_together(charts))
            return found

        assert port_map(asked, renderer.render, together) == alone
    assert len([one for one in answered if one is not None]) == count


def test_what_another_chart_changes_does_not_count(tmp_path: Path) -> None:
    """A chart that renders to something else among others is to be rendered by itself; the others are not."""
    for name in ("a", "b"):
        _chart(tmp_path, name)
    _chart(tmp_path, "c", target="{{ if .Chart.IsRoot }}{{ .Values.port }}{{ else }}9090{{ end }}")
    _chart(tmp_path, "d", target='{{ fail "never among others" }}')
    tree = Tree(tmp_path)
    with engine(tmp_path / "engine") as renderer:
        charts = [
            _edited(one, tree, renderer.render(one, tree))
            for one in discover(tree, (".",), Config()).targets
            if isinstance(one, HelmTarget)
        ]
        found = renderer.render_together(charts)
    assert [one is not None for one in found] == [True, True, False, False]
    for answer in found[:2]:
        assert answer is not None
        assert "- port: 31013" in answer.documents[0].text


def test_a_named_template_that_both_have_is_in_the_way_only_where_it_is_edited(tmp_path: Path) -> None:
    """`common.kind` of both is as it is in the repository; what is edited beside it is called differently."""
    for name in ("a", "b"):
        common = '{{ define "common.kind" }}Service{{ end }}\n'
        own = f'{{{{ define "{name}.port" }}}}{{{{ .Values.port | default 8080 }}}}{{{{ end }}}}\n'
        _chart(tmp_path, name, helpers=own + common, target=f'{{{{ include "{name}.port" . }}}}')
    asked = _asked(tmp_path)
    with engine(tmp_path / "engine") as renderer:
        answered: list[Rendering | None] = []

        def together(charts: Sequence[EditedChart]) -> Sequence[Rendering | None]:
            answered.extend(found := renderer.render_together(charts))
            return found

        port_map(asked, renderer.render, together)
    assert [one is not None for one in answered] == [True, True]


def _edited(target: HelmTarget, tree: Tree, plain: Rendering | RenderFailure | NotRendered) -> EditedChart:
    values = f"{target.chart}/values.yaml"
    edited = Tree(tree.root, {values: tree.text(values).replace("port: 8080", "port: 31013")})
    return EditedChart(
        target, edited, {"31013": "8080"}, plain if isinstance(plain, Rendering) else Rendering(target, ())
    )
