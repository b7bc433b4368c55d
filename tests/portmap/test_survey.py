"""What the map reads from manifests: who calls across targets, and what a pod may be scaled to."""

from __future__ import annotations

import pytest

from portproof.discover.model import HelmTarget, Install
from portproof.portmap.installed import environment_name, installed
from portproof.portmap.monitor import chosen
from tests.support.mapped import port_map_of

APP = """\
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {selector: {app: web}, ports: [{name: http, port: 80, targetPort: 8080}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  replicas: 1
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: web, ports: [{containerPort: 8080}]}]}
"""
SCALED = """\
---
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata: {name: web, namespace: shop}
spec: {scaleTargetRef: {name: web}}
"""
CALLER = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: front, namespace: NAMESPACE}
spec: {template: {spec: {containers: [{name: f, image: f, env: [{name: URL, value: "http://HOST:80"}]}]}}}
"""


@pytest.mark.parametrize(
    ("namespace", "host", "called"),
    [
        ("shop", "web", True),
        ("other", "web", False),
        ("other", "web.shop", True),
        ("shop", "web.other", False),
    ],
)
def test_a_name_means_a_service_of_its_own_namespace(namespace: str, host: str, *, called: bool) -> None:
    caller = CALLER.replace("NAMESPACE", namespace).replace("HOST", host)
    found = port_map_of(app=APP, front=caller).targets[0].services[0].ports[0].callers
    assert [(one.holder, one.namespace) for one in found] == [("Deployment/front", namespace)] * called


def test_what_keda_scales_to_zero_is_not_probed() -> None:
    assert chosen(port_map_of(app=APP))[1] == ()
    _, omitted = chosen(port_map_of(app=APP + SCALED))
    assert [one.reason for one in omitted] == ["its pods may be scaled to zero (KEDA scales it to zero)"]


def test_no_replicas_are_not_probed() -> None:
    _, omitted = chosen(port_map_of(app=APP.replace("replicas: 1", "replicas: 0")))
    assert [one.reason for one in omitted] == ["its pods may be scaled to zero (replicas: 0)"]


def test_the_release_is_that_of_the_one_chart_without_one() -> None:
    stated = HelmTarget("charts/a", release="a", namespace="elsewhere")
    moved = HelmTarget("charts/b", ("apps/b.yaml",), install=Install("b", 0))
    plain, prod = HelmTarget("charts/c"), HelmTarget("charts/c", ("charts/c/values-prod.yaml",))
    assert (environment_name(plain), environment_name(prod)) == ("defaults", "prod")
    several = installed((stated, moved, plain, prod), "prod", "shop", "blue")
    assert [
        (one.namespace, getattr(one, "release", "")) for one in several if isinstance(one, HelmTarget)
    ] == [
        ("elsewhere", "a"),
        ("default", "release-name"),
        ("default", "release-name"),
        ("blue", "shop"),
    ]
    (a, b, *_) = installed((stated, moved, plain), None, "", "blue")
    assert isinstance(a, HelmTarget)
    assert isinstance(b, HelmTarget)
    assert (a.namespace, b.namespace) == ("elsewhere", "blue")
