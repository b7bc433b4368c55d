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
from contextlib import AbstractContextManager, closing, contextmanager, suppress
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
PATIENCE = 180
"""Seconds: longer than anything takes that has an end."""


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


@contextmanager
def closed() -> Iterator[int]:
    """A port at which nothing listens, and that nobody else is given meanwhile."""
    with closing(socket.socket()) as one:
        one.bind(("127.0.0.1", 0))
        yield one.getsockname()[1]


@contextmanager
def running(*command: str, folder: Path) -> Iterator[int]:
    """A program that takes a port which is free, and the port."""
    listen = "--web.listen-address=127.0.0.1:0"
    with subprocess.Popen(
        [*command, listen], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as child:
        try:
            yield listens(child)
        finally:
            child.terminate()


def listens(child: subprocess.Popen[bytes]) -> int:
    """The port on which a program listens, as soon as it does (proc(5))."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        assert child.poll() is None, f"{child.args!r} ended"
        sockets = set(opened(child.pid))
        _, *lines = (line.split() for line in Path(f"/proc/{child.pid}/net/tcp").read_text().splitlines())
        for line in lines:
            if line[3] == LISTENS and f"socket:[{line[9]}]" in sockets:
                return int(line[1].partition(":")[2], 16)
        time.sleep(0.1)
    raise AssertionError(f"{child.args!r} does not listen")


def opened(pid: int) -> Iterator[str]:
    """What the descriptors of a program lead to; some may be gone by now."""
    for one in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            yield str(one.readlink())


LISTENS = "0A"
"""The state of a socket that listens, in ``/proc/net/tcp``."""


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
        with suppress(OSError):
            if (
                answer == "grpc"
            ):  # the settings come first, and whoever does not speak HTTP/2 is told to go away
                self.request.sendall(b"\0\0\0\4\0\0\0\0\0")
                self.request.recv(64)
            elif answer == "silent":
                while self.request.recv(4096):
                    pass
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
    # Only of a program that says nothing is the end waited for.
    seconds = 4 if answer == "silent" else PATIENCE
    (tmp_path / "blackbox.yml").write_text(modules(PATHS).replace("timeout: 5s", f"timeout: {seconds}s"))
    with Listener(answer) as server, closed() as nobody, blackbox(tmp_path) as exporter:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"127.0.0.1:{nobody if answer == 'closed' else server.port}"
        found = {
            module: success(exporter, module, target)
            for module, target in ((TCP, address), (HTTP, f"http://{address}/healthz"))
        }
        server.shutdown()
    assert found == {TCP: tcp, HTTP: http}


def blackbox(folder: Path) -> AbstractContextManager[int]:
    """The exporter with the modules of the folder, and its port."""
    return running(f"{TOOLS}/prometheus-blackbox-exporter", "--config.file=blackbox.yml", folder=folder)


def success(exporter: int, module: str, target: str) -> bool:
    """Whether a probe succeeds."""
    query = urllib.parse.urlencode({"module": module, "target": target})
    with urllib.request.urlopen(f"http://127.0.0.1:{exporter}/probe?{query}", timeout=2 * PATIENCE) as answer:
        text: str = answer.read().decode()
    return "\nprobe_success 1\n" in text


def asked(url: str) -> Any:
    """What is there; nothing while Prometheus is not ready."""
    try:
        with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
            return json.load(answer)
    except urllib.error.HTTPError:
        return {"data": {"alerts": []}}


def test_the_alert_fires_for_exactly_the_broken_port(tmp_path: Path) -> None:
    """A program listens on one port, and on the other none does, as after the incident."""
    (tmp_path / "blackbox.yml").write_text(modules(PATHS))
    with (
        closing(socket.create_server(("127.0.0.1", 0), backlog=1000)) as listening,
        closed() as wrong,
        blackbox(tmp_path) as exporter,
    ):
        right = listening.getsockname()[1]
        probed = (Probed("prod", f"127.0.0.1:{right}"), Probed("prod", f"127.0.0.1:{wrong}"))
        made = files(Monitoring(prober=f"127.0.0.1:{exporter}"), probed, "prometheus")
        # An answer that takes longer than that three times in a row would be an alert.
        scrape = made["scrape.yaml"].replace("30s", "4s").replace("scrape_timeout: 10s", "scrape_timeout: 4s")
        head = "global: {evaluation_interval: 1s}\nrule_files: [alerts.yaml]\n"
        (tmp_path / "prometheus.yml").write_text(head + scrape)
        (tmp_path / "alerts.yaml").write_text(made["alerts.yaml"].replace("for: 5m", "for: 10s"))
        server = (f"{TOOLS}/prometheus", "--config.file=prometheus.yml", "--storage.tsdb.path=data")
        with running(*server, folder=tmp_path) as prometheus:
            firing: list[tuple[str, str]] = []
            deadline = time.monotonic() + PATIENCE
            while not firing and time.monotonic() < deadline:
                time.sleep(0.5)
                alerts = asked(f"http://127.0.0.1:{prometheus}/api/v1/alerts")["data"]["alerts"]
                firing = [
                    (one["labels"]["alertname"], one["labels"]["instance"])
                    for one in alerts
                    if one["state"] == "firing"
                ]
    assert firing == [("ServicePortUnreachable", f"127.0.0.1:{wrong}")]
