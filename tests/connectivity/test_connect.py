"""``connect`` against real listeners: what each result means, and that it cannot be held up, flooded or tricked."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from concurrent import futures
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health, health_pb2_grpc
from hypothesis import given
from hypothesis import strategies as st

from portproof import connect
from portproof.connect import Edge, EdgeError
from tests.connectivity.listeners import (
    closed,
    dripping,
    endless,
    listening,
    resetting,
    saying,
    self_signed,
    silent,
    web,
)

FILE = connect.__file__
ONCE = ("--attempts", "1", "--timeout", "60")

ENOUGH = 4
"""Seconds in which a connection on loopback is made, however busy the machine is."""


def run(*arguments: str, code: int = 0) -> list[dict[str, Any]]:
    """What the file prints when it runs by itself."""
    done = subprocess.run(
        [sys.executable, "-I", FILE, *arguments], capture_output=True, text=True, timeout=180, check=False
    )
    assert done.returncode == code, done.stdout + done.stderr
    return [json.loads(one) for one in done.stdout.splitlines()]


def asked(edge: str, timeout: float = 60) -> tuple[str, str]:
    """The result and detail of one attempt at an edge."""
    outcome = connect.opened(Edge.parse(edge), connect.Patience(1, 0, timeout))
    return outcome.result, outcome.detail


def test_every_edge_is_a_line() -> None:
    with web() as port:
        edges = [f"127.0.0.1:{port}/http/200", f"127.0.0.1:{closed()}/tcp", f"127.0.0.1:{port}/tcp"]
        lines = run(*ONCE, "--from", "shop/web", *edges, edges[0], code=1)
    assert [list(one) for one in lines] == [["from", "edge", "result", "milliseconds", "detail"]] * 3
    assert {one["from"] for one in lines} == {"shop/web"}
    assert {one["edge"]: one["result"] for one in lines} == dict(
        zip(edges, ["connected", "refused", "connected"], strict=True)
    )
    assert all(isinstance(one["milliseconds"], int) and 0 <= one["milliseconds"] < 60_000 for one in lines)


def test_all_connected_is_success() -> None:
    with web() as port:
        (line,) = run(f"127.0.0.1:{port}/http/204")
    assert (line["from"], line["result"], line["detail"]) == ("", "connected", "HTTP status 204")


# tcp


def test_a_port_that_accepts_is_connected() -> None:
    with listening(silent) as port:
        assert asked(f"127.0.0.1:{port}/tcp") == ("connected", "")


def test_a_port_where_nothing_listens_refuses() -> None:
    assert asked(f"127.0.0.1:{closed()}/tcp") == ("refused", "Connection refused")


def test_ipv6_addresses_are_in_brackets() -> None:
    with listening(silent, "::1") as port:
        assert asked(f"[::1]:{port}/tcp")[0] == "connected"
    with listening(saying(b"HTTP/1.1 200 OK\r\n\r\n"), "::1") as port:
        assert asked(f"[::1]:{port}/http")[0] == "connected"


def test_a_name_with_several_addresses_is_connected_by_one_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    with listening(silent) as port:
        found = [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, port)) for host in ("127.0.0.2", "127.0.0.1")
        ]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
        assert asked(f"backend.shop:{port}/tcp")[0] == "connected"


# http


@pytest.mark.parametrize(
    ("status", "result"),
    [
        (200, "connected"),
        (204, "connected"),
        (302, "connected"),
        (401, "wrong answer"),
        (404, "wrong answer"),
        (503, "wrong answer"),
    ],
)
def test_a_status_below_400_is_an_answer(status: int, result: str) -> None:
    with web() as port:
        assert asked(f"127.0.0.1:{port}/http/{status}") == (result, f"HTTP status {status}")


def test_without_a_path_the_root_is_asked_for() -> None:
    heard: list[bytes] = []

    def talk(connection: socket.socket) -> None:
        heard.append(connection.recv(4096))
        connection.sendall(b"HTTP/1.0 200 OK\r\n\r\n")

    with listening(talk) as port:
        for path in ("", "/", "/a/b?c=1", "/ö x\r\nEvil: 1"):
            assert asked(f"127.0.0.1:{port}/http{path}")[0] == "connected"
    lines = [one.split(b"\r\n") for one in heard]
    assert [one[0].decode() for one in lines] == [
        "GET / HTTP/1.1",
        "GET / HTTP/1.1",
        "GET /a/b?c=1 HTTP/1.1",
        "GET /%C3%B6%20x%0D%0AEvil:%201 HTTP/1.1",
    ]
    assert {one[1] for one in lines} == {f"Host: 127.0.0.1:{port}".encode()}


def test_an_answer_may_be_announced() -> None:
    with listening(
        saying(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 404 Not Found\r\n\r\n")
    ) as port:
        assert asked(f"127.0.0.1:{port}/http/") == ("wrong answer", "HTTP status 404")


def test_another_program_gives_a_wrong_answer() -> None:
    with listening(saying(b"SSH-2.0-OpenSSH_9.2\x1b[2J\r\n")) as port:
        result, detail = asked(f"127.0.0.1:{port}/http/healthz")
    assert result == "wrong answer"
    assert "SSH-2.0-OpenSSH_9.2" in detail
    assert detail.isprintable()


def test_a_program_that_says_nothing_is_no_matter_of_the_network() -> None:
    with listening(silent) as port:
        assert asked(f"127.0.0.1:{port}/http/", ENOUGH) == (
            "wrong answer",
            "accepts the connection, and does not answer in time",
        )


def test_a_program_that_hangs_up_gives_a_wrong_answer() -> None:
    with listening(saying(b"")) as port:
        assert asked(f"127.0.0.1:{port}/http/") == ("wrong answer", "closes the connection without an answer")
    with listening(resetting) as port:
        assert asked(f"127.0.0.1:{port}/http/") == (
            "wrong answer",
            "accepts the connection, then: Connection reset by peer",
        )


@pytest.mark.parametrize("talk", [dripping, endless])
@pytest.mark.parametrize("ask", ["http/", "h2", "https/"])
def test_nobody_can_hold_it_up_or_fill_its_memory(talk: Any, ask: str) -> None:
    with listening(talk) as port:
        assert asked(f"127.0.0.1:{port}/{ask}", ENOUGH)[0] == "wrong answer"


# https


def test_https_does_not_ask_who_answers(tmp_path: Path) -> None:
    with web(certificate=self_signed(tmp_path)) as port:
        assert asked(f"127.0.0.1:{port}/https/200") == ("connected", "HTTP status 200")
        assert asked(f"127.0.0.1:{port}/https/404") == ("wrong answer", "HTTP status 404")
        assert asked(f"127.0.0.1:{port}/http/200")[0] == "wrong answer"
        assert asked(f"127.0.0.1:{port}/h2")[0] == "wrong answer"


def test_a_port_without_tls_gives_a_wrong_answer_to_https() -> None:
    with web() as port:
        result, detail = asked(f"127.0.0.1:{port}/https/200")
    assert result == "wrong answer"
    assert detail.startswith("TLS: ")


# h2


def grpc_server(*, healthy: bool) -> tuple[grpc.Server, int]:
    server = grpc.server(futures.ThreadPoolExecutor(2))
    if healthy:
        health_pb2_grpc.add_HealthServicer_to_server(health.HealthServicer(), server)
    return server, server.add_insecure_port("127.0.0.1:0")


@pytest.mark.parametrize("healthy", [True, False])
def test_a_grpc_server_speaks_http2_with_and_without_a_health_service(healthy: bool) -> None:
    server, port = grpc_server(healthy=healthy)
    server.start()
    try:
        assert asked(f"127.0.0.1:{port}/h2") == ("connected", "HTTP/2")
        assert asked(f"127.0.0.1:{port}/http/")[0] == "wrong answer"
    finally:
        server.stop(None).wait()


def test_http1_is_not_http2() -> None:
    with web() as port:
        result, detail = asked(f"127.0.0.1:{port}/h2")
    assert result == "wrong answer"
    assert detail.startswith("not an answer of HTTP/2: ")


def test_the_first_frame_of_a_server_is_settings() -> None:
    with listening(saying(b"\0\0\0\6\0\0\0\0\0")) as port:  # a PING
        assert asked(f"127.0.0.1:{port}/h2")[0] == "wrong answer"
    with listening(saying(b"\0\0\0\4")) as port:  # not whole
        assert asked(f"127.0.0.1:{port}/h2")[0] == "wrong answer"


# names


def test_a_name_that_nobody_knows_is_a_matter_of_dns() -> None:
    assert asked("backend-v1.invalid:80/tcp")[0] == "dns"
    assert asked(f"{'a' * 70}.invalid:80/tcp")[0] == "dns"


def test_a_name_server_that_does_not_answer_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()

    def never(*_: object, **__: object) -> list[Any]:
        over.wait()
        return []

    monkeypatch.setattr(socket, "getaddrinfo", never)
    assert asked("backend.shop:80/tcp", 0.6) == ("dns", "the name server does not answer in time")
    over.set()


def test_whatever_goes_wrong_the_edge_has_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> str:
        raise RuntimeError("out of luck")

    with listening(silent) as port:
        monkeypatch.setitem(connect._TALKS, "tcp", broken)
        assert asked(f"127.0.0.1:{port}/tcp") == ("other", "RuntimeError: out of luck")


# patience


def test_a_port_that_opens_late_is_connected(monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(socket.socket()) as late:
        late.bind(("127.0.0.1", 0))
        pauses: list[float] = []

        def pause(seconds: float) -> None:
            pauses.append(seconds)
            if len(pauses) == 3:
                late.listen()

        monkeypatch.setattr(time, "sleep", pause)
        edge = Edge.parse(f"127.0.0.1:{late.getsockname()[1]}/tcp")
        outcome = connect.opened(edge, connect.Patience(50, 0.5, 60))
    assert (outcome.result, outcome.detail, pauses) == ("connected", "attempt 4", [0.5] * 3)


def test_a_failure_has_been_tried_again() -> None:
    started = time.monotonic()
    (line,) = run("--attempts", "3", "--pause", "0.2", f"127.0.0.1:{closed()}/tcp", code=1)
    assert line["detail"] == "Connection refused; 3 attempts"
    assert time.monotonic() - started > 0.4


def test_slow_edges_are_asked_at_the_same_time() -> None:
    at_once = threading.Barrier(20)

    def talk(connection: socket.socket) -> None:
        """Nobody gets an answer before all have asked."""
        connection.recv(4096)
        at_once.wait(60)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")

    with ExitStack() as open_:
        ports = [open_.enter_context(listening(talk)) for _ in range(20)]
        lines = run("--attempts", "1", "--timeout", "60", *(f"127.0.0.1:{one}/http/" for one in ports))
    assert [one["result"] for one in lines] == ["connected"] * 20


# the program


WRONG = [
    (),
    ("backend:80",),
    ("backend/tcp",),
    ("backend:0/tcp",),
    ("backend:65536/tcp",),
    ("backend:80/udp",),
    ("backend:80/tcp/x",),
    ("back end:80/tcp",),
    ("::1:80/tcp",),
    ("http://backend:80/",),
    ("--attempts", "0", "backend:80/tcp"),
    ("--timeout", "nan", "backend:80/tcp"),
    ("--pause", "-1", "backend:80/tcp"),
    ("--frm", "x", "backend:80/tcp"),
]


@pytest.mark.parametrize("arguments", WRONG)
def test_wrong_use_opens_nothing(arguments: Sequence[str]) -> None:
    assert run(*arguments, code=2) == []


@given(st.text())
def test_any_text_is_an_edge_or_an_error(text: str) -> None:
    for edge in (text, f"host:80/http/{text}"):
        try:
            parsed = Edge.parse(edge)
        except EdgeError:
            continue
        assert parsed.text == edge
        assert json.loads(connect.line("", connect.Outcome(parsed, "dns", 0, "")))["edge"] == edge


def test_it_ends_when_it_is_told_to() -> None:
    began = threading.Event()

    def talk(connection: socket.socket) -> None:
        began.set()
        silent(connection)

    with listening(talk) as port:
        command = [sys.executable, "-I", FILE, "--timeout", "300", f"127.0.0.1:{port}/h2"]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as running:
            assert began.wait(30)
            os.kill(running.pid, signal.SIGTERM)
            running.communicate(timeout=30)
    assert running.returncode == 128 + signal.SIGTERM


def test_it_needs_nothing_but_the_standard_library() -> None:
    script = f"import runpy, sys; before = set(sys.modules); runpy.run_path({FILE!r}); print(*set(sys.modules) - before)"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", script], capture_output=True, text=True, check=True
    )
    loaded = {one.partition(".")[0] for one in done.stdout.split()}
    assert loaded <= sys.stdlib_module_names
    assert "ssl" not in loaded


@pytest.mark.parametrize("module", ["portproof", "portproof.connect"])
def test_the_package_runs_it_without_loading_the_rest(module: str) -> None:
    arguments = ["connect"] if module == "portproof" else []
    script = (
        "import runpy, sys\n"
        f"sys.argv = ['portproof', *{arguments!r}, '--attempts', '1', '127.0.0.1:{closed()}/tcp']\n"
        f"try: runpy.run_module({module!r}, run_name='__main__')\n"
        "except SystemExit as end: print(end.code, *sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    line, rest = done.stdout.splitlines()
    assert json.loads(line)["result"] == "refused"
    code, *modules = rest.split()
    assert code == "1"
    assert {one for one in modules if one.startswith("portproof.")} <= {"portproof.connect"}
    assert "click" not in modules
