"""What `--base` calls introduced, in real repositories."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tests.e2e.program import Program, Repository, by_status

Make = Callable[[str], Repository]


def manifests(target: int | str, port: int = 8080, *, name: str = "web") -> str:
    """A Service and its Deployment."""
    return f"""apiVersion: v1
kind: Service
metadata: {{name: {name}}}
spec:
  selector: {{app: {name}}}
  ports: [{{port: 80, targetPort: {target}}}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}}}
spec:
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec:
      containers:
        - name: web
          image: registry.example.org/web:1
          ports: [{{name: http, containerPort: {port}}}]
          readinessProbe: {{httpGet: {{path: /, port: {port}}}}}
"""


def committed(repository: Repository, files: Mapping[str, str]) -> None:
    repository.write(files)
    repository.commit()


def news(report: Mapping[str, Any]) -> dict[tuple[str, str], bool]:
    """Which findings are introduced, by rule and file."""
    found = report["findings"]
    assert all(one["location"] is not None for one in found)
    return {(one["rule"], one["location"]["path"]): one["introduced"] for one in found}


# files of a folder that hold the same objects


def test_alternatives_are_compared_file_by_file(portproof: Program, make_repository: Make) -> None:
    repository = make_repository("")
    committed(repository, {"k8s/dev.yaml": manifests(8080, 8080), "k8s/prod.yaml": manifests(9091, 9090)})
    repository.write({"k8s/dev.yaml": manifests(8081, 8080)})
    with repository.untouched():
        report = portproof.check("--base", "HEAD")
    assert by_status(report)["checked"] == ["manifests:k8s/dev.yaml", "manifests:k8s/prod.yaml"]
    old = ("service-target-number", "k8s/prod.yaml")
    assert news(report) == {("service-target-number", "k8s/dev.yaml"): True, old: False}
    repository.write({"k8s/dev.yaml": f"# which is for tests\n{manifests(8080, 8080)}"})
    assert news(portproof.check("--base", "HEAD")) == {old: False}
    assert portproof("check", "--base", "HEAD").code == 0


def test_a_file_that_they_share_concerns_every_alternative(portproof: Program, make_repository: Make) -> None:
    repository = make_repository("")
    both = {"k8s/dev.yaml": manifests(8080, 8080), "k8s/prod.yaml": manifests(9090, 9090)}
    committed(repository, {**both, "k8s/other.yaml": manifests(7070, 7070, name="other")})
    repository.write({"k8s/other.yaml": manifests(7071, 7070, name="other")})
    report = portproof.check("--base", "HEAD")
    assert by_status(report)["checked"] == ["manifests:k8s/dev.yaml", "manifests:k8s/prod.yaml"]
    assert news(report) == {("service-target-number", "k8s/other.yaml"): True}


def test_a_folder_that_becomes_alternatives_keeps_its_past(portproof: Program, make_repository: Make) -> None:
    repository = make_repository("")
    committed(repository, {"k8s/dev.yaml": manifests(8081, 8080)})
    repository.write({"k8s/prod.yaml": manifests(9091, 9090)})
    assert news(portproof.check("--base", "HEAD")) == {
        ("service-target-number", "k8s/dev.yaml"): False,
        ("service-target-number", "k8s/prod.yaml"): True,
    }


def test_alternatives_that_become_a_folder_keep_their_past(portproof: Program, make_repository: Make) -> None:
    repository = make_repository("")
    committed(repository, {"k8s/dev.yaml": manifests(8081, 8080), "k8s/prod.yaml": manifests(9090, 9090)})
    (repository.root / "k8s/prod.yaml").unlink()
    report = portproof.check("--base", "HEAD")
    assert by_status(report)["checked"] == ["manifests:k8s"]
    assert news(report) == {("service-target-number", "k8s/dev.yaml"): False}
