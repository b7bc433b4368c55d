"""How often a run with `--base` starts helm and kustomize: for each target once in each revision, for each edit once."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from portproof.discover.model import Target
from portproof.flags import Flags
from portproof.render.engine import Engine
from portproof.render.model import NotRendered, RenderFailure, Rendering
from portproof.session import Request, Session, combined_fixes, port_diff_of, session
from portproof.source import Tree
from tests.e2e.program import Repository, environment
from tests.e2e.test_base import OVERLAY, REMOTE, chart
from tests.e2e.test_traffic_chain_callers import ORDERS, SHOP

Make = Callable[[str], Repository]
Key = tuple[str, str, tuple[tuple[str, str], ...]]


class Renders:
    """What was really rendered: by revision, target, and the edits of the files that the target reads."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count: Counter[Key] = Counter()
        self.done: Counter[Key] = Counter()
        self.layouts: set[Path] = set()
        render = Engine._render

        def counted(engine: Engine, target: Target, tree: Tree) -> Rendering | RenderFailure | NotRendered:
            edits = tuple(sorted(one for one in tree.overlay.items() if target.reads(one[0])))
            key = ("head" if tree.root == root else "base", target.id, edits)
            answer = render(engine, target, tree)
            self.count[key] += 1
            self.done[key] += isinstance(answer, Rendering)
            self.layouts |= {tree.root} - {root}
            return answer

        monkeypatch.setattr(Engine, "_render", counted)

    def unedited(self) -> dict[tuple[str, str], int]:
        return {key[:2]: count for key, count in self.count.items() if not key[2]}


@pytest.fixture
def repository(make_repository: Make) -> Repository:
    return make_repository("")


@pytest.fixture
def renders(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> Renders:
    return Renders(repository.root, monkeypatch)


def checked(repository: Repository) -> Session:
    request = Request(paths=(str(repository.root),), flags=Flags(base="HEAD", jobs=2), environ=environment())
    with session(request) as run:
        combined_fixes(run)
        ports = port_diff_of(run)
    assert ports is not None
    rendered = {one.target.id for one in run.outcome.checked if one.outcome is None}
    assert not [one for one in ports.targets if one.reason and one.id in rendered]
    return run


def test_a_service_that_lost_a_port_has_nothing_rendered_twice(
    repository: Repository, renders: Renders
) -> None:
    repository.write({**ORDERS, **SHOP})
    repository.commit()
    repository.replace("charts/orders/values.yaml", "port: 80", "port: 8080")
    (finding,) = checked(repository).outcome.merged
    assert finding.fix
    assert renders.unedited() == {
        ("head", "helm:charts/orders"): 1,
        ("head", "helm:charts/shop"): 1,
        ("base", "helm:charts/orders"): 1,  # that of the shop is the same in both
    }
    # A probe of the caller and of what moved, the fix, and the way back.
    assert sorted(key[1] for key in renders.count if key[2]) == [
        "helm:charts/orders",
        "helm:charts/orders",
        "helm:charts/shop",
        "helm:charts/shop",
    ]
    assert set(renders.count.values()) == {1}


def test_what_a_change_of_the_configuration_leaves_alone_is_rendered_once(
    repository: Repository, renders: Renders
) -> None:
    repository.write({**ORDERS, **SHOP})
    repository.commit()
    repository.write({"portproof.yaml": "fail-on: warning\n"})
    repository.replace("charts/orders/values.yaml", "port: 80", "port: 80 # as always")
    assert checked(repository).outcome.merged == ()
    assert renders.unedited() == {
        ("head", "helm:charts/orders"): 1,
        ("head", "helm:charts/shop"): 1,
        ("base", "helm:charts/orders"): 1,
    }


def test_a_chart_that_is_broken_in_both_is_rendered_once_in_each(
    repository: Repository, renders: Renders
) -> None:
    repository.write(chart(REMOTE))
    repository.commit()
    repository.write({"charts/web/values.yaml": "name: web\nempty: {}\nmore: 1\n"})
    checked(repository)
    assert renders.unedited() == {("head", "helm:charts/web"): 1, ("base", "helm:charts/web"): 1}


def test_a_base_that_read_other_folders_is_laid_out_again_and_only_the_rest_rendered(
    repository: Repository, renders: Renders
) -> None:
    overlay = {path: text for path, text in OVERLAY.items() if path.startswith("deploy/base")}
    top = "deploy/prod/kustomization.yaml"
    elsewhere = {path.replace("deploy/base", "common"): text for path, text in overlay.items()}
    repository.write({**ORDERS, **overlay, **elsewhere, top: "resources: [../../common]\n"})
    repository.commit()
    repository.replace("charts/orders/values.yaml", "port: 80", "port: 80 # as always")
    repository.write({top: "resources: [../base]\n"})
    introduced = checked(repository).introduced
    assert introduced is not None
    assert introduced.base.keys == {"helm:charts/orders": frozenset(), "kustomize:deploy/prod": frozenset()}
    assert len(renders.layouts) == 2
    assert set(renders.done.values()) == {1}
    assert renders.unedited()["base", "helm:charts/orders"] == 1


def test_layouts_of_the_base_are_removed(repository: Repository, renders: Renders) -> None:
    repository.write(ORDERS)
    repository.commit()
    repository.replace("charts/orders/values.yaml", "port: 80", "port: 81")
    checked(repository)
    (layout,) = renders.layouts
    assert not os.path.lexists(layout)
    assert not os.path.lexists(layout.parent)
