"""A registry that wants more than to give a chart: to send us elsewhere, to fill the memory, to give another archive."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from portproof.discover.model import Dependency, HelmTarget, Mount
from portproof.render.engine import Engine, RenderOptions
from portproof.render.model import NotRendered, Rendering
from tests.support.registry import Host, Reply, archive, certificate, host, packaged, publish, push
from tests.support.rendering import chart, current_helm, kustomize, write_files

CHART = packaged("redis", "1.0.0", {"templates/r.yaml": "kind: Redis\n"})


@dataclass
class Hosts:
    """The one that is allowed, ``127.0.0.1``, and ``localhost``, which is not."""

    allowed: Host
    private: Host

    @property
    def there(self) -> str:
        return self.private.url("localhost")


@pytest.fixture
def hosts() -> Iterator[Hosts]:
    with host() as allowed, host() as private:
        private.replies["/redis-1.0.0.tgz"] = Reply(CHART)
        yield Hosts(allowed, private)


def fetched(hosts: Hosts, tmp_path: Path, repository: str = "") -> str:
    """Why the chart was not fetched; empty where it was."""
    missing = (Dependency(".", "redis", "1.0.0", repository or hosts.allowed.url()),)
    tree = write_files(tmp_path / "r", chart("x", {"templates/a.yaml": "kind: Top\n"}))
    options = RenderOptions(
        offline=False,
        cache=tmp_path / "cache",
        seconds=60.0,
        hosts=("127.0.0.1",),
        environ={"SSL_CERT_FILE": str(certificate())},
    )
    with Engine(helm=current_helm, kustomize=kustomize, options=options) as made:
        found = made.render(HelmTarget("x", mounts=(Mount(".", "x"),), missing=missing), tree)
    assert isinstance(found, Rendering | NotRendered), found
    return found.reason if isinstance(found, NotRendered) else "; ".join(found.without)


def redirect(there: str, status: int = 302) -> Reply:
    return Reply(status=status, headers={"Location": there})


def index_redirects(hosts: Hosts) -> None:
    hosts.allowed.replies["/index.yaml"] = redirect(f"{hosts.there}/index.yaml")


def archive_redirects(hosts: Hosts) -> None:
    publish(hosts.allowed, "redis", {"1.0.0": CHART})
    hosts.allowed.replies["/redis-1.0.0.tgz"] = redirect(f"{hosts.there}/redis-1.0.0.tgz", 307)


def archive_redirects_to_metadata(hosts: Hosts) -> None:
    publish(hosts.allowed, "redis", {"1.0.0": CHART})
    hosts.allowed.replies["/redis-1.0.0.tgz"] = redirect("https://169.254.169.254/latest")


def archive_redirects_to_http(hosts: Hosts) -> None:
    publish(hosts.allowed, "redis", {"1.0.0": CHART})
    hosts.allowed.replies["/redis-1.0.0.tgz"] = redirect("http://127.0.0.1:9/x")


def archive_redirects_to_a_file(hosts: Hosts) -> None:
    publish(hosts.allowed, "redis", {"1.0.0": CHART})
    hosts.allowed.replies["/redis-1.0.0.tgz"] = redirect("file:///etc/passwd")


def redirects_for_ever(hosts: Hosts) -> None:
    hosts.allowed.replies["/index.yaml"] = redirect("/index.yaml")


def index_names_another_host(hosts: Hosts) -> None:
    publish(hosts.allowed, "redis", {"1.0.0": CHART}, url=f"{hosts.there}/redis-1.0.0.tgz")


def index_names_a_registry(hosts: Hosts) -> None:
    publish(
        hosts.allowed,
        "redis",
        {"1.0.0": CHART},
        url=f"oci://localhost:{hosts.private.port}/charts/redis:1.0.0",
    )


def index_names_http(hosts: Hosts) -> None:
    publish(
        hosts.allowed, "redis", {"1.0.0": CHART}, url=f"http://127.0.0.1:{hosts.private.port}/redis-1.0.0.tgz"
    )


def index_names_a_file(hosts: Hosts) -> None:
    publish(hosts.allowed, "redis", {"1.0.0": CHART}, url="file:///etc/passwd")


def index_names_another_sum(hosts: Hosts) -> None:
    publish(hosts.allowed, "redis", {"1.0.0": CHART}, digest="0" * 64)


def index_is_a_bomb(hosts: Hosts) -> None:
    bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{name}: &{name} [{','.join(['*' + before] * 9)}]\n"
        for before, name in zip("abcdefgh", "bcdefghi", strict=True)
    )
    lines = "".join(f"    {line}\n" for line in bomb.splitlines())
    hosts.allowed.replies["/index.yaml"] = Reply(f"entries:\n  redis:\n{lines}".encode())


def index_is_deep(hosts: Hosts) -> None:
    hosts.allowed.replies["/index.yaml"] = Reply(b'{"entries":' + b"[" * 100_000)


def archive_is_large(hosts: Hosts) -> None:
    publish(hosts.allowed, "redis", {"1.0.0": bytes(5 * 1024 * 1024 + 1)})


def packed(name: str, change: Callable[[tarfile.TarInfo], None]) -> Callable[[Hosts], None]:
    def build(hosts: Hosts) -> None:
        entry = tarfile.TarInfo(name)
        change(entry)
        text = "apiVersion: v2\nname: redis\nversion: 1.0.0\n"
        publish(hosts.allowed, "redis", {"1.0.0": archive({"redis/Chart.yaml": text, "x": entry})})

    return build


def a_link(entry: tarfile.TarInfo) -> None:
    entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/passwd"


def a_bomb(hosts: Hosts) -> None:
    text = "apiVersion: v2\nname: redis\nversion: 1.0.0\n"
    publish(
        hosts.allowed,
        "redis",
        {"1.0.0": archive({"redis/Chart.yaml": text, "redis/zeros": bytes(4_000_000)})},
    )


CASES: dict[str, tuple[Callable[[Hosts], None], str]] = {
    "index redirects to a private address": (index_redirects, "localhost has an address that is not public"),
    "archive redirects to a private address": (
        archive_redirects,
        "localhost has an address that is not public",
    ),
    "archive redirects to the cloud": (archive_redirects_to_metadata, "has an address that is not public"),
    "archive redirects to http": (archive_redirects_to_http, "redirects from https to http"),
    "archive redirects to a file": (archive_redirects_to_a_file, "not one of http or https"),
    "redirects for ever": (redirects_for_ever, "redirects too often"),
    "index names another host": (
        index_names_another_host,
        "the index leads to another host: allow-hosts in portproof.yaml does not list localhost",
    ),
    "index names a registry": (
        index_names_a_registry,
        "allow-hosts in portproof.yaml does not list localhost",
    ),
    "index names http": (index_names_http, "from https to http"),
    "index names a file": (index_names_a_file, "not one of http or https"),
    "index names another sum": (index_names_another_sum, "its SHA-256 differs"),
    "index is a bomb": (index_is_a_bomb, "the index of the repository cannot be read"),
    "index is deep": (index_is_deep, "the index of the repository cannot be read"),
    "archive is large": (archive_is_large, "larger than 5 MiB"),
    "a link": (packed("redis/templates/link.yaml", a_link), "which is a link"),
    "a way out": (packed("redis/../../x", lambda _: None), "which points outside it"),
    "a bomb": (a_bomb, "unfolds to more than 200 times its size"),
}


@pytest.mark.parametrize("name", CASES)
def test_what_a_repository_does_not_get_away_with(hosts: Hosts, tmp_path: Path, name: str) -> None:
    build, reason = CASES[name]
    build(hosts)
    said = fetched(hosts, tmp_path)
    assert reason in said
    assert "redis 1.0.0" in said
    assert hosts.private.asked == []
    assert not list((tmp_path / "cache").rglob("*.json")) or "archive of the dependency" in said


def test_the_same_registries_when_they_behave(hosts: Hosts, tmp_path: Path) -> None:
    publish(hosts.allowed, "redis", {"1.0.0": CHART})
    assert fetched(hosts, tmp_path) == ""
    push(hosts.allowed, "charts/redis", {"1.0.0": CHART}, realm=f"{hosts.allowed.url()}/token")
    assert fetched(hosts, tmp_path, f"oci://127.0.0.1:{hosts.allowed.port}/charts") == ""


@dataclass(frozen=True)
class Bad:
    """What a registry does, and what comes of it."""

    spoil: Callable[[Hosts], None]
    reason: str


def blob_of(on: Host) -> str:
    return next(path for path in on.replies if "/blobs/" in path)


def manifest_of(on: Host) -> str:
    return next(path for path in on.replies if path.endswith("/manifests/1.0.0"))


def spoil_blob(hosts: Hosts) -> None:
    hosts.allowed.replies[blob_of(hosts.allowed)] = Reply(archive({"redis/Chart.yaml": "forged"}))


def spoil_layers(hosts: Hosts) -> None:
    hosts.allowed.replies[manifest_of(hosts.allowed)] = Reply(
        json.dumps({"layers": [{"mediaType": "x"}]}).encode()
    )


def spoil_digest(hosts: Hosts) -> None:
    text = hosts.allowed.replies[manifest_of(hosts.allowed)].body.replace(b"sha256:", b"../../../../token?")
    hosts.allowed.replies[manifest_of(hosts.allowed)] = Reply(text)


def blob_redirects(hosts: Hosts) -> None:
    hosts.allowed.replies[blob_of(hosts.allowed)] = redirect(f"{hosts.there}/redis-1.0.0.tgz", 307)


REGISTRIES = {
    "another archive": Bad(spoil_blob, "its SHA-256 differs"),
    "no chart": Bad(spoil_layers, "what lies there is no chart"),
    "a digest that is a path": Bad(spoil_digest, "names no SHA-256"),
    "a blob elsewhere": Bad(blob_redirects, "localhost has an address that is not public"),
}


@pytest.mark.parametrize("name", REGISTRIES)
def test_what_a_registry_does_not_get_away_with(hosts: Hosts, tmp_path: Path, name: str) -> None:
    push(hosts.allowed, "charts/redis", {"1.0.0": CHART})
    REGISTRIES[name].spoil(hosts)
    assert REGISTRIES[name].reason in fetched(hosts, tmp_path, f"oci://127.0.0.1:{hosts.allowed.port}/charts")
    assert hosts.private.asked == []


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1"])
def test_a_token_service_on_another_host(hosts: Hosts, tmp_path: Path, name: str) -> None:
    """One with a private address is not asked unless it is listed."""
    there = hosts.private.url(name)
    push(hosts.allowed, "charts/redis", {"1.0.0": CHART}, realm=f"{there}/token")
    hosts.private.replies["/token"] = hosts.allowed.replies["/token"]
    said = fetched(hosts, tmp_path, f"oci://127.0.0.1:{hosts.allowed.port}/charts")
    if name == "localhost":
        assert "localhost has an address that is not public" in said
        assert hosts.private.asked == []
    else:
        assert said == ""
        assert [one.partition("?")[0] for one in hosts.private.paths] == ["/token"]


def test_a_token_without_https(hosts: Hosts, tmp_path: Path) -> None:
    push(
        hosts.allowed, "charts/redis", {"1.0.0": CHART}, realm=f"http://127.0.0.1:{hosts.private.port}/token"
    )
    said = fetched(hosts, tmp_path, f"oci://127.0.0.1:{hosts.allowed.port}/charts")
    assert "without https" in said
    assert hosts.private.asked == []


def test_a_forged_cache_is_fetched_again(hosts: Hosts, tmp_path: Path) -> None:
    publish(hosts.allowed, "redis", {"1.0.0": CHART})
    assert fetched(hosts, tmp_path) == ""
    (kept,) = (tmp_path / "cache").rglob("*.tgz")
    kept.write_bytes(archive({"redis/Chart.yaml": "forged"}))
    asked = len(hosts.allowed.asked)
    assert fetched(hosts, tmp_path) == ""
    assert len(hosts.allowed.asked) > asked
    assert kept.read_bytes() == CHART
