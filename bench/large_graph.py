"""How asking all rules grows with the size of a rendering: N Services and N workloads in one.

Run: ``python bench/large_graph.py [N...]`` (default 1250 2500 5000). Each workload declares two ports, has probes and
calls another Service; each Service has two ports; each workload has a policy of its own and one for all; a tenth have an
Ingress, a monitor of their own and one for all, a route and a VirtualService; one in fifty is broken. The last column is the time against that of the size before: 2 is linear, 4 is quadratic.
"""

from __future__ import annotations

import argparse
import time

from repositories import table

from portproof.discover.model import ManifestTarget
from portproof.render.model import RenderedDocument, Rendering
from portproof.rules import all_rules
from portproof.rules.evaluate import RuleSet, evaluate

SERVICE = """apiVersion: v1
kind: Service
metadata: {{name: app-{n}, namespace: {ns}, labels: {{app: app-{n}, tier: web}}}}
spec:
  selector: {{app: app-{n}, tier: web}}
  ports:
    - {{name: http, port: 80, targetPort: {target}}}
    - {{name: metrics, port: 9090, targetPort: metrics}}
"""
WORKLOAD = """apiVersion: apps/v1
kind: Deployment
metadata: {{name: app-{n}, namespace: {ns}}}
spec:
  template:
    metadata: {{labels: {{app: app-{n}, tier: web}}}}
    spec:
      containers:
        - name: main
          image: registry.example.org/app:1
          env:
            - {{name: NEXT, value: "http://app-{next}:80/v1"}}
          ports:
            - {{name: http, containerPort: 8080}}
            - {{name: metrics, containerPort: 9090}}
          readinessProbe: {{httpGet: {{path: /, port: http}}}}
          livenessProbe: {{tcpSocket: {{port: 8080}}}}
"""
POLICIES = """apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {{name: app-{n}, namespace: {ns}}}
spec:
  podSelector: {{matchLabels: {{app: app-{n}}}}}
  ingress: [{{ports: [{{port: {port}}}, {{port: metrics}}]}}]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {{name: all-{n}, namespace: {ns}}}
spec:
  podSelector: {{matchLabels: {{tier: web}}}}
  ingress: [{{ports: [{{port: 53}}]}}]
"""
TENTH = """apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {{name: app-{n}, namespace: {ns}}}
spec:
  defaultBackend: {{service: {{name: app-{n}, port: {{name: http}}}}}}
---
apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
metadata: {{name: app-{n}, namespace: {ns}}}
spec:
  selector: {{matchLabels: {{app: app-{n}}}}}
  endpoints: [{{port: metrics}}]
---
apiVersion: monitoring.coreos.com/v1
kind: PodMonitor
metadata: {{name: all-{n}, namespace: {ns}}}
spec:
  selector: {{matchLabels: {{tier: web}}}}
  podMetricsEndpoints: [{{port: metrics}}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: app-{n}, namespace: {ns}}}
spec:
  rules: [{{backendRefs: [{{name: app-{n}, port: 80}}]}}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: app-{n}, namespace: {ns}}}
spec:
  hosts: [app-{n}]
  http: [{{route: [{{destination: {{host: app-{n}, port: {{number: 80}}}}}}]}}]
"""


def main() -> None:
    """Print one line a size."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("size", type=int, nargs="*", default=[1250, 2500, 5000])
    parser.add_argument("--namespaces", type=int, default=1)
    chosen = parser.parse_args()
    rows: list[tuple[object, ...]] = [("services", "objects", "findings", "seconds", "ratio")]
    before = 0.0
    for size in chosen.size:
        rendering = rendered(size, chosen.namespaces)
        started = time.perf_counter()
        found = evaluate(rendering, RuleSet(all_rules())).found
        seconds = time.perf_counter() - started
        ratio = f"{seconds / before:.1f}" if before else ""
        rows.append((size, len(rendering.documents), len(found), f"{seconds:.2f}", ratio))
        before = seconds
    print(*table(rows), sep="\n")


def rendered(size: int, namespaces: int) -> Rendering:
    """A rendering with that many Services and workloads."""
    documents = []
    for n in range(size):
        names = {"n": n, "ns": f"team-{n % namespaces}", "next": (n + namespaces) % size}
        broken = n % 50 == 7
        documents.append(SERVICE.format(**names, target="htpp" if broken else "http"))
        documents.append(WORKLOAD.format(**names))
        policies = POLICIES.format(**names, port=80 if broken else 8080)
        documents += policies.split("---\n")
        if n % 10 == 0:
            documents += TENTH.format(**names).split("---\n")
    return Rendering(ManifestTarget("."), tuple(RenderedDocument(one) for one in documents))


if __name__ == "__main__":
    main()
