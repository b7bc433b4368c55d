"""What the targets that a finding concerns rendered to in a commit, and whether the finding was there."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol, TypeAlias

from msgspec import Struct

from portproof.base_revision import BaseRevision
from portproof.children import discover_all
from portproof.compare import survey
from portproof.config import Config
from portproof.discover.model import Target
from portproof.environment import Environment, TargetInterface, interface_of, is_collection
from portproof.graph.model import Neighbour
from portproof.graph.moved import Moves
from portproof.outcome import failure_key
from portproof.parallel import silent
from portproof.pipeline import Plan
from portproof.postmortem.callers import callers
from portproof.render.model import NotRendered, RenderFailure, Rendering
from portproof.replacing import replace
from portproof.revision import Comparison
from portproof.rules.edges import edges
from portproof.rules.evaluate import Evaluation, FindingKey, RuleFinding, Witnesses, evaluate, graph_of
from portproof.source import RelPath, Tree

Failure: TypeAlias = tuple[RelPath, tuple[str, ...]]
"""What makes a failure to render the same in another commit: the file, and what the tool says without positions."""

_Answer: TypeAlias = "Rendering | RenderFailure | NotRendered | None"


_NO_TREE = Tree(Path(os.devnull))


class Seen(Struct, frozen=True):
    """A target in one commit. Without a `rendering` the commit does not have it, or it `failed` to render there.

    `failures` are what could not be rendered of it.
    """

    rendering: Rendering | None
    evaluation: Evaluation | None
    around: Mapping[str, tuple[Neighbour, ...]]
    failed: bool = False
    failures: frozenset[Failure] = frozenset()


class Commits:
    """The targets that a finding concerns, as they were in commits; none is rendered twice in one.

    `plan` has one target, which has the finding, `interfaces` are what those of the run offer, `compare` says what differs
    between a commit and the plan's tree. `partners` are other targets that decide whether a finding is there: those that
    have the Services that one of a rule that is `spanning` targets speaks of.
    """

    def __init__(
        self,
        plan: Plan,
        config: Config,
        interfaces: tuple[TargetInterface, ...],
        spanning: RuleFinding | None,
        compare: Callable[[str], Comparison],
    ) -> None:
        self._plan = plan
        self._config = config
        self._interfaces = interfaces
        (self._target,) = plan.targets
        self._compare = compare
        self._known: dict[str, Seen] = {}
        self.partners = () if spanning is None else self._called(spanning)

    def now(self) -> Seen:
        """What the target is in the tree of the run."""
        target = self._target
        return self._seen(self._plan.render(target, self._plan.tree), self._interfaces)

    def callers(self, found: RuleFinding, targets: Collection[str]) -> tuple[str, ...]:
        """Who asks for the Services that a finding speaks of, where these targets have them."""
        fields = (found.finding.primary, *(one.site for one in found.finding.related))
        names = {one.resource.name for one in fields if one.resource.kind == "Service"}
        now = self.now()
        if now.rendering is None or not names:
            return ()
        graph = graph_of(now.rendering, self._plan.rule_set, now.around)
        return callers(graph, names, targets, self._interfaces, self._environment(self._interfaces))

    def at(self, commit: str) -> Seen:
        """What the target was in a commit."""
        if commit not in self._known:
            self._known[commit] = self._rendered(commit)
        return self._known[commit]

    def _called(self, found: RuleFinding) -> tuple[Target, ...]:
        around = self._environment(self._interfaces).around(self._target)
        every = [one for several in around.values() for one in several]
        spoken_of = {label.site.resource for label in found.finding.related}
        ids = {one.target for one in every if one.service.key in spoken_of} or {one.target for one in every}
        return tuple(one for one in self._plan.everything if one.id in ids)

    def _environment(self, interfaces: tuple[TargetInterface, ...]) -> Environment:
        plan = self._plan
        guess = not is_collection(plan.everything)
        return Environment(interfaces, plan.environments, guess=guess, complete=plan.complete)

    def _rendered(self, commit: str) -> Seen:
        comparison, target = self._compare(commit), self._target
        if not any(map(comparison.affects, (target, *self.partners))):
            return self.now()
        with TemporaryDirectory(prefix="portproof-commit-", ignore_cleanup_errors=True) as folder:
            asking = replace(self._plan, targets=(target, *self.partners))
            revision = BaseRevision(comparison, self._config, Path(folder), asking)
            answer = self._answer(comparison, revision, target)
            interfaces = tuple(
                offered
                for one in self._interfaces
                if (offered := self._offered(comparison, revision, one)) is not None
            )
            return self._seen(answer, interfaces)

    def _answer(self, comparison: Comparison, revision: BaseRevision, target: Target) -> _Answer:
        """What a target rendered to in the commit; where part of it was not enough, in all of it."""
        if not comparison.affects(target):
            return self._plan.render(target, self._plan.tree)
        answer = revision.rendered(target)
        if isinstance(answer, Rendering):
            return answer
        whole = {one.id: one for one in revision.discovered((".",))}
        past = whole.get(target.id)
        return answer if past is None else self._plan.render(past, revision.whole)

    def _offered(
        self, comparison: Comparison, revision: BaseRevision, now: TargetInterface
    ) -> TargetInterface | None:
        """What a target of today offered in the commit, as far as that matters."""
        if now.target not in self.partners:
            return now
        answer = self._answer(comparison, revision, now.target)
        if not isinstance(answer, Rendering):
            return None
        offers = bool(self._plan.complete)
        return interface_of(now.target, evaluate(answer, self._plan.rule_set), offers=offers)

    def _seen(self, answer: _Answer, interfaces: tuple[TargetInterface, ...]) -> Seen:
        if not isinstance(answer, Rendering):
            failures = frozenset({failure(answer)} if isinstance(answer, RenderFailure) else ())
            return Seen(None, None, {}, failed=answer is not None, failures=failures)
        environment = self._environment(interfaces)
        around = environment.around(self._target)
        witnesses = Witnesses(self._witness, surroundings=environment.surroundings(self._target))
        found = evaluate(answer, self._plan.rule_set, around, witnesses)
        return Seen(answer, found, around, failures=frozenset(map(failure, found.manifests.problems)))

    @property
    def _witness(self) -> Rendering | None:
        """What the finding was judged beside, if anything: the base of the run."""
        return self._plan.witness(self._target)

    def earlier(self, found: RuleFinding, newer: Seen, older: Seen) -> RuleFinding | None:
        """What a finding of a newer commit was in an older one; None when it was not there.

        The object may have been called otherwise, and the field may have been at another place of its list.
        """
        if older.evaluation is None or older.rendering is None or newer.rendering is None:
            return None
        known = {one.key: one for one in older.evaluation.found}
        if found.key in known:
            return known[found.key]
        graph = graph_of(newer.rendering, self._plan.rule_set, newer.around, older.rendering)
        was = Moves(graph, edges).was(found.finding.primary)
        if was is not None and (found.rule.id, *was) in known:
            return known[(found.rule.id, *was)]
        return _under_another_name(found.key, newer.evaluation, older.evaluation, known)


class Question(Protocol):
    """Whether commits have something; `takes` is asked for commit after commit, each older than the one that had it last."""

    def takes(self, commit: str) -> bool:
        """Whether a commit has it, by what it was called in the last one that had it."""

    def fails(self, commit: str) -> bool:
        """Whether nobody knows, for the commit cannot be rendered."""


class HasFinding:
    """Whether commits have a finding of the tree."""

    def __init__(self, commits: Commits, found: RuleFinding) -> None:
        self._commits = commits
        self._found = found
        self._seen = commits.now()

    def takes(self, commit: str) -> bool:
        """See `Question`."""
        seen = self._commits.at(commit)
        found = self._commits.earlier(self._found, self._seen, seen)
        if found is not None:
            self._found, self._seen = found, seen
        return found is not None

    def fails(self, commit: str) -> bool:
        """See `Question`."""
        return self._commits.at(commit).failed


class HasFailure:
    """Whether commits have a failure to render of the tree."""

    def __init__(self, commits: Commits, wanted: Failure) -> None:
        self._commits = commits
        self._wanted = wanted

    def takes(self, commit: str) -> bool:
        """See `Question`."""
        return self._wanted in self._commits.at(commit).failures

    def fails(self, commit: str) -> bool:
        """See `Question`: of a target that fails otherwise, or is not rendered, nobody knows."""
        return self._commits.at(commit).failed and not self.takes(commit)


class HasAbroad:
    """Whether commits, compared with `good`, have a finding that shows only between two targets.

    So all that differs from `good` is rendered, and laid out by `lay_out`, which gives the difference as well.
    """

    def __init__(
        self,
        plan: Plan,
        config: Config,
        wanted: tuple[str, FindingKey],
        lay_out: Callable[[str, Path], Comparison],
    ) -> None:
        self._plan = plan
        self._config = config
        self._wanted = wanted
        self._lay_out = lay_out
        self._known: dict[str, bool | None] = {}

    def takes(self, commit: str) -> bool:
        """See `Question`."""
        return self._has(commit) is True

    def fails(self, commit: str) -> bool:
        """See `Question`."""
        return self._has(commit) is None

    def _has(self, commit: str) -> bool | None:
        if commit not in self._known:
            self._known[commit] = self._looked(commit)
        return self._known[commit]

    def _looked(self, commit: str) -> bool | None:
        with TemporaryDirectory(prefix="portproof-commit-", ignore_cleanup_errors=True) as folder:
            root, base = Path(folder) / "tree", Path(folder) / "base"
            base.mkdir()
            comparison = self._lay_out(commit, root)
            tree = Tree(root)
            everything = discover_all(tree, (".",), self._config, self._plan.render).everything
            targets = tuple(filter(comparison.affects, everything))
            plan = replace(
                self._plan,
                tree=tree,
                targets=targets,
                everything=everything,
                neighbours=None,
                witness=lambda _target: None,
                past=None,
            )
            seen = survey(comparison, plan, self._config, base, silent)
            if self._wanted in {one.key for one in seen.abroad}:
                return True
            return False if all(one.is_whole for one in seen.survey.results) else None


def failure(one: RenderFailure) -> Failure:
    """The identity of a failure in any commit."""
    path, words, _ = failure_key(one, _NO_TREE)
    return path, words


def _under_another_name(
    key: FindingKey, newer: Evaluation | None, older: Evaluation, known: Mapping[FindingKey, RuleFinding]
) -> RuleFinding | None:
    """The same finding about an object that has been renamed since: the old one is gone, and this one was not there yet."""
    before = {one.key for one in older.manifests.resources}
    after = {one.key for one in newer.manifests.resources} if newer is not None else set()
    if key[1] in before:
        return None
    same = (
        one
        for other, one in known.items()
        if (other[0], other[1].kind, other[2]) == (key[0], key[1].kind, key[2]) and other[1] not in after
    )
    return next(same, None)
