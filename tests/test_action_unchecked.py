"""A pull request cannot end a check unseen: the base is read through GitHub's API, as in the image, which has no git."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.e2e.test_unchecked import FILES, NEEDS, REMOTE, TEMPLATE
from tests.github import FakeGitHub
from tests.github.gitrepo import Content, File
from tests.support.action import World, no_git, writing

BEFORE: dict[str, Content] = {path: text.encode() for path, text in FILES.items()}


def link(to: str) -> File:
    return File("120000", to.encode())


def gone(folder: str) -> dict[str, Content | None]:
    return {path: None for path in FILES if path.startswith(f"{folder}/")}


def moved(folder: str, to: str) -> dict[str, Content | None]:
    there = {f"{to}{path.removeprefix(folder)}": FILES[path].encode() for path in gone(folder)}
    return {**gone(folder), **there}


@pytest.fixture
def world(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[World]:
    with FakeGitHub() as fake:
        yield World(fake, tmp_path, capsys)


CHART, OVERLAY, MANIFESTS = "helm:charts/web", "kustomize:overlays/prod", "manifests:k8s"
ENDS: dict[str, tuple[Mapping[str, Content | None], str, str, int]] = {
    "chart-link": ({**gone("charts/web"), "charts/web": link("/opt/web")}, CHART, "charts/web", 1),
    "chart-remote": (
        {"charts/web/Chart.yaml": (FILES["charts/web/Chart.yaml"] + NEEDS).encode()},
        CHART,
        "charts/web/Chart.yaml",
        1,
    ),
    "chart-descriptor": ({"charts/web/Chart.yaml": None}, CHART, "charts/web", 1),
    "chart-excluded": ({"portproof.yaml": b"exclude:\n  - charts/web\n"}, CHART, "portproof.yaml", 2),
    "overlay-link": (
        {**gone("overlays/prod"), "overlays/prod": link("nowhere")},
        OVERLAY,
        "overlays/prod",
        1,
    ),
    "overlay-remote": (
        {"overlays/prod/kustomization.yaml": f"resources: ['{REMOTE}']\n".encode()},
        OVERLAY,
        "overlays/prod/kustomization.yaml",
        1,
    ),
    "overlay-descriptor": ({"overlays/prod/kustomization.yaml": None}, OVERLAY, "overlays/prod", 1),
    "overlay-excluded": ({"portproof.yaml": b"exclude: [overlays/prod]\n"}, OVERLAY, "portproof.yaml", 1),
    "manifest-link": ({"k8s/svc.yaml": link("/opt/svc.yaml")}, MANIFESTS, "k8s/svc.yaml", 1),
    "manifest-template": ({"k8s/svc.yaml": TEMPLATE.encode()}, MANIFESTS, "k8s/svc.yaml", 1),
    "manifest-excluded": ({"portproof.yaml": b"exclude: [k8s/svc.yaml]\n"}, MANIFESTS, "portproof.yaml", 1),
}
FAILS: dict[str, tuple[str, bytes]] = {
    "chart": ("charts/web/templates/all.yaml", b"{{ if }}"),
    "overlay": ("overlays/prod/kustomization.yaml", b"resources: [missing.yaml]\n"),
    "manifests": ("k8s/svc.yaml", b"apiVersion: v1\nkind: Service\nmetadata: {name: x\n"),
}
GOES_ON: dict[str, Mapping[str, Content | None]] = {
    "chart-removed": gone("charts/web"),
    "chart-renamed": moved("charts/web", "charts/shop"),
    "overlay-removed": gone("overlays/prod"),
    "overlay-renamed": moved("overlays/prod", "overlays/live"),
    "manifests-removed": gone("k8s"),
    "manifests-renamed": moved("k8s", "deploy"),
}


@pytest.mark.parametrize("case", ENDS)
def test_a_pull_request_that_ends_a_check_fails(world: World, case: str) -> None:
    after, target, path, line = ENDS[case]
    world.open(BEFORE, after)
    ran = world.run_with(no_git(world.environ(writing(world.fake)), world.folder))
    ended = [one for one in ran.report["findings"] if one["rule"] == "target-unchecked"]
    places = {(one["location"]["path"], one["location"]["line"]) for one in ended}
    assert (ran.code, places) == (1, {(path, line)})
    assert any(target in one["targets"] for one in ended)
    said = [one.body for one in world.fake.comments(world.pull)]
    said += [one.body for one in world.pull.reviews.values()]
    assert sum("ends the check of" in one for one in said) == 1


@pytest.mark.parametrize("case", FAILS)
def test_a_pull_request_that_breaks_the_rendering_fails(world: World, case: str) -> None:
    path, text = FAILS[case]
    world.open(BEFORE, {path: text})
    ran = world.run_with(no_git(world.environ(writing(world.fake)), world.folder))
    assert ran.code == 1
    assert {one["rule"] for one in ran.report["findings"]} == {"render-failed"}


@pytest.mark.parametrize("case", GOES_ON)
def test_a_folder_that_is_removed_or_renamed_ends_no_check(world: World, case: str) -> None:
    world.open(BEFORE, GOES_ON[case])
    ran = world.run_with(no_git(world.environ(writing(world.fake)), world.folder))
    assert (ran.code, ran.report["findings"]) == (0, [])


def test_the_comment_on_an_excluded_path_is_on_its_line(world: World) -> None:
    world.open(
        {**BEFORE, "portproof.yaml": b"exclude:\n  - vendor\n"},
        {"portproof.yaml": b"exclude:\n  - vendor\n  - k8s\n"},
    )
    ran = world.run_with(no_git(world.environ(writing(world.fake)), world.folder))
    (comment,) = world.fake.comments(world.pull)
    assert (ran.code, comment.anchor.path, comment.anchor.line) == (1, "portproof.yaml", 3)
