from __future__ import annotations

from typing import Any

import pytest

from portproof.graph.selectors import Selector, calico, cilium, kubernetes

WEB = {"app": "web", "tier": "front"}


def expressions(*found: tuple[str, str, list[str] | None]) -> dict[str, Any]:
    return {
        "matchExpressions": [
            {"key": key, "operator": operator, "values": values} for key, operator, values in found
        ]
    }


@pytest.mark.parametrize(
    ("value", "matches"),
    [
        (None, True),
        ({}, True),
        ({"matchLabels": {"app": "web"}}, True),
        ({"matchLabels": {"app": "web", "tier": "back"}}, False),
        ({"matchLabels": {"app": "web", "job-name": "x"}}, True),
        (expressions(("app", "In", ["web", "api"])), True),
        (expressions(("app", "In", ["api"])), False),
        (expressions(("app", "NotIn", ["api"])), True),
        (expressions(("other", "NotIn", ["api"])), True),
        (expressions(("app", "NotIn", ["web"])), False),
        (expressions(("app", "Exists", None)), True),
        (expressions(("other", "Exists", None)), False),
        (expressions(("app", "DoesNotExist", [])), False),
        (expressions(("app", "Exists", None), ("tier", "In", ["back"])), False),
    ],
)
def test_kubernetes(value: Any, matches: bool) -> None:
    selector = kubernetes(value)
    assert selector is not None
    assert selector.matches(WEB) is matches


@pytest.mark.parametrize(
    "value",
    [
        "app",
        [],
        expressions(("app", "Like", ["w"])),
        expressions(("app", "In", [])),
        expressions(("app", "Exists", ["web"])),
        {"matchExpressions": [{"operator": "Exists"}]},
    ],
)
def test_what_is_no_selector_is_unknown(value: Any) -> None:
    assert kubernetes(value) is None


def test_mangled_labels_select_by_text() -> None:
    assert kubernetes({"matchLabels": {"on": True, "n": 1}}) == Selector((("on", "true"), ("n", "1")))


@pytest.mark.parametrize(
    ("value", "narrow", "exact"),
    [
        ({}, False, True),
        ({"matchLabels": {"app": "web"}}, True, True),
        (expressions(("app", "NotIn", ["api"])), False, True),
        (expressions(("app", "Exists", None)), True, True),
        ({"matchLabels": {"app": "web", "statefulset.kubernetes.io/pod-name": "web-0"}}, True, False),
    ],
)
def test_what_is_known_of_a_selector(value: Any, narrow: bool, exact: bool) -> None:
    selector = kubernetes(value)
    assert selector is not None
    assert (selector.is_narrow, selector.is_exact) == (narrow, exact)


@pytest.mark.parametrize("key", ["app", "k8s:app", "any:app"])
def test_cilium_takes_prefixed_labels(key: str) -> None:
    assert cilium({"matchLabels": {key: "web"}}) == Selector((("app", "web"),))


def test_cilium_keeps_a_key_that_only_looks_prefixed() -> None:
    assert cilium({"matchLabels": {"k8s.example.org/app": "web"}}) == Selector(
        (("k8s.example.org/app", "web"),)
    )


@pytest.mark.parametrize(
    "key", ["k8s:io.kubernetes.pod.namespace", "io.cilium.k8s.policy.serviceaccount", "reserved:host"]
)
def test_cilium_selectors_beyond_the_pod_are_unknown(key: str) -> None:
    assert cilium({"matchLabels": {key: "x"}}) is None


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        (None, True),
        ("all()", True),
        ("app == 'web'", True),
        ('app=="web" && tier == "back"', False),
        ("app != 'api'", True),
        ("app in { 'web', 'api' }", True),
        ("app not in {'web'}", False),
        ("has(app) && !has(other)", True),
        ("! has( app )", False),
    ],
)
def test_calico(text: str | None, matches: bool) -> None:
    selector = calico(text)
    assert selector is not None
    assert selector.matches(WEB) is matches


@pytest.mark.parametrize(
    "text",
    [
        "app == 'web' || app == 'api'",
        "(app == 'web')",
        "app starts with 'w'",
        "projectcalico.org/namespace == 'default'",
        "app in {}",
        "app = 'web'",
        8080,
    ],
)
def test_other_calico_expressions_are_unknown(text: Any) -> None:
    assert calico(text) is None
