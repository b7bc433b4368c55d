"""A repository of any number of charts: two values files each, an overlay for every fifth, a shared library for every tenth.

The charts are what charts are: a Deployment with probes and a ServiceAccount, a Service, an Ingress that is off unless the
values for production say otherwise, a ConfigMap, helpers. Nothing is wrong in them.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

HELPERS = """{{- define "app.labels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}
"""
TEMPLATES = """apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Chart.Name }}
  labels: {{- include "app.labels" . | nindent 4 }}
spec:
  replicas: {{ .Values.replicas }}
  selector:
    matchLabels: {{- include "app.labels" . | nindent 6 }}
  template:
    metadata:
      labels: {{- include "app.labels" . | nindent 8 }}
    spec:
      serviceAccountName: {{ .Chart.Name }}
      containers:
        - name: main
          image: "{{ .Values.image }}:{{ .Chart.AppVersion }}"
          envFrom: [{configMapRef: {name: {{ .Chart.Name }}}}]
          ports:
            - {name: http, containerPort: {{ .Values.port }}}
            - {name: metrics, containerPort: 9090}
          livenessProbe: {httpGet: {path: /live, port: http}}
          readinessProbe: {httpGet: {path: /ready, port: http}}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: {{ .Chart.Name }}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Chart.Name }}}
data: {LOG_LEVEL: {{ .Values.level }}}
"""
SERVICE = """apiVersion: v1
kind: Service
metadata: {name: {{ .Chart.Name }}}
spec:
  selector: {{- include "app.labels" . | nindent 4 }}
  ports:
    - {name: http, port: {{ .Values.service.port }}, targetPort: TARGET}
    - {name: metrics, port: 9090, targetPort: metrics}
---
{{- if .Values.ingress }}
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: {{ .Chart.Name }}}
spec:
  rules:
    - host: {{ .Values.ingress }}
      http:
        paths:
          - path: /
            pathType: Prefix
            backend: {service: {name: {{ .Chart.Name }}, port: {number: {{ .Values.service.port }}}}}
{{- end }}
"""
VALUES = """image: registry.example.org/NAME
replicas: 1
level: info
port: 8080
service:
  port: 80
  target: http
ingress: ""
"""
LIBRARY = '{{- define "shared.target" -}}{{ .Values.service.target }}{{- end }}\n'
BASE = """apiVersion: apps/v1
kind: Deployment
metadata: {name: NAME}
spec:
  selector: {matchLabels: {app: NAME}}
  template:
    metadata: {labels: {app: NAME}}
    spec:
      containers:
        - name: main
          image: registry.example.org/NAME:1
          ports: [{name: http, containerPort: 8080}]
---
apiVersion: v1
kind: Service
metadata: {name: NAME}
spec:
  selector: {app: NAME}
  ports: [{name: http, port: 80, targetPort: 8080}]
"""


def name(number: int) -> str:
    return f"app-{number:04}"


def files(charts: int) -> dict[str, str]:
    """The files by their paths."""
    found = {
        "shared/Chart.yaml": "apiVersion: v2\nname: shared\nversion: 1.0.0\ntype: library\n",
        "shared/templates/_target.tpl": LIBRARY,
    }
    for number in range(charts):
        found |= _chart(number)
        if number % 5 == 0:
            found |= _overlay(number)
    return found


def _chart(number: int) -> dict[str, str]:
    own, folder = name(number), f"charts/{name(number)}"
    shares = number % 10 == 0
    described = f"apiVersion: v2\nname: {own}\nversion: 1.0.0\nappVersion: 1.2.3\n"
    if shares:
        described += "dependencies: [{name: shared, version: 1.0.0, repository: file://../../shared}]\n"
    target = '{{ include "shared.target" . }}' if shares else "{{ .Values.service.target }}"
    return {
        f"{folder}/Chart.yaml": described,
        f"{folder}/values.yaml": VALUES.replace("NAME", own),
        f"{folder}/values-stage.yaml": "replicas: 2\n",
        f"{folder}/values-prod.yaml": f"replicas: 5\nlevel: warning\ningress: {own}.example.org\n",
        f"{folder}/templates/_helpers.tpl": HELPERS,
        f"{folder}/templates/app.yaml": TEMPLATES,
        f"{folder}/templates/service.yaml": SERVICE.replace("TARGET", target),
    }


def _overlay(number: int) -> dict[str, str]:
    own, folder = name(number), f"deploy/{name(number)}"
    return {
        f"{folder}/base/kustomization.yaml": "resources: [all.yaml]\n",
        f"{folder}/base/all.yaml": BASE.replace("NAME", f"{own}-edge"),
        f"{folder}/overlays/prod/kustomization.yaml": "namespace: prod\nresources: [../../base]\n",
    }


ONE_CHART = {f"charts/{name(1)}/values-prod.yaml": "replicas: 6\nlevel: warning\ningress: new.example.org\n"}
"""A change of one chart, which breaks nothing."""

LIBRARY_CHART = {"shared/templates/_target.tpl": f"{{{{/* the port's name */}}}}\n{LIBRARY}"}
"""A change of the library that every tenth chart uses; they render to what they were."""

BROKEN_EDGE = {f"charts/{name(1)}/values.yaml": VALUES.replace("NAME", name(1)).replace("http", "htpp")}
"""A change of one chart after which its Service asks for a port that no container has."""


def make(root: Path, charts: int) -> None:
    """Write the repository, with one commit."""
    write(root, files(charts))
    git(root, "init", "--quiet", "--initial-branch=main", "--template=")
    commit(root)


def write(root: Path, texts: dict[str, str]) -> None:
    for path, text in texts.items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


def commit(root: Path) -> None:
    git(root, "add", "--all")
    git(root, "-c", "user.name=bench", "-c", "user.email=bench@localhost", "commit", "--quiet", "-m", "all")


def git(root: Path, *words: str) -> None:
    subprocess.run(["git", *words], cwd=root, check=True, capture_output=True)
