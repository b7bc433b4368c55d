"""Charts, with the real helm.

A chart that is rendered as it stands in the repository is rendered in place:
``helm template`` only reads. Anything else (an overlay of edits, a subchart
from elsewhere, a fetched dependency, a ``.git`` among its folders, where a
checkout leaves credentials) is put together in the scratch folder.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from msgspec import Struct, field

from portproof import process, yamldoc
from portproof.discover.dependencies import ChartFiles
from portproof.discover.gitops.given import GivenError
from portproof.discover.model import Dependency, HelmTarget, Mount, RemoteChart
from portproof.discover.remote_charts import place_of
from portproof.discover.versions import fitting, is_exact
from portproof.process import Completed, Limits
from portproof.render.chartpaths import ChartPaths
from portproof.render.contents import Contents, UnknownContentError
from portproof.render.copying import CopyError, is_private, make_folder, write_text
from portproof.render.fetch import Fetched, Fetcher, FetchError, is_named
from portproof.render.guards import ValuePath
from portproof.render.kubernetes import Demanded, unmet
from portproof.render.layout import Assembled, has_private, is_plain, is_there, put_together, with_values
from portproof.render.model import FailureSite, NotRendered, RenderedDocument, RenderFailure, Rendering
from portproof.render.placeholders import MAX_VALUES, Placeholders
from portproof.render.sandboxes import Sandboxes
from portproof.render.scratch import HELM_MEMORY, Scratch
from portproof.render.starts import KeptStarts, Question
from portproof.render.tool_output import DENIED, Places, clean, reason_of, stopped
from portproof.replacing import replace
from portproof.source import LineIndex, RelPath, Tree, below, is_within

ASSUMED = (
    "monitoring.coreos.com/v1",
    *(
        f"monitoring.coreos.com/v1/{kind}"
        for kind in ("PodMonitor", "Probe", "PrometheusRule", "ServiceMonitor")
    ),
)
"""What every cluster is taken to have beyond what helm knows: charts put their monitors behind a question for it, and
have nothing else to offer where it is not there."""

_IN_CLUSTER = "it does not render without the values of Secrets of the cluster"
_WITH_DEPENDENCIES = ("Chart.yaml", "requirements.yaml")
_TEST = re.compile(r"""helm\.sh/hook["']?[ ]*:[ ]*["']?[\w, -]{0,100}\btest""")
_RANDOM = re.compile(r"\b(?:rand[A-Z]\w*+|uuidv4|now)\b")
_RELEASE = re.compile(r"[a-z0-9]([-a-z0-9.]{0,51}[a-z0-9])?")
_SOURCE = re.compile(r"\r?\n# Source: ([^\r\n]+)\r?(?:\n|\Z)")
_SOMETHING = re.compile(r"^[ \t\r]*[^#\s]", re.MULTILINE)


class Helm(Struct, frozen=True):
    """Renders charts. `argv` starts helm; `seconds` is what one render may take."""

    argv: tuple[str, ...]
    scratch: Scratch
    confines: Sandboxes
    fetcher: Fetcher
    seconds: float
    kept: KeptStarts = field(default_factory=KeptStarts)
    archives: dict[tuple[Path, ...], str | None] = field(default_factory=dict)
    placeholders: dict[tuple[Path, HelmTarget], Placeholders] = field(default_factory=dict)
    demanded: dict[tuple[Path, HelmTarget], Demanded] = field(default_factory=dict)
    steady: dict[str, bool] = field(default_factory=dict)

    def render(self, target: HelmTarget, tree: Tree) -> Rendering | RenderFailure | NotRendered:
        """Render `target` as `tree` has it."""
        found = self._as_installed(target, tree)
        unknown = target.install.unknown if target.install else ()
        if unknown and isinstance(found, Rendering):
            return replace(found, placeholders=(*found.placeholders, *unknown))
        if unknown and isinstance(found, RenderFailure):  # it may be what stands in for them
            first_line = found.message.partition("\n")[0]
            reason = f"{_IN_CLUSTER} ({', '.join(unknown)}): {first_line}"
            return NotRendered(target, reason)
        return found

    def _as_installed(self, target: HelmTarget, tree: Tree) -> Rendering | RenderFailure | NotRendered:
        if not _RELEASE.fullmatch(target.release):
            return RenderFailure(target, f"helm rejects the release name {target.release!r}")
        if target.remote is not None:
            return self._of_registry(target, target.remote, tree)
        refusal = self._refused_archive(target, tree)
        if refusal is not None:
            return NotRendered(target, refusal)
        try:
            archives = self.fetcher.fetch_all(target)
        except FetchError as error:
            return self._without_some(target, tree, str(error))
        return self._with_parts(target, tree, archives)

    def _of_registry(
        self, target: HelmTarget, chart: RemoteChart, tree: Tree
    ) -> Rendering | RenderFailure | NotRendered:
        """A chart that is no folder of the repository, with the values that the repository gives to it.

        What it lacks is not made up: whoever installs it has given what there is.
        """
        try:
            fetched = self._packed(chart, tree) if chart.packed else self.fetcher.chart(chart.wanted)
        except FetchError as error:
            return NotRendered(target, str(error))
        try:
            with self.scratch.folder() as folder:
                archive = fetched.archive
                if is_private(archive):  # whoever helm has become may not read what we may
                    archive = Path(shutil.copyfile(archive, folder / "chart.tgz"))
                found = self._render(target, tree, with_values(target, tree, archive, folder))
        except GivenError as error:
            return RenderFailure(target, str(error))
        except OSError as error:
            return RenderFailure(target, f"its values could not be copied: {reason_of(error)}")
        named = f"{chart.name} {fetched.version}".strip()
        if isinstance(found, Rendering):
            documents = tuple(_from_registry(one, named) for one in found.documents)
            return replace(found, documents=documents, took=_took(chart, fetched.version))
        if isinstance(found, RenderFailure):
            span = place_of(chart, tree)
            line = LineIndex.of(tree.text_or_none(chart.file) or "").position(span.start) if span else (1, 1)
            message = f"the chart {named} does not render with these values: {found.message}"
            return replace(found, message=message, site=FailureSite(chart.file, *line))
        return NotRendered(target, f"the archive of the chart {named} is not whole: {found.reason}")

    def _without_some(self, target: HelmTarget, tree: Tree, reason: str) -> Rendering | NotRendered:
        """The chart without the dependencies that cannot be had, each an empty chart of its name.

        Not where it takes values or templates from one of them: then what is left is not what is installed. A value that
        it lacks without them under the name of one may be one of theirs.
        """
        archives, absent = self.fetcher.fetch_some(target)
        described = [tree.text_or_none(f"{target.chart}/{name}") or "" for name in _WITH_DEPENDENCIES]
        if any("import-values" in text for text in described):
            return NotRendered(target, reason)
        found = self._with_parts(target, tree, archives, tuple(one for one in absent if is_named(one)))
        declared = ChartFiles(tree).read(target.chart).dependencies
        theirs = {"global", *(name for one in declared for name in (one.name, one.alias))}
        own = isinstance(found, Rendering) and theirs.isdisjoint(
            one.partition(".")[0] for one in found.placeholders
        )
        if isinstance(found, Rendering) and found.documents and own:
            return replace(found, without=(reason, *found.without))
        return NotRendered(target, reason, without=found if isinstance(found, RenderFailure) else None)

    def _with_parts(
        self,
        target: HelmTarget,
        tree: Tree,
        archives: dict[RelPath, list[Path]],
        absent: tuple[Dependency, ...] = (),
    ) -> Rendering | RenderFailure | NotRendered:
        try:
            with self._assembled(target, tree, archives, absent) as assembled:
                found = self._render(target, tree, assembled)
            if isinstance(found, RenderFailure) and DENIED in found.message and has_private(target, tree):
                # whoever helm has become may not read what we may
                with self._assembled(target, tree, archives, absent, linking=False) as assembled:
                    again = self._render(target, tree, assembled)
                return again if isinstance(again, Rendering) else found
            return found
        except GivenError as error:
            return RenderFailure(target, str(error))
        except CopyError as error:
            return RenderFailure(target, f"the chart is too large: {error}")
        except OSError as error:  # a full disk, or a tree that changes while we copy it
            return RenderFailure(target, f"the chart could not be copied: {reason_of(error)}")

    def _refused_archive(self, target: HelmTarget, tree: Tree) -> str | None:
        """Why a vendored archive is not given to helm. A chart is rendered many times, and its archives stay."""
        if not target.archives:
            return None
        paths = ChartPaths(target, tree)
        return self._refused([paths.on_tree(at) for at in target.archives], tree)

    def _packed(self, chart: RemoteChart, tree: Tree) -> Fetched:
        """The archive of a chart that lies in the repository. Raises `FetchError`."""
        file = tree.on_disk(chart.name)
        refusal = self._refused([chart.name], tree)
        if refusal is not None:
            raise FetchError(refusal)
        with file.open("rb") as stream:
            if stream.read(2) != b"\x1f\x8b":  # a pointer of Git LFS, whose archive is not checked out
                raise FetchError(f"{clean(chart.name)} is not an archive")
        return Fetched(file, "")

    def _refused(self, names: Sequence[RelPath], tree: Tree) -> str | None:
        files = tuple(tree.on_disk(name) for name in names)
        if files not in self.archives:
            from portproof.render.archives import refusal  # noqa: PLC0415 - start-up: tarfile; few charts have archives

            self.archives[files] = refusal(zip(files, names, strict=True))
        return self.archives[files]

    def _render(
        self, target: HelmTarget, tree: Tree, assembled: Assembled
    ) -> Rendering | RenderFailure | NotRendered:
        tried = self._tried(target, tree, assembled)
        if tried is not None:
            return tried
        assembled, done = self._for_cluster(target, tree, assembled)
        if not done.ok and not target.cluster.kube_version and (wanted := unmet(done.stderr)) is not None:
            reason = f"chart requires kubeVersion {clean(wanted[0])}, which none up to 1.{wanted[1]} is"
            return NotRendered(target, f"{reason}; name one under kube-version in portproof.yaml")
        paths = ChartPaths(target, tree)
        if done.ok:
            found = documents(done.stdout, paths.template)
            return Rendering(
                target, tuple(found if target.remote else lasting(found, tree)), seconds=done.seconds
            )
        stop = stopped("helm", done, self.limits())
        if stop is not None:
            return RenderFailure(target, stop, seconds=done.seconds)
        from portproof.render.blame import Blame  # noqa: PLC0415 - start-up: needed only for a failure

        blame = Blame(
            target,
            tree,
            paths,
            assembled.places,
            again=lambda: self.run(target, tree, assembled, "--debug").stdout,
        )
        explained = blame.explain(done.stderr)
        if isinstance(explained, NotRendered):
            return explained
        failure = replace(explained, seconds=done.seconds)
        if target.remote is not None:
            return failure
        return self._with_placeholders(failure, tree, assembled, done.stderr) or failure

    def _for_cluster(
        self, target: HelmTarget, tree: Tree, assembled: Assembled
    ) -> tuple[Assembled, Completed]:
        """Helm's run for a cluster that the chart demands, if that is not the one that helm assumes."""
        demanded = self.demanded.get((tree.root, _as_it_stands(target, tree)), Demanded())
        while True:
            asked = replace(assembled, options=(*assembled.options, *demanded.options))
            done = self.run(target, tree, asked)
            further = (
                None
                if done.ok
                else demanded.further(done.stderr, target.cluster, tree, ChartPaths(target, tree))
            )
            if further is None:
                return asked, done
            demanded = self.demanded[tree.root, target] = further

    def _with_placeholders(
        self, failure: RenderFailure, tree: Tree, assembled: Assembled, stderr: str
    ) -> Rendering | None:
        """The chart with a placeholder for each value that it wants and nobody gives; the failure is a problem of it.

        Edits get those that the tree needs without them: an edit after which a chart wants more has broken it.
        """
        target = failure.target
        assert isinstance(target, HelmTarget)  # noqa: S101 - it is this renderer's
        paths = ChartPaths(target, tree)
        known = self.placeholders.get((tree.root, target))
        if tree.overlay and known is None:
            return None
        given = Placeholders().further(stderr, tree, paths) if known is None else known
        while given is not None and given.tries <= MAX_VALUES:
            done = self._run_with(given, target, tree, assembled)
            if done.ok:
                self.placeholders[tree.root, target] = given
                found = tuple(lasting(documents(done.stdout, paths.template), tree))
                wants, has = _lacking(next(iter(given.values)), failure, tree)
                problems = (replace(failure, wants=wants, has=has),)
                return Rendering(
                    target, found, problems, failure.seconds + done.seconds, placeholders=given.names
                )
            given = None if tree.overlay else given.further(done.stderr, tree, paths)
        return None

    def _tried(self, target: HelmTarget, tree: Tree, assembled: Assembled) -> Rendering | None:
        """The chart with values that are only tried, and the placeholders that it needs without them; None without any.

        What it wants is a problem of the chart as it stands, and is said there.
        """
        standing = _as_it_stands(target, tree)
        given = self.placeholders.get((tree.root, standing)) if standing != target else None
        done = None if given is None else self._run_with(given, target, tree, assembled)
        if given is None or done is None or not done.ok:
            return None
        found = lasting(documents(done.stdout, ChartPaths(target, tree).template), tree)
        return Rendering(target, tuple(found), seconds=done.seconds, placeholders=given.names)

    def _run_with(
        self, given: Placeholders, target: HelmTarget, tree: Tree, assembled: Assembled
    ) -> Completed:
        with self.scratch.folder() as folder:
            file = folder / "placeholders.yaml"
            write_text(file, given.text)
            return self.run(target, tree, replace(assembled, values=(*assembled.values, file)))

    def run(self, target: HelmTarget, tree: Tree, assembled: Assembled, *more: str) -> Completed:
        """What ``helm template`` says of what is assembled, with what `target` says of the release."""
        command = [
            *self.argv,
            "template",
            target.release,
            str(assembled.chart),
            f"--namespace={target.namespace}",
        ]
        command += ["--skip-schema-validation"]
        if target.cluster.kube_version:
            command.append(f"--kube-version={target.cluster.kube_version}")
        command += [f"--api-versions={one}" for one in (*ASSUMED, *target.cluster.api_versions)]
        for file in assembled.values:
            command += ["-f", str(file)]
        command += [*(f"--set={one}" for one in target.sets), *assembled.options, *more]
        given = {"chart": assembled.chart}
        given |= {f"values-{number}": file for number, file in enumerate(assembled.values)}
        given |= {f"file-{number}": file for number, file in enumerate(assembled.files)}
        places = {**given, "scratch": self.scratch.root, "tree": tree.root}
        environ = self.scratch.helm_environment
        return self.kept.run(
            Question(command, environ, places, tuple(given), tree, self.scratch.root),
            partial(self._start, command, tree),
            partial(self._is_steady, assembled, target.sets),
        )

    def _is_steady(self, assembled: Assembled, sets: Sequence[str], contents: Contents) -> bool:
        """Whether helm says the same of a chart each time. Raises `UnknownContentError`."""
        from portproof.render.lots import draws_lots  # noqa: PLC0415 - only for what has been rendered

        given = [(file.name, contents.text(file)) for file in (*assembled.values, *assembled.files)]
        if draws_lots([*given, ("options", "\n".join((*sets, *assembled.options)))]):
            return False
        chart = contents.of(assembled.chart)
        if chart not in self.steady:  # it has many values files
            self.steady[chart] = not draws_lots(_texts(contents, assembled.chart))
        return self.steady[chart]

    def _start(self, command: Sequence[str], tree: Tree) -> Completed:
        launcher = self.confines.rendering(self.argv[0], tree.root)
        return process.run(
            command,
            env=self.scratch.helm_environment,
            cwd=self.scratch.cwd,
            limits=self.limits(),  # depend on who the launcher has become
            launcher=launcher,
        )

    def limits(self) -> Limits:
        """What one run of helm may use."""
        return self.confines.limits(self.seconds, HELM_MEMORY)

    @contextmanager
    def _assembled(
        self,
        target: HelmTarget,
        tree: Tree,
        archives: dict[RelPath, list[Path]],
        absent: tuple[Dependency, ...] = (),
        *,
        linking: bool = True,
    ) -> Iterator[Assembled]:
        """What helm is given; without `linking` as copies of ours."""
        mounts = target.mounts or (Mount(".", target.chart),)
        touched = [path for path in tree.overlay if target.reads(path)]
        chart_touched = any(is_within(path, mount.source) for path in touched for mount in mounts)
        replaced = target.install is not None and not target.install.defaults
        in_place = linking and not (archives or absent or chart_touched or target.git or replaced)
        if in_place and all(is_there(tree, target, mount) for mount in mounts):
            chart = tree.on_disk(target.chart)
            values = [tree.on_disk(path) for path in target.values]
            if not (touched or target.install) and all(is_plain(path) for path in values):
                yield Assembled(chart, tuple(values), Places.of(tree))
                return
            with self.scratch.folder() as folder:
                yield with_values(target, tree, chart, folder)
            return
        with self.scratch.folder() as folder:
            chart = folder / "chart"
            places = [*archives, *([] if not absent else ["."])]
            own = f"{target.chart}/values.yaml".removeprefix("./")
            laid = Tree(tree.root, {**tree.overlay, own: ""}) if replaced else tree
            written = [f"{at}/charts".removeprefix("./") for at in places]
            put_together(laid, mounts, chart, written, linking=linking)
            for one in absent:
                make_folder(chart / "charts" / one.name, chart)
                write_text(chart / "charts" / one.name / "Chart.yaml", _stand_in(one))
            for at, files in archives.items():
                charts = chart / at / "charts"
                make_folder(charts, chart)
                for file in files:
                    shutil.copyfile(file, charts / file.name)
            yield with_values(target, tree, chart, folder, linking=linking)


def _lacking(path: ValuePath, failure: RenderFailure, tree: Tree) -> tuple[str, tuple[str, ...]]:
    """The value on the way to `path` that the chart's own values do not have, and those beside it; ``image.tag``."""
    if failure.wants or path[0] not in failure.has:
        return failure.wants or path[0], failure.has
    assert isinstance(failure.target, HelmTarget)  # noqa: S101 - it is this renderer's
    try:
        values = yamldoc.load(tree.text_or_none(below(failure.target.chart, "values.yaml")) or "")
    except yamldoc.YamlError:
        return "", failure.has
    for length in range(1, len(path)):
        there = yamldoc.lookup(values, path[:length])
        beside = tuple(map(str, there)) if isinstance(there, dict) else ()
        if path[length] not in beside:
            before = ".".join(path[:length])
            return f"{before}.{path[length]}", tuple(f"{before}.{one}" for one in beside)
    return ".".join(path), ()  # it is there, and empty


def _texts(contents: Contents, chart: Path) -> Iterator[tuple[str, str]]:
    """The files of a chart, and those in its archives. Raises `UnknownContentError`."""
    from portproof.render.archives import ArchiveError, texts  # noqa: PLC0415 - only for what has been rendered

    files = [(chart.name, str(chart))] if chart.is_file() else contents.paths(chart)
    for name, place in files:
        if not name.endswith(".tgz"):
            yield name, contents.text(Path(place))
            continue
        try:
            yield from texts(Path(place), name)
        except ArchiveError as error:
            raise UnknownContentError from error


def _as_it_stands(target: HelmTarget, tree: Tree) -> HelmTarget:
    """The target without the values files that are only tried: those that nothing but the overlay of its tree has."""
    tried = {one for one in target.values if one in tree.overlay and not tree.on_disk(one).exists()}
    return (
        replace(target, values=tuple(one for one in target.values if one not in tried)) if tried else target
    )


def lasting(found: Iterable[RenderedDocument], tree: Tree) -> Iterator[RenderedDocument]:
    """All but tests of a chart (``helm.sh/hook: test``) whose template draws lots, or cannot be read.

    Their names are often random: each rendering would have another object, which no change has made.
    """
    return (one for one in found if not _TEST.search(one.text) or _is_steady(one.source, tree))


def _is_steady(source: RelPath | None, tree: Tree) -> bool:
    template = tree.text_or_none(source) if source else None
    return template is not None and not _RANDOM.search(template)


def documents(output: str, template: Callable[[str], RelPath | None]) -> Iterator[RenderedDocument]:
    """The documents of helm's output that hold anything, each with its template: what `template` makes of helm's name for it.

    helm cuts what a template prints at its markers and writes ``---`` and ``# Source:`` before each piece, so a comment
    right behind a marker is helm's. Two markers of a template are not: ``...``, and the second of two with nothing
    between them. What follows those belongs to the template before, whatever source it claims.
    """
    source: RelPath | None = None
    blank = False
    for offset, text in yamldoc.split(output):
        named = None if blank else _SOURCE.match(text)
        if named and output.startswith("---", offset - 3):
            source = template(named.group(1))
        blank = named is not None and not text[named.end() :].strip()
        if _SOMETHING.search(text):
            yield RenderedDocument(text, source)


def _from_registry(document: RenderedDocument, chart: str) -> RenderedDocument:
    """The document with the template that helm names: a file of the chart, and none of the tree."""
    named = _SOURCE.match(document.text)
    file = named[1].partition("/")[2] if named else ""
    return replace(document, source=None, elsewhere=", ".join(filter(None, (chart, file))))


def _took(chart: RemoteChart, version: str) -> str:
    """What there is to say of the version that a range stands for today."""
    if chart.packed or is_exact(chart.version) or chart.version.startswith("sha256:"):
        return ""
    wanted = chart.version.strip() or "*"
    newest = "no version is pinned, and this is the newest" if wanted == "*" else f"the newest in {wanted}"
    return f"{chart.name} {version}: {newest} today"


def _stand_in(absent: Dependency) -> str:
    """A chart without templates. helm asks for its name only, but takes conditions and aliases by its version, too."""
    version = fitting(absent.version)
    return f'apiVersion: v2\nname: "{absent.name}"\nversion: "{version}"\n'
