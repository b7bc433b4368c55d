"""Where ports lead: the map of a tree, and what a change does to ports."""

# ruff: noqa: PLC0415

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from typing import TYPE_CHECKING

from portproof.errors import UsageError
from portproof.render.cache import remember
from portproof.replacing import replace
from portproof.session.prepared import Prepared, prepare, say_notes
from portproof.session.programs import Programs, engine_of
from portproof.session.request import Request
from portproof.source import Tree
from portproof.timings import Stage, timed

if TYPE_CHECKING:
    from portproof.portmap.model import PortMap
    from portproof.report.port_diff import PortDiff
    from portproof.revision import Comparison
    from portproof.rules.evaluate import RuleSet
    from portproof.session.run import Session
    from portproof.sidebyside import Revisions


def port_map(
    request: Request,
    *,
    environment: str | None = None,
    release: str = "",
    namespace: str = "",
    places: bool = True,
) -> PortMap:
    """The port map of what is asked for, with or without the `places` of its numbers.

    `portmap.installed` says what `release` and `namespace` are for.
    """
    with timed(Stage.DISCOVERY):
        ready = prepare(request)
    say_notes(ready)
    if release or namespace:
        from portproof.portmap.installed import installed

        ready = replace(ready, targets=installed(ready.targets, environment, release, namespace))
    programs = Programs(ready.config, request.environ)
    with engine_of(request, ready.config, programs) as engine:
        engine.prefetch(ready.targets, ready.tree, ready.config.jobs, ready.rendered)
        from portproof.portmap.survey import Asked
        from portproof.portmap.survey import port_map as surveyed
        from portproof.rules.rule_set import references

        asked = Asked(
            ready.tree,
            ready.targets,
            ready.discovery.everything,
            references(ready.config),
            ready.config.environments,
            ready.config.jobs,
            places,
        )
        return surveyed(asked, remember(engine.render), engine.render_together)


def port_diff(request: Request) -> PortDiff:
    """What the change since the base of the request does to ports. Raises `UsageError` without a base."""
    if request.flags.base is None:
        raise UsageError(
            "diff needs a revision to compare with",
            next_step="Name one: `portproof diff --base origin/main`.",
        )
    with timed(Stage.DISCOVERY):
        ready = prepare(request)
    say_notes(ready)
    assert ready.comparison is not None  # noqa: S101 - the request has a base
    programs = Programs(ready.config, request.environ)
    with (
        engine_of(request, ready.config, programs) as engine,
        TemporaryDirectory(prefix="portproof-base-", ignore_cleanup_errors=True) as base,
    ):
        from portproof import sidebyside
        from portproof.rules.rule_set import selected_rules

        asked = _revisions(ready, ready.comparison, selected_rules(ready.config))
        return sidebyside.port_diff(asked, engine.render, _layouts(ready, ready.comparison, Path(base)))


def port_diff_of(run: Session, comparison: Comparison | None = None) -> PortDiff | None:
    """What the change does to ports, from what the run has rendered; only while the renderer lives.

    `comparison` is for a run that has none itself; without any there is nothing to say.
    """
    from portproof import sidebyside

    ready, compared = run.ready, run.compared
    given = comparison if compared is None else compared.comparison
    if given is None:
        return None
    interfaces = tuple(one.interface for one in run.outcome.checked if one.interface is not None)
    asked = _revisions(ready, given, run.rule_set)
    if compared is None:
        asked = replace(asked, others=interfaces)
        return sidebyside.port_diff(asked, run.render, _layouts(ready, given, run.folder))
    neighbours = compared.survey.neighbours
    asked = replace(asked, targets=compared.plan.targets, others=(*interfaces, *neighbours))
    return sidebyside.port_diff(asked, run.render, compared.revision.layouts())


def _revisions(ready: Prepared, comparison: Comparison, rule_set: RuleSet) -> Revisions:
    from portproof.sidebyside import Revisions

    found = ready.discovery
    return Revisions(
        comparison,
        ready.tree,
        ready.paths,
        ready.targets,
        found.skips,
        found.everything,
        ready.config,
        rule_set.rows,
    )


def _layouts(ready: Prepared, comparison: Comparison, folder: Path) -> Iterator[Callable[[], Tree]]:
    """The base as far as today's targets read it, as far as any target of today does, and all of it."""
    for targets in (ready.targets, ready.discovery.everything, None):
        whole = targets is None
        place = Path(mkdtemp(dir=folder))
        yield partial(comparison.base_tree, targets or (), ready.tree, place, whole=whole)
