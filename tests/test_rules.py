from __future__ import annotations

import importlib
import os
import pkgutil
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portproof import rules
from portproof.graph import references
from portproof.graph.evidence import is_near_miss
from portproof.graph.names import distance, is_digits, is_near_name, label_problem, port_name_problem
from portproof.rules.base import Severity
from portproof.rules.listing import listed
from tests.support.rules import RULES, base, described, findings, keys, read, remedied, rows

FIXTURES = Path(__file__).parent.parent / "fixtures" / "rules"
GRAPHLESS = {
    "connectivity-failed",
    "render-failed",
    "target-unchecked",
    "unused-ignore",
}  # their findings come from the run, not from a graph
CLAIMS = sorted(path for path in FIXTURES.glob("*/*") if path.is_dir())
OURS = sorted(set(RULES) - GRAPHLESS)


def examples(page: str, heading: str) -> Iterator[str]:
    """The YAML blocks under ``Bad::`` or ``Bad (a typo)::``."""
    for match in re.finditer(
        rf"^{heading}(?: \([^)]*\))?::\n\n((?:(?: {{4}}.*)?\n)+)", page + "\n", re.MULTILINE
    ):
        yield "\n".join(line[4:] for line in match[1].splitlines())


@pytest.mark.parametrize("rule_id", OURS)
def test_bad_examples_are_found(rule_id: str) -> None:
    rule = RULES[rule_id]
    bad = list(examples(rule.page, "Bad"))
    assert bad
    for text in bad:
        found = findings(rule, text)
        assert found, text
        assert all(finding.severity.rank >= rule.severity.rank for finding in found)


@pytest.mark.parametrize("rule_id", OURS)
def test_good_examples_are_silent(rule_id: str) -> None:
    rule = RULES[rule_id]
    good = list(examples(rule.page, "Good"))
    assert good
    for text in good:
        assert described(rule, findings(rule, text)) == ""


@pytest.mark.parametrize("rule_id", OURS)
def test_good_examples_are_healthy(rule_id: str) -> None:
    for text in examples(RULES[rule_id].page, "Good"):
        assert keys(read(text), rows(text), base(text)) == set()


def test_what_is_listed_is_what_the_modules_say() -> None:
    names = [found.name for found in pkgutil.walk_packages(rules.__path__, "portproof.rules.")]
    modules = [importlib.import_module(name) for name in names]
    loaded = {module.__name__: module.RULE for module in modules if hasattr(module, "RULE")}
    assert {name.split(".")[-1]: rule.id.replace("-", "_") for name, rule in loaded.items()} == {
        name.split(".")[-1]: name.split(".")[-1] for name in loaded
    }
    assert {f"portproof.rules.{one.module}" for one in listed()} == set(loaded)
    assert {rule.id: (rule.severity, rule.summary) for rule in loaded.values()} == {
        one.id: (one.severity, one.summary) for one in listed()
    }
    assert [one.id for one in listed()] == [rule.id for rule in rules.all_rules()] == sorted(RULES)


def hold(folder: Path, *, accept: bool) -> None:
    """Hold what the rule says against the folder's ``expected.txt``, or write it there."""
    rule = RULES[folder.parent.name]
    actual = described(rule, findings(rule, (folder / "input.yaml").read_text()))
    # A claim that begins with ok- says that there is no finding, and no other does: that cannot be accepted away.
    assert (actual == "") == folder.name.startswith("ok-"), actual
    expected = folder / "expected.txt"
    if accept:
        expected.write_text(actual, encoding="utf-8")
    assert actual == expected.read_text(encoding="utf-8")


@pytest.mark.parametrize("folder", CLAIMS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_claim(folder: Path, pytestconfig: pytest.Config) -> None:
    hold(folder, accept=pytestconfig.getoption("--accept"))


def test_only_what_a_claim_says_can_be_accepted(tmp_path: Path) -> None:
    claim = next(path for path in CLAIMS if not path.name.startswith("ok-"))
    copy = shutil.copytree(claim, tmp_path / claim.parent.name / claim.name)
    (copy / "expected.txt").write_text("something else\n")
    with pytest.raises(AssertionError):
        hold(copy, accept=False)
    assert (copy / "expected.txt").read_text() == "something else\n"

    hold(copy, accept=True)
    assert (copy / "expected.txt").read_text() == (claim / "expected.txt").read_text()

    quiet = copy.rename(copy.with_name("ok-or-not"))
    (quiet / "expected.txt").write_text("")
    with pytest.raises(AssertionError):
        hold(quiet, accept=True)
    assert (quiet / "expected.txt").read_text() == ""


def test_ci_accepts_nothing() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--accept", "--collect-only", "-p", "no:cacheprovider", __file__],
        env=os.environ | {"CI": "true"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == pytest.ExitCode.USAGE_ERROR, done.stdout
    assert "--accept" in done.stderr


@pytest.mark.parametrize("rule_id", OURS)
def test_every_rule_has_claims(rule_id: str) -> None:
    names = [folder.name for folder in CLAIMS if folder.parent.name == rule_id]
    assert [name for name in names if name.startswith("ok-")]
    assert [name for name in names if not name.startswith("ok-")]


def test_claims_belong_to_rules() -> None:
    assert {folder.parent.name for folder in CLAIMS} <= set(RULES)


def texts() -> Iterator[tuple[str, str]]:
    """What has findings; that the claims which begin with ok- have none is asserted of each of them."""
    for folder in CLAIMS:
        if folder.name.startswith("ok-"):
            continue
        yield f"{folder.parent.name}/{folder.name}", (folder / "input.yaml").read_text()
    for rule_id in OURS:
        for index, text in enumerate(examples(RULES[rule_id].page, "Bad")):
            yield f"{rule_id}/page-{index}", text


@pytest.mark.parametrize(("name", "text"), [pytest.param(*pair, id=pair[0]) for pair in texts()])
def test_remedies_cure_and_break_nothing(name: str, text: str) -> None:
    rule = RULES[name.partition("/")[0]]
    resources = read(text)
    further, past = rows(text), base(text)
    before = keys(resources, further, past)
    found = findings(rule, text)
    assert found
    for finding in found:
        own = {
            key
            for key in before
            if key == (rule.id, str(finding.primary.resource), _path(finding.primary.identity))
        }
        for remedy in finding.remedies:
            after = keys(remedied(resources, remedy), further, past)
            assert not own & after, f"{remedy.description} does not cure {finding.message}"
            assert after <= before, f"{remedy.description} brings {after - before}"
        if finding.expected is not None:
            values = [
                value
                for remedy in finding.remedies
                for site, value in remedy.changes
                if site == finding.primary
            ]
            assert finding.expected in values


def _path(path: tuple[str | int, ...]) -> str:
    from portproof.yamldoc import format_path

    return format_path(path)


PORTS = st.integers(min_value=1, max_value=65535)
NAMES = st.text(alphabet="abhtp-129.", max_size=18)


@given(PORTS, PORTS)
def test_a_near_miss_is_symmetric(one: int, other: int) -> None:
    assert is_near_miss(one, other) == is_near_miss(other, one)
    assert not is_near_miss(one, one)


@given(NAMES, NAMES)
def test_nearness_of_names_is_symmetric(one: str, other: str) -> None:
    assert is_near_name(one, other) == is_near_name(other, one)
    assert distance(one, other) == distance(other, one)
    assert (distance(one, other) == 0) == (one == other)
    assert not is_near_name(one, one)


@given(st.text(alphabet="azAZ09-_.é", max_size=18))
def test_port_names_are_what_apimachinery_takes(text: str) -> None:
    # IsValidPortName, in its own words
    valid = (
        1 <= len(text) <= 15
        and re.fullmatch(r"[-a-z0-9]+", text) is not None
        and re.search(r"[a-z]", text) is not None
        and "--" not in text
        and text[0] != "-"
        and text[-1] != "-"
    )
    placeholder = re.fullmatch(r"_*[A-Z0-9]+(_[A-Z0-9]+)+_*|__[A-Z0-9]+__", text) is not None
    assert (port_name_problem(text) == "") == (valid or placeholder)


@given(st.text(alphabet="az09-A", max_size=70))
def test_service_port_names_are_dns_labels(text: str) -> None:
    valid = len(text) <= 63 and re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", text) is not None
    assert (label_problem(text) == "") == valid


@pytest.mark.parametrize(
    ("one", "other"),
    [(8080, 8081), (8080, 8088), (8080, 8008), (9999, 10000), (3000, 3001), (5432, 5423)],
)
def test_slips_of_the_hand(one: int, other: int) -> None:
    assert is_near_miss(one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [(80, 8080), (8080, 9090), (3000, 8080), (80, 443), (9200, 9300), (6650, 6651), (6379, 26379)],
)
def test_different_ports(one: int, other: int) -> None:
    assert not is_near_miss(one, other)


@pytest.mark.parametrize(
    ("one", "other"), [("http", "htpp"), ("http", "htp"), ("metrics", "metric"), ("frontend", "frontned")]
)
def test_slips_in_names(one: str, other: str) -> None:
    assert is_near_name(one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("http", "https"),
        ("web-http", "web-https"),
        ("web-1", "web-2"),
        ("grpc", "http"),
        ("http", "http2"),
        ("a", "b"),
        ("frontend-a", "frontend-b"),
        ("frontend", "frontend-b"),
        ("a-frontend", "frontend"),
    ],
)
def test_names_meant_to_differ(one: str, other: str) -> None:
    assert not is_near_name(one, other)


def test_digits() -> None:
    assert is_digits("8080")
    assert not any(is_digits(value) for value in ("", "80a", "-80", 8080, None, "٣"))


def test_severities_are_ordered() -> None:
    assert [one.rank for one in Severity] == [0, 1, 2]


def test_every_relation_of_the_table_has_a_rule_that_asks_for_it() -> None:
    asked = "".join(file.read_text() for file in Path(rules.__path__[0]).rglob("*.py"))
    for relation in {row.relation for row in references.ROWS}:
        assert f"Relation.{relation.name}" in asked
