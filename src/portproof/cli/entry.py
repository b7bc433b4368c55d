"""Where the program begins and ends: signals, errors, exit codes."""

from __future__ import annotations

import errno
import gc
import io
import os
import signal
import sys
from collections.abc import Iterable
from types import FrameType
from typing import NoReturn

import click

from portproof.cli.group import app
from portproof.console import say
from portproof.errors import ExitCode, PortproofError

_EXHAUSTED = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EMFILE, errno.ENFILE})


def main() -> NoReturn:
    """Entry point; turns every error into a message, a next step and an exit code."""
    # Rendering makes many small objects and no cycles; collecting garbage all the time costs more than it frees.
    gc.set_threshold(100_000, 20, 20)
    # A thread that has output to read or a program to start must not wait for the others' five milliseconds.
    sys.setswitchinterval(0.0005)
    _heed_signals()
    _open_what_is_closed()
    try:
        code = app.main(standalone_mode=False)
    except _SignalError as error:
        code = 128 + error.number
    except click.ClickException as error:
        code = _misused(error)
    except PortproofError as error:
        code = _complain(str(error), error.next_step, error.exit_code)
    except BrokenPipeError:
        # The reader of our output went away (`portproof check | head`): nothing is left to say.
        _print_no_more()
        code = 141
    except OSError as error:
        code = _exhausted(error) if error.errno in _EXHAUSTED else _bug(error)
    except Exception as error:  # noqa: BLE001 - the last resort: our own mistakes have their own exit code
        code = _bug(error)
    sys.stdout.flush()
    gc.freeze()  # at the end nothing is worth collecting, and the interpreter would look through everything once more
    sys.exit(int(code or 0))


def _open_what_is_closed() -> None:
    """Give the standard streams something behind them; without it, the next file that is opened would be taken for one."""
    if sys.stdin is None or sys.stdout is None or sys.stderr is None:
        opened = os.open(os.devnull, os.O_RDWR)
        while opened <= 2:
            opened = os.open(os.devnull, os.O_RDWR)
        os.close(opened)
        sys.stdout = sys.stdout or open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115
        sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115


class _SignalError(BaseException):
    """A signal that ends the program: unwinds it, so that children are killed and scratch folders removed."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def _heed_signals() -> None:
    """Have SIGTERM and Ctrl-C unwind the program in one way, unless whoever started it has it ignore Ctrl-C.

    KeyboardInterrupt would not do: passing through an ``exec`` of the standard library, as any dataclass has one, it
    makes the interpreter end by the signal whatever becomes of it (pythonrun.c, ``_Py_UnhandledKeyboardInterrupt``).
    """
    signal.signal(signal.SIGTERM, _unwind)
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, _unwind)


def _unwind(number: int, _frame: FrameType | None) -> None:
    for one in (
        signal.SIGINT,
        signal.SIGTERM,
    ):  # a second Ctrl-C would end the cleaning up that the first began
        signal.signal(one, signal.SIG_IGN)
    process = sys.modules.get("portproof.process")
    if process is not None:
        process.stop()
    raise _SignalError(number)


def _print_no_more() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _exhausted(error: OSError) -> int:
    """The machine has no room: nobody's mistake in the program, and nothing that a trace would explain."""
    _print_no_more()
    what = f": {error.filename}" if error.filename else ""
    next_step = (
        "Run portproof where it can write. `portproof fix` without --write prints the fixes as a patch."
        if error.errno == errno.EROFS
        else "Free some space, then run portproof again. Output needs it, and so do temporary files in TMPDIR."
    )
    return _complain(
        f"{(error.strerror or str(error)).lower()}{what}",
        next_step,
        ExitCode.USAGE,
    )


def _misused(error: click.ClickException) -> int:
    shown = io.StringIO()
    error.show(shown)
    _log(shown.getvalue().splitlines())
    return ExitCode.USAGE


def _complain(message: str, next_step: str, code: int) -> int:
    _log([f"portproof: {message}", *([f"  next: {next_step}"] if next_step else [])])
    return code


def _log(lines: Iterable[str]) -> None:
    for line in lines:
        say(line)


def _bug(error: Exception) -> int:
    import traceback  # noqa: PLC0415

    _log("".join(traceback.format_exception(error)).splitlines())
    return _complain(f"internal error: {error}", "Please report it, with the lines above.", ExitCode.INTERNAL)
