"""The table of what a change does to ports: nothing in it is obeyed, and what does not fit is counted."""

from __future__ import annotations

import pytest

from portproof.graph.differences import Caller, ChangeKind, EdgeChange, EdgeState
from portproof.graph.model import Relation
from portproof.report import port_table
from portproof.report.port_diff import PortDiff, TargetDiff
from portproof.resources import ResourceKey
from tests.support import gfm
from tests.test_gfm import ATTACKS

KINDS = list(ChangeKind)


def state(port: int, name: str = "web", **options: object) -> EdgeState:
    known = EdgeState(f"Deployment/{name}", 8080, None, port, True, (8080,))
    return EdgeState(**{**{one: getattr(known, one) for one in EdgeState.__slots__}, **options})


def change(
    kind: ChangeKind, number: int = 80, name: str = "web", relation: Relation = Relation.TARGET
) -> EdgeChange:
    key = ResourceKey("v1", "Service", "default", name)
    callers = (Caller(Relation.INGRESS, key, f"spec.{name}", None, f"helm:charts/{name}?values={name}"),)
    before = None if kind is ChangeKind.NEW else state(number, name)
    unmet = {"meets": False, "reaches": (), "offers": (name,)} if kind is ChangeKind.BROKEN else {}
    after = None if kind is ChangeKind.GONE else state(number + 1, name, **unmet)
    return EdgeChange(kind, relation, key, f"spec.ports[0].{name}", before, after, callers)


def diff(*targets: TargetDiff) -> PortDiff:
    return PortDiff("1" * 40, targets)


@pytest.mark.parametrize("name", ATTACKS)
def test_what_strangers_wrote_stays_code(name: str) -> None:
    attack = ATTACKS[name]
    rows = [
        change(kind, 80, attack, relation)
        for kind in KINDS
        for relation in (Relation.TARGET, Relation.CALLER)
    ]
    found = diff(
        TargetDiff(f"helm:charts/{attack}", tuple(rows)), TargetDiff(f"kustomize:{attack}", reason=attack)
    )
    for text in (port_table.markdown(found), port_table.folded(found)):
        page = gfm.rendered(text)
        gfm.is_harmless(page, links="", plain=r".*→.*|[;:,] ")
        assert page.shape.count("tr") >= 1 + 10
    assert all(line.isprintable() for line in port_table.text(found).split("\n"))


def test_what_does_not_fit_is_counted() -> None:
    rows = tuple(change(ChangeKind.MOVED, number) for number in range(1000))
    found = diff(TargetDiff("helm:charts/web", rows))
    assert (
        "And 600 more, not shown here: `portproof diff --base 111111111111` lists them all."
        in port_table.markdown(found)
    )
    for limit in (50_000, 5_000, 1_000):
        text = port_table.markdown(found, limit)
        assert len(text.encode()) <= limit
        shown = text.count("| moved |")
        assert f"And {1000 - shown} more" in text
        assert len(port_table.folded(found, limit).encode()) <= limit


def test_many_rows_that_come_and_go_are_folded_and_what_is_urgent_is_not() -> None:
    rows = [change(ChangeKind.NEW, number) for number in range(20)]
    lost = EdgeChange(
        **{
            **{one: getattr(rows[0], one) for one in EdgeChange.__struct_fields__},
            "after": state(99, meets=False),
        }
    )
    page = gfm.rendered(port_table.markdown(diff(TargetDiff("helm:charts/web", (*rows, lost)))))
    first = page.shape.index("details")
    assert page.shape[:first].count("tr") == 2
    assert page.shape[first:].count("tr") == 21
    few = gfm.rendered(port_table.markdown(diff(TargetDiff("helm:charts/web", tuple(rows[:5])))))
    assert "details" not in few.shape


def test_environments_are_named_as_people_do() -> None:
    ids = [
        "helm:charts/web",
        "helm:charts/web?values=values-prod.yaml",
        "helm:charts/api?values=/apps/api.yaml#api",
        "helm:.",
        "kustomize:overlays/prod",
        "manifests:k8s/dev.yaml",
    ]
    found = diff(*(TargetDiff(one, (change(ChangeKind.MOVED),)) for one in ids))
    assert port_table.text(found).splitlines()[0] == (
        "charts/web (default values, values-prod.yaml), charts/api (apps/api.yaml#api), "
        "the root of the repository, overlays/prod and 1 more"
    )
    chart = diff(TargetDiff(ids[0], (change(ChangeKind.MOVED),)), TargetDiff(ids[1]))
    assert port_table.text(chart).splitlines()[0] == "charts/web (default values)"


def test_nothing_is_one_line() -> None:
    for write in (port_table.text, port_table.markdown):
        assert write(diff(TargetDiff("helm:charts/web"))) == "No port changes.\n"
    assert port_table.folded(diff()) == ""
    unknown = diff(TargetDiff("helm:charts/web", reason="no values"))
    assert port_table.markdown(unknown).startswith("No port changes in what could be compared.\n")
