"""What a chart's values show: parts that are switched on, ports that move, values files that move them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from portproof.discover.model import HelmTarget
from portproof.whatif.scope import RENDERS_OF_A_CHANGE, Scope
from portproof.whatif.search import MAX_RENDERS
from tests.e2e.program import Program, Repository

CHART = "apiVersion: v2\nname: web\nversion: 0.1.0\n"
DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
        - name: web
          image: registry.example.net/web:1
          ports:
            - {name: http, containerPort: PORT}
"""
SERVICE = """\
apiVersion: v1
kind: Service
metadata: {name: web, labels: {app: web}}
spec:
  selector: {app: web}
  ports:
    - {name: http, port: {{ .Values.service.port }}, targetPort: http}
"""
MONITOR = """\
{{- if .Values.monitor.enabled }}
apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  endpoints:
    - port: metrics
{{- end }}
"""
INGRESS = """\
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web}
spec:
  defaultBackend:
    service:
      name: web
      port:
        number: 8080
"""
VALUES = "service: {port: 8080}\ncontainer: {port: 8080}\nmonitor: {enabled: false}\n"
FILES = {
    "chart/Chart.yaml": CHART,
    "chart/values.yaml": VALUES,
    "chart/templates/deployment.yaml": DEPLOYMENT.replace("PORT", "{{ .Values.container.port }}"),
    "chart/templates/service.yaml": SERVICE,
}


@pytest.fixture(autouse=True)
def repository(make_repository: Callable[[str], Repository]) -> Repository:
    """A chart that is sound whatever its values are."""
    found = make_repository("")
    found.write(FILES)
    return found


def told(report: dict[str, Any]) -> list[tuple[str, str, int, Any]]:
    """Rule, place and values of each finding."""
    return [
        (one["rule"], one["location"]["path"], one["location"]["line"], one["when"])
        for one in report["findings"]
    ]


def test_a_sound_chart_has_nothing_to_say(portproof: Program) -> None:
    assert told(portproof.check("--what-if")) == []


def test_a_part_that_is_switched_off(repository: Repository, portproof: Program) -> None:
    repository.write({"chart/templates/monitor.yaml": MONITOR})

    assert told(portproof.check()) == []
    report = portproof.check("--what-if")

    assert told(report) == [
        ("service-monitor-port", "chart/templates/monitor.yaml", 8, {"monitor.enabled": True})
    ]
    (finding,) = report["findings"]
    assert finding["targets"] == ["helm:chart"]
    assert finding["message"].endswith("It appears with monitor.enabled=true.")
    assert [one["id"] for one in report["targets"]] == ["helm:chart"]


def test_a_number_that_does_not_follow(repository: Repository, portproof: Program) -> None:
    repository.write({"chart/templates/ingress.yaml": INGRESS})

    assert told(portproof.check()) == []
    (finding,) = portproof.check("--what-if")["findings"]

    assert (finding["rule"], finding["severity"]) == ("port-does-not-follow", "warning")
    assert (finding["location"]["path"], finding["location"]["line"]) == ("chart/templates/ingress.yaml", 9)
    assert list(finding["when"]) == ["service.port"]
    assert [one["new"] for one in finding["fix"]["edits"]] == ["{{ .Values.service.port }}"]
    assert finding["fix"]["safety"] == "safe"
    (related,) = finding["related"]
    assert (related["location"]["path"], related["location"]["line"]) == ("chart/values.yaml", 1)


def test_the_fix_ends_it(repository: Repository, portproof: Program) -> None:
    repository.write({"chart/templates/ingress.yaml": INGRESS})
    (finding,) = portproof.check("--what-if")["findings"]

    repository.git("apply", "-", stdin=finding["fix"]["patch"])

    assert told(portproof.check("--what-if")) == []


def test_both_ends_are_values(repository: Repository, portproof: Program) -> None:
    repository.write(
        {
            "chart/values.yaml": VALUES + "ingress: {port: 8080}\n",
            "chart/templates/ingress.yaml": INGRESS.replace("8080", "{{ .Values.ingress.port }}"),
        }
    )

    assert told(portproof.check("--what-if")) == []


@pytest.mark.parametrize(
    "comment",
    [
        "must match the ingress",
        "These ports shall be equal to the pods' ports",
        "has to match PORT",
        "If changed, pass the argument -web.listen-address",
        "Should only be changed if you use a custom image",
        "If you use a different port make sure it matches the probes",
        "Only changes the container port",
        "Images do not have this port setup. You must manually set up this port",
        "Each listener must\n  # match the port of the ingress",
        "(keep them equal to this if you override it)",
    ],
)
def test_a_comment_says_that_the_port_stays(repository: Repository, portproof: Program, comment: str) -> None:
    repository.write(
        {
            "chart/values.yaml": f"service:\n  # {comment}\n  port: 8080\n"
            "container: {port: 8080}\n"
            "monitor: {enabled: false}\n",
            "chart/templates/ingress.yaml": INGRESS,
        }
    )

    assert told(portproof.check("--what-if")) == []


def test_the_container_takes_the_port_of_the_service(repository: Repository, portproof: Program) -> None:
    repository.write(
        {"chart/templates/deployment.yaml": DEPLOYMENT.replace("PORT", "{{ .Values.service.port }}")}
    )

    assert told(portproof.check()) == []
    (finding,) = portproof.check("--what-if")["findings"]

    assert (finding["rule"], list(finding["when"])) == ("port-follows-service", ["service.port"])
    assert (finding["location"]["path"], finding["location"]["line"]) == (
        "chart/templates/deployment.yaml",
        13,
    )
    assert finding["fix"] is None
    assert finding["alternatives"] == []


def test_a_port_of_a_part_that_is_off_is_moved_with_the_part_on(
    repository: Repository, portproof: Program
) -> None:
    repository.write(
        {
            "chart/values.yaml": "service: {port: 8080, enabled: false}\ncontainer: {port: 8080}\n",
            "chart/templates/deployment.yaml": DEPLOYMENT.replace("PORT", "{{ .Values.service.port }}"),
            "chart/templates/service.yaml": f"{{{{- if .Values.service.enabled }}}}\n{SERVICE}{{{{- end }}}}\n",
        }
    )

    (finding,) = portproof.check("--what-if")["findings"]

    assert (finding["rule"], sorted(finding["when"])) == (
        "port-follows-service",
        ["service.enabled", "service.port"],
    )


@pytest.fixture
def optional_ingress(repository: Repository) -> None:
    """An Ingress that is switched off, with the Service's port as a number."""
    repository.write(
        {
            "chart/values.yaml": VALUES + "ingress: {enabled: false}\n",
            "chart/templates/ingress.yaml": f"{{{{- if .Values.ingress.enabled }}}}\n{INGRESS}{{{{- end }}}}\n",
        }
    )


@pytest.mark.usefixtures("optional_ingress")
def test_a_number_of_an_optional_part_does_not_follow(portproof: Program) -> None:
    (finding,) = portproof.check("--what-if")["findings"]

    assert (finding["rule"], sorted(finding["when"])) == (
        "port-does-not-follow",
        ["ingress.enabled", "service.port"],
    )
    assert (finding["location"]["path"], finding["location"]["line"]) == ("chart/templates/ingress.yaml", 10)
    assert [one["new"] for one in finding["fix"]["edits"]] == ["{{ .Values.service.port }}"]
    assert finding["fix"]["safety"] == "safe"


@pytest.mark.usefixtures("optional_ingress")
def test_the_fix_of_an_optional_part_ends_it(repository: Repository, portproof: Program) -> None:
    (finding,) = portproof.check("--what-if")["findings"]

    repository.git("apply", "-", stdin=finding["fix"]["patch"])

    assert told(portproof.check("--what-if")) == []


@pytest.mark.parametrize("switch", ["metrics.enabled", "monitor.metrics"])
def test_another_part_has_what_a_part_asks_for(
    repository: Repository, portproof: Program, switch: str
) -> None:
    other = f"{{{{- if .Values.{switch} }}}}\n    - {{name: metrics, port: 9090, targetPort: http}}\n{{{{- end }}}}\n"
    repository.write(
        {
            "chart/values.yaml": "service: {port: 8080}\ncontainer: {port: 8080}\nmetrics: {enabled: false}\n"
            "monitor: {enabled: false, metrics: false}\n",
            "chart/templates/monitor.yaml": MONITOR,
            "chart/templates/service.yaml": SERVICE + other,
        }
    )

    assert told(portproof.check("--what-if")) == []


PROBED = (
    DEPLOYMENT.replace("PORT", "8080").rstrip()
    + """
          args: ["--health-probe-bind-address={{ .Values.health.bindAddress }}"]
          livenessProbe: {httpGet: {path: /healthz, port: PROBED}}
"""
)


@pytest.mark.parametrize(
    ("probed", "found"),
    [("8081", ["port-does-not-follow"]), ('{{ trimPrefix ":" .Values.health.bindAddress }}', [])],
    ids=["stays", "follows"],
)
def test_a_program_is_told_an_address(
    repository: Repository, portproof: Program, probed: str, found: list[str]
) -> None:
    repository.write(
        {
            "chart/values.yaml": VALUES + 'health: {bindAddress: ":8081"}\n',
            "chart/templates/deployment.yaml": PROBED.replace("PROBED", probed),
        }
    )

    report = portproof.check("--what-if")["findings"]

    assert [one["rule"] for one in report] == found
    assert all(re.fullmatch(r":\d{5}", one["when"]["health.bindAddress"]) for one in report)


def test_an_address_with_a_host_is_somebody_elses(repository: Repository, portproof: Program) -> None:
    repository.write(
        {
            "chart/values.yaml": VALUES + 'health: {bindAddress: "db.example.net:8081"}\n',
            "chart/templates/deployment.yaml": PROBED.replace("PROBED", "8081"),
        }
    )

    assert told(portproof.check("--what-if")) == []


def test_a_chart_without_its_dependency_is_asked_too(repository: Repository, portproof: Program) -> None:
    dependency = "dependencies: [{name: db, version: 1.0.0, repository: 'https://charts.example.net'}]\n"
    repository.write({"chart/Chart.yaml": CHART + dependency, "chart/templates/monitor.yaml": MONITOR})

    report = portproof.check("--what-if", "--offline")

    assert [one[0] for one in told(report)] == ["service-monitor-port"]


def test_a_values_file_moves_the_container_along(repository: Repository, portproof: Program) -> None:
    repository.write(
        {
            "chart/templates/deployment.yaml": DEPLOYMENT.replace("PORT", "{{ .Values.service.port }}"),
            "chart/values-prod.yaml": "service: {port: 80}\n",
        }
    )

    (finding,) = portproof.check()["findings"]

    assert (finding["rule"], finding["when"]) == ("port-follows-service", None)
    assert finding["location"]["path"] == "chart/values-prod.yaml"
    assert finding["targets"] == ["helm:chart?values=values-prod.yaml"]


@pytest.mark.parametrize(
    "field",
    [
        "stringData: {PORT: '{{ .Values.service.port }}'}",
        "data: {PORT: {{ .Values.service.port | toString | b64enc }}}",
    ],
)
def test_a_secret_may_tell_the_program(repository: Repository, portproof: Program, field: str) -> None:
    repository.write(
        {
            "chart/templates/deployment.yaml": DEPLOYMENT.replace("PORT", "{{ .Values.service.port }}"),
            "chart/templates/secret.yaml": f"apiVersion: v1\nkind: Secret\nmetadata: {{name: web}}\n{field}\n",
            "chart/values-prod.yaml": "service: {port: 9980}\n",
        }
    )

    assert told(portproof.check()) == []


OVERRIDDEN = {
    "chart/values.yaml": 'fullnameOverride: ""\n' + VALUES,
    "chart/templates/service.yaml": SERVICE.replace(
        "name: web, labels", "name: {{ .Values.fullnameOverride | default .Release.Name }}, labels"
    ),
    "chart/templates/ingress.yaml": INGRESS.replace("8080", "{{ .Values.service.port }}").replace(
        "name: web\n      port", "name: {{ .Release.Name }}\n      port"
    ),
}
"""A chart whose Ingress asks for the Service by the name of the chart, whatever the Service is called."""


def test_a_values_file_renames_a_service(repository: Repository, portproof: Program) -> None:
    repository.write({**OVERRIDDEN, "chart/values-prod.yaml": "fullnameOverride: shop\n"})

    (finding,) = portproof.check()["findings"]

    assert (finding["rule"], finding["severity"]) == ("service-name-does-not-follow", "warning")
    assert finding["targets"] == ["helm:chart?values=values-prod.yaml"]
    assert (finding["location"]["path"], finding["location"]["line"]) == ("chart/templates/ingress.yaml", 7)
    (edit,) = finding["fix"]["edits"]
    assert edit["new"] == "{{ .Values.fullnameOverride | default .Release.Name }}"

    repository.git("apply", "-", stdin=finding["fix"]["patch"])
    assert told(portproof.check()) == []


def test_another_release_has_a_service_of_the_old_name(repository: Repository, portproof: Program) -> None:
    other = {
        "other/Chart.yaml": CHART.replace("name: web", "name: other"),
        "other/values.yaml": VALUES,
        "other/templates/service.yaml": SERVICE,
        "other/templates/deployment.yaml": DEPLOYMENT.replace("PORT", "8080"),
    }
    repository.write({**OVERRIDDEN, **other, "chart/values-prod.yaml": "fullnameOverride: shop\n"})

    assert told(portproof.check()) == []


def test_a_chart_under_another_name(repository: Repository, portproof: Program) -> None:
    repository.write(OVERRIDDEN)

    assert told(portproof.check()) == []
    report = portproof.check("--what-if")

    rule, when = "service-name-does-not-follow", {"fullnameOverride": "other"}
    assert told(report) == [(rule, "chart/templates/ingress.yaml", 7, when)]
    (finding,) = report["findings"]
    repository.git("apply", "-", stdin=finding["fix"]["patch"])
    assert told(portproof.check("--what-if")) == []


def test_what_a_guard_excludes_is_not_tried(repository: Repository, portproof: Program) -> None:
    guard = '{{- if .Values.legacy }}{{ fail "legacy mode is gone" }}{{ end }}\n'
    repository.write(
        {
            "chart/values.yaml": VALUES + "legacy: false\n",
            "chart/templates/monitor.yaml": guard + MONITOR,
        }
    )

    assert [one[0] for one in told(portproof.check("--what-if"))] == ["service-monitor-port"]


def test_the_configuration_asks_for_it(repository: Repository, portproof: Program) -> None:
    repository.write({"chart/templates/monitor.yaml": MONITOR, "portproof.yaml": "what-if: true\n"})

    assert [one[0] for one in told(portproof.check())] == ["service-monitor-port"]


def test_a_finding_is_suppressed_like_any_other(repository: Repository, portproof: Program) -> None:
    repository.write(
        {
            "chart/templates/monitor.yaml": MONITOR,
            "portproof.yaml": "ignore:\n  - {rule: service-monitor-port, reason: a sidecar adds the port}\n",
        }
    )

    report = portproof.check("--what-if")

    assert told(report) == []
    assert report["summary"]["ignored"] == 1


@pytest.mark.parametrize("name", ["monitor", "ingress"])
def test_a_base_that_has_it_too(repository: Repository, portproof: Program, name: str) -> None:
    repository.write({f"chart/templates/{name}.yaml": {"monitor": MONITOR, "ingress": INGRESS}[name]})
    repository.commit()
    repository.replace("chart/values.yaml", "monitor", "other: 1\nmonitor")

    (finding,) = portproof.check("--what-if", "--base", "HEAD")["findings"]

    assert (bool(finding["when"]), finding["introduced"]) == (True, False)
    assert told(portproof.check("--base", "HEAD")) == []


@pytest.mark.parametrize(
    ("name", "text", "rule"),
    [("monitor", MONITOR, "service-monitor-port"), ("ingress", INGRESS, "port-does-not-follow")],
)
def test_what_a_change_brings_in_is_found_by_itself(
    repository: Repository, portproof: Program, name: str, text: str, rule: str
) -> None:
    repository.commit()
    repository.write({f"chart/templates/{name}.yaml": text})

    (finding,) = portproof.check("--base", "HEAD")["findings"]

    assert (finding["rule"], finding["introduced"], bool(finding["when"])) == (rule, True, True)
    assert finding["location"]["path"] == f"chart/templates/{name}.yaml"
    (asked,) = portproof.check("--what-if", "--base", "HEAD")["findings"]
    assert asked["introduced"] is True


def test_a_switch_that_a_change_adds_was_not_there_before(repository: Repository, portproof: Program) -> None:
    repository.write({"chart/values.yaml": VALUES.replace("monitor: {enabled: false}\n", "")})
    repository.commit()
    repository.write({"chart/values.yaml": VALUES, "chart/templates/monitor.yaml": MONITOR})

    (finding,) = portproof.check("--base", "HEAD")["findings"]

    assert finding["introduced"] is True


@pytest.mark.parametrize(
    "files",
    [
        {"portproof.yaml": "what-if: false\n", "chart/templates/monitor.yaml": MONITOR},
        {"chart/README.md": "A chart.\n"},
        {"chart/values-prod.yaml": "service: {port: 81}\n"},
    ],
)
def test_other_values_are_not_tried_by_themselves(
    repository: Repository, portproof: Program, files: dict[str, str]
) -> None:
    if "chart/templates/monitor.yaml" not in files:
        repository.write({"chart/templates/monitor.yaml": MONITOR})
    repository.commit()
    repository.write(files)
    repository.replace("chart/Chart.yaml", "0.1.0", "0.2.0")

    assert told(portproof.check("--base", "HEAD")) == []


def test_without_a_base_nothing_is_tried_by_itself(repository: Repository, portproof: Program) -> None:
    repository.write({"chart/templates/monitor.yaml": MONITOR})

    assert told(portproof.check()) == []


def test_the_budget_of_a_change_is_shared() -> None:
    changed = frozenset({"a/templates/x.yaml", "b/values.yaml", "c/README.md"})
    scope = Scope(changed=changed)

    assert [scope.takes(HelmTarget(one)) for one in "abc"] == [True, True, False]
    assert scope.limited("ab") == ("ab", MAX_RENDERS)
    many = [str(number) for number in range(1000)]
    some, limit = scope.limited(many)
    assert len(some) * limit <= RENDERS_OF_A_CHANGE
    assert Scope().limited(many) == (many, MAX_RENDERS)


def test_fix_writes_what_other_values_show(repository: Repository, portproof: Program) -> None:
    repository.write({"chart/templates/ingress.yaml": INGRESS})

    assert portproof("fix").stdout == ""
    run = portproof("fix", "--what-if")

    assert run.code == 0
    assert "+        number: {{ .Values.service.port }}" in run.stdout
    portproof("fix", "--what-if", "--write")
    assert told(portproof.check("--what-if")) == []


def test_the_same_chart_gives_the_same_bytes(repository: Repository, portproof: Program) -> None:
    repository.write({"chart/templates/monitor.yaml": MONITOR, "chart/templates/ingress.yaml": INGRESS})

    reports = [portproof.check("--what-if", "--jobs", jobs) for jobs in ("1", "4")]

    for one in reports:
        for target in one["targets"]:
            target["seconds"] = 0
    assert json.dumps(reports[0]) == json.dumps(reports[1])


REQUIRED = 'data: {key: {{ required "a key is needed" .Values.key }}}\n'
SECRET = "apiVersion: v1\nkind: Secret\nmetadata: {name: web}\n"


def test_a_chart_that_wants_a_value_is_tried_with_a_placeholder(
    repository: Repository, portproof: Program
) -> None:
    repository.write(
        {
            "chart/values.yaml": VALUES + "key: ''\n",
            "chart/templates/ingress.yaml": INGRESS,
            "chart/templates/secret.yaml": SECRET + REQUIRED,
        }
    )

    failed, finding = sorted(
        portproof.check("--what-if")["findings"], key=lambda one: one["rule"] != "render-failed"
    )

    assert failed["rule"] == "render-failed"
    assert (finding["rule"], finding["location"]["line"]) == ("port-does-not-follow", 9)
    assert [one["new"] for one in finding["fix"]["edits"]] == ["{{ .Values.service.port }}"]


def test_a_placeholder_is_no_port_that_moves(repository: Repository, portproof: Program) -> None:
    repository.write(
        {
            "chart/values.yaml": "service: {port: 8080}\ncontainer: {port: }\nmonitor: {enabled: false}\n",
            "chart/templates/deployment.yaml": DEPLOYMENT.replace(
                "PORT", '{{ required "which port?" .Values.container.port }}'
            ),
        }
    )

    assert [one["rule"] for one in portproof.check("--what-if")["findings"]] == ["render-failed"]


def test_a_target_port_takes_the_port_of_the_service(repository: Repository, portproof: Program) -> None:
    repository.write(
        {
            "chart/templates/service.yaml": SERVICE.replace(
                "targetPort: http", "targetPort: {{ .Values.service.port }}"
            )
        }
    )

    assert told(portproof.check()) == []
    (finding,) = portproof.check("--what-if")["findings"]

    assert (finding["rule"], finding["severity"]) == ("port-does-not-follow", "warning")
    assert (finding["location"]["path"], finding["location"]["line"]) == ("chart/templates/service.yaml", 7)
    assert list(finding["when"]) == ["service.port"]
    assert [one["new"] for one in finding["fix"]["edits"]] == ["{{ .Values.container.port }}"]


def test_a_target_port_that_is_left_out_is_the_port_of_the_service(
    repository: Repository, portproof: Program
) -> None:
    repository.write({"chart/templates/service.yaml": SERVICE.replace(", targetPort: http", "")})

    (finding,) = portproof.check("--what-if")["findings"]

    assert (finding["rule"], list(finding["when"])) == ("port-does-not-follow", ["service.port"])


def test_a_target_port_of_its_own_is_moved_with_the_container(
    repository: Repository, portproof: Program
) -> None:
    repository.write(
        {
            "chart/values.yaml": VALUES + "target: {port: 8080}\n",
            "chart/templates/service.yaml": SERVICE.replace(
                "targetPort: http", "targetPort: {{ .Values.target.port }}"
            ),
        }
    )

    assert told(portproof.check("--what-if")) == []


POLICY = """\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web}
spec:
  podSelector: {matchLabels: {app: web}}
  ingress:
    - ports:
        - port: {{ .Values.PORT.port }}
"""


@pytest.mark.parametrize(
    ("value", "found"), [("service", ["network-policy-service-port"]), ("container", [])]
)
def test_a_policy_opens_a_port(
    repository: Repository, portproof: Program, value: str, found: list[str]
) -> None:
    repository.write({"chart/templates/policy.yaml": POLICY.replace("PORT", value)})

    report = portproof.check("--what-if")

    assert [one["rule"] for one in report["findings"]] == found
    assert [one["location"]["path"] for one in report["findings"]] == ["chart/templates/policy.yaml"] * len(
        found
    )


TOLD = DEPLOYMENT.replace("PORT", "{{ .Values.service.port }}") + (
    "          env:\n            - {name: SERVER_PORT, value: {{ .Values.container.port | quote }}}\n"
)


def test_a_program_is_told_another_value_than_its_container_declares(
    repository: Repository, portproof: Program
) -> None:
    repository.write({"chart/templates/deployment.yaml": TOLD})

    (finding,) = portproof.check("--what-if")["findings"]

    assert (finding["rule"], finding["location"]["line"]) == ("port-follows-service", 13)
    assert "The variable SERVER_PORT tells its program 8080" in finding["message"]
    assert list(finding["when"]) == ["service.port"]
    assert [one["new"] for one in finding["fix"]["edits"]] == ["{{ .Values.container.port }}"]
    assert finding["fix"]["safety"] == "safe"


def test_a_program_is_told_the_value_that_its_container_declares(
    repository: Repository, portproof: Program
) -> None:
    repository.write({"chart/templates/deployment.yaml": TOLD.replace("container.port", "service.port")})

    assert told(portproof.check("--what-if")) == []


WEBHOOK = """\
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: web}
webhooks:
  - name: web.example.net
    sideEffects: None
    admissionReviewVersions: [v1]
    clientConfig:
      service:
        name: {{ .Values.service.name }}
        namespace: default
"""


DENYING = """{{- if .Values.policy.enabled }}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web}
spec:
  podSelector: {matchLabels: {app: web}}
  {{- if .Values.policy.denyAll }}
  ingress: []
  {{- else }}
  ingress:
    - ports: [{port: https}]
  {{- end }}
{{- end }}
"""


def test_a_policy_that_another_switch_empties(repository: Repository, portproof: Program) -> None:
    repository.write(
        {
            "chart/values.yaml": FILES["chart/values.yaml"] + "policy: {enabled: false, denyAll: false}\n",
            "chart/templates/policy.yaml": DENYING,
        }
    )

    (finding,) = portproof.check("--what-if")["findings"]

    assert (finding["rule"], finding["location"]["line"]) == ("network-policy-port", 11)
    assert finding["when"] == {"policy.enabled": True}


CALLER = """apiVersion: v1
kind: Service
metadata: {name: "{{ .Release.Name }}-back"}
spec:
  selector: {app: back}
  ports: [{port: {{ .Values.back.port }}, targetPort: 9000}]
---
apiVersion: v1
kind: Pod
metadata: {name: front}
spec:
  containers:
    - name: front
      image: example.com/front:1
      env:
        - name: BACK_URL
          value: "http://{{ .Release.Name }}-back:8080/api"
"""


def test_an_address_with_a_number(repository: Repository, portproof: Program) -> None:
    repository.write(
        {
            "chart/values.yaml": FILES["chart/values.yaml"] + "back: {port: 8080}\n",
            "chart/templates/caller.yaml": CALLER,
        }
    )

    (finding,) = portproof.check("--what-if")["findings"]

    assert (finding["rule"], finding["location"]["line"]) == ("port-does-not-follow", 17)
    assert finding["when"].keys() == {"back.port"}
    (edit,) = finding["fix"]["edits"]
    assert (edit["old"], edit["new"]) == ("8080", "{{ .Values.back.port }}")


def test_a_webhook_that_leaves_its_port_out(repository: Repository, portproof: Program) -> None:
    repository.write(
        {
            "chart/values.yaml": "service: {port: 443, name: web}\ncontainer: {port: 8080}\n",
            "chart/templates/webhook.yaml": WEBHOOK,
        }
    )

    (finding,) = portproof.check("--what-if")["findings"]

    assert (finding["rule"], finding["location"]["line"]) == ("port-does-not-follow", 10)
    assert "port 443 (the default)" in finding["message"]
    assert finding["fix"]["description"] == "add port: {{ .Values.service.port }}, as Service/web has it"
    assert finding["fix"]["safety"] == "safe"


def test_a_setting_moves_away_from_the_port_although_a_secret_says_it_too(
    repository: Repository, portproof: Program
) -> None:
    repository.write(
        {
            "chart/values.yaml": VALUES + "listen: {port: 8080}\n",
            "chart/templates/deployment.yaml": DEPLOYMENT.replace("PORT", "8080")
            + "          env:\n            - {name: WEB_PORT, value: {{ .Values.listen.port | quote }}}\n",
            "chart/templates/secret.yaml": SECRET + "stringData: {port: {{ .Values.listen.port | quote }}}\n",
        }
    )

    (finding,) = portproof.check("--what-if")["findings"]

    assert (finding["rule"], finding["location"]["line"]) == ("port-does-not-follow", 13)
    assert [one["new"] for one in finding["fix"]["edits"]] == ["{{ .Values.listen.port }}"]


SEVERAL = {
    "chart/values.yaml": "ports:\n  http: {port: 8080}\n  admin: {port: 9090}\nsidecar: {enabled: false}\n",
    "chart/templates/deployment.yaml": DEPLOYMENT.partition("          ports:")[0].replace(
        "      containers:\n",
        "      containers:\n        {{- if .Values.sidecar.enabled }}\n        - {name: a, image: a}\n        {{- end }}\n",
    )
    + "          ports:\n            {{- range $name, $one := .Values.ports }}\n"
    "            - {name: {{ $name }}, containerPort: {{ $one.port }}}\n            {{- end }}\n",
    "chart/templates/service.yaml": SERVICE.partition("    - {")[0]
    + "    {{- range $name, $one := .Values.ports }}\n"
    "    - {name: {{ $name }}, port: {{ $one.port }}, targetPort: {{ $name }}}\n    {{- end }}\n",
}


def test_a_loop_is_wrong_once(repository: Repository, portproof: Program) -> None:
    repository.write(SEVERAL)

    (finding,) = portproof.check("--what-if")["findings"]

    assert (finding["rule"], finding["location"]["line"]) == ("port-follows-service", 17)
    assert list(finding["when"]) == ["ports.admin.port"]
    assert "The same line breaks 1 more of these" in finding["message"]


@pytest.mark.parametrize("options", [["--what-if"], ["--base", "HEAD"]])
def test_what_is_wrong_anyway_is_said_once(
    repository: Repository, portproof: Program, options: list[str]
) -> None:
    """A port that a part puts before it gives it another index."""
    admin = "    {{- if .Values.admin.enabled }}\n    - {name: admin, port: 9000, targetPort: http}\n    {{- end }}\n"
    first = SERVICE.index("    - {")
    service = SERVICE[:first] + admin + SERVICE[first:]
    repository.write({"chart/values.yaml": VALUES + "admin: {enabled: false}\n"})
    repository.write({"chart/templates/service.yaml": service})
    repository.git("add", "-A")
    repository.git("commit", "-qm", "a port of its own for the admin")
    repository.write({"chart/templates/service.yaml": service[:-1].removesuffix("http}") + "8088}\n"})

    (finding,) = portproof.check(*options)["findings"]

    assert (finding["rule"], finding["location"]["line"]) == ("service-target-number", 10)
    assert finding["when"] is None


SCAFFOLD = """\
{{- if .Values.ingress.enabled }}
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web}
spec:
  rules:
    {{- range .Values.ingress.hosts }}
    - host: {{ .host }}
      http:
        paths:
          {{- range .paths }}
          - path: ENTRY
            pathType: Prefix
            backend: {service: {name: web, port: {name: NAME}}}
          {{- end }}
    {{- end }}
{{- end }}
"""
HOST = "ingress:\n  enabled: false\n  hosts:\n    - host: web.example.net\n      paths: []\n"


@pytest.mark.parametrize(
    ("entry", "tried"), [("{{ . }}", '["/"]'), ("{{ .path }}", '[{"path": "/", "pathType": "Prefix"}]')]
)
def test_a_list_of_paths_is_empty(repository: Repository, portproof: Program, entry: str, tried: str) -> None:
    ingress = SCAFFOLD.replace("ENTRY", entry)
    repository.write(
        {"chart/values.yaml": VALUES + HOST, "chart/templates/ingress.yaml": ingress.replace("NAME", "web")}
    )

    (finding,) = portproof.check("--what-if")["findings"]

    assert (finding["rule"], finding["location"]["line"]) == ("ingress-backend-port", 14)
    assert finding["when"] == {"ingress.enabled": True, "ingress.hosts[0].paths": tried}
    assert finding["message"].endswith(f"with ingress.enabled=true and ingress.hosts[0].paths={tried}.")

    repository.write({"chart/templates/ingress.yaml": ingress.replace("NAME", "http")})
    assert told(portproof.check("--what-if")) == []


def test_an_entry_of_a_list_is_a_comment(repository: Repository, portproof: Program) -> None:
    ingress = SCAFFOLD.replace("ENTRY", "{{ . }}").replace("NAME", "web")
    comment = "ingress:\n  enabled: false\n  hosts: []\n  #  - host: web.example.net\n  #    paths: [/]\n"
    repository.write({"chart/values.yaml": VALUES + comment, "chart/templates/ingress.yaml": ingress})

    (finding,) = portproof.check("--what-if")["findings"]

    assert finding["rule"] == "ingress-backend-port"
    assert list(finding["when"]) == ["ingress.enabled", "ingress.hosts"]


def test_each_list_has_the_entries_of_its_own_comment(repository: Repository, portproof: Program) -> None:
    ingress = SCAFFOLD.replace("ENTRY", "{{ . }}").replace("NAME", "web")
    comment = "ingress:\n  enabled: false\n  hosts: []\n  #  - host: web.example.net\n  #    paths: [/]\n"
    other = "other:\n  hosts: []\n  #  - other.example.net\n"
    repository.write({"chart/values.yaml": VALUES + other + comment, "chart/templates/ingress.yaml": ingress})

    (finding,) = portproof.check("--what-if")["findings"]

    assert finding["when"]["ingress.hosts"] == '[{"host": "web.example.net", "paths": ["/"]}]'


@pytest.mark.parametrize(
    "example", ["  # - {host: [\n", "  # - host: web.example.net\n  #   paths: [/]\n  #   port: ''\n"]
)
def test_a_comment_that_is_no_example_is_not_tried(
    repository: Repository, portproof: Program, example: str
) -> None:
    ingress = SCAFFOLD.replace("ENTRY", "{{ . }}").replace("NAME", "web")
    comment = f"ingress:\n  enabled: false\n  hosts: []\n{example}"
    repository.write({"chart/values.yaml": VALUES + comment, "chart/templates/ingress.yaml": ingress})

    assert told(portproof.check("--what-if")) == []


NAMED = {
    "chart/values.yaml": "service: {port: 8080, portName: http, scheme: http}\ncontainer: {port: 8080}\n",
    "chart/templates/service.yaml": SERVICE.replace(
        "name: http, port", "name: {{ .Values.service.portName }}, port"
    ),
}


def test_the_name_of_a_port_does_not_follow(repository: Repository, portproof: Program) -> None:
    repository.write({**NAMED, "chart/templates/ingress.yaml": INGRESS.replace("number: 8080", "name: http")})

    (finding,) = portproof.check("--what-if")["findings"]

    assert (finding["rule"], finding["severity"]) == ("port-does-not-follow", "warning")
    assert (finding["location"]["path"], finding["location"]["line"]) == ("chart/templates/ingress.yaml", 9)
    assert finding["when"] == {"service.portName": "p-21007"}
    assert [one["new"] for one in finding["fix"]["edits"]] == ["{{ .Values.service.portName }}"]
    assert finding["fix"]["safety"] == "safe"


def test_the_name_of_a_port_follows(repository: Repository, portproof: Program) -> None:
    ingress = INGRESS.replace("number: 8080", "name: {{ .Values.service.portName }}")
    repository.write({**NAMED, "chart/templates/ingress.yaml": ingress})

    assert told(portproof.check("--what-if")) == []


def test_a_target_takes_the_name_of_the_port_of_the_service(
    repository: Repository, portproof: Program
) -> None:
    service = NAMED["chart/templates/service.yaml"].replace(
        "targetPort: http", "targetPort: {{ .Values.service.portName }}"
    )
    repository.write({**NAMED, "chart/templates/service.yaml": service})

    (finding,) = portproof.check("--what-if")["findings"]

    assert (finding["rule"], finding["location"]["line"]) == ("port-does-not-follow", 7)
    assert "declares 'http'" in finding["message"]


def test_a_scheme_is_no_name_of_a_port(repository: Repository, portproof: Program) -> None:
    service = SERVICE.replace("name: http, port", "name: {{ .Values.service.scheme }}, port")
    repository.write(
        {
            **NAMED,
            "chart/templates/service.yaml": service,
            "chart/templates/ingress.yaml": INGRESS.replace("number: 8080", "name: http"),
        }
    )

    assert told(portproof.check("--what-if")) == []


VIRTUAL_SERVICE = """\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: web, namespace: NAMESPACE}
spec:
  hosts: [web.example.net]
  http:
    - route:
        - destination: {host: web.mesh.svc.cluster.local, port: {number: 8080}}
"""


@pytest.mark.parametrize(
    ("namespace", "found"), [("{{ .Release.Namespace }}", []), ("shop", ["route-backend-service"])]
)
def test_nobody_says_the_namespace_of_a_release(
    repository: Repository, portproof: Program, namespace: str, found: list[str]
) -> None:
    service = SERVICE.replace("{name: web, labels", f"{{name: web, namespace: {namespace}, labels")
    repository.write(
        {
            "chart/templates/service.yaml": service,
            "chart/templates/route.yaml": VIRTUAL_SERVICE.replace("NAMESPACE", namespace),
        }
    )

    assert [one["rule"] for one in portproof.check()["findings"]] == found


def test_who_switches_a_part_on_fills_its_lists(repository: Repository, portproof: Program) -> None:
    service = SERVICE.replace("metadata: {name: web,", "metadata: {name: more,").partition("    - {")[0]
    ports = "    {{- range .Values.monitor.ports }}\n    - {port: {{ .port }}}\n    {{- end }}\n"
    more = f"{{{{- if .Values.monitor.enabled }}}}\n{service}{ports}{{{{- end }}}}\n"
    repository.write({"chart/templates/more.yaml": more})

    assert told(portproof.check("--what-if")) == []

    literal = more.replace(ports, "    - {port: 80, targetPort: web}\n")
    repository.write({"chart/templates/more.yaml": literal})
    assert [rule for rule, *_ in told(portproof.check("--what-if"))] == ["service-target-name"]


def test_a_subchart_that_is_a_chart_itself_is_tried_there(repository: Repository, portproof: Program) -> None:
    dependency = (
        "dependencies: [{name: web, version: 0.1.0, repository: 'file://../chart', condition: web.enabled}]\n"
    )
    repository.write(
        {
            "chart/templates/ingress.yaml": INGRESS,
            "umbrella/Chart.yaml": CHART.replace("name: web", "name: umbrella") + dependency,
            "umbrella/values.yaml": "web: {enabled: true, service: {port: 8080}}\n",
        }
    )

    (finding,) = portproof.check("--what-if")["findings"]

    assert finding["targets"] == ["helm:chart"]
    assert list(finding["when"]) == ["service.port"]


@pytest.mark.parametrize(
    "image",
    [
        '"{{ .Values.image.repository }}:1"',
        "nginx:1.27",
        '"{{ required "which?" .Values.image.repository }}:1"',
    ],
    ids=["empty", "bare", "required"],
)
def test_a_chart_for_any_image_declares_the_port_of_its_user(
    repository: Repository, portproof: Program, image: str
) -> None:
    taken = DEPLOYMENT.replace("PORT", "{{ .Values.service.port }}")
    repository.write(
        {
            "chart/values.yaml": VALUES + 'image: {repository: ""}\n',
            "chart/templates/deployment.yaml": taken.replace("registry.example.net/web:1", image),
        }
    )

    assert {rule for rule, *_ in told(portproof.check("--what-if"))} <= {"render-failed"}


def test_a_chart_that_wants_a_registry_names_its_image(repository: Repository, portproof: Program) -> None:
    image = '"{{ required "which?" .Values.registry }}/web:1"'
    deployment = FILES["chart/templates/deployment.yaml"].replace("registry.example.net/web:1", image)
    repository.write({"chart/templates/deployment.yaml": deployment, "chart/templates/monitor.yaml": MONITOR})

    rules = [rule for rule, *_ in told(portproof.check("--what-if"))]

    assert [one for one in rules if one != "render-failed"] == ["service-monitor-port"]


def test_a_web_server_with_files_listens_where_they_say(repository: Repository, portproof: Program) -> None:
    served = DEPLOYMENT.replace("PORT", "{{ .Values.service.port }}")
    mounts = "          volumeMounts: [{name: html, mountPath: /usr/share/nginx/html}]\n      volumes: [{name: html, emptyDir: {}}]\n"
    repository.write(
        {
            "chart/templates/deployment.yaml": served.replace("registry.example.net/web:1", "nginx:1.27")
            + mounts
        }
    )

    assert [rule for rule, *_ in told(portproof.check("--what-if"))] == ["port-follows-service"]


def test_a_list_of_ports_is_written_by_who_knows_the_program(
    repository: Repository, portproof: Program
) -> None:
    ports = SERVICE.partition("    - {")[0] + (
        "    {{- range .Values.ports }}\n    - {name: {{ .name }}, port: {{ .port }}, targetPort: {{ .name }}}\n    {{- end }}\n"
    )
    declared = DEPLOYMENT.partition("            - {")[0] + (
        "            {{- range .Values.ports }}\n            - {name: {{ .name }}, containerPort: {{ .port }}}\n"
        "            {{- end }}\n"
    )
    repository.write(
        {
            "chart/values.yaml": "ports:\n  - {name: http, port: 8080}\n",
            "chart/templates/service.yaml": ports,
            "chart/templates/deployment.yaml": declared,
        }
    )

    assert told(portproof.check("--what-if")) == []

    repository.write({"chart/templates/ingress.yaml": INGRESS})
    assert [rule for rule, *_ in told(portproof.check("--what-if"))] == ["port-does-not-follow"]


READINESS = "          {{- if .Values.probe.enabled }}\n          readinessProbe: {httpGet: {port: ready}}\n          {{- end }}\n"


@pytest.mark.parametrize(
    ("values", "found"), [("containerPorts: []\n", []), ("", ["probe-port-name"])], ids=["a-list", "no-list"]
)
def test_a_probe_comes_with_the_list_of_ports(
    repository: Repository, portproof: Program, values: str, found: list[str]
) -> None:
    container = DEPLOYMENT.partition("          ports:")[0]
    declared = "          {{- with .Values.containerPorts }}\n          ports: {{ toJson . }}\n          {{- end }}\n"
    repository.write(
        {
            "chart/values.yaml": f"probe: {{enabled: false}}\n{values}",
            "chart/templates/deployment.yaml": container + declared + READINESS,
            "chart/templates/service.yaml": "",
        }
    )

    assert [rule for rule, *_ in told(portproof.check("--what-if"))] == found


@pytest.mark.parametrize(
    ("values", "found"),
    [("containerPorts: []\n", []), ("", ["service-monitor-port"])],
    ids=["a-list", "no-list"],
)
def test_a_monitor_comes_with_the_list_of_ports(
    repository: Repository, portproof: Program, values: str, found: list[str]
) -> None:
    container = DEPLOYMENT.partition("          ports:")[0]
    repository.write(
        {
            "chart/values.yaml": f"service: {{port: 8080}}\nmonitor: {{enabled: false}}\n{values}",
            "chart/templates/deployment.yaml": container
            + "          {{- with .Values.containerPorts }}\n          ports: {{ toJson . }}\n          {{- end }}\n",
            "chart/templates/service.yaml": SERVICE.replace("targetPort: http", "targetPort: 8080"),
            "chart/templates/monitor.yaml": MONITOR.replace("port: metrics", "targetPort: 9355"),
        }
    )

    assert [rule for rule, *_ in told(portproof.check("--what-if"))] == found


def test_a_service_of_another_part_harms_nobody(repository: Repository, portproof: Program) -> None:
    metrics = SERVICE.replace("{name: web, labels: {app: web}}", "{name: metrics}").partition("    - {")[0]
    other = "            {{- if .Values.metrics.enabled }}\n            - {name: metrics, containerPort: 9090}\n            {{- end }}\n"
    repository.write(
        {
            "chart/values.yaml": VALUES + "metrics: {enabled: false, service: {enabled: false}}\n",
            "chart/templates/deployment.yaml": DEPLOYMENT.replace("PORT", "8080") + other,
            "chart/templates/metrics.yaml": "{{- if .Values.metrics.service.enabled }}\n"
            + metrics
            + "    - {name: metrics, port: 9090, targetPort: metrics}\n{{- end }}\n",
        }
    )

    assert told(portproof.check("--what-if")) == []


@pytest.mark.parametrize(("switch", "found"), [("disabled", []), ("away", ["service-target-name"])])
def test_what_switches_a_part_off_is_no_part(
    repository: Repository, portproof: Program, switch: str, found: list[str]
) -> None:
    port = "            {{- if not .Values.http.SWITCH }}\n            - {name: http, containerPort: 8080}\n            {{- end }}\n"
    container = DEPLOYMENT.partition("            - {")[0]
    declared = f"{container}            - {{name: admin, containerPort: 9000}}\n{port}"
    repository.write(
        {
            "chart/values.yaml": f"{VALUES}http: {{{switch}: false}}\n",
            "chart/templates/deployment.yaml": declared.replace("SWITCH", switch),
        }
    )

    assert [rule for rule, *_ in told(portproof.check("--what-if"))] == found


@pytest.mark.parametrize(
    ("row", "found"),
    [
        ("| `service.port` | The port to expose. Don't change this. | `8080` |", []),
        ("| service.port | int | `8080` | If you change this, set WEB_PORT in env, too |", []),
        ("| `service.port` | The port to expose. | `8080` |", ["port-does-not-follow"]),
        ("Don't change `service.port` in a hurry.", ["port-does-not-follow"]),
    ],
)
def test_the_readme_says_that_the_port_stays(
    repository: Repository, portproof: Program, row: str, found: list[str]
) -> None:
    repository.write({"chart/README.md": f"# web\n\n{row}\n", "chart/templates/ingress.yaml": INGRESS})

    assert [rule for rule, *_ in told(portproof.check("--what-if"))] == found


def test_a_comment_says_what_the_port_equals(repository: Repository, portproof: Program) -> None:
    values = VALUES.replace(
        "service: {port: 8080}", "service:\n  # we recommend service.port == ingress.port\n  port: 8080"
    )
    repository.write({"chart/values.yaml": values, "chart/templates/ingress.yaml": INGRESS})

    assert told(portproof.check("--what-if")) == []


@pytest.mark.parametrize(("switches", "found"), [("tags", []), ("agents", ["host-port-clash"])])
def test_tags_are_ways_to_install_a_chart(
    repository: Repository, portproof: Program, switches: str, found: list[str]
) -> None:
    agent = DEPLOYMENT.replace("Deployment", "DaemonSet").replace("PORT", "9100, hostPort: 9100")
    repository.write(
        {"chart/values.yaml": f"{VALUES}{switches}: {{one: false, two: false}}\n"}
        | {
            f"chart/templates/{name}.yaml": f"{{{{- if .Values.{switches}.{name} }}}}\n{agent.replace('web', name)}{{{{- end }}}}\n"
            for name in ("one", "two")
        }
    )

    assert [rule for rule, *_ in told(portproof.check("--what-if"))] == found


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("WEB_PORT", "8080", "The variable WEB_PORT tells"),
        ("WEB_ADDRESS", "0.0.0.0:8080", "The variable WEB_ADDRESS tells"),
        ("WEB_ADDRESS", "shop:8080", "Nothing tells"),
        ("CACHE_PROXY_PORT", "8080", "Nothing tells"),
    ],
)
def test_what_tells_a_program_where_it_listens(
    repository: Repository, portproof: Program, variable: str, value: str, said: str
) -> None:
    taken = DEPLOYMENT.replace("PORT", "{{ .Values.service.port }}")
    env = f"          env: [{{name: {variable}, value: '{value}'}}]\n"
    repository.write({"chart/templates/deployment.yaml": taken + env})

    (finding,) = portproof.check("--what-if")["findings"]

    assert finding["rule"] == "port-follows-service"
    assert f"{said} its program" in finding["message"]


ACTION = """\
{{- if .Values.production }}
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web, annotations: {{ toJson .Values.annotations }}}
spec:
  ingressClassName: alb
  defaultBackend: {service: {name: BACKEND, port: {name: PORT}}}
{{- end }}
"""


@pytest.mark.parametrize(
    ("backend", "port", "found"),
    [("redirect", "use-annotation", []), ("web", "https", ["ingress-backend-port"])],
)
def test_who_switches_a_part_on_writes_its_annotations(
    repository: Repository, portproof: Program, backend: str, port: str, found: list[str]
) -> None:
    repository.write(
        {
            "chart/values.yaml": VALUES + "production: false\nannotations: {}\n",
            "chart/templates/ingress.yaml": ACTION.replace("BACKEND", backend).replace("PORT", port),
        }
    )

    assert [rule for rule, *_ in told(portproof.check("--what-if"))] == found


@pytest.mark.parametrize(("switch", "found"), [("hostNetwork", []), ("onNodes", ["host-port-clash"])])
def test_two_parts_in_the_network_of_their_nodes(
    repository: Repository, portproof: Program, switch: str, found: list[str]
) -> None:
    network = f"{{{{ .Values.NAME.{switch} }}}}"
    agent = (
        DEPLOYMENT.replace("Deployment", "DaemonSet")
        .replace("PORT", "9100")
        .replace("      containers:", f"      hostNetwork: {network}\n      containers:")
    )
    repository.write(
        {"chart/values.yaml": f"{VALUES}one: {{{switch}: false}}\ntwo: {{{switch}: false}}\n"}
        | {
            f"chart/templates/{name}.yaml": agent.replace("NAME", name).replace("web", name)
            for name in ("one", "two")
        }
    )

    assert [rule for rule, *_ in told(portproof.check("--what-if"))] == found


@pytest.mark.parametrize(("switch", "found"), [("useHostPort", []), ("exposed", ["host-port"])])
def test_host_ports_and_the_network_of_nodes_are_two_ways(
    repository: Repository, portproof: Program, switch: str, found: list[str]
) -> None:
    opened = f"            {{{{- if .Values.{switch} }}}}\n              hostPort: 80\n            {{{{- end }}}}\n"
    container = DEPLOYMENT.partition("            - {")[0].replace(
        "      containers:", "      hostNetwork: {{ .Values.useHostNetwork }}\n      containers:"
    )
    repository.write(
        {
            "chart/values.yaml": f"{VALUES}useHostNetwork: false\n{switch}: false\n",
            "chart/templates/deployment.yaml": f"{container}            - name: http\n              containerPort: 8080\n{opened}",
        }
    )

    assert sorted({rule for rule, *_ in told(portproof.check("--what-if"))}) == found


THREE_PROBES = (
    DEPLOYMENT.replace("PORT", "{{ .Values.container.port }}").rstrip()
    + """
          args: ["--port={{ .Values.container.port }}"]
          startupProbe: {httpGet: {path: /healthz, port: 8080}}
          livenessProbe: {httpGet: {path: /healthz, port: 8080}}
          readinessProbe: {httpGet: {path: /healthz, port: 8080}}
"""
)


def test_a_value_that_several_places_of_a_file_do_not_follow_is_one_finding(
    repository: Repository, portproof: Program
) -> None:
    repository.write({"chart/templates/deployment.yaml": THREE_PROBES})

    (finding,) = portproof.check("--what-if")["findings"]

    assert (finding["rule"], list(finding["when"])) == ("port-does-not-follow", ["container.port"])
    assert "The same value breaks 2 more of these, in 1 object together." in finding["message"]
    assert {one["location"]["line"] for one in [finding, *finding["related"]]} >= {15, 16, 17}
    assert [one["new"] for one in finding["fix"]["edits"]] == ["{{ .Values.container.port }}"] * 3
    repository.git("apply", "-", stdin=finding["fix"]["patch"])
    assert told(portproof.check("--what-if")) == []


def test_a_value_that_two_files_do_not_follow_is_a_finding_for_each(
    repository: Repository, portproof: Program
) -> None:
    repository.write(
        {
            "chart/templates/ingress.yaml": INGRESS,
            "chart/templates/other.yaml": INGRESS.replace("name: web}", "name: other}", 1),
        }
    )

    findings = portproof.check("--what-if")["findings"]

    assert [one["location"]["path"].rpartition("/")[2] for one in findings] == ["ingress.yaml", "other.yaml"]


@pytest.mark.parametrize(
    ("more", "found"),
    [
        ("config: {http: {port: 8080}}\n", 0),
        ("config: {listen: '0.0.0.0:8080'}\n", 0),
        ("extraEnv:\n  # - name: PORT\n  #   value: 8080\n  other: x\n", 0),
        ("config:\n  # server:\n  #   port: 8080\n  other: x\n", 0),
        ("config: 'listen-port={{ .Values.service.port }}'\n", 0),
        ("config: {proxy: 'http://proxy:8080'}\n", 1),
        ("config: {http: {port: 8081}}\n", 1),
        ("policy:\n  # - port: 8080\n  other: x\n", 1),
    ],
)
def test_another_value_tells_the_program_its_port(
    repository: Repository, portproof: Program, more: str, found: int
) -> None:
    repository.write(
        {
            "chart/values.yaml": VALUES + more,
            "chart/templates/deployment.yaml": DEPLOYMENT.replace("PORT", "{{ .Values.service.port }}"),
        }
    )

    assert len(portproof.check("--what-if")["findings"]) == found


@pytest.mark.parametrize(("beside", "found"), [('targetPort: ""', 0), ('other: ""', 1)])
def test_a_target_that_falls_back_to_the_port_has_a_value_of_its_own(
    repository: Repository, portproof: Program, beside: str, found: int
) -> None:
    target = "targetPort: {{ .Values.service.targetPort | default .Values.service.port }}"
    repository.write(
        {
            "chart/values.yaml": VALUES.replace("port: 8080}", f"port: 8080, {beside}}}", 1),
            "chart/templates/service.yaml": SERVICE.replace("targetPort: http", target),
        }
    )

    assert len(portproof.check("--what-if")["findings"]) == found


PROXY = (
    DEPLOYMENT.partition("          ports:")[0]
    + """          {{- if not .Values.proxy.enabled }}
          ports: [{name: http, containerPort: 8080}]
          {{- end }}
          livenessProbe: {httpGet: {path: /healthz, port: http}}
          readinessProbe: {httpGet: {path: /healthz, port: http}}
"""
)


def test_a_part_that_breaks_several_places_of_a_file_is_one_finding(
    repository: Repository, portproof: Program
) -> None:
    repository.write(
        {
            "chart/values.yaml": VALUES + "proxy: {enabled: false}\n",
            "chart/templates/deployment.yaml": PROXY,
            "chart/templates/service.yaml": SERVICE.replace("targetPort: http", "targetPort: 8080"),
        }
    )

    (finding,) = portproof.check("--what-if")["findings"]

    assert (finding["rule"], finding["when"]) == ("probe-port-name", {"proxy.enabled": True})
    assert "The same value breaks 1 more of these" in finding["message"]


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ("ports: {http: 8080}\n", 1),
        ("ports:\n  http: 8080\n  # metrics: 9090\n", 0),
        ("service:\n  port: 8080\n  extraPorts:\n  # - name: metrics\n  #   port: 9090\n    other: x\n", 0),
        ("other:\n  http: 8080\n  # metrics: 9090\n", 1),
        ("extraPorts: []\n", 0),
        ("otherPorts: []\n", 1),
    ],
)
def test_who_switches_a_part_on_adds_the_port_of_an_example(
    repository: Repository, portproof: Program, values: str, found: int
) -> None:
    start = "" if values.startswith("service:") else "service: {port: 8080}\n"
    repository.write(
        {
            "chart/values.yaml": f"{start}{values}container: {{port: 8080}}\nmonitor: {{enabled: false}}\n",
            "chart/templates/monitor.yaml": MONITOR,
            "chart/templates/service.yaml": SERVICE
            + "    {{- with .Values.extraPorts }}{{ toYaml . | nindent 4 }}{{ end }}\n",
        }
    )

    assert len(portproof.check("--what-if")["findings"]) == found


@pytest.mark.parametrize(("condition", "found"), [(".Values.https", 0), ("false", 0), ("", 1)])
def test_a_template_declares_the_port_with_a_value_that_no_switch_sets(
    repository: Repository, portproof: Program, condition: str, found: int
) -> None:
    declared = (
        f"            {{{{- if {condition} }}}}\n            - name: https\n              containerPort: 8443\n"
        "            {{- end }}\n"
        if condition
        else ""
    )
    repository.write(
        {
            "chart/values.yaml": VALUES + "tls: {enabled: false}\nhttps: []\n",
            "chart/templates/deployment.yaml": DEPLOYMENT.replace("PORT", "{{ .Values.container.port }}")
            + declared,
            "chart/templates/service.yaml": SERVICE
            + "    {{- if .Values.tls.enabled }}\n    - {name: https, port: 443, targetPort: https}\n    {{- end }}\n",
        }
    )

    assert len(portproof.check("--what-if")["findings"]) == found


def test_a_chart_that_names_no_image_has_the_ports_of_its_user(
    repository: Repository, portproof: Program
) -> None:
    repository.write(
        {
            "chart/values.yaml": VALUES + "image: {name: ''}\n",
            "chart/templates/deployment.yaml": DEPLOYMENT.replace(
                "registry.example.net/web:1", '"{{ .Values.image.name }}:1"'
            ).replace("PORT", "{{ .Values.container.port }}"),
            "chart/templates/monitor.yaml": MONITOR,
        }
    )

    assert told(portproof.check("--what-if")) == []


@pytest.mark.parametrize(("key", "found"), [("extraArgs", 0), ("health", 1)])
def test_an_address_among_further_arguments_is_not_moved(
    repository: Repository, portproof: Program, key: str, found: int
) -> None:
    repository.write(
        {
            "chart/values.yaml": f"service: {{port: 8080}}\n{key}: {{bindAddress: ':8081'}}\n",
            "chart/templates/deployment.yaml": PROBED.replace("PROBED", "8081").replace("health.", f"{key}."),
        }
    )

    assert len(portproof.check("--what-if")["findings"]) == found


@pytest.mark.parametrize(
    ("argument", "found"),
    [("{{ .Values.config.address }}", 1), ("{{ range $_, $one := .Values.config }}{{ $one }}{{ end }}", 0)],
    ids=["read by its name", "handed on"],
)
def test_a_configuration_is_written_whole(
    repository: Repository, portproof: Program, argument: str, found: int
) -> None:
    args = DEPLOYMENT.replace("PORT", "8081").rstrip() + f'\n          args: ["--listen={argument}"]\n'
    repository.write(
        {
            "chart/values.yaml": "service: {port: 8080}\nconfig: {address: ':8081'}\n",
            "chart/templates/deployment.yaml": args,
        }
    )

    assert len(portproof.check("--what-if")["findings"]) == found


@pytest.mark.parametrize("found", [0, 1])
def test_the_pods_of_a_service_take_another_value(
    repository: Repository, portproof: Program, found: int
) -> None:
    labels = "labels: {app: web, part: pods}"
    repository.write(
        {
            "chart/values.yaml": VALUES + "provider: ''\nmetrics: {enabled: false}\n",
            "chart/templates/deployment.yaml": DEPLOYMENT.replace("PORT", "8080").replace(
                "labels: {app: web}", labels
            ),
            "chart/templates/service.yaml": "{{- if .Values.metrics.enabled }}\n"
            + SERVICE.replace("selector: {app: web}", "selector: {app: web, part: service}")
            + "{{- end }}\n",
        }
    )
    if not found:
        other = DEPLOYMENT.replace("PORT", "8080").replace("name: web}", "name: more}", 1)
        repository.write(
            {"chart/templates/more.yaml": f"{{{{- if .Values.provider }}}}\n{other}{{{{- end }}}}\n"}
        )

    assert len(portproof.check("--what-if")["findings"]) == found


OPTIONAL = (
    "    {{- if .Values.metricsPort }}\n    - {name: metrics, port: 9090, targetPort: http}\n    {{- end }}\n"
)


@pytest.mark.parametrize(
    ("asked", "further", "found"),
    [
        ("name: metrics", OPTIONAL, 0),
        ("name: metrics", "", 1),
        ("number: 9090", "    {{- with .Values.service.ports }}{{ toYaml . | nindent 4 }}{{ end }}\n", 0),
        (
            "number: 9090",
            "    {{- with .Values.service.extraPorts }}{{ toYaml . | nindent 4 }}{{ end }}\n",
            1,
        ),
    ],
)
def test_further_ports_of_a_service_take_other_values(
    repository: Repository, portproof: Program, asked: str, further: str, found: int
) -> None:
    ingress = INGRESS.replace("number: 8080", asked)
    empty = "ports: []" if "service.ports" in further else "extraPorts: []"
    repository.write(
        {
            "chart/values.yaml": f"service: {{port: 8080, {empty}}}\ncontainer: {{port: 8080}}\n"
            "metricsPort: ''\ningress: {enabled: false}\n",
            "chart/templates/ingress.yaml": f"{{{{- if .Values.ingress.enabled }}}}\n{ingress}{{{{- end }}}}\n",
            "chart/templates/service.yaml": SERVICE + further,
        }
    )

    assert len(portproof.check("--what-if")["findings"]) == found


def test_who_switches_a_part_on_gives_its_port(repository: Repository, portproof: Program) -> None:
    metrics = "    {{- if .Values.metrics.enabled }}\n    - {name: metrics, port: {{ .Values.metrics.port }}, targetPort: http}\n    {{- end }}\n"
    repository.write(
        {
            "chart/values.yaml": VALUES + "metrics: {enabled: false, port: ''}\n",
            "chart/templates/service.yaml": SERVICE + metrics,
        }
    )

    assert told(portproof.check("--what-if")) == []


def test_the_pods_that_declare_the_port_of_a_service_take_another_value(
    repository: Repository, portproof: Program
) -> None:
    web = DEPLOYMENT.replace("PORT", "8080")
    agents = web.partition("          ports:")[0].replace("name: web}", "name: agents}", 1)
    repository.write(
        {
            "chart/values.yaml": VALUES + "provider: ''\nagents: {enabled: false}\n",
            "chart/templates/deployment.yaml": f"{{{{- if .Values.provider }}}}\n{web}{{{{- end }}}}\n",
            "chart/templates/agents.yaml": f"{{{{- if .Values.agents.enabled }}}}\n{agents}{{{{- end }}}}\n",
        }
    )

    assert told(portproof.check("--what-if")) == []


def test_a_port_beside_one_that_is_set_up_by_hand_is_set_up_by_hand(
    repository: Repository, portproof: Program
) -> None:
    repository.write(
        {
            "chart/values.yaml": "app:\n  # You must manually set up this port\n  runtimePort: 5556\n  # The port for administrators\n"
            "  port: 8080\ncontainer: {port: 8080}\n",
            "chart/templates/service.yaml": SERVICE.replace(".service.port", ".app.port"),
            "chart/templates/deployment.yaml": DEPLOYMENT.replace("PORT", "{{ .Values.app.port }}"),
        }
    )

    assert told(portproof.check("--what-if")) == []


@pytest.mark.parametrize(("declared", "found"), [("{{ .Values.redis.port }}", 1), ("6379", 0)])
def test_a_chart_of_a_database_has_the_port_of_one(
    repository: Repository, portproof: Program, declared: str, found: int
) -> None:
    repository.write(
        {
            "chart/values.yaml": "redis: {port: 6379}\n",
            "chart/templates/service.yaml": SERVICE.replace(".service.port", ".redis.port"),
            "chart/templates/deployment.yaml": DEPLOYMENT.replace("PORT", declared),
        }
    )

    assert len(portproof.check("--what-if")["findings"]) == found


APPLICATION = """\
application:
  image: registry.example.net/shop
  port: 8080
  command: [node, index.js]
  probe: {tcpSocket: {port: 8080}}
"""
OF_ITS_USER = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: helper
        image: registry.example.net/helper:1
        args: [--quiet]
      - name: web
        image: {{ .Values.application.image }}:1
TOLD        ports:
        - name: http
          containerPort: {{ .Values.application.port }}
        readinessProbe: {{ toYaml .Values.application.probe | nindent 10 }}
"""
COMMAND = """\
        {{- with .Values.application.command }}
        command:
          {{- toYaml . | nindent 10 }}
        {{- end }}
"""
ARGS = """\
        {{- if .Values.application.args }}
        args:
          {{- range .Values.application.args }}
          - {{ . }}
          {{- end }}
        {{- end }}
"""
VARIABLES = """\
        env:
        - name: LEVEL
          value: info
        {{- range $name, $value := .Values.application.env }}
        - name: {{ $name }}
          value: {{ $value | quote }}
        {{- end }}
"""
LITERAL = "        env:\n        - name: LEVEL\n          value: {{ .Values.application.level | quote }}\n"


@pytest.mark.parametrize(
    ("told", "found"),
    [
        (COMMAND, 0),
        (ARGS, 0),
        (VARIABLES, 0),
        ("        args: {{ .Values.application.args | toJson }}\n", 0),
        (LITERAL, 1),
        ("        args: [--quiet]\n" + VARIABLES, 1),
        ("        args:\n        - --quiet\n", 1),
        ("", 1),
    ],
    ids=[
        "command",
        "args",
        "variables",
        "args in a line",
        "chart's variables",
        "chart's args",
        "list",
        "nothing",
    ],
)
def test_who_says_what_a_program_does_says_where_it_listens(
    repository: Repository, portproof: Program, told: str, found: int
) -> None:
    repository.write(
        {
            "chart/values.yaml": APPLICATION,
            "chart/templates/deployment.yaml": OF_ITS_USER.replace("TOLD", told),
            "chart/templates/service.yaml": SERVICE.replace("service.port", "application.port"),
        }
    )

    rules = [one["rule"] for one in portproof.check("--what-if")["findings"]]

    assert rules == ["port-follows-service"] * found


@pytest.mark.parametrize("key", ["service", "webService", "svc", "expose"])
def test_the_port_of_a_service_is_none_of_a_program(
    repository: Repository, portproof: Program, key: str
) -> None:
    values = APPLICATION.replace("  port: 8080\n", "") + f"{key}: {{type: ClusterIP, port: 8080}}\n"
    templates = OF_ITS_USER.replace("TOLD", COMMAND), SERVICE.replace("service.port", "application.port")
    deployment, service = (one.replace("application.port", f"{key}.port") for one in templates)
    repository.write(
        {
            "chart/values.yaml": values,
            "chart/templates/deployment.yaml": deployment,
            "chart/templates/service.yaml": service,
        }
    )

    assert [rule for rule, *_ in told(portproof.check("--what-if"))] == ["port-follows-service"]


def test_a_program_of_the_user_that_the_chart_tells_the_number(
    repository: Repository, portproof: Program
) -> None:
    written = "        env:\n        - {name: PORT, value: '8080'}\n        {{- toYaml .Values.application.env | nindent 8 }}\n"
    repository.write(
        {
            "chart/values.yaml": APPLICATION + "  env: [{name: LEVEL, value: info}]\n",
            "chart/templates/deployment.yaml": OF_ITS_USER.replace("TOLD", written),
            "chart/templates/service.yaml": SERVICE.replace("service.port", "application.port"),
        }
    )

    assert [rule for rule, *_ in told(portproof.check("--what-if"))] == ["port-follows-service"]


@pytest.mark.parametrize(
    ("image", "ports", "found"),
    [
        ("{{ .Values.application.image }}:1", "", 0),
        ("mirror.example.net/{{ .Values.application.image }}:1", "", 0),
        ("registry.example.net/other:1", "", 1),
        ("{{ .Values.application.image }}:1", "        ports: [{containerPort: 9000}]\n", 1),
    ],
    ids=["its own", "from a mirror", "another", "which declares ports"],
)
def test_the_container_beside_a_program_declares_the_number(
    repository: Repository, portproof: Program, image: str, ports: str, found: int
) -> None:
    head = OF_ITS_USER.partition("        args")[0] + "        ports: [{name: http, containerPort: 8080}]\n"
    service = SERVICE.replace("service.port", "application.port").replace(", targetPort: http", "")
    repository.write(
        {
            "chart/values.yaml": APPLICATION.replace("registry.example.net/", ""),
            "chart/templates/deployment.yaml": f"{head}      - name: web\n        image: {image}\n{ports}",
            "chart/templates/service.yaml": service,
        }
    )

    assert [rule for rule, *_ in told(portproof.check("--what-if"))] == ["port-does-not-follow"] * found


PART_SERVICE = (
    "{{- if .Values.extra.enabled }}\n"
    + SERVICE.replace("name: web, labels", "name: extra, labels").replace(
        "targetPort: http", "targetPort: gone"
    )
    + "{{- end }}\n"
)


@pytest.mark.parametrize(
    ("section", "found"),
    [
        ("# Workers don't need an extra service (they call the server).\nextra:\n  enabled: false\n", 0),
        ("extra:\n  # The extra is not supported yet.\n  enabled: false\n", 0),
        ("extra:\n  enabled: false  # no extras needed\n", 0),
        ("extra:  # we do not use the extra\n  enabled: false\n", 0),
        ("# If you do not need the extra, leave it off.\nextra:\n  enabled: false\n", 1),
        ("# Whether to have the extra or not.\nextra:\n  enabled: false\n", 1),
        ("# The extra does not require a password.\nextra:\n  enabled: false\n", 1),
        ("# Workers don't need a cache.\nextra:\n  enabled: false\n", 1),
        ("# Workers don't need an extra.\nother: {}\nextra:\n  enabled: false\n", 1),
    ],
)
def test_a_comment_says_that_a_part_is_not_needed(
    repository: Repository, portproof: Program, section: str, found: int
) -> None:
    repository.write({"chart/values.yaml": VALUES + section, "chart/templates/extra.yaml": PART_SERVICE})

    rules = [rule for rule, *_ in told(portproof.check("--what-if"))]

    assert rules == ["service-target-name"] * found


@pytest.mark.parametrize(
    ("comment", "found"),
    [
        ("# Mutually exclusive with the proxy.", 0),
        ("# Use either the extra or the proxy, but not both at once.", 0),
        ("# You can't enable the proxy and this together.", 0),
        ("# Mutually exclusive with the cache.", 1),
        ("# Goes well with the proxy.", 1),
    ],
)
def test_a_comment_says_that_two_parts_do_not_go_together(
    repository: Repository, portproof: Program, comment: str, found: int
) -> None:
    both = PART_SERVICE.replace(
        "if .Values.extra.enabled", "if and .Values.extra.enabled .Values.proxy.enabled"
    )
    repository.write(
        {
            "chart/values.yaml": VALUES + f"{comment}\nextra:\n  enabled: false\nproxy:\n  enabled: false\n",
            "chart/templates/extra.yaml": both,
        }
    )

    assert len(portproof.check("--what-if")["findings"]) == found


@pytest.mark.parametrize(
    ("port", "found"), [("{{ .Values.other.port }}", 0), ("8080", 1)], ids=["value", "number"]
)
def test_who_asks_for_a_service_with_the_port_of_another(
    repository: Repository, portproof: Program, port: str, found: int
) -> None:
    other = SERVICE.replace("name: web, labels", "name: other, labels").replace(
        "{{ .Values.service.port }}", port
    )
    taken = INGRESS.replace("name: web\n      port", "name: other\n      port")
    repository.write(
        {
            "chart/values.yaml": VALUES + "other: {port: 8080}\n",
            "chart/templates/other.yaml": other,
            "chart/templates/ingress.yaml": taken.replace("8080", "{{ .Values.service.port }}"),
        }
    )

    rules = [rule for rule, *_ in told(portproof.check("--what-if"))]

    assert rules == ["ingress-backend-port"] * found
