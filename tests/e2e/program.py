"""The real program, in this process or in one of its own, and repositories for it to look at."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema

import portproof
from portproof.toolchain import WHEEL_SWITCH
from tests.support import in_process

FIXTURES = Path(__file__).parents[2] / "fixtures"
KEPT = frozenset({"PORTPROOF_CACHE", "PORTPROOF_HELM", "PORTPROOF_KUSTOMIZE", WHEEL_SWITCH})
_SCRUBBED = ("GITHUB_", "RUNNER_", "INPUT_", "HELM_", "KUBE", "KUSTOMIZE_", "PORTPROOF_", "GIT_")
_SCRUBBED_NAMES = frozenset(
    {"CI", "NO_COLOR", "FORCE_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "COLUMNS", "TERM"}
)
_SCHEMA = json.loads((Path(portproof.__file__).parent / "report" / "report.schema.json").read_text())
_SECONDS = 600


def is_scrubbed(name: str) -> bool:
    """Whether a variable of the surrounding environment could change what the program does."""
    return name not in KEPT and (name in _SCRUBBED_NAMES or name.startswith(_SCRUBBED))


def environment() -> dict[str, str]:
    """The environment of a person who has set nothing, but for a cache: no test is to see what another has rendered."""
    own = {name: value for name, value in os.environ.items() if not is_scrubbed(name)}
    return own | {"PORTPROOF_RENDER_CACHE": ""}


@dataclass(frozen=True)
class Run:
    """What became of one call of the program."""

    code: int
    stdout: str
    stderr: str

    @property
    def report(self) -> dict[str, Any]:
        """The JSON report on standard output, held against the published schema."""
        assert self.code in (0, 1), self.stderr
        data: dict[str, Any] = json.loads(self.stdout)
        jsonschema.validate(data, _SCHEMA)
        return data


@dataclass(frozen=True)
class Program:
    """Calls the program in the current folder: its `main`, in this process, which saves the start of an interpreter."""

    environ: Mapping[str, str]

    def __call__(self, *args: str | Path) -> Run:
        code, stdout, stderr = in_process.call([str(one) for one in args], self.environ, _SECONDS)
        return Run(code, stdout.decode(), stderr.decode())

    def piped(self, given: str | bytes, *args: str | Path) -> Run:
        """The same with something on standard input."""
        data = given if isinstance(given, bytes) else given.encode()
        code, stdout, stderr = in_process.call([str(one) for one in args], self.environ, _SECONDS, data)
        return Run(code, stdout.decode(), stderr.decode())

    def check(self, *args: str | Path) -> dict[str, Any]:
        """The report of ``check``."""
        return self("check", "--format", "json", *args).report


@dataclass(frozen=True)
class Process(Program):
    """Calls ``python -m portproof``: for claims about the process itself, and where one must not know of another."""

    prefix: tuple[str, ...] = ()

    def __call__(self, *args: str | Path) -> Run:
        command = [*self.prefix, sys.executable, "-m", "portproof", *map(str, args)]
        done = subprocess.run(
            command,
            env=dict(self.environ),
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=_SECONDS,
            check=False,
        )
        return Run(done.returncode, done.stdout.decode(), done.stderr.decode())


@dataclass(frozen=True)
class Repository:
    """A git work tree."""

    root: Path

    def git(self, *args: str, stdin: str = "") -> str:
        """Call the real git."""
        command = [
            "git",
            "-c",
            "user.name=test",
            "-c",
            "user.email=test@example.com",
            "-c",
            "core.autocrlf=false",
            *args,
        ]
        done = subprocess.run(
            command,
            cwd=self.root,
            env=environment() | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"},
            input=stdin.encode(),
            capture_output=True,
            timeout=_SECONDS,
            check=False,
        )
        assert done.returncode == 0, f"git {' '.join(args)}: {done.stderr.decode()}"
        return done.stdout.decode()

    def commit(self) -> None:
        """Commit everything there is."""
        if not (self.root / ".git").exists():
            self.git("init", "--quiet", "--initial-branch=main", "--template=")
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", "all of it")

    def read(self, path: str) -> bytes:
        """What a file holds."""
        return (self.root / path).read_bytes()

    def write(self, files: Mapping[str, str | bytes]) -> None:
        """Write `files`, in folders as needed."""
        for path, content in files.items():
            file = self.root / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content if isinstance(content, bytes) else content.encode())

    def replace(self, path: str, old: str, new: str) -> None:
        """Replace the one place of a file that reads `old`."""
        text = self.read(path).decode()
        assert text.count(old) == 1, f"{path} has {old!r} {text.count(old)} times"
        (self.root / path).write_bytes(text.replace(old, new).encode())

    @contextmanager
    def untouched(self) -> Iterator[None]:
        """Nothing in the tree, ``.git`` included, may change inside the block."""
        before = _digest(self.root)
        yield
        assert _digest(self.root) == before


def _digest(root: Path) -> dict[str, tuple[int, str]]:
    """Mode and content of everything below `root`."""
    found = {}
    for path in sorted(root.rglob("*")):
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode):
            content = str(path.readlink())
        elif stat.S_ISREG(mode):
            content = hashlib.sha256(path.read_bytes()).hexdigest()
        else:
            content = ""
        found[str(path.relative_to(root))] = (mode, content)
    return found


def place(location: Mapping[str, Any]) -> str:
    """``values.yaml:14:15-14:19``."""
    return "{path}:{line}:{column}-{end_line}:{end_column}".format_map(location)


def fixes(finding: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """The fix and the alternatives."""
    return [*([finding["fix"]] if finding["fix"] else []), *finding["alternatives"]]


def by_status(report: Mapping[str, Any]) -> dict[str, list[str]]:
    """The ids of the targets by what became of them."""
    found: dict[str, list[str]] = {"checked": [], "failed": [], "skipped": []}
    for target in report["targets"]:
        found[target["status"]].append(target["id"])
    return found
