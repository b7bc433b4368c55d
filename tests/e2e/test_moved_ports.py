"""A change that moves a declared port along with its Service: does anything tell the program?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.e2e.program import Program, Repository, place

_CHART = {
    "chart/Chart.yaml": "apiVersion: v2\nname: influxdb2\nversion: 1.0.0\n",
    "chart/templates/all.yaml": """apiVersion: v1
kind: Service
metadata: {name: influxdb2}
spec:
  selector: {app: influxdb2}
  ports:
    - {name: http, port: {{ .Values.service.port }}, targetPort: {{ .Values.service.targetPort }}}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: influxdb2}
spec:
  serviceName: influxdb2
  selector: {matchLabels: {app: influxdb2}}
  template:
    metadata: {labels: {app: influxdb2}}
    spec:
      containers:
        - name: influxdb2
          image: {{ .Values.image }}
          {{- with .Values.args }}
          args: {{ toJson . }}
          {{- end }}
          ports:
            - {name: http, containerPort: {{ .Values.service.targetPort }}}
          livenessProbe: {httpGet: {path: /health, port: http}}
""",
}
_VALUES = "image: IMAGE\nservice:\n  port: 80\n  targetPort: 8086\n"


def _findings(
    portproof: Program, folder: Path, image: str, more: str = "", later: str = ""
) -> list[dict[str, Any]]:
    repository = Repository(folder)
    values = _VALUES.replace("IMAGE", image)
    repository.write({**_CHART, "chart/values.yaml": values + more})
    repository.commit()
    repository.write({"chart/values.yaml": values.replace("8086", "9000") + later})
    repository.commit()
    found: list[dict[str, Any]] = portproof.check(folder, "--base", "HEAD~1")["findings"]
    return found


def test_a_value_that_feeds_both_ends_and_no_program(portproof: Program, tmp_path: Path) -> None:
    (finding,) = _findings(portproof, tmp_path, "influxdb:2.7.4-alpine")
    assert (finding["rule"], finding["severity"]) == ("container-port-moved", "error")
    assert finding["introduced"]
    assert place(finding["location"]).startswith("chart/values.yaml:4:")
    assert finding["location"]["proof"] == "proven"
    assert (finding["expected"], finding["fix"]["safety"]) == (8086, "safe")


def test_of_an_unknown_program_nothing_is_said(portproof: Program, tmp_path: Path) -> None:
    assert _findings(portproof, tmp_path, "registry.example.com/tsdb:2.7") == []


def test_the_program_is_told(portproof: Program, tmp_path: Path) -> None:
    told = 'args: ["--http-bind-address=:{}"]\n'
    assert _findings(portproof, tmp_path, "influxdb:2.7.4-alpine", told.format(8086), told.format(9000)) == []
