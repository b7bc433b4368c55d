"""Label selectors, as Kubernetes has them. A selector that is not understood is None.

Source: apimachinery ``pkg/apis/meta/v1/types.go`` LabelSelector.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from portproof.graph.model import RUNTIME_LABELS
from portproof.graph.workloads import indexed, labels, mapping


@dataclass(frozen=True, slots=True)
class Requirement:
    """A condition on one label: ``In``, ``NotIn`` (which holds without the label, too), ``Exists``, ``DoesNotExist``."""

    key: str
    operator: str
    values: tuple[str, ...] = ()

    def holds(self, found: Mapping[str, str]) -> bool:
        """Whether the labels `found` meet it; a label that controllers set at run time may always be there."""
        if self.key in RUNTIME_LABELS:
            return True
        present = self.key in found and (not self.values or found[self.key] in self.values)
        return present if self.operator in ("In", "Exists") else not present


@dataclass(frozen=True, slots=True)
class Selector:
    """Which pods are meant: those that have all `labels` and meet all `requirements`; without either, all pods."""

    labels: tuple[tuple[str, str], ...] = ()
    requirements: tuple[Requirement, ...] = ()

    @property
    def is_narrow(self) -> bool:
        """Whether it names a label that its pods have, so that pods from elsewhere are hardly meant."""
        return bool(self.labels) or any(one.operator in ("In", "Exists") for one in self.requirements)

    @property
    def is_exact(self) -> bool:
        """Whether pod templates tell which pods match; labels that are set at run time are not among theirs."""
        return not any(one.key in RUNTIME_LABELS for one in self.requirements)

    def matches(self, found: Mapping[str, str]) -> bool:
        """Whether pods with the labels `found` are, or may be, selected."""
        return all(found.get(key) == value for key, value in self.labels) and all(
            one.holds(found) for one in self.requirements
        )


def kubernetes(value: Any) -> Selector | None:
    """A LabelSelector; null and ``{}`` select all."""
    if value is not None and not isinstance(value, dict):
        return None
    wanted = labels(mapping(value).get("matchLabels"))
    requirements = [Requirement(key, "In", (text,)) for key, text in wanted.items()]
    expressions = [_requirement(one) for _, one in indexed(mapping(value).get("matchExpressions"))]
    return _selector([*requirements, *expressions])


def _selector(found: Sequence[Requirement | None]) -> Selector | None:
    """Labels that have one value each are kept apart: pods are found by them."""
    known = [one for one in found if one is not None]
    if len(known) < len(found):
        return None
    plain = [one for one in known if one.operator == "In" and len(one.values) == 1]
    plain = [one for one in plain if one.key not in RUNTIME_LABELS]
    return Selector(
        tuple((one.key, one.values[0]) for one in plain), tuple(one for one in known if one not in plain)
    )


def _requirement(data: Mapping[str, Any]) -> Requirement | None:
    key, operator, values = data.get("key"), data.get("operator"), data.get("values")
    values = tuple(str(one) for one in values) if isinstance(values, list) else ()
    if not isinstance(key, str) or operator not in ("In", "NotIn", "Exists", "DoesNotExist"):
        return None
    if bool(values) is not (operator in ("In", "NotIn")):
        return None
    return Requirement(key, operator, values)
