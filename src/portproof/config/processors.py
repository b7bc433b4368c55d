"""How many renders go on at once, unless somebody says."""

from __future__ import annotations

import math
import os
from pathlib import Path


def default_jobs(cgroups: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")) -> int:
    """The processors that this process may use: its affinity, and the CPU quota of its control groups."""
    affinity = getattr(os, "sched_getaffinity", None)
    count = len(affinity(0)) if affinity else os.cpu_count() or 1
    quota = _cpu_quota(cgroups, own)
    return max(1, min(count, math.ceil(quota)) if quota else count)


def _cpu_quota(cgroups: Path, own: Path) -> float | None:
    """The lowest CPU quota from our control group up to the root (version 2, else version 1); None without one."""
    try:
        group = next(line[3:].strip() for line in own.read_text().splitlines() if line.startswith("0::"))
    except (OSError, StopIteration):
        group = "/"
    folder = cgroups / group.strip("/") if ".." not in group else cgroups
    quotas = []
    for place in (folder, *folder.parents):
        if not place.is_relative_to(cgroups):
            break
        quotas.append(_ratio(_words(place / "cpu.max")))
    old = cgroups / "cpu"
    quotas.append(_ratio(_words(old / "cpu.cfs_quota_us") + _words(old / "cpu.cfs_period_us")))
    return min((quota for quota in quotas if quota), default=None)


def _words(file: Path) -> list[str]:
    try:
        return file.read_text().split()
    except OSError:
        return []


def _ratio(words: list[str]) -> float | None:
    try:
        quota, period = (int(word) for word in words)
    except ValueError:  # "max", or not there
        return None
    return quota / period if quota > 0 and period > 0 else None
