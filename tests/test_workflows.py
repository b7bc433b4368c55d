"""What GitHub and pre-commit read: action.yml, the workflows, the hooks, the Dockerfile and its locks."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

import portproof
from portproof.action import inputs

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
DIGEST = "sha256:" + "0123456789abcdef" * 4

# The table of the contract; it cannot change without breaking the workflows of others. What came later stands behind it.
INPUTS = {
    "path": ".",
    "github-token": "${{ github.token }}",
    "fail-on": "error",
    "config": "",
    "comment": "review",
    "only-introduced": "true",
    "sarif-file": "",
    "report-file": "",
    "shard": "",
    "merge": "",
}
OUTPUTS = [
    "findings",
    "errors",
    "warnings",
    "introduced",
    "sarif-file",
    "report-file",
    "patch-file",
    "body-file",
]


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def pin_image(image: str) -> subprocess.CompletedProcess[str]:
    command = ["bash", str(ROOT / ".ci" / "pin-image"), image]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, env={"PATH": os.environ["PATH"]}
    )


class TestAction:
    action = read(ROOT / "action.yml")

    def test_inputs_are_those_of_the_contract(self) -> None:
        assert {name: given["default"] for name, given in self.action["inputs"].items()} == INPUTS
        assert all(given["description"] for given in self.action["inputs"].values())

    def test_inputs_are_those_that_the_program_reads(self) -> None:
        assert tuple(self.action["inputs"]) == inputs.NAMES

    def test_no_input_is_required(self) -> None:
        assert not any(given.get("required") for given in self.action["inputs"].values())

    def test_outputs_are_those_of_the_contract(self) -> None:
        assert list(self.action["outputs"]) == OUTPUTS

    def test_runs_the_dockerfile_and_puts_no_input_on_a_command_line(self) -> None:
        assert self.action["runs"] == {"using": "docker", "image": "Dockerfile"}

    def test_the_marketplace_takes_it(self) -> None:
        assert len(self.action["description"]) <= 125
        assert self.action["branding"].keys() == {"icon", "color"}

    def test_a_release_changes_the_image_and_nothing_else(self) -> None:
        done = pin_image(f"ghcr.io/octo/portproof@{DIGEST}")

        assert done.returncode == 0, done.stderr
        expected = self.action | {
            "runs": {"using": "docker", "image": f"docker://ghcr.io/octo/portproof@{DIGEST}"}
        }
        assert yaml.safe_load(done.stdout) == expected
        assert "replaces the next line" not in done.stdout

    @pytest.mark.parametrize(
        "image",
        [
            "",
            "ghcr.io/octo/portproof:1.0.0",
            f"ghcr.io/octo/port proof@{DIGEST}",
            f"ghcr.io/o/p|e@{DIGEST}",
            DIGEST,
        ],
    )
    def test_a_release_without_a_digest_is_refused(self, image: str) -> None:
        assert pin_image(image).returncode == 2


class TestWorkflows:
    @staticmethod
    def uses(workflow: Any) -> Iterator[str]:
        for job in workflow["jobs"].values():
            if "uses" in job:
                yield job["uses"]
            yield from (step["uses"] for step in job.get("steps", []) if "uses" in step)

    def test_there_are_some(self) -> None:
        assert {path.name for path in WORKFLOWS} >= {"ci.yml", "release.yml"}

    def test_ci_runs_every_script_that_a_change_has_to_pass(self) -> None:
        scripts = re.findall(r"\.ci/\w+", (ROOT / ".ci" / "run").read_text(encoding="utf-8"))
        jobs = read(ROOT / ".github" / "workflows" / "ci.yml")["jobs"].values()
        run = {
            word
            for job in jobs
            for step in job["steps"]
            for word in re.findall(r"\.ci/\w+", step.get("run", ""))
        }
        assert scripts
        assert set(scripts) <= run

    @pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
    def test_every_action_is_pinned_by_its_commit_and_says_its_version(self, path: Path) -> None:
        used = [one for one in self.uses(read(path)) if one not in ("./", "$/")]
        assert used
        lines = path.read_text().split("\n")
        for one in used:
            assert re.fullmatch(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}", one), one
            told = [line.partition("#")[2].strip() for line in lines if f"uses: {one}" in line]
            assert all(re.fullmatch(r"v\d+\.\d+\.\d+", version) for version in told), one

    def test_one_action_has_one_version(self) -> None:
        used = {one for path in WORKFLOWS for one in self.uses(read(path))} - {"./", "$/"}
        names = [one.partition("@")[0] for one in used]
        assert len(names) == len(set(names)), sorted(used)

    @pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
    def test_nothing_is_permitted_but_what_a_job_asks_for(self, path: Path) -> None:
        workflow = read(path)
        assert workflow["permissions"] == {}
        assert all("permissions" in job for job in workflow["jobs"].values())
        assert all("timeout-minutes" in job for job in workflow["jobs"].values())

    @pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
    def test_a_checkout_keeps_no_credentials(self, path: Path) -> None:
        for job in read(path)["jobs"].values():
            for step in job["steps"]:
                if step.get("uses", "").startswith("actions/checkout@"):
                    assert step["with"]["persist-credentials"] is False

    @pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
    def test_no_expression_stands_in_shell_text(self, path: Path) -> None:
        for job in read(path)["jobs"].values():
            for step in job["steps"]:
                assert "${{" not in step.get("run", "")

    def test_this_repository_uses_its_own_action(self) -> None:
        steps = read(ROOT / ".github" / "workflows" / "ci.yml")["jobs"]["action"]["steps"]
        paths = [step["with"]["path"] for step in steps if step.get("uses") == "./"]
        assert paths == ["fixtures/incident/repaired", "fixtures/incident/broken"]
        assert all((ROOT / path).is_dir() for path in paths)
        assert all(step["with"].keys() <= INPUTS.keys() for step in steps if step.get("uses") == "./")


class TestHooks:
    hooks = read(ROOT / ".pre-commit-hooks.yaml")

    def test_there_is_one_for_each_way_to_have_it(self) -> None:
        assert [(hook["id"], hook["language"]) for hook in self.hooks] == [
            ("portproof", "python"),
            ("portproof-docker", "docker"),
            ("portproof-fix", "python"),
            ("portproof-system", "system"),
            ("portproof-fix-system", "system"),
        ]

    @pytest.mark.parametrize(
        ("path", "wanted"),
        [
            ("charts/backend/values.yaml", True),
            ("charts/backend/templates/_helpers.tpl", True),
            ("overlays/prod/kustomization.yml", True),
            ("base/Kustomization", True),
            ("README.md", False),
            ("main.go", False),
        ],
    )
    def test_runs_when_a_file_changes_that_may_matter(self, path: str, wanted: bool) -> None:
        assert all(bool(re.search(hook["files"], path)) is wanted for hook in self.hooks)

    def test_checks_the_whole_repository_once(self) -> None:
        for hook in self.hooks:
            wanted = "portproof fix --write" if "fix" in hook["id"] else "portproof check"
            assert hook["entry"] == wanted
        assert all(hook["pass_filenames"] is False and hook["require_serial"] for hook in self.hooks)


class TestImage:
    dockerfile = (ROOT / "Dockerfile").read_text()

    def test_knows_nothing_of_where_it_is_built(self) -> None:
        for word in ("index-url", "trusted-host", "--mount", "secret", "proxy", "PIP_CERT"):
            assert word not in self.dockerfile

    def test_starts_without_a_shell_and_imports_nothing_of_the_checkout(self) -> None:
        started = dict(re.findall(r"^(ENTRYPOINT|CMD)\s+(.*)$", self.dockerfile, re.MULTILINE))
        python, *options = json.loads(started["ENTRYPOINT"])
        assert python.startswith("/opt/")
        assert options == ["-I", "-B", "-m", "portproof"]
        assert json.loads(started["CMD"]) == ["action"]

    def test_installs_nothing_without_a_sum(self) -> None:
        """But for git, which the base's distribution signs."""
        commands = re.split(r"&&|\n(?=[A-Z#])|\n\n", self.dockerfile.replace("\\\n", " "))
        installs = [one.strip() for one in commands if " install " in one and "uninstall" not in one]
        signed = [one for one in installs if one.startswith("apt-get ")]
        assert [one.split()[-1] for one in signed] == ["git"]
        assert len(installs) - len(signed) == 3
        for one in installs:
            assert one in signed or "--require-hashes" in one or "--no-index" in one, one

    def test_copies_what_the_downloader_imports(self) -> None:
        copied = set(re.findall(r"src/portproof/(\w+)\.py", self.dockerfile))
        package = Path(portproof.__file__).parent
        imported = {"__init__"}
        for name in copied:
            text = (package / f"{name}.py").read_text()
            imported |= set(re.findall(r"^\s*from portproof\.(\w+) import", text, re.MULTILINE))
            for names in re.findall(r"^\s*from portproof import ([\w, ]+)", text, re.MULTILINE):
                imported |= {one.strip() for one in names.split(",")}
        assert imported <= copied

    def test_the_lock_has_every_library_at_the_version_that_is_tested(self) -> None:
        def pins(path: Path) -> dict[str, str]:
            found = re.findall(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", path.read_text(), re.MULTILINE)
            return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in found}

        locked, tested = pins(ROOT / "image" / "requirements.txt"), pins(ROOT / "requirements.txt")
        project = (ROOT / "pyproject.toml").read_text().partition("\ndependencies = [")[2].partition("]")[0]
        needed = {re.sub(r"[-_.]+", "-", name).lower() for name in re.findall(r'"([A-Za-z0-9._-]+)', project)}
        assert needed <= locked.keys()
        assert {name: tested.get(name) for name in locked} == locked

    def test_every_file_in_the_lock_has_its_sum(self) -> None:
        for name in ("requirements.txt", "build-requirements.txt"):
            entries = (ROOT / "image" / name).read_text().split("\n    --hash=sha256:")
            assert len(entries) > 2
            assert all(re.match(r"[0-9a-f]{64}\b", entry) for entry in entries[1:])
            assert "://" not in "".join(entries)
