"""Charts and overlays that never end, print without end, or eat memory: stopped in time, with a reason."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from portproof.errors import ToolError
from portproof.process import MIB, Limits
from portproof.render import copying, sandboxes
from portproof.source import Tree

from .support.rendering import (
    HELMS,
    Tool,
    chart,
    engine,
    failed,
    helm_target,
    overlay_target,
    rendered,
    write_files,
)

pytestmark = pytest.mark.slow

FOREVER = "{{ range until 100000 }}{{ range until 100000 }}{{ end }}{{ end }}a: 1\n"
FLOOD = '{{ range until 30 }}# {{ repeat 100000 "x" }}\n{{ end }}a: 1\n'
HOARD = '{{ $all := list }}{{ range until 100000 }}{{ $all = append $all (repeat 100000 "x") }}{{ end }}\n'


def children() -> set[int]:
    """The processes whose parent we are."""
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == os.getpid():
                found.add(int(entry.name))
    return found


@pytest.mark.parametrize("helm", HELMS)
def test_a_chart_that_never_ends_is_killed(tmp_path: Path, helm: str) -> None:
    tree = write_files(
        tmp_path / "r", chart("x", {"templates/a.yaml": FOREVER}) | chart("y", {"templates/a.yaml": "a: 1\n"})
    )
    before = children()
    with engine(tmp_path, helm=HELMS[helm](), seconds=20) as made, ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda folder: made.render(helm_target(folder), tree), ("x", "y")))
    assert failed(results[0]).message == "helm did not finish within 20 s and was killed"
    rendered(results[1])
    assert children() <= before


@pytest.mark.parametrize("helm", HELMS)
def test_a_chart_that_hoards_memory_is_stopped(tmp_path: Path, helm: str) -> None:
    tree = write_files(tmp_path / "r", chart("x", {"templates/a.yaml": HOARD}))
    with engine(tmp_path, helm=HELMS[helm](), seconds=50) as made:
        message = failed(made.render(helm_target("x"), tree)).message
    assert message == "helm ran out of memory: the limit is 1.875 GiB"


@pytest.mark.parametrize("helm", HELMS)
def test_a_chart_that_prints_too_much_is_stopped(
    tmp_path: Path, helm: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandboxes, "Limits", partial(Limits, output_bytes=2 * MIB))
    tree = write_files(tmp_path / "r", chart("x", {"templates/a.yaml": FLOOD}))
    with engine(tmp_path, helm=HELMS[helm]()) as made:
        message = failed(made.render(helm_target("x"), tree)).message
    assert message == "helm printed more than 2 MiB and was killed"


def test_an_overlay_bomb_is_killed(tmp_path: Path) -> None:
    files = {
        "0/kustomization.yaml": "resources: [a.yaml]\n",
        "0/a.yaml": "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n",
    }
    for level in range(1, 20):
        for side in "ab":
            files[f"{level}{side}/kustomization.yaml"] = f"resources: [../{level - 1}]\nnamePrefix: {side}-\n"
        files[f"{level}/kustomization.yaml"] = f"resources: [../{level}a, ../{level}b]\n"
    tree = write_files(tmp_path / "r", files)
    with engine(tmp_path, seconds=2) as made:
        message = failed(made.render(overlay_target(tree, "19"), tree)).message
    assert message == "kustomize did not finish within 2 s and was killed"


def test_a_missing_tool_is_an_error_of_the_run(tmp_path: Path) -> None:
    tree = write_files(tmp_path / "r", chart("x", {}))
    with (
        engine(tmp_path, helm=Tool((str(tmp_path / "no-helm"),))) as made,
        pytest.raises(ToolError, match="cannot be started"),
    ):
        made.render(helm_target("x"), tree)


def test_a_chart_that_is_larger_than_any_chart_is_not_copied(tmp_path: Path) -> None:
    tree = write_files(tmp_path / "r", chart("x", {f"files/{number}": "" for number in range(30)}))
    with pytest.raises(copying.CopyError, match="more than"):
        copying._Copier(tree, files=20).folder(str(tree.root), ".", str(tmp_path / "to"), ())


def entries(folder: Path) -> list[str]:
    """What a tool that reads through links finds."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def test_a_circle_of_links_ends(tmp_path: Path) -> None:
    tree = write_files(tmp_path / "r", {"a/x": "1", "b/y": "2"})
    (tmp_path / "r/a/b").symlink_to("../b")
    (tmp_path / "r/b/a").symlink_to("../a")
    (tmp_path / "r/a/self").symlink_to(".")
    copying.shadow_folder(tree, "a", tmp_path / "to")
    assert entries(tmp_path / "to") == ["b", "b/y", "x"]


def test_devices_and_pipes_are_not_copied(tmp_path: Path) -> None:
    tree = write_files(tmp_path / "r", {"a/x": "1", "a/deep/y": "2"})
    os.mkfifo(tmp_path / "r/a/deep/pipe")
    (tmp_path / "r/a/zero").symlink_to("/dev/zero")
    copying.shadow_folder(Tree(tree.root, {"a/new/z": "3"}), "a", tmp_path / "to", ["nothing"])
    assert entries(tmp_path / "to") == ["deep", "deep/y", "new", "new/z", "x"]


def test_no_write_goes_through_a_link_into_the_tree(tmp_path: Path) -> None:
    tree = write_files(tmp_path / "r", {"a/one/x": "1", "a/two/x": "1", "b/x": "1"})
    (tmp_path / "r/a/linked").symlink_to("../b")
    overlay = {"a/linked/new": "2", "a/one/new": "2", "a/two/x": "2"}
    to = tmp_path / "to"
    copying.shadow_folder(Tree(tree.root, overlay), "a", to, own=["two/deep"])
    copying.make_folder(to / "two/deep", to)
    assert (
        (to / "linked/new").read_text() == (to / "one/new").read_text() == (to / "two/x").read_text() == "2"
    )
    assert entries(tmp_path / "r") == ["a", "a/linked", "a/one", "a/one/x", "a/two", "a/two/x", "b", "b/x"]
    assert (tmp_path / "r/a/two/x").read_text() == "1"
    copying.shadow_folder(tree, "a", tmp_path / "plain")
    with pytest.raises(copying.CopyError, match="leads out"):
        copying.make_folder(tmp_path / "plain/one", tmp_path / "plain")
