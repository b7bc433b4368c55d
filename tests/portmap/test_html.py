"""``portproof map --format html``: one page that asks for nothing, whatever strangers call their Services."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest

from portproof.portmap import html
from portproof.portmap.model import PortMap
from tests.e2e.program import Program, environment
from tests.support import maps


class _Read(HTMLParser):
    """The elements of a page, as a browser without a script would see them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def all(self, name: str) -> list[str]:
        return [attributes[name] for _, attributes in self.elements if name in attributes]


@pytest.fixture(scope="module")
def incident(committed: Callable[[str], Path]) -> tuple[str, str]:
    """The page of the incident, and its Markdown."""
    with contextlib.chdir(committed("incident/broken")):
        runs = [Program(environment())("map", "--format", one) for one in ("html", "markdown", "html")]
    assert [(one.code, one.stderr) for one in runs] == [(0, "")] * 3
    assert runs[0].stdout == runs[2].stdout, "the same input gives other bytes"
    return runs[0].stdout, runs[1].stdout


def test_all_that_it_needs_is_in_it(incident: tuple[str, str]) -> None:
    text, _ = incident
    page = _Read(text)
    assert not page.all("src")
    assert {one for one in page.all("href") if not one.startswith("#")} == set()
    assert "url(" not in text
    assert "@import" not in text


def test_the_policy_lets_only_its_own_style_and_script_run() -> None:
    text = html.write(maps.large(1))
    (policy,) = [one for one in _Read(text).all("content") if "default-src" in one]
    for tag, most in (("style", 1), ("script", 2)):
        found = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        digests = [base64.b64encode(hashlib.sha256(one.encode()).digest()).decode() for one in found]
        assert len(found) == most
        assert f"{tag}-src 'sha256-" + "' 'sha256-".join(digests) + "';" in policy
    assert policy.startswith("default-src 'none'; ")
    assert not _Read(text).all("style")
    assert not [
        name for _, attributes in _Read(text).elements for name in attributes if name.startswith("on")
    ]


@pytest.mark.parametrize("name", maps.HOSTILE)
def test_a_name_is_text_wherever_it_is_shown(name: str) -> None:
    usual = "harm/less" if "/" in name else "harmless"
    plain, hostile = (_Read(html.write(maps.named(one))) for one in (usual, name))
    assert [tag for tag, _ in hostile.elements] == [tag for tag, _ in plain.elements]
    assert [sorted(about) for _, about in hostile.elements] == [sorted(about) for _, about in plain.elements]
    assert all(re.fullmatch(r"#[A-Za-z0-9._-]+", one) for one in hostile.all("href"))
    assert len(set(hostile.all("id"))) == len(hostile.all("id"))


def test_what_is_not_seen_is_shown() -> None:
    text = html.write(maps.named("a\u202eb\u200bc\x1b[2J"))
    assert all(one.isprintable() or one in "\n\N{NO-BREAK SPACE}" for one in text)
    assert "a\\u202eb\\u200bc\\x1b[2J" in text


def test_the_anchors_are_those_of_the_markdown(incident: tuple[str, str]) -> None:
    text, markdown = incident
    committed = re.findall(r'<a id="(.*?)">', markdown)
    page = _Read(text)
    assert committed
    assert set(committed) <= set(page.all("id"))
    assert {one[1:] for one in page.all("href")} <= set(page.all("id"))


def test_services_of_one_name_have_anchors_of_their_own(incident: tuple[str, str]) -> None:
    ids = _Read(incident[0]).all("id")
    assert len(ids) == len(set(ids))
    assert [one for one in ids if "backend-v1" in one] == [
        "backend-v1",
        "shop-backend-v1",
        "manifests-manifests-backend-v1",
    ]


def test_it_reads_without_its_script(incident: tuple[str, str]) -> None:
    text = " ".join(" ".join(_Read(incident[0]).texts).split())
    assert "3 Services in 3 targets 3 edges broken." in text
    assert "port 80 (http) is not reached: no port 8081 in Deployment/backend-v1, which declares 8080" in text
    assert "chart/values.yaml:10 service.targetPort" in text
    assert "No caller found" in text
    assert "expect http 80 -> 8081" in text


def test_a_request_is_followed_from_where_it_comes_in() -> None:
    page = _Read(html.write(maps.shop()))
    text = " ".join(" ".join(page.texts).split())
    assert "through Service web" in text
    assert "asks for port 80" in text
    assert "no port 9999 the Service has 80 (http)" in text
    assert "by node port 30080" in text
    assert "#shop-web" in page.all("href")


def test_an_empty_map_is_a_page() -> None:
    assert "0 Services in 0 targets" in " ".join(html.write(PortMap(())).split())
