"""The workflows that the documentation shows for scheduled runs: their own steps, on a repository with a bare remote.

Only the actions of others are played: checkout is a clone, and create-pull-request does with git what it does on GitHub.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from portproof.action import run
from tests.e2e.program import FIXTURES, Program, Repository, environment
from tests.support import cluster
from tests.support.action import DEFAULTS, outputs_of
from tests.support.workflow import Machine, StepError, jobs, shown_in

pytestmark = pytest.mark.slow

BRANCH = "fix/port-mismatch"
VALUES = "chart/values.yaml"
ONE, PER_FIX = shown_in("fix-branch.md")
(AUDIT,) = shown_in("audit.md")
_GH = """\
#!{python}
import json, pathlib, sys

file = pathlib.Path({state!r})
issues = json.loads(file.read_text()) if file.exists() else []
noun, verb, *rest = sys.argv[1:]
assert noun == "issue", sys.argv
options = {{}}
while len(rest) > 1 and rest[-2].startswith("--"):
    options[rest[-2]] = rest[-1]
    del rest[-2:]
body = pathlib.Path(options["--body-file"]).read_text() if "--body-file" in options else None
assert body is None or len(body) <= 65536
if verb == "list":
    title = options["--search"].removeprefix('in:title "').removesuffix('"')
    print("".join(str(n) for n, one in enumerate(issues) if one["open"] and one["title"] == title))
elif verb == "create":
    issues.append({{"title": options["--title"], "body": body, "open": True}})
elif verb == "edit":
    issues[int(rest[0])]["body"] = body
elif verb == "close":
    issues[int(rest[0])]["open"] = False
else:
    raise SystemExit(f"no such command: {{verb}}")
file.write_text(json.dumps(issues))
"""


@dataclass
class PullRequest:
    """A pull request by its branch."""

    title: str
    body: str
    is_open: bool = True
    commits: list[str] = field(default_factory=list)


@dataclass
class Remote:
    """A bare repository and its pull requests, with a work tree for people beside it."""

    folder: Path
    work: Repository
    pulls: dict[str, list[PullRequest]] = field(default_factory=dict)
    machines: int = 0

    @property
    def bare(self) -> Path:
        return self.folder / "remote.git"

    def git(self, *args: str) -> str:
        return Repository(self.bare).git(*args).strip()

    def push(self) -> None:
        """What a person has changed becomes the default branch."""
        self.work.commit()
        self.work.git("push", "--quiet", str(self.bare), "HEAD:main")

    def heads(self) -> list[str]:
        return self.git("for-each-ref", "--format=%(refname:short)", "refs/heads").split()

    def run(self, workflow: str) -> list[Machine]:
        """One scheduled run."""
        return jobs(workflow, self._machine)

    def _machine(self, name: str, contexts: dict[str, Any]) -> Machine:
        self.machines += 1
        actions = {
            "actions/checkout": self.check_out,
            "<owner>/portproof": portproof_action,
            "peter-evans/create-pull-request": self.create_pull_request,
        }
        place = self.folder / f"{self.machines}-{name}"
        return Machine(place, actions, contexts, environment()["PATH"])

    def check_out(self, machine: Machine, given: Mapping[str, Any]) -> Mapping[str, str]:
        assert given == {"persist-credentials": False}
        subprocess.run(
            ["git", "clone", "--quiet", "--depth=1", f"file://{self.bare}", machine.workspace], check=True
        )
        return {}

    def create_pull_request(self, machine: Machine, given: Mapping[str, Any]) -> Mapping[str, str]:
        """What the action does: one branch from the base, one pull request for it, both gone when nothing differs."""
        assert given["delete-branch"] is True
        branch, work = given["branch"], Repository(machine.workspace)
        pulls = self.pulls.setdefault(branch, [])
        current = next((one for one in pulls if one.is_open), None)
        body = Path(given["body-path"]).read_text(encoding="utf-8")
        assert 0 < len(body) <= 65_536
        if not work.git("status", "--porcelain"):
            if branch in self.heads():
                self.git("branch", "--delete", "--force", branch)
            if current:
                current.is_open = False
            return {}
        work.git("add", "--all")
        tree = work.git("write-tree").strip()
        if branch in self.heads() and tree == self.git("rev-parse", f"{branch}^{{tree}}"):
            assert current is not None
            current.body = body
            return {}
        work.git("commit", "--quiet", "--message", given["commit-message"])
        work.git("push", "--quiet", "--force", "origin", f"HEAD:refs/heads/{branch}")
        if current is None:
            current = PullRequest(given["title"], body)
            pulls.append(current)
        current.body = body
        current.commits.append(self.git("rev-parse", branch))
        return {}


def portproof_action(machine: Machine, given: Mapping[str, Any]) -> Mapping[str, str]:
    """The action itself, as a scheduled run starts it."""
    inputs = DEFAULTS | {name: str(value) for name, value in given.items()}
    event = machine.folder / "event.json"
    event.write_text('{"repository": {"full_name": "octo/shop"}}')
    output = machine.folder / "action-output"
    code = run(
        {
            **environment(),
            **{f"INPUT_{name.upper()}": text for name, text in inputs.items()},
            "GITHUB_ACTIONS": "true",
            "GITHUB_EVENT_NAME": "schedule",
            "GITHUB_EVENT_PATH": str(event),
            "GITHUB_OUTPUT": str(output),
            "GITHUB_REPOSITORY": "octo/shop",
            "GITHUB_SHA": Repository(machine.workspace).git("rev-parse", "HEAD").strip(),
            "GITHUB_STEP_SUMMARY": str(machine.folder / "summary.md"),
            "GITHUB_WORKSPACE": str(machine.workspace),
            "RUNNER_TEMP": str(machine.temp),
        }
    )
    assert code == 0
    return outputs_of(output)


@pytest.fixture
def remote(tmp_path: Path, make_repository: Callable[[str], Repository]) -> Remote:
    work = make_repository("incident/broken")
    made = Remote(tmp_path, work)
    subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch=main", made.bare], check=True)
    made.push()
    return made


def findings_on(
    remote: Remote, branch: str, portproof: Program, monkeypatch: pytest.MonkeyPatch
) -> list[Any]:
    place = remote.folder / f"look-{remote.machines}-{branch.replace('/', '-')}"
    subprocess.run(
        ["git", "clone", "--quiet", "--branch", branch, f"file://{remote.bare}", place], check=True
    )
    monkeypatch.chdir(place)
    found: list[Any] = portproof.check()["findings"]
    return found


def test_one_pull_request_is_opened_kept_up_to_date_and_closed(
    remote: Remote, portproof: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    remote.run(ONE)
    (opened,) = remote.pulls[BRANCH]
    assert remote.heads() == [BRANCH, "main"]
    assert opened.body.startswith("This change fixes 3 findings of portproof.")
    assert VALUES in opened.body
    assert findings_on(remote, BRANCH, portproof, monkeypatch) == []

    remote.run(ONE)  # nothing has changed: the same pull request, the same commit
    assert remote.pulls[BRANCH] == [opened]
    assert len(opened.commits) == 1

    # A person mends one of them, by another commit.
    remote.work.replace(VALUES, "targetPort: 8081", "targetPort: 8080 # as the container")
    remote.push()
    remote.run(ONE)
    assert remote.pulls[BRANCH] == [opened]
    assert len(opened.commits) == 2
    assert opened.body.startswith("This change fixes 2 findings of portproof.")
    assert VALUES not in opened.body

    remote.work.git(
        "pull", "--quiet", "--no-rebase", "--no-edit", str(remote.bare), BRANCH
    )  # and merges the rest
    remote.push()
    remote.run(ONE)
    assert not opened.is_open
    assert opened.body  # as it was
    assert remote.heads() == ["main"]
    assert findings_on(remote, "main", portproof, monkeypatch) == []

    remote.work.replace(
        VALUES, "targetPort: 8080", "targetPort: 8081"
    )  # it comes back: so does the pull request
    remote.push()
    remote.run(ONE)
    assert [one.is_open for one in remote.pulls[BRANCH]] == [False, True]


def test_a_declined_fix_is_one_whose_finding_is_suppressed(remote: Remote) -> None:
    remote.run(ONE)
    remote.work.write(
        {"portproof.yaml": "ignore: [{rule: service-target-number, reason: they are to be like that}]\n"}
    )
    remote.push()
    remote.run(ONE)
    assert [one.is_open for one in remote.pulls[BRANCH]] == [False]


def test_a_branch_for_each_fix_has_that_fix_alone(
    remote: Remote, portproof: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    remote.run(PER_FIX)
    branches = [one for one in remote.heads() if one != "main"]
    assert len(branches) == len(remote.pulls) == 3
    for branch in branches:
        assert branch.startswith("fix/backend-v1-port-mismatch-")
        assert len(remote.git("diff", "--name-only", "main", branch).split()) == 1
        assert len(findings_on(remote, branch, portproof, monkeypatch)) == 2
        (pull,) = remote.pulls[branch]
        assert pull.body.startswith("~~~~text\nService/backend-v1 sends port 80 to 8081")
    remote.run(PER_FIX)
    assert [len(one.commits) for pulls in remote.pulls.values() for one in pulls] == [1, 1, 1]


def test_without_a_fix_no_branch_is_made(remote: Remote) -> None:
    remote.work.git("rm", "--quiet", "-r", "chart", "kustomize", "manifests")
    remote.push()
    for workflow in (ONE, PER_FIX):
        remote.run(workflow)
    assert remote.heads() == ["main"]
    assert not any(remote.pulls.values())


# the audit of a cluster


@dataclass
class Cluster:
    """What kubectl sees of a cluster, and the issues of the repository that watches it."""

    remote: Remote
    tools: Path

    def hold(self, objects: list[cluster.Object]) -> None:
        (self.tools / "cluster.yaml").write_text(cluster.printed(objects))

    @property
    def issues(self) -> list[dict[str, Any]]:
        file = self.tools / "issues.json"
        found: list[dict[str, Any]] = json.loads(file.read_text()) if file.exists() else []
        return found

    def audit(self) -> tuple[bool, str]:
        """One scheduled run: whether it passes, and its job summary."""
        made: list[Machine] = []

        def machine(name: str, contexts: dict[str, Any]) -> Machine:
            one = self.remote._machine(
                name,
                {**contexts, "secrets": {"AUDIT_KUBECONFIG": "x"}, "github": {"repository": "octo/shop"}},
            )
            one.path = f"{self.tools}:{Path(sys.executable).parent}:{one.path}"
            made.append(one)
            return one

        try:
            jobs(AUDIT, machine)
        except StepError:
            return False, made[-1].summary
        return True, made[-1].summary


@pytest.fixture
def watched(remote: Remote) -> Cluster:
    tools = remote.folder / "tools"
    tools.mkdir()
    scripts = {
        "gh": _GH.format(python=sys.executable, state=str(tools / "issues.json")),
        "kubectl": f'#!/bin/sh\ntest "$KUBECONFIG" && cat {tools}/cluster.yaml\n',
        "pipx": '#!/bin/sh\ntest "$1" = install\n',
    }
    for name, text in scripts.items():
        (tools / name).write_text(text)
        (tools / name).chmod(0o755)
    return Cluster(remote, tools)


def test_the_audit_keeps_one_issue_while_the_cluster_has_findings(watched: Cluster) -> None:
    manifests = FIXTURES / "incident" / "broken" / "manifests"
    objects = [
        one for file in sorted(manifests.glob("*.yaml")) for one in yaml.safe_load_all(file.read_text())
    ]
    broken = cluster.running(objects, namespace="shop", release="shop")
    watched.hold(broken)
    passed, summary = watched.audit()
    assert not passed
    assert "## portproof: 1 error in 1 target" in summary
    assert "from the Helm release" in summary
    assert [(one["open"], one["body"]) for one in watched.issues] == [(True, summary)]

    watched.audit()  # the next morning: the same issue
    assert len(watched.issues) == 1

    for one in broken:
        if one["kind"] == "Service":
            one["spec"]["ports"][0]["targetPort"] = 8080
    watched.hold(broken)
    passed, summary = watched.audit()
    assert passed
    assert "No findings" in summary
    assert [one["open"] for one in watched.issues] == [False]


def test_an_audit_that_saw_nothing_fails_and_leaves_the_issue_alone(watched: Cluster) -> None:
    watched.hold([])
    assert watched.audit() == (False, "")
    (watched.tools / "cluster.yaml").unlink()  # kubectl fails
    assert watched.audit() == (False, "")
    assert watched.issues == []
