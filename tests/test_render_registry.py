"""What is found in a registry: the version that helm takes, and the archive of it."""

from __future__ import annotations

import gzip
import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from portproof.discover.versions import newest
from portproof.render import archive_store, registry
from portproof.render.archive_store import ArchiveStore
from portproof.render.registry import find
from portproof.render.web import Web, WebError

from .support.registry import TOKEN, Host, Reply, archive, certificate, host, packaged, publish, push, sha256
from .support.rendering import current_helm

VERSIONS = ("1.0.0", "1.1.0", "1.2.0-rc.1", "1.2.0-rc.10", "1.2.0-rc.9", "2.0.0+build.7")
CHARTS = {
    one: packaged("redis", one, {"templates/a.yaml": f"kind: V{n}\n"}) for n, one in enumerate(VERSIONS)
}
RANGES = {
    "1.0.0": "1.0.0",
    "v1.1.0": "1.1.0",
    "^1.0.0": "1.1.0",
    "~1.0": "1.0.0",
    ">=1.0.0 <1.1.0 || ~1.1": "1.1.0",
    "1.0.0 - 1.2.0": "1.1.0",
    ">=1.2.0-0 <1.3.0": "1.2.0-rc.10",
    "": "2.0.0+build.7",
    "*": "2.0.0+build.7",
    "2.x": "2.0.0+build.7",
}


@pytest.fixture
def on() -> Iterator[Host]:
    with host() as made:
        yield made


def web(*hosts: str, seconds: float = 10.0) -> Web:
    return Web(hosts or ("127.0.0.1",), {"SSL_CERT_FILE": str(certificate())}, seconds)


@pytest.mark.parametrize("wanted", RANGES)
@pytest.mark.parametrize("kind", ["index", "oci"])
def test_the_newest_version_in_the_range_is_taken(on: Host, kind: str, wanted: str) -> None:
    if kind == "index":
        publish(on, "redis", CHARTS)
        found = find(web(), on.url(), "redis", wanted)
    else:
        push(on, "charts/redis", CHARTS)
        found = find(web(), f"oci://127.0.0.1:{on.port}/charts", "redis", wanted.removeprefix("v"))
    assert (found.version, found.archive) == (RANGES[wanted], CHARTS[RANGES[wanted]])


@pytest.mark.parametrize("wanted", [one for one in RANGES if one != ">=1.2.0-0 <1.3.0"])
def test_helm_takes_the_same_version(tmp_path: Path, wanted: str) -> None:
    """helm has a repository over plain http here, as it knows no certificate of ours."""
    with host(tls=False) as on:
        publish(on, "redis", CHARTS)
        command = [
            *current_helm().argv,
            "pull",
            "redis",
            f"--repo={on.url(scheme='http')}",
            f"--version={wanted}",
        ]
        subprocess.run(
            [*command, f"--destination={tmp_path}"],
            check=True,
            capture_output=True,
            env={"HOME": str(tmp_path)},
        )
        assert [one.name for one in tmp_path.glob("*.tgz")] == [f"redis-{RANGES[wanted]}.tgz"]


@pytest.mark.parametrize("wanted", ["9.x", "main", ">=1 <", "feature/x"])
def test_what_is_no_version_that_there_is(on: Host, wanted: str) -> None:
    publish(on, "redis", CHARTS)
    with pytest.raises(WebError, match=r"has no version 9\.x|a registry has no branches"):
        find(web(), on.url(), "redis", wanted)


def test_an_index_may_be_json_or_gzipped(on: Host) -> None:
    data = CHARTS["1.0.0"]
    entry = {"version": "1.0.0", "urls": ["redis-1.0.0.tgz"], "digest": sha256(data)}
    publish(on, "redis", {"1.0.0": data})
    plain = on.replies["/index.yaml"].body
    indexes = (
        Reply(json.dumps({"entries": {"redis": [entry]}}).encode()),
        Reply(gzip.compress(plain), headers={"Content-Encoding": "gzip"}),
        Reply(plain.replace(b"  redis:", b'  "redis":').replace(b"\n", b"\r\n")),
        Reply(b"entries:\n  redis:\n    - urls: [redis-1.0.0.tgz]\n      version: 1.0.0\n"),
    )
    for index in indexes:
        on.replies["/index.yaml"] = index
        assert find(web(), on.url(), "redis", "1.0.0").archive == data


def test_an_index_may_lead_to_a_registry(on: Host) -> None:
    publish(on, "redis", CHARTS, url=f"oci://127.0.0.1:{on.port}/charts/redis:1.1.0")
    push(on, "charts/redis", CHARTS)
    assert find(web(), on.url(), "redis", "1.1.0").archive == CHARTS["1.1.0"]


def test_a_token_is_asked_for_and_sent_to_the_registry_alone(on: Host) -> None:
    with host() as storage:
        push(on, "charts/redis", CHARTS, realm=f"{on.url()}/token")
        blob = f"/v2/charts/redis/blobs/sha256:{sha256(CHARTS['1.0.0'])}"
        storage.replies["/blob"] = on.replies[blob]
        on.replies[blob] = Reply(status=307, headers={"Location": f"{storage.url('localhost')}/blob"})
        allowed = web("127.0.0.1", "localhost")
        found = find(allowed, f"oci://127.0.0.1:{on.port}/charts", "redis", "1.0.0")
        assert found.archive == CHARTS["1.0.0"]
        assert [one.headers.get("authorization") for one in on.asked][-1] == f"Bearer {TOKEN}"
        assert [one.headers.get("authorization") for one in storage.asked] == [None]
    (asked,) = (path for path in on.paths if path.startswith("/token"))
    assert asked == "/token?scope=repository%3Acharts%2Fredis%3Apull&service=registry"


def test_a_pinned_digest_is_that_of_the_manifest(on: Host) -> None:
    digests = push(on, "charts/redis", CHARTS)
    found = find(web(), f"oci://127.0.0.1:{on.port}/charts", "redis", digests["1.1.0"])
    assert found.archive == CHARTS["1.1.0"]
    other = Reply(b"{}")
    on.replies[f"/v2/charts/redis/manifests/{digests['1.1.0']}"] = other
    with pytest.raises(WebError, match="not the one that is pinned"):
        find(web(), f"oci://127.0.0.1:{on.port}/charts", "redis", digests["1.1.0"])


def test_tags_come_in_pages(on: Host) -> None:
    push(on, "charts/redis", CHARTS)
    listed = "/v2/charts/redis/tags/list"
    pages = iter([(["1.0.0"], f'<{listed}?n=1&last=1.0.0>; rel="next"'), (["1.1.0"], "")])

    def guard(_: object) -> Reply | None:
        if not on.paths[-1].startswith(listed):
            return None
        tags, link = next(pages)
        return Reply(json.dumps({"tags": tags}).encode(), headers={"Link": link} if link else {})

    on.guard = guard
    assert find(web(), f"oci://127.0.0.1:{on.port}/charts", "redis", "^1").version == "1.1.0"
    assert on.paths[1] == f"{listed}?n=1&last=1.0.0"


def test_a_password_goes_to_the_host_that_it_was_written_for(on: Host) -> None:
    with host() as other:
        publish(on, "redis", CHARTS)
        url = f"https://user:se%20cret@127.0.0.1:{on.port}"
        find(web(), url, "redis", "1.0.0")
        assert {one.headers.get("authorization") for one in on.asked} == {"Basic dXNlcjpzZSBjcmV0"}
        publish(on, "redis", CHARTS, url=f"{other.url('localhost')}/redis-1.0.0.tgz")
        other.replies["/redis-1.0.0.tgz"] = Reply(CHARTS["1.0.0"])
        find(web("127.0.0.1", "localhost"), url, "redis", "1.0.0")
        assert [one.headers.get("authorization") for one in other.asked] == [None]


def test_a_slow_host_is_given_up(on: Host) -> None:
    def guard(_: object) -> Reply | None:
        time.sleep(1.5)
        return None

    on.guard = guard
    with pytest.raises(WebError, match=r"no answer within 0\.5 s") as raised:
        find(web(seconds=0.5), on.url(), "redis", "1.0.0")
    assert raised.value.unreachable


def test_a_certificate_that_nobody_vouches_for(on: Host) -> None:
    publish(on, "redis", CHARTS)
    with pytest.raises(WebError, match="certificate"):
        find(Web(("127.0.0.1",), {}, 5.0), on.url(), "redis", "1.0.0")
    assert on.asked == []


def test_a_proxy_is_asked_instead(on: Host) -> None:
    """It looks the name up, so a name that means nothing here will do."""
    with host(tls=False) as proxy:
        publish(on, "redis", CHARTS)
        for path, reply in on.replies.items():
            proxy.replies[f"http://charts.example.invalid{path}"] = reply
        environ = {"http_proxy": f"http://user:pass@127.0.0.1:{proxy.port}"}
        found = find(Web(None, environ, 5.0), "http://charts.example.invalid", "redis", "1.0.0")
        assert found.archive == CHARTS["1.0.0"]
        assert proxy.asked[0].headers["proxy-authorization"] == "Basic dXNlcjpwYXNz"
        with pytest.raises(WebError, match="no such host"):
            find(
                Web(None, environ | {"NO_PROXY": "example.invalid"}, 5.0),
                "http://charts.example.invalid",
                "redis",
                "1",
            )


def test_what_is_kept_is_whole_and_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = ArchiveStore(tmp_path / "kept")
    assert store.read("https://x", "redis", "1.0.0") is None
    for version in ("1.0.0", "1.1.0"):
        store.keep("https://x", "redis", version, version, CHARTS[version])
    assert store.read("https://x", "redis", "1.0.0") == ("1.0.0", CHARTS["1.0.0"])
    assert store.read("https://y", "redis", "1.0.0") is None
    kept = tmp_path / "kept" / "sha256" / f"{sha256(CHARTS['1.0.0'])}.tgz"
    kept.write_bytes(archive({"x": "forged"}))
    assert store.read("https://x", "redis", "1.0.0") is None
    monkeypatch.setattr(archive_store, "MAX_ARCHIVES", 1)
    store.keep("https://x", "redis", "1.0.0", "1.0.0", CHARTS["1.0.0"])
    assert [one.name for one in kept.parent.iterdir()] == [kept.name]
    (tmp_path / "file").write_text("x")
    ArchiveStore(tmp_path / "file").keep("https://x", "redis", "1.0.0", "1.0.0", b"x")


def test_pre_releases_are_ordered_as_semantic_versioning_says() -> None:
    order = [
        "1.0.0-alpha",
        "1.0.0-alpha.1",
        "1.0.0-alpha.beta",
        "1.0.0-beta",
        "1.0.0-beta.2",
        "1.0.0-beta.11",
        "1.0.0",
    ]
    for number in range(1, len(order)):
        assert newest(reversed(order[: number + 1]), ">=1.0.0-0") == order[number]


def test_what_an_index_may_not_weigh(on: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "MAX_INDEX", 1024 * 1024)
    publish(on, "redis", CHARTS)
    for reply in (
        Reply(b"#" * (1024 * 1024 + 1)),
        Reply(gzip.compress(bytes(30 * 1024 * 1024)), headers={"Content-Encoding": "gzip"}),
    ):
        on.replies["/index.yaml"] = reply
        with pytest.raises(WebError, match="larger than 1 MiB"):
            find(web(), on.url(), "redis", "1.0.0")


def test_docker_has_its_registry_on_another_host() -> None:
    with pytest.raises(WebError, match=r"does not list registry-1\.docker\.io"):
        find(web("docker.io"), "oci://docker.io/envoyproxy", "gateway-helm", "1.8.0")
