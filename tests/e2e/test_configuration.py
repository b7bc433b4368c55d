"""portproof.yaml at work: severities, and kinds of one's own."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.e2e.program import Program, Repository, place

MakeRepository = Callable[[str], Repository]

ROUTED = {
    "chart/Chart.yaml": "apiVersion: v2\nname: shop\nversion: 0.1.0\n",
    "chart/values.yaml": "service:\n  port: 80\nroute:\n  port: 8080\n",
    "chart/templates/all.yaml": """\
apiVersion: v1
kind: Service
metadata:
  name: shop
spec:
  selector: {app: shop}
  ports:
    - port: {{ .Values.service.port }}
      targetPort: 8080
---
apiVersion: example.org/v1
kind: AppRoute
metadata:
  name: shop
spec:
  backends:
    - serviceName: shop
      servicePort: {{ .Values.route.port }}
""",
}
REFERENCES = """\
references:
  - kind: AppRoute
    group: example.org
    at: spec.backends[*]
    service: serviceName
    port: servicePort
"""


def test_a_kind_of_ones_own_is_checked_traced_and_mended(
    portproof: Program, make_repository: MakeRepository
) -> None:
    repository = make_repository("")
    repository.write(ROUTED)
    assert portproof.check()["findings"] == []
    repository.write({"portproof.yaml": REFERENCES})
    (found,) = portproof.check()["findings"]
    assert (found["rule"], found["severity"]) == ("custom-reference-port", "error")
    assert (found["field"], found["value"], found["expected"]) == ("spec.backends[0].servicePort", 8080, 80)
    assert place(found["location"]) == "chart/values.yaml:4:9-4:13"
    assert found["location"]["proof"] == "proven"
    assert [edit["new"] for edit in found["fix"]["edits"]] == ["80"]
    assert portproof("fix", "--write").code == 0
    assert repository.read("chart/values.yaml").decode().endswith("route:\n  port: 80\n")
    assert portproof.check()["findings"] == []


def test_a_wrong_path_names_its_line(portproof: Program, make_repository: MakeRepository) -> None:
    make_repository("").write({"portproof.yaml": REFERENCES.replace("backends[*]", "backends[")})
    run = portproof("check")
    assert (run.code, run.stdout) == (2, "")
    assert run.stderr == (
        "portproof: portproof.yaml:4: references[0].at: 'spec.backends[' is not a usable JSONPath: "
        "Parse error near the end of string!\n"
        "  next: Write it like spec.backends[*].\n"
    )


@pytest.mark.parametrize(
    ("configuration", "severities", "code"),
    [
        ("severity: {service-target-number: warning}\n", ["warning"], 0),
        ("severity: {service-target-number: warning}\nfail-on: warning\n", ["warning"], 1),
        ("severity: {service-target-number: note}\nfail-on: warning\n", ["note"], 0),
        ("severity: {service-target-number: error}\n", ["error"], 1),
        ('severity: {service-target-number: "off"}\n', [], 0),
        ("severity: {service-target-number: off}\n", [], 0),
    ],
)
def test_a_severity_decides_the_exit_code(
    portproof: Program, make_repository: MakeRepository, configuration: str, severities: list[str], code: int
) -> None:
    make_repository("incident/broken").write({"portproof.yaml": configuration})
    run = portproof("check", "chart", "--format", "json")
    assert run.code == code
    assert [one["severity"] for one in run.report["findings"]] == severities
    assert run.report["summary"]["error"] == severities.count("error")


def test_a_lower_severity_keeps_its_fix(portproof: Program, make_repository: MakeRepository) -> None:
    make_repository("incident/broken").write({"portproof.yaml": "severity: {service-target-number: note}\n"})
    (found,) = portproof.check("chart")["findings"]
    assert found["fix"]["edits"]
    assert portproof("fix", "chart", "--write").code == 0
    assert portproof.check("chart")["findings"] == []


@pytest.mark.parametrize(("configured", "severity", "code"), [("note", "note", 0), ("warning", "warning", 0)])
def test_what_cannot_be_rendered_has_a_severity_too(
    portproof: Program, make_repository: MakeRepository, configured: str, severity: str, code: int
) -> None:
    repository = make_repository("")
    repository.write(ROUTED | {"chart/templates/bad.yaml": '{{ include "nowhere" . }}\n'})
    assert portproof("check").code == 1
    repository.write({"portproof.yaml": f"severity: {{render-failed: {configured}}}\n"})
    run = portproof("check", "--format", "json")
    assert run.code == code
    assert [(one["rule"], one["severity"]) for one in run.report["findings"]] == [("render-failed", severity)]
    assert run.report["summary"]["failed"] == 1


def test_a_rule_that_does_not_exist_is_named_at_its_line(
    portproof: Program, make_repository: MakeRepository
) -> None:
    make_repository("").write({"portproof.yaml": "jobs: 1\nseverity:\n  servce-selector: note\n"})
    run = portproof("check")
    assert run.code == 2
    assert run.stderr == (
        "portproof: portproof.yaml:3: severity.servce-selector: there is no rule 'servce-selector'\n"
        "  next: Did you mean service-selector? Run `portproof rules` to list them.\n"
    )
