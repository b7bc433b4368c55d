"""What is rendered need not be what is applied: files of one folder, a chart's defaults. What a rule says then."""

from __future__ import annotations

import pytest

from portproof import resources
from portproof.discover.model import HelmTarget, ManifestTarget, Target
from portproof.graph import link
from portproof.render.model import RenderedDocument, Rendering
from portproof.rules.base import Severity
from portproof.rules.evaluate import RuleSet, evaluate
from portproof.source import RelPath
from tests.support.rules import RULES

_SERVICE = """apiVersion: v1
kind: Service
metadata: {{name: {name}, namespace: {namespace}}}
spec:
  type: NodePort
  selector: {{app: {name}}}
  ports: [{{port: 80, nodePort: 30500}}]
"""


@pytest.mark.parametrize(
    ("namespace", "file", "offset", "severity"),
    [
        ("two", "other.yaml", 0, Severity.NOTE),
        ("one", "other.yaml", 0, Severity.NOTE),
        ("two", "web.yaml", 0, Severity.ERROR),
        ("two", "other.yaml", None, Severity.ERROR),
    ],
    ids=["alternatives", "alternatives in one namespace", "one file", "rendered together"],
)
def test_a_node_port_taken_twice_in_separate_files(
    namespace: str, file: str, offset: int | None, severity: Severity
) -> None:
    documents = (
        RenderedDocument(_SERVICE.format(name="web", namespace="one"), RelPath("web.yaml"), offset),
        RenderedDocument(_SERVICE.format(name="other", namespace=namespace), RelPath(file), offset),
    )
    graph = link.build(resources.read(Rendering(ManifestTarget("x"), documents)))
    (finding,) = RULES["service-node-port"].check(graph)
    assert finding.severity is severity
    assert finding.message.endswith("if both files are applied.") is (severity is Severity.NOTE)


_UNSET = """apiVersion: v1
kind: Service
metadata: {name: web}
spec: {ports: [{name: http, port: }]}
"""


@pytest.mark.parametrize(
    ("target", "severity"),
    [
        (HelmTarget("web"), Severity.NOTE),
        (HelmTarget("web", values=("web/values-prod.yaml",)), Severity.WARNING),
        (ManifestTarget("web"), Severity.WARNING),
    ],
    ids=["defaults", "an environment", "manifests"],
)
def test_a_number_that_is_not_given(target: Target, severity: Severity) -> None:
    found = evaluate(Rendering(target, (RenderedDocument(_UNSET),)), RuleSet((RULES["service-port-range"],)))
    assert [one.finding.severity for one in found.found] == [severity]
