"""Monitors and annotations of one chart: found at the line to edit, with a fix that a render has proven."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.program import Program, Repository, fixes, place

VALUES = """service:
  portName: http
monitor:
  port: http
scrape:
  port: 9090
ports:
  metrics: 9090
"""
SERVICE = """apiVersion: v1
kind: Service
metadata:
  name: {{ .Release.Name }}
  labels: {app: {{ .Release.Name }}}
spec:
  selector: {app: {{ .Release.Name }}}
  ports:
    - name: {{ .Values.service.portName }}
      port: 80
      targetPort: http
"""
WORKLOAD = """apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Release.Name }}
spec:
  selector: {matchLabels: {app: {{ .Release.Name }}}}
  template:
    metadata:
      labels: {app: {{ .Release.Name }}}
      annotations:
        prometheus.io/port: {{ .Values.scrape.port | quote }}
    spec:
      containers:
        - name: main
          image: registry.example.org/main:1
          ports:
            - {name: http, containerPort: 8080}
            - {name: metrics, containerPort: {{ .Values.ports.metrics }}}
"""
MONITORS = """apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
metadata:
  name: {{ .Release.Name }}
spec:
  selector: {matchLabels: {app: {{ .Release.Name }}}}
  namespaceSelector: {matchNames: [{{ .Release.Namespace }}]}
  endpoints:
    - port: {{ .Values.monitor.port }}
---
apiVersion: monitoring.coreos.com/v1
kind: PodMonitor
metadata:
  name: {{ .Release.Name }}
spec:
  selector: {matchLabels: {app: {{ .Release.Name }}}}
  podMetricsEndpoints:
    - port: metrics
"""


@pytest.fixture
def watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    repository = Repository(tmp_path)
    repository.write(
        {
            "chart/Chart.yaml": "apiVersion: v2\nname: watched\nversion: 1.0.0\n",
            "chart/values.yaml": VALUES,
            "chart/templates/service.yaml": SERVICE,
            "chart/templates/deployment.yaml": WORKLOAD,
            "chart/templates/monitors.yaml": MONITORS,
        }
    )
    repository.commit()
    monkeypatch.chdir(tmp_path)
    return repository


@pytest.mark.usefixtures("watched")
def test_a_sound_chart_has_no_finding(portproof: Program) -> None:
    assert portproof.check()["findings"] == []


def test_a_service_monitor_is_mended_at_its_value(portproof: Program, watched: Repository) -> None:
    watched.replace("chart/values.yaml", "monitor:\n  port: http", "monitor:\n  port: htpp")
    (finding,) = portproof.check()["findings"]
    assert (finding["rule"], finding["severity"]) == ("service-monitor-port", "error")
    assert place(finding["location"]) == "chart/values.yaml:4:9-4:13"
    assert finding["location"]["proof"] == "proven"
    assert finding["fix"]["description"] == "set the port to http"
    assert [edit["new"] for edit in finding["fix"]["edits"]] == ["http"]


def test_the_ports_name_may_be_the_end_that_moved(portproof: Program, watched: Repository) -> None:
    watched.replace("chart/values.yaml", "portName: http", "portName: web")
    (finding,) = portproof.check()["findings"]
    assert finding["rule"] == "service-monitor-port"
    assert [place(one["location"]) for one in finding["related"]] == ["chart/values.yaml:2:13-2:16"]
    assert [edit["path"] for fix in fixes(finding) for edit in fix["edits"]] == ["chart/values.yaml"] * 2


def test_a_pod_monitor_is_mended_in_its_template(portproof: Program, watched: Repository) -> None:
    watched.replace("chart/templates/monitors.yaml", "- port: metrics", "- port: metrisc")
    (finding,) = portproof.check()["findings"]
    assert (finding["rule"], finding["severity"]) == ("pod-monitor-port", "error")
    assert place(finding["location"]) == "chart/templates/monitors.yaml:18:13-18:20"
    assert finding["location"]["proof"] == "proven"
    assert finding["fix"]["description"] == "set port to metrics"


def test_an_annotation_is_mended_at_its_value(portproof: Program, watched: Repository) -> None:
    watched.replace("chart/values.yaml", "scrape:\n  port: 9090", "scrape:\n  port: 9102")
    (finding,) = portproof.check("--fail-on", "warning")["findings"]
    assert (finding["rule"], finding["severity"]) == ("scrape-annotation-port", "warning")
    assert place(finding["location"]) == "chart/values.yaml:6:9-6:13"
    assert finding["location"]["proof"] == "proven"
    assert [edit["new"] for edit in finding["fix"]["edits"]] == ["9090"]
