"""Ports that kustomize loses, because a patch gives several of them one number."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.program import Program, Repository, place

BASE = """apiVersion: v1
kind: Service
metadata: {name: dns}
spec:
  selector: {app: dns}
  ports: [{name: web, port: 80}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: dns}
spec:
  selector: {matchLabels: {app: dns}}
  template:
    metadata: {labels: {app: dns}}
    spec:
      containers:
        - {name: dns, image: "registry.example.org/dns:1", ports: [{containerPort: 80}]}
"""
SERVICE = """apiVersion: v1
kind: Service
metadata: {name: dns}
spec:
  ports:
    - {name: dns-tcp, port: 53, targetPort: 53}
    - {name: dns, port: 53, targetPort: 53, protocol: UDP}
"""
PODS = """apiVersion: apps/v1
kind: Deployment
metadata: {name: dns}
spec:
  template:
    spec:
      containers:
        - name: dns
          ports: [{containerPort: 53}, {containerPort: 53, protocol: UDP}]
"""


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    monkeypatch.chdir(tmp_path)
    made = Repository(tmp_path)
    made.write({"base/all.yaml": BASE, "base/kustomization.yaml": "resources: [all.yaml]\n"})
    return made


def test_what_a_patch_loses_is_reported_where_it_is_written(
    portproof: Program, repository: Repository
) -> None:
    repository.write(
        {
            "prod/kustomization.yaml": "namePrefix: prod-\nresources: [../base]\npatches: [{path: ports.yaml}]\n",
            "prod/ports.yaml": SERVICE,
        }
    )
    (one,) = (one for one in portproof.check("--select", "patch-port-lost")["findings"])
    assert one["severity"] == "warning"
    assert place(one["location"]).startswith("prod/ports.yaml:7:")
    repository.replace("prod/ports.yaml", "targetPort: 53}", "targetPort: 53, protocol: TCP}")
    assert portproof.check("--select", "patch-port-lost")["findings"] == []


def test_a_patch_within_the_kustomization_loses_ports_too(portproof: Program, repository: Repository) -> None:
    lines = "".join(f"      {line}\n" for line in PODS.splitlines())
    repository.write(
        {"prod/kustomization.yaml": f"resources: [../base]\npatches:\n  - patch: |\n{lines}"},
    )
    (one,) = portproof.check("--select", "patch-port-lost")["findings"]
    assert one["resource"]["kind"] == "Deployment"
    assert " is lost: kustomize merges" in one["message"]
