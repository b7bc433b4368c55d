"""Label selectors: Kubernetes' own, Cilium's with its prefixes, and the plain ones among Calico's.

Sources: apimachinery ``pkg/apis/meta/v1/types.go`` LabelSelector; cilium ``pkg/labels`` (``k8s:app`` and ``any:app``
are the label ``app`` of the pod); calico ``libcalico-go/lib/selector``. A selector that is not understood is None.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from portproof.graph.fields import indexed, labels, mapping
from portproof.graph.model import RUNTIME_LABELS


class Requirement(Struct, frozen=True):
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


class Selector(Struct, frozen=True):
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


_CILIUM_PREFIX = re.compile(r"(?:k8s|any):")
_NOT_OF_THE_POD = ("io.kubernetes.", "io.cilium.", "projectcalico.org/")
"""How labels begin that stand for the namespace, the service account or the cluster."""


def cilium(value: Any) -> Selector | None:
    """An EndpointSelector; None for one by namespace, service account or Cilium's own labels."""
    found = kubernetes(value)
    if found is None:
        return None
    plain = tuple((_CILIUM_PREFIX.sub("", key, count=1), text) for key, text in found.labels)
    requirements = tuple(
        Requirement(_CILIUM_PREFIX.sub("", one.key, count=1), one.operator, one.values)
        for one in found.requirements
    )
    keys = [key for key, _ in plain] + [one.key for one in requirements]
    if any(key.startswith(_NOT_OF_THE_POD) or ":" in key for key in keys):
        return None
    return Selector(plain, requirements)


_KEY = r"(?P<key>[a-zA-Z0-9_./-]+)"
_TEXT = r"""(?:"[^"]*"|'[^']*')"""
_CALICO_TERMS = (
    (re.compile(rf"{_KEY}\s*==\s*(?P<values>{_TEXT})"), "In"),
    (re.compile(rf"{_KEY}\s*!=\s*(?P<values>{_TEXT})"), "NotIn"),
    (re.compile(rf"{_KEY}\s+in\s*{{(?P<values>[^}}]*)}}"), "In"),
    (re.compile(rf"{_KEY}\s+not\s+in\s*{{(?P<values>[^}}]*)}}"), "NotIn"),
    (re.compile(rf"has\(\s*{_KEY}\s*\)"), "Exists"),
    (re.compile(rf"!\s*has\(\s*{_KEY}\s*\)"), "DoesNotExist"),
)


def calico(value: Any) -> Selector | None:
    """A selector expression: comparisons joined by ``&&``, or ``all()``; None for everything else."""
    text = "" if value is None else value
    if not isinstance(text, str):
        return None
    if text.strip() in ("", "all()"):
        return Selector()
    return _selector([_calico_term(term.strip()) for term in text.split("&&")])


def _calico_term(term: str) -> Requirement | None:
    for pattern, operator in _CALICO_TERMS:
        match = pattern.fullmatch(term)
        if match is None:
            continue
        key = match["key"]
        if key.startswith(_NOT_OF_THE_POD):
            return None
        quoted = match.groupdict().get("values") or ""
        values = tuple(one[1:-1] for one in re.findall(_TEXT, quoted))
        return Requirement(key, operator, values) if values or "xist" in operator else None
    return None
