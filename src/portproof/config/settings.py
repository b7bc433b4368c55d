"""Every setting: its default, and how a configuration file says it.

A setting is one field of `Config`; the key of the file, its check, its schema and its meaning come with the field. There
is no other list. A flag of the same name (`portproof.flags`) replaces what the file says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from portproof.config import keys, values
from portproof.config.keys import GLOB, RULE, any_number, object_schema, one_or_more
from portproof.config.model import SEVERITIES, ChartConfig, IgnoreConfig, ReferenceConfig
from portproof.config.place import Check, Key
from portproof.config.processors import default_jobs
from portproof.flags import FAIL_ON


def _key(check: Check, schema: Mapping[str, Any], meaning: str) -> dict[str, Key]:
    """How a configuration file says a setting, under the field's name with hyphens."""
    return {"key": Key(check, schema, meaning)}


@dataclass(frozen=True, slots=True)
class Config:
    """Everything a run needs to know. An empty `select` means every rule; rules of `ignore` do not run.

    `ignores` are the entries of `ignore` that give a reason. `allow_hosts` are the hosts that charts may be fetched from,
    None stands for every host with a public address. `exclude` are globs of paths that are never looked at; `timeout` is
    in seconds, for one render. `severity` is that of all findings of a rule, or `OFF`; `baseline` is a file, relative to
    the root, and empty for none. `environments` are globs of the ids of targets that are deployed together, by a name
    that means nothing; the names in `complete` are those of environments with nothing else in them. `helm` and `kustomize` are programs: a file of the repository cannot name them. `ignored` are the
    paths that git ignores, where something of them would be a target; nobody can set them.
    """

    fail_on: str = field(
        default="error",
        metadata=_key(
            values.choice(FAIL_ON),
            {"enum": list(FAIL_ON)},
            "Exit with 1 if a finding is at or above this severity (default: error).",
        ),
    )
    select: tuple[str, ...] = field(
        default=(),
        metadata=_key(values.some(values.rule), any_number(RULE), "Run only these rules (default: all)."),
    )
    ignore: tuple[str, ...] = field(
        default=(),
        metadata=_key(
            keys.ignore,
            any_number({"anyOf": [RULE, object_schema(keys.IGNORED)]}),
            "Rules that do not run, and findings to suppress.",
        ),
    )
    ignores: tuple[IgnoreConfig, ...] = ()
    severity: Mapping[str, str] = field(
        default_factory=dict,
        metadata=_key(
            keys.severity,
            {
                "type": "object",
                "propertyNames": RULE,
                "additionalProperties": {"enum": [*SEVERITIES, False]},
            },
            "The severity of a rule's findings; off switches the rule off.",
        ),
    )
    baseline: str = field(
        default="",
        metadata=_key(
            values.glob,
            GLOB,
            "A file of known findings to suppress. `portproof check --write-baseline FILE` writes it.",
        ),
    )
    jobs: int = field(
        default_factory=default_jobs,
        metadata=_key(
            values.whole(1, values.MAX_JOBS),
            {"type": "integer", "minimum": 1, "maximum": values.MAX_JOBS},
            "Number of parallel renders (default: the available processors).",
        ),
    )
    helm: str | None = None
    kustomize: str | None = None
    ignored: frozenset[str] = frozenset()
    offline: bool = field(
        default=False,
        metadata=_key(values.boolean, {"type": "boolean"}, "Never use the network (default: false)."),
    )
    what_if: bool = field(
        default=False,
        metadata=_key(
            values.boolean,
            {"type": "boolean"},
            "Try the values of charts: switch every optional part on, move every port (default: false).",
        ),
    )
    allow_hosts: tuple[str, ...] | None = field(
        default=None,
        metadata=_key(
            values.some(values.host),
            any_number({"type": "string", "pattern": "^[0-9a-z.:-]+$"}),
            "The only hosts to fetch charts and remote bases from (default: charts from every public host; nothing for a pull request from a fork).",
        ),
    )
    timeout: float = field(
        default=60.0,
        metadata=_key(
            values.seconds,
            {"type": "number", "exclusiveMinimum": 0, "maximum": values.MAX_TIMEOUT},
            "Time limit for one render, in seconds (default: 60).",
        ),
    )
    exclude: tuple[str, ...] = field(
        default=(),
        metadata=_key(
            values.globs,
            {"anyOf": [GLOB, {"type": "array", "items": GLOB, "maxItems": values.MAX_GLOBS}]},
            "Paths that are never checked: globs from the root.",
        ),
    )
    charts: tuple[ChartConfig, ...] = field(
        default=(),
        metadata=_key(
            keys.charts,
            {"type": "array", "items": object_schema(keys.CHART)},
            "More values files to render charts with, and how to install them.",
        ),
    )
    references: tuple[ReferenceConfig, ...] = field(
        default=(),
        metadata=_key(
            keys.references,
            {"type": "array", "items": object_schema(keys.REFERENCE)},
            "Custom resources that name a port of a Service. The rule custom-reference-port checks them.",
        ),
    )
    environments: Mapping[str, tuple[str, ...]] = field(
        default_factory=dict,
        metadata=_key(
            keys.environments,
            {
                "type": "object",
                "additionalProperties": {"anyOf": [one_or_more(GLOB), object_schema(keys.ENVIRONMENT)]},
            },
            "Targets that are deployed together, under a name: globs of ids as shown by `portproof targets` (default: inferred).",
        ),
    )
    complete: frozenset[str] = frozenset()


KEYS: Mapping[str, Key] = {
    one.name.replace("_", "-"): one.metadata["key"] for one in fields(Config) if "key" in one.metadata
}
"""The keys of a configuration file."""


@dataclass(frozen=True, slots=True)
class FileConfig:
    """What a configuration file says, over the defaults.

    `path` names the file in messages, `said` are the settings that it gives a value, and `lines` holds the line of each
    key in it.
    """

    path: str | None = None
    config: Config = field(default_factory=Config)
    said: frozenset[str] = frozenset()
    lines: Mapping[str, int] = field(default_factory=dict, compare=False)


def schema(rules: Mapping[str, str]) -> dict[str, Any]:
    """The JSON Schema of the file; `rules` are the ids there are and what each finds."""
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "$id": "urn:portproof:config:1",
        "title": "portproof.yaml",
        **object_schema(KEYS),
        "$defs": {"rule": {"anyOf": [{"const": name, "description": text} for name, text in rules.items()]}},
    }
