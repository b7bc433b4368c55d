"""A clone whose git names programs: comparing with a base runs none of them."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from portproof.errors import UsageError
from portproof.git import opened
from portproof.revision import Comparison, compare_with
from tests.e2e.program import Program, Repository, environment
from tests.e2e.test_base import BAD, GOOD, manifests

Make = Callable[[str], Repository]

DRIVERS = "*.yaml filter=evil diff=evil merge=evil\n*.md filter=evil\n"


class Trap:
    """A program whose only harm is a mark that it ran, and a clone that names it wherever git starts programs."""

    def __init__(self, clone: Repository, folder: Path) -> None:
        self.clone = clone
        self.mark = folder / "ran"
        self.program = folder / "evil"
        self.program.write_text(f'#!/bin/sh\necho "$0 $*" >>"{self.mark}"\n')
        self.program.chmod(0o755)

    def sprung(self) -> bool:
        """Whether the program ran since the last look."""
        ran = self.mark.exists()
        self.mark.unlink(missing_ok=True)
        return ran

    def set(self, key: str, value: str, *, clone: str = ".") -> None:
        """Write into the configuration of the clone, or of one in it."""
        self.clone.git("config", "--file", f"{clone}/.git/config", key, value)

    def tried(self, *command: str) -> None:
        """Call git as a person would, in a terminal and trusting the clone; whatever comes of it."""
        reader, terminal = os.openpty()
        subprocess.run(
            ["git", "--no-pager", "-c", "safe.directory=*", *command],
            cwd=self.clone.root,
            env=environment() | {"GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0", "TERM": "xterm"},
            stdin=subprocess.DEVNULL,
            stdout=terminal,
            stderr=terminal,
            timeout=600,
            check=False,
        )
        os.close(terminal)
        os.close(reader)


def filters(trap: Trap) -> list[str]:
    trap.clone.write({".gitattributes": DRIVERS})
    for key in ("clean", "smudge"):
        trap.set(f"filter.evil.{key}", str(trap.program))
    trap.set("filter.evil.required", "true")
    return ["diff", "--name-only", "HEAD"]


def long_running_filter(trap: Trap) -> list[str]:
    trap.clone.write({".git/info/attributes": DRIVERS})
    trap.set("filter.evil.process", str(trap.program))
    return ["diff", "--name-only", "HEAD"]


def included(trap: Trap) -> list[str]:
    trap.clone.write(
        {
            ".gitattributes": DRIVERS,
            "conf/evil": f'[filter "evil"]\n\tclean = {trap.program}\n\tsmudge = {trap.program}\n',
        }
    )
    trap.set("include.path", "../conf/evil")
    return ["diff", "--name-only", "HEAD"]


def of_a_work_tree(trap: Trap) -> list[str]:
    trap.set("extensions.worktreeConfig", "true")
    trap.clone.write(
        {".gitattributes": DRIVERS, ".git/config.worktree": f'[filter "evil"]\n\tclean = {trap.program}\n'}
    )
    return ["diff", "--name-only", "HEAD"]


def monitor(trap: Trap) -> list[str]:
    trap.set("core.fsmonitor", str(trap.program))
    return ["status"]


def hooks(trap: Trap) -> list[str]:
    trap.clone.write({"hooks/post-index-change": trap.program.read_bytes()})
    (trap.clone.root / "hooks/post-index-change").chmod(0o755)
    trap.set("core.hooksPath", "hooks")
    return ["read-tree", "HEAD"]


def diffs(trap: Trap) -> list[str]:
    trap.clone.write({".gitattributes": DRIVERS})
    trap.set("diff.external", str(trap.program))
    trap.set("diff.evil.command", str(trap.program))
    trap.set("diff.evil.textconv", str(trap.program))
    return ["diff", "HEAD"]


def pager(trap: Trap) -> list[str]:
    trap.set("core.pager", str(trap.program))
    for command in ("diff", "rev-parse", "log", "ls-files", "ls-tree", "merge-base", "config"):
        trap.set(f"pager.{command}", str(trap.program))
    return ["--paginate", "log"]


def signatures(trap: Trap) -> list[str]:
    trap.clone.write({".git/gpg": trap.program.read_bytes()})
    trap.set("gpg.program", str(trap.program))
    trap.set("log.showSignature", "true")
    tree, parent = trap.clone.git("rev-parse", "HEAD^{tree}", "HEAD").split()
    who = "a <a@example.org> 1700000000 +0000"
    signed = f"tree {tree}\nparent {parent}\nauthor {who}\ncommitter {who}\ngpgsig -----BEGIN PGP SIGNATURE-----\n x\n -----END PGP SIGNATURE-----\n\nsigned\n"
    name = trap.clone.git("hash-object", "-t", "commit", "-w", "--stdin", stdin=signed).strip()
    trap.clone.git("update-ref", "refs/heads/main", name)
    return ["log"]


def transport(trap: Trap, url: str = "ssh://example.org/x") -> list[str]:
    """A partial clone that lacks a commit, whose remote is asked by a program."""
    trap.set("core.repositoryFormatVersion", "1")
    trap.set("extensions.partialClone", "origin")
    trap.set("remote.origin.url", url)
    trap.set("remote.origin.promisor", "true")
    trap.set("core.sshCommand", str(trap.program))
    trap.set("core.gitProxy", str(trap.program))
    trap.set("core.askPass", str(trap.program))
    trap.set("credential.helper", str(trap.program))
    trap.set("protocol.allow", "always")
    trap.set("protocol.ext.allow", "always")
    trap.set("protocol.ssh.allow", "always")
    return ["cat-file", "-e", LACKED]


def remote_helper(trap: Trap) -> list[str]:
    return transport(trap, f"ext::{trap.program} %S")


def submodule(trap: Trap) -> list[str]:
    inner = Repository(trap.clone.root / "charts/inner")
    inner.write({"a.md": "a\n"})
    inner.commit()
    trap.clone.commit()
    inner.write({"a.md": "b\n", ".gitattributes": DRIVERS})
    trap.set("core.fsmonitor", str(trap.program), clone="charts/inner")
    trap.set("filter.evil.clean", str(trap.program), clone="charts/inner")
    return ["diff", "--name-only", "HEAD"]


OTHER = manifests(8082)
LACKED = "1" * 40
CALLS = (("check", "--base", "HEAD"), ("check", "--base", LACKED), ("postmortem", "--rev", "good..HEAD"))
TRAPS = {
    "filters": filters,
    "a filter that keeps running": long_running_filter,
    "an included configuration": included,
    "the configuration of a work tree": of_a_work_tree,
    "a file system monitor": monitor,
    "hooks": hooks,
    "external diffs": diffs,
    "a pager": pager,
    "signatures": signatures,
    "the transport of a partial clone": transport,
    "a remote helper": remote_helper,
    "a submodule": submodule,
}


@pytest.fixture
def trap(make_repository: Make, tmp_path_factory: pytest.TempPathFactory) -> Trap:
    """A clone with two commits; the second breaks a port."""
    clone = make_repository("")
    clone.write({"k8s/all.yaml": GOOD, "README.md": "read me\n"})
    clone.commit()
    clone.git("tag", "good")
    clone.write({"k8s/all.yaml": OTHER})
    clone.commit()
    return Trap(clone, tmp_path_factory.mktemp("outside"))


@pytest.mark.parametrize("name", TRAPS)
def test_no_program_of_the_clone_runs(name: str, trap: Trap, portproof: Program) -> None:
    trusting = TRAPS[name](trap)
    trap.clone.write({"k8s/all.yaml": BAD, "README.md": "other\n"})
    trap.tried(*trusting)
    assert trap.sprung(), "git does not run it for anybody"
    codes = [portproof(*call).code for call in CALLS]
    assert not trap.sprung()
    assert codes == [1, 2, 0]


def both(root: Path) -> tuple[Comparison, dict[str, str]]:
    compared = compare_with("main", root, os.environ)
    return compared, dict(compared.texts(sorted(compared.changed)))


def plain(clone: Repository) -> Path:
    return clone.root


def work_tree(clone: Repository) -> Path:
    root = clone.root.parent / "beside"
    clone.git("worktree", "add", "--quiet", "--detach", str(root))
    return root


def shallow(clone: Repository) -> Path:
    root = clone.root.parent / "shallow"
    clone.git("clone", "--quiet", "--depth=1", f"file://{clone.root}", str(root))
    return root


def split_index(clone: Repository) -> Path:
    clone.git("update-index", "--split-index")
    return clone.root


def borrowed_objects(clone: Repository) -> Path:
    root = clone.root.parent / "borrows"
    clone.git("clone", "--quiet", "--shared", str(clone.root), str(root))
    return root


def packed(clone: Repository) -> Path:
    clone.git("gc", "--quiet")
    return clone.root


def sparse(clone: Repository) -> Path:
    clone.git("sparse-checkout", "set", "--cone", "--sparse-index", "k8s")
    return clone.root


@pytest.mark.parametrize("kind", [plain, work_tree, shallow, split_index, borrowed_objects, packed, sparse])
def test_every_kind_of_clone_is_read(kind: Callable[[Repository], Path], make_repository: Make) -> None:
    clone = make_repository("")
    clone.write({"k8s/all.yaml": GOOD, "other/a.yaml": "a: 1\n", ".gitignore": "*.tgz\n"})
    clone.commit()
    root = kind(clone)
    (root / "k8s/all.yaml").write_text(BAD)
    (root / "k8s/new.yaml").write_text("a: 1\n")
    (root / "k8s/a.tgz").write_text("")
    compared, texts = both(root)
    assert compared.changed == {"k8s/all.yaml", "k8s/new.yaml"}
    assert texts == {"k8s/all.yaml": GOOD}


def test_a_clone_with_longer_names_is_read(make_repository: Make) -> None:
    clone = make_repository("")
    shutil.rmtree(clone.root / ".git", ignore_errors=True)
    clone.git("init", "--quiet", "--initial-branch=main", "--object-format=sha256", "--template=")
    clone.write({"a.yaml": GOOD})
    clone.commit()
    clone.write({"a.yaml": BAD})
    compared, texts = both(clone.root)
    assert len(compared.revision) == 64
    assert texts == {"a.yaml": GOOD}


def test_line_ends_are_those_of_the_clone(make_repository: Make) -> None:
    clone = make_repository("")
    clone.write({"a.yaml": "a: 1\n", "b.yaml": "b: 1\n"})
    clone.commit()
    clone.git("config", "--local", "core.autocrlf", "true")
    clone.write({"a.yaml": "a: 1\r\n", "b.yaml": "b: 2\r\n"})
    compared, texts = both(clone.root)
    assert compared.changed == {"b.yaml"}
    assert texts == {"b.yaml": "b: 1\r\n"}


def test_what_a_partial_clone_lacks_is_not_fetched(make_repository: Make) -> None:
    clone = make_repository("")
    clone.write({"a.yaml": GOOD})
    clone.commit()
    clone.write({"a.yaml": BAD})
    clone.commit()
    clone.git("config", "uploadpack.allowFilter", "true")
    root = clone.root.parent / "partial"
    clone.git("clone", "--quiet", "--filter=blob:none", f"file://{clone.root}", str(root))
    compared = compare_with("main~1", root, os.environ)
    with pytest.raises(UsageError, match="lacks files of the base") as error:
        compared.texts(["a.yaml"])
    assert "`git -C" not in error.value.next_step
    command = error.value.next_step.split("`")[1]
    done = subprocess.run(command.split(), cwd=root, env=environment(), check=False, capture_output=True)
    assert done.returncode == 0, done.stderr
    assert compare_with("main~1", root, os.environ).texts(["a.yaml"]) == {"a.yaml": GOOD}


def test_its_own_folder_goes_with_it(make_repository: Make) -> None:
    clone = make_repository("")
    clone.write({"a.yaml": GOOD})
    clone.commit()
    git = opened("git", clone.root, os.environ)
    folder = git.folder
    assert folder.is_dir()
    del git
    assert not folder.exists()
