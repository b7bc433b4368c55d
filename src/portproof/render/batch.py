"""Edited charts, many in one process of helm: its start takes ten times as long as rendering a chart.

The charts become the subcharts of an empty one, in which the name of the release is written out. A subchart may render to
something else than it would by itself: it has other values around it, and shares its named templates with all others. So an
answer counts only where, with each stand-in put back, it is word for word what the chart renders to by itself. The others
are rendered by themselves, as ever.
"""

from __future__ import annotations

import json
import os
import re
from collections import defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

from msgspec import Struct

from portproof import yamldoc
from portproof.discover.chart_files import chart_files
from portproof.discover.model import HelmTarget, Mount
from portproof.process import Completed
from portproof.render.chartpaths import ChartPaths
from portproof.render.copying import CopyError, write_text
from portproof.render.excerpt import excerpt, has_names
from portproof.render.helm import Helm, documents, lasting
from portproof.render.layout import Assembled, put_together
from portproof.render.model import RenderedDocument, Rendering
from portproof.render.tool_output import Places
from portproof.replacing import replace
from portproof.source import RelPath, Tree, parent

MAX_CHARTS = 48
"""Charts of one process; it stays within the memory of any other."""

_AROUND = "portproof-batch"
_DEFINES = re.compile(r"\{\{-?\s*(?:define|block)\s+[\"`]([^\"`]+)")
_DIGEST = re.compile(r"\b(?:[0-9a-f]{40}|[0-9a-f]{64})\b")
_RELEASE = re.compile(r"(?<![\w.])\$?[\w.]{0,200}\.Release\.Name\b")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]*")


class EditedChart(Struct, frozen=True):
    """A target in a tree with stand-ins, what each of them stands for, and what it renders to without.

    `inputs` are the texts that it is rendered from without them, as far as they have been read. Only what the templates `asked` render to has to be in the answer. What others render to may be there as it is without
    stand-ins.
    """

    target: HelmTarget
    tree: Tree
    stand_ins: Mapping[str, str]
    plain: Rendering
    inputs: Mapping[RelPath, str]
    asked: frozenset[RelPath | None]


class _Member(Struct, frozen=True):
    """A chart that can be rendered with others; `tree` has the name of the release in it.

    `files` are those that it needs, by where they lie in the chart; None where that is all of it. `defines` are its named
    templates, `edited` those that are not as they are in the repository.
    """

    number: int
    chart: EditedChart
    tree: Tree
    paths: ChartPaths
    name: str
    files: Mapping[RelPath, RelPath] | None
    defines: frozenset[str]
    edited: frozenset[str]

    @property
    def told(self) -> tuple[str, object]:
        """What helm is told, the same for all charts of a process; of the release's name the charts do not ask."""
        return self.chart.target.namespace, self.chart.target.cluster

    def goes_with(self, others: Sequence[_Member]) -> bool:
        """Whether no edit of one shows in another: names differ, and no edited template is called like another's."""
        return all(
            self.name != one.name and not (self.edited & one.defines or one.edited & self.defines)
            for one in others
        )


def render_together(helm: Helm, charts: Sequence[EditedChart]) -> list[Rendering | None]:
    """What each of `charts` renders to; None where only a process of its own can say."""
    found: list[Rendering | None] = [None] * len(charts)
    for group in _groups([one for number, chart in enumerate(charts) if (one := _member(number, chart))]):
        for member, rendering in _rendered(helm, group):
            found[member.number] = rendering
    return found


def _member(number: int, chart: EditedChart) -> _Member | None:
    target, tree = chart.target, chart.tree
    fetched = bool(target.missing) and not chart.plain.without
    if target.install or target.sets or target.archives or fetched:
        return None
    paths = ChartPaths(target, tree)
    name = paths.name
    if name is None or not _NAME.fullmatch(name) or name in (_AROUND, "global"):
        return None
    asked = {path for path in chart.asked if path is not None}
    read = Tree(tree.root, {**chart.inputs, **tree.overlay})
    files = excerpt(target, read, asked) if len(asked) == len(chart.asked) else None
    overlay = dict(tree.overlay)
    defines: set[str] = set()
    edited: set[str] = set()
    for path in files.values() if files else chart_files((mount.source for mount in target.mounts), tree):
        text = read.text_or_none(path) or ""
        if "IsRoot" in text:  # it asks whether it is a subchart
            return None
        if ".Release.Name" in text:
            overlay[path] = _RELEASE.sub(f"`{target.release}`", text)
        defines.update(name for name, _ in _named(text))
        if path in overlay:
            before = chart.inputs.get(path, "")
            edited.update(name for name, body in _named(overlay[path]) if body not in before)
    return _Member(
        number,
        chart,
        Tree(tree.root, overlay if files is None else {**chart.inputs, **overlay}),
        paths,
        name,
        files,
        frozenset(defines),
        frozenset(edited),
    )


def _named(text: str) -> Iterator[tuple[str, str]]:
    """The named templates of a file, each with the text from its beginning to that of the next."""
    found = list(_DEFINES.finditer(text)) if has_names(text) else []
    bounds = pairwise([*(one.start() for one in found), len(text)])
    return ((one[1], text[start:end]) for one, (start, end) in zip(found, bounds, strict=True))


def _groups(members: Sequence[_Member]) -> Iterator[list[_Member]]:
    """Charts that go together; those that go with nobody are left out."""
    rest = list(members)
    while len(rest) > 1:
        group = [rest[0]]
        for one in rest[1:]:
            if len(group) < MAX_CHARTS and one.told == group[0].told and one.goes_with(group):
                group.append(one)
        rest = [one for one in rest if one not in group]
        if len(group) > 1:
            yield group


def _rendered(helm: Helm, group: Sequence[_Member]) -> Iterator[tuple[_Member, Rendering]]:
    """The answers that count. Of a group that does not render, those without the chart that helm blames, else its halves."""
    done = _run(helm, group)
    if done is None or not done.ok:
        said = "" if done is None else done.stderr
        blamed = [one for one in group if f"{_AROUND}/charts/{one.name}/" in said]
        half = len(group) // 2
        rest = [one for one in group if one not in blamed]
        for part in [rest] if blamed else [group[:half], group[half:]]:
            if len(part) > 1:
                yield from _rendered(helm, part)
        return
    several: dict[str, list[RenderedDocument]] = defaultdict(list)
    for one in documents(done.stdout, lambda named: named.removeprefix(f"{_AROUND}/charts/")):
        several[(one.source or "").partition("/")[0]].append(one)
    for member in group:
        rendering = _as_by_itself(member, several[member.name])
        if rendering is not None:
            yield member, rendering


def _run(helm: Helm, group: Sequence[_Member]) -> Completed | None:
    """Helm's run for all charts of a group; None when they cannot be put together."""
    try:
        with helm.scratch.folder() as folder:
            around = folder / "chart"
            (around / "charts").mkdir(parents=True)
            write_text(around / "Chart.yaml", f"apiVersion: v2\nname: {_AROUND}\nversion: 0.0.0\n")
            values: list[Path] = []
            for one in group:
                _lay_out(one, around / "charts" / str(one.number))
                for number, text in enumerate(_given(helm, one)):
                    file = folder / f"values-{one.number}-{number}.yaml"
                    write_text(file, _beneath(one.name, text))
                    values.append(file)
            target, tree = group[0].chart.target, group[0].chart.tree
            assembled = Assembled(around, tuple(values), Places.of(tree))
            return helm.run(target, tree, assembled)
    except (CopyError, OSError, yamldoc.YamlError):  # the chart's own rendering will say so
        return None


def _lay_out(one: _Member, folder: Path) -> None:
    """Put a chart into a folder that is not there yet."""
    target, tree = one.chart.target, one.tree
    if one.files is None:
        put_together(tree, target.mounts or (Mount(".", target.chart),), folder, [])
        return
    base = str(folder)  # strings: a Path for each file costs more than to write it
    for place in dict.fromkeys(parent(place) for place in one.files):
        os.makedirs(f"{base}/{place}", exist_ok=True)  # noqa: PTH103
    for place, path in one.files.items():
        write_text(f"{base}/{place}", tree.text_or_none(path) or "")


def _given(helm: Helm, one: _Member) -> Iterator[str]:
    """The values files of a chart, and a placeholder for each value that it wants and nobody gives."""
    target, tree = one.chart.target, one.tree
    yield from (tree.text_or_none(path) or "" for path in target.values)
    placeholders = helm.placeholders.get((tree.root, target))
    if placeholders is not None:
        yield placeholders.text


def _beneath(name: str, values: str) -> str:
    """A values file as one of the chart around. Raises `YamlError`."""
    return json.dumps({name: yamldoc.load(values) or {}}, ensure_ascii=False, default=str) + "\n"


def _as_by_itself(member: _Member, printed: Sequence[RenderedDocument]) -> Rendering | None:
    """The answer in the order of the chart's own, if nothing but stand-ins tells the two apart."""
    by_source: dict[RelPath | None, deque[RenderedDocument]] = defaultdict(deque)
    laid_out = None if member.files is None else frozenset(member.files.values())
    placed = [replace(one, source=member.paths.template(one.source or "")) for one in printed]
    several = list(lasting(placed, member.chart.tree))
    for one in several:
        by_source[one.source].append(one)
    plain = member.chart.plain.documents
    if len(several) != sum(laid_out is None or one.source in laid_out for one in plain):
        return None
    found = []
    for own in plain:
        if laid_out is not None and own.source not in laid_out:
            found.append(own)
            continue
        if not by_source[own.source]:
            return None
        other = by_source[own.source].popleft()
        text = other.text.replace(f"# Source: {_AROUND}/charts/", "# Source: ", 1)
        plain_text = _put_back(text, member.chart.stand_ins)
        if plain_text != own.text and _DIGEST.sub("", plain_text) != _DIGEST.sub("", own.text):
            return None
        found.append(replace(own, text=text))
    return replace(member.chart.plain, documents=tuple(found))


def _put_back(text: str, stand_ins: Mapping[str, str]) -> str:
    for stand_in, meant in stand_ins.items():  # none is in another, or in what one stands for
        text = text.replace(stand_in, meant)
    return text
