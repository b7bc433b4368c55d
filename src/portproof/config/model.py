"""What the larger settings hold, and the words that a configuration may use."""

from __future__ import annotations

from dataclasses import dataclass, field

from msgspec import Struct

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
    what the templates learn of the cluster. Without `defaults` the chart is never rendered with its own values only. `sets` are single values
    over those of all files, and with `alone` nothing but `values` counts: both are said on a command line only. `line` is where the chart is named, `value_lines` where each of `values` is.
    """

    path: str
    values: tuple[tuple[str, ...], ...] = ()
    release: str | None = None
    namespace: str | None = None
    kube_version: str | None = None
    api_versions: tuple[str, ...] = ()
    defaults: bool = True
    sets: tuple[str, ...] = ()
    alone: bool = False
    line: int = field(default=0, compare=False)
    value_lines: tuple[int, ...] = field(default=(), compare=False)


class EnvironmentConfig(Struct, frozen=True):
    """Targets that are deployed together: globs of their ids; `complete` says that there is nothing else."""

    targets: tuple[str, ...]
    complete: bool = False


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


class ReferenceConfig(Struct, frozen=True):
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
