"""A part of the map: one environment, or what is broken."""

from __future__ import annotations

from portproof.errors import UsageError
from portproof.portmap.model import PortMap, ServiceMap, Verdict
from portproof.replacing import replace


def selected(port_map: PortMap, environment: str | None, *, only_broken: bool) -> PortMap:
    """The map of that environment, or all; with `only_broken`, of Services whose ports or callers miss something.

    Raises `UsageError` for an environment that is not on the map.
    """
    targets = port_map.targets
    if environment is not None:
        known = sorted({one.environment for one in targets})
        targets = tuple(one for one in targets if one.environment == environment)
        if not targets:
            raise UsageError(
                f"no target is for the environment {environment!r}",
                next_step=f"Choose one of {', '.join(known) or 'none: nothing was found to render'}.",
            )
    if only_broken:
        targets = tuple(
            replace(one, services=tuple(each for each in one.services if is_broken(each)), loose=())
            for one in targets
        )
    return PortMap(targets)


def is_broken(service: ServiceMap) -> bool:
    """Whether one of its ports is not reached, or somebody asks for one that it lacks."""
    return bool(service.astray) or any(port.verdict is Verdict.MISSED for port in service.ports)
