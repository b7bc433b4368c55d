"""What the commands other than ``check`` print: a rule's page, and lists of rules, targets and tools.

A rule's page is its module's docstring: a line that sums it up, paragraphs and lists under `HEADINGS`, and YAML blocks
that are indented below a line that ends in two colons (``Bad::``, ``Good (several ports)::``). How to suppress what the
rule finds is the same for all rules, and is added here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import click
from msgspec import Struct

from portproof.report.links import rule_page
from portproof.report.safe import log_line, one_line, visible
from portproof.report.summary_line import plural
from portproof.rules.severity import Severity

if TYPE_CHECKING:
    from portproof.discover.model import Discovery, Skip, Target
    from portproof.rules.base import Rule
    from portproof.rules.listing import Listed

_COLOURS = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.NOTE: "cyan"}
HEADINGS = ("Why it matters", "Severity", "Fix", "Not reported when")
"""The parts of a page after what the rule checks, in this order; the examples come before the last one."""

_LITERAL = re.compile(r"``([^`]+)``")
_INLINE = re.compile(r"``(?P<literal>[^`]+)``|`(?P<code>[^`]+)`|\*\*(?P<bold>[^*]+)\*\*")


class Prose(Struct, frozen=True):
    """A paragraph, its lines as written."""

    text: str


class Example(Struct, frozen=True):
    """A block of YAML: `label` is ``Bad``, ``Good (…)`` and the like, without its colons, or empty."""

    label: str
    text: str

    @property
    def is_bad(self) -> bool:
        """Whether the rule is to speak up on it."""
        return self.label.startswith("Bad")

    @property
    def is_good(self) -> bool:
        """Whether the rule is to be silent on it."""
        return self.label.startswith("Good")


class Heading(Struct, frozen=True):
    """One of `HEADINGS`, without its colon."""

    text: str


class Bullets(Struct, frozen=True):
    """A list: each item's lines as written, without the star and the margin."""

    items: tuple[str, ...]


Block: TypeAlias = Prose | Example | Heading | Bullets


class ToolLike(Protocol):
    """A program that portproof runs, as far as a list of tools shows it."""

    @property
    def name(self) -> str:
        """``helm`` or ``kustomize``."""

    @property
    def path(self) -> object:
        """Where it is."""

    @property
    def version(self) -> str:
        """What it says it is."""

    @property
    def origin(self) -> str:
        """Why this one is used: given, on PATH, cached, downloaded."""


def blocks(page: str) -> Iterator[Block]:
    """The parts of a rule's page after its first line."""
    label: str | None = None
    for part in _parts(page.partition("\n")[2]):
        if part.startswith(" "):
            yield Example(label or "", _dedented(part))
            label = None
        elif part.endswith("::") and part.startswith(("Bad", "Good")):
            label = one_line(part[:-2])
        elif part.startswith("* "):
            yield Bullets(tuple(part[2:].replace("\n  ", "\n").split("\n* ")))
        elif part[:-1] in HEADINGS and part.endswith(":"):
            yield Heading(part[:-1])
        else:
            yield Prose(part[:-1] if part.endswith("::") else part)


def suppressing(rule: Rule) -> Iterator[Block]:
    """How to suppress what the rule finds, as the last part of its page; nothing for the rule about suppressions."""
    from portproof.rules.run import (  # noqa: PLC0415 - bring the graph along, which lists do not need
        connectivity_failed,
        unused_ignore,
    )

    if rule not in (
        connectivity_failed.RULE,
        unused_ignore.RULE,
    ):  # a failure in a cluster is no matter of opinion
        yield Heading("How to suppress it")
        yield Bullets(
            (
                f"on the reported line, or alone on the line above: ``# portproof: ignore[{rule.id}] reason``",
                f"on the object, as an annotation: ``portproof/ignore: {rule.id} reason``",
                f"in ``portproof.yaml``: ``ignore: [{{rule: {rule.id}, path: charts/web/values.yaml, reason: why}}]``",
            )
        )


def page(rule: Rule, *, color: bool = False) -> str:
    """A rule's page for the terminal."""
    paint = _Paint(color)
    head = f"{paint(rule.id, bold=True)} ({paint(rule.severity.value, fg=_COLOURS[rule.severity])})"
    lines = [head, "", paint(f"{_plain(rule.summary)}.", bold=True)]
    for block in (*blocks(rule.page), *suppressing(rule)):
        lines.append("")
        match block:
            case Heading(text):
                lines.append(paint(f"{text}:", bold=True))
            case Prose(text):
                lines += _shown(text, paint).split("\n")
            case Bullets(items):
                lines += [line for one in items for line in _shown(_bullet(one), paint).split("\n")]
            case Example(label, text):
                colour = "red" if block.is_bad else "green" if block.is_good else None
                lines += [paint(f"{label}:", fg=colour, bold=True), ""] if label else []
                lines += [f"    {line}".rstrip() for line in text.split("\n")]
    lines += ["", f"This page on the web: {rule_page(rule.id)}"]
    return "\n".join(lines) + "\n"


def markdown(rule: Rule, *, level: int = 2, fixes: str = "", linked: bool = False) -> str:
    """A rule's page as Markdown, under a heading of `level`.

    `fixes` is the address of the page about safe fixes. If it is `linked`, the page ends with its address.
    """
    lines = [f"{'#' * level} {rule.id}", "", f"{_as_markdown(rule.summary)}. (**{rule.severity.value}**)"]
    part = ""
    for block in (*blocks(rule.page), *suppressing(rule)):
        match block:
            case Heading(text):
                part = text
                lines += ["", f"**{text}:**"]
            case Prose(text):
                lines += ["", _as_markdown(text)]
                if fixes and part == "Fix" and text.startswith(("Yes.", "Sometimes.")):
                    lines += ["", f"[When a fix is safe]({fixes})"]
                    part = ""
            case Bullets(items):
                lines += ["", *(_as_markdown(_bullet(one)) for one in items)]
            case Example(label, text):
                lines += ["", f"{label}:"] if label else []
                lines += ["", f"```yaml\n{text}\n```"]
    if linked:
        lines += ["", f"[{rule.id} on the web]({rule_page(rule.id)})"]
    return "\n".join(lines) + "\n"


def rules_table(rules: Sequence[Listed]) -> str:
    """One line a rule: id, severity, summary."""
    return _table([(rule.id, rule.severity.value, _plain(rule.summary)) for rule in rules])


def rules_json(rules: Sequence[Listed]) -> str:
    """A list of ``{"id", "severity", "summary"}``."""
    return _json(
        [{"id": rule.id, "severity": rule.severity.value, "summary": _plain(rule.summary)} for rule in rules]
    )


def targets_text(discovery: Discovery, paths: Sequence[str] = (".",)) -> str:
    """What would be rendered, one line a target with who says so, and why the rest would not."""
    lines = []
    for target in discovery.targets:
        lines.append(visible(target.id))
        lines += [f"  {visible(one_line(_as_words(one)))}" for one in _deployed_by(discovery, target)]
    if not lines and not any(skip.counts for skip in discovery.skips):
        under = ", ".join(map(visible, paths))
        lines.append(f"Nothing to check under {under}: no chart, kustomization or manifest was found")
    if discovery.skips:
        lines += ["", "Not rendered:"] if lines else ["Not rendered:"]
        rows = [(f"  {visible(skip.id)}", visible(one_line(skip.reason))) for skip in discovery.skips]
        lines += _table(rows).splitlines()
    if discovery.unread:
        lines += ["", "Unread:"]
        found = [
            (f"  {visible(one.kind)}", visible(one.path), visible(one_line(one.reason)))
            for one in discovery.unread
        ]
        lines += _table(found).splitlines()
    if discovery.targets:
        count = plural(len(discovery.targets), "target")
        unread = f", {len(discovery.unread)} unread" if discovery.unread else ""
        lines += ["", f"{count}, {len(discovery.skips)} not rendered{unread}"]
    return "".join(f"{log_line(line)}\n" for line in lines)


def targets_json(discovery: Discovery) -> str:
    """A list: targets with `deployed_by`, what is not rendered (``status`` ``skipped``), what is unread (``unread``), with a ``reason``."""
    return _json(
        [
            {**_target(target, "target", None), "deployed_by": _deployed_by(discovery, target)}
            for target in discovery.targets
        ]
        + [_target(skip, "skipped", skip.reason) for skip in discovery.skips]
        + [
            {"path": one.path, "kind": one.kind, "status": "unread", "reason": one.reason}
            for one in discovery.unread
        ]
    )


def tools_text(tools: Sequence[ToolLike]) -> str:
    """One line a tool: name, version, path, origin."""
    rows = [(tool.name, tool.version, str(tool.path), f"({tool.origin})") for tool in tools]
    return _table([tuple(visible(one_line(cell)) for cell in row) for row in rows])


class _Paint:
    def __init__(self, color: bool) -> None:
        self.color = color

    def __call__(self, text: str, **style: Any) -> str:
        return click.style(text, **style) if self.color else text


def _parts(text: str) -> Iterator[str]:
    """Paragraphs; an indented block goes on over blank lines until something stands at the margin again."""
    part: list[str] = []
    for line in text.split("\n"):
        if line.strip():
            if part and part[0].startswith(" ") and not line.startswith(" "):
                yield "\n".join(part).rstrip()
                part = []
            part.append(line.rstrip())
        elif part and part[0].startswith(" "):
            part.append("")
        elif part:
            yield "\n".join(part)
            part = []
    if part:
        yield "\n".join(part).rstrip()


def _bullet(item: str) -> str:
    return "* " + item.replace("\n", "\n  ")


def _dedented(block: str) -> str:
    lines = block.split("\n")
    margin = min(len(line) - len(line.lstrip(" ")) for line in lines if line)
    return "\n".join(line[margin:] for line in lines)


def _shown(text: str, paint: _Paint) -> str:
    """Prose for a terminal: without its stars, code in single backticks or in colour."""

    def replace(found: re.Match[str]) -> str:
        if found["bold"]:
            return paint(found["bold"], bold=True)
        code = found["literal"] or found["code"]
        return paint(code, fg="cyan") if paint.color else f"`{code}`"

    return _INLINE.sub(replace, text)


def _plain(text: str) -> str:
    return _INLINE.sub(lambda found: found["bold"] or f"`{found['literal'] or found['code']}`", text)


def _as_markdown(text: str) -> str:
    # Stars mean the same in both; only the doubled backticks of reStructuredText differ in habit.
    return _LITERAL.sub(r"`\1`", text)


def _table(rows: Sequence[tuple[str, ...]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() + "\n"
        for row in rows
    )


def _target(target: Target | Skip, status: str, reason: str | None) -> dict[str, Any]:
    return {
        "id": target.id,
        "kind": target.kind,
        "path": target.path,
        "values": list(target.values),
        "status": status,
        "reason": reason,
    }


def _deployed_by(discovery: Discovery, target: Target) -> list[dict[str, str]]:
    """The descriptions in the repository that deploy a target: which, in which file, and as what."""
    from portproof.discover.model import HelmTarget, ManifestTarget  # noqa: PLC0415 - most pages name no target

    own = None if isinstance(target, ManifestTarget) else target.install
    several = (own,) if own else discovery.learnt.get((target.kind, target.path), ())
    return [
        {
            "kind": one.tool,
            "name": one.name,
            "path": one.file,
            "release": target.release if isinstance(target, HelmTarget) else "",
            "namespace": target.namespace if isinstance(target, HelmTarget) else one.namespace,
            "environment": one.environment,
            "rendered_by": one.parent.target.id if one.parent else "",
            **_chart_of(target),
        }
        for one in several
    ]


def _chart_of(target: Target) -> dict[str, str]:
    """Which chart of a registry is installed."""
    chart = getattr(target, "remote", None)
    if chart is None:
        return {}
    from portproof.report.safe import discreet  # noqa: PLC0415 - most pages name no chart of a registry

    return {"chart": discreet(f"{chart.name} {chart.version} of {chart.repository}")}


def _as_words(one: Mapping[str, str]) -> str:
    keys = ("chart", "release", "namespace", "environment", "rendered_by")
    more = [f"{key} {one[key]}" for key in keys if one.get(key)]
    more = [text.replace("_", " ") if text.startswith("rendered_by") else text for text in more]
    by = " ".join(
        dict.fromkeys((one["kind"], one["name"]))
    )  # the configuration of chart-testing has no name of its own
    return f"by {by} ({', '.join((one['path'], *more))})"


def _json(value: object) -> str:
    from portproof.report.json_ import dumps  # noqa: PLC0415 - most calls print text

    return dumps(value)
