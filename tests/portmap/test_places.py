"""A place is a file and the way to a key in it, whether the key's value is meant or the key itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from portproof.portmap.places import Places
from portproof.source import Span, Tree
from portproof.trace.model import Origin, Proof

VALUES = """\
service:
  ports:
    http:
      port: 80
    "metrics":
      port: 9464
http: {http: 8080}
list: [{port: 1}, {port: 2}]
---
kind: Service
metadata: {name: web}
spec: {ports: [{port: 80}]}
"""


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("80\n", "service.ports.http.port"),
        ("http:\n", "service.ports.http"),
        ('metrics"', "service.ports.metrics"),
        ("http: {", "http"),
        ("http: 8080", "http.http"),
        ("port: 2", "list[1].port"),
        ("2}]", "list[1].port"),
        ("80}]}", "Service/web spec.ports[0].port"),
        ("ports: [", "Service/web spec.ports"),
    ],
)
def test_the_key_of_a_place(tmp_path: Path, text: str, key: str) -> None:
    (tmp_path / "values.yaml").write_text(VALUES)
    start = VALUES.index(text)
    origin = Origin(Span("values.yaml", start, start + len(text)), text, Proof.PROVEN)
    place = Places(Tree(tmp_path)).of(origin)
    assert place is not None
    assert (place.key, place.line) == (key, VALUES.count("\n", 0, start) + 1)
