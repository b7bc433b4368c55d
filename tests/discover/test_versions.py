"""Versions in ranges, as helm compares them."""

from __future__ import annotations

import pytest

from portproof.discover.versions import fitting, satisfies


@pytest.mark.parametrize(
    ("version", "wanted"),
    [
        ("1.2.3", "1.2.3"),
        ("v1.2.3", "=1.2.3"),
        ("1.2.3", "1.2"),
        ("1.2.3", "1.x"),
        ("1.2.3", "*"),
        ("1.2.3", ""),
        ("1.2.3", "^1.0"),
        ("0.2.3", "^0.2.1"),
        ("1.2.3", "~1.2"),
        ("1.9.0", "~1"),
        ("1.2.3", ">=1.0.0 <2.0.0"),
        ("1.2.3", ">= 1.0.0, < 2.0.0"),
        ("1.2.3", "1.0.0 - 2.0.0"),
        ("5.0.0", "^1.0 || ^5.0"),
        ("1.29.3-gke.1", ">=1.29.0-0"),
        ("1.2.3", "!=1.2.4"),
    ],
)
def test_a_version_in_a_range(version: str, wanted: str) -> None:
    assert satisfies(version, wanted)
    assert satisfies(fitting(wanted), wanted)


@pytest.mark.parametrize(
    ("version", "wanted"),
    [
        ("1.2.3", "1.2.4"),
        ("2.0.0", "1.x"),
        ("2.0.0", "^1.0"),
        ("0.3.0", "^0.2.1"),
        ("1.3.0", "~1.2.0"),
        ("2.0.0", ">=1.0.0 <2.0.0"),
        ("1.2.3", "!=1.2.3"),
        ("1.2.3", "> 1.2"),
        ("1.2.3", "latest"),
        ("latest", "*"),
        ("1.2.3", ">=1.0.0 <"),
    ],
)
def test_a_version_outside_of_a_range(version: str, wanted: str) -> None:
    assert not satisfies(version, wanted)


@pytest.mark.parametrize("wanted", [">1.2.3", "<2.0.0", "<=1.18", ">=1.25.0-0", "^17.0.0", "latest"])
def test_a_fitting_version_fits_where_any_does(wanted: str) -> None:
    assert satisfies(fitting(wanted), wanted) == (wanted != "latest")
