"""A Service that a change moves to where another target has it is not removed; one that is left out is."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.e2e.program import Program, Repository

MakeRepository = Callable[[str], Repository]
SERVICE = """apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports: [{name: http, port: 80, targetPort: 8080}]
"""
OTHER = SERVICE.replace("web", "shop").replace("80", "90")
INGRESS = """apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web}
spec:
  defaultBackend: {service: {name: web, port: {number: 80}}}
"""
OVERLAY = {
    "app/kustomization.yaml": "resources: [ingress.yaml, service.yaml]\n",
    "app/ingress.yaml": INGRESS,
    "app/service.yaml": SERVICE,
}
LEFT_OUT = {"app/kustomization.yaml": "resources: [ingress.yaml]\n"}
REMOTE = "resources: [https://example.org/x?ref=v1, ../parts]\n"


def gone(portproof: Program) -> list[str]:
    findings = portproof.check("--offline", "--base", "HEAD")["findings"]
    return [one["message"] for one in findings if one["rule"] == "service-gone" and one["introduced"]]


@pytest.mark.parametrize(
    ("added", "removed", "expected"),
    [
        # the file stays and nobody reads it any more
        (LEFT_OUT, (), 1),
        (LEFT_OUT, ("app/service.yaml",), 1),
        # it moves to a part that an overlay reads which cannot be rendered here
        (
            {
                **LEFT_OUT,
                "parts/kustomization.yaml": "resources: [service.yaml]\n",
                "parts/service.yaml": SERVICE,
                "elsewhere/kustomization.yaml": REMOTE,
            },
            ("app/service.yaml",),
            0,
        ),
        # what is added has another Service
        ({**LEFT_OUT, "parts/service.yaml": OTHER}, (), 1),
    ],
)
def test_a_service_is_gone_unless_the_change_puts_it_elsewhere(
    portproof: Program,
    make_repository: MakeRepository,
    added: dict[str, str],
    removed: tuple[str, ...],
    expected: int,
) -> None:
    repository = make_repository("")
    repository.write(OVERLAY)
    repository.commit()
    for path in removed:
        (repository.root / path).unlink()
    repository.write(added)
    assert len(gone(portproof)) == expected


def test_alternatives_of_a_folder_share_its_services(
    portproof: Program, make_repository: MakeRepository
) -> None:
    """A second Service of that name makes the two files alternatives: the Ingress of a third goes with one of them."""
    repository = make_repository("")
    repository.write({"k8s/service.yaml": SERVICE, "k8s/ingress.yaml": INGRESS})
    repository.commit()
    repository.write({"k8s/blue.yaml": SERVICE + "---\n" + INGRESS})
    assert gone(portproof) == []
