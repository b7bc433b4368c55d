"""What the documentation says: generated text is current, links lead somewhere, command lines and workflows are real."""

from __future__ import annotations

import importlib.util
import json
import re
import shlex
import tomllib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

import click
import jsonschema
import pytest
import yaml

from portproof import config
from portproof.action import inputs
from portproof.cli import app
from portproof.config.keys import CHART, IGNORED, REFERENCE
from portproof.config.settings import KEYS
from portproof.report.pages import markdown
from portproof.rules import all_rules, families, find
from portproof.rules.listing import listed
from portproof.rules.vocabulary import vocabulary
from tests.e2e.program import Program
from tests.support.prose import cells, too_long

ROOT = Path(__file__).parents[1]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "CHANGELOG.md",
    ROOT / "SECURITY.md",
    *sorted((ROOT / "docs").glob("*.md")),
    ROOT / "bench" / "README.md",
    *sorted((ROOT / "fixtures").glob("*/README.md")),
]
GENERATED = ROOT / "docs" / "rules.md"  # its sentences are tested where they are written: test_pages.py
_FENCE = re.compile(r"^ *(```+)([a-z]*)\n(.*?)^ *\1 *$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_SHELL = re.compile(r" +#|[|;<>&]")


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def generate() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def fences(page: Path, language: str) -> list[str]:
    return [found[3] for found in _FENCE.finditer(page.read_text()) if found[2] == language]


def prose(page: Path) -> str:
    """The page without what stands in fences."""
    return _FENCE.sub("", page.read_text())


def anchors(page: Path) -> set[str]:
    """The headings of a page as GitHub addresses them."""
    titles = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


# generated text


def test_generated_text_is_current() -> None:
    for file, text in generate().wanted().items():
        assert file.read_text() == text, f"{name(file)} is stale; run `make docs`"


@pytest.mark.parametrize(
    ("page", "mark"),
    [("docs/checks.md", "rules"), ("docs/action.md", "inputs"), ("docs/action.md", "outputs")],
)
def test_a_table_without_a_place_is_pointed_out(page: str, mark: str) -> None:
    text = (ROOT / page).read_text().replace(f"<!-- {mark}: end -->", "")
    with pytest.raises(ValueError, match=mark):
        generate().with_tables(page, text)


def test_the_page_of_checks_has_an_example_of_every_family() -> None:
    family = {one.id: one.family for one in listed()}
    assert {family[one] for one in generate().EXAMPLES} == set(families())


def test_every_rule_has_a_section_in_the_page_of_rules() -> None:
    text = (ROOT / "docs" / "rules.md").read_text()
    for rule in all_rules():
        assert rule.id in anchors(ROOT / "docs" / "rules.md")
        assert markdown(rule, level=3, fixes="fixes.md") in text


# the architecture


def floors(package: str) -> dict[str, int]:
    """The modules of a package, and how high each is in the layers that `make layers` holds; 0 is the lowest."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    (contract,) = (one for one in settings["contracts"] if one.get("containers") == [package])
    assert contract["exhaustive"], "the layers must have every module"
    return {
        module: floor
        for floor, layer in enumerate(reversed(contract["layers"]))
        for module in re.split(r" [|:] ", layer)
        if not module.startswith("__")
    }


@pytest.mark.parametrize(
    ("heading", "package"),
    [("From bottom to top", "portproof"), ("The families of `rules`", "portproof.rules")],
)
def test_the_architecture_has_every_module_in_the_order_of_the_layers(heading: str, package: str) -> None:
    page = (ROOT / "docs" / "architecture.md").read_text()
    section = page.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (`.+?) \|", section, re.MULTILINE)
    shown = [module for row in rows for module in re.findall(r"`(\w+)`", row)]
    known = floors(package)
    assert sorted(shown) == sorted(known)
    assert [known[one] for one in shown] == sorted(known.values())


def test_the_arrows_of_the_architecture_lead_up_through_the_layers() -> None:
    (chart,) = fences(ROOT / "docs" / "architecture.md", "mermaid")
    arrows = re.findall(r"^ +(\w+)(?:\[.+?\])? -->(?:\|\w+\|)? (\w+)(?:\[.+?\])?$", chart, re.MULTILINE)
    assert len(arrows) == chart.count("-->")
    assert not {"graph", "end"} & {one for arrow in arrows for one in arrow}, (
        "mermaid has these words for itself"
    )
    known, titles = floors("portproof"), dict(re.findall(r'(\w+)\["(\w+)', chart))
    for start, end in arrows:
        assert known[titles.get(start, start)] < known[titles.get(end, end)], f"{start} is above {end}"


# links


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_to_files_and_headings_that_exist(page: Path) -> None:
    for link in _LINK.findall(prose(page)):
        if re.match(r"https?:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert target.is_relative_to(ROOT), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_files_that_pages_name_exist(page: Path) -> None:
    named = re.findall(r"`((?:src/portproof|tests|graph|rules|bench|\.ci)/[\w/.-]+)`", prose(page))
    for path in named:
        assert (ROOT / path).exists() or (ROOT / "src" / "portproof" / path).exists(), path


# how the pages read


@pytest.mark.parametrize("page", [one for one in PAGES if one != GENERATED], ids=name)
def test_no_sentence_of_a_page_is_too_long(page: Path) -> None:
    text = page.read_text()
    assert not too_long([text, *cells(text)])


# command lines


def command_lines() -> Iterator[tuple[str, str]]:
    """Every ``portproof ...`` in code spans and after a prompt, without what the shell does with it."""
    for page in PAGES:
        spans = re.findall(r"(?<!`)`([^`]+)`(?!`)", prose(page))
        lines = [
            line
            for language in ("console", "text")
            for text in fences(page, language)
            for line in text.split("\n")
        ]
        prompted = [line.strip().removeprefix("$ ") for line in lines if line.strip().startswith("$ ")]
        for line in (*spans, *prompted):
            if re.match(r"portproof [\w-]", line):
                yield name(page), _SHELL.split(line)[0].strip()


COMMAND_LINES = sorted(set(command_lines()))


def parsed(line: str) -> click.Context:
    """What click makes of it. Raises `click.UsageError` for commands and options that do not exist."""
    words = shlex.split(line)[1:]
    top = app.make_context("portproof", list(words))
    _, command, rest = app.resolve_command(top, words)
    assert command is not None
    return command.make_context(command.name, rest, parent=top)


def test_command_lines_are_found() -> None:
    found = {line for _, line in COMMAND_LINES}
    assert found >= {"portproof check", "portproof fix --write", "portproof check --base origin/main"}


@pytest.mark.parametrize(("page", "line"), COMMAND_LINES, ids=str)
def test_command_lines_parse(page: str, line: str) -> None:
    assert page
    with suppress(click.exceptions.Exit, click.MissingParameter):  # --help; a command that is only named
        rule = parsed(line).params.get("rule")
        if rule not in (None, "RULE"):
            assert find(rule).id == rule


@pytest.mark.parametrize(
    "line", ["portproof chekc", "portproof check --basis main", "portproof tools remove"]
)
def test_a_command_line_that_does_not_exist_would_be_noticed(line: str) -> None:
    with pytest.raises(click.UsageError):
        parsed(line)


def test_the_readme_shows_what_the_program_prints(
    portproof: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    (shown,) = [text for text in fences(ROOT / "README.md", "text") if "error[" in text]
    prompt, _, output = shown.partition("\n")
    monkeypatch.chdir(ROOT)
    assert portproof(*shlex.split(prompt)[2:]).stdout.startswith(output)


def test_the_configuration_that_the_quick_start_shows_is_one(tmp_path: Path) -> None:
    (shown,) = [
        text for text in fences(ROOT / "docs" / "quick-start.md", "yaml") if text.startswith("fail-on:")
    ]
    (tmp_path / "portproof.yaml").write_text(shown)
    found = config.load(tmp_path, vocabulary=vocabulary())
    assert found.config.fail_on == "warning"
    assert len(found.config.charts[0].values) == 2


def test_the_page_of_the_configuration_shows_every_key(tmp_path: Path) -> None:
    (shown,) = [
        text for text in fences(ROOT / "docs" / "configuration.md", "yaml") if text.startswith("fail-on:")
    ]
    (tmp_path / "portproof.yaml").write_text(shown)
    assert config.load(tmp_path, vocabulary=vocabulary()).path == "portproof.yaml"
    data = yaml.safe_load(shown)
    assert data.keys() == KEYS.keys()
    assert data["charts"][0].keys() == CHART.keys()
    assert data["ignore"][1].keys() == IGNORED.keys()
    text = prose(ROOT / "docs" / "configuration.md")
    for key in REFERENCE:
        assert f"| `{key}` |" in text


def test_the_configurations_that_pages_show_are_valid_for_editors() -> None:
    schema = json.loads((ROOT / "src" / "portproof" / "config.schema.json").read_text())
    shown = [
        text
        for page in (ROOT / "docs" / "quick-start.md", ROOT / "docs" / "configuration.md")
        for text in fences(page, "yaml")
        if text.startswith("fail-on:")
    ]
    assert len(shown) == 2
    for text in shown:
        jsonschema.validate(yaml.safe_load(text), schema)


def test_the_messages_that_troubleshooting_quotes_are_said() -> None:
    program = "".join(path.read_text() for path in sorted((ROOT / "src" / "portproof").rglob("*.py")))
    quoted = re.findall(r'\*\*"(.+?)"\*\*', (ROOT / "docs" / "action.md").read_text())
    assert len(quoted) > 5
    for part in (part for text in quoted for part in text.split("…")):
        assert part in program, part


# workflows


def workflows() -> Iterator[tuple[str, Any]]:
    for page in PAGES:
        for text in fences(page, "yaml"):
            if "\njobs:\n" in text:
                yield name(page), yaml.safe_load(text)


WORKFLOWS = list(workflows())


SCHEDULED = ("docs/audit.md", "docs/fix-branch.md", "docs/fix-branch.md")


def test_the_workflows_are_in_these_pages() -> None:
    others = (*2 * ("docs/connectivity.md",), *2 * ("docs/forks.md",), "docs/map.md", "docs/shards.md")
    assert sorted(page for page, _ in WORKFLOWS) == ["README.md", *sorted((*SCHEDULED, *others))]


def test_scheduled_workflows_are_not_for_the_code_of_others() -> None:
    for page, workflow in WORKFLOWS:
        events = {True: workflow[True]} if isinstance(workflow[True], str) else workflow[True]
        assert (page in SCHEDULED) == ("schedule" in events)
        if page in SCHEDULED:
            assert events.keys() == {"schedule", "workflow_dispatch"}
            assert workflow["concurrency"]


@pytest.mark.parametrize("workflow", [one for _, one in WORKFLOWS], ids=lambda one: one["name"])
def test_workflows_ask_for_little_and_pin_what_they_use(workflow: Any) -> None:
    own = "".join(path.read_text() for path in sorted((ROOT / ".github" / "workflows").glob("*.yml")))
    assert workflow["permissions"] == {}
    for job in workflow["jobs"].values():
        if "uses" in job:
            _calls_what_there_is(job)
            continue
        makes_pulls = any("/create-pull-request@" in step.get("uses", "") for step in job["steps"])
        assert job["permissions"]["contents"] == ("write" if makes_pulls else "read")
        for step in job["steps"]:
            if "run" in step:
                continue  # the next test reads those
            used, given = step["uses"], step.get("with", {})
            if used == "<owner>/portproof@<sha>":
                assert given.keys() <= set(inputs.NAMES)
                inputs.read({f"INPUT_{key.upper()}": str(value) for key, value in given.items()})
                continue
            assert re.fullmatch(r"(actions/[a-z-]+|peter-evans/create-pull-request)@[0-9a-f]{40}", used)
            action = used.partition("@")[0]
            assert used in own or action not in own, f"another version of {action} than in .github/workflows"
            if action == "actions/checkout":
                assert given["persist-credentials"] is False


def _calls_what_there_is(job: Any) -> None:
    """A job of a page that calls a workflow of this repository: with inputs that it has, and the rights of its jobs."""
    path, _, commit = job["uses"].removeprefix("<owner>/portproof/").partition("@")
    called = yaml.safe_load((ROOT / path).read_text())
    assert commit == "<sha>"
    assert job.get("with", {}).keys() <= called[True]["workflow_call"]["inputs"].keys()
    given = job["permissions"]
    for one in called["jobs"].values():
        assert all(given.get(name) in (level, "write") for name, level in one["permissions"].items())


def test_no_expression_stands_in_shell_text_that_others_copy() -> None:
    examples = [text for page in PAGES for text in fences(page, "yaml") if re.search(r"\brun:", text)]
    assert examples
    for text in examples:
        found = yaml.safe_load(text)
        steps = (
            found
            if isinstance(found, list)
            else [one for job in found["jobs"].values() for one in job["steps"]]
        )
        assert not [step for step in steps if "${{" in step.get("run", "")]


def test_the_second_workflow_follows_the_first_and_checks_nothing_out() -> None:
    first, second = (workflow for page, workflow in WORKFLOWS if page == "docs/forks.md")
    # YAML 1.1 reads the key "on" as true.
    assert second[True]["workflow_run"]["workflows"] == [first["name"]]
    (render,), (post,) = first["jobs"].values(), second["jobs"].values()
    assert "write" not in render["permissions"].values()
    assert not [step for step in post["steps"] if "checkout" in step["uses"]]
    written, uploaded = render["steps"][1]["with"], render["steps"][2]["with"]
    downloaded, read = post["steps"][0]["with"], post["steps"][1]["with"]
    assert written["report-file"] == uploaded["path"]
    assert uploaded["name"] == downloaded["name"]
    assert downloaded["path"] == read["path"]


def test_the_readme_fits_on_two_screens() -> None:
    """What it is, a picture, how to have it, the workflow, an example, links; the rest is in docs/."""
    text = (ROOT / "README.md").read_text()
    assert len(text.splitlines()) <= 90
    assert len(re.findall(r"!\[", text)) == 1
    assert "make incident" in text
    assert "make test" in text
