"""Patches are judged by git itself."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portproof.patch import PatchHunk, hunks, quoted, unified, unified_many

GIT = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1", "LC_ALL": "C"}


def git_applies(
    changes: Mapping[str, tuple[str, str]], hidden: Mapping[str, set[int]] | None = None
) -> dict[str, bytes]:
    """Put the old texts into a new repository, let git apply the patch, and return what the files hold then."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        subprocess.run(["git", "init", "-q"], cwd=root, check=True, env=GIT)
        for path, (before, _) in changes.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(before.encode())
        patch = unified_many(changes, hidden).encode()
        command = ["git", "apply", "--whitespace=nowarn", "-"]
        done = subprocess.run(command, input=patch, cwd=root, check=False, env=GIT, capture_output=True)
        assert done.returncode == 0, (done.stderr, patch)
        return {path: (root / path).read_bytes() for path in changes}


line = st.one_of(
    st.sampled_from(
        ["a", "a", "b", "  port: 8080", "", "--- a/x", "+++ b/x", "@@ -1 +1 @@", "\\ No newline"]
    ),
    st.text(st.sampled_from("ab \t\r\x0b\x0c\x85\u2028\u2029ä中\\\"'"), max_size=6),
)
text = st.builds(
    lambda lines, end: "\n".join(lines) + end, st.lists(line, max_size=14), st.sampled_from(["", "\n"])
)
step = st.text(st.sampled_from("ab b\t\"'\\äß中-\x1b\n\r"), min_size=1, max_size=6).map(lambda s: f"n{s}n")
path = st.builds("/".join, st.lists(step, min_size=1, max_size=2))


def edited(before: str, seed: list[tuple[int, str]]) -> str:
    lines = before.split("\n")
    for index, new in seed:
        lines[index % len(lines)] = new
    return "\n".join(lines)


@settings(max_examples=60, deadline=None)
@given(path, text, st.one_of(text, st.lists(st.tuples(st.integers(0, 99), line), max_size=4)))
def test_git_apply_gives_the_new_text(path: str, before: str, change: str | list[tuple[int, str]]) -> None:
    after = change if isinstance(change, str) else edited(before, change)
    if before != after:
        assert git_applies({path: (before, after)}) == {path: after.encode()}


@settings(max_examples=60, deadline=None)
@given(text, st.lists(st.tuples(st.integers(0, 99), line), max_size=4), st.sets(st.integers(1, 14)))
def test_git_apply_does_without_the_lines_that_are_hidden(
    before: str, change: list[tuple[int, str]], hidden: set[int]
) -> None:
    after = edited(before, change)
    if before != after:
        assert git_applies({"a": (before, after)}, {"a": hidden}) == {"a": after.encode()}


def test_lines_that_are_hidden_are_no_context() -> None:
    before = "".join(f"{number}\n" for number in range(1, 13))
    patch = unified("a", before, before.replace("5\n", "x\n").replace("9\n", "y\n"), {3, 7, 11})
    assert [one.lines for one in hunks(patch)] == [(" 4", "-5", "+x", " 6"), (" 8", "-9", "+y", " 10")]


@settings(deadline=None)
@given(path, text, text)
def test_reading_back_gives_the_changed_lines(path: str, before: str, after: str) -> None:
    found = list(hunks(unified(path, before, after)))
    assert {hunk.path for hunk in found} <= {path}
    old = before.split("\n")
    removed = [(number, sign) for hunk in found for number, sign in hunk.changes if sign.startswith("-")]
    assert [line[1:] for _, line in removed] == [old[number - 1] for number, _ in removed]


def test_many_files_in_one_patch() -> None:
    long = "".join(f"{number}\n" for number in range(40))
    changes = {
        "z.yaml": ("port: 8081\n", "port: 8080\n"),
        "charts/a b/values.yaml": (long, long.replace("\n3\n", "\nx\n").replace("\n30\n", "\ny\n")),
        "same.yaml": ("x", "x"),
        "empty.yaml": ("", "now: there\n"),
        "gone.yaml": ("was: here\n", ""),
        "Straße.yaml": ("a\r\nb\r\n", "a\r\nc\r\n"),
    }
    assert git_applies(changes) == {path: after.encode() for path, (_, after) in changes.items()}


def test_what_it_looks_like() -> None:
    before = "service:\n  port: 80\n  targetPort: 8081\n  type: ClusterIP"
    assert unified("charts/backend/values.yaml", before, before.replace("8081", "8080")) == (
        "diff --git a/charts/backend/values.yaml b/charts/backend/values.yaml\n"
        "--- a/charts/backend/values.yaml\n"
        "+++ b/charts/backend/values.yaml\n"
        "@@ -1,4 +1,4 @@\n"
        " service:\n"
        "   port: 80\n"
        "-  targetPort: 8081\n"
        "+  targetPort: 8080\n"
        "   type: ClusterIP\n"
        "\\ No newline at end of file\n"
    )


def test_the_same_text_needs_no_patch() -> None:
    assert unified("x", "a\n", "a\n") == ""
    assert unified_many({}) == ""


def test_changes_carry_the_old_line_numbers() -> None:
    (hunk,) = hunks(unified("x", "1\n2\n3\n4\n5\n6\n", "1\n2\n3\n4\nfive\n5b\n6\n"))
    assert hunk == PatchHunk("x", 2, (" 2", " 3", " 4", "-5", "+five", "+5b", " 6"))
    assert hunk.changes == ((5, "-5"), (6, "+five"), (6, "+5b"))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a/plain-name.yaml", "a/plain-name.yaml"),
        ("a/with space", "a/with space"),
        ('a/"quotes"', '"a/\\"quotes\\""'),
        ("a/ä\t\x1b\\", '"a/\\303\\244\\t\\033\\\\"'),
        ("a/\udcff", '"a/\\377"'),
    ],
)
def test_names_are_quoted_as_git_does(name: str, expected: str) -> None:
    assert quoted(name) == expected


def test_a_large_file_is_compared_in_no_time() -> None:
    before = "- port: 8080\n  name: http\n" * 40_000
    after = before.replace("8080", "8081", 1) + "one: more\n"
    assert unified("x", "first\n" + before, after).count("\n@@") >= 1
