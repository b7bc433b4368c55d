"""Run portproof as ``python -m portproof``, which is the entry point of the image."""

from __future__ import annotations

import sys
from typing import NoReturn


def main() -> NoReturn:
    """Run the command line; ``connect``, which pods run, starts without loading it."""
    if sys.argv[1:2] == ["connect"]:
        from portproof.connect import main as connect  # noqa: PLC0415

        sys.exit(connect(sys.argv[2:]))

    from portproof.cli import main as run  # noqa: PLC0415

    run()


if __name__ == "__main__":
    main()
