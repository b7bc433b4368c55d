"""Texts are kept within bounds, and only what is whole and for its key is read again."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from portproof import textstore
from portproof.textstore import TextStore


def key(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


def place(folder: Path, number: int) -> Path:
    return folder / key(number)[:2] / key(number)


def written(body: Any, digest: str = "") -> bytes:
    """An entry as a stranger would forge it."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return (digest or hashlib.sha256(data).hexdigest()).encode() + b"\n" + data


def fit(number: int, **more: Any) -> dict[str, Any]:
    return {"format": textstore.FORMAT, "key": key(number), "text": "x", **more}


def test_what_is_kept_is_read_by_the_next_run(tmp_path: Path) -> None:
    TextStore(tmp_path / "s").put(key(1), {"text": "ä\0\n", "code": 1, "seconds": 0.5})
    store = TextStore(tmp_path / "s")
    assert store.get(key(1)) == {"text": "ä\0\n", "code": 1, "seconds": 0.5}
    assert store.get(key(2)) is None
    assert (store.found, store.missed) == (1, 1)


def test_nobody_else_can_read_it_and_git_does_not_see_it(tmp_path: Path) -> None:
    TextStore(tmp_path / "s").put(key(1), {"text": "x"})
    assert place(tmp_path / "s", 1).stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "s").stat().st_mode & 0o777 == 0o700
    assert "*" in (tmp_path / "s" / ".gitignore").read_text().splitlines()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        written(fit(1))[:-1],
        written(fit(1)) + b" ",
        written(fit(1), "0" * 64),
        written(fit(2)),
        written({**fit(1), "format": textstore.FORMAT + 1}),
        written([]),
        written(b"{"),
        written(b"[" * 100_000),
        written(b'{"key": 1' + b"0" * 5000 + b"}"),
        written(fit(1, text=None)),
        written(fit(1, text=["x"])),
        written(fit(1, text=True)),
        written(fit(1, text="\ud800")),
        written(fit(1, text="x" * textstore.MAX_ENTRY_BYTES)),
    ],
    ids=lambda data: f"{data[:12]!r}{len(data)}",
)
def test_what_is_not_whole_or_not_for_its_key_is_removed(tmp_path: Path, data: bytes) -> None:
    store = TextStore(tmp_path)
    store.put(key(1), {"text": "x"})
    place(tmp_path, 1).write_bytes(data)
    assert store.get(key(1)) is None
    assert not place(tmp_path, 1).exists()


def test_no_link_is_followed(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    TextStore(elsewhere).put(key(1), {"text": "x"})
    real = place(elsewhere, 1)

    # the folder itself
    (tmp_path / "linked").symlink_to(elsewhere)
    TextStore(tmp_path / "linked").put(key(2), {"text": "x"})
    assert TextStore(tmp_path / "linked").get(key(1)) is None
    assert not place(elsewhere, 2).exists()

    # a part of it
    (tmp_path / "part").mkdir()
    (tmp_path / "part" / key(1)[:2]).symlink_to(elsewhere / key(1)[:2])
    assert TextStore(tmp_path / "part").get(key(1)) is None
    assert real.exists()

    # an entry: it gives way, what it leads to stays
    store = TextStore(tmp_path / "own")
    store.put(key(1), {"text": "y"})
    place(tmp_path / "own", 1).unlink()
    place(tmp_path / "own", 1).symlink_to(real)
    assert store.get(key(1)) is None
    place(tmp_path / "own", 1).symlink_to(real)
    store.put(key(1), {"text": "y"})
    assert TextStore(elsewhere).get(key(1)) == {"text": "x"}
    assert not place(tmp_path / "own", 1).is_symlink()


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo], ids=["folder", "pipe"])
def test_what_is_no_file_is_no_entry(tmp_path: Path, make: Callable[[Path], None]) -> None:
    place(tmp_path, 1).parent.mkdir()
    make(place(tmp_path, 1))
    assert TextStore(tmp_path).get(key(1)) is None


def test_a_folder_that_cannot_be_had_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "below", Path("/proc/nowhere")):
        store = TextStore(folder)
        store.put(key(1), {"text": "x"})
        assert store.get(key(1)) is None
        store.close()


def test_what_was_not_used_for_the_longest_time_goes_first(tmp_path: Path) -> None:
    now = [1_000_000_000.0]
    store = TextStore(tmp_path, max_bytes=10_000, clock=lambda: now[0])
    for number in range(8):
        store.put(key(number), {"text": "x" * 2000})
        os.utime(place(tmp_path, number), (now[0], now[0]))
        now[0] += 7200
    assert store.get(key(0)) is not None
    store.close()
    assert {number for number in range(8) if place(tmp_path, number).exists()} == {0, 5, 6, 7}
    assert sum(one.stat().st_size for one in tmp_path.glob("??/*")) <= 10_000


def test_what_is_old_goes_and_what_a_killed_run_left(tmp_path: Path) -> None:
    now = [1_000_000_000.0]
    store = TextStore(tmp_path, clock=lambda: now[0])
    for number in (1, 2):
        store.put(key(number), {"text": "x"})
        os.utime(place(tmp_path, number), (now[0], now[0]))
    left = place(tmp_path, 1).with_name(".portproof-0123")
    left.touch()
    os.utime(left, (now[0], now[0]))
    now[0] += textstore.MAX_AGE - 1
    assert store.get(key(2)) is not None
    now[0] += 2
    store.close()
    assert (place(tmp_path, 1).exists(), place(tmp_path, 2).exists(), left.exists()) == (False, True, False)


def test_what_is_too_large_is_not_kept(tmp_path: Path) -> None:
    store = TextStore(tmp_path, max_bytes=1000)
    store.put(key(1), {"text": "x" * 1000})
    assert store.get(key(1)) is None


def test_several_at_once_see_whole_entries_only(tmp_path: Path) -> None:
    texts = ["a" * 50_000, "b" * 70_000]
    seen: set[object] = set()

    def work(text: str) -> None:
        store = TextStore(tmp_path, max_bytes=200_000)
        for _ in range(50):
            store.put(key(1), {"text": text})
            entry = store.get(key(1))
            seen.add(None if entry is None else entry["text"])
            store.close()

    threads = [threading.Thread(target=work, args=(text,)) for text in texts]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert seen == set(texts)
    assert not list(tmp_path.glob("*/.portproof-*"))
