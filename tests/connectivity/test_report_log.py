"""The lines of ``connect`` are found in whatever a log is, and nothing else is taken for one."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from portproof import connect
from portproof.connectivity.log import Line, Log, read

EDGE = connect.Edge.parse("backend-v1.shop:80/http/healthz")
RESULTS = (connect.CONNECTED, *connect.FAILURES)


def printed(caller: str = "shop/web", result: str = "refused", detail: str = "Connection refused") -> str:
    """What `connect` prints, with its line end."""
    return connect.line(caller, connect.Outcome(EDGE, result, 3, detail))


LINE = Line("shop/web", EDGE.text, "refused", 3, "Connection refused")


@given(st.text(), st.sampled_from(RESULTS), st.text())
@example("x\u2028y", "dns", '\x85 {"from": ')
def test_what_connect_prints_is_read_back(caller: str, result: str, detail: str) -> None:
    log = read(printed(caller, result, detail).encode())
    assert log == Log((Line(caller, EDGE.text, result, 3, detail),), 0)


@pytest.mark.parametrize(
    "prefix",
    [
        "[pod/portproof-web-x7k2p/connect] ",
        "2026-11-29T05:00:00.000000000Z ",
        "[pod/portproof-web-x7k2p/connect] 2026-11-29T05:00:00Z ",
        "portproof-web-x7k2p connect ",
        "\x1b[32mportproof-web\x1b[0m \u203a connect ",
        '{"broken": ',
    ],
)
def test_something_may_stand_in_front(prefix: str) -> None:
    assert read((prefix + printed()).encode()).lines == (LINE,)


def test_other_lines_are_counted() -> None:
    text = f"Defaulted container\n\n{printed()}   \r\nWarning: x\n{printed().strip()}\r\n"
    assert read(text.encode()) == Log((LINE, LINE), 2)


def test_two_lines_may_have_lost_the_end_between_them() -> None:
    assert read((printed().strip() + printed()).encode()) == Log((LINE, LINE), 0)


@pytest.mark.parametrize("length", range(1, len(printed()) - 1))
def test_a_part_of_a_line_is_none(length: int) -> None:
    assert read(printed()[:length].encode()) == Log((), 1)


def test_a_part_of_a_line_does_not_hide_the_next() -> None:
    assert read((printed()[:40] + printed()).encode()).lines == (LINE,)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("from", 1),
        ("edge", None),
        ("result", "fine"),
        ("result", ["refused"]),
        ("milliseconds", True),
        ("milliseconds", -1),
        ("milliseconds", "3"),
        ("detail", {}),
    ],
)
def test_json_of_others_is_none(key: str, value: object) -> None:
    assert read(json.dumps(json.loads(printed()) | {key: value}).encode()).lines == ()


def test_deep_json_is_none() -> None:
    assert read(b'{"from":' + b"[" * 100_000).lines == ()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_log_has_any_encoding_that_a_shell_writes(encoding: str) -> None:
    assert read(f"n\u00f6\n{printed()}".encode(encoding)) == Log((LINE,), 1)


@given(st.binary())
def test_any_bytes_are_a_log(data: bytes) -> None:
    assert read(data).lines == ()
