"""Which fixes are safe, in real charts and overlays, with and without a base; and what `fix --write` leaves alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.e2e.program import Program, Repository

Make = Callable[[str], Repository]

WEB = """apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports: [{name: main, port: 80, targetPort: 8080}]
---
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
          image: registry.example.org/web:1
          ports: [{name: main, containerPort: 8080}]
          env: [{name: MODE, value: fast}]
"""
PATCH = """- target: {kind: Service, name: web}
  patch: |-
    - {op: replace, path: /spec/ports/0/targetPort, value: 8080}
"""
OVERLAYS = {
    "base/kustomization.yaml": "resources: [web.yaml]\n",
    "base/web.yaml": WEB,
    "overlays/dev/kustomization.yaml": "resources: [../../base]\n",
    "overlays/prod/kustomization.yaml": "resources: [../../base]\npatches:\n" + PATCH,
}
CHART = {
    "chart/Chart.yaml": "apiVersion: v2\nname: chart\nversion: 0.1.0\n",
    "chart/values.yaml": "ports: {main: 8080}\ningress: false\n",
    "chart/values-prod.yaml": "ports: {main: 7070}\ningress: true\n",
    "chart/templates/all.yaml": WEB.replace("port: 80,", "port: {{ .Values.ports.main }},")
    + """{{- if .Values.ingress }}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web}
spec:
  defaultBackend:
    service:
      name: web
      port:
        number: 8080
{{- end }}
""",
}


def offers(report: dict[str, Any]) -> list[tuple[str, str]]:
    """Every fix of the only finding, with its class, best first."""
    (found,) = report["findings"]
    return [
        (one["description"], one["safety"])
        for one in (found["fix"], *found["alternatives"])
        if one is not None
    ]


def test_a_far_target_of_one_environment_is_taken_back(portproof: Program, make_repository: Make) -> None:
    repository = make_repository("")
    repository.write(OVERLAYS)
    repository.commit()
    repository.replace("overlays/prod/kustomization.yaml", "value: 8080", "value: 9090")
    report = portproof.check("--base", "HEAD")
    assert offers(report)[0] == ("set targetPort to 8080", "safe")
    (edit,) = report["findings"][0]["fix"]["edits"]
    assert (edit["path"], edit["old"], edit["new"]) == ("overlays/prod/kustomization.yaml", "9090", "8080")
    assert [(one["before"], one["intended"]) for one in report["findings"][0]["fix"]["effects"]] == [
        (9090, True)
    ]


def test_a_declaration_that_moved_alone_is_taken_back_and_not_followed(
    portproof: Program, make_repository: Make
) -> None:
    repository = make_repository("")
    repository.write({"web.yaml": WEB})
    repository.commit()
    repository.replace("web.yaml", "containerPort: 8080", "containerPort: 9090")
    assert dict(offers(portproof.check("--base", "HEAD"))) == {
        "set containerPort to 8080": "safe",
        "set targetPort to 9090": "unsafe",
    }


def test_a_declaration_that_moved_with_its_program_is_followed(
    portproof: Program, make_repository: Make
) -> None:
    repository = make_repository("")
    repository.write({"web.yaml": WEB.replace("name: MODE, value: fast", "name: PORT, value: '8080'")})
    repository.commit()
    repository.replace("web.yaml", "containerPort: 8080", "containerPort: 9090")
    repository.replace("web.yaml", "value: '8080'", "value: '9090'")
    found = dict(offers(portproof.check("--base", "HEAD")))
    assert {fix for fix, safety in found.items() if safety == "safe"} == {
        "set targetPort to 9090",
        "take this part of the change back",  # the declaration and what the program is told, both
    }


def test_the_number_of_one_environment_is_not_written_into_a_template_that_all_share(
    portproof: Program, make_repository: Make
) -> None:
    repository = make_repository("")
    repository.write(CHART)
    repository.commit()
    assert offers(portproof.check()) == [
        ("write {{ .Values.ports.main }}, as Service/web does", "safe"),
        ("set the Service's port to 8080", "unsafe"),
    ]
    assert portproof("fix", "--write").code == 0
    assert repository.git("diff", "--name-only").split() == ["chart/templates/all.yaml"]
    assert "number: {{ .Values.ports.main }}" in (repository.root / "chart/templates/all.yaml").read_text()


USER_CHART = {
    "charts/user/Chart.yaml": "apiVersion: v2\nname: user\nversion: 0.1.0\n",
    "charts/user/values.yaml": "image: registry.example.org/user:1\nservice: {port: 8080, targetPort: 5000}\n",
    "charts/user/templates/all.yaml": """apiVersion: v1
kind: Service
metadata: {name: user}
spec:
  selector: {app: user}
  ports: [{port: {{ .Values.service.port }}, targetPort: {{ .Values.service.targetPort }}}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: user}
spec:
  selector: {matchLabels: {app: user}}
  template:
    metadata: {labels: {app: user}}
    spec:
      containers:
        - name: user
          image: {{ .Values.image }}
          ports: [{containerPort: {{ .Values.service.port }}}]
          readinessProbe: {httpGet: {path: /health, port: {{ .Values.service.port }}}}
""",
}
"""A chart whose Service sends to where the program listens; one value is the port of all else."""

PLAIN = """apiVersion: v1
kind: Service
metadata: {name: user-service}
spec:
  selector: {app: accounts}
  ports: [{port: 8080, targetPort: NUMBER}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: accounts}
spec:
  selector: {matchLabels: {app: accounts}}
  template:
    metadata: {labels: {app: accounts}}
    spec:
      containers:
        - name: accounts
          image: registry.example.org/user:2
          ports: [{containerPort: NUMBER}]
"""
"""The same image under other names."""


def safety_of_target(report: dict[str, Any]) -> tuple[str, list[str]]:
    (fix,) = (
        one
        for found in report["findings"]
        for one in (found["fix"], *found["alternatives"])
        if one is not None and one["description"] == "set targetPort to 8080"
    )
    return fix["safety"], [one["message"] for one in fix["risks"]]


def test_a_number_that_works_in_plain_manifests_beside_a_chart_is_not_given_up_with_one_click(
    portproof: Program, make_repository: Make
) -> None:
    repository = make_repository("")
    repository.write(USER_CHART)
    assert safety_of_target(portproof.check()) == ("safe", [])

    repository.write({"deploy/user.yaml": PLAIN.replace("NUMBER", "5000")})
    safety, (reason,) = safety_of_target(portproof.check())
    assert safety == "unsafe"
    assert reason.startswith(
        "in manifests:deploy, Service/user-service sends to 5000 (deploy/user.yaml) and Deployment/accounts declares 5000"
    )
    assert portproof("fix", "--write").code != 0
    assert "targetPort: 5000" in (repository.root / "charts/user/values.yaml").read_text()

    repository.write({"deploy/user.yaml": PLAIN.replace("NUMBER", "8080")})
    assert safety_of_target(portproof.check()) == ("safe", [])


def test_a_program_that_is_told_the_new_number_does_not_ask_another_target(
    portproof: Program, make_repository: Make
) -> None:
    repository = make_repository("")
    repository.write({**USER_CHART, "deploy/user.yaml": PLAIN.replace("NUMBER", "5000")})
    image = "          image: {{ .Values.image }}\n"
    told = image + "          env: [{name: PORT, value: '8080'}]\n"
    repository.replace("charts/user/templates/all.yaml", image, told)
    assert safety_of_target(portproof.check()) == ("safe", [])


def test_an_example_of_another_program_says_nothing(portproof: Program, make_repository: Make) -> None:
    repository = make_repository("")
    plain = PLAIN.replace("NUMBER", "5000")
    repository.write({**USER_CHART, "examples/other/user.yaml": plain})
    assert safety_of_target(portproof.check()) == ("safe", [])
    other = plain.replace("registry.example.org/user", "registry.example.org/accounts")
    repository.write({"deploy/user.yaml": other})
    assert safety_of_target(portproof.check()) == ("safe", [])
