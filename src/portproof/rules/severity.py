"""How bad a finding is; apart from `base`, so that naming a severity does not load the port graph."""

from __future__ import annotations

from enum import Enum


class Severity(Enum):
    """How certain and how bad.

    error: Kubernetes will not deliver traffic, or the API server refuses the object. warning: very probably broken,
    and the message names the evidence. note: worth knowing.
    """

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"

    @property
    def rank(self) -> int:
        """0 for the worst."""
        return tuple(Severity).index(self)

    def reaches(self, threshold: str) -> bool:
        """Whether it is at or above the threshold: one of the severities, or ``never``."""
        return threshold != "never" and self.rank <= Severity(threshold).rank
