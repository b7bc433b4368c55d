"""What comments, annotations and entries of the configuration say, and when one of them can be called unused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from portproof.config import IgnoreConfig
from portproof.discover.model import HelmTarget, KustomizeTarget, ManifestTarget, Mount, Skip, Target
from portproof.errors import ConfigError
from portproof.replacing import replace
from portproof.resources import ResourceKey
from portproof.source import Span, Tree
from portproof.suppressions import baseline, comments, unused
from portproof.suppressions.annotations import annotated_in
from portproof.suppressions.collected import Baseline, SuppressionInputs, Suppressions
from portproof.suppressions.entries import entries
from portproof.suppressions.model import Subject, Suppression, SuppressionSource, fingerprint
from portproof.suppressions.unused import Scope, UnusedSuppression
from tests.support.rules import read

RULE = "service-target-number"
OTHER = "service-selector"
SERVICE = ResourceKey("v1", "Service", "shop", "web-prod")
CHART = HelmTarget("charts/web", mounts=(Mount(".", "charts/web"),))
OVERLAY = KustomizeTarget("overlays/prod", ("base/service.yaml", "overlays/prod/kustomization.yaml"))
FOLDER = ManifestTarget("deploy", ("deploy/web.yaml",))
SUBJECT = Subject(
    RULE, CHART, SERVICE, "spec.ports[0].targetPort", (("charts/web/values.yaml", 3),), "f" * 32
)


# comments


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("port: 80 # portproof: ignore[service-target-number] a sidecar listens\n", 1),
        ("# portproof: ignore[service-target-number] a sidecar listens\nport: 80\n", 2),
        ("  #portproof:ignore [service-target-number]: a sidecar listens\n  port: 80\n", 2),
        ("a: 1\r\n# portproof: ignore[service-target-number] a sidecar listens\r\nport: 80\r\n", 3),
        ("# portproof: ignore[service-target-number] a sidecar listens\n# -- the port\nport: 80\n", 3),
        (
            "# portproof: ignore[service-target-number] a sidecar listens\n{{/* more */}}\n{{- /* yet more */ -}}\np: 1\n",
            4,
        ),
        ("{{/* portproof: ignore[service-target-number] a sidecar listens */}}\nport: 80\n", 2),
        ("{{- /* portproof: ignore[service-target-number] a sidecar listens */ -}}\nport: 80\n", 2),
        ("port: {{/* portproof: ignore[service-target-number] a sidecar listens */}} 80\n", 1),
        ("{{/* portproof: ignore[service-target-number] a sidecar listens */}} port: 80\n", 1),
        ("port: 80 {{- /* portproof: ignore[service-target-number] a sidecar listens */}}\n", 1),
        ("# portproof: ignore[ service-target-number ] - a  sidecar\tlistens\nport: 80", 2),
    ],
)
def test_a_comment_speaks_for_a_line(text: str, line: int) -> None:
    found = comments.read("values.yaml", text)
    (ignore,) = found.ignores
    assert (ignore.problem, ignore.rules, ignore.reason) == ("", (RULE,), "a sidecar listens")
    assert found.by_line == {line: (ignore,)}
    assert ignore.span is not None
    assert text[ignore.span.start : ignore.span.end] == ignore.text
    assert ignore.text.startswith(("#", "{{"))


@pytest.mark.parametrize(
    "text",
    [
        "port: 80\n",
        "# portproof: what a fine program\n",
        "# portproof ignore[service-target-number] a sidecar listens\n",
        "url: http://example.org/a#portproof: ignore[service-target-number] no comment\n",
        "# portproof: ignored\n",
        "portproof: ignore[service-target-number] no comment\n",
    ],
)
def test_other_text_is_no_ignore(text: str) -> None:
    assert comments.read("values.yaml", text).ignores == ()


def test_several_rules_and_several_comments() -> None:
    text = (
        "# portproof: ignore[service-target-number, service-selector] one\n"
        "# portproof: ignore[service-selector] two\n"
        "port: 80 # portproof: ignore[host-port] three\n"
    )
    found = comments.read("values.yaml", text)
    assert [one.rules for one in found.ignores] == [(RULE, OTHER), (OTHER,), ("host-port",)]
    assert found.by_line == {3: found.ignores}


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ("ignore", "it names no rule"),
        ("ignore service-selector the operator does it", "it names no rule"),
        ("ignore[] because", "it names no rule"),
        ("ignore[ , ] because", "it names no rule"),
        ("ignore[*] because", "it must name its rules, and * is not a rule"),
        ("ignore[service-selector, *] because", "it must name its rules, and * is not a rule"),
        ("ignore[service-selector]", "it gives no reason"),
        ("ignore[service-selector]  ", "it gives no reason"),
        ("ignore[service-selector] --", "it gives no reason"),
        (
            "ignore[service-selektor] because",
            "there is no rule 'service-selektor'. Did you mean service-selector? Run `portproof rules` to list them.",
        ),
        ("ignore[unused-ignore] because", "unused-ignore can only be switched off in portproof.yaml"),
    ],
)
@pytest.mark.parametrize("form", ["# portproof: {}\nport: 80\n", "{{{{/* portproof: {} */}}}}\nport: 80\n"])
def test_a_comment_that_does_not_count_says_why(form: str, words: str, problem: str) -> None:
    found = comments.read("values.yaml", form.format(words))
    (ignore,) = found.ignores
    assert ignore.problem == problem
    assert found.by_line == {}
    assert problem in UnusedSuppression(ignore).message


def test_an_empty_line_parts_a_comment_from_what_follows() -> None:
    found = comments.read("v.yaml", "# portproof: ignore[service-selector] because\n\nport: 80\n")
    assert list(found.by_line) == [2]


@pytest.mark.parametrize(
    "text", ["# portproof: ignore[" + " ," * 200_000, "{{/* portproof: ignore" + "*/ " * 200_000]
)
def test_a_hostile_comment_costs_little(text: str) -> None:
    (ignore,) = comments.read("v.yaml", text).ignores
    assert ignore.problem


# annotations


def annotated(value: str) -> tuple[Suppression, ...]:
    metadata = {"name": "web", "annotations": {"portproof/ignore": value}}
    (found,) = annotated_in(read(json.dumps({"apiVersion": "v1", "kind": "Service", "metadata": metadata})))
    assert found.site.value == value
    return found.ignores


def test_an_annotation_has_a_rule_and_a_reason_on_each_line() -> None:
    found = annotated(
        "service-selector the operator, as always\n\n  host-port,probe-port-name , host-port two\n"
    )
    assert [(one.rules, one.reason, one.problem) for one in found] == [
        ((OTHER,), "the operator, as always", ""),
        (("host-port", "probe-port-name", "host-port"), "two", ""),
    ]


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("", "it names no rule"),
        ("service-selector", "it gives no reason"),
        ("* because", "it must name its rules, and * is not a rule"),
        (
            "service-selector: because",
            "there is no rule 'service-selector:'. Did you mean service-selector? Run `portproof rules` to list them.",
        ),
    ],
)
def test_an_annotation_that_does_not_count_says_why(value: str, problem: str) -> None:
    assert [one.problem for one in annotated(value)] == [problem]


@pytest.mark.parametrize("metadata", ["{}", "{annotations: []}", "{annotations: {other: x}}", "[]", "null"])
def test_other_metadata_is_no_annotation(metadata: str) -> None:
    assert annotated_in(read(f"apiVersion: v1\nkind: Service\nmetadata: {metadata}\n")) == ()


# entries of the configuration


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (IgnoreConfig((RULE,), "r"), True),
        (IgnoreConfig((OTHER, RULE), "r"), True),
        (IgnoreConfig((OTHER,), "r"), False),
        (IgnoreConfig((RULE,), "r", path="charts/*/values.yaml"), True),
        (IgnoreConfig((RULE,), "r", path="charts/**"), True),
        (IgnoreConfig((RULE,), "r", path="charts/web"), False),
        (IgnoreConfig((RULE,), "r", resource=("Service", "web-prod")), True),
        (IgnoreConfig((RULE,), "r", resource=("Service", "web*")), True),
        (IgnoreConfig((RULE,), "r", resource=("*", "shop", "*")), True),
        (IgnoreConfig((RULE,), "r", resource=("Service", "default", "web-prod")), False),
        (IgnoreConfig((RULE,), "r", resource=("Deployment", "*")), False),
        (IgnoreConfig((RULE,), "r", target="helm:charts/*"), True),
        (IgnoreConfig((RULE,), "r", target="kustomize:*"), False),
        (IgnoreConfig((RULE,), "r", path="charts/**", resource=("Deployment", "*")), False),
    ],
)
def test_an_entry_means_what_all_its_keys_mean(entry: IgnoreConfig, expected: bool) -> None:
    (found,) = entries([entry], "portproof.yaml")
    assert found.means(SUBJECT) is expected


def test_an_entry_for_a_place_says_nothing_where_no_place_is_known() -> None:
    by_path, by_resource = entries(
        [IgnoreConfig((RULE,), "r", path="**"), IgnoreConfig((RULE,), "r", resource=("*", "*"))], None
    )
    assert not by_path.means(replace(SUBJECT, lines=()))
    assert not by_resource.means(replace(SUBJECT, resource=None))


# the baseline


def test_a_baseline_reads_what_it_writes(tmp_path: Path) -> None:
    failed = Subject("render-failed", OVERLAY, None, "", (), "0" * 32)
    text = baseline.written([SUBJECT, failed, SUBJECT])
    assert text == baseline.written([failed, SUBJECT])
    file = tmp_path / "baseline.json"
    file.write_text(text)
    known = baseline.read(file, "baseline.json", "baseline.json").known
    assert {print_: (one.target, one.about) for print_, one in known.items()} == {
        "f" * 32: ("helm:charts/web", "shop/Service/web-prod spec.ports[0].targetPort"),
        "0" * 32: ("kustomize:overlays/prod", ""),
    }
    for print_, one in known.items():
        span = one.ignore.span
        assert span is not None
        assert text[span.start : span.end] == f'"{print_}"'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "b.json: not a baseline: Input data was truncated"),
        ("[]", "b.json: not a baseline: Expected `object`, got `array`"),
        (
            '{"schema": "x", "findings": [{}]}',
            "b.json: not a baseline: Object missing required field `fingerprint`",
        ),
        ('{"schema": "portproof/baseline/2", "findings": []}', "b.json: unknown baseline version"),
    ],
)
def test_a_file_that_is_no_baseline_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "b.json").write_text(text)
    with pytest.raises(ConfigError) as caught:
        baseline.read(tmp_path / "b.json", "b.json", None)
    assert str(caught.value).startswith(message)
    assert "--write-baseline" in caught.value.next_step


# all of them


def test_what_stands_nearest_is_named_and_all_count_as_used(tmp_path: Path) -> None:
    (tmp_path / "charts" / "web").mkdir(parents=True)
    (tmp_path / "charts" / "web" / "values.yaml").write_text(
        "a: 1\nb: 2\nport: 80 # portproof: ignore[service-target-number] near\n"
    )
    print_ = fingerprint(CHART, "x")
    (tmp_path / "b.json").write_text(baseline.written([replace(SUBJECT, fingerprint=print_)]))
    given = SuppressionInputs(
        entries([IgnoreConfig((RULE,), "far")], "portproof.yaml"),
        baseline.read(tmp_path / "b.json", "b.json", "b.json"),
    )
    suppressions = Suppressions(given, Tree(tmp_path), {})
    found = suppressions.of(replace(SUBJECT, fingerprint=print_))
    assert [(one.source, one.reason) for one in found][:2] == [
        (SuppressionSource.COMMENT, "near"),
        (SuppressionSource.CONFIG, "far"),
    ]
    assert found[2].source is SuppressionSource.BASELINE
    assert suppressions.of(replace(SUBJECT, rule=OTHER)) == ()


def test_a_baseline_learns_only_what_nothing_else_leaves_out(tmp_path: Path) -> None:
    given = SuppressionInputs(entries([IgnoreConfig((OTHER,), "known")], None), learn=True)
    suppressions = Suppressions(given, Tree(tmp_path), {})
    assert [one.source for one in suppressions.of(SUBJECT)] == [SuppressionSource.BASELINE]
    assert [one.source for one in suppressions.of(replace(SUBJECT, rule=OTHER))] == [SuppressionSource.CONFIG]


# what is unused


def scope(*left: Target, skips: tuple[Skip, ...] = ()) -> Scope:
    return Scope(tuple(one for one in (CHART, OVERLAY, FOLDER) if one not in left), left, skips)


def comment(path: str, *rules: str) -> Suppression:
    return Suppression(SuppressionSource.COMMENT, rules or (RULE,), "r", "# ...", Span(path, 0, 5))


VALUES = comment("charts/web/values.yaml")
BASE = comment("base/service.yaml")


@pytest.mark.parametrize(
    ("ignore", "looked", "expected"),
    [
        (VALUES, scope(), True),
        (VALUES, scope(OVERLAY), True),
        (VALUES, scope(CHART), False),
        (
            VALUES,
            scope(HelmTarget("charts/web", ("charts/web/ci/a.yaml",), mounts=(Mount(".", "charts/web"),))),
            False,
        ),
        (VALUES, scope(skips=(Skip("helm", "charts/web", "encrypted"),)), False),
        (VALUES, scope(skips=(Skip("helm", "charts/other", "remote"),)), True),
        (VALUES, scope(skips=(Skip("kustomize", "overlays/dev", "remote"),)), True),
        (BASE, scope(CHART), True),
        (BASE, scope(OVERLAY), False),
        (BASE, scope(skips=(Skip("kustomize", "overlays/dev", "remote"),)), False),
        (comment("charts/web/values.yaml", "caller-service-port"), scope(), True),
        (comment("charts/web/values.yaml", "caller-service-port"), scope(FOLDER), False),
        (replace(VALUES, span=None), scope(), True),
        (replace(VALUES, span=None), scope(FOLDER), False),
    ],
)
def test_a_comment_is_unused_only_when_all_that_reads_it_was_rendered(
    ignore: Suppression, looked: Scope, expected: bool
) -> None:
    seen = unused.seen_by(UnusedSuppression(ignore, ignore.rules), looked)
    assert unused.is_seen_through(seen, complete=looked.complete) is expected


@pytest.mark.parametrize(
    ("entry", "looked", "expected"),
    [
        (IgnoreConfig((RULE,), "r"), scope(), True),
        (IgnoreConfig((RULE,), "r"), scope(FOLDER), False),
        (IgnoreConfig((RULE,), "r", target="helm:*"), scope(FOLDER), True),
        (IgnoreConfig((RULE,), "r", target="helm:*"), scope(CHART), False),
        (IgnoreConfig((RULE,), "r", path="charts/**"), scope(FOLDER), True),
        (IgnoreConfig((RULE,), "r", path="charts/**"), scope(CHART), False),
        (IgnoreConfig((RULE,), "r", path="**/values.yaml"), scope(CHART), False),
        (IgnoreConfig((RULE,), "r", path="charts/web/values.yaml"), scope(CHART), False),
        (IgnoreConfig((RULE,), "r", path="base/*"), scope(OVERLAY), False),
        (IgnoreConfig((RULE,), "r", path="deploy/*"), scope(OVERLAY), True),
        (
            IgnoreConfig((RULE,), "r", path="deploy/*"),
            scope(skips=(Skip("helm", "charts/a", "remote"),)),
            True,
        ),
        (
            IgnoreConfig((RULE,), "r", path="charts/a/*"),
            scope(skips=(Skip("helm", "charts/a", "remote"),)),
            False,
        ),
        (IgnoreConfig(("caller-service-port",), "r", path="charts/**"), scope(FOLDER), False),
    ],
)
def test_an_entry_is_unused_only_when_all_that_it_can_mean_was_rendered(
    tmp_path: Path, entry: IgnoreConfig, looked: Scope, expected: bool
) -> None:
    suppressions = Suppressions(SuppressionInputs(entries([entry], "portproof.yaml")), Tree(tmp_path), {})
    (found,) = unused.unused_given(suppressions, (), {RULE, "caller-service-port"}, looked)
    assert unused.is_seen_through(found, complete=looked.complete) is expected
    assert list(unused.unused_given(suppressions, (), {OTHER}, looked)) == []


@pytest.mark.parametrize(
    ("looked", "expected"),
    [
        (scope(), True),
        (scope(CHART), False),
        (scope(OVERLAY), True),
        (scope(skips=(Skip("helm", "charts/web", "encrypted", ("x",)),)), False),
    ],
)
def test_a_known_finding_is_gone_only_when_its_target_was_rendered(
    tmp_path: Path, looked: Scope, expected: bool
) -> None:
    (tmp_path / "b.json").write_text(baseline.written([SUBJECT]))
    known: Baseline = baseline.read(tmp_path / "b.json", "b.json", "b.json")
    suppressions = Suppressions(SuppressionInputs(baseline=known), Tree(tmp_path), {})
    (found,) = unused.unused_given(suppressions, (), {RULE}, looked)
    gone = (
        "shop/Service/web-prod spec.ports[0].targetPort in helm:charts/web no longer has a finding of "
        "service-target-number. Remove this entry, or write the baseline again."
    )
    assert found.message == gone
    assert unused.is_seen_through(found, complete=looked.complete) is expected


def test_only_the_rules_that_left_nothing_out_are_named() -> None:
    ignore = comment("charts/web/values.yaml", RULE, OTHER, "host-port")
    (found,) = unused.unused([ignore], {(ignore, RULE)}, {RULE, OTHER})
    assert found.rules == (OTHER,)
    assert found.message.endswith("Remove service-selector from this comment.")
    assert list(unused.unused([ignore], {(ignore, RULE), (ignore, OTHER)}, {RULE, OTHER})) == []
