"""A first configuration file for a tree."""

# ruff: noqa: PLC0415

from __future__ import annotations

from pathlib import Path

from portproof import config as configuration
from portproof.discover.model import HelmTarget
from portproof.session.prepared import prepare, say_notes
from portproof.session.programs import Programs, engine_of
from portproof.session.request import Request


def starter(request: Request) -> tuple[Path, str]:
    """Where a configuration file belongs, and one for what there is; values files that were found by their places are tried."""
    ready = prepare(request)
    say_notes(ready)
    tried = [one for one in ready.targets if isinstance(one, HelmTarget) and one.inferred]
    with engine_of(request, ready.config, Programs(ready.config, request.environ)) as engine:
        answers = {one.id: engine.render(one, ready.tree) for one in tried}
    from portproof.environment import is_collection, named_environments
    from portproof.render.model import NotRendered, RenderFailure
    from portproof.report import starter as proposal

    failed = {name: one.message for name, one in answers.items() if isinstance(one, RenderFailure)}
    failed |= {name: one.reason for name, one in answers.items() if isinstance(one, NotRendered)}
    everything = ready.discovery.everything
    groups = named_environments(ready.targets, guess=not is_collection(everything))
    return ready.tree.root / configuration.NAMES[0], proposal.starter(ready.discovery, failed, groups)
