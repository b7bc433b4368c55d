"""What a pull request leaves out counts, and everybody is told of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.github import FakeGitHub
from tests.support.action import World, below, files_of, no_git, writing

REPAIRED = below("app", files_of("incident/repaired/chart"))
BROKEN = below("app", files_of("incident/broken/chart"))
VALUES = "app/values.yaml"
WRONG = b"targetPort: 8081 # the change that broke every request"
COMMENT = b"# portproof: ignore[service-target-number] the mesh listens there"
IGNORED = {**BROKEN, VALUES: BROKEN[VALUES].replace(WRONG, b"targetPort: 8081 " + COMMENT)}
SAID = "1 finding is suppressed by comments that this change adds."


@pytest.fixture
def world(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[World]:
    with FakeGitHub() as fake:
        yield World(fake, tmp_path, capsys)


@pytest.mark.parametrize("git", [True, False], ids=["git", "no git"])
def test_a_comment_of_the_pull_request_counts_and_is_told(world: World, git: bool) -> None:
    assert COMMENT in IGNORED[VALUES]
    world.open(REPAIRED, IGNORED)
    environ = world.environ(writing(world.fake), sarif_file="out.sarif")
    if git:
        world.deepen()
    ran = world.run_with(environ if git else no_git(environ, world.folder))
    assert ran.code == 0
    assert f"::notice title=portproof::{SAID}\n" in ran.stdout
    assert f"\n{SAID}\n" in ran.summary
    assert "\n1 suppressed (1 by comment).\n" in ran.summary
    assert ran.report["summary"]["ignored"] == 1
    assert world.fake.comments(world.pull) == []
    # Code scanning would show suppressed results as open alerts.
    (run,) = json.loads((world.checkout / "out.sarif").read_text())["runs"]
    assert run["results"] == []


def test_what_the_base_leaves_out_is_nobodys_news(world: World) -> None:
    more = IGNORED[VALUES].replace(b"  port: 80\n", b"  port: 81\n")
    assert more != IGNORED[VALUES]
    world.open(IGNORED, {**IGNORED, VALUES: more})
    ran = world.run(writing(world.fake))
    assert ran.code == 0
    assert "ignored" not in ran.stdout + ran.summary
    assert ran.report["summary"]["ignored"] == 1


def test_the_review_tells_the_number(world: World) -> None:
    both = IGNORED[VALUES].replace(b"  port: 80\n", b"  port: 99999\n")
    world.open(REPAIRED, {**IGNORED, VALUES: both})
    ran = world.run(writing(world.fake))
    assert ran.code == 1
    (review,) = world.pull.reviews.values()
    assert review.body is not None
    assert "; 1 suppressed" in review.body


def test_a_comment_without_a_reason_is_commented_on(world: World) -> None:
    wordless = IGNORED[VALUES].replace(b" the mesh listens there", b"")
    world.open(REPAIRED, {**IGNORED, VALUES: wordless})
    ran = world.run(writing(world.fake))
    assert ran.code == 1
    bodies = [one.body for one in world.fake.comments(world.pull)]
    assert len(bodies) == 2
    assert [one for one in bodies if "it gives no reason" in one]


def test_a_report_of_another_workflow_keeps_the_number(world: World) -> None:
    from portproof.action import untrusted_report
    from portproof.report import summary_line

    world.open(REPAIRED, IGNORED)
    ran = world.run(writing(world.fake))
    report = untrusted_report.load(Path(ran.outputs["report-file"]))
    assert (report.left_out, summary_line.ignored(report)) == (1, "1 suppressed")
