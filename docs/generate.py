"""Writes the generated text: docs/rules.md and the table of rules in README.md. ``--check`` only compares."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from portproof.report.pages import markdown as page_markdown
from portproof.rules import all_rules

ROOT = Path(__file__).resolve().parent.parent


def rules_page() -> str:
    """Every rule's page, in the order of their ids."""
    head = "# Rules\n\nGenerated from the rules' docstrings by `make docs`.\n"
    return "\n".join([head, *(page_markdown(rule) for rule in all_rules())])


def rules_table() -> str:
    """One line a rule."""
    lines = ["| rule | at worst | what it finds |", "|---|---|---|"]
    lines += [
        f"| [`{rule.id}`](docs/rules.md#{rule.id}) | {rule.severity.value} | {rule.summary} |"
        for rule in all_rules()
    ]
    return "\n".join(lines)


def readme(text: str) -> str:
    """README.md with the table put between its marks."""
    return re.sub(
        r"(<!-- rules: begin[^\n]*-->\n).*?(<!-- rules: end -->)",
        lambda match: f"{match[1]}{rules_table()}\n{match[2]}",
        text,
        flags=re.DOTALL,
    )


def main() -> int:
    """Write, or with ``--check`` say which file is stale."""
    wanted = {
        ROOT / "docs/rules.md": rules_page(),
        ROOT / "README.md": readme((ROOT / "README.md").read_text(encoding="utf-8")),
    }
    stale = [
        file for file, text in wanted.items() if not file.exists() or file.read_text(encoding="utf-8") != text
    ]
    if "--check" in sys.argv:
        for file in stale:
            print(f"{file.relative_to(ROOT)} is stale; run `make docs`")  # noqa: T201
        return 1 if stale else 0
    for file in stale:
        file.write_text(wanted[file], encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
