"""`.ci/propose`: what has changed in a checkout becomes one pull request, and stays one. git is real, gh is a stand-in."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BRANCH = "bump-tools"
GH = """#!/usr/bin/env bash
echo "$*" >>"$GH_STATE/calls"
case "$1 $2" in
  'pr list') cat "$GH_STATE/open" 2>/dev/null || true ;;
  'pr create') echo 7 >"$GH_STATE/open" ;;
esac
"""


@dataclass(frozen=True)
class Checkout:
    """A clone as a workflow has it: one commit deep, of a repository on this machine."""

    folder: Path

    @property
    def root(self) -> Path:
        return self.folder / "checkout"

    @property
    def origin(self) -> Path:
        return self.folder / "origin.git"

    def propose(self) -> str:
        environ = os.environ | {
            "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
            "GH_STATE": str(self.folder),
            "GITHUB_REF_NAME": "main",
            "GIT_CONFIG_GLOBAL": os.devnull,
        }
        command = [str(self.root / ".ci" / "propose"), BRANCH, "Raise the pinned tools"]
        done = subprocess.run(
            command, input="helm: newer\n", capture_output=True, text=True, check=False, env=environ
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def calls(self) -> list[str]:
        """What was asked of gh since the last look, without the texts."""
        calls = self.folder / "calls"
        lines = calls.read_text().splitlines() if calls.exists() else []
        calls.unlink(missing_ok=True)
        return [" ".join(line.split()[:2]) for line in lines if line and not line.startswith("helm:")]

    def git(self, *arguments: str, at: Path | None = None) -> str:
        identity = ["-c", "user.name=somebody", "-c", "user.email=somebody@example.com"]
        command = ["git", "-C", str(at or self.root), *identity, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    def branch(self, *arguments: str) -> str:
        return self.git("log", "--format=%h %an %s", *arguments, BRANCH, at=self.origin)


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    made = Checkout(tmp_path)
    seed = tmp_path / "seed"
    (seed / ".ci").mkdir(parents=True)
    shutil.copy(ROOT / ".ci" / "propose", seed / ".ci")
    (seed / "pins.py").write_text("helm = 1\n")
    made.git("init", "--quiet", "--initial-branch=main", at=seed)
    made.git("add", "--all", at=seed)
    made.git("commit", "--quiet", "--message", "first", at=seed)
    made.git("clone", "--quiet", "--bare", str(seed), str(made.origin), at=tmp_path)
    fresh(made)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "gh").write_text(GH)
    (tmp_path / "bin" / "gh").chmod(0o755)
    return made


def fresh(made: Checkout) -> None:
    """Clone anew, as the next run of a workflow does."""
    shutil.rmtree(made.root, ignore_errors=True)
    made.git("clone", "--quiet", "--depth=1", made.origin.as_uri(), str(made.root), at=made.folder)


def change(made: Checkout, text: str) -> None:
    (made.root / "pins.py").write_text(text)


def test_nothing_changed_is_nothing_proposed(checkout: Checkout) -> None:
    assert "nothing has changed" in checkout.propose()
    assert checkout.calls() == []
    assert checkout.git("branch", "--list", at=checkout.origin) == "* main"


def test_a_change_becomes_a_commit_a_pull_request_and_a_run_of_ci(checkout: Checkout) -> None:
    change(checkout, "helm = 2\n")
    checkout.propose()
    assert checkout.calls() == ["pr list", "pr create", "workflow run"]
    commits = checkout.branch().splitlines()
    assert [one.split(" ", 1)[1] for one in commits] == [
        "github-actions[bot] Raise the pinned tools",
        "somebody first",
    ]
    assert checkout.git("show", f"{BRANCH}:pins.py", at=checkout.origin) == "helm = 2"
    assert "helm: newer" in checkout.git("log", "-1", "--format=%b", BRANCH, at=checkout.origin)


def test_the_same_change_a_week_later_says_nothing(checkout: Checkout) -> None:
    change(checkout, "helm = 2\n")
    checkout.propose()
    before = checkout.branch()
    checkout.calls()
    fresh(checkout)
    change(checkout, "helm = 2\n")
    assert "pull request 7 says so already" in checkout.propose()
    assert checkout.calls() == ["pr list"]
    assert checkout.branch() == before


def test_a_newer_change_takes_the_place_of_the_older_one(checkout: Checkout) -> None:
    change(checkout, "helm = 2\n")
    checkout.propose()
    checkout.calls()
    fresh(checkout)
    change(checkout, "helm = 3\n")
    checkout.propose()
    assert checkout.calls() == ["pr list", "pr edit", "workflow run"]
    assert checkout.git("show", f"{BRANCH}:pins.py", at=checkout.origin) == "helm = 3"
    assert len(checkout.branch().splitlines()) == 2


def test_what_somebody_else_has_pushed_stays(checkout: Checkout) -> None:
    change(checkout, "helm = 2\n")
    checkout.propose()
    checkout.calls()
    checkout.git("commit", "--quiet", "--allow-empty", "--message", "mend a test")
    checkout.git("push", "--quiet", "--force", "origin", f"HEAD:{BRANCH}")
    before = checkout.branch()
    fresh(checkout)
    change(checkout, "helm = 3\n")
    assert "somebody works on pull request 7" in checkout.propose()
    assert checkout.calls() == ["pr list"]
    assert checkout.branch() == before


def test_the_branch_of_a_pull_request_that_was_closed_is_used_again(checkout: Checkout) -> None:
    change(checkout, "helm = 2\n")
    checkout.propose()
    (checkout.folder / "open").unlink()
    checkout.calls()
    fresh(checkout)
    change(checkout, "helm = 2\n")
    checkout.propose()
    assert checkout.calls() == ["pr list", "pr create", "workflow run"]
