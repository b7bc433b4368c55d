"""A folder of tests that takes more processor time than it is granted fails the run, wherever its tests ran."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.budget import BUDGETS, YARDSTICK, Budget

TESTS = Path(__file__).parent
CONFTEST = """\
from tests.support import budget

budget.BUDGETS["busy"] = {granted}

def pytest_configure(config):
    config.pluginmanager.register(budget.Budget())
"""
BUSY = """\
import subprocess, sys

def test_busy():
    subprocess.run([sys.executable, "-c", "sum(range(20_000_000))"], check=True)
"""


def test_every_folder_has_a_budget() -> None:
    found = {file.parent.relative_to(TESTS.parent).as_posix() for file in TESTS.rglob("test_*.py")}
    assert found == BUDGETS.keys()


@pytest.mark.parametrize(
    ("granted", "options", "code"),
    [(0.1, ["-n1"], 1), (600, [], 0)],
    ids=["over, in a worker", "within, here"],
)
def test_too_much_fails(granted: float, options: list[str], code: int, tmp_path: Path) -> None:
    (tmp_path / "busy").mkdir()
    (tmp_path / "busy" / "test_busy.py").write_text(BUSY)
    (tmp_path / "conftest.py").write_text(CONFTEST.format(granted=granted))
    own = ["-p", "no:cacheprovider", "-p", "no:hypothesispytest", "--rootdir=."]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *own, *options, "busy"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(TESTS.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "1 passed" in done.stdout
    assert ("over budget: busy: " in done.stdout) is bool(code)
    assert done.returncode == code


@pytest.mark.parametrize(
    ("paces", "factor"), [([], 1), ([YARDSTICK / 2], 1), ([YARDSTICK, YARDSTICK * 3, YARDSTICK * 2], 2)]
)
def test_a_slower_machine_is_granted_more_in_proportion(paces: list[float], factor: float) -> None:
    budget = Budget()
    budget.paces = paces
    assert budget.granted("tests/e2e") == pytest.approx(BUDGETS["tests/e2e"] * factor)
