"""The oracle clicks as a reviewer would, and is refused where a reviewer is."""

from __future__ import annotations

from typing import Any

import pytest

from tests.github import GitRepo, SuggestionRefused
from tests.github.conftest import CHANGED, Shop
from tests.github.suggestions import suggested
from tests.github.test_reviews import at


def comment(shop: Shop, wanted: Any) -> int:
    shop.open().create_review(event="COMMENT", comments=[wanted])
    return list(shop.pull.comments)[-1]


def text(shop: Shop, path: str = "values.yaml") -> str:
    entry = shop.git.entry(shop.pull.head, path)
    assert entry is not None
    return shop.git.blob(entry.sha).decode()


def fence(*lines: str, ticks: str = "```") -> str:
    return "\n".join(["<!-- mark -->", "Say 5:", "", f"{ticks}suggestion", *lines, ticks, "", "more"])


@pytest.mark.parametrize(
    ("body", "lines"),
    [
        (fence("a", "b"), ("a", "b")),
        (fence("a", "```", "b", ticks="````"), ("a", "```", "b")),
        (fence("a", ticks="~~~"), ("a",)),
        (fence(), ()),
        (fence(""), ("",)),
        (fence("  indented\t", "`tick`"), ("  indented\t", "`tick`")),
        ("```suggestion\r\na\r\n```\r\n", ("a",)),
        ("<!--\n```suggestion\nhidden\n```\n-->", None),
        ("````\n```suggestion\nquoted\n```\n````", None),
        ("```suggestions\na\n```", None),
        ("```suggestion\na\n``", ("a", "``")),
        ("no fence", None),
    ],
)
def test_fences_are_read_as_commonmark_reads_them(body: str, lines: tuple[str, ...] | None) -> None:
    assert suggested(body) == lines


def test_a_click_replaces_exactly_the_range_and_moves_the_head(shop: Shop) -> None:
    number = comment(shop, at(6, start_line=5, start_side="RIGHT", body=fence("FIVE", "SIX", "MORE")))
    before = shop.pull.head
    sha = shop.fake.apply_suggestion(shop.pull, number)
    assert text(shop) == CHANGED.replace("line five\nline 6\n", "FIVE\nSIX\nMORE\n")
    assert (shop.git.info(sha).parents, shop.git.resolve("feature"), shop.pull.head) == ((before,), sha, sha)
    assert shop.open().head.sha == sha
    with pytest.raises(SuggestionRefused, match="outdated"):
        shop.fake.apply_suggestion(shop.pull, number)


def test_one_line_anchors_replace_one_line_and_duplicate_the_rest(shop: Shop) -> None:
    shop.fake.apply_suggestion(
        shop.pull, comment(shop, at(5, body=fence("line five", "line 6")))
    )  # mistralai/cookbook#378
    assert text(shop) == CHANGED.replace("line five\n", "line five\nline 6\n")


def test_an_empty_block_deletes(shop: Shop) -> None:
    shop.fake.apply_suggestion(shop.pull, comment(shop, at(5, body=fence())))
    assert text(shop) == CHANGED.replace("line five\n", "")


def test_lines_are_those_of_today(shop: Shop) -> None:
    number = comment(shop, at(4, body=fence("FOUR")))
    shop.push({"values.yaml": "top\n" + CHANGED})
    shop.fake.apply_suggestion(shop.pull, number)
    assert text(shop) == "top\n" + CHANGED.replace("line 4\n", "FOUR\n", 1)


def test_a_batch_is_one_commit_without_overlap(shop: Shop) -> None:
    numbers = [comment(shop, at(line, body=fence(f"L{line}"))) for line in (3, 5, 18)]
    with pytest.raises(SuggestionRefused, match="two suggestions on one line"):
        shop.fake.apply_suggestions(shop.pull, [*numbers, comment(shop, at(5, body=fence("other")))])
    before = shop.pull.head
    sha = shop.fake.apply_suggestions(shop.pull, numbers)
    assert shop.git.info(sha).parents == (before,)
    assert text(shop) == CHANGED.replace("line 3\n", "L3\n", 1).replace("line five", "L5").replace(
        "line 18\n", "L18\n"
    )


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        (at(5, body=fence("line five")), "changes nothing"),
        (at(5, body=fence("x"), side="LEFT"), "deleted lines"),
        (at(5, body="```yaml\nx\n```"), "holds no suggestion"),
    ],
)
def test_what_the_interface_refuses(shop: Shop, wanted: Any, reason: str) -> None:
    number = comment(shop, wanted)
    before = shop.pull.head
    with pytest.raises(SuggestionRefused, match=reason):
        shop.fake.apply_suggestion(shop.pull, number)
    assert shop.pull.head == before


def test_files_pending_reviews_and_closed_pull_requests_refuse(shop: Shop) -> None:
    pull = shop.open()
    commit = shop.connect(shop.writer).get_repo("octo/shop").get_commit(pull.head.sha)
    whole = pull.create_review_comment(fence("x"), commit, "values.yaml", subject_type="file")
    with pytest.raises(SuggestionRefused, match="file-level"):
        shop.fake.apply_suggestion(shop.pull, whole.id)
    number = comment(shop, at(5, body=fence("x")))
    pull.create_review(comments=[at(6, body=fence("y"))])
    with pytest.raises(SuggestionRefused, match="pending"):
        shop.fake.apply_suggestion(shop.pull, list(shop.pull.comments)[-1])
    shop.fake.close(shop.pull)
    with pytest.raises(SuggestionRefused, match="closed"):
        shop.fake.apply_suggestion(shop.pull, number)


def test_line_ends_of_the_whole_file_flip(shop: Shop) -> None:
    shop.push({"dos.yaml": "a: 1\r\nb: 2\r\nc: 3"})
    shop.fake.apply_suggestion(shop.pull, comment(shop, at(2, path="dos.yaml", body=fence("b: 3"))))
    assert text(shop, "dos.yaml") == "a: 1\nb: 3\nc: 3\n"  # w3c-fedid/digital-credentials#572


def test_a_checked_out_branch_follows(shop: Shop, tmp_path: Any) -> None:
    GitRepo(tmp_path).run("clone", "--quiet", "--branch", "feature", str(shop.git.path), "work")
    work = GitRepo(tmp_path / "work")
    repository = shop.fake.repository("octo/work", work)
    pull = shop.fake.open_pull(repository, head="feature", base="origin/main")
    token = shop.fake.token(pull_requests="write")
    shop.connect(token).get_repo("octo/work").get_pull(1).create_review(
        event="COMMENT", comments=[at(5, body=fence("FIVE"))]
    )
    shop.fake.apply_suggestion(pull, next(iter(pull.comments)))
    assert (tmp_path / "work" / "values.yaml").read_text() == CHANGED.replace("line five", "FIVE")
