"""Run portproof as ``python -m portproof``."""

from __future__ import annotations

from portproof.cli import main

if __name__ == "__main__":
    main()
