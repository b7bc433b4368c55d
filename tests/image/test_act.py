"""This repository's own CI job that uses the action, run by act on the host, with the image as a release names it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.image.container import IMAGE

ACT = os.environ.get("PORTPROOF_ACT", "")
DOCKER_HOST = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(not (IMAGE and ACT), reason="no PORTPROOF_ACT; .ci/image has it where go is")


def test_the_job_that_uses_the_action_passes(tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    shutil.copytree(ROOT / "fixtures", repository / "fixtures")
    shutil.copytree(ROOT / ".github", repository / ".github")
    action = (ROOT / "action.yml").read_text()
    (repository / "action.yml").write_text(action.replace("image: Dockerfile", f"image: docker://{IMAGE}"))
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "DOCKER_HOST": DOCKER_HOST,
    }
    who = ("-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "gc.auto=0")
    for command in (
        ("init", "--quiet", "--initial-branch=main"),
        ("add", "--all"),
        (*who, "commit", "--quiet", "--message=all"),
        ("remote", "add", "origin", "https://github.com/octo/shop"),
    ):
        subprocess.run(["git", *command], cwd=repository, env=environ, check=True)

    done = subprocess.run(
        [
            *(ACT, "push", "--workflows", ".github/workflows/ci.yml", "--job", "action"),
            *("--platform", "ubuntu-24.04=-self-hosted", "--pull=false", "--container-daemon-socket=-"),
            # act hands a step on the host to a container without its folders
            *("--container-options", f"-v {tmp_path}:{tmp_path}", "--env", "GITHUB_TOKEN="),
        ],
        cwd=repository,
        env=environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

    assert done.returncode == 0, done.stdout[-5_000:] + done.stderr[-1_000:]
    assert "Job succeeded" in done.stdout
    errors = re.findall(r"::error file=|❗ +::error", done.stdout)
    assert len(errors) == 3, done.stdout[-5_000:]
