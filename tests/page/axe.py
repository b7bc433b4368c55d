"""What hinders people on a page, as axe-core knows it: https://github.com/dequelabs/axe-core."""

from __future__ import annotations

import json
import os
from pathlib import Path

from tests.page.chromium import Page

AXE = os.environ.get("PORTPROOF_AXE", "")


def hindrances(page: Page, *without: str) -> list[str]:
    """What axe-core finds on the page as it is now, `without` these of its rules."""
    page.value(Path(AXE).read_text(encoding="utf-8") + "; 1")
    options = json.dumps({"preload": False, "rules": {name: {"enabled": False} for name in without}})
    found = page.value(f"axe.run(document, {options}).then((all) => JSON.stringify(all.violations))")
    return [
        f"{one['id']}: {node['html'][:200]} ({node['failureSummary']})"
        for one in json.loads(found)
        for node in one["nodes"]
    ]
