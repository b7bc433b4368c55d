"""What moves for one reason is one row, and says what a reviewer has to know."""

from __future__ import annotations

import pytest

from portproof.graph import folding, link
from portproof.report import port_table
from portproof.report.port_diff import PortDiff, TargetDiff
from portproof.rules.edges import edges
from tests.support.rules import graph, read

SERVICE = """apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports: [{port: 80, targetPort: 8080}]
"""
WORKLOAD = """apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}, annotations: {prometheus.io/port: "8080"}}
    spec:
      containers:
        - name: web
          image: registry.example.org/web:1
          ports: [{name: http, containerPort: 8080}, {name: admin, containerPort: 8081}]
          livenessProbe: {tcpSocket: {port: 8080}}
          readinessProbe: {httpGet: {path: /, port: 8080}}
"""
INGRESS = """apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web}
spec: {defaultBackend: {service: {name: web, port: {number: 80}}}}
"""
CLIENT = """apiVersion: batch/v1
kind: CronJob
metadata: {name: client}
spec:
  schedule: "* * * * *"
  jobTemplate:
    spec:
      template:
        spec:
          restartPolicy: Never
          containers: [{name: client, image: registry.example.org/client:1, env: [{name: WEB, value: "http://web:80"}]}]
"""
BASE = f"{SERVICE}---\n{WORKLOAD}---\n{INGRESS}---\n{CLIENT}"
OTHER = WORKLOAD.replace("name: web}", "name: other}", 1)
CALLED = "asked by env of CronJob/client, Ingress/web"


def rows(before: str, after: str) -> list[str]:
    base = graph(before)
    head = link.build(read(after), base=base)
    found = PortDiff("", (TargetDiff("manifests:k8s", folding.changes(base, head, edges)),))
    return [" ".join(line.split()) for line in port_table.text(found).splitlines()[1:-2]]


CASES: dict[str, tuple[list[tuple[str, str]], list[str]]] = {
    "one end moves": (
        [("targetPort: 8080", "targetPort: 9090")],
        ["broken Service/web 80: targetPort 8080 -> 9090; Deployment/web declares only 8080, 8081", CALLED],
    ),
    "the target moves to a port that is there": (
        [("targetPort: 8080", "targetPort: 8081")],
        ["moved Service/web 80: targetPort 8080 -> 8081", CALLED],
    ),
    "by name instead of number": (
        [("targetPort: 8080", "targetPort: http")],
        ["changed Service/web 80: targetPort 8080 -> http", CALLED],
    ),
    "pods, probes and annotation move with the target": (
        [("8080", "9090")],
        [
            "moved together Service/web 80: targetPort 8080 -> 9090",
            f"{CALLED}, annotation, livenessProbe and readinessProbe of Deployment/web (moves too)",
        ],
    ),
    "the declaration moves alone": (
        [("containerPort: 8080", "containerPort: 9090")],
        [
            "broken Service/web 80: targetPort 8080; Deployment/web declares only 9090, 8081",
            "asked by annotation, livenessProbe and readinessProbe of Deployment/web, env of CronJob/client, Ingress/web",
        ],
    ),
    "a probe asks for a number that nobody declares": (
        [("port: 8080}}\n          readiness", "port: 9999}}\n          readiness")],
        ["changed livenessProbe of Deployment/web: 8080 -> 9999; it declares only 8080, 8081"],
    ),
    "the Service's port and its callers move": (
        [("port: 80,", "port: 8000,"), ("number: 80", "number: 8000"), ("web:80", "web:8000")],
        ["moved together Service/web: port 80 -> 8000", "asked by env of CronJob/client (moves too), Ingress/web (moves too)"],
    ),
    "callers are left behind": (
        [("port: 80,", "port: 8000,")],
        [
            "broken Service/web has no port 80 any more; it has only 8000",
            "asked by Ingress/web, env of CronJob/client",
            "moved Service/web: port 80 -> 8000",
            "asked by env of CronJob/client (broken), Ingress/web (broken)",
        ],
    ),
    "labels no longer meet": (
        [("metadata: {labels: {app: web}", "metadata: {labels: {app: wbe}")],
        ["broken Service/web 80: targetPort 8080; no pods here have the labels of its selector", CALLED],
    ),
    "the selector finds other pods": (
        [(WORKLOAD, WORKLOAD + "---\n" + OTHER.replace("app: web", "app: other")), ("selector: {app: web}", "selector: {app: other}")],
        [
            "changed Service/web 80: pods of Deployment/web -> Deployment/other",
            CALLED,
            "new annotation of Deployment/other asks for 8080",
            "new livenessProbe and readinessProbe of Deployment/other ask for 8080",
        ],
    ),
    "another protocol": (
        [("targetPort: 8080", "targetPort: 8080, protocol: UDP")],
        ["broken Service/web 80: targetPort 8080; Deployment/web declares only 8080/TCP, 8081", CALLED],
    ),
    "an empty port": (
        [("port: 80,", "port: ,"), ("targetPort: 8080", "targetPort: ")],
        [
            "broken Service/web has no port 80 any more",
            "asked by Ingress/web, env of CronJob/client",
            "broken Service/web: port 80 -> nothing, targetPort 8080 -> nothing; its port is empty",
            CALLED,
        ],
    ),
    "another order": (
        [("{name: http, containerPort: 8080}, {name: admin, containerPort: 8081}", "{name: admin, containerPort: 8081}, {name: http, containerPort: 8080}")],
        [],
    ),
    "a container called otherwise": ([("- name: web\n", "- name: main\n")], []),
    "a container called otherwise declares another port": (
        [("- name: web\n", "- name: main\n"), ("containerPort: 8080", "containerPort: 9090")],
        [
            "broken Service/web 80: targetPort 8080; Deployment/web declares only 9090, 8081",
            "asked by annotation, livenessProbe and readinessProbe of Deployment/web, env of CronJob/client, Ingress/web",
        ],
    ),
    "a second port": (
        [("{port: 80, targetPort: 8080}", "{name: a, port: 80, targetPort: 8080}, {name: b, port: 81, targetPort: 9999}")],
        ["new, undeclared Service/web 81: targetPort 9999 of Deployment/web; Deployment/web declares only 8080, 8081"],
    ),
    "the selector finds more pods": (
        [(WORKLOAD, WORKLOAD + "---\n" + OTHER.replace("8080", "7070"))],
        [
            (
                "new, undeclared Service/web 80 also sends to Deployment/other (targetPort 8080); "
                "Deployment/other declares only 7070, 8081"
            ),
            CALLED,
            "new annotation of Deployment/other asks for 7070",
            "new livenessProbe and readinessProbe of Deployment/other ask for 7070",
        ],
    ),
    "an Ingress asks for another Service": (
        [("service: {name: web,", "service: {name: wbe,")],
        ["broken Ingress/web: Service/web 80 -> Service/wbe 80; Service/wbe is not rendered here"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_rows(case: str) -> None:
    edits, expected = CASES[case]
    after = BASE
    for old, new in edits:
        assert old in after
        after = after.replace(old, new)
    assert rows(BASE, after) == expected


def test_what_is_repaired() -> None:
    assert rows(BASE.replace("targetPort: 8080", "targetPort: 9090"), BASE) == [
        "repaired Service/web 80: targetPort 9090 -> 8080",
        CALLED,
    ]


def test_all_of_it_comes_and_goes() -> None:
    nothing = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n"
    everything = "asked by env of CronJob/client, annotation, livenessProbe and readinessProbe of Deployment/web, Ingress/web"
    assert rows(nothing, BASE) == ["new Service/web 80: targetPort 8080 of Deployment/web", everything]
    assert rows(BASE, nothing) == [
        "gone Service/web 80: targetPort 8080 of Deployment/web",
        f"was {everything}",
    ]
