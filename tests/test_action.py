"""The action from its variables to the pull request; the least privileged run comes first."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from portproof.action import checkout, event, inputs, output, untrusted_report
from portproof.action.context import Context, Notes
from portproof.action.entry import kept
from portproof.action.runner import run
from portproof.errors import UsageError
from portproof.github.publish import Budget
from portproof.replacing import replace
from portproof.report import json_, marks
from tests.e2e.program import environment
from tests.github import FakeGitHub, Token
from tests.support import gfm, runner
from tests.support.action import World, below, canary, files_of, no_git, outputs_of, writing
from tests.support.reports import INCIDENT, RESULT, SOURCE, VALUES

REPAIRED = below("app", files_of("incident/repaired/chart"))
BROKEN = below("app", files_of("incident/broken/chart"))
WITH_ALL = below("app", files_of("incident/repaired"))
ALL_BROKEN = below("app", files_of("incident/broken"))
VALUES_FILE = "app/values.yaml"
ERROR = re.compile(r"^::error file=([^,]+),line=(\d+),", re.MULTILINE)


@pytest.fixture
def world(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[World]:
    with FakeGitHub() as fake:
        yield World(fake, tmp_path, capsys)


def fingerprints(world: World) -> set[str]:
    texts = [
        *(one.body for one in world.fake.comments(world.pull)),
        *(one.body for one in world.pull.reviews.values()),
    ]
    return {mark.fingerprint for text in texts for mark in marks.read(text) if not mark.fixed}


# tokens


@pytest.mark.parametrize("login", ["contributor", "dependabot[bot]"])
def test_a_read_only_token_annotates_summarises_and_fails_as_it_would_have(world: World, login: str) -> None:
    world.open(REPAIRED, BROKEN, fork=True, author=login)
    ran = world.run(world.fake.read_only())
    assert ran.code == 1
    assert ERROR.findall(ran.stdout) == [(VALUES_FILE, "10")]
    assert "Resource not accessible by integration" in ran.stdout
    assert "permissions: { contents: read, pull-requests: write }" in ran.summary
    assert "## portproof: 1 error in 1 target\n" in ran.summary
    assert "```mermaid" in ran.summary
    assert ran.outputs["findings"] == ran.outputs["errors"] == ran.outputs["introduced"] == "1"
    assert [one["introduced"] for one in ran.report["findings"]] == [True]
    assert world.fake.comments(world.pull) == []


@pytest.mark.parametrize("token", ["", "ghs_wrong"])
def test_without_a_token_that_works_it_annotates_and_reports_everything(world: World, token: str) -> None:
    world.open(REPAIRED, BROKEN)
    ran = world.run(token)
    assert ran.code == 1
    assert ERROR.findall(ran.stdout) == [(VALUES_FILE, "10")]
    assert "not compared with the base" in ran.stdout
    assert ran.report["findings"][0]["introduced"] is None
    assert ran.outputs["introduced"] == ""


def test_whatever_github_answers_the_findings_are_told(world: World) -> None:
    world.open(REPAIRED, BROKEN)
    world.fake.faults.status("GET", "/pulls", 500, times=99)
    ran = world.run(writing(world.fake))
    assert ran.code == 1
    assert ERROR.findall(ran.stdout) == [(VALUES_FILE, "10")]
    assert "no comments (" in ran.stdout


# the whole way


@pytest.mark.slow
def test_applying_the_suggestions_cures_chart_overlay_and_manifests(world: World) -> None:
    world.open(WITH_ALL, ALL_BROKEN)
    token = writing(world.fake)
    ran = world.run_with(no_git(world.environ(token), world.folder))
    assert ran.code == 1
    assert [one["introduced"] for one in ran.report["findings"]] == [True] * 3
    comments = world.fake.comments(world.pull)
    assert {(one.anchor.path, one.anchor.line) for one in comments} == {
        ("app/chart/values.yaml", 10),
        ("app/kustomize/overlays/prod/service.yaml", 9),
        ("app/manifests/service.yaml", 12),
    }
    assert fingerprints(world) == {one["fingerprint"] for one in ran.report["findings"]}
    writes = len(world.fake.log.writes)
    again = world.run(token)
    assert again.code == 1
    assert len(world.fake.log.writes) == writes
    world.fake.apply_suggestions(world.pull, [one.id for one in comments])
    world.check_out()
    cured = world.run(token)
    assert cured.code == 0
    assert cured.report["findings"] == []
    assert "marked 3 findings as fixed" in cured.stdout
    assert fingerprints(world) == set()


SHOP = files_of("shop")
SUBCHART = "charts/shop/charts/cart/values.yaml"


@pytest.mark.slow
def test_applying_the_suggestion_cures_a_vendored_subchart(world: World) -> None:
    before = SHOP[SUBCHART].decode()
    after = re.sub(r"adminTargetPort: 9190", "adminTargetPort: 9109", before)
    assert after != before
    world.open(SHOP, {SUBCHART: after})
    token = writing(world.fake)
    ran = world.run(token)
    assert ran.code == 1
    (comment,) = world.fake.comments(world.pull)
    assert comment.anchor.path == SUBCHART
    world.fake.apply_suggestion(world.pull, comment.id)
    world.check_out()
    assert (world.checkout / SUBCHART).read_text() == before
    assert world.run(token).report["findings"] == []


def test_a_port_that_the_pull_request_moved_is_commented_on_where_it_moved(world: World) -> None:
    values = REPAIRED[VALUES_FILE].decode()
    values += "".join(f"# {number}\n" for number in range(20))
    base = values.replace("container:\n  port: 8080\n", "") + "container:\n  port: 8080\n"
    world.open(
        {**REPAIRED, VALUES_FILE: base}, {VALUES_FILE: base.replace("  port: 8080\n", "  port: 8090\n")}
    )
    ran = world.run(writing(world.fake))
    (found,) = ran.report["findings"]
    (comment,) = world.fake.comments(world.pull)
    assert found["message"].startswith(
        "This change moves the port of Deployment/backend-v1 from 8080 to 8090"
    )
    assert comment.anchor.line == found["location"]["line"]
    back, along = [fix["edits"][0] for fix in [found["fix"], *found["alternatives"]] if fix]
    assert (back["line"], back["new"]) == (comment.anchor.line, "8080")
    assert (along["new"], along["line"] != back["line"]) == ("8090", True)


def test_a_head_that_is_checked_out_itself_is_compared_with_the_merge_base(world: World) -> None:
    world.open({**REPAIRED, "other/Chart.yaml": b"name: other\n"}, BROKEN)
    world.push_base({"README.md": "x\n"})
    world.check_out(world.pull.head)
    ran = world.run_with(no_git(world.environ(writing(world.fake)), world.folder))
    assert [one["introduced"] for one in ran.report["findings"]] == [True]
    assert len(world.fake.comments(world.pull)) == 1


def test_what_the_base_has_too_is_nobodys_news(world: World) -> None:
    world.open(BROKEN, {"app/Chart.yaml": BROKEN["app/Chart.yaml"] + b"# a comment\n"})
    ran = world.run_with(no_git(world.environ(writing(world.fake)), world.folder))
    assert ran.code == 0
    assert [one["introduced"] for one in ran.report["findings"]] == [False]
    assert "::error" not in ran.stdout
    assert "1 finding already in the base not shown" in ran.stdout
    assert world.fake.log.writes == []
    everything = world.run(writing(world.fake), only_introduced="false")
    assert everything.code == 1
    assert everything.report["findings"][0]["introduced"] is None


@pytest.mark.parametrize("history", [False, True], ids=["through-the-api", "through-git"])
def test_files_that_hold_the_same_objects_are_compared_too(world: World, history: bool) -> None:
    dev = b"---\n".join(files_of("incident/broken/manifests").values())
    prod = dev.replace(b"port: 80\n", b"port: 90\n")
    assert prod != dev
    world.open({"k8s/dev.yaml": dev, "k8s/prod.yaml": prod}, {"k8s/dev.yaml": b"# a comment\n" + dev})
    if history:
        world.deepen()
    ran = world.run(writing(world.fake))
    assert (ran.code, ran.stderr) == (0, "")
    assert [one["id"] for one in ran.report["targets"]] == [
        "manifests:k8s/dev.yaml",
        "manifests:k8s/prod.yaml",
    ]
    assert [one["introduced"] for one in ran.report["findings"]] == [False, False]
    assert bool(world.fake.log.select("GET", "/git/commits/")) is not history


def test_a_pull_request_that_concerns_no_target_renders_none(world: World) -> None:
    world.open(BROKEN, {"README.md": "x\n"})
    ran = world.run(writing(world.fake))
    assert ran.code == 0
    assert ran.report["targets"] == []


def test_lines_are_those_of_the_head_though_the_merge_commit_is_checked_out(world: World) -> None:
    world.open(REPAIRED, BROKEN)
    world.push_base({VALUES_FILE: b"# the base\n# has grown\n" + REPAIRED[VALUES_FILE]})
    assert (world.checkout / VALUES_FILE).read_text().startswith("# the base\n")
    token = writing(world.fake)
    ran = world.run(token)
    assert ERROR.findall(ran.stdout) == [(VALUES_FILE, "10")]
    (comment,) = world.fake.comments(world.pull)
    assert comment.anchor.line == 10
    assert "/app/values.yaml#L13)" in comment.body
    world.fake.apply_suggestion(world.pull, comment.id)
    world.check_out()
    assert world.run(token).code == 0


def test_with_the_history_there_git_tells_the_base(world: World) -> None:
    world.open(REPAIRED, BROKEN)
    world.deepen()
    ran = world.run(writing(world.fake))
    assert [one["introduced"] for one in ran.report["findings"]] == [True]
    assert world.fake.log.select("GET", "/git/commits/") == []


def test_a_checkout_without_git_has_the_workspace_as_its_root(world: World) -> None:
    world.open(REPAIRED, BROKEN)
    (world.checkout / ".git").rename(world.folder / "elsewhere")
    ran = world.run(writing(world.fake), path="app")
    assert ERROR.findall(ran.stdout) == [(VALUES_FILE, "10")]
    assert len(world.fake.comments(world.pull)) == 1


def test_carriage_returns_get_a_patch_and_no_suggestion(world: World) -> None:
    windows = {path: data.replace(b"\n", b"\r\n") for path, data in BROKEN.items() if path == VALUES_FILE}
    world.open({**REPAIRED, VALUES_FILE: REPAIRED[VALUES_FILE].replace(b"\n", b"\r\n")}, windows)
    world.run(writing(world.fake))
    (comment,) = world.fake.comments(world.pull)
    assert comment.anchor.line == 10
    assert "```suggestion" not in comment.body
    assert "```diff" in comment.body


# what it does to ports

BROKEN_ROW = "| **broken** | `Service/backend-v1 80`: targetPort `8080` → `8081`; `Deployment/backend-v1` declares only `8080` |"
BOTH = REPAIRED[VALUES_FILE].replace(b"8080", b"9090")


@pytest.mark.parametrize("news", ["true", "false"])
def test_what_a_change_does_to_ports_is_in_the_summary_and_folded_in_the_review(
    world: World, news: str
) -> None:
    world.open(REPAIRED, BROKEN)
    ran = world.run(writing(world.fake), only_introduced=news)
    assert "### 1 port change: 1 broken\n" in ran.summary
    assert BROKEN_ROW in ran.summary
    (review,) = world.pull.reviews.values()
    assert "<details><summary>1 port change: 1 broken</summary>\n" in review.body
    assert BROKEN_ROW in review.body
    page = gfm.rendered(review.body)
    assert page.strange == []
    assert "table" in page.shape


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (REPAIRED[VALUES_FILE] + b"# no port\n", "No port changes."),
        (BOTH, "### 1 port change: 1 moved together"),
    ],
    ids=["none", "together"],
)
def test_without_a_finding_only_the_summary_tells_of_ports(world: World, values: bytes, told: str) -> None:
    world.open(REPAIRED, {VALUES_FILE: values})
    ran = world.run(writing(world.fake))
    assert ran.code == 0
    assert f"{told}\n" in ran.summary
    assert not world.pull.reviews
    assert not world.pull.talk


def test_where_nothing_can_be_compared_nothing_is_said_of_ports(world: World) -> None:
    world.open(REPAIRED, BROKEN)
    assert "port change" not in world.run("").summary.lower()
    assert "port change" not in world.run(writing(world.fake), "push").summary.lower()


@pytest.mark.parametrize(("comment", "talk"), [("summary", 1), ("none", 0)])
def test_other_ways_to_comment(world: World, comment: str, talk: int) -> None:
    world.open(REPAIRED, BROKEN)
    token = writing(world.fake)
    for _ in range(2):
        assert world.run(token, comment=comment).code == 1
    assert len(world.pull.talk) == talk
    assert world.fake.comments(world.pull) == []
    assert len(world.fake.log.select("POST", "/issues/")) == talk


# events


@pytest.mark.parametrize("name", ["push", "merge_group", "schedule", "workflow_dispatch"])
def test_other_events_annotate_and_summarise_without_asking_github(world: World, name: str) -> None:
    world.open(REPAIRED, BROKEN)
    ran = world.run(writing(world.fake), name)
    assert ran.code == 1
    assert ERROR.findall(ran.stdout) == [(VALUES_FILE, "10")]
    assert "## portproof: 1 error" in ran.summary
    assert len(world.fake.log) == 0


@pytest.mark.parametrize("checked_out", ["merge", "head", "nothing"])
def test_pull_request_target_with_the_head_is_refused_before_anything_is_rendered(
    world: World, checked_out: str
) -> None:
    world.open(REPAIRED, BROKEN)
    if checked_out == "head":
        world.check_out(world.pull.head)
    if checked_out == "nothing":
        (world.checkout / ".git").rename(world.folder / "elsewhere")
    environ = world.environ(writing(world.fake), "pull_request_target") | {
        "GITHUB_SHA": world.pull.base,
        "PORTPROOF_HELM": "/nowhere/helm",
    }
    with pytest.raises(UsageError, match="pull_request_target") as caught:
        world.run_with(environ)
    assert "workflow_run" in caught.value.next_step
    assert len(world.fake.log) == 0


def test_pull_request_target_with_the_base_is_checked_like_a_push(world: World) -> None:
    world.open(BROKEN, {"README.md": "x\n"})
    world.check_out(world.pull.base)
    environ = world.environ(writing(world.fake), "pull_request_target") | {"GITHUB_SHA": world.pull.base}
    assert world.run_with(environ).code == 1
    assert len(world.fake.log) == 0


# two workflows


def run_event(world: World, **changes: Any) -> dict[str, Any]:
    pull = world.pull
    listed = [] if pull.source is not pull.repository else [{"number": pull.number}]
    run = {
        "event": "pull_request",
        "head_sha": pull.head,
        "head_branch": pull.head_ref,
        "head_repository": {"full_name": pull.source.name},
        "pull_requests": listed,
    }
    return {"workflow_run": run | changes, "repository": {"full_name": "octo/shop"}}


def post(world: World, token: Token, file: Path, **changes: Any) -> Any:
    environ = world.environ(token, "workflow_run", path=file.name)
    (world.folder / "event.json").write_text(json.dumps(run_event(world, **changes)))
    return world.run_with(environ | {"GITHUB_WORKSPACE": str(file.parent), "PORTPROOF_HELM": "/nowhere/helm"})


@pytest.mark.parametrize("fork", [True, False])
def test_the_second_workflow_posts_what_the_first_has_found(world: World, fork: bool) -> None:
    world.open(REPAIRED, BROKEN, fork=fork)
    first = world.run(world.fake.read_only())
    ran = post(world, writing(world.fake), Path(first.outputs["report-file"]))
    assert ran.code == 1
    (comment,) = world.fake.comments(world.pull)
    assert (comment.anchor.path, comment.anchor.line) == (VALUES_FILE, 10)
    world.fake.apply_suggestion(world.pull, comment.id)
    world.check_out()
    assert world.run(world.fake.read_only()).code == 0


def test_the_second_workflow_posts_nothing_when_the_head_moved(world: World) -> None:
    world.open(REPAIRED, BROKEN, fork=True)
    first = world.run(world.fake.read_only())
    then = world.pull.head
    world.push({"README.md": "x\n"})
    ran = post(world, writing(world.fake), Path(first.outputs["report-file"]), head_sha=then)
    assert "0 open pull requests with the head" in ran.stdout
    assert world.fake.comments(world.pull) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"head_repository": {"full_name": "evil/shop"}, "pull_requests": [{"number": 1}]},
        {"head_sha": "0" * 40},
    ],
)
def test_a_run_that_does_not_fit_the_pull_request_posts_nothing(
    world: World, changes: dict[str, Any]
) -> None:
    world.open(REPAIRED, BROKEN)
    first = world.run(world.fake.read_only())
    before = len(world.fake.log.writes)
    ran = post(world, writing(world.fake), Path(first.outputs["report-file"]), **changes)
    assert ran.code == 1
    assert len(world.fake.log.writes) == before


def test_a_run_of_another_event_is_refused(world: World) -> None:
    world.open(REPAIRED, BROKEN)
    file = world.folder / "report.json"
    file.write_text(json_.write(INCIDENT))
    with pytest.raises(UsageError, match="was started by push"):
        post(world, writing(world.fake), file, event="push")


def forged(**changes: Any) -> bytes:
    data = json.loads(json_.write(INCIDENT))
    data["findings"][0] |= changes
    return json.dumps(data).encode()


def many(count: int) -> bytes:
    data = json.loads(forged())
    return json.dumps(
        data | {"findings": data["findings"] * count, "summary": data["summary"] | {"error": count}}
    ).encode()


FORGED = {
    "more findings than anybody reads": many(5_001),
    "not JSON": b"{",
    "not a report": b"[]",
    "another schema": forged().replace(b"portproof/report/1", b"portproof/report/2"),
    "an unknown key": forged(number=7),
    "a path that leads out": forged(
        location=json.loads(forged())["findings"][0]["location"] | {"path": "../x"}
    ),
    "an absolute path": forged(
        location=json.loads(forged())["findings"][0]["location"] | {"path": "/etc/passwd"}
    ),
    "a path with a line end": forged(targets=["a\nb"]),
    "a path that ends in a line end": forged(
        location=json.loads(forged())["findings"][0]["location"] | {"path": "a.yaml\n"}
    ),
    "a rule that ends in a line end": forged(rule="service-target-number\n"),
    "a fingerprint that ends in a line end": forged(fingerprint="0123456789abcdef\n"),
    "line 0": forged(location=json.loads(forged())["findings"][0]["location"] | {"line": 0}),
    "a strange fingerprint": forged(fingerprint="--> x"),
    "a strange rule": forged(rule="](http://evil)"),
    "a count that is wrong": forged().replace(b'"error": 1', b'"error": 2'),
    "a nest": b"[" * 100_000,
}


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_report_is_refused(name: str) -> None:
    with pytest.raises(UsageError):
        untrusted_report.parse(FORGED[name])


@pytest.mark.parametrize("kind", ["link", "pipe", "too large", "a folder of two"])
def test_a_report_that_is_no_file_of_its_own_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    whole = json_.write(INCIDENT)
    file = tmp_path / "report.json"
    (tmp_path / "elsewhere.json").write_text(whole)
    assert untrusted_report.load(tmp_path / "elsewhere.json").results
    if kind == "link":
        file.symlink_to("elsewhere.json")
    elif kind == "pipe":
        os.mkfifo(file)
    else:
        file.write_text(whole)
        monkeypatch.setattr(untrusted_report, "MAX_BYTES", len(whole) - 1 if kind == "too large" else 10**6)
    with pytest.raises(UsageError):
        untrusted_report.load(tmp_path if kind == "a folder of two" else file)


def test_a_report_comes_back_as_it_was_written() -> None:
    assert len(untrusted_report.parse(many(5_000)).results) == 5_000
    found = untrusted_report.parse(json_.write(INCIDENT).encode())
    assert found.results == (replace(RESULT, chain=()),)  # the picture is not for programs
    assert json_.write(found) == json_.write(INCIDENT)


def test_a_forged_edit_is_not_suggested(world: World) -> None:
    """The report says where, the head says what stands there: only a number or a name can be replaced."""
    world.open({VALUES: SOURCE.replace("8081", "8080")}, {VALUES: SOURCE})
    file = world.folder / "report.json"
    fix = json.loads(forged())["findings"][0]["fix"]
    for change in (
        {"new": "8080 # `x`"},
        {"old": "targetPort", "new": "8080"},
        {"column": 3, "end_column": 7},
    ):
        edits = [fix["edits"][0] | change]
        file.write_bytes(
            forged(fix=fix | {"edits": edits, "patch": "<!-- portproof:v1 fingerprint=0123456789abcde0 -->"})
        )
        post(world, writing(world.fake), file)
        assert all("```suggestion" not in one.body for one in world.fake.comments(world.pull))
    assert fingerprints(world) == {RESULT.fingerprint}


@pytest.mark.parametrize("kind", ["link", "missing", "folder of two"])
def test_the_report_is_a_regular_file_of_the_workspace(world: World, kind: str) -> None:
    world.open(REPAIRED, BROKEN)
    work = world.folder / "work"
    work.mkdir()
    secret = world.folder / "secret"
    secret.write_text("canary-content")
    if kind == "link":
        (work / "report.json").symlink_to(secret)
    if kind == "folder of two":
        (work / "report.json").mkdir()
        for name in ("a.json", "b.json"):
            (work / "report.json" / name).write_text("{}")
    with pytest.raises(UsageError) as caught:
        post(world, writing(world.fake), work / "report.json")
    assert "canary" not in str(caught.value)


# inputs


def given(**variables: str) -> inputs.Inputs:
    return inputs.read({f"INPUT_{name}": text for name, text in variables.items()})


def test_the_defaults_are_those_of_the_contract() -> None:
    assert inputs.read({}) == inputs.Inputs()
    assert (inputs.Inputs().comment, inputs.Inputs().only_introduced, inputs.Inputs().paths) == (
        "review",
        True,
        (".",),
    )


def test_inputs_are_read_in_the_runners_way_and_the_shells() -> None:
    assert inputs.read({"INPUT_FAIL-ON": "warning", "INPUT_PATH": "a\n b \n\n"}).fail_on == "warning"
    assert given(FAIL_ON="note").fail_on == "note"
    assert inputs.read({"INPUT_PATH": "a\n b \n\n"}).paths == ("a", "b")


@pytest.mark.parametrize(
    ("given", "file", "code"),
    [
        ("error", "", 1),
        ("", "", 1),
        ("error", "fail-on: never\n", 0),
        ("", "fail-on: never\n", 0),
        ("warning", "fail-on: never\n", 1),
        ("never", "fail-on: warning\n", 0),
    ],
)
def test_the_configuration_says_what_fails_unless_an_input_says_more_than_its_default(
    world: World, given: str, file: str, code: int
) -> None:
    world.open({**REPAIRED, "portproof.yaml": file or "{}\n"}, BROKEN)
    ran = world.run(writing(world.fake), fail_on=given)
    assert ran.code == code
    assert ran.outputs["errors"] == "1"


def test_near_misses_are_pointed_out() -> None:
    both = inputs.read({"INPUT_FAIL-ON": "warning", "INPUT_FAIL_ON": "note"})
    assert both.fail_on == "warning"
    assert both.warnings == ("the input is called fail-on; fail_on was ignored",)
    assert given(COMMENTS="none").warnings == ("there is no input comments: did you mean comment?",)
    assert "the inputs are path, " in given(XYZ="1").warnings[0]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("FAIL-ON", "errors"),
        ("COMMENT", "yes"),
        ("ONLY-INTRODUCED", "1"),
        ("PATH", "-x"),
        ("PATH", "a\0b"),
        ("CONFIG", "a\nb"),
        ("SARIF-FILE", "--output=x"),
        ("REPORT-FILE", "x" * 5000),
        ("PATH", "a\n  -x"),
        ("PATH", "a\x7fb"),
        ("PATH", "a\rb"),
        ("CONFIG", " -x"),
    ],
)
def test_wrong_inputs_are_refused_with_their_name(name: str, text: str) -> None:
    with pytest.raises(UsageError, match=f"the input {name.lower()} "):
        inputs.read({f"INPUT_{name}": text})


@pytest.mark.parametrize("text", ["a b", "a\nb", "é", "x" * 2000])
def test_a_token_that_is_none_is_refused_without_being_shown(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        inputs.token({"INPUT_GITHUB-TOKEN": text})
    assert text not in str(caught.value)


@pytest.mark.parametrize("name", ["path", "config"])
def test_paths_stay_in_the_workspace(world: World, name: str) -> None:
    world.open(REPAIRED, BROKEN)
    (world.checkout / "link").symlink_to("/etc")
    for text in ("..", "/etc", "link/x"):
        with pytest.raises(UsageError, match=f"the input {name} points outside the workspace"):
            world.run("", **{name: text})


# files


def test_files_are_written_where_the_workflow_wants_them(world: World) -> None:
    world.open(REPAIRED, BROKEN)
    ran = world.run("", sarif_file="out/a.sarif", report_file="b.json")
    assert (ran.outputs["sarif-file"], ran.outputs["report-file"]) == ("out/a.sarif", "b.json")
    assert json.loads((world.checkout / "out/a.sarif").read_text())["version"] == "2.1.0"
    assert json.loads((world.checkout / "b.json").read_text())["schema"] == "portproof/report/1"
    patch = Path(ran.outputs["patch-file"])
    assert not patch.is_relative_to(world.checkout)
    subprocess.run(["git", "apply", "--check", str(patch)], cwd=world.checkout, check=True)
    assert Path(ran.outputs["body-file"]).read_text().startswith("This change fixes 1 finding of portproof.")


@pytest.mark.parametrize(
    ("file", "seen"),
    [
        ("a.json", "a.json"),
        ("./out/../a.json", "a.json"),
        ("/github/workspace/out/a.json", "out/a.json"),
        ("/github/runner_temp/portproof-x/a.json", "/home/runner/work/_temp/portproof-x/a.json"),
        ("/github/home/portproof-x/a.json", "/home/runner/work/_temp/_github_home/portproof-x/a.json"),
        ("/github/runner_temperature/a.json", "/github/runner_temperature/a.json"),
        ("/tmp/a.json", "/tmp/a.json"),
    ],
)
def test_an_output_names_the_file_as_later_steps_see_it(file: str, seen: str) -> None:
    workspace = Path("/github/workspace")
    runner = {"RUNNER_WORKSPACE": "/home/runner/work/shop"}
    assert output.for_later_steps(runner, workspace, file) == seen
    if seen.startswith("/home/"):
        assert output.for_later_steps({}, workspace, file) == file


def test_the_files_outside_of_the_workspace_are_for_everybody_to_read(world: World) -> None:
    world.open(REPAIRED, BROKEN)
    old = os.umask(0o077)
    try:
        ran = world.run("")
    finally:
        os.umask(old)
    for name in ("sarif-file", "report-file", "patch-file", "body-file"):
        file = Path(ran.outputs[name])
        assert file.is_relative_to(world.folder / "temp")
        assert stat.S_IMODE(file.parent.stat().st_mode) == 0o755
        assert stat.S_IMODE(file.stat().st_mode) == 0o644


def test_without_findings_the_files_are_there_too(world: World) -> None:
    world.open(REPAIRED, {"app/values.yaml": REPAIRED[VALUES_FILE] + b"# x\n"})
    ran = world.run(writing(world.fake), sarif_file="a.sarif")
    assert ran.code == 0
    assert json.loads((world.checkout / "a.sarif").read_text())["runs"][0]["results"] == []
    assert ran.report["findings"] == []
    assert "patch-file" not in ran.outputs
    assert Path(ran.outputs["body-file"]).read_text().startswith("There is nothing to apply. No findings: ")
    assert world.fake.log.writes == []


@pytest.mark.parametrize("kind", ["file", "folder", "fifo"])
def test_an_output_path_that_is_a_link_is_refused(tmp_path: Path, kind: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_text("kept")
    work = tmp_path / "work"
    work.mkdir()
    if kind == "file":
        (work / "x").symlink_to(outside / "kept")
    elif kind == "folder":
        (work / "d").symlink_to(outside)
    else:
        os.mkfifo(work / "x")
    with pytest.raises(UsageError, match="cannot write"):
        output.write(work, "d/kept" if kind == "folder" else "x", "new")
    assert (outside / "kept").read_text() == "kept"
    assert [path.name for path in outside.iterdir()] == ["kept"]


@pytest.mark.parametrize("name", ["../x", "a/../../x", ""])
def test_an_output_path_that_leads_out_is_refused(tmp_path: Path, name: str) -> None:
    work = tmp_path / "work"
    (work / "a").mkdir(parents=True)
    with pytest.raises(UsageError):
        output.write(work, name, "new")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_file_of_the_runner_that_became_a_link_is_not_written_to(tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("kept")
    (tmp_path / "link").symlink_to("kept")
    output.summary({"GITHUB_STEP_SUMMARY": str(tmp_path / "link")}, "new")
    output.outputs({"GITHUB_OUTPUT": str(tmp_path / "link")}, {"errors": "1"})
    assert (tmp_path / "kept").read_text() == "kept"


def test_an_output_replaces_a_file_at_once(tmp_path: Path) -> None:
    for text in ("one", "two"):
        output.write(tmp_path, "a/b/x", text)
        assert (tmp_path / "a/b/x").read_text() == text
    assert stat.S_IMODE((tmp_path / "a/b/x").stat().st_mode) & 0o600 == 0o600
    assert [path.name for path in (tmp_path / "a/b").iterdir()] == ["x"]


def test_no_value_breaks_out_of_an_output(tmp_path: Path) -> None:
    file = tmp_path / "output"
    value = "x\nerrors<<EOF\n99\nEOF\n"
    output.outputs({"GITHUB_OUTPUT": str(file)}, {"sarif-file": value, "errors": "1"})
    assert outputs_of(file) == {"sarif-file": value, "errors": "1"}
    with pytest.raises(ValueError, match="no such output"):
        output.outputs({"GITHUB_OUTPUT": str(file)}, {"path": "x"})


# the event file


@pytest.mark.parametrize(
    "data",
    ["", "[]", "{}", '{"pull_request": {"number": "1"}}', '{"pull_request": null}', "[" * 100_000],
    ids=lambda data: data[:40],
)
def test_an_event_file_that_is_none_is_refused(tmp_path: Path, data: str) -> None:
    (tmp_path / "event.json").write_text(data)
    environ = {"GITHUB_EVENT_NAME": "pull_request", "GITHUB_EVENT_PATH": str(tmp_path / "event.json")}
    with pytest.raises(UsageError, match="event file"):
        event.read(environ, (tmp_path,))


def test_the_checked_out_commit_is_read_without_git(tmp_path: Path) -> None:
    sha = "1" * 40
    assert checkout.commit_at(tmp_path) is None
    (tmp_path / ".git/refs/heads").mkdir(parents=True)
    head = tmp_path / ".git/HEAD"
    head.write_text(f"{sha}\n")
    assert checkout.commit_at(tmp_path) == sha
    head.write_text("ref: refs/heads/main\n")
    assert checkout.commit_at(tmp_path) is None
    (tmp_path / ".git/packed-refs").write_text(f"# pack-refs\n{sha} refs/heads/main\n")
    assert checkout.commit_at(tmp_path) == sha
    (tmp_path / ".git/refs/heads/main").write_text("2" * 40 + "\n")
    assert checkout.commit_at(tmp_path) == "2" * 40
    head.write_text("ref: refs/../../secret\n")
    assert checkout.commit_at(tmp_path) is None


# the process


def test_secrets_are_not_kept() -> None:
    secrets = {
        "INPUT_GITHUB-TOKEN",
        "INPUT_GITHUB_TOKEN",
        "GITHUB_TOKEN",
        "ACTIONS_RUNTIME_TOKEN",
        "AWS_SECRET",
    }
    assert kept(dict.fromkeys({*secrets, "PATH", "GITHUB_SHA", "INPUT_PATH"}, "x")).keys() == {
        "PATH",
        "GITHUB_SHA",
        "INPUT_PATH",
    }


@pytest.mark.slow
def test_no_child_can_read_the_token_from_this_process(world: World) -> None:
    """The process that starts helm has neither variables nor a process file system entry with the token."""
    world.open(REPAIRED, BROKEN)
    secret = canary()
    stolen = world.folder / "stolen"
    helm = world.folder / "helm"
    helm.write_text(
        f"#!/bin/sh\n/bin/cat /proc/$PPID/environ /proc/$PPID/cmdline > {stolen}\n"
        f"/usr/bin/env >> {stolen}\necho v4.1.4\n"
    )
    helm.chmod(0o755)
    environ = world.environ(secret) | {
        "PORTPROOF_HELM": str(helm),
        "ACTIONS_RUNTIME_TOKEN": secret,
        "GITHUB_TOKEN": secret,
        "PATH": environment()["PATH"],
    }
    done = world.start(environ)
    assert done.returncode in (0, 1, 2), done.stderr.decode()
    assert secret not in stolen.read_text(errors="replace")
    assert "GITHUB_SHA" in stolen.read_text(errors="replace")
    assert secret.encode() not in done.stdout + done.stderr
    assert world.fake.log.select("GET", "/pulls/1$")[0].token == "wrong"


@pytest.mark.slow
def test_the_checkout_cannot_take_the_programs_place(world: World) -> None:
    """The current folder is a stranger's: a package of our name in there is not imported."""
    marker = world.folder / "marker"
    evil = f"open({str(marker)!r}, 'w').close()\n"
    world.open(
        REPAIRED, {**BROKEN, "portproof/__init__.py": evil, "github/__init__.py": evil, "yaml.py": evil}
    )
    environ = world.environ(writing(world.fake))
    program = Path(sys.executable).with_name("portproof")
    done = world.start(environ, str(program), "action")
    assert done.returncode == 1, done.stderr.decode()
    assert not marker.exists()
    assert len(world.fake.comments(world.pull)) == 1


@pytest.mark.slow
def test_wrong_inputs_end_with_exit_code_2_and_the_next_step(world: World) -> None:
    world.open(REPAIRED, BROKEN)
    environ = world.environ("", fail_on="sometimes")
    done = world.start(environ)
    assert done.returncode == 2
    assert b"the input fail-on cannot be 'sometimes'" in done.stderr
    assert b"next: Use one of error, warning, note, never." in done.stderr


def test_hostile_names_start_no_command_and_reach_no_markdown(world: World) -> None:
    evil = "x::error::y"
    manifests = files_of("incident/broken/manifests")
    texts = {
        path: data.replace(b"name: http", b'name: "' + evil.encode() + b'"')
        for path, data in manifests.items()
    }
    world.open(below("a ##[x]", files_of("incident/repaired/manifests")), below("a ##[x]", texts))
    ran = world.run(writing(world.fake))
    for line in ran.stdout.split("\n"):
        assert "##[" not in line
        assert not line.startswith("::") or re.match(r"::(error|warning|notice) ", line)


def test_what_a_note_or_a_warning_quotes_is_data(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """GitHub's words and names of files come in notes, what a workflow made of an input's name in warnings."""
    evil = "not compared: x\n::error::y\r##[error]z\x1b[2J @octocat <b>"
    summary = tmp_path / "summary.md"
    environ = {"GITHUB_STEP_SUMMARY": str(summary), "GITHUB_WORKSPACE": str(tmp_path), f"INPUT_{evil}": "x"}
    environ |= {"GITHUB_ACTIONS": "true"}
    notes = Notes(environ, summarised=True)
    notes.say(evil)
    notes.say(evil)
    with pytest.raises(UsageError):
        run(environ | {"INPUT_PATH": ".."})
    printed = capsys.readouterr().out
    assert [one.name for one in runner.obeyed(printed)] == ["notice", "warning"]
    assert all(line.isprintable() for line in printed.split("\n"))
    page = gfm.rendered(summary.read_text())
    gfm.is_harmless(page, links="")
    assert page.shape == ["blockquote", "p", "/p", "/blockquote"]


def test_a_run_knows_the_token_by_its_client_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    def looked_at(context: Context, _budget: Budget) -> int:
        seen.append(repr(context))
        return 0

    monkeypatch.setattr("portproof.action.runner.act", looked_at)
    secret = canary()
    variables = dict.fromkeys(inputs.variables("github-token"), secret)
    assert (
        run(
            {
                **variables,
                "GITHUB_ACTIONS": "true",
                "GITHUB_EVENT_NAME": "push",
                "GITHUB_WORKSPACE": str(tmp_path),
            }
        )
        == 0
    )
    (known,) = seen
    assert "GITHUB_WORKSPACE" in known
    assert secret not in known
