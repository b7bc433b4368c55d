"""The rendered object behind a finding, as `check --show-rendered` shows it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from portproof.flags import FORMATS
from tests.e2e.program import FIXTURES, Program, Repository

MakeRepository = Callable[[str], Repository]
CHART = FIXTURES / "incident/broken/chart"
SECRETS = ("hunter2", "open-sesame", "first line", "second line", "deploy:t0ken")
MANIFESTS = """\
apiVersion: v1
kind: List
items:
  - apiVersion: v1
    kind: Secret
    metadata: {name: keys}
    stringData: {pin: hunter2}
  - apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      selector: {app: web}
      ports:
        - {name: http, port: 80}
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
          image: registry.example.com/web:1
          env:
            - {value: open-sesame, name: DB_PASSWORD}
            - name: UPSTREAM
              value: https://deploy:t0ken@example.com/x
            - name: TLS_PRIVATE_KEY
              value: |
                first line
                second line
          livenessProbe: {httpGet: {path: /, port: htp}}
          ports: [{name: http, containerPort: 80}]
---
apiVersion: v1
kind: ConfigMap
metadata: {name: proxy}
data:
  password: hunter2
  nginx.conf: |
    upstream a {
      server web.default.svc:9999;
    }
"""


def rendered(text: str) -> list[str]:
    """The blocks of rendered objects in a report, each up to the next empty line."""
    return ["rendered: " + part.split("\n\n")[0] for part in text.split("\n  rendered: ")[1:]]


def test_the_field_is_marked_below_its_finding(portproof: Program) -> None:
    shown = portproof("check", CHART, "--show-rendered").stdout
    (block,) = rendered(shown)
    head, *lines = block.split("\n")
    assert head.startswith("rendered: Service/backend-v1 of helm:")
    assert lines == [
        "    | …",
        "    |   selector:",
        "    |     app.kubernetes.io/name: backend-v1",
        "    |     app.kubernetes.io/instance: backend-v1",
        "    |   ports:",
        "    |     - name: http",
        "    |       port: 80",
        "    |       targetPort: 8081",
        "    |                   ^^^^",
    ]
    # All else is as without it.
    assert shown.replace(f"  {block}\n\n", "") == portproof("check", CHART).stdout


def test_secrets_are_masked_and_a_number_in_a_text_is_marked(portproof: Program, tmp_path: Path) -> None:
    (tmp_path / "all.yaml").write_text(MANIFESTS)
    blocks = rendered(portproof("check", tmp_path, "--show-rendered").stdout)
    probe, caller = sorted(blocks, key=lambda one: "ConfigMap" in one)
    assert not [one for one in SECRETS for block in blocks if one in block]
    assert "\n    |               port: htp\n    |                     ^^^\n" in probe
    assert "****** ****" in probe
    assert caller.split("\n")[1:] == [
        "    | …",
        "    | metadata:",
        "    |   name: proxy",
        "    | data:",
        "    |   password: '*******'",
        "    |   nginx.conf: |",
        "    |     upstream a {",
        "    |       server web.default.svc:9999;",
        "    |                              ^^^^",
        "    |     }",
    ]


@pytest.mark.parametrize("kind", [one for one in FORMATS if one != "text"])
def test_other_formats_are_as_without_it(portproof: Program, kind: str) -> None:
    def said(*options: str) -> str:
        text = portproof("check", CHART, "--format", kind, *options).stdout
        return re.sub(r"(seconds\": |time=\")[0-9.]+", r"\1", text)

    assert said("--show-rendered") == said()
