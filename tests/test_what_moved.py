"""What moved, what stayed, what else is said: which of it is an error, a warning, or nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portproof.graph import link
from portproof.rules.base import Trait
from tests.support.rules import RULES, read

OLD, NEW = 8080, 3000
SETTINGS = ("variable", "argument", "file")
SAID = ("probe", *SETTINGS, "annotation", "policy")
"""Whatever else may say the number that the Service's target and the declared port say."""
PARTS = ("target", "declared", *SAID)


def service(target: object) -> str:
    return f"""
apiVersion: v1
kind: Service
metadata: {{name: web}}
spec:
  selector: {{app: web}}
  ports: [{{name: http, port: 80, targetPort: {target}}}]
"""


def config(number: int) -> str:
    return f"""
apiVersion: v1
kind: ConfigMap
metadata: {{name: web}}
data: {{web.conf: "server:\\n  listen {number};\\n"}}
"""


def policy(number: int) -> str:
    return f"""
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {{name: web}}
spec:
  podSelector: {{matchLabels: {{app: web}}}}
  ingress: [{{ports: [{{port: {number}}}]}}]
"""


def pods(says: Mapping[str, int], image: int) -> str:
    fields = [
        f"readinessProbe: {{tcpSocket: {{port: {says['probe']}}}}}" if "probe" in says else "",
        f'env: [{{name: STORE_PORT, value: "{says["variable"]}"}}]' if "variable" in says else "",
        f'args: ["--listen=:{says["argument"]}"]' if "argument" in says else "",
        "volumeMounts: [{name: conf, mountPath: /etc/web}]" if "file" in says else "",
    ]
    scraped = f', annotations: {{prometheus.io/port: "{says["annotation"]}"}}' if "annotation" in says else ""
    own = "".join(f"          {one}\n" for one in fields if one)
    volumes = "      volumes: [{name: conf, configMap: {name: web}}]\n" if "file" in says else ""
    return f"""
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web}}
spec:
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}{scraped}}}
    spec:
      containers:
        - name: web
          image: registry.example.org/web:{image}
          ports: [{{name: http, containerPort: {says["declared"]}}}]
{own}{volumes}"""


def rendered(says: Mapping[str, int], *, target: object = None, image: int = 1) -> list[str]:
    """What is deployed when each part that is there says its number."""
    return [
        service(says["target"] if target is None else target),
        pods(says, image),
        *([config(says["file"])] if "file" in says else []),
        *([policy(says["policy"])] if "policy" in says else []),
    ]


def found(base: Iterable[str] | None, head: Iterable[str]) -> set[tuple[str, str]]:
    """Rule and severity of all that is said of the change: not by rules that compare values of one revision."""
    past = None if base is None else link.build(read("---".join(base)))
    graph = link.build(read("---".join(head)), base=past)
    asked = [rule for rule in RULES.values() if not rule.traits & {Trait.VALUES, Trait.WHAT_IF}]
    return {(rule.id, one.severity.value) for rule in asked for one in rule.check(graph)}


def change(said: Collection[str], moved: Collection[str], *, target: object = None) -> set[tuple[str, str]]:
    """What is said where `said` is there beside target and declaration, and `moved` moves; ``image`` may move, too."""
    there = ["target", "declared", *said]
    base = rendered(dict.fromkeys(there, OLD), target=target)
    says = {one: NEW if one in moved else OLD for one in there}
    return found(base, rendered(says, target=target, image=2 if "image" in moved else 1))


SERVICE, PROBE, SETTING = "service-target-number", "probe-port-number", "listening-port"
POLICY, SCRAPE = "network-policy-service-port", "scrape-annotation-port"

Row = tuple[str, str, Mapping[str, str]]
TABLE: tuple[Row, ...] = (
    # the Service's target alone
    ("", "target", {SERVICE: "warning"}),
    ("annotation", "target", {SERVICE: "warning"}),
    ("probe", "target", {SERVICE: "error"}),
    ("variable", "target", {SERVICE: "error"}),
    ("argument", "target", {SERVICE: "error"}),
    ("file", "target", {SERVICE: "error"}),
    ("policy", "target", {SERVICE: "warning"}),
    # the Service's target and what tells the program
    ("", "target image", {}),
    ("probe", "target probe", {}),
    ("variable", "target variable", {}),
    ("argument", "target argument", {}),
    ("file", "target file", {}),
    ("annotation", "target annotation", {}),
    ("probe variable", "target variable", {SETTING: "warning"}),
    # the declaration alone
    ("", "declared", {SERVICE: "warning"}),
    ("probe", "declared", {SERVICE: "warning"}),
    ("policy", "declared", {SERVICE: "warning"}),
    ("variable", "declared", {}),
    ("argument", "declared", {}),
    ("file", "declared", {}),
    # the declaration and what tells the program: the Service is left behind
    ("", "declared image", {SERVICE: "warning"}),
    ("probe", "declared probe", {SERVICE: "error"}),
    ("variable", "declared variable", {SERVICE: "error"}),
    ("argument", "declared argument", {SERVICE: "error"}),
    ("file", "declared file", {SERVICE: "error"}),
    # a setting alone: the program moves, traffic does not
    ("variable", "variable", {SETTING: "warning"}),
    ("argument", "argument", {SETTING: "warning"}),
    ("file", "file", {SETTING: "warning"}),
    ("variable argument", "argument", {}),
    # something is left behind by both ends
    ("probe", "target declared", {PROBE: "warning"}),
    ("policy", "target declared", {POLICY: "warning"}),
    ("annotation", "target declared", {SCRAPE: "warning"}),
    ("probe argument", "target declared argument", {PROBE: "warning"}),
    # what says it alone
    ("probe", "probe", {}),
    ("annotation", "annotation", {}),
    ("policy", "policy", {POLICY: "warning"}),
)


@pytest.mark.parametrize(
    ("said", "moved", "expected"), TABLE, ids=lambda one: one if isinstance(one, str) else ""
)
def test_what_is_said_of_a_number(said: str, moved: str, expected: Mapping[str, str]) -> None:
    assert change(said.split(), moved.split()) == set(expected.items())


BY_NAME: tuple[Row, ...] = (
    ("", "declared", {}),
    ("probe", "declared", {PROBE: "warning"}),
    ("policy", "declared", {POLICY: "warning"}),
    ("annotation", "declared", {SCRAPE: "warning"}),
    ("variable", "variable", {SETTING: "warning"}),
    ("file", "file", {SETTING: "warning"}),
    ("variable", "declared variable", {}),
    ("probe policy", "declared probe policy", {}),
)


@pytest.mark.parametrize(
    ("said", "moved", "expected"), BY_NAME, ids=lambda one: one if isinstance(one, str) else ""
)
def test_a_target_by_name_goes_where_the_declaration_goes(
    said: str, moved: str, expected: Mapping[str, str]
) -> None:
    assert change(said.split(), moved.split(), target="http") == set(expected.items())


@pytest.mark.parametrize("target", [None, "http"])
@pytest.mark.parametrize(
    "said", [said for count in range(len(SAID) + 1) for said in combinations(SAID, count)], ids=" ".join
)
def test_what_moves_together_is_quiet(said: tuple[str, ...], target: str | None) -> None:
    assert change(said, PARTS, target=target) == set()
    assert change(said, [*PARTS, "image"], target=target) == set()
    assert change(said, [], target=target) == change(said, ["image"], target=target) == set()


@given(st.sets(st.sampled_from(SAID)), st.sets(st.sampled_from(PARTS)))
def test_an_error_needs_a_witness(said: set[str], moved: set[str]) -> None:
    """Where only declarations speak, nothing is sure: the pods may well listen where they do not say so."""
    found = change(said, moved)
    errors = {rule for rule, severity in found if severity == "error"}
    tells = {one for one in ("probe", *SETTINGS) if one in said}
    assert errors <= {SERVICE}
    if errors:
        assert len(moved & {"target", "declared"}) == 1
        assert tells - moved if "target" in moved else tells & moved


ASIDE = "        - {name: aside, image: registry.example.org/aside:1}\n"


@given(st.sets(st.sampled_from(SAID)), st.sets(st.sampled_from(PARTS)), st.permutations(range(4)))
def test_order_says_nothing(said: set[str], moved: set[str], order: list[int]) -> None:
    there = ["target", "declared", *said]
    base = rendered(dict.fromkeys(there, OLD))
    head = rendered({one: NEW if one in moved else OLD for one in there})
    turned = [head[index] for index in order if index < len(head)]
    pods = turned.index(head[1])
    turned[pods] = turned[pods].replace("containers:\n", f"containers:\n{ASIDE}")
    assert found(base, turned) == found(base, head)


@pytest.mark.parametrize(
    "before",
    [
        ("name: web}", "name: web-5d9f}"),
        ("- name: web\n", "- name: server\n"),
        ("name: web}\nspec:\n  selector: {matchLabels", "name: store}\nspec:\n  selector: {matchLabels"),
    ],
)
def test_another_name_does_not_hide_a_move(before: tuple[str, str]) -> None:
    base = rendered({"target": OLD, "declared": OLD})
    head = rendered({"target": OLD, "declared": NEW})
    assert (SERVICE, "warning") in found([base[0], base[1].replace(*before)], head)


@pytest.mark.parametrize("said", SAID)
def test_a_base_that_is_the_same_says_nothing(said: str) -> None:
    for number in (OLD, NEW, 8081):
        head = rendered({"target": OLD, "declared": OLD, said: number})
        assert found(head, head) == found(None, head)
