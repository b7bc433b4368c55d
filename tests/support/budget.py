"""The processor time that the tests of each folder may take, those of the programs that they start included."""

from __future__ import annotations

import resource
import statistics
from collections.abc import Generator

import pytest

BUDGETS = {
    "tests": 245,
    "tests/connectivity": 70,
    "tests/discover": 8,
    "tests/e2e": 560,
    "tests/fuzz": 18,
    "tests/github": 12,
    "tests/hostile": 160,
    "tests/image": 30,
    "tests/packaging": 60,
    "tests/page": 60,
    "tests/portmap": 120,
    "tests/postmortem": 50,
    "tests/prometheus": 10,
    "tests/shells": 10,
    "tests/whatif": 95,
}
"""Seconds in user mode, half as much again as it takes on two busy cores. Who needs more merges runs, or says why here."""

YARDSTICK = 0.012
"""Seconds that the yardstick takes on those cores. A machine that is slower at it is granted more in proportion."""

_EVERY = 100
"""Tests between two looks at the yardstick: how busy the cores are changes during a run."""


class Budget:
    """Adds up what each test takes, wherever it runs, and fails the whole when a folder takes too much."""

    def __init__(self) -> None:
        self.taken: dict[str, float] = {}
        self.paces: list[float] = []
        self._before = 0.0
        self._tests = 0

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logstart(self) -> None:
        """Look at the clock before a test is set up."""
        self._before = _used()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """The last report of a test carries its time to the process that reports."""
        report = yield
        if call.when == "teardown":
            report.user_properties.append(("cpu", _used() - self._before))
            if self._tests % _EVERY == 0:
                report.user_properties.append(("pace", _pace()))
            self._tests += 1
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add a test to its folder."""
        if report.when == "teardown":
            folder = report.nodeid.partition("::")[0].rpartition("/")[0]
            self.taken[folder] = sum(_properties(report, "cpu"), self.taken.get(folder, 0.0))
            self.paces += _properties(report, "pace")

    @property
    def slowness(self) -> float:
        """How much longer than on the cores of the budgets everything takes here; at least 1."""
        return max(1.0, statistics.median(self.paces) / YARDSTICK) if self.paces else 1.0

    def granted(self, folder: str) -> float:
        """What a folder may take on this machine, in seconds."""
        return BUDGETS.get(folder, 0) * self.slowness

    @property
    def over(self) -> list[str]:
        """What is wrong, a line a folder."""
        return [
            f"{folder}: {taken:.1f} s, its budget is {self.granted(folder):.1f} s"
            for folder, taken in sorted(self.taken.items())
            if taken > self.granted(folder)
        ]

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """A run of tests that takes too long is one that fails."""
        if self.over and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_unconfigure(self, config: pytest.Config) -> None:
        """Show what the folders took, after all else: the end of a log is what people see first."""
        reporter = config.pluginmanager.get_plugin("terminalreporter")
        if reporter is None or not self.taken:
            return
        reporter.section(
            f"processor time in user mode, by folder; the machine's factor is {self.slowness:.2f}"
        )
        for folder, taken in sorted(self.taken.items()):
            reporter.write_line(f"{taken:6.1f} s of {self.granted(folder):6.1f} s  {folder}")
        for line in self.over:
            reporter.write_line(f"over budget: {line}", red=True)


def _properties(report: pytest.TestReport, name: str) -> list[float]:
    """The numbers that a report carries by that name."""
    return [float(str(value)) for key, value in report.user_properties if key == name]


def _pace() -> float:
    """Seconds in user mode that this process needs for a fixed piece of work."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_utime
    counts: dict[str, int] = {}
    for number in range(60_000):
        key = str(number % 977)
        counts[key] = counts.get(key, 0) + number
    return resource.getrusage(resource.RUSAGE_SELF).ru_utime - before


def _used() -> float:
    """Seconds in user mode of this process and of those of its children that have ended."""
    return sum(resource.getrusage(who).ru_utime for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
