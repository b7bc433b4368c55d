"""A message in its parts: the harm comes first, and every word of it is still there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portproof.replacing import replace
from portproof.report.causes import Cause
from portproof.report.environments import where
from portproof.report.links import Links
from portproof.report.phrases import harm
from portproof.report.review import ROOM, Diff, comment
from portproof.report.wording import Parts, parts, words
from portproof.resources import ResourceKey
from portproof.rules.base import Severity
from tests.support.reports import FIX, RESULT, SOURCE, VALUES, result
from tests.test_review import changed

FIXTURES = Path(__file__).parents[1] / "fixtures" / "rules"
LINE = re.compile(r"^(error|warning|note) ([a-z-]+): (.*)\n  ([A-Za-z]+)/(\S+) ", re.MULTILINE)
OVERLAY = ("kustomize:apps/shop/overlays/production-eu-west-1",)


def told() -> Iterator[tuple[str, str, str, ResourceKey]]:
    """What the rules say in all fixtures: rule, severity, message, resource."""
    for file in sorted(FIXTURES.glob("*/*/expected.txt")):
        for severity, rule, message, kind, name in LINE.findall(file.read_text()):
            yield rule, severity, message, ResourceKey("v1", kind, "default", name)


ALL = list(told())


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (
            (
                "Service/web sends port 80 to 8081, but Deployment/web declares only 8080 (http): requests to port 80 will "
                "fail. Evidence: the probes use 8080. Add targetPort: 8080."
            ),
            Parts(
                "requests to port 80 will fail",
                ("Service/web sends port 80 to 8081, but Deployment/web declares only 8080 (http).",),
                "the probes use 8080.",
                ("Add targetPort: 8080.",),
            ),
        ),
        (
            (
                "Ingress/web sends traffic to port 9 of Service/web, which has only port 80: 9 is the targetPort, so no "
                "request gets through."
            ),
            Parts(
                "no request gets through",
                (
                    "Ingress/web sends traffic to port 9 of Service/web, which has only port 80: 9 is the targetPort.",
                ),
            ),
        ),
        (
            (
                "This change leaves Service/web without pods, so every request to it fails: it still selects app 'web', "
                "and the pods of Deployment/web have 'shop'."
            ),
            Parts(
                "every request to it fails",
                (
                    (
                        "This change leaves Service/web without pods: it still selects app 'web', and the pods of "
                        "Deployment/web have 'shop'."
                    ),
                ),
            ),
        ),
        (
            "Service/web has port 80 TCP twice. The API server rejects the Service.",
            Parts("the API server rejects the Service", ("Service/web has port 80 TCP twice.",)),
        ),
        (
            "Ingress/web sends traffic to Service/webb, which does not exist here; did you mean Service/web?",
            Parts(
                "",
                ("Ingress/web sends traffic to Service/webb, which does not exist here.",),
                advice=("Did you mean Service/web?",),
            ),
        ),
    ],
)
def test_a_message_in_its_parts(message: str, expected: Parts) -> None:
    assert parts(message) == expected


def test_no_word_of_a_message_is_lost() -> None:
    glue = {"so", "evidence", "and"}
    for _, _, message, _ in ALL:
        found = parts(message)
        again = " ".join((found.harm, *found.cause, found.evidence, *found.advice))
        lost = set(re.findall(r"[\w/']+", message.lower())) - set(re.findall(r"[\w/']+", again.lower()))
        assert lost <= glue, message


def test_nearly_every_error_says_what_comes_of_it() -> None:
    errors = [message for _, severity, message, _ in ALL if severity == "error"]
    without = [message for message in errors if not parts(message).harm]
    assert len(without) < len(errors) * 0.02, without


@given(st.text(max_size=200))
def test_any_message_has_a_beginning(text: str) -> None:
    assert len(parts(text).cause) >= 1
    assert isinstance(harm(replace(RESULT, message=text)), str)


@pytest.mark.parametrize("kind", ["suggestion", "patch", "no fix"])
def test_at_most_so_many_words_stand_before_the_suggestion(kind: str) -> None:
    fix = {"suggestion": FIX, "patch": replace(FIX, edits=FIX.edits * 2), "no fix": None}[kind]
    diff = Diff(changed(), {VALUES: SOURCE})
    counts = []
    for rule, severity, message, resource in ALL:
        one = result(
            rule=rule,
            severity=Severity(severity),
            message=message,
            resource=resource,
            targets=OVERLAY,
            fix=fix,
        )
        found = comment(Cause((one,)), Links("https://github.com/o/r", "1" * 40), diff, "job")
        assert found is not None
        before = re.split(r"```|<details>|<sub>", found.body)[0]
        shown = re.sub(r"\]\([^)]*\)", "]", re.sub(r"<!--.*?-->", "", before))
        counts.append(words(shown))
        assert "`production-eu-west-1`" in shown
    assert max(counts) <= ROOM == 45


def test_the_harm_names_whom_it_strikes() -> None:
    for rule, severity, message, resource in ALL:
        one = result(
            rule=rule, severity=Severity(severity), message=message, resource=resource, targets=OVERLAY
        )
        assert re.search(r"`[A-Z]\w*/[\w.:-]+`", harm(one)) or not parts(message).harm, message


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (
            (
                "This change moves the port of Deployment/cart from 8080 to 8081, but Service/cart still sends port 80 to "
                "8080: one of the two is wrong."
            ),
            "Requests to `Service/cart:80` may fail in `prod`.",
        ),
        (
            "Service/cart has no ports: the API server rejects the Service.",
            "The API server rejects `Service/cart` in `prod`.",
        ),
        (
            "Service/cart has no pods, so every request to it fails.",
            "Every request to `Service/cart` fails in `prod`.",
        ),
        (
            "Ingress/cart asks for port 9: no request gets through.",
            "`Ingress/cart`: no request gets through in `prod`.",
        ),
        ("Service/cart is odd.", "`Service/cart` is odd (in `prod`)."),
    ],
)
def test_how_the_harm_is_told(message: str, expected: str) -> None:
    assert harm(result(message=message, targets=("kustomize:overlays/prod",))) == expected


@pytest.mark.parametrize(
    ("targets", "expected"),
    [
        ((), ""),
        (("manifests:deploy",), ""),
        (("helm:charts/shop",), ""),
        (("kustomize:.",), ""),
        (("kustomize:overlays/prod",), "in <prod>"),
        (("kustomize:a/prod", "kustomize:b/prod"), "in <prod>"),
        (("kustomize:overlays/prod", "kustomize:overlays/stage"), "in <prod> and <stage>"),
        (tuple(f"kustomize:{name}" for name in "abcd"), "in <a>, <b> and 2 more"),
        (("helm:shop?values=values-prod.yaml",), "with <values-prod.yaml>"),
        (("helm:shop?values=a.yaml,/envs/prod.yaml",), "with <prod.yaml>"),
        (("helm:shop", "helm:shop?values=a.yaml"), "with the default values and <a.yaml>"),
        (("helm:shop?values=/apps/shop.yaml#front",), "in release <front>"),
        (("helm:s?values=/a.yaml#x", "helm:s?values=/a.yaml#y"), "in releases <x> and <y>"),
        (("kustomize:o/prod", "helm:s?values=b.yaml"), "in <prod> and with <b.yaml>"),
    ],
)
def test_where(targets: tuple[str, ...], expected: str) -> None:
    assert where(targets, lambda name: f"<{name}>") == expected
