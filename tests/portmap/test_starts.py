"""The map costs what a check costs: each target is rendered once, and one start of helm more places all numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from unittest import mock

from portproof import process as programs
from tests.e2e.program import Program, Repository

MakeRepository = Callable[[str], Repository]

HELPERS = '{{ define "NAME.port" }}{{ .Values.port }}{{ end }}\n'
CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: NAME}\n"
SERVICE = """\
apiVersion: v1
kind: Service
metadata: {name: NAME}
spec:
  selector: {app: NAME}
  ports: [{port: 80, targetPort: {{ include "NAME.port" . }}}]
"""
DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: NAME}
spec:
  selector: {matchLabels: {app: NAME}}
  template:
    metadata:
      labels: {app: NAME}
      annotations: {config: "{{ include (print .Template.BasePath "/config.yaml") . | sha256sum }}"}
    spec:
      containers: [{name: NAME, image: example.com/NAME, ports: [{containerPort: {{ .Values.port }}}]}]
"""
APPS = tuple(f"app-{number}" for number in range(8))
OWN: Mapping[str, Mapping[str, str]] = {
    "two-environments": {"values-prod.yaml": "replicas: 2\n"},
    "anchored": {
        "values.yaml": "port: &port http\nnumber: 8080\n",
        "templates/deployment.yaml": DEPLOYMENT.replace(
            "containerPort: {{ .Values.port }}",
            "name: {{ .Values.port }}, containerPort: {{ .Values.number }}",
        ),
    },
    "needs-a-value": {
        "templates/service.yaml": SERVICE + '  clusterIP: {{ required "an address" .Values.ip }}\n'
    },
    "lacks-a-chart": {
        "Chart.yaml": "apiVersion: v2\nname: NAME\nversion: 1.0.0\ndependencies:\n"
        '  - {name: cache, version: "1", repository: "https://charts.invalid"}\n'
    },
    "reads-a-file": {
        "note.txt": "a\n",
        "templates/config.yaml": CONFIG + 'data: {note: {{ .Files.Get "note.txt" | quote }}}\n',
    },
}
"""Files that charts have besides, or instead of, those that all have."""


def _write_charts(repository: Repository) -> None:
    for name in (*APPS, *OWN):
        files = {
            "Chart.yaml": "apiVersion: v2\nname: NAME\nversion: 1.0.0\n",
            "values.yaml": "port: 8080\n",
            "templates/_helpers.tpl": HELPERS,
            "templates/config.yaml": CONFIG,
            "templates/service.yaml": SERVICE,
            "templates/deployment.yaml": DEPLOYMENT,
            **OWN.get(name, {}),
        }
        for path, text in files.items():
            file = repository.root / "charts" / name / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text.replace("NAME", name))
    repository.commit()


def _starts(portproof: Program, *args: str) -> int:
    """How many programs a run starts that may take long: helm and kustomize, by the one door to them."""
    with mock.patch.object(programs, "run", wraps=programs.run) as started:
        portproof(*args)
    return started.call_count


def test_the_map_starts_one_program_more_than_a_check(
    portproof: Program, make_repository: MakeRepository
) -> None:
    """Of charts with named templates, a missing value, a missing dependency, other files, and another environment."""
    repository = make_repository("")
    _write_charts(repository)
    portproof("map", "--write", "PORTS.md", "--offline")
    text = repository.read("PORTS.md").decode()
    assert "anchored/values.yaml" in text
    assert "(best guess)" not in text
    check = _starts(portproof, "check", "--offline", "--fail-on", "never")
    assert check >= len(APPS) + len(OWN)
    assert _starts(portproof, "map", "--check", "--offline") == check + 1
