"""The recipes of ``docs/recipes.md`` in the image, with the git that it has."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping

import pytest
import yaml
from junitparser import JUnitXml

from tests.e2e.program import Repository
from tests.e2e.test_base import BAD, GOOD, manifests
from tests.e2e.test_ci_recipes import section
from tests.image.container import IMAGE, Done, start

pytestmark = pytest.mark.skipif(not IMAGE, reason="no PORTPROOF_IMAGE; .ci/image builds one and runs these")

Make = Callable[[str], Repository]
GIT_MIB = 6


@pytest.fixture
def clone(make_repository: Make) -> Repository:
    """A clone whose topic breaks one port; another was broken before. Whoever runs a container may write into it."""
    repository = make_repository("")
    repository.write({"k8s/all.yaml": GOOD, "old/all.yaml": manifests(9091, 9090, name="old")})
    repository.commit()
    repository.git("update-ref", "refs/remotes/origin/main", "HEAD")
    repository.write({"k8s/all.yaml": BAD})
    repository.commit()
    repository.root.chmod(0o777)
    return repository


def job(clone: Repository, script: str, variables: Mapping[str, str], *options: str) -> Done:
    """The script of a job in the image, as the service starts it: with a shell in place of the entry point."""
    given = tuple(part for name, value in variables.items() for part in ("--env", f"{name}={value}"))
    mounted = ("--volume", f"{clone.root}:/builds/shop", "--workdir", "/builds/shop")
    return start("-e", "-c", script, options=(*mounted, *given, *options), entrypoint="sh")


def failures(clone: Repository) -> list[str]:
    """The files of failed cases in the JUnit report."""
    report = JUnitXml.fromfile(str(clone.root / "portproof.xml"))
    return sorted(str(case.name).split(":")[0] for suite in report for case in suite if not case.is_passed)


def test_gitlab(clone: Repository) -> None:
    recipe = yaml.safe_load(section("GitLab"))["ports"]
    assert "portproof" in recipe["image"]["name"]
    assert recipe["image"]["entrypoint"] == [""]
    base = clone.git("rev-parse", "origin/main").strip()
    done = job(clone, "\n".join(recipe["script"]), {"CI_MERGE_REQUEST_DIFF_BASE_SHA": base})
    assert done.code == 1, done.stderr
    assert failures(clone) == ["k8s/all.yaml"]
    quality = json.loads((clone.root / recipe["artifacts"]["reports"]["codequality"]).read_text())
    assert sorted(one["location"]["path"] for one in quality) == ["k8s/all.yaml", "old/all.yaml"]


@pytest.mark.parametrize("user", ["0:0", "1000:1000"])
def test_jenkins(user: str, clone: Repository) -> None:
    """The agent's user runs it, who is not always the one that the clone belongs to."""
    text = section("Jenkins", "groovy")
    assert "args '--entrypoint='" in text
    script = re.search(r"sh '''(.*?)'''", text, re.DOTALL)
    assert script is not None
    done = job(clone, script[1], {"CHANGE_TARGET": "main"}, "--user", user)
    assert done.code == 1, done.stderr
    assert failures(clone) == ["k8s/all.yaml"]


def test_bitbucket(clone: Repository) -> None:
    steps = yaml.safe_load(section("Bitbucket"))["pipelines"]["pull-requests"]["**"]
    check = steps[0]["step"]
    assert "portproof" in check["image"]
    base = clone.git("rev-parse", "origin/main").strip()
    done = job(clone, "\n".join(check["script"]), {"BITBUCKET_PR_DESTINATION_COMMIT": base})
    assert done.code == 0, done.stderr
    (found,) = json.loads((clone.root / check["artifacts"][0]).read_text())["diagnostics"]
    assert found["location"]["path"] == "k8s/all.yaml"


def test_git_obeys_no_clone(clone: Repository) -> None:
    """Neither its configuration nor its attributes nor its hooks; without a network, and on a tree that cannot be written."""
    program = clone.root / "evil"
    program.write_text("#!/bin/sh\ntouch /marks/ran\ncat\n")
    program.chmod(0o755)
    marks = clone.root.parent / "marks"
    marks.mkdir()
    marks.chmod(0o777)
    for key in (
        "core.fsmonitor",
        "core.pager",
        "diff.external",
        "filter.x.clean",
        "filter.x.smudge",
        "diff.x.textconv",
    ):
        clone.git("config", key, "/builds/shop/evil")
    clone.git("config", "core.hooksPath", "/builds/shop/hooks")
    clone.write({".gitattributes": "* filter=x diff=x\n"})
    (clone.root / "hooks").mkdir()
    for name in ("post-index-change", "reference-transaction", "post-checkout"):
        (clone.root / "hooks" / name).symlink_to("../evil")
    options = ("--volume", f"{marks}:/marks", "--read-only", "--tmpfs", "/tmp")
    done = job(clone, "portproof check --base origin/main --only-new", {}, *options)
    assert done.code == 1, done.stderr
    assert "k8s/all.yaml" in done.stdout
    assert list(marks.iterdir()) == []


def test_git_is_one_file() -> None:
    """No transports, no helpers, no perl of its own; so it can fetch nothing, and runs no hook of its own."""
    program = (
        "import os, shutil; git = shutil.which('git');"
        "print(os.stat(git).st_size, [one for one in ('/usr/lib/git-core', '/usr/libexec/git-core', '/usr/share/git-core') if os.path.exists(one)])"
    )
    size, rest = start("-c", program, entrypoint="python").stdout.split(maxsplit=1)
    assert int(size) < GIT_MIB * 1024 * 1024
    assert rest.strip() == "[]"
    for address in ("https://example.com/a.git", "git@example.com:a.git"):
        done = start("ls-remote", address, entrypoint="git")
        assert done.code == 128


def test_a_container_that_no_runner_has_started_says_what_to_do() -> None:
    done = start(options=("--workdir", "/"))
    assert (done.code, done.stdout) == (2, "")
    assert "portproof check" in done.stderr
