"""From the names that helm gives to templates to the files of the repository.

helm says ``shop/charts/common/templates/service.yaml``: the *names* of the
charts (a subchart's alias, where it has one), whatever their folders are
called. Neither the name of a folder nor a ``# Source:`` line is trusted: the
answer is a file that exists.
"""

from __future__ import annotations

import contextlib
import os
import re
from dataclasses import dataclass, field
from typing import Any

from portproof import yamldoc
from portproof.discover.model import HelmTarget, Mount
from portproof.source import RelPath, Tree, is_inside, normalise

_NAME = re.compile(r"^name:[ \t]*[\"']?([^\"'\s#]+)", re.MULTILINE)
_CHARTS = "charts/"


@dataclass(slots=True)
class ChartPaths:
    """The files of one target; answers are kept, so an instance serves one rendering."""

    target: HelmTarget
    tree: Tree
    _mounts: tuple[Mount, ...] = field(init=False)
    _prefixes: dict[str, RelPath | None] = field(default_factory=dict)
    _found: dict[str, RelPath | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        mounts = self.target.mounts or (Mount(".", self.target.chart),)
        # The deepest mount that holds a place decides.
        self._mounts = tuple(
            sorted(mounts, key=lambda mount: mount.at.count("/") + (mount.at != "."), reverse=True)
        )

    @property
    def name(self) -> str | None:
        """What the chart calls itself."""
        return self._name(".")

    def template(self, named: str) -> RelPath | None:
        """The file behind a template's name, such as ``shop/templates/service.yaml``; None when there is none here."""
        if named not in self._found:
            self._found[named] = self._template(named)
        return self._found[named]

    def on_tree(self, at: RelPath) -> RelPath:
        """Where a place of the chart, such as ``charts/common/values.yaml``, lies in the repository."""
        for mount in self._mounts:
            if mount.at == ".":
                return _join(mount.source, at)
            if at == mount.at:
                return mount.source
            if at.startswith(mount.at + "/"):
                return _join(mount.source, at[len(mount.at) + 1 :])
        return _join(self.target.chart, at)

    def charts(self) -> list[RelPath]:
        """The places of the chart and of every subchart that is a folder, outer ones first."""
        found: list[RelPath] = ["."]
        for at in found:
            if len(found) < 500 and at.count("/") < 40:
                found += sorted(set(self._folders(at).values()) - set(found))
        return found

    def exists(self, path: RelPath) -> bool:
        """Whether the tree has such a file."""
        # Unlike pathlib's, os.path's answer to a name that is too long for any disk is no, and not an error.
        # And helm's words may hold a stranger's, who names what is no file of the repository.
        return path in self.tree.overlay or (is_inside(path) and os.path.isfile(self.tree.on_disk(path)))  # noqa: PTH113

    def _template(self, named: str) -> RelPath | None:
        if not named.isprintable() or normalise(named) != named:
            return None
        head, found, tail = named.partition("/templates/")
        if not found:
            return None
        if head not in self._prefixes:
            self._prefixes[head] = self._chart(head)
        at = self._prefixes[head]
        if at is None:
            return None
        path = self.on_tree(_join(at, f"templates/{tail}"))
        return path if self.exists(path) else None

    def _chart(self, names: str) -> RelPath | None:
        """The place of the chart that helm calls ``shop/charts/common``."""
        top, *below = names.split("/charts/")
        name = self._name(".")
        if not top or (name and top != name):
            return None
        at: RelPath = "."
        for step in below:
            folder = self._folders(at).get(step)
            if folder is None:
                return None
            at = folder
        return at

    def _folders(self, at: RelPath) -> dict[str, RelPath]:
        """The subcharts of the chart at `at` that are folders, by the names that helm gives them."""
        charts = _join(at, "charts")
        places = {mount.at for mount in self._mounts if mount.at.rpartition("/")[0] == charts}
        with contextlib.suppress(OSError):
            places |= {
                _join(charts, entry.name) for entry in self.tree.on_disk(self.on_tree(charts)).iterdir()
            }
        named = {name: place for place in sorted(places, reverse=True) if (name := self._name(place))}
        aliases = {alias: named[name] for alias, name in self._aliases(at) if name in named}
        return named | aliases

    def _name(self, at: RelPath) -> str | None:
        found = _NAME.search(self._text(_join(at, "Chart.yaml")))
        return found.group(1) if found else None

    def _aliases(self, at: RelPath) -> list[tuple[str, str]]:
        """Pairs of alias and name, from Chart.yaml and from the older requirements.yaml."""
        pairs: list[tuple[str, str]] = []
        for file in ("Chart.yaml", "requirements.yaml"):
            text = self._text(_join(at, file))
            if "alias" not in text:
                continue
            data: Any = None
            with contextlib.suppress(yamldoc.YamlError):
                data = yamldoc.load(text)
            entries = data.get("dependencies") if isinstance(data, dict) else None
            pairs += [
                (str(entry["alias"]), str(entry.get("name")))
                for entry in (entries if isinstance(entries, list) else ())
                if isinstance(entry, dict) and entry.get("alias")
            ]
        return pairs

    def _text(self, at: RelPath) -> str:
        return self.tree.text_or_none(self.on_tree(at)) or ""


def _join(folder: RelPath, path: RelPath) -> RelPath:
    if folder == ".":
        return path
    return folder if path == "." else f"{folder}/{path}"
