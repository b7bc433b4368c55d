"""The diff as GitHub tells it, held against real git."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from portproof.diff import DiffError, changes, file_diff, hunks, moved_lines

LINE = st.sampled_from(
    [
        "a",
        "b",
        "c: 1",
        "@@ -1,2 +3,4 @@",
        "-x",
        "+++ b/f",
        "\\ x",
        "",
        " ",
        "d\r",
        "diff --git a/f b/f",
        "é\u2028",
    ]
)
TEXT = st.builds(
    lambda lines, end: "\n".join(lines) + end, st.lists(LINE, max_size=25), st.sampled_from(["", "\n"])
)


def git_diff(folder: Path, before: str, after: str, name: str = "f") -> str:
    for side, text in (("a", before), ("b", after)):
        (folder / side).mkdir(exist_ok=True)
        (folder / side / name).write_bytes(text.encode())
    done = subprocess.run(
        ["git", "-c", "core.autocrlf=false", "diff", "--no-index", "--no-prefix", f"a/{name}", f"b/{name}"],
        cwd=folder,
        capture_output=True,
        check=False,
    )
    return done.stdout.decode()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("diff")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=TEXT, after=TEXT)
def test_every_line_of_a_hunk_has_the_number_and_text_of_its_file(
    folder: Path, before: str, after: str
) -> None:
    diff = git_diff(folder, before, after)
    if not diff:
        assert before == after
        return
    file = changes(diff)["f"]
    start = diff.find("\n@@ ")
    assert file.hunks == (hunks(diff[start + 1 :]) if start >= 0 else ())
    old, new = before.split("\n"), after.split("\n")
    for hunk in file.hunks:
        assert all(new[number - 1] == text for number, text in hunk.right.items())
        assert all(old[number - 1] == text for number, text in hunk.left.items())
        assert list(hunk.right) == list(range(min(hunk.right, default=1), max(hunk.right, default=0) + 1))
        assert hunk.added <= hunk.right.keys()
    # What is not added is an unchanged line: taking the new lines away and putting the old ones back gives the old file.
    added = {number for hunk in file.hunks for number in hunk.added}
    removed = {number for hunk in file.hunks for number in hunk.left}
    kept_new = [
        text for number, text in enumerate(new, 1) if number not in added and (text or number < len(new))
    ]
    kept_old = [
        text for number, text in enumerate(old, 1) if number not in removed and (text or number < len(old))
    ]
    assert kept_new == kept_old


@settings(max_examples=150, deadline=None)
@given(before=TEXT, after=TEXT)
def test_a_moved_line_is_the_same_line(before: str, after: str) -> None:
    old, new = before.split("\n"), after.split("\n")
    moved = moved_lines(before, after)
    assert all(old[a - 1] == new[b - 1] for a, b in moved.items())
    places = [moved[number] for number in sorted(moved)]
    assert places == sorted(set(places))
    assert moved_lines(before, before) == {number: number for number in range(1, len(old) + 1)}


def test_a_line_that_went_or_changed_has_no_place() -> None:
    assert moved_lines("a\nb\nc\nd\n", "x\na\nB\nd\n") == {1: 2, 4: 4, 5: 5}


PATCH = "@@ -2,4 +2,5 @@ service:\n   name: backend\n-  port: 80\n+  # clients\n+  port: 81\n   type: x\n   last: y\n@@ -20 +21 @@\n-a\n+b"


def test_right_are_added_lines_and_context_left_are_removed_lines() -> None:
    file = file_diff("values.yaml", "modified", PATCH)
    first, second = file.hunks
    assert set(first.right) == {2, 3, 4, 5, 6}
    assert set(first.left) == {3}
    assert first.added == {3, 4}
    assert set(second.right) == {21}
    assert set(second.left) == {20}
    assert file.is_added(4)
    assert not file.is_added(5)


def test_a_range_must_lie_in_one_hunk() -> None:
    file = file_diff("values.yaml", "modified", PATCH)
    assert file.hunk(2, 6) is file.hunks[0]
    assert file.hunk(6, 21) is None
    assert file.hunk(7, 7) is None
    assert file.hunk(5, 4) is None


@pytest.mark.parametrize(
    "patch", ["@@ -1,3 +1,3 @@\n a", "@@ -1 +1 @@\n-a\n+b\n+c", "no hunk", "@@ -1 +1 @@\n*a"]
)
def test_a_patch_that_was_cut_off_is_no_patch(patch: str) -> None:
    with pytest.raises(DiffError):
        hunks(patch)
    assert not file_diff("f", "modified", patch).mapped


def test_a_file_without_patch_is_known_and_not_mapped() -> None:
    file = file_diff("logo.png", "added", None)
    assert not file.mapped
    assert file.hunk(1, 1) is None


def test_a_missing_newline_is_no_line() -> None:
    (hunk,) = hunks("@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+b\n\\ No newline at end of file")
    assert (hunk.right, hunk.left) == ({1: "b"}, {1: "a"})


def test_all_kinds_of_files_of_a_real_diff(tmp_path: Path) -> None:
    def git(*arguments: str) -> str:
        who = ["-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "core.autocrlf=false"]
        return subprocess.run(
            ["git", *who, *arguments], cwd=tmp_path, check=True, capture_output=True
        ).stdout.decode()

    git("init", "--quiet", "--initial-branch=main")
    text = "".join(f"line {number}\n" for number in range(20))
    for name in (
        "moved.yaml",
        "moved changed.yaml",
        "gone.yaml",
        "mode.sh",
        "crlf.yaml",
        "tab\tname é.yaml",
        "ends",
    ):
        (tmp_path / name).write_text(name + "\n" + text)
    (tmp_path / "crlf.yaml").write_bytes(b"a\r\nb\r\n")
    (tmp_path / "ends").write_text("a\nb")
    (tmp_path / "logo.png").write_bytes(b"\0\1")
    git("add", "--all")
    git("commit", "--quiet", "--message=base")
    git("mv", "moved.yaml", "to.yaml")
    git("mv", "moved changed.yaml", "to changed.yaml")
    (tmp_path / "to changed.yaml").write_text("moved changed.yaml\nnew\n" + text)
    (tmp_path / "gone.yaml").unlink()
    (tmp_path / "mode.sh").chmod(0o755)
    (tmp_path / "crlf.yaml").write_bytes(b"a\r\nc\r\n")
    (tmp_path / "tab\tname é.yaml").write_text("other\n")
    (tmp_path / "logo.png").write_bytes(b"\0\2")
    (tmp_path / "ends").write_text("a\nc")
    (tmp_path / "new file.yaml").write_text("x\n")
    git("add", "--all")
    found = changes(git("diff", "--cached", "--find-renames"))
    assert {path: (file.status, file.previous, file.mapped) for path, file in found.items()} == {
        "to.yaml": ("renamed", "moved.yaml", False),
        "to changed.yaml": ("renamed", "moved changed.yaml", True),
        "gone.yaml": ("removed", None, True),
        "mode.sh": ("modified", None, False),
        "crlf.yaml": ("modified", None, True),
        "tab\tname é.yaml": ("modified", None, True),
        "logo.png": ("modified", None, False),
        "ends": ("modified", None, True),
        "new file.yaml": ("added", None, True),
    }
    assert found["crlf.yaml"].hunks[0].right == {1: "a\r", 2: "c\r"}
    assert found["gone.yaml"].hunks[0].right == {}
    assert found["ends"].hunks[0].added == {2}
