"""Marked blocks: what is between the markers is the map's, and every other byte is the team's."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portproof.errors import UsageError
from portproof.portmap import blocks
from portproof.portmap.model import Ask, End, PortLine, PortMap, ServiceMap, TargetMap, Verdict

BEGIN, END = "<!-- portproof map: * -->", "<!-- portproof map: end -->"
WEB = ServiceMap(
    "shop",
    settled=True,
    name="web",
    type="ClusterIP",
    selector=(("app", "web"),),
    workloads=("Deployment/web",),
    ports=(
        PortLine(
            0,
            80,
            "http",
            "TCP",
            "8080",
            None,
            Ask("tcp"),
            (End("Deployment/web", "web", 8080, "http", Verdict.REACHED),),
        ),
    ),
)
MAP = PortMap((TargetMap("helm:charts/web", "helm:charts/web", "defaults", (WEB,)),))
TEAM = st.text(st.characters(codec="utf-8"), max_size=60).filter(
    lambda text: "portproof" not in text and "`" not in text and "~" not in text
)


@given(TEAM, TEAM, TEAM, st.sampled_from(("\n", "\r\n")))
def test_no_other_byte_changes(before: str, inside: str, after: str, end: str) -> None:
    text = f"{before}{end}{BEGIN}{end}{inside}{end}{END}{end}{after}"
    filled = blocks.filled(text, MAP, "a.md")
    assert filled.startswith(f"{before}{end}{BEGIN}")
    assert filled.endswith(f"{END}{end}{after}")
    assert blocks.filled(filled, MAP, "a.md") == filled


def test_the_line_ends_are_those_of_the_file() -> None:
    filled = blocks.filled(f"# Ports\r\n{BEGIN}\r\n{END}\r\n", MAP, "a.md")
    assert "`80 (http)`" in filled
    assert filled.count("\n") == filled.count("\r\n")


def test_markers_in_fenced_code_are_examples() -> None:
    text = f"```\n{BEGIN}\n{END}\n```\n"
    assert blocks.blocks(text, "a.md") == []
    assert blocks.filled(text, MAP, "a.md") == text


def test_what_callers_see_is_explained_once_in_a_file() -> None:
    filled = blocks.filled(f"{BEGIN}\n{END}\n{BEGIN}\n{END}\n", MAP, "a.md")
    assert filled.count("connection refused at once") == 1
    assert filled.count("### Service `web`") == 2


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (f"a\n{BEGIN}\n", "a.md:2: the marker has no end"),
        (f"a\n\n{END}\n", "a.md:3: the marker ends a block that never began"),
        (f"{BEGIN}\n{BEGIN}\n{END}\n", "a.md:1: the marker has no end before the next block begins"),
        (f"<!-- portproof map: -->\n{END}\n", "a.md:1: the marker names no targets"),
        (
            f"\n<!-- portproof map: helm:charts/wbe -->\n{END}\n",
            "a.md:2: no target matches 'helm:charts/wbe'",
        ),
    ],
)
def test_markers_that_are_wrong_are_named_with_their_line(text: str, problem: str) -> None:
    with pytest.raises(UsageError) as caught:
        blocks.filled(text, MAP, "a.md")
    assert str(caught.value) == problem
    assert caught.value.next_step
