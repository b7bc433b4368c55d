"""A repository that is made to have thousands of findings: they are told, and the rest is bounded in its number."""

from __future__ import annotations

from pathlib import Path

import pytest

from portproof import pipeline
from portproof.report.model import Report
from portproof.session import Request, report_of, session
from portproof.trace import probe

pytestmark = pytest.mark.slow

WEB = """\
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: shop}
spec: {selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: v1
kind: Pod
metadata: {name: web, labels: {app: web}}
spec: {containers: [{name: web, ports: [{containerPort: 80}]}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: callers}
data:
  urls: |
"""


def checked(folder: Path, count: int) -> Report:
    """A ConfigMap with so many addresses of ports that are not there, of two Services: few enough of each to be mistakes."""
    lines = (f"    http://{('web', 'shop')[one % 2]}:{9000 + one}/\n" for one in range(count))
    (folder / "all.yaml").write_text(WEB + "".join(lines))
    with session(Request(paths=(str(folder),), root=folder)) as run:
        return report_of(run)


def test_a_fix_is_proven_for_as_many_as_there_is_room_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert [one.fix is not None for one in checked(tmp_path, 6).results] == [True] * 6
    monkeypatch.setattr(pipeline, "MAX_JUDGED", 6 * 4)  # each of six proofs looks through six findings
    found = checked(tmp_path, 6).results
    assert [one.fix is not None for one in found] == [True] * 4 + [False] * 2
    assert all(one.location for one in found)


def test_a_proof_counts_by_the_resources_that_it_looks_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "MAX_READ", 4 * 2)  # each proof looks through four resources
    found = checked(tmp_path, 6).results
    assert [one.fix is not None for one in found] == [True] * 2 + [False] * 4


def test_of_one_text_so_many_numbers_are_traced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "MAX_PIECES", 3)
    found = checked(tmp_path, 5).results
    assert {one.value for one in found if one.location} == {9000, 9001, 9002}
    assert len(found) == 5
