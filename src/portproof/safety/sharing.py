"""What else reads the text that a fix edits, and which changes of a rendering mean nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from portproof.effects import Change
from portproof.safety.model import Danger, Field, Risk, TargetEffects
from portproof.yamldoc import FieldPath, format_path, lookup

_INSTALLING = frozenset({("helm.toolkit.fluxcd.io", "HelmRelease"), ("argoproj.io", "Application")})
"""What installs a chart: what it makes of the chart is a target of its own, and is judged there."""
_CALLED_BY_API_SERVER = frozenset(
    {"admissionregistration.k8s.io", "apiregistration.k8s.io", "apiextensions.k8s.io"}
)
_HTTPS = 443
"""The port of a Service that the API server calls, where none is said."""
_CHECKSUM = re.compile(r"[0-9a-f]{32,128}")
_GENERATED = re.compile(r"-[a-z0-9]{10}\Z")
"""What kustomize adds to the name of a ConfigMap or Secret that it generates: a hash of its data."""


def meant(effects: TargetEffects) -> list[Change]:
    """The changes in a target that mean something: no checksum, and nothing that no pod reads."""
    return [
        one
        for one in _paired(effects.changes)
        if not (_follows(one) or _is_unread(effects, one) or _is_default(one))
    ]


def _is_default(change: Change) -> bool:
    """Whether a port is only written down that the API server takes anyway."""
    is_ours = change.resource.group in _CALLED_BY_API_SERVER and change.path[-2:] == ("service", "port")
    return is_ours and change.before is None and change.after == _HTTPS


def shared(effects: TargetEffects, change: Change) -> Risk:
    """What is not on the broken edge and changes, too."""
    where = f"{change.resource} {format_path(change.path)} shares the value"
    elsewhere = "" if effects.ends else f" in {effects.target}, where nothing is wrong with it"
    return Risk(Danger.SHARED, where + elsewhere)


def contradictions(effects: Sequence[TargetEffects]) -> Iterator[Risk]:
    """Environments that read the edited text, do not render the field, and whose other end holds another value.

    A template's literal gets the number of the one environment that renders it: as soon as another does, it is wrong there.
    """
    news = {
        (change.resource, change.path): change.after for one in effects if one.ends for change in one.changes
    }
    others: dict[Field, object] = {}
    for one in effects:
        for key, path in one.ends:
            resource = one.before.resource(key)
            value = None if resource is None else lookup(resource.data, path)
            if (key, path) not in news and value is not None and value in news.values():
                others[key, path] = value
    holders = {key for key, _ in news}
    for one in effects:
        if one.ends or any(one.before.resource(key) for key in holders):
            continue
        for (key, path), value in others.items():
            resource = one.before.resource(key)
            own = None if resource is None else lookup(resource.data, path)
            if own is not None and own != value:
                text = f"in {one.target}, {key} {format_path(path)} is {own}, and the text is the same"
                yield Risk(Danger.CONTRADICTED, text)


def _is_unread(effects: TargetEffects, change: Change) -> bool:
    """Whether no pod reads it: kustomize takes values from ConfigMaps, and a controller renders a chart with those here."""
    key = change.resource
    if (key.group, key.kind) in _INSTALLING:
        return True
    read = any(key.name in one.configs for one in effects.after.workloads)
    return key.kind == "ConfigMap" and key.group == "" and not read and not effects.is_end(change)


def _paired(changes: Iterable[Change]) -> list[Change]:
    """The changes, with those of an object whose generated name changes taken as changes of one object."""
    every = list(changes)
    gone: dict[tuple[str, str, str, FieldPath], Change] = {}
    for one in every:
        if one.after is None and one.resource.kind in ("ConfigMap", "Secret"):
            gone[_stem(one)] = one
    paired: list[Change] = []
    met: set[tuple[str, str, str, FieldPath]] = set()
    for one in every:
        stem = _stem(one)
        if one.before is None and stem in gone:
            met.add(stem)
            before = gone[stem].before
            if before != one.after:
                paired.append(Change(one.resource, one.path, before, one.after))
        else:
            paired.append(one)
    return [one for one in paired if not (one.after is None and _stem(one) in met)]


def _stem(change: Change) -> tuple[str, str, str, FieldPath]:
    key = change.resource
    return key.kind, key.namespace, _GENERATED.sub("", key.name), change.path


def _follows(change: Change) -> bool:
    """Whether the change only tells that another one was made: a checksum, or the hash in a generated name."""
    before, after = str(change.before), str(change.after)
    if _CHECKSUM.fullmatch(before) and _CHECKSUM.fullmatch(after):
        return True
    generated = _GENERATED.search(before) and _GENERATED.search(after)
    return bool(generated) and _GENERATED.sub("", before) == _GENERATED.sub("", after)
