"""Names that a chart makes of the release's: what has one of them, and is not rendered, is nowhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.e2e.program import Program, Repository, place

_HELPERS = """{{- define "shop.fullname" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name }}{{ else }}{{ .Release.Name }}-{{ .Chart.Name }}{{ end }}
{{- end }}
"""


def _chart(backend: str) -> dict[str, str]:
    return {
        "chart/Chart.yaml": "apiVersion: v2\nname: shop\nversion: 1.0.0\n",
        "chart/templates/_helpers.tpl": _HELPERS,
        "chart/templates/all.yaml": f"""apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {{name: shop}}
spec:
  defaultBackend:
    service:
      name: {backend}
      port: {{number: 80}}
---
apiVersion: v1
kind: Service
metadata: {{name: {{{{ include "shop.fullname" . }}}}-web}}
spec:
  selector: {{app: shop}}
  ports:
    - {{name: http, port: 80, targetPort: 8080}}
""",
    }


def _findings(portproof: Program, folder: Path, backend: str) -> list[dict[str, Any]]:
    repository = Repository(folder)
    repository.write(_chart(backend))
    repository.commit()
    found: list[dict[str, Any]] = portproof.check(folder)["findings"]
    return found


@pytest.mark.parametrize(
    "backend",
    ["{{ .Release.Name }}-frontend", '{{ include "shop.fullname" . }}', "shared-{{ .Release.Name }}"],
)
def test_a_backend_that_moves_with_the_release_is_nowhere(
    portproof: Program, tmp_path: Path, backend: str
) -> None:
    (finding,) = _findings(portproof, tmp_path, backend)
    assert (finding["rule"], finding["severity"]) == ("own-service-absent", "warning")
    assert place(finding["location"]).startswith("chart/templates/all.yaml:7:")


@pytest.mark.parametrize(
    "backend",
    [
        "shop-frontend",
        '{{ include "shop.fullname" . }}-web',
        '{{ .Values.backend | default "shop-frontend" }}',
    ],
)
def test_a_backend_that_is_written_out_may_be_of_another_release(
    portproof: Program, tmp_path: Path, backend: str
) -> None:
    assert _findings(portproof, tmp_path, backend) == []


def test_values_that_try_parts_of_a_chart_may_leave_the_service_out(
    portproof: Program, tmp_path: Path
) -> None:
    repository = Repository(tmp_path)
    template = _chart("{{ .Release.Name }}-frontend")["chart/templates/all.yaml"]
    files = _chart("shop") | {
        "chart/values.yaml": "parts: false\n",
        "chart/ci/parts-values.yaml": "parts: true\n",
        "chart/templates/all.yaml": f"{{{{ if .Values.parts }}}}\n{template}{{{{ end }}}}\n",
    }
    repository.write(files)
    repository.commit()
    assert portproof.check(tmp_path)["findings"] == []
    repository.write({"chart/values.yaml": "parts: true\n"})
    assert [one["rule"] for one in portproof.check(tmp_path)["findings"]] == ["own-service-absent"]


def test_what_was_nowhere_before_a_change_is_no_news(portproof: Program, tmp_path: Path) -> None:
    repository = Repository(tmp_path)
    repository.write(_chart("{{ .Release.Name }}-frontend"))
    repository.commit()
    repository.replace("chart/templates/all.yaml", "name: http", "name: web")
    (finding,) = portproof.check("--base", "HEAD", tmp_path)["findings"]
    assert (finding["rule"], finding["introduced"]) == ("own-service-absent", False)


def test_a_part_of_an_umbrella_may_mean_another_part(portproof: Program, tmp_path: Path) -> None:
    repository = Repository(tmp_path)
    part = "apiVersion: v2\nname: whole\nversion: 1.0.0\ndependencies:\n- {name: shop, version: 1.0.0, repository: 'file://../chart'}\n"
    front = "apiVersion: v1\nkind: Service\nmetadata: {name: '{{ .Release.Name }}-frontend'}\n"
    front += "spec: {ports: [{port: 80}]}\n"
    repository.write(
        _chart("{{ .Release.Name }}-frontend") | {"whole/Chart.yaml": part, "whole/templates/a.yaml": front}
    )
    repository.commit()
    assert portproof.check(tmp_path)["findings"] == []
    repository.write({"whole/templates/a.yaml": front.replace("frontend", "front")})
    found = portproof.check(tmp_path)["findings"]
    assert [(one["rule"], one["targets"]) for one in found] == [("own-service-absent", ["helm:whole"])]
    application = "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: shop}\n"
    repository.write({"app.yaml": application + "spec: {source: {path: chart, repoURL: .}}\n"})
    found = portproof.check(tmp_path)["findings"]
    ids = sorted(target.partition("?")[0] for one in found for target in one["targets"])
    assert ids == ["helm:chart", "helm:whole"]


_CALLER = """apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: shop}}
  template:
    metadata: {labels: {app: shop}}
    spec:
      containers:
        - name: web
          image: shop:1
          env: [{name: CACHE_URL, value: 'http://{{ .Release.Name }}-image-cache:80'}]
          ports: [{containerPort: 8080}]
"""


@pytest.mark.parametrize(
    ("values", "rules"),
    [
        ("imageCache: {enabled: false}\n", []),
        ("imageCacheEnabled: false\n", []),
        ("image-cache: false\n", []),
        ("imageCache: {enabled: true}\n", ["own-service-absent"]),
        ("imageCache: {ingress: {enabled: false}}\n", ["own-service-absent"]),
        ("mage: {enabled: false}\n", ["own-service-absent"]),
    ],
)
def test_a_call_to_a_part_that_is_switched_off_is_a_setting_for_later(
    portproof: Program, tmp_path: Path, values: str, rules: list[str]
) -> None:
    repository = Repository(tmp_path)
    files = _chart("{{ .Release.Name }}-web") | {"chart/values.yaml": values}
    files["chart/templates/all.yaml"] = (
        files["chart/templates/all.yaml"].partition("---\n")[2] + "---\n" + _CALLER
    )
    repository.write(files)
    repository.commit()
    assert [one["rule"] for one in portproof.check(tmp_path)["findings"]] == rules


@pytest.mark.parametrize(
    "helm", ["values: 'cache: {enabled: false}'", "parameters: [{name: cache.enabled, value: 'false'}]"]
)
def test_an_application_switches_a_part_off_as_well(portproof: Program, tmp_path: Path, helm: str) -> None:
    repository = Repository(tmp_path)
    files = _chart("") | {"chart/values.yaml": "cache: {enabled: true}\n"}
    files["chart/templates/all.yaml"] = (
        files["chart/templates/all.yaml"].partition("---\n")[2]
        + "---\n"
        + _CALLER.replace("image-cache", "cache")
    )
    application = "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: shop}\n"
    source = f"{{path: chart, repoURL: ., helm: {{{helm}}}}}"
    repository.write(files | {"app.yaml": application + f"spec: {{source: {source}}}\n"})
    repository.commit()
    found = portproof.check(tmp_path)["findings"]
    assert [target for one in found for target in one["targets"]] == ["helm:chart"]


def test_a_route_to_a_part_that_is_switched_off_is_open_and_leads_nowhere(
    portproof: Program, tmp_path: Path
) -> None:
    repository = Repository(tmp_path)
    values = {"chart/values.yaml": "frontend: {enabled: false}\n"}
    repository.write(_chart("{{ .Release.Name }}-frontend") | values)
    repository.commit()
    assert [one["rule"] for one in portproof.check(tmp_path)["findings"]] == ["own-service-absent"]


_REDIS = """apiVersion: v1
kind: Service
metadata: {name: redis}
spec:
  selector: {app: redis}
  ports:
    - {port: 6379}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data:
  REDIS_HOST: redis
---
apiVersion: v1
kind: Pod
metadata: {name: vote}
spec:
  containers:
    - name: vote
      image: registry.example.net/vote:1
      envFrom:
        - configMapRef: {name: settings}
"""


@pytest.mark.parametrize(
    ("overlay", "found"),
    [("namePrefix: dev-", True), ("nameSuffix: -two", True), ("namespace: dev", False)],
)
def test_what_a_kustomization_renames_is_not_called_by_its_plain_name(
    portproof: Program, tmp_path: Path, overlay: str, found: bool
) -> None:
    repository = Repository(tmp_path)
    repository.write(
        {
            "base/kustomization.yaml": "resources: [all.yaml]\n",
            "base/all.yaml": _REDIS,
            "overlays/dev/kustomization.yaml": f"resources: [../../base]\n{overlay}\n",
        }
    )
    repository.commit()
    for cached in range(2):
        findings = portproof.check(tmp_path)["findings"]
        places = [(one["rule"], place(one["location"])) for one in findings]
        assert places == [("service-name-prefix", "base/all.yaml:13:15-13:20")] * found, cached


_FILE = "|\n    log: debug\n    queue: redis://redis:6379/0  # redis\n    other: http://web:80"


@pytest.mark.parametrize(
    ("entry", "at"),
    [
        ("REDIS_URL: redis://redis:6379/0", "13:22-13:27"),
        ('REDIS_URL: "redis://user:secret@redis:6379"', "13:35-13:40"),
        ("REDIS_URL: http://redis/", "13:21-13:26"),
        ("REDIS_URL: redis.default.svc:6379", "13:14-13:19"),
        (f"app.yaml: {_FILE}", "15:20-15:25"),
    ],
    ids=["url", "quoted", "no port", "long", "file"],
)
def test_overlays_that_rename_the_host_of_an_address_are_one_finding_at_the_host(
    portproof: Program, tmp_path: Path, entry: str, at: str
) -> None:
    repository = Repository(tmp_path)
    repository.write(
        {
            "base/kustomization.yaml": "resources: [all.yaml]\n",
            "base/all.yaml": _REDIS.replace("REDIS_HOST: redis", entry),
            **{
                f"overlays/{name}/kustomization.yaml": f"resources: [../../base]\nnamePrefix: {name}-\n"
                for name in ("dev", "prod", "staging")
            },
        }
    )
    repository.commit()

    (finding,) = portproof.check(tmp_path)["findings"]

    assert (finding["rule"], place(finding["location"])) == ("service-name-prefix", f"base/all.yaml:{at}")
    assert (finding["location"]["proof"], finding["value"]) == ("proven", "redis")
    assert len(finding["targets"]) == 3


def test_a_host_that_is_nowhere_is_one_finding_in_all_overlays(portproof: Program, tmp_path: Path) -> None:
    repository = Repository(tmp_path)
    base = _REDIS.replace("name: redis", "name: sessions-redis")
    repository.write(
        {
            "base/kustomization.yaml": "resources: [all.yaml]\n",
            "base/all.yaml": base.replace("REDIS_HOST: redis", 'REDIS_URL: "redis://session-redis:6379/0"'),
            **{
                f"overlays/{name}/kustomization.yaml": f"resources: [../../base]\nnamespace: {name}\n"
                for name in ("dev", "prod", "staging")
            },
        }
    )
    repository.commit()

    (finding,) = portproof.check(tmp_path)["findings"]

    assert (finding["rule"], finding["value"]) == ("caller-service", "session-redis")
    assert place(finding["location"]) == "base/all.yaml:13:23-13:36"
    assert (finding["location"]["proof"], len(finding["targets"])) == ("proven", 3)


def test_the_host_is_written_before_a_port_that_is_a_value(portproof: Program, tmp_path: Path) -> None:
    called = "redis://session-redis:{{ .Values.port }}/0"
    base = _REDIS.replace("name: redis", "name: sessions-redis")
    repository = Repository(tmp_path)
    repository.write(
        {
            "chart/Chart.yaml": "apiVersion: v2\nname: shop\nversion: 1.0.0\n",
            "chart/values.yaml": "port: 6379\n",
            "chart/templates/all.yaml": base.replace("REDIS_HOST: redis", f"REDIS_URL: {called}"),
        }
    )
    repository.commit()

    (finding,) = portproof.check(tmp_path)["findings"]

    assert (finding["rule"], finding["location"]["proof"]) == ("caller-service", "proven")
    assert place(finding["location"]) == "chart/templates/all.yaml:13:22-13:35"


def test_what_another_overlay_of_the_environment_has_is_no_lost_name(
    portproof: Program, tmp_path: Path
) -> None:
    repository = Repository(tmp_path)
    repository.write(
        {
            "base/kustomization.yaml": "resources: [all.yaml]\n",
            "base/all.yaml": _REDIS,
            "apps/dev/vote/kustomization.yaml": "resources: [../../../base]\nnamePrefix: dev-\n",
            "apps/dev/redis/kustomization.yaml": "resources: [redis.yaml]\n",
            "apps/dev/redis/redis.yaml": _REDIS.partition("---")[0],
        }
    )
    repository.commit()
    assert portproof.check(tmp_path)["findings"] == []


@pytest.mark.parametrize(
    ("values", "rules"),
    [
        ("browser: {enabled: false}\n", []),
        ("browser: {enabled: false}\nstrict: false\n", []),
        ("other: {enabled: false}\n", ["own-service-absent"]),
    ],
)
def test_a_part_that_is_switched_off_may_have_the_service_under_another_name(
    portproof: Program, tmp_path: Path, values: str, rules: list[str]
) -> None:
    repository = Repository(tmp_path)
    service = _chart("")["chart/templates/all.yaml"].partition("---\n")[2]
    part = service.replace('{{ include "shop.fullname" . }}-web', "{{ .Release.Name }}-image-cache")
    assert part != service
    files = _chart("") | {
        "chart/values.yaml": values,
        "chart/templates/all.yaml": f"{service}---\n{_CALLER}",
        "chart/templates/browser.yaml": f"{{{{ if (.Values.browser).enabled }}}}\n{part}{{{{ end }}}}\n",
        "chart/templates/guard.yaml": '{{ if .Values.strict }}{{ fail "not here" }}{{ end }}\n',
    }
    repository.write(files)
    repository.commit()
    assert [one["rule"] for one in portproof.check(tmp_path)["findings"]] == rules
