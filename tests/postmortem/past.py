"""Repositories with a past: commits at known times, by people whose names no document may have."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass

from tests.e2e.program import Repository, environment

PEOPLE = ("Ada Lovelace", "ada@mail.example", "Grace Hopper", "grace@mail.example")


@dataclass
class Past:
    """A repository to which commits are added, an hour after each other."""

    repository: Repository
    hour: int = 0

    def git(self, *args: str) -> str:
        """Call the real git, as Ada, with what Grace commits, an hour later than the last time."""
        when = f"2025-07-{1 + self.hour // 24:02d}T{self.hour % 24:02d}:00:00Z"
        author, author_mail, committer, committer_mail = PEOPLE
        people = {
            "GIT_AUTHOR_NAME": author,
            "GIT_AUTHOR_EMAIL": author_mail,
            "GIT_AUTHOR_DATE": when,
            "GIT_COMMITTER_NAME": committer,
            "GIT_COMMITTER_EMAIL": committer_mail,
            "GIT_COMMITTER_DATE": when,
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
        }
        done = subprocess.run(
            ["git", "-c", "core.autocrlf=false", *args],
            cwd=self.repository.root,
            env=environment() | people,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, f"git {' '.join(args)}: {done.stderr}"
        return done.stdout

    def commit(self, subject: str) -> str:
        """Commit everything there is; gives the name of the commit as documents have it."""
        self.hour += 1
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", subject)
        return self.here()

    def here(self) -> str:
        """The commit that is checked out, as documents have it."""
        return self.git("rev-parse", "HEAD").strip()[:8]
