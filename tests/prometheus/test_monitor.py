"""What ``portproof monitor`` writes, held against the real promtool, Prometheus and blackbox exporter.

``.ci/prometheus`` fetches them, and runs these tests; without ``PORTPROOF_PROMETHEUS`` they are left.
"""

from __future__ import annotations

import json
import os
import socket
import socketserver
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import yaml

from portproof.portmap.monitor import HTTP, TCP, Monitoring, Probed, files, modules

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
PATHS = (
    *PROBED,
    Probed("prod", "http://api.shop.svc:80/healthz?full=1", HTTP),
    Probed("test", "https://api.test.svc:443/", HTTP),
)
MODULES = modules(PATHS).replace("timeout: 5s", "timeout: 2s")


def tool(name: str, *args: str, folder: Path) -> str:
    run = subprocess.run([f"{TOOLS}/{name}", *args], cwd=folder, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


def written(folder: Path, kind: str, monitoring: Monitoring, probed: tuple[Probed, ...] = PROBED) -> Path:
    for name, text in files(monitoring, probed, kind).items():
        (folder / name).write_text(text)
    return folder


def test_the_alerts_of_the_example_fire_as_it_says() -> None:
    folder = Path(__file__).parents[2] / "examples" / "incident" / "monitoring"
    assert "SUCCESS" in tool("promtool", "test", "rules", "alerts_test.yaml", folder=folder)


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


def discovered(folder: Path, job: str) -> list[dict[str, str]]:
    """The labels of all targets of ``job``, in the order of their instances: promtool keeps none."""
    found = json.loads(tool("promtool", "check", "service-discovery", "scrape.yaml", job, folder=folder))
    return sorted((one["labels"] for one in found), key=lambda labels: labels["instance"])


def test_service_and_namespace_come_from_the_address(tmp_path: Path) -> None:
    folder = written(tmp_path, "prometheus", Monitoring(prober="exporter.example:9115"))
    tool("promtool", "check", "config", "scrape.yaml", folder=folder)
    labels = discovered(folder, "portproof")
    assert [(one["instance"], one["namespace"], one["service"], one["environment"]) for one in labels] == [
        ("cart.shop.svc:80", "shop", "cart", "prod"),
        ("web.shop.svc:8080", "shop", "web", "prod"),
        ("web.test.svc:80", "test", "web", "test"),
    ]
    assert {one["__address__"] for one in labels} == {"exporter.example:9115"}


def test_ports_that_are_asked_for_a_path_have_the_same_labels(tmp_path: Path) -> None:
    folder = written(tmp_path, "prometheus", Monitoring(), PATHS)
    tool("promtool", "check", "config", "scrape.yaml", folder=folder)
    labels = discovered(folder, "portproof-http")
    assert [(one["job"], one["instance"], one["namespace"], one["service"]) for one in labels] == [
        ("portproof", "http://api.shop.svc:80/healthz?full=1", "shop", "api"),
        ("portproof", "https://api.test.svc:443/", "test", "api"),
    ]
    tool("promtool", "test", "rules", "alerts_test.yaml", folder=folder)


def test_the_exporter_takes_the_modules(tmp_path: Path) -> None:
    (tmp_path / "modules.yaml").write_text(modules(PATHS))
    tool("prometheus-blackbox-exporter", "--config.file=modules.yaml", "--config.check", folder=tmp_path)
    (tmp_path / "modules.yaml").write_text(modules(PATHS).replace("follow_redirects", "follow"))
    with pytest.raises(AssertionError, match="follow"):
        tool("prometheus-blackbox-exporter", "--config.file=modules.yaml", "--config.check", folder=tmp_path)


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


class Listener(socketserver.ThreadingTCPServer):
    """Answers each connection in one way: with a status of HTTP, as a server of gRPC, or not at all."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, answer: str) -> None:
        self.answer = answer
        super().__init__(("127.0.0.1", 0), _Answer)

    @property
    def port(self) -> int:
        number: int = self.server_address[1]
        return number


class _Answer(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        answer = getattr(self.server, "answer")  # noqa: B009 - the type of `server` is that of any
        self.request.settimeout(10)
        with suppress(OSError):
            if (
                answer == "grpc"
            ):  # the settings come first, and whoever does not speak HTTP/2 is told to go away
                self.request.sendall(b"\0\0\0\4\0\0\0\0\0")
                self.request.recv(64)
            elif answer == "silent":
                self.request.recv(4096)
                time.sleep(5)
            else:
                self.request.recv(4096)
                head = f"HTTP/1.1 {answer} x\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                self.request.sendall(head.encode())


@pytest.mark.parametrize(
    ("answer", "tcp", "http"),
    [
        ("200", True, True),
        ("302", True, True),  # as for the kubelet, whose probe it is; and the redirect is not followed
        ("404", True, False),
        ("503", True, False),
        ("silent", True, False),  # what the page says: a connection proves that something listens
        (
            "grpc",
            True,
            False,
        ),  # so a port of gRPC is not asked for a path, with or without its health service
        ("closed", False, False),
    ],
)
def test_what_the_exporter_makes_of_a_listener(tmp_path: Path, answer: str, tcp: bool, http: bool) -> None:
    exporter, closed = free(), free()
    (tmp_path / "blackbox.yml").write_text(MODULES)
    with (
        Listener(answer) as server,
        running(
            f"{TOOLS}/prometheus-blackbox-exporter",
            "--config.file=blackbox.yml",
            f"--web.listen-address=127.0.0.1:{exporter}",
            folder=tmp_path,
        ),
    ):
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"127.0.0.1:{closed if answer == 'closed' else server.port}"
        found = {
            module: success(exporter, module, target)
            for module, target in ((TCP, address), (HTTP, f"http://{address}/healthz"))
        }
        server.shutdown()
    assert found == {TCP: tcp, HTTP: http}


def success(exporter: int, module: str, target: str) -> bool:
    """Whether a probe succeeds; the exporter may not listen yet."""
    query = urllib.parse.urlencode({"module": module, "target": target})
    for _ in range(50):
        with suppress(urllib.error.URLError, OSError):
            with urllib.request.urlopen(f"http://127.0.0.1:{exporter}/probe?{query}", timeout=10) as answer:
                text = answer.read().decode()
            return "\nprobe_success 1\n" in text
        time.sleep(0.2)
    raise AssertionError("the exporter does not answer")


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
