"""Renders that begin before anybody asks for them: the same answers, each given once, and none left behind."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from portproof.render.engine import PREFETCH, Engine
from portproof.source import Edit, Span, Tree

from .support.rendering import Tool, chart, current_helm, engine, helm_target, rendered, write_files
from .test_render_limits import FOREVER, children

RANDOM = "a: {{ randAlphaNum 20 }}\n"


def counting_helm(folder: Path) -> Tool:
    """The real helm behind a script that notes each start, in its home: elsewhere it cannot write."""
    script = folder / "helm"
    script.write_text(f'#!/bin/sh\necho "$2" >>"$HOME/log"\nexec {current_helm().argv[0]} "$@"\n')
    script.chmod(0o755)
    return Tool((str(script),))


def starts(made: Engine) -> int:
    """How often the counting helm was started."""
    return len((made._scratch.home / "log").read_text().splitlines())


def test_what_has_begun_is_not_rendered_again(tmp_path: Path) -> None:
    helm = counting_helm(tmp_path)
    tree = write_files(tmp_path / "r", chart("x", {"templates/a.yaml": RANDOM}))
    with engine(tmp_path, helm=helm) as made:
        made.prefetch([helm_target("x")], tree, 1)
        rendered(made.render(helm_target("x"), tree))
        assert starts(made) == 1


def test_a_second_render_is_a_fresh_one(tmp_path: Path) -> None:
    tree = write_files(tmp_path / "r", chart("x", {"templates/a.yaml": RANDOM}))
    with engine(tmp_path) as made:
        made.prefetch([helm_target("x")], tree, 1)
        first, second = (rendered(made.render(helm_target("x"), tree)) for _ in range(2))
    assert first.documents != second.documents


def test_another_tree_does_not_get_the_answer(tmp_path: Path) -> None:
    tree = write_files(tmp_path / "r", chart("x", {"templates/a.yaml": "a: 1\n"}))
    path = "x/templates/a.yaml"
    with engine(tmp_path) as made:
        made.prefetch([helm_target("x")], tree, 1)
        edited = tree.with_edits([Edit(Span(path, 3, 4), "1", "2")])
        assert "a: 2" in rendered(made.render(helm_target("x"), edited)).documents[0].text
        assert "a: 1" in rendered(made.render(helm_target("x"), tree)).documents[0].text


def test_only_a_few_begin(tmp_path: Path) -> None:
    names = [f"x{number}" for number in range(PREFETCH + 2)]
    files: dict[str, str] = {}
    for name in names:
        files |= chart(name, {"templates/a.yaml": "a: 1\n"})
    helm = counting_helm(tmp_path)
    tree = write_files(tmp_path / "r", files)
    with engine(tmp_path, helm=helm) as made:
        made.prefetch([helm_target(name) for name in names], tree, 1)
        for name in names[:PREFETCH]:
            made.render(helm_target(name), tree)
        assert starts(made) == PREFETCH


def interrupted(tmp_path: Path, tree: Tree) -> None:
    """An interrupt while a chart renders that never ends."""
    before = children()
    with engine(tmp_path, seconds=30) as made:
        made.prefetch([helm_target("x")], tree, 1)
        while children() <= before:
            time.sleep(0.01)
        raise KeyboardInterrupt


@pytest.mark.slow
def test_an_interrupt_stops_what_has_begun(tmp_path: Path) -> None:
    tree = write_files(tmp_path / "r", chart("x", {"templates/a.yaml": FOREVER}))
    before = children()
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        interrupted(tmp_path, tree)
    assert time.monotonic() - started < 25
    assert children() <= before
