"""How wide the report is on a terminal, which a real one of the kernel's stands in for."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from tests.e2e.program import FIXTURES, Process, environment

CHART = FIXTURES / "incident/broken/chart"


def on_terminal(columns: int, stated: int | None = None) -> list[str]:
    """The lines of a check on a terminal of so many columns; COLUMNS may say otherwise."""
    program = (
        "import fcntl, os, struct, sys, termios\n"
        f"fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack('HHHH', 24, {columns}, 0, 0))\n"
        "os.execv(sys.executable, [sys.executable, '-m', 'portproof', *sys.argv[1:]])\n"
    )
    spawn = "import pty, sys; sys.exit(pty.spawn(sys.argv[1:]) >> 8)"
    done = subprocess.run(
        [sys.executable, "-c", spawn, sys.executable, "-c", program, "check", "-q", str(CHART)],
        env=environment() | ({} if stated is None else {"COLUMNS": str(stated)}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    return re.sub(r"\x1b\[[0-9;]*[a-zA-Z]", "", done.stdout.decode()).splitlines()


def widest(lines: list[str]) -> int:
    """The columns of the widest line of prose: not of a place, nor of what files say."""
    return max(len(line) for line in lines if not re.match(r"error\[|\s+(?:\d+ +\||[-+|]) ", line))


@pytest.mark.parametrize(
    ("columns", "stated", "room"), [(80, None, 80), (60, None, 60), (60, 80, 80), (300, None, 100)]
)
def test_prose_wraps_at_the_width_of_the_terminal(columns: int, stated: int | None, room: int) -> None:
    assert room - 20 < widest(on_terminal(columns, stated)) <= room


def test_a_pipe_is_no_terminal(process: Process) -> None:
    lines = process("check", "-q", CHART).stdout.splitlines()
    assert widest(lines) > 100
