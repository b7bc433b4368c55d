"""The page of ``portproof map --format html`` in a real browser: searched, followed by keys and mouse, printed, attacked.

``.ci/page`` brings a Chromium and axe-core, and runs these tests; without ``PORTPROOF_CHROMIUM`` they are left.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from portproof.portmap import html
from portproof.portmap.model import PortMap
from portproof.report.safe import visible
from tests.page.axe import hindrances
from tests.page.chromium import Browser, Page, running
from tests.support import maps

CHROMIUM = os.environ.get("PORTPROOF_CHROMIUM", "")
pytestmark = pytest.mark.skipif(
    not CHROMIUM, reason="no PORTPROOF_CHROMIUM; .ci/page brings one and runs these"
)
Open = Callable[..., Page]

SHOWN = "[...document.querySelectorAll('.index li:not([hidden]) > a[data-found] b')].map((one) => one.textContent)"
FOCUS = "[...document.activeElement.querySelectorAll('b, small')].map((one) => one.textContent).join(', ')"
SAID = "document.querySelector('article.shown .said').textContent"
HERE = "location.hash"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with running(CHROMIUM, tmp_path_factory.mktemp("profile")) as found:
        yield found


@pytest.fixture
def show(browser: Browser, tmp_path: Path) -> Iterator[Open]:
    """Open the page of a map; it must not have asked for anything, nor complained, when the test ends."""
    opened: list[Page] = []

    def show_(port_map: PortMap, fragment: str = "", **about: Any) -> Page:
        file = tmp_path / f"{len(opened)}.html"
        file.write_text(html.write(port_map), encoding="utf-8")
        opened.append(browser.open(file.as_uri() + fragment, **about))
        return opened[-1]

    yield show_
    for number, page in enumerate(opened):
        asked = {one.partition("#")[0] for one in page.requests()}
        assert asked == {(tmp_path / f"{number}.html").as_uri()}
        assert page.complaints() == []
        page.close()


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ("db", ["db"]),
        ("DB", ["db"]),
        ("api", ["api", "db"]),
        ("80", ["api", "web"]),
        ("3000", ["api"]),
        ("543", ["db"]),
        ("5432 test", ["db"]),
        ("front", ["web"]),
        ("lost", ["web"]),
        ("30080", ["api"]),
        ("container db", ["db"]),
        ("moon", []),
    ],
)
def test_the_search_finds_by_name_port_workload_environment_and_caller(
    show: Open, words: str, names: list[str]
) -> None:
    page = show(maps.shop())
    page.press("/", *words)
    assert page.value(SHOWN) == names
    assert page.value("document.querySelector('.none').hidden") is bool(names)
    expected = "3 Services" if len(names) == 3 else f"{len(names)} of 3 Services"
    assert page.value("document.getElementById('pageCount').textContent") == expected


def test_the_search_says_what_it_found_and_can_be_cleared(show: Open) -> None:
    page = show(maps.shop())
    page.press("/", *"9999")
    assert page.value("document.querySelector('.index li:not([hidden]) small').textContent") == (
        "caller Deployment/lost of port 9999"
    )
    page.press(*"9")
    page.click("document.querySelector('.clear')")
    assert page.value(SHOWN) == ["api", "db", "web"]
    assert page.value("document.activeElement.id") == "pageSearch"


def test_what_is_called_so_comes_before_what_has_to_do_with_it(show: Open) -> None:
    page = show(maps.large(60))
    page.press("/", *"service-033")
    assert page.value(SHOWN) == ["service-033", "service-034"]
    page.press("Enter")
    assert page.value(HERE) == "#shop-service-033"
    page = show(maps.shop())
    page.press("/", *"web")
    assert page.value(SHOWN) == ["web", "api"]
    page.press("Enter")
    assert page.value(HERE) == "#shop-web"


def test_only_what_is_broken_is_shown_on_demand(show: Open) -> None:
    page = show(maps.shop())
    page.click("document.getElementById('pageBroken')")
    assert page.value(SHOWN) == ["db", "web"]
    page.click("document.getElementById('pageBroken')")
    assert page.value(SHOWN) == ["api", "db", "web"]


def test_one_environment_is_shown_on_demand(show: Open) -> None:
    page = show(maps.shop(), "#shop-db")
    rows = "[...document.querySelectorAll('article.shown .way tbody:not([hidden])')].length"
    assert page.value(rows) == 2
    page.value("document.getElementById('pageEnvironment').focus()")
    page.press("ArrowDown")
    assert page.value(rows) == 1
    assert "not reached" in page.value("document.querySelector('article.shown .way').innerText")


def test_a_request_is_followed_with_keys_alone(show: Open) -> None:
    page = show(maps.shop())
    page.press("/", *"db", "Enter")
    assert page.value(HERE) == "#shop-db"
    steps = []
    for _ in range(4):
        page.press("ArrowRight")
        steps.append(page.value(FOCUS))
    assert steps == [
        "Outside, through Service api",
        "Deployment/api, asks for port 5432",
        "5432 (sql), to 5433",
        "no port 5433, Deployment/db declares 5432",
    ]
    assert page.value(SAID) == (
        "Outside, through Service api → Deployment/api, asks for port 5432 → 5432 (sql), to 5433 → "
        "no port 5433, Deployment/db declares 5432: not reached"
    )

    page.press("ArrowLeft", "ArrowLeft", "Enter")
    assert (page.value(HERE), page.value(FOCUS)) == (
        "#shop-api",
        "3000 (http), Deployment/api, container api",
    )
    page.press("ArrowRight")
    assert page.value(FOCUS) == "db, port 5432 (sql)"
    page.press("ArrowLeft", "ArrowLeft", "ArrowLeft", "ArrowDown")
    assert page.value(FOCUS) == "Ingress/front, through Service web"
    page.press("ArrowRight", "Enter")
    assert (page.value(HERE), page.value(FOCUS)) == (
        "#shop-web",
        "8080 (http), Deployment/web, container web",
    )
    page.press("ArrowLeft", "ArrowLeft")
    assert page.value(FOCUS) == "Ingress/front, asks for port http"
    page.press("ArrowRight", "ArrowRight", "ArrowRight", "Enter")
    assert (page.value(HERE), page.value(FOCUS)) == ("#shop-api", "80 (http), to 3000")
    page.press("Escape")
    assert page.value("document.activeElement.hash") == "#shop-db", "the first that the search has found"
    page.press("ArrowUp")
    assert page.value("document.activeElement.id") == "pageSearch"


def test_a_request_is_followed_with_the_mouse(show: Open) -> None:
    page = show(maps.shop(), "#shop-api")
    lines = (
        "[...document.querySelectorAll('.drawn path:not(.mark)')].map((one) => one.classList.contains('on'))"
    )
    assert page.value(lines) == [False] * 4
    page.click("document.querySelector('article.shown .stop.port')")
    assert page.value(lines) == [True] * 4
    page.click("document.querySelector('article.shown a.stop.next')")
    assert page.value(HERE) == "#shop-db"
    assert page.value("document.querySelectorAll('svg').length") == 1, "lines of a Service that is not shown"
    page.value("history.back()")
    page.until("document.querySelector('article.shown').id == 'shop-api'")


def test_each_edge_of_the_service_has_a_line_to_where_it_leads(show: Open) -> None:
    page = show(maps.shop(), "#shop-web")
    lines = page.value(
        "[...document.querySelectorAll('.drawn path:not(.mark)')].map((path) => {"
        " const at = (number) => document.querySelector(`article.shown .stop[data-number='${number}'] b`).textContent;"
        " return [at(path.dataset.from), at(path.dataset.to), path.getAttribute('class')] })"
    )
    assert sorted(lines) == [
        ["80 (http)", "8080 (http)", ""],
        ["Deployment/lost", "no port 9999", "missed"],
        ["Ingress/front", "80 (http)", ""],
    ]


@pytest.mark.parametrize("wide", [1280, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_hinders_anybody(show: Open, scheme: str, wide: int) -> None:
    page = show(maps.shop(), wide=wide, color_scheme=scheme)
    assert hindrances(page) == []
    page = show(maps.shop(), "#shop-db", wide=wide, color_scheme=scheme)
    page.click("document.querySelector('article.shown .stop.port')")
    page.click("document.querySelector('article.shown summary')")
    assert hindrances(page) == []


def test_light_and_dark_are_what_the_reader_has_chosen(show: Open) -> None:
    paper = "getComputedStyle(document.body).backgroundColor"
    light, dark = (show(maps.shop(), color_scheme=one).value(paper) for one in ("light", "dark"))
    assert light != dark


def test_what_is_wrong_shows_without_color(show: Open) -> None:
    page = show(maps.shop(), "#shop-db")
    assert "not reached" in page.value("document.querySelector('.index a[aria-current]').innerText")
    assert "not reached" in page.value("document.querySelector('article.shown .stop.end').innerText")


SEEN = "[...document.querySelectorAll('{}')].map((one) => one.checkVisibility())"


def test_on_paper_everything_is_unfolded(show: Open) -> None:
    page = show(maps.shop(), "#shop-db")
    assert any(one is False for one in page.value(SEEN.format(".runbook pre")))
    page.media("print")
    assert set(page.value(SEEN.format("main > article"))) == {True}
    assert set(page.value(SEEN.format(".runbook pre"))) == {True}
    assert set(page.value(SEEN.format("nav, .bar"))) == {False}
    assert page.print().startswith(b"%PDF-")


def test_it_reads_without_its_script(browser: Browser, tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    file.write_text(html.write(maps.shop()), encoding="utf-8")
    page = browser.open("about:blank")
    page.scripts(run=False)
    page.go(file.as_uri())
    assert set(page.value(SEEN.format("main > article"))) == {True}
    assert set(page.value(SEEN.format(".tools"))) == {False}
    page.close()


@pytest.mark.parametrize("name", maps.HOSTILE)
def test_a_name_does_nothing(show: Open, name: str) -> None:
    page = show(maps.named(name))
    page.click("document.querySelector('.index a')")
    page.press("ArrowRight", "ArrowRight", "ArrowRight", "ArrowDown", "Enter", "/", *"80")
    assert page.value("window.hacked === undefined")
    assert page.value("document.querySelector('article.service h2').textContent").endswith(
        visible(name).strip()
    )


@pytest.mark.parametrize("wide", [320, 390, 1024])
def test_nothing_is_wider_than_the_window(show: Open, wide: int) -> None:
    for port_map, fragment in (
        (maps.shop(), "#shop-db"),
        (maps.named("x" * 80), ""),
        (maps.named("x" * 80), "#x"),
    ):
        page = show(port_map, fragment, wide=wide)
        page.value("document.querySelectorAll('.index a')[0].click()")
        assert page.value("document.documentElement.scrollWidth") <= wide


def test_a_page_of_300_services_is_there_in_a_second(show: Open) -> None:
    page = show(maps.large(300))
    assert len(page.value(SHOWN)) == 300
    page.busy()
    page.go(page.value("location.href"))
    assert 0 < page.busy() < 1
    page.press("/", *"8123")
    assert page.value(SHOWN) == ["service-123"]
    search = "document.getElementById('pageSearch')"
    before = page.busy()
    page.value(f"{search}.value = 'service'; {search}.dispatchEvent(new Event('input'))")
    assert len(page.value(SHOWN)) == 300
    assert page.busy() - before < 0.1


@pytest.mark.parametrize(
    "smuggled",
    [
        "<img src='http://127.0.0.1:9/x'>",
        "<script>window.hacked = 1</script>",
        "<img src=x: onerror='window.hacked = 1'>",
        "<link rel=stylesheet href='http://127.0.0.1:9/x'>",
        "<p style='color: red'>",
    ],
)
def test_the_policy_stops_what_would_get_in_all_the_same(
    browser: Browser, tmp_path: Path, smuggled: str
) -> None:
    text = html.write(maps.shop())
    assert '<p class="lead">' in text
    file = tmp_path / "page.html"
    file.write_text(text.replace('<p class="lead">', f'{smuggled}<p class="lead">', 1), encoding="utf-8")
    page = browser.open(file.as_uri())
    assert any("Content Security Policy" in one for one in page.complaints())
    assert page.value("window.hacked === undefined")
    page.close()
