"""How the program's own texts read: help, keys of the configuration, errors and what to do next."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from portproof.cli import app
from portproof.config.keys import CHART, IGNORED, REFERENCE
from portproof.config.settings import KEYS
from tests.support.prose import too_long

SOURCE = Path(__file__).parents[1] / "src" / "portproof"
MODULES = sorted(SOURCE.rglob("*.py"))
COMMANDS = sorted(app.commands)
PLACEHOLDER = "X"


def shown(*args: str, width: int = 100) -> str:
    """What ``--help`` prints."""
    done = CliRunner(env={"COLUMNS": str(width)}).invoke(app, [*args, "--help"])
    assert done.exit_code == 0
    return done.output


def options(command: click.Command) -> Iterator[click.Option]:
    yield from (one for one in command.params if isinstance(one, click.Option))


def epilog(command: click.Command) -> str:
    """What stands below the options, its lines as they are printed."""
    return (command.epilog or "").replace("\b\n", "")


# help


def test_the_list_of_commands_shows_every_line_whole() -> None:
    listed = shown(width=80).partition("Commands:\n")[2].partition("\n\n")[0]
    assert [line.split()[0] for line in listed.splitlines()] == COMMANDS
    assert all(line.endswith(".") and not line.endswith("...") for line in listed.splitlines())


@pytest.mark.parametrize("name", COMMANDS)
def test_help_has_exit_codes_and_commands_to_copy(name: str) -> None:
    codes, _, examples = epilog(app.commands[name]).partition("\n\n")
    assert codes.startswith("Exit codes:")
    assert {"0", "2", "3"} <= set(re.findall(r"\b\d\b", codes))
    title, *lines = examples.splitlines()
    assert title == ("Example:" if len(lines) == 1 else "Examples:")
    for line in lines:
        words = shlex.split(next(one for one in line.split("|") if "portproof" in one))
        words = words[words.index("portproof" if "portproof" in words else "<(portproof") + 1 :]
        words[-1] = words[-1].removesuffix(")")
        assert words[0] == name
        app.commands[name].make_context(name, words[1:])  # it fails for an option that there is not


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_that_takes_paths_says_what_is_the_default(name: str) -> None:
    takes = any(one.name == "paths" for one in app.commands[name].params)
    assert (
        "PATH is a file or folder; the default is the current folder." in (app.commands[name].help or "")
    ) == takes


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_says_what_it_is_for(name: str) -> None:
    for one in options(app.commands[name]):
        assert (one.help or "").endswith("."), one.name


@pytest.mark.parametrize("command", [app, *map(app.commands.get, COMMANDS)], ids=["portproof", *COMMANDS])
def test_no_sentence_of_help_is_too_long(command: click.Command) -> None:
    texts = [
        command.help,
        command.short_help,
        *epilog(command).split("\n"),
        *(one.help for one in options(command)),
    ]
    assert not too_long(text for text in texts if text)


# the configuration


@pytest.mark.parametrize(
    "keys", [KEYS, CHART, IGNORED, REFERENCE], ids=["", "charts", "ignore", "references"]
)
def test_keys_of_the_configuration_are_explained_in_sentences(keys: dict[str, object]) -> None:
    for name, key in keys.items():
        for text in filter(None, (key.meaning, key.required)):  # type: ignore[attr-defined]
            assert text[0].isupper(), name
            assert text.endswith("."), name
            assert not too_long([text])


# messages


def texts(tree: ast.AST) -> Iterator[ast.Constant | ast.JoinedStr]:
    """The texts of a module apart from its docstrings; one with placeholders is a whole."""
    passed = {id(one.value) for one in ast.walk(tree) if isinstance(one, ast.Expr)}
    for one in ast.walk(tree):
        if isinstance(one, ast.JoinedStr):
            passed |= {id(part) for part in ast.walk(one) if part is not one}
    for one in ast.walk(tree):
        whole = isinstance(one, ast.JoinedStr) or (
            isinstance(one, ast.Constant) and isinstance(one.value, str)
        )
        if whole and id(one) not in passed:
            yield one  # type: ignore[misc]


def reading(text: ast.Constant | ast.JoinedStr) -> str:
    """A text with a word in the place of each placeholder."""
    if isinstance(text, ast.Constant):
        return str(text.value)
    return "".join(str(one.value) if isinstance(one, ast.Constant) else PLACEHOLDER for one in text.values)


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.relative_to(SOURCE).as_posix())
def test_no_sentence_of_a_message_is_too_long(module: Path) -> None:
    assert not too_long(reading(one) for one in texts(ast.parse(module.read_text())))


def next_steps() -> Iterator[str]:
    """Every text that tells the reader of an error what to do."""
    for module in MODULES:
        for call in ast.walk(ast.parse(module.read_text())):
            if not isinstance(call, ast.Call):
                continue
            steps = [one.value for one in call.keywords if one.arg == "next_step"]
            if isinstance(call.func, ast.Attribute) and call.func.attr == "refuse":
                steps += call.args[1:]
            yield from (reading(one) for one in steps if isinstance(one, ast.Constant | ast.JoinedStr))


def test_next_steps_are_sentences() -> None:
    found = list(next_steps())
    assert len(found) > 50
    for text in found:
        assert text[0].isupper(), text
        assert text[-1] in ".?" or text.endswith(PLACEHOLDER), text
