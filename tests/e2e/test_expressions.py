"""Where a template holds a literal or reads the wrong value, the fix is the expression of the other end, in the right scope."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e.program import Program, Repository

Make = Callable[[str], Repository]

WEB = """apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports:
    - name: http
      port: {{ .Values.service.port }}
      targetPort: http
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
          image: registry.example.org/web:1
          ports: [{name: http, containerPort: 8080}]
"""
INGRESS = """apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web}
spec:
  defaultBackend:
    service:
      name: web
      port:
        number: NUMBER
"""
VALUES = "service: {port: 80}\ningress: {host: web.example.org}\n"


def chart(number: str, values: str = VALUES, web: str = WEB, around: str = "%s") -> dict[str, str]:
    return {
        "chart/Chart.yaml": "apiVersion: v2\nname: chart\nversion: 0.1.0\n",
        "chart/values.yaml": values,
        "chart/templates/web.yaml": web,
        "chart/templates/ingress.yaml": around % INGRESS.replace("NUMBER", number),
    }


def only(report: dict[str, Any]) -> dict[str, Any]:
    (found,) = report["findings"]
    return dict(found)


def offered(found: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Class, old and new text of every fix, best first."""
    fixes = [one for one in (found["fix"], *found["alternatives"]) if one is not None]
    return [(one["safety"], one["edits"][0]["old"], one["edits"][0]["new"]) for one in fixes]


def test_a_literal_gives_way_to_the_expression_of_the_other_end(
    portproof: Program, make_repository: Make
) -> None:
    repository = make_repository("")
    repository.write(chart("80") | {"chart/values-prod.yaml": "service: {port: 9090}\n"})
    found = only(portproof.check())
    assert found["location"]["path"] == "chart/templates/ingress.yaml"
    assert offered(found)[0] == ("safe", "80", "{{ .Values.service.port }}")
    assert found["fix"]["description"] == "write {{ .Values.service.port }}, as Service/web does"
    assert "9090" not in {new for _, _, new in offered(found)}
    assert portproof("fix", "--write").code == 0
    assert portproof.check()["findings"] == []


@pytest.mark.parametrize(
    ("around", "expected"),
    [
        ("{{- with .Values.ingress }}\n%s{{- end }}\n", "{{ $.Values.service.port }}"),
        ('{{- range list "a" }}\n%s{{- end }}\n', "{{ $.Values.service.port }}"),
        ("{{- if .Values.ingress }}\n%s{{- end }}\n", "{{ .Values.service.port }}"),
    ],
)
def test_the_scope_of_the_place_decides_how_the_value_is_named(
    portproof: Program, make_repository: Make, around: str, expected: str
) -> None:
    make_repository("").write(chart("8080", around=around))
    assert offered(only(portproof.check()))[0] == ("safe", "8080", expected)


def test_a_helper_is_included_with_the_scope_of_the_place(portproof: Program, make_repository: Make) -> None:
    web = WEB.replace("{{ .Values.service.port }}", '{{ include "web.port" . | int }}')
    files = chart("8080", web=web, around="{{- with .Values.ingress }}\n%s{{- end }}\n")
    files["chart/templates/_helpers.tpl"] = '{{ define "web.port" }}{{ .Values.service.port }}{{ end }}\n'
    make_repository("").write(files)
    assert offered(only(portproof.check()))[0] == ("safe", "8080", '{{ include "web.port" $ | int }}')


def test_the_values_of_a_subchart_lie_below_its_name(portproof: Program, make_repository: Make) -> None:
    files = chart("8080", "web: {service: {port: 80}}\ningress: {}\n", web="")
    files["chart/charts/web/Chart.yaml"] = "apiVersion: v2\nname: web\nversion: 0.1.0\n"
    files["chart/charts/web/values.yaml"] = "service: {port: 9000}\n"
    files["chart/charts/web/templates/web.yaml"] = WEB
    repository = make_repository("")
    repository.write(files)
    found = next(one for one in portproof.check()["findings"] if one["rule"] == "ingress-backend-port")
    assert offered(found)[0] == ("safe", "8080", "{{ .Values.web.service.port }}")


def test_a_literal_within_an_action(portproof: Program, make_repository: Make) -> None:
    make_repository("").write(chart("{{ .Values.ingress.port | default 8080 }}"))
    assert offered(only(portproof.check()))[0] == ("safe", "8080", ".Values.service.port")


def test_what_is_equal_by_chance_is_not_offered(portproof: Program, make_repository: Make) -> None:
    """``.port`` is another value in another scope: it does not follow when the Service's port is moved."""
    service, separator, rest = WEB.partition("---\n")
    web = "{{- with .Values.service }}\n" + service.replace(".Values.service.port", ".port")
    files = chart(
        "8080",
        "service: {port: 80}\ningress: {port: 80}\n",
        web + "{{- end }}\n" + separator + rest,
        "{{- with .Values.ingress }}\n%s{{- end }}\n",
    )
    make_repository("").write(files)
    assert [new for _, _, new in offered(only(portproof.check()))] == ["80", "8080"]


def test_a_value_that_is_right_for_another_port_is_left_alone(
    portproof: Program, make_repository: Make
) -> None:
    repository = make_repository("")
    web = WEB.replace("containerPort: 8080", "containerPort: {{ .Values.containerPort }}")
    files = chart("{{ .Values.containerPort }}", VALUES + "containerPort: 8080\n", web)
    repository.write(files)
    found = only(portproof.check())
    assert (found["location"]["path"], found["location"]["proof"]) == (
        "chart/templates/ingress.yaml",
        "proven",
    )
    assert offered(found)[0] == ("safe", "{{ .Values.containerPort }}", "{{ .Values.service.port }}")
    ignored = "# portproof: ignore[ingress-backend-port] on purpose"
    repository.replace(
        "chart/templates/ingress.yaml",
        "{{ .Values.containerPort }}",
        "{{ .Values.containerPort }} " + ignored,
    )
    assert portproof.check()["findings"] == []


@pytest.mark.parametrize(
    ("number", "old", "new"),
    [
        ("{{ .Values.service.port | quote }}", "{{ .Values.service.port | quote }}", "{{ .Values.service.port }}"),
        ("{{ quote .Values.service.port }}", "{{ quote .Values.service.port }}", "{{ .Values.service.port }}"),
        ('"{{ .Values.service.port }}"', '"{{ .Values.service.port }}"', "{{ .Values.service.port }}"),
    ],
)  # fmt: skip
def test_the_quotes_of_a_template_are_its_own(
    portproof: Program, make_repository: Make, number: str, old: str, new: str
) -> None:
    make_repository("").write(chart(number))
    found = only(portproof.check())
    assert (found["location"]["path"], found["location"]["line"]) == ("chart/templates/ingress.yaml", 9)
    assert offered(found) == [("safe", old, new)]


def test_a_number_where_a_name_belongs(portproof: Program, make_repository: Make) -> None:
    monitor = """apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  endpoints:
    - port: "{{ .Values.service.port }}"
"""
    web = WEB.replace("metadata: {name: web}\nspec:\n  selector: {app", "metadata: {name: web, labels: {app: web}}\nspec:\n  selector: {app", 1)  # fmt: skip
    files = chart("80", web=web) | {"chart/templates/monitor.yaml": monitor}
    make_repository("").write(files)
    found = only(portproof.check())
    assert (found["location"]["path"], found["location"]["line"]) == ("chart/templates/monitor.yaml", 7)
    assert offered(found) == [("safe", "{{ .Values.service.port }}", "http")]


def test_the_place_of_a_computed_field_is_its_action(portproof: Program, make_repository: Make) -> None:
    make_repository("").write(chart("{{ add .Values.service.port 1 }}"))
    found = only(portproof.check())
    place = found["location"]
    assert (place["path"], place["line"], place["proof"]) == ("chart/templates/ingress.yaml", 9, "proven")
    assert offered(found)[0] == ("safe", "{{ add .Values.service.port 1 }}", "{{ .Values.service.port }}")
