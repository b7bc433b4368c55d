"""Chart dependencies that are not vendored, fetched from a chart repository on this machine."""

from __future__ import annotations

import io
import subprocess
import tarfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from portproof.discover.model import Dependency, HelmTarget, Mount
from portproof.render.engine import Engine
from portproof.render.model import NotRendered, RenderFailure, Rendering

from .support.rendering import HELMS, chart, current_helm, engine, rendered, sources, write_files


def refused(found: Rendering | RenderFailure | NotRendered) -> str:
    """Why a dependency was not fetched, whether or not the chart can be rendered without it."""
    if isinstance(found, NotRendered):
        return found.reason
    assert isinstance(found, Rendering), found
    (reason,) = found.without
    return reason


@dataclass
class Repository:
    """A chart repository over HTTP, and what was asked of it."""

    url: str
    asked: list[str] = field(default_factory=list)

    def archives(self) -> list[str]:
        return [path for path in self.asked if path.endswith(".tgz")]


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[Repository]:
    folder = tmp_path / "served"
    folder.mkdir()
    source = write_files(
        tmp_path / "source", chart("redis", {"templates/r.yaml": "kind: Redis\n"}, name="redis")
    )
    made = Repository("")

    class Handler(SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            made.asked.append(self.path)
            super().do_GET()

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder))) as server:
        made.url = f"http://127.0.0.1:{server.server_address[1]}"
        run = partial(subprocess.run, check=True, capture_output=True, env={"HOME": str(tmp_path / "home")})
        helm = current_helm().argv
        for version in ("1.0.0", "1.1.0"):
            run([*helm, "package", str(source.root / "redis"), "--version", version, "-d", str(folder)])
        run([*helm, "repo", "index", str(folder), "--url", made.url])
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield made
        server.shutdown()
        thread.join()


@pytest.fixture(params=HELMS)
def online(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    with engine(tmp_path, helm=HELMS[request.param](), offline=False) as made:
        yield made


def target(repository: str, version: str = "1.0.0", *, name: str = "redis", folder: str = "x") -> HelmTarget:
    missing = (Dependency(".", name, version, repository),)
    return HelmTarget(folder, mounts=(Mount(".", folder),), missing=missing)


def wanting(folder: str, repository: str, version: str = "1.0.0") -> dict[str, str]:
    more = f"dependencies:\n- {{name: redis, version: '{version}', repository: '{repository}'}}\n"
    return chart(folder, {"templates/a.yaml": "kind: Top\n"}, more=more)


def test_a_dependency_is_fetched_once_and_kept(
    online: Engine, repository: Repository, tmp_path: Path
) -> None:
    folders = [f"x{number}" for number in range(4)]
    files: dict[str, str] = {}
    for folder in folders:
        files |= wanting(folder, repository.url)
    tree = write_files(tmp_path / "r", files)
    before = sorted((tmp_path / "r").rglob("*"))
    with ThreadPoolExecutor(2) as pool:
        results = list(
            pool.map(lambda folder: online.render(target(repository.url, folder=folder), tree), folders)
        )
    for folder, result in zip(folders, results, strict=True):
        assert sorted(map(str, sources(rendered(result)))) == ["None", f"{folder}/templates/a.yaml"]
    assert len(repository.archives()) == 1
    assert sorted((tmp_path / "r").rglob("*")) == before
    with engine(tmp_path, offline=False) as later:
        rendered(later.render(target(repository.url, folder="x0"), tree))
    assert len(repository.archives()) == 1


def test_an_archive_that_no_packaged_chart_is_like_is_not_given_to_helm(
    repository: Repository, tmp_path: Path
) -> None:
    """It is refused when it is pulled, and again when it lies in the cache."""
    text = b"apiVersion: v2\nname: redis\nversion: 6.6.6\n"
    with tarfile.open(tmp_path / "served" / "redis-6.6.6.tgz", "w:gz") as archive:
        for name, data in (("redis/Chart.yaml", text), ("redis/bomb", bytes(4_000_000))):
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    index = ["repo", "index", str(tmp_path / "served"), "--url", repository.url]
    subprocess.run(
        [*current_helm().argv, *index], check=True, capture_output=True, env={"HOME": str(tmp_path)}
    )
    tree = write_files(tmp_path / "r", wanting("x", repository.url, "6.6.6"))
    for _ in range(2):
        with engine(tmp_path, offline=False) as made:
            reason = refused(made.render(target(repository.url, "6.6.6"), tree))
        assert reason == (
            f"the archive of the dependency redis 6.6.6 from {repository.url} unfolds to more than 200 times its size"
        )
    assert repository.archives() == ["/redis-6.6.6.tgz"]


def test_a_constraint_is_resolved_anew_in_every_run(repository: Repository, tmp_path: Path) -> None:
    tree = write_files(tmp_path / "r", wanting("x", repository.url, "^1.0.0"))
    for _ in range(2):
        with engine(tmp_path, offline=False) as made:
            rendered(made.render(target(repository.url, "^1.0.0"), tree))
    assert repository.archives() == ["/redis-1.1.0.tgz"] * 2


def test_what_a_vendored_subchart_lacks_is_not_asked_for(
    online: Engine, repository: Repository, tmp_path: Path
) -> None:
    files = chart("x", {"templates/a.yaml": "kind: Top\n"}) | wanting("x/charts/sub", repository.url)
    files["x/charts/sub/Chart.yaml"] = files["x/charts/sub/Chart.yaml"].replace("name: shop", "name: sub")
    missing = (Dependency("charts/sub", "redis", "1.0.0", repository.url),)
    tree = write_files(tmp_path / "r", files)
    result = online.render(HelmTarget("x", mounts=(Mount(".", "x"),), missing=missing), tree)
    assert sorted(map(str, sources(rendered(result)))) == [
        "x/charts/sub/templates/a.yaml",
        "x/templates/a.yaml",
    ]
    assert repository.asked == []


def test_offline_is_a_reason_and_nothing_is_asked(repository: Repository, tmp_path: Path) -> None:
    tree = write_files(tmp_path / "r", wanting("x", repository.url))
    with engine(tmp_path, offline=True) as made:
        reason = refused(made.render(target(repository.url), tree))
    assert reason == (
        f"dependencies not vendored: redis 1.0.0 from {repository.url}; "
        "run `helm dependency build x` first, or drop --offline"
    )
    assert repository.asked == []


@pytest.mark.parametrize(("name", "version"), [("nosuch", "1.0.0"), ("redis", "9.9.9")])
def test_what_the_repository_does_not_have(
    online: Engine, repository: Repository, tmp_path: Path, name: str, version: str
) -> None:
    tree = write_files(tmp_path / "r", wanting("x", repository.url))
    reason = refused(online.render(target(repository.url, version, name=name), tree))
    assert reason.startswith(f"dependency {name} {version} from {repository.url} could not be fetched: ")
    assert "\n" not in reason
    rendered(online.render(target(repository.url), tree))


def test_a_host_that_cannot_be_reached_is_tried_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), SimpleHTTPRequestHandler) as server:
        url = f"http://127.0.0.1:{server.server_address[1]}"
    tree = write_files(tmp_path / "r", wanting("x", url))
    with engine(tmp_path, offline=False) as made:
        first = refused(made.render(target(url), tree))
        assert "refused" in first
        monkeypatch.setattr(type(made._fetcher), "_pull", lambda *_: pytest.fail("asked again"))
        assert "refused" in refused(made.render(target(url, name="other"), tree))


@pytest.mark.parametrize(
    ("repository", "reason"),
    [
        ("", "names no repository"),
        ("@stable", "alias"),
        ("alias:stable", "alias"),
        ("ftp://127.0.0.1/charts", "only https, http and oci"),
        ("git+https://127.0.0.1/charts", "only https, http and oci"),
        ("https://[", "not a URL"),
        ("http://169.254.169.254/latest", "not public"),
        ("http://[::ffff:169.254.169.254]/latest", "not public"),
        ("http://127.0.0.1:9", "not public"),
        ("https://[::1]/charts", "not public"),
        ("oci://10.1.2.3/charts", "not public"),
        ("https://192.168.0.1/charts", "not public"),
        ("https://user@localhost/charts", "not public"),
        ("https://localhost:8443/charts", "not public"),
    ],
)
def test_what_is_not_fetched_at_all(tmp_path: Path, repository: str, reason: str) -> None:
    tree = write_files(tmp_path / "r", wanting("x", "https://charts.example.com"))
    with engine(tmp_path, offline=False, hosts=None) as made:
        assert reason in refused(made.render(target(repository), tree))


@pytest.mark.parametrize(
    "url", ["https://charts.example.com", "http://127.0.0.1.example.com", "http://127.0.0.1@x.test"]
)
def test_only_hosts_that_are_named_are_asked(tmp_path: Path, url: str) -> None:
    tree = write_files(tmp_path / "r", wanting("x", url))
    with engine(tmp_path, offline=False) as made:
        assert "allow-hosts in portproof.yaml does not list" in refused(made.render(target(url), tree))


def test_names_cannot_become_options(tmp_path: Path) -> None:
    tree = write_files(tmp_path / "r", chart("x", {}))
    with engine(tmp_path, offline=False) as made:
        assert "helm does not accept its name or version" in refused(
            made.render(target("http://127.0.0.1:9", name="--post-renderer=x"), tree)
        )


def test_a_password_in_a_url_is_not_shown(tmp_path: Path) -> None:
    tree = write_files(tmp_path / "r", chart("x", {}))
    with engine(tmp_path, offline=False) as made:
        assert "secret" not in refused(made.render(target("http://user:secret@127.0.0.1:9"), tree))
