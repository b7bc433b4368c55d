"""The processor time that the tests of each folder may take, those of the programs that they start included."""

from __future__ import annotations

import resource
from collections.abc import Generator

import pytest

BUDGETS = {
    "tests": 190,
    "tests/connectivity": 70,
    "tests/discover": 8,
    "tests/e2e": 320,
    "tests/fuzz": 15,
    "tests/github": 12,
    "tests/hostile": 70,
    "tests/image": 30,
    "tests/page": 60,
    "tests/portmap": 120,
    "tests/postmortem": 50,
    "tests/prometheus": 10,
    "tests/whatif": 30,
}
"""Seconds in user mode, half as much again as it takes on two busy cores. Who needs more merges runs, or says why here."""


class Budget:
    """Adds up what each test takes, wherever it runs, and fails the whole when a folder takes too much."""

    def __init__(self) -> None:
        self.taken: dict[str, float] = {}
        self._before = 0.0

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
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add a test to its folder."""
        if report.when == "teardown":
            folder = report.nodeid.partition("::")[0].rpartition("/")[0]
            taken = [float(str(value)) for name, value in report.user_properties if name == "cpu"]
            self.taken[folder] = sum(taken, self.taken.get(folder, 0.0))

    @property
    def over(self) -> list[str]:
        """What is wrong, a line a folder."""
        return [
            f"{folder}: {taken:.0f} s, its budget is {BUDGETS.get(folder, 0)} s"
            for folder, taken in sorted(self.taken.items())
            if taken > BUDGETS.get(folder, 0)
        ]

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """A run of tests that takes too long is one that fails."""
        if self.over and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Show what the folders took."""
        terminalreporter.section("processor time in user mode, by folder")
        for folder, taken in sorted(self.taken.items()):
            terminalreporter.write_line(f"{taken:6.1f} s of {BUDGETS.get(folder, 0):4} s  {folder}")
        for line in self.over:
            terminalreporter.write_line(f"over budget: {line}", red=True)


def _used() -> float:
    """Seconds in user mode of this process and of those of its children that have ended."""
    return sum(resource.getrusage(who).ru_utime for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
