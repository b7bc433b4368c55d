"""A chart that needs values: a change that adds one loses nothing, and one that ends its check does."""

from __future__ import annotations

from collections.abc import Callable

from tests.e2e.program import Program, Repository

MakeRepository = Callable[[str], Repository]
CHART = "apiVersion: v2\nname: web\nversion: 0.1.0\n"
WANTS = 'url: {{ required "set .Values.url" .Values.url }}\n'
OTHER = 'url: {{ required "name the host in .Values.host" .Values.host }}\n'
FINE = "kind: Top\n"


def severities(portproof: Program, *args: str) -> list[tuple[str, bool | None]]:
    findings = portproof.check(*args)["findings"]
    return [(one["severity"], one["introduced"]) for one in findings if one["rule"] == "render-failed"]


def test_a_chart_that_needs_values(portproof: Program, make_repository: MakeRepository) -> None:
    repository = make_repository("")
    repository.write({"README.md": "# Shop\n"})
    repository.commit()
    repository.write({"web/Chart.yaml": CHART, "web/templates/a.yaml": WANTS})
    assert severities(portproof) == [("note", None)]
    assert severities(portproof, "--base", "HEAD") == [("note", True)]
    repository.commit()
    repository.write({"web/templates/a.yaml": OTHER})
    assert severities(portproof, "--base", "HEAD") == [("note", False)], "it asked for another value before"
    repository.write({"web/templates/a.yaml": FINE})
    repository.commit()
    repository.write({"web/templates/a.yaml": WANTS})
    assert severities(portproof, "--base", "HEAD") == [("warning", True)], "it was checked before"


def test_a_chart_that_reads_what_another_gives(portproof: Program, make_repository: MakeRepository) -> None:
    repository = make_repository("")
    repository.write({"README.md": "# Shop\n"})
    repository.commit()
    values = {"web/Chart.yaml": CHART, "web/values.yaml": "service:\n  port: 80\n"}
    repository.write({**values, "web/templates/a.yaml": "hub: {{ .Values.global.hub }}\n"})
    assert severities(portproof) == [("note", None)]
    assert severities(portproof, "--base", "HEAD") == [("note", True)]
    repository.write({"web/templates/a.yaml": "port: {{ .Values.servce.port }}\n"})
    assert severities(portproof, "--base", "HEAD") == [("error", True)], "a typo of a value that is there"
    assert severities(portproof) == [("error", None)]
    repository.write({"web/templates/a.yaml": "port: {{ .Values.service.port }}\n"})
    repository.commit()
    repository.write({"web/templates/a.yaml": "hub: {{ .Values.global.hub }}\n"})
    assert severities(portproof, "--base", "HEAD") == [("error", True)], "the base rendered"
