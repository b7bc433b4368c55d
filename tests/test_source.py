from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portproof import source
from portproof.source import Edit, LineIndex, SourceError, Span, Tree


def edit(start: int, end: int, old: str, new: str) -> Edit:
    return Edit(Span("f", start, end), old, new)


def test_an_edit_replaces_exactly_its_span() -> None:
    assert source.apply("port: 8081 # why\r\n", [edit(6, 10, "8081", "8080")]) == "port: 8080 # why\r\n"


def test_edits_apply_whatever_their_order() -> None:
    edits = [edit(2, 3, "c", "Z"), edit(0, 1, "a", "XY")]
    assert source.apply("abc", edits) == source.apply("abc", edits[::-1]) == "XYbZ"


def test_overlapping_edits_are_refused() -> None:
    with pytest.raises(ValueError, match="overlap"):
        source.apply("abcd", [edit(0, 2, "ab", "x"), edit(1, 3, "bc", "y")])


def test_an_edit_of_text_that_is_gone_is_refused() -> None:
    with pytest.raises(ValueError, match="no longer reads"):
        source.apply("abcd", [edit(0, 2, "xx", "y")])


@given(st.text(), st.data())
def test_replacing_a_span_keeps_everything_around_it(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    new = data.draw(st.text(max_size=5))
    assert source.apply(text, [edit(start, end, text[start:end], new)]) == text[:start] + new + text[end:]


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=60))
def test_lines_end_at_line_feeds_only(text: str) -> None:
    index = LineIndex.of(text)
    for offset in range(len(text) + 1):
        line, column = index.position(offset)
        assert line == text.count("\n", 0, offset) + 1
        assert text.split("\n")[line - 1][: column - 1] == text[offset - column + 1 : offset]


def test_tree_reads_the_overlay_first_and_the_disk_stays(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"port: 1\r\n")
    tree = Tree(tmp_path)
    edited = tree.with_edits([Edit(Span("a.yaml", 6, 7), "1", "2")])
    assert edited.text("a.yaml") == "port: 2\r\n"
    assert tree.text("a.yaml") == "port: 1\r\n"
    assert (tmp_path / "a.yaml").read_bytes() == b"port: 1\r\n"


def test_edits_of_an_edited_tree_build_on_it(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("abc")
    tree = Tree(tmp_path).with_edits([Edit(Span("a", 0, 1), "a", "xx")])
    assert tree.with_edits([Edit(Span("a", 2, 3), "b", "y")]).text("a") == "xxyc"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"a\0b", "binary"),
        (b"\xff\xfe", "not UTF-8"),
        (b"x" * (source.MAX_SOURCE_BYTES + 1), "larger than 5 MiB"),
    ],
)
def test_what_is_not_text_is_refused_with_the_reason(tmp_path: Path, data: bytes, reason: str) -> None:
    (tmp_path / "f").write_bytes(data)
    with pytest.raises(SourceError, match=reason):
        Tree(tmp_path).text("f")


def test_a_missing_file_is_refused_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no such file"):
        Tree(tmp_path).text("nowhere")


@pytest.mark.parametrize(
    ("folder", "path", "joined"),
    [
        (".", "a/b", "a/b"),
        ("a", "../b", "b"),
        ("a", "..", "."),
        ("a", "../..", None),
        ("a", "/etc", None),
        ("a/b", "./c//d", "a/b/c/d"),
    ],
)
def test_join_stays_in_the_tree(folder: str, path: str, joined: str | None) -> None:
    assert source.join(folder, path) == joined


@pytest.mark.parametrize(
    ("path", "folder", "inside"),
    [("a/b", "a", True), ("ab", "a", False), ("a", "a", True), ("x", ".", True), ("a", "a/b", False)],
)
def test_is_within(path: str, folder: str, inside: bool) -> None:
    assert source.is_within(path, folder) is inside


def test_what_cannot_be_read_is_none_for_who_can_do_without(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("a: 1\n")
    (tmp_path / "b.bin").write_bytes(b"\0")
    tree = Tree(tmp_path, {"c.yaml": ""})
    assert tree.text_or_none("a.yaml") == "a: 1\n"
    assert tree.text_or_none("c.yaml") == ""
    for path in ("b.bin", "gone.yaml", "../a.yaml", ".git/config", "."):
        assert tree.text_or_none(path) is None, path


def test_the_work_tree_is_the_nearest_folder_with_a_git(tmp_path: Path) -> None:
    inner = tmp_path / "outer" / "inner"
    (inner / "k8s").mkdir(parents=True)
    (inner / "k8s" / "a.yaml").touch()
    (tmp_path / "outer" / ".git").mkdir()
    assert source.work_tree(inner / "k8s" / "a.yaml") == tmp_path / "outer"
    (inner / ".git").write_text("gitdir: elsewhere\n")  # as in a submodule
    assert source.work_tree(inner / "k8s" / "a.yaml") == inner
    assert source.work_tree(inner) == inner
    assert source.work_tree(tmp_path) is None
