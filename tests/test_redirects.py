"""The token goes to the API's host and nowhere else, wherever an answer points."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from portproof.github.client import Client, Waits
from portproof.github.model import GithubError


@contextmanager
def listening(status: int, location: str = "") -> Iterator[tuple[int, list[str]]]:
    """A server on loopback that answers everything alike; gives its port and the headers that it has seen."""
    seen: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            seen.append(str(self.headers))
            self.send_response(status)
            if location:
                self.send_header("Location", location)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        do_GET = do_POST = do_DELETE = answer  # noqa: N815 - the names that http.server looks for

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server.server_port, seen
        server.shutdown()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.0.0.1.nip.example"])
def test_no_answer_leads_the_token_elsewhere(status: int, host: str) -> None:
    with (
        listening(200) as (port, seen),
        listening(status, f"http://{host}:{port}/repos/octo/shop/pulls/1") as (api, asked),
    ):
        client = Client("octo/shop", "ghs_secret", f"http://127.0.0.1:{api}", Waits(0.0, None, 0))
        with suppress(GithubError):
            client.pull(1)
        with suppress(GithubError):
            client.content("a.yaml", "1" * 40)
        with suppress(GithubError):
            client.remark(1, "body", None)
    assert len(asked) >= 3
    assert all("ghs_secret" in one for one in asked)
    assert seen == []
