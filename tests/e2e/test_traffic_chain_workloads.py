"""What programs are told and what nodes have: found at the line to edit, with a fix that a render has proven."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.program import Program, Repository, fixes, place

VALUES = """app:
  containerPort: 8080
  listen: 8080
agent:
  hostPort: 9101
"""
WORKLOAD = """apiVersion: v1
kind: Service
metadata:
  name: {{ .Release.Name }}
spec:
  selector: {app: {{ .Release.Name }}}
  ports:
    - {name: http, port: 80, targetPort: http}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Release.Name }}
spec:
  selector: {matchLabels: {app: {{ .Release.Name }}}}
  template:
    metadata: {labels: {app: {{ .Release.Name }}}}
    spec:
      containers:
        - name: main
          image: registry.example.org/main:1
          args:
            - --listen-address=:{{ .Values.app.listen }}
          ports:
            - name: http
              containerPort: {{ .Values.app.containerPort }}
"""
AGENTS = """{{- range $name, $port := dict "exporter" 9100 "agent" .Values.agent.hostPort }}
---
apiVersion: apps/v1
kind: DaemonSet
metadata:
  name: {{ $name }}
spec:
  selector: {matchLabels: {app: {{ $name }}}}
  template:
    metadata: {labels: {app: {{ $name }}}}
    spec:
      containers:
        - name: main
          image: registry.example.org/{{ $name }}:1
          ports:
            - containerPort: 7000
              hostPort: {{ $port }}
{{- end }}
"""


@pytest.fixture
def chart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    repository = Repository(tmp_path)
    repository.write(
        {
            "chart/Chart.yaml": "apiVersion: v2\nname: told\nversion: 1.0.0\n",
            "chart/values.yaml": VALUES,
            "chart/templates/workload.yaml": WORKLOAD,
            "chart/templates/agents.yaml": AGENTS,
        }
    )
    repository.commit()
    monkeypatch.chdir(tmp_path)
    return repository


@pytest.mark.usefixtures("chart")
def test_a_sound_chart_has_no_finding(portproof: Program) -> None:
    assert portproof.check()["findings"] == []


def test_a_program_that_listens_elsewhere_is_mended_at_either_end(
    portproof: Program, chart: Repository
) -> None:
    chart.replace("chart/values.yaml", "listen: 8080", "listen: 3000")
    (finding,) = portproof.check()["findings"]
    assert (finding["rule"], finding["severity"]) == ("listening-port", "warning")
    assert place(finding["location"]) == "chart/values.yaml:2:18-2:22"
    assert finding["location"]["proof"] == "proven"
    assert [place(one["location"]) for one in finding["related"]] == ["chart/values.yaml:3:11-3:15"]
    edits = [[(edit["line"], edit["new"]) for edit in fix["edits"]] for fix in fixes(finding)]
    assert edits == [[(2, "3000")], [(3, "8080")]]


def test_a_host_port_that_another_daemon_set_has_is_found(portproof: Program, chart: Repository) -> None:
    chart.replace("chart/values.yaml", "hostPort: 9101", "hostPort: 9100")
    (finding,) = portproof.check()["findings"]
    assert (finding["rule"], finding["severity"]) == ("host-port-clash", "warning")
    assert "DaemonSet/exporter" in finding["message"]
    assert [one["location"]["path"] for one in (finding, *finding["related"]) if one["location"]] == [
        "chart/templates/agents.yaml",
        "chart/values.yaml",
    ]
