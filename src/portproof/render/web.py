"""The door to other hosts: which of them are asked, at which addresses, how much they may send, and for how long.

What `hosts` names is asked, wherever it is; None stands for every host with a public address. An address is looked up once,
checked, and connected to. A host that is asked may send on to another one (a redirect, its service for tokens): only over
https, and only to a public address.
"""

from __future__ import annotations

import base64
import http.client
import ipaddress
import socket
import ssl
import threading
import time
import urllib.request
import zlib
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from urllib.parse import SplitResult, unquote, urljoin, urlsplit

from msgspec import Struct

from portproof.replacing import replace

MAX_REDIRECTS = 5
MAX_URL = 2000
_CONNECT_SECONDS = 5.0
_CHUNK = 64 * 1024
_REDIRECTS = (301, 302, 303, 307, 308)
_PORTS = {"http": 80, "https": 443}


class WebError(Exception):
    """A host is not asked, or gives no answer that can be used; the message is the reason.

    `unreachable` says that the host itself could not be reached: another question would have to wait as long.
    """

    def __init__(self, reason: str, *, unreachable: bool = False) -> None:
        super().__init__(reason)
        self.unreachable = unreachable


class Answer(Struct, frozen=True):
    """What a host answered; `url` is where it came from in the end."""

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes

    def good(self) -> Answer:
        """The answer itself. Raises `WebError` for one that is none to the question."""
        if self.status != 200:
            parts = urlsplit(self.url)
            raise WebError(f"{parts.hostname} answers {self.status} for {parts.path[:200] or '/'}")
        return self


class _Question(Struct, frozen=True):
    """What is sent along with an address, and how many bytes may come back."""

    headers: Mapping[str, str]
    limit: int
    body: bytes | None = None


class Web(Struct):
    """Asks hosts. `environ` is where proxies and certificates come from; one question may take `seconds`."""

    hosts: tuple[str, ...] | None
    environ: Mapping[str, str]
    seconds: float
    _context: ssl.SSLContext | None = None

    def check(self, url: str) -> SplitResult:
        """The parts of an address that somebody wrote. Raises `WebError` unless its host may be asked."""
        parts = _parts(url)
        host = parts.hostname or ""
        if self.hosts is not None and host not in self.hosts:
            raise WebError(f"allow-hosts in portproof.yaml does not list {host}")
        return parts

    def get(
        self,
        url: str,
        limit: int,
        headers: Mapping[str, str] | None = None,
        *,
        onward: bool = False,
    ) -> Answer:
        """The answer, of at most `limit` bytes, whatever its status unless that leads elsewhere. Raises `WebError`.

        With `onward` another host has named the address. Credentials, in `headers` or in the address, are for that host.
        """
        deadline = time.monotonic() + self.seconds
        parts = _parts(url) if onward else self.check(url)
        asked = _Question({**(headers or {}), **_basic(parts)}, limit)
        for _ in range(MAX_REDIRECTS + 1):
            answer = self._ask(parts, self._addresses(parts, onward=onward), asked, deadline)
            if answer.status not in _REDIRECTS:
                return answer
            there = _parts(urljoin(answer.url, answer.headers.get("location", "")))
            if parts.scheme == "https" and there.scheme != "https":
                raise WebError(f"{parts.hostname} redirects from https to {there.scheme}")
            if there.netloc != parts.netloc:
                bare = {key: value for key, value in asked.headers.items() if key != "Authorization"}
                asked, onward = replace(asked, headers=bare), True
            parts = there
        raise WebError(f"{parts.hostname} redirects too often")

    def post(self, url: str, body: bytes, limit: int, headers: Mapping[str, str]) -> Answer:
        """The answer to what is sent, which is not sent on anywhere. Raises `WebError`."""
        parts = self.check(url)
        asked = _Question(headers, limit, body)
        deadline = time.monotonic() + self.seconds
        return self._ask(parts, self._addresses(parts, onward=False), asked, deadline)

    def _addresses(self, parts: SplitResult, *, onward: bool) -> list[str]:
        """The addresses of a host, none where a proxy looks it up. Raises `WebError` for one that is not to be asked."""
        host = parts.hostname or ""
        named = self.hosts is not None and host in self.hosts
        if onward and not named and parts.scheme != "https":
            raise WebError(f"{host}, which another host named, is not asked without https")
        proxied = self._proxy(parts) is not None
        try:
            found = [ipaddress.ip_address(host)]
        except ValueError:
            found = [] if proxied else _looked_up(host)
        if not named and any(not (getattr(one, "ipv4_mapped", None) or one).is_global for one in found):
            raise WebError(
                f"{host} has an address that is not public; to allow it, list the host under allow-hosts in portproof.yaml"
            )
        return [] if proxied else [str(one) for one in found]

    def _ask(
        self,
        parts: SplitResult,
        addresses: list[str],
        asked: _Question,
        deadline: float,
    ) -> Answer:
        """One question, without following where the answer leads."""
        host = parts.hostname or ""
        left = deadline - time.monotonic()
        if left <= 0:
            raise WebError(f"{host} did not answer within {self.seconds:g} s", unreachable=True)
        path = parts.path or "/"
        target = f"{path}?{parts.query}" if parts.query else path
        connection, target, more = self._connection(parts, addresses, target, min(left, _CONNECT_SECONDS))
        clock = threading.Timer(left, _cut, [connection])
        clock.daemon = True
        clock.start()
        try:
            with closing(connection):
                sent = {"User-Agent": "portproof", "Accept": "*/*", **more, **asked.headers}
                connection.request("GET" if asked.body is None else "POST", target, asked.body, headers=sent)
                with connection.getresponse() as response:
                    body = b"" if response.status in _REDIRECTS else _body(response, asked.limit, deadline)
        except ssl.SSLError as error:
            reason = getattr(error, "verify_message", "") or error.reason or "no TLS"
            raise WebError(f"{host}: {str(reason).lower()}", unreachable=True) from error
        except (OSError, http.client.HTTPException) as error:
            late = time.monotonic() >= deadline
            reason = f"no answer within {self.seconds:g} s" if late else _reason(error)
            raise WebError(f"{host}: {reason}", unreachable=True) from error
        finally:
            clock.cancel()
        found = {name.lower(): value for name, value in response.getheaders()}
        if found.get("content-encoding", "").lower() == "gzip" and "Accept-Encoding" in asked.headers:
            body = _unpacked(body, asked.limit)
        return Answer(parts._replace(netloc=_bare(parts)).geturl(), response.status, found, body)

    def _connection(
        self, parts: SplitResult, addresses: list[str], target: str, seconds: float
    ) -> tuple[http.client.HTTPConnection, str, Mapping[str, str]]:
        """A connection that is not made yet, what to ask for on it, and with which headers more."""
        host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
        proxy = self._proxy(parts)
        if proxy is None:
            if parts.scheme == "https":
                return _Https(host, port, addresses, seconds, self._certificates()), target, {}
            return _Http(host, port, addresses, seconds), target, {}
        at = _parts(proxy)
        given = {"Proxy-" + key: value for key, value in _basic(at).items()}
        if parts.scheme == "http":
            plain = http.client.HTTPConnection(at.hostname or "", at.port or 80, timeout=seconds)
            return plain, parts._replace(netloc=_bare(parts), fragment="").geturl(), given
        through = http.client.HTTPSConnection(
            at.hostname or "", at.port or 80, timeout=seconds, context=self._certificates()
        )
        through.set_tunnel(host, port, given)
        return through, target, {}

    def _proxy(self, parts: SplitResult) -> str | None:
        """The proxy for an address; as everywhere, none for this machine and for what ``NO_PROXY`` lists."""
        name = f"{parts.scheme}_proxy"
        found = self.environ.get(name) or self.environ.get(name.upper())
        if not found or parts.hostname == "localhost" or (parts.hostname or "").startswith("127."):
            return None
        listed = self.environ.get("no_proxy") or self.environ.get("NO_PROXY") or ""
        if urllib.request.proxy_bypass_environment(parts.netloc.rpartition("@")[2], {"no": listed}):  # type: ignore[attr-defined]
            return None
        return found if "://" in found else f"http://{found}"

    def _certificates(self) -> ssl.SSLContext:
        if self._context is None:
            file, folder = self.environ.get("SSL_CERT_FILE"), self.environ.get("SSL_CERT_DIR")
            try:
                self._context = ssl.create_default_context(cafile=file, capath=folder)
            except OSError as error:
                raise WebError(f"the certificates cannot be read: {_reason(error)}") from error
        return self._context


class _Http(http.client.HTTPConnection):
    """Connects to an address that has been checked, whatever the name stands for by now."""

    def __init__(self, host: str, port: int, addresses: list[str], seconds: float) -> None:
        super().__init__(host, port, timeout=seconds)
        self._addresses = addresses

    def connect(self) -> None:
        self.sock = _connected(self._addresses, self.port, self.timeout)


class _Https(http.client.HTTPSConnection):
    """The same with TLS, for the name."""

    def __init__(
        self, host: str, port: int, addresses: list[str], seconds: float, context: ssl.SSLContext
    ) -> None:
        super().__init__(host, port, timeout=seconds, context=context)
        self._addresses, self._tls = addresses, context

    def connect(self) -> None:
        plain = _connected(self._addresses, self.port, self.timeout)
        self.sock = self._tls.wrap_socket(plain, server_hostname=self.host)


def _connected(addresses: list[str], port: int, seconds: float | None) -> socket.socket:
    """A connection to the first of the addresses that takes one. Raises `OSError`."""
    failed: OSError = OSError("no such host")
    for address in addresses:
        try:
            return socket.create_connection((address, port), seconds)
        except OSError as error:
            failed = error
    raise failed


def _parts(url: str) -> SplitResult:
    if url.isprintable() and " " not in url and len(url) <= MAX_URL:
        with suppress(ValueError):
            parts = urlsplit(url)
            if parts.scheme in _PORTS and parts.hostname and parts.port != 0:
                return parts
    raise WebError("an address that is not one of http or https")


def _looked_up(host: str) -> list[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise WebError(f"{host}: no such host", unreachable=True) from error
    return [ipaddress.ip_address(str(one[4][0]).partition("%")[0]) for one in found]


def _basic(parts: SplitResult) -> Mapping[str, str]:
    """What an address with a name and a password in it means."""
    if parts.username is None:
        return {}
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}


def _bare(parts: SplitResult) -> str:
    """Host and port, without a name and a password."""
    return parts.netloc.rpartition("@")[2]


def _cut(connection: http.client.HTTPConnection) -> None:
    """End a connection from another thread: whoever reads from it gets an error."""
    with suppress(OSError, AttributeError):
        connection.sock.shutdown(socket.SHUT_RDWR)


def _body(response: http.client.HTTPResponse, limit: int, deadline: float) -> bytes:
    """What is sent. Raises `WebError` beyond `limit` bytes, and `OSError` when it ends early or is late."""
    parts = []
    size = 0
    for part in _chunks(response):
        size += len(part)
        if size > limit:
            raise WebError(f"the answer is larger than {_size(limit)}")
        if time.monotonic() > deadline:
            raise TimeoutError
        parts.append(part)
    if response.length:
        raise OSError("the answer ended early")
    return b"".join(parts)


def _chunks(response: http.client.HTTPResponse) -> Iterator[bytes]:
    while part := response.read1(_CHUNK):
        yield part


def _unpacked(body: bytes, limit: int) -> bytes:
    """What was sent gzipped; the limit is for what it unfolds to."""
    unfolding = zlib.decompressobj(16 + zlib.MAX_WBITS)
    try:
        found = unfolding.decompress(body, limit + 1)
    except zlib.error as error:
        raise WebError("the answer is not gzip as it says") from error
    if len(found) > limit:
        raise WebError(f"the answer is larger than {_size(limit)}")
    return found


def _size(limit: int) -> str:
    return f"{limit // 1024 // 1024} MiB"


def _reason(error: BaseException) -> str:
    """What the system says, in a few words."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    said = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(said).lower()[:200]
