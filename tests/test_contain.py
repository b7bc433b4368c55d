"""What the kernel keeps from a confined program, and what it leaves to it."""

from __future__ import annotations

import os
import platform
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from portproof import process
from portproof.process import Completed, Ending, Launcher, Limits
from portproof.render.sandboxes import _program
from portproof.sandbox import _MACHINES, SandboxPolicy, _steps, can_become, kernel_support

PROGRAMS = ("/bin", "/usr", "/lib", "/lib64", sys.base_prefix)


@contextmanager
def confined(
    tmp_path: Path, *, network: bool = False, user: tuple[int, int] | None = None
) -> Iterator[Launcher]:
    """May read `read`, write `write`, and execute the system's programs."""
    for name in ("read", "write", "other"):
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        (folder / "file").write_text(f"{name}\n")
    launcher = Launcher(
        SandboxPolicy((str(tmp_path / "read"),), (str(tmp_path / "write"),), PROGRAMS, network, user)
    )
    yield launcher
    launcher.close()


def sh(launcher: Launcher, tmp_path: Path, script: str, limits: Limits | None = None) -> Completed:
    command = ["/bin/sh", "-c", script]
    env = {"PATH": "/usr/bin:/bin"}
    return process.run(command, env=env, cwd=tmp_path, limits=limits, launcher=launcher)


def python(launcher: Launcher, tmp_path: Path, script: str) -> Completed:
    command = [os.path.realpath(sys.executable), "-I", "-S", "-c", script]
    return process.run(command, env={}, cwd=tmp_path, launcher=launcher)


def test_this_machine_can_confine() -> None:
    """Where it cannot, the other tests of this module could not fail."""
    assert kernel_support().landlock >= 1
    assert kernel_support().filters


def test_what_is_named_can_be_read_and_written(tmp_path: Path) -> None:
    with confined(tmp_path) as launcher:
        done = sh(
            launcher, tmp_path, "cat read/file write/file; echo new > write/new; mv write/new write/old"
        )
    assert (done.stdout, done.stderr) == ("read\nwrite\n", "")
    assert (tmp_path / "write/old").read_text() == "new\n"


@pytest.mark.parametrize(
    "script",
    [
        "cat other/file",
        "ls other",
        "cat read/../other/file",
        "echo x > other/file",
        "echo x > read/file",
        "touch read/new",
        "rm read/file",
        "mv write/file other/moved",
        "ln write/file other/linked",
        "mkdir other/folder",
        "cat /etc/passwd",
    ],
)
def test_nothing_else_can(tmp_path: Path, script: str) -> None:
    with confined(tmp_path) as launcher:
        before = sorted(str(path) for path in tmp_path.rglob("*"))
        done = sh(launcher, tmp_path, script)
        assert done.ending is Ending.EXITED
        assert done.returncode != 0
        assert done.stdout == ""
        assert sorted(str(path) for path in tmp_path.rglob("*")) == before
        assert (tmp_path / "other/file").read_text() == "other\n"


def test_a_link_does_not_lead_out(tmp_path: Path) -> None:
    with confined(tmp_path) as launcher:
        (tmp_path / "read/link").symlink_to(tmp_path / "other/file")
        assert sh(launcher, tmp_path, "cat read/link").stdout == ""


def test_a_program_that_is_not_named_does_not_start(tmp_path: Path) -> None:
    with confined(tmp_path) as launcher:
        program = tmp_path / "write/program"
        program.write_text("#!/bin/sh\necho started\n")
        program.chmod(0o755)
        assert "started" not in sh(launcher, tmp_path, "write/program").stdout
        done = process.run([str(program)], env={}, cwd=tmp_path, launcher=launcher)
    assert done.ending is Ending.NOT_STARTED


def test_the_environment_of_other_processes_cannot_be_read(tmp_path: Path) -> None:
    with subprocess.Popen(["/bin/sleep", "60"], env={"PORTPROOF_CANARY": "canary"}) as other:
        script = f"cat /proc/{other.pid}/environ /proc/{os.getpid()}/environ /proc/self/environ"
        with confined(tmp_path) as launcher:
            done = sh(launcher, tmp_path, script)
        other.kill()
    assert (done.ending, done.stdout) == (Ending.EXITED, "")


def test_other_processes_cannot_be_signalled(tmp_path: Path) -> None:
    with subprocess.Popen(["/bin/sleep", "60"]) as other:
        with confined(tmp_path) as launcher:
            sh(launcher, tmp_path, f"kill -9 {other.pid}")
        survived = other.poll() is None
        other.kill()
    assert survived == (kernel_support().landlock >= 6)  # earlier ones leave it to the users' ids


@pytest.mark.parametrize("family", ["AF_INET", "AF_INET6", "AF_UNIX", "AF_NETLINK"])
def test_there_are_no_sockets(tmp_path: Path, family: str) -> None:
    with confined(tmp_path) as launcher:
        done = python(launcher, tmp_path, f"import socket; socket.socket(socket.{family})")
    assert "PermissionError" in done.stderr


# Numbers of calls on x86_64 and aarch64, as in Linux's arch/x86/entry/syscalls/syscall_64.tbl and
# include/uapi/asm-generic/unistd.h, which arm64 includes (linux-libc-dev 6.1 of Debian, for amd64 and arm64).
CALLS = {
    "setgroups": (116, 159),
    "setresgid": (119, 149),
    "setresuid": (117, 147),
    "socket": (41, 198),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "pidfd_getfd": (438, 438),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "unshare": (272, 97),
    "setns": (308, 268),
    "io_uring_setup": (425, 425),
}
READ = (0, 63)
ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
"""AUDIT_ARCH_X86_64 and AUDIT_ARCH_AARCH64 of include/uapi/linux/audit.h: 64 bits, little endian, and ELF's machine."""
ALLOWED, REFUSED = 0x7FFF0000, 0x0005000D


@pytest.mark.parametrize("machine", ARCHITECTURES)
def test_the_numbers_of_calls_are_the_kernels(machine: str) -> None:
    column = list(ARCHITECTURES).index(machine)
    numbers = [both[column] for both in CALLS.values()]
    found = _MACHINES[machine]
    assert found.audit == ARCHITECTURES[machine]
    assert [*found.set_user, found.socket, *found.refused] == numbers


def answer(steps: list[tuple[int, int, int, int]], number: int, architecture: int) -> int:
    """What a filter says of a call: a program of classic BPF, with the four instructions that ours has."""
    at, value = 0, 0
    while True:
        code, if_true, if_false, operand = steps[at]
        if code == 0x06:
            return operand
        if code == 0x20:
            value = {0: number, 4: architecture}[operand]
            at += 1
        else:
            holds = {0x15: value == operand, 0x35: value >= operand}[code]
            at += 1 + (if_true if holds else if_false)


@pytest.mark.parametrize("network", [True, False])
@pytest.mark.parametrize("machine", ARCHITECTURES)
def test_the_filter_refuses_its_calls_and_no_other(machine: str, *, network: bool) -> None:
    """On every architecture, whatever this machine is."""
    column = list(ARCHITECTURES).index(machine)
    steps = _steps(_MACHINES[machine], network=network)
    refused = {both[column] for both in list(CALLS.values())[3 + network :]}
    own = ARCHITECTURES[machine]
    assert {number for number in range(600) if answer(steps, number, own) == REFUSED} == refused
    assert {answer(steps, number, own) for number in range(600)} == {ALLOWED, REFUSED}
    for other in {*ARCHITECTURES.values(), 0x40000003} - {
        own
    }:  # the last is i386, which a 64-bit kernel runs too
        assert answer(steps, READ[column], other) == REFUSED
    assert answer(steps, 0x40000000 + READ[column], own) == REFUSED


def test_the_kernel_refuses_what_the_filter_says(tmp_path: Path) -> None:
    numbers = _MACHINES[platform.machine()].refused
    script = f"""
import ctypes
lib = ctypes.CDLL(None, use_errno=True)
for number in {numbers}:
    print(lib.syscall(ctypes.c_long(number), 0, 0, 0, 0, 0), ctypes.get_errno())
"""
    with confined(tmp_path) as launcher:
        done = python(launcher, tmp_path, script)
    assert done.stdout.splitlines() == ["-1 13"] * len(numbers), done.stderr


def test_with_the_network_one_can_connect_but_not_listen(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, confined(tmp_path, network=True) as launcher:
        port = server.getsockname()[1]
        talk = f"import socket; socket.create_connection(('127.0.0.1', {port})); print('connected')"
        assert python(launcher, tmp_path, talk).stdout == "connected\n"
        listen = "import socket; socket.create_server(('127.0.0.1', 0))"
        assert "PermissionError" in python(launcher, tmp_path, listen).stderr


def test_limits_hold_for_another_user_too(tmp_path: Path) -> None:
    """In a container root may not limit a stranger's process; the thread that has become the stranger may."""
    assert can_become() == (os.geteuid() == 0)
    user = (65534, 65534) if can_become() else None
    with confined(tmp_path, user=user) as launcher:
        limits = Limits(open_files=64, memory_bytes=1 << 30, file_bytes=1 << 20)
        done = sh(launcher, Path("/"), "sleep 0.3; id -u; ulimit -n; ulimit -v; ulimit -c", limits)
    expected = [user[0] if user else os.getuid(), 64, 1 << 20, 0]
    assert done.stdout.split() == [str(number) for number in expected], done.stderr


def test_we_stay_who_we_are(tmp_path: Path) -> None:
    before = os.getresuid(), os.getresgid(), os.getgroups()
    with confined(tmp_path, user=(65534, 65534) if can_become() else None) as launcher:
        sh(launcher, Path("/"), "true")
    assert (os.getresuid(), os.getresgid(), os.getgroups()) == before
    assert (tmp_path / "other/file").read_text()
    socket.socket().close()


def test_what_cannot_be_confined_is_not_started(tmp_path: Path) -> None:
    """A user that nobody can be: the kernel refuses, and so do we, each time anew."""
    launcher = Launcher(SandboxPolicy(execute=PROGRAMS, user=(-2 - 2**32, 0)))
    for _ in range(2):
        marker = tmp_path / "marker"
        done = sh(launcher, tmp_path, f"touch {marker}")
        assert done.ending is Ending.NOT_STARTED
        assert not marker.exists()
    launcher.close()


def test_the_rights_of_a_program_are_those_of_its_kind(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("#!/bin/sh\n")
    assert _program(str(script)) == ("/",)
    assert "/usr/lib" in _program("/bin/sh")
    assert "/" not in _program("/bin/sh")
