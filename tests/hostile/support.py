"""One repository of an attacker's, the real program run over it once, and what must hold whatever is in there."""

from __future__ import annotations

import base64
import ctypes
import json
import os
import re
import resource
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import yaml

from portproof.toolchain import cache_folder
from tests.e2e.program import environment
from tests.support.rendering import chart, current_helm, kustomize

GIB = 1024**3
CACHE = cache_folder(dict(os.environ))
FORMATS = ("text", "sarif", "github", "markdown", "json")
HEALTHY = {
    **chart(
        "good",
        {"templates/map.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: good}\n"},
        name="good",
    ),
}
"""A chart beside every case: it is checked, whatever becomes of the rest."""

Build = Callable[["Place"], Mapping[str, str | bytes]]
"""Files by path; a text that begins with ``-> `` is where a link leads."""


@dataclass(frozen=True)
class Case:
    """`build` makes the files; `expect` tells for ids of targets how their line begins: ``skipped: the link …``."""

    name: str
    build: Build
    expect: Mapping[str, str]
    code: int = 0
    seconds: float = 60.0
    environ: Callable[[Place], Mapping[str, str]] = lambda _: {}
    silent: tuple[str, ...] = ()


@dataclass(frozen=True)
class Part:
    """A case that needs a folder only: `build` makes the files of the folder that it is given.

    `status` is how the line of `target` begins; ``{x}`` stands for the folder in both.
    """

    name: str
    build: Callable[[Place, str], Mapping[str, str | bytes]]
    status: str
    target: str = "helm:{x}"


def united(name: str, *parts: Part, code: int = 0, silent: tuple[str, ...] = ()) -> Case:
    """One repository for all parts, each in a folder that is called like it: a run over all takes as long as over one."""
    folders = {f"x{n}-{re.sub(r'[^a-z]+', '-', part.name.lower())}": part for n, part in enumerate(parts)}

    def build(place: Place) -> dict[str, str | bytes]:
        files: dict[str, str | bytes] = {}
        for folder, part in folders.items():
            for path, content in part.build(place, folder).items():
                assert files.setdefault(path, content) == content, f"two parts make {path}"
        return files

    expect = {part.target.format(x=x): part.status.format(x=x) for x, part in folders.items()}
    return Case(name, build, expect, code, silent=silent)


@dataclass
class Place:
    """A folder that holds the repository, secrets beside it, programs that must not run, and a port that nobody asks."""

    root: Path
    canary: str = field(default_factory=lambda: f"canary{os.urandom(12).hex()}")
    connections: int = 0

    def __enter__(self) -> Self:
        self.repository = self.root / "repository"
        self.outside = self.root / "outside"
        self.home = self.root / "home"
        self.marker = self.root / "markers" / "ran"
        for folder in (self.repository, self.outside / "folder", self.root / "tmp", self.marker.parent):
            folder.mkdir(parents=True)
        (self.outside / "secret").write_text(self.canary)
        (self.outside / "folder" / "kustomization.yaml").write_text("resources: [secret.yaml]\n")
        (self.outside / "folder" / "secret.yaml").write_text(self.config_map())
        (self.outside / "secret.yaml").write_text(self.config_map())
        for name in ("git", "helm", "kustomize", "kubectl", "sh", "bash", "ssh", "docker"):
            self.program(self.root / "bin" / name)
        self._plugin(self.home / ".local/share/helm/plugins")
        self._listen()
        return self

    def __exit__(self, *_: object) -> None:
        # A thread that still waits in accept() when its socket is closed may wake up on the next one with that number.
        self._server.shutdown(socket.SHUT_RDWR)
        self._accepting.join()
        self._server.close()

    def config_map(self) -> str:
        return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {self.canary}}}\ndata: {{key: {self.canary}}}\n"

    def program(self, file: Path) -> str:
        """A program whose only harm is a mark that it ran; gives its text too."""
        text = f"#!/bin/sh\necho ran >>{self.marker}\n"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(0o755)
        return text

    def _plugin(self, plugins: Path) -> None:
        program = plugins / "evil" / "run.sh"
        self.program(program)
        (program.parent / "plugin.yaml").write_text(
            "name: evil\nversion: 0.1.0\nusage: x\ndescription: x\ncommand: $HELM_PLUGIN_DIR/run.sh\n"
            "downloaders: [{command: run.sh, protocols: [evil]}]\n"
        )

    def _listen(self) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]

        def accept() -> None:
            while True:
                try:
                    client, _ = self._server.accept()
                except OSError:
                    return
                self.connections += 1
                client.close()

        self._accepting = threading.Thread(target=accept, daemon=True)
        self._accepting.start()

    def write(self, files: Mapping[str, str | bytes]) -> None:
        for path, content in files.items():
            file = self.repository / path
            file.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, str) and content.startswith("-> "):
                file.symlink_to(content[3:])
            else:
                file.write_bytes(content if isinstance(content, bytes) else content.encode())

    def environ(self) -> dict[str, str]:
        """What a runner has: secrets in variables, a home with plugins, programs of an earlier step on PATH."""
        return {
            **environment(),
            "HOME": str(self.home),
            "TMPDIR": str(self.root / "tmp"),
            "PATH": f"{self.root / 'bin'}:/usr/bin:/bin",
            "PORTPROOF_HELM": current_helm().argv[0],
            "PORTPROOF_KUSTOMIZE": kustomize().argv[0],
            "PORTPROOF_CACHE": str(CACHE),
            "HELM_PLUGINS": str(self.home / ".local/share/helm/plugins"),
            "CANARY": self.canary,
            "GITHUB_TOKEN": self.canary,
            "AWS_SECRET_ACCESS_KEY": self.canary,
        }


@dataclass(frozen=True)
class Ran:
    """What a run of the program gave, in every format."""

    code: int
    seconds: float
    texts: Mapping[str, str]

    @property
    def targets(self) -> dict[str, str]:
        """Status and reason of every target."""
        data = json.loads(self.texts["json"])
        found = {one["id"]: f"{one['status']}: {one['reason'] or ''}" for one in data["targets"]}
        failed = {
            target: one["message"]
            for one in data["findings"]
            for target in one["targets"]
            if one["rule"] == "render-failed"
        }
        return {
            one: text + (failed.get(one, "") if text == "failed: " else "") for one, text in found.items()
        }


def run_case(case: Case, folder: Path) -> None:
    """Make the repository, run the program over it, and hold the outcome against what must hold for every case."""
    with Place(folder) as place:
        place.write({**HEALTHY, **case.build(place)})
        ran = check(place, {**place.environ(), **case.environ(place)})
        assert ran.code == case.code, ran.texts["stderr"]
        assert ran.targets["helm:good"].startswith("checked"), ran.targets
        for target, text in case.expect.items():
            assert target in ran.targets, ran.targets
            assert ran.targets[target].startswith(text), ran.targets[target]
        for text in case.silent:
            assert all(text not in one for one in ran.texts.values())
        assert ran.seconds < case.seconds


def check(place: Place, environ: Mapping[str, str], *arguments: str) -> Ran:
    """Run ``portproof check`` in every format, and assert what holds for every run."""
    reports = place.root / "reports"
    reports.mkdir()
    before = digest(place.root, reports)
    command = [sys.executable, "-P", "-m", "portproof", "check", "--format", "json", *arguments]
    command += [part for name in FORMATS for part in ("--report", f"{name}={reports / name}")]
    adopt_orphans()
    before_it = _used()
    done = subprocess.run(
        command,
        cwd=place.repository,
        env=dict(environ),
        capture_output=True,
        stdin=subprocess.DEVNULL,
        timeout=600,
        check=False,
    )
    seconds = _used() - before_it
    texts = {name: (reports / name).read_text() for name in FORMATS if (reports / name).exists()}
    texts |= {"stdout": done.stdout.decode(), "stderr": done.stderr.decode()}
    assert_contained(place, texts, before, reports)
    return Ran(done.returncode, seconds, texts)


def _used() -> float:
    """Processor seconds of all that was started here and has ended: a busy machine adds none."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def assert_contained(
    place: Place, texts: Mapping[str, str], before: Mapping[str, Any], reports: Path
) -> None:
    """No canary in any form, no program started, nobody asked, nothing written, nobody left, no hoard of memory."""
    for name, text in texts.items():
        for form in forms_of(place.canary):
            assert form not in text, f"the canary is in {name}"
    assert not place.marker.exists(), "a program was started"
    assert place.connections == 0, "somebody was asked"
    assert digest(place.root, reports) == before, "something was written"
    assert children() == [], "a process was left"
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 < 3 * GIB


def forms_of(secret: str) -> list[str]:
    """A secret as it is, in base64 at three offsets, in hexadecimal digits, and reversed."""
    data = secret.encode()
    encoded = [base64.b64encode(b"x" * offset + data).decode()[4:-4] for offset in range(3)]
    return [secret, secret.upper(), data.hex(), secret[::-1], *encoded]


def digest(root: Path, reports: Path) -> dict[str, Any]:
    """Everything below `root` apart from the reports: modes, links, contents."""
    found: dict[str, Any] = {}
    for folder, _, names in os.walk(root):
        if Path(folder) == reports:
            continue
        found[folder] = os.lstat(folder).st_mode
        for name in names:
            file = Path(folder) / name
            content = str(file.readlink()) if file.is_symlink() else file.read_bytes()
            found[str(file)] = (file.lstat().st_mode, content)
    return found


def adopt_orphans() -> None:
    """What our children leave behind becomes our own child (prctl PR_SET_CHILD_SUBREAPER)."""
    assert ctypes.CDLL(None).prctl(36, 1, 0, 0, 0) == 0


def children(of: int | None = None) -> list[int]:
    """The living children of a process, ours by default."""
    tasks = Path(f"/proc/{of or 'self'}/task").iterdir()
    numbers = [int(number) for task in tasks for number in _proc(task / "children").split()]
    states = {
        number: _proc(Path(f"/proc/{number}/stat")).rpartition(")")[2].split()[:1] for number in numbers
    }
    return [number for number, state in states.items() if state not in ([], ["Z"])]


def _proc(file: Path) -> str:
    """What the kernel says there; nothing of a thread or process that has ended meanwhile."""
    try:
        return file.read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def lasting(known: Collection[int]) -> set[int]:
    """Our children beside the known ones that live on: what has been killed may take a moment to be gone."""
    until = time.monotonic() + 60
    while (found := {*children()} - {*known}) and time.monotonic() < until:
        time.sleep(0.01)
    return found


def overlay(folder: str, text: str, **files: str) -> dict[str, str]:
    """The files of a kustomization."""
    return {f"{folder}/kustomization.yaml": text, **{f"{folder}/{name}": one for name, one in files.items()}}


def dependency(repository: str, name: str = "lib") -> str:
    """More of a Chart.yaml: one dependency."""
    return "dependencies:\n" + yaml.safe_dump([{"name": name, "version": "1.0.0", "repository": repository}])
