"""What a chart leaves to whoever uses it: findings with other values that say nothing about the chart.

A chart for any image declares the port that its user writes. A list of ports is written as a whole, by somebody who knows
the program. A probe that names a port is nothing without the list of ports that comes with it, and an Ingress of AWS is nothing
without its annotations.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from msgspec import Struct

from portproof import yamldoc
from portproof.graph.images import name_of
from portproof.graph.model import Site
from portproof.render.model import Rendering
from portproof.render.placeholders import WORD
from portproof.replacing import replace
from portproof.resources import Resource
from portproof.resources import read as read_resources
from portproof.rules.base import Severity, Trait
from portproof.rules.evaluate import Evaluation, RuleFinding
from portproof.source import RelPath
from portproof.whatif.documented import has_example, has_list_to_fill, is_told, may_be_declared
from portproof.whatif.programs import image_beside
from portproof.whatif.values import Setting, Values
from portproof.yamldoc import FieldPath

_LISTS = ("containers", "initContainers")
_PORTS = re.compile(r"(?i)(?:container_?)?ports\Z")
_WEB_SERVERS = frozenset({"nginx", "httpd"})
_ASKING = frozenset({"Service", "ServiceMonitor", "PodMonitor"})
"""What asks pods for the ports that they declare."""
_PODS = re.compile(r"(?m)^kind: *(?:Deployment|StatefulSet|DaemonSet)\s*$")
"""A template of what makes pods."""
_BY_ANNOTATION = "use-annotation"
"""The port of an Ingress whose action is in an annotation."""
_TOLD = ("volumeMounts", "command", "args")


class Offer(Struct, frozen=True):
    """What a chart may have with further values: its own values, its templates, and what they render to anyway."""

    values: Values
    templates: Mapping[RelPath, str]
    plain: Rendering | None


def worth_saying(found: Evaluation, offer: Offer) -> Evaluation:
    """What appears with parts switched on, but for notes, which nobody needs who has not these values, and what is to be filled.

    Who switches a part on fills its lists of ports, and its annotations. A chart that names no image has its user's ports.
    """
    if not found.found:
        return found
    lists = has_empty_ports(offer.values.data)
    nothing = lists and not any(map(_declares, found.manifests.resources))
    containers = [one for each in found.manifests.resources for one in _containers(each)]
    is_generic = bool(containers) and not any(_image(one) for one in containers)
    declared = {*_names(containers)}
    rendered = {one.document.source for one in found.manifests.resources}
    has_further_pods = any(
        _PODS.search(text) for path, text in offer.templates.items() if path not in rendered
    )
    more = has_list_to_fill(offer.values.data, offer.templates.values())
    all_ports = has_list_to_fill(offer.values.data, offer.templates.values(), "ports")

    def is_left(one: RuleFinding) -> bool:
        site = one.finding.primary
        is_name = isinstance(site.value, str) and not site.value.isdecimal()
        return (
            (nothing and site.resource.kind in _ASKING)
            or (lists and _is_without_ports(found, site))
            or (is_name and (is_generic or has_example(site.value, offer.values.text)))
            or (is_name and site.value not in declared and _may_be_declared(found, site, offer))
            or ("selector" in site.path and has_further_pods)
            or (is_name and more and site.resource.kind == "ServiceMonitor" and site.path[-1] == "port")
            or (all_ports and isinstance(site.value, int) and site.resource.kind == "Ingress")
            or one.finding.unset
        )

    return _only(
        found,
        (
            one
            for one in found.found
            if one.finding.severity is not Severity.NOTE
            and one.finding.primary.path[-1:] != ("ports",)
            and one.finding.primary.value != _BY_ANNOTATION
            and not is_left(one)
        ),
    )


def _may_be_declared(found: Evaluation, site: Site, offer: Offer) -> bool:
    """Whether a template declares a port of the name that a field asks for, with further values: nothing that is rendered has it."""
    plain = () if offer.plain is None else read_resources(offer.plain).resources
    named = {one for each in plain for one in _names(_containers(each))}
    asks_pods = site.resource.kind in ("Service", "PodMonitor") or any(step in _LISTS for step in site.path)
    if not asks_pods:
        named.update(one for each in (*plain, *found.manifests.resources) for one in _offered(each))
    key = "containerPort" if asks_pods else "targetPort"
    return site.value not in named and may_be_declared(str(site.value), key, offer.templates.values())


def of_the_chart(found: Evaluation, settings: Iterable[Setting], values: Values) -> Evaluation:
    """What appears when ports move, but for containers that take a port which only their user can know.

    Nor is one worth a word whose program is told the number by another value: who sets one sets both. Nor what a container
    beside the program declares, whose own container leaves its ports open.
    """
    moved = {one.number: one.path for one in settings if one.number is not None}
    listed = {number for number, path in moved.items() if any(isinstance(step, int) for step in path)}

    def is_left(one: RuleFinding) -> bool:
        site = one.finding.primary
        return site.value in listed or _is_anybodys(_container(found, site)) or _is_told(one, moved, values)

    programs = {number: image_beside(path, values.data) for number, path in moved.items()}
    return _only(
        found,
        (
            one
            for one in found.found
            if not (Trait.VALUES in one.rule.traits and is_left(one))
            and not _is_of_another(found, one, programs)
        ),
    )


def _is_of_another(found: Evaluation, one: RuleFinding, programs: Mapping[int, str]) -> bool:
    """Whether a value is in the section of one container, which declares no port, and what stays is the port of another.

    `programs` are the images of those sections, by the number that each port is moved to.
    """
    site, others = one.finding.primary, [label.site for label in one.finding.related]
    image = programs.get(site.value) if isinstance(site.value, int) else ""
    other = next((each for each in others if _container(found, each)), None)
    if not image or other is None or _runs(_container(found, other), image):
        return False
    pod = next((each for each in found.manifests.resources if each.key == other.resource), None)
    own = [each for each in (() if pod is None else _containers(pod)) if _runs(each, image)]
    return bool(own) and not any(each.get("ports") for each in own)


def _is_told(one: RuleFinding, moved: Mapping[int, FieldPath], values: Values) -> bool:
    """Whether another value says the number that a port had before a setting moved it."""
    path = next((path for number, path in moved.items() if number == one.finding.primary.value), None)
    was = None if path is None else yamldoc.lookup(values.data, path)
    return path is not None and isinstance(was, int) and is_told(was, values.text, values.data, path)


def has_empty_ports(data: object) -> bool:
    """Whether there is a list of a container's ports to be filled."""
    return any(bool(_PORTS.match(key)) and not value for key, value in _collections(data))


def _only(found: Evaluation, kept: Iterable[RuleFinding]) -> Evaluation:
    return replace(found, found=tuple(kept))


def _collections(data: object) -> Iterator[tuple[str, object]]:
    """Every mapping and list below a key, with the key."""
    if isinstance(data, dict):
        for key, value in data.items():
            if isinstance(value, (dict, list)):
                yield str(key), value
                yield from _collections(value)


def _container(found: Evaluation, site: Site) -> Mapping[str, Any]:
    """The container that a field belongs to; empty where it belongs to none."""
    at = next((at for at, step in enumerate(site.path) if step in _LISTS), None)
    resource = next((one for one in found.manifests.resources if one.key == site.resource), None)
    one = None if at is None or resource is None else yamldoc.lookup(resource.data, site.path[: at + 2])
    return one if isinstance(one, dict) else {}


def _declares(resource: Resource) -> bool:
    """Whether a container of a resource declares a port."""
    return any(one.get("ports") for one in _containers(resource))


def _containers(resource: Resource) -> Iterator[Mapping[str, Any]]:
    """The containers of what makes pods; nothing of anything else."""
    spec = yamldoc.lookup(resource.data, ("spec", "template", "spec"))
    found = spec if isinstance(spec, dict) else yamldoc.lookup(resource.data, ("spec",))
    some = found.get("containers") if isinstance(found, dict) else None
    yield from (one for one in (some if isinstance(some, list) else ()) if isinstance(one, dict))


def _names(containers: Iterable[Mapping[str, Any]]) -> Iterator[object]:
    """The names of the ports that containers declare."""
    for one in containers:
        ports = one.get("ports")
        for port in ports if isinstance(ports, list) else ():
            if isinstance(port, dict):
                yield port.get("name")


def _offered(service: Resource) -> Iterator[object]:
    """The names of the ports of a Service."""
    ports = yamldoc.lookup(service.data, ("spec", "ports")) if service.key.kind == "Service" else None
    for port in ports if isinstance(ports, list) else ():
        if isinstance(port, dict):
            yield port.get("name")


def _image(container: Mapping[str, Any]) -> str:
    """The image of a container; empty where its user has to say which. That it is pulled from a registry of theirs is no matter."""
    image = str(container.get("image") or "")
    last = image.rpartition("/")[2].partition("@")[0].partition(":")[0]
    return "" if not last or WORD in last else image


def _runs(container: Mapping[str, Any], image: str) -> bool:
    """Whether a container runs an image, from whatever registry and by whatever tag."""
    return f"/{name_of(str(container.get('image') or ''))}".endswith(f"/{name_of(image)}")


def _is_without_ports(found: Evaluation, site: Site) -> bool:
    """Whether a field belongs to a container that declares no port at all."""
    container = _container(found, site)
    return bool(container) and not container.get("ports")


def _is_anybodys(container: Mapping[str, Any]) -> bool:
    """Whether a container runs what the user of the chart says: no image, or a bare web server in the place of one."""
    image = _image(container)
    is_bare = name_of(image) in _WEB_SERVERS and not any(container.get(one) for one in _TOLD)
    return bool(container) and (not image or is_bare)
