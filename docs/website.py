"""Builds the site out of the pages of the repository: ``make site``, or ``python docs/website.py FOLDER``.

FOLDER gets ``latest/`` and ``<version>/``, and what the version selector and the front door need. Everything comes from
somewhere else: the pages from docs/, README.md and CHANGELOG.md, a rule's page from its docstring, its message from the
first claim of its fixtures, its first version from the changelog. The generator is Zensical, which has to be installed.
A link of a page that leads nowhere ends the build; `.ci/site` checks the rest.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath

from portproof import __version__
from portproof.report.links import SITE
from portproof.report.pages import HEADINGS, Heading, Prose, blocks, markdown
from portproof.rules import all_rules, families
from portproof.rules.base import Rule
from portproof.rules.listing import listed
from portproof.rules.severity import Severity

ROOT = Path(__file__).resolve().parent.parent
SOURCE = "https://github.com/portproof/portproof"
"""The repository: what is no page of the site is read there."""

SECTIONS: Mapping[str, tuple[str, ...]] = {
    "Start": ("install.md", "quick-start.md", "checks.md", "why.md", "incident.md"),
    "In CI": ("action.md", "recipes.md", "cache.md", "forks.md", "fix-branch.md", "audit.md", "shards.md"),
    "Guides": (
        "fixes.md",
        "diff.md",
        "what-if.md",
        "map.md",
        "connectivity.md",
        "monitor.md",
        "postmortem.md",
    ),
    "Reference": (
        "configuration.md",
        "json-report.md",
        "security.md",
        "compatibility.md",
        "benchmarks.md",
        "compared.md",
        "changelog.md",
    ),
}
"""The navigation, but for the rules. Pages that are in none of them come last, under "More"."""

_ELSEWHERE = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "examples/incident/README.md": "incident.md",
}
"""Pages that are not in docs/."""

_ON_GITHUB = frozenset({"docs/architecture.md"})
"""For contributors: GitHub draws its diagrams, which on the site would take a script from elsewhere."""

_FENCE = re.compile(r"^ *(```+)[a-z]*\n.*?^ *\1 *$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"(`+)(?!`).*?(?<!`)\1(?!`)")
_NESTED = re.compile(r"^((?:  )+)(?=[*-] )", re.MULTILINE)
"""How far an item of a list within a list is indented: two blanks do on GitHub, the generator wants four."""
_LINK = re.compile(r"(!?\[(?:[^\[\]]|\[[^\]]*\])*\]\()([^)\s]+)(\))")


class BrokenLinkError(Exception):
    """A page has a link that leads nowhere."""


@dataclass(frozen=True, slots=True)
class Site:
    """The pages by their paths below docs/ of the site, and the files that they show."""

    pages: Mapping[str, str]
    files: Mapping[str, Path]


def site() -> Site:
    """Everything that the generator gets. Raises `BrokenLinkError`."""
    written = {own: (ROOT / path).read_text(encoding="utf-8") for path, own in sources().items()}
    pages = {
        own: moved(text, path, own)
        for (path, own), text in zip(sources().items(), written.values(), strict=True)
    }
    files = {path.name: path for path in sorted((ROOT / "docs").glob("*.webp"))}
    return Site({**pages, **rule_pages()}, files)


@cache
def sources() -> Mapping[str, str]:
    """The pages of the repository, and what they are called on the site."""
    found = {
        f"docs/{path.name}": path.name
        for path in sorted((ROOT / "docs").glob("*.md"))
        if path.name != "rules.md" and f"docs/{path.name}" not in _ON_GITHUB
    }
    bench = {} if "docs/benchmarks.md" in found else {"bench/README.md": "benchmarks.md"}
    return {**found, **_ELSEWHERE, **bench}


# --- links -----------------------------------------------------------------------------------------------------


def moved(text: str, path: str, own: str) -> str:
    """The text of a page whose links lead to the same places from where it is on the site."""
    kept: list[str] = []

    def keep(match: re.Match[str]) -> str:
        kept.append(match[0])
        return f"\0{len(kept) - 1}\0"

    def lead(match: re.Match[str]) -> str:
        return f"{match[1]}{link(match[2], path, own)}{match[3]}"

    text = _LINK.sub(lead, _CODE.sub(keep, _FENCE.sub(keep, text)))
    text = _NESTED.sub(r"\1\1", text)
    while "\0" in text:  # a code span may be within a fence that was kept before
        text = re.sub(r"\0(\d+)\0", lambda match: kept[int(match[1])], text)
    return text


def link(target: str, path: str, own: str) -> str:
    """Where a link of the repository's page `path` leads on the site's page `own`. Raises `BrokenLinkError`."""
    if re.match(r"[a-z]+:", target) or target.startswith("#"):
        return target
    name, mark, anchor = target.partition("#")
    there = PurePosixPath(os.path.normpath(PurePosixPath(path).parent / name)).as_posix()
    if not (ROOT / there).exists():
        raise BrokenLinkError(f"{path}: {target}")
    if there == "docs/rules.md":
        return from_page(own, f"rules/{anchor}.md" if anchor in ids() else f"rules/index.md{mark}{anchor}")
    if there in sources():
        return from_page(own, f"{sources()[there]}{mark}{anchor}")
    if there.startswith("docs/") and there.endswith(".webp"):
        return from_page(own, there.removeprefix("docs/"))
    return f"{SOURCE}/{'tree' if (ROOT / there).is_dir() else 'blob'}/main/{there}{mark}{anchor}"


def from_page(own: str, there: str) -> str:
    """A path of the site as seen from a page."""
    path, mark, anchor = there.partition("#")
    return PurePosixPath(os.path.relpath(path, PurePosixPath(own).parent)).as_posix() + mark + anchor


# --- rules -----------------------------------------------------------------------------------------------------


@cache
def ids() -> frozenset[str]:
    """The ids of the rules."""
    return frozenset(one.id for one in listed())


def rule_pages() -> dict[str, str]:
    """A page for each rule, and the list by family."""
    return {
        "rules/index.md": rules_index(),
        **{f"rules/{rule.id}.md": rule_page(rule) for rule in all_rules()},
    }


def rules_index() -> str:
    """The rules of each family, in a table."""
    by_id = {rule.id: rule for rule in all_rules()}
    lines = [f"# Rules\n\n{len(by_id)} rules, by family. A severity is the highest that a rule reports."]
    for family, title in families().items():
        lines += [
            "",
            f"## {title}",
            "",
            "| rule | what it finds | severity | fix | since |",
            "|---|---|---|---|---|",
        ]
        lines += [
            f"| [`{one.id}`]({one.id}.md) | {one.summary} | {one.severity.value} | {fix(by_id[one.id])} | {since(one.id)} |"
            for one in listed()
            if one.family == family
        ]
    return "\n".join(lines) + "\n"


def rule_page(rule: Rule) -> str:
    """The rule's docstring as Markdown, below what can be said in a line, and the message as it is printed."""
    title, summary, rest = markdown(rule, level=1, fixes="../fixes.md").split("\n\n", 2)
    family = next(one.family for one in listed() if one.id == rule.id)
    facts = (
        f"**Severity:** up to {rule.severity.value} · **Fix:** {fix(rule)} · **Since:** {since(rule.id)} · "
        f"**Family:** [{families()[family]}](index.md#{anchor(families()[family])})"
    )
    parts = [f"---\ndescription: {json.dumps(rule.summary)}\n---\n", title, summary, facts]
    if said := message(rule):
        parts += ["## What it prints", f"```text\n{said}\n```"]
    parts += [
        "## What it checks",
        re.sub(
            rf"^\*\*({'|'.join((*HEADINGS, 'How to suppress it'))}):\*\*$", r"## \1", rest, flags=re.MULTILINE
        ),
    ]
    return "\n\n".join(parts)


def fix(rule: Rule) -> str:
    """Whether the rule offers a fix: yes, no or sometimes, as its page says."""
    told = list(blocks(rule.page))
    first = told[told.index(Heading("Fix")) + 1]
    if not isinstance(first, Prose):
        raise TypeError(f"{rule.id}: nothing is said of a fix")
    return first.text.split(".")[0].lower()


def message(rule: Rule) -> str:
    """The shortest of the most severe messages in the rule's fixtures, as the terminal shows it; empty without one."""
    claims = sorted((ROOT / "fixtures" / "rules" / rule.id).glob("*/expected.txt"))
    lines = [path.read_text(encoding="utf-8").split("\n")[0] for path in claims]
    for severity in Severity:
        start = f"{severity.value} {rule.id}: "
        said = [line.removeprefix(start) for line in lines if line.startswith(start)]
        if said:
            shown = min(said, key=lambda text: (len(text), text))
            words = textwrap.fill(
                shown, 76, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False
            )
            return f"{severity.value}[{rule.id}]\n{words}"
    return ""


def since(rule_id: str) -> str:
    """The version that brought a rule: the one whose changelog says so under "New rules", else the first."""
    versions = re.findall(
        r"^## (\d+\.\d+\.\d+)[^\n]*\n(.*?)(?=^## |\Z)", changelog(), re.MULTILINE | re.DOTALL
    )
    for version, text in versions:
        brought = re.search(r"^\* \*\*New rules\*\*: (.*?)(?=^\* |\Z)", text, re.MULTILINE | re.DOTALL)
        if brought and f"`{rule_id}`" in brought[1]:
            return str(version)
    return str(versions[-1][0])


@cache
def changelog() -> str:
    """What changed, newest version first."""
    return (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def anchor(title: str) -> str:
    """The address of a heading, on GitHub and on the site."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


# --- the generator ---------------------------------------------------------------------------------------------


def settings(pages: Mapping[str, str], version: str) -> str:
    """The generator's configuration."""
    return "\n".join(
        (
            "[project]",
            'site_name = "portproof"',
            f"site_url = {json.dumps(SITE.replace('/latest/', f'/{version}/'))}",
            'site_description = "Ports that agree, proven."',
            'copyright = "Apache-2.0"',
            'docs_dir = "docs"',
            'site_dir = "out"',
            'extra_css = ["extra.css"]',
            f"nav = [{', '.join(navigation(pages))}]",
            _THEME.replace("REPOSITORY", SOURCE),
        )
    )


_THEME = """
# What GitHub's Markdown has, and no more: a page reads the same in both places.
[project.markdown_extensions]
tables = {}
md_in_html = {}
toc = {permalink = true}

[project.markdown_extensions.pymdownx]
betterem = {}
highlight = {pygments_lang_class = true}
superfences = {}

[project.theme]
font = false
language = "en"
features = [
  "content.code.copy", "navigation.footer", "navigation.indexes", "navigation.path", "navigation.tabs", "navigation.top",
  "search.highlight", "toc.follow",
]

[project.theme.icon]
logo = "lucide/anchor"

[[project.theme.palette]]
media = "(prefers-color-scheme)"
toggle = {icon = "lucide/sun-moon", name = "Switch to light mode"}

[[project.theme.palette]]
media = "(prefers-color-scheme: light)"
scheme = "default"
toggle = {icon = "lucide/sun", name = "Switch to dark mode"}

[[project.theme.palette]]
media = "(prefers-color-scheme: dark)"
scheme = "slate"
toggle = {icon = "lucide/moon", name = "Switch to the system's mode"}

[project.extra]
generator = false
# a plain link: with a repo_url each page would ask GitHub for its stars
social = [{icon = "fontawesome/brands/github", link = "REPOSITORY", name = "The repository on GitHub"}]

[project.extra.version]
provider = "mike"
default = "latest"
"""


_STYLE = """/* a table of rules: a name is read whole, and what it finds needs room; on a phone the rest is scrolled to */
.md-typeset table:not([class]):has(td:first-child > a) td:first-child { white-space: nowrap; }
.md-typeset table:not([class]):has(td:first-child > a) td:nth-child(2) { min-width: 12rem; }
.md-typeset table:not([class]):has(td:first-child > a) th { min-width: 0; }

/* pictures are white, also where the page is dark */
.md-typeset img { border-radius: 0.4rem; }

/* the theme's own colors of the page that is shown have too little contrast */
[data-md-color-scheme="default"] .md-nav__link--active, [data-md-color-scheme="default"] .md-nav__link--active * { color: #2f3fb8; }
[data-md-color-scheme="slate"] .md-nav__link--active, [data-md-color-scheme="slate"] .md-nav__link--active * { color: #93a5ff; }
"""


def navigation(pages: Mapping[str, str]) -> Iterator[str]:
    """The entries of the navigation, as TOML."""
    known = {page for section in SECTIONS.values() for page in section} | {"index.md"}
    more = tuple(sorted(page for page in pages if page not in known and not page.startswith("rules/")))
    yield '{"Home" = "index.md"}'
    for title, section in {**SECTIONS, "More": more}.items():
        there = [json.dumps(page) for page in section if page in pages]
        if there:
            yield f"{{{json.dumps(title)} = [{', '.join(there)}]}}"
    groups = []
    for family, title in families().items():
        of_family = [json.dumps(f"rules/{one.id}.md") for one in listed() if one.family == family]
        groups.append(f"{{{json.dumps(title)} = [{', '.join(of_family)}]}}")
    yield f'{{"Rules" = ["rules/index.md", {", ".join(groups)}]}}'


def build(found: Site, version: str, target: Path) -> None:
    """Build the site of one version into `target`. Raises `subprocess.CalledProcessError`."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for path, text in found.pages.items():
            page = folder / "docs" / path
            page.parent.mkdir(parents=True, exist_ok=True)
            page.write_text(text, encoding="utf-8")
        for path, file in found.files.items():
            shutil.copyfile(file, folder / "docs" / path)
        (folder / "docs" / "extra.css").write_text(_STYLE, encoding="utf-8")
        (folder / "zensical.toml").write_text(settings(found.pages, version), encoding="utf-8")
        command = [sys.executable, "-m", "zensical", "build", "--clean", "--strict"]
        subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
        shutil.copytree(folder / "out", target)


FRONT_DOOR = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>portproof</title>
<meta http-equiv="refresh" content="0; url=latest/">
<link rel="canonical" href="latest/">
<p><a href="latest/">portproof</a></p>
</html>
"""


def main(arguments: Sequence[str]) -> int:
    """Build all of it into the folder that is named, which must not be there or be one of ours."""
    target = Path(arguments[0])
    if target.exists():
        if not (target / "versions.json").is_file():
            print(f"{target} is there, and no site", file=sys.stderr)  # noqa: T201
            return 2
        shutil.rmtree(target)
    target.mkdir(parents=True)
    found = site()
    for version in ("latest", __version__):
        build(found, version, target / version)
    versions = [{"version": __version__, "title": __version__, "aliases": ["latest"]}]
    (target / "versions.json").write_text(f"{json.dumps(versions)}\n", encoding="utf-8")
    (target / "index.html").write_text(FRONT_DOOR, encoding="utf-8")
    count = Counter(page.partition("/")[0] for page in found.pages)
    print(f"{len(found.pages)} pages, {count['rules']} of them about rules: {target}")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
