"""Files that are written whole or not at all."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from portproof import files


def mode(file: Path) -> int:
    return stat.S_IMODE(file.stat().st_mode)


def test_a_new_file_and_one_that_is_there(tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    files.replace(file, b"first")
    files.replace(file, b"second", durable=True)
    assert file.read_bytes() == b"second"
    assert [one.name for one in tmp_path.iterdir()] == ["report.json"]


def test_permissions_are_those_that_are_given_or_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("")
    file = tmp_path / "report.json"
    files.replace(file, b"")
    assert mode(file) == mode(tmp_path / "plain")
    files.replace(file, b"", mode=0o600)
    assert mode(file) == 0o600
    files.replace(file, b"", mode=0o664)
    assert mode(file) == 0o664


def test_a_link_gives_way_and_what_it_leads_to_stays(tmp_path: Path) -> None:
    (tmp_path / "other").write_bytes(b"other")
    (tmp_path / "link").symlink_to("other")
    files.replace(tmp_path / "link", b"new")
    assert not (tmp_path / "link").is_symlink()
    assert (tmp_path / "link").read_bytes() == b"new"
    assert (tmp_path / "other").read_bytes() == b"other"


def test_a_name_in_an_open_folder(tmp_path: Path) -> None:
    folder = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        files.replace(Path("a.txt"), b"text", mode=0o644, folder=folder)
    finally:
        os.close(folder)
    assert (tmp_path / "a.txt").read_bytes() == b"text"


def test_what_fails_leaves_the_old_file_and_nothing_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    file = tmp_path / "a.txt"
    file.write_bytes(b"old")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        files.replace(file, b"new", durable=True)
    assert file.read_bytes() == b"old"
    assert [one.name for one in tmp_path.iterdir()] == ["a.txt"]


def test_a_folder_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(IsADirectoryError):
        files.replace(tmp_path / "folder", b"new")
    assert [one.name for one in tmp_path.iterdir()] == ["folder"]
