"""A check from the first render to the last, and the report of it.

The first renders need half of the program. The other half (rules, graph, tracing, reports) is imported by the functions
that use it, so that it loads while those renders run.
"""

# ruff: noqa: PLC0415

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from msgspec import Struct

from portproof import __version__
from portproof.children import discover_all
from portproof.console import progress
from portproof.discover.model import STREAM, Discovery, HelmTarget
from portproof.render.cache import remember
from portproof.replacing import replace
from portproof.session.left_out import known_findings, suppression_inputs, unchecked_targets
from portproof.session.prepared import Prepared, prepare, say_notes
from portproof.session.programs import Programs, engine_of
from portproof.session.request import Request
from portproof.session.sharing import Shared, grown, shard_of, shared, tries_values
from portproof.source import RelPath
from portproof.timings import Stage, timed

if TYPE_CHECKING:
    from portproof.compare import Compared, Introduced
    from portproof.fix import Prover
    from portproof.outcome import FindingGroup, Outcome
    from portproof.parallel import Progress
    from portproof.parts.model import Part
    from portproof.pipeline import Plan
    from portproof.render.engine import Engine
    from portproof.render.model import Renderer
    from portproof.report.fixes import Fixes
    from portproof.report.model import Report, ToolVersions
    from portproof.revision import Comparison
    from portproof.rules.evaluate import RuleSet
    from portproof.suppressions.collected import Baseline
    from portproof.whatif.scope import Scope


class Session(Struct, frozen=True):
    """A run while its renderer lives, with all that `render` remembers; `folder` is for what is laid out of a base.

    `programs` are the tools in use. `is_certain` says whether another run of the same input would say the same.
    With a `share` it is a run over the targets of a shard.
    """

    ready: Prepared
    rule_set: RuleSet
    outcome: Outcome
    prover: Prover
    introduced: Introduced | None
    tools: ToolVersions
    compared: Compared | None
    render: Renderer
    folder: Path
    programs: Programs
    is_certain: Callable[[], bool]
    request: Request
    share: Shared | None = None

    @property
    def news(self) -> tuple[FindingGroup, ...]:
        """The findings that the base does not have; all of them where nothing was compared."""
        if self.introduced is None:
            return self.outcome.merged
        return tuple(one for one in self.outcome.merged if self.introduced.finding(one.members))


@contextmanager
def session(request: Request, comparison: Comparison | None = None) -> Iterator[Session]:
    """Check everything; the renderer lives until the end of the block."""
    with timed(Stage.DISCOVERY):
        ready = prepare(request, comparison)
        share = shared(request, ready)
    say_notes(ready)
    first = ready.targets if share is None else share.targets
    known = known_findings(request, ready)
    programs = Programs(ready.config, request.environ)
    kinds = {target.kind for target in first}
    # A missing tool is told before anything is rendered; a repository without charts needs no helm.
    versions = (
        programs.helm.version if "helm" in kinds else None,
        programs.kustomize.version if "kustomize" in kinds else None,
    )
    with (
        engine_of(request, ready.config, programs) as engine,
        progress(quiet=request.flags.quiet) as told,
        TemporaryDirectory(prefix="portproof-base-", ignore_cleanup_errors=True) as base,
    ):
        engine.prefetch(first, ready.tree, ready.config.jobs, ready.rendered)
        from portproof.report.model import ToolVersions

        plan = _plan(request, ready, known, engine.render)
        check = partial(_checked, request, ready, Path(base), told)
        found = check(plan) if share is None else grown(request, ready, share, plan, check)
        tools = ToolVersions(__version__, *versions)
        yield Session(
            ready,
            _rules(request, ready),
            found.outcome,
            found.prover,
            found.introduced,
            tools,
            found.compared,
            found.plan.render,
            Path(base),
            programs,
            partial(_is_certain, ready, engine),
            request,
            share,
        )


def _is_certain(ready: Prepared, engine: Engine) -> bool:
    """Whether nothing that was looked at may be something else tomorrow."""
    return ready.is_certain and engine.is_certain


class _Checked(Struct, frozen=True):
    """What a plan came to."""

    plan: Plan
    outcome: Outcome
    prover: Prover
    compared: Compared | None

    @property
    def introduced(self) -> Introduced | None:
        """Which findings are new, where a base was compared with."""
        from portproof import compare

        return None if self.compared is None else compare.introduced(self.compared, self.outcome)

    @property
    def loses_ports(self) -> bool:
        """Whether a Service lost a port that it had in the base."""
        if self.compared is None:
            return False
        return bool(self.compared.survey.environment.lost_since(self.compared.base.interfaces))


def _checked(request: Request, ready: Prepared, base: Path, told: Progress, plan: Plan) -> _Checked:
    """Check the targets of a plan, against the base if there is one, which is laid out in a folder."""
    from portproof import compare, pipeline

    if ready.comparison is None:
        compared, survey = None, pipeline.survey(plan, told)
    else:
        compared = compare.survey(ready.comparison, plan, ready.config, base, told)
        plan, survey = compared.plan, compared.survey
    prover = pipeline.prover_of(plan, survey)
    lost = unchecked_targets(request, ready, compared)
    abroad = () if compared is None else compared.abroad
    further = pipeline.Further(lost, abroad)
    outcome = pipeline.finish(plan, survey, prover, further, told)
    scope = _scope(request, ready, compared)
    if scope is not None:
        from portproof.whatif.explore import explored

        outcome = explored(plan, survey, _rules(request, ready), outcome, scope)
    return _Checked(plan, outcome, prover, compared)


def _plan(request: Request, ready: Prepared, known: Baseline | None, render: Renderer) -> Plan:
    """What to do, with one memory of what has been rendered for all of it."""
    from portproof.discover.variants import defaults
    from portproof.doubts.judged import Doubts
    from portproof.pipeline import Plan
    from portproof.rules.base import Trait

    return Plan(
        tree=ready.tree,
        targets=ready.targets,
        everything=ready.discovery.everything,
        rule_set=_asked(ready).without(Trait.WHAT_IF),
        render=remember(render),
        fresh=render,
        jobs=ready.config.jobs,
        ignores=suppression_inputs(request, ready, known),
        whole=_whole(request, ready, render),
        environments=ready.config.environments,
        complete=ready.config.complete,
        bases=ready.discovery.bases,
        defaults=defaults(ready.targets),
        doubt=Doubts(ready.discovery.describes, ready.discovery.deployed, _installed(ready)).reason,
    )


def _installed(ready: Prepared) -> frozenset[RelPath]:
    """The charts that a description installs with values of its own."""
    return frozenset(
        one.chart
        for one in ready.discovery.everything
        if isinstance(one, HelmTarget) and one.install is not None and one.values
    )


def _asked(ready: Prepared) -> RuleSet:
    """The rules that the configuration chooses, with what is known of its images and policies."""
    from portproof.builds.images import Builds
    from portproof.discover.policies import Policies
    from portproof.rules.rule_set import selected_rules

    images, policies = Builds(ready.tree, ready.discovery.builders), Policies(ready.tree)
    return replace(selected_rules(ready.config), images=images, policies=policies)


def _rules(request: Request, ready: Prepared) -> RuleSet:
    """The rules that are asked of anything in a run."""
    from portproof.rules.base import Trait

    chosen = _asked(ready)
    return chosen if tries_values(request, ready) else chosen.without(Trait.WHAT_IF)


def _scope(request: Request, ready: Prepared, compared: Compared | None) -> Scope | None:
    """For which charts other values are tried; None for none."""
    if not tries_values(request, ready):
        return None
    from portproof.whatif.scope import Scope

    if compared is None:
        return Scope()
    changed = None if ready.config.what_if else compared.comparison.changed
    return Scope(compared.revision.as_it_was, changed)


def _whole(request: Request, ready: Prepared, render: Renderer) -> Callable[[], Discovery] | None:
    """All that there is to render in the repository, found when it is asked for; None when a part is to be checked."""
    if ready.comparison is not None or request.flags.select or ready.paths == (STREAM,):
        return None
    if ready.paths == (".",):
        return lambda: ready.discovery
    return lambda: discover_all(ready.tree, (".",), ready.config, render)


def report_of(run: Session, *, together: bool = False) -> Report:
    """The report of a run. With `together` it says which fixes of what is new exclude each other: while the renderer lives.

    That of a shard has besides what `portproof merge` needs.
    """
    from portproof.parts.joining import joined

    part = _part_of(run, together=together)
    report = joined((part,), run.rule_set.rules)
    if run.request.flags.show_rendered:
        from portproof.rendered_objects import rendered_objects

        report = replace(
            report, rendered=rendered_objects(run.outcome, lambda target: run.render(target, run.ready.tree))
        )
    if run.share is None:
        return report
    from portproof.parts.shard import KEY

    shard = shard_of(run.request, run.ready, run.share, part)
    return replace(report, further={KEY: shard.data()})


def _part_of(run: Session, *, together: bool = False) -> Part:
    """What a run has found: the report by itself, or a part of one; `together` as for `report_of`."""
    from portproof import assemble
    from portproof.parts.narrowing import without
    from portproof.together import exclusions

    ready = run.ready
    found = (
        exclusions(run.news, run.prover.prove, ready.discovery.everything, ready.config.jobs)
        if together
        else {}
    )
    asked = assemble.Assignment(ready.tree, ready.paths, ready.discovery, run.rule_set, run.tools, found)
    if run.share is None:
        return assemble.part(asked, run.outcome, run.introduced)
    every = tuple(one for shard in run.share.cut.shards for one in shard)
    part = assemble.part(replace(asked, targets=every), run.outcome, run.introduced)
    return without(part, run.share.others)


def combined_fixes(run: Session) -> Fixes:
    """The safe fixes of all findings as one patch, itself proven. Only while the renderer lives."""
    from portproof import assemble
    from portproof.combined import combine

    return assemble.fixes(run.outcome, combine(run.outcome, run.prover))
