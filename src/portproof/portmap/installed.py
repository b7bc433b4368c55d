"""What a target is called on the map, and what a command line says of how it is installed."""

from __future__ import annotations

from collections.abc import Sequence

from portproof.discover.model import HelmTarget, Target
from portproof.environment import environment_of
from portproof.errors import UsageError
from portproof.replacing import replace

_UNSTATED = "default"
"""The namespace of a chart of which no file says where it goes."""


def environment_name(target: Target) -> str:
    """What people call the environment of a target: the overlay's folder, the values file's word, ``defaults``."""
    known = environment_of(target)
    if known:
        return known
    if isinstance(target, HelmTarget):
        if target.install:
            return target.install.name
        return target.values[-1].rpartition("/")[2].rpartition(".")[0] if target.values else "defaults"
    return target.path.rpartition("/")[2] or target.path


def installed(
    targets: Sequence[Target], environment: str | None, release: str, namespace: str
) -> tuple[Target, ...]:
    """The targets, the one chart whose release no file states being `release` in `namespace`; empty: nothing is said.

    Charts that Argo CD or Flux installs wherever they are told to go to the namespace. Raises `UsageError` when it is
    not one chart, with one set of values, that the release can be.
    """
    if not release:
        return tuple(
            replace(one, namespace=namespace)
            if namespace and isinstance(one, HelmTarget) and one.install and one.namespace == _UNSTATED
            else one
            for one in targets
        )
    if not namespace:
        raise UsageError("--release needs --namespace", next_step="Say where the release is installed.")
    meant = [
        one
        for one in targets
        if isinstance(one, HelmTarget)
        and not one.install
        and one.namespace == _UNSTATED
        and environment in (None, environment_name(one))
    ]
    if not meant:
        raise UsageError(
            f"no chart can be the release {release!r}: every chart here has a release that a file states",
            next_step="Drop --release, or name the folder of the chart.",
        )
    if len(meant) > 1:
        raise UsageError(
            f"--release is one chart with one set of values, and {len(meant)} are meant: "
            f"{', '.join(one.id for one in meant[:5])}{', …' if len(meant) > 5 else ''}",
            next_step="Name the folder of the chart, and its values with --environment "
            f"({', '.join(sorted({environment_name(one) for one in meant})[:10])}).",
        )
    given = replace(meant[0], release=release, namespace=namespace)
    return tuple(given if one is meant[0] else one for one in targets)
