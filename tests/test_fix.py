"""Proving fixes, with a renderer that needs no binary."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from portproof import pipeline, write
from portproof.combined import combine
from portproof.discover.model import HelmTarget, Target
from portproof.errors import ConflictError
from portproof.fix import Learnt, Prover
from portproof.outcome import FindingGroup, Outcome
from portproof.render.cache import remember
from portproof.replacing import replace
from portproof.rules import all_rules
from portproof.rules.evaluate import RuleSet
from portproof.source import Tree
from tests.support.fake_renderer import FakeRenderer, chart

TEMPLATE = """apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports: [{name: http, port: 80, targetPort: ${service}}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
        - name: web
          ports: [{name: http, containerPort: ${container}}]
          readinessProbe: {httpGet: {path: /, port: ${probe}}}
"""


def run(root: Path, *targets: Target, render: FakeRenderer | None = None) -> Outcome:
    return proven(root, *targets, render=render)[0]


def proven(root: Path, *targets: Target, render: FakeRenderer | None = None) -> tuple[Outcome, Prover]:
    fresh = render or FakeRenderer()
    plan = pipeline.Plan(Tree(root), targets, targets, RuleSet(all_rules()), remember(fresh), fresh, jobs=2)
    survey = pipeline.survey(plan)
    prover = pipeline.prover_of(plan, survey)
    return pipeline.finish(plan, survey, prover), prover


def incident(root: Path, values: str = "service: 8081\ncontainer: 8080\nprobe: http\n") -> HelmTarget:
    return chart(root, {"values.yaml": values, "templates/all.yaml": TEMPLATE})


def numbers(outcome: Outcome) -> FindingGroup:
    found = [one for one in outcome.merged if one.first.found.rule.id == "service-target-number"]
    assert len(found) == 1
    return found[0]


def test_both_ends_are_offered_the_reference_first(tmp_path: Path) -> None:
    fixes = numbers(run(tmp_path, incident(tmp_path))).proposals
    assert [one.description for one in fixes] == ["set targetPort to 8080", "set containerPort to 8081"]
    assert [(edit.old, edit.new) for one in fixes for edit in one.edits] == [
        ("8081", "8080"),
        ("8080", "8081"),
    ]
    (effect,) = fixes[0].effects
    assert (effect.before, effect.after) == (8081, 8080)


def test_a_fix_that_brings_a_new_finding_is_not_offered(tmp_path: Path) -> None:
    # The probe is a number: moving the container's port would leave the probe behind.
    outcome = run(tmp_path, incident(tmp_path, "service: 8081\ncontainer: 8080\nprobe: 8080\n"))
    offered = [one.description for one in numbers(outcome).proposals]
    assert offered[0] == "set targetPort to 8080"


def test_a_fix_that_breaks_another_target_is_not_offered(tmp_path: Path) -> None:
    default = incident(tmp_path)
    (tmp_path / "web/values-prod.yaml").write_text("container: 8081\n")
    prod = HelmTarget("web", ("web/values-prod.yaml",), release="web", mounts=default.mounts)
    # In prod the container does listen on 8081: the shared default may not simply follow the other environment.
    found = numbers(run(tmp_path, default, prod))
    # What is left would silence the finding; nothing says that the container listens there.
    assert found.fix is None
    assert [one.description for one in found.alternatives] == ["set containerPort to 8081"]
    assert not combine(*proven(tmp_path, default, prod)).edits


def test_equal_findings_of_several_targets_are_one(tmp_path: Path) -> None:
    default = incident(tmp_path)
    (tmp_path / "web/values-prod.yaml").write_text("unused: 1\n")
    prod = HelmTarget("web", ("web/values-prod.yaml",), release="web", mounts=default.mounts)
    merged = numbers(run(tmp_path, prod, default))
    assert [member.target.id for member in merged.members] == ["helm:web", "helm:web?values=values-prod.yaml"]
    assert merged.fix


def test_the_fingerprint_does_not_move_with_lines_or_values_files(tmp_path: Path) -> None:
    first = numbers(run(tmp_path, incident(tmp_path))).fingerprint
    incident(tmp_path, "# a comment\n\nservice: 8081\ncontainer: 8080\nprobe: http\n")
    (tmp_path / "web/values-a.yaml").write_text("unused: 1\n")
    target = HelmTarget("web", ("web/values-a.yaml",), release="web", mounts=incident(tmp_path).mounts)
    assert numbers(run(tmp_path, target)).fingerprint == first


def test_tracing_and_proving_one_finding_stays_within_three_extra_renders(tmp_path: Path) -> None:
    render = FakeRenderer()
    run(tmp_path, incident(tmp_path), render=render)
    assert len(render.asked) <= 1 + 3


def test_tracing_counts_findings_and_proving_those_that_are_one(tmp_path: Path) -> None:
    target = incident(tmp_path)
    targets = (target, replace(target, release="other"))
    said: list[tuple[str, int, int]] = []
    fresh = FakeRenderer()
    plan = pipeline.Plan(
        Tree(tmp_path), targets, targets, RuleSet(all_rules()), remember(fresh), fresh, jobs=2
    )
    survey = pipeline.survey(plan, lambda *step: said.append(step))
    outcome = pipeline.finish(
        plan, survey, pipeline.prover_of(plan, survey), progress=lambda *step: said.append(step)
    )
    each = len(survey.results[0].evaluation.found) if survey.results[0].evaluation else 0
    assert each
    assert said == [
        *(("rendered", done, 2) for done in (1, 2)),
        *(("traced", done * each, 2 * each) for done in (1, 2)),
        *(("proved", done, len(outcome.merged)) for done in range(1, len(outcome.merged) + 1)),
    ]


def test_combined_fixes_are_proven_together_and_written_once(tmp_path: Path) -> None:
    target = incident(tmp_path)
    combined = combine(*proven(tmp_path, target))
    assert write.write(combined.edits, combined.tree) == ["web/values.yaml"]
    assert (tmp_path / "web/values.yaml").read_text() == "service: 8080\ncontainer: 8080\nprobe: http\n"
    assert not run(tmp_path, target).merged


def test_a_file_that_changed_meanwhile_is_not_written(tmp_path: Path) -> None:
    combined = combine(*proven(tmp_path, incident(tmp_path)))
    (tmp_path / "web/values.yaml").write_text("service: 1\n")
    with pytest.raises(ConflictError, match="changed while"):
        write.write(combined.edits, combined.tree)
    assert (tmp_path / "web/values.yaml").read_text() == "service: 1\n"


def test_writing_keeps_mode_and_line_ends(tmp_path: Path) -> None:
    target = incident(tmp_path, "service: 8081\r\ncontainer: 8080\r\nprobe: http\r\n")
    (tmp_path / "web/values.yaml").chmod(0o640)
    combined = combine(*proven(tmp_path, target))
    write.write(combined.edits, combined.tree)
    assert (
        tmp_path / "web/values.yaml"
    ).read_bytes() == b"service: 8080\r\ncontainer: 8080\r\nprobe: http\r\n"
    assert (tmp_path / "web/values.yaml").stat().st_mode & 0o777 == 0o640


def test_a_link_is_not_written_through(tmp_path: Path) -> None:
    combined = combine(*proven(tmp_path, incident(tmp_path)))
    file = tmp_path / "web/values.yaml"
    file.rename(tmp_path / "elsewhere.yaml")
    file.symlink_to(tmp_path / "elsewhere.yaml")
    with pytest.raises(ConflictError, match="not a regular file"):
        write.write(combined.edits, combined.tree)


def test_what_two_threads_find_out_at_once_is_what_the_first_found(tmp_path: Path) -> None:
    target, together = incident(tmp_path), Barrier(2)
    learnt: Learnt[int] = Learnt({})

    def found(number: int) -> int:
        together.wait(10)
        return number

    with ThreadPoolExecutor(2) as pool:
        facts = set(pool.map(lambda number: learnt.get(target, lambda: found(number)), (1, 2)))
    assert len(facts) == 1
    assert learnt.get(target, lambda: 3) == learnt.known(target) == facts.pop()
