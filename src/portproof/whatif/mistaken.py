"""Who asks pods for the port of their Service: one value feeds both, and the pods' own port does not follow it.

In the defaults the two are equal by chance, so nothing is wrong with them. When the value moves, the rules that judge one
rendering see it: a ``targetPort``, a network policy or an annotation has the number that only the Service has.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from portproof.graph.model import Site
from portproof.render.model import Rendering
from portproof.rules.base import Severity
from portproof.rules.evaluate import Evaluation, RuleFinding
from portproof.whatif.values import Setting

_PODS = frozenset(
    {"Pod", "Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "CronJob", "ReplicationController"}
)
_OF_PODS = re.compile(rf"(?m)^kind: *[\"']?(?:Service|{'|'.join(sorted(_PODS))})[\"']?\s*$")
_SCRAPED = "/port"
"""How the annotations end that say where to scrape."""


def may_be_taken(rendering: Rendering, settings: Iterable[Setting]) -> bool:
    """Whether anything but Services and what pods run has a number that the settings move, or may have it."""
    moved = [str(one.number) for one in settings if one.number is not None]
    others = (
        one.text for one in rendering.documents if not _OF_PODS.search(one.text) or _SCRAPED in one.text
    )
    return any(number in text for text in others for number in moved)


def taken_from_services(evaluation: Evaluation, settings: Iterable[Setting]) -> tuple[RuleFinding, ...]:
    """The findings about a number that a setting moves together with the port of a Service.

    Who asks for another Service by it is none of them, if that takes its own ports from values, too: who sets one sets both.
    """
    moved = {one.number for one in settings} - {None}
    ports = [(service, port) for service in evaluation.services for port in service.ports]
    offered = {port.number.value for _, port in ports} & moved
    numbers = {one.key: {port.number.value for port in one.ports} for one in evaluation.services}
    others = {key: those for key, those in numbers.items() if those and those <= moved}
    own = {port.number for service, port in ports if service.headless or port.number != port.target}
    return tuple(
        one
        for one in evaluation.found
        if one.finding.severity is not Severity.NOTE
        and one.finding.primary not in own
        and _number(one.finding.primary) in offered
        and not _is_of_program(one.finding.primary)
        and all(
            _number(one.finding.primary) in others.get(label.site.resource, offered)
            for label in one.finding.related
        )
    )


def _number(site: Site) -> int | None:
    """The number that a field holds, be it as text."""
    text = str(site.value)
    return int(text) if text.isdecimal() else None


def _is_of_program(site: Site) -> bool:
    """Whether a field says what a pod's containers do: what moves these is compared with what their programs are told."""
    return site.resource.kind in _PODS and "annotations" not in site.path
