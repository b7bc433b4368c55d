"""Committed text changes only where a port does."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable

import pytest

from tests.e2e.program import Program, Repository

MakeRepository = Callable[[str], Repository]

SERVICE = """\
apiVersion: v1
kind: Service
metadata: {name: reports}
spec:
  selector: {app: reports}
  ports: [{name: http, port: 80, targetPort: 8090}]
"""


def _changes(before: str, after: str) -> list[str]:
    """The lines that went and came, each with its sign."""
    lines = difflib.ndiff(before.splitlines(), after.splitlines())
    return [line for line in lines if line[0] in "+-"]


def _text(repository: Repository) -> str:
    return repository.read("PORTS.md").decode()


def test_a_renamed_key_of_a_subchart_changes_the_lines_that_name_it(
    portproof: Program, make_repository: MakeRepository
) -> None:
    repository = make_repository("shop")
    portproof("map", "--write", "PORTS.md")
    before = _text(repository)
    files = [
        path
        for path in (repository.root / "charts/shop/charts/cart").rglob("*")
        if path.is_file() and "adminTargetPort" in path.read_text()
    ]
    assert files
    for path in files:
        path.write_text(path.read_text().replace("adminTargetPort", "adminTarget"))
    portproof("map", "--write")
    changed = _changes(before, _text(repository))
    went, came = ([line[2:] for line in changed if line[0] == sign] for sign in "-+")
    assert went
    assert [line.replace("adminTargetPort", "adminTarget") for line in went] == came
    assert all("adminTargetPort" in line for line in went)


def test_a_new_service_adds_its_block_only(portproof: Program, make_repository: MakeRepository) -> None:
    repository = make_repository("incident/repaired")
    portproof("map", "--write", "PORTS.md")
    before = _text(repository)
    repository.write({"manifests/reports.yaml": SERVICE.encode()})
    assert portproof("map", "--check").code == 1
    portproof("map", "--write")
    changed = _changes(before, _text(repository))
    assert {line[0] for line in changed} == {"+"}
    assert "+ ### Service `reports`" in changed
    added = "\n".join(line[2:] for line in changed)
    assert "backend-v1" not in added


def test_nothing_in_it_moves_by_itself(portproof: Program, make_repository: MakeRepository) -> None:
    """No line number, date or version; a commit, a moved file of no port and another clock change nothing."""
    repository = make_repository("shop")
    portproof("map", "--write", "PORTS.md")
    text = _text(repository)
    assert not re.search(r"\.(?:yaml|tpl)`?:\d", text)
    assert not re.search(
        r"\b20\d\d-\d\d|\bv?\d+\.\d+\.\d+(?!\.\d)\b(?<!127\.0\.0)", text.replace("127.0.0.1", "")
    )
    repository.write({"charts/shop/notes.yaml": b"a: 1\n"})
    assert portproof("map", "--check").code == 0
    assert portproof("map", "--write").code == 0
    assert _text(repository) == text


@pytest.mark.parametrize(("end", "last"), [("\n", ""), ("\r\n", "\r\n")])
def test_the_teams_text_is_kept_byte_by_byte(
    portproof: Program, make_repository: MakeRepository, end: str, last: str
) -> None:
    repository = make_repository("incident/repaired")
    begin, stop = "<!-- portproof map: helm:* -->", "<!-- portproof map: end -->"
    head, tail = f"# Ports{end}text  {end}{end}", f"{end}\té{end}the end{last}"
    repository.write({"PORTS.md": f"{head}{begin}{end}{stop}{tail}".encode()})
    assert portproof("map", "--write", "PORTS.md").code == 0
    text = repository.read("PORTS.md")
    assert text.startswith(f"{head}{begin}{end}".encode())
    assert text.endswith(f"{end}{stop}{tail}".encode())
    assert b"### Service `backend-v1`" in text
    assert text.count(b"\r\n") == (text.count(b"\n") if end == "\r\n" else 0)
    assert portproof("map", "--check", "PORTS.md").code == 0
    portproof("map", "--write", "PORTS.md")
    assert repository.read("PORTS.md") == text


@pytest.mark.parametrize(
    "marker",
    [
        "<!-- portproof-map: * -->",
        "<!-- portproof map * -->",
        "<!--- portproof map: * --->",
        "text <!-- portproof map: * -->",
        "    <!-- portproof map: * -->",
    ],
)
def test_what_is_nearly_a_marker_is_text(
    portproof: Program, make_repository: MakeRepository, marker: str
) -> None:
    """It is not filled, and not silently either: `--check` of the file says that it has no block."""
    repository = make_repository("incident/repaired")
    repository.write({"PORTS.md": f"{marker}\n".encode()})
    run = portproof("map", "--check", "PORTS.md")
    assert (run.code, "PORTS.md has no block of the map" in run.stderr) == (2, True)


def test_a_target_that_fails_is_named_with_its_reason(
    portproof: Program, make_repository: MakeRepository
) -> None:
    repository = make_repository("incident/repaired")
    repository.write({"broken/Chart.yaml": b"apiVersion: v2\nname: broken\nversion: 1.0.0\n"})
    repository.write({"broken/templates/a.yaml": b'{{ fail "no database is given" }}\n'})
    for format_ in ("text", "markdown", "json"):
        run = portproof("map", "--format", format_)
        assert run.code == 0
        assert "helm:broken" in run.stdout
        assert "no database is given" in run.stdout


def test_no_value_of_a_secret_is_on_the_map(portproof: Program, make_repository: MakeRepository) -> None:
    repository = make_repository("incident/repaired")
    secret = (
        b"apiVersion: v1\nkind: Secret\nmetadata: {name: db}\n"
        b"stringData: {url: 'http://user:hunter2@backend-v1:80/x', port: 'hunter2'}\n"
    )
    repository.write({"manifests/secret.yaml": secret})
    for format_ in ("text", "markdown", "mermaid", "json", "html"):
        run = portproof("map", "--format", format_)
        assert run.code == 0
        assert "hunter2" not in run.stdout


def test_an_unknown_environment_lists_those_that_there_are(
    portproof: Program, make_repository: MakeRepository
) -> None:
    make_repository("shop")
    run = portproof("map", "--environment", "moon")
    assert run.code == 2
    assert "no target is for the environment 'moon'" in run.stderr
    for name in ("defaults", "minimal", "prod", "staging"):
        assert name in run.stderr.partition("Choose one of")[2]
