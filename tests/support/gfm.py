"""Markdown as GitHub renders it: by cmark-gfm, with its tables, bare addresses and raw HTML.

What GitHub's pipeline does after that (mentions, references to issues and commits, emoji, formulas) works on text that is
not code. So text outside of code may hold nothing that it would look for.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser

import cmarkgfm
from cmarkgfm.cmark import Options

_OBEYED = re.compile(
    r"[@#<>&\[\]`$*_~\\|{}]|://|www\.|\bGH-\d|:[\w+-]+:|\b[0-9a-f]{7,}\b|\b[\w.-]+/[\w.-]+\b", re.IGNORECASE
)
"""What GitHub makes a mention, a reference, an emoji or a formula of, and signs of Markdown that were not read as such."""

_OURS = frozenset(
    {
        "h2", "h3", "p", "details", "summary", "b", "strong", "pre", "code", "ul", "li", "hr", "blockquote", "a",
        "sub",
        "table", "thead", "tbody", "tr", "th", "td",
    }
)  # fmt: skip
_ATTRIBUTES = frozenset(
    {("details", "open"), ("pre", "lang"), ("a", "href"), ("td", "align"), ("th", "align")}
)
_INLINE = frozenset({"code", "a"})


@dataclass
class Page(HTMLParser):
    """What a reader gets: elements in their order, links, comments, and the texts outside and inside of code.

    `shape` leaves out what depends on the words: how many of them are code, or link to a place.
    """

    shape: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)
    plain: list[str] = field(default_factory=list)
    blocks: list[tuple[str, str]] = field(default_factory=list)
    spans: list[str] = field(default_factory=list)
    strange: list[str] = field(default_factory=list)
    _open: list[str] = field(default_factory=list)
    _language: str = ""

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        if tag not in _OURS or any((tag, name) not in _ATTRIBUTES for name, _ in attrs):
            self.strange.append(f"<{tag} {attrs}>")
        given = dict(attrs)
        if tag == "a":
            self.links.append(given.get("href") or "")
        if tag == "pre":
            self._language = given.get("lang") or ""
            self.blocks.append((self._language, ""))
        if tag == "code" and "pre" not in self._open:
            self.spans.append("")
        if tag not in _INLINE:
            self.shape.append(f"{tag} {self._language}" if tag == "pre" else tag)
        if tag != "hr":
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open.pop() != tag:
            self.strange.append(f"</{tag}>")
        if tag not in _INLINE:
            self.shape.append(f"/{tag}")

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)

    def handle_decl(self, decl: str) -> None:
        self.strange.append(f"<!{decl}>")

    def unknown_decl(self, data: str) -> None:
        self.strange.append(f"<![{data}]>")

    def handle_pi(self, data: str) -> None:
        self.strange.append(f"<?{data}>")

    def handle_data(self, data: str) -> None:
        if "pre" in self._open:
            language, text = self.blocks[-1]
            self.blocks[-1] = language, text + data
        elif "code" in self._open:
            self.spans[-1] += data
        elif data.strip():
            self.plain.append(data)


def rendered(markdown: str) -> Page:
    """The page that GitHub would show for `markdown`."""
    page = Page()
    page.feed(cmarkgfm.github_flavored_markdown_to_html(markdown, options=Options.CMARK_OPT_UNSAFE))
    page.close()
    page.strange += page._open
    return page


def is_harmless(page: Page, *, links: str, plain: str = "") -> None:
    """Nothing on the page is a stranger's but code: links lead where they should, and no text is more than words.

    `links` matches the addresses that are ours, `plain` whole texts of ours that are not plain words.
    """
    assert page.strange == []
    assert [one for one in page.links if not re.fullmatch(links, one)] == []
    odd = [one for one in page.plain if _OBEYED.search(one) and not re.fullmatch(plain, one.strip())]
    assert odd == []


def unescaped(text: str) -> str:
    """Text of an HTML page as it reads."""
    return html.unescape(text)
