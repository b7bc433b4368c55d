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
    render = remember(fake, at_hand=10_000, packed=0)  # two of them
    one, two, three = (HelmTarget(name) for name in ("one", "two", "three"))
    for target in (one, two, one, three, one, two):
        render(target, TREE)
    assert [target.path for target, _ in fake.asked] == ["one", "two", "three", "two"]


def test_older_renderings_are_packed_and_come_out_as_they_were() -> None:
    document = RenderedDocument("kind: \ud800 Service\n" * 1000, "web/templates/a.yaml", 3, 7, "chart 1.0")
    asked: list[Target] = []

    def draw(target: Target, _tree: Tree) -> Rendering:
        asked.append(target)
        return Rendering(target, (document, RenderedDocument(target.path)), seconds=0.5, took="1.2.3")

    render = remember(draw, at_hand=30_000, packed=20_000)
    targets = [HelmTarget(f"chart-{number}") for number in range(10)]
    first = [render(target, TREE) for target in targets]
    assert [render(target, TREE) for target in reversed(targets)] == first[::-1]
    assert asked == targets, (
        "ten of twenty thousand characters each, in twenty thousand bytes and one at hand"
    )


def test_the_packed_ones_are_bounded_too() -> None:
    fake = Fake()
    render = remember(fake, at_hand=0, packed=5500)  # one at hand, and five
    targets = [HelmTarget(f"chart-{number}") for number in range(10)]
    for target in (*targets, *targets[4:], *targets[:4]):
        render(target, TREE)
    assert [target for target, _ in fake.asked] == [*targets, *targets[:4]]


def test_failures_are_packed_as_they_are() -> None:
    fake = Fake()
    render = remember(fake, at_hand=0)
    bad = Tree(TREE.root, {"web/bad": ""})
    first = render(TARGET, bad)
    render(HelmTarget("other"), TREE)
    assert render(TARGET, bad) is first


def test_the_last_one_is_at_hand_whatever_its_size() -> None:
    fake = Fake(size=20_000)
    render = remember(fake, at_hand=10_000, packed=0)
    assert render(TARGET, TREE) is render(TARGET, TREE)
    assert len(fake.asked) == 1
