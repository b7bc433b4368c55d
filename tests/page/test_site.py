"""The site in a real browser: on a phone and a desk, light and dark. ``.ci/page`` builds it and runs these tests."""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.page.axe import hindrances
from tests.page.chromium import Browser, running

CHROMIUM = os.environ.get("PORTPROOF_CHROMIUM", "")
SITE = Path(os.environ.get("PORTPROOF_SITE", ""))
pytestmark = pytest.mark.skipif(
    not CHROMIUM, reason="no PORTPROOF_CHROMIUM; .ci/page brings one and runs these"
)
PAGES = (
    "",
    "install/",
    "why/",
    "checks/",
    "configuration/",
    "quick-start/",
    "rules/",
    "rules/service-target-number/",
)
OF_THE_THEME = ("landmark-unique",)
"""Advice, no criterion of the WCAG: the theme gives several parts of the navigation the same name."""
SCREENS = {"phone": (390, 844), "desk": (1280, 900)}


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class calls it so
        pass


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    assert (SITE / "latest" / "index.html").is_file()
    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(SITE))) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with running(CHROMIUM, tmp_path_factory.mktemp("profile")) as found:
        yield found


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("screen", SCREENS)
@pytest.mark.parametrize("path", PAGES)
def test_nothing_hinders_people_and_nothing_is_asked_of_others(
    browser: Browser, address: str, path: str, screen: str, scheme: str
) -> None:
    wide, high = SCREENS[screen]
    page = browser.open(f"{address}latest/{path}", wide=wide, high=high, color_scheme=scheme)
    if folder := os.environ.get("PORTPROOF_PICTURES"):
        page.picture(Path(folder, f"{path.strip('/').replace('/', '-') or 'home'}-{screen}-{scheme}.png"))
    assert hindrances(page, *OF_THE_THEME) == []
    assert page.value("document.documentElement.scrollWidth") <= wide, "the page moves sideways"
    shown = page.value(
        "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).slice(0, 3).map(Number)"
    )
    assert (max(shown) < 100) == (scheme == "dark"), shown
    assert [one for one in page.requests() if not one.startswith((address, "data:"))] == []
    assert page.complaints() == []
    page.close()


FIELD = """new Promise((done) => {
  const look = () => document.activeElement.shadowRoot?.activeElement?.tagName == "INPUT" ? done() : setTimeout(look, 50)
  look()
})"""
SEARCH = """new Promise((done) => {
  const all = (root) => [...root.querySelectorAll("*")].flatMap((one) => one.shadowRoot ? all(one.shadowRoot) : [one])
  const look = () => {
    const found = all(document).filter((one) => one.tagName == "A" && one.href.includes("?h="))
    found.length ? done(found[0].pathname) : setTimeout(look, 50)
  }
  look()
})"""


def test_the_search_finds_a_rule_by_its_name(browser: Browser, address: str) -> None:
    page = browser.open(f"{address}latest/")
    page.press("/")
    page.value(FIELD)
    page.press(*"host-port-clash")
    assert page.value(SEARCH) == "/latest/rules/host-port-clash/"
    page.close()


def test_the_front_door_leads_to_the_newest_version(browser: Browser, address: str) -> None:
    page = browser.open(address)
    page.until("location.pathname == '/latest/' && document.title.includes('portproof')")
    page.close()
