"""The report for a person at a terminal or in front of a log: what is wrong, where, and what to do next."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import click
from msgspec import Struct

from portproof import patch
from portproof.replacing import replace
from portproof.report import summary_line
from portproof.report.causes import Cause, causes, first_safe
from portproof.report.environments import where
from portproof.report.excerpt import WIDTH, clip, excerpt, hiding
from portproof.report.model import Effect, Fix, Location, Related, Report, ReportVerdict, Result, TextEdit
from portproof.report.safe import discreet, log_line, one_line, shortened, visible
from portproof.report.wrapping import wrapped
from portproof.rules.severity import Severity
from portproof.source import RelPath

_TITLES = (
    (summary_line.WITHOUT, "Checked in part:"),
    (summary_line.PLACED, "Checked in part:"),
    (summary_line.TOOK, "Checked today:"),
)
_REASONS = 10
_EFFECTS = 10
_RISKS = 3
_DIFF_LINES = 12
_MESSAGE = 2_000
_COLOURS = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.NOTE: "cyan"}


def write(
    report: Report,
    *,
    color: bool = False,
    seen: Callable[[RelPath], str] = str,
    width: int | None = None,
) -> str:
    """The report as text, with the paths as `seen` says that the reader sees them.

    With the `width` of a terminal, in columns, all prose wraps there; without one only messages and reasons do, as logs scroll.
    """
    writer = _Writer(report, color, seen, width)
    blocks = [list(writer.cause(cause)) for cause in causes(report.results)]
    return _joined([*blocks, list(writer.unchecked()), list(writer.uncompared()), list(writer.closing())])


def with_closing(
    report: Report, closing: list[str], *, color: bool = False, seen: Callable[[RelPath], str] = str
) -> str:
    """The findings of a report that is not about what was checked, each by itself, and these lines below them."""
    writer = _Writer(report, color, seen)
    return _joined([*(list(writer.finding(one)) for one in report.results), list(map(visible, closing))])


def _joined(blocks: Iterable[list[str]]) -> str:
    lines = [line for block in blocks if block for line in (*block, "")][:-1]
    return "".join(f"{log_line(line)}\n" for line in lines)


def finding(report: Report, result: Result) -> str:
    """One finding as `write` shows it."""
    return "".join(f"{log_line(line)}\n" for line in _Writer(report, False, str).finding(result))


class _Writer(Struct, frozen=True):
    report: Report
    color: bool
    seen_by_reader: Callable[[RelPath], str]
    width: int | None = None

    def seen(self, path: RelPath) -> str:
        """A path as it is written in the reader's folder."""
        return visible(self.seen_by_reader(path))

    def place(self, location: Location) -> str:
        return summary_line.place(replace(location, path=self.seen(location.path)))

    def paint(self, text: str, **style: Any) -> str:
        return click.style(text, **style) if self.color and text else text

    def prose(self, line: str, hang: str = "  ") -> Iterator[str]:
        """A line of prose, on a terminal as several where it is too long; those that follow have `hang` as further indent."""
        if self.width is None:
            yield line
        else:
            indent = line[: len(line) - len(line.lstrip())]
            yield from wrapped(line.lstrip(), self.width, indent, indent + hang)

    def paragraphs(self, text: str, indent: str = "  ") -> Iterator[str]:
        """What may have several lines, each in lines of readable length."""
        for line in shortened(text.strip(), _MESSAGE).splitlines():
            yield from wrapped(visible(line), self.width or WIDTH - 10, indent, indent)

    def cause(self, cause: Cause) -> Iterator[str]:
        """The finding that leads, then in a line each the others that the same edit cures or the same line brought in."""
        yield from self.finding(cause.lead)
        yield from self.rendered(cause.lead, "  ")
        if cause.others:
            yield ""
            yield f"  {self.paint('the same cause', bold=True)}:"
        for other in cause.others:
            yield f"  {self.header(other)}"
            yield from self.paragraphs(_line(other.message), indent="    ")
            yield from self.rendered(other, "    ")

    def rendered(self, result: Result, indent: str) -> Iterator[str]:
        """The rendered object behind a finding, if that was asked for."""
        if self.report.rendered is None or result.resource is None:
            return
        yield ""
        one = self.report.rendered.get(result.fingerprint)
        label = self.paint("rendered", bold=True)
        if one is None:
            reason = "it has other values" if result.when else "nothing is kept of it"
            yield from self.prose(f"{indent}{label}: {visible(str(result.resource))} is not shown: {reason}")
            return
        yield from self.prose(f"{indent}{label}: {visible(one.name)} of {visible(one.target)}")
        for number, row in enumerate(one.lines):
            if number == 0 and one.above:
                yield f"{indent}  {self.paint('| …', dim=True)}"
            marked = number == one.line
            cut = clip(row, one.column, one.end_column) if marked else clip(row)
            yield f"{indent}  {self.paint('|', dim=True)} {cut.text}".rstrip()
            if marked:
                mark = self.paint(" " * cut.mark[0] + "^" * cut.mark[1], fg=_COLOURS[result.severity])
                yield f"{indent}  {self.paint('|', dim=True)} {mark}"
        if one.below:
            yield f"{indent}  {self.paint('| …', dim=True)}"

    def finding(self, result: Result) -> Iterator[str]:
        yield self.header(result)
        yield from self.paragraphs(result.message)
        source, after = list(self.source(result)), list(self.after(result))
        yield from source
        if source and after:
            yield ""
        yield from after

    def after(self, result: Result) -> Iterator[str]:
        """What stands below the excerpt: the other ends, the targets, the fixes."""
        for related in result.related:
            yield from self.prose(f"  {self.paint('note', bold=True)}: {self.related(related)}")
        if len(result.targets) > 1:
            names = summary_line.listed(tuple(map(visible, result.targets)))
            yield from self.prose(f"  in {len(result.targets)} targets: {names}")
        elif result.resource and (place := where(result.targets, visible)):
            yield from self.prose(f"  {place}")
        if result.introduced is False:
            yield "  already in the base"
        safe = result.fix if result.fix and result.fix.is_safe else None
        if safe:
            yield from self.fix(result, safe)
        for other in (result.fix, *result.alternatives):
            if other and other is not safe:
                yield from self.other(
                    result, other, "or (also proven)" if safe else "possible fix (proven by rendering again)"
                )

    def related(self, related: Related) -> str:
        message = _line(related.message).rstrip(".:")
        if related.location is None:
            return f"{message}: {_line(summary_line.field_of(related.resource, related.field))}"
        hint = "" if related.location.proof == "proven" else " (best guess)"
        return f"{message}: {self.place(related.location)}{hint}"

    def where(self, fix: Fix, result: Result) -> str:
        places = tuple(dict.fromkeys(f"{self.seen(edit.path)}:{edit.line}" for edit in fix.edits))
        here = f"{self.seen(result.location.path)}:{result.location.line}" if result.location else ""
        return f" ({summary_line.listed(places)})" if places and places != (here,) else ""

    def header(self, result: Result) -> str:
        colour = _COLOURS[result.severity]
        kind = self.paint(result.severity.value, fg=colour, bold=True)
        place = self.place(result.location) if result.location else visible(summary_line.subject(result))
        subject = self.paint(place, bold=True)
        hint = ""
        if result.location is None:
            hint = " (the line to edit is unknown)"
        elif result.location.proof != "proven":
            hint = " (best guess, not proven)"
        return f"{kind}[{visible(result.rule)}] {subject}{hint}"

    def source(self, result: Result) -> Iterator[str]:
        """The place in its file, below an empty line."""
        if result.location is None:
            return
        lines = self.report.lines.get(result.location.path, {})
        rows = list(excerpt(lines, result.location, hiding(result.rule, result.message)))
        gutter = max((len(str(row.number)) for row in rows if row.number is not None), default=0)
        if rows:
            yield ""
        for row in rows:
            number = "" if row.number is None else str(row.number)
            text = self.paint(row.text, fg=_COLOURS[result.severity]) if row.number is None else row.text
            yield f"  {self.paint(f'{number:>{gutter}} |', dim=True)} {text}".rstrip()

    def fix(self, result: Result, fix: Fix) -> Iterator[str]:
        label = self.paint("fix", fg="green", bold=True)
        yield from self.prose(f"  {label} (proven by rendering again): {_line(fix.description)}")
        lines = list(self.diff(result, fix))
        yield from lines[:_DIFF_LINES]
        if len(lines) > _DIFF_LINES:
            more = summary_line.plural(len(lines) - _DIFF_LINES, "more line")
            yield from self.prose(f"    … and {more} (`{self.report.given.fix()}` prints them all)")
        yield from self.effects(fix)

    def other(self, result: Result, fix: Fix, lead: str) -> Iterator[str]:
        """A further fix; one that is unsafe with the reasons."""
        label = lead if fix.is_safe else self.paint("unsafe", fg="yellow", bold=True)
        yield from self.prose(f"  {label}: {_line(fix.description)}{self.where(fix, result)}")
        for _, text in fix.risks[:_RISKS]:
            yield from self.prose(f"    {_line(text)}")
        yield from self.effects(fix)

    def effects(self, fix: Fix) -> Iterator[str]:
        """What else the fix changes, so that nobody is surprised."""
        others = [one for one in fix.effects if not one.intended]
        if others:
            names = summary_line.listed(tuple(dict.fromkeys(map(_effect, others))), _EFFECTS)
            yield from self.prose(f"    also changes: {names}")

    def diff(self, result: Result, fix: Fix) -> Iterator[str]:
        """The lines that change. Their place is left out where the header has just named it."""
        known = (result.location.path, result.location.line) if result.location else None
        for hunk in patch.hunks(discreet(fix.patch)):
            told = 0  # the line up to which the place has been named: what is added there goes without saying
            for number, line in hunk.changes:
                if (line.startswith("-") or number > told) and (hunk.path, number) != known:
                    yield f"    {self.paint(f'{self.seen(hunk.path)}:{number}', dim=True)}"
                known = (hunk.path, number) if line.startswith("-") else known
                told = max(told, number + line.startswith("-"))
                column = _column(fix.edits, hunk.path, number)
                shown = f"{line[0]} {clip(line[1:], column, column + 1).text}"
                yield f"    {self.paint(shown, fg='red' if line.startswith('-') else 'green')}"

    def unchecked(self) -> Iterator[str]:
        groups = summary_line.unchecked(self.report)
        if groups:
            yield self.paint("Not checked:", bold=True)
        for (status, reason), targets in list(groups.items())[:_REASONS]:
            names = summary_line.listed(tuple(visible(target.id) for target in targets))
            yield from self.prose(f"  {self.paint(status, fg='yellow')} {names}", "    ")
            yield from self.paragraphs(reason, indent="      ")
        if len(groups) > _REASONS:
            more = summary_line.plural(len(groups) - _REASONS, "more reason")
            yield from self.prose(f"  … and {more}; `portproof targets` lists every target")

    def uncompared(self) -> Iterator[str]:
        """The targets that were checked in part or in a version of the day, and those that nobody can compare."""
        groups = summary_line.limited(self.report)
        for reason, targets in list(groups.items())[:_REASONS]:
            names = summary_line.listed(tuple(visible(target.id) for target in targets))
            title = next((title for start, title in _TITLES if reason.startswith(start)), "Not compared:")
            yield from self.prose(f"{self.paint(title, bold=True)} {names}", "      ")
            yield from self.paragraphs(reason, indent="      ")
        if len(groups) > _REASONS:
            yield f"… and {summary_line.plural(len(groups) - _REASONS, 'more reason')}"

    def closing(self) -> Iterator[str]:
        checked = self.report.verdict in (ReportVerdict.CLEAN, ReportVerdict.FINDINGS)
        if checked and self.report.given.flags.quiet:
            return
        yield from self.verdict()
        unread = summary_line.unread(self.report)
        if unread:
            where = summary_line.unread_where(self.report)
            yield from self.prose(f"{self.paint(unread, fg='yellow')}{f' ({where})' if where else ''}")
        ignored = [summary_line.ignored(self.report), summary_line.brought(self.report)]
        if any(ignored):
            yield from self.prose("; ".join(filter(None, ignored)))

    def verdict(self) -> Iterator[str]:
        found = [severity for severity in Severity if self.report.count(severity)]
        clean = self.report.verdict is ReportVerdict.CLEAN
        colour = _COLOURS[found[0]] if found else "green" if clean else "yellow"
        yield from self.prose(self.paint(summary_line.headline(self.report, visible), fg=colour, bold=True))
        for line in self.next(found):
            yield from self.prose(line)

    def next(self, found: Sequence[Severity]) -> Iterator[str]:
        """What to run next, with the options and paths of this run; with a base, `fix` fixes only what is new."""
        fix = self.report.given.fix
        news = self.report.news.results if self.report.given.flags.base else self.report.results
        safe = len({first.edits for result in news if (first := first_safe(result))})
        one = "the proven fix" if safe == 1 else f"the {safe} proven fixes"
        them = "it" if safe == 1 else "them"
        if safe:
            yield visible(f"Next: `{fix()}` prints {one}, `{fix('--write')}` applies {them}.")
        elif any(result.fix for result in news):
            yield visible(f"Next: no fix is safe; `{fix('--unsafe')}` prints those that need a second look.")
        elif found:
            rule = visible(self.report.results[0].rule)
            yield f"Next: `portproof explain {rule}` explains the rule and how to fix it."


def _line(text: str) -> str:
    return shortened(visible(one_line(text)), 300)


def _effect(effect: Effect) -> str:
    where = summary_line.field_of(effect.resource, effect.field)
    return f"{_line(where)}: {_value(effect.before)} -> {_value(effect.after)}"


def _value(value: object) -> str:
    return "nothing" if value is None else shortened(_line(str(value)), 60)


def _column(edits: Sequence[TextEdit], path: str, line: int) -> int:
    return next((edit.column for edit in edits if edit.path == path and edit.line == line), 1)
