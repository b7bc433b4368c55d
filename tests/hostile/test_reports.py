"""Where a report goes: into files that a stranger has prepared, and into the log of a runner."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from portproof.flags import FORMATS
from portproof.replacing import replace
from portproof.report import formats
from portproof.report.safe import for_log
from tests.e2e.program import Program, Repository, environment
from tests.e2e.test_base import BAD
from tests.support import runner
from tests.support.reports import INCIDENT, RESULT

Make = Callable[[str], Repository]


def prepared(clone: Repository, kind: str) -> tuple[str, str]:
    """A place in the clone that is not what it seems; gives the name to write to, and what is said of it."""
    outside = clone.root.parent / "outside"
    outside.mkdir()
    (outside / "kept").write_text("kept")
    (clone.root / "out").symlink_to(outside)
    (clone.root / "file").symlink_to(outside / "kept")
    (clone.root / "device").symlink_to("/dev/full")
    os.mkfifo(clone.root / "pipe")
    link, odd = "a folder on the way is a link, or no folder", "it is not a regular file"
    places = {
        "a link to a file": ("file", odd),
        "a link to a folder": ("out/kept", link),
        "a link to a folder, and back": ("out/../out/kept", link),
        "a link to a device": ("device", odd),
        "a pipe": ("pipe", odd),
    }
    return places[kind]


KINDS = (
    "a link to a file",
    "a link to a folder",
    "a link to a folder, and back",
    "a link to a device",
    "a pipe",
)


@pytest.mark.parametrize("option", ["--report", "--write-baseline"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("absolute", [False, True])
def test_a_report_leads_out_of_no_checkout(
    kind: str, option: str, absolute: bool, portproof: Program, make_repository: Make
) -> None:
    clone = make_repository("")
    clone.write({"svc.yaml": BAD})
    clone.commit()
    name, reason = prepared(clone, kind)
    file = str(clone.root / name) if absolute else name
    done = portproof("check", option, f"json={file}" if option == "--report" else file)
    assert (done.code, done.stdout) == (2, "")
    assert f"cannot write {file}: {reason}" in done.stderr
    outside = clone.root.parent / "outside"
    assert {one.name: one.read_text() for one in outside.iterdir()} == {"kept": "kept"}


def test_a_report_is_written_into_new_folders(portproof: Program, make_repository: Make) -> None:
    make_repository("").write({"svc.yaml": BAD})
    assert portproof("check", "--report", "json=a/b/c.json").code == 1
    assert json.loads(Path("a/b/c.json").read_text())["schema"] == "portproof/report/1"


def test_places_outside_of_the_checkout_are_the_users(
    portproof: Program, make_repository: Make, tmp_path: Path
) -> None:
    make_repository("").write({"svc.yaml": BAD})
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "link").symlink_to(elsewhere)
    assert portproof("check", "--report", f"json={tmp_path / 'link' / 'a.json'}").code == 1
    assert (elsewhere / "a.json").is_file()


def test_a_pipe_of_the_users_gets_the_report(
    portproof: Program, make_repository: Make, tmp_path: Path
) -> None:
    make_repository("").write({"svc.yaml": BAD})
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    done = portproof("check", "--report", f"json={pipe}")
    assert (done.code, "nobody reads this pipe" in done.stderr) == (2, True)
    heard: list[bytes] = []
    handle = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    os.set_blocking(handle, True)
    with os.fdopen(handle, "rb") as reader:
        listener = threading.Thread(target=lambda: heard.append(reader.read()))
        keep = os.open(pipe, os.O_WRONLY)  # or the reader would see the end before there is anything
        listener.start()
        assert portproof("check", "--report", f"json={pipe}").code == 1
        os.close(keep)
        listener.join()
    assert json.loads(heard[0])["summary"]["error"] == 1


@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])
def test_a_stream_of_the_users_gets_the_report(name: str, make_repository: Make, tmp_path: Path) -> None:
    make_repository("").write({"svc.yaml": BAD})
    with (tmp_path / "out").open("wb") as out:
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "portproof",
                "check",
                "-q",
                "--format",
                "gitlab",
                "--report",
                f"json={name}",
            ],
            stdout=out,
            stderr=subprocess.PIPE,
            env=environment(),
            check=False,
        )
    assert done.returncode == 1, done.stderr
    first, end = json.JSONDecoder().raw_decode((tmp_path / "out").read_text())
    assert first["summary"]["error"] == 1
    assert json.loads((tmp_path / "out").read_text()[end:])[0]["check_name"] == "service-target-number"
    assert Path("/dev/stdout").is_symlink()


COMMANDS = (
    "::error::x",
    "##[error]x",
    "##vso[task.setvariable variable=a]x",
    "x ::add-mask::y",
    "##teamcity[x]",
)
NAMES = [*COMMANDS, *(f"x\n  {one}" for one in COMMANDS), *(f"x `\n{one}" for one in COMMANDS)]


def evil() -> str:
    """A Service and a Deployment for each command, in all that a report repeats."""
    objects = []
    for number, text in enumerate(NAMES):
        name = json.dumps(text)
        objects.append(
            f"apiVersion: v1\nkind: Service\nmetadata: {{name: {name}}}\nspec: {{selector: {{app: a{number}}}, ports: "
            f"[{{port: 80, targetPort: {name}}}]}}\n---\napiVersion: v1\nkind: Pod\nmetadata: {{name: a{number}, labels: "
            f"{{app: a{number}}}}}\nspec: {{containers: [{{name: {name}, image: a, ports: [{{name: {name}, containerPort: 1}}]}}]}}\n"
        )
    return "---\n".join(objects)


@pytest.fixture
def evil_clone(make_repository: Make) -> Repository:
    """A clone whose files look like commands, in their names and in what they hold."""
    clone = make_repository("")
    clone.write(
        {
            "svc.yaml": evil(),
            "##[error]x.yaml": BAD.replace("web", "other"),
            "broken.yaml": "a: [\n##vso[x]\n",
        }
    )
    return clone


def test_a_runner_finds_no_command_in_a_report(portproof: Program, evil_clone: Repository) -> None:
    assert evil_clone.root == Path.cwd()
    kinds = sorted(set(FORMATS) - {"github", "azure"})
    assert (
        portproof("check", *(part for kind in kinds for part in ("--report", f"{kind}={kind}.out"))).code == 1
    )
    for kind in kinds:
        text = Path(f"{kind}.out").read_text()
        printed = for_log(text, kind)
        assert_nothing_is_obeyed(printed)
        if kind == "junit":
            assert "##[" in text
            assert read_as(printed) == read_as(text)
        elif kind != "markdown":
            assert (
                printed == text
            )  # what is for a terminal is harmless, wherever it goes; in JSON a character is escaped
    assert "##[" in Path("markdown.out").read_text()
    assert "##[error]x" in json.dumps(json.loads(Path("json.out").read_text()))


@pytest.mark.parametrize("runs_on", ["GITHUB_ACTIONS", "TF_BUILD"])
def test_so_it_is_where_one_reads_along(runs_on: str, portproof: Program, evil_clone: Repository) -> None:
    assert evil_clone.root == Path.cwd()
    done = Program({**portproof.environ, runs_on: "true"})("check", "--format", "markdown")
    assert done.code == 1
    assert_nothing_is_obeyed(done.stdout)


@pytest.mark.parametrize("args", [("diff", "--base", "HEAD"), ("map",)])
def test_nor_in_what_other_commands_print(
    args: tuple[str, ...], portproof: Program, evil_clone: Repository
) -> None:
    evil_clone.commit()
    evil_clone.write({"svc.yaml": evil().replace("port: 80,", "port: 81,")})
    done = Program({**portproof.environ, "GITHUB_ACTIONS": "true"})(*args, "--format", "markdown")
    assert done.code == 0, done.stderr
    assert len(done.stdout) > 500
    assert_nothing_is_obeyed(done.stdout)


def assert_nothing_is_obeyed(text: str) -> None:
    """No runner finds a command in `text`."""
    assert runner.obeyed(text) == []
    assert re.search(r"##\w*\[", text) is None
    assert re.search(r"^\s*::", text, re.MULTILINE) is None


def read_as(text: str) -> list[tuple[str, dict[str, str], str]]:
    """What an XML document says, without times."""
    return [
        (
            one.tag,
            {key: value for key, value in one.attrib.items() if key != "time"},
            (one.text or "").strip(),
        )
        for one in ET.fromstring(text).iter()
    ]


@pytest.mark.parametrize("kind", FORMATS)
def test_three_thousand_findings_are_written_in_a_moment(kind: str) -> None:
    """In processor time, which others on the machine do not take; what grows with the square takes minutes."""
    line = "  - {name: http, port: 80, targetPort: 8081}"
    place = RESULT.location
    assert place is not None
    several = tuple(
        replace(
            RESULT,
            fingerprint=f"{number:016x}",
            location=replace(place, line=number + 1, end_line=number + 1),
        )
        for number in range(3_000)
    )
    given = replace(INCIDENT, results=several, lines={place.path: dict.fromkeys(range(1, 3_001), line)})
    before = time.process_time()
    text = formats.write(kind, given)
    assert time.process_time() - before < 20
    assert len(text) > 3_000
