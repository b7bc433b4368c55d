"""What a configuration says, checked: the file, the flags, and both together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

FAIL_ON = ("error", "warning", "note", "never")
OFF = "off"
"""In place of a severity: the rule does not run."""
SEVERITIES = ("error", "warning", "note", OFF)
BY = ("number", "name", "either")
PROTOCOLS = ("TCP", "UDP", "SCTP")


@dataclass(frozen=True, slots=True)
class ChartConfig:
    """What the configuration says about the charts whose folder matches the glob `path`.

    Each entry of `values` makes one more target; it lists values files in helm's order. They are relative to the
    chart's folder, or to the root of the repository when they start with ``/``. `kube_version` and `api_versions` are
    what the templates learn of the cluster.
    """

    path: str
    values: tuple[tuple[str, ...], ...] = ()
    release: str | None = None
    namespace: str | None = None
    kube_version: str | None = None
    api_versions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class IgnoreConfig:
    """Findings to leave out: those of `rules`, where `path`, `resource` and `target` all match as far as they are given.

    `path` is a glob of the source file, `resource` a pair or triple of globs (kind, name; kind, namespace, name),
    `target` a glob of a target's id. `start` and `end` are the entry's offsets in its file.
    """

    rules: tuple[str, ...]
    reason: str
    path: str | None = None
    resource: tuple[str, ...] | None = None
    target: str | None = None
    start: int = field(default=0, compare=False)
    end: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class ReferenceConfig:
    """Where custom resources name a Service and a port of it; `by` says what the port field holds.

    `at` are JSONPaths of the objects that hold the reference, `service`, `namespace` and `port` places within such an
    object. With `host` the service's field holds a host; the port has to have the `protocol`, empty for any.
    """

    kinds: tuple[str, ...]
    groups: tuple[str, ...]
    at: tuple[str, ...]
    service: str = "name"
    namespace: str = "namespace"
    port: str = "port"
    by: str = "number"
    default: int | None = None
    protocol: str = ""
    host: bool = False


@dataclass(frozen=True, slots=True)
class FileConfig:
    """What a configuration file says; None where it is silent.

    `path` names the file in messages, and `lines` holds the line of each key in it. `ignore` are rules that do not run,
    and findings that do not count.
    """

    path: str | None = None
    fail_on: str | None = None
    select: tuple[str, ...] | None = None
    ignore: tuple[str | IgnoreConfig, ...] | None = None
    severity: Mapping[str, str] = field(default_factory=dict)
    baseline: str | None = None
    jobs: int | None = None
    offline: bool | None = None
    allow_hosts: tuple[str, ...] | None = None
    timeout: float | None = None
    exclude: tuple[str, ...] = ()
    charts: tuple[ChartConfig, ...] = ()
    references: tuple[ReferenceConfig, ...] = ()
    environments: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    lines: Mapping[str, int] = field(default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True)
class Flags:
    """What the command line says; None where it is silent.

    With `untrusted` the tree is a stranger's: charts are fetched only from hosts that a configuration names.
    """

    fail_on: str | None = None
    select: tuple[str, ...] | None = None
    ignore: tuple[str, ...] | None = None
    baseline: str | None = None
    jobs: int | None = None
    helm: str | None = None
    kustomize: str | None = None
    offline: bool = False
    untrusted: bool = False


@dataclass(frozen=True, slots=True)
class Config:
    """Everything a run needs to know. An empty `select` means every rule; rules of `ignore` do not run.

    `allow_hosts` are the hosts that charts may be fetched from, None stands for every host with a public address.
    `exclude` are globs of paths that are never looked at; `timeout` is in seconds, for one render. `severity` is that of
    all findings of a rule, or `OFF`; `baseline` is a file, relative to the root, and empty for none. `environments` are
    globs of the ids of targets that are deployed together, by a name that means nothing.
    """

    fail_on: str = "error"
    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    ignores: tuple[IgnoreConfig, ...] = ()
    severity: Mapping[str, str] = field(default_factory=dict)
    baseline: str = ""
    jobs: int = 1
    helm: str | None = None
    kustomize: str | None = None
    offline: bool = False
    allow_hosts: tuple[str, ...] | None = None
    exclude: tuple[str, ...] = ()
    charts: tuple[ChartConfig, ...] = ()
    references: tuple[ReferenceConfig, ...] = ()
    environments: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    timeout: float = 60.0
