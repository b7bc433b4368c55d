"""`make bump-tools` against upstream on loopback: what it takes, and what makes it change nothing."""

from __future__ import annotations

import hashlib
import importlib.util
import io
import json
import re
import sys
import tarfile
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from portproof import pins
from portproof.pins import Archive, Catalogue
from portproof.toolchain import Search, fetch

ROOT = Path(__file__).parents[1]
PLATFORMS = ("linux-amd64", "linux-arm64", "darwin-amd64", "darwin-arm64")
HELM_RELEASES = "/api/repos/helm/helm/releases?per_page=100"
KUSTOMIZE_RELEASES = "/api/repos/kubernetes-sigs/kustomize/releases?per_page=100"
CHECKSUMS = "/github/kubernetes-sigs/kustomize/releases/download/kustomize%2Fv5.10.0/checksums.txt"
NEWER = {"v4": "v4.10.0", "v3": "v3.99.1", "v5": "v5.10.0"}
HELM = f"helm-{NEWER['v4']}-darwin-arm64.tar.gz"
KUSTOMIZE = f"kustomize_{NEWER['v5']}_linux_arm64.tar.gz"


def _bump() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bump", ROOT / ".ci" / "bump.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["bump"] = module
    spec.loader.exec_module(module)
    return module


bump = _bump()


class Upstream(ThreadingHTTPServer):
    """get.helm.sh, github.com and GitHub's API, with the releases that are put into it."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.cut: dict[str, int] = {}
        self.redirects: dict[str, str] = {}
        self.tokens: dict[str, str | None] = {}
        self.lists: dict[str, list[dict[str, Any]]] = {HELM_RELEASES: [], KUSTOMIZE_RELEASES: []}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def content(self, path: str) -> bytes | None:
        return json.dumps(self.lists[path]).encode() if path in self.lists else self.files.get(path)

    def helm(self, version: str, sums: dict[str, str] | None = None, **other: Any) -> None:
        """Release a helm, with the notes that its releases have; `sums`: only say that it has these."""
        notes = [f"Download Helm {version}. The common platform binaries are here:\n"]
        for platform in PLATFORMS:
            name = f"helm-{version}-{platform}.tar.gz"
            there = sums[platform] if sums else self.put(f"/get/{name}", {f"{platform}/helm": version})
            self.files[f"/get/{name}.sha256sum"] = f"{there}  {name}\n".encode()
            link = f"https://get.helm.sh/{name}"
            notes.append(f"- [{platform}]({link}) ([checksum]({link}.sha256sum) / {there})")
        self.released(HELM_RELEASES, version, body="\n".join(notes), **other)

    def kustomize(self, version: str, sums: dict[str, str] | None = None, **other: Any) -> None:
        """Release a kustomize, with checksums.txt and the digests that GitHub makes; `sums` as above."""
        folder = f"/github/kubernetes-sigs/kustomize/releases/download/kustomize%2F{version}"
        lines, assets = [], [{"name": "checksums.txt", "digest": "sha256:" + "0" * 64}]
        for platform in (*PLATFORMS, "windows-arm64"):
            name = f"kustomize_{version}_{platform.replace('-', '_')}.tar.gz"
            told = (sums or {}).get(platform)
            there = told or self.put(f"{folder}/{name}", {"LICENSE": "x", "kustomize": version})
            lines.append(f"{there}  {name}\n")
            assets.append({"name": name, "digest": f"sha256:{there}"})
        self.files[f"{folder}/checksums.txt"] = "".join(lines).encode()
        self.released(KUSTOMIZE_RELEASES, f"kustomize/{version}", assets=assets, **other)

    def released(self, path: str, tag: str, **other: Any) -> None:
        others = [one for one in self.lists[path] if one["tag_name"] != tag]
        self.lists[path] = [{"tag_name": tag, "draft": False, "prerelease": False, **other}, *others]

    def put(self, path: str, members: dict[str, str]) -> str:
        self.files[path] = archive(members)
        return hashlib.sha256(self.files[path]).hexdigest()


class Handler(BaseHTTPRequestHandler):
    server: Upstream

    def do_GET(self) -> None:
        self.server.tokens[self.path] = self.headers.get("Authorization")
        if self.path in self.server.redirects:
            self.send_response(302)
            self.send_header("Location", self.server.redirects[self.path])
            self.end_headers()
            return
        data = self.server.content(self.path)
        if data is None:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data[: self.server.cut.get(self.path, len(data))])

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class calls it so
        pass


def archive(members: dict[str, str]) -> bytes:
    """A release's file: its programs print the version that they are."""
    memory = io.BytesIO()
    with tarfile.open(fileobj=memory, mode="w:gz") as tar:
        for name, version in members.items():
            text = f"#!/bin/sh\necho {version}\nexit\n# {hashlib.shake_256(name.encode()).hexdigest(9_000)}\n"
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(text), 0o755
            tar.addfile(info, io.BytesIO(text.encode()))
    return memory.getvalue()


@pytest.fixture
def upstream(monkeypatch: pytest.MonkeyPatch) -> Iterator[Upstream]:
    """What is pinned is released there, with the sums that are pinned."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with Upstream() as running:
        for tool, version, sums in pinned(pins.OFFICIAL):
            (running.helm if tool == "helm" else running.kustomize)(version, sums)
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture
def newer(upstream: Upstream) -> Upstream:
    """Upstream has gone on: every pinned release has a newer one."""
    upstream.helm("v4.9.9")
    upstream.helm(NEWER["v4"])
    upstream.helm(NEWER["v3"])
    upstream.kustomize(NEWER["v5"])
    return upstream


@pytest.fixture
def file(upstream: Upstream, tmp_path: Path) -> Path:
    """The real pins.py, but for its hosts."""
    text = Path(pins.__file__).read_text()
    for real, served in (
        ("https://get.helm.sh", f"{upstream.url}/get"),
        ("https://github.com", f"{upstream.url}/github"),
        ('frozenset({"https"})', 'frozenset({"http"})'),
    ):
        assert text.count(real) == 1
        text = text.replace(real, served)
    path = tmp_path / "pins.py"
    path.write_text(text)
    return path


def pinned(catalogue: Catalogue) -> list[tuple[str, str, dict[str, str]]]:
    """Tool, version and sums by platform of each release that is pinned."""
    found: dict[tuple[str, str], dict[str, str]] = {}
    for build in catalogue.builds:
        if isinstance(build.source, Archive):
            found.setdefault((build.tool, build.version), {})[build.platform] = build.source.sha256
    return [(*which, sums) for which, sums in found.items()]


def raise_pins(file: Path, upstream: Upstream, token: str = "") -> int:
    code: int = bump.main(file, f"{upstream.url}/api", token)
    return code


def test_what_is_newest_stays(upstream: Upstream, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = file.read_bytes()
    assert raise_pins(file, upstream) == 0
    assert file.read_bytes() == before
    told = capsys.readouterr().out.splitlines()
    assert len(told) == 3
    assert all("is the newest of v" in line for line in told)


def test_each_release_becomes_the_newest_of_its_major_version(
    newer: Upstream, file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = file.read_text()
    assert raise_pins(file, newer) == 0

    was, now = bump.load(before), bump.load(file.read_text())
    assert [version for _, version, _ in pinned(now)] == [NEWER["v4"], NEWER["v3"], NEWER["v5"]]
    assert [build for build in now.builds if not isinstance(build.source, Archive)] == [
        build for build in was.builds if not isinstance(build.source, Archive)
    ]
    changed = [
        old for old, new in zip(before.split("\n"), file.read_text().split("\n"), strict=True) if old != new
    ]
    assert len(changed) == 3 + 3 * len(PLATFORMS), "three versions and their sums, and nothing else"
    told = capsys.readouterr().out
    for _, version, sums in pinned(now):
        assert f" -> {version}\n" in told
        assert all(f" -> {one}\n" in told for one in sums.values())
    notes: list[str] = []
    search = Search({"PORTPROOF_CACHE": str(tmp_path / "cache")}, notify=notes.append, catalogue=now)
    assert fetch("helm", search).version == NEWER["v4"], notes
    assert fetch("helm", search, NEWER["v3"]).version == NEWER["v3"], notes
    assert fetch("kustomize", search).version == NEWER["v5"], notes
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cache", "pins.py"]


def test_once_raised_it_stays(newer: Upstream, file: Path) -> None:
    assert raise_pins(file, newer) == 0
    raised = file.read_bytes()
    assert raise_pins(file, newer) == 0
    assert file.read_bytes() == raised


def test_drafts_previews_other_modules_and_new_major_versions_are_not_taken(
    upstream: Upstream, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = file.read_bytes()
    upstream.helm("v4.11.0", draft=True)
    upstream.helm("v4.12.0", prerelease=True)
    upstream.helm("v4.13.0-rc.1")
    upstream.helm("v5.0.0")
    upstream.released(KUSTOMIZE_RELEASES, "kyaml/v5.20.0", assets=[])
    upstream.kustomize("v6.1.0")
    assert raise_pins(file, upstream) == 0
    assert file.read_bytes() == before
    told = capsys.readouterr().out
    assert "helm v5.0.0 is out" in told
    assert "kustomize v6.1.0 is out" in told


def test_the_token_goes_to_the_api_only(newer: Upstream, file: Path) -> None:
    newer.redirects[HELM_RELEASES] = f"{newer.url}/elsewhere"
    newer.files["/elsewhere"] = newer.content(HELM_RELEASES) or b""
    assert raise_pins(file, newer, "sesame") == 0
    with_token = {path for path, token in newer.tokens.items() if token}
    assert with_token == {HELM_RELEASES, KUSTOMIZE_RELEASES}
    assert len(newer.tokens) > 20


# --- nothing is changed when ---------------------------------------------------------------------------------------


def other_sum(text: bytes, name: str) -> bytes:
    """The text with another sum for a file."""
    before, line, after = text.decode().partition(f"  {name}\n")
    assert line
    return (before[:-64] + "f" * 64 + line + after).encode()


def asset(upstream: Upstream, name: str) -> dict[str, Any]:
    (found,) = [one for one in upstream.lists[KUSTOMIZE_RELEASES][0]["assets"] if one["name"] == name]
    one: dict[str, Any] = found
    return one


def a_checksum_file_is_wrong(upstream: Upstream) -> None:
    path = f"/get/{HELM}.sha256sum"
    upstream.files[path] = other_sum(upstream.files[path], HELM)


def a_checksum_file_is_of_another_file(upstream: Upstream) -> None:
    path = f"/get/{HELM}.sha256sum"
    upstream.files[path] = upstream.files[path].replace(b"arm64", b"amd64")


def a_checksum_file_is_missing(upstream: Upstream) -> None:
    del upstream.files[f"/get/{HELM}.sha256sum"]


def a_checksum_file_breaks_off(upstream: Upstream) -> None:
    upstream.cut[f"/get/{HELM}.sha256sum"] = 90


def a_checksum_file_is_half_there(upstream: Upstream) -> None:
    path = f"/get/{HELM}.sha256sum"
    upstream.files[path] = upstream.files[path][:40]


def a_checksum_file_is_a_page(upstream: Upstream) -> None:
    upstream.files[f"/get/{HELM}.sha256sum"] = b"<!doctype html><title>503</title>\n"


def a_checksum_file_is_no_text(upstream: Upstream) -> None:
    upstream.files[f"/get/{HELM}.sha256sum"] = b"\xff\xfe\x00"


def the_release_notes_say_another_sum(upstream: Upstream) -> None:
    release = upstream.lists[HELM_RELEASES][1]
    assert release["tag_name"] == NEWER["v4"]
    before, link, after = release["body"].partition(f"{HELM}.sha256sum) / ")
    release["body"] = before + link + "f" * 64 + after[64:]


def the_release_notes_lack_a_platform(upstream: Upstream) -> None:
    release = upstream.lists[HELM_RELEASES][1]
    release["body"] = "\n".join(line for line in release["body"].split("\n") if HELM not in line)


def a_release_has_no_notes(upstream: Upstream) -> None:
    upstream.lists[HELM_RELEASES][1]["body"] = None


def a_file_is_not_what_is_published(upstream: Upstream) -> None:
    upstream.put(f"/get/{HELM}", {"darwin-arm64/helm": "v4.10.0-evil"})


def a_file_is_missing(upstream: Upstream) -> None:
    del upstream.files[f"/get/{HELM}"]


def a_file_breaks_off(upstream: Upstream) -> None:
    upstream.cut[f"/get/{HELM}"] = 2_000


def a_file_lacks_the_program(upstream: Upstream) -> None:
    original = upstream.put

    def put(path: str, members: dict[str, str]) -> str:
        return original(path, {"darwin-arm64/README": "x"} if path.endswith(HELM) else members)

    upstream.put = put  # type: ignore[method-assign]
    upstream.helm(NEWER["v4"])


def the_list_of_checksums_is_wrong(upstream: Upstream) -> None:
    upstream.files[CHECKSUMS] = other_sum(upstream.files[CHECKSUMS], KUSTOMIZE)


def the_list_of_checksums_lacks_a_platform(upstream: Upstream) -> None:
    lines = upstream.files[CHECKSUMS].splitlines(keepends=True)
    upstream.files[CHECKSUMS] = b"".join(line for line in lines if KUSTOMIZE.encode() not in line)


def the_list_of_checksums_has_a_platform_twice(upstream: Upstream) -> None:
    upstream.files[CHECKSUMS] += other_sum(upstream.files[CHECKSUMS], KUSTOMIZE)


def the_list_of_checksums_breaks_off(upstream: Upstream) -> None:
    upstream.cut[CHECKSUMS] = 130


def a_digest_is_another(upstream: Upstream) -> None:
    asset(upstream, KUSTOMIZE)["digest"] = "sha256:" + "f" * 64


def a_digest_is_missing(upstream: Upstream) -> None:
    asset(upstream, KUSTOMIZE)["digest"] = None


def an_asset_is_missing(upstream: Upstream) -> None:
    upstream.lists[KUSTOMIZE_RELEASES][0]["assets"].remove(asset(upstream, KUSTOMIZE))


def the_assets_are_no_list(upstream: Upstream) -> None:
    upstream.lists[KUSTOMIZE_RELEASES][0]["assets"] = 7


def the_list_of_releases_breaks_off(upstream: Upstream) -> None:
    upstream.cut[KUSTOMIZE_RELEASES] = 400


def the_list_of_releases_is_half_there(upstream: Upstream) -> None:
    upstream.files[KUSTOMIZE_RELEASES] = (upstream.content(KUSTOMIZE_RELEASES) or b"")[:400]
    del upstream.lists[KUSTOMIZE_RELEASES]


def the_list_of_releases_is_a_message(upstream: Upstream) -> None:
    upstream.files[KUSTOMIZE_RELEASES] = b'{"message": "API rate limit exceeded"}'
    del upstream.lists[KUSTOMIZE_RELEASES]


def the_list_of_releases_is_away(upstream: Upstream) -> None:
    del upstream.lists[KUSTOMIZE_RELEASES]


def the_pinned_release_is_gone(upstream: Upstream) -> None:
    upstream.lists[KUSTOMIZE_RELEASES] = upstream.lists[KUSTOMIZE_RELEASES][:1]


def a_redirect_leads_to_the_disk(upstream: Upstream) -> None:
    upstream.redirects[CHECKSUMS] = "ftp://127.0.0.1/checksums.txt"


DOUBTS: dict[Callable[[Upstream], None], str] = {
    a_checksum_file_is_wrong: "is f{64}, that of the release on GitHub [0-9a-f]{64};",
    a_checksum_file_is_of_another_file: "has 0 sums",
    a_checksum_file_is_missing: "404",
    a_checksum_file_breaks_off: "broke off",
    a_checksum_file_is_half_there: "has 0 sums",
    a_checksum_file_is_a_page: "has 0 sums",
    a_checksum_file_is_no_text: "codec",
    the_release_notes_say_another_sum: "that of the release on GitHub f{64};",
    the_release_notes_lack_a_platform: "that of the release on GitHub none;",
    a_release_has_no_notes: "that of the release on GitHub none;",
    a_file_is_not_what_is_published: "SHA-256",
    a_file_is_missing: "404|Not Found",
    a_file_breaks_off: "download stopped",
    a_file_lacks_the_program: "no darwin-arm64/helm in it",
    the_list_of_checksums_is_wrong: "is f{64}, that of the release on GitHub [0-9a-f]{64};",
    the_list_of_checksums_lacks_a_platform: "has 0 sums",
    the_list_of_checksums_has_a_platform_twice: "has 2 sums",
    the_list_of_checksums_breaks_off: "broke off",
    a_digest_is_another: "that of the release on GitHub f{64};",
    a_digest_is_missing: "that of the release on GitHub None;",
    an_asset_is_missing: "that of the release on GitHub none;",
    the_assets_are_no_list: "that of the release on GitHub none;",
    the_list_of_releases_breaks_off: "broke off",
    the_list_of_releases_is_half_there: "not JSON",
    the_list_of_releases_is_a_message: "no release of kustomize",
    the_list_of_releases_is_away: "404",
    the_pinned_release_is_gone: "not among GitHub's releases",
    a_redirect_leads_to_the_disk: "ftp is not allowed|redirect",
}


@pytest.mark.parametrize(("doubt", "said"), DOUBTS.items(), ids=[one.__name__ for one in DOUBTS])
def test_any_doubt_changes_nothing(
    doubt: Callable[[Upstream], None],
    said: str,
    newer: Upstream,
    file: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = file.read_bytes()
    doubt(newer)
    assert raise_pins(file, newer) == 1
    assert file.read_bytes() == before
    assert [path.name for path in file.parent.iterdir()] == ["pins.py"]
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.endswith("; nothing was changed\n")
    assert re.search(said, shown.err), shown.err


def test_a_release_whose_sums_were_changed_is_pointed_out(
    upstream: Upstream, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = file.read_bytes()
    upstream.helm(pinned(pins.OFFICIAL)[0][1])  # released again, with other files
    assert raise_pins(file, upstream) == 1
    assert file.read_bytes() == before
    assert "published with other sums than those pinned" in capsys.readouterr().err


def test_a_file_that_cannot_be_edited_safely_is_left(
    newer: Upstream, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sums = pinned(bump.load(file.read_text()))[0][2]
    file.write_text(file.read_text() + f"# {sums['linux-amd64']}\n")
    before = file.read_bytes()
    assert raise_pins(file, newer) == 1
    assert file.read_bytes() == before
    assert "has 2 places" in capsys.readouterr().err
