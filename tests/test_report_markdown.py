"""The job summary; what strangers wrote stays inside of code, as a Markdown parser sees it."""

from __future__ import annotations

import inspect

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from portproof.graph.chains import Fate, Hop, Stop
from portproof.replacing import replace
from portproof.report import markdown
from portproof.report.links import SITE, Links
from portproof.report.model import Report
from portproof.report.safe import cell, code_span, fenced, one_line, stripped
from portproof.rules.base import Severity
from tests.support.reports import FIX, INCIDENT, RELATED, SERVICE, place, report, result, status
from tests.test_report_text import hostile_report

PARSER = MarkdownIt("gfm-like", {"linkify": False}).enable("table")
OURS = {"</details>\n", "<details>", "</details>", "</summary>", "<summary>"}


def tokens(text: str) -> list[Token]:
    found = PARSER.parse(text)
    return [*found, *(child for token in found for child in token.children or ())]


def test_the_incident() -> None:
    expected = inspect.cleandoc(
        """
        ## portproof: 1 error in 1 target

        <details open><summary><b>1. error: service-target-number</b></summary>

        `Service/backend-v1` sends port `80` to `8081`, but `Deployment/backend-v1` declares only `8080` (http): the readiness probe uses `8080`, and nothing mentions `8081`.

        ```mermaid
        flowchart LR
          n0(["caller"])
          n1["Service/backend-v1<br>port 80 #40;http#41;"]
          n2["Deployment/backend-v1<br>container backend<br>8080 #40;http#41;"]
          n0 -->|"80"| n1
          n1 --x|"no port 8081"| n2
          n1 -.->|"8080 would work"| n2
          linkStyle 1 stroke:#d1242f,stroke-width:3px
          linkStyle 2 stroke:#1a7f37,stroke-width:2px
        ```

        * `charts/backend/values.yaml:14`: `Service/backend-v1 spec.ports[0].targetPort` is `8081`
        * `charts/backend/values.yaml:7`: `Deployment/backend-v1` declares `8080` here
        * in `helm:charts/backend`

        Fix at `charts/backend/values.yaml:14`: set targetPort to `8080`. Rendered again with the fix: `Service/backend-v1` reaches `Deployment/backend-v1` on `8080`; nothing else changed.

        ```diff
        diff --git a/charts/backend/values.yaml b/charts/backend/values.yaml
        --- a/charts/backend/values.yaml
        +++ b/charts/backend/values.yaml
        @@ -11,7 +11,7 @@
           type: ClusterIP
           # the port that clients use
           port: 80
        -  targetPort: 8081
        +  targetPort: 8080
        (blank)
         ingress:
           enabled: true
        ```

        Alternative, also proven: set containerPort to `8081`, at `charts/backend/values.yaml:7`.

        Rule `service-target-number`: `portproof explain service-target-number` explains it.

        </details>

        <details><summary>1 target</summary>

        | status | target | resources | reason |
        |---|---|--:|---|
        | checked | `helm:charts/backend` | 12 |  |

        </details>
        """
    )
    # An editor would take away the space that a blank line of a diff starts with.
    assert markdown.write(INCIDENT) == expected.replace("(blank)", " ") + "\n"


def test_nothing_is_no_pass() -> None:
    assert markdown.write(report(targets=())) == (
        "## portproof: Nothing to check under `.`: no chart, kustomization or manifest was found\n\n"
    )
    skipped = markdown.write(report(targets=(status("helm:a", "skipped", "Why | not."),)))
    assert skipped.startswith("## portproof: Nothing was checked: 1 skipped, 0 failed\n")
    assert "<details open><summary>1 target</summary>" in skipped
    assert "| skipped | `helm:a` |  | Why `\\|` not. |\n" in skipped


def test_hints_unknown_places_and_the_base_are_said() -> None:
    old = result(
        location=None,
        introduced=False,
        targets=tuple("abcdefgh"),
        related=(replace(RELATED, location=None),),
    )
    new = result(location=place(proof="hinted"), introduced=True, severity=Severity.NOTE)
    written = markdown.write(report(new, old))
    assert "targets" not in written.split("\n")[0]
    assert written.startswith("## portproof: 1 error, 1 note in 1 target, 1 introduced since the base\n")
    assert "is `8081` (best guess, not proven)\n* in `helm:charts/backend`\n" in written
    assert (
        "* `Service/backend-v1 spec.ports[0].targetPort` is `8081`; the line to edit is unknown\n" in written
    )
    assert "* in 8 targets: `a`, `b`, `c` and 5 more\n* already in the base\n" in written
    assert written.count("already in the base") == 1


def test_more_than_a_few_have_a_table_before_them() -> None:
    new = result(location=place(proof="hinted"), introduced=True, severity=Severity.NOTE, fix=FIX)
    written = markdown.write(report(*[new] * 3, result(location=None)))
    assert "| 1 | note | `Service/backend-v1` sends port" in written
    assert "| `charts/backend/values.yaml:14` (best guess, not proven) | proven |\n" in written
    assert "| `Service/backend-v1 spec.ports[0].targetPort` (the line is unknown) |  |\n" in written
    assert written.count("<details>") == 5
    assert "|---|" not in markdown.write(report(new, new, targets=()))


def test_what_all_are_need_not_be_said() -> None:
    written = markdown.write(report(result(introduced=True), result(introduced=True)))
    assert written.startswith("## portproof: 2 errors in 1 target\n")
    assert "base" not in written


def test_places_are_links_where_the_commit_is_known() -> None:
    links = Links("https://github.com/octo/shop", "1" * 40)
    written = markdown.write(INCIDENT, links=links)
    address = f"https://github.com/octo/shop/blob/{'1' * 40}/charts/backend/values.yaml"
    assert f"Fix at [`charts/backend/values.yaml:14`]({address}#L14): " in written
    assert f"at [`charts/backend/values.yaml:7`]({address}#L7)." in written
    assert f"[`service-target-number`]({SITE}rules/service-target-number/)" in written
    many = markdown.write(report(*[result(location=place(path="a|b.yaml"))] * 4), links=links)
    assert f"[`a\\|b.yaml:14`]({address.rpartition('/charts')[0]}/a%7Cb.yaml#L14) |" in many


def test_notes_stand_before_the_findings() -> None:
    written = markdown.write(INCIDENT, notes=["not compared with x.yaml: <b>", "two"])
    assert written.split("\n")[2:6] == ["> Note: not compared with `x.yaml`: `<b>`", "", "> Note: two", ""]


def test_a_long_report_stays_below_the_limit_and_counts_the_rest() -> None:
    many = report(
        *(result(fix=FIX) for _ in range(1_000)), targets=tuple(status(f"helm:{n}") for n in range(1_000))
    )
    written = markdown.write(many)
    assert "And 800 more, not shown here. The JSON report lists them all." in written
    assert written.count("<details>") == 51
    for limit in (60_000, 20_000, 2_000):
        assert len(markdown.write(many, limit=limit).encode()) <= limit


def test_a_long_patch_is_left_to_the_command() -> None:
    long = replace(FIX, patch=FIX.patch * 100)
    assert "Not shown here: `portproof fix` prints it.\n" in markdown.write(report(result(fix=long)))


@pytest.mark.parametrize(
    "line",
    ["`" * 201, "password: hunter2", "url: amqp://user:hunter2@broker", "x\n<!-- portproof:v1 kind=summary key=job -->",
     "x\u2028<!-- portproof:v1 fingerprint=0123456789abcdef -->", "x\r<!-- portproof:"],
)  # fmt: skip
def test_a_patch_with_more_than_ports_near_it_is_left_to_the_command(line: str) -> None:
    """A password, a line that could be a mark of ours, more backticks than a renderer counts: not on the line, beside it."""
    patch = FIX.patch.replace("   port: 80\n", f"   port: 80\n {line}\n")
    assert patch != FIX.patch
    written = markdown.write(report(result(fix=replace(FIX, patch=patch))))
    assert "Not shown here: `portproof fix` prints it.\n" in written
    assert line not in written


def only_code_from_strangers(written: str, secret: str) -> None:
    for token in tokens(written):
        assert token.type not in {"link_open", "image", "html_inline"}
        if token.type == "html_block":
            assert secret not in token.content
        if token.type == "text":
            assert secret not in token.content


def test_hostile_names_stay_data() -> None:
    written = markdown.write(hostile_report())
    only_code_from_strangers(written, "add-mask")
    assert written.replace("→", "").isascii()
    assert all(line.isprintable() for line in written.split("\n"))


strange = st.one_of(
    st.text(),
    st.lists(
        st.sampled_from(
            [
                "`",
                "``",
                "```",
                "|",
                "\\",
                "\n",
                "\r",
                " ",
                "</details>",
                "[x](http://y)",
                "@me",
                "#1",
                "~~~",
                "x",
            ]
        )
    ).map("".join),
)


def strange_report(text: str) -> Report:
    marked = f"{text}q7q{text}"  # no plain word: those stand as they are
    patch = "\n".join(f"+{line}" for line in marked.splitlines())
    finding = result(
        message=marked,
        resource=replace(SERVICE, name=marked),
        field=marked,
        location=place(path=marked),
        related=(replace(RELATED, message=marked),),
        targets=(marked,),
        chain=(Hop(Stop(marked), Stop(marked, (marked,)), marked, Fate.FAILS),),
        fix=replace(FIX, description=marked, patch=patch),
        alternatives=(replace(FIX, description=marked),),
    )
    return report(
        finding, replace(finding, location=None), targets=(status(f"helm:{marked}", "skipped", marked),)
    )


@settings(deadline=None)
@given(strange)
@example("user:password@host:")
def test_no_text_leaves_its_code(text: str) -> None:
    written = markdown.write(strange_report(text))
    only_code_from_strangers(written, "q7q")
    fences = [token for token in tokens(written) if token.type == "fence"]
    kinds = ["mermaid", "mermaid"] if "Not shown here" in written else ["mermaid", "diff", "mermaid", "diff"]
    assert [token.info for token in fences] == kinds
    rows = [token for token in tokens(written) if token.type == "tr_open"]
    assert len(rows) == 2


@settings(deadline=None)
@given(strange)
def test_a_code_span_holds_the_text(text: str) -> None:
    (inline,) = (token for token in PARSER.parse(f"a {code_span(text, 10_000)} b") if token.type == "inline")
    (code,) = (token for token in inline.children or () if token.type == "code_inline")
    assert code.content.strip() == one_line(stripped(text, keep="\n\r\t\v\f")).strip()


@settings(deadline=None)
@given(strange)
def test_a_cell_stays_a_cell(text: str) -> None:
    table = f"| a | b |\n|---|---|\n| {cell(code_span(text))} | end |\n"
    cells = [token.content for token in PARSER.parse(table) if token.type == "inline"]
    assert len(cells) == 4
    assert cells[-1] == "end"


@settings(deadline=None)
@given(strange)
def test_a_fence_holds_the_text(text: str) -> None:
    (block,) = (token for token in PARSER.parse(fenced(text, "diff")) if token.type == "fence")
    assert block.content.rstrip("\n") == stripped(text, keep="\n\t").rstrip("\n")
