"""Hostile repositories in the container, as the runner starts it: root, with its folders, its network and its socket."""

from __future__ import annotations

import json
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.hostile.support import forms_of
from tests.image.container import IMAGE, Runner
from tests.support.action import outputs_of
from tests.support.rendering import chart, write_files

pytestmark = pytest.mark.skipif(not IMAGE, reason="no PORTPROOF_IMAGE; .ci/image builds one and runs these")

MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n"
FOREVER = "{{ range until 100000 }}{{ range until 100000 }}{{ end }}{{ end }}"
SECRETS = {
    "environ": "/proc/1/environ",
    "memory": "/proc/1/mem",
    "event": "/github/workflow/event.json",
    "home": "/github/home/.netrc",
    "temporary": "/github/runner_temp/git-credentials.config",
    "commands": "/github/file_commands/output",
    "git": "/github/workspace/.git/config",
}
LEAK = "a: {{ range $path, $_ := .Files }}{{ $path }} {{ $.Files.Get $path }} {{ end }}\n"

# Runs in the container. Targets go to the engine without the look that discovery takes at them, once with the image's
# helm and once with a script in its place, which the kernel lets read and start everything that its user may.
PROBE = """
import json, os, pathlib, sys
from portproof import sandbox
from portproof.discover.model import HelmTarget
from portproof.render.engine import Engine, RenderOptions
from portproof.source import Tree

class Tool:
    def __init__(self, path): self.argv = (path,)

def render(tool, folder):
    options = RenderOptions(offline=True, cache=pathlib.Path("/tmp/none"), seconds=20)
    with Engine(helm=lambda: Tool(tool), kustomize=lambda: Tool("/none"), options=options) as engine:
        return str(engine.render(HelmTarget(folder), Tree(pathlib.Path.cwd())))

offer = sandbox.kernel_support()
told = {"offered": [offer.landlock, offer.filters], "who": render("/opt/probe/who", "good")}
for folder in sys.argv[1:]:
    told[folder] = render(os.environ["PORTPROOF_HELM"], folder)
print(json.dumps(told))
"""
WHO = """#!/bin/sh
PATH=/usr/bin:/bin
echo kind: A
echo "# user $(id -u) $(id -G)"
for file in FILES; do cat $file 2>&1 | tr '\\0\\n' '  ' | sed "s,^,# $file ,"; echo; done
/usr/local/bin/python -I -c "
import socket
for family, address in ((socket.AF_INET, ('127.0.0.1', PORT)), (socket.AF_UNIX, '/var/run/docker.sock')):
    try:
        socket.socket(family).connect(address)
        print('# reached', address)
    except OSError as error:
        print('# not reached:', error)
"
"""


@dataclass
class Host:
    """What a runner has beside the container: a listening port, and docker's socket."""

    folder: Path
    reached: list[str] = field(default_factory=list)
    threads: list[threading.Thread] = field(default_factory=list)

    def listen(self) -> None:
        self.inet = socket.create_server(("127.0.0.1", 0))
        self.unix = socket.socket(socket.AF_UNIX)
        self.unix.bind(str(self.folder / "docker.sock"))
        self.unix.listen()
        for server, name in ((self.inet, "the port"), (self.unix, "docker")):
            self.threads.append(threading.Thread(target=self._accept, args=(server, name), daemon=True))
            self.threads[-1].start()

    def _accept(self, server: socket.socket, name: str) -> None:
        while True:
            try:
                client, _ = server.accept()
            except OSError:
                return
            self.reached.append(name)
            client.close()

    @property
    def port(self) -> int:
        port: int = self.inet.getsockname()[1]
        return port


@pytest.fixture
def host() -> Iterator[Host]:
    with tempfile.TemporaryDirectory() as folder:  # pytest's own paths are too long for a socket
        made = Host(Path(folder))
        made.listen()
        yield made
        for server, thread in zip((made.inet, made.unix), made.threads, strict=True):
            server.shutdown(socket.SHUT_RDWR)
            thread.join()
            server.close()


@dataclass(frozen=True)
class Scene:
    """A runner with secrets in every place that it has."""

    runner: Runner
    token: str
    options: tuple[str, ...]

    def variables(self) -> dict[str, str]:
        return {
            "INPUT_GITHUB-TOKEN": self.token,
            "GITHUB_TOKEN": self.token,
            "ACTIONS_RUNTIME_TOKEN": self.token,
        }

    def no_secret_in(self, *texts: str) -> None:
        assert not [form for form in forms_of(self.token) for text in texts if form in text]


@pytest.fixture
def scene(tmp_path: Path, host: Host) -> Scene:
    token = f"canary{tmp_path.name[-1]}{time.time_ns():x}"
    runner = Runner(tmp_path, tmp_path / "workspace")
    write_files(
        tmp_path,
        {
            "workflow/event.json": json.dumps({"repository": {"full_name": "octo/shop"}, "secret": token}),
            "_temp/_github_home/.netrc": token,
            "_temp/git-credentials.config": token,
            "workspace/.git/config": token,
            "workspace/.git/HEAD": "ref: refs/heads/main\n",
            **{f"workspace/{path}": text for path, text in chart("good", {"templates/a.yaml": MAP}).items()},
        },
    )
    for name, target in SECRETS.items():
        write_files(runner.workspace, chart(name, {"templates/a.yaml": LEAK}))
        (runner.workspace / name / "link").symlink_to(target)
    return Scene(runner, token, ("-v", f"{host.folder / 'docker.sock'}:/var/run/docker.sock"))


def test_a_renderer_is_nobody_and_reaches_nothing(scene: Scene, host: Host, tmp_path: Path) -> None:
    probe = tmp_path / "probe" / "who"
    probe.parent.mkdir()
    probe.write_text(WHO.replace("FILES", " ".join(SECRETS.values())).replace("PORT", str(host.port)))
    probe.chmod(0o755)
    options = (
        *scene.options,
        "-v",
        f"{probe.parent}:/opt/probe:ro",
        "--entrypoint=/opt/portproof/bin/python",
    )
    done = scene.runner.act(scene.variables(), options=options, arguments=("-I", "-B", "-c", PROBE, *SECRETS))
    assert done.code == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    landlock, filters = told.pop("offered")
    assert (landlock >= 1, filters) == (True, True)
    who = told.pop("who")
    assert "# user 65534 65534" in who
    assert who.count("# not reached: [Errno 13] Permission denied") == 2
    for name in ("environ", "memory"):  # files of other users are for Landlock and the refusals alone
        assert f"# {SECRETS[name]} cat: {SECRETS[name]}: Permission denied" in who
    for name, answer in told.items():
        assert "permission denied" in answer, name
        scene.no_secret_in(answer)
    assert host.reached == []


def test_the_action_on_a_hostile_repository(scene: Scene, host: Host) -> None:
    """Links are refused, what never ends is ended, the rest is checked, and nothing of it is told to anybody."""
    files = {
        **chart("forever", {"templates/a.yaml": FOREVER}),
        **chart("asks", {"templates/a.yaml": MAP}, more=f"dependencies: [{{name: a, version: 1.0.0, repository: 'http://127.0.0.1:{host.port}'}}]\n"),
        "overlay/kustomization.yaml": f"resources: ['http://127.0.0.1:{host.port}/x']\n",
        "portproof.yaml": "timeout: 3\n",
    }  # fmt: skip
    write_files(scene.runner.workspace, files)
    started = time.monotonic()
    done = scene.runner.act({**scene.variables(), "INPUT_REPORT-FILE": "report.json"}, options=scene.options)
    assert time.monotonic() - started < 120
    assert done.code == 1, done.stdout + done.stderr
    report = (scene.runner.workspace / "report.json").read_text()
    targets = {one["id"]: one for one in json.loads(report)["targets"]}
    status = {name: targets[f"helm:{name}"]["status"] for name in ("good", "forever", "asks", *SECRETS)}
    assert status == {"good": "checked", "forever": "failed", "asks": "checked"} | dict.fromkeys(
        SECRETS, "skipped"
    )
    assert targets["helm:asks"]["reason"].startswith("without a part: ")
    assert targets["kustomize:overlay"]["status"] == "skipped"
    assert outputs_of(scene.runner.output)["errors"] == "1"
    scene.no_secret_in(
        done.stdout, done.stderr, report, scene.runner.summary, scene.runner.output.read_text()
    )
    assert host.reached == []
