"""What a change takes out of the check: targets of the base whose files are still here, and that nobody renders now."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property

from msgspec import Struct

from portproof.config import matches
from portproof.discover.model import (
    KUSTOMIZATION_NAMES,
    Discovery,
    HelmTarget,
    KustomizeTarget,
    ManifestTarget,
    Skip,
    StreamTarget,
    Target,
)
from portproof.discover.plain import may_have_ports
from portproof.discover.walk import EscapeError, ancestors, resolve
from portproof.revision import Comparison
from portproof.rules.run.target_unchecked import UncheckedTarget
from portproof.source import RelPath, Tree, below, is_within, parent

DESCRIPTORS = frozenset({"Chart.yaml", "requirements.yaml", *KUSTOMIZATION_NAMES})
"""Files that make a folder a target."""


class Head(Struct, frozen=True):
    """The head of a change: its files, what was found there, and why targets of it were not rendered, by their ids."""

    comparison: Comparison
    tree: Tree
    discovery: Discovery
    skipped: Mapping[str, str]


def may_hide(head: Head) -> bool:
    """Whether the change can have taken something out of the check: only then the whole base is worth a look.

    It did something to a link or submodule, removed what makes a folder a target, or touched what is not rendered.
    """
    skips = head.discovery.skips
    for path in head.comparison.changed:
        place = head.tree.on_disk(path)
        is_descriptor = path.rpartition("/")[2] in DESCRIPTORS
        if place.is_symlink() or place.is_dir() or (is_descriptor and not place.exists()):
            return True
        if is_descriptor and any(one.counts or is_within(one.path, parent(path)) for one in skips):
            return True
        if any(path == one.path or path in one.values for one in skips):
            return True
    return False


def unchecked(
    head: Head, base: Iterable[Target], tree: Tree, rendered: Callable[[Target], bool]
) -> tuple[UncheckedTarget, ...]:
    """The targets of `base`, which lies in `tree`, that the change takes out of the check; in their order.

    `rendered` says whether a target of the base was rendered there.
    """
    search = _Search(head, tree)
    found = []
    for target in base:
        lost = search.lost(target)
        if lost and rendered(target):
            found += lost
    return tuple(found)


class Excludes(Struct, frozen=True):
    """The globs that are never looked at: those of the base, and those of the head, which stand in `path`.

    `lines` are those of the head's, each with its line.
    """

    path: RelPath
    before: tuple[str, ...]
    lines: tuple[tuple[str, int], ...]

    @property
    def grew(self) -> bool:
        """Whether the head has one that the base did not have."""
        return any(glob not in self.before for glob, _ in self.lines)

    def of(self, path: RelPath) -> tuple[str, int] | None:
        """The new glob that leaves out `path`, or a folder above it, and its line."""
        steps = (path, *ancestors(path))
        return next(
            (
                (glob, line)
                for glob, line in self.lines
                if glob not in self.before and any(matches(glob, step) for step in steps)
            ),
            None,
        )


def excluded(
    excludes: Excludes,
    head: tuple[Discovery, Discovery],
    base: Iterable[Target],
    tree: Tree,
    rendered: Callable[[Target], bool],
) -> Iterator[UncheckedTarget]:
    """The targets of `base` that new globs leave out, although they are still here.

    `head` is what there is in `tree` by the globs of the base, and by its own. `rendered` says whether a target of the
    base was rendered there. What another target reads is checked all the same.
    """
    by_base, by_head = head
    left = {one.id for one in by_head.everything}
    past = {one.id: one for one in base}
    for target in by_base.targets:
        if target.id not in past or (target.id in left and not isinstance(target, ManifestTarget)):
            continue
        files = target.files if isinstance(target, ManifestTarget) else (target.path, *target.values)
        found = next(
            (
                entry
                for path in files
                if (entry := excludes.of(path)) is not None
                and not any(one.reads(path) for one in by_head.everything)
                and (not isinstance(target, ManifestTarget) or may_have_ports(tree, path))
            ),
            None,
        )
        if found is not None and rendered(past[target.id]):
            glob, line = found
            yield UncheckedTarget(target, excludes.path, f"{glob!r} in exclude covers it now", line)


class _Search(Struct, frozen=True, dict=True):  # what is found out once is kept
    """Looks for the targets of the base, which lies in `old`, among what the head has."""

    head: Head
    old: Tree

    @cached_property
    def ids(self) -> frozenset[str]:
        return frozenset(one.id for one in self.checked)

    @cached_property
    def checked(self) -> tuple[Target, ...]:
        return tuple(one for one in self.head.discovery.everything if one.id not in self.head.skipped)

    @cached_property
    def links(self) -> frozenset[RelPath]:
        tree = self.head.tree
        return frozenset(path for path in self.head.comparison.changed if tree.on_disk(path).is_symlink())

    def lost(self, target: Target) -> list[UncheckedTarget]:
        """What the head lacks of a target: all of it, some of its manifests, or nothing."""
        if isinstance(target, ManifestTarget):
            # A folder's manifests are targets by themselves: its id says little.
            files = [one for one in target.files if may_have_ports(self.old, one)]
            found = [one for file in files if (one := self._manifest(target, file)) is not None]
            return found[:1] if target.is_alternative else found
        if isinstance(target, StreamTarget):
            return []
        if target.id in self.ids or any(self._is_removed(path) for path in target.values):
            return []
        one = self._built(target)
        return [] if one is None else [one]

    def _manifest(self, target: ManifestTarget, file: RelPath) -> UncheckedTarget | None:
        link = self._link(file)
        if link is not None:
            return self._behind(target, link, file)
        if not self._is_here(file) or any(one.reads(file) for one in self.checked):
            return None
        skip = self._skip("manifests", file)
        if skip is not None and skip.counts:
            return UncheckedTarget(target, self._changed([file], skip.path), f"{file}: {skip.reason}")
        beside = self._skip("manifests", parent(file))
        if beside is None or not may_have_ports(self.head.tree, file):
            return None
        culprit = [f"{parent(file)}/{name}".removeprefix("./") for name in KUSTOMIZATION_NAMES]
        return UncheckedTarget(target, self._changed(culprit, file), beside.reason)

    def _built(self, target: HelmTarget | KustomizeTarget) -> UncheckedTarget | None:
        descriptor = self._descriptor(target)
        link = next((one for path in (*target.values, descriptor) if (one := self._link(path))), None)
        if link is not None:
            return self._behind(target, link, descriptor)
        if not self._is_here(descriptor):
            return self._torn(target, descriptor)
        if target.id not in self.head.skipped and any(self._stands_for(one, target) for one in self.checked):
            return None
        reason = self._reason(target)
        if reason is None:
            return None
        names = [*target.values[-1:], descriptor, *self._read_descriptors(target)]
        return UncheckedTarget(target, self._changed(names, descriptor, target), reason)

    def _stands_for(self, today: Target, target: HelmTarget | KustomizeTarget) -> bool:
        """Whether a target of the head renders what `target` was: reads what makes it one, and its values."""
        if target.values:
            return today.path == target.path and set(target.values) <= set(today.values)
        return today.reads(self._descriptor(target))

    def _reason(self, target: HelmTarget | KustomizeTarget) -> str | None:
        """Why the head does not render a target whose files are still there; None when it says nothing of it."""
        if target.id in self.head.skipped:
            return self.head.skipped[target.id]
        skip = self._skip(target.kind, target.path, target.values) or self._skip(target.kind, target.path)
        return None if skip is None else skip.reason

    def _behind(self, target: Target, link: RelPath, file: RelPath) -> UncheckedTarget | None:
        """What a link hides that stands where `file` or a folder above it was."""
        try:
            there = resolve(self.head.tree.root, file)
        except EscapeError as error:
            return UncheckedTarget(target, link, f"{link} is a link that {error}")
        if there.kind == "missing":
            return UncheckedTarget(target, link, f"{link} is a link to something that does not exist here")
        if any(one.reads(there.path) or one.reads(file) for one in self.checked):
            return None
        return UncheckedTarget(target, link, f"{link} is a link to {there.path}, which is not checked")

    def _torn(self, target: HelmTarget | KustomizeTarget, descriptor: RelPath) -> UncheckedTarget | None:
        """A target that lost what made it one, while what it described is still there."""
        own = [
            path for path in target.inputs(self.old) if is_within(path, target.path) and path != descriptor
        ]
        if isinstance(target, HelmTarget):
            own = [path for path in own if path not in target.value_files]
        built = [one for one in self.checked if not isinstance(one, ManifestTarget)]
        left = [path for path in own if self._is_here(path) and not any(one.reads(path) for one in built)]
        if not left:
            return None
        more = f" (and {len(left) - 1} more)" if len(left) > 1 else ""
        return UncheckedTarget(
            target, target.path, f"{descriptor} is gone, but {left[0]}{more} is still here"
        )

    def _descriptor(self, target: HelmTarget | KustomizeTarget) -> RelPath:
        if isinstance(target, HelmTarget):
            return target.chart if target.remote else below(target.chart, "Chart.yaml")
        names = (below(target.folder, name) for name in KUSTOMIZATION_NAMES)
        return next((one for one in names if one in target.files), target.folder)

    def _read_descriptors(self, target: Target) -> list[RelPath]:
        read = (path for path in sorted(self.head.comparison.changed) if target.reads(path))
        return [path for path in read if path.rpartition("/")[2] in DESCRIPTORS]

    def _changed(self, names: Sequence[RelPath], otherwise: RelPath, target: Target | None = None) -> RelPath:
        """The first of `names` that the change touched, else what it touched of the target; a file gone: its folder."""
        changed = self.head.comparison.changed
        touched = [path for path in names if path in changed]
        if target is not None:
            touched += [path for path in sorted(changed) if target.reads(path)]
        path = next(iter(touched), otherwise)
        while not self._is_here(path) and path != ".":
            path = parent(path)
        return path

    def _skip(self, kind: str, path: RelPath, values: tuple[RelPath, ...] = ()) -> Skip | None:
        skips = self.head.discovery.skips
        # An install is skipped by its file, the last of the values that it would have had.
        return next(
            (one for one in skips if (one.kind, one.path) == (kind, path) and one.values[-1:] == values[-1:]),
            None,
        )

    def _link(self, path: RelPath) -> RelPath | None:
        """The outermost link of the change that `path` is, or lies behind."""
        steps: Iterator[RelPath] = reversed([path, *ancestors(path)])
        return next((step for step in steps if step in self.links), None)

    def _is_removed(self, path: RelPath) -> bool:
        return not self._is_here(path) and self._link(path) is None

    def _is_here(self, path: RelPath) -> bool:
        return os.path.lexists(self.head.tree.on_disk(path))
