"""What is imported when: `portproof rules` starts at once, and `check` begins to render before it loads the rest."""

from __future__ import annotations

import subprocess
import sys

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
