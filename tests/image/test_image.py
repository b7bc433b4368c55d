"""The image, run the way a runner runs it. `.ci/image` builds it and names it in PORTPROOF_IMAGE."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest

from portproof.replacing import replace
from tests.e2e.program import FIXTURES
from tests.github import FakeGitHub
from tests.image.container import IMAGE, Runner, docker, start
from tests.support.action import World, below, files_of, outputs_of, writing

pytestmark = pytest.mark.skipif(not IMAGE, reason="no PORTPROOF_IMAGE; .ci/image builds one and runs these")

ABSENT = ("gcc", "cc", "ld", "make", "pip", "pip3", "curl", "wget", "ssh")


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    workspace = tmp_path / "workspace"
    shutil.copytree(FIXTURES / "incident", workspace)
    (tmp_path / "workflow").mkdir()
    (tmp_path / "workflow" / "event.json").write_text(json.dumps({"repository": {"full_name": "octo/shop"}}))
    return Runner(tmp_path, workspace)


def test_the_incident_fails_the_step_and_is_told_three_ways(runner: Runner) -> None:
    done = runner.act(
        {"INPUT_PATH": "broken", "INPUT_REPORT-FILE": "report.json", "INPUT_SARIF-FILE": "ports.sarif"}
    )

    assert done.code == 1, done.stderr
    assert done.stdout.count("::error ") == 3
    assert "file=broken/chart/values.yaml,line=10" in done.stdout
    assert "service-target-number" in runner.summary
    outputs = outputs_of(runner.output)
    assert (outputs["findings"], outputs["errors"], outputs["warnings"]) == ("3", "3", "0")
    report = json.loads((runner.workspace / "report.json").read_text())
    assert {one["location"]["proof"] for one in report["findings"]} == {"proven"}
    assert all(one["fix"] for one in report["findings"])
    assert json.loads((runner.workspace / "ports.sarif").read_text())["version"] == "2.1.0"


@pytest.mark.parametrize("temporary", [True, False], ids=["since 2.329", "before"])
def test_a_later_step_finds_the_files_by_their_outputs(runner: Runner, temporary: bool) -> None:
    done = replace(runner, temporary=temporary).act({"INPUT_PATH": "broken/chart"})

    assert done.code == 1, done.stderr
    outputs = outputs_of(runner.output)
    for name in ("sarif-file", "report-file"):
        file = Path(outputs[name])
        assert file.is_relative_to(runner.temp)
        assert file.parent.stat().st_uid == runner.temp.stat().st_uid
        json.loads(file.read_text())
    subprocess.run(["git", "apply", outputs["patch-file"]], cwd=runner.workspace, check=True)
    assert runner.act({"INPUT_PATH": "broken/chart"}).code == 0


def test_the_repaired_incident_passes(runner: Runner) -> None:
    done = runner.act({"INPUT_PATH": "repaired"})

    assert done.code == 0, done.stdout + done.stderr
    assert "::error " not in done.stdout
    assert outputs_of(runner.output)["findings"] == "0"


@pytest.mark.parametrize(
    ("options", "mode"),
    [
        (("--read-only", "--tmpfs", "/tmp"), "rw"),
        ((), "ro"),
        (("--read-only", "--tmpfs", "/tmp", "--cap-drop=ALL", "--security-opt=no-new-privileges"), "ro"),
    ],
    ids=["read-only image", "read-only checkout", "read-only and without capabilities"],
)
def test_nothing_needs_to_be_writable_but_the_runners_files(
    runner: Runner, options: tuple[str, ...], mode: str
) -> None:
    for path, code in (("broken", 1), ("repaired", 0)):
        done = runner.act({"INPUT_PATH": path}, options=options, workspace_mode=mode)
        assert done.code == code, done.stdout + done.stderr


@pytest.mark.parametrize(
    "entrypoint",
    ["", "/opt/portproof/bin/portproof"],
    ids=["as a Job has it", "by its name on PATH, as kubectl debug has it"],
)
def test_a_pod_of_a_test_opens_ports_as_nobody_on_a_read_only_image(entrypoint: str) -> None:
    as_a_pod = ["--user=65532:65532", "--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges"]
    entry = ["--entrypoint", entrypoint] if entrypoint else []
    with socket.create_server(("127.0.0.1", 0)) as server:
        edges = [f"127.0.0.1:{server.getsockname()[1]}/tcp", "127.0.0.1:1/tcp"]
        for arguments, code in ((edges[:1], 0), (edges, 1), (["127.0.0.1/tcp"], 2)):
            done = docker(
                *("run", "--rm", "--network=host", *as_a_pod, *entry, IMAGE),
                *("connect", "--from", "shop/web", "--attempts", "1", *arguments),
            )
            assert done.code == code, done.stdout + done.stderr
            found = {one["edge"]: one["result"] for one in map(json.loads, done.stdout.splitlines())}
            assert found == dict(zip(arguments if code < 2 else [], ["connected", "refused"], strict=False))


def test_a_pull_request_gets_one_review_whose_suggestion_heals_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good, bad = files_of("incident/repaired/chart"), files_of("incident/broken/chart")
    changed = {path: data for path, data in bad.items() if good.get(path) != data}
    with FakeGitHub() as fake:
        world = World(fake, tmp_path, capsys)
        pull = world.open(below("charts/backend", good), below("charts/backend", changed))
        token = writing(fake)
        environ = world.environ(token)
        (tmp_path / "workflow").mkdir()
        (tmp_path / "event.json").rename(tmp_path / "workflow" / "event.json")
        variables = {name: value for name, value in environ.items() if name.startswith(("GITHUB_", "INPUT_"))}
        runner = Runner(tmp_path, world.checkout)

        done = runner.act(variables)

        assert done.code == 1, done.stdout + done.stderr
        assert token.value not in done.stdout + done.stderr + runner.summary
        (review,) = fake.log.select("POST", "/reviews$")
        assert review.login == "github-actions[bot]"
        (comment,) = fake.comments(pull)
        assert comment.anchor.path == "charts/backend/values.yaml"
        assert "```suggestion" in comment.body
        fake.apply_suggestion(pull, comment.id)
        world.check_out()

        (tmp_path / "workflow" / "event.json").write_text(json.dumps(world.event("pull_request")))
        healed = runner.act({**variables, "GITHUB_SHA": world.merge})

        assert healed.code == 0, healed.stdout + healed.stderr
        assert len(fake.log.select("POST", "/reviews$")) == 1


def test_the_checkout_cannot_bring_its_own_portproof(runner: Runner) -> None:
    for name in ("portproof", "yaml", "json"):
        package = runner.workspace / name
        package.mkdir()
        (package / "__init__.py").write_text("raise SystemExit('the checkout was imported')\n")
    (runner.workspace / "sitecustomize.py").write_text("raise SystemExit('the checkout was imported')\n")

    done = runner.act({"INPUT_PATH": "repaired", "PYTHONPATH": "/github/workspace"})

    assert done.code == 0, done.stdout + done.stderr


def test_it_holds_helm_and_kustomize_and_needs_no_network_for_them() -> None:
    done = start("tools", options=("--read-only",))

    assert done.code == 0, done.stderr
    helm, kustomize = done.stdout.splitlines()
    assert helm.split()[0] == "helm"
    assert kustomize.split()[0] == "kustomize"
    assert "/opt/tools/bin/" in helm
    assert "/opt/tools/bin/" in kustomize


def test_the_versions_of_the_tools_are_remembered_in_the_image() -> None:
    # asking helm costs a tenth of a second at every run; what is remembered goes by size and time of the file
    program = (
        "import json, os; folder = '/opt/tools/'; known = json.load(open(folder + 'versions.json'));"
        "print([known[folder + 'bin/' + name]['stamp'] == [(s := os.stat(folder + 'bin/' + name)).st_size, s.st_mtime_ns]"
        " for name in ('helm', 'kustomize')])"
    )
    done = start("-c", program, entrypoint="python")

    assert done.stdout.strip() == "[True, True]", done.stderr


def test_it_also_serves_as_the_command_line(runner: Runner) -> None:
    options = ("-v", f"{runner.workspace}:/work:ro", "-w", "/work")

    assert start("check", "repaired", options=options).code == 0
    assert start("check", "broken", options=options).code == 1
    # as pre-commit does, as the user who owns the checkout
    mine = (*options, "--user", f"{os.getuid() or 1000}:{os.getgid() or 1000}")
    assert start("check", "repaired", options=mine, entrypoint="portproof").code == 0


@pytest.mark.parametrize("name", ABSENT)
def test_it_has_no(name: str) -> None:
    program = f"import shutil, sys; sys.exit(shutil.which({name!r}) is not None)"

    assert start("-c", program, entrypoint="python").code == 0


@pytest.mark.parametrize("python", ["python", "/opt/portproof/bin/python"])
@pytest.mark.parametrize("module", ["pip", "setuptools", "hatchling"])
def test_it_cannot_install_anything(python: str, module: str) -> None:
    done = start("-I", "-c", f"import {module}", entrypoint=python)

    assert done.code == 1
    assert "ModuleNotFoundError" in done.stderr


def test_the_binaries_cannot_be_written() -> None:
    program = (
        "from pathlib import Path;"
        "print(sorted({oct(path.stat().st_mode & 0o777) for path in Path('/opt/tools/bin').iterdir()}))"
    )

    assert start("-c", program, entrypoint="python").stdout.strip() == "['0o555']"


def test_nothing_of_the_build_is_left() -> None:
    program = (
        "import os; print([name for folder in ('/build', '/tmp', '/root/.cache') if os.path.isdir(folder)"
        " for name in os.listdir(folder)])"
    )

    assert start("-c", program, entrypoint="python").stdout.strip() == "[]"


def test_its_entry_point_needs_no_shell() -> None:
    done = docker("image", "inspect", "--format", "{{json .Config.Entrypoint}} {{json .Config.Cmd}}", IMAGE)

    assert done.stdout.split() == [
        '["/opt/portproof/bin/python","-I","-B","-m","portproof"]',
        '["action"]',
    ]


def test_it_starts_at_once() -> None:
    """Little more than a container that does nothing, since the byte code is in the image; a busy machine slows both."""

    def seconds(*command: str, entrypoint: str = "") -> float:
        started = time.monotonic()
        assert start(*command, entrypoint=entrypoint).code == 0
        return time.monotonic() - started

    turns = [(seconds("-I", "-c", "", entrypoint="python"), seconds("rules")) for _ in range(4)]
    nothing, rules = map(min, zip(*turns, strict=True))
    assert rules < 3 * nothing
