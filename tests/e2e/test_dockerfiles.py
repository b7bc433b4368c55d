"""Dockerfiles of the repository: where the program of an image listens that is built here."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.program import Program, Repository, place

_DOCKERFILE = 'FROM python:3.13\nEXPOSE 8000\nCMD ["uvicorn", "app:app", "--port", "8000"]\n'
_MANIFESTS = """apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports:
    - {name: http, port: 80, targetPort: TARGET}
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
          image: ghcr.io/acme/web:1.4
          ports:
            - name: http
              containerPort: DECLARED
"""


def _repository(folder: Path, declared: int, target: object, dockerfile: str = _DOCKERFILE) -> Repository:
    repository = Repository(folder)
    text = _MANIFESTS.replace("DECLARED", str(declared)).replace("TARGET", str(target))
    repository.write({"web/Dockerfile": dockerfile, "deploy/web.yaml": text})
    repository.commit()
    return repository


def test_a_declared_port_that_the_dockerfile_contradicts(portproof: Program, tmp_path: Path) -> None:
    _repository(tmp_path, 8080, "http")
    (finding,) = portproof.check(tmp_path)["findings"]
    assert (finding["rule"], finding["severity"]) == ("dockerfile-port", "warning")
    assert place(finding["location"]).startswith("deploy/web.yaml:22:")
    assert "CMD (web/Dockerfile:3) and EXPOSE (web/Dockerfile:2)" in finding["message"]
    assert (finding["expected"], finding["fix"]["safety"]) == (8000, "safe")


@pytest.mark.parametrize(
    ("dockerfile", "safety"), [(_DOCKERFILE, "safe"), ("FROM python:3.13\nEXPOSE 8000\n", "unsafe")]
)
def test_a_target_goes_where_the_dockerfile_says(
    portproof: Program, tmp_path: Path, dockerfile: str, safety: str
) -> None:
    _repository(tmp_path, 8000, 8080, dockerfile)
    (finding,) = portproof.check(tmp_path)["findings"]
    assert finding["rule"] == "service-target-number"
    fixes = [one for one in (finding["fix"], *finding["alternatives"]) if one]
    assert {one["description"]: one["safety"] for one in fixes}["set targetPort to 8000"] == safety


def test_a_declaration_that_neither_dockerfile_nor_service_follows(
    portproof: Program, tmp_path: Path
) -> None:
    _repository(tmp_path, 8080, 8000)
    assert portproof.check(tmp_path)["findings"] == []


_EARLIER = _DOCKERFILE.replace("8000", "8080")


@pytest.mark.parametrize(
    "more", [{}, {"deploy/more.yaml": "apiVersion: v1\nkind: Namespace\nmetadata: {name: more}\n"}]
)
def test_a_change_of_the_dockerfile_leaves_the_declared_port_behind(
    portproof: Program, tmp_path: Path, more: dict[str, str]
) -> None:
    repository = _repository(tmp_path, 8080, "http", _EARLIER)
    repository.write({"web/Dockerfile": _DOCKERFILE, **more})
    repository.commit()
    (finding,) = portproof.check(tmp_path, "--base", "HEAD~1")["findings"]
    assert (finding["rule"], finding["introduced"]) == ("dockerfile-port", True)


def test_a_change_of_the_dockerfile_takes_the_declared_port_along(portproof: Program, tmp_path: Path) -> None:
    repository = _repository(tmp_path, 8080, "http", _EARLIER)
    repository.write({"web/Dockerfile": _DOCKERFILE})
    repository.replace("deploy/web.yaml", "8080", "8000")
    repository.commit()
    assert portproof.check(tmp_path, "--base", "HEAD~1")["findings"] == []


def test_a_dockerfile_that_contradicted_before_is_no_news(portproof: Program, tmp_path: Path) -> None:
    repository = _repository(tmp_path, 8080, "http")
    repository.write({"web/Dockerfile": _DOCKERFILE.replace("3.13", "3.14")})
    repository.commit()
    (finding,) = portproof.check(tmp_path, "--base", "HEAD~1")["findings"]
    assert (finding["rule"], finding["introduced"]) == ("dockerfile-port", False)


@pytest.mark.parametrize(
    ("dockerfile", "severity"),
    [
        ("FROM nginx:1.27\nEXPOSE 80\n", "note"),
        ("FROM node:22\nEXPOSE 3000\nCMD node server.js\n", "warning"),
        ("FROM node:22\nEXPOSE 80 3000\nCMD node server.js\n", "warning"),
        ("FROM node:22\nCMD node server.js\n", "warning"),
    ],
)
def test_a_variable_that_the_dockerfile_contradicts_is_perhaps_not_read(
    portproof: Program, tmp_path: Path, dockerfile: str, severity: str
) -> None:
    repository = _repository(tmp_path, 80, 80, dockerfile)
    repository.replace(
        "deploy/web.yaml",
        "          ports:\n",
        "          env: [{name: PORT, value: '3000'}]\n          ports:\n",
    )
    (finding,) = portproof.check(tmp_path)["findings"]
    assert (finding["rule"], finding["severity"]) == ("listening-port", severity)
