"""Each way in which a repository says what it deploys, with one broken port that only that way shows.

The twin of each, with the right port, is quiet: whatever else would be found in it is a false alarm.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.program import Program, Repository, place
from tests.e2e.test_gitops import CHART

HERE = "https://git.example.org/shop.git"
SERVICE = """apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports:
    - name: http
      port: 80
      targetPort: PORT
"""
DEPLOYMENT = """apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
        - {name: web, image: registry.example.org/web:1, ports: [{name: http, containerPort: 8080}]}
"""
OVERLAY = {
    "web/kustomization.yaml": "resources: [service.yaml, deployment.yaml]\n",
    "web/service.yaml": SERVICE.replace("PORT", "8080"),
    "web/deployment.yaml": DEPLOYMENT,
}
SUBSTITUTED = {
    **OVERLAY,
    "web/service.yaml": SERVICE.replace("PORT", "${target:=8080}"),
}
VALUES = {"env/prod.yaml": "service: {target: 8081}\n"}


def application(source: str, name: str = "shop", kind: str = "source") -> str:
    return (
        f"apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {{name: {name}}}\n"
        f"spec:\n  destination: {{namespace: sales}}\n  {kind}:\n{source}"
    )


def applicationset(generators: str, template: str, go: str = "") -> str:
    return (
        "apiVersion: argoproj.io/v1alpha1\nkind: ApplicationSet\nmetadata: {name: shops}\n"
        f"spec:\n{go}  generators:\n{generators}  template:\n{template}"
    )


GO = "  goTemplate: true\n  goTemplateOptions: [missingkey=error]\n"
TEMPLATE = f"""    metadata: {{name: 'shop-{{{{.env}}}}'}}
    spec:
      destination: {{namespace: '{{{{.env}}}}'}}
      source:
        repoURL: {HERE}
        path: charts/web
        helm:
          valueFiles: ['/env/{{{{.env}}}}.yaml']
"""
FAST = TEMPLATE.replace("{{.", "{{ ")
WITH_VALUE = f"""    metadata: {{name: 'shop-{{{{env}}}}'}}
    spec:
      destination: {{namespace: sales}}
      source:
        repoURL: {HERE}
        path: charts/web
        helm:
          values: |
            service: {{target: {{{{target}}}}}}
"""
FOLDERS = f"""    metadata: {{name: '{{{{.path.basename}}}}'}}
    spec:
      destination: {{namespace: sales}}
      source:
        repoURL: {HERE}
        path: charts/web
        helm:
          valueFiles: ['/{{{{.path.path}}}}/shop.yaml']
"""
LIST = "  - list:\n      elements:\n      - {env: prod}\n"
ENVIRONMENTS = {"env/prod.yaml": "service: {target: 8081}\n"}
DIRECTORIES = {"clusters/prod/shop.yaml": "service: {target: 8081}\n"}
KUSTOMIZATION = """apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: web, namespace: flux-system}
spec:
  interval: 10m
  path: ./web
  sourceRef: {kind: GitRepository, name: flux-system}
"""
HELM_RELEASE = """apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: shop, namespace: sales}
spec:
  chart:
    spec:
      chart: ./charts/web
      sourceRef: {kind: GitRepository, name: flux-system}
"""
PATCH = """- target: {kind: Service}
        patch: |
          - {op: replace, path: /spec/ports/0/targetPort, value: 8081}
"""

CHART_LAYOUTS = {
    "application, values file of a ref": {
        **VALUES,
        "apps/shop.yaml": application(
            f"  - {{repoURL: {HERE}, ref: here}}\n"
            "  - repoURL: git@git.example.org:shop.git\n    path: charts/web\n"
            "    helm: {valueFiles: [$here/env/prod.yaml]}\n",
            kind="sources",
        ),
    },
    "application, valuesObject over values": {
        "apps/shop.yaml": application(
            f"    repoURL: {HERE}\n    path: charts/web/\n    helm:\n"
            "      values: 'service: {target: 9999}'\n      valuesObject: {service: {target: 8081}}\n"
        )
    },
    "application, values files by a glob": {
        "env/a.yaml": "service: {target: 9999}\n",
        "env/b.yaml": "service: {target: 8081}\n",
        "apps/shop.yaml": application(
            f"    repoURL: {HERE}\n    path: charts/web\n    helm: {{valueFiles: ['/env/*.yaml']}}\n"
        ),
    },
    "application, a file as one value": {
        "env/target": "8081",
        "apps/shop.yaml": application(
            f"    repoURL: {HERE}\n    path: charts/web\n    helm:\n"
            "      fileParameters: [{name: service.target, path: /env/target}]\n"
        ),
    },
    "application, overridden beside the chart": {
        "charts/web/.argocd-source-shop.yaml": "helm: {parameters: [{name: service.target, value: '8081'}]}\n",
        "apps/shop.yaml": application(f"    repoURL: {HERE}\n    path: charts/web\n"),
    },
    "application set, list": {
        **ENVIRONMENTS,
        "apps/set.yaml": applicationset(LIST, TEMPLATE, GO),
    },
    "application set, list, older syntax": {
        **ENVIRONMENTS,
        "apps/set.yaml": applicationset(LIST, FAST),
    },
    "application set, a value of an element": {
        "apps/set.yaml": applicationset(
            "  - list:\n      elements:\n      - {env: prod, target: '8081'}\n", WITH_VALUE
        ),
    },
    "application set, git directories": {
        **DIRECTORIES,
        "apps/set.yaml": applicationset(
            f"  - git:\n      repoURL: {HERE}\n      directories: [{{path: clusters/*}}]\n", FOLDERS, GO
        ),
    },
    "application set, git files": {
        "clusters/prod/config.yaml": "env: prod\ntarget: '8081'\n",
        "apps/set.yaml": applicationset(
            f"  - git:\n      repoURL: {HERE}\n      files: [{{path: clusters/**/config.yaml}}]\n", WITH_VALUE
        ),
    },
    "application set, matrix": {
        **DIRECTORIES,
        "apps/set.yaml": applicationset(
            f"  - matrix:\n      generators:\n      - git:\n          repoURL: {HERE}\n          directories: [{{path: clusters/*}}]\n"
            "      - list: {elements: [{env: one}]}\n",
            FOLDERS,
            GO,
        ),
    },
    "application set, merge": {
        "apps/set.yaml": applicationset(
            "  - merge:\n      mergeKeys: [env]\n      generators:\n"
            "      - list: {elements: [{env: prod, target: '9999'}]}\n"
            "      - list: {elements: [{env: prod, target: '8081'}]}\n",
            WITH_VALUE,
        ),
    },
    "helm release, values of a ConfigMap": {
        "apps/values.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: shop}\n"
        "data:\n  values.yaml: |\n    service: {target: 8081}\n",
        "apps/shop.yaml": HELM_RELEASE + "  valuesFrom: [{kind: ConfigMap, name: shop}]\n",
    },
    "helm release, values of a generated ConfigMap": {
        **VALUES,
        "apps/kustomization.yaml": "resources: [shop.yaml]\n"
        "configMapGenerator: [{name: shop, files: [values.yaml=../env/prod.yaml]}]\n",
        "apps/shop.yaml": HELM_RELEASE + "  valuesFrom: [{kind: ConfigMap, name: shop}]\n",
    },
    "helm release, values that are substituted": {
        "apps/shop.yaml": HELM_RELEASE + "  values: {service: {target: '${target}'}}\n",
        "clusters/prod/apps.yaml": KUSTOMIZATION.replace("./web", "./apps")
        + "  postBuild: {substitute: {target: '8081'}}\n",
    },
}
OVERLAY_LAYOUTS = {
    "application, a patch of kustomize": {
        **OVERLAY,
        "apps/shop.yaml": application(
            f"    repoURL: {HERE}\n    path: web\n    kustomize:\n      patches:\n      {PATCH}"
        ),
    },
    "application set, an overlay with a patch": {
        **OVERLAY,
        "apps/set.yaml": applicationset(
            LIST,
            f"    metadata: {{name: 'shop-{{{{env}}}}'}}\n    spec:\n      source:\n        repoURL: {HERE}\n        path: web\n"
            "        kustomize:\n          patches:\n          - target: {kind: Service}\n"
            '            patch: \'[{"op": "replace", "path": "/spec/ports/0/targetPort", "value": 8081}]\'\n',
        ),
    },
    "kustomization of Flux, a substitution": {
        **SUBSTITUTED,
        "clusters/prod/web.yaml": KUSTOMIZATION + "  postBuild: {substitute: {target: '8081'}}\n",
    },
    "kustomization of Flux, a substitution by a default": {
        **SUBSTITUTED,
        "web/service.yaml": SERVICE.replace("PORT", "${target:=8081}"),
        "clusters/prod/web.yaml": KUSTOMIZATION + "  postBuild: {substitute: {other: '1'}}\n",
    },
    "kustomization of Flux, a substitution of a ConfigMap": {
        **SUBSTITUTED,
        "clusters/prod/settings.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {target: '8081'}\n",
        "clusters/prod/web.yaml": KUSTOMIZATION
        + "  postBuild: {substituteFrom: [{kind: ConfigMap, name: settings}]}\n",
    },
    "kustomization of Flux, a patch": {
        **OVERLAY,
        "clusters/prod/web.yaml": KUSTOMIZATION
        + "  patches:\n  - target: {kind: Service}\n"
        + '    patch: \'[{"op": "replace", "path": "/spec/ports/0/targetPort", "value": 8081}]\'\n',
    },
}


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    monkeypatch.chdir(tmp_path)
    return Repository(tmp_path)


@pytest.mark.parametrize("layout", [*CHART_LAYOUTS, *OVERLAY_LAYOUTS])
def test_the_broken_port_is_found_and_its_twin_is_quiet(
    portproof: Program, repository: Repository, layout: str
) -> None:
    files = {**CHART, **CHART_LAYOUTS[layout]} if layout in CHART_LAYOUTS else OVERLAY_LAYOUTS[layout]
    repository.write(files)
    repository.commit()
    (finding,) = portproof.check()["findings"]
    assert (finding["rule"], finding["value"]) == ("service-target-number", 8081)
    file, _, _ = place(finding["location"]).partition(":")
    assert "8081" in files[file]
    assert finding["location"]["proof"] == "proven"
    repository.replace(file, "8081", "8080")
    report = portproof.check()
    assert report["findings"] == []
    assert report["summary"]["failed"] == 0
