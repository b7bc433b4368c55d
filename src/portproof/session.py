"""One run of the program: the world (arguments, files, tools) around the pipeline.

The first renders need half of the program. The other half (rules, graph, tracing, reports) is imported by the functions
that use it, so that it loads while those renders run.
"""

# ruff: noqa: PLC0415

from __future__ import annotations

import fnmatch
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from typing import TYPE_CHECKING

from portproof import __version__, standard_input
from portproof import config as configuration
from portproof.config import Config, FileConfig
from portproof.console import progress, say
from portproof.discover.find import discover
from portproof.discover.gitignore import ignored_by_git
from portproof.discover.model import STREAM, Discovery, HelmTarget, Target
from portproof.errors import ConfigError, UsageError
from portproof.flags import Flags, Given
from portproof.render.cache import remember
from portproof.render.engine import Engine, RenderOptions
from portproof.rules.vocabulary import vocabulary
from portproof.source import RelPath, Tree, normalise, work_tree
from portproof.toolchain import Tool, cache_folder, find_helm, find_kustomize

if TYPE_CHECKING:
    from portproof.compare import Compared, Introduced
    from portproof.fix import Prover
    from portproof.outcome import FindingGroup, Outcome
    from portproof.pipeline import Plan
    from portproof.portmap.model import PortMap
    from portproof.render.model import Renderer
    from portproof.report.fixes import Fixes
    from portproof.report.model import Report, ToolVersions
    from portproof.report.port_diff import PortDiff
    from portproof.revision import Comparison
    from portproof.rules.evaluate import RuleSet
    from portproof.rules.run.target_unchecked import UncheckedTarget
    from portproof.sidebyside import Revisions
    from portproof.suppressions.collected import Baseline, SuppressionInputs
    from portproof.unchecked import Excludes

CONFIG_NAMES = frozenset(configuration.NAMES)
"""Files at the root that concern every target."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be checked, and what the command line says of it.

    `root` is the root where the caller knows it: a checkout may come without ``.git``. `file` is the configuration file
    where the caller has read it; then neither ``--config`` nor the root's is. `untrusted` says that the tree may be
    anybody's: charts are fetched only from hosts that a configuration names.
    """

    paths: tuple[str, ...] = ()
    flags: Flags = field(default_factory=Flags)
    root: Path | None = None
    file: FileConfig | None = None
    untrusted: bool = False
    environ: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))

    @property
    def given(self) -> Given:
        """The command line, for hints that repeat it."""
        return Given(self.paths, self.flags)


class Programs:
    """The tools of a run, each found when it is first asked for: a repository without charts needs no helm."""

    def __init__(self, config: Config, environ: Mapping[str, str]) -> None:
        self._config = config
        self._environ = environ

    @cached_property
    def helm(self) -> Tool:
        """The helm in use."""
        return find_helm(self._config.helm, offline=self._config.offline, environ=self._environ, notify=say)

    @cached_property
    def kustomize(self) -> Tool:
        """The kustomize in use."""
        return find_kustomize(
            self._config.kustomize, offline=self._config.offline, environ=self._environ, notify=say
        )


@dataclass(frozen=True, slots=True)
class Prepared:
    """What is known before anything is rendered. `targets` are those to check, a part of the discovery's.

    `notes` are for the reader, one line each.
    """

    tree: Tree
    paths: tuple[RelPath, ...]
    config: Config
    file: FileConfig
    discovery: Discovery
    targets: tuple[Target, ...]
    comparison: Comparison | None
    notes: tuple[str, ...]

    def path_of(self, file: Path) -> RelPath | None:
        """A file as the tree names it; None outside of the tree."""
        root, resolved = self.tree.root.resolve(), file.resolve()
        return resolved.relative_to(root).as_posix() if resolved.is_relative_to(root) else None


@dataclass(frozen=True, slots=True)
class Session:
    """A run while its renderer lives, with all that `render` remembers; `folder` is for what is laid out of a base."""

    ready: Prepared
    rule_set: RuleSet
    outcome: Outcome
    prover: Prover
    introduced: Introduced | None
    tools: ToolVersions
    compared: Compared | None
    render: Renderer
    folder: Path

    @property
    def news(self) -> tuple[FindingGroup, ...]:
        """The findings that the base does not have; all of them where nothing was compared."""
        if self.introduced is None:
            return self.outcome.merged
        return tuple(one for one in self.outcome.merged if self.introduced.finding(one.members))


def prepare(request: Request, comparison: Comparison | None = None) -> Prepared:
    """Resolve paths, read the configuration, find the targets, and which of them a comparison concerns."""
    if request.flags.only_new and request.flags.base is None:
        raise UsageError(
            "--only-new needs a revision to compare with",
            next_step="Name one: `--base origin/main`.",
        )
    if standard_input.is_asked_for(request.paths, request.flags):
        return _prepare_stream(request)
    root, paths = root_and_paths(request.paths, request.root)
    file, config = configured(request, root)
    tree = Tree(root)
    found = discover(tree, paths, config)
    while ignored := _ignored(tree, found) - config.ignored:  # without an overlay its base is a target
        config = replace(config, ignored=config.ignored | ignored)
        found = discover(tree, paths, config)
    _refuse_what_is_not_there(request, file, found)
    if request.flags.base is not None:
        from portproof.revision import compare_with

        comparison = compare_with(request.flags.base, root, request.environ)
    notes = tuple(_idle_environments(file, found)) if paths == (".",) else ()
    targets = found.targets
    reconfigured = request.file is None and comparison is not None and CONFIG_NAMES & comparison.changed
    if comparison is not None and not reconfigured:
        targets = tuple(target for target in targets if comparison.affects(target))
    return Prepared(tree, paths, config, file, found, targets, comparison, notes)


def _ignored(tree: Tree, found: Discovery) -> frozenset[RelPath]:
    """What git ignores of that which makes targets."""
    return ignored_by_git({path for one in found.everything for path in one.made_by}, tree)


def _refuse_what_is_not_there(request: Request, file: FileConfig, found: Discovery) -> None:
    """Raise `ConfigError` for a configuration that names what is not there. One of another revision cannot be to blame."""
    wrong = min((one for one in found.skips if one.configured), key=lambda one: one.configured, default=None)
    if wrong is None or request.file is not None:
        return
    named = f"charts: {wrong.path}: {wrong.reason}"
    raise ConfigError(
        f"{file.path}:{wrong.configured}: {named}",
        next_step="Correct the path, or remove it. `portproof init` prints what there is.",
    )


def _prepare_stream(request: Request) -> Prepared:
    """The same for standard input; the configuration is that of the repository that one stands in, if any."""
    root, _ = root_and_paths((), request.root)
    file, config = configured(request, root)
    targets = (standard_input.target(),)
    return Prepared(Tree(root), (STREAM,), config, file, Discovery(targets, (), targets), targets, None, ())


def say_notes(ready: Prepared) -> None:
    """Write what the reader should know to standard error."""
    for note in ready.notes:
        say(note)


def _idle_environments(file: FileConfig, found: Discovery) -> Iterator[str]:
    """Which globs of `environments` mean nothing that is there: a slip would silently undo them."""
    ids = [one.id for one in (*found.targets, *found.skips)]
    for name, globs in file.config.environments.items():
        for glob in globs:
            if not fnmatch.filter(ids, glob):
                yield (
                    f"{file.path}:{file.lines['environments']}: environments: {name}: no target matches {glob!r} "
                    "(`portproof targets` lists them)"
                )


@contextmanager
def session(request: Request, comparison: Comparison | None = None) -> Iterator[Session]:
    """Check everything; the renderer lives until the end of the block."""
    ready = prepare(request, comparison)
    say_notes(ready)
    known = _baseline(request, ready)
    programs = Programs(ready.config, request.environ)
    kinds = {target.kind for target in ready.targets}
    # A missing tool is told before anything is rendered; a repository without charts needs no helm.
    versions = (
        programs.helm.version if "helm" in kinds else None,
        programs.kustomize.version if "kustomize" in kinds else None,
    )
    with (
        _engine(request, ready, programs) as engine,
        progress(quiet=request.flags.quiet) as told,
        TemporaryDirectory(prefix="portproof-base-", ignore_cleanup_errors=True) as base,
    ):
        engine.prefetch(ready.targets, ready.tree, ready.config.jobs)
        from portproof import compare, pipeline
        from portproof.report.model import ToolVersions

        plan = _plan(request, ready, known, engine.render)
        if ready.comparison is None:
            compared, survey = None, pipeline.survey(plan, told)
        else:
            compared = compare.survey(ready.comparison, plan, ready.config, Path(base), told)
            plan, survey = compared.plan, compared.survey
        prover = pipeline.prover_of(plan, survey)
        lost = _unchecked(request, ready, compared)
        abroad = () if compared is None else compared.abroad
        outcome = pipeline.finish(plan, survey, prover, lost, abroad)
        introduced = None if compared is None else compare.introduced(compared, outcome)
        tools = ToolVersions(__version__, *versions)
        yield Session(
            ready, plan.rule_set, outcome, prover, introduced, tools, compared, plan.render, Path(base)
        )


def _unchecked(request: Request, ready: Prepared, compared: Compared | None) -> tuple[UncheckedTarget, ...]:
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


def port_diff(request: Request) -> PortDiff:
    """What the change since the base of the request does to ports. Raises `UsageError` without a base."""
    if request.flags.base is None:
        raise UsageError(
            "diff needs a revision to compare with",
            next_step="Name one: `portproof diff --base origin/main`.",
        )
    ready = prepare(request)
    say_notes(ready)
    assert ready.comparison is not None  # noqa: S101 - the request has a base
    programs = Programs(ready.config, request.environ)
    with (
        _engine(request, ready, programs) as engine,
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
    ready = prepare(request)
    say_notes(ready)
    if release or namespace:
        from portproof.portmap.installed import installed

        ready = replace(ready, targets=installed(ready.targets, environment, release, namespace))
    programs = Programs(ready.config, request.environ)
    with _engine(request, ready, programs) as engine:
        engine.prefetch(ready.targets, ready.tree, ready.config.jobs)
        from portproof.portmap.survey import Asked
        from portproof.portmap.survey import port_map as surveyed
        from portproof.rules.rule_set import selected_rules

        asked = Asked(
            ready.tree,
            ready.targets,
            ready.discovery.everything,
            selected_rules(ready.config).rows,
            ready.config.environments,
            ready.config.jobs,
            places,
        )
        return surveyed(asked, remember(engine.render), engine.render_together)


def starter(request: Request) -> tuple[Path, str]:
    """Where a configuration file belongs, and one for what there is; values files that were found by their places are tried."""
    ready = prepare(request)
    say_notes(ready)
    tried = [one for one in ready.targets if isinstance(one, HelmTarget) and one.inferred]
    with _engine(request, ready, Programs(ready.config, request.environ)) as engine:
        answers = {one.id: engine.render(one, ready.tree) for one in tried}
    from portproof.environment import is_collection, named_environments
    from portproof.render.model import NotRendered, RenderFailure
    from portproof.report import starter as proposal

    failed = {name: one.message for name, one in answers.items() if isinstance(one, RenderFailure)}
    failed |= {name: one.reason for name, one in answers.items() if isinstance(one, NotRendered)}
    everything = ready.discovery.everything
    groups = named_environments(ready.targets, guess=not is_collection(everything))
    return ready.tree.root / configuration.NAMES[0], proposal.starter(ready.discovery, failed, groups)


def _engine(request: Request, ready: Prepared, programs: Programs) -> Engine:
    options = RenderOptions(
        offline=ready.config.offline,
        hosts=ready.config.allow_hosts,
        seconds=ready.config.timeout,
        cache=cache_folder(request.environ),
        environ=request.environ,
    )
    return Engine(helm=lambda: programs.helm, kustomize=lambda: programs.kustomize, options=options)


def _plan(request: Request, ready: Prepared, known: Baseline | None, render: Renderer) -> Plan:
    """What to do, with one memory of what has been rendered for all of it."""
    from portproof.pipeline import Plan
    from portproof.rules.rule_set import selected_rules

    return Plan(
        tree=ready.tree,
        targets=ready.targets,
        everything=ready.discovery.everything,
        rule_set=selected_rules(ready.config),
        render=remember(render),
        fresh=render,
        jobs=ready.config.jobs,
        ignores=_given(request, ready, known),
        whole=_whole(request, ready),
        environments=ready.config.environments,
    )


def _given(request: Request, ready: Prepared, known: Baseline | None) -> SuppressionInputs:
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


def _baseline(request: Request, ready: Prepared) -> Baseline | None:
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


def _whole(request: Request, ready: Prepared) -> Callable[[], Discovery] | None:
    """All that there is to render in the repository, found when it is asked for; None when a part is to be checked."""
    if ready.comparison is not None or request.flags.select or ready.paths == (STREAM,):
        return None
    if ready.paths == (".",):
        return lambda: ready.discovery
    return lambda: discover(ready.tree, (".",), ready.config)


def report_of(run: Session, *, together: bool = False) -> Report:
    """The report of a run. With `together` it says which fixes of what is new exclude each other: while the renderer lives."""
    from portproof import assemble
    from portproof.together import exclusions

    ready = run.ready
    found = (
        exclusions(run.news, run.prover.prove, ready.discovery.everything, ready.config.jobs)
        if together
        else {}
    )
    asked = assemble.Assignment(ready.tree, ready.paths, ready.discovery, run.rule_set, run.tools, found)
    return assemble.report(asked, run.outcome, run.introduced)


def combined_fixes(run: Session) -> Fixes:
    """The safe fixes of all findings as one patch, itself proven. Only while the renderer lives."""
    from portproof import assemble, pipeline

    return assemble.fixes(run.outcome, pipeline.combine(run.outcome, run.prover))


def root_and_paths(given: tuple[str, ...], known: Path | None = None) -> tuple[Path, tuple[RelPath, ...]]:
    """The root (the enclosing git work tree, else the PATH itself) and the paths relative to it."""
    absolute = [Path(text).absolute() for text in given or (".",)]
    for text, path in zip(given or (".",), absolute, strict=True):
        if not path.exists():
            raise UsageError(f"{text}: no such file or folder", next_step="Name a path that exists.")
    resolved = [path.resolve() for path in absolute]
    root = known or work_tree(resolved[0])
    if root is None:
        folders = [path if path.is_dir() else path.parent for path in resolved]
        root = Path(os.path.commonpath(folders))
    relative = []
    for text, path in zip(given or (".",), resolved, strict=True):
        if not path.is_relative_to(root):
            raise UsageError(f"{text} is outside {root.name}", next_step="Check one repository at a time.")
        relative.append(normalise(path.relative_to(root).as_posix()) or ".")
    return root, tuple(relative)


def configured(request: Request, root: Path) -> tuple[FileConfig, Config]:
    """What the configuration file says, and what holds after the flags."""
    file = request.file or configuration.load(root, request.flags.config, vocabulary())
    return file, configuration.merge(file, request.flags, untrusted=request.untrusted)
