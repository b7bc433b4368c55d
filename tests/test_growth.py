"""Renderings that are made to keep us busy: twice as much takes about twice as long, not four times."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from portproof.discover.model import ManifestTarget
from portproof.render.model import RenderedDocument, Rendering
from portproof.rules import all_rules
from portproof.rules.evaluate import RuleSet, evaluate

pytestmark = pytest.mark.slow

SIZE = 4_000
SECONDS = 8.0  # of our own time; what is linear takes one or two, what is quadratic half a minute


def thing(kind: str, name: str, api: str = "v1", **fields: Any) -> RenderedDocument:
    data = {"apiVersion": api, "kind": kind, "metadata": {"name": name, "labels": {"app": "web"}}, **fields}
    return RenderedDocument(json.dumps(data))


def pod(name: str, *containers: dict[str, Any]) -> RenderedDocument:
    return thing("Pod", name, spec={"containers": list(containers)})


SERVICE = thing(
    "Service", "web", spec={"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8080}]}
)


def calls_of_one_service() -> list[RenderedDocument]:
    urls = "".join(f"http://web:{1000 + one}/\n" for one in range(4 * SIZE))
    web = {"name": "web", "ports": [{"containerPort": 8080}]}
    return [SERVICE, pod("web", web), thing("ConfigMap", "urls", data={"urls": urls})]


def settings_of_many_containers() -> list[RenderedDocument]:
    one = [
        {
            "name": f"c{number}",
            "ports": [{"containerPort": 1000 + number}],
            "env": [{"name": "PORT", "value": f"{30_000 + number}"}],
        }
        for number in range(2 * SIZE)
    ]
    return [pod("web", *one)]


def settings_of_one_container() -> list[RenderedDocument]:
    arguments = [f"--listen=:{1000 + one}" for one in range(8 * SIZE)]
    return [pod("web", {"name": "web", "ports": [{"containerPort": 80}], "args": arguments})]


def pods(count: int) -> list[RenderedDocument]:
    return [pod(f"web-{one}", {"name": "web", "ports": [{"containerPort": 8080}]}) for one in range(count)]


def ports_of_a_policy_for_many_pods() -> list[RenderedDocument]:
    opened = [{"port": 10_000 + one} for one in range(SIZE)] + [{"port": f"x{one}"} for one in range(SIZE)]
    spec = {"podSelector": {"matchLabels": {"app": "web"}}, "ingress": [{"ports": opened}]}
    return [SERVICE, thing("NetworkPolicy", "web", "networking.k8s.io/v1", spec=spec), *pods(SIZE // 8)]


def monitors_of_many_pods() -> list[RenderedDocument]:
    selector = {"matchLabels": {"app": "web"}}
    specs = (
        {"selector": selector, "podMetricsEndpoints": [{"portNumber": 10_000 + one}]} for one in range(SIZE)
    )
    monitors = [
        thing("PodMonitor", f"web-{one}", "monitoring.coreos.com/v1", spec=spec)
        for one, spec in enumerate(specs)
    ]
    return [*monitors, *pods(SIZE // 8)]


@pytest.mark.parametrize(
    "build",
    [
        calls_of_one_service,
        settings_of_many_containers,
        settings_of_one_container,
        ports_of_a_policy_for_many_pods,
        monitors_of_many_pods,
    ],
)
def test_no_rendering_keeps_the_rules_busy(build: Callable[[], list[RenderedDocument]]) -> None:
    rendering = Rendering(ManifestTarget("."), tuple(build()))
    started = time.process_time()
    evaluate(rendering, RuleSet(all_rules()))
    assert time.process_time() - started < SECONDS
