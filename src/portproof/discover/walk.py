"""One walk of the tree with ``os.scandir``, and where links of it lead.

No link is followed by the walk, and ``.git`` is never entered. What the walk
passes over on purpose (caches, other people's modules, test data, what the
configuration excludes) or by force (no permission) is said in `Listing.skips`.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

from msgspec import Struct, field

from portproof.config import matches
from portproof.discover.model import Skip
from portproof.replacing import replace
from portproof.source import RelPath, is_within, parent

MAX_LINKS = 40
"""As many links as Linux follows in one path."""

_CACHES = frozenset(
    {".cache", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".terragrunt-cache", "__pycache__"}
)
_OF_TOOLS = frozenset({".tox", ".nox", ".venv", ".terraform", ".direnv", ".eggs", ".gradle", ".svn", ".hg"})
_PRUNED = _CACHES | _OF_TOOLS | {"node_modules", "bower_components", "venv", "site-packages"}
_TEST_DATA = frozenset({"test-data", "__fixtures__", "__snapshot__", "__snapshots__"})
_ARCHIVES = frozenset({".archive", ".archived", "_archive", "_archived"})
_SCAFFOLDS = re.compile(r"[._]+(?:[a-z0-9]+[-_])?(?:ft)?(?:template|boilerplate|scaffold|skeleton)s?_*")
"""Folders whose files a generator copies and fills in, as Folder Templates of VS Code does with ``.fttemplates``.

Or a person does, with ``_flux_templates``.
"""
_INVALID = re.compile(
    r"(?:in|non-?)valid(?:[-_](?:examples?|samples?|manifests?|resources?|yamls?|configs?|cases?|tests?))?|"
    r"(?:should|must|expected)-fail(?:ures?)?"
)
"""Folders whose files are meant to be rejected, beside those that are not: ``hack/invalid-examples`` of the Gateway API."""

_TEXTS = (".yaml", ".yml", ".json")
_TESTS = frozenset({"test", "tests", "__tests__", "spec", "e2e"})


class Folder(Struct, frozen=True):
    """What lies directly in a folder, by kind and sorted; `odd` are (escaped) names that no report could show.

    `git` says that there is a ``.git`` too.
    """

    path: RelPath
    files: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    odd: tuple[str, ...] = ()
    git: bool = False

    def child(self, name: str) -> RelPath:
        """The path of `name` in this folder."""
        return name if self.path == "." else f"{self.path}/{name}"


class Listing(Struct, frozen=True):
    """The folders that the walk went into, and what it passed over."""

    root: Path
    folders: dict[RelPath, Folder] = field(default_factory=dict)
    skips: tuple[Skip, ...] = ()

    def folder(self, path: RelPath) -> Folder:
        """What lies in `path`, also where the walk did not go; an unreadable folder looks empty."""
        if path in self.folders:
            return self.folders[path]
        try:
            return _scan(self.root, path)
        except OSError:
            return Folder(path)


class ResolvedPath(Struct, frozen=True):
    """Where a path really leads: `path` has no link in it."""

    path: RelPath
    kind: Literal["file", "folder", "missing"]


class EscapeError(Exception):
    """A path or link leads where portproof does not follow; the message completes "X …"."""


def walk(
    root: Path,
    requested: Sequence[RelPath],
    exclude: Sequence[str],
    ignored: frozenset[RelPath] = frozenset(),
) -> Listing:
    """List the tree. Folders that are usually passed over are entered when `requested` points into them.

    `ignored` are the files and folders that git ignores. What else lies there than YAML and JSON belongs to charts.
    """
    folders: dict[RelPath, Folder] = {}
    skips: list[Skip] = []
    stack = ["."]
    while stack:
        path = stack.pop()
        try:
            folder = _scan(root, path)
        except OSError as error:
            skips.append(
                Skip("manifests", path, f"cannot be listed: {(error.strerror or str(error)).lower()}")
            )
            continue
        if exclude:
            folder = _without(folder, exclude)
        if ignored:
            folder = _without_ignored(folder, ignored, requested)
        folders[path] = folder
        skips += [_unshowable(name) for name in folder.odd]
        for name in folder.folders:
            child = folder.child(name)
            reason = _passed_over(folder, child, name, requested, exclude)
            if reason is None and child in ignored and not any(is_within(one, child) for one in requested):
                reason = "ignored by git; name the path to check it"
            if reason is None:
                stack.append(child)
            elif reason:
                skips.append(Skip("manifests", child, reason, counts=False))
    return Listing(root, folders, tuple(skips))


def resolve(root: Path, path: RelPath) -> ResolvedPath:
    """Follow the links of `path` step by step with ``lstat`` and ``readlink``, never through the kernel.

    Raises `EscapeError` for a link that is absolute, leads out of the tree or into ``.git``, or goes round in circles.
    A path that cannot be looked at counts as missing.
    """
    done: list[str] = []
    pending = [step for step in reversed(path.split("/")) if step not in ("", ".")]
    links = 0
    kind: Literal["file", "folder", "missing"] = "folder"
    while pending:
        step = pending.pop()
        if step == "..":
            if not done:
                raise EscapeError("points outside the repository")
            done.pop()
            kind = "folder"
            continue
        done.append(step)
        if step == ".git":
            raise EscapeError("points into .git")
        target, kind = _look(root, "/".join(done))
        if target is not None:
            links += 1
            if links > MAX_LINKS:
                raise EscapeError("is part of a loop")
            if target.startswith("/"):
                raise EscapeError("points to an absolute path")
            done.pop()
            pending += [part for part in reversed(target.split("/")) if part not in ("", ".")]
            kind = "folder"
    return ResolvedPath("/".join(done) or ".", kind)


def names_in(root: Path, folder: RelPath) -> list[str]:
    """The names of what lies in a folder of the tree, in their order and without links; none where it is no such folder."""
    try:
        place = root / resolve(root, folder).path
        return sorted(one.name for one in place.iterdir() if not one.is_symlink())
    except (EscapeError, OSError, ValueError):  # a name with a null byte is a ValueError
        return []


def pruned(path: RelPath) -> RelPath:
    """The first folder of a path that is passed over for its name alone, ended by a slash; else the path."""
    steps = path.split("/")
    at = next((index for index, step in enumerate(steps[:-1]) if step in _PRUNED), None)
    return path if at is None else "/".join((*steps[: at + 1], ""))


def ancestors(path: RelPath) -> Iterator[RelPath]:
    """The folders above `path`, the nearest first, the root last."""
    while path != ".":
        path = parent(path)
        yield path


def _look(root: Path, path: RelPath) -> tuple[str | None, Literal["file", "folder", "missing"]]:
    """The target of a link, else None and what lies there."""
    place = f"{root}/{path}"
    try:
        mode = os.lstat(place).st_mode
        if stat.S_ISLNK(mode):
            return str(Path(place).readlink()), "missing"
    except (OSError, ValueError):  # ValueError: a NUL in the name
        return None, "missing"
    if stat.S_ISDIR(mode):
        return None, "folder"
    return None, "file" if stat.S_ISREG(mode) else "missing"


def _scan(root: Path, path: RelPath) -> Folder:
    files: list[str] = []
    folders: list[str] = []
    links: list[str] = []
    odd: list[str] = []
    git = False
    prefix = "" if path == "." else path + "/"
    with os.scandir(f"{root}/{prefix}") as entries:
        for entry in entries:
            name = entry.name
            git = git or name == ".git"
            if not name.isprintable():  # control characters, line separators, bytes that are not UTF-8
                odd.append(prefix + name.encode("unicode_escape", "surrogatepass").decode("ascii"))
            elif entry.is_symlink():
                links.append(name)
            elif entry.is_dir(follow_symlinks=False):
                if name != ".git":
                    folders.append(name)
            elif entry.is_file(follow_symlinks=False):
                files.append(name)
    found = [tuple(sorted(names)) for names in (files, folders, links, odd)]
    return Folder(path, found[0], found[1], found[2], found[3], git)


def _unshowable(name: RelPath) -> Skip:
    """What no report could name. A picture would be no target under any name; a name without an ending may be a folder's."""
    ending = os.path.splitext(name)[1]  # noqa: PTH122 - an escaped name is no path
    return Skip("manifests", name, "its name is not printable UTF-8", counts=ending in ("", *_TEXTS))


def _without(folder: Folder, exclude: Sequence[str]) -> Folder:
    """The folder without the files that the configuration excludes; links stay, so that charts are checked whole."""
    files = tuple(name for name in folder.files if not _excluded(folder.child(name), exclude))
    return replace(folder, files=files)


def _without_ignored(folder: Folder, ignored: frozenset[RelPath], requested: Sequence[RelPath]) -> Folder:
    """The folder without the YAML and JSON that git ignores: vendored archives of charts are usually ignored, too."""
    files = tuple(
        name
        for name in folder.files
        if folder.child(name) not in ignored or folder.child(name) in requested or not name.endswith(_TEXTS)
    )
    return replace(folder, files=files)


def _excluded(path: RelPath, exclude: Sequence[str]) -> bool:
    return any(matches(pattern, path) for pattern in exclude)


def _passed_over(
    folder: Folder, path: RelPath, name: str, requested: Sequence[RelPath], exclude: Sequence[str]
) -> str | None:
    """Why the walk does not go into `path`; "" for no need to say; None to go on."""
    if exclude and _excluded(path, exclude):
        return "excluded by the configuration"
    if any(is_within(wanted, path) for wanted in requested):
        return None
    if name in _PRUNED:
        return "" if name.startswith((".", "_")) else f"{name} is not searched; name the path to check it"
    if name in _ARCHIVES:
        return "archived; name the path to check it"
    if _INVALID.fullmatch(name):
        return "examples of what is not valid; name the path to check it"
    if _SCAFFOLDS.fullmatch(name):
        return "templates of new files; name the path to check it"
    if name == "vendor" and "go.mod" in folder.files:
        return "vendored Go modules; name the path to check it"
    if (
        name.startswith("testdata")
        or name in _TEST_DATA
        or (name == "fixtures" and not _TESTS.isdisjoint(path.split("/")))
    ):
        return "test data; name the path to check it"
    return None
