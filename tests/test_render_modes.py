"""Files that only their owner may read, where the tools run as somebody else: portproof is root, they are nobody."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from portproof.discover.find import discover
from portproof.render.engine import Engine, RenderOptions
from portproof.render.model import Rendering
from portproof.sandbox import can_become

from .support.rendering import Tool, current_helm, kustomize, write_files

FILES = {
    "chart/Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.0.0\n",
    "chart/values.yaml": "port: 80\n",
    "chart/values-prod.yaml": "port: 81\n",
    "chart/templates/service.yaml": "apiVersion: v1\nkind: Service\nmetadata: {name: web}\n"
    "spec: {ports: [{port: {{ .Values.port }}}]}\n",
    "overlay/kustomization.yaml": "resources: [service.yaml]\npatches: [{path: ../other/patch.yaml}]\n",
    "overlay/service.yaml": "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {ports: [{port: 80}]}\n",
    "other/patch.yaml": "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {type: NodePort}\n",
}


@pytest.fixture
def everybodys() -> Iterator[Path]:
    """A folder that everybody may look into, unlike those of pytest."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def open_to_all(tool: Tool, folder: Path) -> Tool:
    """The same tool where everybody may start it."""
    program, *words = tool.argv
    copied = folder / Path(program).name
    shutil.copyfile(program, copied)
    copied.chmod(0o755)
    return Tool((str(copied), *words))


@pytest.mark.parametrize(
    "closed",
    [
        "chart/Chart.yaml",
        "chart/templates/service.yaml",
        "chart/values-prod.yaml",
        "overlay/kustomization.yaml",
        "overlay/service.yaml",
        "other/patch.yaml",
    ],
)
def test_a_file_whose_mode_keeps_the_tool_out_is_read_for_it(everybodys: Path, closed: str) -> None:
    tree = write_files(everybodys / "tree", FILES)
    for path in [everybodys / "tree", *(everybodys / "tree").rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    (everybodys / "tree" / closed).chmod(0o600)
    tools = [current_helm(), kustomize()]
    helm, builder = [open_to_all(one, everybodys) for one in tools] if can_become() else tools
    options = RenderOptions(offline=True, cache=everybodys / "cache", environ={})
    with Engine(helm=lambda: helm, kustomize=lambda: builder, options=options) as made:
        answers = {one.id: made.render(one, tree) for one in discover(tree).targets}
    assert sorted(answers) == ["helm:chart", "helm:chart?values=values-prod.yaml", "kustomize:overlay"]
    assert [one for one in answers.values() if not isinstance(one, Rendering) or one.problems] == []
    assert (everybodys / "tree" / closed).stat().st_mode & 0o777 == 0o600
