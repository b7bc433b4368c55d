"""Real listeners on loopback: what a program behind a port may do."""

from __future__ import annotations

import http.server
import socket
import socketserver
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

Talk = Callable[[socket.socket], None]


@contextmanager
def listening(talk: Talk, host: str = "127.0.0.1") -> Iterator[int]:
    """A TCP server whose connections `talk` serves; its port."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            talk(self.request)

    class Server(socketserver.ThreadingTCPServer):
        address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """A client that goes away is none of the test's business."""

    with Server((host, 0), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def saying(answer: bytes) -> Talk:
    """Read what comes, answer, close."""

    def talk(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(answer)

    return talk


def silent(connection: socket.socket) -> None:
    """Read, and never answer."""
    while connection.recv(4096):
        pass


def dripping(connection: socket.socket) -> None:
    """Answer a byte at a time, until the other side goes away."""
    connection.recv(4096)
    while True:
        connection.sendall(b"H")
        time.sleep(0.05)


def endless(connection: socket.socket) -> None:
    """Answer without an end."""
    connection.recv(4096)
    while True:
        connection.sendall(b"x" * 65_536)


def resetting(connection: socket.socket) -> None:
    """Accept, and reset, as a proxy does that wants a certificate."""
    connection.recv(4096)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    connection.close()


class Web(http.server.BaseHTTPRequestHandler):
    """Answers a path with the status that it names: ``/200``, ``/404``."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(int(self.path.strip("/").partition("?")[0]))
        if self.path == "/302":
            self.send_header("Location", "/404")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


@contextmanager
def web(host: str = "127.0.0.1", certificate: Path | None = None) -> Iterator[int]:
    """A web server of the standard library, by TLS with a certificate and key in one file."""
    with http.server.ThreadingHTTPServer((host, 0), Web) as server:
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield server.server_port
        server.shutdown()


def self_signed(folder: Path) -> Path:
    """A certificate that nobody knows, for a name that nobody has, and its key."""
    subprocess.run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "1",
            "-subj",
            "/CN=elsewhere.invalid",
            "-keyout",
            "key.pem",
            "-out",
            "cert.pem",
        ],
        cwd=folder,
        check=True,
        capture_output=True,
    )
    both = folder / "both.pem"
    both.write_text((folder / "cert.pem").read_text() + (folder / "key.pem").read_text())
    return both


_CLOSED: list[socket.socket] = []


def closed() -> int:
    """A port at which nothing listens, and that nobody else is given while this process runs."""
    one = socket.socket()
    one.bind(("127.0.0.1", 0))
    _CLOSED.append(one)
    return int(one.getsockname()[1])
