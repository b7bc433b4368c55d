"""The texts of the head, for places and suggestions."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest

from portproof.action.head_files import Heads
from portproof.github.client import Client, blob_id
from portproof.github.model import ChangedFiles

HEAD = "1" * 40
TEXT = b"targetPort: 8081\n"


class Answers:
    """GitHub's contents API: of a link it gives what the link leads to."""

    def __init__(self, data: bytes | None) -> None:
        self.data = data
        self.asked: list[str] = []

    def content(self, path: str, _commit: str) -> bytes | None:
        self.asked.append(path)
        return self.data


def heads(answers: Answers, blob: bytes | None, root: Path | None = None, here: str | None = None) -> Heads:
    files = ChangedFiles({}, {} if blob is None else {"a.yaml": blob_id(blob)})
    return Heads(cast("Client", answers), HEAD, files, root, here)


def test_a_file_that_is_a_link_in_the_head_has_no_text() -> None:
    # A file may well be called like a line of YAML, and a link lead there: the line would read the same.
    assert heads(Answers(TEXT), b"targetPort: 8081").text("a.yaml") is None
    assert heads(Answers(TEXT), TEXT).text("a.yaml") == TEXT.decode()
    assert heads(Answers(TEXT), None).text("a.yaml") == TEXT.decode()
    assert heads(Answers(None), TEXT).text("a.yaml") is None


def test_a_link_of_the_checkout_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(TEXT)
    (tmp_path / "a.yaml").symlink_to("secret")
    answers = Answers(None)
    assert heads(answers, None, tmp_path, HEAD).text("a.yaml") is None
    assert answers.asked == ["a.yaml"]


@pytest.mark.parametrize("data", [b"\xff\xfe", b"a\0b"])
def test_a_binary_has_no_text_or_no_suggestion(data: bytes) -> None:
    text = heads(Answers(data), None).text("a.yaml")
    assert text is None or not text.isprintable()


def test_the_checkout_serves_where_it_is_the_same(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(TEXT)
    answers = Answers(b"other\n")
    assert heads(answers, TEXT, tmp_path, "2" * 40).text("a.yaml") == TEXT.decode()
    assert answers.asked == []


def test_so_many_files_are_asked_for_and_no_more() -> None:
    answers = Answers(TEXT)
    found = heads(answers, None)
    texts = [found.text(f"{number}.yaml") for number in range(130)]
    assert texts == [TEXT.decode()] * 100 + [None] * 30
    assert len(answers.asked) == 100
