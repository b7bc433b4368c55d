"""Charts of an attacker's (H1-H18)."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.hostile.support import Case, Place, check, dependency, run_case
from tests.support.rendering import chart

HOG = "timeout: 4\n"
PLAIN = {"templates/map.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n"}


def link(at: str, to: str) -> Case:
    """A chart with a link that is refused."""

    def build(place: Place) -> dict[str, str | bytes]:
        target = to.format(outside=place.outside, up="../" * (at.count("/") + 2))
        template = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: x}}\ndata: {{a: '{{{{ .Files.Get \"{at}\" }}}}'}}\n"
        return {
            **chart("x", {"templates/leak.yaml": template}),
            f"x/{at}": f"-> {target}",
            ".git/config": place.canary,
            ".git/HEAD": "ref: refs/heads/main\n",
        }

    return Case(f"a link at {at} to {to}", build, {"helm:x": f"skipped: the link x/{at} "})


def wants(repository: str, reason: str, status: str = "skipped") -> Case:
    def build(place: Place) -> dict[str, str | bytes]:
        where = repository.format(outside=place.outside, port=place.port)
        return {**chart("x", PLAIN, more=dependency(where))}

    return Case(f"a dependency at {repository}", build, {"helm:x": f"{status}: {reason}"})


def template(name: str, text: str, status: str = "failed: ") -> Case:
    code = 1 if status.startswith("failed") else 0

    def build(_: Place) -> dict[str, str | bytes]:
        return {**chart("x", {"templates/a.yaml": text}), "portproof.yaml": HOG}

    return Case(name, build, {"helm:x": status}, code)


Entry = tuple[str, bytes, bytes]
"""Name, type and content of a member of an archive."""


def archive(
    name: str, *entries: Entry, reason: str, packed: Callable[[bytes], bytes] = gzip.compress
) -> Case:
    """A vendored archive that is refused before helm sees it."""

    def build(place: Place) -> dict[str, str | bytes]:
        data = io.BytesIO()
        with tarfile.open(fileobj=data, mode="w") as made:
            for path, kind, text in (("lib/Chart.yaml", tarfile.REGTYPE, LIB.encode()), *entries):
                entry = tarfile.TarInfo(path.format(root=place.root))
                entry.type, entry.linkname = kind, str(place.outside / "secret")
                entry.size = len(text)
                made.addfile(entry, io.BytesIO(text))
        return {**chart("x", PLAIN), "x/charts/lib-1.0.0.tgz": packed(data.getvalue())}

    return Case(name, build, {"helm:x": f"skipped: the archive x/charts/lib-1.0.0.tgz {reason}"})


def configured(name: str, values: str, target: str, problem: str) -> Case:
    """A values file that the configuration of the repository names."""

    def build(place: Place) -> dict[str, str | bytes]:
        file = values.replace("{outside}", str(place.outside))
        return {
            **chart("x", PLAIN),
            "portproof.yaml": f"charts: [{{path: x, values: ['{file}']}}]\n",
            "link.yaml": f"-> {place.outside}/secret.yaml",
        }

    return Case(name, build, {target: f"skipped: {problem}"})


LIB = "apiVersion: v2\nname: lib\nversion: 1.0.0\n"
CASES = [
    link("data/secret", "{outside}/secret"),
    link("data/secret", "{up}outside/secret"),
    link("values.yaml", "{up}outside/secret"),
    link("templates/_x.tpl", "{outside}/secret"),
    link("environ", "/proc/self/environ"),
    link("folder", "{outside}/folder"),
    link("charts/lib", "{outside}/folder"),
    link("Chart.lock", "{outside}/secret"),
    link("git", "../.git"),
    link("config", "../.git/config"),
    link("loop", "loop"),
    Case(
        "a Chart.yaml that is a link out of the tree",
        lambda place: {"x/Chart.yaml": f"-> {place.outside}/secret", "x/templates/a.yaml": ""},
        {"helm:x": "skipped: the link x/Chart.yaml is absolute"},
    ),
    Case(
        "a link to a link that leads out",
        lambda place: {**chart("x", PLAIN), "x/a": "-> ../b/secret", "b": f"-> {place.outside}"},
        {"helm:x": "skipped: the link x/a is absolute"},
    ),
    Case(
        "a link within the repository is fine",
        lambda _: {**chart("x", PLAIN), "x/values.yaml": "-> ../common.yaml", "common.yaml": "a: 1\n"},
        {"helm:x": "checked"},
    ),
    Case(
        "a chart at the root reads .git",
        lambda place: {
            **{f"./{path[2:]}": text for path, text in chart("x", {}).items()},
            "templates/a.yaml": 'apiVersion: v1\nkind: Service\nmetadata: {name: x}\nspec:\n  ports:\n  - {port: 80, '
            'targetPort: {{ .Files.Get ".git/config" | default "none" | trunc 15 | quote }}}\n  selector: {a: b}\n',
            ".git/config": place.canary,
            ".git/HEAD": "ref: refs/heads/main\n",
        },
        {"helm:.": "checked"},
    ),
    wants("file://../../outside/folder", "the dependency lib (file://../../outside/folder) leads out of the repository (x/Chart.yaml:"),
    wants("file://{outside}/folder", "the dependency lib (file:///"),
    wants("http://127.0.0.1:{port}", "dependency lib 1.0.0 from http://127.0.0.1:"),
    wants("http://localhost:{port}", "dependency lib 1.0.0 from http://localhost:"),
    wants("http://[::ffff:127.0.0.1]:{port}", "dependency lib 1.0.0 from http://[::ffff:"),
    wants("oci://127.0.0.1:{port}/charts", "dependency lib 1.0.0 from oci://127"),
    wants("evil://x", "dependency lib 1.0.0 from evil://x could not be fetched: only https, http and oci"),
    wants("@stable", "dependency lib 1.0.0 from @stable could not be fetched: its repository is an alias"),
    Case(
        "schemas that fetch",
        lambda place: {
            **chart("x", PLAIN),
            "x/values.schema.json": f'{{"allOf": [{{"$ref": "http://127.0.0.1:{place.port}/s"}}, '
            f'{{"$ref": "file://{place.outside}/secret"}}]}}',
        },
        {"helm:x": "checked"},
    ),
    template("a range without end", "{{ range until 100000000 }}x{{ end }}"),
    template("nested ranges", "{{ range until 100000 }}{{ range until 100000 }}{{ end }}{{ end }}"),
    template("a giant repeat", 'a: {{ repeat 2000000000 "x" }}'),
    template("keys in a loop", '{{ range until 100000 }}{{ genPrivateKey "rsa" | len }}{{ end }}'),
    template("a template that expands itself", '{{ define "a" }}{{ include "a" . }}{{ end }}{{ include "a" . }}'),
    template("tpl that expands itself", '{{ $_ := set . "t" "{{ tpl .t . }}{{ tpl .t . }}" }}{{ tpl .t . }}'),
    template("a flood of output", '{{ range until 3000 }}{{ repeat 100000 "x" }}\n{{ end }}'),
    template("names are looked up", 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata: {a: "{{ getHostByName "localhost" }}"}', "checked"),
    template("a cluster is asked", 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata: {a: "{{ lookup "v1" "Secret" "x" "y" }}"}', "checked"),
    template("variables are read", 'a: {{ env "CANARY" }}', "failed: "),
    configured("values from standard input", "-", "helm:x?values=-", "the values file - of the configuration is not there"),
    configured("values that look like an option", "--post-renderer=sh", "helm:x?values=--post-renderer=sh", "the values file --post-renderer=sh of the configuration is not there"),
    configured("values out of the tree", "../../outside/secret.yaml", "helm:x?values=/../../outside/secret.yaml", "the values file ../../outside/secret.yaml of the configuration leads out"),
    configured("values by a link out of the tree", "../link.yaml", "helm:x?values=/link.yaml", "the values file ../link.yaml of the configuration is absolute"),
    archive("an archive that leads out", ("../../../evil", tarfile.REGTYPE, b"x"), reason="holds '../../../evil', which leads out of it"),
    archive("an archive with absolute paths", ("{root}/evil", tarfile.REGTYPE, b"x"), reason="holds '/"),
    archive("an archive with a link", ("lib/secret", tarfile.SYMTYPE, b""), reason="holds 'lib/secret', which is a link"),
    archive("an archive of a bomb", ("lib/big", tarfile.REGTYPE, bytes(4_000_000)), reason="unfolds to more than 200 times its size"),
    archive("an archive in an archive", ("lib/charts/a.tgz", tarfile.REGTYPE, gzip.compress(bytes(4_000_000))), reason="unfolds to more than 200 times its size"),
    archive("an archive that is cut off", reason="cannot be read: Compressed file ended", packed=lambda data: gzip.compress(data)[:-9]),
    Case("an archive that is none", lambda _: {**chart("x", PLAIN), "x/charts/lib-1.0.0.tgz": "version https://git-lfs.github.com/spec/v1\n"}, {"helm:x": "failed: "}, code=1),
    Case(
        "a name with a line break",
        lambda _: {**chart("x", PLAIN), "x/templates/a\n# Source: x": "a: 1\n"},
        {"helm:x": "skipped: the file name x/templates/a\\n# Source: x is not printable UTF-8"},
    ),
    Case(
        "a folder that looks like an option",
        lambda _: {**chart("--post-renderer=sh", PLAIN), **chart("-x", PLAIN)},
        {"helm:--post-renderer=sh": "checked", "helm:-x": "checked"},
    ),
    Case(
        "plugins in the home and beside the chart",
        lambda place: {**chart("x", PLAIN), "x/plugins/evil/plugin.yaml": "name: evil\n", "x/plugins/evil/run.sh": place.canary},
        {"helm:x": "checked"},
        environ=lambda place: {"HELM_DATA_HOME": str(place.home / ".local/share/helm"), "HELM_BIN": str(place.root / "bin/helm")},
    ),
    Case(
        "programs in the checkout",
        lambda place: {**chart("x", PLAIN), **{f"{folder}{name}": place.program(place.root / "bin/sh") for folder in ("", "bin/") for name in ("helm", "kustomize", "git")}},
        {"helm:x": "checked"},
        environ=lambda place: {"PATH": f".:bin:{place.repository / 'missing'}:/usr/bin:/bin"},
    ),
    Case("a bomb of aliases", lambda _: {**chart("x", PLAIN), "x/values.yaml": bomb()}, {"helm:x": "failed: "}, code=1),
]  # fmt: skip


def bomb() -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    return "\n".join(lines) + "\n"


MALFORMED = {
    "Chart.yaml: a list": {"Chart.yaml": "[]\n"},
    "Chart.yaml: nothing": {"Chart.yaml": ""},
    "Chart.yaml: null dependencies": {
        "Chart.yaml": "apiVersion: v2\nname: x\nversion: 0.1.0\ndependencies: [null]\n"
    },
    "Chart.yaml: null maintainers": {
        "Chart.yaml": "apiVersion: v2\nname: x\nversion: 0.1.0\nmaintainers: [null]\n"
    },
    "values.yaml: a list": {"values.yaml": "[1]\n"},
    "values.yaml: not UTF-8": {"values.yaml": "a: \x80\n"},
    "requirements.yaml: null": {"requirements.yaml": "dependencies: [null]\n"},
    "an index out of range": {"templates/b.yaml": "{{ index (list) 3 }}\n"},
    "a nil pointer": {"templates/b.yaml": "{{ .Values.a.b.c }}\n"},
    "a broken template": {"templates/b.yaml": "{{ if }}\n"},
}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_chart(case: Case, tmp_path: Path) -> None:
    run_case(case, tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        "charts: [{path: x, values: ['http://127.0.0.1:9/v.yaml']}]",
        "charts: [{path: x, values: ['oci://127.0.0.1/v']}]",
        "charts: [{path: x, release: '--post-renderer=sh'}]",
        "charts: [{path: x, namespace: '-x'}]",
        "helm: ./bin/helm",
        "allow-hosts: ['http://127.0.0.1/']",
    ],
)
def test_a_configuration_that_means_ill_is_refused(text: str, tmp_path: Path) -> None:
    with Place(tmp_path) as place:
        place.write({**chart("x", PLAIN), "portproof.yaml": f"{text}\n"})
        ran = check(place, place.environ())
    assert ran.code == 2
    assert ran.texts["stderr"].startswith("portproof: portproof.yaml:1: ")


def test_whatever_is_malformed_is_a_result(tmp_path: Path) -> None:
    """One run over all of them: each is told, none stops the others."""
    files: dict[str, str | bytes] = {}
    for number, more in enumerate(MALFORMED.values()):
        files |= {
            f"x{number}/{path.partition('/')[2]}": text
            for path, text in chart("x", {**PLAIN, **more}).items()
        }
    expect = {f"helm:x{number}": "" for number in range(len(MALFORMED))}
    run_case(Case("malformed", lambda _: files, expect, code=1, seconds=60), tmp_path)
