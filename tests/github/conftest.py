"""A shop with a pull request: a changed, an added, a removed and a renamed file, two hunks in the changed one."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from github import Auth, Github
from github.GithubRetry import GithubRetry
from github.PullRequest import PullRequest

from tests.github import FakeGitHub, GitRepo, Pull, Repository, Token

LINES = [f"line {number}" for number in range(1, 41)]
VALUES = "\n".join(LINES) + "\n"
# Line 5 is changed, line 20 deleted, a line is put in after 30: hunks 2-8, 17-22 (old 17-23), 27-33.
CHANGED = (
    VALUES.replace("line 5\n", "line five\n").replace("line 20\n", "").replace("line 30\n", "line 30\nnew\n")
)
BASE = {
    "values.yaml": VALUES,
    "old.yaml": "a: 1\nb: 2\nc: 3\nd: 4\n",
    "gone.yaml": "x: 1\n",
    "other.yaml": "y: 1\n",
}
HEAD = {
    "values.yaml": CHANGED,
    "old.yaml": None,
    "new.yaml": "a: 1\nb: 2\nc: 3\nd: 5\n",
    "gone.yaml": None,
    "added.yaml": "z: 1\n",
}


def retry(**options: Any) -> GithubRetry:
    """As the reference recommends: only what reads is repeated."""
    return GithubRetry(total=2, allowed_methods=frozenset({"GET", "HEAD"}), max_rate_limit_wait=60, **options)


@dataclass
class Shop:
    fake: FakeGitHub
    git: GitRepo
    repository: Repository
    pull: Pull
    stack: ExitStack
    clients: dict[str, Github] = field(default_factory=dict)

    @property
    def writer(self) -> Token:
        return self.fake.token(contents="read", pull_requests="write", issues="read", actions="read")

    def connect(self, token: Token, repeat: GithubRetry | None = None) -> Github:
        client = Github(
            auth=Auth.Token(token.value),
            base_url=self.fake.url,
            seconds_between_requests=None,
            seconds_between_writes=None,
            retry=repeat or retry(),
            timeout=60,
            api_version="2022-11-28",
        )
        self.stack.callback(client.close)
        return client

    def open(self, token: Token | None = None, repeat: GithubRetry | None = None) -> PullRequest:
        return self.connect(token or self.writer, repeat).get_repo("octo/shop").get_pull(self.pull.number)

    def push(self, files: dict[str, Any]) -> str:
        """The contributor pushes a commit."""
        sha = self.git.commit(files, branch=self.pull.head_ref)
        self.fake.push(self.pull, sha)
        return sha


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made once; each test works on a copy."""
    path = tmp_path_factory.mktemp("made") / "shop.git"
    git = GitRepo.create(path)
    git.commit(BASE, message="first")
    git.commit(HEAD, branch="feature", parent="main", message="second")
    git.commit({"other.yaml": "y: 2\n"}, message="main goes on")
    return path


@pytest.fixture
def shop(made: Path, tmp_path: Path) -> Iterator[Shop]:
    git = GitRepo(shutil.copytree(made, tmp_path / "shop.git"))
    with FakeGitHub() as fake, ExitStack() as stack:
        repository = fake.repository("octo/shop", git)
        yield Shop(fake, git, repository, fake.open_pull(repository, head="feature"), stack)
