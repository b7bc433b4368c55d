"""HTTP on loopback: connections, the log of what came, and faults that spoil the answer."""

from __future__ import annotations

import json
import os
import re
import socket
import struct
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal, Protocol, TypeAlias
from urllib.parse import SplitResult, urlsplit

from tests.github.faults import Fault, Faults
from tests.github.routing import Answer

Host: TypeAlias = Literal["api", "storage"]
Shown: TypeAlias = Literal["none", "right", "wrong"]


@dataclass
class Seen:
    """One request, as it came. The token's value is not kept, only whether it was one of ours."""

    method: str
    path: str
    query: str
    body: Any
    headers: dict[str, str]
    host: Host
    token: Shown
    login: str | None
    status: int | None = None


@dataclass(frozen=True)
class Request:
    method: str
    target: SplitResult
    headers: dict[str, str]
    data: bytes
    host: Host


class Log(list[Seen]):
    """Every request, in order."""

    def select(self, method: str, path: str = "") -> list[Seen]:
        """Those of this method whose path matches the regular expression."""
        return [one for one in self if one.method == method and re.search(path, one.path)]

    @property
    def writes(self) -> list[Seen]:
        """What may have changed something: no GET, no GraphQL query."""
        return [
            one
            for one in self
            if one.method != "GET" and not (one.path.endswith("/graphql") and is_query(one.body))
        ]


def is_query(body: Any) -> bool:
    return isinstance(body, dict) and not str(body.get("query", "")).lstrip().startswith("mutation")


class Fake(Protocol):
    """What the server needs of the fake."""

    faults: Faults
    violations: list[str]

    def see(self, request: Request) -> Seen: ...
    def answer(self, seen: Seen, authorization: str | None) -> Answer: ...
    def storage_answer(self, seen: Seen) -> Answer: ...


class Server(ThreadingHTTPServer):
    """Knows its connections, so that closing leaves neither sockets nor threads behind."""

    daemon_threads = False
    request_queue_size = 128

    def __init__(self, fake: Fake, host: Host) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.fake = fake
        self.host = host
        self.connections: set[socket.socket] = set()
        self.thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02})

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def process_request(self, request: Any, client_address: Any) -> None:
        self.connections.add(request)
        super().process_request(request, client_address)

    def close_request(self, request: Any) -> None:
        self.connections.discard(request)
        super().close_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        self.fake.violations.append(f"the fake itself failed for {client_address}")
        super().handle_error(request, client_address)

    def stop(self) -> None:
        self.shutdown()
        for connection in list(self.connections):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue
        self.server_close()
        self.thread.join()


class Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def handle(self) -> None:
        try:
            super().handle()
        except OSError:  # the client went away
            self.close_connection = True

    def answer(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        data = self.rfile.read(length)
        fake = self.server.fake
        target = urlsplit(self.path)
        seen = fake.see(Request(self.command, target, dict(self.headers), data, self.server.host))
        text = data.decode("utf-8", "replace")
        faults = fake.faults.meeting(self.command, target.path, text) if self.server.host == "api" else []
        if self.run_faults(seen, [one for one in faults if not one.after]):
            return
        given = (
            fake.storage_answer(seen)
            if self.server.host == "storage"
            else fake.answer(seen, self.headers.get("authorization"))
        )
        seen.status = given.status
        if not self.run_faults(seen, [one for one in faults if one.after]):
            self.send(given)

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = answer  # noqa: N815 - http.server's names

    def run_faults(self, seen: Seen, faults: list[Fault]) -> bool:
        """True when the request has had its answer, or will have none."""
        for fault in faults:
            if fault.kind == "slow":
                time.sleep(fault.seconds)
            elif fault.kind == "call" and fault.action is not None:
                fault.action()
            elif fault.kind == "reset":
                self.reset()
                return True
            elif fault.kind == "answer":
                seen.status = fault.status
                self.send(Answer(fault.status, fault.body, fault.headers))
                return True
        return False

    def reset(self) -> None:
        """RST, not FIN."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.server.connections.discard(self.connection)
        os.close(self.connection.detach())
        self.close_connection = True

    def send(self, given: Answer) -> None:
        body = (
            given.body
            if isinstance(given.body, bytes)
            else b""
            if given.body is None
            else json.dumps(given.body).encode()
        )
        lines = {"Content-Type": given.media, "Content-Length": str(len(body)), **given.headers}
        head = [
            f"HTTP/1.1 {given.status} {self.responses.get(given.status, ('',))[0]}",
            *(f"{k}: {v}" for k, v in lines.items()),
        ]
        self.wfile.write("\r\n".join([*head, "", ""]).encode("latin-1") + body)

    def log_message(self, *_arguments: object) -> None:
        """Says nothing."""
