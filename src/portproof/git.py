"""git, asked about a repository without obeying it.

A repository's configuration and attributes name programs: filters, file system monitors, hooks, external diffs, pagers,
ssh commands. git starts them when it looks at files. A flag against each would miss the next one. So the questions go
through a git directory of our own: it has the repository's objects, a copy of its index, and none of its configuration.
Only what names of revisions mean is asked of the repository itself, by commands that look at no file.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from collections.abc import Iterator, Mapping
from pathlib import Path

from msgspec import Struct

from portproof import process
from portproof.errors import UsageError

_SAFE = {
    "core.autocrlf": ("true", "false", "input"),
    "core.eol": ("lf", "crlf", "native"),
    "core.filemode": ("true", "false"),
    "core.ignorecase": ("true", "false"),
    "core.precomposeunicode": ("true", "false"),
    "core.symlinks": ("true", "false"),
}
"""What of a repository's configuration holds here, too: how files lie on this disk, in words that start nothing."""

_PROTECTED = (
    "core.fsmonitor=false",
    f"core.hooksPath={os.devnull}",
    "core.quotePath=false",
)
_SECONDS = 120


class Git(Struct, frozen=True, weakref=True):
    """A git that starts no other program, whatever the repository at `root` says.

    `folder` is its own git directory, which goes with it; `settings` are options of the command line.
    """

    program: str
    root: Path
    environ: Mapping[str, str]
    folder: Path
    objects: Path
    settings: tuple[str, ...]

    def run(self, *arguments: str, env: Mapping[str, str] | None = None) -> str:
        """Run a git command at the root. Raises `UsageError` with git's own words when it fails."""
        done = self.attempt(*arguments, env=env)
        if not done.ok:
            raise _failed(arguments[0], done)
        return done.stdout

    def attempt(self, *arguments: str, env: Mapping[str, str] | None = None) -> process.Completed:
        """Run a git command at the root, whatever comes of it."""
        ours = {
            "GIT_DIR": str(self.folder),
            "GIT_WORK_TREE": str(self.root),
            "GIT_OBJECT_DIRECTORY": str(self.objects),
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_ATTR_NOSYSTEM": "1",
            "GIT_NO_REPLACE_OBJECTS": "1",
        }
        return _run(
            self.program, self.root, {**_alone(self.environ), **ours, **(env or {})}, self.settings, arguments
        )

    def lines(self, *arguments: str) -> list[str]:
        """The NUL-separated answers of a command."""
        return [one for one in self.run(*arguments).split("\0") if one]

    def commit(self, revision: str) -> str | None:
        """The name of the commit that a revision means: asked of the repository, which has the branches."""
        done = _ask(
            self.program,
            self.root,
            self.environ,
            ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}"),
        )
        return done.stdout.strip() if done.ok else None


def opened(program: str, root: Path, environ: Mapping[str, str]) -> Git:
    """The git of the repository at `root`, with its own git directory. Raises `UsageError` for a broken repository."""
    names = ("index", "objects", "shallow", "info/exclude")
    asked = [part for name in names for part in ("--git-path", name)]
    done = _ask(program, root, environ, ("rev-parse", *asked, "--show-object-format"))
    *found, format_ = done.stdout.splitlines() if done.ok else [""]
    if len(found) != len(names):
        raise _failed("rev-parse", done)
    index, objects, shallow, exclude = (root / one for one in found)
    settings = tuple(_settings(program, root, environ))
    folder = Path(tempfile.mkdtemp(prefix="portproof-git-"))
    git = Git(program, root, environ, folder, objects, settings)
    weakref.finalize(git, shutil.rmtree, folder, ignore_errors=True)
    for name in ("refs", "objects", "info"):
        (folder / name).mkdir()
    version = "0" if format_ == "sha1" else f"1\n[extensions]\n\tobjectFormat = {format_}"
    (folder / "config").write_text(f"[core]\n\trepositoryFormatVersion = {version}\n", encoding="utf-8")
    (folder / "HEAD").write_text(f"{git.commit('HEAD') or 'ref: refs/heads/none'}\n", encoding="utf-8")
    for source, name in ((index, "index"), (shallow, "shallow"), (exclude, "info/exclude")):
        _copy(source, folder / name)
    for shared in index.parent.glob("sharedindex.*"):  # what the entries of a split index build on
        _copy(shared, folder / shared.name)
    return git


def _settings(program: str, root: Path, environ: Mapping[str, str]) -> Iterator[str]:
    """Options for how files lie on this disk, and for the file with what the user ignores everywhere."""
    done = _ask(program, root, environ, ("config", "--list", "-z", "--show-scope"))
    words = done.stdout.split("\0") if done.ok else []
    kept = {}
    for scope, entry in zip(words[::2], words[1::2], strict=False):
        key, _, value = entry.partition("\n")
        mine = key == "core.excludesfile" and scope in ("system", "global")
        if mine or value in _SAFE.get(key, ()):
            kept[key] = value
    for key, value in kept.items():
        yield from ("-c", f"{key}={value}")


def _ask(
    program: str, root: Path, environ: Mapping[str, str], arguments: tuple[str, ...]
) -> process.Completed:
    """Ask the repository itself, with a command that looks at no file and starts nothing."""
    return _run(program, root, _alone(environ), ("-c", f"safe.directory={root}"), arguments)


def _alone(environ: Mapping[str, str]) -> dict[str, str]:
    """An environment without the caller's GIT_*, in which git asks nobody and fetches nothing.

    A partial clone fetches what it lacks, through the ssh command and the helpers that its configuration names.
    """
    return {
        **{name: environ[name] for name in ("PATH", "HOME", "XDG_CONFIG_HOME") if name in environ},
        "GIT_ALLOW_PROTOCOL": "none",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_TERMINAL_PROMPT": "0",
    }


def _run(
    program: str, root: Path, env: Mapping[str, str], options: tuple[str, ...], arguments: tuple[str, ...]
) -> process.Completed:
    # Hooks may lie in the work tree (husky sets core.hooksPath), and templates of git bring some, too.
    protected = [part for setting in _PROTECTED for part in ("-c", setting)]
    return process.run(
        [program, "--no-pager", *options, *protected, *arguments],
        env={**env, "GIT_CEILING_DIRECTORIES": str(root.parent)},
        cwd=root,
        limits=process.Limits(seconds=_SECONDS),
    )


def _copy(source: Path, to: Path) -> None:
    """Copy a regular file, where there is one, with its time: a file younger than the index is compared by content."""
    if source.is_file():
        shutil.copy2(source, to)


def _failed(command: str, done: process.Completed) -> UsageError:
    words = done.stderr.strip().splitlines() or [done.ending.value]
    return UsageError(
        f"git {command}: {words[-1]}", next_step="Run `git status` in this repository to see what is wrong."
    )
