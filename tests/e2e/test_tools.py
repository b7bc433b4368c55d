"""Which helm and kustomize: what `tools` says, and what happens without them."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.program import Process, Program, Repository, environment, place

MakeRepository = Callable[[str], Repository]


def test_tools_tells_path_version_and_origin(process: Process, make_repository: MakeRepository) -> None:
    repository = make_repository("")
    with repository.untouched():
        run = process("tools")
    assert run.code == 0, run.stderr
    helm, kustomize = run.stdout.splitlines()
    assert re.fullmatch(r"helm +v\d+\.\d+\.\d+\S* +/\S+ +\(.+\)", helm)
    assert re.fullmatch(r"kustomize +v\d+\.\d+\.\d+\S* +/\S+ +\(.+\)", kustomize)
    for line in (helm, kustomize):
        assert Path(line.split()[2]).is_file()
    assert process("tools", "show").stdout == run.stdout


def test_the_report_names_the_versions(portproof: Program, make_repository: MakeRepository) -> None:
    make_repository("incident/repaired")
    tool = portproof.check()["tool"]
    shown = portproof("tools").stdout.split()
    assert tool["name"] == "portproof"
    assert tool["helm"] in shown
    assert tool["kustomize"] in shown


@pytest.mark.parametrize("name", ["helm", "kustomize"])
def test_a_missing_tool_is_wrong_use(name: str, process: Process, make_repository: MakeRepository) -> None:
    repository = make_repository("incident/broken")
    with repository.untouched():
        run = process("check", f"--{name}", f"/nonexistent/{name}")
    assert run.code == 2
    assert run.stdout == ""
    assert f"/nonexistent/{name}" in run.stderr
    assert "next: " in run.stderr
    assert "Traceback" not in run.stderr


@pytest.mark.parametrize("name", ["helm", "kustomize"])
def test_a_missing_tool_of_the_environment_is_wrong_use(name: str, make_repository: MakeRepository) -> None:
    make_repository("incident/broken")
    variable = f"PORTPROOF_{name.upper()}"
    run = Process(environment() | {variable: f"/nonexistent/{name}"})("check")
    assert run.code == 2
    assert variable in run.stderr
    assert "next: " in run.stderr


def test_a_program_that_is_no_helm(process: Process, make_repository: MakeRepository) -> None:
    repository = make_repository("incident/broken")
    fake = repository.root.parent / "helm"
    fake.write_text("#!/bin/sh\nexit 0\n")
    fake.chmod(0o755)
    run = process("check", "--helm", fake)
    assert run.code == 2
    assert str(fake) in run.stderr
    assert "next: " in run.stderr


def test_no_tool_at_all(tmp_path: Path, make_repository: MakeRepository) -> None:
    make_repository("incident/broken")
    (tmp_path / "bin").mkdir()
    bare = {name: value for name, value in environment().items() if not name.startswith("PORTPROOF_")}
    bare |= {"PATH": str(tmp_path / "bin"), "HOME": str(tmp_path), "PORTPROOF_CACHE": str(tmp_path / "cache")}
    run = Process(bare)("check", "--offline")
    assert run.code == 2
    assert "helm" in run.stderr
    assert "next: " in run.stderr


def test_without_charts_no_helm_is_needed(portproof: Program, make_repository: MakeRepository) -> None:
    make_repository("incident/broken")
    missing = "/nonexistent/helm"
    run = portproof("check", "kustomize", "manifests", "--helm", missing, "--format", "json")
    assert run.code == 1
    assert {place(one["location"]).split(":")[0] for one in run.report["findings"]} == {
        "kustomize/overlays/prod/service.yaml",
        "manifests/service.yaml",
    }
    assert run.report["tool"]["helm"] is None
    run = portproof("check", "manifests", "--helm", missing, "--kustomize", missing, "--format", "json")
    assert len(run.report["findings"]) == 1
    assert run.report["tool"]["kustomize"] is None
