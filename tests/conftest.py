"""What several kinds of tests share: a clean environment, the program as a process, repositories made of fixtures."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.program import FIXTURES, Program, Repository, environment, is_scrubbed


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--accept",
        action="store_true",
        help="write what the rules say now into the expected.txt of every claim",
    )


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--accept") and os.environ.get("CI"):
        raise pytest.UsageError(
            "--accept is for a person who reads the diff: CI is set, so nothing is accepted"
        )


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take away what CI systems, helm, kubectl and terminals put into the environment."""
    for name in [name for name in os.environ if is_scrubbed(name)]:
        monkeypatch.delenv(name)


@pytest.fixture
def portproof() -> Program:
    """The program, as a person would start it in the current folder."""
    return Program(environment())


@pytest.fixture
def make_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Repository]:
    """Make a git repository of a folder of fixtures, with one commit, and go there; "" makes one without files."""

    def make(fixture: str) -> Repository:
        root = tmp_path / "repository"
        if fixture:
            shutil.copytree(FIXTURES / fixture, root)
        else:
            root.mkdir()
        repository = Repository(root)
        repository.commit()
        monkeypatch.chdir(root)
        return repository

    return make
