"""Each way in which a repository says what it deploys, with one broken port that only that way shows.

The twin of each, with the right port, is quiet: whatever else would be found in it is a false alarm.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from portproof.discover.find import discover
from portproof.discover.gitops.kustomizing import edited
from portproof.discover.model import KustomizeTarget
from portproof.discover.unread import Unread
from portproof.source import Tree
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
OF_TWO_REPOSITORIES = "".join(
    "---\napiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\n"
    f"metadata: {{name: {name}, namespace: flux-system}}\nspec: {{url: '{url}'}}\n"
    for name, url in (
        ("flux-system", "ssh://git@example.com/org/fleet"),
        ("finance", "https://git.example.org/denis/finance.git"),
    )
)
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
    "application set, the same on all clusters": {
        **ENVIRONMENTS,
        "apps/set.yaml": applicationset(
            "  - clusters: {values: {env: prod}}\n",
            TEMPLATE.replace("shop-{{.env}}", "shop-{{.name}}")
            .replace("{{.env}}", "{{.values.env}}")
            .replace("spec:\n", "spec:\n      project: '{{.metadata.labels.team}}'\n"),
            GO,
        ),
    },
    "application set, clusters and git directories": {
        **DIRECTORIES,
        "apps/set.yaml": applicationset(
            f"  - matrix:\n      generators:\n      - clusters: {{}}\n      - git:\n          repoURL: {HERE}\n"
            "          directories: [{path: clusters/*}]\n",
            FOLDERS.replace("{{.path.basename}}", "{{name}}-{{path.basename}}").replace(
                "{{.path.path}}", "{{path}}"
            ),
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
    "helm release, values of a Secret": {
        "apps/values.yaml": "apiVersion: v1\nkind: Secret\nmetadata: {name: shop}\n"
        "stringData:\n  prod: |\n    service: {target: 8081}\n",
        "apps/shop.yaml": HELM_RELEASE + "  valuesFrom: [{kind: Secret, name: shop, valuesKey: prod}]\n",
    },
    "helm release, values of a generated ConfigMap with a hash": {
        **VALUES,
        "apps/kustomization.yaml": "resources: [shop.yaml]\nnamePrefix: prod-\nconfigurations: [names.yaml]\n"
        "configMapGenerator: [{name: shop, files: [values.yaml=../env/prod.yaml]}]\n",
        "apps/names.yaml": "nameReference:\n- kind: ConfigMap\n  version: v1\n  fieldSpecs:\n"
        "  - {path: spec/valuesFrom/name, kind: HelmRelease}\n",
        "apps/shop.yaml": HELM_RELEASE + "  valuesFrom: [{kind: ConfigMap, name: shop}]\n",
    },
    "helm release, values that an overlay adds to the ConfigMap of its base": {
        **VALUES,
        "base/kustomization.yaml": "resources: [shop.yaml]\nconfigurations: [names.yaml]\n"
        "configMapGenerator: [{name: shop, files: [base.yaml=values.yaml]}]\n",
        "base/names.yaml": "nameReference:\n- kind: ConfigMap\n  version: v1\n  fieldSpecs:\n"
        "  - {path: spec/valuesFrom/name, kind: HelmRelease}\n",
        "base/shop.yaml": HELM_RELEASE
        + "  valuesFrom: [{kind: ConfigMap, name: shop, valuesKey: base.yaml}]\n",
        "base/values.yaml": "service: {port: 1}\n",
        "apps/kustomization.yaml": "resources: [../base]\ncomponents: [../part]\n"
        "configMapGenerator: [{name: shop, behavior: merge, files: [base.yaml, prod.yaml=../env/prod.yaml]}]\n"
        "patches:\n- target: {kind: HelmRelease}\n"
        "  patch: |\n    - op: add\n      path: /spec/valuesFrom/-\n"
        "      value: {kind: ConfigMap, name: shop, valuesKey: prod.yaml}\n",
        "apps/base.yaml": "service: {port: 80}\n",
        "part/kustomization.yaml": "kind: Component\n"
        "configMapGenerator: [{name: shop, behavior: merge, files: [part.yaml=values.yaml]}]\n",
        "part/values.yaml": "service: {target: 9999}\n",
    },
    "helm release, a patch after helm": {
        "apps/shop.yaml": HELM_RELEASE
        + "  postRenderers:\n  - kustomize:\n      images: [{name: registry.example.org/web, newTag: '2'}]\n      patches:\n      - target: {kind: Service}\n"
        "        patch: |\n          - {op: replace, path: /spec/ports/0/targetPort, value: 8081}\n",
    },
    "helm release, an older patch after helm": {
        "apps/shop.yaml": HELM_RELEASE.replace("v2", "v2beta1")
        + "  postRenderers:\n  - kustomize:\n      patchesStrategicMerge:\n"
        "      - {apiVersion: v1, kind: Service, metadata: {name: sales-shop}, spec: {ports: [{port: 80, targetPort: 8081}]}}\n"
        "  targetNamespace: sales\n",
    },
    "helm release, values files in place of the chart's own": {
        "env/all.yaml": "service: {port: 80, target: 8080}\ncontainer: {port: 8080}\n",
        **VALUES,
        "apps/shop.yaml": HELM_RELEASE.replace(
            "      sourceRef", "      valuesFiles: [env/all.yaml, ./env/prod.yaml]\n      sourceRef"
        ),
    },
    "helm release, the chart's own values after others": {
        "env/all.yaml": "service: {target: 9999}\n",
        **VALUES,
        "apps/shop.yaml": HELM_RELEASE.replace(
            "      sourceRef",
            "      valuesFiles: [env/all.yaml, charts/web/values.yaml, env/prod.yaml, env/none.yaml]\n"
            "      ignoreMissingValuesFiles: true\n      sourceRef",
        ),
    },
    "helm release, values that are substituted": {
        "apps/shop.yaml": HELM_RELEASE + "  values: {service: {target: '${target}'}}\n",
        "clusters/prod/apps.yaml": KUSTOMIZATION.replace("./web", "./apps")
        + "  postBuild: {substitute: {target: '8081'}}\n",
    },
}
CHART_LAYOUTS |= {
    "helmfile, values files": {
        **VALUES,
        "deploy/helmfile.yaml": "releases:\n- {name: shop, namespace: sales, chart: ../charts/web, values: [../env/prod.yaml]}\n",
    },
    "helmfile, a chart beside it without a dot": {
        **VALUES,
        "helmfile.yaml": "releases:\n- {name: shop, namespace: sales, chart: charts/web, values: [env/prod.yaml]}\n",
    },
    "helmfile, values of its own between files": {
        "deploy/a.yaml": "service: {target: 9999}\n",
        "deploy/b.yaml": "{}\n",
        "deploy/helmfile.yaml": "releases:\n- name: shop\n  chart: ../charts/web\n"
        "  values: [a.yaml, {service: {target: 8081}}, b.yaml]\n",
    },
    "helmfile, a single value": {
        "helmfile.yaml": "releases:\n- name: shop\n  chart: ./charts/web\n  set: [{name: service.target, value: 8081}]\n",
    },
    "helmfile, an environment": {
        **VALUES,
        "env/dev.yaml": "{}\n",
        "helmfile.yaml": "environments: {dev: {}, prod: {}}\n---\nreleases:\n- name: shop\n  chart: ./charts/web\n"
        "  values: ['env/{{ .Environment.Name }}.yaml']\n",
    },
    "Skaffold, values files": {
        **VALUES,
        "skaffold.yaml": "apiVersion: skaffold/v4beta6\nkind: Config\nmanifests:\n  helm:\n    releases:\n"
        "    - {name: shop, chartPath: charts/web, valuesFiles: [env/prod.yaml]}\n",
    },
    "Skaffold, values of its own": {
        "env/a.yaml": "service: {target: 9999}\n",
        "skaffold.yaml": "apiVersion: skaffold/v2beta29\nkind: Config\ndeploy:\n  helm:\n    releases:\n"
        "    - name: shop\n      chartPath: charts/web\n      valuesFiles: [env/a.yaml]\n"
        "      overrides: {service: {target: 8081}}\n      setValueTemplates: {image.tag: '{{.IMAGE_TAG}}'}\n",
    },
    "Skaffold, a single value of a profile": {
        "skaffold.yaml": "apiVersion: skaffold/v4beta6\nkind: Config\nprofiles:\n- name: prod\n  manifests:\n    helm:\n"
        "      releases:\n      - {name: shop, chartPath: charts/web, setValues: {service: {target: 8081}}}\n",
    },
    "Skaffold, a single value by a path": {
        "skaffold.yaml": "apiVersion: skaffold/v2beta29\nkind: Config\ndeploy:\n  helm:\n    releases:\n"
        "    - {name: shop, chartPath: charts/web, setValues: {service.target: 8081}}\n",
    },
    "Terraform, a values file": {
        **VALUES,
        "terraform/main.tf": 'resource "helm_release" "shop" {\n  name      = "shop"\n  namespace = "sales"\n'
        '  chart     = "${path.module}/../charts/web"\n  values    = [file("${path.module}/../env/prod.yaml")]\n}\n',
    },
}
OVERLAY_LAYOUTS = {
    "chart, a library of the repository for that of a registry": {
        "charts/web/Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.0.0\ndependencies:\n"
        "- {name: common, version: 1.x, repository: 'https://charts.example.org'}\n",
        "charts/web/templates/service.yaml": "apiVersion: v1\nkind: Service\nmetadata: {name: web}\n"
        'spec: {selector: {app: web}, ports: [{port: 80, targetPort: {{ include "common.target" . }}}]}\n',
        "charts/web/templates/deployment.yaml": DEPLOYMENT,
        "library/common/Chart.yaml": "apiVersion: v2\nname: common\nversion: 1.2.0\ntype: library\n",
        "library/common/templates/_target.tpl": '{{ define "common.target" }}8081{{ end }}\n',
    },
    "kustomization, files of other folders of the repository": {
        "web/service.yaml": SERVICE.replace("PORT", "8080"),
        "web/deployment.yaml": DEPLOYMENT,
        "common/patch.yaml": "- {op: replace, path: /spec/ports/0/targetPort, value: 8081}\n",
        "prod/kustomization.yaml": "resources: [../web/service.yaml, ../web/deployment.yaml]\n"
        "patches: [{path: ../common/patch.yaml, target: {kind: Service}}]\n",
    },
    "application, a folder with those below it": {
        "web/service.yaml": SERVICE.replace("PORT", "8081"),
        "web/parts/deployment.yaml": DEPLOYMENT,
        "apps/shop.yaml": application(
            f"    repoURL: {HERE}\n    path: web\n    directory: {{recurse: true}}\n"
        ),
    },
    "application, some files of a folder": {
        "web/a.yaml": SERVICE.replace("PORT", "8080"),
        "web/b.yaml": SERVICE.replace("PORT", "8081"),
        "web/c.yaml": DEPLOYMENT,
        "apps/shop.yaml": application(
            f"    repoURL: {HERE}\n    path: web\n    directory: {{include: '{{b,c}}.yaml'}}\n"
        ),
    },
    "application, a folder without some files": {
        "web/here/service.yaml": SERVICE.replace("PORT", "8081"),
        "web/here/old.yaml": SERVICE.replace("PORT", "8080"),
        "web/off.yaml": DEPLOYMENT.replace("8080", "9999") + "# +argocd:skip-file-rendering\n",
        "web/deployment.yaml": DEPLOYMENT,
        "apps/shop.yaml": application(
            f"    repoURL: {HERE}\n    path: web\n    directory: {{recurse: true, exclude: '*old.yaml'}}\n"
        ),
    },
    "application, options of kustomize": {
        **OVERLAY,
        "part/kustomization.yaml": "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\npatches:\n"
        "- target: {kind: Service}\n"
        '  patch: \'[{"op": "replace", "path": "/spec/ports/0/targetPort", "value": 8081}]\'\n',
        "apps/shop.yaml": application(
            f"    repoURL: {HERE}\n    path: web\n    kustomize:\n      namePrefix: prod-\n      nameSuffix: -one\n"
            "      namespace: sales\n      images: ['registry.example.org/web=registry.example.org:5000/shop:2']\n"
            "      replicas: [{name: web, count: 2}]\n      commonLabels: {team: sales}\n"
            "      commonAnnotations: {a: b}\n      components: [../part, ../none]\n      ignoreMissingComponents: true\n"
        ),
    },
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
    "kustomization of Flux, a folder without one": {
        "web/here/deployment.yaml": DEPLOYMENT,
        "web/service.yaml": SERVICE.replace("PORT", "${target:=8081}"),
        "clusters/prod/web.yaml": KUSTOMIZATION + "  postBuild: {substitute: {other: '1'}}\n",
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


TERRAFORM = 'resource "helm_release" "shop" {{\n  name  = "shop"\n  chart = "../charts/web"\n{}}}\n'
SKIPPED = {
    "application, a file of another repository": (
        {
            **VALUES,
            "apps/shop.yaml": application(
                "  - {repoURL: https://git.example.org/values, ref: there}\n"
                f"  - repoURL: {HERE}\n    path: charts/web\n    helm: {{valueFiles: [$there/env/prod.yaml]}}\n",
                kind="sources",
            ),
        },
        "its values file $there/env/prod.yaml is in another repository (https://git.example.org/values)",
    ),
    "helm release, values of a Secret": (
        {"apps/shop.yaml": HELM_RELEASE + "  valuesFrom: [{kind: Secret, name: shop}]\n"},
        "it reads values from objects in the cluster (valuesFrom)",
    ),
    "helmfile, a values file that is a template": (
        {"helmfile.yaml": "releases:\n- {name: shop, chart: ./charts/web, values: [prod.yaml.gotmpl]}\n"},
        "its values file prod.yaml.gotmpl is a template",
    ),
    "helmfile, patches": (
        {"helmfile.yaml": "releases:\n- {name: shop, chart: ./charts/web, jsonPatches: [{target: {}}]}\n"},
        "it uses jsonPatches, which portproof does not follow",
    ),
    "helmfile, an encrypted file": (
        {
            "secret.yaml": "service: ENC[x]\nsops: {mac: x}\n",
            "helmfile.yaml": "releases:\n- {name: shop, chart: ./charts/web, secrets: [secret.yaml]}\n",
        },
        "its secrets file secret.yaml is encrypted",
    ),
    "Terraform, values that it makes": (
        {"terraform/main.tf": TERRAFORM.format('  values = [templatefile("x.yaml", {})]\n')},
        "its values are not literal",
    ),
    "Terraform, a variable": (
        {"terraform/main.tf": TERRAFORM.format('  set {\n    name = "a"\n    value = var.port\n  }\n')},
        "its set is not literal",
    ),
}


@pytest.mark.parametrize("layout", SKIPPED)
def test_a_chart_with_values_that_cannot_be_known_is_skipped_with_the_reason(
    repository: Repository, layout: str
) -> None:
    files, reason = SKIPPED[layout]
    repository.write({**CHART, **files})
    found = discover(Tree(repository.root))
    assert [one.id for one in found.targets] == ["helm:charts/web"]
    assert [one.reason for one in found.skips if one.counts] == [f"as installed by 'shop': {reason}"]


OPTIONS = {
    "a remote component": (
        "components: [https://github.com/x/y//z?ref=v1]",
        "remote base https://github.com/x/y//z?ref=v1: not fetched",
    ),
    "a patch outside": (
        "patches: [{path: ../../x.yaml}]",
        "the file ../../x.yaml points outside the repository",
    ),
}


@pytest.mark.parametrize("layout", OPTIONS)
def test_options_of_kustomize_are_held_to_what_a_kustomization_may_say(
    repository: Repository, layout: str
) -> None:
    options, reason = OPTIONS[layout]
    source = f"    repoURL: {HERE}\n    path: web\n    kustomize: {{{options}}}\n"
    repository.write({**OVERLAY, "apps/shop.yaml": application(source)})
    found = discover(Tree(repository.root))
    assert found.targets == ()
    (skip,) = (one for one in found.skips if one.counts)
    assert skip.reason.startswith(f"as built by 'shop': {reason}")


ELSEWHERE = f"    metadata: {{name: x}}\n    spec: {{source: {{repoURL: {HERE}, path: charts/web}}}}\n"
UNREAD = {
    "clusters": (
        applicationset("  - clusters: {}\n", ELSEWHERE.replace("charts/web", "'{{name}}'")),
        ("applicationset", "shops: its generator clusters asks a cluster"),
    ),
    "labels of clusters": (
        applicationset("  - clusters: {}\n", ELSEWHERE.replace("charts/web", "'{{ metadata.labels.env }}'")),
        ("applicationset", "shops: its generator clusters asks a cluster"),
    ),
    "labels of clusters in the newer syntax": (
        applicationset(
            "  - clusters: {}\n", ELSEWHERE.replace("charts/web", "'{{ .metadata.labels.env }}'"), GO
        ),
        ("applicationset", "shops: its generator clusters asks a cluster"),
    ),
    "folders of clusters": (
        applicationset(
            "  - matrix: {generators: [{clusters: {}}, {git: {directories: [{path: 'clusters/{{name}}'}]}}]}\n",
            ELSEWHERE,
        ),
        ("applicationset", "shops: its generator matrix asks a cluster"),
    ),
    "clusters in a merge": (
        applicationset(
            "  - merge: {mergeKeys: [name], generators: [{clusters: {}}, {list: {elements: [{name: a}]}}]}\n",
            ELSEWHERE,
        ),
        ("applicationset", "shops: its generator merge asks a cluster"),
    ),
    "the name of a cluster in the values": (
        applicationset(
            "  - clusters: {values: {file: '{{.name}}.yaml'}}\n",
            ELSEWHERE.replace(
                "path: charts/web", "path: charts/web, helm: {valueFiles: ['/{{.values.file}}']}"
            ),
            GO,
        ),
        ("applicationset", "shops: its generator clusters asks a cluster"),
    ),
    "a git host": (
        applicationset("  - pullRequest: {github: {}}\n", ELSEWHERE),
        ("applicationset", "shops: its generator pullRequest asks a git host"),
    ),
    "a plugin in a matrix": (
        applicationset("  - matrix: {generators: [{plugin: {}}, {list: {elements: []}}]}\n", ELSEWHERE),
        ("applicationset", "shops: its generator matrix runs a plugin"),
    ),
    "a function that is not followed": (
        applicationset(LIST, ELSEWHERE.replace("name: x", "name: '{{ .env | sha256sum }}'"), GO),
        ("applicationset", "shops: {{.env | sha256sum}} is not followed"),
    ),
    "a parameter that nobody gives": (
        applicationset(LIST, ELSEWHERE.replace("name: x", "name: 'x-{{ .stage }}'"), GO),
        ("applicationset", "shops: {{.stage}}: there is no 'stage'"),
    ),
    "another repository": (
        application("    repoURL: https://git.example.org/other\n    path: charts/other\n"),
        ("application", "shop: charts/other is not in this repository (https://git.example.org/other)"),
    ),
    "a chart of a registry": (
        application(
            "    repoURL: https://charts.example.org\n    chart: '{{.chart}}'\n    targetRevision: 1.x\n"
        ),
        (
            "remote-chart",
            "shop: the chart {{.chart}} of https://charts.example.org: {{.chart}} is not filled in",
        ),
    ),
    "jsonnet": (
        application(f"    repoURL: {HERE}\n    path: json\n"),
        ("application", "shop: Argo CD renders jsonnet in json"),
    ),
    "patches without a kustomization": (
        application(f"    repoURL: {HERE}\n    path: json\n    kustomize: {{namePrefix: a}}\n"),
        ("application", "shop: there is no kustomization in json"),
    ),
    "two tools": (
        application(f"    repoURL: {HERE}\n    path: charts/web\n    helm: {{}}\n    kustomize: {{}}\n"),
        ("application", "shop: it names two tools: helm and kustomize"),
    ),
    "a source that is no git repository": (
        KUSTOMIZATION.replace("GitRepository", "OCIRepository"),
        ("flux", "web: its source is the OCIRepository flux-system"),
    ),
    "a git repository that is another one": (
        KUSTOMIZATION.replace("Repository, name: flux-system", "Repository, name: finance").replace(
            "./web", "./json"
        )
        + OF_TWO_REPOSITORIES,
        ("flux", "web: ./json is not in this repository (source finance)"),
    ),
    "a helm release of a registry": (
        HELM_RELEASE.replace("GitRepository", "HelmRepository").replace("./charts/web", "redis"),
        (
            "remote-chart",
            "shop: the chart redis of the HelmRepository flux-system is not in this repository, nor is its HelmRepository",
        ),
    ),
}


def test_a_git_repository_whose_address_is_filled_in_later_may_be_this_one(repository: Repository) -> None:
    text = KUSTOMIZATION.replace("flux-system}", "apps}") + OF_TWO_REPOSITORIES.replace("finance", "apps")
    template = OF_TWO_REPOSITORIES.replace("https://git.example.org/denis/finance.git", "${ADDRESS}")
    service = "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {ports: [{port: 80}]}\n"
    repository.write({"web/all.yaml": service, "clusters/a/apps.yaml": text})
    assert [one.path for one in discover(Tree(repository.root)).unread] == ["clusters/a/apps.yaml"]
    repository.write({"clusters/a/apps.yaml": KUSTOMIZATION.replace("flux-system}", "finance}") + template})
    assert not discover(Tree(repository.root)).unread


def test_a_path_of_flux_ends_at_the_root(repository: Repository) -> None:
    service = "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {ports: [{port: 80}]}\n"
    text = KUSTOMIZATION.replace("./web", "../../../web")
    repository.write({"web/all.yaml": service, "clusters/a/apps.yaml": text})
    found = discover(Tree(repository.root))
    assert not found.unread
    assert found.deployed == ("web",)


def test_a_value_that_a_chart_prints_is_no_placeholder(repository: Repository) -> None:
    values = """  values:
    shown: '{{ "{{ namespace }}" }}'
"""
    repository.write({**CHART, "apps/shop.yaml": HELM_RELEASE + values})
    assert [one.path for one in discover(Tree(repository.root)).targets] == ["charts/web", "charts/web"]
    assert not [one for one in discover(Tree(repository.root)).targets if getattr(one, "problem", "")]


@pytest.mark.parametrize("layout", UNREAD)
def test_what_asks_for_more_than_the_repository_has_is_unread_with_the_reason(
    repository: Repository, layout: str
) -> None:
    text, (kind, reason) = UNREAD[layout]
    repository.write({**CHART, "apps/shop.yaml": text, "json/web.jsonnet": "{}"})
    found = discover(Tree(repository.root))
    assert [one.id for one in found.targets] == ["helm:charts/web"]
    assert found.unread == (Unread("apps/shop.yaml", kind, reason),)


@pytest.mark.parametrize(
    ("file", "text", "unread"),
    [
        (
            "helmfile.yaml.gotmpl",
            "releases: []\n",
            ("helmfile", "it is a template that helmfile fills in"),
        ),
        (
            "helmfile.yaml",
            "releases:\n{{ range .Values.x }}\n- name: x\n{{ end }}\n",
            ("helmfile", "it is a template that helmfile fills in"),
        ),
        (
            "helmfile.yaml",
            "releases: [{name: x, chart: ./charts/web, values: ['{{ .Values.x }}']}]\n",
            ("helmfile", "x: {{.Values.x}}: there is no 'Values'"),
        ),
        (
            "helmfile.yaml",
            "releases: [{name: x, chart: bitnami/redis}]\n",
            (
                "remote-chart",
                "x: the chart bitnami/redis is not in this repository, nor is its repository in the helmfile",
            ),
        ),
        (
            "helmfile.yaml",
            "helmfiles: ['git::https://git.example.org/x.git@helmfile.yaml']\n",
            (
                "helmfile",
                "it reads git::https://git.example.org/x.git@helmfile.yaml, which is not in this repository",
            ),
        ),
        (
            "skaffold.yaml",
            "apiVersion: skaffold/v4beta6\nmanifests: {helm: {releases: [{name: x, remoteChart: redis}]}}\n",
            (
                "remote-chart",
                "x: the chart redis is not in this repository, nor is its repo in the Skaffold file",
            ),
        ),
        (
            "skaffold.yaml",
            "apiVersion: skaffold/v4beta6\nmanifests: {helm: {releases: [{name: '{{.NAME}}', chartPath: charts/web}]}}\n",
            ("skaffold", "{{.NAME}}: {{.NAME}} is filled in from the environment"),
        ),
        (
            "main.tf",
            'resource "helm_release" "x" {\n  repository = var.charts\n  chart = "redis"\n}\n',
            (
                "remote-chart",
                "x: the chart redis is not in this repository, and where it is from is not literal",
            ),
        ),
        (
            "main.tf",
            'resource "helm_release" "x" {\n  chart = var.chart\n}\n',
            ("terraform", "x: its chart is not literal"),
        ),
    ],
)
def test_what_another_tool_has_to_fill_in_or_fetch_is_unread(
    repository: Repository, file: str, text: str, unread: tuple[str, str]
) -> None:
    repository.write({**CHART, file: text})
    found = discover(Tree(repository.root))
    assert [one.id for one in found.targets] == ["helm:charts/web"]
    assert found.unread == (Unread(file, *unread),)


def test_a_value_of_which_a_component_has_the_last_word_is_not_guessed(
    portproof: Program, repository: Repository
) -> None:
    layout = CHART_LAYOUTS["helm release, values that an overlay adds to the ConfigMap of its base"]
    part = layout["part/kustomization.yaml"].replace("part.yaml=", "prod.yaml=")
    repository.write({**CHART, **layout, "part/kustomization.yaml": part})
    report = portproof.check()
    assert report["findings"] == []
    reasons = [one["reason"] for one in report["targets"] if one["status"] == "skipped"]
    assert reasons == ["as installed by 'shop': it reads values from objects in the cluster (valuesFrom)"]


def test_a_new_folder_of_a_generator_is_a_new_environment_in_a_pull_request(
    portproof: Program, repository: Repository
) -> None:
    layout = CHART_LAYOUTS["application set, git directories"]
    repository.write({**CHART, **layout, "clusters/prod/shop.yaml": "{}\n"})
    repository.commit()
    repository.write({"clusters/test/shop.yaml": "service: {target: 8081}\n"})
    report = portproof.check("--base", "HEAD")
    (finding,) = report["findings"]
    assert finding["introduced"] is True
    assert finding["targets"] == [
        "helm:charts/web?values=/clusters/test/shop.yaml,/apps/set.yaml#test",
    ]
    assert place(finding["location"]) == "clusters/test/shop.yaml:1:19-1:23"


def test_what_a_generator_reads_from_a_file_is_judged_by_the_change(
    portproof: Program, repository: Repository
) -> None:
    layout = CHART_LAYOUTS["application set, git files"]
    repository.write({**CHART, **layout})
    repository.replace("clusters/prod/config.yaml", "8081", "8080")
    repository.commit()
    assert portproof.check()["findings"] == []
    repository.replace("clusters/prod/config.yaml", "8080", "8081")
    report = portproof.check("--base", "HEAD")
    (finding,) = report["findings"]
    assert finding["introduced"] is True
    assert place(finding["location"]) == "clusters/prod/config.yaml:2:10-2:14"
    assert [one["id"] for one in report["targets"]] == ["helm:charts/web?values=/apps/set.yaml#shop-prod"]


def test_a_substitution_is_judged_by_the_change(portproof: Program, repository: Repository) -> None:
    layout = OVERLAY_LAYOUTS["kustomization of Flux, a substitution of a ConfigMap"]
    repository.write(layout)
    repository.replace("clusters/prod/settings.yaml", "8081", "8080")
    repository.commit()
    repository.replace("clusters/prod/settings.yaml", "8080", "8081")
    (finding,) = portproof.check("--base", "HEAD")["findings"]
    assert finding["introduced"] is True
    assert place(finding["location"]).startswith("clusters/prod/settings.yaml:4:")


def test_the_options_of_an_application_are_those_that_kustomize_builds_with(repository: Repository) -> None:
    repository.write(OVERLAY_LAYOUTS["application, options of kustomize"])
    tree = Tree(repository.root)
    (target,) = discover(tree).targets
    assert isinstance(target, KustomizeTarget)
    assert target.install is not None
    (text,) = edited(tree, "web", target.install).values()
    assert json.loads(text) == {
        "resources": ["service.yaml", "deployment.yaml"],
        "namePrefix": "prod-",
        "nameSuffix": "-one",
        "namespace": "sales",
        "components": ["../part"],
        "images": [
            {"name": "registry.example.org/web", "newName": "registry.example.org:5000/shop", "newTag": "2"}
        ],
        "replicas": [{"name": "web", "count": 2}],
        "labels": [{"pairs": {"team": "sales"}, "includeSelectors": True, "includeTemplates": False}],
    }


def test_an_overlay_is_checked_without_the_files_that_are_made_elsewhere(
    portproof: Program, repository: Repository
) -> None:
    overlay = "resources: [service.yaml, deployment.yaml]\nsecretGenerator: [{name: a, envs: [a.env]}]\n"
    repository.write({**OVERLAY, "web/kustomization.yaml": overlay})
    repository.replace("web/service.yaml", "8080", "8081")
    repository.commit()
    report = portproof.check()
    (finding,) = report["findings"]
    assert finding["location"]["proof"] == "proven"
    (target,) = report["targets"]
    assert (target["status"], target["reason"]) == (
        "checked",
        "without a part: web/a.env, which is missing",
    )
    assert report["unread"] == [
        {
            "path": "web/kustomization.yaml",
            "kind": "generated-file",
            "reason": "web/a.env, which is missing",
        }
    ]


PLUGIN = "  - plugin: {configMapRef: {name: values}}\n"
OF_PLUGIN = (
    "    metadata: {name: web}\n    spec:\n      destination: {namespace: web}\n"
    f"      source: {{repoURL: {HERE}, path: PATH, helm: {{valuesObject: {{storage: {{enabled: '{{{{.on}}}}'}}}}}}}}\n"
)


@pytest.mark.parametrize(
    ("path", "template", "severities"),
    [
        ("charts/web/", '{{- if eq .Values.storage.enabled "true" }}a: 1{{ end }}', []),
        ("charts/other", '{{- if eq .Values.storage.enabled "true" }}a: 1{{ end }}', []),
        ("charts/web/", "{{- if eq .Values.storage.enabled }", ["error"]),
    ],
    ids=["wants another type", "another chart", "does not parse"],
)
def test_a_chart_that_is_deployed_with_values_nobody_knows_need_not_render_with_its_own(
    portproof: Program, repository: Repository, path: str, template: str, severities: list[str]
) -> None:
    chart = {
        **CHART,
        "charts/web/values.yaml": CHART["charts/web/values.yaml"] + "storage: {enabled: true}\n",
    }
    deployed = applicationset(PLUGIN, OF_PLUGIN.replace("PATH", path))
    repository.write({**chart, "charts/web/templates/pvc.yaml": template, "apps/web.yaml": deployed})
    report = portproof.check()
    assert [one["severity"] for one in report["findings"] if one["rule"] == "render-failed"] == severities
    (target,) = (one for one in report["targets"] if one["id"] == "helm:charts/web")
    assert target["status"] == ("failed" if severities else "skipped")
    (unread,) = report["unread"]
    assert unread["reason"] == "shops: its generator plugin runs a plugin"


def test_values_files_without_the_charts_own_are_all_that_counts(
    portproof: Program, repository: Repository
) -> None:
    release = HELM_RELEASE.replace("      sourceRef", "      valuesFiles: [env/all.yaml]\n      sourceRef")
    repository.write({**CHART, "apps/shop.yaml": release})
    repository.write({"env/all.yaml": "service: {port: 80}\ncontainer: {port: 80}\n"})
    repository.commit()
    # with the chart's own values the Service would send to 8080
    assert portproof.check()["findings"] == []


def test_values_in_the_data_of_a_secret_are_read_and_the_place_is_where_they_are_used(
    portproof: Program, repository: Repository
) -> None:
    text = base64.b64encode(b"service: {target: 8081}\n").decode()
    secret = f"apiVersion: v1\nkind: Secret\nmetadata: {{name: shop}}\ndata: {{values.yaml: {text}}}\n"
    release = HELM_RELEASE + "  valuesFrom: [{kind: Secret, name: shop}]\n"
    repository.write({**CHART, "apps/secret.yaml": secret, "apps/shop.yaml": release})
    repository.commit()
    (finding,) = portproof.check()["findings"]
    assert finding["value"] == 8081
    assert finding["location"]["path"] == "charts/web/templates/all.yaml"
    repository.write({"apps/secret.yaml": secret.replace("data:", "sops: {mac: x}\ndata:")})
    (skipped,) = (one for one in portproof.check()["targets"] if one["status"] == "skipped")
    assert skipped["reason"].endswith("it reads values from objects in the cluster (valuesFrom)")


def test_a_patch_after_helm_that_fits_nothing_fails_at_the_release(
    portproof: Program, repository: Repository
) -> None:
    patch = "{apiVersion: v1, kind: Service, metadata: {name: other}, spec: {type: NodePort}}"
    release = HELM_RELEASE + f"  postRenderers: [{{kustomize: {{patches: [{{patch: '{patch}'}}]}}}}]\n"
    repository.write({**CHART, "apps/shop.yaml": release})
    repository.commit()
    (finding,) = portproof.check()["findings"]
    assert finding["rule"] == "render-failed"
    assert finding["message"].startswith(
        "apps/shop.yaml: postRenderers[0] of shop fails: no resource matches"
    )
    assert "/tmp" not in finding["message"]


def test_a_target_says_who_deploys_it(portproof: Program, repository: Repository) -> None:
    repository.write({**CHART, **CHART_LAYOUTS["application set, list"]})
    repository.commit()
    shown = portproof("targets").stdout
    assert "  by ApplicationSet shop-prod (apps/set.yaml, release shop-prod, namespace prod)\n" in shown
