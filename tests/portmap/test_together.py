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
from portproof.render.excerpt import excerpt
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
    before = plain if isinstance(plain, Rendering) else Rendering(target, ())
    asked = frozenset({f"{target.chart}/templates/app.yaml"})
    return EditedChart(target, edited, {"31013": "8080"}, before, {}, asked)


def _excerpt(root: Path, *templates: str) -> list[str] | None:
    """What these templates of the only chart need, as paths in the chart."""
    tree = Tree(root)
    (target,) = (one for one in discover(tree, (".",), Config()).targets if isinstance(one, HelmTarget))
    found = excerpt(target, tree, {f"{target.chart}/templates/{one}" for one in templates})
    return None if found is None else list(found)


def test_what_nobody_asks_for_is_left_out_of_a_chart(tmp_path: Path) -> None:
    _chart(tmp_path, "a", helpers=HELPERS, target='{{ include "common.port" . }}')
    folder = tmp_path / "charts/a"
    (folder / "README.md").write_text("# a\n")
    (folder / "templates/dashboard.yaml").write_text("kind: ConfigMap\n")
    assert _excerpt(tmp_path, "app.yaml") == [
        "Chart.yaml",
        "templates/_helpers.tpl",
        "templates/app.yaml",
        "values.yaml",
    ]


def test_what_is_included_by_its_path_is_needed(tmp_path: Path) -> None:
    """The checksum of ``config.yaml``, which itself includes ``more.yaml``; nobody includes ``other.yaml``."""
    _chart(tmp_path, "a", target='{{ include (print $.Template.BasePath "/config.yaml") . | len }}')
    templates = tmp_path / "charts/a/templates"
    (templates / "config.yaml").write_text('a: {{ include "a/templates/more.yaml" . }}\n')
    (templates / "more.yaml").write_text("b\n")
    (templates / "other.yaml").write_text("c: 1\n")
    found = _excerpt(tmp_path, "app.yaml")
    assert found is not None
    assert {"templates/config.yaml", "templates/more.yaml"} <= {*found}
    assert "templates/other.yaml" not in found


def test_a_template_that_reads_other_files_needs_the_whole_chart(tmp_path: Path) -> None:
    _chart(tmp_path, "a", target='{{ .Files.Get "port.txt" }}')
    (tmp_path / "charts/a/port.txt").write_text("8080\n")
    assert _excerpt(tmp_path, "app.yaml") is None


def test_a_subchart_is_needed_with_what_it_is(tmp_path: Path) -> None:
    _chart(tmp_path, "a")
    _chart(tmp_path / "charts/a", "part")
    found = _excerpt(tmp_path, "app.yaml")
    assert found is not None
    assert {"charts/part/Chart.yaml", "charts/part/values.yaml"} <= {*found}
    assert "charts/part/templates/app.yaml" not in found
