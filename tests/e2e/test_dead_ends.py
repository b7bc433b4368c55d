"""What people type and what they read then: it is true, and the next step works as it is printed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.program import Program, Repository, environment
from tests.e2e.test_base import BAD, GOOD

Make = Callable[[str], Repository]
CHART = "apiVersion: v2\nname: c\nversion: 1.0.0\n"


def typed(command: str, *, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """A line as it is typed into a shell, with our program on PATH."""
    folder = Path(os.environ["TMPDIR"]) if "TMPDIR" in os.environ else Path("/tmp")
    program = f'portproof() {{ {sys.executable} -P -m portproof "$@"; }}\n'
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail\n{program}{command}"],
        input=stdin,
        env=environment() | {"TMPDIR": str(folder)},
        capture_output=True,
        check=False,
    )


@pytest.mark.parametrize("name", ["/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"])
@pytest.mark.parametrize("way", ["portproof check {} < all.yaml", "cat all.yaml | portproof check {}"])
def test_the_names_of_standard_input_are_standard_input(name: str, way: str, make_repository: Make) -> None:
    make_repository("").write({"all.yaml": GOOD})
    assert typed(way.format(name)).returncode == 0
    Path("all.yaml").write_text(BAD)
    done = typed(way.format(name))
    assert done.returncode == 1
    assert b"service-target-number" in done.stdout


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("portproof check <(cat all.yaml)", "/dev/fd/63 is neither a file nor a folder"),
        ("portproof check pipe", "pipe is neither a file nor a folder"),
        ("portproof fix /dev/stdin < all.yaml", "fix cannot edit standard input"),
        ("portproof check /dev/stdin . < all.yaml", "cannot be combined"),
        ("portproof check note.yaml", "note.yaml:1: not YAML"),
        ("cd /; portproof check --base main /etc", "--base needs a git repository"),
    ],
)
def test_what_cannot_be_checked_is_no_pass(command: str, said: str, make_repository: Make) -> None:
    make_repository("").write({"all.yaml": BAD, "note.yaml": "a: b: c\n"})
    os.mkfifo("pipe")
    done = typed(command)
    assert (done.returncode, done.stdout) == (2, b"")
    assert said in done.stderr.decode()
    assert b"\n  next: " in done.stderr


def test_a_broken_template_is_named_with_its_chart(make_repository: Make) -> None:
    make_repository("").write({"c/Chart.yaml": CHART, "c/templates/a.yaml": "{{ if }}\n"})
    done = typed("portproof check c/templates/a.yaml")
    assert done.returncode == 1
    assert b"error[render-failed] c/templates/a.yaml:1" in done.stdout


@pytest.mark.parametrize(
    "name", ["portproof.yml", ".portproof.yml", ".github/portproof.yaml", ".github/portproof.yml"]
)
def test_a_configuration_of_another_name_does_not_go_unread(
    name: str, portproof: Program, make_repository: Make
) -> None:
    make_repository("").write({name: "fail-on: never\n", "a.yaml": BAD})
    done = portproof("check")
    assert done.code == 2
    assert f"{name} is not read\n  next: Rename it to portproof.yaml" in done.stderr
    assert portproof("check", "--config", name).code == 0


@pytest.mark.parametrize("folder", [".", "k8s"])
def test_the_hint_is_typed_as_it_is_printed(folder: str, make_repository: Make) -> None:
    """With the arguments that were given, in the folder where it was printed, and it touches nothing else."""
    repository = make_repository("")
    repository.write({"k8s/a b/all.yaml": BAD, "other/all.yaml": BAD})
    repository.commit()
    place = "k8s/a b" if folder == "." else "a b"
    shown = typed(f"cd {folder}; portproof check '{place}' --select service-target-number --no-cache")
    hints = re.findall(r"`(portproof fix [^`]*)`", " ".join(shown.stdout.decode().split()))
    assert [one.endswith(" --write") for one in hints] == [False, True]
    assert typed(f"cd {folder}; {hints[0]} | git apply").returncode == 0
    assert repository.git("status", "--short").split("\n")[:-1] == [' M "k8s/a b/all.yaml"']
    repository.git("checkout", ".")
    assert typed(f"cd {folder}; {hints[1]}").returncode == 0
    assert repository.git("status", "--short").split("\n")[:-1] == [' M "k8s/a b/all.yaml"']


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"a.yaml": BAD}, "1 of 1 finding has a proven, safe fix"),
        ({"a.yaml": BAD, "b/a.yaml": BAD}, "2 of 2 findings have a proven, safe fix"),
        ({"a.yaml": GOOD}, "Nothing to fix: no findings"),
    ],
)
def test_one_finding_is_singular(
    files: dict[str, str], said: str, portproof: Program, make_repository: Make
) -> None:
    make_repository("").write(files)
    assert portproof("fix").stderr.startswith(f"{said}\n")


def test_a_baseline_of_one_finding_is_singular(portproof: Program, make_repository: Make) -> None:
    make_repository("").write({"a.yaml": BAD})
    assert "b.json holds 1 known finding\n" in portproof("check", "--write-baseline", "b.json").stderr


def test_nothing_is_under_the_path_that_was_given(portproof: Program, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    done = portproof("check", str(tmp_path / "empty"))
    assert done.stdout.startswith(f"Nothing to check under {tmp_path / 'empty'}: ")


def test_targets_do_not_contradict_themselves(portproof: Program, make_repository: Make) -> None:
    repository = make_repository("")
    repository.write({"o/kustomization.yaml": "resources: [https://example.com/x.yaml]\n"})
    assert portproof("targets").stdout.startswith("Not rendered:\n  kustomize:o ")
    repository.write({"portproof.yaml": "exclude: [o/]\n"})
    assert "Nothing to check under ." in portproof("targets").stdout
