"""The git that the fake needs: reads through plumbing, commits without a work tree."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from itertools import count
from pathlib import Path

CLOCK = count(1_700_000_000, 60)
SCRATCH = "refs/fake/commit"
ENVIRONMENT = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C",
    "PATH": os.environ.get("PATH", os.defpath),
}


class GitError(Exception):
    """git said no."""


@dataclass(frozen=True)
class File:
    """Content with a mode: 100755, 120000 (a link: its target), 160000 (a submodule: its commit)."""

    mode: str
    data: bytes


@dataclass(frozen=True)
class Entry:
    mode: str
    type: str
    sha: str
    size: int | None
    path: str


@dataclass(frozen=True)
class Commit:
    sha: str
    tree: str
    parents: tuple[str, ...]
    name: str
    email: str
    seconds: int
    message: str

    @property
    def date(self) -> str:
        return datetime.fromtimestamp(self.seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


Content = str | bytes | File | None


@dataclass(frozen=True)
class GitRepo:
    """A repository on disk, bare or with a work tree."""

    path: Path

    @classmethod
    def create(cls, path: Path) -> GitRepo:
        path.mkdir(parents=True, exist_ok=True)
        git = cls(path)
        git.run("init", "--quiet", "--bare", "--initial-branch=main")
        return git

    def run(self, *arguments: str, stdin: bytes | None = None) -> bytes:
        done = subprocess.run(
            ["git", "-C", str(self.path), *arguments],
            input=stdin,
            capture_output=True,
            env=ENVIRONMENT,
            check=False,
        )
        if done.returncode:
            raise GitError(f"git {' '.join(arguments)}: {done.stderr.decode(errors='replace').strip()}")
        return done.stdout

    def text(self, *arguments: str) -> str:
        return self.run(*arguments).decode("utf-8", "replace").strip()

    @cached_property
    def bare(self) -> bool:
        return self.text("rev-parse", "--is-bare-repository") == "true"

    def resolve(self, revision: str, kind: str = "commit") -> str | None:
        if revision.startswith("-"):
            return None
        try:
            return self.text("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{{kind}}}")
        except GitError:
            return None

    def merge_base(self, one: str, other: str) -> str:
        return self.text("merge-base", one, other)

    def commits(self, base: str, head: str) -> list[str]:
        """What `head` has and `base` has not, oldest first."""
        return self.text("rev-list", "--reverse", "--end-of-options", head, f"^{base}").split()

    def blob(self, sha: str) -> bytes:
        return self.run("cat-file", "blob", sha)

    def entry(self, revision: str, path: str) -> Entry | None:
        found = self.entries(revision, path.rstrip("/"))
        return found[0] if found else None

    def entries(self, tree: str, *paths: str, recursive: bool = False) -> list[Entry]:
        entries = []
        options = ["-r", "-t"] if recursive else []
        for record in self.run("ls-tree", "-z", "--long", "--full-tree", *options, tree, *paths).split(b"\0"):
            if record:
                meta, _, path = record.partition(b"\t")
                mode, kind, sha, size = meta.decode().split()
                entries.append(
                    Entry(
                        mode, kind, sha, None if size == "-" else int(size), path.decode("utf-8", "replace")
                    )
                )
        return entries

    def info(self, revision: str) -> Commit:
        shown = self.run("show", "-s", "--format=%H%x00%T%x00%P%x00%an%x00%ae%x00%at%x00%B", revision)
        sha, tree, parents, name, email, seconds, message = shown.decode("utf-8", "replace").split("\0", 6)
        return Commit(sha, tree, tuple(parents.split()), name, email, int(seconds), message.rstrip("\n"))

    def commit(
        self,
        files: Mapping[str, Content],
        *,
        branch: str | None = "main",
        parent: str | None = None,
        message: str = "change",
    ) -> str:
        """A commit of `files` (None deletes) on `parent`, else on the tip of `branch`; moves `branch` there, if any."""
        parent = self.resolve(parent or f"refs/heads/{branch}") if parent or branch else None
        direct = branch is not None and self.bare
        script = [
            f"commit {f'refs/heads/{branch}' if direct else SCRATCH}\nmark :1\n".encode(),
            f"committer Octo <octo@example.com> {next(CLOCK)} +0000\n".encode(),
            b"data %d\n%s\n" % (len(message.encode()), message.encode()),
            f"from {parent}\n".encode() if parent else b"",
            *(change(path, content) for path, content in files.items()),
            b"get-mark :1\n",
        ]
        sha = (
            self.run("fast-import", "--quiet", "--force", "--cat-blob-fd=1", stdin=b"".join(script))
            .decode()
            .strip()
        )
        if branch is not None and not direct:
            self.advance(branch, sha)
        return sha

    def advance(self, branch: str, sha: str) -> None:
        """Moves a branch, and the work tree with it where it is checked out."""
        if (
            not self.bare
            and self.text("symbolic-ref", "HEAD") == f"refs/heads/{branch}"
            and self.resolve("HEAD")
        ):
            self.run("merge", "--quiet", "--ff-only", sha)
        else:
            self.run("update-ref", f"refs/heads/{branch}", sha)


def change(path: str, content: Content) -> bytes:
    """One line of a fast-import stream, with its data."""
    quoted = '"' + path.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
    if content is None:
        return f"D {quoted}\n".encode()
    if isinstance(content, File) and content.mode == "160000":
        return f"M 160000 {content.data.decode()} {quoted}\n".encode()
    if isinstance(content, str):
        content = content.encode()
    mode, data = (content.mode, content.data) if isinstance(content, File) else ("100644", content)
    return f"M {mode} inline {quoted}\ndata {len(data)}\n".encode() + data + b"\n"
