"""Deployments that only a rendering describes: an app of apps, objects of Flux that a kustomization makes or patches.

Each has one broken port, found at the line that a person edits; its twin is quiet.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from portproof import children
from portproof.children import discover_all
from portproof.config import Config
from portproof.discover.model import Target
from portproof.render.model import NotRendered
from portproof.source import Tree
from tests.e2e.program import Program, Repository, place
from tests.e2e.test_deployed import (
    HELM_RELEASE,
    HERE,
    KUSTOMIZATION,
    OVERLAY,
    SUBSTITUTED,
    application,
)
from tests.e2e.test_gitops import CHART

APPS = {
    "apps/Chart.yaml": "apiVersion: v2\nname: apps\nversion: 1.0.0\n",
    "apps/values.yaml": "target: 8080\n",
    "apps/templates/web.yaml": application(
        f"    repoURL: {HERE}\n    path: charts/web\n    helm:\n"
        "      valuesObject: {service: {target: {{ .Values.target }}}}\n"
    ),
}
ROOT = {
    "root/Chart.yaml": "apiVersion: v2\nname: root\nversion: 1.0.0\n",
    "root/templates/apps.yaml": application(
        f"    repoURL: {HERE}\n    path: apps\n    helm: {{valuesObject: {{target: 8081}}}}\n", name="apps"
    ),
}
SMALL = {
    "apps/kustomization.yaml": "resources: [shop.yaml]\n",
    "apps/shop.yaml": application(f"    repoURL: {HERE}\n    path: charts/web\n"),
}
PATCH = """resources: [../../apps]
patches:
  - target: {kind: KIND}
    patch: |
      - {op: add, path: PATH, value: {service: {target: 8081}}}
"""
RELEASE = {
    "apps/kustomization.yaml": "resources: [shop.yaml]\n",
    "apps/shop.yaml": HELM_RELEASE,
}
FLUX = {
    **SUBSTITUTED,
    "clusters/prod/apps/kustomization.yaml": "resources: [web.yaml]\n",
    "clusters/prod/apps/web.yaml": KUSTOMIZATION,
}
LAYOUTS = {
    "a chart of applications": {**CHART, **APPS, "apps/values.yaml": "target: 8081\n"},
    "a chart of applications with other values": {
        **CHART,
        **APPS,
        "apps/values-prod.yaml": "target: 8081\n",
    },
    "a chart of applications that an application installs": {
        **CHART,
        **APPS,
        "root.yaml": ROOT["root/templates/apps.yaml"],
    },
    "two charts of applications": {**CHART, **APPS, **ROOT},
    "a chart of sets of applications": {
        **CHART,
        "apps/Chart.yaml": APPS["apps/Chart.yaml"],
        "apps/values.yaml": "environments: [{name: prod, target: '8081'}]\n",
        "apps/templates/set.yaml": "apiVersion: argoproj.io/v1alpha1\nkind: ApplicationSet\nmetadata: {name: shops}\n"
        "spec:\n  generators:\n  - list:\n      elements: {{ toJson .Values.environments }}\n  template:\n"
        "    metadata: {name: 'shop-{{`{{name}}`}}'}\n    spec:\n      destination: {namespace: sales}\n"
        f"      source:\n        repoURL: {HERE}\n        path: charts/web\n"
        "        helm: {values: 'service: {target: {{`{{target}}`}}}'}\n",
    },
    "an application that an overlay patches": {
        **CHART,
        **SMALL,
        "overlays/prod/kustomization.yaml": PATCH.replace("KIND", "Application")
        .replace("PATH", "/spec/source/helm")
        .replace("{service: {target: 8081}}", "{valuesObject: {service: {target: 8081}}}"),
    },
    "an application of an overlay that something deploys": {
        **OVERLAY,
        "apps/kustomization.yaml": "resources: [shop.yaml]\n",
        "apps/shop.yaml": application(f"    repoURL: {HERE}\n    path: web\n"),
        "overlays/prod/kustomization.yaml": "resources: [../../apps]\nnamePrefix: prod-\npatches:\n"
        "  - target: {kind: Application}\n    patch: |\n      - op: add\n        path: /spec/source/kustomize\n"
        "        value:\n          patches:\n          - target: {kind: Service}\n"
        '            patch: \'[{"op": "replace", "path": "/spec/ports/0/targetPort", "value": 8081}]\'\n',
    },
    "a helm release that an overlay patches": {
        **CHART,
        **RELEASE,
        "overlays/prod/kustomization.yaml": PATCH.replace("KIND", "HelmRelease").replace(
            "PATH", "/spec/values"
        ),
    },
    "a helm release that Flux patches": {
        **CHART,
        **RELEASE,
        "clusters/prod/apps.yaml": KUSTOMIZATION.replace("./web", "./apps")
        + "  patches:\n  - target: {kind: HelmRelease}\n"
        '    patch: \'[{"op": "add", "path": "/spec/values", "value": {"service": {"target": 8081}}}]\'\n',
    },
    "a kustomization of Flux that its parent patches": {
        **FLUX,
        "clusters/prod/flux.yaml": KUSTOMIZATION.replace("name: web", "name: apps").replace(
            "./web", "./clusters/prod/apps"
        )
        + "  patches:\n  - target: {kind: Kustomization}\n"
        '    patch: \'[{"op": "add", "path": "/spec/postBuild", "value": {"substitute": {"target": "8081"}}}]\'\n',
    },
    "a kustomization of Flux whose path is substituted": {
        **OVERLAY,
        "web/service.yaml": OVERLAY["web/service.yaml"].replace("targetPort: 8080", "targetPort: 8081"),
        "clusters/prod/apps/kustomization.yaml": "resources: [web.yaml]\n",
        "clusters/prod/apps/web.yaml": KUSTOMIZATION.replace("./web", "./${part}"),
        "clusters/prod/flux.yaml": KUSTOMIZATION.replace("name: web", "name: apps").replace(
            "./web", "./clusters/prod/apps"
        )
        + "  postBuild: {substitute: {part: web}}\n",
    },
}


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    monkeypatch.chdir(tmp_path)
    return Repository(tmp_path)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_what_a_rendering_deploys_is_checked_and_its_twin_is_quiet(
    portproof: Program, repository: Repository, layout: str
) -> None:
    files = LAYOUTS[layout]
    repository.write(files)
    repository.commit()
    report = portproof.check()
    (finding,) = report["findings"]
    assert (finding["rule"], finding["value"]) == ("service-target-number", 8081)
    file, _, _ = place(finding["location"]).partition(":")
    assert "8081" in files[file]
    assert finding["location"]["proof"] == "proven"
    assert report["unread"] == []
    repository.replace(file, "8081", "8080")
    report = portproof.check()
    assert report["findings"] == []
    assert report["summary"]["failed"] == report["summary"]["skipped"] == 0


def test_a_target_says_what_renders_to_its_description(portproof: Program, repository: Repository) -> None:
    repository.write({**CHART, **APPS, **ROOT})
    repository.commit()
    shown = portproof("targets").stdout
    by = "by Application shop (root/templates/apps.yaml, release shop, namespace sales, rendered by helm:apps"
    assert by in shown
    found = json.loads(portproof("targets", "--format", "json").stdout)
    learnt = {one["id"]: [by["rendered_by"] for by in one["deployed_by"]] for one in found}
    assert learnt["helm:apps?values=/root/templates/apps.yaml#apps"] == ["helm:root"]


def test_what_a_file_says_as_it_is_is_learnt_from_the_file(
    portproof: Program, repository: Repository
) -> None:
    patch = PATCH.replace("KIND", "AppProject").replace("PATH", "/spec")
    repository.write({**CHART, **SMALL, "overlays/prod/kustomization.yaml": patch})
    repository.commit()
    found = json.loads(portproof("targets", "--format", "json").stdout)
    assert [one["id"] for one in found if one["kind"] == "helm" and one["deployed_by"]] == [
        "helm:charts/web?values=/apps/shop.yaml#shop"
    ]


SERVICE_PATCH = '[{"op": "replace", "path": "/spec/ports/0/targetPort", "value": PORT}]'


@pytest.mark.parametrize("port", [8080, 8081])
def test_what_is_deployed_as_its_parent_says_is_rendered_as_that_says(
    portproof: Program, repository: Repository, port: int
) -> None:
    """The overlay holds a description itself, and is not rendered before its parent has said how it is built."""
    built = KUSTOMIZATION.replace("name: web", "name: all").replace("./web", "./clusters/prod/apps")
    adds = {"target": {"kind": "Service"}, "patch": SERVICE_PATCH.replace("PORT", str(port))}
    whole = [{"op": "add", "path": "/spec/patches/-", "value": adds}]
    repository.write(
        {
            **OVERLAY,
            **CHART,
            "web/release.yaml": HELM_RELEASE,
            "web/kustomization.yaml": "resources: [service.yaml, deployment.yaml, release.yaml]\n",
            "clusters/prod/apps/kustomization.yaml": "resources: [web.yaml]\n",
            "clusters/prod/apps/web.yaml": f"{KUSTOMIZATION}  patches:\n  - target: {{kind: HelmRelease}}\n"
            '    patch: \'[{"op": "add", "path": "/spec/values", "value": {"service": {"target": 8080}}}]\'\n',
            "clusters/prod/flux.yaml": f"{built}  patches:\n  - target: {{kind: Kustomization}}\n"
            f"    patch: '{json.dumps(whole).replace(chr(39), chr(39) * 2)}'\n",
        }
    )
    repository.commit()
    report = portproof.check()
    assert [one["value"] for one in report["findings"]] == [8081] * (port == 8081)


RETRIES = """  - target: {kind: HelmRelease}
    patch: |
      apiVersion: helm.toolkit.fluxcd.io/v2
      kind: HelmRelease
      metadata: {name: any}
      spec: {timeout: 10m, upgrade: {remediation: {retries: 2}}}
"""
COMPONENT = "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n"
BUILT = KUSTOMIZATION.replace("./web", "./apps")
IDLE = {
    "an overlay": {
        "overlays/prod/kustomization.yaml": f"resources: [../../apps]\npatches:\n{RETRIES}",
    },
    "Flux": {"clusters/prod/apps.yaml": f"{BUILT}  patches:\n{RETRIES}"},
    "a component that Flux adds": {
        "clusters/prod/apps.yaml": f"{BUILT}  components: [../parts/backup]\n",
        "parts/backup/kustomization.yaml": f"{COMPONENT}resources: [store.yaml]\npatches:\n{RETRIES}",
        "parts/backup/store.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: store}\n",
    },
}


def rendered_to_know(root: Path) -> list[str]:
    """The ids of what is rendered to know what there is."""
    asked: list[str] = []

    def render(target: Target, _: Tree) -> NotRendered:
        asked.append(target.id)
        return NotRendered(target, "only asked for")

    discover_all(Tree(root), (".",), Config(), render)
    return asked


@pytest.mark.parametrize("name", IDLE)
def test_retries_of_every_release_are_not_rendered_to_know_what_is_deployed(
    portproof: Program, repository: Repository, name: str
) -> None:
    repository.write({**CHART, **RELEASE, **IDLE[name]})
    repository.commit()
    assert rendered_to_know(repository.root) == []
    found = json.loads(portproof("targets", "--format", "json").stdout)
    (learnt,) = [one["deployed_by"] for one in found if one["path"] == "charts/web" and one["deployed_by"]]
    assert [by["rendered_by"] for by in learnt] == [""]


@pytest.mark.parametrize(
    "component",
    [
        f"{COMPONENT}namePrefix: prod-\n",
        f"{COMPONENT}components: [../other]\n",
        f"{COMPONENT}resources: [../../apps/shop.yaml]\n",
        f"{COMPONENT}resources: [store]\n",
        f"{COMPONENT}patches: [{{path: other.yaml}}]\n",
    ],
)
def test_a_component_that_may_change_a_release_is_rendered(repository: Repository, component: str) -> None:
    adds = f"{BUILT}  components: [../parts/backup]\n"
    backup = {"parts/backup/kustomization.yaml": component, "clusters/prod/apps.yaml": adds}
    repository.write({**CHART, **RELEASE, **backup})
    assert rendered_to_know(repository.root) == ["kustomize:apps?by=/clusters/prod/apps.yaml#web"]


def test_what_the_same_rendering_says_twice_is_one_target(portproof: Program, repository: Repository) -> None:
    repository.write({**CHART, **APPS, "apps/values-prod.yaml": "other: true\n"})
    repository.commit()
    found = json.loads(portproof("targets", "--format", "json").stdout)
    assert [one["id"] for one in found if one["path"] == "charts/web"] == [
        "helm:charts/web",
        "helm:charts/web?values=/apps/templates/web.yaml#shop",
    ]


def test_a_chain_of_charts_ends_at_a_depth_and_says_so(portproof: Program, repository: Repository) -> None:
    for number in range(5):
        name = f"app{number}"
        repository.write(
            {
                f"{name}/Chart.yaml": f"apiVersion: v2\nname: {name}\nversion: 1.0.0\n",
                f"{name}/templates/next.yaml": application(
                    f"    repoURL: {HERE}\n    path: app{number + 1}\n    helm: {{values: '{{depth: {number}}}'}}\n",
                    name=f"a{number}",
                ),
            }
        )
    repository.write({f"app5/{path[11:]}": text for path, text in CHART.items()})
    repository.commit()
    report = portproof.check()
    assert report["findings"] == []
    assert {one["reason"] for one in report["unread"]} == {
        "what it deploys is not followed: more than 3 charts or overlays deploy one another"
    }


def test_more_parents_than_are_rendered_are_said_to_be_many(
    portproof: Program, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(children, "MAX_PARENTS", 1)
    for number in range(3):
        name = f"app{number}"
        repository.write(
            {
                f"{name}/Chart.yaml": f"apiVersion: v2\nname: {name}\nversion: 1.0.0\n",
                f"{name}/templates/web.yaml": application(
                    f"    repoURL: {HERE}\n    path: charts/web\n    helm: {{values: '{{n: {number}}}'}}\n",
                    name=name,
                ),
            }
        )
    repository.write(CHART)
    repository.commit()
    assert {one["reason"] for one in portproof.check()["unread"]} == {
        "what it deploys is not followed: more than 1 charts and overlays deploy others"
    }


def test_a_description_of_a_rendering_is_judged_by_the_change(
    portproof: Program, repository: Repository
) -> None:
    repository.write({**CHART, **APPS, **ROOT})
    repository.replace("root/templates/apps.yaml", "8081", "8080")
    repository.commit()
    repository.replace("root/templates/apps.yaml", "8080", "8081")
    report = portproof.check("--base", "HEAD")
    (finding,) = report["findings"]
    assert finding["introduced"] is True
    assert place(finding["location"]).startswith("root/templates/apps.yaml:")
    assert finding["fix"]["edits"][0]["new"] == "8080"


FOR_ALL = """resources: [../apps]
patches:
  - target: {kind: HelmRelease}
    patch: |
      apiVersion: helm.toolkit.fluxcd.io/v2
      kind: HelmRelease
      metadata: {name: whatever}
      spec: {values: {service: {target: 8080}}}
"""


@pytest.mark.parametrize("builds", [True, False])
def test_a_patch_for_all_changes_what_its_kustomization_builds(
    portproof: Program, repository: Repository, *, builds: bool
) -> None:
    other = HELM_RELEASE.replace("name: shop", "name: other", 1) + "  values: {service: {target: 8081}}\n"
    plugin = "apiVersion: example.com/v1\nkind: Other\nmetadata: {name: x}\n"
    overlay = FOR_ALL if builds else f"{FOR_ALL}transformers: [t.yaml]\n"
    repository.write({**CHART, **RELEASE, "prod/kustomization.yaml": overlay, "prod/t.yaml": plugin})
    repository.write({"other/kustomization.yaml": "resources: [other.yaml]\n", "other/other.yaml": other})
    repository.write({"other/kustomization.yaml": "namePrefix: x-\nresources: [other.yaml]\n"})
    report = portproof.check()
    (finding,) = report["findings"]
    assert (finding["rule"], finding["location"]["path"]) == ("service-target-number", "other/other.yaml")
    (shop,) = (one for one in report["targets"] if "helm:" in one["id"] and "shop" in one["id"])
    assert shop["status"] == ("checked" if builds else "skipped")


@pytest.mark.parametrize(
    ("files", "severity"),
    [
        ({}, "note"),
        ({"apps/values-prod.yaml": "target: 8090\n"}, "error"),
        ({"root.yaml": ROOT["root/templates/apps.yaml"]}, "error"),
        ({"root/" + name.partition("/")[2]: text for name, text in ROOT.items()}, "note"),
    ],
    ids=["its defaults", "other values", "an application's values", "what a chart's defaults give it"],
)
def test_what_a_chart_makes_of_its_defaults_gives_no_more_than_these(
    portproof: Program, repository: Repository, files: dict[str, str], severity: str
) -> None:
    lacking = "a: {{ .Values.stage.name }}\n"
    repository.write({**CHART, **APPS, "charts/web/templates/stage.yaml": lacking, **files})
    found = [one for one in portproof.check()["findings"] if one["rule"] == "render-failed"]
    assert [one["severity"] for one in found] == [severity]
