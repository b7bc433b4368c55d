"""Single changes of text that break a port reference of a real repository.

The text is found by looking for the value in every input file, not by portproof's tracing. A change counts as an
effective mutant when the target still renders, every field that differs lies on one side of the reference, and the
reference no longer arrives.
"""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from references import MISSED, REACHED, UNKNOWN, Place, Reference, references

from portproof import resources
from portproof.discover.model import HelmTarget, Target
from portproof.effects import Change, differences
from portproof.graph import link
from portproof.render.model import Renderer, Rendering
from portproof.source import Edit, SourceError, Span, Tree

_TEXT = (".yaml", ".yml", ".tpl", ".json", ".txt", ".env", ".properties", ".gotmpl", ".toml", ".conf")
_PORT_NAME = re.compile(r"(?=[a-z0-9-]{1,15}\Z)(?=.*[a-z])[a-z0-9]+(-[a-z0-9]+)*\Z")
_FAR = 0.2
"""The share of new numbers that are no slip of the hand."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One occurrence of a value in the text of the repository, and what it becomes."""

    edit: Edit
    far: bool


@dataclass(frozen=True, slots=True)
class Mutant:
    """An effective mutant: the references that it breaks, and the side on which it does."""

    target: Target
    edit: Edit
    far: bool
    broken: tuple[Reference, ...]
    side: str
    verdict: str

    @property
    def kind(self) -> str:
        """Which reference breaks, and at which end."""
        return f"{self.broken[0].kind} / {self.side}"


@dataclass
class Subject:
    """A target as it is before anything is changed."""

    target: Target
    tree: Tree
    references: dict[Place, Reference]
    rendering: Rendering
    unsteady: frozenset[Place] = field(default_factory=frozenset)

    @classmethod
    def of(cls, target: Target, tree: Tree, render: Renderer) -> Subject | None:
        """None when the target cannot be rendered or refers to nothing."""
        first, second = render(target, tree), render(target, tree)
        if not isinstance(first, Rendering) or not isinstance(second, Rendering):
            return None
        found = {place: one for place, one in _references(first).items() if one.state == REACHED}
        unsteady = frozenset((one.resource, one.path) for one in _differences(first, second))
        return cls(target, tree, found, first, unsteady) if found else None

    def judge(self, change: Attempt, render: Renderer) -> Mutant | None:
        """Render with the change; None when it is not effective."""
        after = render(self.target, self.tree.with_edits([change.edit]))
        if not isinstance(after, Rendering) or after.problems != self.rendering.problems:
            return None
        changes = [
            one
            for one in _differences(self.rendering, after)
            if (one.resource, one.path) not in self.unsteady
        ]
        changed = {(one.resource, one.path) for one in changes if not _is_checksum(one)}
        sides = {_side(place) for place in changed}
        if len(sides) != 1 or None in sides or any(None in (one.before, one.after) for one in changes):
            return None
        now = _references(after)
        lost = [
            (one, now[place].state)
            for place, one in self.references.items()
            if place in now and now[place].state not in (REACHED, UNKNOWN) and _one_end(one, changed)
        ]
        if not lost:
            return None
        worst = [one for one, state in lost if state == MISSED]
        verdict = MISSED if worst else lost[0][1]
        broken = tuple(worst or (one for one, _ in lost))
        side = "referring" if broken[0].source in changed else "declaring"
        return Mutant(self.target, change.edit, change.far, broken, side, verdict)


def _references(rendering: Rendering) -> dict[Place, Reference]:
    return references(link.build(resources.read(rendering)))


def _differences(before: Rendering, after: Rendering) -> list[Change]:
    target = before.target
    return differences(before, after, target.namespace if isinstance(target, HelmTarget) else "default")


def _is_checksum(change: Change) -> bool:
    return "checksum" in str(change.path[-1])


def _one_end(reference: Reference, changed: set[Place]) -> bool:
    """Whether exactly one of the two ends is among the changed fields."""
    at_end = any(
        key == end and path[: len(entry)] == entry for key, path in changed for end, entry in reference.ends
    )
    return (reference.source in changed) != at_end


def _side(place: Place) -> str | None:
    """Which kind of thing a port field belongs to; None for every other field."""
    key, path = place
    words = [step for step in path if isinstance(step, str)]
    if "containers" in words or "initContainers" in words:
        declares = "ports" in words[-2:]
        probes = words[-1] == "port" and any(word.endswith("Probe") or word == "lifecycle" for word in words)
        return "pods" if declares or probes else None
    if key.kind == "Service" and words[:2] == ["spec", "ports"]:
        return "service"
    if key.kind == "Ingress" and words[-1] in ("number", "name", "servicePort"):
        return "ingress"
    return "statefulset" if words == ["spec", "serviceName"] else None


def changes(subject: Subject, texts: dict[str, str], seed: str) -> Iterator[Attempt]:
    """Changes to try, in an order that is random but fixed by `seed` and takes turns among values and files."""
    rng = random.Random(f"{seed}:{subject.target.id}")
    values = sorted({str(one.value) for one in subject.references.values()})
    taken = {*values, *re.findall(r"[\w-]+", " ".join(one.text for one in subject.rendering.documents))}
    queues: dict[tuple[str, str], list[Attempt]] = defaultdict(list)
    for value in values:
        for path, text in texts.items():
            for start in occurrences(value, text):
                new, far = slip(value, rng, taken)
                if new:
                    edit = Edit(Span(path, start, start + len(value)), value, new)
                    queues[value, path].append(Attempt(edit, far))
    order = sorted(queues)
    rng.shuffle(order)
    for queue in queues.values():
        rng.shuffle(queue)
    yield from _in_turns([queues[one] for one in order])


def _in_turns(queues: Sequence[list[Attempt]]) -> Iterator[Attempt]:
    for round_ in range(max(map(len, queues), default=0)):
        yield from (queue[round_] for queue in queues if round_ < len(queue))


def input_texts(target: Target, tree: Tree, paths: Iterable[str]) -> dict[str, str]:
    """The text of every file that `target` reads and a person might edit; `paths` are those of the whole repository."""
    found = {}
    for path in paths:
        if target.reads(path) and path.endswith(_TEXT) and not path.endswith((".schema.json", "NOTES.txt")):
            try:
                found[path] = tree.text(path)
            except SourceError:
                continue
    return found


def occurrences(value: str, text: str) -> Iterator[int]:
    """Where `value` stands as a word of its own; not in comments, URLs and dotted names of templates.

    What a template puts in front of it, and a hyphen, begin a word, too.
    """
    for match in re.finditer(rf"(?:(?<![\w.$/-])|(?<=}}}}-)){re.escape(value)}(?![\w-])(?!:/)(?!\.\w)", text):
        line = text[text.rfind("\n", 0, match.start()) + 1 : match.start()]
        if not line.lstrip().startswith("#") and " #" not in line:
            yield match.start()


def slip(value: str, rng: random.Random, taken: set[str]) -> tuple[str, bool]:
    """What a hand might have written instead of `value`, and whether it is far from it; empty when nothing fits."""
    if not value.isdigit():
        words = [one for one in typos(value) if _PORT_NAME.match(one) and one not in taken]
        return (rng.choice(words), False) if words else ("", False)
    if rng.random() < _FAR:
        return far_port(rng, taken), True
    fitting = sorted(int(one) for one in near_numbers(value) if one not in taken)
    return (str(rng.choice(fitting)), False) if fitting else ("", False)


def near_numbers(value: str) -> list[str]:
    """Ports that a hand may have written instead of `value`."""
    near = {int(value) + 1, int(value) - 1, *map(int, _near(value))} - {int(value)}
    return [str(one) for one in near if 1 <= one <= 65535]


def far_port(rng: random.Random, taken: set[str]) -> str:
    """A port that nothing mentions."""
    return next(one for one in _random_ports(rng) if one not in taken)


def typos(word: str) -> Iterator[str]:
    for index in range(len(word)):
        yield word[:index] + word[index + 1 :]
        yield word[:index] + word[index : index + 2][::-1] + word[index + 2 :]


def _near(digits: str) -> Iterator[str]:
    """One digit changed, or two neighbours swapped."""
    for index in range(len(digits)):
        yield digits[:index] + str((int(digits[index]) + 1) % 10) + digits[index + 1 :]
        yield digits[:index] + digits[index : index + 2][::-1] + digits[index + 2 :]


def _random_ports(rng: random.Random) -> Iterator[str]:
    while True:
        yield str(rng.randint(1025, 65000))
