"""What docs/compatibility.md and CHANGELOG.md say of versions is what the program has."""

from __future__ import annotations

import re
from pathlib import Path

import portproof
from portproof.errors import ExitCode
from portproof.report.json_ import SCHEMA

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "compatibility.md").read_text()


def test_the_page_names_the_report_and_the_exit_codes_that_there_are() -> None:
    name, _, number = SCHEMA.rpartition("/")
    assert re.findall(rf"`{name}/(\d+)`", PAGE) == [number, str(int(number) + 1)]
    *codes, last = [str(int(code)) for code in ExitCode]
    assert f"| {', '.join(codes)} or {last} gets another meaning |" in PAGE


def test_the_changelog_begins_with_this_version() -> None:
    first, *_ = re.findall(r"^## (\d+\.\d+\.\d+)\b", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert first == portproof.__version__
