"""What leaves findings out of a run: ignores and the baseline; and what a change takes out of the check."""

# ruff: noqa: PLC0415

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from portproof import config as configuration
from portproof.errors import ConfigError
from portproof.rules.vocabulary import vocabulary
from portproof.session.prepared import Prepared
from portproof.session.request import Request

if TYPE_CHECKING:
    from portproof.compare import Compared
    from portproof.rules.run.target_unchecked import UncheckedTarget
    from portproof.suppressions.collected import Baseline, SuppressionInputs
    from portproof.unchecked import Excludes


def suppression_inputs(request: Request, ready: Prepared, known: Baseline | None) -> SuppressionInputs:
    """What leaves findings out before anything is rendered."""
    from portproof.suppressions.collected import Baseline, SuppressionInputs
    from portproof.suppressions.entries import entries

    # A configuration that the caller has read may be another revision's: its lines are not those of the tree.
    path = None
    if request.file is None and ready.file.path is not None:
        folder = Path.cwd() if request.flags.config else ready.tree.root
        path = ready.path_of(folder / ready.file.path)
    learn = bool(request.flags.write_baseline)
    return SuppressionInputs(entries(ready.config.ignores, path), known or Baseline(), learn)


def known_findings(request: Request, ready: Prepared) -> Baseline | None:
    """The known findings. A baseline that is about to be written begins with none."""
    name = ready.config.baseline
    if not name or request.flags.write_baseline:
        return None
    from portproof.suppressions import baseline

    place = Path(name).absolute() if request.flags.baseline else ready.tree.root / name
    if not place.is_file():
        key = (
            "--baseline"
            if request.flags.baseline
            else f"{ready.file.path}:{ready.file.lines['baseline']}: baseline"
        )
        raise ConfigError(
            f"{key}: {name}: no such file", next_step=f"Write it: `portproof check --write-baseline {name}`."
        )
    if not request.flags.baseline and not place.resolve().is_relative_to(ready.tree.root.resolve()):
        raise ConfigError(
            f"{name} is a link that points outside the repository",
            next_step="Put the file itself into the repository.",
        )
    return baseline.read(place, name, ready.path_of(place))


def unchecked_targets(
    request: Request, ready: Prepared, compared: Compared | None
) -> tuple[UncheckedTarget, ...]:
    """What the change takes out of the check, if there is one."""
    if compared is None:
        return ()
    from portproof import compare

    return compare.unchecked(compared, ready.discovery, ready.paths, _excludes(request, ready))


def _excludes(request: Request, ready: Prepared) -> Excludes | None:
    """What the configuration leaves out, in both revisions; None where the change does not concern it.

    The configuration that counts may be the base's: then the head's is what the change wants to count from now on.
    """
    comparison, root = ready.comparison, ready.tree.root
    given = ready.path_of(Path(request.flags.config).absolute()) if request.flags.config else None
    names = (given,) if request.flags.config else configuration.NAMES
    paths = {path for name in names if name and (path := ready.path_of(root / name))} | {*filter(None, names)}
    if comparison is None or not paths & comparison.changed:
        return None
    own = ready.file if request.file is None else configuration.load(root, request.flags.config, vocabulary())
    where = ready.path_of((Path.cwd() if request.flags.config else root) / own.path) if own.path else None
    if where is None:
        return None
    from portproof.unchecked import Excludes

    with TemporaryDirectory(prefix="portproof-config-") as folder:
        comparison.old.restore(sorted(paths), Path(folder))
        file = None if given is None else str(Path(folder) / given)
        try:
            base = configuration.load(Path(folder), file, vocabulary()).config.exclude
        except ConfigError:  # it is new, or was wrong: nothing was left out by it
            base = ()
    return Excludes(where, base, configuration.exclude_lines(ready.tree.text(where), own.config.exclude))
