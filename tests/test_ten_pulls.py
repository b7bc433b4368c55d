"""Ten different pull requests, from the diff to the comment: where it stands, how it begins, how long it is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import pytest

from portproof.report.review import ROOM
from portproof.report.wording import words
from tests.github import FakeGitHub
from tests.github.suggestions import suggested
from tests.support.action import World, writing
from tests.support.pulls import TEN, deployment, ingress, service

EXPECTED = {
    "chart value": (
        ("charts/backend/values.yaml", 10, "RIGHT"),
        "Requests to `Service/backend-v1:80` will fail.",
    ),
    "overlay patch": (
        ("deploy/overlays/prod/service.yaml", 9, "RIGHT"),
        "Requests to `Service/cart:80` will fail in `prod`.",
    ),
    "template": (
        ("charts/cart/templates/service.yaml", 11, "RIGHT"),
        "Nothing answers on `Service/cart:80` with the default values and `values-prod.yaml`.",
    ),
    "manifests": (("k8s/ingress.yaml", 16, "RIGHT"), "`Ingress/cart`: no request gets through."),
    "several environments": (
        ("deploy/base/deployment.yaml", 19, "RIGHT"),
        "Requests to `Service/cart:80` may fail in `dev`, `prod` and `stage`.",
    ),
    "rename": (("k8s/service.yaml", 4, "RIGHT"), "`Service/cart`: no request gets through."),
    "lost pods": (("k8s/deployment.yaml", 12, "RIGHT"), "Every request to `Service/cart` fails."),
    "gone Service": (("k8s/service.yaml", 4, "LEFT"), "`Service/cart`: no request gets through."),
    "unchecked target": (
        ("deploy/overlays/prod/kustomization.yaml", 2, "RIGHT"),
        "Broken ports in `kustomize:deploy/overlays/prod` would pass unseen.",
    ),
    "nothing but a diff": None,
}
SUGGESTED = {
    "chart value",
    "overlay patch",
    "template",
    "manifests",
    "several environments",
    "rename",
}
"""Of the others the line of the change takes none: what cures them is in another file."""


@pytest.fixture
def world(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[World]:
    with FakeGitHub() as fake:
        yield World(fake, tmp_path, capsys)


@pytest.mark.slow
@pytest.mark.parametrize("name", TEN)
def test_the_comment(name: str, world: World) -> None:
    world.open(TEN[name].before, TEN[name].after)
    ran = world.run(writing(world.fake))
    comments = world.fake.comments(world.pull)
    expected = EXPECTED[name]
    if expected is None:
        assert (ran.code, comments, world.pull.reviews) == (0, [], {})
        return
    (comment,) = comments
    anchor = comment.anchor
    assert ((anchor.path, anchor.line, anchor.side), f"**{expected[1]}**") == (
        expected[0],
        re.findall(r"^\*\*.*?\*\*", comment.body, re.MULTILINE)[0],
    )
    before = re.split(r"```suggestion|<details>|<sub>", comment.body)[0]
    assert words(re.sub(r"<!--.*?-->|\]\([^)]*\)", "", before)) <= ROOM
    assert ("```suggestion" in comment.body) == (name in SUGGESTED)
    if name in SUGGESTED:
        world.fake.apply_suggestions(world.pull, [comment.id])
        world.check_out()
        assert world.run(writing(world.fake)).report["findings"] == []


THREE = {
    "k8s/deployment.yaml": deployment(probe="http"),
    "k8s/service.yaml": service(target="http"),
    "k8s/ingress.yaml": ingress(),
}
BROKEN = {
    "k8s/deployment.yaml": deployment(probe="htp"),
    "k8s/service.yaml": service(target="web"),
    "k8s/ingress.yaml": ingress(port="number: 8"),
}


@pytest.mark.slow
def test_any_of_the_suggestions_of_a_review_may_be_clicked(world: World) -> None:
    """What is not clicked stays reported, what is clicked is gone, and nothing new comes in: in each combination."""
    world.open(THREE, BROKEN)
    first = world.run(writing(world.fake))
    assert {one["rule"] for one in first.report["findings"]} == {
        "probe-port-name",
        "service-target-name",
        "ingress-backend-port",
    }
    blocks = {one.anchor.path: suggested(one.body) for one in world.fake.comments(world.pull)}
    files = sorted(blocks)
    assert len(files) == 3
    for clicked in (some for size in (1, 2, 3) for some in combinations(files, size)):
        changes = {path: THREE[path] if path in clicked else BROKEN[path] for path in files}
        for path in clicked:
            assert "\n".join(blocks[path] or ()) in THREE[path]
        world.push(changes)
        report = world.run(None).report
        rules = {one["location"]["path"] for one in report["findings"]}
        assert rules == set(files) - set(clicked), clicked
