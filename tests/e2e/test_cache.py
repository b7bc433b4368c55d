"""What an earlier run has rendered is not rendered again; whatever could change it is."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from portproof import process
from portproof.session import prepare
from tests.e2e.program import FIXTURES, Program, Repository, environment
from tests.support.rendering import current_helm, kustomize

SECONDS = re.compile(r'"seconds": [0-9.e-]+')


@dataclass(frozen=True)
class Counted:
    """The program with a cache, and with wrappers as tools; `started` has the starts of these, in this process."""

    folder: Path
    root: Path
    started: list[str]

    @property
    def cache(self) -> Path:
        return self.folder / "cache" / "renderings"

    @property
    def environ(self) -> dict[str, str]:
        tools = {f"PORTPROOF_{name.upper()}": str(self.folder / name) for name in ("helm", "kustomize")}
        own = environment() | tools | {"PORTPROOF_CACHE": str(self.folder / "cache")}
        del own["PORTPROOF_RENDER_CACHE"]
        return own

    def __call__(self, *args: str, environ: Mapping[str, str] | None = None) -> str:
        """What the program prints, without seconds."""
        done = Program({**self.environ, **(environ or {})})(*args)
        assert done.code in (0, 1), done.stderr
        return SECONDS.sub('"seconds": 0', done.stdout)

    def check(self, *args: str, environ: Mapping[str, str] | None = None) -> str:
        return self("check", "--format", "json", *args, environ=environ)

    def starts(self) -> int:
        """How often a tool was started since this was asked last."""
        found = len(self.started)
        self.started.clear()
        return found

    def entries(self) -> list[Path]:
        return sorted(self.cache.glob("??/*"))

    def edit(self, path: str, old: str, new: str) -> None:
        Repository(self.root).replace(path, old, new)


def wrapper(file: Path, real: str, more: str = "") -> None:
    file.write_text(f'#!/bin/sh\n{more}\nexec {real} "$@"\n')
    file.chmod(0o755)


@pytest.fixture
def counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Counted:
    root = tmp_path / "repository"
    shutil.copytree(FIXTURES / "incident" / "broken", root)
    Repository(root).commit()
    monkeypatch.chdir(root)
    started: list[str] = []
    start = process.run

    def noted(argv: Sequence[str], **more: Any) -> process.Completed:
        if Path(argv[0]).parent == tmp_path:
            started.append(" ".join(argv[1:3]))
        return start(argv, **more)

    monkeypatch.setattr(process, "run", noted)
    for name, tool in (("helm", current_helm()), ("kustomize", kustomize())):
        wrapper(tmp_path / name, tool.argv[0])
    return Counted(tmp_path, root, started)


def test_a_second_run_starts_no_renderer_and_reports_the_same(counted: Counted) -> None:
    first = counted.check()
    assert counted.starts() > 3
    assert json.loads(first)["findings"]
    assert counted.check() == first
    assert counted.starts() == 0


@pytest.mark.parametrize("args", [["map"], ["fix"], ["monitor"], ["connectivity"], ["check", "--what-if"]])
def test_every_command_that_renders_has_it(counted: Counted, args: list[str]) -> None:
    first = counted(*args)
    assert counted.starts() > 0
    assert counted(*args) == first
    assert counted.starts() == 0


def test_a_comparison_has_it_for_both_revisions(counted: Counted) -> None:
    counted.edit("chart/values.yaml", "8081", "8082")
    first = counted.check("--base", "HEAD")
    assert counted.starts() > 2
    assert counted.check("--base", "HEAD") == first
    assert counted("diff", "--base", "HEAD")
    assert counted.starts() == 0


@pytest.fixture
def replayed(counted: Counted, monkeypatch: pytest.MonkeyPatch) -> Callable[..., bool]:
    """Whether a check is answered without looking at anything; its answer is that of a check without the cache."""
    looked: list[str] = []

    def noted(*args: Any) -> Any:
        looked.append("")
        return prepare(*args)

    monkeypatch.setattr("portproof.session.run.prepare", noted)

    def ask(*args: str | Path) -> bool:
        words = [str(one) for one in args]
        looked.clear()
        said = counted.check(*words)
        found = not looked
        assert said == counted.check(*words, "--no-cache")
        return found

    return ask


def test_a_run_that_has_been_is_said_again(counted: Counted, replayed: Callable[..., bool]) -> None:
    report = counted.folder / "report.sarif"
    args = ("--report", f"sarif={report}")
    assert not replayed(*args)
    written = report.read_bytes()
    report.unlink()
    assert replayed(*args)
    assert report.read_bytes() == written

    # another question is another run
    for other in (["--fail-on", "never"], ["chart"], ["--ignore", "service-target-number"], []):
        assert not replayed(*other), other
        assert replayed(*other), other


def test_the_exit_code_and_notes_are_said_again(counted: Counted) -> None:
    (counted.root / "portproof.yaml").write_text("environments:\n  prod: [helm:nowhere]\n")
    program = Program(counted.environ)
    first = program("check")
    assert first.code == 1
    assert "no target matches" in first.stderr
    second = program("check")
    assert (second.code, second.stdout, second.stderr) == (1, first.stdout, first.stderr)


@pytest.mark.parametrize(
    "change",
    [
        lambda root: (root / "a-file").write_text(""),
        lambda root: (root / "a-folder").mkdir(),
        lambda root: (root / "a-link").symlink_to("chart"),
        lambda root: (root / "chart" / "values.yaml").write_text("{}\n"),
        lambda root: (root / "portproof.yaml").write_text("ignore: []\n"),
        lambda root: (root / "manifests" / "service.yaml").unlink(),
        lambda root: (root / "chart").rename(root / "renamed"),
        lambda root: (root / "manifests" / ".git").mkdir(),
    ],
)
def test_whatever_changes_in_the_tree_is_looked_at(
    counted: Counted, replayed: Callable[..., bool], change: Callable[[Path], object]
) -> None:
    assert not replayed()
    assert replayed()
    change(counted.root)
    assert not replayed()


def test_what_git_has_committed_counts(counted: Counted, replayed: Callable[..., bool]) -> None:
    (counted.root / ".gitignore").write_text("extra\n")
    shutil.copytree(counted.root / "manifests", counted.root / "extra")
    assert not replayed()
    assert replayed()
    Repository(counted.root).git("add", "--force", "extra")
    assert not replayed()


def test_files_outside_of_the_tree_count(counted: Counted, replayed: Callable[..., bool]) -> None:
    config = counted.folder / "outside.yaml"
    config.write_text("fail-on: never\n")
    assert not replayed("--config", config)
    assert replayed("--config", config)
    config.write_text("ignore:\n  - rule: service-target-number\n    reason: tried\n")
    assert not replayed("--config", config)


def test_another_tool_is_another_run(counted: Counted, replayed: Callable[..., bool]) -> None:
    assert not replayed()
    wrapper(counted.folder / "helm", current_helm().argv[0], "# another")
    assert not replayed()
    assert replayed()


def test_no_cache_neither_reads_nor_keeps(counted: Counted) -> None:
    first = counted.check("--no-cache")
    assert not counted.cache.exists()
    assert counted.check() == first
    counted.starts()
    assert counted.check("--no-cache") == first
    assert counted.starts() > 2


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("chart/values.yaml", "extra: 1\n"),
        ("chart/Chart.yaml", "description: changed\n"),
        ("chart/.helmignore", "nothing\n"),
        ("chart/files/data.txt", "read by a template, perhaps\n"),
        ("chart/templates/NOTES.txt", "changed\n"),
        ("chart/charts/sub/Chart.yaml", "apiVersion: v2\nname: sub\nversion: 0.1.0\n"),
    ],
)
def test_any_file_of_a_chart_counts(counted: Counted, path: str, text: str) -> None:
    counted.check("chart")
    counted.starts()
    file = counted.root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a") as stream:
        stream.write(text)
    changed = counted.check("chart")
    assert counted.starts() > 0
    assert counted.check("chart", "--no-cache") == changed


def test_a_file_that_is_renamed_or_removed_counts(counted: Counted) -> None:
    counted.check("chart")
    counted.starts()
    template = next((counted.root / "chart" / "templates").glob("*.yaml"))
    template.rename(template.with_name("another-name.yaml"))
    counted.check("chart")
    assert counted.starts() > 0
    template.with_name("another-name.yaml").unlink()
    counted.check("chart")
    assert counted.starts() > 0


def test_any_file_of_an_overlay_and_its_bases_counts(counted: Counted) -> None:
    files = [one for one in (counted.root / "kustomize").rglob("*") if one.is_file()]
    assert len(files) > 3
    counted.check("kustomize")
    for file in files:
        counted.starts()
        with file.open("a") as stream:
            stream.write("# changed\n")
        counted.check("kustomize")
        assert counted.starts() > 0, file


def test_other_values_and_other_arguments_count(counted: Counted) -> None:
    (counted.root / "chart" / "values-prod.yaml").write_text("replicas: 3\n")
    counted.check("chart")
    counted.starts()
    (counted.root / "chart" / "values-prod.yaml").write_text("replicas: 4\n")
    counted.check("chart")
    assert counted.starts() > 0
    (counted.root / "portproof.yaml").write_text("charts:\n  - path: chart\n    kube-version: 1.30.0\n")
    counted.check("chart")
    assert counted.starts() > 0


def test_another_tool_counts_and_what_a_wrapper_names(counted: Counted) -> None:
    counted.check("chart")
    counted.starts()
    wrapper(counted.folder / "helm", current_helm().argv[0], "# another wrapper")
    counted.check("chart")
    assert counted.starts() > 2

    # the wrapper stays as it is, but the tool behind it is another one
    behind = counted.folder / "tools" / "helm"
    behind.parent.mkdir()
    wrapper(behind, current_helm().argv[0])
    wrapper(counted.folder / "helm", str(behind))
    counted.check("chart")
    counted.starts()
    counted.check("chart")
    assert counted.starts() == 0
    wrapper(behind, current_helm().argv[0], "# newer")
    counted.check("chart")
    assert counted.starts() > 2


def test_a_launcher_that_looks_for_its_tool_is_started_each_time(counted: Counted) -> None:
    """What a version manager finds can be another tool tomorrow."""
    real = Path(current_helm().argv[0])
    (counted.folder / "helm").write_text(f'#!/bin/sh\nPATH="{real.parent}:$PATH" exec {real.name} "$@"\n')
    counted.check("chart")
    counted.starts()
    counted.check("chart")
    assert counted.starts() > 2


def test_a_checkout_elsewhere_finds_the_same(counted: Counted, monkeypatch: pytest.MonkeyPatch) -> None:
    (counted.root / "broken").mkdir()
    (counted.root / "broken" / "Chart.yaml").write_text("apiVersion: v2\nname: broken\nversion: 0.1.0\n")
    (counted.root / "broken" / "templates").mkdir()
    (counted.root / "broken" / "templates" / "x.yaml").write_text("{{ .Values.a.b.c }}\n")
    first = counted.check()
    assert "nil pointer" in first
    moved = counted.folder / "another place" / "clone"
    shutil.copytree(counted.root, moved)
    shutil.rmtree(counted.root)
    counted.starts()
    monkeypatch.chdir(moved)
    assert counted.check() == first
    (moved / "README.md").write_text("The run is another one, what it renders is not.\n")
    assert counted.check() == first
    assert counted.starts() == 0
    assert str(counted.folder) not in first


DRAWN = """apiVersion: v1
kind: Secret
metadata:
  name: drawn
stringData:
  password: {{ ACTION }}
"""


@pytest.mark.parametrize(
    ("action", "helpers"),
    [
        ("randAlphaNum 12 | quote", ""),
        ("now | quote", ""),
        ('genPrivateKey "ed25519" | quote', ""),
        (
            'include "a.word" . | quote',
            '{{ define "a.word" }}{{ include "a.other" . }}{{ end }}{{ define "a.other" }}{{ uuidv4 }}{{ end }}',
        ),
        ("tpl .Values.text . | quote", ""),
    ],
)
def test_a_chart_that_draws_lots_is_rendered_each_time(counted: Counted, action: str, helpers: str) -> None:
    templates = counted.root / "chart" / "templates"
    (templates / "drawn.yaml").write_text(DRAWN.replace("ACTION", action))
    (templates / "_more.tpl").write_text(helpers)
    with (counted.root / "chart" / "values.yaml").open("a") as stream:
        stream.write('text: "{{ randAlpha 5 }}"\n' if "tpl" in action else "text: x\n")
    first = counted.check("chart")
    assert '"status": "checked"' in first
    counted.starts()
    assert counted.check("chart") == first
    assert counted.starts() > 0


def test_helpers_that_draw_lots_for_nobody_keep_nothing_from_being_kept(counted: Counted) -> None:
    templates = counted.root / "chart" / "templates"
    (templates / "_more.tpl").write_text('{{ define "a.password" }}{{ randAlpha 5 }}{{ end }}')
    (templates / "NOTES.txt").write_text("installed at {{ now }}\n")
    first = counted.check("chart")
    counted.starts()
    assert counted.check("chart") == first
    assert counted.starts() == 0


def test_what_the_machine_may_be_to_blame_for_is_not_kept(counted: Counted) -> None:
    (counted.root / "portproof.yaml").write_text("timeout: 4\n")
    slow = 'case "$1" in template) /bin/sleep 300;; esac'
    wrapper(counted.folder / "helm", current_helm().argv[0], slow)
    assert "did not finish" in counted.check("chart")
    counted.starts()
    assert "did not finish" in counted.check("chart")
    assert counted.starts() > 0

    (counted.root / "portproof.yaml").unlink()
    wrapper(counted.folder / "helm", current_helm().argv[0], 'case "$1" in template) kill -9 $$;; esac')
    assert "signal" in counted.check("chart")
    counted.starts()
    assert "signal" in counted.check("chart")
    assert counted.starts() > 0


def forged(data: bytes, **more: Any) -> bytes:
    """An entry of the right form that says something else."""
    body = json.dumps({**json.loads(data.partition(b"\n")[2]), **more}).encode()
    return hashlib.sha256(body).hexdigest().encode() + b"\n" + body


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: data[: len(data) // 2],
        lambda data: data.replace(b"8080", b"9090"),
        lambda data: data[:0],
        lambda data: forged(data, stdout=1, output=1),
        lambda data: forged(data, code=7),
        lambda data: forged(data, code="0"),
        lambda data: forged(data, key="0" * 64),
        lambda data: forged(data, format=0),
    ],
)
def test_a_spoilt_entry_is_as_if_it_were_not_there(counted: Counted, spoil: Callable[[bytes], bytes]) -> None:
    first = counted.check()
    before = {file: file.read_bytes() for file in counted.entries()}
    assert before
    for file, data in before.items():
        file.write_bytes(spoil(data))
    counted.starts()
    assert counted.check() == first
    assert counted.starts() > 2
    assert counted.check() == first
    assert counted.starts() == 0


def test_a_link_in_its_place_is_not_followed(counted: Counted) -> None:
    first = counted.check()
    elsewhere = counted.folder / "elsewhere"
    counted.cache.rename(elsewhere)
    before = sorted(file.stat().st_mtime_ns for file in elsewhere.rglob("*"))
    counted.cache.symlink_to(elsewhere)
    counted.starts()
    assert counted.check() == first
    assert counted.starts() > 2
    assert sorted(file.stat().st_mtime_ns for file in elsewhere.rglob("*")) == before


def test_a_folder_that_cannot_be_written_costs_nothing_else(counted: Counted) -> None:
    (counted.folder / "file").touch()
    environ = {"PORTPROOF_RENDER_CACHE": str(counted.folder / "file" / "below")}
    first = counted.check(environ=environ)
    assert counted.check(environ=environ) == first == counted.check()


def test_two_at_once_do_not_disturb_each_other(counted: Counted) -> None:
    command = [sys.executable, "-m", "portproof", "check", "--format", "json"]
    several = [
        subprocess.Popen(command, env=counted.environ, stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    printed = [SECONDS.sub('"seconds": 0', one.communicate(timeout=600)[0]) for one in several]
    assert printed[0] == printed[1]
    counted.starts()
    assert counted.check() == printed[0]
    assert counted.starts() == 0


def test_a_folder_of_the_work_tree_is_nothing_to_check(counted: Counted) -> None:
    environ = {"PORTPROOF_RENDER_CACHE": ".portproof-cache"}
    first = counted.check(environ=environ)
    assert (counted.root / ".portproof-cache").is_dir()
    counted.starts()
    assert counted.check(environ=environ) == first
    assert counted.starts() == 0
    assert Repository(counted.root).git("status", "--porcelain") == ""


def test_a_cache_that_was_committed_is_not_read(counted: Counted) -> None:
    environ = {"PORTPROOF_RENDER_CACHE": "cache"}
    first = counted.check(environ=environ)
    assert (counted.root / "cache").is_dir()
    Repository(counted.root).git("add", "--force", "cache")
    Repository(counted.root).commit()
    counted.starts()
    assert counted.check(environ=environ) == first
    assert counted.starts() > 2


def test_a_folder_that_a_link_of_the_tree_leads_to_is_not_used(counted: Counted) -> None:
    elsewhere = counted.folder / "elsewhere"
    elsewhere.mkdir()
    (counted.root / "linked").symlink_to(elsewhere)
    counted.check(environ={"PORTPROOF_RENDER_CACHE": "linked/cache"})
    assert not list(elsewhere.iterdir())
