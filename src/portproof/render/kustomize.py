"""Overlays, with the real kustomize (or the one inside kubectl).

``build`` only reads, so an overlay is built in place; with an overlay of edits it is built in a copy of its files.
No plugin, exec or helm option is ever given. Load restrictions stay at their default, but for files of the repository
outside of the kustomization's folder: those are read in a copy that has nothing else in it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from msgspec import Struct

from portproof import process, yamldoc
from portproof.discover.gitops.envsubst import DISABLED
from portproof.discover.gitops.given import GivenError, substituted
from portproof.discover.gitops.kustomizing import edited
from portproof.discover.lacking import idle_patch, without
from portproof.discover.model import Install, KustomizeTarget
from portproof.process import Completed, Limits
from portproof.render import generated
from portproof.render.affixes import affixes
from portproof.render.attaching import attach
from portproof.render.copying import CopyError, copy_files, is_private, write_text
from portproof.render.fetch import Fetcher
from portproof.render.inflating import RenderChart, inflate
from portproof.render.model import NotRendered, RenderedDocument, RenderFailure, Rendering
from portproof.render.patches import crowded
from portproof.render.sandboxes import Sandboxes
from portproof.render.scratch import KUSTOMIZE_MEMORY, Scratch
from portproof.render.starts import KeptStarts, Question
from portproof.render.tool_output import Places, error_text, reason_of, stopped
from portproof.replacing import replace
from portproof.source import Tree, is_within

MAX_PATCHES = 20
"""As many patches of what is not there are left out of one build."""

_IS_MISSING = " is missing"
_IS_TWICE = " once more"
"""What is said of an object that two files make: whatever is missing besides, nobody can build that."""
_BY_CONTENT = re.compile(r"replacement|fieldPath|nothing selected by")
_OUTSIDE = "is not in or below"
_UNRESTRICTED = "--load-restrictor=LoadRestrictionsNone"
_SOMETHING = re.compile(r"^[ \t\r]*[^#\s]", re.MULTILINE)


class Kustomize(Struct, frozen=True):
    """Builds overlays. `argv` starts ``kustomize build``; `seconds` is what one build may take.

    `render_chart` renders the charts that a kustomization names.
    """

    argv: tuple[str, ...]
    scratch: Scratch
    confines: Sandboxes
    seconds: float
    kept: KeptStarts
    render_chart: RenderChart
    fetcher: Fetcher

    def render(self, target: KustomizeTarget, tree: Tree) -> Rendering | RenderFailure | NotRendered:
        """Build `target` as `tree` has it. kustomize does not say which file a document came from.

        A file that is missing and goes into Secrets or ConfigMaps only, or is made elsewhere, is taken for empty. That it
        is missing is a problem, unless it is made elsewhere.
        """
        if target.install is not None:
            return self._as_deployed(target, target.install, tree)
        if target.charts:
            return self._with_charts(target, tree)
        if target.lacks:
            return self._without_parts(target, tree)
        first = self._once(target, tree)
        if isinstance(first, Rendering):
            return first
        empty = generated.taken_for_empty(target.files, tree)
        is_missing = (
            _IS_MISSING in first.message
            if isinstance(first, RenderFailure)
            else any(is_within(one, first.missing) for one in empty if first.missing)
        )
        if not empty or not is_missing:
            return first
        more = replace(target, files=(*target.files, *empty))
        texts = {**tree.overlay, **dict.fromkeys(empty, "")}
        again = self._once(more, Tree(tree.root, texts))
        if not isinstance(again, Rendering) and (left := generated.without_copies(target.files, empty, tree)):
            again = self._once(more, Tree(tree.root, {**texts, **left}))
        wrong = any(one.wrong for one in empty.values())
        if not isinstance(again, Rendering):
            # What is kept out of the repository is not what breaks it, unless it is what is patched, or copied from.
            patched = any(one.objects for one in empty.values())
            if isinstance(again, NotRendered):
                return first
            unknown = wrong or patched or bool(_BY_CONTENT.search(again.message))
            return first if unknown and _IS_TWICE not in again.message else replace(again, target=target)
        if not again.documents and isinstance(first, NotRendered):
            return first
        said = tuple(one.said for one in empty.values() if one.said)
        problems = (first,) if wrong and isinstance(first, RenderFailure) else ()
        return replace(again, target=target, without=said, problems=problems)

    def _with_charts(self, target: KustomizeTarget, tree: Tree) -> Rendering | RenderFailure | NotRendered:
        """The kustomization with what helm makes of its charts, as far as they can be had."""
        charts = inflate(target, tree, self.render_chart)
        if charts.failure is not None:
            return charts.failure
        files = tuple(dict.fromkeys((*target.files, *charts.changed)))
        more = replace(target, charts=(), files=files)
        found = self.render(more, Tree(tree.root, {**tree.overlay, **charts.changed}))
        if isinstance(found, Rendering):
            if charts.without and not found.documents:
                return NotRendered(target, charts.without[0])
            return replace(
                found,
                target=target,
                without=tuple(dict.fromkeys((*charts.without, *found.without))),
                took="; ".join(charts.took),
                placeholders=tuple(dict.fromkeys(charts.placeholders)),
                problems=(*(replace(one, target=target) for one in charts.problems), *found.problems),
            )
        return NotRendered(target, charts.without[0]) if charts.without else replace(found, target=target)

    def _without_parts(self, target: KustomizeTarget, tree: Tree) -> Rendering | RenderFailure | NotRendered:
        """The kustomization without the entries that cannot be had, and without patches of what they would have added.

        What can be fetched is put beside it first.
        """
        attached = attach(target.lacks, tree, self.fetcher)
        first = tuple(attached.lacks)
        if attached.changed:
            tree = Tree(tree.root, {**tree.overlay, **attached.changed})
            files = tuple(dict.fromkeys((*target.files, *attached.changed)))
            built = self.render(replace(target, lacks=first, files=files), tree)
            return replace(built, target=target)
        lacks = list(first)
        reason = lacks[0].reason
        while True:
            changed = without(tree, lacks)
            more = replace(target, lacks=(), files=tuple(dict.fromkeys((*target.files, *changed))))
            edited_tree = Tree(tree.root, {**tree.overlay, **changed})
            found = self.render(more, edited_tree)
            if isinstance(found, Rendering):
                reasons = tuple(dict.fromkeys((*(one.reason for one in first), *found.without)))
                return (
                    replace(found, target=target, without=reasons)
                    if found.documents
                    else NotRendered(target, reason)
                )
            if isinstance(found, RenderFailure) and _IS_TWICE in found.message:
                return replace(found, target=target)
            idle = (
                idle_patch(edited_tree, more.files, found.message)
                if isinstance(found, RenderFailure)
                else None
            )
            if idle is None or len(lacks) - len(first) >= MAX_PATCHES:
                return NotRendered(target, reason)
            lacks.append(idle)

    def _as_deployed(
        self, target: KustomizeTarget, install: Install, tree: Tree
    ) -> Rendering | RenderFailure | NotRendered:
        """The kustomization with the options of what deploys it, and with what is substituted after the build."""
        try:
            changed = edited(tree, target.folder, install)
            more = replace(target, install=None, files=tuple(dict.fromkeys((*target.files, *changed))))
            found = self.render(more, Tree(tree.root, {**tree.overlay, **changed}))
            if not isinstance(found, Rendering):
                return replace(found, target=target)
            documents = tuple(_substituted(one, tree, install) for one in found.documents)
            return replace(found, target=target, documents=documents)
        except GivenError as error:
            return RenderFailure(target, str(error))

    def build(self, files: Mapping[str, str], tree: Tree) -> tuple[RenderedDocument, ...] | str:
        """The objects of a kustomization that nobody has on disk, or why it cannot be built; `files` refer to themselves only."""
        with self.scratch.folder() as folder:
            for name, text in files.items():
                write_text(folder / name, text)
            done = self._run(folder, tree, {"copy": folder})
        if done.ok:
            return _documents(done.stdout)
        stop = stopped("kustomize", done, self._limits())
        return stop or error_text(done.stderr).replace(f"{folder}/", "").replace(str(folder), "it")

    def _once(self, target: KustomizeTarget, tree: Tree) -> Rendering | RenderFailure | NotRendered:
        if any(target.reads(path) for path in tree.overlay):
            return self._copied(target, tree)
        found = self._build(target, tree, tree.root)
        if isinstance(found, Rendering) or not any(map(is_private, map(tree.on_disk, target.files))):
            return found
        again = self._copied(target, tree)  # whoever the tool has become may not read what we may
        return again if isinstance(again, Rendering) else found

    def _copied(
        self, target: KustomizeTarget, tree: Tree, *options: str
    ) -> Rendering | RenderFailure | NotRendered:
        with self.scratch.folder() as folder:
            try:
                copy_files(tree, target.files, folder)
            except CopyError as error:
                return RenderFailure(target, f"the overlay is too large: {error}")
            except OSError as error:
                return RenderFailure(target, f"the overlay could not be copied: {reason_of(error)}")
            return self._build(target, tree, folder, *options)

    def _build(
        self, target: KustomizeTarget, tree: Tree, root: Path, *options: str
    ) -> Rendering | RenderFailure | NotRendered:
        given = {"copy": root} if root != tree.root else self._read_in_place(target, tree)
        done = self._run(root if target.folder == "." else root / target.folder, tree, given, *options)
        if done.ok:
            return Rendering(
                target,
                _documents(done.stdout),
                seconds=done.seconds,
                crowded=crowded(target, tree),
                affixes=affixes(target, tree),
            )
        stop = stopped("kustomize", done, self._limits())
        if stop is not None:
            return RenderFailure(target, stop, seconds=done.seconds)
        if not options and _OUTSIDE in done.stderr:  # of its folder: Flux and many Argo CDs allow it
            return self._copied(target, tree, _UNRESTRICTED)
        from portproof.render.overlayblame import OverlayBlame  # noqa: PLC0415 - start-up: only for a failure

        explained = OverlayBlame(target, tree, Places.of(tree, {root: "."})).explain(done.stderr)
        if isinstance(explained, NotRendered):
            return explained
        return replace(explained, seconds=done.seconds)

    def _limits(self) -> Limits:
        return self.confines.limits(self.seconds, KUSTOMIZE_MEMORY)

    def _read_in_place(self, target: KustomizeTarget, tree: Tree) -> dict[str, Path]:
        """What kustomize may read for a target where it lies: all of its roots, and files beside them."""
        folders = sorted({target.folder, *target.roots})
        beside = (one for one in target.files if not any(is_within(one, folder) for folder in folders))
        return {f"read:{one}": tree.on_disk(one) for one in (*folders, *beside)}

    def _run(self, folder: Path, tree: Tree, given: Mapping[str, Path], *options: str) -> Completed:
        """What kustomize says of a folder; `given` is what it may read for that, by the names that the cache has for it."""
        command = [*self.argv, str(folder), *options]
        places = {**given, "scratch": self.scratch.root, "tree": tree.root}
        environ = self.scratch.kustomize_environment
        question = Question(command, environ, places, tuple(given), tree, self.scratch.root)
        return self.kept.run(question, partial(self._start, command, tree))

    def _start(self, command: Sequence[str], tree: Tree) -> Completed:
        launcher = self.confines.rendering(self.argv[0], tree.root)
        return process.run(
            command,
            env=self.scratch.kustomize_environment,
            cwd=self.scratch.cwd,
            limits=self._limits(),  # depend on who the launcher has become
            launcher=launcher,
        )


def _documents(output: str) -> tuple[RenderedDocument, ...]:
    return tuple(RenderedDocument(text) for _, text in yamldoc.split(output) if _SOMETHING.search(text))


def _substituted(document: RenderedDocument, tree: Tree, install: Install) -> RenderedDocument:
    """An object with the variables that Flux puts in; one that says so is left alone."""
    if not install.variables or "$" not in document.text:
        return document
    try:
        data = yamldoc.load(document.text)
    except yamldoc.YamlError:
        return document
    marks = [yamldoc.lookup(data, ("metadata", kind, DISABLED)) for kind in ("labels", "annotations")]
    if "disabled" in marks:
        return document
    return replace(document, text=yamldoc.dump(substituted(data, tree, install)))
