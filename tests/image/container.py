"""Runs the image as GitHub's runner does: its variables, its mounts, its working directory."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.support.action import DEFAULTS

# read here, before a fixture clears the environment
IMAGE = os.environ.get("PORTPROOF_IMAGE", "")
_DOCKER = os.environ.get("PORTPROOF_DOCKER", "docker")
_CLIENT = {name: os.environ[name] for name in ("DOCKER_HOST", "HOME", "PATH") if name in os.environ}
_SECONDS = 180


@dataclass(frozen=True)
class Done:
    code: int
    stdout: str
    stderr: str


def docker(*arguments: str, environ: Mapping[str, str] | None = None) -> Done:
    done = subprocess.run(
        [_DOCKER, *arguments],
        env={**_CLIENT, **(environ or {})},
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)


def start(*command: str, options: tuple[str, ...] = (), entrypoint: str = "") -> Done:
    """Run a command in the image, without a network."""
    entry = ("--entrypoint", entrypoint) if entrypoint else ()
    return docker("run", "--rm", "--network=none", *options, *entry, IMAGE, *command)


@dataclass(frozen=True)
class Runner:
    """A runner's folders, in `folder`; the checkout is mounted from `workspace`.

    `temporary` says whether it mounts its temporary folder, as runners do since 2.329.
    """

    folder: Path
    workspace: Path
    temporary: bool = True

    def act(
        self,
        variables: Mapping[str, str],
        *,
        options: tuple[str, ...] = (),
        arguments: tuple[str, ...] = (),
        workspace_mode: str = "rw",
    ) -> Done:
        """One step with the action; values of variables never stand on the command line, as the runner has it.

        `arguments` are for another entry point, which `options` name.
        """
        mounts = {
            self.temp / "_github_home": "/github/home",
            self.folder / "workflow": "/github/workflow",
            self.folder / "commands": "/github/file_commands",
        }
        if self.temporary:
            mounts[self.temp] = "/github/runner_temp"
        for folder in mounts:
            folder.mkdir(parents=True, exist_ok=True)
        for name in ("output", "summary"):
            (self.folder / "commands" / name).write_text("")
        environ = {
            **{f"INPUT_{name.upper()}": value for name, value in DEFAULTS.items()},
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "GITHUB_API_URL": "https://api.github.com",
            "GITHUB_EVENT_NAME": "push",
            "GITHUB_JOB": "ports",
            "GITHUB_REPOSITORY": "octo/shop",
            "GITHUB_RUN_ID": "42",
            "GITHUB_SERVER_URL": "https://github.com",
            "GITHUB_SHA": "0" * 40,
            "GITHUB_WORKFLOW": "CI",
            "RUNNER_OS": "Linux",
            **variables,
            "HOME": "/github/home",
            "GITHUB_EVENT_PATH": "/github/workflow/event.json",
            "GITHUB_OUTPUT": "/github/file_commands/output",
            "GITHUB_STEP_SUMMARY": "/github/file_commands/summary",
            "GITHUB_WORKSPACE": "/github/workspace",
            "RUNNER_TEMP": "/github/runner_temp" if self.temporary else str(self.temp),
            "RUNNER_WORKSPACE": str(self.folder / "shop"),
        }
        named = [part for name in environ for part in ("-e", name)]
        volumes = [part for host, inner in mounts.items() for part in ("-v", f"{host}:{inner}")]
        volumes += ["-v", f"{self.workspace}:/github/workspace:{workspace_mode}"]
        command = [
            "run",
            "--rm",
            "--network=host",
            "--workdir",
            "/github/workspace",
            *named,
            *volumes,
            *options,
        ]
        # the docker client has a HOME of its own: `-e HOME=` is the one value that stands on the command line
        command[command.index("HOME")] = "HOME=/github/home"
        del environ["HOME"]
        return docker(*command, IMAGE, *arguments, environ=environ)

    @property
    def temp(self) -> Path:
        """The runner's temporary folder."""
        return self.folder / "_temp"

    @property
    def summary(self) -> str:
        return (self.folder / "commands" / "summary").read_text()

    @property
    def output(self) -> Path:
        return self.folder / "commands" / "output"
