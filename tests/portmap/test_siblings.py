"""One probe tells where the numbers of a chart are written; its other targets are probed only where their values speak of it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from portproof.config import Config
from portproof.discover.find import discover
from portproof.discover.model import Target
from portproof.portmap.model import Place, PortMap
from portproof.portmap.survey import Asked, port_map
from portproof.render.model import NotRendered, RenderFailure, Rendering
from portproof.source import Tree
from tests.e2e.program import Program
from tests.support.rendering import engine

TEMPLATE = """\
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports:
    - port: {{ PORT }}
      targetPort: 9090
"""
READS = ".Values.service.port | default 8080"


def _chart(root: Path, values: dict[str, str], port: str = READS) -> None:
    (root / "templates").mkdir(parents=True, exist_ok=True)
    (root / "Chart.yaml").write_text("apiVersion: v2\nname: web\nversion: 1.0.0\n")
    (root / "values.yaml").write_text("service: {port: 8080}\nother: 8080\nreplicas: 1\n")
    (root / "templates/service.yaml").write_text(TEMPLATE.replace("PORT", port))
    for name, text in values.items():
        (root / f"values-{name}.yaml").write_text(text)


def _mapped(root: Path, scratch: Path) -> tuple[PortMap, Counter[str]]:
    """The map, and how often each target was rendered."""
    tree = Tree(root)
    found = discover(tree, (".",), Config())
    count: Counter[str] = Counter()
    with engine(scratch) as renderer:

        def render(target: Target, edited: Tree) -> Rendering | RenderFailure | NotRendered:
            count[target.id] += 1
            return renderer.render(target, edited)

        return port_map(Asked(tree, found.targets, found.everything, (), {}, 2), render), count


def _written(found: PortMap, environment: str) -> Place:
    (port,) = (
        port
        for target in found.targets
        if target.environment == environment
        for service in target.services
        for port in service.ports
    )
    assert port.written is not None
    return port.written


def test_a_second_target_is_not_probed(tmp_path: Path) -> None:
    root = tmp_path / "chart"
    _chart(root, {"dev": "replicas: 2\n", "prod": "service: {type: NodePort}\n"})
    found, count = _mapped(root, tmp_path / "engine")
    assert [count[one.id] for one in found.targets] == [2, 1, 1]
    assert {_written(found, one).key for one in ("defaults", "dev", "prod")} == {"service.port"}


@pytest.mark.parametrize(
    ("own", "place"),
    [
        ("service: {port: 8080}\n", ("values-prod.yaml", "service.port")),
        ("service: {port: 9000}\n", ("values-prod.yaml", "service.port")),
        ("service: {port: null}\n", ("templates/service.yaml", "")),
        ("service: {port: 0}\n", ("templates/service.yaml", "")),
    ],
)
def test_what_a_values_file_says_itself_is_found(tmp_path: Path, own: str, place: tuple[str, str]) -> None:
    """Even where the number is the same."""
    root = tmp_path / "chart"
    _chart(root, {"dev": "replicas: 2\n", "prod": own})
    found, count = _mapped(root, tmp_path / "engine")
    assert [count[one.id] for one in found.targets][:2] == [2, 1]
    prod = _written(found, "prod")
    assert (prod.path, prod.key, prod.proven) == (*place, True)
    assert _written(found, "defaults").key == "service.port"


def test_the_values_of_one_target_say_nothing_of_another(tmp_path: Path) -> None:
    root = tmp_path / "chart"
    _chart(root, {"a": "service: {port: 9000}\n", "b": "service: {port: 9000}\n"})
    found, _ = _mapped(root, tmp_path / "engine")
    assert _written(found, "a").path == "values-a.yaml"
    assert _written(found, "b").path == "values-b.yaml"


def test_a_source_that_moved_is_noticed_in_all_targets(
    tmp_path: Path, portproof: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    _chart(tmp_path, {"dev": "replicas: 2\n", "prod": "replicas: 3\n"})
    monkeypatch.chdir(tmp_path)
    assert portproof("map", "--write", "PORTS.md").code == 0
    assert portproof("map", "--check").code == 0
    _chart(tmp_path, {}, port=".Values.other")
    run = portproof("map", "--check")
    assert run.code == 1
    assert "-* port 8080: `values.yaml`: `service.port`" in run.stdout
    assert "+* port 8080: `values.yaml`: `other`" in run.stdout
    assert portproof("map", "--write").code == 0
    (tmp_path / "values-prod.yaml").write_text("other: 8080\n")
    run = portproof("map", "--check")
    assert run.code == 1
    assert "+* port 8080, in `prod`: `values-prod.yaml`: `other`" in run.stdout
