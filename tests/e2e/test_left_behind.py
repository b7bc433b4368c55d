"""What a change leaves behind, with real renders: numbers far apart, of which one revision alone says nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from tests.e2e.program import Program, Repository

Make = Callable[[str], Repository]

CHART = {
    "chart/Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.0.0\n",
    "chart/values.yaml": "port: 8080\nlisten: 8080\nservice: web\nlabel: web\n",
    "chart/templates/service.yaml": """apiVersion: v1
kind: Service
metadata:
  name: web
  labels:
    app: web
spec:
  selector:
    app: web
  ports:
    - name: http
      port: 80
      targetPort: http
""",
    "chart/templates/deployment.yaml": """apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  annotations:
    now: {{ randAlphaNum 8 }}
spec:
  selector:
    matchLabels:
      app: web
  template:
    metadata:
      labels:
        app: web
    spec:
      containers:
        - name: web
          image: registry.example.org/web:1
          args: ["--listen=:{{ .Values.listen }}"]
          ports:
            - name: http
              containerPort: {{ .Values.port }}
          readinessProbe:
            httpGet:
              path: /
              port: http
""",
    "chart/templates/ingress.yaml": """apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: web
spec:
  defaultBackend:
    service:
      name: {{ .Values.service }}
      port:
        name: http
""",
    "chart/templates/policy.yaml": """apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: web
spec:
  podSelector:
    matchLabels:
      app: web
  ingress:
    - ports:
        - port: 8080
""",
    "chart/templates/monitor.yaml": """apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
metadata:
  name: web
spec:
  selector:
    matchLabels:
      app: {{ .Values.label }}
  endpoints:
    - port: http
""",
}
OVERLAY = {
    "base/kustomization.yaml": (
        "resources: [service.yaml, deployment.yaml]\n"
        "configMapGenerator:\n  - name: conf\n    files: [web.conf]\n"
    ),
    "base/web.conf": "server {\n  listen 8080;\n}\n",
    "base/service.yaml": CHART["chart/templates/service.yaml"],
    "base/deployment.yaml": """apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  selector:
    matchLabels:
      app: web
  template:
    metadata:
      labels:
        app: web
    spec:
      containers:
        - name: web
          image: registry.example.org/web:1
          ports:
            - name: http
              containerPort: 8080
          livenessProbe:
            tcpSocket:
              port: 8080
          volumeMounts:
            - name: conf
              mountPath: /etc/web
      volumes:
        - name: conf
          configMap:
            name: conf
""",
    "overlays/prod/kustomization.yaml": "namespace: shop\nresources: [../../base, cart.yaml]\n",
    "overlays/prod/cart.yaml": """apiVersion: v1
kind: Pod
metadata:
  name: cart
spec:
  containers:
    - name: cart
      image: registry.example.org/cart:1
      env:
        - name: URL
          value: http://web.shop.svc:80
""",
}

Edit = tuple[str, str, str]
"""A file, a text of it, and what stands there after the change."""

CASES: dict[str, tuple[Mapping[str, str], list[Edit], list[tuple[str, str, str]]]] = {
    "the-policy-of-a-chart": (
        CHART,
        [("chart/values.yaml", "port: 8080\nlisten: 8080", "port: 3000\nlisten: 3000")],
        [("warning", "network-policy-service-port", "chart/values.yaml:1")],
    ),
    "the-traffic-of-a-chart": (
        CHART,
        [("chart/values.yaml", "listen: 8080", "listen: 3000")],
        [("warning", "listening-port", "chart/values.yaml:2")],
    ),
    "the-service-of-an-ingress": (
        CHART,
        [("chart/values.yaml", "service: web", "service: storefront")],
        [("warning", "service-absent", "chart/values.yaml:3")],
    ),
    "the-service-of-a-monitor": (
        CHART,
        [("chart/values.yaml", "label: web", "label: storefront")],
        [("warning", "monitor-lost-targets", "chart/values.yaml:4")],
    ),
    "the-traffic-of-a-generated-file": (
        OVERLAY,
        [("base/web.conf", "8080", "3000")],
        [("warning", "listening-port", "base/web.conf:2")],
    ),
    "the-probe-of-an-overlay": (
        OVERLAY,
        [
            ("base/deployment.yaml", "containerPort: 8080", "containerPort: 3000"),
            ("base/web.conf", "8080", "3000"),
        ],
        [("warning", "probe-port-number", "base/deployment.yaml:19")],
    ),
    "an-address-in-the-old-namespace": (
        OVERLAY,
        [("overlays/prod/kustomization.yaml", "namespace: shop", "namespace: store")],
        [("warning", "service-gone", "overlays/prod/kustomization.yaml:1")],
    ),
    "nothing-of-a-chart": (
        CHART,
        [
            ("chart/values.yaml", "port: 8080\nlisten: 8080", "port: 3000\nlisten: 3000"),
            ("chart/templates/policy.yaml", "8080", "{{ .Values.port }}"),
        ],
        [],
    ),
    "nothing-of-an-overlay": (
        OVERLAY,
        [
            ("base/deployment.yaml", "containerPort: 8080", "containerPort: 3000"),
            ("base/deployment.yaml", "port: 8080", "port: http"),
            ("base/web.conf", "8080", "3000"),
        ],
        [],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_left_behind(portproof: Program, make_repository: Make, case: str) -> None:
    files, edits, expected = CASES[case]
    repository = make_repository("")
    repository.write(files)
    repository.commit()
    for path, old, new in edits:
        repository.replace(path, old, new)
    with repository.untouched():
        report = portproof.check("--base", "HEAD")
    assert [_told(one) for one in report["findings"] if one["introduced"]] == expected


def _told(finding: Mapping[str, Any]) -> tuple[str, str, str]:
    place = finding["location"]
    return finding["severity"], finding["rule"], f"{place['path']}:{place['line']}"
