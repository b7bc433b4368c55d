"""Charts of registries, dependencies and others: fetched once, never into the user's tree."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

from msgspec import Struct, field

from portproof.discover.model import Dependency, HelmTarget
from portproof.discover.remote_bases import RemoteBase
from portproof.discover.versions import is_exact
from portproof.render.scratch import Scratch
from portproof.render.tool_output import clean
from portproof.replacing import replace
from portproof.source import RelPath, Tree

if TYPE_CHECKING:
    from portproof.render.web import Web

SECONDS = 20.0
MAX_REMOTE_FILE = 5 * 1024 * 1024

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_VERSION = re.compile(r"[A-Za-z0-9.*xX^~<>=!|, +-]{0,100}|sha256:[0-9a-f]{64}")
_CREDENTIALS = re.compile(r"//[^/@\s]{0,500}@")


class FetchError(Exception):
    """A dependency is not there and cannot be fetched; the message is the reason to show."""


class Fetched(Struct, frozen=True):
    """An archive on disk, and the version that it is of."""

    archive: Path
    version: str


class Fetcher(Struct):
    """Fetches each chart at most once in a run, and asks a host that could not be reached only once.

    Exact versions are kept in `cache` across runs; what a constraint selects today lives as long as the run. `was_asked`
    says whether anything had to be looked for.
    """

    scratch: Scratch
    cache: Path
    offline: bool
    hosts: tuple[str, ...] | None
    environ: Mapping[str, str]
    seconds: float = SECONDS
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _locks: dict[tuple[str, str, str], threading.Lock] = field(default_factory=dict)
    _known: dict[tuple[str, str, str], Fetched | FetchError] = field(default_factory=dict)
    _unreachable: dict[str, str] = field(default_factory=dict)
    _bases: dict[tuple[str, str, str], Path | FetchError] = field(default_factory=dict)
    was_asked: bool = False
    _web: Web | None = None

    def fetch_all(self, target: HelmTarget) -> dict[RelPath, list[Path]]:
        """The archives that `target` lacks, by the place of the chart that wants them. Raises `FetchError`.

        What a vendored subchart lacks is not asked for: helm looks at the dependencies of the chart itself only, and
        renders and installs the rest as it lies there (seen with 3.19 and 4.1).
        """
        found: dict[RelPath, list[Path]] = {}
        missing = [one for one in target.missing if one.parent == "."]
        if not missing:
            return found
        if self.offline:
            raise FetchError(
                f"dependencies not vendored: {', '.join(_words(one) + _at(one) for one in missing)}; "
                f"run `helm dependency build {clean(target.chart)}` first, or drop --offline"
            )
        for dependency in missing:
            try:
                archive = self._fetch(dependency).archive
            except FetchError as error:
                raise FetchError(f"{error}{_at(dependency)}") from error
            found.setdefault(dependency.parent, []).append(archive)
        return found

    def fetch_some(self, target: HelmTarget) -> tuple[dict[RelPath, list[Path]], tuple[Dependency, ...]]:
        """The archives of those that can be had, by their place, and the dependencies that cannot."""
        found: dict[RelPath, list[Path]] = {}
        absent: list[Dependency] = []
        missing = [one for one in target.missing if one.parent == "."]
        if self.offline:
            return found, tuple(missing)
        for dependency in missing:
            try:
                archive = self._fetch(dependency).archive
            except FetchError:
                absent.append(dependency)
            else:
                found.setdefault(".", []).append(archive)
        return found, tuple(absent)

    def chart(self, wanted: Dependency) -> Fetched:
        """A chart that is installed from a registry. Raises `FetchError`."""
        if self.offline:
            raise FetchError(
                f"the chart {_words(wanted)} is not fetched with --offline; drop that to check it"
            )
        return self._fetch(wanted)

    def remote_file(self, base: RemoteBase) -> str:
        """The text of a file of a host. Raises `FetchError`."""
        return self._once(base, lambda web: web.get(base.address, MAX_REMOTE_FILE).good().body).read_text(
            "utf-8"
        )

    def remote_tree(self, base: RemoteBase) -> Tree:
        """The files of a git repository at a revision. Raises `FetchError`."""
        return Tree(self._once(replace(base, path="."), None))

    def _once(self, base: RemoteBase, read: Callable[[Web], bytes] | None) -> Path:
        """Where the file, or the folder of the repository, has been put, once in a run."""
        key = (base.address, "", base.ref)
        self.was_asked = True
        with self._lock:
            lock = self._locks.setdefault(key, threading.Lock())
        with lock:
            if key not in self._bases:
                try:
                    self._bases[key] = self._put_down(base, read)
                except FetchError as error:
                    self._bases[key] = error
            known = self._bases[key]
        if isinstance(known, FetchError):
            raise FetchError(str(known))
        return known

    def _put_down(self, base: RemoteBase, read: Callable[[Web], bytes] | None) -> Path:
        from portproof.render.gitfetch import files_at  # noqa: PLC0415
        from portproof.render.web import WebError  # noqa: PLC0415

        if self.offline or self.hosts is None or base.host in self._unreachable:
            raise FetchError(self._unreachable.get(base.host, "nobody allows it"))
        folder = self.scratch.fetched()
        try:
            web = self._asking()
            files = {"file": read(web)} if read else files_at(web, base.address, base.ref)
            if read:
                files["file"].decode("utf-8")
            for path, data in files.items():
                place = folder / path
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(data)
        except WebError as error:
            if error.unreachable:
                self._unreachable[base.host] = str(error)
            raise FetchError(clean(str(error))) from error
        except (OSError, UnicodeDecodeError) as error:
            raise FetchError("it cannot be stored, or is no text") from error
        return folder / "file" if read else folder

    def _asking(self) -> Web:
        from portproof.render.web import Web  # noqa: PLC0415 - start-up: few trees lack a chart

        with self._lock:
            self._web = self._web or Web(self.hosts, self.environ, self.seconds)
            return self._web

    def _fetch(self, dependency: Dependency) -> Fetched:
        key = (dependency.repository, dependency.name, dependency.version)
        self.was_asked = True
        with self._lock:
            lock = self._locks.setdefault(key, threading.Lock())
        with lock:
            if key not in self._known:
                try:
                    self._known[key] = _looked_through(dependency, self._cached_or_pulled(dependency))
                except FetchError as error:
                    self._known[key] = error
            known = self._known[key]
        if isinstance(known, FetchError):
            raise FetchError(str(known))
        return known

    def _cached_or_pulled(self, dependency: Dependency) -> Fetched:
        from portproof.render.archive_store import ArchiveStore  # noqa: PLC0415 - start-up: few trees lack a chart

        host = self._checked_host(dependency)
        asked = (dependency.repository, dependency.name, dependency.version)
        store = ArchiveStore(self.cache / "charts")
        lasts = is_exact(dependency.version) or dependency.version.startswith("sha256:")
        if lasts and (kept := store.read(*asked)) is not None:
            return self._laid_down(dependency, *kept)
        if host in self._unreachable:
            raise _failed(dependency, self._unreachable[host])
        version, archive = self._pull(dependency, host)
        if lasts:
            store.keep(*asked, version, archive)
        return self._laid_down(dependency, version, archive)

    def _checked_host(self, dependency: Dependency) -> str:
        """Host and port of a dependency's repository. Raises `FetchError` for what is not fetched at all."""
        parts = _checked_url(dependency)
        host = parts.hostname or ""
        if self.hosts is not None and host not in self.hosts:
            raise _failed(dependency, f"allow-hosts in portproof.yaml does not list {clean(host)}")
        return parts.netloc.rpartition("@")[2]

    def _pull(self, dependency: Dependency, host: str) -> tuple[str, bytes]:
        # start-up: few trees lack a chart
        from portproof.render.registry import find  # noqa: PLC0415
        from portproof.render.web import WebError  # noqa: PLC0415

        try:
            found = find(self._asking(), dependency.repository, dependency.name, dependency.version)
        except WebError as error:
            reason = clean(_CREDENTIALS.sub("//", str(error)))
            if error.unreachable:
                self._unreachable[host] = reason
            raise _failed(dependency, reason) from error
        return found.version, found.archive

    def _laid_down(self, dependency: Dependency, version: str, archive: bytes) -> Fetched:
        """The archive as a file that helm may read, in a folder of its own: helm takes names of files literally."""
        folder = self.scratch.fetched()
        file = folder / f"{dependency.name}.tgz"
        file.write_bytes(archive)
        return Fetched(file, version)


def is_named(dependency: Dependency) -> bool:
    """Whether the name of a dependency is one that helm accepts."""
    return _NAME.fullmatch(dependency.name) is not None


def _looked_through(dependency: Dependency, fetched: Fetched) -> Fetched:
    from portproof.render.archives import ArchiveError, look_through  # noqa: PLC0415 - start-up: tarfile

    try:
        look_through(fetched.archive)
    except ArchiveError as error:
        raise FetchError(f"the archive of {_what(dependency)} {error}") from error
    return fetched


def _checked_url(dependency: Dependency) -> SplitResult:
    repository = dependency.repository
    if not _NAME.fullmatch(dependency.name) or not _VERSION.fullmatch(dependency.version):
        raise _failed(dependency, "helm does not accept its name or version")
    if not repository:
        raise _failed(dependency, "it names no repository")
    if repository.startswith(("@", "alias:")):
        raise _failed(
            dependency, "its repository is an alias, which is known only to the machine that defines it"
        )
    try:
        parts = urlsplit(repository)
        host = parts.hostname or ""
    except ValueError:
        raise _failed(dependency, "its repository is not a URL") from None
    if parts.scheme not in ("https", "http", "oci") or not host or not repository.isprintable():
        raise _failed(dependency, "only https, http and oci repositories are fetched")
    return parts


def _failed(dependency: Dependency, reason: str) -> FetchError:
    return FetchError(f"{_what(dependency).removeprefix('the ')} could not be fetched: {reason}")


def _what(dependency: Dependency) -> str:
    return f"the {'dependency' if dependency.parent else 'chart'} {_words(dependency)}"


def _at(dependency: Dependency) -> str:
    return f" ({clean(dependency.place)})" if dependency.place else ""


def _words(dependency: Dependency) -> str:
    """``redis 17.0.0 from https://charts.example.com``, without a password that a URL may hold."""
    repository = _CREDENTIALS.sub("//", dependency.repository)
    named = f"{dependency.name} {dependency.version}".strip()
    return clean(f"{named} from {repository}" if repository else named).replace("\n", " ")
