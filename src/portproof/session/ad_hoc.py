"""What a command line says of the one chart that it names: for this run, in place of its values files."""

from __future__ import annotations

from glob import escape
from pathlib import Path

from portproof.config import ChartConfig, Config
from portproof.discover.model import STREAM, Discovery, HelmTarget
from portproof.errors import UsageError
from portproof.flags import AD_HOC, Flags, option_of
from portproof.replacing import replace
from portproof.session.request import Request
from portproof.source import RelPath, Tree


def said_of_one_chart(flags: Flags) -> tuple[str, ...]:
    """The options about one chart that are given, as they are written."""
    return tuple(option_of(name) for name in AD_HOC if getattr(flags, name))


def with_ad_hoc(request: Request, config: Config, tree: Tree, paths: tuple[RelPath, ...]) -> Config:
    """The configuration with what the command line says of the chart, which counts more. Raises `UsageError`.

    With values it is checked with those alone, else as it would be anyway.
    """
    flags = request.flags
    options = said_of_one_chart(flags)
    if not options:
        return config
    chart = paths[0].removesuffix("Chart.yaml").rstrip("/") or "."
    if len(paths) > 1 or not (tree.on_disk(chart) / "Chart.yaml").is_file():
        what = "there are several paths" if len(paths) > 1 else f"{chart} is none"
        raise UsageError(
            f"{options[0]} is about one chart, and {what}",
            next_step=f"Name the folder with its Chart.yaml: `portproof check charts/web {options[0]} …`.",
        )
    entry = ChartConfig(
        escape(chart),
        values=(tuple(f"/{_in_tree(file, tree)}" for file in flags.values or ()),),
        release=flags.chart_release,
        namespace=flags.chart_namespace,
        kube_version=flags.kube_version,
        sets=flags.chart_set or (),
        alone=bool(flags.values or flags.chart_set),
    )
    return replace(config, charts=(*config.charts, entry if entry.alone else replace(entry, values=())))


def refuse_for_stream(request: Request) -> None:
    """Raise `UsageError` for such an option where no chart is read."""
    options = said_of_one_chart(request.flags)
    if options:
        raise UsageError(
            f"{options[0]} is about a chart, and {STREAM} has rendered manifests",
            next_step=f"Give it to what renders them: `helm template charts/web {options[0]} … | portproof check -`.",
        )


def alone(found: Discovery, config: Config) -> Discovery:
    """Of the targets only the chart with the values of the command line, where it has some."""
    entry = next((one for one in config.charts if one.alone), None)
    if entry is None:
        return found
    values = tuple(one.removeprefix("/") for one in entry.values[0])
    kept = tuple(
        one
        for one in found.targets
        if isinstance(one, HelmTarget)
        and escape(one.chart) == entry.path
        and (one.values, one.sets, one.install) == (values, entry.sets, None)
    )
    skips = tuple(one for one in found.skips if one.path == entry.path)
    return replace(found, targets=kept, skips=skips, unread=())


def _in_tree(file: str, tree: Tree) -> RelPath:
    path = Path(file).resolve()
    if not path.is_file():
        raise UsageError(f"--values {file}: no such file", next_step="Name a file that exists, from here.")
    root = tree.root.resolve()
    if not path.is_relative_to(root):
        raise UsageError(
            f"--values {file} is outside {root.name}",
            next_step="Copy it into the repository: only what is in there is rendered.",
        )
    return path.relative_to(root).as_posix()
