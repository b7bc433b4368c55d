"""Policies that the rendering of a target does not show, and that may open what its own leave closed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.program import Program, Repository

_CLOSED = """apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web}
spec:
  podSelector: {matchLabels: {app: web}}
  policyTypes: [Egress]
  egress:
    - to: [{podSelector: {matchLabels: {app: db}}}]
---
apiVersion: v1
kind: Pod
metadata: {name: web, labels: {app: web}}
spec:
  containers:
    - name: web
      image: web:1
      env: [{name: API_URL, value: "http://api:80"}]
---
apiVersion: v1
kind: Service
metadata: {name: api}
spec:
  selector: {app: api}
  ports: [{name: http, port: 80, targetPort: http}]
---
apiVersion: v1
kind: Pod
metadata: {name: api, labels: {app: api}}
spec:
  containers:
    - {name: api, image: "api:1", ports: [{name: http, containerPort: 8080}]}
"""
_BOTH = {"network-policy-dns", "network-policy-closed-call"}
_GENERATED = """apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: defaults}
spec:
  rules:
    - name: defaults
      match: {any: [{resources: {kinds: [Namespace]}}]}
      generate:
        apiVersion: networking.k8s.io/v1
        kind: KIND
        name: allow-dns
        namespace: "{{ request.object.metadata.name }}"
"""
_OF_CLUSTERS = """apiVersion: cilium.io/v2
kind: CiliumClusterwideNetworkPolicy
metadata: {name: allow-dns}
spec: {endpointSelector: {}, egress: [{toEntities: [cluster]}]}
"""
_CRD = """apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: ciliumclusterwidenetworkpolicies.cilium.io}
spec:
  names:
    kind: CiliumClusterwideNetworkPolicy
"""


@pytest.mark.parametrize(
    ("text", "rules"),
    [
        (_OF_CLUSTERS, set()),
        (_GENERATED.replace("KIND", "NetworkPolicy"), set()),
        (_GENERATED.replace("KIND", "CiliumNetworkPolicy"), set()),
        (_GENERATED.replace("KIND", "ResourceQuota"), _BOTH),
        (_CRD, _BOTH),
        ("", _BOTH),
    ],
)
def test_where_others_may_open_it_nothing_is_known_to_be_closed(
    portproof: Program, tmp_path: Path, text: str, rules: set[str]
) -> None:
    repository = Repository(tmp_path)
    repository.write({"apps/web/all.yaml": _CLOSED, "cluster/policies/defaults.yaml": text})
    repository.commit()
    assert {one["rule"] for one in portproof.check(tmp_path / "apps")["findings"]} == rules
