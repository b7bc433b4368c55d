"""How the rules' pages and messages read: their shape, what they say of themselves, and how long their sentences are."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from portproof import config
from portproof.report import pages
from portproof.report.pages import HEADINGS, Block, Bullets, Example, Heading, Prose
from portproof.rules.base import Finding, Rule, Trait
from portproof.rules.run import unused_ignore
from portproof.rules.vocabulary import vocabulary
from portproof.suppressions import comments
from portproof.suppressions.annotations import annotated_in
from tests.support.prose import cells, sentences, too_long, words
from tests.support.rules import RULES, findings, read

FIXTURES = Path(__file__).parent.parent / "fixtures" / "rules"
OF_THE_RUN = {
    "connectivity-failed",
    "render-failed",
    "target-unchecked",
    "unused-ignore",
}  # their findings come from the run, and have no fixtures here

NEVER_SUPPRESSED = {"connectivity-failed", unused_ignore.RULE.id}


def part(rule: Rule, heading: str) -> list[Block]:
    """The blocks below a heading of the page."""
    blocks = list(pages.blocks(rule.page))
    after = blocks[blocks.index(Heading(heading)) + 1 :]
    end = next((index for index, one in enumerate(after) if isinstance(one, Heading)), len(after))
    return after[:end]


def claimed(rule: Rule) -> list[Finding]:
    """All that the rule finds in its fixtures."""
    inputs = sorted((FIXTURES / rule.id).glob("*/input.yaml"))
    return [found for one in inputs for found in findings(rule, one.read_text())]


def prose(rule: Rule) -> str:
    """The page as Markdown, without its examples."""
    return pages.markdown(rule)


@pytest.mark.parametrize("rule_id", sorted(RULES))
def test_a_summary_is_one_short_line(rule_id: str) -> None:
    assert RULES[rule_id].page.partition("\n")[0].endswith(".")
    assert len(RULES[rule_id].summary) < 100


@pytest.mark.parametrize("rule_id", sorted(RULES))
def test_a_page_has_its_parts_in_order(rule_id: str) -> None:
    rule = RULES[rule_id]
    first, *blocks = pages.blocks(rule.page)
    assert isinstance(first, Prose), "the page begins with what the rule checks"
    assert [one.text for one in blocks if isinstance(one, Heading)] == list(HEADINGS)
    for heading in HEADINGS:
        assert part(rule, heading), f"there is nothing below {heading}"
    last = next(index for index, one in enumerate(blocks) if one == Heading("Not reported when"))
    assert not any(isinstance(one, Example) and one.label for one in blocks[last:])
    assert not any(isinstance(one, Example) and one.label for one in part(rule, "Why it matters"))
    assert not any(isinstance(one, Example) and one.label for one in part(rule, "Severity"))


@pytest.mark.parametrize("rule_id", sorted(RULES))
def test_when_a_rule_is_silent_is_one_condition_a_bullet(rule_id: str) -> None:
    *_, conditions = part(RULES[rule_id], "Not reported when")
    assert isinstance(conditions, Bullets)
    for one in conditions.items:
        assert one.endswith("."), one
        assert len(list(sentences(one))) == 1, one


@pytest.mark.parametrize("rule_id", sorted(RULES))
def test_a_page_tells_every_severity_and_no_other(rule_id: str) -> None:
    rule = RULES[rule_id]
    told = [severity(one) for block in part(rule, "Severity") for one in items(block)]
    assert len(set(told)) == len(told)
    if rule_id in OF_THE_RUN:
        assert rule.severity.value in told
    else:
        found = claimed(rule)
        # What the values of a chart leave unset is a note: that is judged after the rule.
        notes = {"note"} if any(one.unset or one.awaited for one in found) else set()
        known = {one.severity.value for one in found} | notes
        # Which targets are deployed together, and whether that is a guess, no fixture of one rendering shows.
        more = {"error", "warning"} if Trait.SPANS_TARGETS in rule.traits else set()
        assert known <= set(told) <= known | more


def items(block: Block) -> Sequence[str]:
    return block.items if isinstance(block, Bullets) else ()


def severity(item: str) -> str:
    found = re.match(r"\*\*(error|warning|note)\*\*: ", item)
    assert found, item
    return found[1]


@pytest.mark.parametrize("rule_id", sorted(RULES))
def test_a_page_promises_a_fix_only_where_there_is_one(rule_id: str) -> None:
    first, *_ = part(RULES[rule_id], "Fix")
    assert isinstance(first, Prose)
    promise = first.text.split()[0]
    assert promise in ("Yes.", "No.", "Sometimes.")
    if rule_id not in OF_THE_RUN:
        remedies = {bool(one.remedies) for one in claimed(RULES[rule_id])}
        assert promise == {frozenset([True]): "Yes.", frozenset([False]): "No."}.get(
            frozenset(remedies), "Sometimes."
        )


@pytest.mark.parametrize("rule_id", sorted(RULES))
def test_no_sentence_of_a_page_is_too_long(rule_id: str) -> None:
    assert not too_long([prose(RULES[rule_id])])


@pytest.mark.parametrize("rule_id", sorted(set(RULES) - OF_THE_RUN))
def test_no_sentence_of_a_message_is_too_long(rule_id: str) -> None:
    assert not too_long(text for one in claimed(RULES[rule_id]) for text in texts(one))


def texts(finding: Finding) -> Iterator[str]:
    yield finding.message
    yield from (one.text for one in finding.related)
    yield from (one.description for one in finding.remedies)


@pytest.mark.parametrize("rule_id", sorted(set(RULES) - NEVER_SUPPRESSED))
def test_how_to_suppress_a_finding_is_as_shown(rule_id: str) -> None:
    _, bullets = pages.suppressing(RULES[rule_id])
    comment, annotation, entry = (re.findall("``(.+?)``", one)[-1] for one in items(bullets))
    (on_line,) = comments.read("values.yaml", f"{comment}\nport: 80\n").by_line[2]
    (on_object,) = annotated_in(read(f"{MANIFEST}  annotations:\n    {annotation}\n"))
    (in_file,) = config.merge(config.parse(entry, "portproof.yaml", vocabulary())).ignores
    assert (on_line.rules, on_line.reason, on_line.problem) == ((rule_id,), "reason", "")
    assert [(one.rules, one.problem) for one in on_object.ignores] == [((rule_id,), "")]
    assert (in_file.rules, in_file.reason) == ((rule_id,), "why")


MANIFEST = "apiVersion: v1\nkind: Service\nmetadata:\n  name: web\n"


@pytest.mark.parametrize("rule_id", sorted(NEVER_SUPPRESSED))
def test_what_cannot_be_suppressed_does_not_show_how(rule_id: str) -> None:
    assert list(pages.suppressing(RULES[rule_id])) == []


def test_sentences() -> None:
    text = """
# A title

One sentence, in
two lines. Another one with `spec.ports. And more` in it! A [link with words](https://a.b/c. D) too.

* A bullet that goes
  on, e.g. Here. And a second one.
* Another: `x`. It ends

1. numbered

| a table. With sentences. |
|---|

```yaml
kind: Service. Not prose.
```
<!-- A comment. -->
**Fix:**

Yes.
"""
    assert list(sentences(text)) == [
        "# A title",
        "One sentence, in two lines.",
        "Another one with `spec.ports. And more` in it!",
        "A link with words too.",
        "A bullet that goes on, e.g. Here.",
        "And a second one.",
        "Another: `x`.",
        "It ends",
        "numbered",
        "**Fix:**",
        "Yes.",
    ]
    assert [words(one) for one in sentences(text)][:5] == [2, 5, 6, 5, 7]


def test_cells() -> None:
    text = (
        "Text | no table.\n\n| a | `b \\| c` |\n|---|---|\n| One. Two. | |\n\n```text\n| not prose |\n```\n"
    )
    assert list(cells(text)) == ["a", "`b \\| c`", "---", "---", "One. Two."]


def test_what_is_too_long() -> None:
    assert too_long([" ".join(["word"] * 30) + ". " + "More."]) == []
    long = " ".join(["Word"] * 31)
    assert too_long([f"Short. {long}. {long} - `a b c`."]) == [(32, f"{long} - `a b c`."), (31, f"{long}.")]
