"""Writes the generated text: docs/rules.md, tables of other pages, the schema of portproof.yaml. ``--check`` only compares."""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from portproof import yamldoc
from portproof.config.settings import schema
from portproof.report.json_ import dumps
from portproof.report.pages import markdown as page_markdown
from portproof.rules import all_rules, families
from portproof.rules.listing import listed

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = (
    "service-target-number",
    "service-target-name",
    "ingress-backend-port",
    "route-backend-port",
    "probe-port-name",
    "network-policy-service-port",
    "service-monitor-port",
    "virtual-service-port",
    "caller-service-port",
    "port-follows-service",
    "render-failed",
)
"""The rules that docs/checks.md shows: those that people meet most, at least one of each family."""


def rules_page() -> str:
    """A table of contents, then every rule's page, by family."""
    pages = {rule.id: page_markdown(rule, level=3, fixes="fixes.md") for rule in all_rules()}
    parts = [
        "# Rules\n",
        "Generated from the rules' docstrings by `make docs`. Each page ends with how to suppress a finding;",
        "[configuration.md](configuration.md#ignoring-a-finding) has the details.\n",
        contents(),
    ]
    for family, title in families().items():
        parts.append(f"## {title}\n")
        parts += [pages[one.id] for one in listed() if one.family == family]
    return "\n".join(parts)


def contents() -> str:
    """The rules of each family, as links."""
    lines = []
    for family, title in families().items():
        lines.append(f"* [{title}](#{anchor(title)})")
        lines += [f"  * [`{one.id}`](#{one.id}): {one.summary}" for one in listed() if one.family == family]
    return "\n".join(lines) + "\n"


def anchor(title: str) -> str:
    """The address that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def config_schema() -> str:
    """What editors know of portproof.yaml."""
    return dumps(schema({rule.id: rule.summary for rule in all_rules()}))


def rules_table() -> str:
    """The examples, one line a rule, and how many rules each family has."""
    by_id, counts = {one.id: one for one in listed()}, Counter(one.family for one in listed())
    lines = ["| rule | max severity | what it finds |", "|---|---|---|"]
    lines += [
        f"| [`{one.id}`](rules.md#{one.id}) | {one.severity.value} | {one.summary} |"
        for one in map(by_id.__getitem__, EXAMPLES)
    ]
    lines += ["", f"[All {len(by_id)} rules](rules.md), by family:", ""]
    lines += [
        f"* [{title}](rules.md#{anchor(title)}): {counts[family]}" for family, title in families().items()
    ]
    return "\n".join(lines)


def inputs_table() -> str:
    """One line an input of the action."""
    lines = ["| input | default | meaning |", "|---|---|---|"]
    for name, one in action()["inputs"].items():
        default = f"`{one['default']}`" if one["default"] else ""
        lines.append(f"| `{name}` | {default} | {one['description']} |")
    return "\n".join(lines)


def outputs_table() -> str:
    """One line an output of the action."""
    lines = ["| output | meaning |", "|---|---|"]
    lines += [f"| `{name}` | {one['description']} |" for name, one in action()["outputs"].items()]
    return "\n".join(lines)


def action() -> Any:
    """The content of action.yml."""
    return yamldoc.load((ROOT / "action.yml").read_text(encoding="utf-8"))


TABLES: Mapping[str, Mapping[str, Callable[[], str]]] = {
    "docs/checks.md": {"rules": rules_table},
    "docs/action.md": {"inputs": inputs_table, "outputs": outputs_table},
}
"""The tables of each page, by the marks that they stand between."""


def with_tables(page: str, text: str) -> str:
    """The text of a page of `TABLES` with each table put between its marks."""
    for name, table in TABLES[page].items():
        text, count = re.subn(
            rf"(<!-- {name}: begin[^\n]*-->\n).*?(<!-- {name}: end -->)",
            lambda match, table=table: f"{match[1]}{table()}\n{match[2]}",  # type: ignore[misc]
            text,
            flags=re.DOTALL,
        )
        if count != 1:
            raise ValueError(f"{page} has {count} places for the table of {name}")
    return text


def wanted() -> dict[Path, str]:
    """The generated files, and what they should say."""
    pages = {page: with_tables(page, (ROOT / page).read_text(encoding="utf-8")) for page in TABLES}
    return {
        ROOT / "docs/rules.md": rules_page(),
        ROOT / "src/portproof/config.schema.json": config_schema(),
        **{ROOT / page: text for page, text in pages.items()},
    }


def main() -> int:
    """Write, or with ``--check`` say which file is stale."""
    stale = {
        file: text
        for file, text in wanted().items()
        if not file.exists() or file.read_text(encoding="utf-8") != text
    }
    if "--check" in sys.argv:
        for file in stale:
            print(f"{file.relative_to(ROOT)} is stale; run `make docs`")  # noqa: T201
        return 1 if stale else 0
    for file, text in stale.items():
        file.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
