"""Both streams of the program: a terminal shows them, and GitHub's runner looks for commands in both."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from portproof.cli import entry
from portproof.commands.checking import fix
from portproof.session import Request
from tests.e2e.program import Process, Program, Repository
from tests.support import runner

MakeRepository = Callable[[str], Repository]

EVIL = "\n::add-mask::x\r\n  ::error::y\u2028##[error]z\x1b[2J\x1b]8;;http://evil\x07\u202e\u200b"
QUOTED = json.dumps(EVIL)
SERVICE = "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {ports: [{port: 80}]}\n"
FILES = {
    "a key of the configuration": {"portproof.yaml": f"{QUOTED}: 1\n"},
    "a rule in the configuration": {"portproof.yaml": f"severity: {{{QUOTED}: 2}}\n"},
    "a value in the configuration": {"portproof.yaml": f"fail-on: {QUOTED}\n"},
    "a rule that is left out": {"portproof.yaml": f"ignore: [{QUOTED}]\n"},
    "a baseline that is not there": {"portproof.yaml": f"baseline: {QUOTED}\n"},
    "a path in the configuration": {
        "portproof.yaml": f"references: [{{kind: X, service: {QUOTED}, port: {QUOTED}}}]\n"
    },
    "a key of the baseline": {"portproof.yaml": "baseline: b.json\n", "b.json": f"{{{QUOTED}: 1}}"},
    "the version of the baseline": {
        "portproof.yaml": "baseline: b.json\n",
        "b.json": f'{{"schema": {QUOTED}, "findings": []}}',
    },
}


def is_data(text: str) -> None:
    """Nothing in `text` is a command to the runner or to a terminal, and it can be seen."""
    assert runner.obeyed(text) == []
    assert "\n::" not in text
    assert all(line.isprintable() for line in text.split("\n"))


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("command", ["check", "fix", "targets"])
def test_words_of_a_file_are_data_on_standard_error(
    name: str, command: str, portproof: Program, make_repository: MakeRepository
) -> None:
    repository = make_repository("")
    repository.write({"service.yaml": SERVICE, **FILES[name]})
    done = portproof(command)
    if command != "targets" or done.code:  # listing targets opens no baseline
        assert done.code == 2, done.stderr
        assert "##" in done.stderr
    is_data(done.stderr)
    is_data(done.stdout)


@pytest.mark.parametrize(
    "args", [(f"a{EVIL}",), (f"--a{EVIL}",), ("--report", f"a{EVIL}=b"), ("--base", EVIL)]
)
def test_words_of_the_command_line_are_data_too(
    args: tuple[str, ...], process: Process, make_repository: MakeRepository
) -> None:
    make_repository("incident/broken")
    done = process("check", *args)
    assert done.code == 2
    assert done.stderr
    is_data(done.stderr)


def test_so_are_those_of_a_mistake_of_our_own(capsys: pytest.CaptureFixture[str]) -> None:
    assert entry._bug(ValueError(EVIL)) == 3
    shown = capsys.readouterr().err
    assert "internal error" in shown
    is_data(shown)


def test_so_are_those_of_findings_without_a_fix(
    make_repository: MakeRepository, capsys: pytest.CaptureFixture[str]
) -> None:
    repository = make_repository("")
    name = json.dumps("a" + EVIL)
    pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: a, labels: {app: a}}\nspec: {containers: [{name: a, ports: [{containerPort: 1}]}]}\n"
    service = f"apiVersion: v1\nkind: Service\nmetadata: {{name: a}}\nspec: {{selector: {{app: a}}, ports: [{{port: 80, targetPort: {name}}}]}}\n"
    repository.write({"all.yaml": f"{service}---\n{pod}"})
    assert fix(Request(paths=(str(repository.root),)), write_files=False) == 1
    shown = capsys.readouterr().err
    assert "no proven, safe fix" in shown
    is_data(shown)


@pytest.mark.parametrize("inside", [True, False])
@pytest.mark.parametrize("verb", ["parse", "read"])
def test_a_file_that_an_error_names_is_not_read(
    inside: bool, verb: str, portproof: Program, make_repository: MakeRepository
) -> None:
    """helm repeats the chart's own words, and they may name any file: none but the repository's is looked at."""
    repository = make_repository("")
    repository.commit()
    secret = repository.root / ".git/credentials" if inside else repository.root.parent / "credentials"
    secret.write_text("first\nsecond: CANARY\nthird\n")
    wanted = json.dumps(f"failed to {verb} {secret}: line 2")
    repository.write({"c/Chart.yaml": f"apiVersion: v2\nname: c\nversion: 1.0.0\nkubeVersion: {wanted}\n"})
    for output in ("text", "json", "sarif", "github", "markdown"):
        done = portproof("check", "--format", output)
        assert done.code == 1, done.stderr
        assert "chart requires kubeVersion" in done.stdout
        assert "CANARY" not in done.stdout + done.stderr
    (found,) = portproof.check()["findings"]
    assert found["location"] is None or found["location"]["path"] == "c/Chart.yaml"
