"""Which suggestions of a review go together: what is rendered, and what follows from the answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from portproof.fix import Proven
from portproof.report.causes import causes
from portproof.rules.evaluate import FindingKey
from portproof.session import Request, Session, report_of, session
from portproof.source import Edit
from portproof.together import MAX_PAIRS, exclusions
from tests.e2e.test_base import BAD, manifests

Prove = Callable[[Sequence[Edit], frozenset[FindingKey]], Proven | None]
GOES = Proven((), frozenset())


@contextmanager
def checked(folder: Path, **files: str) -> Iterator[Session]:
    """A run over these manifests."""
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text)
    with session(Request((str(folder),))) as run:
        yield run


def broken(count: int) -> dict[str, str]:
    return {f"n{number:02}": manifests(8081, name=f"app{number:02}") for number in range(count)}


def asked(run: Session, answer: Callable[[set[str]], bool]) -> tuple[list[set[str]], set[tuple[str, ...]]]:
    """What is rendered together, by the files that are edited, and what excludes each other."""
    tried: list[set[str]] = []

    def prove(edits: Sequence[Edit], cured: frozenset[FindingKey]) -> Proven | None:
        files = {edit.span.path[:3] for edit in edits}
        assert len(cured) == len(files)
        tried.append(files)
        return GOES if answer(files) else None

    found = exclusions(run.news, prove, run.ready.discovery.everything)
    pairs = {
        tuple(sorted((one[0].span.path[:3], other[0].span.path[:3])))
        for one, others in found.items()
        for other in others
    }
    return tried, pairs


def test_each_pair_of_one_target_and_all_of_them_are_rendered(tmp_path: Path) -> None:
    with checked(tmp_path, **broken(3)) as run:
        tried, pairs = asked(run, lambda _: True)
    assert tried == [{"n00", "n01"}, {"n00", "n02"}, {"n01", "n02"}, {"n00", "n01", "n02"}]
    assert pairs == set()


def test_a_pair_that_breaks_something_excludes_each_other(tmp_path: Path) -> None:
    with checked(tmp_path, **broken(3)) as run:
        tried, pairs = asked(run, lambda files: files != {"n00", "n02"})
    assert pairs == {("n00", "n02")}
    assert len(tried) == 3  # two are left, which have been tried


def test_what_breaks_only_when_all_are_there_excludes_the_last(tmp_path: Path) -> None:
    with checked(tmp_path, **broken(3)) as run:
        _, pairs = asked(run, lambda files: len(files) < 3)
    assert pairs == {("n00", "n02"), ("n01", "n02")}


def test_what_is_beyond_the_bound_is_left_to_the_proof_of_all(tmp_path: Path) -> None:
    with checked(tmp_path, **broken(9)) as run:
        tried, pairs = asked(run, lambda _: True)
        assert (len(tried), pairs) == (MAX_PAIRS + 1, set())
        assert len(tried[-1]) == 9
        tried, pairs = asked(run, lambda files: "n08" not in files or len(files) <= 2)
    assert pairs == {(f"n{number:02}", "n08") for number in range(8)}
    assert len(tried) == MAX_PAIRS + 1 + 9


def test_targets_that_have_no_file_in_common_are_not_rendered_together(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "all.yaml").write_text(BAD)
    with session(Request((str(tmp_path),))) as run:
        assert len(run.news) == 2
        assert asked(run, lambda _: False) == ([], set())


def test_really_rendered_they_go_together(tmp_path: Path) -> None:
    with checked(tmp_path, one=BAD, two=manifests(8081, name="other")) as run:
        report = report_of(run, together=True)
    assert [one.fix.excludes for one in report.results if one.fix] == [(), ()]
    assert all(one.fix and one.fix.cures == (one.fingerprint,) for one in report.results)


def test_one_edit_that_cures_two_says_so(tmp_path: Path) -> None:
    service, pods = manifests("http").replace("{name: http,", "{name: htpp,").split("---\n")
    both = "---\n".join((service, service.replace("name: web", "name: also"), pods))
    with checked(tmp_path, one=both) as run:
        report = report_of(run, together=True)
    first, second = report.results
    assert first.fix is not None
    assert second.fix is not None
    assert first.fix.id == second.fix.id
    assert set(first.fix.cures) == {first.fingerprint, second.fingerprint}
    assert len(causes(report.results)) == 1


@pytest.mark.parametrize("together", [True, False])
def test_a_report_that_nobody_clicks_in_does_not_ask(
    together: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    proven = 0
    with checked(tmp_path, **broken(2)) as run:
        prove = run.prover.prove

        def counted(edits: Sequence[Edit], cured: frozenset[FindingKey]) -> Proven | None:
            nonlocal proven
            proven += 1
            return prove(edits, cured)

        monkeypatch.setattr(run.prover, "prove", counted)
        report_of(run, together=together)
    assert proven == together
