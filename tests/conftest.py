"""What several kinds of tests share: a clean environment, the program, repositories made of fixtures."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from hypothesis import settings

from portproof.toolchain import WHEEL_SWITCH
from tests.e2e.program import FIXTURES, Process, Program, Repository, environment, is_scrubbed
from tests.support.budget import Budget

SEARCH = "HYPOTHESIS_MAX_EXAMPLES"
"""The variable that says how many examples to try; with it they are new ones each time."""

settings.register_profile("portproof", deadline=None, derandomize=SEARCH not in os.environ)
settings.load_profile("portproof")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--accept",
        action="store_true",
        help="write what the rules say now into the expected.txt of every claim",
    )
    parser.addoption("--budget", action="store_true", help="fail when the tests of a folder take too long")


def pytest_configure(config: pytest.Config) -> None:
    os.environ.setdefault(
        WHEEL_SWITCH, "1"
    )  # where the official files of helm and kustomize cannot be reached
    if config.getoption("--accept") and os.environ.get("CI"):
        raise pytest.UsageError(
            "--accept is for a person who reads the diff: CI is set, so nothing is accepted"
        )
    if config.getoption("--budget"):
        config.pluginmanager.register(Budget())


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take away what CI systems, helm, kubectl and terminals put into the environment."""
    for name in [name for name in os.environ if is_scrubbed(name)]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PORTPROOF_RENDER_CACHE", "")


@pytest.fixture
def portproof() -> Program:
    """The program, as a person would call it in the current folder; in this process."""
    return Program(environment())


@pytest.fixture
def process() -> Process:
    """The program as a process of its own."""
    return Process(environment())


@pytest.fixture(scope="session")
def committed(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A git repository of a folder of fixtures, with one commit; made once, to be copied."""

    @cache
    def made(fixture: str) -> Path:
        root = tmp_path_factory.mktemp("committed") / "repository"
        if fixture:
            shutil.copytree(FIXTURES / fixture, root)
        else:
            root.mkdir()
        Repository(root).commit()
        return root

    return made


@pytest.fixture
def make_repository(
    committed: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], Repository]:
    """Make a git repository of a folder of fixtures, with one commit, and go there; "" makes one without files."""

    def make(fixture: str) -> Repository:
        root = shutil.copytree(committed(fixture), tmp_path / "repository", symlinks=True)
        monkeypatch.chdir(root)
        return Repository(root)

    return make
