"""A workflow of the documentation, run step by step in a folder: what its shell text does, with actions played by tests.

As far as the recipes need it: expressions that look something up, ``fromJSON``, ``!=``, outputs, jobs that need others, a matrix.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.e2e.program import environment
from tests.support.action import outputs_of

DOCS = Path(__file__).parents[2] / "docs"
_EXPRESSION = re.compile(r"\$\{\{ (.+?) \}\}")
_FENCE = re.compile(r"^```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)

Action = Callable[["Machine", Mapping[str, Any]], Mapping[str, str]]
"""Plays an action: gets the inputs, gives the outputs."""


def shown_in(page: str) -> list[str]:
    """The texts of the workflows that a page of the documentation has."""
    return [text for text in _FENCE.findall((DOCS / page).read_text(encoding="utf-8")) if "\njobs:\n" in text]


class StepError(Exception):
    """A step of a job has failed."""


@dataclass
class Machine:
    """One job on a fresh machine: its folders, its environment, and what its steps have said."""

    folder: Path
    actions: Mapping[str, Action]
    contexts: dict[str, Any]
    path: str
    environ: dict[str, str] = field(default_factory=dict)
    steps: dict[str, Any] = field(default_factory=dict)

    @property
    def workspace(self) -> Path:
        return self.folder / "workspace"

    @property
    def temp(self) -> Path:
        return self.folder / "temp"

    @property
    def summary(self) -> str:
        file = self.folder / "summary.md"
        return file.read_text(encoding="utf-8") if file.exists() else ""

    def run(self, steps: list[dict[str, Any]]) -> None:
        """Run the steps of a job. Raises `StepError` at the first that fails."""
        self.workspace.mkdir(parents=True)
        self.temp.mkdir()
        self.contexts |= {"steps": self.steps, "runner": {"temp": str(self.temp)}}
        for step in steps:
            if "if" in step and not self.value(step["if"]):
                continue
            outputs = self._used(step) if "uses" in step else self._shell(step)
            if "id" in step:
                self.steps[step["id"]] = {"outputs": outputs}

    def value(self, text: Any) -> Any:
        """A text with its expressions filled in; one that is an expression as a whole is its value."""
        if not isinstance(text, str):
            return text
        whole = _EXPRESSION.fullmatch(text)
        return (
            self._meant(whole[1])
            if whole
            else _EXPRESSION.sub(lambda found: str(self._meant(found[1])), text)
        )

    def _meant(self, expression: str) -> Any:
        if found := re.fullmatch(r"(.+) != '(.*)'", expression):
            return self._meant(found[1]) != found[2]
        if found := re.fullmatch(r"fromJSON\((.+)\)", expression):
            return json.loads(self._meant(found[1]))
        value: Any = self.contexts
        for name in expression.split("."):
            value = value.get(name, "") if isinstance(value, dict) else ""
        return value

    def _used(self, step: Mapping[str, Any]) -> Mapping[str, str]:
        given = {name: self.value(text) for name, text in step.get("with", {}).items()}
        return self.actions[step["uses"].partition("@")[0]](self, given)

    def _shell(self, step: Mapping[str, Any]) -> Mapping[str, str]:
        files = {"GITHUB_OUTPUT": "output", "GITHUB_ENV": "env", "GITHUB_STEP_SUMMARY": "summary.md"}
        (self.folder / "output").unlink(missing_ok=True)
        names = {name: str(self.value(text)) for name, text in step.get("env", {}).items()}
        environ = {**environment(), **self.environ, **names, "RUNNER_TEMP": str(self.temp), "PATH": self.path}
        environ |= {name: str(self.folder / file) for name, file in files.items()}
        python = step.get("shell") == "python"
        script = self.folder / "script"
        script.write_text(step["run"], encoding="utf-8")
        # What the runner starts: actions/runner ScriptHandlerHelpers.cs.
        command = ["python3", str(script)] if python else ["bash", "-e", str(script)]
        done = subprocess.run(
            command, cwd=self.workspace, env=environ, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise StepError(f"{step['run']}\n{done.stdout}{done.stderr}")
        self.environ |= outputs_of(self.folder / "env")
        return outputs_of(self.folder / "output")


def jobs(text: str, machine: Callable[[str, dict[str, Any]], Machine]) -> list[Machine]:
    """Run the jobs of a workflow in their order; gives the machines, one for each entry of a matrix."""
    done: list[Machine] = []
    needs: dict[str, Any] = {}
    for name, job in yaml.safe_load(text)["jobs"].items():
        outer = machine(name, {"needs": needs})
        if "if" in job and not outer.value(job["if"]):
            continue
        for number, matrix in enumerate(_matrix(job, outer)):
            one = machine(f"{name}-{number}", {"needs": needs, "matrix": matrix})
            done.append(one)
            one.run(job["steps"])
            needs[name] = {"outputs": {key: one.value(text) for key, text in job.get("outputs", {}).items()}}
    return done


def _matrix(job: Mapping[str, Any], outer: Machine) -> Iterator[dict[str, Any]]:
    matrix = job.get("strategy", {}).get("matrix")
    if matrix is None:
        yield {}
        return
    ((name, values),) = matrix.items()
    for value in outer.value(values):
        yield {name: value}
