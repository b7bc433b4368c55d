"""Mutations as pull requests: the healthy repository is the base, and one token of text is the change.

`pull_request_runs` runs this. `cases` makes the changes: those that break a reference which arrived in the base, by
`references` alone, and those that move both of its ends (*together*: every occurrence of the value), of which nothing may
be said. `trial` runs ``portproof check --base HEAD`` in a clone that has the change in its work tree.
"""

from __future__ import annotations

import json
import random
import re
import subprocess
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mutants import far_port, input_texts, near_numbers, occurrences, typos
from references import MISSED, REACHED, UNKNOWN, Place, Reference, promises
from repositories import PROGRAM

from portproof import resources
from portproof.discover.model import HelmTarget, Target
from portproof.effects import Change, differences
from portproof.graph import link
from portproof.render.model import Renderer, Rendering
from portproof.source import Edit, LineIndex, SourceError, Span, Tree
from portproof.yamldoc import format_path

_FAR = 0.5
"""The share of new numbers and words that are no slip of the hand."""

_LABEL = re.compile(r"[A-Za-z0-9]([\w.-]{0,61}[A-Za-z0-9])?\Z")

_TRIES = 6
"""Single tokens that are tried of each target, and for each change that is asked for: not all of them break something."""

_CONTROLS = 3
"""One change of both ends for as many of one end; and as many values of a target are tried."""


_READERS = 12
"""Other targets that may read what is moved together; more take too long to try."""


@dataclass(frozen=True, slots=True)
class Case:
    """One pull request. `edits` are path, start, end and new text; `places` are the fields of the ends that it moves."""

    target: str
    kind: str
    value: str
    new: str
    far: bool
    together: bool
    edits: tuple[tuple[str, int, int, str], ...]
    line: int
    text: str
    places: tuple[tuple[str, str, str], ...]

    @property
    def path(self) -> str:
        """The file of the first edit."""
        return self.edits[0][0]


@dataclass
class Outcome:
    """What became of one case. `cure` is what the first safe fix did: the base's text, the other end, or neither."""

    repository: str
    case: Case
    exit: int = 0
    said: list[str] = field(default_factory=list)
    severity: str = ""
    location: str = ""
    at_line: bool = False
    cure: str = "none"
    fix: str = ""
    seconds: float = 0.0

    @property
    def reported(self) -> bool:
        return self.severity in ("error", "warning")

    @property
    def alarms(self) -> list[str]:
        """What is said beside that nothing tells the program: that is true of a port that is moved wherever it stands."""
        return [one for one in self.said if " container-port-moved: " not in one]

    @property
    def cured(self) -> bool:
        return self.cure in ("base's text", "moved along")

    @property
    def right(self) -> bool:
        """Whether nothing is left to wish for."""
        if self.case.together:
            return not self.alarms
        return self.reported and self.at_line and self.cured


@dataclass
class Healthy:
    """A target as it is in the base: its rendering, what arrives there, and fields that differ each time."""

    target: Target
    rendering: Rendering
    arrives: dict[Place, Reference]
    unsteady: frozenset[Place]

    @classmethod
    def of(cls, target: Target, tree: Tree, render: Renderer) -> Healthy | None:
        """None when the target cannot be rendered or refers to nothing."""
        first, second = render(target, tree), render(target, tree)
        if not isinstance(first, Rendering) or not isinstance(second, Rendering):
            return None
        arrives = {place: one for place, one in promised(first).items() if one.state == REACHED}
        return cls(target, first, arrives, changed(first, second)) if arrives else None


def promised(rendering: Rendering) -> dict[Place, Reference]:
    return promises(link.build(resources.read(rendering)))


def loses(before: Rendering, after: Rendering) -> bool:
    """Whether a field of an object that is still there is not."""
    there = {one.key for one in resources.read(after).resources}
    return any(one.after is None and one.resource in there for one in _differences(before, after))


def _differences(before: Rendering, after: Rendering) -> list[Change]:
    target = before.target
    return differences(before, after, target.namespace if isinstance(target, HelmTarget) else "default")


def changed(before: Rendering, after: Rendering) -> frozenset[Place]:
    found = _differences(before, after)
    return frozenset((one.resource, one.path) for one in found if "checksum" not in str(one.path[-1]))


def healthy(targets: Iterable[Target], tree: Tree, render: Renderer) -> Iterator[Healthy]:
    """The targets that can be rendered and refer to something."""
    yield from (one for target in targets if (one := Healthy.of(target, tree, render)))


@dataclass(frozen=True, slots=True)
class Ground:
    """A repository as it is: what can be rendered of it, and how."""

    tree: Tree
    render: Renderer
    targets: Sequence[Target]

    def texts(self, target: Target, paths: Sequence[str]) -> dict[str, str]:
        """The files of a target and of all others of the same chart or folder: its other environments."""
        found: dict[str, str] = {}
        for one in self.targets:
            if (one.kind, one.path) == (target.kind, target.path):
                found |= input_texts(one, self.tree, paths)
        return found

    def stands(self, edits: Sequence[Edit], known: Target) -> bool:
        """Whether all other targets that read the edited files render, and all arrives in them that did."""
        tree = self.tree.with_edits(edits)
        paths = {edit.span.path for edit in edits}
        readers = [one for one in self.targets if one != known and any(map(one.reads, paths))]
        if len(readers) > _READERS:
            return False
        for one in readers:
            before, after = self.render(one, self.tree), self.render(one, tree)
            if isinstance(before, Rendering) and not (
                isinstance(after, Rendering) and _arrives(before) <= _arrives(after)
            ):
                return False
        return True


def _arrives(rendering: Rendering) -> int:
    return sum(one.state == REACHED for one in promised(rendering).values())


def cases(
    subjects: Sequence[Healthy], ground: Ground, limit: int, seed: str
) -> tuple[list[Case], Counter[str]]:
    """At most `limit` changes of one end, and a third as many of both; and how many were set aside, by reason."""
    found: list[Case] = []
    aside: Counter[str] = Counter()
    tree, render = ground.tree, ground.render
    paths = files(tree.root)
    each = max(_TRIES, _TRIES * limit // max(1, len(subjects)))
    for subject in subjects:
        texts = input_texts(subject.target, tree, paths)
        tries = list(_tries(subject, texts, f"{seed}:{subject.target.id}"))
        for edits, value, new, far in tries[:each]:
            judged = _judge(subject, tree, render, edits)
            if isinstance(judged, tuple) and far and _is_call(judged):
                judged = "another host"  # programs call hosts outside for good reasons
            aside.update([judged] if isinstance(judged, str) and judged else [])
            if not isinstance(judged, str):
                found.append(_case(subject, tree, (edits, value, new, far), judged, together=False))
        found += _together(subject, ground, ground.texts(subject.target, paths), tries[:each])
    single = _spread([one for one in found if not one.together], limit)
    return [*single, *_spread([one for one in found if one.together], -(-limit // _CONTROLS))], aside


_Try = tuple[tuple[Edit, ...], str, str, bool]


def _tries(subject: Healthy, texts: Mapping[str, str], seed: str) -> Iterator[_Try]:
    """Single tokens to change, in an order that is random but fixed by `seed` and takes turns among values and files."""
    rng = random.Random(seed)
    words = sorted({word for one in subject.arrives.values() for word in _tokens(one)})
    ports = {str(one.value) for one in subject.arrives.values() if not _is_of_objects(one)}
    taken = {*words, *re.findall(r"[\w-]+", " ".join(one.text for one in subject.rendering.documents))}
    queues: dict[tuple[str, str], list[_Try]] = defaultdict(list)
    for word in words:
        for path, text in texts.items():
            for start in occurrences(word, text):
                new, far = _other(word, rng, taken, 15 if word in ports else 63)
                if new:
                    edit = Edit(Span(path, start, start + len(word)), word, new)
                    queues[word, path].append(((edit,), word, new, far))
    order = sorted(queues)
    rng.shuffle(order)
    for queue in queues.values():
        rng.shuffle(queue)
    for turn in range(max(map(len, queues.values()), default=0)):
        yield from (queues[one][turn] for one in order if turn < len(queues[one]))


def _tokens(one: Reference) -> set[str]:
    """What may stand in a file for the value of a reference: of a composed name, its last words too."""
    found = {str(one.value), *one.words}
    if _is_of_objects(one):
        parts = [word.split("-") for word in found]
        found |= {"-".join(some[index:]) for some in parts for index in range(1, len(some))}
    return {word for word in found if len(word) > 1}


def _is_of_objects(one: Reference) -> bool:
    """Whether it holds names or labels of objects, not a port."""
    return one.kind.startswith(("name of", "selector", "serviceName"))


def _other(word: str, rng: random.Random, taken: set[str], limit: int) -> tuple[str, bool]:
    """What a pull request may have written instead of `word`, and whether it is far from it; empty when nothing fits."""
    far = rng.random() < _FAR
    if word.isdigit():
        some = [far_port(rng, taken)] if far else near_numbers(word)
    else:
        some = [f"{word}-v2", f"{word}-next", f"new-{word}"] if far else list(typos(word))
    fitting = sorted({one for one in some if one not in taken and _LABEL.match(one) and len(one) <= limit})
    return (rng.choice(fitting), far) if fitting else ("", far)


def _judge(
    subject: Healthy, tree: Tree, render: Renderer, edits: Sequence[Edit]
) -> str | tuple[tuple[Reference, str], ...]:
    """The references that the edits break, each with the end that moved; or why there is none to count."""
    after = render(subject.target, tree.with_edits(edits))
    if not isinstance(after, Rendering) or after.problems != subject.rendering.problems:
        return ""
    now, moved = promised(after), changed(subject.rendering, after) - subject.unsteady
    lost = [
        (one, now[place].state, end)
        for place, one in subject.arrives.items()
        if place in now and now[place].state not in (REACHED, UNKNOWN) and (end := _one_end(one, moved))
    ]
    broken = tuple((one, end) for one, state, end in lost if state == MISSED)
    return broken or (lost[0][1] if lost else "")


def _is_call(broken: tuple[tuple[Reference, str], ...]) -> bool:
    return all(one.kind == "name of caller" and end == "asking" for one, end in broken)


def _one_end(one: Reference, moved: frozenset[Place]) -> str:
    """Which end is among the changed fields, where it is one alone."""
    asking, asked = _has(moved, one.source), any(_has(moved, end) for end in one.ends)
    return "" if asking == asked else "asking" if asking else "asked"


def _has(moved: frozenset[Place], end: Place) -> bool:
    return any(key == end[0] and path[: len(end[1])] == end[1] for key, path in moved)


def _together(
    subject: Healthy, ground: Ground, texts: Mapping[str, str], tries: Sequence[_Try]
) -> Iterator[Case]:
    """The same values changed wherever they stand, where that moves both ends of a reference and all of them arrive.

    A number on which the image of a pod is known to listen is none: the program would have to move, too.
    """
    tree, render = ground.tree, ground.render
    done: set[str] = set()
    graph = link.build(resources.read(subject.rendering))
    fixed = {str(port) for pod in graph.workloads for one in pod.containers for port in one.default_ports}
    for _, value, new, far in tries:
        if value in done or value in fixed:
            continue
        done.add(value)
        if len(done) > _CONTROLS:
            return
        edits = tuple(
            Edit(Span(path, start, start + len(value)), value, new)
            for path, text in texts.items()
            for start in occurrences(value, text)
        )
        after = render(subject.target, tree.with_edits(edits))
        if not isinstance(after, Rendering) or after.problems != subject.rendering.problems:
            continue
        now, moved = promised(after), changed(subject.rendering, after) - subject.unsteady
        if any(now[place].state != REACHED for place in subject.arrives if place in now):
            continue
        if loses(subject.rendering, after):
            continue  # a key of the values that a template reads is gone, and its field with it
        both = tuple(
            (one, "both")
            for place, one in subject.arrives.items()
            if place in now and _has(moved, one.source) and any(_has(moved, end) for end in one.ends)
        )
        if both and ground.stands(edits, subject.target):
            yield _case(subject, tree, (edits, value, new, far), both, together=True)


def _case(
    subject: Healthy, tree: Tree, tried: _Try, ends: Sequence[tuple[Reference, str]], *, together: bool
) -> Case:
    edits, value, new, far = tried
    span = edits[0].span
    text = tree.text(span.path)
    line = LineIndex.of(text).position(span.start)[0]
    places = {place for one, _ in ends for place in (one.source, *one.ends)}
    first, end = ends[0]
    return Case(
        subject.target.id,
        f"{first.kind} / {end}",
        value,
        new,
        far,
        together,
        tuple((edit.span.path, edit.span.start, edit.span.end, new) for edit in edits),
        line,
        text.split("\n")[line - 1].strip()[:100],
        tuple(sorted((key.kind, key.name, format_path(path)) for key, path in places)),
    )


def _spread(found: Sequence[Case], limit: int) -> list[Case]:
    """Take turns among kinds and distances, and within a kind among targets; a place is changed once."""
    taken: dict[tuple[tuple[str, int, int, str], ...] | tuple[str, int], Case] = {}
    by_kind: Counter[tuple[str, bool]] = Counter()
    by_target: Counter[tuple[str, str]] = Counter()
    left = list(found)
    while left and len(taken) < limit:
        best = min(left, key=lambda one: (by_kind[one.kind, one.far], by_target[one.kind, one.target]))
        taken[best.edits[0][:2]] = best
        by_kind[best.kind, best.far] += 1
        by_target[best.kind, best.target] += 1
        left = [one for one in left if one.edits[0][:2] not in taken]
    return list(taken.values())


def git(clone: Path, *arguments: str, text: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["git", *arguments], cwd=clone, input=text, capture_output=True, text=True, check=False
    )


def check(clone: Path) -> tuple[int, dict[str, Any]]:
    argv = [*PROGRAM, "check", "--offline", "--jobs", "1", "--format", "json", "--base", "HEAD", str(clone)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    return done.returncode, json.loads(done.stdout) if done.returncode in (0, 1) else {"findings": []}


def loud(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The errors and warnings that the change brings in, worst first."""
    some = [one for one in report["findings"] if one["introduced"] and one["severity"] != "note"]
    return sorted(some, key=lambda one: str(one["severity"]))


def trial(clone: Path, name: str, case: Case, target: Target, render: Renderer) -> Outcome:
    """Put the case into the work tree of `clone`, run portproof as on a pull request, and try its first safe fix."""
    result = Outcome(name, case)
    tree = Tree(clone)
    edits = [Edit(Span(path, start, end), case.value, new) for path, start, end, new in case.edits]
    mutated = tree.with_edits(edits)
    try:
        for path in {edit.span.path for edit in edits}:
            with (clone / path).open("w", encoding="utf-8", newline="") as file:
                file.write(mutated.text(path))
        started = time.perf_counter()
        result.exit, report = check(clone)
        result.seconds = round(time.perf_counter() - started, 2)
        _read(result, loud(report), clone, target, render)
    finally:
        git(clone, "checkout", "-q", "-f", "HEAD", "--", ".")
    return result


def _read(
    result: Outcome, findings: Sequence[dict[str, Any]], clone: Path, target: Target, render: Renderer
) -> None:
    case = result.case
    result.said = [f"{one['severity']} {one['rule']}: {one['message']} [{_at(one)}]" for one in findings]
    about = [one for one in findings if _is_about(one, case)]
    if not about:
        return
    result.severity, result.location = about[0]["severity"], _at(about[0])
    result.at_line = any(_at(one) == f"{case.path}:{case.line}" for one in about)
    for one in about:
        safe = [fix for fix in (one["fix"], *one["alternatives"]) if fix and fix["safety"] == "safe"]
        if safe:
            result.fix = safe[0]["description"]
            result.cure = cure(clone, safe[0]["patch"], case, target, render)
            return


def _at(finding: Mapping[str, Any]) -> str:
    place = finding["location"]
    return f"{place['path']}:{place['line']}" if place else ""


def _is_about(finding: Mapping[str, Any], case: Case) -> bool:
    """Whether the finding, or a related place, is at an end that the case moves or leaves behind."""
    sites = [(finding["resource"], finding["field"])]
    sites += [(one["resource"], one["field"]) for one in finding["related"]]
    for resource, path in sites:
        for kind, name, end in case.places:
            # A Service that was renamed has another name now; another target may name all of its own.
            if resource and resource["kind"] == kind and (path.startswith(end) or resource["name"] == name):
                return True
    return False


def cure(clone: Path, patch: str, case: Case, target: Target, render: Renderer) -> str:
    """What the patch does to the work tree: the base's text is back, the other end has moved along, or neither."""
    if git(clone, "apply", "--whitespace=nowarn", "-", text=patch).returncode:
        return "patch does not apply"
    if not git(clone, "diff", "--quiet", "HEAD").returncode:
        return "base's text"
    _, report = check(clone)
    if loud(report):
        return "still reported"
    with suppress(SourceError):
        rendering = render(target, Tree(clone))
        if isinstance(rendering, Rendering):
            now = promised(rendering)
            exact = {(key.kind, key.name, format_path(path)): one.state for (key, path), one in now.items()}
            # A Service that was renamed has another name now.
            alike = {(kind, path): state for (kind, _, path), state in exact.items()}
            asked = [exact.get(place, alike.get((place[0], place[2]))) for place in case.places]
            return "moved along" if MISSED not in asked else "still missed"
    return "does not render"


def files(root: Path) -> list[str]:
    """Every file of a clone, as paths below its root."""
    return sorted(git(root, "ls-files", "-z").stdout.split("\0")[:-1])


def decoded(data: dict[str, Any]) -> Case:
    pairs = {"edits": tuple(map(tuple, data["edits"])), "places": tuple(map(tuple, data["places"]))}
    return Case(**{**data, **pairs})
