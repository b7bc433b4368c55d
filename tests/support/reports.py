"""Reports made by hand: the incident, and short ways to bend it."""

from __future__ import annotations

import hashlib
from typing import Any

from portproof.graph.chains import Fate, Hop, Stop
from portproof.patch import unified
from portproof.replacing import replace
from portproof.report.model import (
    Effect,
    Fix,
    Location,
    Related,
    Report,
    Result,
    TargetStatus,
    TextEdit,
    ToolVersions,
)
from portproof.resources import ResourceKey
from portproof.rules.base import Severity

SERVICE = ResourceKey("v1", "Service", "default", "backend-v1")
DEPLOYMENT = ResourceKey("apps/v1", "Deployment", "default", "backend-v1")
VALUES = "charts/backend/values.yaml"
TEMPLATE = "charts/backend/templates/deployment.yaml"
SOURCE = """\
image:
  repository: registry.example.com/backend
  tag: "1.8.2"

replicas: 2

containerPort: 8080

service:
  name: backend-v1
  type: ClusterIP
  # the port that clients use
  port: 80
  targetPort: 8081

ingress:
  enabled: true
"""
LINES = dict(enumerate(SOURCE.splitlines(), 1))
FIELD = "spec.ports[0].targetPort"
MESSAGE = (
    "Service/backend-v1 sends port 80 to 8081, but Deployment/backend-v1 declares only 8080 (http): the readiness "
    "probe uses 8080, and nothing mentions 8081."
)


def place(
    path: str = VALUES, line: int = 14, column: int = 15, width: int = 4, proof: str = "proven"
) -> Location:
    return Location(path, line, column, line, column + width, proof)


def fix_in(path: str, line: int, column: int, old: str, new: str, **other: Any) -> Fix:
    """A fix of one scalar in a file that reads like `SOURCE` at that line."""
    lines = SOURCE.split("\n")
    before = lines[line - 1]
    after = before[: column - 1] + new + before[column - 1 + len(old) :]
    text = unified(path, SOURCE, "\n".join([*lines[: line - 1], after, *lines[line:]]))
    edit = TextEdit(path, line, column, line, column + len(old), old, new)
    defaults: dict[str, Any] = {
        "description": f"change {old} to {new}",
        "edits": (edit,),
        "effects": (Effect(SERVICE, FIELD, 8081, 8080, intended=True),),
        "patch": text,
        "id": hashlib.sha256(f"{path}:{line}:{new}".encode()).hexdigest()[:16],
    }
    return Fix(**defaults | other)


FIX = fix_in(VALUES, 14, 15, "8081", "8080", description="set targetPort to 8080")
OTHER = fix_in(
    VALUES,
    7,
    16,
    "8080",
    "8081",
    description="set containerPort to 8081",
    effects=(
        Effect(
            DEPLOYMENT, "spec.template.spec.containers[0].ports[0].containerPort", 8080, 8081, intended=True
        ),
    ),
)
UNSAFE = replace(
    OTHER, risks=(("program", "nothing tells the program of Deployment/backend-v1 to listen on 8081"),)
)
RELATED = Related(
    "Deployment/backend-v1 declares 8080 here",
    DEPLOYMENT,
    "spec.template.spec.containers[0].ports[0].containerPort",
    place(line=7, column=16),
)
CALLER = Stop("caller", outside=True)
FRONT = Stop("Service/backend-v1", ("port 80 (http)",))
PODS = Stop("Deployment/backend-v1", ("container backend", "8080 (http)"))
CHAIN = (
    Hop(CALLER, FRONT, "80"),
    Hop(FRONT, PODS, "8081", Fate.FAILS),
    Hop(FRONT, PODS, "8080", Fate.WOULD),
)
RESULT = Result(
    rule="service-target-number",
    severity=Severity.ERROR,
    message=MESSAGE,
    resource=SERVICE,
    field=FIELD,
    value=8081,
    expected=8080,
    targets=("helm:charts/backend",),
    location=place(),
    related=(RELATED,),
    fix=FIX,
    alternatives=(OTHER,),
    fingerprint="0123456789abcdef",
    chain=CHAIN,
)


def status(
    id_: str = "helm:charts/backend", state: str = "checked", reason: str | None = None
) -> TargetStatus:
    kind, _, path = id_.partition(":")
    return TargetStatus(
        id_, kind, path.partition("?")[0], (), state, reason, 12 if state == "checked" else 0, 0.0414
    )


def result(**changes: Any) -> Result:
    """The incident's finding with some of its fields changed; without fix, ends, alternatives and chain."""
    plain: dict[str, Any] = {"related": (), "fix": None, "alternatives": (), "chain": ()}
    return replace(RESULT, **plain | changes)


def report(*results: Result, **changes: Any) -> Report:
    """A report of `results`."""
    plain: dict[str, Any] = {
        "tools": ToolVersions("0.1.0", "v4.1.4", "v5.7.1"),
        "paths": (".",),
        "rules": (),
        "targets": (status(),),
        "results": results,
        "skips": (),
        "lines": {VALUES: LINES},
    }
    return Report(**plain | changes)


INCIDENT = report(RESULT)
