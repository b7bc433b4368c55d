"""The action in shards: each leaves its report, and one job says and posts what a single run would have."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from portproof.action import inputs
from portproof.errors import UsageError
from tests.github import FakeGitHub
from tests.support.action import Ran, World, below, files_of, writing

BEFORE = below("app", files_of("incident/repaired"))
AFTER = below("app", files_of("incident/broken"))


@pytest.fixture
def world(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[World]:
    with FakeGitHub() as fake:
        yield World(fake, tmp_path, capsys)


def comments(world: World) -> list[tuple[str, int, str]]:
    """Where the comments are, and what they say; the commits of two repositories have different names."""
    return sorted(
        (one.anchor.path, one.anchor.line or 0, one.body.replace(world.pull.head, "HEAD"))
        for one in world.fake.comments(world.pull)
    )


def shard(world: World, number: int, total: int) -> Ran:
    """Run one of the shards; its report goes to the folder that the last job gets."""
    name = f"portproof-shard-{number}.json"
    ran = world.run(world.fake.read_only(), shard=f"{number}/{total}", report_file=name)
    shards = world.folder / "shards"
    shards.mkdir(exist_ok=True)
    shutil.move(world.checkout / name, shards / name)
    return ran


@pytest.mark.slow
def test_one_review_of_all_shards(world: World) -> None:
    world.open(BEFORE, AFTER)
    whole = world.run(writing(world.fake))
    expected = comments(world)
    assert whole.code == 1
    assert len(expected) == 3
    with FakeGitHub() as fake:
        other = World(fake, world.folder / "other", world.capsys)
        _in_shards(other, whole)
        assert comments(other) == expected


def _in_shards(world: World, whole: Ran) -> None:
    world.open(BEFORE, AFTER)
    for number in (1, 2, 3):
        ran = shard(world, number, 3)
        assert ran.code == 0
        assert "::error" not in ran.stdout
        assert ran.summary == ""
        assert f"portproof: shard {number}/3: " in ran.stdout
    assert not world.fake.log.writes
    shutil.copytree(world.folder / "shards", world.checkout / ".portproof-shards")
    ran = world.run(writing(world.fake), merge=".portproof-shards")
    assert ran.code == 1
    for seconds in (whole.report["targets"], ran.report["targets"]):
        for one in seconds:
            one["seconds"] = 0
    assert ran.report["findings"] == whole.report["findings"]
    assert ran.report["summary"] == whole.report["summary"]
    assert ran.outputs["introduced"] == whole.outputs["introduced"] == "3"
    assert [line for line in ran.stdout.splitlines() if line.startswith("::error")] == [
        line for line in whole.stdout.splitlines() if line.startswith("::error")
    ]


def test_a_shard_without_its_report_is_wrong_use(world: World) -> None:
    world.open(BEFORE, AFTER)
    shard(world, 1, 2)
    shutil.copytree(world.folder / "shards", world.checkout / ".portproof-shards")
    with pytest.raises(UsageError, match="no report of shard 2/2"):
        world.run(writing(world.fake), merge=".portproof-shards")
    (world.checkout / "empty").mkdir()
    with pytest.raises(UsageError, match="names no JSON report"):
        world.run(writing(world.fake), merge="empty")
    with pytest.raises(UsageError, match="points outside the workspace"):
        world.run(writing(world.fake), merge="../shards")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"INPUT_SHARD": "5/4"}, "I must be between 1 and N"),
        ({"INPUT_SHARD": "two"}, "must be I/N"),
        ({"INPUT_SHARD": "1/2", "INPUT_MERGE": "shards"}, "exclude each other"),
        ({"INPUT_MERGE": "-x"}, "begins with a hyphen"),
    ],
)
def test_inputs_that_cannot_be(given: dict[str, str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        inputs.read(given)
