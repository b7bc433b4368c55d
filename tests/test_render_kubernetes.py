"""The version of Kubernetes that a chart wants, and the one that it is rendered for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from portproof.discover.model import Cluster
from portproof.render.engine import Engine
from portproof.render.kubernetes import suitable
from portproof.replacing import replace
from portproof.source import Tree

from .support.rendering import HELMS, chart, engine, failed, helm_target, refused, rendered, write_files

SEEN = {"templates/a.yaml": "kind: A\nseen: {{ .Capabilities.KubeVersion.Version }}\n"}


@pytest.fixture(params=HELMS)
def helm(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    with engine(tmp_path, helm=HELMS[request.param]()) as made:
        yield made


def seen(made: Engine, tree: Tree, cluster: Cluster | None = None) -> str:
    target = replace(helm_target("x"), cluster=cluster or Cluster())
    (document,) = rendered(made.render(target, tree)).documents
    return document.text.rpartition("seen: ")[2].strip()


RANGES = {
    "<1.30": "v1.29.0",
    "~1.24": "v1.24.0",
    ">=1.19.0-0 <1.26.0-0": "v1.25.0",
    "1.20 - 1.27": "v1.27.0",
    "~1.22.0 || ~1.24.0": "v1.24.0",
    ">1.25.3 <1.26": "v1.25.99",
    "1.21.7": "v1.21.7",
}


@pytest.mark.parametrize("wanted", RANGES)
def test_it_is_the_newest_that_the_chart_wants(helm: Engine, tmp_path: Path, wanted: str) -> None:
    tree = write_files(tmp_path / "r", chart("x", SEEN, more=f'kubeVersion: "{wanted}"\n'))
    assert seen(helm, tree) == RANGES[wanted]
    assert seen(helm, Tree(tree.root, {"x/templates/a.yaml": f"{SEEN['templates/a.yaml']}b: 1\n"})).endswith(
        "b: 1"
    )


def test_helms_own_is_kept_where_it_will_do(helm: Engine, tmp_path: Path) -> None:
    plain = write_files(tmp_path / "plain", chart("x", SEEN))
    tree = write_files(tmp_path / "r", chart("x", SEEN, more='kubeVersion: ">=1.20"\n'))
    assert seen(helm, tree) == seen(helm, plain)


def test_what_is_said_of_the_release_counts(helm: Engine, tmp_path: Path) -> None:
    tree = write_files(tmp_path / "r", chart("x", SEEN, more='kubeVersion: "<1.30"\n'))
    assert seen(helm, tree, Cluster("1.21")) == "v1.21"
    failure = failed(helm.render(replace(helm_target("x"), cluster=Cluster("1.33")), tree))
    assert "chart requires kubeVersion" in failure.message


def test_helm_does_not_ask_a_subchart(helm: Engine, tmp_path: Path) -> None:
    more = "kubeVersion: '<1.30'\ndependencies: [{name: sub, version: 0.1.0}]\n"
    files = chart("x", SEEN, more=more) | chart("x/charts/sub", {}, name="sub", more="kubeVersion: '<1.28'\n")
    tree = write_files(tmp_path / "r", files)
    assert seen(helm, tree) in (
        "v1.29.0",
        "v1.27.0",
    )  # helm asks the chart that it is given, and may ask no other


@pytest.mark.parametrize("wanted", [">=9", ">=1.20 <1.10", "<1.30, >=1.31"])
def test_what_no_version_satisfies_is_skipped_with_words(helm: Engine, tmp_path: Path, wanted: str) -> None:
    tree = write_files(tmp_path / "r", chart("x", SEEN, more=f'kubeVersion: "{wanted}"\n'))
    reason = refused(helm.render(helm_target("x"), tree))
    assert reason.startswith(f"chart requires kubeVersion {wanted}, which none up to 1.")
    assert reason.endswith("is; name one under kube-version in portproof.yaml")


def test_several_ranges_have_to_be_met_together() -> None:
    assert suitable(["<1.30", ">=1.26 <1.29"], 35) == "1.28.0"
    assert suitable(["<1.20", ">1.21"], 35) is None
    assert suitable([">=1.36"], 35) is None


ASKING = (
    '{{ if .Values.vpa }}{{ if not (.Capabilities.APIVersions.Has "autoscaling.k8s.io/v1/VerticalPodAutoscaler") }}'
    '{{ fail "there is no VerticalPodAutoscaler in the cluster" }}{{ end }}{{ end }}\n'
    '{{- if and (not (.Capabilities.APIVersions.Has "example.org/v1")) (not (.Capabilities.APIVersions.Has "example.org/v2")) -}}\n'
    '{{ fail "install example.org first" }}\n{{- end }}\n'
    'kind: A\nseen: {{ .Capabilities.APIVersions.Has "autoscaling.k8s.io/v1/VerticalPodAutoscaler" }}\n'
)


def test_the_cluster_has_the_apis_without_which_a_chart_fails(helm: Engine, tmp_path: Path) -> None:
    tree = write_files(tmp_path / "r", chart("x", {"templates/a.yaml": ASKING, "values.yaml": "vpa: true\n"}))
    assert seen(helm, tree) == "true"
    assert seen(helm, Tree(tree.root, {"x/values.yaml": "vpa: true\nport: 1\n"})) == "true"
    assert seen(helm, Tree(tree.root, {"x/values.yaml": "vpa: false\n"})) == "true"


def test_an_api_that_no_template_fails_for_is_not_there(helm: Engine, tmp_path: Path) -> None:
    tree = write_files(
        tmp_path / "r", chart("x", {"templates/a.yaml": ASKING, "values.yaml": "vpa: false\n"})
    )
    assert seen(helm, tree) == "false"


def test_apis_that_are_said_count(helm: Engine, tmp_path: Path) -> None:
    tree = write_files(tmp_path / "r", chart("x", {"templates/a.yaml": ASKING, "values.yaml": "vpa: true\n"}))
    target = replace(helm_target("x"), cluster=Cluster(api_versions=("example.org/v1",)))
    assert "there is no VerticalPodAutoscaler in the cluster" in failed(helm.render(target, tree)).message


@pytest.mark.parametrize("condition", ['.Capabilities.APIVersions.Has "example.org/v1"', ".Values.off"])
def test_a_chart_that_fails_with_an_api_or_for_another_reason_fails(
    helm: Engine, tmp_path: Path, condition: str
) -> None:
    text = f'{{{{ if or (.Capabilities.APIVersions.Has "apps/v1") ({condition}) }}}}{{{{ fail "never here" }}}}{{{{ end }}}}'
    tree = write_files(tmp_path / "r", chart("x", {"templates/a.yaml": text, "values.yaml": "off: false\n"}))
    assert "never here" in failed(helm.render(helm_target("x"), tree)).message
