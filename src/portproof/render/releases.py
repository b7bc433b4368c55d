"""What else a release of a chart may have: the same under another name of the release, and parts that are switched off."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from portproof.discover.charts import MAX_RELEASE
from portproof.discover.gitops.given import GivenError
from portproof.discover.model import HelmTarget
from portproof.render.borrowed import umbrellas
from portproof.render.install_values import InstallValues, install_values
from portproof.render.model import Renderer, Rendering
from portproof.replacing import replace
from portproof.source import Tree, below
from portproof.yamldoc import FieldPath, YamlError, dump, leaves, load

_SWITCHES = frozenset(
    {"enabled", "enable", "create", "created", "deploy", "deployed", "install", "installed"}
)
_AROUND = re.compile(r"^(?:enable|create|deploy|install|use)(?=[-_A-Z])|[-_]?(?:E|(?<=[-_])e)nabled$")
"""What a switch says besides the part that it is about: ``enableRedis``, ``redisEnabled``, ``use_redis``."""

_ALL_ON = "values-portproof-all-on.yaml"

_SET = re.compile(r"--set=([\w.-]+)=(true|false)")


def renamed(render: Renderer, target: HelmTarget, tree: Tree) -> Rendering | None:
    """What a chart renders to as another release, whose name begins like its own: names are often made of that.

    None for a part of an umbrella that nothing installs by itself: the release is that of the umbrella, and has the other parts.
    """
    if len(target.release) >= MAX_RELEASE:
        return None
    if target.install is None and any(umbrellas(target.chart, tree)):
        return None
    answer = render(replace(target, release=f"{target.release}x"), tree)
    return answer if isinstance(answer, Rendering) else None


def whole(render: Renderer, target: HelmTarget, tree: Tree) -> Rendering | None:
    """What a chart renders to with all parts switched on that its own values switch off; None if there are none.

    If they do not go together, it is those alone whose key says no more than that: ``enabled``. What installs the chart does
    not matter, for it switches parts off as well.
    """
    defaults = _read(tree.text_or_none(below(target.chart, "values.yaml")))
    off = [path for path, value in leaves(defaults) if value is False and _is_switch(path)]
    narrow = [path for path in off if str(path[-1]).lower() in _SWITCHES]
    values = () if target.install else target.values
    for paths in filter(None, dict.fromkeys((tuple(off), tuple(narrow)))):
        given = {**tree.overlay, _ALL_ON: dump(_switched_on(paths))}
        on = replace(target, install=None, values=(*values, _ALL_ON))
        answer = render(on, replace(tree, overlay=given))
        if isinstance(answer, Rendering):
            return answer
    return None


def _is_switch(path: FieldPath) -> bool:
    """Whether a key is a chart's own word, and does not switch something off."""
    return all(isinstance(step, str) for step in path) and not str(path[-1]).lower().startswith("disable")


def _switched_on(paths: Iterable[FieldPath]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for path in paths:
        here = found
        for step in path[:-1]:
            here = here.setdefault(str(step), {})
        here[str(path[-1])] = True
    return found


def switched_off(target: HelmTarget, tree: Tree) -> frozenset[str]:
    """The parts that the values of a chart switch off, each by its name in lower case, without what is between words.

    They are those of its ``values.yaml``, as the target's own values and parameters change them: ``redis: {enabled: false}``.
    """
    states: dict[FieldPath, bool] = {}
    for data in _values(target, tree):
        states.update((path, value) for path, value in leaves(data) if isinstance(value, bool))
    return frozenset(filter(None, (_part(path) for path, is_on in states.items() if not is_on)))


def _values(target: HelmTarget, tree: Tree) -> Iterator[Any]:
    """The values of a target, the later over the earlier."""
    try:
        given = install_values(target, target.install, tree) if target.install else None
    except GivenError:
        given = None
    last = len(target.values) - 1
    yield _read(tree.text_or_none(below(target.chart, "values.yaml")))
    for number, path in enumerate(target.values):
        text = given.values if given and number == last else given.parts.get(number) if given else None
        yield _read(tree.text_or_none(path) if text is None else text)
    yield from _parameters(given) if given else ()


def _read(text: str | None) -> Any:
    try:
        return load(text or "")
    except YamlError:
        return None


def _parameters(given: InstallValues) -> Iterator[Any]:
    for name, value in _SET.findall("\n".join(given.options)):
        data: Any = value == "true"
        for step in reversed(name.split(".")):
            data = {step: data}
        yield data


def _part(path: FieldPath) -> str:
    """The part that a switch is about; nothing where its key does not tell."""
    steps = [step for step in path if isinstance(step, str)]
    if len(steps) != len(path):
        return ""
    if steps[-1].lower() in _SWITCHES:
        steps = steps[:-1]
    word = _AROUND.sub("", steps[-1]) if steps else ""
    return re.sub(r"[^a-z0-9]", "", word.lower())
