"""What ``portproof monitor`` writes, held against the real promtool, Prometheus and blackbox exporter.

``.ci/prometheus`` fetches them, and runs these tests; without ``PORTPROOF_PROMETHEUS`` they are left.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from portproof.portmap.monitor import Monitoring, Probed, files

TOOLS = os.environ.get("PORTPROOF_PROMETHEUS", "")
pytestmark = pytest.mark.skipif(
    not TOOLS, reason="no PORTPROOF_PROMETHEUS; .ci/prometheus fetches it and runs these"
)
PROBED = (
    Probed("prod", "cart.shop.svc:80"),
    Probed("prod", "web.shop.svc:8080"),
    Probed("test", "web.test.svc:80"),
)
RUNBOOKS = "https://git.example.com/shop/PORTS.md"
MODULES = "modules: {tcp_connect: {prober: tcp, timeout: 2s, tcp: {preferred_ip_protocol: ip4}}}\n"


def tool(name: str, *args: str, folder: Path) -> str:
    run = subprocess.run([f"{TOOLS}/{name}", *args], cwd=folder, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


def written(folder: Path, kind: str, monitoring: Monitoring, probed: tuple[Probed, ...] = PROBED) -> Path:
    for name, text in files(monitoring, probed, kind).items():
        (folder / name).write_text(text)
    return folder


@pytest.mark.parametrize("runbooks", ["", RUNBOOKS])
@pytest.mark.parametrize("kind", ["operator", "prometheus"])
def test_promtool_takes_the_alerts_and_their_test(tmp_path: Path, kind: str, runbooks: str) -> None:
    folder = written(tmp_path, kind, Monitoring(runbooks=runbooks))
    assert "SUCCESS: 2 rules found" in tool("promtool", "check", "rules", "alerts.yaml", folder=folder)
    tool("promtool", "test", "rules", "alerts_test.yaml", folder=folder)


def test_the_test_of_the_alerts_can_fail(tmp_path: Path) -> None:
    folder = written(tmp_path, "prometheus", Monitoring())
    text = (folder / "alerts.yaml").read_text()
    (folder / "alerts.yaml").write_text(text.replace('probe_success{job="portproof"} == 0', "vector(0) > 1"))
    with pytest.raises(AssertionError, match="FAILED"):
        tool("promtool", "test", "rules", "alerts_test.yaml", folder=folder)


def test_the_rule_of_the_operator_is_the_same(tmp_path: Path) -> None:
    folder = written(tmp_path, "operator", Monitoring())
    objects = list(yaml.safe_load_all((folder / "portproof.yaml").read_text()))
    assert [one["kind"] for one in objects] == ["Probe", "Probe", "PrometheusRule"]
    assert objects[-1]["spec"] == yaml.safe_load((folder / "alerts.yaml").read_text())


def test_service_and_namespace_come_from_the_address(tmp_path: Path) -> None:
    folder = written(tmp_path, "prometheus", Monitoring(prober="exporter.example:9115"))
    tool("promtool", "check", "config", "scrape.yaml", folder=folder)
    found = json.loads(
        tool("promtool", "check", "service-discovery", "scrape.yaml", "portproof", folder=folder)
    )
    labels = [one["labels"] for one in found]
    assert [(one["instance"], one["namespace"], one["service"], one["environment"]) for one in labels] == [
        ("cart.shop.svc:80", "shop", "cart", "prod"),
        ("web.shop.svc:8080", "shop", "web", "prod"),
        ("web.test.svc:80", "test", "web", "test"),
    ]
    assert {one["__address__"] for one in labels} == {"exporter.example:9115"}


def free() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        port: int = server.getsockname()[1]
        return port


@contextmanager
def running(*command: str, folder: Path) -> Iterator[None]:
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as child:
        try:
            yield
        finally:
            child.terminate()


def asked(url: str) -> Any:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return json.load(answer)
    except (urllib.error.URLError, OSError):
        return {"data": {"alerts": []}}


def test_the_alert_fires_for_exactly_the_broken_port(tmp_path: Path) -> None:
    """A program listens on one port, and on the other none does, as after the incident."""
    exporter, prometheus, wrong = free(), free(), free()
    with closing(socket.create_server(("127.0.0.1", 0), backlog=100)) as listening:
        right = listening.getsockname()[1]
        probed = (Probed("prod", f"127.0.0.1:{right}"), Probed("prod", f"127.0.0.1:{wrong}"))
        made = files(Monitoring(prober=f"127.0.0.1:{exporter}"), probed, "prometheus")
        scrape = made["scrape.yaml"].replace("30s", "1s").replace("scrape_timeout: 10s", "scrape_timeout: 1s")
        head = "global: {evaluation_interval: 1s}\nrule_files: [alerts.yaml]\n"
        (tmp_path / "prometheus.yml").write_text(head + scrape)
        (tmp_path / "alerts.yaml").write_text(made["alerts.yaml"].replace("for: 5m", "for: 3s"))
        (tmp_path / "blackbox.yml").write_text(MODULES)
        with (
            running(
                f"{TOOLS}/prometheus-blackbox-exporter",
                "--config.file=blackbox.yml",
                f"--web.listen-address=127.0.0.1:{exporter}",
                folder=tmp_path,
            ),
            running(
                f"{TOOLS}/prometheus",
                "--config.file=prometheus.yml",
                "--storage.tsdb.path=data",
                f"--web.listen-address=127.0.0.1:{prometheus}",
                folder=tmp_path,
            ),
        ):
            firing: list[tuple[str, str]] = []
            deadline = time.monotonic() + 60
            while not firing and time.monotonic() < deadline:
                time.sleep(0.5)
                alerts = asked(f"http://127.0.0.1:{prometheus}/api/v1/alerts")["data"]["alerts"]
                firing = [
                    (one["labels"]["alertname"], one["labels"]["instance"])
                    for one in alerts
                    if one["state"] == "firing"
                ]
    assert firing == [("ServicePortUnreachable", f"127.0.0.1:{wrong}")]
