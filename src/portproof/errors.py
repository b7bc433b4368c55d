"""Every way in which portproof gives up, with its exit code and what to do next.

A target that cannot be rendered is *not* in this list: that is a result
(`render.RenderFailure`, `render.NotRendered`), shown in every report.
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """The exit codes that callers rely on; defined here and nowhere else."""

    OK = 0
    FINDINGS = 1
    USAGE = 2
    INTERNAL = 3


class PortproofError(Exception):
    """A reason to stop; `next_step` tells the reader what to do about it."""

    exit_code = ExitCode.INTERNAL

    def __init__(self, message: str, *, next_step: str = "") -> None:
        super().__init__(message)
        self.next_step = next_step


class UsageError(PortproofError):
    """The command line asks for something that cannot be done."""

    exit_code = ExitCode.USAGE


class ConfigError(PortproofError):
    """The configuration file is wrong; the message holds file and place."""

    exit_code = ExitCode.USAGE


class ToolError(PortproofError):
    """helm or kustomize is missing, or is not what it claims to be."""

    exit_code = ExitCode.USAGE


class ConflictError(PortproofError):
    """A file changed while portproof was working on it; nothing was written to it."""

    exit_code = ExitCode.USAGE
