"""Writes what portproof says in the examples: ``--check`` only compares, and exits with 1 if a file is out of date.

    python examples/write.py [--check]

`examples/incident/repository` is a small shop, and `examples/incident/change.patch` the change that broke it. They become
a git repository with a history of its own, in a temporary folder, and the real program runs there. A page has its output
between two marks, ``<!-- example: NAME -->`` and ``<!-- example: end -->``; longer documents are files of their own.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import chdir, redirect_stderr, redirect_stdout
from difflib import unified_diff
from functools import cached_property
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.e2e.program import Process, Run, environment  # noqa: E402
from tests.github import FakeGitHub  # noqa: E402
from tests.support.action import World, writing  # noqa: E402

from portproof import yamldoc  # noqa: E402
from portproof.report.safe import fence_around  # noqa: E402

HERE = ROOT / "examples" / "incident"
HISTORY = (
    ("2025-06-02T09:00:00Z", "Add the shop's charts"),
    ("2025-07-31T14:12:00Z", "Send the Service to the backend's new port"),
    ("2025-07-31T15:40:00Z", "Run more replicas of web in production"),
)
"""When each commit was made, and what its author said of it: the shop, the change that breaks it, and one more."""
PROD = ("--environment", "prod")
LABEL = ("--label", "release=kube-prometheus-stack")
RUNBOOKS = "https://git.example.com/shop/blob/main/PORTS.md"
_BLOCK = re.compile(
    r"(?P<begin><!-- example: (?P<name>(?!end )\S+) -->\n).*?(?P<end><!-- example: end -->)", re.DOTALL
)


class Story:
    """The incident, as a repository whose branches are its moments: `before`, `change` and `after`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.repository = folder / "shop"
        shutil.copytree(HERE / "repository", self.repository)
        self._git("init", "--quiet", "--initial-branch=main")
        with chdir(self.repository):
            Process(environment())("map", "--write", "PORTS.md")
        self._commit(*HISTORY[0])
        self._git("branch", "before")
        self._git("apply", str(HERE / "change.patch"))
        self._commit(*HISTORY[1])
        self._git("branch", "change")
        values = self.repository / "charts/web/values-prod.yaml"
        values.write_text("replicas: 8\n", encoding="utf-8")
        self._commit(*HISTORY[2])

    def _git(self, *args: str, **variables: str) -> str:
        return subprocess.run(
            ["git", *args],
            cwd=self.repository,
            env={**environment(), "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", **variables},
            check=True,
            capture_output=True,
            text=True,
        ).stdout

    def _commit(self, date: str, subject: str) -> None:
        self._git("add", "--all")
        self._git(
            *("-c", "user.name=shop", "-c", "user.email=shop@example.com"),
            *("commit", "--quiet", "--message", subject),
            GIT_AUTHOR_DATE=date,
            GIT_COMMITTER_DATE=date,
        )

    def run(self, branch: str, *args: str) -> Run:
        """What the program prints when it is called in the repository, at one of its moments."""
        self._git("checkout", "--quiet", branch)
        with chdir(self.repository):
            return Process(environment())(*args)

    def shown(self, branch: str, *args: str) -> str:
        """A command and what it prints, as on a terminal."""
        ran = self.run(branch, *args)
        return fenced("text", f"$ portproof {' '.join(args)}\n{ran.stdout}")

    def files(self, branch: str) -> dict[str, bytes]:
        """The files of the repository at one of its moments, by their paths."""
        paths = self._git("ls-tree", "-r", "--name-only", branch).splitlines()
        return {path: self._git("show", f"{branch}:{path}").encode() for path in paths}

    def check(self) -> str:
        return self.shown("change", "check", "--base", "before")

    def diff(self) -> str:
        return self.run("change", "diff", "--base", "before", "--format", "markdown").stdout

    def fix(self) -> str:
        return fenced("diff", self.run("main", "fix").stdout)

    def change(self) -> str:
        return fenced("diff", (HERE / "change.patch").read_text(encoding="utf-8"))

    @cached_property
    def comment(self) -> str:
        """The comment that the action posts on the pull request."""
        with (
            FakeGitHub() as fake,
            redirect_stdout(StringIO()),
            redirect_stderr(StringIO()),
        ):
            world = World(fake, self.folder, _Unread())  # type: ignore[arg-type]
            path = "charts/backend/values.yaml"
            world.open(self.files("before"), {path: self._git("show", f"change:{path}")})
            world.run(writing(fake))
            return "\n\n".join(one.body for one in fake.comments(world.pull))

    def said(self) -> str:
        """The comment, as a quotation: GitHub would take a suggestion in a page for a piece of code."""
        lines = [line for line in self.comment.splitlines() if not line.startswith("<!--")]
        return "\n".join(f"> {line}".rstrip() for line in lines) + "\n"

    def map_check(self) -> str:
        return self.shown("change", "map", "--check")

    def ports(self) -> str:
        """The port map, as the repository keeps it."""
        return self._git("show", "before:PORTS.md")

    def runbook(self) -> str:
        """The part of the map about the Service that fails."""
        service = self.ports().partition("### Service `backend-v1`")[2].partition("\n## ")[0]
        shown = re.search(r"```sh\n.*?```\n", service, re.DOTALL)
        assert shown is not None
        return shown[0]

    def jobs(self) -> str:
        return self.run("main", "connectivity", *PROD).stdout

    def log(self) -> str:
        """What the Jobs print while it fails, as `kubectl logs` has it; the tests between network namespaces compare."""
        return fenced("json", (HERE / "connect.log").read_text(encoding="utf-8"))

    def results(self) -> str:
        """What the log means."""
        self._git("checkout", "--quiet", "main")
        shutil.copy(HERE / "connect.log", self.repository)
        shown = self.shown("main", "connectivity", *PROD, "--report", "connect.log")
        (self.repository / "connect.log").unlink()
        return shown

    @cached_property
    def monitoring(self) -> Mapping[str, str]:
        """The files of the probes and alerts, by their names."""
        to = self.folder / "monitoring"
        self.run("main", "monitor", *PROD, *LABEL, "--runbook-url", RUNBOOKS, "--output", str(to))
        return {one.name: one.read_text(encoding="utf-8") for one in sorted(to.iterdir())}

    def alert(self) -> str:
        """The alert that fires, as the test of the rules expects it."""
        expected = yamldoc.load(self.monitoring["alerts_test.yaml"])["tests"][0]["alert_rule_test"][1]
        (fired,) = expected["exp_alerts"]
        lines = {"alertname": expected["alertname"], **fired["exp_labels"], **fired["exp_annotations"]}
        return fenced("yaml", "\n".join(f"{name}: {value}" for name, value in lines.items()))

    def post_mortem(self) -> str:
        return self.run("main", "postmortem", "--rev", "before..main").stdout


class _Unread:
    """In the place of pytest's capsys: what the action prints is not shown here."""

    def readouterr(self) -> Any:
        return SimpleNamespace(out="", err="")


def fenced(kind: str, text: str) -> str:
    """A block of code."""
    content = text.rstrip()
    fence = fence_around(content)  # a diff of Markdown has fences of its own
    return f"{fence}{kind}\n{content}\n{fence}\n"


PARTS: Mapping[str, Callable[[Story], str]] = {
    "change": Story.change,
    "check": Story.check,
    "comment": Story.said,
    "diff": Story.diff,
    "fix": Story.fix,
    "map-check": Story.map_check,
    "runbook": Story.runbook,
    "log": Story.log,
    "results": Story.results,
    "alert": Story.alert,
}
"""What stands between two marks, by the name in the first one."""

FILES: Mapping[str, Callable[[Story], str]] = {
    "repository/PORTS.md": Story.ports,
    "jobs.yaml": Story.jobs,
    "post-mortem.md": Story.post_mortem,
}
"""The documents that are files of their own."""


def wanted(story: Story) -> dict[Path, str]:
    """Every generated file, and what it should say."""

    def filled(block: re.Match[str]) -> str:
        return f"{block['begin']}{PARTS[block['name']](story)}{block['end']}"

    page = HERE / "README.md"
    return {
        page: _BLOCK.sub(filled, page.read_text(encoding="utf-8")),
        **{HERE / name: write(story) for name, write in FILES.items()},
        **{HERE / "monitoring" / name: text for name, text in story.monitoring.items()},
    }


def main() -> int:
    """Write, or with ``--check`` show what is out of date."""
    with tempfile.TemporaryDirectory(prefix="portproof-example-") as folder:
        texts = wanted(Story(Path(folder)))
    check, stale = "--check" in sys.argv[1:], 0
    for file, text in texts.items():
        old = file.read_text(encoding="utf-8") if file.exists() else ""
        if old == text:
            continue
        stale += 1
        if check:
            name = str(file.relative_to(ROOT))
            sys.stdout.writelines(
                unified_diff(old.splitlines(keepends=True), text.splitlines(keepends=True), name, name)
            )
        else:
            file.parent.mkdir(exist_ok=True)
            file.write_text(text, encoding="utf-8")
    if check and stale:
        print("Run `make examples`, then look at the difference.")
    return int(check and stale > 0)


if __name__ == "__main__":
    sys.exit(main())
