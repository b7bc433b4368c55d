"""`fix`: which findings with a base, from which folder git applies its patch, and hints that repeat what was given."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from portproof.flags import Flags, Given
from portproof.patch import applied_in
from tests.e2e.program import Program, Repository, environment
from tests.e2e.test_base import BAD, GOOD, manifests

Make = Callable[[str], Repository]
FILES = ("chart/values.yaml", "kustomize/overlays/prod/service.yaml", "manifests/service.yaml")


def git_apply(folder: Path, patch: str, *options: str) -> None:
    """Apply a patch with the real git in `folder`, as a pipe would."""
    done = subprocess.run(
        ["git", *options, "apply", "-"],
        cwd=folder,
        input=patch.encode(),
        env=environment() | {"GIT_CEILING_DIRECTORIES": str(folder.parent)} if not options else environment(),
        capture_output=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr.decode()


def repaired(root: Path) -> list[str]:
    """The files of the incident whose number is right again."""
    return [path for path in FILES if (root / path).exists() and "8081" not in (root / path).read_text()]


# --base


def test_only_what_the_base_does_not_have_is_fixed(portproof: Program, make_repository: Make) -> None:
    repository = make_repository("")
    repository.write({"old/all.yaml": manifests(8081, name="old"), "new/all.yaml": GOOD})
    repository.commit()
    repository.write({"new/all.yaml": BAD, "old/readme.md": "touched"})
    repository.write({"old/all.yaml": "# touched\n" + manifests(8081, name="old")})
    run = portproof("fix", "--base", "main")
    assert run.code == 0, run.stderr
    assert re.findall(r"^\+\+\+ (.*)$", run.stdout, re.MULTILINE) == ["b/new/all.yaml"]
    assert "1 of 1 introduced finding has a proven, safe fix" in run.stderr
    assert "1 already in the base; without --base they are fixed, too" in run.stderr
    assert portproof("fix", "--base", "main", "--write").code == 0
    assert repository.read("new/all.yaml").decode() == GOOD
    assert portproof("check", "--base", "main").code == 0
    assert portproof("check").code == 1


def test_the_base_says_which_end_is_wrong(portproof: Program, make_repository: Make) -> None:
    repository = make_repository("")
    repository.write({"all.yaml": manifests("http")})
    repository.commit()
    repository.write({"all.yaml": manifests("web-api")})
    run = portproof("fix", "--base", "main", "--write")
    assert run.code == 0, run.stderr
    assert repository.read("all.yaml").decode() == manifests("http")


def test_only_new_leaves_out_what_the_base_has(portproof: Program, make_repository: Make) -> None:
    repository = make_repository("")
    repository.write({"all.yaml": BAD + "---\n" + manifests(8081, name="old")})
    repository.commit()
    repository.replace("all.yaml", BAD, manifests(8082))
    both = portproof.check("--base", "main")["findings"]
    news = portproof.check("--base", "main", "--only-new")["findings"]
    assert news == [one for one in both if one["introduced"]]
    assert len(news) < len(both)


def test_only_new_needs_a_base(portproof: Program, make_repository: Make) -> None:
    make_repository("")
    for command in ("check", "fix"):
        run = portproof(command, "--only-new")
        assert run.code == 2
        assert "--only-new needs a revision" in run.stderr


# git apply


@pytest.mark.parametrize("folder", ["", "chart", "kustomize/overlays/prod"])
def test_git_applies_the_patch_in_the_folder_one_is_in(
    folder: str, portproof: Program, make_repository: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = make_repository("incident/broken")
    monkeypatch.chdir(repository.root / folder)
    run = portproof("fix")
    assert "apply" not in run.stderr
    git_apply(Path.cwd(), run.stdout, "-c", "core.autocrlf=false")
    assert repaired(repository.root) == [path for path in FILES if path.startswith(folder)]


def test_files_outside_of_the_current_folder_are_applied_by_the_command_that_is_named(
    portproof: Program, make_repository: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = make_repository("incident/broken")
    monkeypatch.chdir(repository.root / "kustomize/base")
    run = portproof("fix", "--select", "service-target-number", "../..")
    (command,) = re.findall(r"`(.*)`", run.stderr)
    first, _, second = command.partition(" | ")
    assert shlex.split(first) == ["portproof", "fix", "--select", "service-target-number", "../.."]
    assert portproof(*shlex.split(first)[1:]).stdout == run.stdout
    name, *options, apply = shlex.split(second)
    assert (name, apply) == ("git", "apply")
    git_apply(Path.cwd(), run.stdout, *options)
    assert repaired(repository.root) == [*FILES]


def test_git_applies_it_where_there_is_no_work_tree(
    portproof: Program, make_repository: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make_repository("incident/broken").root
    subprocess.run(["rm", "-r", str(root / ".git")], check=True)
    run = portproof("fix", "chart")
    assert "+++ b/chart/values.yaml" in run.stdout
    git_apply(root, run.stdout)
    assert repaired(root) == ["chart/values.yaml"]
    monkeypatch.chdir(root / "kustomize")
    run = portproof("fix", ".")
    assert "+++ b/overlays/prod/service.yaml" in run.stdout
    git_apply(Path.cwd(), run.stdout)
    assert repaired(root) == ["chart/values.yaml", "kustomize/overlays/prod/service.yaml"]


def test_from_elsewhere_the_root_is_named(tmp_path: Path) -> None:
    root, other = tmp_path / "a b", tmp_path / "other"
    (root / ".git").mkdir(parents=True)
    other.mkdir()
    assert applied_in(other, root, ["x"]) == ({"x": "x"}, "'../a b'")
    assert applied_in(root, root, ["x"]) == ({"x": "x"}, None)
    (root / "sub" / ".git").mkdir(parents=True)
    assert applied_in(root / "sub", root, ["sub/x"]) == ({"sub/x": "sub/x"}, "..")


# hints


def test_a_hint_repeats_what_was_given(portproof: Program, make_repository: Make) -> None:
    repository = make_repository("")
    repository.write({"k8s/one app/all.yaml": GOOD, "portproof.yaml": "fail-on: error\n"})
    repository.commit()
    repository.write({"k8s/one app/all.yaml": BAD})
    run = portproof(
        "check",
        "--base",
        "main",
        "--config",
        "portproof.yaml",
        "--only-new",
        "--fail-on",
        "note",
        "k8s/one app",
    )
    said = "portproof fix --config portproof.yaml --base main 'k8s/one app'"
    assert run.stdout.endswith(f"Next: `{said}` prints the proven fix, `{said} --write` applies it.\n")
    assert portproof(*shlex.split(f"{said} --write")[1:]).code == 0
    assert repository.read("k8s/one app/all.yaml").decode() == GOOD


def test_a_hint_of_fix_repeats_what_was_given(portproof: Program, make_repository: Make) -> None:
    make_repository("bugs/oauth2-proxy.manifests.86")
    run = portproof("fix", "--jobs", "2", ".")
    assert "unsafe, `portproof fix --jobs 2 . --unsafe` includes it" in run.stderr


def test_every_kind_of_option_comes_back() -> None:
    flags = Flags(select=("a", "b"), jobs=3, offline=True, base="-x", fail_on="note", only_new=True)
    given = Given(("-odd", "$(x)", "plain"), flags)
    assert given.fix("--write") == (
        "portproof fix --select a,b --jobs 3 --offline --base=-x ./-odd '$(x)' plain --write"
    )
    assert Given().fix() == "portproof fix"
