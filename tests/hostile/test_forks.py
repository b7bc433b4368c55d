"""A fork's pull request names the hosts of its dependencies; the base's configuration says which of them are asked."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.github import FakeGitHub
from tests.hostile.support import dependency
from tests.support.action import World, canary, writing
from tests.support.rendering import chart

PLAIN = {"templates/map.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n"}
ALLOWING = b"allow-hosts: [127.0.0.1]\n"


@pytest.fixture
def world(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[World]:
    with FakeGitHub() as fake:
        yield World(fake, tmp_path, capsys)


@pytest.fixture
def asked() -> Iterator[tuple[int, list[str]]]:
    """A port, and who knocked."""
    knocks: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept() -> None:
            while True:
                try:
                    client, address = server.accept()
                except OSError:
                    return
                knocks.append(address[0])
                client.close()

        accepting = threading.Thread(target=accept, daemon=True)
        accepting.start()
        yield server.getsockname()[1], knocks
        server.shutdown(socket.SHUT_RDWR)
        accepting.join()


def wanting(port: int, *, needs: bool = False) -> dict[str, bytes]:
    """A chart with a dependency; one that `needs` it takes a template of it."""
    own = {**PLAIN, "templates/name.yaml": '# {{ include "lib.name" . }}\n'} if needs else PLAIN
    files = chart("x", own, more=dependency(f"http://127.0.0.1:{port}"))
    return {path: text.encode() for path, text in files.items()}


@dataclass(frozen=True)
class Way:
    """Where the pull request comes from, what configures base and head, and whether the host is asked."""

    fork: bool
    base: bytes | None
    head: bytes | None
    asks: bool


WAYS = {
    "a fork": Way(fork=True, base=None, head=None, asks=False),
    "a fork that allows itself": Way(fork=True, base=None, head=ALLOWING, asks=False),
    "a fork that the base allows": Way(fork=True, base=ALLOWING, head=None, asks=True),
    "a fork of a broken base": Way(fork=True, base=b"wrong: 1\n", head=ALLOWING, asks=False),
    "a branch": Way(fork=False, base=None, head=None, asks=False),
    "a branch that the base allows": Way(fork=False, base=ALLOWING, head=None, asks=True),
}


@pytest.mark.parametrize(
    ("needs", "became"), [(False, "checked"), (True, "skipped")], ids=["spare", "needed"]
)
@pytest.mark.parametrize("name", WAYS)
def test_who_is_asked_for_a_dependency(
    world: World, asked: tuple[int, list[str]], name: str, *, needs: bool, became: str
) -> None:
    way = WAYS[name]
    base, head = ({} if one is None else {"portproof.yaml": one} for one in (way.base, way.head))
    fork = way.fork
    knocks = way.asks
    port, seen = asked
    world.open({"README.md": b"x\n", **base}, {**wanting(port, needs=needs), **head}, fork=fork)
    ran = world.run(writing(world.fake))
    target = next(one for one in ran.report["targets"] if one["id"] == "helm:x")
    assert target["status"] == became
    assert target["reason"].startswith("without a part: ") is not needs
    assert "127.0.0.1" in target["reason"]
    assert "x/Chart.yaml:" in target["reason"]
    assert bool(seen) == knocks


def test_the_token_reaches_no_other_host(world: World, asked: tuple[int, list[str]]) -> None:
    """Whatever address the event or the checkout name: the API's host is the environment's."""
    port, seen = asked
    world.open({"README.md": b"x\n"}, wanting(port), fork=True)
    environ = world.environ(secret := canary()) | {"GITHUB_SERVER_URL": f"http://127.0.0.1:{port}"}
    ran = world.run_with(environ)
    assert not seen
    assert secret not in ran.everything
