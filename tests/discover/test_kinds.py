"""The kinds for which a folder of manifests is looked at are those that the tables and rules ask for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from portproof.discover.kinds import WITH_PORTS
from portproof.graph import references, sites
from portproof.replacing import replace
from portproof.resources import Resource
from tests.support.rules import RULES, graph

EVERYDAY = """\
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports: [{port: 80}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: web, image: web, ports: [{containerPort: 80}]}]
"""

APART = {"CustomResourceDefinition", "Namespace"}
"""The one has a skip of its own, the other tells something about the rest, and nothing alone."""


class Asked(Mapping[str, tuple[Resource, ...]]):
    """The resources by kind, which keeps in mind what it was asked for."""

    def __init__(self, kinds: Mapping[str, tuple[Resource, ...]]) -> None:
        self._kinds = kinds
        self.asked: set[str] = set()

    def __getitem__(self, kind: str) -> tuple[Resource, ...]:
        self.asked.add(kind)
        return self._kinds[kind]

    def __iter__(self) -> Iterator[str]:
        return iter(self._kinds)

    def __len__(self) -> int:
        return len(self._kinds)


def test_the_kinds_are_those_that_somebody_reads() -> None:
    found = graph(EVERYDAY)
    kinds = Asked(found.kinds)
    for rule in RULES.values():
        list(rule.check(replace(found, kinds=kinds)))
    tables = {kind for row in references.ROWS for kind in row.kinds} | sites.KINDS
    assert kinds.asked | tables == WITH_PORTS | APART
