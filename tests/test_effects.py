"""What is told of a field that a fix changes: a port or a name, and nothing that merely stands beside it."""

from __future__ import annotations

from typing import Any

import pytest

from portproof.discover.model import ManifestTarget
from portproof.effects import HIDDEN, Change, differences, redacted
from portproof.render.model import RenderedDocument, Rendering
from portproof.resources import ResourceKey

KEY = ResourceKey("apps/v1", "Deployment", "default", "web")
VALUE = ("spec", "template", "spec", "containers", 0, "env", 0, "value")
WORDS = frozenset({"5673", "5672", "http", "web"})


@pytest.mark.parametrize(
    ("before", "after", "shown"),
    [
        (8081, 8080, (8081, 8080)),
        ("5673", "5672", ("5673", "5672")),
        ("web", "http", ("web", "http")),
        ("web-grpc", "http-grpc", ("web-grpc", "http-grpc")),
        ("amqp://user:hunter2@broker:5673/%2f", "amqp://user:hunter2@broker:5672/%2f", ("…5673…", "…5672…")),
        ("a\npassword=hunter2\nport=5673\nb", "a\npassword=hunter2\nport=5672\nb", ("…5673…", "…5672…")),
        ("u:hunter2@a:5673,b:5673", "u:hunter2@a:5672,b:5672", ("…5673…5673", "…5672…5672")),
        ("a:5673 u:hunter2@b:5673", "a:5672 u:hunter2@b:5672", ("…5673…5673", "…5672…5672")),
        ("a:5673 hunter2", "a:5672 ", ("…" + HIDDEN, "…" + HIDDEN)),
        ("hunter2", "hunter3", (HIDDEN, HIDDEN)),
        (
            "aHR0cDovL3U6aHVudGVyMkBhOjU2NzM=",
            "aHR0cDovL3U6aHVudGVyMkBhOjU2NzI=",
            (f"{HIDDEN}…", f"{HIDDEN}…"),
        ),
        ("0f" * 32, "1e" * 32, ("0f" * 32, "1e" * 32)),
        ("x:5673", "x:", ("…5673", "…")),
        (None, "hunter2", (None, HIDDEN)),
        ("hunter2", None, (HIDDEN, None)),
        (None, "5672", (None, "5672")),
        (None, True, (None, True)),
        ("http", 5672, ("http", 5672)),
    ],
)
def test_of_a_text_only_what_the_edit_has_put_there(before: Any, after: Any, shown: Any) -> None:
    change = redacted(Change(KEY, VALUE, before, after), WORDS)
    assert (change.before, change.after) == shown


def test_ports_and_names_that_come_and_go_are_told() -> None:
    for step in ("name", "targetPort", "appProtocol"):
        change = redacted(Change(KEY, ("spec", "ports", 0, step), None, "metrics"), WORDS)
        assert change.after == "metrics"


def test_what_a_port_is_called_is_told_although_no_edit_says_it() -> None:
    """An expression that is put back renders to the name."""
    told = Change(KEY, ("spec", "ports", 1, "name"), "tcp-smpt", "tcp-smtp")
    assert redacted(told, {"tcp-smpt", "{{ .Values.port.name }}"}) == told


def test_what_is_empty_can_be_kept_in_sets_too() -> None:
    text = "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec: {volumes: [{name: a, emptyDir: {}}]}\n"
    before, after = (
        Rendering(ManifestTarget("."), (RenderedDocument(one),))
        for one in (text, text.replace("[{name: a, emptyDir: {}}]", "[]"))
    )
    changes = differences(before, after, "default")
    assert {one.path[-1]: (one.before, one.after) for one in set(changes)} == {
        "name": ("a", None),
        "emptyDir": ("{}", None),
        "volumes": (None, "[]"),
    }


def test_nothing_of_a_secret_is_told_not_even_a_port_that_comes_or_goes() -> None:
    text = "apiVersion: v1\nkind: Secret\nmetadata: {name: web}\nstringData: {port: '5673', name: http, old: web}\n"
    new = text.replace("5673", "5672").replace("http", "web").replace("old: web", "new: 5672")
    before, after = (Rendering(ManifestTarget("."), (RenderedDocument(one),)) for one in (text, new))
    changes = differences(before, after, "default")
    assert [change.path[-1] for change in changes] == ["port", "name", "old", "new"]
    shown = [redacted(change, WORDS) for change in changes]
    assert {value for one in (*changes, *shown) for value in (one.before, one.after)} <= {HIDDEN, "…", None}
