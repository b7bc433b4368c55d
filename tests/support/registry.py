"""Chart repositories and OCI registries on loopback, with TLS: two hosts, because a certificate names ``127.0.0.1`` and ``localhost``."""

from __future__ import annotations

import datetime as dt
import hashlib
import io
import ipaddress
import json
import os
import re
import ssl
import subprocess
import tarfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import mkdtemp

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

CHART_LAYER = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
TOKEN = "opensesame"


@dataclass(frozen=True)
class Reply:
    """What a path answers."""

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Asked:
    """One question that came in."""

    path: str
    headers: Mapping[str, str]


@dataclass
class Host:
    """A server: what it answers by path (without the query), and what it was asked. `guard` may answer first."""

    port: int
    replies: dict[str, Reply] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    guard: Callable[[Asked], Reply | None] = lambda _: None
    post: Callable[[Asked, bytes], Reply] = lambda *_: Reply(status=405)

    @property
    def paths(self) -> list[str]:
        return [one.path for one in self.asked]

    def url(self, name: str = "127.0.0.1", scheme: str = "https") -> str:
        return f"{scheme}://{name}:{self.port}"


@cache
def certificate() -> Path:
    """A certificate for both names, and its key, in one file; it is its own authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "loopback")])
    now = dt.datetime.now(dt.UTC)
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = Path(mkdtemp(prefix="portproof-tls-")) / "both.pem"
    file.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return file


@contextmanager
def host(*, tls: bool = True) -> Iterator[Host]:
    """A server on loopback that answers what its `replies` say."""
    made = Host(0)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = self.noted()
            self.give(made.guard(asked) or made.replies.get(self.path.partition("?")[0]) or Reply(status=404))

        def do_POST(self) -> None:
            asked = self.noted()
            self.give(made.post(asked, self.rfile.read(int(self.headers["Content-Length"]))))

        def noted(self) -> Asked:
            asked = Asked(self.path, {name.lower(): value for name, value in self.headers.items()})
            made.asked.append(asked)
            return asked

        def give(self, reply: Reply) -> None:
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.handle_error = lambda *_: None  # type: ignore[method-assign] # who breaks a connection off is no error
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate())
            server.socket = context.wrap_socket(
                server.socket, server_side=True, do_handshake_on_connect=False
            )
        made.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield made
        server.shutdown()
        thread.join()


def archive(files: Mapping[str, bytes | str | tarfile.TarInfo]) -> bytes:
    """A ``.tgz`` of these files; a `TarInfo` is a member as it is."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as made:
        for name, content in files.items():
            if isinstance(content, tarfile.TarInfo):
                made.addfile(content)
                continue
            data = content.encode() if isinstance(content, str) else content
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            made.addfile(entry, io.BytesIO(data))
    return packed.getvalue()


def packaged(name: str, version: str, files: Mapping[str, str]) -> bytes:
    """A packaged chart."""
    meta = {"Chart.yaml": f"apiVersion: v2\nname: {name}\nversion: {version}\n"}
    return archive({f"{name}/{path}": text for path, text in {**meta, **files}.items()})


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def publish(on: Host, name: str, versions: Mapping[str, bytes], *, url: str = "", digest: str = "") -> None:
    """Put a chart into the ``index.yaml`` of a host: its archives, or `url` for all of them."""
    lines = [
        "apiVersion: v1",
        "entries:",
        "  other:",
        "  - version: 9.9.9",
        "    urls: [nowhere.tgz]",
        f"  {name}:",
    ]
    for version, data in versions.items():
        on.replies[f"/{name}-{version}.tgz"] = Reply(data)
        lines += [
            "  - apiVersion: v2",
            f"    name: {name}",
            f"    digest: {digest or sha256(data)}",
            "    urls:",
            f"    - {url or f'{name}-{version}.tgz'}",
            f"    version: {version}",
        ]
    lines += [
        "  zebra:",
        "  - version: 0.0.1",
        "    urls: [zebra.tgz]",
        "generated: 2026-01-01T00:00:00Z",
        "",
    ]
    on.replies["/index.yaml"] = Reply("\n".join(lines).encode())


def push(on: Host, path: str, versions: Mapping[str, bytes], *, realm: str = "") -> dict[str, str]:
    """Put a chart into the registry of a host, behind a token if `realm` says where that is given; the digests by tags."""
    digests = {}
    for version, data in versions.items():
        blob = f"sha256:{sha256(data)}"
        layer = {"mediaType": CHART_LAYER, "digest": blob, "size": len(data)}
        body = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "layers": [layer]}).encode()
        digests[version] = f"sha256:{sha256(body)}"
        for tag in (version.replace("+", "_"), digests[version]):
            on.replies[f"/v2/{path}/manifests/{tag}"] = Reply(body, headers={"Content-Type": MANIFEST})
        on.replies[f"/v2/{path}/blobs/{blob}"] = Reply(data)
    tags = [version.replace("+", "_") for version in versions]
    on.replies[f"/v2/{path}/tags/list"] = Reply(json.dumps({"name": path, "tags": tags}).encode())
    if realm:
        on.replies["/token"] = Reply(json.dumps({"token": TOKEN}).encode())
        challenge = {"WWW-Authenticate": f'Bearer realm="{realm}",service="registry",scope="x"'}

        def guard(asked: Asked) -> Reply | None:
            known = asked.headers.get("authorization") == f"Bearer {TOKEN}"
            return None if known or asked.path.startswith("/token") else Reply(status=401, headers=challenge)

        on.guard = guard
    return digests


def serve_git(on: Host, root: Path) -> None:
    """Let a host answer for the bare repositories below `root`, with git's own server."""
    backend = Path(
        subprocess.run(["git", "--exec-path"], check=True, capture_output=True, text=True).stdout.strip()
    )

    def answer(asked: Asked, body: bytes) -> Reply:
        environ = {
            "GIT_PROJECT_ROOT": str(root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": asked.path.partition("?")[0],
            "QUERY_STRING": asked.path.partition("?")[2],
            "REQUEST_METHOD": "POST",
            "CONTENT_TYPE": asked.headers.get("content-type", ""),
            "GIT_PROTOCOL": asked.headers.get("git-protocol", ""),
            "PATH": os.environ["PATH"],
        }
        done = subprocess.run(
            [backend / "git-http-backend"], input=body, env=environ, capture_output=True, check=False
        )
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        status = re.search(rb"^Status: (\d+)", head, re.MULTILINE)
        return Reply(content, int(status[1]) if status else 200)

    on.post = answer
