"""The recipes of ``docs/recipes.md``: their own shell text, on a clone with a change that breaks a port."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from junitparser import JUnitXml

from portproof.action import inputs
from tests.e2e.program import Repository, environment
from tests.e2e.test_base import BAD, GOOD, manifests

Make = Callable[[str], Repository]

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "recipes.md").read_text(encoding="utf-8")
RULE = "service-target-number"
REVIEWDOG = '#!/bin/sh\necho "$@" > reviewdog.args\ncat > reviewdog.stdin\n'


def section(title: str, language: str = "yaml") -> str:
    """The block of code below a heading of the page."""
    found = re.search(rf"^## {title}.*?^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert found is not None, title
    return found[1]


@pytest.fixture
def clone(make_repository: Make) -> Repository:
    """A clone whose topic breaks one port; another was broken before."""
    repository = make_repository("")
    old = manifests(9091, 9090, name="old")
    repository.write({"k8s/all.yaml": GOOD, "old/all.yaml": old})
    repository.commit()
    repository.git("update-ref", "refs/remotes/origin/main", "HEAD")
    repository.write({"k8s/all.yaml": BAD})
    repository.commit()
    return repository


@pytest.fixture
def path(tmp_path: Path) -> str:
    """A PATH with our program, and what a recipe installs beside it."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "portproof").write_text(f'#!/bin/sh\nexec {sys.executable} -P -m portproof "$@"\n')
    (folder / "reviewdog").write_text(REVIEWDOG)
    for name in ("portproof", "reviewdog"):
        (folder / name).chmod(0o755)
    return f"{folder}:{os.environ['PATH']}"


def ran(script: str, path: str, variables: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """A script of a job. Lines that install are left out: `tests/packaging` has those."""
    lines = [line for line in script.splitlines() if not re.search(r"\b(?:pip|go) install\b", line)]
    assert any(line.split()[:1] in (["portproof"], ["reviewdog"]) for line in lines)
    return subprocess.run(
        ["sh", "-e", "-c", "\n".join(lines)],
        env=environment() | {"PATH": path, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def base(clone: Repository) -> str:
    return clone.git("rev-parse", "origin/main").strip()


def failures() -> list[str]:
    """The names of failed cases in the JUnit report."""
    return sorted(
        str(case.name) for suite in JUnitXml.fromfile("portproof.xml") for case in suite if not case.is_passed
    )


def test_gitlab(clone: Repository, path: str) -> None:
    job = yaml.safe_load(section("GitLab"))["ports"]
    done = ran("\n".join(job["script"]), path, {"CI_MERGE_REQUEST_DIFF_BASE_SHA": base(clone)})
    assert done.returncode == 1, done.stderr
    reports = job["artifacts"]["reports"]
    quality = json.loads(Path(reports["codequality"]).read_text())
    assert sorted(one["location"]["path"] for one in quality) == ["k8s/all.yaml", "old/all.yaml"]
    assert reports["junit"] == "portproof.xml"
    assert [one.split(":")[0] for one in failures()] == ["k8s/all.yaml"]
    assert job["artifacts"]["when"] == "always"
    assert ran("\n".join(job["script"]), path, {}).returncode == 1
    assert len(failures()) == 2


def test_jenkins(clone: Repository, path: str) -> None:
    assert clone.root == Path.cwd()
    text = section("Jenkins", "groovy")
    script = re.search(r"sh '''(.*?)'''", text, re.DOTALL)
    assert script is not None
    done = ran(script[1], path, {"CHANGE_TARGET": "main", "HOME": str(clone.root.parent)})
    assert done.returncode == 1, done.stderr
    assert [one.split(":")[0] for one in failures()] == ["k8s/all.yaml"]
    assert "junit 'portproof.xml'" in text


def test_azure(clone: Repository, path: str) -> None:
    assert clone.root == Path.cwd()
    steps = yaml.safe_load(section("Azure"))["steps"]
    assert steps[0] == {"checkout": "self", "fetchDepth": 0}
    script = next(one["script"] for one in steps if "script" in one)
    done = ran(script, path, {"SYSTEM_PULLREQUEST_TARGETBRANCHNAME": "main", "TF_BUILD": "True"})
    assert done.returncode == 1, done.stderr
    assert "##vso[task.logissue type=error;sourcepath=k8s/all.yaml;linenumber=6;" in done.stdout
    published = next(one["inputs"] for one in steps if one.get("task") == "PublishTestResults@2")
    assert Path(published["testResultsFiles"]).is_file()


def test_bitbucket(clone: Repository, path: str) -> None:
    steps = yaml.safe_load(section("Bitbucket"))["pipelines"]["pull-requests"]["**"]
    check, report = [one["step"] for one in steps]
    assert check["clone"]["depth"] == "full"
    done = ran("\n".join(check["script"]), path, {"BITBUCKET_PR_DESTINATION_COMMIT": base(clone)})
    assert done.returncode == 0, done.stderr
    assert [Path(one).is_file() for one in check["artifacts"]] == [True]
    done = ran("\n".join(report["script"]), path, {})
    assert done.returncode == 0, done.stderr
    given = Path("reviewdog.args").read_text().split()
    assert {"-f=rdjson", "-reporter=bitbucket-code-report", "-filter-mode=nofilter"} <= set(given)
    (found,) = json.loads(Path("reviewdog.stdin").read_text())["diagnostics"]
    assert (found["code"]["value"], found["location"]["path"]) == (RULE, "k8s/all.yaml")


def test_code_scanning() -> None:
    job: dict[str, Any] = yaml.safe_load(section("GitHub code scanning"))
    assert job["permissions"] == {"contents": "read", "pull-requests": "write", "security-events": "write"}
    check, upload = job["steps"]
    assert check["with"].keys() <= set(inputs.NAMES)
    assert upload["with"]["sarif_file"] == f"${{{{ steps.{check['id']}.outputs.sarif-file }}}}"
    assert upload["if"].startswith("${{ !cancelled() && ")


HOOKS = {one["id"]: one for one in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())}


def test_every_hook_is_on_the_page() -> None:
    shown = re.findall(r"`(portproof(?:-[a-z]+)*)`", PAGE[PAGE.index("## pre-commit") :])
    assert HOOKS.keys() <= set(shown)


@pytest.mark.parametrize("name", ["portproof-system", "portproof-fix-system"])
def test_pre_commit_runs_the_hooks(name: str, clone: Repository, path: str, tmp_path: Path) -> None:
    hooks = Repository(tmp_path / "hooks")
    hooks.root.mkdir()
    hooks.write({".pre-commit-hooks.yaml": (ROOT / ".pre-commit-hooks.yaml").read_bytes()})
    hooks.commit()
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pre_commit",
            "try-repo",
            str(hooks.root),
            name,
            "--all-files",
            "--color=never",
        ],
        env=environment() | {"PATH": path, "PRE_COMMIT_HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    if name == "portproof-system":
        assert RULE in done.stdout
        assert clone.git("status", "--porcelain") == ""
    else:
        assert "files were modified by this hook" in done.stdout
        assert clone.read("k8s/all.yaml").decode() == GOOD
