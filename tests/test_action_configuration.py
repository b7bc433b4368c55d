"""On a pull request the base's configuration counts, and the summary says so where the pull request changes it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from portproof.errors import ConfigError
from tests.github import FakeGitHub
from tests.github.gitrepo import File
from tests.support.action import World, below, files_of, no_git, writing

REPAIRED = below("app", files_of("incident/repaired/chart"))
BROKEN = below("app", files_of("incident/broken/chart"))
FILE = "portproof.yaml"
HIDES = "ignore: [service-target-number]\n"
HARMLESS = "timeout: 50\n"


@pytest.fixture
def world(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[World]:
    with FakeGitHub() as fake:
        yield World(fake, tmp_path, capsys)


BROUGHT = "this pull request adds portproof.yaml; until it is merged, the defaults apply"
CHANGED = "this pull request changes portproof.yaml; until it is merged, the base's version applies"
REMOVED = "this pull request removes portproof.yaml; until it is merged, the file still applies"
CASES: dict[str, tuple[dict[str, Any], dict[str, Any], int, str]] = {
    "brought": ({}, {FILE: HIDES}, 1, BROUGHT),
    "brought under its other name": ({}, {".portproof.yaml": HIDES}, 1, "adds .portproof.yaml"),
    "changed": ({FILE: HARMLESS}, {FILE: HIDES}, 1, CHANGED),
    "made stricter": ({FILE: HIDES}, {FILE: HARMLESS}, 0, CHANGED),
    "removed": ({FILE: HIDES}, {FILE: None}, 0, REMOVED),
    "moved away": ({FILE: HIDES}, {FILE: None, "old.yaml": HIDES}, 0, REMOVED),
    "excluded": ({}, {FILE: "exclude: [app]\n"}, 1, BROUGHT),
    "never to fail": ({}, {FILE: "fail-on: never\n"}, 1, BROUGHT),
    "behind a link": (
        {"conf/a.yaml": HARMLESS, FILE: File("120000", b"conf/a.yaml")},
        {"conf/a.yaml": HIDES},
        1,
        CHANGED,
    ),
}


@pytest.mark.parametrize("git", [True, False], ids=["git", "no git"])
@pytest.mark.parametrize("name", CASES)
def test_a_pull_request_does_not_judge_itself_by_its_own_rules(world: World, name: str, git: bool) -> None:
    before, after, code, note = CASES[name]
    world.open({**REPAIRED, **before}, {**BROKEN, **after})
    environ = world.environ(writing(world.fake))
    if git:
        world.deepen()
    ran = world.run_with(environ if git else no_git(environ, world.folder))
    assert ran.code == code
    assert ran.stdout.count(note) == 1
    assert note.partition(";")[2] in ran.summary


@pytest.mark.parametrize("only_introduced", ["true", "false"])
def test_what_says_the_same_in_other_words_is_not_worth_a_note(world: World, only_introduced: str) -> None:
    world.open({**REPAIRED, FILE: "fail-on: never\n"}, {**BROKEN, FILE: "# why\nfail-on: 'never'\n"})
    ran = world.run(writing(world.fake), only_introduced=only_introduced)
    assert ran.code == 0
    assert "portproof.yaml" not in ran.stdout


def test_everything_is_reported_by_the_bases_rules_too(world: World) -> None:
    world.open({**REPAIRED, FILE: HARMLESS}, {**BROKEN, FILE: HIDES})
    ran = world.run(writing(world.fake), only_introduced="false")
    assert ran.code == 1
    assert CHANGED in ran.stdout


@pytest.mark.parametrize("broken", ["fail-on: sometimes\n", "ignore: [service-target-nmber]\n"])
def test_who_mends_a_broken_configuration_is_judged_by_the_mended_one(world: World, broken: str) -> None:
    world.open({**REPAIRED, FILE: broken}, {**BROKEN, FILE: HIDES})
    ran = world.run(writing(world.fake))
    assert ran.code == 0
    assert "the base's configuration is invalid (" in ran.stdout
    assert "this pull request's applies" in ran.stdout


def test_who_breaks_it_hears_of_it_before_the_merge(world: World) -> None:
    world.open({**REPAIRED, FILE: HARMLESS}, {**BROKEN, FILE: "fail-on: sometimes\n"})
    with pytest.raises(ConfigError, match="sometimes"):
        world.run(writing(world.fake))


def test_a_file_that_the_workflow_names_is_the_bases_as_well(world: World) -> None:
    world.open({**REPAIRED, "ci/ports.yaml": HARMLESS}, {**BROKEN, "ci/ports.yaml": HIDES})
    ran = world.run(writing(world.fake), config="./ci/../ci/ports.yaml")
    assert ran.code == 1
    assert (
        "this pull request changes ci/ports.yaml; until it is merged, the base's version applies"
        in ran.stdout
    )


def test_a_new_file_that_the_workflow_names_counts_once_it_is_merged(world: World) -> None:
    world.open(REPAIRED, {**BROKEN, "ci/ports.yaml": HIDES})
    ran = world.run(writing(world.fake), config="ci/ports.yaml")
    assert ran.code == 1
    assert "this pull request adds ci/ports.yaml" in ran.stdout


def test_a_file_that_an_earlier_step_has_made_counts_as_it_is(world: World) -> None:
    world.open(REPAIRED, BROKEN)
    (world.checkout / FILE).write_text(HIDES)
    assert world.run(writing(world.fake)).code == 0


def test_where_the_base_cannot_be_read_that_is_said(world: World) -> None:
    world.open({**REPAIRED, FILE: HARMLESS}, {**BROKEN, FILE: HIDES})
    ran = world.run("")
    assert ran.code == 0
    assert (
        "the configuration may come from this pull request itself: the base's files cannot be read"
        in ran.stdout
    )


def test_without_a_configuration_nobody_speaks_of_one(world: World) -> None:
    world.open(REPAIRED, BROKEN)
    assert "configuration" not in world.run("").stdout


def test_a_push_counts_as_it_is(world: World) -> None:
    world.open({**REPAIRED, FILE: HARMLESS}, {**BROKEN, FILE: HIDES})
    assert world.run(writing(world.fake), "push").code == 0
