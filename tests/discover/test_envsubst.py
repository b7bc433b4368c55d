"""Flux's substitution, held against what its own library does; what cannot be known stays as it is written."""

from __future__ import annotations

from typing import Any

import pytest

from portproof.discover.gitops.envsubst import expand, substitute

VARIABLES = {"a": "8080", "e": "", "name": "shop-api", "on": "true", "quoted": "'123'"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("${a}", "8080"),
        ("$a", "$a"),
        ("$$a", "$a"),
        ("$${a}", "${a}"),
        ("$(a)", "$(a)"),
        ("${x:=1}", "1"),
        ("${x:-1}", "1"),
        ("${x=1}", "1"),
        ("${e:=1}", "1"),
        ("${e=1}", "1"),
        ("${a:=1}", "8080"),
        ("${x:=${a}}", "8080"),
        ("${x:=http://h:80/p}", "http://h:80/p"),
        ("${x:= 1}", " 1"),
        ("${x:=a}b}", "ab}"),
        ("${x:+1}", "1"),
        ("${x:?no}", "no"),
        ("${a:+1}", "8080"),
        ("${name:0:4}", "shop"),
        ("${name:5}", "api"),
        ("${name/api/web}", "shop-web"),
        ("${name//p/P}", "shoP-aPi"),
        ("${name^^}", "SHOP-API"),
        ("${name,,}", "shop-api"),
        ("${#name}", "8"),
        ("http://${name}:${a}/x", "http://shop-api:8080/x"),
        ("a ${", "a ${"),
        ("${x}", "${x}"),
        ("${x:=${y}}", "${x:=${y}}"),
        ("${name%-*}", "${name%-*}"),
    ],
)
def test_what_flux_makes_of_a_text(text: str, expected: str) -> None:
    assert expand(text, VARIABLES, closed=True) == expected


def test_no_default_counts_where_a_variable_may_come_from_elsewhere() -> None:
    assert expand("${x:=1} ${a:=1}", VARIABLES, closed=False) == "${x:=1} 8080"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("${a}", 8080),
        ("${on}", True),
        ("${quoted}", "123"),
        ("${x:=80}", 80),
        ("x-${a}", "x-8080"),
        ("tcp: ${a}", "tcp: 8080"),
        ("${a}\n", "8080\n"),
    ],
)
def test_a_text_without_quotes_is_read_again(text: str, expected: Any) -> None:
    data = {"${name}": [text]}
    assert substitute(data, VARIABLES, closed=True) == {"shop-api": [expected]}
