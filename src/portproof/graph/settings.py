"""What a container is told: its variables, ConfigMaps included, its arguments, and addresses in its files."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from portproof.graph.fields import indexed, mapping
from portproof.graph.model import Site
from portproof.graph.pairs import NamedValue
from portproof.resources import Resource, ResourceKey
from portproof.yamldoc import FieldPath


def config_maps(resources: Sequence[Resource]) -> Mapping[tuple[str, str], Resource]:
    """The ConfigMaps of a rendering by namespace and name."""
    return {
        (one.key.namespace, one.key.name): one
        for one in resources
        if one.key.kind == "ConfigMap" and one.key.group == ""
    }


def variables(
    key: ResourceKey,
    where: FieldPath,
    container: Mapping[str, Any],
    maps: Mapping[tuple[str, str], Resource],
) -> Iterator[NamedValue]:
    """The variables of a container whose text is known; those from a ConfigMap have their place there."""
    for index, variable in indexed(container.get("env")):
        name, value = str(variable.get("name") or ""), variable.get("value")
        if value is not None:
            yield NamedValue(name, Site(key, (*where, "env", index, "value"), None), str(value))
            continue
        source = mapping(mapping(variable.get("valueFrom")).get("configMapKeyRef"))
        config = maps.get((key.namespace, str(source.get("name") or "")))
        entry = str(source.get("key") or "")
        text = None if config is None else mapping(config.data.get("data")).get(entry)
        if config is not None and text is not None:
            yield NamedValue(name, Site(config.key, ("data", entry), None), str(text))
    for _, source in indexed(container.get("envFrom")):
        config = maps.get((key.namespace, str(mapping(source.get("configMapRef")).get("name") or "")))
        if config is not None:
            for entry, text in mapping(config.data.get("data")).items():
                yield NamedValue(str(entry), Site(config.key, ("data", entry), None), str(text))


_ADDRESS_IN_FILE = re.compile(
    r"""^[ \t]*["']?(?P<name>[A-Za-z][\w.-]*)["']?[ \t]*[:=][ \t]*["']?(?P<value>[\w.\[\]*]{0,40}:\d{2,5})["']?[ \t]*,?[ \t]*$""",
    re.MULTILINE,
)
"""A line that gives a name to what ends like an address, in YAML, JSON, TOML or INI."""
MAX_FILE = 64 * 1024
"""Longer files are no configuration of where to listen."""
MAX_ADDRESSES = 100
"""Of one file: what precedes each of them has to be looked at."""
_SECTION = re.compile(r"^[ \t]*\[", re.MULTILINE)
_SECTION_OF_ITS_OWN = re.compile(r"^[ \t]*\[+(?:https?|server|web|listen(?:er)?s?)[\].]", re.MULTILINE)
"""Where a program listens that has a section for it; InfluxDB's outermost ``bind-address`` is for backups."""


class ConfigFiles:
    """The outermost addresses in files that containers have from ConfigMaps; each ConfigMap is read once."""

    def __init__(self, maps: Mapping[tuple[str, str], Resource]) -> None:
        self._maps = maps
        self._read: dict[Resource, tuple[NamedValue, ...]] = {}

    def of(
        self, key: ResourceKey, template: Mapping[str, Any], container: Mapping[str, Any]
    ) -> Iterator[NamedValue]:
        """Those of one container; `template` is the spec of its pod."""
        mounted = {str(one.get("name")) for _, one in indexed(container.get("volumeMounts"))}
        for _, volume in indexed(template.get("volumes")):
            name = str(mapping(volume.get("configMap")).get("name"))
            config = self._maps.get((key.namespace, name)) if str(volume.get("name")) in mounted else None
            if config is not None:
                if config not in self._read:
                    self._read[config] = tuple(_addresses(config))
                yield from self._read[config]


def _addresses(config: Resource) -> Iterator[NamedValue]:
    for entry, value in mapping(config.data.get("data")).items():
        text = str(value)
        if len(text) > MAX_FILE:
            continue
        for match in islice(_ADDRESS_IN_FILE.finditer(text), MAX_ADDRESSES):
            if _is_outermost(text, match):
                site = Site(config.key, ("data", entry), None)
                yield NamedValue(match["name"], site, match["value"], match.start("value"), line=True)


def _is_outermost(text: str, match: re.Match[str]) -> bool:
    """Whether the line is about the program as a whole: in no object of JSON, mapping of YAML or section of TOML."""
    before = text[: match.start()]
    if text.lstrip().startswith("{"):
        return before.count("{") - before.count("}") == 1 and before.count("[") == before.count("]")
    if match[0][0] in " \t" or _SECTION.search(before):
        return False
    return not _SECTION_OF_ITS_OWN.search(text, match.end())


def flags(key: ResourceKey, where: FieldPath, container: Mapping[str, Any]) -> Iterator[NamedValue]:
    """The words of a container's command and arguments."""
    for field in ("command", "args"):
        items = container.get(field)
        for index, item in enumerate(items if isinstance(items, list) else ()):
            if isinstance(item, str):
                yield NamedValue("", Site(key, (*where, field, index), None), item)


def split_flags(words: Sequence[NamedValue]) -> Iterator[NamedValue]:
    """``--db-host=db``, and ``--db-host`` followed by ``db``, as settings with names."""
    for one, following in zip(words, [*words, None][1:], strict=True):
        if not one.text.startswith("-"):
            continue
        name, equals, value = one.text.partition("=")
        if equals:
            yield NamedValue(name, one.site, value, one.offset + len(name) + 1)
        elif following is not None and not following.text.startswith("-"):
            yield NamedValue(name, following.site, following.text, following.offset)
