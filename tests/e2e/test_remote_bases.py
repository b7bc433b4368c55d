"""Remote bases and components of a kustomization: fetched where a host is listed and the revision is pinned, else left out."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from portproof.discover.remote_bases import RemoteBase, remote_base
from portproof.render.gitfetch import files_at
from portproof.render.web import Web, WebError
from tests.e2e.program import Program, Repository, environment
from tests.support.registry import Host, Reply, certificate, host, serve_git
from tests.support.rendering import kustomize

SERVICE = """apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports: [{name: http, port: 80, targetPort: http}]
"""
DEPLOYMENT = """apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
        - {name: web, image: registry.example.org/web:1, ports: [{name: http, containerPort: 8080}]}
"""
UPSTREAM = {
    "deploy/base/kustomization.yaml": "resources: [../common, deployment.yaml]\n",
    "deploy/base/deployment.yaml": DEPLOYMENT,
    "deploy/common/kustomization.yaml": "resources: [service.yaml]\n",
    "deploy/common/service.yaml": SERVICE,
    "part/kustomization.yaml": (
        "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n"
        'patches: [{target: {kind: Service}, patch: \'[{"op": "add", "path": "/metadata/labels", "value": {"a": "b"}}]\'}]\n'
    ),
    "far/kustomization.yaml": "resources: ['https://elsewhere.example/x/y?ref=v1.0.0']\n",
    "program/kustomization.yaml": "transformers: [x.yaml]\n",
    "program/x.yaml": "apiVersion: v1\nkind: X\nmetadata: {name: x, annotations: {config.kubernetes.io/function: 'exec: {path: ./x}'}}\n",
    "README.md": "x\n" * 4000,
}
PATCH = "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {ports: [{port: 80, targetPort: %s}]}\n"


@dataclass
class Upstream:
    """A repository on a host, with the tag ``v1.0.0``, the annotated tag ``v2.0.0`` and the branch ``main``."""

    on: Host
    commit: str
    more: dict[str, str] = field(default_factory=dict)

    def entry(self, path: str = "deploy/base", ref: str = "v1.0.0") -> str:
        return f"https://127.0.0.1:{self.on.port}/shop.git//{path}?ref={ref}"


@pytest.fixture(scope="module")
def upstream(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Upstream]:
    root = tmp_path_factory.mktemp("upstream")
    made = Repository(root / "work")
    made.root.mkdir()
    made.write(UPSTREAM)
    made.commit()
    made.write({"README.md": "x\n" * 4000 + "y\n", "deploy/base/deployment.yaml": f"# changed\n{DEPLOYMENT}"})
    (made.root / "link").symlink_to("/etc/passwd")
    made.commit()
    made.git("tag", "v1.0.0")
    made.git("tag", "--annotate", "--message", "two", "v2.0.0")
    commit = made.git("rev-parse", "HEAD").strip()
    made.git("gc", "--quiet")
    made.git("clone", "--quiet", "--bare", str(made.root), str(root / "shop.git"))
    made.git("--git-dir", str(root / "shop.git"), "config", "uploadpack.allowAnySHA1InWant", "true")
    with host() as on:
        serve_git(on, root)
        on.replies["/v1.0.0/all.yaml"] = Reply(f"{SERVICE}---\n{DEPLOYMENT}".encode())
        yield Upstream(on, commit)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    monkeypatch.chdir(tmp_path)
    found = Repository(tmp_path)
    found.commit()
    return found


@pytest.fixture
def online() -> Program:
    names = {"SSL_CERT_FILE": str(certificate()), "PORTPROOF_KUSTOMIZE": kustomize().argv[0]}
    return Program(environment() | names)


def overlay(entries: str, target: str = "htpp", *, allowed: bool = True) -> dict[str, str]:
    return {
        "prod/kustomization.yaml": f"{entries}\npatches: [{{path: port.yaml}}]\n",
        "prod/port.yaml": PATCH % target,
        **({"portproof.yaml": "allow-hosts: [127.0.0.1]\n"} if allowed else {}),
    }


def errors(report: dict[str, Any]) -> list[dict[str, Any]]:
    return [one for one in report["findings"] if one["severity"] == "error"]


REFS = ("v1.0.0", "v2.0.0", "COMMIT")


@pytest.mark.parametrize("ref", REFS)
def test_a_base_at_a_revision_is_built_with_the_overlay(
    online: Program, repository: Repository, upstream: Upstream, ref: str
) -> None:
    entry = upstream.entry(ref=ref.replace("COMMIT", upstream.commit))
    repository.write(overlay(f"resources: ['{entry}']"))
    report = online.check()
    (finding,) = errors(report)
    assert (finding["rule"], finding["location"]["path"]) == ("service-target-name", "prod/port.yaml")
    assert [edit["path"] for edit in finding["fix"]["edits"]] == ["prod/port.yaml"]
    (target,) = report["targets"]
    assert (target["status"], target["reason"], target["resources"]) == ("checked", None, 2)
    assert report["unread"] == []
    repository.write(overlay(f"resources: ['{entry}']", "http"))
    assert online.check()["findings"] == []


def test_a_component_and_a_file_are_fetched_too(
    online: Program, repository: Repository, upstream: Upstream
) -> None:
    file = f"https://127.0.0.1:{upstream.on.port}/v1.0.0/all.yaml"
    repository.write(overlay(f"resources: ['{file}']\ncomponents: ['{upstream.entry('part')}']"))
    (finding,) = errors(online.check())
    assert finding["location"]["path"] == "prod/port.yaml"


LEFT_OUT = {
    "a branch": ("deploy/base", "main", "the repository has no tag main; a branch is not pinned"),
    "no such tag": ("deploy/base", "v9.9.9", "the repository has no tag v9.9.9"),
    "no such commit": ("deploy/base", "1" * 40, "the repository does not give that revision"),
    "no such folder": ("nowhere", "v1.0.0", "nowhere in it: there is no kustomization"),
    "a base that is remote again": (
        "far",
        "v1.0.0",
        "far in it: remote base https://elsewhere.example/x/y?ref=v1.0.0",
    ),
    "a program": ("program", "v1.0.0", "program in it: the X runs a program"),
}


@pytest.mark.parametrize("case", LEFT_OUT)
@pytest.mark.parametrize("beside", [True, False])
def test_what_cannot_be_had_is_left_out_with_the_reason(
    online: Program, repository: Repository, upstream: Upstream, case: str, *, beside: bool
) -> None:
    path, ref, reason = LEFT_OUT[case]
    own = "all.yaml, " if beside else ""
    files = {
        "prod/kustomization.yaml": f"resources: [{own}'{upstream.entry(path, ref)}']\n",
        "prod/all.yaml": f"{SERVICE}---\n{DEPLOYMENT}",
        "portproof.yaml": "allow-hosts: [127.0.0.1]\n",
    }
    repository.write(files)
    report = online.check()
    (target,) = (one for one in report["targets"] if one["id"] == "kustomize:prod")
    assert target["status"] == ("checked" if beside else "skipped")
    assert f"not fetched: {reason}" in target["reason"]
    assert "prod/kustomization.yaml:1" in target["reason"]
    if beside:
        assert [one["kind"] for one in report["unread"]] == ["remote-base"]


@pytest.mark.parametrize("case", ["offline", "no host is listed", "another host is listed"])
def test_nobody_is_asked_without_leave(
    online: Program, repository: Repository, upstream: Upstream, case: str
) -> None:
    repository.write(overlay(f"resources: ['{upstream.entry()}']", allowed=case == "offline"))
    if case == "another host is listed":
        repository.write({"portproof.yaml": "allow-hosts: [x.test]\n"})
    before = len(upstream.on.asked)
    (target,) = online.check(*(["--offline"] if case == "offline" else []))["targets"]
    assert target["status"] == "skipped"
    assert "not fetched" in target["reason"]
    assert len(upstream.on.asked) == before


MEANT = {
    "https://h.test/a/b.git//c/d?ref=v1": RemoteBase("https://h.test/a/b.git", "h.test", "c/d", "v1"),
    "https://h.test/a/b//c?ref=v1&timeout=9": RemoteBase("https://h.test/a/b", "h.test", "c", "v1"),
    "git::https://h.test/a/b.git/c?ref=v1": RemoteBase("https://h.test/a/b.git", "h.test", "c", "v1"),
    "github.com/a/b/c?ref=v1": RemoteBase("https://github.com/a/b", "github.com", "c", "v1"),
    "https://h.test/a/b?version=v1": RemoteBase("https://h.test/a/b", "h.test", ".", "v1"),
    "https://h.test/a/b/v1.2.3/x.yaml": RemoteBase("https://h.test/a/b/v1.2.3/x.yaml", "h.test"),
    "https://h.test/a/b/main/x.yaml": None,
    "https://h.test/a/b": None,
    "https://h.test/a/b//../../x?ref=v1": None,
    "https://h.test/a/b?ref=--upload-pack=x": None,
    "https://h.test/a/b?ref=a..b": None,
    "https://user:pass@h.test/a/b?ref=v1": None,
    "http://h.test/a/b?ref=v1": None,
    "ssh://git@h.test/a/b?ref=v1": None,
    "git@github.com:a/b?ref=v1": None,
    "file:///etc?ref=v1": None,
}


@pytest.mark.parametrize("text", MEANT)
def test_what_an_address_means(text: str) -> None:
    assert remote_base(text) == MEANT[text]


def web() -> Web:
    return Web(("127.0.0.1",), {"SSL_CERT_FILE": str(certificate())}, 10.0)


def test_the_files_are_those_of_git(upstream: Upstream) -> None:
    found = files_at(web(), f"{upstream.on.url()}/shop.git", "v2.0.0")
    assert set(found) == set(UPSTREAM)  # the link is none of them
    assert found["deploy/base/deployment.yaml"].decode() == f"# changed\n{DEPLOYMENT}"


def packet(data: bytes) -> bytes:
    return f"{len(data) + 4:04x}".encode() + data


def pack(*objects: tuple[int, bytes]) -> bytes:
    """A pack of these objects, each with its type."""
    body = b"PACK" + (2).to_bytes(4, "big") + len(objects).to_bytes(4, "big")
    for kind, data in objects:
        size, first = len(data) >> 4, kind << 4 | len(data) & 15
        head = bytearray([first | (128 if size else 0)])
        while size:
            head.append(size & 127 | (128 if size >> 7 else 0))
            size >>= 7
        body += bytes(head) + zlib.compress(data)
    return body + hashlib.sha1(body, usedforsecurity=False).digest()


def name(kind: str, data: bytes) -> str:
    return hashlib.sha1(f"{kind} {len(data)}\0".encode() + data, usedforsecurity=False).hexdigest()


BLOB = b"x: 1\n"


def revision(path: bytes, mode: bytes = b"100644") -> tuple[str, bytes]:
    """A commit with one file, and its pack."""
    tree = mode + b" " + path + b"\0" + bytes.fromhex(name("blob", BLOB))
    commit = f"tree {name('tree', tree)}\n\nx\n".encode()
    return name("commit", commit), pack((1, commit), (2, tree), (3, BLOB))


SPOILT: dict[str, Callable[[bytes], bytes]] = {
    "no pack": lambda _: b"junk",
    "another revision": lambda _: revision(b"other.yaml")[1],
    "a pack that ends": lambda made: made[:40],
    "a bomb": lambda _: pack((3, bytes(200 * 1024 * 1024))),
    "too many": lambda _: b"PACK" + (2).to_bytes(4, "big") + (10**9).to_bytes(4, "big"),
    "a delta of nothing": lambda _: pack((7, bytes(20) + b"\1\1")),
}
NAMES = {"a way out": b"..", "git's own": b".git", "a slash": b"a/b", "a control character": b"a\x07"}


@pytest.mark.parametrize("case", [*SPOILT, *NAMES, "a redirect", "fine"])
def test_what_a_repository_may_not_send(case: str) -> None:
    commit, made = revision(NAMES.get(case, b"a.yaml"))
    sent = SPOILT[case](made) if case in SPOILT else made
    with host() as on:
        parts = [sent[at : at + 60_000] for at in range(0, len(sent), 60_000)]
        body = packet(b"packfile\n") + b"".join(packet(b"\1" + part) for part in parts) + b"0000"
        moved = Reply(status=301, headers={"Location": on.url("localhost")})
        on.post = lambda *_: moved if case == "a redirect" else Reply(body)
        if case == "fine":
            assert files_at(web(), f"{on.url()}/shop.git", commit) == {"a.yaml": BLOB}
            return
        with pytest.raises(WebError, match=r"what is no git|unpacks to more than 192 MiB|answers 301"):
            files_at(web(), f"{on.url()}/shop.git", commit)
        assert len(on.asked) == 1
