"""The layers apart: what holds when the look before the start has missed something, and what is told to the tools.

Targets are handed to the engine here without the look that discovery takes at them.
"""

from __future__ import annotations

import os
import re
import resource
import shutil
import socket
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from portproof import process
from portproof.discover.find import discover
from portproof.discover.model import Dependency, HelmTarget, KustomizeTarget, Mount
from portproof.process import MIB, Completed
from portproof.render import copying
from portproof.render.helm import ASSUMED
from portproof.render.model import Rendering
from portproof.render.sandboxes import NOBODY
from portproof.render.scratch import HELM_MEMORY, KUSTOMIZE_MEMORY
from portproof.sandbox import can_become
from portproof.source import Tree
from tests.hostile.support import Place, forms_of, overlay
from tests.hostile.test_overlays import SERVICE
from tests.support import rendering as rendering_support
from tests.support.rendering import (
    Tool,
    chart,
    current_helm,
    engine,
    failed,
    helm_target,
    kustomize,
    rendered,
)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that anybody may pass through, as on a runner; pytest's own are closed to other users."""
    made = Path(tempfile.mkdtemp())
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


@pytest.fixture
def place(folder: Path) -> Iterator[Place]:
    with Place(folder) as made:
        yield made


LINKS = {
    "a file outside": "{outside}/secret",
    "a folder outside": "{outside}/folder",
    "our environment": "/proc/{pid}/environ",
    "our memory": "/proc/{pid}/mem",
    "the passwords": "/etc/passwd",
    "what git keeps": "{repository}/.git",
}


@pytest.mark.parametrize("name", LINKS)
def test_the_kernel_keeps_from_helm_where_a_link_leads(
    place: Place, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CANARY", place.canary)
    to = LINKS[name].format(outside=place.outside, repository=place.repository, pid=os.getpid())
    leak = "a: {{ range $path, $_ := .Files }}{{ $path }} {{ $.Files.Get $path | b64enc }} {{ end }}\n"
    place.write({**chart("x", {"templates/a.yaml": leak}), "x/link": f"-> {to}", ".git/config": place.canary})
    with engine(place.root) as made:
        answer = failed(made.render(helm_target("x"), Tree(place.repository)))
    assert "permission denied" in answer.message
    assert not [form for form in forms_of(place.canary) if form in str(answer)]


def test_the_kernel_keeps_from_helm_what_git_keeps(place: Place) -> None:
    """At the root of a repository helm is given the tree in place; here nobody has told that there is a ``.git``."""
    place.write(
        {
            f"./{path[2:]}": text
            for path, text in chart(
                "x", {"templates/a.yaml": 'kind: {{ .Files.Get ".git/config" }}\n'}
            ).items()
        }
    )
    place.write({".git/config": place.canary})
    with engine(place.root) as made:
        answer = failed(made.render(HelmTarget("."), Tree(place.repository)))
    assert place.canary not in str(answer)


OVERLAYS = {
    "a base outside": "resources: ['{outside}/folder']\n",
    "a base that climbs out": "resources: [../../outside/folder]\n",
    "a base in .git": "resources: [../.git/k]\n",
    "a resource by a link": "resources: [link.yaml]\n",
    "a generator's file by a link": "configMapGenerator: [{name: x, files: [link.yaml]}]\n",
    "an address": "resources: ['http://127.0.0.1:{port}/x']\n",
    "a repository": "resources: ['git::https://127.0.0.1:{port}/x']\n",
    "charts": "helmCharts: [{name: x, repo: 'http://127.0.0.1:{port}'}]\n",
    "a program": "transformers: [fn.yaml]\n",
    "a plugin that a patch makes ask": "transformers: [plugin]\n",
}
PLUGIN = {
    "k/plugin/kustomization.yaml": "resources: [p.yaml]\npatches: [{patch: '[{op: replace, path: /path, value: \"http://127.0.0.1:{port}/x\"}]', target: {kind: PatchTransformer}}]\n",
    "k/plugin/p.yaml": "apiVersion: builtin\nkind: PatchTransformer\nmetadata: {name: x}\npath: a.yaml\n",
}


@pytest.mark.parametrize("name", OVERLAYS)
def test_what_holds_when_kustomize_is_started_all_the_same(
    place: Place, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{place.root / 'bin'}:{os.environ['PATH']}")
    function = "apiVersion: x/v1\nkind: Fn\nmetadata: {name: x, annotations: {config.kubernetes.io/function: 'exec: {path: ./run.sh}'}}\n"
    files = {**overlay("k", OVERLAYS[name]), **PLUGIN}
    place.write(
        {
            path: text.replace("{outside}", str(place.outside)).replace("{port}", str(place.port))
            for path, text in files.items()
        }
    )
    place.write({"k/link.yaml": f"-> {place.outside}/secret.yaml", "k/fn.yaml": function})
    place.write({".git/k/kustomization.yaml": "resources: [a.yaml]\n", ".git/k/a.yaml": place.config_map()})
    place.program(place.repository / "k/run.sh")
    with engine(place.root) as made:
        answer = made.render(KustomizeTarget("k"), Tree(place.repository))
    assert not isinstance(answer, Rendering)
    assert not [form for form in forms_of(place.canary) if form in str(answer)]
    assert not place.marker.exists()
    assert place.connections == 0


ALLOWED = {
    "charts": "helmCharts: [{name: x, releaseName: x}]\n",
    "charts with another home": "helmGlobals: {configHome: ../k}\nhelmCharts: [{name: x}]\n",
    "a file outside": "resources: ['{outside}/secret.yaml']\n",
    "a base outside": "resources: ['{outside}/folder']\n",
    "a generator's file outside": "configMapGenerator: [{name: x, files: ['{outside}/secret']}]\n",
    "an address": "resources: ['http://127.0.0.1:{port}/x.yaml']\n",
}


@pytest.mark.parametrize("name", ALLOWED)
def test_what_kustomize_is_told_to_allow_the_kernel_refuses(
    place: Place, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel alone: every option that opens something is given, and modes of files keep nobody from anything."""
    place.marker.parent.chmod(0o777)
    text = ALLOWED[name].replace("{outside}", str(place.outside)).replace("{port}", str(place.port))
    place.write(overlay("k", text))
    place.write({f"k/charts/{path}": one for path, one in chart("x", {}).items()})
    helm = f"--helm-command={place.root / 'bin/helm'}"
    allowed = ("--enable-helm", helm, "--enable-alpha-plugins", "--load-restrictor=LoadRestrictionsNone")
    told = Tool((*kustomize().argv, *allowed))
    monkeypatch.setattr(rendering_support, "kustomize", lambda: told)
    with engine(place.root) as made:
        answer = made.render(KustomizeTarget("k"), Tree(place.repository))
    assert not place.marker.exists()
    assert place.connections == 0
    assert not [form for form in forms_of(place.canary) if form in str(answer)]
    assert not isinstance(answer, Rendering)
    assert "unknown flag" not in str(answer)


@pytest.mark.parametrize("kind", ["in place", "copied"])
def test_the_tools_are_somebody_else_without_our_environment(
    place: Place, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asked of a tool that tells who it is; where we are root it is nobody, who cannot look at our processes."""
    secrets = (
        "CANARY",
        "GITHUB_TOKEN",
        "HELM_PLUGINS",
        "HELM_DEBUG",
        "KUSTOMIZE_PLUGIN_HOME",
        "LD_PRELOAD_X",
        "GIT_SSH",
    )
    for name in secrets:
        monkeypatch.setenv(name, f"{place.canary}/{name}")
    tool = place.root / "tool"
    tool.write_text(
        "#!/bin/sh\necho who: $(/usr/bin/id -u) $(/usr/bin/id -G)\n/usr/bin/env | /usr/bin/sed 's/^/# /'\n"
    )
    tool.chmod(0o755)
    place.write(chart("x", {"templates/a.yaml": "a: 1\n"}))
    tree = Tree(place.repository, {"x/values.yaml": "b: 1\n"} if kind == "copied" else {})
    with engine(place.root, helm=Tool((str(tool),))) as made:
        text = rendered(made.render(helm_target("x"), tree)).documents[0].text
        scratch = str(made._scratch.root)
    who, *told = text.splitlines()
    assert who == (
        f"who: {NOBODY} {NOBODY}"
        if can_become()
        else f"who: {os.getuid()} {' '.join(map(str, os.getgroups()))}"
    )
    assert place.canary not in text
    given = dict(line.removeprefix("# ").split("=", 1) for line in told)
    assert all(
        given[name].startswith(f"{scratch}/")
        for name in given
        if name in ("PATH", "HOME", "TMPDIR", "PWD") or name.startswith(("XDG_", "HELM_"))
    )
    assert (given["KUBECONFIG"], given["GIT_ALLOW_PROTOCOL"], given["NO_PROXY"]) == (os.devnull, "none", "")


def test_the_tools_are_limited(place: Place) -> None:
    """A limit that we have ourselves proves nothing, so ours are raised as far as they go."""
    tool = place.root / "tool"
    tool.write_text(
        "#!/bin/sh\n/usr/bin/sleep 0.5\necho kind: A\n/usr/bin/cat /proc/self/limits | /usr/bin/sed 's/^/# /'\n"
    )
    tool.chmod(0o755)
    place.write(chart("x", {}))
    ours = {kind: resource.getrlimit(kind) for kind in (resource.RLIMIT_CORE, resource.RLIMIT_CPU)}
    for kind, (_, hard) in ours.items():
        resource.setrlimit(kind, (hard, hard))
    with engine(place.root, helm=Tool((str(tool),)), seconds=7) as made:
        text = rendered(made.render(helm_target("x"), Tree(place.repository))).documents[0].text
    for kind, both in ours.items():
        resource.setrlimit(kind, both)
    found = dict(re.findall(r"^# Max (.*?) {2,}(\S+)", text, re.MULTILINE))
    assert ours[resource.RLIMIT_CORE][1] != 0
    assert found["core file size"] == "0"
    assert found["cpu time"] == "24"
    assert found["address space"] == str(HELM_MEMORY)
    assert found["file size"] == str(100 * MIB)
    assert found["open files"] == "1024"
    assert (found["processes"] == "4096") == can_become()


def test_the_memory_of_kustomize_is_limited(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bomb of aliases in a resource takes gigabytes of it."""
    tool = place.root / "tool"
    tool.write_text("#!/bin/sh\n/usr/bin/sleep 0.5\necho a: $(/usr/bin/grep space /proc/self/limits)\n")
    tool.chmod(0o755)
    place.write(overlay("k", ""))
    monkeypatch.setattr(rendering_support, "kustomize", lambda: Tool((str(tool),)))
    with engine(place.root) as made:
        text = rendered(made.render(KustomizeTarget("k"), Tree(place.repository))).documents[0].text
    assert f"Max address space {KUSTOMIZE_MEMORY} " in text


def test_no_one_is_reached_whatever_a_tool_tries(place: Place) -> None:
    """Loopback is reached without a proxy: only the kernel can keep a tool from it."""
    tool = place.root / "tool"
    talk = f"import socket; socket.create_connection(('127.0.0.1', {place.port}))"
    tool.write_text(f'#!/bin/sh\necho a: $(/usr/bin/env python3 -I -c "{talk}" 2>&1 | tail -n 1)\n')
    tool.chmod(0o755)
    place.write(chart("x", {}))
    with engine(place.root, helm=Tool((str(tool),))) as made:
        rendered(made.render(helm_target("x"), Tree(place.repository)))
    assert place.connections == 0


Started = list[tuple[list[str], Path]]


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Started:
    """The command line and the folder of every program that is started."""
    found: Started = []
    run = process.run

    def watched(argv: Sequence[str], *, env: Mapping[str, str], cwd: Path, **more: Any) -> Completed:
        found.append((list(argv), cwd))
        return run(argv, env=env, cwd=cwd, **more)

    monkeypatch.setattr(process, "run", watched)
    return found


def rest(argv: Sequence[str], tool: Tool, root: Path) -> str:
    """What stands behind the tool, with the folders of this test named."""
    assert tuple(argv[: len(tool.argv)]) == tool.argv
    return " ".join(argv[len(tool.argv) :]).replace(str(root), "ROOT")


def test_the_command_lines_are_ours(place: Place, started: Started) -> None:
    """No flag opens what is shut: --enable-dns, --post-renderer, --dependency-update, --enable-helm, --load-restrictor…

    All of them are here, word by word.
    """
    place.write({**chart("--post-renderer=sh", {"templates/a.yaml": "kind: A\n", "ci/--x-values.yaml": "a: 1\n"}), **overlay("-k", "resources: [a.yaml]\n", **{"a.yaml": SERVICE})})  # fmt: skip
    place.write(chart("failing", {"templates/a.yaml": "kind: {{ .Values.a }\n"}, name="failing"))
    place.write(chart("broken", {"templates/a.yaml": "kind: [\n"}, name="broken"))
    tree = Tree(place.repository)
    with engine(place.root) as made:
        for target in discover(tree).targets:
            made.render(target, tree)
            edited = Tree(tree.root, dict.fromkeys(target.values, "a: 2\n") | {"-k/a.yaml": SERVICE})
            if any(target.reads(path) for path in edited.overlay):
                made.render(target, edited)
        scratch = made._scratch
        assert {cwd for _, cwd in started} == {scratch.cwd}
        assert list(scratch.cwd.iterdir()) == []
    root = place.repository
    helm = [rest(argv, current_helm(), root) for argv, _ in started if argv[0] == current_helm().argv[0]]
    built = [rest(argv, kustomize(), root) for argv, _ in started if argv[0] == kustomize().argv[0]]
    assumed = " ".join(f"--api-versions={one}" for one in ASSUMED)
    always = f"--namespace=default --skip-schema-validation {assumed}"
    work = f"{scratch.root}/work"
    assert sorted(text.replace(work, "WORK") for text in helm) == [
        f"template broken ROOT/broken {always}",
        f"template broken ROOT/broken {always} --debug",
        f"template failing ROOT/failing {always}",
        f"template shop ROOT/--post-renderer=sh {always}",
        f"template shop ROOT/--post-renderer=sh {always} -f ROOT/--post-renderer=sh/ci/--x-values.yaml",
        f"template shop WORK/1/chart {always} -f WORK/1/values-0.yaml",
    ]
    assert [text.replace(work, "WORK") for text in built] == ["ROOT/-k", "WORK/2/-k"]


def test_no_program_is_started_to_fetch(place: Place, started: Started) -> None:
    place.write(chart("x", {}))
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    for repository in (f"http://127.0.0.1:{port}", f"oci://127.0.0.1:{port}"):
        missing = (Dependency(".", "lib", "1.0.0", repository),)
        with engine(place.root, offline=False) as made:
            made.render(HelmTarget("x", mounts=(Mount(".", "x"),), missing=missing), Tree(place.repository))
    assert {rest(argv, current_helm(), place.root).split()[0] for argv, _ in started} == {"template"}


def test_copies_hold_neither_schemas_nor_what_git_keeps(place: Place) -> None:
    place.write(
        {
            **chart("x", {"values.schema.json": "{}"}),
            **chart("x/charts/y", {"values.schema.json": "{}"}),
            "x/.git/config": place.canary,
        }
    )
    tool = place.root / "tool"
    tool.write_text('#!/bin/sh\necho kind: A\n/usr/bin/find -L "$3" | /usr/bin/sed "s,^$3,# ,"\n')
    tool.chmod(0o755)
    target = HelmTarget("x", mounts=(Mount(".", "x"), Mount("charts/y", "x/charts/y")), git=True)
    with engine(place.root, helm=Tool((str(tool),))) as made:
        text = rendered(made.render(target, Tree(place.repository))).documents[0].text
    assert sorted(text.splitlines()) == [
        "# ",
        "# /Chart.yaml",
        "# /charts",
        "# /charts/y",
        "# /charts/y/Chart.yaml",
        "kind: A",
    ]


def test_a_link_around_the_look_is_no_link_in_a_copy(place: Place) -> None:
    place.write(
        {
            "a/file": "1",
            "a/link": f"-> {place.outside}/secret",
            "a/folder": f"-> {place.outside}/folder",
            "a/git": "-> ../.git",
            ".git/config": "x",
        }
    )
    copying.shadow_folder(Tree(place.repository), "a", place.root / "to", own=["new"])
    assert [path.name for path in (place.root / "to").iterdir()] == ["file"]
