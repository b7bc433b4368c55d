"""What a reviewer reads, whole and to the letter."""

from __future__ import annotations

import inspect
import re
from typing import Any

import click
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portproof.discover.model import Skip
from portproof.discover.unread import Unread
from portproof.flags import Flags, Given
from portproof.patch import unified
from portproof.replacing import replace
from portproof.report import text
from portproof.report.excerpt import clip, columns
from portproof.report.model import Effect, Report
from portproof.report.wrapping import wrapped
from portproof.resources import ResourceKey
from portproof.rules.base import Severity
from tests.support import runner
from tests.support.reports import (
    DEPLOYMENT,
    FIELD,
    FIX,
    INCIDENT,
    RELATED,
    RESULT,
    SERVICE,
    UNSAFE,
    VALUES,
    fix_in,
    place,
    report,
    result,
    status,
)


def lines(expected: str) -> str:
    return inspect.cleandoc(expected) + "\n"


def test_the_incident() -> None:
    assert text.write(INCIDENT) == lines(
        """
        error[service-target-number] charts/backend/values.yaml:14:15
          Service/backend-v1 sends port 80 to 8081, but Deployment/backend-v1 declares only 8080 (http): the
          readiness probe uses 8080, and nothing mentions 8081.

          12 |   # the port that clients use
          13 |   port: 80
          14 |   targetPort: 8081
             |               ^^^^

          note: Deployment/backend-v1 declares 8080 here: charts/backend/values.yaml:7:16
          fix (proven by rendering again): set targetPort to 8080
            -   targetPort: 8081
            +   targetPort: 8080
          or (also proven): set containerPort to 8081 (charts/backend/values.yaml:7)

        1 error in 1 target
        Next: `portproof fix` prints the proven fix, `portproof fix --write` applies it.
        """
    )


@pytest.mark.parametrize("located", [True, False])
def test_one_empty_line_stands_between_findings_with_or_without_a_fix(located: bool) -> None:
    bare = result(location=place() if located else None)
    written = text.write(report(bare, RESULT, bare))
    assert "\n\n\n" not in written
    assert ("\n\n  the same cause:\n  error[" if located else "\n\nerror[") in written
    assert "\n\n3 errors in 1 target\n" in written


def test_findings_of_one_cause_stand_together_and_their_fix_counts_once() -> None:
    both = replace(FIX, cures=("a" * 32, "b" * 32))
    first = result(fingerprint="a" * 32, fix=both)
    second = result(fingerprint="b" * 32, fix=both, location=place("other.yaml"), message="Ingress/web asks.")
    written = text.write(report(first, second))
    assert (
        "\n  the same cause:\n  error[service-target-number] other.yaml:14:15\n    Ingress/web asks.\n\n2 errors in 1 target\n"
        "Next: `portproof fix` prints the proven fix, "
    ) in written
    assert written.count("fix (proven by rendering again)") == 1


def test_colour_changes_no_word() -> None:
    coloured = text.write(INCIDENT, color=True)
    assert "\x1b[31m\x1b[1merror\x1b[0m[service-target-number]" in coloured
    assert click.unstyle(coloured) == text.write(INCIDENT)


QUIET = Given(flags=Flags(quiet=True))


def test_quiet_is_the_findings_and_nothing_else() -> None:
    loud, quiet = text.write(INCIDENT), text.write(replace(INCIDENT, given=QUIET))
    assert loud.startswith(quiet)
    assert loud.removeprefix(quiet).split("\n")[:2] == ["", "1 error in 1 target"]
    assert text.write(replace(report(), given=QUIET)) == ""


def test_quiet_still_says_that_nothing_was_checked() -> None:
    skipped = replace(status(), status="skipped", reason="its dependency is not here")
    shown = text.write(replace(report(), targets=(skipped,), given=QUIET))
    assert "Nothing was checked" in shown
    assert "its dependency is not here" in shown
    partly = text.write(replace(report(), targets=(status("helm:charts/a"), skipped), given=QUIET))
    assert "its dependency is not here" in partly


def test_a_dependency_that_could_not_be_had_is_in_no_list_but_this() -> None:
    lacking = Unread("charts/a/Chart.yaml", "dependency", "redis is not here")
    alone, both = (lacking,), (lacking, Unread("envs/prod.yaml", "values", "of two charts"))
    shown, mixed = (text.write(replace(report(), unread=unread)) for unread in (alone, both))
    assert "Unread: 1 chart dependency\n" in shown
    assert "`portproof targets` lists them" in mixed


def test_nothing_found() -> None:
    targets = tuple(status(f"helm:charts/{number}") for number in range(4))
    assert text.write(report(targets=targets)) == "No findings: 4 targets checked, 48 resources\n"


def test_nothing_to_check_is_no_pass() -> None:
    assert text.write(report(targets=(), paths=("docs", "src"))) == (
        "Nothing to check under docs, src: no chart, kustomization or manifest was found\n"
    )
    passed_over = report(targets=(), skips=(Skip("helm", "charts/common", "a library chart", counts=False),))
    assert text.write(passed_over) == (
        "Nothing to check under .: no chart, kustomization or manifest was found "
        "(1 folder skipped; `portproof targets` lists them)\n"
    )


def test_nothing_checked_is_no_pass() -> None:
    reason = "the chart redis 17.0.0 has to be fetched first: helm dependency build charts/db"
    skipped = report(targets=(status("helm:charts/db", "skipped", reason),))
    assert text.write(skipped) == lines(
        """
        Not checked:
          skipped helm:charts/db
              the chart redis 17.0.0 has to be fetched first: helm dependency build charts/db

        Nothing was checked: 1 skipped, 0 failed
        """
    )


def test_what_was_not_looked_at_is_one_line() -> None:
    paths = ("a.yaml", "b.yaml")
    unread = (*(Unread(path, "values", "why") for path in paths), Unread("c.yaml", "helmfile", "why"))
    found = report(targets=(status("helm:charts/a"),), unread=unread)
    assert text.write(found) == lines(
        """
        No findings: 1 target checked, 12 resources
        Unread: 2 values files, 1 helmfile (`portproof targets` lists them)
        """
    )
    assert not found.is_whole
    assert report(targets=(status("helm:charts/a"),)).is_whole
    assert not report(targets=(status("helm:charts/a", "skipped", "why"),)).is_whole


def test_several_findings_of_every_kind() -> None:
    environments = tuple(f"helm:charts/backend?values=values-{name}.yaml" for name in "abcdefg")
    findings = (
        result(message="First.", fix=FIX, introduced=True),
        result(
            message="Second.",
            severity=Severity.WARNING,
            location=place(line=7, column=16, proof="hinted"),
            targets=environments,
            related=(replace(RELATED, location=None), replace(RELATED, location=place(proof="hinted"))),
            introduced=False,
        ),
        result(message="Third.", severity=Severity.NOTE, location=None, introduced=False),
        result(
            message="Fourth.",
            resource=None,
            field="",
            location=None,
            targets=environments[:1],
            introduced=True,
        ),
    )
    targets = (
        status(),
        status("helm:a", "skipped", "the chart redis has to be fetched"),
        status("helm:b", "skipped", "the chart redis has to be fetched"),
        status("kustomize:c", "failed", "accumulating resources:\nno such file: ../base"),
    )
    assert text.write(report(*findings, targets=targets)) == lines(
        """
        error[service-target-number] charts/backend/values.yaml:14:15
          First.

          12 |   # the port that clients use
          13 |   port: 80
          14 |   targetPort: 8081
             |               ^^^^

          fix (proven by rendering again): set targetPort to 8080
            -   targetPort: 8081
            +   targetPort: 8080

        warning[service-target-number] charts/backend/values.yaml:7:16 (best guess, not proven)
          Second.

          7 | containerPort: 8080
            |                ^^^^

          note: Deployment/backend-v1 declares 8080 here: Deployment/backend-v1 spec.template.spec.containers[0].ports[0].containerPort
          note: Deployment/backend-v1 declares 8080 here: charts/backend/values.yaml:14:15 (best guess)
          in 7 targets: helm:charts/backend?values=values-a.yaml, helm:charts/backend?values=values-b.yaml, helm:charts/backend?values=values-c.yaml and 4 more
          already in the base

        note[service-target-number] Service/backend-v1 spec.ports[0].targetPort (the line to edit is unknown)
          Third.
          already in the base

        error[service-target-number] helm:charts/backend?values=values-a.yaml (the line to edit is unknown)
          Fourth.

        Not checked:
          failed kustomize:c
              accumulating resources:
              no such file: ../base
          skipped helm:a, helm:b
              the chart redis has to be fetched

        2 errors, 1 warning, 1 note in 4 targets (2 skipped, 1 failed), 2 introduced since the base
        Next: `portproof fix` prints the proven fix, `portproof fix --write` applies it.
        """
    )


def test_a_fix_elsewhere_and_what_else_it_changes() -> None:
    ingress = ResourceKey("networking.k8s.io/v1", "Ingress", "default", "shop")
    fix = fix_in(
        "charts/backend/values-prod.yaml",
        7,
        16,
        "8080",
        "8081",
        effects=(
            Effect(SERVICE, FIELD, 8081, 8080, intended=True),
            Effect(ingress, "spec.rules[0].http.paths[0].backend.service.port.number", 8081, 8080),
            Effect(DEPLOYMENT, "spec.template.metadata.annotations.port", None, "8080"),
        ),
    )
    assert text.write(report(result(message="M.", fix=fix, location=None))) == lines(
        """
        error[service-target-number] Service/backend-v1 spec.ports[0].targetPort (the line to edit is unknown)
          M.
          fix (proven by rendering again): change 8080 to 8081
            charts/backend/values-prod.yaml:7
            - containerPort: 8080
            + containerPort: 8081
            also changes: Ingress/shop spec.rules[0].http.paths[0].backend.service.port.number: 8081 -> 8080, Deployment/backend-v1 spec.template.metadata.annotations.port: nothing -> 8080

        1 error in 1 target
        Next: `portproof fix` prints the proven fix, `portproof fix --write` applies it.
        """
    )


def test_an_unsafe_fix_is_words_with_the_reasons() -> None:
    more = Effect(DEPLOYMENT, "spec.template.spec.containers[0].env[0].value", "8080", "8081")
    risky = replace(UNSAFE, effects=(*UNSAFE.effects, more))
    assert text.write(report(result(message="M.", fix=risky, location=None))) == lines(
        """
        error[service-target-number] Service/backend-v1 spec.ports[0].targetPort (the line to edit is unknown)
          M.
          unsafe: set containerPort to 8081 (charts/backend/values.yaml:7)
            nothing tells the program of Deployment/backend-v1 to listen on 8081
            also changes: Deployment/backend-v1 spec.template.spec.containers[0].env[0].value: 8080 -> 8081

        1 error in 1 target
        Next: no fix is safe; `portproof fix --unsafe` prints those that need a second look.
        """
    )
    both = text.write(report(result(message="M.", fix=FIX, alternatives=(risky,), location=None)))
    assert "  unsafe: set containerPort to 8081" in both
    assert both.endswith("Next: `portproof fix` prints the proven fix, `portproof fix --write` applies it.\n")


def test_without_a_fix_the_page_is_the_next_step() -> None:
    assert text.write(report(result())).endswith(
        "1 error in 1 target\n"
        "Next: `portproof explain service-target-number` explains the rule and how to fix it.\n"
    )


def test_a_failure_that_a_finding_tells_about_is_not_told_twice() -> None:
    failed = status("helm:a", "failed", "template: a long story")
    finding = result(
        rule="render-failed", message="A long story.", targets=("helm:a",), resource=None, location=None
    )
    assert "Not checked:\n  failed helm:a\n      see render-failed above\n" in text.write(
        report(finding, targets=(failed,))
    )


def test_many_reasons_are_counted() -> None:
    targets = tuple(status(f"helm:{number:02}", "skipped", f"reason {number}") for number in range(13))
    written = text.write(report(targets=targets))
    assert written.count("skipped helm:") == 10
    assert "  … and 3 more reasons; `portproof targets` lists every target\n" in written


def test_many_findings_are_all_there() -> None:
    fixes = [replace(FIX, edits=(replace(FIX.edits[0], path=f"{number}.yaml"),)) for number in range(300)]
    written = text.write(report(*(result(fix=one) for one in fixes)))
    assert written.count("error[service-target-number]") == 300
    assert "300 errors in 1 target\nNext: `portproof fix` prints the 300 proven fixes," in written


HOSTILE = "\x1b[31m::error::x\r##[add-mask]\u202e`</details>`\ud800"


def hostile_report() -> Report:
    path = f"charts/{HOSTILE}/values.yaml"
    fix = replace(FIX, description=HOSTILE, effects=(Effect(SERVICE, HOSTILE, HOSTILE, HOSTILE),))
    finding = result(
        rule="service-target-number",
        message=f"::error::{HOSTILE}\n::error::again\n  ##[error]",
        resource=ResourceKey("v1", "Service", "default", HOSTILE),
        field=HOSTILE,
        location=place(path=path, line=1, column=3),
        related=(replace(RELATED, message=HOSTILE, location=None),),
        targets=(f"helm:{HOSTILE}", "::stop-commands::x"),
        fix=fix,
        alternatives=(fix,),
    )
    return report(
        finding,
        replace(finding, location=None),
        targets=(status(f"helm:{HOSTILE}", "skipped", f"::error::{HOSTILE}"),),
        lines={path: {1: f"a {HOSTILE} b"}},
    )


def test_hostile_names_stay_data() -> None:
    written = text.write(hostile_report())
    assert all(line.isprintable() for line in written.split("\n"))
    assert not any(line.strip().startswith("::") for line in written.split("\n"))
    assert "##[" not in written
    assert (
        r"""
  : :error::\x1b[31m::error::x
  ## [add-mask]\u202e`</details>`\ud800
  : :error::again
    ## [error]

  1 | a \x1b[31m::error::x\x0d## [add-mask]\u202e`</details>`\ud800 b
    |   ^^^^^^^

"""
        in written
    )


@settings(deadline=None)
@given(st.text(), st.text())
def test_no_text_gets_through_unescaped(name: str, message: str) -> None:
    resource = replace(SERVICE, name=name)
    finding = result(
        resource=resource, message=message, location=None, related=(replace(RELATED, message=name),)
    )
    written = text.write(report(finding, targets=(status(f"helm:{name}", "skipped", message),)))
    for line in written.split("\n"):
        assert not line.lstrip().startswith("::")
        assert "##[" not in line
        assert all(character.isprintable() or character.isspace() for character in line)
        assert "\x1b" not in line
        line.encode()


def source(line: str, **where: Any) -> list[str]:
    """The excerpt of one line, and its underline."""
    written = text.write(
        report(result(message="M.", location=place(line=1, **where)), lines={VALUES: {1: line}})
    )
    return written.split("\n")[3:5]


@pytest.mark.parametrize(
    ("line", "where", "expected"),
    [
        ("port: 8081\r", {"column": 7}, ["  1 | port: 8081", "    |       ^^^^"]),
        ("\tport:\t8081", {"column": 8}, ["  1 |     port:   8081", "    |             ^^^^"]),
        ("端口: 8081 # é", {"column": 5}, ["  1 | 端口: 8081 # é", "    |       ^^^^"]),
        ("e\u0301: 端口", {"column": 5, "width": 2}, ["  1 | e\u0301: 端口", "    |    ^^^^"]),
        ("\x07: 8081", {"column": 4}, ["  1 | \\x07: 8081", "    |       ^^^^"]),
        ("port: ", {"column": 7, "width": 0}, ["  1 | port:", "    |       ^"]),
        ("##[x]: 8081", {"column": 8}, ["  1 | ## [x]: 8081", "    |         ^^^^"]),
        ("gone", {"column": 70}, ["  1 | gone", "    |     ^"]),
        ("", {"column": 1}, ["  1 |", "    | ^"]),
    ],
)
def test_the_underline_is_under_the_place(line: str, where: dict[str, int], expected: list[str]) -> None:
    assert source(line, **where) == expected


def test_a_place_of_several_lines_is_underlined_to_the_end_of_the_first() -> None:
    location = replace(place(line=10, column=3), end_line=11, end_column=5)
    written = text.write(report(result(location=location)))
    assert "  10 |   name: backend-v1\n     |   ^^^^^^^^^^^^^^^^\n  11 |   type: ClusterIP\n" in written


@settings(deadline=None)
@given(st.text(st.sampled_from("ab 中\t\x07"), max_size=300), st.data())
def test_long_lines_are_cut_around_the_place(line: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(line)))
    end = data.draw(st.integers(start, min(len(line), start + 5)))
    place = f"{line[:start]}8081{line[end:]}"
    cut = clip(place, start + 1, start + 5)
    assert len(cut.text) <= 110
    assert "8081" in cut.text
    if place.isascii() and place.isprintable():
        assert cut.text[cut.mark[0] : sum(cut.mark)] == "8081"


def test_the_cut_ends_are_marked() -> None:
    cut = clip("x" * 300 + " 8081 " + "y" * 300, 302, 306)
    assert cut.text == "…" + "x" * 35 + " 8081 " + "y" * 67 + "…"
    assert cut.mark == (37, 4)


def test_a_file_that_was_not_read_has_no_excerpt() -> None:
    written = text.write(report(result(message="M."), lines={}))
    assert written.startswith(
        "error[service-target-number] charts/backend/values.yaml:14:15\n  M.\n\n1 error"
    )


def test_a_long_diff_is_capped() -> None:
    fixed = replace(
        FIX, patch="\n".join(["--- a/x", "+++ b/x", "@@ -1,20 +1,20 @@", *["-a"] * 20, *["+b"] * 20, ""])
    )
    written = text.write(report(result(fix=fixed)))
    assert "    … and 48 more lines (`portproof fix` prints them all)\n" in written


def test_whatever_is_named_stays_data_and_is_short() -> None:
    """In places that the report of the hostile names leaves empty: other ends with a place, further fixes, what was asked for."""
    evil = f"{HOSTILE}\n::error::{'x' * 3_000}".replace(
        "\ud800", "\udcff"
    )  # no path of a disk has such a half
    fix = replace(
        FIX,
        edits=(replace(FIX.edits[0], path=evil),),
        effects=(Effect(SERVICE, "f", evil, evil),),
        patch=unified(evil, f"a: 1 # {evil}\n", f"a: 2 # {evil}\n"),
    )
    finding = result(
        rule=HOSTILE,
        message=evil,
        location=place(path=evil),
        targets=(evil, evil),
        related=(replace(RELATED, message=evil, location=place(path=HOSTILE)),),
        fix=fix,
        alternatives=(fix,),
    )
    paths = (HOSTILE, evil)
    for one in (report(finding), report(replace(finding, fix=None)), report(targets=(), paths=paths)):
        written = text.write(one)
        assert all(line.isprintable() for line in written.split("\n"))
        assert runner.obeyed(written) == []
    long = replace(RELATED, message="word " * 200)
    fix = replace(FIX, effects=fix.effects)
    many = result(message="word " * 2_000, location=None, related=(long,), fix=fix)
    written = text.write(report(many))
    assert written.count("word") == 2_000 / 5 + 300 / 5
    assert max(map(len, written.split("\n"))) < 500


LONG = "Service/web sends `portproof check --base origin/main charts/backend` to 端口端口端口端口 " * 4


@pytest.mark.parametrize("width", [40, 60, 80, 100])
@pytest.mark.parametrize("color", [False, True])
def test_on_a_terminal_no_line_of_prose_is_wider_than_it(width: int, color: bool) -> None:
    words = "one more word and another "
    fix = replace(UNSAFE, description=words * 5, risks=(("program", words * 8),))
    finding = result(
        message=LONG.replace("`", "'"),
        related=(replace(RELATED, message=words * 6),),
        targets=tuple(f"helm:charts/{number}" for number in range(9)),
        fix=replace(FIX, description=words * 6),
        alternatives=(fix,),
    )
    skipped = status("helm:a", "skipped", words * 9)
    made = report(finding, replace(finding, fix=None), targets=(skipped,))
    written = text.write(made, color=color, width=width)
    wide = [line for line in map(click.unstyle, written.splitlines()) if columns(line) > width]
    # What has to be copied stays whole, and a line of the source is cut elsewhere.
    assert [line for line in wide if not re.match(r"\s*error\[|\s*`portproof fix|\s+[-+0-9|]", line)] == []
    flat = text.write(made, color=color)
    assert " ".join(written.split()) == " ".join(flat.split())
    assert max(map(columns, flat.splitlines())) > width


def test_a_command_is_not_broken_by_a_line_end() -> None:
    command = "`portproof fix --base origin/main charts/backend`"
    lines = wrapped(f"Next: run {command}, then look.", 40, "  ", "    ")
    assert lines == ["  Next: run", f"    {command},", "    then look."]


@settings(deadline=None)
@given(st.text(), st.integers(min_value=1, max_value=60))
def test_wrapping_loses_no_word(line: str, width: int) -> None:
    found = wrapped(line, width, "", "")
    assert "".join(found).replace(" ", "").replace("\t", "") == line.replace(" ", "").replace("\t", "")
