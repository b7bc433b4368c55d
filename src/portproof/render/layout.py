"""How a chart is laid out for helm: its folder, or a copy with every mount in its place, and the values files."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from portproof.discover.model import HelmTarget, Mount
from portproof.render.copying import is_private, shadow_folder, write_text
from portproof.render.install_values import install_values
from portproof.render.tool_output import Places
from portproof.source import RelPath, Tree


class Assembled(Struct, frozen=True):
    """What helm is given: a chart, values files and options, and what their paths are called in the repository.

    `files` are those that the options name.
    """

    chart: Path
    values: tuple[Path, ...]
    places: Places
    options: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()


def has_private(target: HelmTarget, tree: Tree) -> bool:
    """Whether helm would read a file that not everybody may read, but that we may: it loads all that lies in a chart."""
    folders = (tree.on_disk(mount.source) for mount in target.mounts)
    files = (path for folder in folders for path in folder.rglob("*"))
    private = [one for one in (*map(tree.on_disk, target.values), *files) if is_private(one)]
    return bool(private) and all(os.access(one, os.R_OK) for one in private)


def is_there(tree: Tree, target: HelmTarget, mount: Mount) -> bool:
    """Whether a mount is nothing but what lies there on disk, perhaps through a link that helm follows too."""
    if mount.at == ".":
        return mount.source == target.chart
    place = tree.on_disk(target.chart) / mount.at
    return os.path.realpath(place) == os.path.realpath(tree.on_disk(mount.source))


def is_plain(path: Path) -> bool:
    """Whether helm takes the path for what it is: it splits ``-f`` at commas and reads it as a URL first."""
    return not any(character in str(path) for character in ',"%')


def with_values(
    target: HelmTarget, tree: Tree, chart: Path, folder: Path, *, linking: bool = True
) -> Assembled:
    """Values files as the tree has them; those that are edited or oddly named are written to the scratch folder.

    So are values that stand in the object that installs the chart.
    """
    given = install_values(target, target.install, tree) if target.install else None
    names: dict[Path, RelPath] = {chart: target.chart}
    values = []
    for number, path in enumerate(target.values):
        file = tree.on_disk(path)
        text = tree.overlay.get(path)
        if given and number == len(target.values) - 1:
            text = given.values
        elif given and number in given.parts:
            text = given.parts[number]
        if text is not None or not is_plain(file) or not linking:
            file = folder / f"values-{number}.yaml"
            names[file] = path
            if text is not None:
                write_text(file, text)
            else:
                shutil.copyfile(tree.on_disk(path), file)
        values.append(file)
    whole = dict(_set_files(target, tree, folder))
    options = [*(given.options if given else ()), *whole]
    return Assembled(chart, tuple(values), Places.of(tree, names), tuple(options), tuple(whole.values()))


def _set_files(target: HelmTarget, tree: Tree, folder: Path) -> Iterator[tuple[str, Path]]:
    """The options that give values as whole files, and copies of these whose names need no escape."""
    for number, (name, path) in enumerate(target.install.set_files if target.install else ()):
        file = folder / f"value-{number}"
        text = tree.overlay.get(path)
        if text is not None:
            write_text(file, text)
        else:
            shutil.copyfile(tree.on_disk(path), file)
        yield f"--set-file={name}={file}", file


def put_together(
    tree: Tree, mounts: tuple[Mount, ...], to: Path, own: list[RelPath], *, linking: bool = True
) -> None:
    """Put every mount in its place, outer ones first; a mount takes the place of what lies there.

    `own` are the places, relative to the chart, that will be written to.
    """
    for mount in sorted(mounts, key=lambda one: (one.at != ".", one.at.count("/"), one.at)):
        prefix = "" if mount.at == "." else f"{mount.at}/"
        others = [other.at for other in mounts if other.at not in (mount.at, ".")]
        inner = [at[len(prefix) :] for at in others if at.startswith(prefix)]
        written = [at[len(prefix) :] for at in own if at.startswith(prefix)]
        place = to if mount.at == "." else to / mount.at
        # Schemas are not checked, and a schema can point to any file or host.
        shadow_folder(tree, mount.source, place, [*inner, "values.schema.json"], written if linking else None)
