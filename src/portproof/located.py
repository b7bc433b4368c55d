"""Places of a report: spans become lines and columns, and the source lines around them are kept."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from msgspec import Struct, field

from portproof.render.model import FailureSite
from portproof.report.model import Location
from portproof.report.secret_lines import secret_lines, veiled
from portproof.source import LineIndex, RelPath, Span, Tree
from portproof.trace.model import Origin

CONTEXT = 3
"""Source lines kept on either side of a place."""


class Places(Struct):
    """Turns spans into lines and columns, and remembers which source lines the report shows."""

    tree: Tree
    texts: dict[RelPath, str | None] = field(default_factory=dict)
    indexes: dict[RelPath, LineIndex] = field(default_factory=dict)
    shown: dict[RelPath, set[int]] = field(default_factory=lambda: defaultdict(set))
    edited: set[tuple[RelPath, int]] = field(default_factory=set)
    broken: set[RelPath] = field(default_factory=set)

    def text(self, path: RelPath) -> str | None:
        """The text of a file, read once; None where there is none to read."""
        if path not in self.texts:
            self.texts[path] = self.tree.text_or_none(path)
        return self.texts[path]

    def bounds(self, span: Span) -> tuple[int, int, int, int]:
        """The first line and column of a span, and its last; the report shows what is around it."""
        if span.path not in self.indexes:
            self.indexes[span.path] = LineIndex.of(self.text(span.path) or "")
        index = self.indexes[span.path]
        line, column = index.position(span.start)
        end_line, end_column = index.position(span.end)
        self.show(span.path, line, end_line)
        return line, column, end_line, end_column

    def show(self, path: RelPath, line: int, end_line: int) -> None:
        """Have the report show these lines, and `CONTEXT` on either side."""
        self.shown[path].update(range(max(1, line - CONTEXT), end_line + CONTEXT + 1))

    def location(self, origin: Origin | None) -> Location | None:
        """Where a field is decided, with how sure that is."""
        if origin is None:
            return None
        return Location(origin.span.path, *self.bounds(origin.span), origin.proof.value)

    def of_failure(self, site: FailureSite | None) -> Location | None:
        """Where a file failed to render: from the column on, to the end of the line."""
        if site is None:
            return None
        self.show(site.path, site.line, site.line)
        self.broken.add(site.path)
        lines = (self.text(site.path) or "").split("\n")
        length = len(lines[site.line - 1].rstrip("\r")) if site.line <= len(lines) else 0
        column = min(site.column, length + 1)
        return Location(site.path, site.line, column, site.line, max(column, length + 1), "hinted")

    def of_path(self, path: RelPath, line: int = 1) -> Location:
        """A line of a file, the first for the file as a whole; of a link or a folder nothing is shown."""
        place = self.tree.on_disk(path)
        if place.is_symlink() or place.is_dir():
            return Location(path, 1, 1, 1, 1, "hinted")
        found = self.of_failure(FailureSite(path, line))
        assert found is not None  # noqa: S101 - it was given a site
        return found

    def secret(self, path: RelPath) -> Mapping[int, bool]:
        """The lines of a file that hold secrets, as `secret_lines` gives them."""
        return secret_lines(self.text(path) or "", broken=path in self.broken)

    def lines(self) -> Mapping[RelPath, Mapping[int, str]]:
        """What excerpts show; of lines that hold secrets only the structure, unless a fix has to edit them."""
        found: dict[RelPath, dict[int, str]] = {}
        for path in sorted(self.shown):
            text = self.text(path)
            if text is None:
                continue
            lines = text.split("\n")
            if lines and not lines[-1]:
                lines.pop()
            found[path] = {n: lines[n - 1] for n in sorted(self.shown[path]) if n <= len(lines)}
            for number, keyed in self.secret(path).items():
                if number in found[path] and (path, number) not in self.edited:
                    found[path][number] = veiled(found[path][number], keyed=keyed)
        return found
