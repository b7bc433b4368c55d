r"""Why helm failed: its words made readable, and the line that has to be edited.

Both helm 3 and helm 4 are understood; they differ in how they lay out the same
chain of frames::

    template: shop/templates/x.yaml:2:6: executing "…" at <include "a" .>: error calling include: template: …   (3)
    shop/templates/x.yaml:2:6\n  executing "…" at <include "a" .>:\n    error calling include:\n…                (4)
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping

from msgspec import Struct

from portproof import yamldoc
from portproof.discover.model import HelmTarget
from portproof.render import actions
from portproof.render.borrowed import lender
from portproof.render.chartpaths import ChartPaths
from portproof.render.model import FailureSite, NotRendered, RenderFailure
from portproof.render.tool_output import Places, clean, crashed, error_text
from portproof.replacing import replace
from portproof.source import LineIndex, RelPath, Tree, join

MAX_FRAMES = 4
MAX_LINES_ABOVE = 50
MAX_SEARCHED = 3000
"""As many template files are searched for the words of a refusal."""

_FRAME = re.compile(
    r"(?:^|(?<=template: )|(?<=\n))(?P<name>[^\s:][^:\n]{0,500}):(?P<line>\d{1,9}):(?P<column>\d{1,9})(?::|\n)\s*"
    r"executing \"[^\"\n]{0,500}\" at <(?P<at>.{0,1000}?)>:\s*(?=\S)"
)
_REFUSAL = re.compile(
    r"\Aexecution error at \((?P<name>[^\n]{1,500}?):(?P<line>\d{1,9}):(?P<column>\d{1,9})\): ?(?P<message>.*)",
    re.DOTALL,
)
_PARSE = re.compile(
    r"parse error at \((?P<name>[^\n]{1,500}?):(?P<line>\d{1,9})(?::\d+)?\): ?(?P<message>.*)", re.DOTALL
)
_NOT_YAML = re.compile(r"YAML parse error on (?P<name>[^\n]{1,500}?): (?P<message>.*)", re.DOTALL)
_CALLING = re.compile(r"\A(?:error calling (?:include|template):\s*|template: )+")
_WRONG_TYPE = re.compile(r"cannot unmarshal (\w+) into Go value of type \S.*")
_MISSING = re.compile(r"found in Chart\.yaml, but missing in charts/ directory: *(?P<names>[^\n]+)")
_NOISE = re.compile(
    r"error converting YAML to JSON: |cannot unmarshal yaml document: |error unmarshaling JSON: |while decoding JSON: |json: "
)
_YAML_LINE = re.compile(r"\bline (\d{1,9})\b")
_VALUES_FILE = re.compile(r"failed to (?:parse|read) (?P<name>[^\n]{1,500}?): ")
_TOP_KEY = re.compile(r"^[\"']?([A-Za-z_][\w-]*)[\"']?:", re.MULTILINE)
_NIL = re.compile(
    r"nil pointer|index of untyped nil|value is nil; should be of type|wrong type for value; expected string; got interface \{\}"
)
_TOP_VALUE = re.compile(r"\.Values(?:\.(?P<field>\w+)| \"(?P<key>[^\"]+)\")")
_FILLED_IN = re.compile(
    r":[ \t]*([\"']?)(?:placeholder|change[-_]?me|replace[-_]?me|todo|tbd)\1[ \t]*$",
    re.IGNORECASE | re.MULTILINE,
)
"""A value that is a word for one: whoever installs the chart gives another."""
_FIELD = re.compile(r"chart\.metadata\.(\w+)|chart requires (kubeVersion)")


class Blame(Struct, frozen=True):
    """What is needed to explain one failure. `again` renders once more and gives the output that is not YAML."""

    target: HelmTarget
    tree: Tree
    paths: ChartPaths
    places: Places
    again: Callable[[], str]

    def explain(self, stderr: str) -> RenderFailure | NotRendered:
        """Make a result of what helm printed on standard error."""
        crash = crashed("helm", stderr)
        if crash is not None:
            return NotRendered(self.target, crash)
        text = error_text(stderr)
        missing = _MISSING.search(text)
        if missing:
            return self._misnamed(missing["names"].split(", ")) or NotRendered(
                self.target,
                f"dependencies not vendored: {clean(missing['names'])}; "
                f"run `helm dependency build {self.target.chart}` first",
            )
        if text.startswith("library charts are not installable"):
            return NotRendered(self.target, "a library chart")
        for explain in (self._refusal, self._not_parsed, self._not_yaml, self._frames):
            failure = explain(text)
            if failure is not None:
                return failure
        return self._failure(_plainly(self.places.relative(text)), self._file_site(text))

    def _failure(self, message: str, site: FailureSite | None, *, demanded: bool = False) -> RenderFailure:
        said = clean(message) or "helm failed without an error message"
        return RenderFailure(self.target, said, site, demanded=demanded)

    def _misnamed(self, names: Collection[str]) -> RenderFailure | None:
        """A dependency of the repository whose own name is another: helm finds none by that name, however it is built."""
        file = self.paths.on_tree("Chart.yaml")
        text = self._text(file)
        try:
            chart = next(iter(yamldoc.documents(text)), None)
            entries = yamldoc.lookup(chart.data, ("dependencies",)) if chart else None
            for index, one in enumerate(entries if isinstance(entries, list) else ()):
                folder = _local(self.target.chart, one) if isinstance(one, dict) else None
                if chart is None or folder is None or one.get("name") not in names:
                    continue
                own = yamldoc.lookup(yamldoc.load(self._text(f"{folder}/Chart.yaml")), ("name",))
                span = chart.spans.get(("dependencies", index, "name"))
                if isinstance(own, str) and own != one["name"] and span is not None:
                    said = f"the chart in {folder} is named {own}, not {one['name']}: helm finds no dependency of that name"
                    return self._failure(said, FailureSite(file, *LineIndex.of(text).position(span.start)))
        except yamldoc.YamlError:
            return None
        return None

    def _refusal(self, text: str) -> RenderFailure | None:
        """``fail`` and ``required``: helm names the outermost line only, so the words are searched for."""
        found = _REFUSAL.match(text)
        if found is None:
            return None
        message = found["message"].strip()
        outer = self._site(found["name"], int(found["line"]), int(found["column"]))
        outer_action = self._action_at(outer)
        said = self._said(message)
        inner_site, inner = said[0] if len(said) == 1 else (None, None)
        if outer_action is not None and outer_action.refuses:
            inner_site, inner = None, None
        decisive = inner or outer_action
        # Nothing is known about words that are put together at run time: charts that do so collect their complaints.
        demanded = (
            decisive is None
            or not decisive.refuses
            or decisive.demands
            or decisive.guards > 0
            or (outer_action is not None and outer_action.guards > 0)
        )
        return self._failure(
            message or "the chart rejects its values, without a message",
            inner_site or outer,
            demanded=demanded,
        )

    def _not_parsed(self, text: str) -> RenderFailure | None:
        found = _PARSE.search(text)
        if found is None:
            return None
        site = self._site(found["name"], int(found["line"]))
        return self._failure(f"the template cannot be parsed: {found['message']}", site)

    def _not_yaml(self, text: str) -> RenderFailure | None:
        """The line that helm names is one of the rendered text: find the template's line that looks like it."""
        found = _NOT_YAML.search(text)
        if found is None:
            return None
        path = self.paths.template(found["name"])
        site = FailureSite(path, self._template_line(path, found["name"])) if path else None
        return self._failure(
            f"the template does not render to valid YAML: {_plainly(found['message'])}", site
        )

    def _frames(self, text: str) -> RenderFailure | NotRendered | None:
        """An error while a template runs: the innermost frame is the line that is wrong."""
        frames = list(_FRAME.finditer(text))
        if not frames:
            return None
        cause = _CALLING.sub("", text[frames[-1].end() :]).strip()
        elsewhere = lender(cause, self.target, self.tree, self.paths)
        if elsewhere:
            return NotRendered(self.target, elsewhere)
        lines = [cause]
        site = None
        for number, frame in enumerate(reversed(frames)):
            here = self._site(frame["name"], int(frame["line"]), int(frame["column"]))
            site = site or here
            if number < MAX_FRAMES:
                name = here.path if here else frame["name"]
                lines.append(f"  at <{frame['at']}> ({name}:{frame['line']})")
        if len(frames) > MAX_FRAMES:
            lines.append(f"  … ({len(frames) - MAX_FRAMES} more)")
        # A credential that the defaults leave out is demanded like one that is `required`.
        left_out = cause.startswith("invalid value; expected string") and frames[-1]["at"] == "b64enc"
        no_version = "invalid semantic version" in cause and self._is_filled_in()
        failure = self._failure("\n".join(lines), site, demanded=left_out or no_version)
        return replace(failure, wants=self._wanted(cause, frames[-1]["at"]), has=self._top_keys())

    def _wanted(self, cause: str, at: str) -> str:
        """The top-level value that is nil at `at` because no values file has it; empty for any other cause."""
        if not _NIL.search(cause):
            return ""
        found = _TOP_VALUE.search(at)
        name = (found["field"] or found["key"]) if found else ""
        return "" if name in self._top_keys() else name

    def _is_filled_in(self) -> bool:
        """Whether the chart's own values are yet to be filled in."""
        return _FILLED_IN.search(self._text(self.paths.on_tree("values.yaml"))) is not None

    def _top_keys(self) -> tuple[str, ...]:
        """The top-level keys of the target's values files."""
        files = (self.paths.on_tree("values.yaml"), *self.target.values)
        return tuple(key for path in files for key in _TOP_KEY.findall(self._text(path)))

    def _site(self, name: str, line: int, byte_column: int = 0) -> FailureSite | None:
        """The place of a template that helm names; its columns count bytes from 0."""
        path = self.paths.template(name)
        if path is None:
            return None
        lines = self._text(path).split("\n")
        line = max(1, min(line, len(lines)))
        if line == len(lines) and line > 1 and not lines[-1]:
            line -= 1  # "unexpected EOF" is reported behind the last line
        before = lines[line - 1].encode("utf-8", "surrogatepass")[:byte_column]
        return FailureSite(path, line, len(before.decode("utf-8", "ignore")) + 1)

    def _action_at(self, site: FailureSite | None) -> actions.TemplateAction | None:
        if site is None:
            return None
        text = self._text(site.path)
        offset = LineIndex.of(text).starts[site.line - 1] + site.column - 1
        return next((one for one in actions.actions(text) if one.start <= offset < one.end), None)

    def _said(self, message: str) -> list[tuple[FailureSite, actions.TemplateAction]]:
        """Every ``fail`` or ``required`` of the chart's templates whose words are `message`."""
        found = []
        for path in self._templates():
            text = self._text(path)
            if "fail" not in text and "required" not in text:
                continue
            for action in actions.actions(text):
                if action.refuses and action.says(message):
                    line, column = LineIndex.of(text).position(action.start)
                    found.append((FailureSite(path, line, column), action))
        return found

    def _templates(self) -> Iterator[RelPath]:
        """The template files of the chart and of its subcharts that are folders."""
        left = MAX_SEARCHED
        for chart in self.paths.charts():
            folder = self.paths.on_tree("templates" if chart == "." else f"{chart}/templates")
            top = self.tree.on_disk(folder)
            for file in sorted(top.rglob("*")) if top.is_dir() else ():
                if left > 0 and file.suffix in (".tpl", ".yaml", ".yml", ".txt") and file.is_file():
                    left -= 1
                    yield f"{folder}/{file.relative_to(top).as_posix()}"

    def _template_line(self, path: RelPath, name: str) -> int:
        """The line of a template that most likely made the rendered text that is not YAML."""
        for document in rendered_documents(self.again(), name):
            try:
                yamldoc.load(document)
            except yamldoc.YamlError as error:
                return _source_line(self._text(path).split("\n"), document.split("\n"), error.line)
        return 1

    def _file_site(self, text: str) -> FailureSite | None:
        """The chart's own files: values that are not YAML, a Chart.yaml that lacks something."""
        values = _VALUES_FILE.search(text)
        if values:
            path = self.places.relative(values["name"])
            return self._broken(path, text) if self.paths.exists(path) else None
        for name in ("values.yaml", "Chart.yaml", "requirements.yaml", "Chart.lock"):
            if f"cannot load {name}" in text:
                places = [
                    self.paths.on_tree(name if at == "." else f"{at}/{name}") for at in self.paths.charts()
                ]
                there = [path for path in places if self.paths.exists(path)]
                broken = [path for path in there if _problem(self._text(path))]
                return self._broken((broken or there)[0], text) if there else None
        chart = self.paths.on_tree("Chart.yaml")
        if not self.paths.exists(chart):
            return None
        key = _FIELD.search(text)
        line = _key_line(self._text(chart), key.group(1) or key.group(2)) if key else 1
        return FailureSite(chart, line)

    def _broken(self, path: RelPath, text: str) -> FailureSite:
        """The place in a file that is not YAML, by our own parser: helm's line is often one too low."""
        problem = _problem(self._text(path))
        if problem is not None:
            return FailureSite(path, problem.line, problem.column)
        line = _YAML_LINE.search(text)
        return FailureSite(path, max(1, int(line.group(1))) if line else 1)

    def _text(self, path: RelPath) -> str:
        return self.tree.text_or_none(path) or ""


def _local(chart: RelPath, dependency: Mapping[str, object]) -> RelPath | None:
    """The folder that a ``file://`` dependency of a chart means; None for any other."""
    where = dependency.get("repository")
    return (
        join(chart, where.removeprefix("file://"))
        if isinstance(where, str) and where.startswith("file://")
        else None
    )


def _plainly(text: str) -> str:
    return _WRONG_TYPE.sub(r"\1 where a mapping is expected", _NOISE.sub("", text))


def rendered_documents(output: str, name: str) -> Iterator[str]:
    """The documents that template `name` rendered to, in what ``--debug`` prints for a failed render."""
    head = f"---\n# Source: {name}\n"
    _, found, rest = output.partition(head)
    if found:
        for _, text in yamldoc.split(rest.partition("\n---\n# Source: ")[0]):
            yield text


def _source_line(template: list[str], rendered: list[str], number: int) -> int:
    """Match rendered line `number`, or the nearest one above that matches a single line of the template."""
    pieces = [(line, made) for line, text in enumerate(template, 1) if (made := actions.pieces(text))]
    for text in reversed(rendered[max(0, number - MAX_LINES_ABOVE) : number]):
        wanted = text.strip()
        matching = [line for line, made in pieces if actions.fits(made, wanted)] if wanted else []
        exact = [line for line in matching if template[line - 1].strip() == wanted]
        if len(exact) == 1 or len(matching) == 1:
            return (exact or matching)[0]
    return 1


def _problem(text: str) -> yamldoc.YamlError | None:
    try:
        data = yamldoc.load(text)
    except yamldoc.YamlError as error:
        return error
    return None if data is None or isinstance(data, dict) else yamldoc.YamlError("not a mapping")


def _key_line(text: str, key: str, otherwise: int = 1) -> int:
    found = re.search(rf"^{re.escape(key)}:", text, re.MULTILINE)
    return text.count("\n", 0, found.start()) + 1 if found else otherwise
