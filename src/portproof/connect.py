"""Open every edge as a caller would, and say what happened: a JSON line for each edge on standard output.

``connect [--from CALLER] EDGE...``; an EDGE is one of

* ``HOST:PORT/tcp``: the port accepts a connection
* ``HOST:PORT/http/PATH`` or ``HOST:PORT/https/PATH``: GET of the path answers with a status of 200 to 399
* ``HOST:PORT/h2``: the port speaks HTTP/2 without TLS, as gRPC servers do

The exit code is 0 if every edge was connected, 1 if not, 2 for wrong use. Nothing but the standard library is imported, and
nothing of portproof: this file also runs by itself, in any image with Python 3.11.
"""

from __future__ import annotations

import argparse
import errno
import json
import queue
import re
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

CONNECTED = "connected"
REFUSED = "refused"
TIMEOUT = "timeout"
NO_ROUTE = "no route"
DNS = "dns"
WRONG_ANSWER = "wrong answer"
OTHER = "other"
FAILURES = (REFUSED, TIMEOUT, NO_ROUTE, DNS, WRONG_ANSWER, OTHER)
"""The results of an edge that does not work; where a name has several addresses, the first of these counts."""

_AT_ONCE = 32
"""Edges that are open at the same time."""
_ADDRESSES = 8
"""Addresses of one name that are tried; a headless Service has one for each of its pods."""
_ANSWER = 16_384
"""Bytes of an answer that are read at most."""
_DETAIL = 200
"""Characters of a detail."""

_EDGE = re.compile(
    r"(?P<host>[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}(?:%[A-Za-z0-9._-]{1,15})?\]):(?P<port>[0-9]{1,5})"
    r"/(?P<ask>tcp|h2|https?(?P<path>/.*)?)",
    re.DOTALL,
)
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_SETTINGS = b"\0\0\0\4\0\0\0\0\0"
"""An empty SETTINGS frame: no length, type 4, no flags, stream 0 (RFC 9113, 4.1 and 6.5)."""
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})[ \r\n]")
_UNREACHABLE = frozenset(
    {errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENETDOWN, errno.EACCES}
)
"""EACCES is what "administratively prohibited" of ICMPv6 becomes; that of ICMP becomes EHOSTUNREACH."""


class EdgeError(ValueError):
    """An EDGE of the command line that is none; the message says what it has to look like."""


@dataclass(frozen=True, slots=True)
class Edge:
    """Somebody's port, and how to ask there: ``tcp``, ``http``, ``https`` or ``h2``; `path` is for HTTP only."""

    text: str
    host: str
    port: int
    ask: str
    path: str = ""

    @staticmethod
    def parse(text: str) -> Edge:
        """The edge that `text` writes. Raises `EdgeError`."""
        found = _EDGE.fullmatch(text)
        port = int(found["port"]) if found else 0
        if found is None or not 1 <= port <= 65_535:
            raise EdgeError(
                f"{text!r} must be HOST:PORT/tcp, HOST:PORT/http/PATH, HOST:PORT/https/PATH or HOST:PORT/h2"
            )
        ask = found["ask"].partition("/")[0]
        path = (found["path"] or "/") if ask.startswith("http") else ""
        return Edge(text, found["host"].strip("[]"), port, ask, path)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an edge: `result` is ``connected`` or one of `FAILURES`, `milliseconds` what the last attempt took."""

    edge: Edge
    result: str
    milliseconds: int
    detail: str


@dataclass(frozen=True, slots=True)
class Patience:
    """How often an edge is tried, with how long a pause between attempts, and how long one may take; in seconds.

    The policies of a new pod take seconds to apply.
    """

    attempts: int = 5
    pause: float = 2.0
    timeout: float = 5.0


class _FailedError(Exception):
    """An attempt that did not work, and why."""

    def __init__(self, result: str, detail: str) -> None:
        super().__init__(result, detail)
        self.result = result
        self.detail = detail


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program; gives the exit code."""
    given = _read(arguments)
    _heed_termination()
    failed = False
    for outcome in connect(given.edges, Patience(given.attempts, given.pause, given.timeout)):
        failed = failed or outcome.result != CONNECTED
        sys.stdout.write(line(given.caller, outcome))
        sys.stdout.flush()
    return 1 if failed else 0


def line(caller: str, outcome: Outcome) -> str:
    """The outcome as a line of JSON, in ASCII."""
    said = {
        "from": caller,
        "edge": outcome.edge.text,
        "result": outcome.result,
        "milliseconds": outcome.milliseconds,
        "detail": outcome.detail,
    }
    return json.dumps(said) + "\n"


def connect(edges: Sequence[Edge], patience: Patience) -> Iterator[Outcome]:
    """Open all edges at once, as far as `_AT_ONCE` allows; outcomes come in the order in which they are known."""
    waiting: queue.SimpleQueue[Edge] = queue.SimpleQueue()
    done: queue.SimpleQueue[Outcome] = queue.SimpleQueue()
    for edge in edges:
        waiting.put(edge)

    def work() -> None:
        while True:
            try:
                edge = waiting.get_nowait()
            except queue.Empty:
                return
            done.put(opened(edge, patience))

    for _ in range(min(_AT_ONCE, len(edges))):
        threading.Thread(target=work, daemon=True).start()
    for _ in edges:
        yield done.get()


def opened(edge: Edge, patience: Patience) -> Outcome:
    """Try an edge until it is connected, or the attempts are used up."""
    for number in range(1, patience.attempts + 1):
        started = time.monotonic()
        result, detail = _attempt(edge, patience.timeout)
        took = round((time.monotonic() - started) * 1000)
        if result == CONNECTED or number == patience.attempts:
            times = f"attempt {number}" if result == CONNECTED else f"{number} attempts"
            said = "; ".join(filter(None, (detail, times if number > 1 else "")))
            return Outcome(edge, result, took, said)
        time.sleep(patience.pause)
    raise AssertionError("an edge is tried at least once")


def _attempt(edge: Edge, timeout: float) -> tuple[str, str]:
    """One attempt: the result and its detail, whatever happens."""
    deadline = time.monotonic() + timeout
    try:
        with closing(_connection(edge, deadline)) as connection:
            return CONNECTED, _TALKS[edge.ask](connection, edge, deadline)
    except _FailedError as failed:
        return failed.result, _shown(failed.detail)
    except Exception as error:  # noqa: BLE001 - whatever it is, the edge gets its line, and the others theirs
        return OTHER, _shown(f"{type(error).__name__}: {error}")


def _connection(edge: Edge, deadline: float) -> socket.socket:
    """A connection to the first address that takes one."""
    failures: list[_FailedError] = []
    found = _addresses(edge, deadline)
    for index, (family, address) in enumerate(found):
        share = (deadline - time.monotonic()) / (len(found) - index)
        try:
            return _connected(family, address, max(share, 0.001))
        except _FailedError as failed:
            failures.append(failed)
    raise min(failures, key=lambda one: FAILURES.index(one.result))


def _connected(family: int, address: Any, timeout: float) -> socket.socket:
    try:
        connection = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:  # a machine without IPv6
        raise _FailedError(NO_ROUTE, error.strerror or str(error)) from error
    try:
        connection.settimeout(timeout)
        connection.connect(address)
    except BaseException as error:
        connection.close()
        if isinstance(error, OSError):
            raise _named(error, timeout) from error
        raise
    return connection


def _named(error: OSError, timeout: float) -> _FailedError:
    detail = error.strerror or str(error)
    if isinstance(error, ConnectionRefusedError):
        return _FailedError(REFUSED, detail)
    if isinstance(error, TimeoutError):
        return _FailedError(TIMEOUT, f"no answer in {timeout:.1f} s")
    return _FailedError(NO_ROUTE if error.errno in _UNREACHABLE else OTHER, detail)


def _addresses(edge: Edge, deadline: float) -> list[tuple[int, Any]]:
    """The addresses of a host. A look-up cannot be ended, so it is left behind when it takes too long."""
    found: queue.SimpleQueue[list[tuple[int, Any]] | OSError] = queue.SimpleQueue()

    def look_up() -> None:
        try:
            # bytes: as text it would be taken for an international name, and fail in other ways
            known = socket.getaddrinfo(edge.host.encode("ascii"), edge.port, type=socket.SOCK_STREAM)
        except OSError as error:
            found.put(error)
        else:
            pairs: list[tuple[int, Any]] = [(family, address) for family, _, _, _, address in known]
            found.put(pairs[:_ADDRESSES])

    threading.Thread(target=look_up, daemon=True).start()
    try:
        answer = found.get(timeout=max(deadline - time.monotonic(), 0.001))
    except queue.Empty as error:
        raise _FailedError(DNS, "the name server does not answer in time") from error
    if isinstance(answer, OSError):
        raise _FailedError(DNS, answer.strerror or str(answer)) from answer
    return answer


def _tcp(_connection: socket.socket, _edge: Edge, _deadline: float) -> str:
    return ""


def _http(connection: socket.socket, edge: Edge, deadline: float) -> str:
    """GET the path; a redirect is an answer, and is not followed: it would be another edge."""
    host = f"[{edge.host}]" if ":" in edge.host else edge.host
    request = (
        f"GET {_encoded(edge.path)} HTTP/1.1\r\nHost: {host}:{edge.port}\r\n"
        "User-Agent: portproof-connect\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    )
    answer = b""
    for answer in _answers(connection, request.encode("ascii"), deadline):
        status = _status(answer)
        if status is not None and 200 <= status < 400:
            return f"HTTP status {status}"
        if status is not None:
            raise _FailedError(WRONG_ANSWER, f"HTTP status {status}")
    raise _FailedError(WRONG_ANSWER, f"not an answer of HTTP/1: {_glimpse(answer)}")


def _status(answer: bytes) -> int | None:
    """The status, once it is there; those from 100 to 199 only announce it (RFC 9110, 15.2)."""
    while found := _STATUS.match(answer):
        if not found[1].startswith(b"1"):
            return int(found[1])
        answer = answer.partition(b"\r\n\r\n")[2]
    return None


def _encoded(path: str) -> str:
    """A path as a request line can have it: printable ASCII, the rest as percent-encoded UTF-8."""
    return "".join(
        chr(byte) if 0x20 < byte < 0x7F else f"%{byte:02X}"
        for byte in path.encode("utf-8", "surrogateescape")
    )


def _https(connection: socket.socket, edge: Edge, deadline: float) -> str:
    """The same by TLS. The certificate is not verified: the question is which port answers, not who.

    A kubelet does not verify it either when it probes, and what pods have is mostly signed by somebody unknown here.
    """
    import ssl  # noqa: PLC0415 - a tenth of the start, for edges that most callers do not have

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    connection.settimeout(max(deadline - time.monotonic(), 0.001))
    try:
        with context.wrap_socket(connection, server_hostname=edge.host) as wrapped:
            return _http(wrapped, edge, deadline)
    except ssl.SSLError as error:
        raise _FailedError(WRONG_ANSWER, f"TLS: {error.reason or error}") from error
    except TimeoutError as error:
        raise _FailedError(
            WRONG_ANSWER, "accepts the connection, and does not answer the TLS handshake"
        ) from error
    except (ConnectionError, ValueError) as error:
        raise _FailedError(WRONG_ANSWER, f"no TLS handshake: {error}") from error


def _h2(connection: socket.socket, _edge: Edge, deadline: float) -> str:
    """Begin HTTP/2 as a client does. A server's first frame is SETTINGS, whether or not it has a health service."""
    answer = b""
    for answer in _answers(connection, _PREFACE + _SETTINGS, deadline):
        if len(answer) >= 9:
            break
    if len(answer) >= 9 and answer[3] == 4:
        return "HTTP/2"
    raise _FailedError(WRONG_ANSWER, f"not an answer of HTTP/2: {_glimpse(answer)}")


_TALKS: dict[str, Callable[[socket.socket, Edge, float], str]] = {
    "tcp": _tcp,
    "http": _http,
    "https": _https,
    "h2": _h2,
}


def _answers(connection: socket.socket, request: bytes, deadline: float) -> Iterator[bytes]:
    """Send the request; what has come of the answer, each time that more has, up to `_ANSWER` bytes.

    Raises `_FailedError` when nothing has come until the deadline or the end: the connection was accepted, so it is the
    program that does not answer, not the network.
    """
    answer = b""
    why = "closes the connection without an answer"
    try:
        connection.settimeout(max(deadline - time.monotonic(), 0.001))
        connection.sendall(request)
        while len(answer) < _ANSWER:
            connection.settimeout(max(deadline - time.monotonic(), 0.001))
            more = connection.recv(_ANSWER - len(answer))
            if not more:
                break
            answer += more
            yield answer
    except TimeoutError:
        why = "accepts the connection, and does not answer in time"
    except ConnectionError as error:
        why = f"accepts the connection, then: {error.strerror or error}"
    if not answer:
        raise _FailedError(WRONG_ANSWER, why)


def _glimpse(answer: bytes) -> str:
    """The beginning of an answer that nobody expected."""
    if answer[:2] == b"\x15\x03":
        return "it asks for TLS"
    if answer[3:4] == b"\4" and len(answer) >= 9:
        return "it speaks HTTP/2"
    return repr(answer[:40].decode("ascii", "replace"))


def _shown(detail: str) -> str:
    """A detail without control characters, on one line, of bounded length."""
    plain = "".join(one if one.isprintable() else " " for one in detail)
    return " ".join(plain.split())[:_DETAIL]


def _heed_termination() -> None:
    """End when asked to: the first process of a container has no default action for SIGTERM (pid_namespaces(7))."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))


def _read(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line; ends the program with 2 when it is wrong."""
    usual = Patience()
    parser = argparse.ArgumentParser(
        prog="connect",
        description="Open every EDGE at once, and print one line of JSON for each.",
        epilog="Exit codes: 0 every edge is connected, 1 not all are, 2 usage error.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--from", dest="caller", metavar="CALLER", default="", help="who calls: printed in each line"
    )
    for name, kind, default, metavar, text in (
        ("--attempts", _number(int, 1, 100), usual.attempts, "N", "attempts"),
        ("--pause", _number(float, 0, 600), usual.pause, "SECONDS", "seconds between attempts"),
        (
            "--timeout",
            _number(float, 0.01, 600),
            usual.timeout,
            "SECONDS",
            "seconds that one attempt may take",
        ),
    ):
        parser.add_argument(
            name, type=kind, default=default, metavar=metavar, help=f"{text} (default: %(default)s)"
        )
    parser.add_argument(
        "edges",
        type=_edge,
        nargs="+",
        metavar="EDGE",
        help="HOST:PORT/tcp, HOST:PORT/http/PATH, HOST:PORT/https/PATH or HOST:PORT/h2",
    )
    given = parser.parse_args(arguments)
    given.edges = list(dict.fromkeys(given.edges))
    return given


def _edge(text: str) -> Edge:
    try:
        return Edge.parse(text)
    except EdgeError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _number(kind: type[int | float], least: float, most: float) -> Callable[[str], float]:
    def read(text: str) -> float:
        try:
            value = kind(text)
        except ValueError:
            value = -1
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"must be a number from {least} to {most}")
        return value

    return read


if __name__ == "__main__":
    sys.exit(main())
