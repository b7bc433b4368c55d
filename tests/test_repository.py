"""What GitHub and pre-commit read for contributors: issue forms, hooks, Dependabot's settings, CI."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from portproof.cli import app

ROOT = Path(__file__).parents[1]
GITHUB = ROOT / ".github"
FORMS = sorted(path for path in (GITHUB / "ISSUE_TEMPLATE").glob("*.yml") if path.name != "config.yml")
HOOKS = [
    hook
    for repository in yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    for hook in repository["hooks"]
]


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def targets() -> set[str]:
    """What `make` can be asked for."""
    found = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert "test" in found
    return set(found)


class TestIssueForms:
    def test_there_is_one_for_each_kind_of_report(self) -> None:
        assert [path.stem for path in FORMS] == ["crash", "false-alarm", "missed-bug"]

    @pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
    def test_github_takes_it(self, path: Path) -> None:
        form = read(path)
        assert form.keys() == {"name", "description", "title", "labels", "body"}
        assert form["labels"] == ["bug"], "a label that every repository has"
        fields = [field for field in form["body"] if field["type"] != "markdown"]
        assert {field["type"] for field in fields} <= {"input", "textarea", "dropdown", "checkboxes"}
        ids = [field["id"] for field in fields]
        assert len(ids) == len(set(ids))
        assert all(re.fullmatch(r"[a-z-]+", one) for one in ids)
        assert all(field["attributes"]["label"] for field in fields)

    @pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
    def test_it_asks_for_the_version_and_a_minimal_example(self, path: Path) -> None:
        asked = {field["id"]: field for field in read(path)["body"] if "id" in field}
        assert "`portproof --version`" in asked["version"]["attributes"]["description"]
        assert "smallest chart, overlay or manifest" in asked["example"]["attributes"]["label"]
        # a field that is rendered as code takes no attachment
        assert "render" not in asked["example"]["attributes"]
        assert all(asked[one]["validations"]["required"] for one in ("version", "example"))

    @pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
    def test_the_commands_that_it_asks_for_exist(self, path: Path) -> None:
        commands = re.findall(r"`portproof ([^`]+)`", path.read_text())
        assert commands
        for words in map(shlex.split, commands):
            if words == ["--version"]:
                with pytest.raises(click.exceptions.Exit):
                    app.make_context("portproof", words)
            else:
                assert app.get_command(click.Context(app), words[0]) is not None, words

    def test_reports_without_a_form_are_not_taken_and_vulnerabilities_have_their_policy(self) -> None:
        assert read(GITHUB / "ISSUE_TEMPLATE" / "config.yml") == {"blank_issues_enabled": False}
        assert "Report a vulnerability" in (ROOT / "SECURITY.md").read_text()


class TestHooksForContributors:
    @pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: hook["id"])
    def test_it_runs_a_command_of_this_repository(self, hook: Any) -> None:
        assert (hook["language"], hook["pass_filenames"]) == ("system", False)
        match hook["entry"].split():
            case ["make", target]:
                assert target in targets()
            case [program]:
                assert os.access(ROOT / program, os.X_OK)
            case other:
                pytest.fail(f"neither a target nor a script: {other}")

    def test_everything_that_make_check_runs_but_the_tests_has_one(self) -> None:
        (needed,) = re.findall(r"^check: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
        entries = {hook["entry"] for hook in HOOKS}
        assert {f"make {target}" for target in needed.split() if target != "test"} <= entries


class TestDependabot:
    updates = read(GITHUB / "dependabot.yml")["updates"]

    def test_it_watches_all_that_has_a_version_and_groups_it_once_a_week(self) -> None:
        watched = {one["package-ecosystem"]: one for one in self.updates}
        assert watched.keys() == {"github-actions", "docker", "pip"}
        for one in watched.values():
            assert one["directory"] == "/"
            assert one["schedule"]["interval"] == "weekly"
            assert [group["patterns"] for group in one["groups"].values()] == [["*"]]

    def test_the_base_image_stands_where_dependabot_reads_it(self) -> None:
        """It reads literal FROM lines only; the workflows get the name from that line, too."""
        dockerfile = (ROOT / "Dockerfile").read_text()
        assert re.findall(r"^FROM ([\w.-]+:[\w.-]+) AS python$", dockerfile, re.MULTILINE)
        assert re.findall(r"^ARG PYTHON_IMAGE=(.*)$", dockerfile, re.MULTILINE) == ["python"]
        command = r"sed --quiet 's/^FROM \(.*\) AS python$/\1/p' Dockerfile"
        for user in (ROOT / ".ci" / "image", GITHUB / "workflows" / "release.yml"):
            assert command in user.read_text()
            assert "python:3" not in user.read_text()


WORKFLOWS = {path.stem: read(path) for path in sorted((GITHUB / "workflows").glob("*.yml"))}


def commands(workflow: Any) -> list[str]:
    """What the steps of a workflow run, line by line."""
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    return [line.strip() for step in steps for line in step.get("run", "").splitlines()]


class TestContinuousIntegration:
    def test_it_asks_for_targets_that_make_has(self) -> None:
        lines = [line for workflow in WORKFLOWS.values() for line in commands(workflow)]
        asked = [line.partition("|")[0].split()[1:] for line in lines if line.startswith("make ")]
        plain = [word for words in asked for word in words if re.fullmatch(r"[a-z][a-z-]*", word)]
        assert {"test", "fuzz", "bench", "lint"} <= set(plain)
        assert set(plain) <= targets()
        for job in WORKFLOWS["bump"]["jobs"].values():
            assert {f"bump-{what}" for what in job["strategy"]["matrix"]["what"]} <= targets()

    def test_every_python_that_the_package_takes_is_tested_and_the_rest_is_looked_at_once(self) -> None:
        jobs = WORKFLOWS["ci"]["jobs"]
        assert jobs["test"]["strategy"]["matrix"]["python"] == ["3.11", "3.12", "3.13", "3.14"]
        (needed,) = re.findall(
            r"^requires-python = \">=(.*)\"$", (ROOT / "pyproject.toml").read_text(), re.MULTILINE
        )
        (setup,) = [step["with"] for step in jobs["lint"]["steps"] if "setup-python" in step.get("uses", "")]
        assert setup["python-version"] == needed
        assert len([line for line in commands(WORKFLOWS["ci"]) if line.startswith("make lint")]) == 1

    def test_the_files_that_macos_tests_are_there(self) -> None:
        (named,) = [line for line in commands(WORKFLOWS["ci"]) if "TESTS=" in line]
        (paths,) = re.findall(r'TESTS="(.*)"', named)
        assert all((ROOT / path).is_file() for path in paths.split())


class TestContributing:
    text = (ROOT / "CONTRIBUTING.md").read_text()

    def test_the_places_where_a_change_belongs_are_there(self) -> None:
        places = re.findall(r"`((?:src|tests|fixtures|bench|docs|\.ci)/[\w./]+)`", self.text)
        assert len(places) > 15
        assert [place for place in places if not (ROOT / place).exists()] == []

    def test_the_commands_are_targets_of_make(self) -> None:
        asked = set(re.findall(r"`make ([a-z-]+)", self.text))
        assert asked > {"check", "test", "accept", "bump-tools"}
        assert asked <= targets()
