"""A part that cannot be had: what is left is checked, and the report says what it was checked without."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from portproof.discover.overlays import MANY
from tests.e2e.program import Program, Repository
from tests.e2e.test_layouts import broken_manifests

BROKEN = broken_manifests()
SOUND = BROKEN.replace("8081", "8080")
REMOTE = "https://github.com/example/shop//deploy?ref=v1"
BASE = {"base/kustomization.yaml": "resources: [all.yaml]\n"}
PLUGIN = "apiVersion: example.com/v1\nkind: Secrets\nmetadata: {name: x}\n"
INFLATOR = "{apiVersion: builtin, kind: HelmChartInflationGenerator, metadata: {name: x}, name: redis}"
FUNCTION = "config.kubernetes.io/function: 'exec: {path: ksops}'"
DEPLOYED = {"deploy.sh": "kubectl apply -k prod\n"}
SOPS = f"apiVersion: viaduct.ai/v1\nkind: ksops\nmetadata: {{name: x, annotations: {{{FUNCTION}}}}}\nfiles: [s.yaml]\n"


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    monkeypatch.chdir(tmp_path)
    found = Repository(tmp_path)
    found.write({"README": ""})
    found.commit()
    return found


LACKING = {
    "a remote base": f"resources: [../base, '{REMOTE}']\n",
    "a remote file": "resources: [../base, 'https://example.com/x.yaml']\n",
    "a remote file of a ConfigMap": "resources: [../base]\n"
    "configMapGenerator: [{name: board, files: ['a.json=https://example.com/a.json', theirs.yaml]}]\n",
    "a chart of a registry": "resources: [../base]\nhelmCharts: [{name: redis, repo: 'https://example.com'}]\n",
    "a generator that runs a program": "resources: [../base]\ngenerators: [sops.yaml]\n",
    "a generator of others": "resources: [../base]\ngenerators: [g.yaml]\n",
    "a chart that a generator inflates": f"resources: [../base]\ngenerators: ['{INFLATOR}']\n",
    "a patch of what a generator makes": """resources: [../base]
generators: [sops.yaml]
patchesStrategicMerge: ["{apiVersion: v1, kind: Secret, metadata: {name: login}, type: Opaque}"]
""",
    "a patch of the remote base": f"""resources: [../base, '{REMOTE}']
patches:
  - patch: "{{apiVersion: apps/v1, kind: Deployment, metadata: {{name: shop}}, spec: {{replicas: 2}}}}"
  - path: theirs.yaml
""",
}
THEIRS = "apiVersion: v1\nkind: Service\nmetadata: {name: shop}\nspec: {type: NodePort}\n"


@pytest.mark.parametrize("overlay", LACKING.values(), ids=list(LACKING))
def test_an_overlay_is_built_without_what_cannot_be_had(
    portproof: Program, repository: Repository, overlay: str
) -> None:
    files = {**BASE, "prod/kustomization.yaml": overlay, "prod/theirs.yaml": THEIRS}
    files |= {"prod/g.yaml": PLUGIN, "prod/sops.yaml": SOPS}
    repository.write({**files, "base/all.yaml": BROKEN})
    found = portproof.check()
    (finding,) = found["findings"]
    assert (finding["rule"], finding["severity"]) == ("service-target-number", "error")
    assert (finding["location"]["path"], finding["location"]["line"]) == ("base/all.yaml", 4)
    assert finding["location"]["proof"] == "proven"
    assert finding["fix"] is not None
    (target,) = found["targets"]
    (unread,) = found["unread"]
    assert (target["id"], target["status"]) == ("kustomize:prod", "checked")
    assert target["reason"] == f"without a part: {unread['reason']}"
    assert unread["path"] == "prod/kustomization.yaml"
    assert portproof("check", "--fail-on=never", "--strict").code == 1
    repository.write({"base/all.yaml": SOUND})
    assert portproof.check()["findings"] == []


def test_a_change_that_adds_a_remote_base_ends_no_check(portproof: Program, repository: Repository) -> None:
    repository.write({**BASE, "base/all.yaml": SOUND, "prod/kustomization.yaml": "resources: [../base]\n"})
    repository.commit()
    repository.write({"base/kustomization.yaml": f"resources: [all.yaml, '{REMOTE}']\n"})
    found = portproof.check("--base", "HEAD")
    assert ([one["status"] for one in found["targets"]], found["findings"]) == (["checked"], [])
    repository.write({"base/all.yaml": BROKEN})
    (finding,) = portproof.check("--base", "HEAD")["findings"]
    assert (finding["rule"], finding["introduced"]) == ("service-target-number", True)


def test_what_lies_elsewhere_may_be_in_the_part_that_is_not_there(
    portproof: Program, repository: Repository
) -> None:
    ingress = """apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web}
spec: {defaultBackend: {service: {name: apis, port: {number: 80}}}}
"""
    files = {**BASE, "base/all.yaml": f"{SOUND}---\n{ingress}"}
    repository.write({**files, "prod/kustomization.yaml": "resources: [../base]\n"})
    assert [one["rule"] for one in portproof.check()["findings"]] == ["ingress-service"]
    repository.write({"prod/kustomization.yaml": LACKING["a remote base"]})
    assert portproof.check()["findings"] == []


@pytest.mark.parametrize("there", [False, True])
@pytest.mark.parametrize("count", [MANY - 1, MANY])
def test_what_a_pipeline_writes_beside_many_kustomizations_is_done_without(
    portproof: Program, repository: Repository, count: int, *, there: bool
) -> None:
    overlays = {
        f"prod/{number}/kustomization.yaml": f"namePrefix: x{number}-\nresources: [../../base, ./helm-all.yaml]\n"
        for number in range(count)
    }
    one = {"old/helm-all.yaml": THEIRS} if there else {}
    repository.write({**BASE, "base/all.yaml": BROKEN, **overlays, **one})
    found = portproof.check()
    rules = {one["rule"] for one in found["findings"]}
    if there or count < MANY:
        assert "render-failed" in rules
        return
    assert rules == {"service-target-number"}
    assert len(found["targets"]) == len(found["unread"]) == count
    assert {one["kind"] for one in found["unread"]} == {"generated-file"}
    said = "without a part: prod/0/helm-all.yaml, which many kustomizations list and none has"
    assert found["targets"][0]["reason"] == f"{said} (prod/0/kustomization.yaml:2)"


BUILT_BY_NOBODY = {
    "a plugin": ("resources: [../base]\ntransformers: [g.yaml]\n", "skipped"),
    "a remote component": (f"resources: [../base]\ncomponents: ['{REMOTE}']\n", "skipped"),
    "a remote base, and a patch of several of its objects": (
        f"resources: [../base, '{REMOTE}']\npatches: [{{path: several.yaml}}]\n",
        "skipped",
    ),
    "a file that is missing": ("resources: [../base, gone.yaml]\n", "failed"),
    "an overlay that cannot be built": ("resources: [../stage]\n", "failed"),
}


@pytest.mark.parametrize("case", BUILT_BY_NOBODY)
def test_the_base_of_an_overlay_that_cannot_be_built_is_checked(
    portproof: Program, repository: Repository, case: str
) -> None:
    overlay, status = BUILT_BY_NOBODY[case]
    files = {
        **BASE,
        **DEPLOYED,
        "prod/kustomization.yaml": overlay,
        "prod/g.yaml": PLUGIN,
        "prod/several.yaml": f"{THEIRS}---\n{THEIRS.replace('shop', 'other')}",
        "stage/kustomization.yaml": "resources: [../base]\npatches: [{path: gone.yaml}]\n",
    }
    if "../stage" not in overlay:
        del files["stage/kustomization.yaml"]
    repository.write({**files, "base/all.yaml": BROKEN})
    found = portproof.check()
    statuses = {one["id"]: one["status"] for one in found["targets"]}
    assert statuses.items() >= {"kustomize:prod": status, "kustomize:base": "checked"}.items()
    (finding,) = (one for one in found["findings"] if one["rule"] != "render-failed")
    assert (finding["rule"], finding["targets"]) == ("service-target-number", ["kustomize:base"])
    assert finding["location"]["proof"] == "proven"
    assert finding["fix"] is not None
    repository.write({"base/all.yaml": SOUND})
    assert {one["rule"] for one in portproof.check()["findings"]} <= {"render-failed"}


def test_a_base_that_only_its_overlay_completes_is_not_said_to_be_broken(
    portproof: Program, repository: Repository
) -> None:
    field = "{kind: Service, name: api, apiVersion: v1}, fieldref: {fieldpath: metadata.namespace}"
    base = f"resources: [all.yaml]\nvars: [{{name: NS, objref: {field}}}]\n"
    overlay = "resources: [../base]\nnamespace: shop\npatches: [{path: gone.yaml}]\n"
    repository.write({**DEPLOYED, "base/kustomization.yaml": base, "base/all.yaml": SOUND})
    repository.write({"prod/kustomization.yaml": overlay})
    found = portproof.check()
    assert [(one["rule"], one["targets"]) for one in found["findings"]] == [
        ("render-failed", ["kustomize:prod"])
    ]
    repository.write({"prod/kustomization.yaml": overlay.partition("patches")[0]})
    assert portproof.check()["findings"] == []


def test_a_base_that_another_overlay_has_is_no_target(portproof: Program, repository: Repository) -> None:
    patch = "- op: replace\n  path: /spec/ports/0/targetPort\n  value: 8080\n"
    repository.write(
        {
            **BASE,
            **DEPLOYED,
            "base/all.yaml": BROKEN,
            "dev/kustomization.yaml": "resources: [../base]\npatches: [{path: p.yaml, target: {kind: Service}}]\n",
            "dev/p.yaml": patch,
            "prod/kustomization.yaml": "resources: [../base, gone.yaml]\n",
            "test/kustomization.yaml": BUILT_BY_NOBODY["a plugin"][0],
            "test/g.yaml": PLUGIN,
        }
    )
    found = portproof.check()
    assert [one["id"] for one in found["targets"]] == ["kustomize:dev", "kustomize:prod", "kustomize:test"]
    assert [one["rule"] for one in found["findings"]] == ["render-failed"]


@pytest.mark.parametrize("case", ["a plugin", "a file that is missing"])
def test_what_such_a_base_had_before_is_not_introduced(
    portproof: Program, repository: Repository, case: str
) -> None:
    files = {**BASE, "prod/kustomization.yaml": "resources: [../base]\n", "prod/g.yaml": PLUGIN}
    repository.write({**files, "base/all.yaml": BROKEN})
    repository.commit()
    repository.write({"prod/kustomization.yaml": BUILT_BY_NOBODY[case][0]})
    found = portproof.check("--base", "HEAD")
    introduced = {one["rule"]: one["introduced"] for one in found["findings"]}
    assert introduced.pop("service-target-number", False) is False
    assert list(introduced.values()) == [True]
    repository.write({"base/all.yaml": SOUND})
    repository.commit()
    repository.write({"base/all.yaml": BROKEN})
    found = portproof.check("--base", "HEAD")
    (finding,) = (one for one in found["findings"] if one["rule"] == "service-target-number")
    assert finding["introduced"] is True


def test_a_kustomization_that_is_named_is_a_target(portproof: Program, repository: Repository) -> None:
    repository.write({**BASE, "base/all.yaml": BROKEN, "prod/kustomization.yaml": "resources: [../base]\n"})
    (finding,) = portproof.check("base")["findings"]
    assert finding["targets"] == ["kustomize:base", "kustomize:prod"]
    repository.commit()
    repository.write({"base/all.yaml": f"{BROKEN}# more\n"})
    (finding,) = portproof.check("--base", "HEAD", "base")["findings"]
    assert finding["introduced"] is False


def test_a_file_of_the_repository_outside_of_the_folder_is_read(
    portproof: Program, repository: Repository
) -> None:
    repository.write({"all.yaml": BROKEN, "prod/kustomization.yaml": "resources: [../all.yaml]\n"})
    (finding,) = portproof.check()["findings"]
    assert (finding["rule"], finding["location"]["path"]) == ("service-target-number", "all.yaml")
    assert finding["location"]["proof"] == "proven"
    repository.write({"all.yaml": SOUND})
    found = portproof.check()
    assert ([one["status"] for one in found["targets"]], found["findings"]) == (["checked"], [])


def test_a_file_outside_of_the_repository_is_not_read(
    portproof: Program, repository: Repository, tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = tmp_path_factory.mktemp("outside") / "all.yaml"
    outside.write_text(BROKEN)
    up = "../" * 20
    repository.write(
        {
            "a/kustomization.yaml": f"resources: ['{outside}']\n",
            "b/kustomization.yaml": f"resources: ['{up}{outside}']\n",
            "c/kustomization.yaml": "resources: [../link.yaml]\n",
        }
    )
    (repository.root / "link.yaml").symlink_to(outside)
    found = portproof.check()
    assert [one["status"] for one in found["targets"] if one["kind"] == "kustomize"] == ["skipped"] * 3
    assert found["findings"] == []


CHART = {
    "charts/shop/Chart.yaml": """apiVersion: v2
name: shop
version: 1.0.0
dependencies:
  - {name: redis, version: ^17.0.0, repository: "https://example.com", alias: cache, condition: cache.enabled}
""",
    "charts/shop/values.yaml": "target: 8081\ncache: {enabled: true}\n",
    "charts/shop/templates/all.yaml": BROKEN.replace("8081", "{{ .Values.target }}"),
}


def test_a_chart_is_rendered_without_a_dependency_that_cannot_be_had(
    portproof: Program, repository: Repository
) -> None:
    repository.write(CHART)
    found = portproof.check("--offline")
    (finding,) = found["findings"]
    assert (finding["rule"], finding["location"]["path"]) == (
        "service-target-number",
        "charts/shop/values.yaml",
    )
    assert (finding["location"]["proof"], finding["fix"] is not None) == ("proven", True)
    ((target,), (unread,)) = found["targets"], found["unread"]
    assert (target["status"], target["reason"]) == ("checked", f"without a part: {unread['reason']}")
    assert (unread["path"], unread["kind"]) == ("charts/shop/Chart.yaml", "dependency")
    assert "redis ^17.0.0" in unread["reason"]
    assert portproof("check", "--offline", "--fail-on=never", "--strict").code == 1
    repository.write({"charts/shop/values.yaml": "target: 8080\n"})
    assert portproof.check("--offline")["findings"] == []


def test_a_value_of_its_own_that_such_a_chart_wants_gets_a_placeholder(
    portproof: Program, repository: Repository
) -> None:
    wanted = '{{ if not .Values.secret }}{{ fail "set secret" }}{{ end }}\n'
    repository.write({**CHART, "charts/shop/templates/secret.yaml": wanted})
    found = portproof.check("--offline")
    assert {one["rule"] for one in found["findings"]} == {"render-failed", "service-target-number"}
    assert found["targets"][0]["reason"].endswith("placeholders for values that it was not given: secret")
    assert [one["kind"] for one in found["unread"]] == ["dependency"]
    repository.write({"charts/shop/templates/secret.yaml": "# {{ .Values.cache.image.tag }}\n"})
    found = portproof.check("--offline")
    assert ([one["status"] for one in found["targets"]], found["findings"]) == (["skipped"], [])


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("templates/name.yaml", '# {{ include "redis.name" . }}\n'),
        ("templates/all.yaml", ""),
        ("Chart.yaml", CHART["charts/shop/Chart.yaml"] + "    import-values: [data]\n"),
    ],
    ids=["a helper of it", "nothing of its own", "its values"],
)
def test_a_chart_that_needs_the_dependency_is_skipped(
    portproof: Program, repository: Repository, file: str, text: str
) -> None:
    chart = CHART["charts/shop/Chart.yaml"].replace(
        '- {name: redis, version: ^17.0.0, repository: "https://example.com", alias: cache, condition: cache.enabled}',
        '- name: redis\n    version: ^17.0.0\n    repository: "https://example.com"',
    )
    files = {**CHART, "charts/shop/Chart.yaml": chart}
    more = chart + "    import-values: [data]\n" if file == "Chart.yaml" else text
    repository.write({**files, f"charts/shop/{file}": more})
    found = portproof.check("--offline")
    (target,) = found["targets"]
    assert (target["status"], found["findings"]) == ("skipped", [])
    assert target["reason"].startswith("dependencies not vendored: redis ^17.0.0")


LIBRARY = {
    "charts/common/Chart.yaml": "apiVersion: v2\nname: common\nversion: 2.3.0\ntype: library\n",
    "charts/common/templates/_names.tpl": '{{- define "common.port" }}8081{{ end }}\n',
    "charts/shop/Chart.yaml": """apiVersion: v2
name: shop
version: 1.0.0
dependencies:
  - {name: common, version: 2.x.x, repository: "oci://registry.example.com/charts"}
""",
    "charts/shop/templates/all.yaml": BROKEN.replace("8081", '{{ include "common.port" . }}'),
}


@pytest.mark.parametrize("kind", ["type: library\n", ""])
def test_a_library_of_the_repository_stands_in_for_that_of_a_registry(
    portproof: Program, repository: Repository, kind: str
) -> None:
    chart = LIBRARY["charts/common/Chart.yaml"].replace("type: library\n", kind)
    repository.write({**LIBRARY, "charts/common/Chart.yaml": chart})
    found = portproof.check("--offline", "charts/shop")
    (finding,) = found["findings"]
    assert finding["location"]["path"] == "charts/common/templates/_names.tpl"
    assert ([one["status"] for one in found["targets"]], found["unread"]) == (["checked"], [])
    helpers = LIBRARY["charts/common/templates/_names.tpl"]
    repository.write({"charts/common/templates/_names.tpl": helpers.replace("8081", "8080")})
    assert portproof.check("--offline", "charts/shop")["findings"] == []


@pytest.mark.parametrize(
    "change",
    [
        {"charts/common/Chart.yaml": LIBRARY["charts/common/Chart.yaml"].replace("2.3.0", "3.0.0")},
        {
            "charts/common/Chart.yaml": LIBRARY["charts/common/Chart.yaml"].replace(
                "name: common", "name: other"
            )
        },
        {"other/Chart.yaml": LIBRARY["charts/common/Chart.yaml"], "other/templates/_a.tpl": ""},
        {
            "charts/common/Chart.yaml": "apiVersion: v2\nname: common\nversion: 2.3.0\n",
            "charts/common/templates/a.yaml": "",
        },
        {
            "charts/common/Chart.yaml": LIBRARY["charts/common/Chart.yaml"]
            + 'dependencies: [{name: base, version: 1.x.x, repository: "oci://registry.example.com/charts"}]\n'
        },
    ],
    ids=[
        "another version",
        "another name",
        "two of them",
        "an application",
        "one that lacks a library itself",
    ],
)
def test_nothing_else_stands_in_for_a_chart_of_a_registry(
    portproof: Program, repository: Repository, change: dict[str, str]
) -> None:
    repository.write({**LIBRARY, **change})
    found = portproof.check("--offline", "charts/shop")
    assert ([one["status"] for one in found["targets"]], found["findings"]) == (["skipped"], [])


def wanting(action: str, values: str = "{}\n") -> dict[str, str]:
    """A chart with a broken port that wants a value which it does not have."""
    name = "metadata: {name: api, labels: {app: api}}"
    return {
        "shop/Chart.yaml": "apiVersion: v2\nname: shop\nversion: 1.0.0\n",
        "shop/values.yaml": values,
        "shop/templates/_helpers.tpl": '{{- define "shop.host" }}{{ required "set the host" .Values.host }}{{ end }}\n',
        "shop/templates/all.yaml": BROKEN.replace(
            name, f"metadata: {{name: api, labels: {{app: api}}, annotations: {{a: {action}}}}}"
        ),
    }


WANTED = {
    "required": ("'{{ required \"set the host\" .Values.host }}'", "host: ''\n", "host"),
    "required at the end": ("'{{ .Values.db.host | required \"set the host\" }}'", "db: {}\n", "db.host"),
    "required of several": (
        '\'{{ required "a" .Values.alpha }}{{ required "b" .Values.beta.port }}\'',
        "{}\n",
        "alpha, beta.port",
    ),
    "required in a helper": ("'{{ include \"shop.host\" . }}'", "{}\n", "host"),
    "no parent": ("'{{ .Values.image.tag }}'", "{}\n", "image.tag"),
    "no parent of a number": ("'{{ add .Values.image.port 1 }}'", "{}\n", "image.port"),
    "a list without a parent": (
        "'{{ range .Values.cors.origins }}{{ .host }}{{ end }}'",
        "{}\n",
        "cors.origins",
    ),
    "a list with numbers without a parent": (
        "'{{- range $i, $one := $.Values.cors.origins -}}{{ $one.host }}{{ end }}'",
        "{}\n",
        "cors.origins",
    ),
    "a text": ("'{{ .Values.page | trim | upper }}'", "{}\n", "page"),
    "a credential": ("'{{ .Values.password | b64enc }}'", "{}\n", "password"),
    "a guard": ("'{{ if not .Values.host }}{{ fail \"set a host\" }}{{ end }}'", "host: ''\n", "host"),
    "a guard that wants one of two": (
        "'{{ if not (or .Values.secret .Values.existingSecret) }}{{ fail \"set existingSecret, or secret\" }}{{ end }}'",
        "secret: ''\nexistingSecret: ''\n",
        "secret",
    ),
    "a guard of a part that is on": (
        "'{{ if .Values.strict }}{{ if empty .Values.ranges }}{{ fail \"strict wants the ranges\" }}{{ end }}{{ end }}'",
        "strict: true\nranges: []\n",
        "ranges",
    ),
    "a guard beside one of the same text": (
        """'{{ if not .Values.sessionID }}{{ fail "no session" }}{{ end }}{{ if eq .Values.sessionID "0" }}{{ end }}'""",
        "sessionID: ''\n",
        "sessionID",
    ),
    "a guard of a variable": (
        "'{{ $word := .Values.auth.word }}{{ if not $word }}{{ fail (printf \"a word for %s\" .Release.Name) }}{{ end }}'",
        "auth: {word: ''}\n",
        "auth.word",
    ),
    "a guard that reads two": (
        "'{{ if and (not .Values.alpha) (not .Values.beta.port) }}{{ fail \"set beta.port\" }}{{ end }}'",
        "alpha: ''\nbeta: {port: null}\n",
        "beta.port",
    ),
    "a guard whose first value is not it": (
        "'{{ if or .Values.alpha (not .Values.beta) }}{{ fail \"they do not go together\" }}{{ end }}'",
        "alpha: ''\nbeta: ''\n",
        "beta",
    ),
    "a guard behind another": (
        '\'{{ if not .Values.alpha }}{{ fail "first alpha" }}{{ else if not .Values.beta }}{{ fail "then beta" }}{{ end }}\'',
        "{}\n",
        "alpha, beta",
    ),
}


@pytest.mark.parametrize("case", WANTED)
def test_a_chart_that_wants_a_value_is_checked_with_a_placeholder(
    portproof: Program, repository: Repository, case: str
) -> None:
    action, values, name = WANTED[case]
    repository.write(wanting(action, values))
    found = portproof.check()
    by_rule = {one["rule"]: one for one in found["findings"]}
    assert by_rule.keys() == {"render-failed", "service-target-number"}
    assert by_rule["render-failed"]["severity"] == "note"
    finding = by_rule["service-target-number"]
    said = f"The chart was rendered with placeholders for values that it was not given: {name}."
    assert said in finding["message"]
    assert (finding["location"]["path"], finding["location"]["proof"]) == (
        "shop/templates/all.yaml",
        "proven",
    )
    assert finding["fix"] is not None
    assert [one["status"] for one in found["targets"]] == ["failed"]
    assert found["targets"][0]["reason"].endswith(
        f"; with placeholders for values that it was not given: {name}"
    )
    template = (repository.root / "shop/templates/all.yaml").read_text()
    repository.write({"shop/templates/all.yaml": template.replace("8081", "8080")})
    assert [one["rule"] for one in portproof.check()["findings"]] == ["render-failed"]
    repository.write({"portproof.yaml": "charts: [{path: shop, defaults: false}]\n"})
    found = portproof.check()
    assert (found["findings"], found["summary"]["failed"]) == ([], 0)


_LISTED = """apiVersion: v1
kind: Service
metadata: {name: api}
spec: {selector: {app: api}, ports: [{port: 80, targetPort: http}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: api}
spec:
  selector: {matchLabels: {app: api}}
  template:
    metadata: {labels: {app: api}}
    spec:
      containers:
        - name: api
          image: api:{{ .Values.image.tag }}
          ports: {{ .Values.ports | toJson }}
          readinessProbe: {httpGet: {port: http}}
"""


@pytest.mark.parametrize(
    ("values", "severities"),
    [
        ("ports: []\n", {"note"}),
        ("ports: [{containerPort: 8080}]\n", {"error"}),
        ("ports: []\nimage: {tag: 1.0.0}\n", {"error"}),
    ],
)
def test_who_gives_a_chart_the_values_that_it_wants_may_list_its_ports(
    portproof: Program, repository: Repository, values: str, severities: set[str]
) -> None:
    repository.write(wanting("x", values) | {"shop/templates/all.yaml": _LISTED})
    found = [one for one in portproof.check()["findings"] if one["rule"] != "render-failed"]
    assert {one["rule"] for one in found} == {"service-target-name", "probe-port-name"}
    assert {one["severity"] for one in found} == severities


def test_an_entry_of_a_mapping_that_nobody_gives_is_a_placeholder(
    portproof: Program, repository: Repository
) -> None:
    repository.write(wanting("'{{ index .Values._cluster \"root-host\" }}'"))
    found = portproof.check()
    assert {one["rule"] for one in found["findings"]} == {"render-failed", "service-target-number"}
    assert found["targets"][0]["reason"].endswith("that it was not given: _cluster.root-host")


def test_what_depends_on_a_placeholder_is_no_finding(portproof: Program, repository: Repository) -> None:
    files = wanting("b")
    port = '{{ required "set the port" .Values.port }}'
    repository.write(
        {**files, "shop/templates/all.yaml": files["shop/templates/all.yaml"].replace("8081", port)}
    )
    assert [one["rule"] for one in portproof.check()["findings"]] == ["render-failed"]


def test_a_number_that_nobody_gives_is_absent_without_a_finding(
    portproof: Program, repository: Repository
) -> None:
    files = wanting(WANTED["required"][0])
    template = files["shop/templates/all.yaml"].replace("8081", "8080")
    template = template.replace("port: 80,", "port: {{ .Values.port }},")
    ingress = """apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: api}
spec:
  rules: [{http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: api, port: {number: {{ .Values.port }}}}}}]}}]
"""
    repository.write({**files, "shop/templates/all.yaml": template, "shop/templates/ingress.yaml": ingress})
    assert [one["rule"] for one in portproof.check()["findings"]] == ["render-failed"]


def test_a_schema_says_what_a_placeholder_is(portproof: Program, repository: Repository) -> None:
    refuses_words = '{{ if kindIs "string" (required "set it" .Values.level) }}{{ fail "no words" }}{{ end }}'
    files = wanting(f"'{refuses_words}'")
    schema = '{"properties": {"level": {"type": "integer"}}}'
    repository.write(files)
    assert len(portproof.check()["findings"]) == 1
    repository.write({"shop/values.schema.json": schema})
    assert len(portproof.check()["findings"]) == 2


def test_values_that_a_chart_rejects_get_no_placeholder(portproof: Program, repository: Repository) -> None:
    """No value that is empty cures it: a switch that is off, a choice, a value that has another one already."""
    for condition, values in (
        ("not .Values.enabled", "enabled: false\n"),
        ('ne .Values.mode "a"', "mode: b\n"),
        ('ne .Values.mode "a"', "mode: ''\n"),
        ("eq (int .Values.replicas) 0", "replicas: 0\n"),
    ):
        repository.write(
            wanting(f"'{{{{ if {condition} }}}}{{{{ fail \"not like that\" }}}}{{{{ end }}}}'", values)
        )
        assert [one["rule"] for one in portproof.check()["findings"]] == ["render-failed"]


def test_what_a_placeholder_shows_is_compared_with_the_base(
    portproof: Program, repository: Repository
) -> None:
    repository.write(wanting(WANTED["required"][0]))
    repository.commit()
    template = (repository.root / "shop/templates/all.yaml").read_text()
    repository.write({"shop/templates/all.yaml": f"{template}# more\n"})
    found = portproof.check("--base", "HEAD")
    assert {one["introduced"] for one in found["findings"]} == {False}
    repository.write({"shop/templates/all.yaml": template.replace("8081", "8080")})
    repository.commit()
    repository.write({"shop/templates/all.yaml": template})
    found = portproof.check("--base", "HEAD")
    introduced = {one["rule"]: one["introduced"] for one in found["findings"]}
    assert introduced == {"render-failed": False, "service-target-number": True}


def test_a_chart_with_placeholders_is_listed_as_checked_in_part(
    portproof: Program, repository: Repository
) -> None:
    action, values, name = WANTED["a guard of a part that is on"]
    repository.write(wanting(action, values))
    said = f"with placeholders for values that it was not given: {name}"
    text = portproof("check", "--offline").stdout
    assert f"Checked in part: helm:shop\n      {said}\n" in text
    assert "Not checked" not in text
    notes = json.loads(portproof("check", "--offline", "--format", "sarif").stdout)["runs"][0]["invocations"][
        0
    ]
    told = [(one["level"], one["message"]["text"]) for one in notes["toolExecutionNotifications"]]
    assert ("note", f"helm:shop checked: {said}") in told
    assert not [text for level, text in told if level == "error"]


def test_guesses_at_what_a_guard_wants_are_few(portproof: Program, repository: Repository) -> None:
    """What only words name is tried if the chart has it: a long complaint costs no render a word."""
    words = " ".join(f"word{number}" for number in range(40))
    repository.write(wanting(f"'{{{{ if .Release.IsInstall }}}}{{{{ fail \"{words}\" }}}}{{{{ end }}}}'"))
    assert portproof.check()["targets"][0]["reason"] == words
