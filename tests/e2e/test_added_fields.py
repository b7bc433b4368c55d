"""A `targetPort` that is not there is added where the `port` is written, in the way in which that is written."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.e2e.program import Program, Repository

Make = Callable[[str], Repository]

SERVICE = """apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports:PORTS
---
"""
DEPLOYMENT = """apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
        - name: web
          image: registry.example.org/web:1
          ports: [{NAMEDcontainerPort: NUMBER}]
          readinessProbe: {httpGet: {path: /, port: NUMBER}}
"""
CHART = "apiVersion: v2\nname: chart\nversion: 0.1.0\n"


def web(ports: str, number: str = "3063", name: str = "name: http, ") -> str:
    text = SERVICE.replace("PORTS", ports) + DEPLOYMENT.replace("NUMBER", number)
    return text.replace("NAMED", name)


@pytest.mark.parametrize(
    ("ports", "mended"),
    [
        (
            "\n    - name: http\n      port: 80\n",
            "\n    - name: http\n      port: 80\n      targetPort: http\n",
        ),
        (
            "\n    - port: 80 # clients\n      name: http\n",
            "\n    - port: 80 # clients\n      targetPort: http\n      name: http\n",
        ),
        ("\n  - port: '80'\n", None),
        (" [{name: http, port: 80}]\n", " [{name: http, port: 80, targetPort: http}]\n"),
        (' [{"port": 80, "name": "http"}]\n', ' [{"port": 80, "targetPort": http, "name": "http"}]\n'),
    ],
)
def test_it_is_written_as_its_neighbours_are(
    portproof: Program, make_repository: Make, ports: str, mended: str | None
) -> None:
    repository = make_repository("")
    repository.write({"web.yaml": web(ports)})
    repository.commit()
    portproof("fix", "--write")
    expected = web(mended or ports)
    assert (repository.root / "web.yaml").read_text() == expected
    if mended:
        assert portproof.check()["findings"] == []


def test_line_ends_stay(portproof: Program, make_repository: Make) -> None:
    repository = make_repository("")
    file = repository.root / "web.yaml"
    file.write_bytes(web("\n    - {name: http,\n      port: 80\n      }\n").replace("\n", "\r\n").encode())
    portproof("fix", "--write")
    text = file.read_bytes()
    assert text.count(b"\n") == text.count(b"\r\n")


def test_in_a_chart_it_is_the_template_that_lacks_it(portproof: Program, make_repository: Make) -> None:
    repository = make_repository("")
    files = {
        "chart/Chart.yaml": CHART,
        "chart/values.yaml": "service: {port: 80}\ncontainer: 3063\n",
        "chart/templates/web.yaml": web(
            "\n    - port: {{ .Values.service.port }}\n", "{{ .Values.container }}", ""
        ),
    }
    repository.write(files)
    repository.commit()
    (found,) = portproof.check()["findings"]
    assert (found["location"]["path"], found["location"]["line"]) == ("chart/templates/web.yaml", 7)
    assert found["fix"]["description"] == "add targetPort: {{ .Values.container }}, as Deployment/web has it"
    (effect,) = found["fix"]["effects"]
    assert (effect["before"], effect["after"], effect["intended"]) == (None, 3063, True)
    assert portproof("fix", "--write").code == 0
    template = (repository.root / "chart/templates/web.yaml").read_text()
    assert "    - port: {{ .Values.service.port }}\n      targetPort: {{ .Values.container }}\n" in template


def test_where_the_values_hold_the_list_it_is_added_there(portproof: Program, make_repository: Make) -> None:
    repository = make_repository("")
    files = {
        "chart/Chart.yaml": CHART,
        "chart/values.yaml": "service:\n  ports:\n    - name: http\n      port: 80\n",
        "chart/templates/web.yaml": web("\n{{ toYaml .Values.service.ports | indent 4 }}"),
    }
    repository.write(files)
    repository.commit()
    assert portproof("fix", "--write").code == 0
    assert (
        repository.root / "chart/values.yaml"
    ).read_text() == "service:\n  ports:\n    - name: http\n      port: 80\n      targetPort: http\n"


def test_an_overlay_that_shares_its_base_is_no_worse(portproof: Program, make_repository: Make) -> None:
    repository = make_repository("")
    files = {
        "base/kustomization.yaml": "resources: [web.yaml]\n",
        "base/web.yaml": web("\n    - port: 80\n"),
        "overlays/dev/kustomization.yaml": "resources: [../../base]\n",
        "overlays/prod/kustomization.yaml": "resources: [../../base]\n",
    }
    repository.write(files)
    repository.commit()
    assert portproof("fix", "--write").code == 0
    assert repository.git("diff", "--name-only").split() == ["base/web.yaml"]
    assert "    - port: 80\n      targetPort: http\n" in (repository.root / "base/web.yaml").read_text()
