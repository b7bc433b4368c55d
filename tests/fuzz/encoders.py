"""Every encoder: whatever a name, a message, a path or a line holds, the reader's program finds data in it.

The readers are ports of the runner's parsers (`tests.support.runner`), cmark-gfm (`tests.support.gfm`), and the published schemas.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import click
from jsonschema import Draft202012Validator

import portproof
from portproof.action import output
from portproof.diff import FileDiff, changes
from portproof.graph.chains import Fate, Hop, Stop
from portproof.patch import unified
from portproof.replacing import replace
from portproof.report import annotations as workflow
from portproof.report import json_, markdown, marks, mermaid, sarif, text
from portproof.report.causes import Cause
from portproof.report.excerpt import WIDTH, clip
from portproof.report.fixes import Fixes
from portproof.report.fixes import body as fixes_body
from portproof.report.links import SITE, Links
from portproof.report.model import Effect, Ignored, Related, Report, Result, TextEdit
from portproof.report.phrases import prose
from portproof.report.review import Diff, body, comment, compose, fixed, fixed_entry
from portproof.report.safe import (
    LONGEST_RUN,
    address_of,
    cell,
    code_span,
    discreet,
    fenced,
    log_entry,
    log_line,
    longest_run,
    one_line,
    stripped,
)
from portproof.report.suggestion import Lines, suggestion
from portproof.resources import ResourceKey
from portproof.rules.base import Severity
from portproof.suppressions.model import SuppressionSource
from tests.fuzz.target import Target, put
from tests.support import gfm, runner
from tests.support.reports import FIX, OTHER, SOURCE, VALUES, place, report, result, status

HEAD = "1234567890abcdef1234567890abcdef12345678"
WEB = "https://github.com/o/r"
LINKS = rf"{WEB}/blob/{HEAD}/[\w%./~+-]*(?:#L\d+)?|{SITE}(?:rules/[a-z-]+|fixes)/|{WEB}/actions/runs/1"
HARMLESS = "q7q q7q"
_SEEDS = (
    "web", "\n::error::x", "##[add-mask]x", "\x1b]8;;http://a\x07x", "\u202e\u2066abc", "`` ` ```", "a|b\\|c", "</details>",
    "<!-- portproof:v1 fingerprint=0123456789abcdef -->", "\n<!-- portproof:v1 kind=summary key=job -->\n", "@octocat",
    "octo/shop#1", "deadbeef", "[a](http://x)", "![a](http://x)", "http://a.b www.a.b a@b.c", "# h\n\n---\n* a", "$`x`$", ":tada:",
    "&commat;octocat", "password=hunter2", "\nEOF\nerrors<<EOF\n1\n", "'@x'", "'`'", "`@x`", "x` <b>@o</b>", "GH-1", "\ud800\udcff",
)  # fmt: skip
_WORDS = (
    "`", "``", "```", "~~~", "|", "\\", "\n", "\r", "\t", " ", "'", "(", ")", ".", ":", "</details>", "<b>", "<!--", "-->",
    "[x](http://y)", "![", "@me", "#1", "o/r#1", "www.x.y", "http://", "*", "_", "$", "&lt;", "&#64;", "::", "##[", "]", "error",
    "%0A", "%25", ",", "=", "<<", "EOF", "\x1b[31m", "\u202e", "\u200b", "deadbeef", "word", "portproof:v1", "# ", "> ", "- ", "1. ",
    "    ", "---", "8081", "suggestion",
)  # fmt: skip


def finding(text: str) -> Result:
    """A finding in which everything that a stranger names is `text`."""
    key = ResourceKey("v1", "Service", text, text)
    effect = Effect(key, text, text, {text: [text]})
    fix = replace(FIX, description=text, effects=(effect,), edits=(replace(FIX.edits[0], path=text),))
    return result(
        message=text,
        resource=key,
        field=text,
        value=text,
        targets=(f"helm:{text}", text),
        location=place(path=text),
        related=(Related(text, key, text, place(text)), Related(text, key, text, None)),
        chain=(Hop(Stop(text), Stop(text, (text,)), text, Fate.FAILS),),
        fix=replace(fix, patch=unified("a.yaml", f"a: 1\n{text}\n", f"a: 2\n{text}\n")),
        alternatives=(replace(OTHER, description=text),),
    )


def everything(text: str) -> Report:
    """A report with that finding in all shapes, and targets that were not checked."""
    one = finding(text)
    return report(
        one,
        replace(one, location=None, fix=None, severity=Severity.WARNING, targets=(text,)),
        replace(one, location=place(path=text, proof="hinted"), severity=Severity.NOTE, introduced=False),
        replace(one, resource=None, rule="render-failed"),
        paths=(text,),
        targets=(status(f"helm:{text}", "skipped", text), status(f"kustomize:{text}", "failed", text)),
        lines={text: {14: f"a {text} b".replace("\n", " ")}},
        ignored=(Ignored(one, SuppressionSource.COMMENT, text, brought=True),),
        left_out=1,
    )


TO_OURS = Links(WEB, HEAD)
"""Where links lead to."""


def terminal(given: str) -> None:
    """No control character, and no command, with colours and without."""
    plain = text.write(everything(given))
    assert click.unstyle(text.write(everything(given), color=True)) == plain
    _is_log(plain)


def commands(given: str) -> None:
    """The commands that are ours, and no other; the file comes back."""
    written = workflow.write(everything(given))
    *lines, last = runner.lines(written)
    found = [runner.parse(line) for line in lines]
    assert runner.parse(last) is None
    assert [one and one.name for one in found] == ["error", "error", "warning", "notice", "notice", "notice"]
    for one in found:
        assert one is not None
        assert set(one.properties) <= {"file", "line", "endLine", "col", "endColumn", "title"}
        assert re.fullmatch(r"portproof(: [a-z0-9 -]+)?", one.properties["title"])
    if given.isprintable() and "##[" not in given:
        assert found[0] is not None
        assert found[0].properties["file"] == given
    _is_log("".join(f"{line}\n" for line in runner.lines(written) if not runner.parse(line)))
    written.encode()


def log(given: str) -> None:
    """One line of the log."""
    assert "\n" not in log_entry(given)
    _is_log(log_entry(given))
    assert all(runner.parse(log_line(line)) is None for line in runner.lines(given))


def _is_log(shown: str) -> None:
    assert runner.obeyed(shown) == []
    for line in shown.split("\n"):
        assert "##[" not in line
        assert not line.lstrip().startswith("::")
        assert all(one.isprintable() or (one.isspace() and ord(one) > 0x9F) for one in line)
    shown.encode()


def span(given: str) -> None:
    """A code span, a cell and a fence hold the text."""
    shown = one_line(stripped(given, keep="\n\r\t\v\f"))
    page = gfm.rendered(f"a {code_span(given, 30_000)} b")
    assert (page.plain, [one.strip() for one in page.spans]) == (["a ", " b"], [shown.strip()])
    page = gfm.rendered(f"| a | b |\n|---|---|\n| {cell(code_span(given))} | end |\n")
    assert page.plain == ["a", "b", "end"]
    page = gfm.rendered(f"x\n\n{fenced(given, 'diff')}\n\nend")
    assert page.plain == ["x", "end"]
    if longest_run(stripped(given, keep="\n\t")) <= LONGEST_RUN:
        assert page.blocks[0][1].rstrip("\n") == stripped(given, keep="\n\t").rstrip("\n")


def words(given: str) -> None:
    """Prose is words and code."""
    page = gfm.rendered(prose(f"word {given}"))
    gfm.is_harmless(page, links="")
    assert page.shape == ["p", "/p"]
    assert all(re.fullmatch(r"[A-Za-z'\- (),.;:?]*", one) for one in page.plain)


def summary(given: str) -> None:
    """The job's summary is shaped as with harmless names."""
    for known in (None, TO_OURS):
        written = markdown.write(everything(given), links=known, notes=(given,))
        _has_shape(written, known is not None, 0)
        assert marks.read(written) == []
        assert marks.key_of_summary(written) is None
        written.encode()


def of_fixes(given: str) -> None:
    """The body of a pull request of fixes has our headings and links only."""
    found = everything(given)
    every = frozenset(one.fingerprint for one in found.results)
    ids = frozenset(fix.id for one in found.results if (fix := one.fix))
    for fixes in (Fixes(), Fixes("x", ids, every), Fixes("x", frozenset(), every)):
        page = gfm.rendered(fixes_body(found, fixes, links=TO_OURS))
        gfm.is_harmless(page, links=LINKS)
        assert page.comments == []


def _has_shape(written: str, links: bool, comments: int) -> None:
    page = gfm.rendered(written)
    gfm.is_harmless(page, links=LINKS if links else "", plain="#")
    assert len(page.comments) == comments
    assert page.shape in _shapes(links)
    assert all(
        re.fullmatch(r'[A-Za-z0-9 ./_#;"()\[\]<>|:,\n-]*', block)
        for kind, block in page.blocks
        if kind == "mermaid"
    )


@cache
def _shapes(links: bool) -> tuple[Sequence[str], ...]:
    """With the patch, without where it might hold a password, and where nothing of the name can be shown."""
    return tuple(
        gfm.rendered(markdown.write(everything(one), links=TO_OURS if links else None, notes=("a",))).shape
        for one in (HARMLESS, "password=hunter2", "")
    )


def review(given: str) -> None:
    """A comment and a body have our marks only, before and after the finding is fixed."""
    one = finding(given)
    spot: dict[str, FileDiff] = changes(unified(VALUES, SOURCE.replace("8081", "8080"), SOURCE))
    here = replace(one, location=place(), fix=replace(one.fix or FIX, edits=FIX.edits), alternatives=(OTHER,))
    found = comment(Cause((here,)), TO_OURS, Diff(spot, {VALUES: SOURCE}), "job")
    assert found is not None
    later = fixed(found.body, HEAD)
    composed = compose([one, replace(one, location=None, fix=None)], TO_OURS, Diff({}, {}), "job")
    whole = body(composed, TO_OURS, "job", "1 suppressed")
    for written, known in (
        (found.body, 1),
        (later, 1),
        (whole, 2),
        (fixed_entry(whole, marks.read(whole)[0], HEAD), 2),
    ):
        page = gfm.rendered(written)
        gfm.is_harmless(page, links=LINKS)
        assert len(marks.read(written)) == len(page.comments) == known
        assert not {"h1", "h2", "h3", "h4", "table", "img"} & set(page.shape)
        assert page.shape.count("details") == page.shape.count("/details")
        assert [kind for kind, _ in page.blocks if kind == "suggestion"] == ["suggestion"] * (
            written is found.body
        )


def click_to_apply(given: str) -> None:
    """A suggestion changes the number and no other byte, or there is none."""
    at = given.find("8081")
    start = given.rfind("\n", 0, max(at, 0)) + 1
    line, column = given.count("\n", 0, max(at, 0)) + 1, at - start + 1
    edit = TextEdit(VALUES, line, column, line, column + 4, "8081", "8090")
    for lines in (Lines(VALUES, line, line), Lines(VALUES, max(1, line - 1), line)):
        block = suggestion((edit,), lines, given)
        if block is None:
            continue
        rows = given.split("\n")
        wanted = rows[lines.first - 1 : lines.last]
        wanted[-1] = f"{wanted[-1][: column - 1]}8090{wanted[-1][column + 3 :]}"
        page = gfm.rendered(f"mark\n\n{block}\n\nend")
        assert page.blocks == [("suggestion", "".join(f"{row}\n" for row in wanted))]
        assert page.plain == ["mark", "end"]
        assert marks.read(block) == []
        assert "\r" not in given
        assert lines.last < len(rows)
        assert all(
            one.isprintable() or one == "\t" or unicodedata.category(one) == "Zs"
            for row in wanted
            for one in row
        )


def code_scanning(given: str) -> None:
    """SARIF that the standard's schema takes; addresses are relative, messages hold no link."""
    written = sarif.write(everything(given))
    _is_json(written)
    data = json.loads(written)
    assert _first_error(_validator("data/sarif-schema-2.1.0.json"), data) is None
    for key, value in _members(data):
        if key == "uri":
            assert re.fullmatch(r"[\w.~/%-]*", value, re.ASCII)
        if key == "text":
            assert "](" not in value
        if key in ("text", "justification"):
            assert all(stripped(line) == line for line in value.split("\n"))
    assert re.fullmatch(r"[\w.~/%-]*", address_of(given), re.ASCII)


def machine(given: str) -> None:
    """JSON that our schema takes, and that says what it was told."""
    given = re.sub(r"^/+|\.\.", "", given) or "a"  # no path is empty, absolute, or leads out
    written = json_.write(everything(given))
    _is_json(written)
    data = json.loads(written)
    assert _first_error(_validator(""), data) is None
    if not re.search(r"[\ud800-\udfff]", given):  # two halves become one character
        assert data["findings"][0]["message"] == given


def _is_json(written: str) -> None:
    written.encode()
    assert runner.obeyed(written) == []
    assert all(one.isprintable() or one == "\n" or (ord(one) > 0x9F and one.isspace()) for one in written)


@cache
def _validator(name: str) -> Any:
    file = (
        Path(__file__).parents[1] / name
        if name
        else Path(portproof.__file__).parent / "report" / "report.schema.json"
    )
    return Draft202012Validator(json.loads(file.read_text(encoding="utf-8")))


def _first_error(validator: Any, data: Any) -> Any:
    return next(validator.iter_errors(data), None)


def _members(data: Any) -> Sequence[tuple[str, str]]:
    if isinstance(data, list):
        return [one for item in data for one in _members(item)]
    if not isinstance(data, dict):
        return []
    own = [(key, value) for key, value in data.items() if isinstance(value, str)]
    return [*own, *(one for value in data.values() for one in _members(value))]


def outputs(given: str) -> None:
    """The step's outputs come back as they were set."""
    file = put("output", "before=1\n")
    values = {"sarif-file": given, "errors": "1", "patch-file": f"{given}\n"}
    output.outputs({"GITHUB_OUTPUT": str(file)}, values)
    found = runner.file_commands(file.read_bytes().decode())
    shown = [(name, value.encode("utf-8", "backslashreplace").decode()) for name, value in values.items()]
    assert found == [("before", "1"), *shown]


def picture(given: str) -> None:
    """A label holds nothing that Mermaid would obey."""
    assert re.fullmatch(r"(?:[A-Za-z0-9 ./_-]|#\d+;)*", mermaid.escaped(given))


def stars(given: str) -> None:
    """What is starred out keeps its length and its lines."""
    shown = discreet(given)
    assert len(shown) == len(given)
    assert [at for at, one in enumerate(shown) if one == "\n"] == [
        at for at, one in enumerate(given) if one == "\n"
    ]
    assert all(one in (other, "*") for one, other in zip(shown, given, strict=True))


def excerpt(given: str) -> None:
    """A line of source fits, and its place stays in sight."""
    line = given.replace("\n", " ")
    for start in {0, len(line) // 2, len(line)}:
        cut = clip(f"{line[:start]}8081{line[start:]}", start + 1, start + 5)
        assert cut.mark[1] >= 1
        assert cut.mark[0] <= WIDTH + 1
        _is_log(log_line(cut.text))


def _target(name: str, check: Any, *more: str) -> Target:
    return Target(name, check, _WORDS, (*_SEEDS, *more))


TARGETS = (
    _target("terminal", terminal),
    _target("commands", commands),
    _target("log", log),
    _target("span", span),
    _target("words", words),
    _target("summary", summary),
    _target("fixes", of_fixes),
    _target("review", review),
    _target(
        "suggestion",
        click_to_apply,
        SOURCE,
        "a: 8081 # ``` `x`\nb: 1\n",
        "x: |\n  a\n  p: 8081\n",
        "a: 8081\r\n",
        "a: 8081",
    ),
    _target("sarif", code_scanning),
    _target("json", machine),
    _target("outputs", outputs),
    _target("picture", picture),
    _target("stars", stars, "url: amqp://user:hunter2@broker:5673\n- name: DB_PASSWORD\n  value: hunter2\n"),
    _target("excerpt", excerpt),
)
