"""Settings of a container whose number a change moved away from a port that it declares, or that traffic goes to.

Whatever the setting is called: in the base it said the number of that port, and nothing else in the pod still does. Read are variables, arguments, and files from ConfigMaps, line by line. What calls somebody else says a host.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from portproof.graph import settings
from portproof.graph.evidence import numbers_in_settings
from portproof.graph.fields import indexed, mapping
from portproof.graph.model import Container, ContainerPort, Piece, PortGraph, Role, Site, Workload
from portproof.graph.pairs import NamedValue, paired
from portproof.graph.past import container_before, declared_before, workload_before
from portproof.resources import Resource
from portproof.yamldoc import lookup

_NUMBER = re.compile(r"(?<![\d.])\d{2,5}(?![\d.])")
_LISTENS = re.compile(r"(?i)port|listen|bind|addr|(?<![a-z])(?:-p|serve|server|http)(?![a-z])")
"""What names a place to listen at, in the name of a setting or in the line of a file."""
_CALLS = re.compile(
    r"(?i)upstream|backend|remote|proxy_pass|target|timeout|interval|size|limit|buffer|memory|max_"
)
_PROXY = re.compile(r"(?i)_proxy_port\Z")
"""Who a program sends its own requests through: no place where it listens."""
_HOST = re.compile(r"(?<=[\w.\])]):\Z")
_ANYWHERE = re.compile(r"(?<![\w.\])])(?:0\.0\.0\.0|\[::\]|\$\([A-Z_]*IP\)):\Z")


class MovedSetting(Struct, frozen=True):
    """A setting of `container` that said the number `was` in the base, and says another now.

    `port` is the port that the container declares with that number, None when it does not declare it. `site` is that number; `label` says where it is: ``the variable PORT``, ``the port in nginx.conf of ConfigMap/web``.
    """

    container: Container
    was: int
    port: ContainerPort | None
    site: Site
    label: str

    @property
    def number(self) -> int:
        """What the setting says now."""
        assert isinstance(self.site.value, int)  # noqa: S101 - `_moves` made it
        return self.site.value


def read(graph: PortGraph) -> Iterator[tuple[Workload, MovedSetting]]:
    """Every such setting of a rendering, by workload and container; none without a base."""
    base = graph.base
    if base is None:
        return
    maps, old_maps = settings.config_maps(graph.resources), settings.config_maps(base.resources)
    for workload in graph.workloads:
        before = workload_before(graph, workload)
        if before is None or numbers_in_settings(before) == numbers_in_settings(workload):
            continue
        for container in workload.containers:
            old = container_before(graph, workload, container)
            stayed = _stayed(graph, workload, container)
            if old is None or container.role is Role.INIT or not stayed:
                continue
            then = _texts(base.read_from[before], old, old_maps)
            now = _texts(graph.read_from[workload], container, maps)
            for known, setting in now.items():
                if known in then and then[known].text != setting.text:
                    yield from ((workload, one) for one in _of(container, stayed, then[known], setting))


def telling(
    graph: PortGraph, workload: Workload, container: Container, number: int
) -> Iterator[MovedSetting]:
    """The settings by which a container's program is told this number, and no other."""
    if not container.mentions | workload.config_numbers >= {number}:
        return
    texts = _texts(graph.read_from[workload], container, settings.config_maps(graph.resources))
    for one in texts.values():
        found = list(_NUMBER.finditer(one.text))
        calls = _CALLS.search(one.name) or _PROXY.search(one.name)
        if one.line or calls or not _LISTENS.search(one.name) or len(found) != 1:
            continue
        start, end = found[0].span()
        if int(found[0][0]) == number and not _is_elsewhere(one.text[:start]):
            site = _number_in(one, start, end, one.name.strip())
            yield MovedSetting(container, number, None, site, _label(one))


def _stayed(graph: PortGraph, workload: Workload, container: Container) -> Mapping[int, ContainerPort | None]:
    """The ports that a change leaves as they are, and whose numbers no setting of the pod mentions now.

    Those that the container declares, and those without a declaration that its probes and Services by number use.
    """
    past, said = declared_before(graph, workload), numbers_in_settings(workload)
    declared = {one.value for each in workload.containers for one in each.ports}
    used = {check.port.value for check in container.checks if not check.host}
    used |= {port.target.value for service in graph.services_of(workload) for port in service.ports}
    found: dict[int, ContainerPort | None] = {
        one: None for one in used if isinstance(one, int) and one not in declared
    }
    found |= {one.value: one for one in container.ports if one in past and past[one].value == one.value}
    return {number: one for number, one in found.items() if number not in said}


def _of(
    container: Container, stayed: Mapping[int, ContainerPort | None], old: NamedValue, new: NamedValue
) -> Iterator[MovedSetting]:
    for number, start, end, line in _moves(old.text, new.text):
        words = f"{new.name} {line}"
        if number not in stayed or not _LISTENS.search(words) or _CALLS.search(words):
            continue
        site = _number_in(new, start, end, (new.name or line).strip())
        yield MovedSetting(container, number, stayed[number], site, _label(new))


def _number_in(setting: NamedValue, start: int, end: int, name: str) -> Site:
    """The number there in the text of a setting."""
    piece = Piece(setting.offset + start, setting.offset + end, name)
    return Site(setting.site.resource, setting.site.path, int(setting.text[start:end]), piece)


def _label(setting: NamedValue) -> str:
    if setting.line:
        return f"the port in {setting.site.path[-1]} of {setting.site.resource}"
    if re.search(r"\s", setting.text):
        return "the port in an argument"
    if setting.name.startswith("-"):
        return f"the argument {setting.name}"
    return f"the variable {setting.name}" if setting.name else f"the argument {setting.text!r}"


def _moves(old: str, new: str) -> Iterator[tuple[int, int, int, str]]:
    """The numbers that differ between two texts whose lines are equal but for numbers.

    Each as the number of old, its place in the new text, and the line there without numbers. One with a host before it
    is somebody else's.
    """
    then, now = _lines(old), _lines(new)
    for shape, at in now.items():
        before = then.get(shape)
        if before is None:
            continue
        pairs = zip(_NUMBER.finditer(old, *before), _NUMBER.finditer(new, *at), strict=True)
        for one, other in pairs:
            if one[0] != other[0] and not _is_elsewhere(new[at[0] : other.start()]):
                yield int(one[0]), other.start(), other.end(), shape


def _is_elsewhere(head: str) -> bool:
    """Whether what is before a number is a host: it is somebody else's. All addresses of one's own are none."""
    return bool(_HOST.search(head)) and not _ANYWHERE.search(head)


def _lines(text: str) -> Mapping[str, tuple[int, int]]:
    """Where each line is, by its text without numbers; lines that are equal then are told apart by nothing."""
    found: dict[str, tuple[int, int]] = {}
    count: Counter[str] = Counter()
    start = 0
    for line in text.split("\n"):
        shape = _NUMBER.sub("#", line)
        count[shape] += 1
        found[shape] = start, start + len(line)
        start += len(line) + 1
    return {shape: place for shape, place in found.items() if count[shape] == 1}


def _texts(
    resource: Resource, container: Container, maps: Mapping[tuple[str, str], Resource]
) -> Mapping[Hashable, NamedValue]:
    """What tells a container where to listen, by what is the same in another revision."""
    data, key = lookup(resource.data, container.path), resource.key
    if not isinstance(data, dict):
        return {}
    words = list(settings.flags(key, container.path, data))
    flags = list(settings.split_flags(words))
    variables = list(settings.variables(key, container.path, data, maps))
    elsewhere = {id(port) for _, port in paired([*variables, *flags])}
    named = {(one.site.path, one.site.resource) for one in flags}
    found: list[tuple[Hashable, NamedValue]] = [
        *((("env", one.name), one) for one in variables if id(one) not in elsewhere),
        *((("flag", one.name), one) for one in flags if id(one) not in elsewhere),
        *(
            (("word", _NUMBER.sub("#", one.text)), one)
            for one in words
            if (one.site.path, one.site.resource) not in named
        ),
        *_files(resource, container, data, maps),
    ]
    count = Counter(known for known, _ in found)
    return {known: one for known, one in found if count[known] == 1}


def _files(
    resource: Resource,
    container: Container,
    data: Mapping[str, Any],
    maps: Mapping[tuple[str, str], Resource],
) -> Iterator[tuple[Hashable, NamedValue]]:
    template = mapping(lookup(resource.data, container.path[:-2]))
    mounted: Sequence[str] = [str(one.get("name")) for _, one in indexed(data.get("volumeMounts"))]
    for _, volume in indexed(template.get("volumes")):
        name, source = str(volume.get("name")), mapping(volume.get("configMap"))
        config = maps.get((resource.key.namespace, str(source.get("name")))) if name in mounted else None
        for entry, value in mapping(config.data.get("data")).items() if config is not None else ():
            text = str(value)
            if config is not None and len(text) <= settings.MAX_FILE:
                site = Site(config.key, ("data", entry), None)
                yield ("file", name, entry), NamedValue("", site, text, line=True)
