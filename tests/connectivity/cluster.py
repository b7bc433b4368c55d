"""A cluster's network of one node, in two network namespaces: a caller on one side, listeners on the other.

nftables stands in for what no machine without a cluster has: kube-proxy (the address of a Service becomes that of a pod, in
the caller's namespace as on a node) and network policies (rules of the node). A hosts file stands in for the names.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from portproof import connect

NODE = "10.77.0.2"
NODE6 = "fd00:77::2"
NOBODY = "10.77.0.99"
"""An address of the caller's own network that no machine has."""
ELSEWHERE = "192.0.2.1"
"""An address to which no route leads (TEST-NET-1, RFC 5737)."""

_COUNT = itertools.count()
_LISTENER = """
import http.server, sys
class Web(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/healthz" else 404)
        self.end_headers()
    def log_message(self, *_): pass
class Server(http.server.ThreadingHTTPServer):
    address_family = 10
Server(("::", int(sys.argv[1])), Web).serve_forever()
"""


def _do(*command: str, text: str | None = None) -> str:
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


@dataclass(frozen=True)
class Cluster:
    """The two namespaces, by their names."""

    caller: str
    node: str

    def listen(self, port: int) -> subprocess.Popen[bytes]:
        """A web server in the node's namespace that knows ``/healthz``, and is ready."""
        command = ["ip", "netns", "exec", self.node, sys.executable, "-I", "-c", _LISTENER, str(port)]
        running = subprocess.Popen(command)
        until = time.monotonic() + 120
        while f":{port} " not in _do("ip", "netns", "exec", self.node, "ss", "-Hltn"):
            assert running.poll() is None
            assert time.monotonic() < until, "the listener does not start"
            time.sleep(0.05)
        return running

    def serve(self, address: str, port: int, target: int) -> None:
        """What kube-proxy makes of a Service with a pod behind it."""
        self._filter(
            self.caller,
            "table ip services { chain output { type nat hook output priority -100\n"
            f"ip daddr {address} tcp dport {port} dnat to {NODE}:{target}\n}}\n}}\n",
        )

    def without_endpoints(self, address: str, port: int) -> None:
        """What kube-proxy makes of a port of a Service that has no endpoint."""
        self._filter(
            self.caller,
            "table ip services { chain filter { type filter hook output priority 0\n"
            f"ip daddr {address} tcp dport {port} reject\n}}\n}}\n",
        )

    def policy(self, *rules: str) -> None:
        """Rules for what comes to the node; those that add to ``@callers`` count connections by their ports."""
        text = "\n".join(rules)
        self._filter(
            self.node,
            "table inet policies { set callers { type inet_service; size 65535; flags dynamic; }\n"
            f"chain input {{ type filter hook input priority 0\n{text}\n}}\n}}\n",
        )

    def policy_met(self, attempts: int) -> None:
        """Wait until that many connections have been added to ``@callers``."""
        command = (
            "ip",
            "netns",
            "exec",
            self.node,
            "nft",
            "-j",
            "list",
            "set",
            "inet",
            "policies",
            "callers",
        )
        until = time.monotonic() + 120
        while len(json.loads(_do(*command))["nftables"][-1]["set"].get("elem", ())) < attempts:
            assert time.monotonic() < until, "nobody comes"
            time.sleep(0.05)

    def policy_gone(self) -> None:
        """Nothing filters what comes to the node."""
        self._filter(self.node, "delete table inet policies\n")

    def _filter(self, namespace: str, text: str) -> None:
        _do("ip", "netns", "exec", namespace, "nft", "-f", "-", text=text)

    def connect(self, *arguments: str) -> tuple[int, list[dict[str, Any]], str]:
        """Run the file in the caller's namespace: its exit code, its lines, and those as text."""
        done = subprocess.run(
            ["ip", "netns", "exec", self.caller, sys.executable, "-I", connect.__file__, *arguments],
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        assert not done.stderr
        return done.returncode, [json.loads(one) for one in done.stdout.splitlines()], done.stdout


@contextmanager
def cluster(names: Mapping[str, str], listening: Sequence[int]) -> Iterator[Cluster]:
    """Two namespaces with a cable between them; `names` have these addresses for the caller, who has no name server."""
    mark = f"{os.getpid()}-{next(_COUNT)}"
    made = Cluster(f"portproof-caller-{mark}", f"portproof-node-{mark}")
    with ExitStack() as undo:
        for name in (made.caller, made.node):
            _do("ip", "netns", "add", name)
            undo.callback(_do, "ip", "netns", "del", name)
            _do("ip", "-n", name, "link", "set", "lo", "up")
        # a packet that is meant for nobody vanishes, as in a network that answers no stranger
        _do("ip", "netns", "exec", made.node, "sysctl", "--quiet", "--write", "net.ipv4.ip_forward=0")
        # what `ip netns exec` puts in the place of /etc
        folder = Path("/etc/netns", made.caller)
        folder.mkdir(parents=True)
        undo.callback(shutil.rmtree, folder)
        (folder / "hosts").write_text("".join(f"{address} {name}\n" for name, address in names.items()))
        (folder / "resolv.conf").write_text("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
        _do(
            "ip",
            "link",
            "add",
            "eth0",
            "netns",
            made.caller,
            "type",
            "veth",
            "peer",
            "eth0",
            "netns",
            made.node,
        )
        for name, number in ((made.caller, 1), (made.node, 2)):
            _do("ip", "-n", name, "address", "add", f"10.77.0.{number}/24", "dev", "eth0")
            _do("ip", "-n", name, "address", "add", f"fd00:77::{number}/64", "dev", "eth0", "nodad")
            _do("ip", "-n", name, "link", "set", "eth0", "up")
        _do("ip", "-n", made.caller, "route", "add", "10.96.0.0/16", "via", NODE)  # the addresses of Services
        for port in listening:
            running = made.listen(port)
            undo.callback(running.wait)
            undo.callback(running.kill)
        yield made
