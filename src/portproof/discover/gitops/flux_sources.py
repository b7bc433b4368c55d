"""Where Flux takes the chart of a HelmRelease from: source-controller ``HelmRepository``, ``OCIRepository``, ``HelmChart``."""

from __future__ import annotations

from collections.abc import Sequence

from portproof.discover.gitops.deployment import UNKNOWN, nearest
from portproof.discover.gitops.described import Described
from portproof.discover.model import RemoteChart
from portproof.yamldoc import FieldPath

SOURCES = "source.toolkit.fluxcd.io"


def remote_chart(release: Described, objects: Sequence[Described]) -> RemoteChart | str:
    """The chart of a registry that a HelmRelease installs; why it is not known where it is not."""
    at: FieldPath = ("spec", "chart", "spec")
    if release.text(*at, "chart"):
        return _of_repository(release, release, at, objects)
    kind, name = release.text("spec", "chartRef", "kind"), release.text("spec", "chartRef", "name")
    source = _source(kind, name, release, objects)
    if source is None:
        return f"its chart is the {kind} {name}, which is not in this repository"
    if kind == "HelmChart":
        return _of_repository(release, source, ("spec",), objects)
    if kind == "OCIRepository":
        return _of_oci(release, source)
    return f"its chart is the {kind} {name}"


def _of_repository(
    release: Described, chart: Described, at: FieldPath, objects: Sequence[Described]
) -> RemoteChart | str:
    named, version = chart.text(*at, "chart"), chart.text(*at, "version")
    kind, name = chart.text(*at, "sourceRef", "kind"), chart.text(*at, "sourceRef", "name")
    source = _source(kind, name, release, objects) if kind == "HelmRepository" else None
    if source is None:
        return f"the chart {named} of the {kind} {name} is not in this repository, nor is its {kind}"
    url = source.text("spec", "url")
    if source.text("spec", "type") == "oci" and "://" not in url:
        url = f"oci://{url}"
    odd = next((text for text in (url, named, version) if UNKNOWN.search(text)), "")
    if odd:
        return f"the chart {named} of the {kind} {name}: {odd} is not filled in"
    files = tuple(dict.fromkeys((chart.file, source.file)))
    return RemoteChart(
        url, named, version, chart.file, chart.number, _unless_rendered(chart, (*at, "version")), files
    )


def _of_oci(release: Described, source: Described) -> RemoteChart | str:
    """Of its ``ref`` a digest counts before a range, and that before a tag."""
    url = source.text("spec", "url").rstrip("/")
    address, _, name = url.rpartition("/")
    key = next((key for key in ("digest", "semver", "tag") if source.text("spec", "ref", key)), "tag")
    version = source.text("spec", "ref", key)
    if not url.startswith("oci://") or UNKNOWN.search(url + version):
        return f"its chart is the OCIRepository {release.text('spec', 'chartRef', 'name')}, whose {url} is not filled in"
    return RemoteChart(
        address,
        name,
        version,
        source.file,
        source.number,
        _unless_rendered(source, ("spec", "ref", key)),
        (source.file,),
    )


def _unless_rendered(one: Described, at: FieldPath) -> FieldPath:
    """Where something stands in its file; nowhere for what a rendering holds."""
    return () if one.parent else at


def _source(kind: str, name: str, release: Described, objects: Sequence[Described]) -> Described | None:
    """The object of that kind and name that is nearest to the release; None without one, or with two as near."""
    found = [one for one in objects if one.is_a(kind, SOURCES) and one.text("metadata", "name") == name]
    chosen = nearest([one.file for one in found], release.file)
    return next((one for one in found if one.file == chosen), None)
