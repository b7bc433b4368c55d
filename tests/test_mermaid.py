"""The picture of the ports: what it shows, and that no name can break out of it."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from portproof.graph.chains import Fate, Hop, Stop
from portproof.replacing import replace
from portproof.report import markdown
from portproof.report.mermaid import escaped, picture
from tests.support.reports import CALLER, CHAIN, FRONT, INCIDENT, PODS, RESULT, report, result


def test_the_incident_goes_from_the_caller_to_a_port_that_is_not_there() -> None:
    assert picture(RESULT) == (
        "flowchart LR\n"
        '  n0(["caller"])\n'
        '  n1["Service/backend-v1<br>port 80 #40;http#41;"]\n'
        '  n2["Deployment/backend-v1<br>container backend<br>8080 #40;http#41;"]\n'
        '  n0 -->|"80"| n1\n'
        '  n1 --x|"no port 8081"| n2\n'
        '  n1 -.->|"8080 would work"| n2\n'
        "  linkStyle 1 stroke:#d1242f,stroke-width:3px\n"
        "  linkStyle 2 stroke:#1a7f37,stroke-width:2px"
    )


def test_one_stop_is_one_box_whoever_leads_there() -> None:
    ingresses = [Stop(f"Ingress/{name}") for name in "ab"]
    ways = [hop for one in ingresses for hop in (Hop(CALLER, one, ""), Hop(one, FRONT, "80"))]
    drawn = picture(replace(RESULT, chain=(*ways, Hop(FRONT, PODS, "8081", Fate.FAILS))))
    assert drawn is not None
    assert re.findall(r"^  n\d[(\[].*?/?(\w+)[\"<]", drawn, re.MULTILINE) == ["caller", "a", "v1", "b", "v1"]
    assert "  n0 --> n1\n" in drawn
    assert '  n3 -->|"80"| n2\n' in drawn
    assert "linkStyle 4 " in drawn


def test_a_finding_about_no_way_has_no_picture() -> None:
    assert picture(result()) is None


@given(st.text(max_size=80))
def test_a_label_holds_nothing_that_mermaid_or_markdown_would_obey(name: str) -> None:
    assert re.fullmatch(r"(?:[A-Za-z0-9 ./_-]|#\d+;)*", escaped(name))
    strange = Stop(f"Service/{name}", (name,))
    drawn = picture(replace(RESULT, chain=(Hop(CALLER, strange, name), Hop(strange, PODS, name, Fate.FAILS))))
    assert drawn is not None
    assert len(drawn.split("\n")) == 7
    assert "`" not in drawn


def test_the_summary_draws_the_first_findings_only() -> None:
    text = markdown.write(INCIDENT)
    assert text.count("```mermaid\nflowchart LR\n") == 1
    many = [replace(RESULT, fingerprint=f"{number:016x}") for number in range(9)]
    assert markdown.write(report(*many)).count("```mermaid") == 3
    assert len(CHAIN) == 3
