from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portproof.discover.model import ManifestTarget
from portproof.graph import link
from portproof.render.model import RenderedDocument
from portproof.resources import Manifests, Resource, objects
from portproof.rules.policy.policies import Layer, entries, read
from tests.support.rules import RULES, findings, graph

OURS = tuple(name for name in RULES if "policy" in name)
KINDS = (
    ("networking.k8s.io/v1", "NetworkPolicy"),
    ("cilium.io/v2", "CiliumNetworkPolicy"),
    ("cilium.io/v2", "CiliumClusterwideNetworkPolicy"),
    ("projectcalico.org/v3", "NetworkPolicy"),
    ("projectcalico.org/v3", "GlobalNetworkPolicy"),
    ("security.istio.io/v1", "AuthorizationPolicy"),
    ("security.istio.io/v1", "PeerAuthentication"),
    ("policy.linkerd.io/v1beta3", "Server"),
)
WORDS = st.sampled_from(
    [
        "spec", "specs", "podSelector", "endpointSelector", "selector", "matchLabels", "matchExpressions", "app", "web",
        "ingress", "egress", "rules", "ports", "port", "endPort", "protocol", "toPorts", "destination", "to", "from",
        "operation", "toEndpoints", "policyTypes", "types", "portLevelMtls", "action", "DENY", "Allow", "Pass", "ALLOW", "key", "operator", "In",
        "values", "Exists", "TCP", "UDP", "80", "8080:9090", "http", "",
    ]
)  # fmt: skip
LEAVES = st.one_of(WORDS, st.none(), st.booleans(), st.integers(-1, 70000), st.floats(allow_nan=False))
ANYTHING = st.recursive(
    LEAVES,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(WORDS, inner, max_size=4)),
    max_leaves=25,
)
POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "web", "labels": {"app": "web"}},
    "spec": {"containers": [{"name": "web", "ports": [{"name": "http", "containerPort": 8080}]}]},
}
SERVED = {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": "http"}]}
SERVICE = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "web"},
    "spec": SERVED,
}


def manifests(*data: dict[str, Any]) -> Manifests:
    document = RenderedDocument("")
    found = [
        Resource(key, item, document, inside)
        for one in data
        for key, item, inside in objects(one, "default", ())
    ]
    return Manifests(ManifestTarget("x"), tuple(found))


@given(st.sampled_from(KINDS), st.dictionaries(WORDS, ANYTHING, max_size=6), ANYTHING)
@settings(max_examples=150, deadline=None)
def test_mangled_policies_raise_nothing(kind: tuple[str, str], spec: dict[str, Any], specs: Any) -> None:
    policy = {
        "apiVersion": kind[0],
        "kind": kind[1],
        "metadata": {"name": "x"},
        "spec": spec,
        "specs": specs,
    }
    built = link.build(manifests(POD, SERVICE, policy))
    for name in OURS:
        for finding in RULES[name].check(built):
            assert finding.primary.resource.name == "x"


def spec(kind: str, body: str) -> str:
    api = next(version for version, name in KINDS if name == kind)
    return f"apiVersion: {api}\nkind: {kind}\nmetadata: {{name: web}}\nspec: {body}\n"


@pytest.mark.parametrize(
    ("body", "closed"),
    [
        ("{podSelector: {}}", (True, False)),
        ("{podSelector: {}, egress: [{}]}", (True, True)),
        ("{podSelector: {}, policyTypes: [Egress]}", (False, True)),
        ("{podSelector: {}, policyTypes: [Egress, Ingress]}", (True, True)),
    ],
)
def test_the_directions_that_a_network_policy_closes(body: str, closed: tuple[bool, bool]) -> None:
    (policy,) = read(graph(spec("NetworkPolicy", body)), Layer.NETWORK)
    assert (policy.ingress is not None, policy.egress is not None) == closed


def test_a_cilium_policy_without_rules_closes_nothing() -> None:
    text = spec("CiliumNetworkPolicy", "{endpointSelector: {}, ingress: []}")
    assert read(graph(text), Layer.NETWORK) == ()


def test_where_an_egress_rule_leads() -> None:
    web, rest = "{podSelector: {matchLabels: {app: web}}}", "{ipBlock: {cidr: 10.0.0.0/8}}"
    text = spec(
        "NetworkPolicy", f"{{podSelector: {{}}, egress: [{{to: [{web}]}}, {{to: [{web}, {rest}]}}, {{}}]}}"
    )
    (policy,) = read(graph(text), Layer.NETWORK)
    assert policy.egress is not None
    assert [one.peers is not None for one in policy.egress] == [True, False, False]


def test_entries_of_both_directions_are_read() -> None:
    text = spec(
        "NetworkPolicy", "{podSelector: {}, ingress: [{ports: [{port: 1}]}], egress: [{ports: [{port: 2}]}]}"
    )
    assert [one.port and one.port.value for one in entries(graph(text))] == [1, 2]


def test_one_finding_for_one_entry() -> None:
    text = (
        "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: a}\n"
        'spec: {podSelector: {}, ingress: [{ports: [{port: "80"}, {port: 81, endPort: 80}]}]}\n'
    )
    assert len(findings(RULES["policy-port-invalid"], text)) == 2


def test_thousands_of_digits_are_no_number() -> None:
    policy = f'{{podSelector: {{}}, ingress: [{{ports: [{{port: "{"9" * 5000}"}}]}}]}}'
    (finding,) = findings(RULES["policy-port-invalid"], spec("NetworkPolicy", policy))
    assert "not 5000" in finding.message
