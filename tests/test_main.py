"""Where the program begins: the console script, ``python -m portproof``, and a platform that is not supported."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

from portproof.__main__ import WINDOWS

ROOT = Path(__file__).parents[1]
_ON_WINDOWS = """
import sys
sys.platform = "win32"
for name in ("fcntl", "grp", "pwd", "resource", "termios"):
    sys.modules[name] = None # there is no such module there
from portproof.__main__ import main
sys.argv = ["portproof", *{words}]
main()
"""


def on_windows(*words: str) -> subprocess.CompletedProcess[str]:
    script = _ON_WINDOWS.format(words=list(words))
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)


def test_windows_gets_an_error_with_a_next_step_and_nothing_is_loaded() -> None:
    for words in ((), ("check",), ("--version",)):
        run = on_windows(*words)
        assert (run.returncode, run.stdout, run.stderr) == (2, "", WINDOWS)
    assert "next: " in WINDOWS
    assert "WSL" in WINDOWS


def test_connect_is_one_file_of_the_standard_library_and_runs_anywhere() -> None:
    assert on_windows("connect", "--help").returncode == 0


def test_the_console_script_begins_where_the_module_does() -> None:
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    assert scripts == {"portproof": "portproof.__main__:main"}
