"""Writes the generated text: docs/rules.md, the tables of README.md and the schema of portproof.yaml. ``--check`` only compares."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

from portproof import yamldoc
from portproof.config.settings import schema
from portproof.report.json_ import dumps
from portproof.report.pages import markdown as page_markdown
from portproof.rules import all_rules, families
from portproof.rules.listing import listed

ROOT = Path(__file__).resolve().parent.parent


def rules_page() -> str:
    """A table of contents, then every rule's page, by family."""
    pages = {rule.id: page_markdown(rule, level=3) for rule in all_rules()}
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
    """One table a family, one line a rule."""
    lines = []
    for family, title in families().items():
        lines += [f"**{title}**", "", "| rule | max severity | what it finds |", "|---|---|---|"]
        lines += [
            f"| [`{one.id}`](docs/rules.md#{one.id}) | {one.severity.value} | {one.summary} |"
            for one in listed()
            if one.family == family
        ]
        lines.append("")
    return "\n".join(lines).rstrip()


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


def readme(text: str) -> str:
    """README.md with each table put between its marks."""
    for name, table in (("rules", rules_table), ("inputs", inputs_table), ("outputs", outputs_table)):
        text, count = re.subn(
            rf"(<!-- {name}: begin[^\n]*-->\n).*?(<!-- {name}: end -->)",
            lambda match, table=table: f"{match[1]}{table()}\n{match[2]}",  # type: ignore[misc]
            text,
            flags=re.DOTALL,
        )
        if count != 1:
            raise ValueError(f"README.md has {count} places for the table of {name}")
    return text


def wanted() -> dict[Path, str]:
    """The generated files, and what they should say."""
    return {
        ROOT / "docs/rules.md": rules_page(),
        ROOT / "src/portproof/config.schema.json": config_schema(),
        ROOT / "README.md": readme((ROOT / "README.md").read_text(encoding="utf-8")),
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
