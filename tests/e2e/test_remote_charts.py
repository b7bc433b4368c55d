"""Charts of registries, with the values of the repository: found, placed and mended here, or said not to be looked at."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.program import Program, Repository, environment
from tests.support.registry import Host, certificate, host, packaged, publish, push
from tests.support.rendering import current_helm

TEMPLATE = """apiVersion: v1
kind: Service
metadata: {name: {{ .Release.Name }}-web, namespace: {{ .Release.Namespace }}}
spec:
  selector: {app: web}
  ports: [{name: http, port: 80, targetPort: {{ .Values.service.target }}}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: {{ .Release.Name }}-web, namespace: {{ .Release.Namespace }}}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
        - name: web
          image: registry.example.org/web:1
          ports: [{name: http, containerPort: 8080}]
"""
HEALTHY = {"values.yaml": "service: {target: http}\n", "templates/all.yaml": TEMPLATE}
BROKEN = {**HEALTHY, "values.yaml": "service: {target: htpp}\n"}
VERSIONS = {
    "1.0.0": packaged("web", "1.0.0", HEALTHY),
    "1.1.0": packaged("web", "1.1.0", HEALTHY),
    "2.0.0": packaged("web", "2.0.0", BROKEN),
}

REPOSITORY = """apiVersion: source.toolkit.fluxcd.io/v1
kind: HelmRepository
metadata: {name: charts}
spec: {url: "%HTTPS%"}
"""
OCI_REPOSITORY = """apiVersion: source.toolkit.fluxcd.io/v1
kind: OCIRepository
metadata: {name: web}
spec: {url: "%OCI%/web", ref: {tag: "%VERSION%"}}
"""
RELEASE = """apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: shop, namespace: sales}
spec:
  chart: {spec: {chart: web, version: "%VERSION%", sourceRef: {kind: HelmRepository, name: charts}}}
  values:
    service: {target: %TARGET%}
"""
BY_REFERENCE = """apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: shop, namespace: sales}
spec:
  chartRef: {kind: KIND, name: web}
  values:
    service: {target: %TARGET%}
"""
HELM_CHART = """apiVersion: source.toolkit.fluxcd.io/v1
kind: HelmChart
metadata: {name: web}
spec: {chart: web, version: "%VERSION%", sourceRef: {kind: HelmRepository, name: charts}}
"""
FROM_A_MAP = """apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: shop, namespace: sales}
spec:
  chart: {spec: {chart: web, version: "%VERSION%", sourceRef: {kind: HelmRepository, name: charts}}}
  valuesFrom: [{kind: ConfigMap, name: shop-values}]
---
apiVersion: v1
kind: ConfigMap
metadata: {name: shop-values}
data:
  values.yaml: |
    service: {target: %TARGET%}
"""
APPLICATION = """apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: shop}
spec:
  destination: {namespace: sales}
  source:
    repoURL: %HTTPS%
    chart: web
    targetRevision: "%VERSION%"
    helm:
"""
SOURCES = """apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: shop}
spec:
  destination: {namespace: sales}
  sources:
    - {repoURL: %HTTPS%, chart: web, targetRevision: "%VERSION%", helm: {valueFiles: [$here/env/shop.yaml]}}
    - {repoURL: "https://git.example.org/here.git", ref: here}
"""
SET = """apiVersion: argoproj.io/v1alpha1
kind: ApplicationSet
metadata: {name: shops}
spec:
  generators: [{list: {elements: [{name: shop, target: %TARGET%}]}}]
  template:
    metadata: {name: '{{name}}'}
    spec:
      destination: {namespace: sales}
      source:
        repoURL: %HTTPS%
        chart: web
        targetRevision: "%VERSION%"
        helm: {parameters: [{name: service.target, value: '{{target}}'}]}
"""
HELMFILE = """repositories:
  - {name: charts, url: "%HTTPS%"}
releases:
  - name: shop
    namespace: sales
    chart: charts/web
    version: %VERSION%
    values:
      - service: {target: %TARGET%}
"""
HELMFILE_OCI = """repositories:
  - {name: charts, url: "%BARE%", oci: true}
releases:
  - {name: shop, namespace: sales, chart: charts/web, version: %VERSION%, values: [env/shop.yaml]}
"""
SKAFFOLD = """apiVersion: skaffold/v4beta6
kind: Config
deploy:
  helm:
    releases:
      - name: shop
        namespace: sales
        remoteChart: web
        repo: "%HTTPS%"
        version: "%VERSION%"
        overrides: {service: {target: %TARGET%}}
"""
TERRAFORM = """resource "helm_release" "shop" {
  name       = "shop"
  namespace  = "sales"
  repository = "%HTTPS%"
  chart      = "web"
  version    = "%VERSION%"
  values     = [file("${path.module}/env/shop.yaml")]
}
"""
TERRAFORM_OCI = TERRAFORM.replace('  repository = "%HTTPS%"\n', "").replace('"web"', '"%OCI%/web"')
WAYS: dict[str, tuple[dict[str, str], str]] = {
    "HelmRelease": ({"apps/shop.yaml": RELEASE, "sources/charts.yaml": REPOSITORY}, "apps/shop.yaml"),
    "HelmRelease of OCI": (
        {"apps/shop.yaml": RELEASE, "sources/charts.yaml": REPOSITORY.replace("HTTPS", "OCI")},
        "apps/shop.yaml",
    ),
    "OCIRepository": (
        {"apps/shop.yaml": BY_REFERENCE.replace("KIND", "OCIRepository"), "apps/source.yaml": OCI_REPOSITORY},
        "apps/shop.yaml",
    ),
    "HelmChart": (
        {
            "apps/shop.yaml": BY_REFERENCE.replace("KIND", "HelmChart"),
            "apps/source.yaml": f"{REPOSITORY}---\n{HELM_CHART}",
        },
        "apps/shop.yaml",
    ),
    "a ConfigMap": ({"apps/shop.yaml": FROM_A_MAP, "sources/charts.yaml": REPOSITORY}, "apps/shop.yaml"),
    "Application, values": (
        {"apps/shop.yaml": f"{APPLICATION}      values: |\n        service: {{target: %TARGET%}}\n"},
        "apps/shop.yaml",
    ),
    "Application, valuesObject": (
        {"apps/shop.yaml": f"{APPLICATION}      valuesObject: {{service: {{target: %TARGET%}}}}\n"},
        "apps/shop.yaml",
    ),
    "Application, parameters": (
        {"apps/shop.yaml": f"{APPLICATION}      parameters: [{{name: service.target, value: %TARGET%}}]\n"},
        "apps/shop.yaml",
    ),
    "Application of OCI": (
        {
            "apps/shop.yaml": f"{APPLICATION}      valuesObject: {{service: {{target: %TARGET%}}}}\n".replace(
                "HTTPS", "BARE"
            )
        },
        "apps/shop.yaml",
    ),
    "Application of an artifact": (
        {
            "apps/shop.yaml": f"{APPLICATION}      valuesObject: {{service: {{target: %TARGET%}}}}\n".replace(
                "%HTTPS%\n    chart: web", "%OCI%/web\n    path: ."
            )
        },
        "apps/shop.yaml",
    ),
    "Application of several sources": (
        {"apps/shop.yaml": SOURCES, "env/shop.yaml": "service: {target: %TARGET%}\n"},
        "env/shop.yaml",
    ),
    "ApplicationSet": ({"apps/shop.yaml": SET}, "apps/shop.yaml"),
    "helmfile": ({"helmfile.yaml": HELMFILE}, "helmfile.yaml"),
    "Skaffold": ({"skaffold.yaml": SKAFFOLD}, "skaffold.yaml"),
    "Terraform": (
        {"main.tf": TERRAFORM, "env/shop.yaml": "service: {target: %TARGET%}\n"},
        "env/shop.yaml",
    ),
    "Terraform of OCI": (
        {"main.tf": TERRAFORM_OCI, "env/shop.yaml": "service: {target: %TARGET%}\n"},
        "env/shop.yaml",
    ),
    "helmfile of OCI": (
        {"helmfile.yaml": HELMFILE_OCI, "env/shop.yaml": "service: {target: %TARGET%}\n"},
        "env/shop.yaml",
    ),
}


@pytest.fixture(scope="module")
def on() -> Iterator[Host]:
    with host() as made:
        publish(made, "web", VERSIONS)
        push(made, "charts/web", VERSIONS, realm=f"{made.url()}/token")
        without_token = made.guard
        made.guard = lambda asked: without_token(asked) if asked.path.startswith("/v2/") else None
        yield made


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    monkeypatch.chdir(tmp_path)
    found = Repository(tmp_path)
    found.commit()
    return found


@pytest.fixture
def online(tmp_path_factory: pytest.TempPathFactory) -> Program:
    """The program with a certificate and a cache of its own."""
    return Program(
        environment()
        | {
            "SSL_CERT_FILE": str(certificate()),
            "PORTPROOF_CACHE": str(tmp_path_factory.mktemp("cache")),
            "PORTPROOF_HELM": current_helm().argv[0],
        }
    )


def written(
    files: Mapping[str, str], on: Host, target: str = "http", version: str = "1.0.0"
) -> dict[str, str]:
    bare = f"127.0.0.1:{on.port}/charts"
    names = {"HTTPS": on.url(), "OCI": f"oci://{bare}", "BARE": bare, "TARGET": target, "VERSION": version}
    config = {"portproof.yaml": "allow-hosts: [127.0.0.1]\n"}
    return config | {
        path: re.sub("%([A-Z]+)%", lambda found: names[found[1]], text) for path, text in files.items()
    }


def broken(report: dict[str, Any]) -> dict[str, Any]:
    (finding,) = (one for one in report["findings"] if one["severity"] == "error")
    return dict(finding)


@pytest.mark.parametrize("way", WAYS)
def test_a_wrong_value_is_found_and_mended_where_it_is_written(
    online: Program, repository: Repository, on: Host, way: str
) -> None:
    files, place = WAYS[way]
    repository.write(written(files, on, "htpp"))
    report = online.check()
    finding = broken(report)
    assert finding["rule"] == "service-target-name"
    assert finding["location"]["path"] == place
    assert finding["location"]["proof"] == "proven"
    assert {edit["path"] for edit in finding["fix"]["edits"]} == {place}
    assert finding["fix"]["edits"][0]["new"] == "http"
    assert finding["resource"]["name"] == "shop-web"
    assert finding["resource"]["namespace"] == "sales"
    assert any(one["message"] == "from the chart web 1.0.0, templates/all.yaml" for one in finding["related"])
    (target,) = report["targets"]
    assert (target["id"].endswith("#shop"), target["status"], target["reason"]) == (True, "checked", None)
    assert report["unread"] == []


@pytest.mark.parametrize("way", WAYS)
def test_the_right_value_is_quiet(online: Program, repository: Repository, on: Host, way: str) -> None:
    files, _ = WAYS[way]
    repository.write(written(files, on))
    report = online.check()
    assert report["findings"] == []
    assert [one["status"] for one in report["targets"]] == ["checked"]


def test_a_path_in_an_artifact_is_unread(online: Program, repository: Repository, on: Host) -> None:
    application = APPLICATION.replace("%HTTPS%\n    chart: web", "%OCI%/web\n    path: deploy")
    repository.write(written({"apps/shop.yaml": f"{application}      releaseName: shop\n"}, on))
    (unread,) = online.check()["unread"]
    assert unread["reason"].startswith("shop: its path deploy is in an artifact of a registry (oci://")


def test_what_comes_with_the_chart_says_which_and_has_no_fix(
    online: Program, repository: Repository, on: Host
) -> None:
    files, _ = WAYS["HelmRelease"]
    text = RELEASE.replace("  values:\n    service: {target: %TARGET%}\n", "")
    repository.write(written({**files, "apps/shop.yaml": text}, on, version="2.0.0"))
    finding = broken(online.check())
    assert finding["fix"] is None
    assert finding["alternatives"] == []
    assert finding["location"]["proof"] == "hinted"
    assert (finding["location"]["path"], finding["location"]["line"]) == ("apps/shop.yaml", 5)
    assert any("the chart web 2.0.0, templates/all.yaml" in one["message"] for one in finding["related"])
    text = online("check").stdout
    assert "from the chart web 2.0.0, templates/all.yaml" in text


def test_a_raised_version_is_compared_with_the_one_before(
    online: Program, repository: Repository, on: Host
) -> None:
    files, _ = WAYS["OCIRepository"]
    files = {
        **files,
        "apps/shop.yaml": BY_REFERENCE.partition("  values:")[0].replace("KIND", "OCIRepository"),
    }
    repository.write(written(files, on))
    repository.commit()
    repository.write(written(files, on, version="2.0.0"))
    finding = broken(online.check("--base", "HEAD"))
    assert finding["introduced"] is True
    assert (finding["location"]["path"], finding["location"]["line"]) == ("apps/source.yaml", 4)


RANGES = {
    "^1.0.0": "not pinned: web 1.1.0: the newest in ^1.0.0 today",
    "*": "not pinned: web 2.0.0: no version is pinned, and this is the newest today",
    "": "not pinned: web 2.0.0: no version is pinned, and this is the newest today",
}


@pytest.mark.parametrize("version", RANGES)
def test_the_version_that_a_range_stands_for_is_said(
    online: Program, repository: Repository, on: Host, version: str
) -> None:
    files, _ = WAYS["HelmRelease"]
    repository.write(written(files, on, version=version))
    (target,) = online.check()["targets"]
    assert (target["status"], target["reason"]) == ("checked", RANGES[version])
    assert RANGES[version].partition(": ")[2] in " ".join(online("check").stdout.split())


REFUSED: dict[str, tuple[str, tuple[str, ...], str]] = {
    "offline": (
        "allow-hosts: [127.0.0.1]\n",
        ("--offline",),
        "is not fetched with --offline; drop that to check it",
    ),
    "another host": ("allow-hosts: [x.test]\n", (), "allow-hosts in portproof.yaml does not list 127.0.0.1"),
    "a private address": ("", (), "to allow it, list the host under allow-hosts in portproof.yaml"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_without_permission_it_is_skipped_with_the_reason(
    online: Program, repository: Repository, on: Host, case: str
) -> None:
    config, options, reason = REFUSED[case]
    files, _ = WAYS["HelmRelease"]
    repository.write({**written(files, on), "portproof.yaml": config})
    before = len(on.asked)
    report = online.check(*options)
    (target,) = report["targets"]
    assert (target["id"], target["status"]) == ("helm:apps/shop.yaml#shop", "skipped")
    assert "chart web 1.0.0 from https://127.0.0.1" in target["reason"]
    assert reason in target["reason"]
    assert len(on.asked) == before
    assert online("check", "--strict", *options).code == 1


UNKNOWN = {
    "a branch": ({"version": "main"}, "is no version and no range of versions; a registry has no branches"),
    "no such version": ({"version": "9.9.9"}, "the repository has no version 9.9.9"),
}


@pytest.mark.parametrize("case", UNKNOWN)
def test_a_version_that_there_is_not(online: Program, repository: Repository, on: Host, case: str) -> None:
    more, reason = UNKNOWN[case]
    files, _ = WAYS["HelmRelease"]
    repository.write(written(files, on, **more))
    (target,) = online.check()["targets"]
    assert target["status"] == "skipped"
    assert reason in target["reason"]


def test_values_that_the_chart_rejects_are_a_failure_at_the_release(
    online: Program, repository: Repository, on: Host
) -> None:
    """A cluster may have what a chart asks for, so it is no more than a warning, unless the base rendered."""
    files, _ = WAYS["HelmRelease"]
    wrong = {**files, "apps/shop.yaml": RELEASE.replace("{target: %TARGET%}", "8081")}
    repository.write(written(files, on))
    repository.commit()
    repository.write(written(wrong, on))
    (finding,) = online.check()["findings"]
    assert (finding["rule"], finding["severity"]) == ("render-failed", "warning")
    assert finding["message"].startswith("the chart web 1.0.0 does not render with these values: ")
    assert (finding["location"]["path"], finding["location"]["line"]) == ("apps/shop.yaml", 5)
    (finding,) = online.check("--base", "HEAD")["findings"]
    assert (finding["rule"], finding["severity"], finding["introduced"]) == ("render-failed", "error", True)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            RELEASE.replace("  values:\n", "  valuesFrom: [{kind: Secret, name: x}]\n  values:\n"),
            "it reads values from objects in the cluster (valuesFrom)",
        ),
        (
            RELEASE.replace('version: "%VERSION%"', 'version: "%VERSION%", valuesFiles: [values-prod.yaml]'),
            "its valuesFiles are files of the chart",
        ),
        (
            f"{APPLICATION}      valueFiles: [values-prod.yaml]\n",
            "its values file values-prod.yaml is a file of the chart",
        ),
        (
            SOURCES,
            "its values file $here/env/shop.yaml is in another repository (https://git.example.org/here.git)",
        ),
    ],
)
def test_values_that_are_not_known_are_unread(
    online: Program, repository: Repository, on: Host, text: str, reason: str
) -> None:
    repository.write(written({"apps/shop.yaml": text, "sources/charts.yaml": REPOSITORY}, on))
    report = online.check()
    assert report["targets"] == []
    (unread,) = report["unread"]
    assert unread["kind"] == "remote-chart"
    assert unread["reason"] == f"shop: the chart web is not rendered as installed: {reason}"


def test_targets_say_which_chart_it_is(online: Program, repository: Repository, on: Host) -> None:
    files, _ = WAYS["HelmRelease"]
    repository.write(written(files, on))
    said = online("targets").stdout
    assert "helm:apps/shop.yaml#shop" in said
    assert f"chart web 1.0.0 of {on.url()}" in " ".join(said.split())


def test_an_app_of_apps_may_install_it(online: Program, repository: Repository, on: Host) -> None:
    """What the rendering of a chart says is fixed in the values of that chart."""
    child = f"{APPLICATION}      valuesObject: {{service: {{target: '%LBRACE% .Values.target %RBRACE%'}}}}\n"
    files = {
        "apps/Chart.yaml": "apiVersion: v2\nname: apps\nversion: 0.1.0\n",
        "apps/values.yaml": "target: %TARGET%\n",
        "apps/templates/shop.yaml": child,
    }
    braces = {"%LBRACE%": "{{", "%RBRACE%": "}}"}
    texts = {
        path: re.sub("%[LR]BRACE%", lambda found: braces[found[0]], text) for path, text in files.items()
    }
    repository.write(written(texts, on, "htpp"))
    finding = broken(online.check())
    assert (finding["location"]["path"], finding["location"]["proof"]) == ("apps/values.yaml", "proven")
    assert [edit["path"] for edit in finding["fix"]["edits"]] == ["apps/values.yaml"]


def test_post_renderers_keep_the_template_of_the_chart(
    online: Program, repository: Repository, on: Host
) -> None:
    files, _ = WAYS["HelmRelease"]
    patch = '  postRenderers: [{kustomize: {patches: [{patch: \'[{"op": "replace", "path": "/spec/ports/0/port", "value": 81}]\', target: {kind: Service}}]}}]\n'
    repository.write(written({**files, "apps/shop.yaml": RELEASE + patch}, on, "htpp"))
    finding = broken(online.check())
    assert any(one["message"] == "from the chart web 1.0.0, templates/all.yaml" for one in finding["related"])


def test_a_password_in_the_address_is_shown_nowhere(
    online: Program, repository: Repository, on: Host
) -> None:
    files, _ = WAYS["HelmRelease"]
    address = on.url().replace("https://", "https://user:secret@")
    repository.write(
        written(files | {"sources/charts.yaml": REPOSITORY.replace("%HTTPS%", address)}, on, version="9.9.9")
    )
    for command in (("targets",), ("targets", "--format", "json"), ("check",), ("check", "--format", "json")):
        run = online(*command)
        assert "9.9.9" in run.stdout
        assert "secret" not in run.stdout + run.stderr
