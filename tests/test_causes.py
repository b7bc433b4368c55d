"""One cause, one comment: which findings are one thing to say, and how a comment of several lives on."""

from __future__ import annotations

from portproof.replacing import replace
from portproof.report import marks
from portproof.report.causes import causes
from portproof.report.model import Fix, Result
from portproof.report.review import Diff, compose
from portproof.resources import ResourceKey
from portproof.rules.base import Severity
from tests.support.reports import FIX, OTHER, RESULT, SOURCE, VALUES, place, report
from tests.test_publish import Hub, hub
from tests.test_review import LINKS, block, changed

__all__ = ["hub"]

INGRESS = ResourceKey("networking.k8s.io/v1", "Ingress", "default", "web")


def named(letter: str, **changes: object) -> Result:
    """A finding of its own: hinted, without a fix."""
    plain = {"fingerprint": letter * 32, "location": place(proof="hinted"), "fix": None, "alternatives": ()}
    return replace(RESULT, **{**plain, **changes})  # type: ignore[arg-type]


def curing(*letters: str, fix: Fix = FIX) -> Fix:
    return replace(fix, cures=tuple(letter * 32 for letter in letters))


def grouped(*results: Result) -> list[list[str]]:
    return [[one.fingerprint[0] for one in cause.results] for cause in causes(results)]


def test_findings_that_nothing_ties_are_alone() -> None:
    assert grouped(named("a"), named("b")) == [["a"], ["b"]]
    assert grouped() == []


def test_what_one_edit_cures_is_one() -> None:
    assert grouped(named("a"), named("b", fix=curing("b", "a")), named("c")) == [["b", "a"], ["c"]]


def test_an_unsafe_edit_ties_nothing() -> None:
    risky = replace(curing("a", "b"), risks=(("callers", "x"),))
    assert grouped(named("a", fix=risky), named("b")) == [["a"], ["b"]]


def test_what_one_line_brought_in_is_one() -> None:
    here = place()
    assert grouped(named("a", location=here), named("b"), named("c", location=here)) == [["a", "c"], ["b"]]
    elsewhere = place(line=7)
    assert grouped(named("a", location=here), named("b", location=elsewhere)) == [["a"], ["b"]]


def test_what_is_said_of_an_ignore_is_no_part_of_what_it_ignores() -> None:
    ignore = named("b", rule="unused-ignore", resource=None, location=place())
    assert grouped(named("a", location=place()), ignore) == [["a"], ["b"]]


def test_ties_reach_on() -> None:
    first, last = named("a", location=place()), named("d", location=place(line=7))
    middle = [named("b", location=place(line=7)), named("c", location=place(), fix=curing("c", "b"))]
    assert [sorted(one) for one in grouped(first, last, *middle)] == [["a", "b", "c", "d"]]


def test_the_worst_leads_and_then_the_one_that_cures_most() -> None:
    note = named("a", severity=Severity.NOTE, fix=curing("a", "b", "c"))
    assert grouped(note, named("b"), named("c", fix=curing("c"))) == [["c", "a", "b"]]


def test_of_equals_a_service_that_gets_no_traffic_leads() -> None:
    scraped = named("a", rule="pod-monitor-port", fix=curing("a", "b"))
    assert grouped(scraped, named("b", fix=curing("a", "b"))) == [["b", "a"]]


def test_a_fingerprint_of_several_findings_says_nothing_of_either() -> None:
    twice = [named("a", location=place("one.yaml")), named("a", location=place("two.yaml"))]
    assert grouped(*twice, named("b", fix=curing("a", "b"))) == [["a"], ["a"], ["b"]]


TWO = (
    replace(RESULT, fix=curing("0", "e"), fingerprint="0" * 32),
    named(
        "e",
        rule="ingress-backend-port",
        resource=INGRESS,
        message="Ingress/web asks: no request gets through.",
    ),
)
DIFF = Diff(changed(), {VALUES: SOURCE})


def test_one_comment_tells_of_all_and_has_the_mark_of_each() -> None:
    review = compose(TWO, LINKS, DIFF, "job")
    (one,) = review.inline
    assert [mark.fingerprint[0] for mark in marks.read(one.body)] == ["0", "e"]
    assert block(one.body) == "  targetPort: 8080\n"
    assert "The same edit cures:\n\n* `Ingress/web`: no request gets through.\n" in one.body
    assert "ignore[service-target-number, ingress-backend-port] reason" in one.body
    assert review.results == TWO


def test_what_the_edit_does_not_cure_is_told_apart_and_the_list_is_bounded() -> None:
    others = [
        replace(
            TWO[1],
            fingerprint=letter * 32,
            location=place(),
            message=f"Ingress/{letter} asks: no request gets through.",
        )
        for letter in "abcde"
    ]
    (one,) = compose([TWO[0], *others], LINKS, DIFF, "job").inline
    assert "The same edit cures:\n\n* `Ingress/e`: no request gets through.\n" in one.body
    assert "Also wrong here:\n\n* `Ingress/a`" in one.body
    assert "* And 1 more." in one.body
    assert len(marks.read(one.body)) == 6


def test_suggestions_that_exclude_each_other_are_an_either_or() -> None:
    first = replace(RESULT, fix=replace(FIX, excludes=(OTHER.id,)), alternatives=())
    both = changed(SOURCE.replace("8081", "8080").replace("containerPort: 8080", "containerPort: 8081"))
    second = named("b", location=place(line=7, column=16), fix=OTHER)
    review = compose([first, second], LINKS, Diff(both, {VALUES: SOURCE}), "job")
    one, other = review.inline
    assert block(one.body) == "  targetPort: 8080\n"
    assert block(other.body) is None
    assert f"Either the suggestion at `{VALUES}:14`, or this: set containerPort to `8081`." in other.body
    assert "+containerPort: 8081" in other.body
    alone = compose([second], LINKS, Diff(both, {VALUES: SOURCE}), "job")
    assert block(alone.inline[0].body) == "containerPort: 8081\n"
    later = compose([second], LINKS, Diff(both, {VALUES: SOURCE}), "job", standing=[first])
    assert block(later.inline[0].body) is None


# over several runs


def test_a_comment_of_which_one_finding_is_gone_tells_of_the_rest(hub: Hub) -> None:
    token = hub.writing()
    hub.review(report(*TWO), token)
    (body,) = hub.bodies()
    assert len(marks.read(body)) == 2
    outcome = hub.review(report(TWO[0]), token)
    assert outcome.message == "marked 1 finding as fixed"
    (body,) = hub.bodies()
    assert [(mark.fingerprint[0], mark.fixed) for mark in marks.read(body)] == [("e", True), ("0", False)]
    assert "Ingress" not in body
    assert "```suggestion" in body
    before = len(hub.fake.log.writes)
    assert hub.review(report(TWO[0]), token).message == "nothing new to report"
    assert len(hub.fake.log.writes) == before


def test_a_comment_whose_findings_are_all_gone_is_fixed_once(hub: Hub) -> None:
    token = hub.writing()
    hub.review(report(*TWO), token)
    assert hub.review(report(), token).message == "marked 2 findings as fixed"
    (body,) = hub.bodies()
    assert [(mark.fingerprint[0], mark.fixed) for mark in marks.read(body)] == [("0", True), ("e", True)]
    assert body.count("**Fixed**") == 1
    assert hub.review(report(), token).message == "nothing new to report"


def test_a_comment_of_several_comes_back_whole(hub: Hub) -> None:
    token = hub.writing()
    hub.review(report(*TWO), token)
    (first,) = hub.bodies()
    hub.review(report(), token)
    hub.review(report(*TWO), token)
    assert hub.bodies() == [first]


def test_a_second_run_writes_nothing(hub: Hub) -> None:
    token = hub.writing()
    hub.review(report(*TWO), token)
    before = len(hub.fake.log.writes)
    assert hub.review(report(*TWO), token).message == "nothing new to report"
    assert len(hub.fake.log.writes) == before
