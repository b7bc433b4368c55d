"""Whatever a rendering holds: a test's pod passes for its caller where policies decide, and for nobody elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from yaml import safe_load_all as load_all

from portproof.config import Config
from portproof.connectivity.manifests import Form, objects
from portproof.connectivity.model import Edge, Placed
from portproof.connectivity.plan import plan
from portproof.discover.find import discover
from portproof.discover.model import Target
from portproof.graph.workloads import MARK
from portproof.portmap.survey import Asked, port_map
from portproof.render.model import NotRendered, Rendering
from portproof.source import Tree
from tests.e2e.program import FIXTURES
from tests.support.mapped import port_map_of, yaml
from tests.support.rendering import engine, rendered

FORM = Form("jobs", "portproof:1", "")
KEYS = st.sampled_from(["app", "role", "tier", MARK[0]])
VALUES = st.sampled_from(["a", "b", MARK[1]])
LABELS = st.dictionaries(KEYS, VALUES, max_size=3)
EXPRESSION = st.one_of(
    st.fixed_dictionaries(
        {"key": KEYS, "operator": st.sampled_from(["In", "NotIn"]), "values": st.lists(VALUES, min_size=1, max_size=2)}
    ),
    st.fixed_dictionaries({"key": KEYS, "operator": st.sampled_from(["Exists", "DoesNotExist"])}),
)  # fmt: skip
SELECTOR = st.fixed_dictionaries(
    {}, optional={"matchLabels": LABELS, "matchExpressions": st.lists(EXPRESSION, max_size=2)}
)
RULE = st.fixed_dictionaries(
    {}, optional={"from": st.lists(st.fixed_dictionaries({"podSelector": SELECTOR}), max_size=2)}
)


@st.composite
def services(draw: st.DrawFn) -> dict[str, Any]:
    name = draw(st.sampled_from(["one", "two", "three"]))
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {
            "selector": draw(LABELS),
            "publishNotReadyAddresses": draw(st.booleans()),
            "ports": [{"port": 80, "targetPort": 8080}],
        },
    }


@st.composite
def workloads(draw: st.DrawFn) -> dict[str, Any]:
    container = {
        "name": "c",
        "image": "i",
        "ports": [{"containerPort": 8080}],
        "env": [{"name": "URL", "value": draw(st.sampled_from(["", "http://one", "http://two:80"]))}],
    }
    return {
        "apiVersion": "apps/v1",
        "kind": draw(st.sampled_from(["Deployment", "StatefulSet"])),
        "metadata": {"name": draw(st.sampled_from(["web", "cart"])), "namespace": "shop"},
        "spec": {"template": {"metadata": {"labels": draw(LABELS)}, "spec": {"containers": [container]}}},
    }


@st.composite
def policies(draw: st.DrawFn) -> dict[str, Any]:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": draw(st.sampled_from(["p", "q"])), "namespace": "shop"},
        "spec": {
            "podSelector": draw(SELECTOR),
            "policyTypes": draw(st.sampled_from([["Ingress"], ["Egress"], ["Ingress", "Egress"]])),
            "ingress": draw(st.lists(RULE, max_size=2)),
            "egress": [],
        },
    }


def by_name(one: Mapping[str, Any]) -> tuple[str, str]:
    return one["kind"], one["metadata"]["name"]


RENDERINGS = st.builds(
    lambda *several: [one for group in several for one in group],
    st.lists(services(), min_size=1, max_size=3, unique_by=by_name),
    st.lists(workloads(), min_size=1, max_size=3, unique_by=by_name),
    st.lists(policies(), max_size=2, unique_by=by_name),
)


def of_kind(rendering: Iterable[Mapping[str, Any]], kind: str) -> list[Mapping[str, Any]]:
    return [one for one in rendering if one["kind"] == kind]


def selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """A LabelSelector, as its documentation says it."""
    for key, value in (selector.get("matchLabels") or {}).items():
        if labels.get(key) != value:
            return False
    for one in selector.get("matchExpressions") or ():
        inside = one["key"] in labels and labels[one["key"]] in one.get("values", [labels[one["key"]]])
        if inside is not (one["operator"] in ("In", "Exists")):
            return False
    return True


def keys(data: Any) -> Iterator[str]:
    """Every label key that something looks at."""
    if isinstance(data, Mapping):
        yield from data.get("matchLabels") or ()
        yield from (one["key"] for one in data.get("matchExpressions") or ())
        for value in data.values():
            yield from keys(value)
    elif isinstance(data, list):
        for one in data:
            yield from keys(one)


def becomes_an_endpoint(service: Mapping[str, Any], job: Mapping[str, Any]) -> bool:
    """Endpoints are pods that match and are ready, or that match when readiness does not count."""
    template, spec = job["spec"]["template"], service["spec"]
    selector = spec.get("selector") or {}
    same = service["metadata"].get("namespace", "default") == job["metadata"]["namespace"]
    matches = (
        bool(selector)
        and same
        and all(template["metadata"]["labels"].get(k) == v for k, v in selector.items())
    )
    gated = template["spec"]["readinessGates"] == [{"conditionType": "portproof/never-ready"}]
    return matches and not (gated and not spec.get("publishNotReadyAddresses"))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(RENDERINGS)
def test_a_pod_is_nobodys_endpoint_and_has_labels_for_policies_only(rendering: list[dict[str, Any]]) -> None:
    made = plan(port_map_of(prod=yaml(*rendering)), Placed())
    looked_at = set(keys([one["spec"] for one in of_kind(rendering, "NetworkPolicy")]))
    for job in objects(FORM, made.pods):
        assert not any(becomes_an_endpoint(one, job) for one in of_kind(rendering, "Service"))
        labels = dict(job["spec"]["template"]["metadata"]["labels"])
        assert labels.pop(MARK[0]) == MARK[1]
        assert set(labels) <= looked_at


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(RENDERINGS)
def test_policies_decide_about_a_pod_as_about_its_caller(rendering: list[dict[str, Any]]) -> None:
    made = plan(port_map_of(prod=yaml(*rendering)), Placed())
    pods = {f"{one['kind']}/{one['metadata']['name']}": one for one in rendering if "template" in one["spec"]}
    for test, job in zip(made.pods, objects(FORM, made.pods), strict=True):
        labels = job["spec"]["template"]["metadata"]["labels"]
        for edge in test.edges:
            own = pods[edge.holder]["spec"]["template"]["metadata"]["labels"] if edge.holder else None
            for policy in of_kind(rendering, "NetworkPolicy"):
                if own is None:
                    assert not concerns(policy, edge, labels, pods) or lets_everybody_in(
                        rendering, edge, pods
                    )
                else:
                    assert leaves(policy, labels) == leaves(policy, own)
                    if comes_in(policy, edge, pods):
                        assert admits(policy, labels) == admits(policy, own)


def leaves(policy: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Whether the policy stops pods with these labels from opening anything."""
    return "Egress" in policy["spec"]["policyTypes"] and selects(policy["spec"]["podSelector"], labels)


def comes_in(policy: Mapping[str, Any], edge: Edge, pods: Mapping[str, Any]) -> bool:
    """Whether the policy decides who opens the pods of the edge's Service."""
    behind = [pods[name]["spec"]["template"]["metadata"]["labels"] for name in edge.service.workloads]
    spec = policy["spec"]
    return "Ingress" in spec["policyTypes"] and any(selects(spec["podSelector"], one) for one in behind)


def admits(policy: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    return any(
        not rule.get("from") or any(selects(one["podSelector"], labels) for one in rule["from"])
        for rule in policy["spec"]["ingress"]
    )


def concerns(
    policy: Mapping[str, Any], edge: Edge, labels: Mapping[str, str], pods: Mapping[str, Any]
) -> bool:
    return leaves(policy, labels) or comes_in(policy, edge, pods)


def lets_everybody_in(rendering: Iterable[Mapping[str, Any]], edge: Edge, pods: Mapping[str, Any]) -> bool:
    around = [one for one in of_kind(rendering, "NetworkPolicy") if comes_in(one, edge, pods)]
    return any(not rule.get("from") for one in around for rule in one["spec"]["ingress"])


@pytest.mark.parametrize("fixture", ["incident/broken", "shop"])
def test_no_pod_of_the_fixtures_is_an_endpoint(tmp_path: Path, fixture: str) -> None:
    tree = Tree(FIXTURES / fixture)
    services: list[Mapping[str, Any]] = []
    targets = discover(tree, (".",), Config()).targets
    with engine(tmp_path / "engine") as renderer:

        def render(target: Target, at: Tree) -> Rendering | NotRendered:
            if at is not tree:
                return NotRendered(target, "no place is asked for")
            answer = rendered(renderer.render(target, at))
            several = [one for each in answer.documents for one in load_all(each.text) if one]
            services.extend(of_kind(several, "Service"))
            return answer

        made = plan(port_map(Asked(tree, targets, targets, (), {}, 1), render), Placed(namespace="shop"))
    assert made.pods
    assert services
    for job in objects(FORM, made.pods):
        assert not any(becomes_an_endpoint(one, job) for one in services)
