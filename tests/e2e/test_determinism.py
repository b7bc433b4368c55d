"""The same input gives the same bytes, whatever `--jobs` is, although the shop renders differently each time."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection

import pytest

from tests.e2e.program import Process, Repository
from tests.e2e.test_shop_mutations import MUTATIONS

pytestmark = pytest.mark.slow

MakeRepository = Callable[[str], Repository]

BROKEN = (
    "chart-mounted-twice-from-a-file-address",
    "kustomize-base",
    "json6902-patch-of-the-container",
    "list-item",
)


MENDED = (
    "kustomize-base-of-the-second-application",
    "manifest-with-quotes",
    "json-manifest",
    "list-item",
)


def apply(names: Collection[str], repository: Repository) -> None:
    for mutation in MUTATIONS:
        if mutation.name in names:
            mutation.apply(repository)


def test_same_bytes(process: Process, make_repository: MakeRepository) -> None:
    repository = make_repository("shop")
    apply(BROKEN, repository)
    # one chart that fails and one that is skipped
    repository.write(
        {
            "charts/zz/Chart.yaml": "apiVersion: v2\nname: zz\nversion: 1.0.0\n",
            "charts/zz/templates/broken.yaml": "{{ .Values.a.b.c }}\n",
            "charts/yy/Chart.yaml": (
                "apiVersion: v2\nname: yy\nversion: 1.0.0\n"
                "dependencies: [{name: far, version: 1.0.0, repository: https://charts.example.com}]\n"
            ),
        }
    )
    runs = [process("check", "--offline", "--format", "json", "--jobs", jobs) for jobs in ("1", "4")]
    report = runs[0].report
    assert len(report["findings"]) == 5
    assert (report["summary"]["failed"], report["summary"]["skipped"]) == (1, 1)
    first, other = (_without_seconds(run.stdout) for run in runs)
    assert other == first


def test_same_patch(process: Process, make_repository: MakeRepository) -> None:
    repository = make_repository("shop")
    apply(MENDED, repository)
    first, second = (process("fix", "k8s/apps", "deploy", "--jobs", jobs) for jobs in ("1", "4"))
    assert first.stdout.count("\n@@") == 4
    assert first == second


def _without_seconds(text: str) -> str:
    replaced, count = re.subn(r'"seconds": ?[0-9.e-]+', '"seconds": 0', text)
    assert count
    return replaced
