"""A pull request on the fake GitHub, its checkout as the runner makes it, and the action run over it."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from portproof import yamldoc
from portproof.action import run
from portproof.github.client import Waits
from tests.e2e.program import FIXTURES, environment
from tests.github import FakeGitHub, GitRepo, Pull, Repository, Token
from tests.github.gitrepo import Content
from tests.support import runner

ACTION = Path(__file__).parents[2] / "action.yml"
DEFAULTS: dict[str, str] = {
    name: one["default"] for name, one in yamldoc.load(ACTION.read_text(encoding="utf-8"))["inputs"].items()
} | {"github-token": ""}
"""What the runner hands over where the workflow gives nothing; it fills in the token itself."""


def files_of(fixture: str) -> dict[str, bytes]:
    """The files of a folder of fixtures, by their path below it."""
    root = FIXTURES / fixture
    return {
        str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()
    }


def below(folder: str, files: Mapping[str, bytes]) -> dict[str, bytes]:
    return {f"{folder}/{path}": data for path, data in files.items()}


@dataclass
class Ran:
    """What a run left behind."""

    code: int
    stdout: str
    stderr: str
    summary: str
    outputs: dict[str, str]

    @property
    def report(self) -> dict[str, Any]:
        data: dict[str, Any] = json.loads(Path(self.outputs["report-file"]).read_text())
        return data

    @property
    def everything(self) -> str:
        files = [Path(path) for name, path in self.outputs.items() if name.endswith("-file")]
        return "\n".join(
            [self.stdout, self.stderr, self.summary, *(file.read_text() for file in files if file.exists())]
        )


@dataclass
class World:
    """One repository with one pull request, and a checkout of its merge commit."""

    fake: FakeGitHub
    folder: Path
    capsys: pytest.CaptureFixture[str]
    git: GitRepo = field(init=False)
    shop: Repository = field(init=False)
    pull: Pull = field(init=False)
    checkout: Path = field(init=False)
    merge: str = ""
    slept: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.git = GitRepo.create(self.folder / "shop.git")
        self.shop = self.fake.repository("octo/shop", self.git)

    def open(
        self,
        before: Mapping[str, Content],
        after: Mapping[str, Content],
        *,
        fork: bool = False,
        **options: Any,
    ) -> Pull:
        """A pull request that makes `after` of `before` (None removes a file)."""
        self.git.commit(dict(before), message="base")
        self.git.commit(dict(after), branch="feature", parent="main", message="change")
        self.pull = self.fake.open_pull(self.shop, head="feature", fork=fork, **options)
        self.check_out()
        return self.pull

    def push(self, files: Mapping[str, Content]) -> None:
        """The contributor pushes another commit."""
        head = self.git.commit(dict(files), branch="feature", message="more")
        self.fake.push(self.pull, head)
        self.check_out()

    def push_base(self, files: Mapping[str, Content]) -> None:
        """The base branch moves on."""
        self.fake.push_base(self.pull, self.git.commit(dict(files), branch="main", message="meanwhile"))
        self.check_out()

    def check_out(self, revision: str | None = None) -> None:
        """What actions/checkout leaves: the merge commit, detached, without history."""
        self.checkout = self.folder / "workspace"
        if self.checkout.exists():
            shutil.rmtree(self.checkout)
        tree = self.git.text("merge-tree", "--write-tree", "main", self.pull.head).split("\n")[0]
        self.merge = self.git.text(
            "-c", "user.name=a", "-c", "user.email=a@example.com",
            "commit-tree", "-p", "main", "-p", self.pull.head, "-m", "merge", tree,
        )  # fmt: skip
        self.git.run("update-ref", "refs/pull/1/merge", revision or self.merge)
        self.checkout.mkdir()
        work = GitRepo(self.checkout)
        work.run("init", "--quiet")
        work.run("fetch", "--quiet", "--depth=1", f"file://{self.git.path}", "refs/pull/1/merge")
        work.run("checkout", "--quiet", "--detach", "FETCH_HEAD")

    def deepen(self) -> None:
        """Fetch the history too."""
        address = f"file://{self.git.path}"
        GitRepo(self.checkout).run("fetch", "--quiet", "--unshallow", address, "refs/pull/1/merge")

    def environ(
        self, token: Token | str | None, event: str = "pull_request", **inputs: str
    ) -> dict[str, str]:
        """The variables of the runner."""
        for name in ("event.json", "summary.md", "output"):
            (self.folder / name).unlink(missing_ok=True)
        (self.folder / "temp").mkdir(exist_ok=True)
        (self.folder / "event.json").write_text(json.dumps(self.event(event)))
        value = token.value if isinstance(token, Token) else token or ""
        given = DEFAULTS | {"github-token": value}
        variables = {f"INPUT_{name.upper()}": text for name, text in given.items()}
        variables |= {f"INPUT_{name.upper().replace('_', '-')}": text for name, text in inputs.items()}
        return {
            **environment(),
            **variables,
            "GITHUB_ACTIONS": "true",
            "GITHUB_API_URL": self.fake.url,
            "GITHUB_EVENT_NAME": event,
            "GITHUB_EVENT_PATH": str(self.folder / "event.json"),
            "GITHUB_JOB": "ports",
            "GITHUB_OUTPUT": str(self.folder / "output"),
            "GITHUB_REPOSITORY": "octo/shop",
            "GITHUB_RUN_ID": "42",
            "GITHUB_SERVER_URL": "https://github.com",
            "GITHUB_SHA": self.merge,
            "GITHUB_STEP_SUMMARY": str(self.folder / "summary.md"),
            "GITHUB_WORKFLOW": "CI",
            "GITHUB_WORKSPACE": str(self.checkout),
            "RUNNER_TEMP": str(self.folder / "temp"),
        }

    def event(self, name: str) -> dict[str, Any]:
        if name.startswith("pull_request"):
            return self.fake.event(self.pull)
        return {"repository": {"full_name": "octo/shop"}}

    def run(self, token: Token | str | None, event: str = "pull_request", **inputs: str) -> Ran:
        return self.run_with(self.environ(token, event, **inputs))

    def run_with(self, environ: Mapping[str, str]) -> Ran:
        """Run the action in this process."""
        self.capsys.readouterr()
        code = run(environ, waits=Waits(pace=None, backoff=0), sleep=self.slept.append)
        shown = self.capsys.readouterr()
        summary = self.folder / "summary.md"
        ran = Ran(
            code,
            shown.out,
            shown.err,
            summary.read_text() if summary.exists() else "",
            outputs_of(self.folder / "output"),
        )
        secret = environ.get("INPUT_GITHUB-TOKEN", "")
        if secret:
            self.assert_absent(secret, ran)
        return ran

    def start(self, environ: Mapping[str, str], *command: str) -> subprocess.CompletedProcess[bytes]:
        """Run the action in a process of its own, by `command` or as the image does."""
        return subprocess.run(
            command or (sys.executable, "-I", "-m", "portproof", "action"),
            env=dict(environ),
            cwd=self.checkout,
            capture_output=True,
            check=False,
            timeout=600,
        )

    def assert_absent(self, secret: str, ran: Ran) -> None:
        """The token is nowhere: not in what is printed or written, nor in what GitHub is sent."""
        bodies = json.dumps([[one.path, one.query, one.body] for one in self.fake.log])
        data = secret.encode()
        forms = [secret, data.hex(), secret[::-1]]
        forms += [base64.b64encode(data[offset:]).decode().strip("=")[:-2] for offset in range(3)]
        for form in forms:
            assert form not in ran.everything
            assert form not in bodies


def outputs_of(file: Path) -> dict[str, str]:
    """The outputs as the runner reads them."""
    return dict(runner.file_commands(file.read_bytes().decode())) if file.exists() else {}


def writing(fake: FakeGitHub) -> Token:
    return fake.token(contents="read", pull_requests="write", issues="read")


def no_git(environ: Mapping[str, str], folder: Path) -> dict[str, str]:
    """As in the image: nothing on PATH."""
    empty = folder / "empty"
    empty.mkdir(exist_ok=True)
    return {**environ, "PATH": str(empty)}


def canary() -> str:
    return f"ghs_{os.urandom(18).hex()}"
