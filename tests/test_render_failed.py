"""How bad it is that something does not render, and what is said of an ignore that does nothing."""

from __future__ import annotations

from portproof.discover.model import HelmTarget, Install, KustomizeTarget
from portproof.render.model import FailureSite, RenderFailure
from portproof.replacing import replace
from portproof.rules.run import unused_ignore
from portproof.rules.run.render_failed import OtherTargets, other_targets, severity
from portproof.rules.severity import Severity

A, B = HelmTarget("charts/a"), HelmTarget("charts/b")
PROD = HelmTarget("charts/a", ("charts/a/values-prod.yaml",))
INSTALLED = HelmTarget("charts/b", ("apps/b.yaml",), install=Install("b", 0))


def demanded(target: HelmTarget) -> RenderFailure:
    return RenderFailure(target, "give a host", demanded=True)


def nil(target: HelmTarget) -> RenderFailure:
    return RenderFailure(target, "nil pointer", wants="global", has=("image",))


def test_what_is_broken_is_an_error() -> None:
    assert severity([RenderFailure(A, "no such function")], OtherTargets()) is Severity.ERROR
    assert (
        severity([RenderFailure(KustomizeTarget("overlays/prod"), "no such file")], OtherTargets())
        is Severity.ERROR
    )


def test_defaults_that_a_chart_refuses_on_purpose_are_a_note() -> None:
    assert severity([demanded(A)], OtherTargets()) is Severity.NOTE
    assert severity([demanded(A)], OtherTargets(), compared=True) is Severity.WARNING
    assert severity([demanded(INSTALLED)], OtherTargets()) is Severity.ERROR
    assert severity([demanded(PROD), demanded(A)], OtherTargets()) is Severity.NOTE


def test_a_value_that_several_charts_lack_is_given_from_outside() -> None:
    alone, together = [nil(A)], [nil(A), nil(B)]
    assert severity(alone, other_targets((), alone)) is Severity.NOTE
    assert severity(alone, other_targets((), alone), compared=True) is Severity.ERROR
    assert severity(together, other_targets((), together)) is Severity.NOTE
    assert severity(alone, other_targets((), together)) is Severity.NOTE
    assert severity(alone, other_targets((), together), compared=True) is Severity.WARNING


def test_one_chart_with_two_values_files_is_one_chart() -> None:
    twice = [nil(A), nil(PROD)]
    assert severity(twice, other_targets((), twice)) is Severity.ERROR


def test_a_values_file_that_is_an_example_is_not_all_that_a_chart_is_given() -> None:
    for name, expected in (("values.example.yaml", Severity.NOTE), ("values-prod.yaml", Severity.ERROR)):
        failures = [nil(A), nil(HelmTarget("charts/a", (f"charts/a/{name}",)))]
        assert severity(failures, other_targets((), failures)) is expected
    template = HelmTarget("charts/a", ("charts/a/values.project-template.yaml",))
    assert severity([demanded(template)], OtherTargets()) is Severity.NOTE
    assert severity([RenderFailure(template, "no such function")], OtherTargets()) is Severity.ERROR


def test_who_installs_a_chart_gives_all_there_is() -> None:
    together = [nil(A), nil(INSTALLED)]
    assert severity(together, other_targets((), together)) is Severity.ERROR
    others = [nil(A), nil(HelmTarget("charts/c"))]
    assert severity([nil(INSTALLED)], other_targets((), others)) is Severity.ERROR


def test_a_chart_that_renders_with_other_values_lacks_only_values() -> None:
    failure = RenderFailure(A, "nil pointer")
    assert severity([failure], other_targets([PROD], [failure])) is Severity.NOTE
    assert severity([failure], other_targets([B], [failure])) is Severity.ERROR
    assert (
        severity([failure, RenderFailure(B, "nil pointer")], other_targets([PROD], [failure]))
        is Severity.ERROR
    )
    assert severity([RenderFailure(PROD, "nil pointer")], other_targets([A], [])) is Severity.ERROR


def test_a_key_below_one_that_a_chart_has_is_a_value_that_it_lacks() -> None:
    lacking = replace(nil(A), wants="image.registry", has=("image.name", "image.tag"))
    assert severity([lacking], OtherTargets()) is Severity.NOTE
    assert severity([lacking], OtherTargets(), compared=True) is Severity.ERROR
    assert severity([replace(lacking, target=PROD)], OtherTargets()) is Severity.ERROR
    assert severity([replace(lacking, wants="image.tagg")], OtherTargets()) is Severity.ERROR


def test_an_overlay_does_not_excuse_a_chart_in_its_folder() -> None:
    failure = RenderFailure(A, "nil pointer")
    assert severity([failure], other_targets([KustomizeTarget("charts/a")], [failure])) is Severity.ERROR


def test_an_ignore_without_effect_says_why_and_how_it_is_written() -> None:
    assert unused_ignore.without_effect("comment", "it gives no reason") == (
        "This comment suppresses nothing: it gives no reason. Write it as `portproof: ignore[rule] reason`."
    )
    assert unused_ignore.without_effect("annotation", "it names no rule").endswith("`rule reason`.")


def test_an_ignore_without_a_finding_goes_as_far_as_it_is_unused() -> None:
    said = unused_ignore.without_finding("entry", ("a", "b"), ("b",))
    assert said == "Unused ignore: no finding of b matches this entry. Remove b from this entry."
    assert unused_ignore.without_finding("entry", ("a", "b"), ("a", "b")).endswith("Remove this entry.")
    assert unused_ignore.gone("web in helm:a", ("a",)).startswith(
        "web in helm:a no longer has a finding of a. "
    )


def test_values_that_only_their_place_gives_to_a_chart_are_perhaps_not_all() -> None:
    inferred = HelmTarget("charts/a", ("envs/prod.yaml",), inferred=True)
    assert severity([demanded(inferred)], OtherTargets()) is Severity.NOTE
    assert severity([nil(inferred)], OtherTargets()) is Severity.NOTE
    assert severity([RenderFailure(inferred, "can't evaluate field x")], OtherTargets()) is Severity.NOTE
    broken = RenderFailure(inferred, "not YAML", FailureSite("envs/prod.yaml", 2))
    assert severity([broken], OtherTargets()) is Severity.WARNING
    assert severity([demanded(inferred), nil(PROD)], OtherTargets()) is Severity.ERROR
    assert severity([nil(inferred), nil(A)], OtherTargets()) is Severity.NOTE


def test_a_chart_without_values_gets_them_in_layers() -> None:
    failures = [replace(nil(A), has=()), nil(PROD)]
    assert severity(failures, other_targets((), failures)) is Severity.NOTE
    assert severity(failures[1:], other_targets((), failures)) is Severity.NOTE
    assert severity([RenderFailure(PROD, "no such function")], other_targets((), failures)) is Severity.ERROR


def test_values_that_are_meant_to_fail_are_a_note() -> None:
    failing = HelmTarget("charts/a", ("charts/a/ci/tls-failure.yaml",))
    assert severity([demanded(failing)], OtherTargets()) is Severity.NOTE
    assert severity([RenderFailure(failing, "no such function")], OtherTargets()) is Severity.ERROR
    assert severity([demanded(failing), nil(PROD)], OtherTargets()) is Severity.ERROR
    failover = HelmTarget("charts/a", ("charts/a/ci/failover-values.yaml",))
    assert severity([demanded(failover)], OtherTargets(), compared=True) is Severity.ERROR
