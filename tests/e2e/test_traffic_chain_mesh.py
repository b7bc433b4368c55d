"""Meshes, controllers and cloud annotations: one wrong line is found at that line, with a fix that a render has proven."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.program import Program, Repository, fixes, place

VALUES = """service:
  port: 80
gateway:
  port: 8080
routes:
  istio: 80
  traefik: http
  contour: 80
  nginx: 80
  openshift: http
  neg: 80
  mapping: 80
functions:
  protocol: h2c
streams:
  "9000": default/web:http:PROXY
"""
SERVICE = """apiVersion: v1
kind: Service
metadata:
  name: web
  annotations:
    cloud.google.com/neg: '{"exposed_ports": {"{{ .Values.routes.neg }}": {}}}'
spec:
  selector: {app: web}
  ports:
    - name: http
      port: {{ .Values.service.port }}
      targetPort: http
"""
WORKLOAD = """apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
        - name: main
          image: registry.example.org/web:1
          ports: [{name: http, containerPort: 8080}]
"""
ISTIO = """apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: web
spec:
  hosts: [web.example.org]
  gateways: [public]
  http:
    - match:
        - port: {{ .Values.gateway.port }}
      route:
        - destination:
            host: web.{{ .Release.Namespace }}.svc.cluster.local
            port:
              number: {{ .Values.routes.istio }}
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata:
  name: public
spec:
  selector: {istio: ingressgateway}
  servers:
    - port: {number: 8080, name: http, protocol: HTTP}
      hosts: ["*"]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata:
  name: web
spec:
  host: web
  trafficPolicy:
    portLevelSettings:
      - port:
          number: 80 # of the Service
        tls: {mode: ISTIO_MUTUAL}
"""
STREAMS = """apiVersion: v1
kind: ConfigMap
metadata:
  name: tcp-services
data:
  {{- toYaml .Values.streams | nindent 2 }}
"""
ROUTES = """apiVersion: traefik.io/v1alpha1
kind: IngressRoute
metadata:
  name: web
spec:
  routes:
    - kind: Rule
      match: Host(`web.example.org`)
      services:
        - name: web
          port: {{ .Values.routes.traefik }}
---
apiVersion: projectcontour.io/v1
kind: HTTPProxy
metadata:
  name: web
spec:
  virtualhost: {fqdn: web.example.org}
  routes:
    - services:
        - name: web
          port: {{ .Values.routes.contour }}
---
apiVersion: k8s.nginx.org/v1
kind: VirtualServer
metadata:
  name: web
spec:
  host: web.example.org
  upstreams:
    - name: web
      service: web
      port: {{ .Values.routes.nginx }}
---
apiVersion: route.openshift.io/v1
kind: Route
metadata:
  name: web
spec:
  to: {kind: Service, name: web}
  port:
    targetPort: {{ .Values.routes.openshift }}
---
apiVersion: getambassador.io/v3alpha1
kind: Mapping
metadata:
  name: web
spec:
  hostname: "*"
  prefix: /
  service: http://web:{{ .Values.routes.mapping }}
---
apiVersion: serving.knative.dev/v1
kind: Service
metadata:
  name: resize
spec:
  template:
    spec:
      containers:
        - image: registry.example.org/resize:1
          ports:
            - name: {{ .Values.functions.protocol }}
              containerPort: 8080
"""
CHART = {
    "chart/Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.0.0\n",
    "chart/values.yaml": VALUES,
    "chart/templates/service.yaml": SERVICE,
    "chart/templates/deployment.yaml": WORKLOAD,
    "chart/templates/istio.yaml": ISTIO,
    "chart/templates/routes.yaml": ROUTES,
    "chart/templates/streams.yaml": STREAMS,
}
OVERLAY = {
    "base/kustomization.yaml": "resources: [service.yaml, proxy.yaml]\n",
    "base/service.yaml": "apiVersion: v1\nkind: Service\nmetadata:\n  name: api\nspec:\n  selector: {app: api}\n"
    "  ports:\n    - {name: http, port: 80, targetPort: 8080}\n",
    "base/proxy.yaml": "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata:\n  name: api\nspec:\n"
    "  hosts: [api]\n  http:\n    - route:\n        - destination:\n            host: api\n            port:\n"
    "              number: 80\n",
    "prod/kustomization.yaml": "resources: [../base]\nnamePrefix: prod-\npatches:\n  - path: patch.yaml\n",
    "prod/patch.yaml": "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata:\n  name: api\nspec:\n"
    "  hosts: [api.example.org]\n  http:\n    - route:\n        - destination:\n            host: prod-api\n"
    "            port:\n              number: 80\n",
}


@dataclass(frozen=True)
class Mutation:
    """Write `new` for the text between the angle quotes of `context`, in the file `path`."""

    rule: str
    severity: str
    path: str
    context: str
    new: str
    at: str

    def __str__(self) -> str:
        return f"{self.rule}-{self.at}"


VALUE = "chart/values.yaml"
MUTATIONS = (
    Mutation("virtual-service-port", "error", VALUE, "istio: «80»", "8080", "6:10-6:14"),
    Mutation("virtual-service-port", "warning", VALUE, "  port: «8080»", "8081", "4:9-4:13"),
    Mutation(
        "destination-rule-port",
        "warning",
        "chart/templates/istio.yaml",
        "number: «80» #",
        "8080",
        "36:19-36:23",
    ),
    Mutation("traefik-service-port", "error", VALUE, "traefik: «http»", "htpp", "7:12-7:16"),
    Mutation("httpproxy-service-port", "error", VALUE, "contour: «80»", "8080", "8:12-8:16"),
    Mutation("controller-service-port", "error", VALUE, "nginx: «80»", "8080", "9:10-9:14"),
    Mutation("controller-service-port", "error", VALUE, "mapping: «80»", "8080", "12:12-12:16"),
    Mutation("controller-service-port", "error", VALUE, "web:«http»:", "htpp", "16:23-16:27"),
    Mutation("route-target-port", "error", VALUE, "openshift: «http»", "web", "10:14-10:17"),
    Mutation("load-balancer-annotation", "error", VALUE, "neg: «80»", "8080", "11:8-11:12"),
    Mutation("knative-port", "error", VALUE, "protocol: «h2c»", "grpc", "14:13-14:17"),
    Mutation("virtual-service-port", "error", "prod/patch.yaml", "number: «80»", "8080", "12:23-12:27"),
)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    found = Repository(tmp_path)
    found.write({**CHART, **OVERLAY})
    found.commit()
    monkeypatch.chdir(tmp_path)
    return found


def test_the_whole_chain_is_clean(portproof: Program, repository: Repository) -> None:
    report = portproof.check()
    assert report["findings"] == []
    assert [one["status"] for one in report["targets"]] == ["checked"] * 2
    assert repository.git("status", "--porcelain") == ""


def test_wrong_lines(portproof: Program, repository: Repository) -> None:
    """All of them in one run: each is about another object."""
    expected = {}
    for mutation in MUTATIONS:
        before, rest = mutation.context.split("«")
        old, after = rest.split("»")
        repository.replace(mutation.path, before + old + after, before + mutation.new + after)
        expected[f"{mutation.path}:{mutation.at}"] = mutation.rule, mutation.severity, old, mutation.new
    findings = {place(one["location"]): one for one in portproof.check()["findings"]}
    assert {at: (one["rule"], one["severity"]) for at, one in findings.items()} == {
        at: (rule, severity) for at, (rule, severity, _, _) in expected.items()
    }
    for at, finding in findings.items():
        assert finding["location"]["proof"] == "proven", at
        _, _, old, new = expected[at]
        edits = [(edit["path"], edit["old"], edit["new"]) for fix in fixes(finding) for edit in fix["edits"]]
        path = finding["location"]["path"]
        # In a template it is the expression of the Service's port.
        assert {(path, new, old), (path, new, "{{ .Values.service.port }}")} & set(edits), at
