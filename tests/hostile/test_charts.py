"""Charts of an attacker's (H1-H18)."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.hostile.support import Case, Part, Place, check, dependency, run_case, united
from tests.support.rendering import chart

pytestmark = pytest.mark.slow

HOG = "timeout: 6\n"
PLAIN = {"templates/map.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n"}


def link(at: str, to: str) -> Part:
    """A chart with a link that is refused."""

    def build(place: Place, x: str) -> dict[str, str | bytes]:
        target = to.format(outside=place.outside, up="../" * (at.count("/") + 2))
        template = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: x}}\ndata: {{a: '{{{{ .Files.Get \"{at}\" }}}}'}}\n"
        return {
            **chart(x, {"templates/leak.yaml": template}),
            f"{x}/{at}": f"-> {target}",
            ".git/config": place.canary,
            ".git/HEAD": "ref: refs/heads/main\n",
        }

    return Part(f"a link at {at} to {to}", build, f"skipped: the link {{x}}/{at} ")


def wants(repository: str, reason: str) -> Part:
    def build(place: Place, x: str) -> dict[str, str | bytes]:
        where = repository.format(outside=place.outside, port=place.port)
        return {**chart(x, PLAIN, more=dependency(where))}

    became = "skipped: " if repository.startswith("file:") else "checked: without a part: "
    return Part(f"a dependency at {repository}", build, f"{became}{reason}")


def hog(name: str, text: str) -> Part:
    """A template that takes what it gets."""
    return Part(
        name, lambda _, x: {**chart(x, {"templates/a.yaml": text}), "portproof.yaml": HOG}, "failed: "
    )


def template(name: str, text: str) -> Part:
    """A template that asks for what it does not get, and renders."""
    return Part(name, lambda _, x: {**chart(x, {"templates/a.yaml": text})}, "checked")


def called(folder: str) -> Part:
    """A folder that looks like an option."""
    return Part(f"the folder {folder}", lambda *_: {**chart(folder, PLAIN)}, "checked", f"helm:{folder}")


Entry = tuple[str, bytes, bytes]
"""Name, type and content of a member of an archive."""


def archive(
    name: str, *entries: Entry, reason: str, packed: Callable[[bytes], bytes] = gzip.compress
) -> Part:
    """A vendored archive that is refused before helm sees it."""

    def build(place: Place, x: str) -> dict[str, str | bytes]:
        data = io.BytesIO()
        with tarfile.open(fileobj=data, mode="w") as made:
            for path, kind, text in (("lib/Chart.yaml", tarfile.REGTYPE, LIB.encode()), *entries):
                entry = tarfile.TarInfo(path.format(root=place.root))
                entry.type, entry.linkname = kind, str(place.outside / "secret")
                entry.size = len(text)
                made.addfile(entry, io.BytesIO(text))
        return {**chart(x, PLAIN), f"{x}/charts/lib-1.0.0.tgz": packed(data.getvalue())}

    return Part(name, build, f"skipped: the archive {{x}}/charts/lib-1.0.0.tgz {reason}")


def configured(*files: tuple[str, str, str]) -> Case:
    """Values files that the configuration of the repository names, each as it is called in the target, and its problem."""
    charts = [f"{{path: x{number}, values: ['{values}']}}" for number, (values, _, _) in enumerate(files)]

    def build(place: Place) -> dict[str, str | bytes]:
        return {
            **{
                path: text
                for number in range(len(files))
                for path, text in chart(f"x{number}", PLAIN).items()
            },
            "portproof.yaml": f"charts: [{', '.join(charts)}]\n",
            "link.yaml": f"-> {place.outside}/secret.yaml",
        }

    expect = {
        f"helm:x{number}?values={name}": f"skipped: the values file {problem}"
        for number, (_, name, problem) in enumerate(files)
    }
    return Case("values files out of place", build, expect)


LIB = "apiVersion: v2\nname: lib\nversion: 1.0.0\n"
REFUSED = [
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
    Part(
        "a Chart.yaml that is a link out of the tree",
        lambda place, x: {f"{x}/Chart.yaml": f"-> {place.outside}/secret", f"{x}/templates/a.yaml": ""},
        "skipped: the link {x}/Chart.yaml points to an absolute path",
    ),
    Part(
        "a link to a link that leads out",
        lambda place, x: {**chart(x, PLAIN), f"{x}/a": "-> ../b/secret", "b": f"-> {place.outside}"},
        "skipped: the link {x}/a points to an absolute path",
    ),
    wants("file://../../outside/folder", "the dependency lib (file://../../outside/folder) points outside the repository ({x}/Chart.yaml:"),
    wants("file://{outside}/folder", "the dependency lib (file:///"),
    wants("http://127.0.0.1:{port}", "dependency lib 1.0.0 from http://127.0.0.1:"),
    wants("http://localhost:{port}", "dependency lib 1.0.0 from http://localhost:"),
    wants("http://[::ffff:127.0.0.1]:{port}", "dependency lib 1.0.0 from http://[::ffff:"),
    wants("oci://127.0.0.1:{port}/charts", "dependency lib 1.0.0 from oci://127"),
    wants("evil://x", "dependency lib 1.0.0 from evil://x could not be fetched: only https, http and oci"),
    wants("@stable", "dependency lib 1.0.0 from @stable could not be fetched: its repository is an alias"),
    archive("an archive that leads out", ("../../../evil", tarfile.REGTYPE, b"x"), reason="holds '../../../evil', which points outside it"),
    archive("an archive with absolute paths", ("{root}/evil", tarfile.REGTYPE, b"x"), reason="holds '/"),
    archive("an archive with a link", ("lib/secret", tarfile.SYMTYPE, b""), reason="holds 'lib/secret', which is a link"),
    archive("an archive of a bomb", ("lib/big", tarfile.REGTYPE, bytes(4_000_000)), reason="unfolds to more than 200 times its size"),
    archive("an archive in an archive", ("lib/charts/a.tgz", tarfile.REGTYPE, gzip.compress(bytes(4_000_000))), reason="unfolds to more than 200 times its size"),
    archive("an archive that is cut off", reason="cannot be read: Compressed file ended", packed=lambda data: gzip.compress(data)[:-9]),
    Part(
        "a name with a line break",
        lambda _, x: {**chart(x, PLAIN), f"{x}/templates/a\n# Source: x": "a: 1\n"},
        "skipped: the file name {x}/templates/a\\n# Source: x is not printable UTF-8",
    ),
]  # fmt: skip
HARMLESS = [
    Part(
        "a link within the repository is fine",
        lambda _, x: {**chart(x, PLAIN), f"{x}/values.yaml": "-> ../common.yaml", "common.yaml": "a: 1\n"},
        "checked",
    ),
    Part(
        "schemas that fetch",
        lambda place, x: {
            **chart(x, PLAIN),
            f"{x}/values.schema.json": f'{{"allOf": [{{"$ref": "http://127.0.0.1:{place.port}/s"}}, '
            f'{{"$ref": "file://{place.outside}/secret"}}]}}',
        },
        "checked",
    ),
    template("names are looked up", 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata: {a: "{{ getHostByName "localhost" }}"}'),
    template("a cluster is asked", 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata: {a: "{{ lookup "v1" "Secret" "x" "y" }}"}'),
    called("--post-renderer=sh"),
    called("-x"),
]  # fmt: skip
BROKEN = [
    Part("variables are read", lambda _, x: {**chart(x, {"templates/a.yaml": 'a: {{ env "CANARY" }}'})}, "failed: "),
    Part(
        "an archive that is none",
        lambda _, x: {**chart(x, PLAIN), f"{x}/charts/lib-1.0.0.tgz": "version https://git-lfs.github.com/spec/v1\n"},
        "failed: ",
    ),
]  # fmt: skip
HOGS = [
    hog("a range without end", "{{ range until 100000000 }}x{{ end }}"),
    hog("nested ranges", "{{ range until 100000 }}{{ range until 100000 }}{{ end }}{{ end }}"),
    hog("a giant repeat", 'a: {{ repeat 2000000000 "x" }}'),
    hog("keys in a loop", '{{ range until 100000 }}{{ genPrivateKey "rsa" | len }}{{ end }}'),
    hog("a template that expands itself", '{{ define "a" }}{{ include "a" . }}{{ end }}{{ include "a" . }}'),
    hog("tpl that expands itself", '{{ $_ := set . "t" "{{ tpl .t . }}{{ tpl .t . }}" }}{{ tpl .t . }}'),
    hog("a flood of output", '{{ range until 3000 }}{{ repeat 100000 "x" }}\n{{ end }}'),
]  # fmt: skip
CASES = [
    united("what is refused before anything reads it", *REFUSED),
    united("what asks for something and does not get it", *HARMLESS),
    united("what fails", *BROKEN, code=1),
    united("what takes all it gets", *HOGS, code=1),
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
    configured(
        ("../../outside/secret.yaml", "/../../outside/secret.yaml", "../../outside/secret.yaml in the configuration points outside"),
        ("../link.yaml", "/link.yaml", "../link.yaml in the configuration points to an absolute path"),
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
        "charts: [{path: x, values: ['-']}]",
        "charts: [{path: x, values: ['--post-renderer=sh']}]",
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
    run_case(Case("malformed", lambda _: files, expect, code=1, seconds=120), tmp_path)
