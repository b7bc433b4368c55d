"""The larger settings of a configuration file, read and checked: charts, references, ignores, severities, environments.

Each table is the one list of the keys of a part: the checks, the JSON Schema and the unknown-key messages come from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from portproof.config import values
from portproof.config.model import (
    BY,
    OFF,
    PROTOCOLS,
    SEVERITIES,
    ChartConfig,
    EnvironmentConfig,
    IgnoreConfig,
    ReferenceConfig,
)
from portproof.config.place import ConfigValue, Key, checked, describe

MAX_IGNORES = 1_000
TEXT = {"type": "string", "minLength": 1}
RULE = {"$ref": "#/$defs/rule"}
_FIELD = {"type": "string", "pattern": r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$"}
GLOB = {**TEXT, "maxLength": values.MAX_GLOB}
_LABEL = {"type": "string", "pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"}


def one_or_more(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of one such value, or of a list that is not empty."""
    return {"anyOf": [schema, {"type": "array", "items": schema, "minItems": 1}]}


def any_number(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of one such value, or of a list."""
    return {"anyOf": [schema, {"type": "array", "items": schema}]}


def object_schema(keys: Mapping[str, Key]) -> dict[str, Any]:
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
        place.refuse(f"{value!r} is a URL", "Name a file in the repository.")
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


def charts(place: ConfigValue, value: Any) -> tuple[ChartConfig, ...]:
    """The charts that are rendered with more values."""
    if not isinstance(value, list):
        place.refuse(f"expected a list, got {describe(value)}", "Start each chart with `- path:`.")
    return tuple(_chart(place.at(index), item) for index, item in enumerate(value))


def _chart(place: ConfigValue, value: Any) -> ChartConfig:
    found = checked(place, value, CHART)
    several = place.at("values")
    lines = tuple(several.at(index).line for index in range(len(found.get("values", ()))))
    return ChartConfig(line=place.at("path").line, value_lines=lines, **found)


def references(place: ConfigValue, value: Any) -> tuple[ReferenceConfig, ...]:
    """Where custom resources name a port of a Service."""
    if not isinstance(value, list):
        place.refuse(f"expected a list, got {describe(value)}", "Start each kind with `- kind:`.")
    return tuple(_reference(place.at(index), item) for index, item in enumerate(value))


def _reference(place: ConfigValue, value: Any) -> ReferenceConfig:
    found = checked(place, value, REFERENCE)
    return ReferenceConfig(kinds=found.pop("kind"), groups=found.pop("group"), **found)


def ignore(place: ConfigValue, value: Any) -> tuple[str | IgnoreConfig, ...]:
    """The rules that do not run, and the entries with a reason."""
    entries = value if isinstance(value, list) else [value]
    if len(entries) > MAX_IGNORES:
        place.refuse(
            f"more than {MAX_IGNORES} entries",
            "Use a baseline instead: `portproof check --write-baseline FILE`.",
        )
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


def severity(place: ConfigValue, value: Any) -> dict[str, str]:
    """The severity of each rule that has another one than its own."""
    if not isinstance(value, dict):
        place.refuse(
            f"expected a mapping of rules to severities, got {describe(value)}",
            "Write it like `severity: {probe-port-number: note}`.",
        )
    found = {}
    for name, word in value.items():
        here = place.at(name)
        # YAML reads a bare off as false, and who writes off means it.
        found[values.rule(here, name)] = values.choice(SEVERITIES)(here, OFF if word is False else word)
    return found


def environments(place: ConfigValue, value: Any) -> dict[str, EnvironmentConfig]:
    """The targets that are deployed together, by name."""
    if not isinstance(value, dict):
        place.refuse(
            f"expected a mapping of names to targets, got {describe(value)}",
            "Write it like `environments: {prod: [helm:charts/*?values=values-prod.yaml]}`.",
        )
    return {values.text(place, name): _environment(place.at(name), one) for name, one in value.items()}


def _environment(place: ConfigValue, value: Any) -> EnvironmentConfig:
    if isinstance(value, dict):
        return EnvironmentConfig(**checked(place, value, ENVIRONMENT))
    return EnvironmentConfig(_TARGETS(place, value))


_TARGETS = values.at_least_one(values.some(values.pattern))
ENVIRONMENT: Mapping[str, Key] = {
    "targets": Key(
        _TARGETS, one_or_more(GLOB), "Globs of ids as shown by `portproof targets`.",
        required="Name the targets, like `targets: [helm:charts/*]`.",
    ),
    "complete": Key(
        values.boolean, {"type": "boolean"},
        "Nothing else is deployed there: whatever names a Service or pods that none of these targets has is an error.",
    ),
}  # fmt: skip

CHART: Mapping[str, Key] = {
    "path": Key(
        values.glob, GLOB, "The charts: a glob of their folders.",
        required="Name the charts, like `path: charts/*`.",
    ),
    "values": Key(
        _values,
        {"type": "array", "items": one_or_more(TEXT)},
        "Each entry is one more target: a values file, or several in helm's order. Paths are relative to the chart, or to "
        "the root if they start with /.",
    ),
    "release": Key(values.label(53), {**_LABEL, "maxLength": 53}, "The name of the release."),  # helm's own limit
    "namespace": Key(values.label(63), {**_LABEL, "maxLength": 63}, "The namespace of the release."),
    "kube-version": Key(
        values.kube_version,
        {"type": "string", "pattern": f"^{values.KUBE_VERSION.pattern}$"},
        "The Kubernetes version that templates see (default: helm's own).",
    ),
    "api-versions": Key(
        values.some(values.api_version),
        any_number({"type": "string", "pattern": f"^{values.API_VERSION.pattern}$"}),
        "API versions that templates see, in addition to helm's own and monitoring.coreos.com/v1.",
    ),
    "defaults": Key(
        values.boolean,
        {"type": "boolean"},
        "Whether the chart is rendered with its own values only, too (default: true).",
    ),
}  # fmt: skip
IGNORED: Mapping[str, Key] = {
    "rule": Key(
        values.at_least_one(values.some(values.rule)), one_or_more(RULE), "The rule whose findings to suppress, or several.",
        required="Name the rule whose findings to suppress, like `rule: service-target-number`.",
    ),
    "reason": Key(
        values.reason, TEXT, "Why the findings may stay.", required="Give a reason, like `reason: the sidecar listens there`."
    ),
    "path": Key(values.glob, GLOB, "Only on lines of these files: a glob from the root."),
    "resource": Key(
        values.resource,
        {"type": "string", "maxLength": values.MAX_GLOB, "pattern": "^[^/]+(/[^/]+){1,2}$"},
        "Only for these objects: Kind/name or Kind/namespace/name. Each part may contain *.",
    ),
    "target": Key(values.pattern, GLOB, "Only in these targets: a glob of ids as shown by `portproof targets`."),
}  # fmt: skip
REFERENCE: Mapping[str, Key] = {
    "kind": Key(
        values.at_least_one(values.some(values.text)), one_or_more(TEXT), "The kinds that contain the reference.",
        required="Name the kind that contains the reference, like `kind: AppRoute`.",
    ),
    "group": Key(
        values.at_least_one(values.some(values.group)),
        one_or_more({"type": "string", "pattern": "^[^/]*$"}),
        "Their API group, without a version.",
        required="Name the API group of the kind, like `group: example.org`.",
    ),
    "at": Key(
        values.at_least_one(values.some(values.jsonpath)),
        one_or_more(TEXT),
        "Where the reference is: JSONPaths of the objects that name a Service and its port. Only names, indexes and [*].",
        required="Say where the reference is, like `at: spec.backends[*]`.",
    ),
    "service": Key(values.fields, _FIELD, "The field with the name of the Service (default: name)."),
    "namespace": Key(values.fields, _FIELD, "The field with its namespace (default: namespace)."),
    "port": Key(values.fields, _FIELD, "The field with the port (default: port)."),
    "by": Key(
        values.choice(BY), {"enum": list(BY)}, "What the field holds: the port's number (default), its name, or either."
    ),
    "default": Key(
        values.whole(1, 65535),
        {"type": "integer", "minimum": 1, "maximum": 65535},
        "The port to assume if the field is absent (default: none; the reference is then not checked).",
    ),
    "protocol": Key(
        values.choice(PROTOCOLS), {"enum": list(PROTOCOLS)}, "The protocol that the port must have (default: any)."
    ),
    "host": Key(
        values.boolean,
        {"type": "boolean"},
        "Whether the service field holds a host name, like web.shop.svc.cluster.local (default: false).",
    ),
}  # fmt: skip
