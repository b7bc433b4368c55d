"""Which lines of an object are shown of a field, and what of them is not."""

from __future__ import annotations

from typing import Any

import pytest

from portproof import yamldoc
from portproof.graph.model import Site
from portproof.render.model import RenderedDocument
from portproof.rendered_objects import CONTEXT, around, masked
from portproof.resources import Resource, ResourceKey
from portproof.yamldoc import FieldPath

KEY = ResourceKey("v1", "Service", "default", "web")
SERVICE = """\
apiVersion: v1
kind: Service
metadata:
  name: web
spec:
  selector:
    app: web
  ports:
    - name: http
      port: 80
    - name: "443"
      port: 443
      targetPort: https
  clusterIPs: []
"""


def shown(path: FieldPath, text: str = SERVICE) -> tuple[str, str]:
    """The line that is marked, and what of it is."""
    resource = Resource(KEY, yamldoc.load(text), RenderedDocument(text))
    found = around("manifests:.", resource, Site(KEY, path, None))
    assert found is not None
    line = found.lines[found.line]
    return line.strip(), line[found.column - 1 : found.end_column - 1]


@pytest.mark.parametrize(
    ("path", "line", "mark"),
    [
        (("spec", "ports", 1, "targetPort"), "targetPort: https", "https"),
        (("spec", "ports", 1, "name"), "- name: '443'", "'443'"),
        # What is absent is marked at what lacks it.
        (("spec", "ports", 0, "targetPort"), "- name: http", "- name: http"),
        (("spec", "selector"), "selector:", "selector:"),
        (("spec", "ports"), "ports:", "ports:"),
        (("spec", "type"), "spec:", "spec:"),
        (("spec", "clusterIPs", 0), "spec:", "spec:"),
        (("status",), "apiVersion: v1", "apiVersion: v1"),
    ],
)
def test_a_field_is_marked_or_what_lacks_it(path: FieldPath, line: str, mark: str) -> None:
    assert shown(path) == (line, mark)


def test_a_long_object_is_clipped_around_the_field() -> None:
    ports = "".join(f"    - port: {number}\n" for number in range(1000, 1100))
    text = f"apiVersion: v1\nkind: Service\nmetadata: {{name: web}}\nspec:\n  ports:\n{ports}"
    resource = Resource(KEY, yamldoc.load(text), RenderedDocument(text))
    found = around("manifests:.", resource, Site(KEY, ("spec", "ports", 50, "port"), 1050))
    assert found is not None
    assert found.lines == tuple(f"    - port: {number}" for number in range(1050 - CONTEXT, 1051 + CONTEXT))
    assert (found.above, found.below, found.line) == (True, True, CONTEXT)


@pytest.mark.parametrize(
    ("kind", "data", "expected"),
    [
        (
            "Secret",
            {"data": {"a": "c2VjcmV0"}, "type": "Opaque"},
            {"data": {"a": "********"}, "type": "Opaque"},
        ),
        ("Secret", {"stringData": {"port": 8080}}, {"stringData": {"port": "****"}}),
        ("Service", {"data": {"a": "shown"}}, {"data": {"a": "shown"}}),
        ("ConfigMap", {"data": {"api-key": "a b\nc"}}, {"data": {"api-key": "* *\n*"}}),
        (
            "Pod",
            {"env": [{"value": "x1", "name": "API_TOKEN"}]},
            {"env": [{"value": "**", "name": "API_TOKEN"}]},
        ),
        ("Pod", {"tokens": ["a1", "b2"]}, {"tokens": ["**", "**"]}),
        ("Pod", {"secret": {"secretName": "web"}}, {"secret": {"secretName": "web"}}),
        ("Pod", {"automountServiceAccountToken": False}, {"automountServiceAccountToken": False}),
    ],
)
def test_what_is_secret_is_masked_character_by_character(kind: str, data: Any, expected: Any) -> None:
    assert masked(kind, data) == expected
