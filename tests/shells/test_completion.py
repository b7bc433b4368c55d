"""Completion in real shells: keys are typed into one that runs in a terminal, and the line that comes of it is read."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from portproof.cli.completion import SHELLS
from portproof.rules.listing import listed
from tests.e2e.program import Process, environment

_SECONDS = 600
_HOME, _KILL, _TAB = "\x01", "\x15", "\t"


@dataclass(frozen=True)
class Shell:
    """How a shell is started, told of the completion, and made to print what is on its line."""

    argv: tuple[str, ...]
    setup: str
    show: str


KNOWN = {
    "bash": Shell(
        ("bash", "--norc", "--noprofile", "-i"), 'eval "$(portproof completion bash)"', "echo $((40 + 2))="
    ),
    "zsh": Shell(
        ("zsh", "-f", "-i"),
        'autoload -Uz compinit && compinit -u -D && eval "$(portproof completion zsh)"',
        "echo $((40 + 2))=",
    ),
    "fish": Shell(("fish", "--no-config", "-i"), "portproof completion fish | source", "echo (math 40 + 2)="),
}
LINES = {
    "portproof comple": "portproof completion",
    "portproof explain host-port-c": "portproof explain host-port-clash",
    "portproof check --select host-port-c": "portproof check --select host-port-clash",
    "portproof check --ignore host-port,image-": "portproof check --ignore host-port,image-port",
    "portproof check --select host-port-clash,image-": "portproof check --select host-port-clash,image-port",
    "portproof check --format sar": "portproof check --format sarif",
    "portproof check --report sar": "portproof check --report sarif=portproof.sarif",
    "portproof check --fail-on nev": "portproof check --fail-on never",
    "portproof check --config my-": "portproof check --config my-settings.yaml",
    "portproof check depl": "portproof check deployments",
    "portproof check --what": "portproof check --what-if",
}


def needs(shell: str) -> pytest.MarkDecorator:
    wanted = shell == "bash" or os.environ.get("PORTPROOF_SHELLS")
    return pytest.mark.skipif(
        not wanted, reason="no PORTPROOF_SHELLS; .ci/shells installs them and runs this"
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", [pytest.param(one, marks=needs(one)) for one in SHELLS])
def test_a_real_shell_completes_it(name: str, tmp_path: Path) -> None:
    (tmp_path / "deployments").mkdir()
    (tmp_path / "my-settings.yaml").touch()
    assert typed(KNOWN[name], tmp_path) == LINES


def typed(shell: Shell, folder: Path) -> Mapping[str, str]:
    """What the shell makes of each line and the key Tab. All is typed at once: no answer depends on a pause."""
    keys = [f"{shell.setup}\n"]
    keys += [f"{line}{_TAB}{_HOME}{shell.show}{number}= \n" for number, line in enumerate(LINES)]
    bin_folder = str(Path(sys.executable).parent)
    environ = environment() | {"TERM": "dumb", "HOME": str(folder), "PS1": "$ "}
    environ["PATH"] = os.pathsep.join((bin_folder, environ["PATH"]))
    spawn = "import pty, sys; sys.exit(pty.spawn(sys.argv[1:]) >> 8)"
    done = subprocess.run(
        [sys.executable, "-c", spawn, *shell.argv],
        input=f"{''.join(keys)}exit\n".encode(),
        cwd=folder,
        env=environ,
        capture_output=True,
        timeout=_SECONDS,
        check=False,
    )
    text = re.sub(r"\x1b(?:\[[0-9;?]*[a-zA-Z]|[=>]|\][^\x07]*\x07)", "", done.stdout.decode())
    found = {int(number): said for number, said in re.findall(r"42=(\d+)= (portproof[^\r\n]*?)/? *\r", text)}
    return {line: found.get(number, text) for number, line in enumerate(LINES)}


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_is_that_of_the_shell(shell: str, process: Process) -> None:
    run = process("completion", shell)
    assert (run.code, run.stderr) == (0, "")
    assert f"_PORTPROOF_COMPLETE={shell}_complete" in run.stdout


def test_another_shell_is_wrong_use(process: Process) -> None:
    run = process("completion", "tcsh")
    assert run.code == 2
    assert "'bash', 'zsh', 'fish'" in run.stderr


def test_every_rule_is_offered_once(process: Process) -> None:
    words = {"_PORTPROOF_COMPLETE": "bash_complete", "COMP_WORDS": "portproof explain ", "COMP_CWORD": "2"}
    script = "import sys; sys.argv = ['portproof']; from portproof.__main__ import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**process.environ, **words},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == [f"plain,{rule.id}" for rule in listed()]
