"""What has been rendered is remembered: once for each input, within a budget."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from portproof.discover.model import HelmTarget, Mount, Target
from portproof.render.cache import remember
from portproof.render.model import RenderedDocument, RenderFailure, Rendering
from portproof.source import Tree

TARGET = HelmTarget("web", mounts=(Mount(".", "web"),))
TREE = Tree(Path("/nowhere"))


class Fake:
    """Gives documents of a size; counts what it is asked, and can be held back."""

    def __init__(self, size: int = 1) -> None:
        self.asked: list[tuple[Target, Tree]] = []
        self.entered = threading.Event()
        self.go_on = threading.Event()
        self.go_on.set()
        self.size = size

    def __call__(self, target: Target, tree: Tree) -> Rendering | RenderFailure:
        self.asked.append((target, tree))
        self.entered.set()
        assert self.go_on.wait(10)
        if "web/broken" in tree.overlay:
            raise OSError("no room")
        if "web/bad" in tree.overlay:
            return RenderFailure(target, "bad")
        return Rendering(target, (RenderedDocument("x" * self.size),))


def test_the_same_input_is_rendered_once_failures_too() -> None:
    fake = Fake()
    render = remember(fake)
    first = render(TARGET, TREE)
    # What the target does not read makes no difference, nor does another object that says the same.
    other = HelmTarget("web", mounts=(Mount(".", "web"),))
    assert render(other, Tree(TREE.root, {"elsewhere": "1"})) is first
    bad = Tree(TREE.root, {"web/bad": ""})
    assert render(TARGET, bad) is render(TARGET, bad)
    assert len(fake.asked) == 2


@pytest.mark.parametrize(
    ("target", "tree"),
    [
        (TARGET, Tree(Path("/elsewhere"))),
        (TARGET, Tree(TREE.root, {"web/values.yaml": "a: 1\n"})),
        (HelmTarget("web", mounts=(Mount(".", "web"), Mount("common", "common"))), TREE),
        (HelmTarget("web", release="another", mounts=TARGET.mounts), TREE),
    ],
    ids=["another-root", "another-text", "another-mount", "another-release"],
)
def test_another_input_is_rendered_anew(target: HelmTarget, tree: Tree) -> None:
    fake = Fake()
    render = remember(fake)
    render(TARGET, TREE)
    render(target, tree)
    assert fake.asked == [(TARGET, TREE), (target, tree)]


def test_who_asks_while_it_is_rendered_waits_for_it() -> None:
    fake = Fake()
    fake.go_on.clear()
    render = remember(fake)
    with ThreadPoolExecutor(4) as pool:
        futures = [pool.submit(render, TARGET, TREE) for _ in range(4)]
        assert fake.entered.wait(10)
        fake.go_on.set()
        answers = [future.result(10) for future in futures]
    assert len(fake.asked) == 1
    assert all(one is answers[0] for one in answers)


def test_an_error_reaches_all_who_wait_and_is_not_kept() -> None:
    fake = Fake()
    fake.go_on.clear()
    render = remember(fake)
    broken = Tree(TREE.root, {"web/broken": ""})
    with ThreadPoolExecutor(2) as pool:
        futures = [pool.submit(render, TARGET, broken) for _ in range(2)]
        assert fake.entered.wait(10)
        fake.go_on.set()
        assert all(isinstance(future.exception(10), OSError) for future in futures)
    asked = len(fake.asked)
    with pytest.raises(OSError, match="no room"):
        render(TARGET, broken)
    assert len(fake.asked) == asked + 1


def test_the_least_recently_used_go_when_the_budget_is_spent() -> None:
    fake = Fake(size=4000)
    render = remember(fake, budget=10_000)  # two of them
    one, two, three = (HelmTarget(name) for name in ("one", "two", "three"))
    for target in (one, two, one, three, one, two):
        render(target, TREE)
    assert [target.path for target, _ in fake.asked] == ["one", "two", "three", "two"]


def test_what_is_larger_than_the_budget_is_given_and_not_kept() -> None:
    fake = Fake(size=20_000)
    render = remember(fake, budget=10_000)
    assert render(TARGET, TREE) == render(TARGET, TREE)
    assert len(fake.asked) == 2
