"""Ten pull requests as people open them: what each one changes, from files that were right."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tests.support.action import below, files_of

Files = Mapping[str, "bytes | str | None"]


@dataclass(frozen=True)
class PullRequest:
    """The files of the base, and those that the change writes (None removes one)."""

    before: Files
    after: Files


def service(name: str = "cart", *, port: int = 80, target: str = "8080", app: str = "cart") -> str:
    return f"""apiVersion: v1
kind: Service
metadata:
  name: {name}
spec:
  selector:
    app: {app}
  ports:
    - name: http
      port: {port}
      targetPort: {target}
"""


def deployment(name: str = "cart", *, port: int = 8080, app: str = "cart", probe: str = "http") -> str:
    return f"""apiVersion: apps/v1
kind: Deployment
metadata:
  name: {name}
spec:
  selector:
    matchLabels:
      app: {app}
  template:
    metadata:
      labels:
        app: {app}
    spec:
      containers:
        - name: {name}
          image: registry.example.org/{name}:1.4.2
          ports:
            - name: http
              containerPort: {port}
          readinessProbe:
            httpGet:
              path: /healthz
              port: {probe}
"""


def ingress(name: str = "cart", *, port: str = "number: 80", service: str = "cart") -> str:
    return f"""apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: {name}
spec:
  rules:
    - host: shop.example.org
      http:
        paths:
          - path: /
            pathType: Prefix
            backend:
              service:
                name: {service}
                port:
                  {port}
"""


def kustomization(*resources: str, patch: str = "") -> str:
    lines = ["resources:", *(f"  - {one}" for one in resources)]
    return "\n".join([*lines, *(["patches:", f"  - path: {patch}"] if patch else [])]) + "\n"


BASE = {
    "deploy/base/deployment.yaml": deployment(probe="8080"),
    "deploy/base/service.yaml": service(),
    "deploy/base/kustomization.yaml": kustomization("deployment.yaml", "service.yaml"),
}
SERVICE_PATCH = """apiVersion: v1
kind: Service
metadata:
  name: cart
spec:
  type: ClusterIP
  ports:
    - port: 80
      targetPort: 8080
"""
OVERLAYS = BASE | {
    f"deploy/overlays/{name}/kustomization.yaml": kustomization("../../base")
    for name in ("dev", "stage", "prod")
}
PATCHED = OVERLAYS | {
    "deploy/overlays/prod/kustomization.yaml": kustomization("../../base", patch="service.yaml"),
    "deploy/overlays/prod/service.yaml": SERVICE_PATCH,
}
CHART = {
    "charts/cart/Chart.yaml": "apiVersion: v2\nname: cart\nversion: 1.4.2\n",
    "charts/cart/values.yaml": "service:\n  port: 80\ncontainer:\n  port: 8080\n",
    "charts/cart/values-prod.yaml": "service:\n  port: 8443\n",
    "charts/cart/templates/deployment.yaml": deployment(port=8080).replace(
        "containerPort: 8080", "containerPort: {{ .Values.container.port }}"
    ),
    "charts/cart/templates/service.yaml": service(target="http").replace(
        "port: 80\n", "port: {{ .Values.service.port }}\n"
    ),
}
MANIFESTS = {
    "k8s/deployment.yaml": deployment(),
    "k8s/service.yaml": service(target="http"),
    "k8s/ingress.yaml": ingress(),
}
CALLER = """apiVersion: v1
kind: ConfigMap
metadata:
  name: front
data:
  CART_URL: http://cart:80
"""


def changed(files: Files, path: str, old: str, new: str) -> Files:
    text = str(files[path])
    assert text.count(old) == 1, (path, old, text.count(old))
    return {path: text.replace(old, new)}


TEN: Mapping[str, PullRequest] = {
    "chart value": PullRequest(
        below("charts/backend", files_of("incident/repaired/chart")),
        below("charts/backend", files_of("incident/broken/chart")),
    ),
    "overlay patch": PullRequest(
        PATCHED, changed(PATCHED, "deploy/overlays/prod/service.yaml", "targetPort: 8080", "targetPort: 9090")
    ),
    "template": PullRequest(
        CHART, changed(CHART, "charts/cart/templates/service.yaml", "targetPort: http", "targetPort: web")
    ),
    "manifests": PullRequest(MANIFESTS, changed(MANIFESTS, "k8s/ingress.yaml", "number: 80", "number: 8080")),
    "several environments": PullRequest(
        OVERLAYS,
        changed(OVERLAYS, "deploy/base/deployment.yaml", "containerPort: 8080", "containerPort: 8081"),
    ),
    "rename": PullRequest(
        MANIFESTS | {"k8s/front.yaml": CALLER},
        changed(MANIFESTS, "k8s/service.yaml", "name: cart", "name: basket"),
    ),
    "lost pods": PullRequest(
        MANIFESTS,
        {"k8s/deployment.yaml": deployment(app="cart-v2")},
    ),
    "gone Service": PullRequest(MANIFESTS | {"k8s/front.yaml": CALLER}, {"k8s/service.yaml": None}),
    "unchecked target": PullRequest(
        PATCHED,
        {
            "deploy/overlays/prod/kustomization.yaml": kustomization(
                "https://example.org/base?ref=v1", patch="service.yaml"
            )
        },
    ),
    "nothing but a diff": PullRequest(
        MANIFESTS,
        {
            "k8s/service.yaml": service(port=8000, target="http"),
            "k8s/ingress.yaml": ingress(port="number: 8000"),
        },
    ),
}
"""The pull requests by what they change; the last one is right, and gets no comment."""
