"""What ``--help`` shows: exit codes and defaults, and examples that run as they stand."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator

import click
import pytest

from portproof.cli import app
from tests.e2e.program import Program, Repository
from tests.e2e.test_base import manifests

Make = Callable[[str], Repository]

TEMPLATE = manifests(8080).replace("targetPort: 8080", "targetPort: {{ .Values.target }}")
GIVEN = {
    f"charts/{name}/{path}": text
    for name in ("backend", "shop")
    for path, text in {
        "Chart.yaml": f"apiVersion: v2\nname: {name}\nversion: 1.0.0\n",
        "values.yaml": "target: 8080\n",
        "values-prod.yaml": "target: 8080\n",
        "templates/all.yaml": TEMPLATE.replace("web", name),
    }.items()
}
GIVEN["portproof.yaml"] = "charts: [{path: charts/backend, release: backend, namespace: shop}]\n"
ELSEWHERE = {
    "portproof tools install": "tests/e2e/test_tools.py: it downloads",
    "portproof action": "tests/test_action.py: it needs a runner",
    "portproof connect ": "tests/connectivity: it needs a cluster",
    "portproof connectivity --environment prod --report": "tests/connectivity/test_report.py: it needs logs of this repository",
}
"""Examples that are not run here, but parsed, with the tests that run such a command."""


def examples() -> Iterator[str]:
    """The lines below ``Examples:`` of each command."""
    for command in app.commands.values():
        _, _, shown = (command.epilog or "").partition("Example")
        yield from (line.strip() for line in shown.splitlines()[1:] if line.strip())


def called(example: str) -> str:
    """The command of ours in an example."""
    found = re.search(r"portproof [^|>()]+", example)
    assert found is not None, example
    return found[0].strip()


EXAMPLES = list(examples())


@pytest.fixture
def released(make_repository: Make) -> Repository:
    """Two charts, of which the second release breaks one; what the examples call by name is there."""
    repository = make_repository("")
    repository.write({**GIVEN, "README.md": "<!-- portproof map: * -->\n<!-- portproof map: end -->\n"})
    repository.commit()
    repository.git("tag", "v1.4.0")
    repository.git("update-ref", "refs/remotes/origin/main", "HEAD")
    repository.git("branch", "--force", "old-main")
    repository.write({"charts/backend/values-prod.yaml": "target: 8081\n"})
    repository.commit()
    repository.git("tag", "v1.5.0")
    return repository


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_runs_as_it_stands(example: str, portproof: Program, released: Repository) -> None:
    ours = called(example).replace("IMAGE@sha256:…", f"registry.example.org/portproof@sha256:{'0' * 64}")
    args = shlex.split(ours)[1:]
    if any(ours.startswith(one) for one in ELSEWHERE):
        command = app.commands[args[0]]
        assert command.make_context(args[0], args[1:]).command is command
        return
    if args[0] == "postmortem" and not args[1].startswith("-"):
        args[1] = portproof.check()["findings"][0]["fingerprint"]
    if args[:2] == ["map", "--check"]:
        assert portproof("map", "--write").code == 0
    if args[:2] == ["init", "--write"]:
        (released.root / "portproof.yaml").unlink()
    if args[0] == "merge":
        args = merged(portproof, released, args)
    done = portproof.piped(manifests(8080), *args) if "-" in args else portproof(*args)
    assert done.code in (0, 1), done.stderr
    assert done.code == 0 or args[0] in ("check", "merge"), done.stderr
    assert done.stdout or "--write" in args or "--output" in args or args[0] == "map"
    if "| git apply" in example:
        released.git("apply", "--check", stdin=done.stdout)


def merged(portproof: Program, released: Repository, args: list[str]) -> list[str]:
    """The arguments with the names that a shell puts for a pattern; the shards have reported into those files."""
    files = [one.replace("*", f"shard-{number}") for one in args for number in (1, 2) if "*" in one]
    files = files or [one for one in args if one.endswith(".json")]
    for number, file in enumerate(files, 1):
        (released.root / file).parent.mkdir(exist_ok=True)
        portproof("check", "--offline", "--shard", f"{number}/{len(files)}", "--report", f"json={file}")
    return [args[0], *files, *(one for one in args[1:] if not one.endswith(".json"))]


def test_what_is_left_to_other_tests_is_an_example() -> None:
    commands = [called(one) for one in EXAMPLES]
    assert all(any(one.startswith(name) for one in commands) for name in ELSEWHERE)


@pytest.mark.parametrize("name", sorted(app.commands))
def test_a_page_says_how_it_ends_and_what_is_meant_without_a_word(name: str) -> None:
    command = app.commands[name]
    context = click.Context(command)
    epilog = command.epilog or ""
    assert "Exit codes" in epilog
    assert "Example" in epilog
    for option in command.params:
        if not isinstance(option, click.Option) or option.is_flag or option.multiple:
            continue
        says = option.help or ""
        told = option.show_default or "default" in says.lower() or option.required
        default = option.get_default(context)
        # What has no default does nothing where it is not given.
        assert told or not isinstance(default, str | int) or default == "", f"{name} --{option.name}: {says}"
