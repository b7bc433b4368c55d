"""Every key of a configuration file: how it is checked, its schema for editors, and its meaning.

The one list of keys: the checks, the JSON Schema (`schema`) and the unknown-key messages come from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from portproof.config import values
from portproof.config.model import (
    BY,
    FAIL_ON,
    OFF,
    PROTOCOLS,
    SEVERITIES,
    ChartConfig,
    IgnoreConfig,
    ReferenceConfig,
)
from portproof.config.place import ConfigValue, Key, checked, describe

MAX_IGNORES = 1_000
_TEXT = {"type": "string", "minLength": 1}
_RULE = {"$ref": "#/$defs/rule"}
_FIELD = {"type": "string", "pattern": r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$"}
_GLOB = {**_TEXT, "maxLength": values.MAX_GLOB}
_LABEL = {"type": "string", "pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"}


def _one_or_more(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "array", "items": schema, "minItems": 1}]}


def _any_number(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "array", "items": schema}]}


def _object(keys: Mapping[str, Key]) -> dict[str, Any]:
    """The schema of a mapping with these keys; each may be left empty, as if it were not there."""
    required = [name for name, key in keys.items() if key.required]
    return {
        "type": "object",
        "additionalProperties": False,
        **({"required": required} if required else {}),
        "properties": {name: _or_nothing(key) for name, key in keys.items()},
    }


def _or_nothing(key: Key) -> dict[str, Any]:
    schema = {"description": key.meaning}
    return {**schema, **key.schema} if key.required else {**schema, "anyOf": [key.schema, {"type": "null"}]}


def _values_file(place: ConfigValue, value: Any) -> str:
    if "://" in values.text(place, value):
        place.refuse(f"{value!r} is an address", "Name a file of the repository.")
    return str(value)


def _values(place: ConfigValue, value: Any) -> tuple[tuple[str, ...], ...]:
    if not isinstance(value, list):
        place.refuse(f"expected a list of files, or of lists of files, got {describe(value)}")
    entries = []
    for index, item in enumerate(value):
        here = place.at(index)
        if isinstance(item, list) and item:
            entries.append(tuple(_values_file(here.at(nth), file) for nth, file in enumerate(item)))
        else:
            entries.append((_values_file(here, item),))
    return tuple(entries)


def _charts(place: ConfigValue, value: Any) -> tuple[ChartConfig, ...]:
    if not isinstance(value, list):
        place.refuse(f"expected a list, got {describe(value)}", "Start each chart with '- path:'.")
    return tuple(ChartConfig(**checked(place.at(index), item, CHART)) for index, item in enumerate(value))


def _references(place: ConfigValue, value: Any) -> tuple[ReferenceConfig, ...]:
    if not isinstance(value, list):
        place.refuse(f"expected a list, got {describe(value)}", "Start each kind with '- kind:'.")
    return tuple(_reference(place.at(index), item) for index, item in enumerate(value))


def _reference(place: ConfigValue, value: Any) -> ReferenceConfig:
    found = checked(place, value, REFERENCE)
    return ReferenceConfig(kinds=found.pop("kind"), groups=found.pop("group"), **found)


def _ignore(place: ConfigValue, value: Any) -> tuple[str | IgnoreConfig, ...]:
    entries = value if isinstance(value, list) else [value]
    if len(entries) > MAX_IGNORES:
        place.refuse(f"more than {MAX_IGNORES} entries", "Begin with a baseline: --write-baseline FILE")
    return tuple(
        _ignored(place.at(index) if isinstance(value, list) else place, item)
        for index, item in enumerate(entries)
    )


def _ignored(place: ConfigValue, value: Any) -> str | IgnoreConfig:
    if not isinstance(value, dict):
        return values.rule(place, value)
    found = checked(place, value, IGNORED)
    start, end = place.at("rule").extent
    return IgnoreConfig(rules=found.pop("rule"), start=start, end=end, **found)


def _severity(place: ConfigValue, value: Any) -> dict[str, str]:
    if not isinstance(value, dict):
        place.refuse(
            f"expected a mapping of rules to severities, got {describe(value)}",
            "For instance: {probe-port-number: note}",
        )
    found = {}
    for name, severity in value.items():
        here = place.at(name)
        # YAML reads a bare off as false, and who writes off means it.
        found[values.rule(here, name)] = values.choice(SEVERITIES)(
            here, OFF if severity is False else severity
        )
    return found


def _environments(place: ConfigValue, value: Any) -> dict[str, tuple[str, ...]]:
    if not isinstance(value, dict):
        place.refuse(
            f"expected a mapping of names to targets, got {describe(value)}",
            "For instance: {prod: [helm:charts/*?values=values-prod.yaml]}",
        )
    targets = values.at_least_one(values.some(values.pattern))
    return {values.text(place, name): targets(place.at(name), globs) for name, globs in value.items()}


CHART: Mapping[str, Key] = {
    "path": Key(
        values.glob, _GLOB, "Which charts: a glob of their folders.",
        required="Say which charts this entry is about: path: charts/*",
    ),
    "values": Key(
        _values,
        {"type": "array", "items": _one_or_more(_TEXT)},
        "Each entry is one more target: a values file, or several in helm's order. They are relative to the chart, or "
        "to the root when they start with /.",
    ),
    "release": Key(values.label(53), {**_LABEL, "maxLength": 53}, "The release's name."),  # helm's own limit
    "namespace": Key(values.label(63), {**_LABEL, "maxLength": 63}, "The namespace it is installed into."),
    "kube-version": Key(
        values.kube_version,
        {"type": "string", "pattern": f"^{values.KUBE_VERSION.pattern}$"},
        "The version of Kubernetes that its templates are told of (default: helm's own).",
    ),
    "api-versions": Key(
        values.some(values.api_version),
        _any_number({"type": "string", "pattern": f"^{values.API_VERSION.pattern}$"}),
        "API versions of the cluster that its templates ask for, beyond helm's own and monitoring.coreos.com/v1.",
    ),
}  # fmt: skip
IGNORED: Mapping[str, Key] = {
    "rule": Key(
        values.at_least_one(values.some(values.rule)), _one_or_more(_RULE), "Whose findings: one rule or several.",
        required="Say which rule's findings are left out: rule: service-target-number",
    ),
    "reason": Key(
        values.reason, _TEXT, "Why they may stay as they are.", required="Say why: reason: the sidecar listens there"
    ),
    "path": Key(values.glob, _GLOB, "Only at lines of these files: a glob, from the root."),
    "resource": Key(
        values.resource,
        {"type": "string", "maxLength": values.MAX_GLOB, "pattern": "^[^/]+(/[^/]+){1,2}$"},
        "Only about these objects: Kind/name or Kind/namespace/name; each part may hold *.",
    ),
    "target": Key(values.pattern, _GLOB, "Only in these targets: a glob of ids as `portproof targets` shows them."),
}  # fmt: skip
REFERENCE: Mapping[str, Key] = {
    "kind": Key(
        values.at_least_one(values.some(values.text)), _one_or_more(_TEXT), "The kinds that hold the reference.",
        required="Say which kind holds the reference: kind: AppRoute",
    ),
    "group": Key(
        values.at_least_one(values.some(values.group)),
        _one_or_more({"type": "string", "pattern": "^[^/]*$"}),
        "Their API group, without a version.",
        required="Say of which API group it is: group: example.org",
    ),
    "at": Key(
        values.at_least_one(values.some(values.jsonpath)),
        _one_or_more(_TEXT),
        "Where the objects stand that name a Service and its port: JSONPaths of names, indexes and [*].",
        required="Say where it is: at: spec.backends[*]",
    ),
    "service": Key(values.fields, _FIELD, "The field with the Service's name (default: name)."),
    "namespace": Key(values.fields, _FIELD, "The field with its namespace (default: namespace)."),
    "port": Key(values.fields, _FIELD, "The field with the port (default: port)."),
    "by": Key(
        values.choice(BY), {"enum": list(BY)}, "What the field holds: the port's number (default), its name, or either."
    ),
    "default": Key(
        values.whole(1, 65535),
        {"type": "integer", "minimum": 1, "maximum": 65535},
        "The port that counts when the field is absent (default: none, it is not checked then).",
    ),
    "protocol": Key(
        values.choice(PROTOCOLS), {"enum": list(PROTOCOLS)}, "The protocol that the port has to have (default: any)."
    ),
    "host": Key(
        values.boolean,
        {"type": "boolean"},
        "Whether the service's field holds a host, like web.shop.svc.cluster.local (default: false).",
    ),
}  # fmt: skip
KEYS: Mapping[str, Key] = {
    "fail-on": Key(
        values.choice(FAIL_ON), {"enum": list(FAIL_ON)}, "The lowest severity that makes the exit code 1 (default: error)."
    ),
    "select": Key(values.some(values.rule), _any_number(_RULE), "The only rules that run (default: all)."),
    "ignore": Key(
        _ignore,
        _any_number({"anyOf": [_RULE, _object(IGNORED)]}),
        "Rules that do not run, and findings that do not count.",
    ),
    "severity": Key(
        _severity,
        {
            "type": "object",
            "propertyNames": _RULE,
            "additionalProperties": {"enum": [*SEVERITIES, False]},
        },
        "The severity of all findings of a rule; off: it does not run.",
    ),
    "baseline": Key(
        values.glob, _GLOB, "A file of known findings, which do not count; check --write-baseline FILE writes it."
    ),
    "jobs": Key(
        values.whole(1, values.MAX_JOBS),
        {"type": "integer", "minimum": 1, "maximum": values.MAX_JOBS},
        "Parallel renders (default: processors available).",
    ),
    "offline": Key(values.boolean, {"type": "boolean"}, "Never touch the network (default: false)."),
    "allow-hosts": Key(
        values.some(values.host),
        _any_number({"type": "string", "pattern": "^[0-9a-z.:-]+$"}),
        "The only hosts that charts are fetched from (default: every public one; none for a fork's pull request).",
    ),
    "timeout": Key(
        values.seconds,
        {"type": "number", "exclusiveMinimum": 0, "maximum": values.MAX_TIMEOUT},
        "Seconds for one render (default: 60).",
    ),
    "exclude": Key(
        values.globs,
        {"anyOf": [_GLOB, {"type": "array", "items": _GLOB, "maxItems": values.MAX_GLOBS}]},
        "Paths that are never looked at: globs, from the root.",
    ),
    "charts": Key(_charts, {"type": "array", "items": _object(CHART)}, "More values files to render charts with."),
    "references": Key(
        _references,
        {"type": "array", "items": _object(REFERENCE)},
        "Custom resources that name a port of a Service; the rule custom-reference-port checks them.",
    ),
    "environments": Key(
        _environments,
        {"type": "object", "additionalProperties": _one_or_more(_GLOB)},
        "What is deployed together, by a name: globs of ids as `portproof targets` shows them (default: guessed).",
    ),
}  # fmt: skip


def schema(rules: Mapping[str, str]) -> dict[str, Any]:
    """The JSON Schema of the file; `rules` are the ids there are and what each finds."""
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "$id": "urn:portproof:config:1",
        "title": "portproof.yaml",
        **_object(KEYS),
        "$defs": {"rule": {"anyOf": [{"const": name, "description": text} for name, text in rules.items()]}},
    }
