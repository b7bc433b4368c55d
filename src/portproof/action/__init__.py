"""What the image's entry point runs: environment and event -> check -> annotations, summary, review, outputs."""

from __future__ import annotations

from portproof.action.entry import main
from portproof.action.runner import run

__all__ = ["main", "run"]
