"""The site: its pages, its links, its address. `.ci/site` builds it with the generator and checks what it has built."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
import tarfile
import tomllib
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

import pytest

from portproof.report.links import FIXES, SITE, rule_page
from portproof.rules import all_rules
from portproof.rules.listing import listed
from tests.test_pages import OF_THE_RUN

ROOT = Path(__file__).parents[1]


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("website", ROOT / "docs" / "website.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["website"] = module
    spec.loader.exec_module(module)
    return module


website = load()


@pytest.fixture(scope="module")
def pages() -> Mapping[str, str]:
    found: Mapping[str, str] = website.site().pages
    return found


def page_of(address: str) -> str:
    """The source of the page at an address of the site."""
    assert address.startswith(SITE)
    assert address.endswith("/")
    return f"{address.removeprefix(SITE).rstrip('/')}.md"


# --- the address -----------------------------------------------------------------------------------------------


def test_the_address_is_the_one_that_the_metadata_names() -> None:
    urls = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["urls"]
    assert urls["Documentation"] == SITE
    assert f"{urls['Homepage']}latest/" == SITE
    assert urls["Source"] == website.SOURCE
    assert urls["Changelog"] == f"{SITE}changelog/"


def test_every_address_that_the_program_gives_is_a_page(pages: Mapping[str, str]) -> None:
    assert {page_of(rule_page(one.id)) for one in listed()} <= pages.keys()
    assert page_of(FIXES) in pages
    assert page_of(f"{SITE}changelog/") in pages


def test_the_address_is_written_once_in_the_program() -> None:
    sources = (ROOT / "src").rglob("*.py")
    assert [path.name for path in sources if "portproof.github.io" in path.read_text()] == ["links.py"]


# --- pages -----------------------------------------------------------------------------------------------------


def test_every_page_is_in_the_navigation_once(pages: Mapping[str, str]) -> None:
    shown = tomllib.loads(website.settings(pages, "latest"))["project"]["nav"]
    named = re.findall(r"[\w./-]+\.md", json.dumps(shown))
    assert sorted(named) == sorted(pages)


def test_a_rules_page_says_what_it_prints_whether_it_is_mended_and_since_when(
    pages: Mapping[str, str],
) -> None:
    for rule in all_rules():
        text = pages[f"rules/{rule.id}.md"]
        assert f"\n# {rule.id}\n" in text
        assert re.search(r"\*\*Fix:\*\* (yes|no|sometimes) · \*\*Since:\*\* \d+\.\d+\.\d+ ·", text)
        shown = re.search(
            rf"^## What it prints\n\n```text\n(?:error|warning|note)\[{rule.id}\]\n  \S", text, re.MULTILINE
        )
        assert (shown is None) == (rule.id in OF_THE_RUN)
        for heading in ("What it checks", "Why it matters", "Severity", "Fix", "Not reported when"):
            assert f"\n## {heading}\n" in text, (rule.id, heading)


def test_the_list_of_rules_has_all_of_them(pages: Mapping[str, str]) -> None:
    for one in listed():
        assert (
            f"| [`{one.id}`]({one.id}.md) | {one.summary} | {one.severity.value} |" in pages["rules/index.md"]
        )


LOG = """# Changelog

## 0.3.0 (not released yet)

* **New rules**: `web-port`.

## 0.2.0

* **Fix**: `host-port` is mended.
* **New rules**: `dns-port`, which is
  new, and `ftp-port`.
* **Other**: `host-port`.

## 0.1.0

The first version.
"""


@pytest.mark.parametrize(
    ("rule", "version"),
    [("web-port", "0.3.0"), ("dns-port", "0.2.0"), ("ftp-port", "0.2.0"), ("host-port", "0.1.0")],
)
def test_a_rule_is_as_old_as_the_changelog_says(
    rule: str, version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(website, "changelog", lambda: LOG)
    assert website.since(rule) == version


def test_new_rules_of_the_changelog_are_rules() -> None:
    told = re.findall(
        r"^\* \*\*New rules\*\*: (.*?)(?=^\* |^#|\Z)", website.changelog(), re.MULTILINE | re.DOTALL
    )
    assert {name for text in told for name in re.findall(r"`([a-z-]+)`", text)} <= website.ids()


# --- links -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "path", "own", "wanted"),
    [
        ("fixes.md", "docs/action.md", "action.md", "fixes.md"),
        ("docs/fixes.md#safe", "README.md", "index.md", "fixes.md#safe"),
        ("rules.md#host-port", "docs/fixes.md", "fixes.md", "rules/host-port.md"),
        ("rules.md#istio", "docs/fixes.md", "fixes.md", "rules/index.md#istio"),
        ("docs/rules.md", "README.md", "index.md", "rules/index.md"),
        ("../CHANGELOG.md", "docs/compatibility.md", "compatibility.md", "changelog.md"),
        ("docs/map.webp", "README.md", "index.md", "map.webp"),
        ("../../docs/map.webp", "examples/incident/README.md", "incident.md", "map.webp"),
        ("fixes.md", "docs/action.md", "deep/action.md", "../fixes.md"),
        ("CONTRIBUTING.md", "README.md", "index.md", f"{website.SOURCE}/blob/main/CONTRIBUTING.md"),
        ("fixtures/incident", "README.md", "index.md", f"{website.SOURCE}/tree/main/fixtures/incident"),
        (
            "architecture.md",
            "docs/action.md",
            "action.md",
            f"{website.SOURCE}/blob/main/docs/architecture.md",
        ),
        ("#here", "docs/action.md", "action.md", "#here"),
        ("https://example.com/x.md", "docs/action.md", "action.md", "https://example.com/x.md"),
    ],
)
def test_a_link_leads_to_the_same_place_from_the_site(target: str, path: str, own: str, wanted: str) -> None:
    assert website.link(target, path, own) == wanted


def test_a_link_that_leads_nowhere_ends_the_build() -> None:
    with pytest.raises(website.BrokenLinkError, match=r"docs/action\.md: gone\.md"):
        website.moved("See [that](gone.md).", "docs/action.md", "action.md")


def test_code_is_no_link() -> None:
    text = "`[a](b.md)` and\n\n````text\n[a](b.md)\n```\n[c](d.md)\n````\n\n> ```sh\n> x\n> ```\n\n[f](fixes.md)\n"
    assert website.moved(text, "docs/action.md", "rules/x.md") == text.replace("(fixes.md)", "(../fixes.md)")


# --- versions --------------------------------------------------------------------------------------------------

_GH = """#!/bin/sh
case "$1 $2" in
  "release list") printf '%s\\n' v0.9.0 v1.10.0 v1.2.0 v1.9.0 v1 nightly ;;
  "release download") mkdir -p "${9}" && cp "$SITES/$3.tar.gz" "${9}/site.tar.gz" ;;
  *) exit 1 ;;
esac
"""


def test_the_newest_three_releases_are_on_the_pages(tmp_path: Path) -> None:
    for version in ("0.9.0", "1.10.0", "1.2.0", "1.9.0"):
        made = tmp_path / "made" / version
        for folder in ("latest", version):
            (made / folder).mkdir(parents=True)
            (made / folder / "index.html").write_text(version)
        (made / "index.html").write_text(f"front door of {version}")
        (made / "versions.json").write_text("[]")
        with tarfile.open(tmp_path / f"v{version}.tar.gz", "w:gz") as archive:
            archive.add(made, ".")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "gh").write_text(_GH)
    (tmp_path / "bin" / "gh").chmod(0o755)
    path = os.pathsep.join((str(tmp_path / "bin"), os.environ["PATH"]))
    environ = {"PATH": path, "GITHUB_REPOSITORY": "octo/portproof", "SITES": str(tmp_path)}
    out = tmp_path / "out"
    subprocess.run(["bash", ROOT / ".ci" / "pages", out], env=environ, check=True, capture_output=True)
    assert sorted(one.name for one in out.iterdir()) == [
        "1.10.0",
        "1.2.0",
        "1.9.0",
        "index.html",
        "latest",
        "versions.json",
    ]
    assert (out / "latest" / "index.html").read_text() == "1.10.0"
    assert (out / "index.html").read_text() == "front door of 1.10.0"
    assert json.loads((out / "versions.json").read_text()) == [
        {"version": "1.10.0", "title": "1.10.0", "aliases": ["latest"]},
        {"version": "1.9.0", "title": "1.9.0", "aliases": []},
        {"version": "1.2.0", "title": "1.2.0", "aliases": []},
    ]
