"""Two programs that run out of memory at once, which a small runner has to survive."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from portproof.discover.model import KustomizeTarget
from portproof.source import Tree
from tests.github import FakeGitHub
from tests.hostile.support import GIB, Place, overlay
from tests.hostile.test_charts import PLAIN, bomb
from tests.hostile.test_overlays import MAP
from tests.support.action import World, writing
from tests.support.rendering import chart, engine, rendered

pytestmark = pytest.mark.slow

BUDGET = 1.8 * GIB
"""What all processes together may hold."""

OWN = 0.2 * GIB
"""Portproof's own part of it."""

HOARD = '{{ $all := list }}{{ range until 100000 }}{{ $all = append $all (repeat 100000 "x") }}{{ end }}\n'
PAIRS: Mapping[str, Mapping[str, str]] = {
    "aliases in resources": {
        path: text
        for name in "kl"
        for path, text in overlay(name, "resources: [s.yaml]\n", **{"s.yaml": MAP + bomb()}).items()
    },
    "aliases in values": {
        path: text for name in "xy" for path, text in chart(name, {**PLAIN, "values.yaml": bomb()}).items()
    },
    "templates that hoard": {
        path: text
        for name in "xy"
        for path, text in chart(name, {**PLAIN, "templates/hoard.yaml": HOARD}).items()
    },
}


def largest(command: list[str], environ: Mapping[str, str], folder: Path) -> tuple[int, int]:
    """The exit code of a command, and the bytes that the largest process of it and below it held."""
    quiet = subprocess.DEVNULL
    child = subprocess.Popen(command, env=dict(environ), cwd=folder, stdin=quiet, stdout=quiet, stderr=quiet)
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    return child.returncode, used.ru_maxrss * 1024


@pytest.mark.parametrize("name", PAIRS)
def test_two_bombs_at_once_leave_memory_to_others(name: str, tmp_path: Path) -> None:
    """Two at once hold at most twice what the larger one did at its largest: that is no matter of when one looks."""
    with Place(tmp_path) as place:
        place.write(PAIRS[name])
        command = [sys.executable, "-P", "-m", "portproof", "check", "--jobs", "2", "--no-cache"]
        code, held = largest(command, place.environ(), place.repository)
    assert code == 1
    assert 2 * held + OWN < BUDGET


def definitions(count: int) -> str:
    """Large definitions of resources, as operators bring them: 100 KiB of schema each."""
    field = {
        "type": "object",
        "properties": {f"p{one}": {"type": "string", "description": "x"} for one in range(20)},
    }
    schema = {"type": "object", "properties": {f"field{one}": field for one in range(110)}}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    return "\n---\n".join(
        json.dumps(
            {
                "apiVersion": "apiextensions.k8s.io/v1",
                "kind": "CustomResourceDefinition",
                "metadata": {"name": f"things{one}.example.com"},
                "spec": {"group": "example.com", "scope": "Namespaced", "versions": [version]},
            }
        )
        for one in range(count)
    )


def test_a_large_overlay_has_enough(tmp_path: Path) -> None:
    """What operators need is built: the collector starts to work while there is room."""
    with Place(tmp_path) as place:
        place.write(overlay("k", "resources: [crds.yaml]\n", **{"crds.yaml": definitions(30)}))
        with engine(place.root) as made:
            found = rendered(
                made.render(
                    KustomizeTarget("k", ("k/kustomization.yaml", "k/crds.yaml")), Tree(place.repository)
                )
            )
    assert len(found.documents) == 30


@pytest.fixture
def world(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[World]:
    with FakeGitHub() as fake:
        yield World(fake, tmp_path, capsys)


def test_nor_do_those_of_a_pull_request(world: World) -> None:
    files = {path: text.encode() for path, text in PAIRS["aliases in resources"].items()}
    world.open({"README.md": b"x\n"}, files, fork=True)
    command = [sys.executable, "-I", "-m", "portproof", "action"]
    code, held = largest(command, world.environ(writing(world.fake)), world.checkout)
    assert code == 1
    assert 2 * held + OWN < BUDGET
