"""Keeps a program away from everything that it does not need, with what the Linux kernel offers to anybody.

Landlock confines a thread, and every program that it starts, to files that are
named; a filter of system calls takes sockets away. Both go on a thread that does
nothing but start the program, so they cost no process of their own, and need
no right: in a container they work as they do for a user. What a kernel does
not offer is left out (`kernel_support`); what it offers and then refuses is an error.

https://docs.kernel.org/userspace-api/landlock.html, seccomp(2), credentials(7).
"""

from __future__ import annotations

import ctypes
import os
import platform
import stat
import struct
import sys
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import TypeVar

_Result = TypeVar("_Result")

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same on every architecture
_VERSION = 1
_PATH_BENEATH = 1

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1, 2, 4, 8
_ON_FILES = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
"""How many rights on files each version of Landlock knows; later ones know as many as 5."""
_FILE_RIGHTS = _EXECUTE | _WRITE_FILE | _READ_FILE | 1 << 14 | 1 << 15  # truncate, ioctl on devices
_TCP, _BIND_TCP = 0b11, 0b01
_SCOPES = 0b11  # abstract unix sockets, signals

_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _FILTER = 38, 22, 2
_ALLOW, _DENY = 0x7FFF0000, 0x00050000 | 13  # EACCES
_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06


@dataclass(frozen=True, slots=True)
class _Machine:
    """The numbers of an architecture: its own, of calls that change the user, and of calls that are refused."""

    audit: int
    set_user: tuple[int, int, int]
    socket: int
    refused: tuple[int, ...]


# Refused besides sockets: what reaches into other processes, into keyrings and namespaces, or around the filter:
# ptrace, process_vm_readv, process_vm_writev, pidfd_getfd, add_key, request_key, keyctl, unshare, setns, io_uring_setup.
_MACHINES = {
    "x86_64": _Machine(0xC000003E, (116, 119, 117), 41, (101, 310, 311, 438, 248, 249, 250, 272, 308, 425)),
    "aarch64": _Machine(0xC00000B7, (159, 149, 147), 198, (117, 270, 271, 438, 217, 218, 219, 97, 268, 425)),
}


@dataclass(frozen=True, slots=True)
class SandboxPolicy:
    """What a program may touch. Paths are files, or folders with all below; one that is not there gives nothing.

    `write` and `execute` imply reading. `user` are the ids of a user and a group to become, which only root can.
    """

    read: tuple[str, ...] = ()
    write: tuple[str, ...] = ()
    execute: tuple[str, ...] = ()
    network: bool = False
    user: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class KernelSupport:
    """What this kernel offers: the version of Landlock, 0 for none, and whether calls can be filtered."""

    landlock: int
    filters: bool


@cache
def kernel_support() -> KernelSupport:
    """Ask the kernel once, by trying."""
    if sys.platform != "linux":
        return KernelSupport(0, filters=False)
    return on_own_thread(
        lambda: KernelSupport(max(0, _call(_CREATE_RULESET, None, 0, _VERSION)), _can_filter())
    )


def on_own_thread(work: Callable[[], _Result]) -> _Result:
    """Do `work` on a thread of its own, which ends with it: what confines a thread cannot be taken back."""
    results: list[_Result] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:  # noqa: BLE001 - raised again, where the caller is
            errors.append(error)

    thread = threading.Thread(target=run, name="portproof-apart")
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]


def apply(confinement: SandboxPolicy) -> None:
    """Confine this thread, and what it starts from now on, for good. Raises `OSError` when the kernel refuses."""
    offer = kernel_support()
    if confinement.user is not None:
        _become(*confinement.user)
    if offer.landlock or offer.filters:
        _checked(_prctl(_PR_SET_NO_NEW_PRIVS, 1, 0), "no new privileges")
    if offer.landlock:
        _restrict(confinement, offer.landlock)
    if offer.filters:
        _checked(_filter(network=confinement.network), "a filter of system calls")


def _restrict(confinement: SandboxPolicy, version: int) -> None:
    files = (1 << _ON_FILES.get(version, 16)) - 1
    network = (_BIND_TCP if confinement.network else _TCP) if version >= 4 else 0
    scopes = _SCOPES if version >= 6 else 0
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    rules = struct.pack("=QQQ", files, network, scopes)[:size]
    ruleset = _checked(_call(_CREATE_RULESET, rules, size, 0), "Landlock")
    try:
        reading = _READ_FILE | _READ_DIR
        _allow(ruleset, confinement.read, reading)
        _allow(ruleset, confinement.execute, reading | _EXECUTE)
        _allow(ruleset, confinement.write, files & ~_EXECUTE)
        _allow(ruleset, (os.devnull,), _READ_FILE | _WRITE_FILE)
        _checked(_call(_RESTRICT_SELF, ruleset, 0), "Landlock")
    finally:
        os.close(ruleset)


def _allow(ruleset: int, paths: Iterable[str], rights: int) -> None:
    for path in paths:
        try:
            place = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except OSError:
            continue  # what cannot be opened cannot be read either
        try:
            granted = rights if stat.S_ISDIR(os.fstat(place).st_mode) else rights & _FILE_RIGHTS
            rule = struct.pack("=Qi", granted, place)
            _checked(_call(_ADD_RULE, ruleset, _PATH_BENEATH, rule, 0), "Landlock")
        finally:
            os.close(place)


def _can_filter() -> bool:
    return (
        platform.machine() in _MACHINES
        and _prctl(_PR_SET_NO_NEW_PRIVS, 1, 0) == 0
        and _filter(network=False) == 0
    )


def _filter(*, network: bool) -> int:
    steps = _steps(_MACHINES[platform.machine()], network=network)
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in steps))
    program = ctypes.create_string_buffer(struct.pack("@HP", len(steps), ctypes.addressof(code)))
    return _prctl(_PR_SET_SECCOMP, _FILTER, ctypes.addressof(program))


def _steps(machine: _Machine, *, network: bool) -> list[tuple[int, int, int, int]]:
    """The filter: refuse the calls of the table, and every call of another architecture than this one."""
    refused = machine.refused if network else (machine.socket, *machine.refused)
    steps = [(_LOAD, 0, 0, 4), (_EQUAL, 0, len(refused) + 3, machine.audit), (_LOAD, 0, 0, 0)]
    steps.append((_AT_LEAST, len(refused) + 1, 0, 0x40000000))  # the x32 variant of a call
    steps += [(_EQUAL, len(refused) - index, 0, number) for index, number in enumerate(refused)]
    return [*steps, (_RETURN, 0, 0, _ALLOW), (_RETURN, 0, 0, _DENY)]


def _become(user: int, group: int) -> None:
    """Change the user of this thread alone: libc's own functions would change that of every thread."""
    groups, groupid, userid = _MACHINES[platform.machine()].set_user
    _checked(_call(groups, 0, None), "another user")
    _checked(_call(groupid, group, group, group), "another user")
    _checked(_call(userid, user, user, user), "another user")


def can_become() -> bool:
    """Whether this process may give a program another user, and may still end it then."""
    if platform.machine() not in _MACHINES or not hasattr(os, "geteuid") or os.geteuid() != 0:
        return False
    try:
        with open("/proc/self/status", encoding="ascii", errors="replace") as stream:  # noqa: PTH123
            line = next(line for line in stream if line.startswith("CapEff:"))
    except (OSError, StopIteration):
        return False
    wanted = 1 << 5 | 1 << 6 | 1 << 7  # CAP_KILL, CAP_SETGID, CAP_SETUID
    return int(line.split()[1], 16) & wanted == wanted


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _call(number: int, *arguments: int | bytes | None) -> int:
    given = [ctypes.c_long(one) if isinstance(one, int) else one for one in arguments]
    return int(_libc().syscall(ctypes.c_long(number), *given))


def _prctl(option: int, second: int, third: int) -> int:
    arguments = (ctypes.c_ulong(one) for one in (second, third, 0, 0))
    return int(_libc().prctl(option, *arguments))


def _checked(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what} could not be set up: {os.strerror(number).lower()}")
    return result
