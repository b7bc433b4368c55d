"""A chart's policies against its Service and pods: the finding names the source line, and its fix is proven."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.program import Program, Repository, place

CHART = {
    "Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.0.0\n",
    "values.yaml": """\
service:
  port: 80
container:
  port: 8080
policy:
  port: 8080
  name: http
  quoted: "8080"
mesh:
  port: 8080
server:
  port: http
""",
    "templates/web.yaml": """\
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports: [{name: web, port: {{ .Values.service.port }}, targetPort: http}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
        - name: web
          image: web:1
          ports: [{name: http, containerPort: {{ .Values.container.port }}}]
""",
}

NUMBER = """\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web}
spec:
  podSelector: {matchLabels: {app: web}}
  ingress:
    - ports:
        - port: {{ .Values.policy.port }}
"""

NAME = NUMBER.replace(".Values.policy.port", ".Values.policy.name")

CILIUM = """\
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: web}
spec:
  endpointSelector: {matchLabels: {app: web}}
  ingress:
    - toPorts:
        - ports:
            - port: {{ .Values.policy.port | quote }}
              protocol: TCP
"""

CILIUM_PLAIN = CILIUM.replace(".Values.policy.port | quote", ".Values.policy.quoted | toYaml")

ISTIO = """\
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  rules:
    - to:
        - operation:
            ports: ["{{ .Values.mesh.port }}"]
"""

EGRESS = """\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: callers}
spec:
  podSelector: {matchLabels: {role: caller}}
  policyTypes: [Egress]
  egress:
    - to: [{podSelector: {matchLabels: {app: web}}}]
      ports:
        - port: {{ .Values.policy.port }}
"""

SERVER = """\
apiVersion: policy.linkerd.io/v1beta3
kind: Server
metadata: {name: web}
spec:
  podSelector: {matchLabels: {app: web}}
  port: {{ .Values.server.port }}
"""


def chart(root: Path, policy: str, old: str = "", new: str = "") -> Repository:
    repository = Repository(root)
    repository.write({**CHART, "templates/policy.yaml": policy})
    if old:
        repository.replace("values.yaml", old, new)
    repository.commit()
    return repository


def only(report: dict[str, Any]) -> dict[str, Any]:
    (finding,) = report["findings"]
    assert report["summary"]["checked"] == 1
    return dict(finding)


@dataclass(frozen=True)
class Case:
    """A mistake in values.yaml, and where it stands there."""

    rule: str
    policy: str
    old: str
    new: str
    where: str
    fixed: str
    severity: str = "error"

    def __str__(self) -> str:
        return f"{self.rule} {self.new}"


PORT = "policy:\n  port: 8080", "policy:\n  port: 80", "6:9-6:11", "8080"
CASES = (
    Case("network-policy-service-port", NUMBER, *PORT),
    Case("network-policy-service-port", CILIUM, *PORT),
    Case("network-policy-port", NAME, "name: http", "name: web", "7:9-7:12", "http"),
    Case(
        "authorization-policy-port", ISTIO, "mesh:\n  port: 8080", "mesh:\n  port: 80", "10:9-10:11", "8080"
    ),
    Case("network-policy-egress-port", EGRESS, *PORT, severity="warning"),
    Case(
        "mesh-policy-port",
        SERVER,
        "server:\n  port: http",
        "server:\n  port: web",
        "12:9-12:12",
        "http",
        severity="warning",
    ),
    Case("policy-port-invalid", CILIUM_PLAIN, 'quoted: "8080"', "quoted: 8080", "8:11-8:15", '"8080"'),
)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_line_is_named_and_the_fix_is_proven(portproof: Program, tmp_path: Path, case: Case) -> None:
    chart(tmp_path, case.policy, case.old, case.new)
    finding = only(portproof.check("--offline", tmp_path))
    assert (finding["rule"], finding["severity"]) == (case.rule, case.severity)
    assert place(finding["location"]) == f"values.yaml:{case.where}"
    assert finding["location"]["proof"] == "proven"
    (edit,) = finding["fix"]["edits"]
    assert (place(edit), edit["new"]) == (f"values.yaml:{case.where}", case.fixed)


@pytest.mark.parametrize("policy", [NUMBER, NAME, CILIUM, CILIUM_PLAIN, ISTIO, EGRESS, SERVER])
def test_the_chart_as_it_was_is_healthy(portproof: Program, tmp_path: Path, policy: str) -> None:
    chart(tmp_path, policy)
    assert portproof.check("--offline", tmp_path)["findings"] == []
