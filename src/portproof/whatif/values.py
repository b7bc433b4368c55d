"""The values of a chart that somebody may set: switches and ports, and a values file that sets some of them.

Only keys that the chart's own ``values.yaml`` has count: that file is what a chart promises.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from itertools import chain, count, takewhile
from typing import Any, TypeAlias

from msgspec import Struct, field

from portproof import yamldoc
from portproof.discover.chart_files import chart_files
from portproof.discover.model import HelmTarget
from portproof.replacing import replace
from portproof.source import LineIndex, RelPath, Tree
from portproof.whatif.documented import are_alternatives, is_needless
from portproof.yamldoc import FieldPath, ScalarSpan, YamlError

MAX_SWITCHES = 400
"""Booleans of one chart that are tried."""

MAX_PORTS = 200
"""Ports of one chart that are moved: as many as there are numbers to give them."""

_PORT = re.compile(r"(?:^|[a-z_.-])(?:p|P)ort\Z|\Aport|PORT\Z")
_FILE = "file://"
_NAME = re.compile(r"(?i)(?:name|port)\Z")
_LISTENS = re.compile(r"(?i)addr|listen|bind")
_ADDRESS = re.compile(r"(?:0\.0\.0\.0|\[::\]|\*)?:[1-9]\d{1,4}")
_NOT_MOVED = re.compile(r"(?i)nodePort|hostPort|proxy|external|remote|extra_?(?:args|env)")
_OTHERS = re.compile(r"(?i)database|redis|postgres|mysql|smtp|kafka")
"""Programs that a chart's own program calls; the chart may be that of one of them."""
_NO_HOSTS = re.compile(r"\s*hosts:\s*\[\s*\]\s*\Z")
_SECTION = re.compile(r" *[\w\"'-]+: *(?:#.*|&\S+ *)?\Z")
_MAPPED = re.compile(r"\{\{-?[^{}]*\.path\b(?!s)")
_GOES_WITH = (
    r"(?:must|shall|should|ha(?:s|ve) to|needs? to) (?:match|be (?:the )?(?:same|equal|identical)|correspond)",
    r"(?:if|when) (?:you change (?:this|it)|you use a different port|changed|changing)",
    r"keep (?:it|this|them|both) (?:equal|the same|in sync)",
    r"make sure (?:that )?(?:it|this|they) mat?ch",
    r"(?:keep|stay|be) in sync",
    r"same as",
    r"port ?== ?\w+\.",
)
_STAYS = (
    r"do(?:es)? ?n[o']t (?:change|edit|modify)",
    r"not configurable",
    r"deprecated",
    r"only (?:be )?changed? (?:it |this )?i[fs] you",
    r"only changes (?:the )?container ?port",
)
_FIXED = re.compile("|".join((*_GOES_WITH, *_STAYS)), re.IGNORECASE)
"""What a comment, or the README, says of a value that is not to be moved by itself."""

_BY_HAND = re.compile(
    r"(?i)manually (?:be )?set ?up|set ?up manually|must (?:be )?(?:set up|configured?) (?:by hand|in the (?:app|image|product))|"
    r"(?:not have this port|post-? ?init)"
)
"""What a comment says of a port that its user sets up in the running program; so it is with the ports beside it."""

_ROW = re.compile(r"(?m)^\| *`?([\w.-]+)`? *\|(.*)")
"""What the README's table says of a value, by its key."""

_OVERRIDES = ("fullnameOverride", "nameOverride")
"""What a chart names its objects by, instead of its release and itself; of both, the first says all."""

_OFF = re.compile(r"(?i)disabled?\Z|disable_|disable(?-i:[A-Z])")
"""How a switch starts that switches a part off."""


class Setting(Struct, frozen=True):
    """A key of ``values.yaml`` and the value that is tried for it; of a `listed` one that is a list, as JSON."""

    path: FieldPath
    value: bool | int | str
    listed: bool = False

    @property
    def is_part(self) -> bool:
        """Whether it switches a part on, or gives it entries."""
        return isinstance(self.value, bool) or self.listed

    @property
    def number(self) -> int | None:
        """The port that it sets; None for a part, and for the name of a port."""
        if self.is_part:
            return None
        text = str(self.value).rpartition(":")[2]
        return int(text) if text.isdecimal() else None

    @property
    def moved(self) -> frozenset[str | int]:
        """What a field holds where it shows up; empty for a part."""
        if self.is_part:
            return frozenset()
        return frozenset(
            {self.value, str(self.value)} if self.number is None else {self.number, str(self.number)}
        )

    @property
    def key(self) -> str:
        """The key as ``helm --set`` writes it: ``metrics.enabled``."""
        return "".join(
            f"[{step}]" if isinstance(step, int) else f".{str(step).replace('.', chr(92) + '.')}"
            for step in self.path
        ).removeprefix(".")


When: TypeAlias = tuple[tuple[str, "bool | int | str"], ...]
"""The values that show a finding, by their keys."""


def when(settings: Iterable[Setting]) -> When:
    """What to say of the settings that show a finding."""
    return tuple(sorted((one.key, one.value) for one in settings))


def parts_of(settings: Iterable[Setting]) -> tuple[Setting, ...]:
    """Those of the settings that switch a part on, or give it entries."""
    return tuple(one for one in settings if one.is_part)


def named_in(settings: Iterable[Setting], text: str) -> tuple[Setting, ...]:
    """Those of the settings of whose keys a text names most, from their second step on: ``smtp.address`` of ``global.smtp.enabled``.

    A subchart knows its values without its own name.
    """
    named = {one: max(_named_steps(one, text, start) for start in (0, 1)) for one in settings}
    most = max(named.values(), default=0)
    return tuple(one for one, steps in named.items() if steps == most) if most else ()


def _named_steps(one: Setting, text: str, start: int) -> int:
    """How many steps of a key, from one of the first two on, a text names behind each other; not its last alone."""
    steps = [step for step in one.path[start:] if isinstance(step, str) and step != "global"]
    for length in range(len(steps), start, -1):
        words = rf"(?<![\w-])(?:global\.)?{re.escape('.'.join(steps[:length]))}(?![\w-])"
        if re.search(words, text):
            return length
    return 0


class Values(Struct, frozen=True):
    """The ``values.yaml`` of a chart: its data and text, the keys that comments say not to move, and where its scalars stand.

    `entries` are what its lists of hosts and paths may hold, where they are empty: a part without any asks for nothing.
    `comments` are those on each switch and on the section that it is in.
    """

    data: Mapping[str, Any]
    fixed: frozenset[FieldPath]
    spans: Mapping[FieldPath, ScalarSpan]
    text: str
    entries: tuple[Setting, ...] = ()
    comments: Mapping[FieldPath, str] = field(default_factory=dict)

    @classmethod
    def of(cls, target: HelmTarget, tree: Tree) -> Values | None:
        """Read the file of a chart; None where there is none, or where it cannot be read."""
        text = tree.text_or_none(own_file(target))
        if text is None:
            return None
        try:
            documents = yamldoc.documents(text)
        except YamlError:
            return None
        if len(documents) != 1 or not isinstance(documents[0].data, dict):
            return None
        lines, index = text.split("\n"), LineIndex.of(text)
        spans = documents[0].spans.items()
        said = {path: _comment(lines, index.position(span.start)[0]) for path, span in spans}
        fixed = {path for path, text in said.items() if _FIXED.search(text)}
        by_hand = {path[:-1] for path, text in said.items() if _BY_HAND.search(text)}
        fixed |= {path for path in said if path[:-1] in by_hand}
        fixed |= set(_fixed_by_readme(target, tree))
        data = documents[0].data
        entries = tuple(_entries(data, lines, target, tree))
        comments = {
            path: f"{text}. {_comment_of_section(lines, index.position(documents[0].spans[path].start)[0])}"
            for path, text in said.items()
            if yamldoc.lookup(data, path) is False
        }
        return cls(data, frozenset(fixed), documents[0].spans, text, entries, comments)

    def switches(self) -> Iterator[Setting]:
        """Everything that is off, and the entries of lists that are empty; what switches a part off is none.

        Nor is a part that a comment on it says not to need.
        """
        found = chain(
            (
                Setting(path, True)
                for path, value in yamldoc.leaves(self.data)
                if value is False and _is_plain(path) and not _OFF.match(str(path[-1]))
                if not is_needless(_part(path), self.comments.get(path, ""))
            ),
            self.entries,
        )
        for number, one in enumerate(found):
            if number < MAX_SWITCHES:
                yield one

    def exclude(self, settings: Sequence[Setting]) -> bool:
        """Whether the comment on one of the parts that are switched on says that another does not go together with it."""
        parts = {one.path: _part(one.path) for one in settings if one.is_part}
        return any(
            are_alternatives(part, self.comments.get(path, ""), other)
            for path, part in parts.items()
            for other in parts.values()
        )

    def ports(
        self, taken: str, declares: Callable[[FieldPath], bool], parts: Iterable[Setting] = ()
    ) -> Iterator[Setting]:
        """Every port, each with an unused number of its own: none that the text `taken` has.

        Those of a part that is off are left out, unless `parts` switch it on. `declares` says whether a container of the
        chart declares a value as its port: else what is called as a database is, is that of another program.
        """
        used = set(re.findall(r"\d{5}", taken))
        numbers = (number for number in range(21007, 31000, 13) if str(number) not in used)
        on = {one.path for one in parts}
        moved = 0
        for path, value in yamldoc.leaves(self.data):
            is_moved = path not in self.fixed and not self._is_off(path, on) and moved < MAX_PORTS
            if is_moved and _is_port(path, value) and (not _is_of_others(path) or declares(path)):
                yield Setting(path, next(numbers))
            elif is_moved and _is_address(path, value):
                yield Setting(path, f"{str(value).rpartition(':')[0]}:{next(numbers)}")
            else:
                continue
            moved += 1

    def names(self, taken: str, known: Container[object]) -> Iterator[Setting]:
        """Every value that is the name of a port, one of those that are `known`, each with an unused name of its own."""
        used = set(re.findall(r"p-\d{5}", taken))
        unused = (name for number in range(21007, 31000, 13) if (name := f"p-{number}") not in used)
        for path, value in yamldoc.leaves(self.data):
            if isinstance(value, str) and value in known and path not in self.fixed and _is_name(path):
                yield Setting(path, next(unused))

    def override(self, taken: str) -> Iterator[Setting]:
        """The value that names the chart's objects, with a name of its own: none that the text `taken` has."""
        key = next((one for one in _OVERRIDES if one in self.data), None)
        if key is not None and isinstance(self.data[key] or "", str) and (key,) not in self.fixed:
            names = chain(("other",), (f"other-{number}" for number in count(2)))
            yield Setting((key,), next(name for name in names if name not in taken))

    def _is_off(self, path: FieldPath, on: Container[FieldPath]) -> bool:
        """Whether a value belongs to a part that is switched off: its program does not listen."""
        above = (path[:length] for length in range(1, len(path)))
        return any(
            isinstance(one := yamldoc.lookup(self.data, part), dict)
            and one.get("enabled") is False
            and (*part, "enabled") not in on
            for part in above
        )

    def file(self, settings: Iterable[Setting]) -> str:
        """A values file with these settings; a list that holds one is there as a whole."""
        return yamldoc.dump(_nested(self.data, [*settings]))


def variant(
    target: HelmTarget, values: Values, settings: Iterable[Setting], name: str
) -> tuple[HelmTarget, RelPath, str]:
    """The target with the settings in a values file of that `name` besides, with the file's path and text.

    The file exists in a tree's overlay only, and helm reads it for this target alone.
    """
    path = f"values-{name}.yaml"
    return replace(target, values=(*target.values, path)), path, values.file(settings)


def subcharts(target: HelmTarget, tree: Tree) -> Iterator[tuple[str, RelPath]]:
    """The charts in other folders of the repository that a chart depends on, by the key of their values."""
    for name in ("Chart.yaml", "requirements.yaml"):
        text = tree.text_or_none(name if target.chart == "." else f"{target.chart}/{name}")
        try:
            documents = [] if text is None else yamldoc.documents(text)
        except YamlError:
            continue
        data = documents[0].data if documents and isinstance(documents[0].data, dict) else {}
        entries = data.get("dependencies")
        for entry in entries if isinstance(entries, list) else ():
            where = str(entry.get("repository")) if isinstance(entry, dict) else ""
            if where.startswith(_FILE):
                folder = posixpath.normpath(posixpath.join(target.chart, where.removeprefix(_FILE)))
                yield str(entry.get("alias") or entry.get("name")), folder


def own_file(target: HelmTarget) -> RelPath:
    """The values.yaml of a chart."""
    return "values.yaml" if target.chart == "." else f"{target.chart}/values.yaml"


def _is_plain(path: FieldPath) -> bool:
    """Whether a key is a chart's own word: no entry of a list, and no name of a label or an annotation."""
    return all(isinstance(step, str) and re.fullmatch(r"[\w-]+", step) for step in path)


def _is_port(path: FieldPath, value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 65535:
        return False
    words = [step for step in path if isinstance(step, str)]
    return bool(words) and bool(_PORT.search(words[-1])) and not any(map(_NOT_MOVED.search, words))


def _is_of_others(path: FieldPath) -> bool:
    return any(_OTHERS.search(step) for step in path if isinstance(step, str))


def _is_name(path: FieldPath) -> bool:
    """Whether a value is called a name, or a port: a scheme or a protocol may have the same text."""
    is_named = _is_plain(path) and bool(_NAME.search(str(path[-1])))
    return is_named and not (_is_of_others(path) or any(map(_NOT_MOVED.search, map(str, path))))


def _is_address(path: FieldPath, value: object) -> bool:
    """Whether a value is where a program of the chart listens, with no host: ``:8081``, ``0.0.0.0:8081``."""
    words = [step for step in path if isinstance(step, str)]
    named = bool(words) and bool(_LISTENS.search(words[-1])) and not any(map(_NOT_MOVED.search, words))
    return named and not _is_of_others(path) and isinstance(value, str) and bool(_ADDRESS.fullmatch(value))


def _part(path: FieldPath) -> str:
    """What a switch switches on: ``serviceMonitor`` of ``serviceMonitor.enabled``."""
    return str(
        path[-2] if len(path) > 1 and path[-1] in ("enabled", "enable", "create", "install") else path[-1]
    )


def _comment_of_section(lines: list[str], line: int) -> str:
    """The comment at the key that a line lies directly below, and right above it; empty where it lies below none."""
    width = len(lines[line - 1]) - len(lines[line - 1].lstrip())
    above = (number for number in range(line - 1, 0, -1) if _SECTION.match(lines[number - 1]))
    found = next((one for one in above if len(lines[one - 1]) - len(lines[one - 1].lstrip()) < width), None)
    return "" if found is None else _comment(lines, found)


def _comment(lines: list[str], line: int) -> str:
    """The comment at a line, and right above it."""
    own = lines[line - 1].partition(" #")[2]
    above: list[str] = []
    for text in reversed(lines[: line - 1]):
        if not text.lstrip().startswith("#"):
            break
        above.append(text)
    return " ".join((own, *(one.strip(" #") for one in reversed(above))))


def _fixed_by_readme(target: HelmTarget, tree: Tree) -> Iterator[FieldPath]:
    """The keys whose row in a table of the chart's README says that the value is not to be moved."""
    text = tree.text_or_none("README.md" if target.chart == "." else f"{target.chart}/README.md") or ""
    for key, said in _ROW.findall(text):
        if _FIXED.search(said):
            yield tuple(key.split("."))


def _entries(data: Mapping[str, Any], lines: list[str], target: HelmTarget, tree: Tree) -> Iterator[Setting]:
    """What a chart's empty lists of hosts and paths may hold: the example in the comment below, or the root path."""
    empty = [path for path, value in _lists(data) if not value and path[-1] in ("hosts", "paths")]
    hosts = [path for path in empty if path[-1] == "hosts"]
    places = [number for number, line in enumerate(lines) if _NO_HOSTS.match(line.partition(" #")[0])]
    examples = dict(zip(hosts, places, strict=True)) if len(hosts) == len(places) else {}
    for path in empty:
        above = yamldoc.lookup(data, path[:-1])
        if path[-1] == "hosts":
            example = _example(lines, examples[path]) if path in examples else None
            if example and all(value != "" for _, value in yamldoc.leaves(example)):
                yield Setting(path, json.dumps(example), listed=True)
        elif isinstance(above, dict) and "host" in above and path[:-2]:
            entry: object = {"path": "/", "pathType": "Prefix"} if _reads_path(target, tree) else "/"
            yield Setting(path, json.dumps([entry]), listed=True)


def _lists(data: Any, path: FieldPath = ()) -> Iterator[tuple[FieldPath, list[Any]]]:
    """Every list, with the path to it."""
    if isinstance(data, list):
        yield path, data
    for step, value in (
        data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    ):
        if isinstance(value, (dict, list)):
            yield from _lists(value, (*path, step))


def _example(lines: list[str], place: int) -> list[Any]:
    """The entries that the comment right below an empty list has, which is in that line; empty where it has none."""
    below = takewhile(lambda line: line.lstrip().startswith("#"), lines[place + 1 :])
    texts = [line.lstrip()[1:] for line in below]
    start = next((number for number, text in enumerate(texts) if text.lstrip().startswith("- ")), len(texts))
    indent = len(texts[start]) - len(texts[start].lstrip()) if start < len(texts) else 0
    entries = takewhile(lambda text: text[:indent].isspace() or not indent, texts[start:])
    try:
        found = yamldoc.documents("\n".join(entries))
    except YamlError:
        return []
    return found[0].data if len(found) == 1 and isinstance(found[0].data, list) else []


def _reads_path(target: HelmTarget, tree: Tree) -> bool:
    """Whether a template of the chart takes an entry of ``paths`` for a mapping with a ``path``."""
    texts = (tree.text_or_none(one) or "" for one in chart_files([target.chart], tree))
    return any(_MAPPED.search(text) for text in texts if ".paths" in text)


def _nested(data: Any, settings: list[Setting]) -> Any:
    """The part of `data` that leads to the settings, with their values."""
    found: dict[str, Any] = {}
    for one in settings:
        here: Any = found
        there: Any = data
        for step, following in zip(one.path, (*one.path[1:], None), strict=True):
            if following is None:
                here[step] = json.loads(str(one.value)) if one.listed else one.value
                break
            there = there[step]
            if isinstance(there, list) and isinstance(here, dict) and step not in here:
                here[step] = deepcopy(there)  # helm replaces lists
            elif isinstance(here, dict):
                here.setdefault(step, {})
            here = here[step]
    return found
