"""Chart dependencies that are not vendored: fetched once, with ``helm pull``, never into the user's tree."""

from __future__ import annotations

import ipaddress
import re
import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from portproof import files, process
from portproof.discover.model import Dependency, HelmTarget
from portproof.process import Completed, Ending, Limits
from portproof.render.sandboxes import Sandboxes
from portproof.render.scratch import HELM_MEMORY, Scratch
from portproof.render.tool_output import clean, error_text, stopped
from portproof.source import RelPath

MAX_ARCHIVE_BYTES = 100 * process.MIB
SECONDS = 20.0

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_VERSION = re.compile(r"[A-Za-z0-9.*xX^~<>=!|, +-]{0,100}")
_EXACT = re.compile(r"v?\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?")
_CREDENTIALS = re.compile(r"//[^/@\s]{0,500}@")
_UNREACHABLE = re.compile(
    r"dial tcp|connection re(?:fused|set)|no such host|i/o timeout|TLS handshake|network is unreachable|no route to host"
    r"|proxyconnect|x509|deadline exceeded|Client\.Timeout|server misbehaving"
)


class FetchError(Exception):
    """A dependency is not there and cannot be fetched; the message is the reason to show."""


@dataclass(slots=True)
class Fetcher:
    """Fetches each dependency at most once in a run, and asks a host that could not be reached only once.

    Exact versions are kept in `cache` across runs; what a constraint selects today lives as long as the run.
    """

    scratch: Scratch
    confines: Sandboxes
    cache: Path
    offline: bool
    hosts: tuple[str, ...] | None
    environ: Mapping[str, str]
    seconds: float = SECONDS
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _locks: dict[tuple[str, str, str], threading.Lock] = field(default_factory=dict)
    _known: dict[tuple[str, str, str], Path | FetchError] = field(default_factory=dict)
    _unreachable: dict[str, str] = field(default_factory=dict)

    def fetch_all(self, target: HelmTarget, helm: tuple[str, ...]) -> dict[RelPath, list[Path]]:
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
                archive = self._fetch(dependency, helm)
            except FetchError as error:
                raise FetchError(f"{error}{_at(dependency)}") from error
            found.setdefault(dependency.parent, []).append(archive)
        return found

    def fetch_some(
        self, target: HelmTarget, helm: tuple[str, ...]
    ) -> tuple[dict[RelPath, list[Path]], tuple[Dependency, ...]]:
        """The archives of those that can be had, by their place, and the dependencies that cannot."""
        found: dict[RelPath, list[Path]] = {}
        absent: list[Dependency] = []
        missing = [one for one in target.missing if one.parent == "."]
        if self.offline:
            return found, tuple(missing)
        for dependency in missing:
            try:
                archive = self._fetch(dependency, helm)
            except FetchError:
                absent.append(dependency)
            else:
                found.setdefault(".", []).append(archive)
        return found, tuple(absent)

    def _fetch(self, dependency: Dependency, helm: tuple[str, ...]) -> Path:
        key = (dependency.repository, dependency.name, dependency.version)
        with self._lock:
            lock = self._locks.setdefault(key, threading.Lock())
        with lock:
            if key not in self._known:
                try:
                    self._known[key] = _looked_through(dependency, self._cached_or_pulled(dependency, helm))
                except FetchError as error:
                    self._known[key] = error
            known = self._known[key]
        if isinstance(known, FetchError):
            raise FetchError(str(known))
        return known

    def _cached_or_pulled(self, dependency: Dependency, helm: tuple[str, ...]) -> Path:
        host = self._checked_host(dependency)
        kept = self._place(dependency) if _EXACT.fullmatch(dependency.version) else None
        if kept is not None and kept.is_file():
            return kept
        if host in self._unreachable:
            raise _failed(dependency, self._unreachable[host])
        if self.hosts is None:
            self._refuse_private(dependency)
        pulled = self._pull(dependency, host, helm)
        return _keep(pulled, kept) if kept is not None else pulled

    def _checked_host(self, dependency: Dependency) -> str:
        """Host and port of a dependency's repository. Raises `FetchError` for what is not fetched at all."""
        parts = _checked_url(dependency)
        host = parts.hostname or ""
        if self.hosts is not None and host not in self.hosts:
            raise _failed(dependency, f"allow-hosts in portproof.yaml does not list {clean(host)}")
        return parts.netloc.rpartition("@")[2]

    def _refuse_private(self, dependency: Dependency) -> None:
        """Addresses of this machine, of its network and of the cloud it runs in are for its owner alone to allow.

        Where a proxy fetches, it is the proxy that looks names up.
        """
        parts = _checked_url(dependency)
        host = parts.hostname or ""
        scheme = "http" if parts.scheme == "http" else "https"
        proxied = any(self.environ.get(name) for name in (f"{scheme}_proxy", f"{scheme}_proxy".upper()))
        try:
            addresses = [ipaddress.ip_address(host)]
        except ValueError:
            addresses = [] if proxied else _addresses(host)
        private = [one for one in addresses if not (getattr(one, "ipv4_mapped", None) or one).is_global]
        if private:
            raise _failed(
                dependency,
                "its repository has an address that is not public; to allow it, list the host under allow-hosts in portproof.yaml",
            )

    def _pull(self, dependency: Dependency, host: str, helm: tuple[str, ...]) -> Path:
        folder = self.scratch.home / "pulled" / uuid.uuid4().hex
        folder.mkdir()
        limits = self.confines.limits(self.seconds, HELM_MEMORY, MAX_ARCHIVE_BYTES)
        command = [*helm, "pull", *_what(dependency), f"--destination={folder}"]
        if dependency.version:
            command.append(f"--version={dependency.version}")
        environment = self.scratch.network_environment(self.environ)
        launcher = self.confines.fetching(helm[0], self.environ)
        done = process.run(command, env=environment, cwd=self.scratch.cwd, limits=limits, launcher=launcher)
        archives = list(folder.glob("*.tgz"))
        if done.ok and len(archives) == 1:
            return archives[0]
        reason = _reason(done, limits)
        if done.ending is Ending.TIMEOUT or _UNREACHABLE.search(reason):
            self._unreachable[host] = reason
        raise _failed(dependency, reason)

    def _place(self, dependency: Dependency) -> Path:
        import hashlib  # noqa: PLC0415 - start-up: few charts lack a dependency

        key = f"{dependency.repository}\n{dependency.name}\n{dependency.version}"
        digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:16]
        return self.cache / "charts" / digest / f"{dependency.name}-{dependency.version}.tgz"


def is_named(dependency: Dependency) -> bool:
    """Whether the name of a dependency is one that helm accepts."""
    return _NAME.fullmatch(dependency.name) is not None


def _looked_through(dependency: Dependency, archive: Path) -> Path:
    from portproof.render.archives import ArchiveError, look_through  # noqa: PLC0415 - start-up: tarfile

    try:
        look_through(archive)
    except ArchiveError as error:
        raise FetchError(f"the archive of the dependency {_words(dependency)} {error}") from error
    return archive


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


def _addresses(host: str) -> list[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    """What a name stands for; empty where it cannot be looked up, which helm then says better."""
    import socket  # noqa: PLC0415 - start-up: few charts lack a dependency

    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    return [ipaddress.ip_address(str(one[4][0]).partition("%")[0]) for one in found]


def _what(dependency: Dependency) -> list[str]:
    if dependency.repository.startswith("oci://"):
        return [f"{dependency.repository.rstrip('/')}/{dependency.name}"]
    return [dependency.name, f"--repo={dependency.repository}"]


def _keep(pulled: Path, kept: Path) -> Path:
    """Put an archive into the cache in one step, so that another run never sees half of it."""
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        files.replace(kept, pulled.read_bytes())
    except OSError:  # a cache that cannot be written costs time, nothing else
        return pulled
    return kept


def _reason(done: Completed, limits: Limits) -> str:
    """The cause in one line of helm's."""
    stop = stopped("helm pull", done, limits)
    if stop is not None:
        return stop
    lines = clean(_CREDENTIALS.sub("//", error_text(done.stderr))).splitlines()
    return lines[0] if lines else "helm pull gave no archive"


def _failed(dependency: Dependency, reason: str) -> FetchError:
    return FetchError(f"dependency {_words(dependency)} could not be fetched: {reason}")


def _at(dependency: Dependency) -> str:
    return f" ({clean(dependency.place)})" if dependency.place else ""


def _words(dependency: Dependency) -> str:
    """``redis 17.0.0 from https://charts.example.com``, without a password that a URL may hold."""
    repository = _CREDENTIALS.sub("//", dependency.repository)
    named = f"{dependency.name} {dependency.version}".strip()
    return clean(f"{named} from {repository}" if repository else named).replace("\n", " ")
