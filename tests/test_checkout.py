"""A checkout has the same bytes on every machine, whatever git is set to there."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CONVERTED_TO_LF = "attr/text=auto eol=lf"
NEVER_CONVERTED = "attr/-text"


def git(*arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=True)
    return done.stdout


@cache
def files() -> dict[str, tuple[str, str]]:
    """Every file of the index: what its line ends are there, and what .gitattributes says of them."""
    found = {}
    for line in git("ls-files", "--eol", "-z").rstrip("\0").split("\0"):
        about, _, path = line.partition("\t")
        index, _, attributes = about.split(maxsplit=2)
        found[path] = (index.removeprefix("i/"), attributes.strip())
    return found


def odd() -> list[str]:
    """Files with carriage returns, or with bytes that git takes for a binary file's."""
    return [path for path, (ends, _) in files().items() if ends not in ("lf", "none")]


def test_git_knows_what_to_do_with_every_file() -> None:
    unknown = {
        path: said for path, (_, said) in files().items() if said not in (CONVERTED_TO_LF, NEVER_CONVERTED)
    }
    assert unknown == {}


def test_what_has_other_line_ends_is_never_converted() -> None:
    assert "tests/fuzz/corpus/override/mixed-line-ends" in odd()
    assert [path for path in odd() if files()[path][1] != NEVER_CONVERTED] == []


@pytest.mark.parametrize("setting", ["core.autocrlf=true", "core.eol=crlf"])
def test_a_checkout_has_the_bytes_of_the_index(setting: str, tmp_path: Path) -> None:
    paths = [*odd(), "README.md", "fixtures/incident/broken/chart/values.yaml"]
    git("-c", setting, "checkout-index", f"--prefix={tmp_path}/", "--", *paths)
    for path in paths:
        written = git("hash-object", "--no-filters", str(tmp_path / path)).strip()
        assert written == git("rev-parse", f":{path}").strip(), path
