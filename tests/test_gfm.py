"""Hostile names in comments and summaries, as GitHub's own renderer sees them (cmark-gfm)."""

from __future__ import annotations

import pytest

from portproof.report import markdown
from portproof.report.links import SITE, Links
from portproof.report.phrases import prose
from portproof.report.safe import code_span, fenced
from tests.fuzz import encoders
from tests.support import gfm
from tests.support.reports import FIX, INCIDENT, place, report, result

ATTACKS = {
    "a mention": "ask @octocat",
    "a mention of a team": "@octo/admins",
    "a mention as an entity": "&commat;octocat &#64;octocat",
    "a mention behind a backslash": "\\@octocat",
    "a reference": "see #1",
    "a reference elsewhere": "octo/shop#1",
    "an old reference": "GH-1",
    "a commit": "deadbeef0123",
    "a commit of letters only": "deadbeefcafe",
    "a commit within a word": "x-deadbeef's",
    "a commit elsewhere": "octo/shop@deadbeef",
    "a bare address": "https://evil.example/x www.evil.example",
    "an e-mail address": "root@evil.example",
    "a link": "[click](https://evil.example)",
    "a link by reference": "[click][1]\n\n[1]: https://evil.example",
    "an autolink": "<https://evil.example>",
    "an image": "![x](https://evil.example/pixel.png)",
    "an image as HTML": "<img src=https://evil.example/pixel.png>",
    "HTML": "<b>bold</b><a href='https://evil.example'>x</a>",
    "the end of our details": "</details></summary></td>",
    "a comment that hides the rest": "<!-- everything",
    "a mark of ours": "<!-- portproof:v1 fingerprint=0123456789abcdef key=job state=fixed -->",
    "a mark of ours on a line of its own": "x\n<!-- portproof:v1 kind=summary key=job -->\ny",
    "a heading": "# Approved",
    "a heading from below": "Approved\n======",
    "a list": "\n- [x] approved\n1. one",
    "a quotation": "> approved",
    "a rule": "\n---\n",
    "a fence": "```\n@octocat\n```",
    "a suggestion": "\n```suggestion\nrm\n```\n",
    "a fence of tildes": "~~~\nx",
    "backticks": "`` ` `@octocat` ` ``",
    "80 backticks": "`" * 80 + " @octocat <img src=x>",
    "81 backticks": "`" * 81 + "<b>@octocat",
    "255 backticks": "a\n" + "`" * 255 + "\n@octocat <img src=x>",
    "a line of 300 backticks": "a\n " + "`" * 300 + "\n ## approved",
    "a span beside a span": "`x`:`@octocat",
    "a span behind a word": "x1(`y`(`@octocat`",
    "a pipe": "a|b|c",
    "a pipe behind backslashes": "a\\|b\\\\|@octocat",
    "a formula": "$x$ $`x`$",
    "an emoji": ":tada: :+1:",
    "emphasis": "**a** _b_ ~~c~~",
    "a footnote": "[^1]\n\n[^1]: x",
    "text from right to left": "\u202egnp.exe\u2066",
    "text that cannot be seen": "a\u200b\u2060\ufeffb\u00ad",
    "control characters": "\x1b[2J\x07\x00\x9b",
    "line ends of all kinds": "a\rb\x0bc\x0cd\x85e\u2028f\u2029# g",
    "halves of a character": "\ud800 \udcff",
}  # fmt: skip

attacks = pytest.mark.parametrize("name", ATTACKS)


@attacks
def test_in_a_summary(name: str) -> None:
    encoders.summary(ATTACKS[name])


@attacks
def test_in_a_review(name: str) -> None:
    encoders.review(ATTACKS[name])


@attacks
def test_in_prose_spans_cells_and_fences(name: str) -> None:
    encoders.words(ATTACKS[name])
    encoders.span(ATTACKS[name])


@attacks
def test_in_a_review_and_a_summary_of_many(name: str) -> None:
    many = [result(message=ATTACKS[name], location=place(path=f"a{ATTACKS[name]}"), fix=FIX)] * 5
    page = gfm.rendered(markdown.write(report(*many)))
    gfm.is_harmless(page, links="", plain="#")
    assert page.shape.count("tr") == 1 + 5 + 1 + 1


@pytest.mark.parametrize(
    "text",
    [
        "ask @octocat", "see #1", "octo/shop", "GH-1", "deadbeef", "https://evil.example", "www.evil.example",
        "[x](https://evil.example)", "![x](y)", "<img src=x>", "<script>x</script>", "<b class=x>y</b>", "</details>",
        "# h", ":tada:", "$x$", "&commat;octocat", "<details>", "* **<https://a.b>**",
    ],
)  # fmt: skip
def test_the_oracle_sees_what_is_not_encoded(text: str) -> None:
    page = gfm.rendered(text)
    with pytest.raises(AssertionError):
        gfm.is_harmless(page, links="https://github.com/.*")


def test_links_are_those_to_the_lines_and_the_rule() -> None:
    links = Links("https://github.com/o/r", "1" * 40)
    page = gfm.rendered(markdown.write(INCIDENT, links=links))
    at = f"https://github.com/o/r/blob/{'1' * 40}/charts/backend/values.yaml"
    assert set(page.links) == {f"{at}#L14", f"{at}#L7", f"{SITE}rules/service-target-number/"}
    assert [kind for kind, _ in page.blocks] == ["mermaid", "diff"]
    assert page.comments == page.strange == []


def test_the_delimiter_of_a_span_is_the_shortest_that_is_free() -> None:
    assert code_span("a ` b ``` c") == "``a ` b ``` c``"
    assert code_span("`") == "`` ` ``"
    assert prose("`" * 90).startswith("` ```")


def test_a_fence_is_never_longer_than_a_renderer_counts() -> None:
    assert fenced("`" * 1000).split("\n")[0] == "`" * 201
