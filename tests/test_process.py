"""Other programs: what is kept of them, what ends them, and that nothing of them survives."""

from __future__ import annotations

import signal
import threading
import time
from pathlib import Path

import pytest

from portproof import process
from portproof.process import MIB, Completed, Ending, Limits


def sh(
    script: str, tmp_path: Path, *, limits: Limits | None = None, env: dict[str, str] | None = None
) -> Completed:
    return process.run(
        ["/bin/sh", "-c", script], env=env or {"PATH": "/usr/bin:/bin"}, cwd=tmp_path, limits=limits
    )


def is_running(pid: int) -> bool:
    """Whether a process lives, two seconds after it was killed at the latest."""
    for _ in range(100):
        if not is_alive(pid):
            return False
        time.sleep(0.02)
    return True


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def test_gives_both_streams_and_the_exit_code(tmp_path: Path) -> None:
    done = sh("echo out; echo err >&2; exit 3", tmp_path)
    assert (done.ending, done.returncode, done.stdout, done.stderr) == (Ending.EXITED, 3, "out\n", "err\n")
    assert not done.ok


def test_the_environment_is_what_the_caller_says_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CANARY", "token")
    done = process.run(["/usr/bin/env"], env={"ONLY": "this"}, cwd=tmp_path)
    assert done.stdout == "ONLY=this\n"


def test_standard_input_is_empty(tmp_path: Path) -> None:
    assert sh("cat; echo end", tmp_path).stdout == "end\n"


def test_a_timeout_kills_the_whole_group_and_throws_the_output_away(tmp_path: Path) -> None:
    script = "trap '' TERM INT; echo printed; sleep 600 & echo $! > child; echo $$ > leader; wait"
    done = sh(script, tmp_path, limits=Limits(seconds=10))
    assert done.ending is Ending.TIMEOUT
    assert done.stdout == ""
    assert done.seconds < 300
    assert not is_running(int((tmp_path / "leader").read_text()))
    assert not is_running(int((tmp_path / "child").read_text()))


def test_what_a_program_leaves_behind_is_killed(tmp_path: Path) -> None:
    done = sh("sleep 600 > /dev/null 2>&1 & echo $!", tmp_path)
    assert done.ok
    assert not is_running(int(done.stdout))


def test_a_program_that_closes_its_streams_and_runs_on_is_killed_at_the_deadline(tmp_path: Path) -> None:
    script = "echo printed; echo $$ > leader; exec >&- 2>&-; sleep 600"
    done = sh(script, tmp_path, limits=Limits(seconds=10))
    assert done.ending is Ending.TIMEOUT
    assert done.stdout == ""
    assert not is_running(int((tmp_path / "leader").read_text()))


def test_too_much_output_stops_it(tmp_path: Path) -> None:
    done = sh("yes", tmp_path, limits=Limits(seconds=30, output_bytes=MIB))
    assert done.ending is Ending.TOO_MUCH_OUTPUT
    assert done.stdout == ""
    assert done.seconds < 25


def test_the_limit_of_memory_holds(tmp_path: Path) -> None:
    done = sh("ulimit -v", tmp_path, limits=Limits(memory_bytes=512 * MIB))
    assert done.stdout in ("524288\n", "unlimited\n")  # the limit is set from outside, perhaps a moment later
    late = sh("sleep 0.2; ulimit -v; ulimit -c", tmp_path, limits=Limits(memory_bytes=512 * MIB))
    assert late.stdout == "524288\n0\n"


def test_the_limit_of_file_size_holds(tmp_path: Path) -> None:
    done = sh("sleep 0.2; yes > file", tmp_path, limits=Limits(seconds=20, file_bytes=MIB))
    assert not done.ok
    assert (tmp_path / "file").stat().st_size <= MIB


def test_a_missing_program_is_a_result(tmp_path: Path) -> None:
    done = process.run([str(tmp_path / "none")], env={}, cwd=tmp_path)
    assert done.ending is Ending.NOT_STARTED
    assert "No such file" in done.stderr


def test_an_argument_that_no_program_can_take_is_a_result(tmp_path: Path) -> None:
    assert process.run(["/bin/echo", "a\0b"], env={}, cwd=tmp_path).ending is Ending.NOT_STARTED


def test_a_signal_shows_in_the_return_code(tmp_path: Path) -> None:
    assert sh("kill -SEGV $$", tmp_path).returncode == -signal.SIGSEGV


def test_bytes_that_are_not_utf8_are_replaced(tmp_path: Path) -> None:
    assert sh(r"printf 'a\377b'", tmp_path).stdout == "a�b"


def test_kill_all_ends_programs_that_run_in_other_threads(tmp_path: Path) -> None:
    found: list[Completed] = []
    thread = threading.Thread(target=lambda: found.append(sh("echo $$ > leader; sleep 600", tmp_path)))
    thread.start()
    leader = tmp_path / "leader"
    while not (leader.is_file() and leader.read_text()):
        time.sleep(0.01)
    process.kill_all()
    thread.join(timeout=300)
    assert found[0].returncode == -signal.SIGKILL
    assert not is_running(int(leader.read_text()))


def test_nothing_is_started_after_the_stop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_stopped", threading.Event())
    assert sh("true", tmp_path).ok
    process.stop()
    assert sh("echo >file", tmp_path).ending is Ending.NOT_STARTED
    assert not (tmp_path / "file").exists()


def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    sh("true", tmp_path)
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        sh("true", tmp_path)
    assert len(list(Path("/proc/self/fd").iterdir())) == before
