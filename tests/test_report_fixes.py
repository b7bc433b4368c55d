"""The body of a pull request of fixes: what is changed and why, what is left, and nothing that a stranger wrote but code."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from portproof.replacing import replace
from portproof.report.fixes import BODY_LIMIT, Fixes, body
from portproof.report.links import SITE, Links
from portproof.report.model import Report
from portproof.rules.base import Severity
from tests.support import gfm
from tests.support.reports import FIX, INCIDENT, OTHER, RESULT, UNSAFE, report, result, status
from tests.test_report_text import HOSTILE, hostile_report

LINKS = Links("https://github.com/octo/shop", "1" * 40, log="https://github.com/octo/shop/actions/runs/7")
TAKEN = Fixes(FIX.patch, frozenset({FIX.id}), frozenset({RESULT.fingerprint}))


def left_of(found: Report, fixes: Fixes = TAKEN) -> str:
    return body(found, fixes).partition("### Not fixed here\n")[2]


def test_the_incident() -> None:
    expected = inspect.cleandoc(
        """
        This change fixes 1 finding of portproof. Each fix is proven: everything that reads the edited files was rendered again with it. The finding is gone, and no new one came.

        Each fix is safe, too: no number or name moves that a program, a caller or an operator relies on.

        ### `Service/backend-v1`: the readiness probe uses `8080`, and nothing mentions `8081`

        `Service/backend-v1` sends port `80` to `8081`, but `Deployment/backend-v1` declares only `8080` (http).

        * `charts/backend/values.yaml:14`: `Service/backend-v1 spec.ports[0].targetPort` is `8081`
        * `charts/backend/values.yaml:7`: `Deployment/backend-v1` declares `8080` here

        Fix at `charts/backend/values.yaml:14`: set targetPort to `8080`. Rendered again with the fix: `Service/backend-v1` reaches `Deployment/backend-v1` on `8080`; nothing else changed.

        Rule `service-target-number`: `portproof explain service-target-number` explains it.
        """
    )
    assert body(INCIDENT, TAKEN) == expected + "\n\n"


def test_a_fix_that_several_findings_ask_for_is_told_once() -> None:
    fix = replace(FIX, cures=("a", "b"))
    found = report(*(result(fingerprint=one, fix=fix) for one in "ab"), result(fingerprint="c", fix=None))
    fixes = Fixes(FIX.patch, frozenset({FIX.id}), frozenset("ab"))
    written = body(found, fixes)
    assert written.startswith("This change fixes 2 findings of portproof.")
    assert written.count("set targetPort to") == 1
    assert "The same edit also fixes:\n\n* `Service/backend-v1`: the readiness probe" in written
    assert "All fixes together" not in written


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"fix": None}, "No fix is proven."),
        ({"fix": OTHER}, "Its fix does not go together with the others."),
        (
            {"fix": UNSAFE},
            "The fix is unsafe: set containerPort to `8081`. Nothing tells the program of `Deployment/backend-v1` to listen on `8081`.",
        ),
        ({"fix": FIX}, "The same edit does not cure it in every target."),
    ],
)
def test_what_is_left_says_why(changes: dict[str, Any], why: str) -> None:
    told = left_of(report(RESULT, result(fingerprint="other", severity=Severity.WARNING, **changes)))
    assert f"| `charts/backend/values.yaml:14` | {why} |\n" in told
    assert told.count("| warning |") == 1
    assert "| error |" not in told


def test_a_target_that_could_not_be_checked_is_said() -> None:
    found = report(
        RESULT, targets=(status(), status("helm:a", "failed", "no"), status("helm:b", "skipped", "no"))
    )
    assert "2 targets could not be checked: `helm:a`, `helm:b`.\n" in body(found, TAKEN)


def test_nothing_to_apply_is_said() -> None:
    assert body(report(), Fixes()) == (
        "There is nothing to apply. No findings: 1 target checked, 12 resources.\n\n"
    )
    assert "| No fix is proven. |" in left_of(report(result()), Fixes())


def test_places_and_the_job_are_links_where_they_are_known() -> None:
    written = body(INCIDENT, TAKEN, links=LINKS)
    assert f"({LINKS.web}/blob/{LINKS.head}/charts/backend/values.yaml#L14)" in written
    assert f"The [job summary]({LINKS.log}) has the whole report.\n" in written
    assert gfm.rendered(written).strange == []


def test_a_thousand_findings_stay_below_the_limit_and_are_counted() -> None:
    fixes = [replace(FIX, id=f"{number:016x}") for number in range(1_000)]
    found = [result(fingerprint=one.id, fix=one, message="x" * 2_000) for one in fixes]
    some = frozenset(one.id for one in fixes[:600])
    written = body(report(*found), Fixes(FIX.patch, some, some))
    assert len(written.encode()) <= BODY_LIMIT
    shown = written.count("### `")
    assert f"{600 - shown} more fixes of this change are not shown here." in written
    rows = written.count("| error |")
    assert f"{400 - rows} more findings are not fixed." in written
    assert shown
    assert rows


@pytest.mark.parametrize("taken", [True, False])
def test_hostile_names_stay_data(taken: bool) -> None:
    found = hostile_report()
    both = frozenset(one.fingerprint for one in found.results)
    written = body(found, Fixes("x", frozenset({FIX.id}), both) if taken else Fixes(), links=LINKS)
    page = gfm.rendered(written)
    gfm.is_harmless(page, links=rf"https://github\.com/octo/shop/.*|{SITE}.*")
    assert page.comments == []
    assert HOSTILE not in written
