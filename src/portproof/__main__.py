"""Run portproof: the console script, and ``python -m portproof``, which is the entry point of the image."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType
from typing import NoReturn

WINDOWS = """\
portproof: Windows is not supported.
  next: Run it in WSL 2, or in its image: docker run --rm -v "${PWD}:/work:ro" -w /work IMAGE check
"""
"""What a user of Windows reads. Nothing else is loaded there: modules that need POSIX would fail on import."""


def main() -> NoReturn:
    """Run the command line; ``connect``, which pods run, starts without loading it."""
    if sys.argv[1:2] == ["connect"]:
        from portproof.connect import main as connect  # noqa: PLC0415

        sys.exit(connect(sys.argv[2:]))

    if sys.platform == "win32":
        sys.stderr.write(WINDOWS)
        sys.exit(2)

    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _leave)
    from portproof.cli import main as run  # noqa: PLC0415

    run()


def _leave(_number: int, _frame: FrameType | None) -> None:
    """Ctrl-C while the program is still loaded: nothing is there to clean up, and a trace would explain nothing."""
    os._exit(130)


if __name__ == "__main__":
    main()
