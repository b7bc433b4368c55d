"""Which targets each shard has: what belongs together, about the same cost for each, the same on every machine."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from portproof import cut
from portproof.cut import Costs, Share
from portproof.discover.model import HelmTarget, KustomizeTarget, ManifestTarget, Target
from portproof.errors import UsageError
from portproof.source import Tree


def charts(count: int) -> list[Target]:
    return [HelmTarget(f"charts/c{number:04}") for number in range(count)]


def costs(targets: Sequence[Target], seed: int = 1) -> dict[str, float]:
    """Most are about alike, some are dear: as charts are."""
    chance = random.Random(seed)
    return {one.id: chance.lognormvariate(0, 0.7) for one in targets}


@pytest.mark.parametrize("total", [1, 2, 4, 8])
def test_the_dearest_shard_costs_little_more_than_the_mean(total: int) -> None:
    targets = charts(300)
    given = costs(targets)
    shards = cut.cut(targets, total, Costs(given), whole_charts=False).shards
    loads = [sum(given[one.id] for one in shard) for shard in shards]
    assert max(loads) <= 1.05 * sum(loads) / total
    assert sorted(one.id for shard in shards for one in shard) == [one.id for one in targets]


def test_a_chart_stays_whole_unless_it_is_too_large() -> None:
    values = [HelmTarget("charts/many", (f"charts/many/values-{number}.yaml",)) for number in range(6)]
    targets = [*charts(60), *values]
    alike = {one.id: 1.0 for one in targets}
    (shard,) = (
        one for one in cut.cut(targets, 4, Costs(alike), whole_charts=False).shards if values[0] in one
    )
    assert set(values) <= set(shard)
    apart = cut.cut(values, 2, Costs(alike), whole_charts=False).shards
    assert [len(one) for one in apart] == [3, 3]
    assert [len(one) for one in cut.cut(values, 2, Costs(alike), whole_charts=True).shards] == [6, 0]


def test_a_chart_with_findings_stays_whole_however_large_it_is() -> None:
    values = [HelmTarget("charts/many", (f"charts/many/values-{number}.yaml",)) for number in range(6)]
    known = Costs({one.id: 1.0 for one in values}, frozenset({values[3].id}))
    assert [len(one) for one in cut.cut(values, 2, known, whole_charts=False).shards] == [6, 0]


def test_overlays_of_one_base_and_alternatives_of_one_folder_stay_together() -> None:
    def overlay(name: str, base: str) -> Target:
        files = (f"{name}/kustomization.yaml", f"{base}/kustomization.yaml")
        return KustomizeTarget(name, files)

    pairs = [overlay(f"o{number}/{name}", f"b{number}") for number in range(8) for name in ("dev", "prod")]
    rivals = [ManifestTarget(path, (path,)) for path in ("deploy/a.yaml", "deploy/b.yaml", "deploy/c.yaml")]
    targets = sorted([*pairs, *rivals], key=lambda one: one.id)
    found = cut.cut(targets, 4, Costs({one.id: 1.0 for one in targets}), whole_charts=False)
    where = {one.id: number for number, shard in enumerate(found.shards) for one in shard}
    assert all(where[one.id] == where[other.id] for one, other in zip(pairs[::2], pairs[1::2], strict=True))
    assert len({where[one.id] for one in rivals}) == 1
    only = cut.cut(rivals, 3, Costs({one.id: 1.0 for one in rivals}), whole_charts=False)
    assert sorted(map(len, only.shards)) == [0, 0, 3]


def test_the_digest_tells_whether_two_cut_alike() -> None:
    targets = charts(20)
    one, same = (cut.cut(targets, 4, Costs(costs(targets)), whole_charts=False) for _ in range(2))
    assert one == same
    assert one.digest != cut.cut(targets, 4, Costs(costs(targets, seed=2)), whole_charts=False).digest
    assert one.digest != cut.cut(targets, 3, Costs(costs(targets)), whole_charts=False).digest
    assert one.of(Share(2, 4)) == one.shards[1]


def test_an_estimate_grows_with_what_is_read(tmp_path: Path) -> None:
    for name, size in (("a.yaml", 10), ("b.yaml", 100_000)):
        (tmp_path / name).write_text("#" * size)
    small, large = (ManifestTarget(".", files) for files in (("a.yaml",), ("a.yaml", "b.yaml")))
    found = [cut.estimated([one], Tree(tmp_path))[one.id] for one in (small, large)]
    assert 0 < found[0] < found[1]


def recorded(file: Path, *findings: Any, **seconds: float) -> Costs:
    targets = [{"id": id_, "seconds": one, "resources": 0} for id_, one in seconds.items()]
    file.write_text(json.dumps({"targets": targets, "findings": findings}))
    return cut.costs_in(file)


def test_recorded_seconds_stand_beside_estimates_of_what_is_new(tmp_path: Path) -> None:
    estimates = {"a": 1.0, "b": 1.0, "new": 3.0}
    known = recorded(tmp_path / "report.json", a=0.2, b=0.6, gone=9)
    assert cut.measured(estimates, known).seconds == pytest.approx({"a": 0.2, "b": 0.6, "new": 1.2})
    assert cut.measured(estimates, Costs({})).seconds == estimates


def test_findings_and_their_fixes_cost_renders(tmp_path: Path) -> None:
    found = {"targets": ["a", "b"], "fix": None, "alternatives": []}
    mended = {"targets": ["a"], "fix": {}, "alternatives": [{}]}
    costs = recorded(tmp_path / "report.json", found, mended, a=1.0, b=1.0, c=1.0)
    assert costs == Costs({"a": 1 + 3 + 2, "b": 1 + 3, "c": 1}, frozenset("ab"))


def test_what_was_skipped_has_the_estimate(tmp_path: Path) -> None:
    known = recorded(tmp_path / "report.json", a=0.5, skipped=0.0)
    assert cut.measured({"a": 1.0, "skipped": 2.0}, known).seconds == {"a": 0.5, "skipped": 1.0}


def test_manifests_cost_what_their_resources_do(tmp_path: Path) -> None:
    targets = [{"id": id_, "seconds": 0.0, "resources": size} for id_, size in (("a", 300), ("b", 100))]
    (tmp_path / "report.json").write_text(json.dumps({"targets": targets, "findings": []}))
    costs = cut.costs_in(tmp_path / "report.json")
    assert costs.seconds["a"] == pytest.approx(3 * costs.seconds["b"])


@pytest.mark.parametrize("text", ["", "{", "[]", '{"targets": [{"id": "a"}]}', '{"targets": 1}'])
def test_a_file_of_costs_that_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "costs.json").write_text(text)
    with pytest.raises(UsageError, match="not a JSON report"):
        cut.costs_in(tmp_path / "costs.json")
