"""The composer of reviews: where a comment stands, what it says, what it offers to click."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from portproof.diff import Changes, FileDiff, changes, file_diff
from portproof.patch import unified
from portproof.replacing import replace
from portproof.report import marks
from portproof.report.causes import Cause
from portproof.report.links import SITE, Links
from portproof.report.marks import Mark
from portproof.report.model import Change, Effect, Fix, Related, Result, TextEdit
from portproof.report.phrases import prose
from portproof.report.relocate import at_head
from portproof.report.review import (
    BODY_LIMIT,
    Comment,
    Diff,
    Review,
    body,
    comment,
    compose,
    fixed,
    fixed_entry,
)
from portproof.report.safe import fenced
from portproof.report.suggestion import Lines, Replaced, suggestion
from portproof.resources import ResourceKey
from portproof.rules.base import Severity
from tests.support.reports import (
    DEPLOYMENT,
    FIX,
    INCIDENT,
    LINES,
    OTHER,
    RELATED,
    RESULT,
    SOURCE,
    UNSAFE,
    VALUES,
    fix_in,
    place,
    report,
    result,
)

HEAD = "1234567890abcdef1234567890abcdef12345678"
WEB = "https://github.com/o/r"
LINKS = Links(WEB, HEAD)
TEXTS = {VALUES: SOURCE}
COMMONMARK = MarkdownIt("commonmark")


def changed(
    before: str = SOURCE.replace("8081", "8080"), after: str = SOURCE, path: str = VALUES
) -> dict[str, FileDiff]:
    """The pull request turned `before` into `after`."""
    return changes(unified(path, before, after))


def commented(
    one: Result, changes: Changes | None = None, links: Links = LINKS, texts: Mapping[str, str] = TEXTS
) -> Comment | None:
    return comment(Cause((one,)), links, Diff(changed() if changes is None else changes, texts), "job")


def composed(results: Iterable[Result], changes: Changes | None = None) -> Review:
    return compose(results, LINKS, Diff(changed() if changes is None else changes, TEXTS), "job")


def told(review: Review, links: Links = LINKS) -> str:
    return body(review, links, "job")


def where(one: Result, **other: Any) -> tuple[str, int | None] | None:
    found = commented(one, **other)
    return None if found is None else (found.path, found.line)


def block(text: str) -> str | None:
    """The content of the suggestion, read as GitHub does."""
    found = [
        token for token in COMMONMARK.parse(text) if token.type == "fence" and token.info == "suggestion"
    ]
    assert len(found) <= 1
    return found[0].content if found else None


# where


def test_the_place_is_the_line_that_has_to_be_edited() -> None:
    found = commented(RESULT)
    assert found is not None
    assert (found.path, found.line, found.start_line, found.side) == (VALUES, 14, None, "RIGHT")


def test_an_unchanged_line_of_a_hunk_will_do() -> None:
    around = changed(SOURCE.replace("port: 80\n", "port: 81\n"))
    assert where(RESULT, changes=around) == (VALUES, 14)


def test_else_the_line_of_the_best_supported_fix() -> None:
    other_file = replace(RESULT, location=place("charts/backend/other.yaml"))
    assert where(other_file) == (VALUES, 14)


def test_else_the_line_that_the_pull_request_changed_if_an_alternative_is_there() -> None:
    at_container = changed(SOURCE.replace("containerPort: 8080", "containerPort: 8081"))
    here = replace(RESULT, fix=FIX, alternatives=(OTHER,))
    assert where(here, changes=at_container) == (VALUES, 7)
    found = commented(here, changes=at_container)
    assert found is not None
    assert block(found.body) == "containerPort: 8081\n"
    assert "Fix at [`charts/backend/values.yaml:14`]" in found.body
    assert "set targetPort to `8080`. Or here: set containerPort to `8081`.\n" in found.body
    assert "<details><summary>The patch</summary>" in found.body


def test_of_several_alternatives_the_new_line_comes_first() -> None:
    both = changed(SOURCE.replace("replicas: 2", "replicas: 1").replace("enabled: true", "enabled: false"))
    near = fix_in(VALUES, 7, 16, "8080", "8081")
    new = fix_in(VALUES, 17, 12, "true", "false")
    one = replace(RESULT, location=None, fix=None, alternatives=(near, new))
    assert where(one, changes=both) == (VALUES, 17)


def test_else_the_file_if_it_is_one_of_the_pull_requests() -> None:
    far = changed(SOURCE.replace("registry", "mirror"))
    found = commented(replace(RESULT, alternatives=()), changes=far)
    assert found is not None
    assert (found.path, found.line) == (VALUES, None)
    assert block(found.body) is None
    assert "```diff" in found.body


@pytest.mark.parametrize("patch", [None, "@@ -1,9 +1,9 @@\n cut off"])
def test_a_file_without_readable_patch_gets_a_comment_as_a_whole(patch: str | None) -> None:
    assert where(RESULT, changes={VALUES: file_diff(VALUES, "modified", patch)}) == (VALUES, None)


@pytest.mark.parametrize("found", [{}, {VALUES: FileDiff(VALUES, "removed")}])
def test_else_nowhere(found: dict[str, FileDiff]) -> None:
    assert where(RESULT, changes=found) is None
    assert where(replace(RESULT, location=None, fix=None, alternatives=())) is None


def test_a_renamed_file_is_commented_under_its_new_name() -> None:
    moved = {
        VALUES: file_diff(
            VALUES, "renamed", "@@ -14 +14 @@\n-  targetPort: 8080\n+  targetPort: 8081", "old.yaml"
        )
    }
    assert where(RESULT, changes=moved) == (VALUES, 14)


def test_a_line_that_is_not_known_in_the_head_is_no_place() -> None:
    assert where(RESULT, links=replace(LINKS, unmapped_lines=frozenset({(VALUES, 14)}))) == (VALUES, None)


def test_a_head_that_does_not_read_as_its_diff_says_is_not_commented_on_a_line() -> None:
    assert where(RESULT, texts={VALUES: SOURCE.replace("8081", "9999")}) == (VALUES, None)


def removed(text: str, path: str = "k8s/service.yaml") -> dict[str, FileDiff]:
    """The pull request deletes a file."""
    patch = unified(path, text, "").partition("\n@@ ")[2]
    return {path: file_diff(path, "removed", f"@@ {patch.removesuffix(chr(10))}")}


GONE = replace(
    RESULT,
    location=place("k8s/ingress.yaml"),
    fix=None,
    alternatives=(),
    change=Change("Service/cart metadata.name", "cart", None, "Ingress/cart spec.x", "cart"),
)


def test_what_a_change_removes_is_commented_on_the_removed_line() -> None:
    found = commented(GONE, changes=removed("kind: Service\nmetadata:\n  name: cart\n"))
    assert found is not None
    assert (found.path, found.line, found.side) == ("k8s/service.yaml", 3, "LEFT")
    assert "Still used at [`k8s/ingress.yaml:14`]" in found.body


@pytest.mark.parametrize(
    "text", ["kind: Deployment\nmetadata:\n  name: cart\n", "kind: Service\nmetadata:\n  name: cart2\n"]
)
def test_another_removed_object_is_no_place(text: str) -> None:
    assert where(GONE, changes=removed(text)) is None
    there = replace(GONE, change=replace(GONE.change or Change("", "", ""), after="basket"))
    assert where(there, changes=removed("kind: Service\nmetadata:\n  name: cart\n")) is None


def test_the_line_that_the_change_touched_comes_before_the_line_to_edit() -> None:
    both = changed(
        SOURCE.replace("containerPort: 8080", "containerPort: 8081").replace("port: 80\n", "port: 81\n")
    )
    assert both[VALUES].hunk(14, 14) is not None
    assert where(RESULT, changes=both) == (VALUES, 7)


def test_what_is_said_of_a_file_stands_at_its_first_new_line() -> None:
    whole = replace(
        RESULT, resource=None, location=place(line=1, column=1, proof="hinted"), fix=None, alternatives=()
    )
    assert where(whole, changes=changed(SOURCE.replace("replicas: 2", "replicas: 1"))) == (VALUES, 5)


def test_errors_come_first_and_thirty_are_enough() -> None:
    one = replace(RESULT, location=place(proof="hinted"))
    notes = [replace(one, severity=Severity.NOTE, fingerprint=f"{number:016x}") for number in range(40)]
    errors = [replace(one, fingerprint=f"{number:016x}") for number in range(100, 103)]
    review = composed([*notes, *errors])
    assert len(review.inline) == 30
    assert [one.cause.lead.severity for one in review.inline[:4]] == [Severity.ERROR] * 3 + [Severity.NOTE]
    assert len(review.rest) == 13
    assert len({one.fingerprint for one in review.results}) == 43


def test_comments_on_files_are_bounded_too() -> None:
    one = replace(RESULT, location=place(proof="hinted"), alternatives=())
    many = [replace(one, fingerprint=f"{number:016x}") for number in range(14)]
    review = composed(many, changed(SOURCE.replace("registry", "mirror")))
    assert (len(review.inline), len(review.files), len(review.rest)) == (0, 10, 4)


# what it says


def test_the_incident() -> None:
    real = replace(
        RESULT,
        message=(
            "This change sends port 80 of Service/backend-v1 to 8081 instead of 8080, but Deployment/backend-v1 still "
            "declares only 8080 (http): requests to port 80 will fail. Evidence: the probes use 8080; 8081 looks like "
            "a typo for 8080."
        ),
        targets=("helm:charts/backend?values=values-prod.yaml",),
        alternatives=(OTHER, UNSAFE),
    )
    found = commented(real)
    assert found is not None
    link = f"{WEB}/blob/{HEAD}/charts/backend/values.yaml"
    assert found.body == (
        f"{found.marks[0]}\n"
        "**Requests to `Service/backend-v1:80` will fail with `values-prod.yaml`.** This change sends port `80` of "
        "`Service/backend-v1` to `8081` instead of `8080`, but `Deployment/backend-v1` still declares only `8080` "
        "(http).\n"
        "\n"
        "```suggestion\n"
        "  targetPort: 8080\n"
        "```\n"
        "\n"
        "<sub>error · proven, nothing else changes · "
        f"[`service-target-number`]({SITE}rules/service-target-number/) · suppress: "
        "`# portproof: ignore[service-target-number] reason`</sub>\n"
        "\n"
        "<details><summary>Evidence and other fixes</summary>\n"
        "\n"
        "The probes use `8080`; `8081` looks like a typo for `8080`.\n"
        "\n"
        f"* [`charts/backend/values.yaml:14`]({link}#L14): `Service/backend-v1 spec.ports[0].targetPort` is `8081`\n"
        f"* [`charts/backend/values.yaml:7`]({link}#L7): `Deployment/backend-v1` declares `8080` here\n"
        "\n"
        "Rendered again with the fix: `Service/backend-v1` reaches `Deployment/backend-v1` on `8080`; nothing else "
        "changed.\n"
        "\n"
        f"Alternative, also proven: set containerPort to `8081`, at [`charts/backend/values.yaml:7`]({link}#L7).\n"
        "\n"
        f"{fenced(OTHER.patch, 'diff')}\n"
        "\n"
        f"[Unsafe]({SITE}fixes/): set containerPort to `8081`, at [`charts/backend/values.yaml:7`]({link}#L7). Nothing tells the "
        "program of `Deployment/backend-v1` to listen on `8081`.\n"
        "\n"
        "</details>\n"
    )


def test_an_unsafe_fix_is_explained_and_no_suggestion() -> None:
    risky = replace(FIX, risks=(("callers", "Ingress/shop uses port 80 of Service/backend-v1"),))
    found = commented(replace(RESULT, fix=risky, alternatives=()))
    assert found is not None
    assert block(found.body) is None
    assert (
        f"[Unsafe]({SITE}fixes/): set targetPort to `8080`, at [`charts/backend/values.yaml:14`]"
        f"({WEB}/blob/{HEAD}/charts/backend/values.yaml#L14). `Ingress/shop` uses port `80` of `Service/backend-v1`.\n"
    ) in found.body
    at_container = changed(SOURCE.replace("containerPort: 8080", "containerPort: 8081"))
    beside = commented(replace(RESULT, fix=None, alternatives=(UNSAFE,)), changes=at_container)
    assert beside is not None
    assert block(beside.body) is None
    assert f"[Unsafe]({SITE}fixes/): set containerPort to `8081`" in beside.body


def test_a_safe_alternative_is_suggested_where_the_first_fix_is_unsafe() -> None:
    risky = replace(OTHER, risks=(("program", "nothing tells the program"),))
    found = commented(replace(RESULT, fix=risky, alternatives=(FIX,)))
    assert found is not None
    assert block(found.body) == "  targetPort: 8080\n"
    assert f"[Unsafe]({SITE}fixes/): set containerPort to `8081`" in found.body


def test_what_an_alternative_changes_besides_is_listed() -> None:
    more = Effect(DEPLOYMENT, "spec.template.spec.containers[0].env[0].value", "8080", "8081")
    found = commented(replace(RESULT, alternatives=(replace(UNSAFE, effects=(*UNSAFE.effects, more)),)))
    assert found is not None
    assert (
        "Nothing tells the program of `Deployment/backend-v1` to listen on `8081`. It also changes "
        "`Deployment/backend-v1 spec.template.spec.containers[0].env[0].value` (`8080` → `8081`).\n"
    ) in found.body


def test_other_effects_are_listed() -> None:
    more = Effect(DEPLOYMENT, "spec.template.metadata.annotations.checksum/config", "ab", None)
    found = commented(replace(RESULT, fix=replace(FIX, effects=(*FIX.effects, more))))
    assert found is not None
    assert (
        "on `8080`; it also changes `Deployment/backend-v1 spec.template.metadata.annotations.checksum/config` "
        "(`ab` → nothing).\n"
    ) in found.body


def test_a_fix_of_the_other_end_reaches_on_the_number_that_the_service_asks_for() -> None:
    at_container = changed(SOURCE.replace("containerPort: 8080", "containerPort: 8081"))
    found = commented(replace(RESULT, fix=None, alternatives=(OTHER,)), changes=at_container)
    assert found is not None
    assert (
        "`Service/backend-v1` reaches `Deployment/backend-v1` on `8081`; nothing else changed." in found.body
    )


def test_a_hint_says_that_it_is_one_and_an_unknown_place_too() -> None:
    hinted = commented(replace(RESULT, location=place(proof="hinted")))
    assert hinted is not None
    assert "(best guess, not proven)" in hinted.body
    (unknown,) = composed([replace(RESULT, location=None, fix=None, alternatives=())]).rest
    assert "the line to edit is unknown" in told(composed(unknown.results))


def test_several_edits_are_a_patch_and_no_suggestion() -> None:
    two = replace(FIX, edits=(*FIX.edits, *OTHER.edits))
    found = commented(replace(RESULT, fix=two, alternatives=()))
    assert found is not None
    assert block(found.body) is None
    assert "<details><summary>The patch</summary>\n\n```diff\n" in found.body


def test_several_edits_with_an_alternative_of_one_edit_on_this_line_offer_that() -> None:
    two = replace(OTHER, edits=(*OTHER.edits, *FIX.edits), description="move both")
    found = commented(replace(RESULT, fix=two, alternatives=(FIX,)))
    assert found is not None
    assert block(found.body) == "  targetPort: 8080\n"


def test_the_body_tells_the_rest_with_marks_and_links() -> None:
    elsewhere = replace(
        RESULT, location=place("charts/a b/values.yaml", line=3), fix=None, alternatives=(), introduced=True
    )
    text = told(composed([elsewhere]))
    assert text.startswith("**portproof**: 1 error new in this pull request\n")
    assert f"[`charts/a b/values.yaml:3`]({WEB}/blob/{HEAD}/charts/a%20b/values.yaml#L3)" in text
    assert [mark.fingerprint for mark in marks.read(text)] == [RESULT.fingerprint]


def test_a_body_that_is_too_long_is_cut_between_findings_and_keeps_their_marks() -> None:
    long = [
        replace(
            RESULT,
            location=None,
            fix=None,
            alternatives=(),
            message="word " * 140,
            fingerprint=f"{number:032x}",
        )
        for number in range(200)
    ]
    text = told(composed(long), replace(LINKS, log=f"{WEB}/actions/runs/1"))
    assert len(text.encode()) <= BODY_LIMIT
    assert len({mark.fingerprint for mark in marks.read(text)}) == 200
    assert re.search(rf"\n\d+ more, not shown here: see the \[job summary\]\({WEB}/actions/runs/1\)\.", text)


def test_a_thousand_findings_still_make_a_body() -> None:
    many = [
        replace(RESULT, location=None, fix=None, alternatives=(), fingerprint=f"{number:032x}")
        for number in range(3000)
    ]
    text = told(composed(many))
    assert len(text.encode()) <= BODY_LIMIT


# what it offers to click


def offered(text: str, line: int, old: str, new: str, path: str = VALUES) -> str | None:
    column = text.split("\n")[line - 1].index(old) + 1
    edit = replace(
        FIX.edits[0],
        path=path,
        line=line,
        end_line=line,
        column=column,
        end_column=column + len(old),
        old=old,
        new=new,
    )
    return suggestion((edit,), Lines(path, line, line), text)


def test_the_whole_line_with_only_the_number_replaced() -> None:
    assert (
        offered("a:\n\ttargetPort:  '8081' # why\n", 2, "8081", "8080")
        == "```suggestion\n\ttargetPort:  '8080' # why\n```"
    )


def test_a_fence_is_longer_than_any_run_of_backticks() -> None:
    text = "a: 8081 # ``` ````x`\nb: 1\n"
    found = offered(text, 1, "8081", "8080")
    assert found is not None
    assert found.startswith("`````suggestion\n")
    assert block(found) == "a: 8080 # ``` ````x`\n"


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("a: 8081\r\n", VALUES),
        ("a: 8081\nb: 1\r\nc: 2\n", VALUES),
        ("a: 8081\nb: 1\rc: 2\n", VALUES),
        ("b: 1\r\na: 8081", VALUES),
        ("x: 1\na: 8081", VALUES),
        ("a: 8081 # \u202e\n", VALUES),
        ("a: 8081 # \x1b[2J\n", VALUES),
        ("a: 8081 # \u200b\n", VALUES),
        ("a: 8081\n", ".github/workflows/ci.yaml"),
        ("a: 8081\n", ".GitHub/ci.yaml"),
        (f"a: 8081 # {'x' * 2000}\n", VALUES),
        (f"a: 8081 # {'`' * 201}\n", VALUES),
        ("<!-- portproof:v1 fingerprint=0123456789abcdef key=8081 -->\n", VALUES),
    ],
)
def test_no_suggestion_where_more_than_the_number_could_change(text: str, path: str) -> None:
    line = text.split("\n").index(next(row for row in text.split("\n") if "8081" in row)) + 1
    assert offered(text, line, "8081", "8080", path) is None


@pytest.mark.parametrize(
    "new",
    ["{{ .Values.port }}", "{{ $.Values.port }}", '{{ include "web.port" . | int }}', "$.Values.port"],
)
def test_a_suggestion_may_read_a_value_or_a_helper(new: str) -> None:
    found = offered("{{- if .x }}\na: 8081\n{{- end }}\n", 2, "8081", new)
    assert found == f"```suggestion\na: {new}\n```"


@pytest.mark.parametrize(
    "new",
    [
        "{{ tpl .Values.port . }}",
        '{{ .Files.Get "x" }}',
        "{{ .a }} {{ .b }}",
        "{{ .a }}\n",
        "{{ fail }}",
        "{{ . }}",
    ],
)
def test_a_suggestion_runs_nothing(new: str) -> None:
    assert offered("{{- if .x }}\na: 8081\n{{- end }}\n", 2, "8081", new) is None


@pytest.mark.parametrize(
    "new", ["", "8080\n", "80 80", "{{ x }}", "8080 # x", "-1", "a: b", "`", "8081", "@x"]
)
def test_no_suggestion_of_anything_but_a_number_or_a_name(new: str) -> None:
    assert offered("a: 8081\n", 1, "8081", new) is None


def test_no_suggestion_that_changes_a_key() -> None:
    assert offered("8081: a\n8090: b\n", 1, "8081", "8090") is None


BEFORE = "a:\n  - {{ .Values.port }}\n  - two\nb: 1\n"
AFTER = "a:\n  - {{ .Values.prt }}\n  - 2\n  - three\nb: 1\n"


def back(edits: Iterable[tuple[int, int, int, int, str, str]], first: int, last: int) -> str | None:
    """The suggestion that takes part of a change back, which made `AFTER` of `BEFORE`."""
    (hunk,) = changes(unified(VALUES, BEFORE, AFTER))[VALUES].hunks
    given = [TextEdit(VALUES, *one) for one in edits]
    return suggestion(given, Lines(VALUES, first, last), AFTER, Replaced.by(hunk))


def test_what_the_change_replaced_may_come_back_as_it_was() -> None:
    assert back([(2, 16, 2, 19, "prt", "port")], 2, 2) == "```suggestion\n  - {{ .Values.port }}\n```"
    both = [(2, 16, 2, 19, "prt", "port"), (3, 5, 3, 6, "2", "two")]
    assert back(both, 2, 3) == "```suggestion\n  - {{ .Values.port }}\n  - two\n```"
    whole = (
        2,
        1,
        5,
        1,
        "".join(f"{row}\n" for row in AFTER.split("\n")[1:4]),
        "  - {{ .Values.port }}\n  - two\n",
    )
    assert back([whole], 2, 4) == "```suggestion\n  - {{ .Values.port }}\n  - two\n```"


def test_a_new_line_may_go() -> None:
    found = back([(4, 1, 5, 1, "  - three\n", "")], 4, 4)
    assert found == "```suggestion\n```"
    assert block(found) == ""


def test_a_removed_line_may_come_back_above_the_next() -> None:
    assert back([(5, 1, 5, 1, "", "  - two\n")], 5, 5) == "```suggestion\n  - two\nb: 1\n```"


@pytest.mark.parametrize(
    ("edit", "first", "last"),
    [
        ((2, 16, 2, 19, "prt", "evil }}{{ x"), 2, 2),  # no line of the base
        ((5, 1, 6, 1, "b: 1\n", ""), 5, 5),  # a line that is not new
        ((4, 1, 5, 1, "  - three\n", "  - {{ exec }}\n"), 4, 4),
        ((4, 10, 5, 1, "\n", ""), 4, 4),  # two lines would become one
        ((4, 1, 5, 1, "  - four\n", ""), 4, 4),  # it does not read so
        ((2, 16, 2, 19, "prt", "port"), 3, 3),  # elsewhere
    ],
)
def test_nothing_else_comes_back(edit: tuple[int, int, int, int, str, str], first: int, last: int) -> None:
    assert back([edit], first, last) is None


def test_a_line_that_reads_differently_is_not_touched() -> None:
    edit = FIX.edits[0]
    assert suggestion((edit,), Lines(VALUES, 14, 14), SOURCE.replace("8081", "9999")) is None
    assert suggestion((edit,), Lines(VALUES, 14, 14), SOURCE.replace("targetPort", "targetport ")) is None
    assert suggestion((replace(edit, path="other"),), Lines(VALUES, 14, 14), SOURCE) is None
    assert suggestion((edit,), Lines(VALUES, 13, 13), SOURCE) is None
    assert (
        suggestion((edit,), Lines(VALUES, 13, 14), SOURCE)
        == "```suggestion\n  port: 80\n  targetPort: 8080\n```"
    )


def test_an_edit_of_more_than_one_line_is_not_offered() -> None:
    edit = replace(FIX.edits[0], end_line=15)
    assert suggestion((edit,), Lines(VALUES, 14, 15), SOURCE) is None


@pytest.mark.parametrize("above", ["x: 1 # \u202e", "x: 1 # \x1b[2J", f"x: {'x' * 2000}", "`" * 201])
def test_an_odd_line_beside_it_is_not_offered_either(above: str) -> None:
    text = f"{above}\na: 8081\n"
    edit = replace(FIX.edits[0], line=2, end_line=2, column=4, end_column=8)
    assert suggestion((edit,), Lines(VALUES, 2, 2), text) is not None
    assert suggestion((edit,), Lines(VALUES, 1, 2), text) is None


@given(st.text(alphabet=st.sampled_from("`~ab:8 \\<>&#\t-"), max_size=30), st.integers(1, 65535))
def test_applying_a_suggestion_changes_only_the_number(comment_text: str, port: int) -> None:
    text = f"x: 1\n  targetPort: 8081 # {comment_text}\ny: 2\n"
    found = offered(text, 2, "8081", str(port))
    if port == 8081:
        assert found is None
        return
    assert found is not None
    content = block(found)
    assert content == f"  targetPort: {port} # {comment_text}\n"


# strangers' words


def test_what_is_a_code_span_stays_one() -> None:
    text = "the job needs `permissions: { contents: read }`; see `x` (and `y z`)."
    assert prose(text) == text


@given(st.one_of(st.text(max_size=200), st.text(alphabet="`a <@\\.)[x](y)*_", max_size=40)))
def test_prose_holds_nothing_but_plain_words_and_code(text: str) -> None:
    tokens = COMMONMARK.parse(prose(f"word {text}"))
    assert {token.type for token in tokens} <= {"paragraph_open", "inline", "paragraph_close"}
    for token in tokens:
        for child in token.children or []:
            assert child.type in ("text", "code_inline")
            if child.type == "text":
                assert re.fullmatch(r"[A-Za-z'\- (),.;:?]*", child.content)


@pytest.mark.parametrize(
    "word",
    [
        "@octocat",
        "#123",
        "GH-1",
        "https://x.y",
        "www.x.y",
        "deadbeef",
        "<img>",
        ":tada:",
        "o/r#1",
        "a@b.c",
        "`",
        "&amp;",
    ],
)
def test_nothing_in_prose_is_a_link_a_mention_or_a_tag(word: str) -> None:
    shown = prose(f"see {word}, please")
    (inline,) = [token for token in COMMONMARK.parse(shown) if token.type == "inline"]
    plain = [child.content for child in inline.children or [] if child.type == "text"]
    assert re.fullmatch(r"see [:;]?, please", "".join(plain))


EVIL = "x` <b>@octocat</b> --> ``` [a](http://evil) | \u202e\x1b[2J\n\n# h\n<!-- portproof:v1 fingerprint=0123456789abcdef -->"


def test_hostile_names_stay_in_code_spans_and_cannot_write_marks() -> None:
    key = ResourceKey("v1", "Service", "default", EVIL)
    one = result(
        message=EVIL,
        resource=key,
        value=EVIL,
        field=EVIL,
        targets=(EVIL, EVIL),
        related=(Related(EVIL, key, EVIL, place(EVIL)),),
        location=place(path=EVIL),
        fix=Fix(EVIL, (replace(FIX.edits[0], path=EVIL),), (Effect(key, EVIL, EVIL, EVIL),), EVIL),
        alternatives=(replace(OTHER, description=EVIL),),
    )
    text = told(composed([one], {}))
    assert len(marks.read(text)) == 1
    assert "\x1b" not in text
    assert "\u202e" not in text
    for token in COMMONMARK.parse(text):
        assert token.type not in ("heading_open", "image")
        assert token.type != "html_block" or re.match(
            r"(<!-- portproof:v1 [^<>]* -->|</?details>)", token.content
        )
        for child in token.children or []:
            assert child.type in (
                "text",
                "code_inline",
                "softbreak",
                "strong_open",
                "strong_close",
                "link_open",
                "link_close",
                "html_inline",
            )
            assert child.type != "html_inline" or child.content in ("<sub>", "</sub>")
            assert child.type != "link_open" or str(child.attrs["href"]).startswith(
                (f"{WEB}/blob/{HEAD}/", SITE)
            )
            assert child.type != "text" or "@" not in child.content


# marks


def test_a_mark_comes_back_as_it_was_written() -> None:
    mark = marks.of_result(RESULT, "job", "suggestion")
    assert marks.read(f"x\n{mark}\ny") == [mark]
    assert mark.fingerprint == RESULT.fingerprint
    assert "fingerprint=0123456789abcdef key=job" in str(mark)


@pytest.mark.parametrize(
    "around", ["x {}", "`{}`", " {}", "> {}", "{} x", "{}`", "\u2028{}", "x\r{}", "\x0c{}"]
)
def test_a_mark_that_does_not_have_its_line_for_itself_is_none(around: str) -> None:
    mark = marks.of_result(RESULT, "job")
    assert marks.read(f"a\n{around.format(mark)}\nb") == []
    assert marks.key_of_summary(around.format(marks.summary("job"))) is None
    text = f"{around.format(mark)}\n\n{mark}\nb"
    assert marks.with_state(text, mark, fixed=True, note="N\n").endswith("state=fixed -->\nN\nb")


def test_moving_a_line_or_rewording_a_message_keeps_the_mark() -> None:
    moved = replace(RESULT, message="other words", location=place(line=99))
    assert marks.of_result(moved, "job") == marks.of_result(RESULT, "job")


@given(st.text(max_size=80))
def test_a_fingerprint_of_strange_letters_still_makes_a_readable_mark(text: str) -> None:
    mark = marks.of_result(replace(RESULT, fingerprint=text), "job")
    assert marks.read(str(mark)) == [mark]


@given(st.text(max_size=80))
def test_reading_marks_never_fails(text: str) -> None:
    assert isinstance(marks.read(f"<!-- portproof:v1 {text} -->"), list)


def test_a_fixed_comment_says_so_and_offers_nothing() -> None:
    found = commented(RESULT)
    assert found is not None
    text = fixed(found.body, HEAD)
    assert marks.read(text) == [replace(found.marks[0], fixed=True, edit="")]
    assert "**Fixed** as of `1234567890`" in text
    assert block(text) is None
    assert "targetPort: 8080" in text


def test_a_fixed_entry_of_a_body_says_so_and_the_others_stay() -> None:
    two = [
        replace(RESULT, location=None, fix=None, alternatives=(), fingerprint=f"{number:032x}")
        for number in (1, 2)
    ]
    text = told(composed(two))
    first, second = marks.read(text)
    after = fixed_entry(text, first, HEAD)
    assert marks.read(after) == [replace(first, fixed=True), second]
    assert after.count("> **Fixed** as of `1234567890`") == 1
    assert fixed_entry(after, replace(first, fixed=True), HEAD).count("> **Fixed**") == 1


def test_marks_of_summaries_are_not_marks_of_findings() -> None:
    text = marks.summary("job")
    assert marks.read(text) == []
    assert marks.key_of_summary(text) == "job"
    assert marks.key_of_summary(str(Mark("0123456789abcdef"))) is None


# from the merge commit to the head


def test_lines_are_those_of_the_head() -> None:
    head = "# a comment of the head\n" + SOURCE
    moved, astray = at_head(INCIDENT, lambda _: SOURCE, lambda _: head)
    (one,) = moved.results
    assert one.location is not None
    assert (one.location.line, one.location.end_line, one.location.column) == (15, 15, 15)
    assert one.fix is not None
    assert one.fix.edits[0].line == 15
    assert one.alternatives[0].edits[0].line == 8
    assert one.related[0].location == replace(RELATED.location or place(), line=8, end_line=8)
    assert moved.lines[VALUES][15] == LINES[14]
    assert not astray


def test_a_line_that_the_base_changed_too_is_astray_and_keeps_its_number() -> None:
    head = SOURCE.replace("  targetPort: 8081", "  targetPort: 9999")
    moved, astray = at_head(INCIDENT, lambda _: SOURCE, lambda _: head)
    assert astray == {(VALUES, 14)}
    assert moved.results[0].location == RESULT.location
    assert at_head(INCIDENT, lambda _: SOURCE, lambda _: None)[1] == {(VALUES, 14), (VALUES, 7)}
    assert at_head(report(), lambda _: None, lambda _: None)[1] == frozenset()
