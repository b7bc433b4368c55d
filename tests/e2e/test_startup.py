"""What is imported when: `portproof rules` starts at once, and `check` begins to render before it loads the rest."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {"yaml", "jsonpath_ng", "jinja2", "github", "subprocess", "concurrent.futures", "urllib.request"}
AFTER_THE_FIRST_RENDER = {
    "portproof.assemble",
    "portproof.compare",
    "portproof.fix",
    "portproof.graph",
    "portproof.pipeline",
    "portproof.render.blame",
    "portproof.render.overlayblame",
    "portproof.report",
    "portproof.revision",
    "portproof.rules.base",
    "portproof.trace",
    "portproof.write",
}


def loaded(script: str) -> set[str]:
    """The modules that a Python of its own has loaded after `script`."""
    done = subprocess.run(
        [sys.executable, "-c", f"import sys\n{script}\nprint('\\n', *sys.modules)"],
        capture_output=True,
        check=True,
        text=True,
    )
    return set(done.stdout.splitlines()[-1].split())


def test_rules_loads_nothing_heavy() -> None:
    modules = loaded("from portproof.cli import app; app(['rules'], standalone_mode=False)")
    assert "portproof.rules.listing" in modules
    assert not (HEAVY | {"portproof.rules.base", "portproof.graph", "portproof.resources"}) & modules


def test_a_page_loads_no_other_rule() -> None:
    modules = loaded("from portproof.cli import app; app(['explain', 'host-port'], standalone_mode=False)")
    assert "portproof.rules.pod.host_port" in modules
    assert "portproof.rules.service.service_target_number" not in modules


def test_the_first_render_waits_for_half_of_the_program_only() -> None:
    modules = loaded("import portproof.cli, portproof.commands.checking")
    assert "portproof.render.helm" in modules
    assert not {"jsonpath_ng", "jinja2", "github"} & modules
    assert not AFTER_THE_FIRST_RENDER & modules


@pytest.mark.parametrize("kind", ["text", "json"])
def test_what_was_said_before_is_said_again_without_rules_and_reports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setenv("PORTPROOF_RENDER_CACHE", str(tmp_path / "cache"))
    for name in ("GITHUB_ACTIONS", "TF_BUILD"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/all.yaml").write_text(
        "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {ports: [{port: 80}]}\n"
    )
    words = ["check", str(tmp_path / "tree"), "--format", kind]
    script = f"from portproof.cli import app; app({words}, standalone_mode=False)"
    assert {"portproof.report", "portproof.rules.base"} <= loaded(script)
    modules = loaded(script)
    assert not {"portproof.discover", "portproof.report", "portproof.rules", "portproof.graph"} & modules
