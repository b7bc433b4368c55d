"""The picture of the ports: what it shows, and that no name can break out of it."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portproof.manifests import ResourceKey
from portproof.report import markdown
from portproof.report.mermaid import escaped, picture
from portproof.report.model import Related
from tests.report_support import DEPLOYMENT, INCIDENT, RELATED, RESULT, SERVICE, report, result

INGRESS = ResourceKey("networking.k8s.io/v1", "Ingress", "default", "front")


def test_the_incident_goes_from_the_caller_to_a_container_that_is_not_reached() -> None:
    assert picture(RESULT) == (
        "flowchart LR\n"
        '  n0(["caller"])\n'
        '  n1["Service/backend-v1"]\n'
        '  n2["Deployment/backend-v1"]\n'
        "  n0 --> n1\n"
        '  n1 --x|"8081#58; not reached"| n2\n'
        '  n1 -.->|"8080 would"| n2\n'
        "  linkStyle 1 stroke:#d1242f,stroke-width:3px"
    )


def test_an_ingress_stands_before_its_service() -> None:
    one = result(
        resource=INGRESS,
        field="spec.rules[0].http.paths[0].backend.service.port.number",
        value=81,
        expected=80,
        related=(Related("has it here", SERVICE, "spec.ports[0].port", None),),
    )
    drawn = picture(one)
    assert drawn is not None
    assert 'n1["Ingress/front"]\n  n2["Service/backend-v1"]' in drawn
    assert 'n1 --x|"81#58; not reached"| n2' in drawn


def test_a_probe_comes_from_the_kubelet() -> None:
    field = "spec.template.spec.containers[0].livenessProbe.httpGet.port"
    drawn = picture(result(resource=DEPLOYMENT, field=field, value="htpp", expected="http"))
    assert drawn is not None
    assert 'n0(["kubelet"])\n  n1["Deployment/backend-v1"]' in drawn


@pytest.mark.parametrize(
    "one",
    [
        result(resource=None, value=None),
        result(),
        result(resource=ResourceKey("v1", "ConfigMap", "default", "x"), related=(RELATED,)),
        result(value=None, related=(RELATED,)),
    ],
)
def test_without_two_ends_there_is_no_picture(one: object) -> None:
    assert picture(one) is None  # type: ignore[arg-type]


@given(st.text(max_size=80))
def test_a_label_holds_nothing_that_mermaid_or_markdown_would_obey(name: str) -> None:
    assert re.fullmatch(r"(?:[A-Za-z0-9 ./_-]|#\d+;)*", escaped(name))
    key = ResourceKey("v1", "Service", "default", name)
    drawn = picture(replace(RESULT, resource=key, value=name))
    assert drawn is not None
    assert len(drawn.split("\n")) == 8
    assert "`" not in drawn


def test_the_summary_draws_the_first_findings_only() -> None:
    text = markdown.write(INCIDENT)
    assert text.count("```mermaid\nflowchart LR\n") == 1
    many = [replace(RESULT, fingerprint=f"{number:016x}") for number in range(9)]
    assert markdown.write(report(*many)).count("```mermaid") == 3
