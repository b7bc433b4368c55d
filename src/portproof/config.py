"""``portproof.yaml`` and the flags of the command line -> `Config`, checked once and complete.

The file comes with the repository, so a pull request can change it: it cannot
name programs to run (``--helm`` and ``--kustomize`` are flags only), and its
numbers are bounded. Rule ids are checked where the rules are known.

`matches` says which paths a glob of the configuration means.
"""

from __future__ import annotations

import difflib
import fnmatch
import math
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, TypeAlias

from portproof.errors import ConfigError
from portproof.source import LineIndex, SourceError, normalise, read_text
from portproof.yamldoc import Document, FieldPath, YamlError, documents, format_path

NAMES = ("portproof.yaml", ".portproof.yaml")
FAIL_ON = ("error", "warning", "note", "never")
MAX_JOBS = 256
MAX_TIMEOUT = 600
MAX_GLOB = 256
MAX_GLOBS = 100
_NEXT_STEP = "Correct the file, or leave the key out to get the default."
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?\Z")
_PROGRAMS = ("helm", "kustomize")


@dataclass(frozen=True, slots=True)
class ChartConfig:
    """What the configuration says about the charts whose folder matches the glob `path`.

    Each entry of `values` makes one more target; it lists values files in helm's order. They are relative to the
    chart's folder, or to the root of the repository when they start with ``/``.
    """

    path: str
    values: tuple[tuple[str, ...], ...] = ()
    release: str | None = None
    namespace: str | None = None


@dataclass(frozen=True, slots=True)
class FileConfig:
    """What a configuration file says; None where it is silent. `path` names the file in messages."""

    path: str | None = None
    fail_on: str | None = None
    select: tuple[str, ...] | None = None
    ignore: tuple[str, ...] | None = None
    jobs: int | None = None
    offline: bool | None = None
    timeout: float | None = None
    exclude: tuple[str, ...] = ()
    charts: tuple[ChartConfig, ...] = ()


@dataclass(frozen=True, slots=True)
class Flags:
    """What the command line says; None where it is silent."""

    fail_on: str | None = None
    select: tuple[str, ...] | None = None
    ignore: tuple[str, ...] | None = None
    jobs: int | None = None
    helm: str | None = None
    kustomize: str | None = None
    offline: bool = False


@dataclass(frozen=True, slots=True)
class Config:
    """Everything a run needs to know. An empty `select` means every rule.

    `exclude` are globs of paths that are never looked at; `timeout` is in seconds, for one render.
    """

    fail_on: str = "error"
    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    jobs: int = 1
    helm: str | None = None
    kustomize: str | None = None
    offline: bool = False
    exclude: tuple[str, ...] = ()
    charts: tuple[ChartConfig, ...] = ()
    timeout: float = 60.0


def load(root: Path, given: str | None = None) -> FileConfig:
    """Read the file `given`, else ``portproof.yaml`` or ``.portproof.yaml`` at `root`, else nothing.

    Raises `ConfigError` for a file that is missing, ambiguous or wrong.
    """
    if given is not None:
        return parse(_read(Path(given), given), given)
    found = [name for name in NAMES if os.path.lexists(root / name)]
    if len(found) > 1:
        raise ConfigError(
            f"both {found[0]} and {found[1]} exist", next_step="Keep one, or name one with --config."
        )
    if not found:
        return FileConfig()
    if not (root / found[0]).resolve().is_relative_to(root.resolve()):
        raise ConfigError(
            f"{found[0]} is a link that leads out of the repository",
            next_step="Put the file itself into the repository, or name it with --config.",
        )
    return parse(_read(root / found[0], found[0]), found[0])


def parse(text: str, name: str) -> FileConfig:
    """Check the text of the configuration file that is called `name`. Raises `ConfigError`."""
    try:
        found = [document for document in documents(text) if document.data is not None]
    except YamlError as error:
        raise ConfigError(
            f"{name}:{error.line}: not valid YAML: {error.problem}", next_step="Correct the file."
        ) from error
    if not found:
        return FileConfig(path=name)
    if len(found) > 1:
        raise ConfigError(f"{name}: more than one document", next_step="Put all keys into one document.")
    return FileConfig(path=name, **_checked(_Place(name, text, found[0], ()), found[0].data, _KEYS))


def merge(file: FileConfig, flags: Flags | None = None) -> Config:
    """Put flags over file over defaults; a flag that is given replaces what the file says.

    Offline is the exception: either can switch the network off, neither can switch it on again.
    """
    flags = flags or Flags()
    defaults = Config()
    return Config(
        fail_on=_first(flags.fail_on, file.fail_on, defaults.fail_on),
        select=_first(flags.select, file.select, defaults.select),
        ignore=_first(flags.ignore, file.ignore, defaults.ignore),
        jobs=_first(flags.jobs, file.jobs, default_jobs()),
        helm=flags.helm,
        kustomize=flags.kustomize,
        offline=flags.offline or bool(file.offline),
        exclude=file.exclude,
        charts=file.charts,
        timeout=_first(file.timeout, defaults.timeout),
    )


def matches(pattern: str, path: str) -> bool:
    """Whether the glob `pattern` means `path`, from the root: ``*`` stays in one folder, ``**`` is any number of them.

    Its cost is bounded by the product of both lengths, whoever wrote the pattern.
    """
    steps = pattern.strip("/").split("/")
    positions = _skip_stars(steps, {0})
    for name in path.split("/"):
        moved = set()
        for position in positions:
            if position < len(steps) and steps[position] == "**":
                moved.add(position)
            elif position < len(steps) and fnmatch.fnmatchcase(name, steps[position]):
                moved.add(position + 1)
        positions = _skip_stars(steps, moved)
    return len(steps) in positions


def default_jobs(cgroups: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")) -> int:
    """The processors that this process may use: its affinity, and the CPU quota of its control groups."""
    affinity = getattr(os, "sched_getaffinity", None)
    count = len(affinity(0)) if affinity else os.cpu_count() or 1
    quota = _cpu_quota(cgroups, own)
    return max(1, min(count, math.ceil(quota)) if quota else count)


def _skip_stars(steps: list[str], positions: set[int]) -> set[int]:
    """Add the positions that are reached when each ``**`` stands for no folder at all."""
    reached = set(positions)
    for index, step in enumerate(steps):
        if index in reached and step == "**":
            reached.add(index + 1)
    return reached


def _cpu_quota(cgroups: Path, own: Path) -> float | None:
    """The lowest CPU quota from our control group up to the root (version 2, else version 1); None without one."""
    try:
        group = next(line[3:].strip() for line in own.read_text().splitlines() if line.startswith("0::"))
    except (OSError, StopIteration):
        group = "/"
    folder = cgroups / group.strip("/") if ".." not in group else cgroups
    quotas = []
    for place in (folder, *folder.parents):
        if not place.is_relative_to(cgroups):
            break
        quotas.append(_ratio(_words(place / "cpu.max")))
    old = cgroups / "cpu"
    quotas.append(_ratio(_words(old / "cpu.cfs_quota_us") + _words(old / "cpu.cfs_period_us")))
    return min((quota for quota in quotas if quota), default=None)


def _words(file: Path) -> list[str]:
    try:
        return file.read_text().split()
    except OSError:
        return []


def _ratio(words: list[str]) -> float | None:
    try:
        quota, period = (int(word) for word in words)
    except ValueError:  # "max", or not there
        return None
    return quota / period if quota > 0 and period > 0 else None


def _first(*values: Any) -> Any:
    return next(value for value in values if value is not None)


def _read(file: Path, name: str) -> str:
    if not file.is_file():
        raise ConfigError(f"{name}: no such file", next_step="Give --config the path of a YAML file.")
    try:
        return read_text(file, name)
    except SourceError as error:
        raise ConfigError(str(error), next_step="Make it a readable UTF-8 file.") from error


@dataclass(frozen=True, slots=True)
class _Place:
    """A value of the file, so that every message can name file, line and key."""

    name: str
    text: str
    document: Document
    path: FieldPath

    def at(self, step: str | int) -> _Place:
        return _Place(self.name, self.text, self.document, (*self.path, step))

    def refuse(self, problem: str, next_step: str = _NEXT_STEP) -> NoReturn:
        key = f"{format_path(self.path)}: " if self.path else ""
        raise ConfigError(f"{self.name}:{self._line()}: {key}{problem}", next_step=next_step)

    def _line(self) -> int:
        """The line of the key; of the first scalar below the place when it has no key."""
        size = len(self.path)
        below = [span.start for path, span in self.document.spans.items() if path[:size] == self.path]
        start = min(below, default=len(self.text))
        key = self.path[-1] if self.path else 0
        if isinstance(key, str):
            found = list(
                re.finditer(rf"""(?<![\w-])["']?{re.escape(key)}["']?\s*:""", self.text[: start + 1])
            )
            start = found[-1].start() if found else start
        return LineIndex.of(self.text).position(start)[0]


_Check: TypeAlias = Callable[[_Place, Any], Any]


def _checked(place: _Place, data: Any, keys: Mapping[str, _Check]) -> dict[str, Any]:
    """The checked values of a mapping, by field name; refuses keys that are not in `keys`."""
    if not isinstance(data, dict):
        place.refuse(f"expected a mapping with the keys {', '.join(keys)}, got {_describe(data)}")
    checked = {}
    for key, value in data.items():
        here = place.at(key)
        if key not in keys:
            here.refuse("unknown key", _suggest(key, keys, top=not place.path))
        if value is not None:  # a key without a value is as good as no key
            checked[key.replace("-", "_")] = keys[key](here, value)
    return checked


def _suggest(key: str, keys: Mapping[str, _Check], *, top: bool) -> str:
    if top and key in _PROGRAMS:
        return f"A file of the repository cannot choose the program: use --{key} or PORTPROOF_{key.upper()}."
    near = difflib.get_close_matches(key.lower().replace("_", "-"), keys, n=1, cutoff=0.5)
    return f"Did you mean {near[0]!r}?" if near else f"Known keys: {', '.join(keys)}."


def _describe(value: Any) -> str:
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    return "true" if value is True else "false" if value is False else repr(value)


def _string(place: _Place, value: Any) -> str:
    if not isinstance(value, str) or not value:
        place.refuse(f"expected text, got {_describe(value)}", "Write it in quotes.")
    return value


def _strings(place: _Place, value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        return (_string(place, value),)
    if not isinstance(value, list):
        place.refuse(f"expected a list of texts, got {_describe(value)}")
    return tuple(_string(place.at(index), item) for index, item in enumerate(value))


def _fail_on(place: _Place, value: Any) -> str:
    if value not in FAIL_ON:
        place.refuse(f"expected one of {', '.join(FAIL_ON)}, got {_describe(value)}")
    return str(value)


def _jobs(place: _Place, value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= MAX_JOBS:
        place.refuse(f"expected a whole number from 1 to {MAX_JOBS}, got {_describe(value)}")
    return value


def _timeout(place: _Place, value: Any) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value <= MAX_TIMEOUT:
        place.refuse(f"expected seconds, more than 0 and at most {MAX_TIMEOUT}, got {_describe(value)}")
    return float(value)


def _boolean(place: _Place, value: Any) -> bool:
    if not isinstance(value, bool):
        place.refuse(f"expected true or false, got {_describe(value)}")
    return value


def _glob(place: _Place, value: Any) -> str:
    text = normalise(_string(place, value).lstrip("/"))
    if text is None:
        place.refuse(f"{value!r} leads out of the repository", "Write it from the root of the repository.")
    if len(text) > MAX_GLOB:
        place.refuse(f"longer than {MAX_GLOB} characters")
    return text


def _globs(place: _Place, value: Any) -> tuple[str, ...]:
    if len(_strings(place, value)) > MAX_GLOBS:
        place.refuse(f"more than {MAX_GLOBS} entries")
    return tuple(
        _glob(place.at(index) if isinstance(value, list) else place, item)
        for index, item in enumerate(value if isinstance(value, list) else [value])
    )


def _values_file(place: _Place, value: Any) -> str:
    if "://" in _string(place, value):
        place.refuse(f"{value!r} is an address", "Name a file of the repository.")
    return str(value)


def _values(place: _Place, value: Any) -> tuple[tuple[str, ...], ...]:
    if not isinstance(value, list):
        place.refuse(f"expected a list of files, or of lists of files, got {_describe(value)}")
    entries = []
    for index, item in enumerate(value):
        here = place.at(index)
        if isinstance(item, list) and item:
            entries.append(tuple(_values_file(here.at(nth), file) for nth, file in enumerate(item)))
        else:
            entries.append((_values_file(here, item),))
    return tuple(entries)


def _label(limit: int) -> _Check:
    def check(place: _Place, value: Any) -> str:
        if not isinstance(value, str) or len(value) > limit or not _LABEL.match(value):
            place.refuse(
                f"expected at most {limit} lower-case letters, digits and hyphens that start and end with a letter "
                f"or digit, got {_describe(value)}"
            )
        return value

    return check


def _chart(place: _Place, value: Any) -> ChartConfig:
    fields = _checked(place, value, _CHART_KEYS)
    if "path" not in fields:
        place.refuse("the key 'path' is missing", "Say which charts this entry is about: path: charts/*")
    return ChartConfig(**fields)


def _charts(place: _Place, value: Any) -> tuple[ChartConfig, ...]:
    if not isinstance(value, list):
        place.refuse(f"expected a list, got {_describe(value)}", "Start each chart with '- path:'.")
    return tuple(_chart(place.at(index), item) for index, item in enumerate(value))


_CHART_KEYS: Mapping[str, _Check] = {
    "path": _glob,
    "values": _values,
    "release": _label(53),  # helm's own limit
    "namespace": _label(63),
}
_KEYS: Mapping[str, _Check] = {
    "fail-on": _fail_on,
    "select": _strings,
    "ignore": _strings,
    "jobs": _jobs,
    "offline": _boolean,
    "timeout": _timeout,
    "exclude": _globs,
    "charts": _charts,
}
