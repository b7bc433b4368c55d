"""Findings that a comment at their line calls meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.program import Program, Repository

_SERVICE = """apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports: [{name: http, port: 80, targetPort: 8080}]
---
"""
_INGRESS = """apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web}
spec:
  defaultBackend:
    service:
      name: web
      port:
"""
_MEANT = "A comment there says that it is meant."


@pytest.mark.parametrize(
    ("lines", "meant"),
    [
        ("        number: 81  # This port is not open.\n", True),
        ("        # Nothing listens there:\n        # it answers 503.\n        number: 81\n", True),
        ("        number: 81  # Closed intentionally\n", True),
        ("        number: 81  # the port of the Service\n", False),
        ("        # This port does not exist.\n\n        number: 81\n", False),
        ("        number: 81\n        # This port does not exist.\n", False),
    ],
)
def test_what_a_comment_calls_meant_is_a_note_without_a_fix(
    portproof: Program, tmp_path: Path, lines: str, meant: bool
) -> None:
    repository = Repository(tmp_path)
    repository.write({"deploy/all.yaml": f"{_SERVICE}{_INGRESS}{lines}"})
    repository.commit()
    (finding,) = portproof.check(tmp_path)["findings"]
    assert (finding["rule"], finding["severity"]) == ("ingress-backend-port", "note" if meant else "error")
    assert (finding["fix"] is None, _MEANT in finding["message"]) == (meant, meant)


def test_a_comment_of_the_values_counts_where_they_decide(portproof: Program, tmp_path: Path) -> None:
    repository = Repository(tmp_path)
    repository.write(
        {
            "shop/Chart.yaml": "apiVersion: v2\nname: shop\nversion: 1.0.0\n",
            "shop/values.yaml": "# A dummy, until there is one.\nport: 81\n",
            "shop/templates/all.yaml": f"{_SERVICE}{_INGRESS}        number: {{{{ .Values.port }}}}\n",
        }
    )
    repository.commit()
    (finding,) = portproof.check(tmp_path)["findings"]
    assert (finding["severity"], _MEANT in finding["message"]) == ("note", True)


def test_a_severity_that_is_configured_stays(portproof: Program, tmp_path: Path) -> None:
    repository = Repository(tmp_path)
    repository.write(
        {
            "deploy/all.yaml": f"{_SERVICE}{_INGRESS}        number: 81  # on purpose\n",
            "portproof.yaml": "severity: {ingress-backend-port: error}\n",
        }
    )
    repository.commit()
    (finding,) = portproof.check(tmp_path)["findings"]
    assert finding["severity"] == "error"
