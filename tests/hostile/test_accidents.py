"""What goes wrong on its own: signals, full disks, trees that change, tools that crash. Others are unaffected."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from portproof.discover.find import discover
from portproof.source import Edit, Span
from tests.hostile.support import HEALTHY, Place, Ran, adopt_orphans, check, children, lasting
from tests.support.rendering import chart, current_helm, engine, failed, rendered, write_files

pytestmark = pytest.mark.slow

FOREVER = "{{ range until 100000 }}{{ range until 100000 }}{{ end }}{{ end }}"
HANGS = 120
"""Seconds after which a program that has been told to end does not: many times what a busy machine needs."""

PROGRAM = [sys.executable, "-P", "-m", "portproof"]


def heeding() -> None:
    """A shell that starts us in the background has taught us to ignore Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_everything_and_leaves_no_half_of_a_file(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    with Place(tmp_path) as place:
        place.write({**HEALTHY, **chart("x", {"templates/a.yaml": FOREVER})})
        report = tmp_path / "report.json"
        report.write_text("as it was")
        adopt_orphans()
        before = children()
        with subprocess.Popen(
            [*PROGRAM, "check", "--report", f"json={report}"],
            cwd=place.repository,
            env=place.environ(),
            preexec_fn=heeding,  # noqa: PLW1509 - no thread here
        ) as child:
            while not children(child.pid):
                assert child.poll() is None
                time.sleep(0.01)
            child.send_signal(number)
            assert child.wait(timeout=HANGS) == code
        assert lasting(before) == set()
        assert report.read_text() == "as it was"
        assert list((tmp_path / "tmp").iterdir()) == []


def processor_time(pid: int) -> float:
    """Seconds that a process itself took until now, or until it ended if nobody has waited for it yet."""
    used = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return sum(map(int, used)) / os.sysconf("SC_CLK_TCK")


def test_ctrl_c_waits_for_no_render(tmp_path: Path) -> None:
    """Every job hangs for ten minutes. What is left to do takes less than five seconds of processor time, however busy others are."""
    names = "abcdef"
    charts = [chart(name, {"templates/a.yaml": FOREVER}) for name in names]
    with Place(tmp_path) as place:
        place.write({path: text for files in charts for path, text in files.items()})
        place.write({"portproof.yaml": "timeout: 600\n"})
        adopt_orphans()
        before = children()
        with subprocess.Popen(
            [*PROGRAM, "check", "--jobs", str(len(names))],
            cwd=place.repository,
            env=place.environ(),
            preexec_fn=heeding,  # noqa: PLW1509 - no thread here
        ) as child:
            while len(children(child.pid)) < len(names):
                assert child.poll() is None
                time.sleep(0.01)
            taken = processor_time(child.pid)
            child.send_signal(signal.SIGINT)
            until = time.monotonic() + HANGS
            while not (ended := os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG)):
                if time.monotonic() > until:
                    child.kill()
                    pytest.fail("it waits for a render")
                time.sleep(0.01)
            assert ended.si_status == 130
            assert processor_time(child.pid) - taken < 5
        assert lasting(before) == set()
        assert list((tmp_path / "tmp").iterdir()) == []


def test_a_second_ctrl_c_does_not_end_the_cleaning_up(tmp_path: Path) -> None:
    (tmp_path / "impatient.py").write_text("""
import os
from portproof.cli import entry
class Running:
    def main(self, **_):
        try:
            os.kill(os.getpid(), 2)
        finally:
            os.kill(os.getpid(), 2)
            print("cleaned up", flush=True)
entry.app = Running()
entry.main()
""")
    argv = [sys.executable, "-m", "impatient"]
    done = subprocess.run(argv, cwd=tmp_path, preexec_fn=heeding, capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, b"cleaned up\n", b"")


def test_ctrl_c_while_it_loads_prints_no_trace(tmp_path: Path) -> None:
    (tmp_path / "loading.py").write_text("""
import builtins, os
from portproof.__main__ import main
load = builtins.__import__
def loading(name, *rest):
    if name == "portproof.cli":
        os.kill(os.getpid(), 2)
    return load(name, *rest)
builtins.__import__ = loading
main()
""")
    argv = [sys.executable, "-m", "loading"]
    done = subprocess.run(argv, cwd=tmp_path, preexec_fn=heeding, capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_in_the_making_of_a_class_ends_like_any_other(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    """A dataclass is made by `exec`; a KeyboardInterrupt there would end `python -m` by the signal itself."""
    (tmp_path / "interrupted.py").write_text(f"""
import os
from portproof import process
from portproof.cli import entry
class Importing:
    def main(self, **_): exec("os.kill(os.getpid(), {int(number)})")
entry.app = Importing()
entry.main()
""")
    argv = [sys.executable, "-m", "interrupted"]
    assert subprocess.run(argv, cwd=tmp_path, preexec_fn=heeding, check=False).returncode == code


def test_who_starts_it_without_ctrl_c_has_it_run_on() -> None:
    program = "import os; from portproof.cli import entry; entry._heed_signals(); os.kill(os.getpid(), 2); print('on')"
    argv = ["sh", "-c", 'trap "" INT; exec "$@"', "sh", sys.executable, "-P", "-c", program]
    assert subprocess.run(argv, check=True, capture_output=True).stdout == b"on\n"


CRASHES = {
    "a signal": ("kill -SEGV $$", "helm was killed by signal 11"),
    "no word": ("exit 2", ""),
    "words of a panic": ("printf 'Error: it says\\npanic: no\\n' >&2; exit 1", "it says"),
    "bytes": ("printf '\\377\\376\\000' ; printf '\\033]0;x\\007' >&2; exit 1", ""),
}  # fmt: skip


def checked_with(folder: Path, script: str) -> Ran:
    """A check with a helm that is the real one, except for charts whose folder is called x."""
    with Place(folder) as place:
        place.write({**HEALTHY, **chart("x", {})})
        helm = folder / "wrapped" / "helm"
        helm.parent.mkdir()
        helm.write_text(f'#!/bin/sh\ncase "$3" in */x) {script};; esac\nexec {current_helm().argv[0]} "$@"\n')
        helm.chmod(0o755)
        return check(place, place.environ(), "--helm", str(helm))


def test_a_panic_of_helm_says_nothing_of_the_chart(tmp_path: Path) -> None:
    """It is a bug of the tool, which another version may not have: the chart is unchecked, and everybody is told so."""
    words = "panic: runtime error: index out of range"
    ran = checked_with(
        tmp_path, f"printf '{words}\\n[signal SIGSEGV: segmentation violation]\\n' >&2; exit 2"
    )
    assert ran.code == 0
    assert ran.targets["helm:good"].startswith("checked")
    assert ran.targets["helm:x"].startswith(
        "skipped: helm crashed on it, which is a bug of this version (runtime error"
    )


@pytest.mark.parametrize("script", CRASHES)
def test_a_helm_that_crashes_is_a_failure_of_its_chart(tmp_path: Path, script: str) -> None:
    text, message = CRASHES[script]
    ran = checked_with(tmp_path, text)
    assert ran.code == 1
    assert ran.targets["helm:good"].startswith("checked")
    assert ran.targets["helm:x"].startswith("failed: ")
    assert message in ran.targets["helm:x"]
    assert "\x1b" not in "".join(ran.texts.values())


def limited(size: int) -> Callable[[], None]:
    """Files may have `size` bytes: what a full disk does, at a place of our choice."""
    return partial(resource.setrlimit, resource.RLIMIT_FSIZE, (size, size))


def test_no_room_for_a_copy_is_a_failure_of_its_chart(tmp_path: Path) -> None:
    """The chart with a `.git` is copied, which does not fit; the other one is not."""
    with Place(tmp_path) as place:
        place.write(
            {**HEALTHY, **chart("x", {"big": "x" * 3_000_000}), "x/.git": "a", "x/big.link": "-> big"}
        )
        done = subprocess.run(
            [*PROGRAM, "check", "--format", "json"],
            cwd=place.repository, env=place.environ(), capture_output=True, check=False,
            preexec_fn=limited(1_000_000),
        )  # fmt: skip
    assert done.returncode == 1, done.stderr.decode()
    targets = {one["id"]: one for one in json.loads(done.stdout)["targets"]}
    assert targets["helm:good"]["status"] == "checked"
    assert targets["helm:x"]["status"] == "failed"
    assert targets["helm:x"]["reason"] == "the chart could not be copied: file too large"


def test_no_room_for_the_report(tmp_path: Path) -> None:
    with Place(tmp_path) as place:
        place.write({**HEALTHY})
        with Path("/dev/full").open("w") as full:
            done = subprocess.run(
                [*PROGRAM, "check"], cwd=place.repository, env=place.environ(),
                stdout=full, stderr=subprocess.PIPE, check=False,
            )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.startswith(b"portproof: no space left on device\n  next: ")
    assert b"Traceback" not in done.stderr


def test_a_tree_that_changes_under_us(tmp_path: Path) -> None:
    """What was there when the targets were found may be gone, or another kind of thing, when they are rendered."""
    charts = {
        name: chart(name, {"values.yaml": "a: 1\n", "templates/a.yaml": "a: {{ .Values.a }}\n"})
        for name in "abc"
    }
    tree = write_files(
        tmp_path / "r", {path: text for files in charts.values() for path, text in files.items()}
    )
    found = {target.path: target for target in discover(tree).targets}
    edited = {name: tree.with_edits([Edit(Span(f"{name}/values.yaml", 3, 4), "1", "2")]) for name in "abc"}
    (tree.root / "a/Chart.yaml").unlink()
    (tree.root / "b/templates/a.yaml").unlink()
    os.mkfifo(tree.root / "b/templates/a.yaml")
    with engine(tmp_path, seconds=60) as made:
        for one in (tree, edited["a"]):
            assert "Chart.yaml" in failed(made.render(found["a"], one)).message
        made.render(found["b"], edited["b"])
        assert "a: 2" in rendered(made.render(found["c"], edited["c"])).documents[0].text


@pytest.mark.parametrize("streams", [(1,), (0, 1, 2)])
def test_streams_that_are_closed_are_nobodys_error(tmp_path: Path, streams: tuple[int, ...]) -> None:
    (tmp_path / "a.yaml").write_text("kind: Service\napiVersion: v1\nmetadata: {name: a}\n")
    closing = "".join(f"os.close({one});" for one in streams)
    start = [sys.executable, "-c", f"import os,sys;{closing}os.execv(sys.executable, sys.argv[1:])"]
    done = subprocess.run(
        [*start, *PROGRAM, "check", "--report", "json=report.json", "."],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads((tmp_path / "report.json").read_text())["findings"] == []
