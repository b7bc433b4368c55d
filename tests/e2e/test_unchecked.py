"""A change cannot end a check unseen: charts, overlays and manifests x links, remote parts, deleted files, folders."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.program import Program, Repository
from tests.e2e.test_base import manifests

Make = Callable[[str], Repository]
Change = Callable[[Path], object]

TEMPLATE = manifests(8080).replace("targetPort: 8080", "targetPort: {{ .Values.target }}")
FILES = {
    "charts/web/Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.0.0\n",
    "charts/web/values.yaml": "target: 8080\n",
    "charts/web/values-prod.yaml": "target: 8080\n",
    "charts/web/templates/all.yaml": TEMPLATE,
    "base/kustomization.yaml": "resources: [all.yaml]\n",
    "base/all.yaml": manifests(8080, name="base"),
    "overlays/prod/kustomization.yaml": "resources: [../../base]\npatches: [{path: patch.yaml}]\n",
    "overlays/prod/patch.yaml": "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: base}\nspec: {replicas: 2}\n",
    "overlays/dev/kustomization.yaml": "resources: [../../base]\nnamePrefix: dev-\n",
    "k8s/svc.yaml": manifests(8080, name="plain"),
    "k8s/other.yaml": manifests(8080, name="other"),
}
CHARTS = ["helm:charts/web", "helm:charts/web?values=values-prod.yaml"]
PROD, PLAIN = ["kustomize:overlays/prod"], ["manifests:k8s"]
Lost = tuple[str, list[str]]
"""Where the change is said to end the check, and of what."""


@pytest.fixture
def repository(make_repository: Make) -> Repository:
    found = make_repository("")
    found.write(FILES)
    found.commit()
    return found


def linked(path: str, to: str) -> Change:
    """Put a link in the place of a file or folder."""

    def change(root: Path) -> None:
        deleted(path)(root)
        (root / path).symlink_to(to)

    return change


def new_link(path: str, to: str) -> Change:
    return lambda root: (root / path).symlink_to(to)


def steps(*changes: Change) -> Change:
    """One change after the other."""

    def change(root: Path) -> None:
        for one in changes:
            one(root)

    return change


def deleted(*paths: str) -> Change:
    def change(root: Path) -> None:
        for path in paths:
            place = root / path
            shutil.rmtree(place) if place.is_dir() else place.unlink()

    return change


def renamed(path: str, to: str) -> Change:
    def change(root: Path) -> None:
        (root / to).parent.mkdir(parents=True, exist_ok=True)
        (root / path).rename(root / to)

    return change


def written(files: Mapping[str, str]) -> Change:
    return lambda root: Repository(root).write(files)


REMOTE = "https://github.com/example/platform//web?ref=main"
NEEDS = """dependencies:
  - {name: common, version: 1.0.0, repository: "https://charts.example.org", import-values: [data]}
"""
ENDS: dict[str, tuple[Change, list[Lost]]] = {
    "chart-link-out": (linked("charts/web", "/opt/web"), [("charts/web", CHARTS)]),
    "chart-link-to-nothing": (linked("charts/web", "nowhere"), [("charts/web", CHARTS)]),
    "chart-file-link-out": (
        linked("charts/web/Chart.yaml", "/opt/Chart.yaml"),
        [("charts/web/Chart.yaml", CHARTS)],
    ),
    "chart-remote": (
        written({"charts/web/Chart.yaml": FILES["charts/web/Chart.yaml"] + NEEDS}),
        [("charts/web/Chart.yaml", CHARTS)],
    ),
    "chart-library": (
        written({"charts/web/Chart.yaml": FILES["charts/web/Chart.yaml"] + "type: library\n"}),
        [("charts/web/Chart.yaml", CHARTS)],
    ),
    "chart-deleted-descriptor": (deleted("charts/web/Chart.yaml"), [("charts/web", CHARTS)]),
    "chart-encrypted-values": (
        written({"charts/web/values-prod.yaml": "target: ENC[x]\nsops: {}\n"}),
        [("charts/web/values-prod.yaml", CHARTS[1:])],
    ),
    "overlay-link-out": (linked("overlays/prod", "../../elsewhere"), [("overlays/prod", PROD)]),
    "overlay-link-to-nothing": (linked("overlays/prod", "nowhere"), [("overlays/prod", PROD)]),
    "overlay-file-link-out": (
        linked("overlays/prod/kustomization.yaml", "/opt/kustomization.yaml"),
        [("overlays/prod/kustomization.yaml", PROD)],
    ),
    "overlay-remote": (
        written({"overlays/prod/kustomization.yaml": f"resources: ['{REMOTE}']\n"}),
        [("overlays/prod/kustomization.yaml", PROD)],
    ),
    "overlay-deleted-descriptor": (deleted("overlays/prod/kustomization.yaml"), [("overlays/prod", PROD)]),
    "overlay-component": (
        written(
            {
                "overlays/prod/kustomization.yaml": "kind: Component\napiVersion: kustomize.config.k8s.io/v1alpha1\n"
            }
        ),
        [("overlays/prod/kustomization.yaml", PROD)],
    ),
    "manifests-link-out": (linked("k8s", "/opt/k8s"), [("k8s", PLAIN)]),
    "manifests-link-to-nothing": (linked("k8s", "nowhere"), [("k8s", PLAIN)]),
    "manifest-link-out": (linked("k8s/svc.yaml", "/opt/svc.yaml"), [("k8s/svc.yaml", PLAIN)]),
    "manifest-link-to-nothing": (linked("k8s/svc.yaml", "nowhere.yaml"), [("k8s/svc.yaml", PLAIN)]),
    "manifest-template": (written({"k8s/svc.yaml": TEMPLATE}), [("k8s/svc.yaml", PLAIN)]),
    "manifest-unlisted": (
        written({"k8s/kustomization.yaml": "resources: [other.yaml]\n"}),
        [("k8s/kustomization.yaml", PLAIN)],
    ),
    "everything-linked": (
        steps(*(linked(one, "/opt") for one in ("base", "charts", "k8s", "overlays"))),
        [
            ("charts", CHARTS),
            ("k8s", PLAIN),
            ("overlays", ["kustomize:overlays/dev", "kustomize:overlays/prod"]),
        ],
    ),
}
EXCLUDES: dict[str, tuple[str, list[str]]] = {
    "chart": ("charts/web", CHARTS),
    "chart-by-glob": ("charts/**", CHARTS),
    "chart-templates-of-all": ("**/web", CHARTS),
    "values": ("charts/web/values-prod.yaml", CHARTS[1:]),
    "overlay": ("overlays/prod", PROD),
    "manifests": ("k8s", PLAIN),
    "manifest": ("k8s/svc.yaml", PLAIN),
}
"""What a change excludes, and whose check ends with it."""

GOES_ON: dict[str, Change] = {
    "exclude-what-is-gone": steps(deleted("k8s"), written({"portproof.yaml": "exclude: [k8s]\n"})),
    "exclude-what-was-never-there": written(
        {"portproof.yaml": "exclude: [vendor]\n", "vendor/all.yaml": manifests(8080)}
    ),
    "exclude-what-others-read": written({"portproof.yaml": "exclude: [base/kustomization.yaml]\n"}),
    "chart-removed": deleted("charts/web"),
    "chart-renamed": renamed("charts/web", "charts/shop"),
    "chart-link-inside": steps(
        renamed("charts/web", "shop"),
        new_link("charts/web", "../shop"),
    ),
    "chart-values-removed": deleted("charts/web/values-prod.yaml"),
    "chart-values-renamed": renamed("charts/web/values-prod.yaml", "charts/web/values-live.yaml"),
    "chart-templates-removed": deleted("charts/web/templates"),
    "chart-only-readme-left": steps(
        deleted("charts/web"),
        written({"charts/web/README.md": "The chart has moved.\n"}),
    ),
    "chart-becomes-subchart": steps(
        renamed("charts/web", "charts/shop/charts/web"),
        written({"charts/shop/Chart.yaml": "apiVersion: v2\nname: shop\nversion: 1.0.0\n"}),
    ),
    "overlay-removed": deleted("overlays/prod"),
    "all-overlays-removed": deleted("overlays"),
    "overlay-renamed": renamed("overlays/prod", "overlays/live"),
    "overlay-link-inside": steps(
        renamed("overlays/prod", "overlays/live"),
        new_link("overlays/prod", "live"),
    ),
    "overlay-other-file-name": renamed("overlays/prod/kustomization.yaml", "overlays/prod/kustomization.yml"),
    "overlay-becomes-base": written({"envs/eu/kustomization.yaml": "resources: [../../overlays/prod]\n"}),
    "overlay-becomes-chart": steps(
        deleted("overlays/prod"),
        written(
            {
                "overlays/prod/Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.0.0\n",
                "overlays/prod/values.yaml": "target: 8080\n",
                "overlays/prod/templates/all.yaml": TEMPLATE,
            }
        ),
    ),
    "manifests-removed": deleted("k8s"),
    "manifests-renamed": renamed("k8s", "deploy"),
    "manifest-removed": deleted("k8s/svc.yaml"),
    "manifest-link-inside": linked("k8s/svc.yaml", "other.yaml"),
    "manifests-get-a-kustomization": written(
        {"k8s/kustomization.yaml": "resources: [svc.yaml, other.yaml]\n"}
    ),
    "manifest-without-ports": written(
        {"k8s/svc.yaml": "apiVersion: v1\nkind: Namespace\nmetadata: {name: x}\n"}
    ),
    "another-link": new_link("docs", "/opt/docs"),
}


def ended(report: Mapping[str, Any]) -> list[Lost]:
    """Where a check ended, and of which targets."""
    found = [one for one in report["findings"] if one["rule"] == "target-unchecked"]
    assert all(one["severity"] == "error" and one["introduced"] and one["resource"] is None for one in found)
    return [(one["location"]["path"], one["targets"]) for one in found]


@pytest.mark.parametrize("case", ENDS)
def test_a_change_that_ends_a_check_is_found(portproof: Program, repository: Repository, case: str) -> None:
    change, lost = ENDS[case]
    change(repository.root)
    with repository.untouched():
        report = portproof.check("--base", "HEAD", "--offline")
    assert ended(report) == lost
    assert portproof("check", "--base", "HEAD", "--offline").code == 1
    assert portproof("check", "--base", "HEAD", "--offline", "--fail-on", "never").code == 0


@pytest.mark.parametrize("case", EXCLUDES)
def test_a_change_that_excludes_what_was_checked_is_found(
    portproof: Program, repository: Repository, case: str
) -> None:
    glob, lost = EXCLUDES[case]
    repository.write({"portproof.yaml": "# ours\nexclude:\n  - vendor\n"})
    repository.commit()
    repository.replace("portproof.yaml", "  - vendor\n", f"  - vendor\n  - '{glob}'\n")
    with repository.untouched():
        report = portproof.check("--base", "HEAD")
    assert ended(report) == [("portproof.yaml", lost)]
    (one,) = report["findings"]
    assert one["location"]["line"] == 4
    assert f"'{glob}' in exclude covers it now." in one["message"]
    repository.replace(
        "portproof.yaml", f"'{glob}'\n", f"'{glob}'  # portproof: ignore[target-unchecked] sample\n"
    )
    assert ended(portproof.check("--base", "HEAD")) == []


def test_a_configuration_that_is_added_or_named_cannot_exclude_unseen(
    portproof: Program, repository: Repository
) -> None:
    repository.write({"conf/ports.yaml": "exclude: k8s\n", "portproof.yaml": "exclude: overlays/*\n"})
    report = portproof.check("--base", "HEAD")
    assert ended(report) == [("portproof.yaml", ["kustomize:overlays/dev", *PROD])]
    report = portproof.check("--base", "HEAD", "--config", "conf/ports.yaml")
    assert ended(report) == [("conf/ports.yaml", PLAIN)]


@pytest.mark.parametrize("case", GOES_ON)
def test_what_is_removed_renamed_or_checked_elsewhere_is_no_finding(
    portproof: Program, repository: Repository, case: str
) -> None:
    GOES_ON[case](repository.root)
    assert ended(portproof.check("--base", "HEAD", "--offline")) == []


@pytest.mark.parametrize(
    "files",
    [
        {"charts/web/templates/all.yaml": "{{ if }}"},
        {"overlays/prod/kustomization.yaml": "resources: [missing.yaml]\n"},
        {"k8s/svc.yaml": "apiVersion: v1\nkind: Service\nmetadata: {name: x\n"},
    ],
    ids=["chart", "overlay", "manifests"],
)
def test_what_fails_to_render_is_reported_once(
    portproof: Program, repository: Repository, files: dict[str, str]
) -> None:
    repository.write(files)
    report = portproof.check("--base", "HEAD", "--offline")
    assert {one["rule"] for one in report["findings"] if one["introduced"]} == {"render-failed"}


def test_what_was_not_checked_in_the_base_is_no_news(portproof: Program, repository: Repository) -> None:
    repository.write({"overlays/prod/kustomization.yaml": f"resources: ['{REMOTE}']\n"})
    repository.write({"charts/web/templates/all.yaml": "{{ if }}"})
    repository.commit()
    repository.write({"overlays/prod/kustomization.yaml": f"# a comment\nresources: ['{REMOTE}']\n"})
    deleted("charts/web/Chart.yaml")(repository.root)
    assert ended(portproof.check("--base", "HEAD", "--offline")) == []


def test_other_paths_are_not_asked(portproof: Program, repository: Repository) -> None:
    deleted("charts/web/Chart.yaml")(repository.root)
    assert ended(portproof.check("--base", "HEAD", "k8s")) == []
    assert ended(portproof.check("--base", "HEAD", "charts")) == [("charts/web", CHARTS)]


def test_a_manifest_behind_a_link_is_not_shown(
    portproof: Program, repository: Repository, tmp_path: Path
) -> None:
    outside = tmp_path / "outside.yaml"
    outside.write_text("# portproof: ignore[target-unchecked] it says so itself\npassword: hunter2\n")
    linked("k8s/svc.yaml", str(outside))(repository.root)
    for kind in ("text", "json", "sarif", "markdown", "github"):
        run = portproof("check", "--base", "HEAD", "--format", kind)
        assert (run.code, "target-unchecked" in run.stdout) == (1, True), kind
        assert "hunter2" not in run.stdout, kind


@pytest.mark.parametrize(
    "files",
    [
        {
            "overlays/prod/kustomization.yaml": f"# portproof: ignore[target-unchecked] moved\nresources: ['{REMOTE}']\n"
        },
        {"portproof.yaml": "ignore: [{rule: target-unchecked, path: overlays/**, reason: moved}]\n"},
        {"portproof.yaml": "ignore: [{rule: target-unchecked, target: 'kustomize:*', reason: moved}]\n"},
        {"portproof.yaml": "ignore: [target-unchecked]\n"},
        {"portproof.yaml": "severity: {target-unchecked: warning}\n"},
    ],
    ids=["comment", "path", "target", "rule", "severity"],
)
def test_it_can_be_suppressed(portproof: Program, repository: Repository, files: dict[str, str]) -> None:
    repository.write({"overlays/prod/kustomization.yaml": f"resources: ['{REMOTE}']\n"})
    repository.write(files)
    report = portproof.check("--base", "HEAD", "--offline")
    errors = [one for one in report["findings"] if one["severity"] == "error"]
    assert errors == []
    assert portproof("check", "--base", "HEAD", "--offline").code == 0


def test_a_message_says_what_happened(portproof: Program, repository: Repository) -> None:
    deleted("charts/web/Chart.yaml")(repository.root)
    (found,) = portproof.check("--base", "HEAD")["findings"]
    assert found["message"] == (
        "This change ends the check of helm:charts/web (and 1 more): charts/web/Chart.yaml is gone, "
        "but charts/web/templates/all.yaml is still here. Broken ports in it would pass unseen."
    )
