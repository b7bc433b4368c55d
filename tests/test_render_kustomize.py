"""Overlays through the real kustomize: what comes out, and which file and line is blamed when nothing does."""

from __future__ import annotations

import json
import os
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from portproof.discover.model import KustomizeTarget
from portproof.render import written
from portproof.render.engine import Engine
from portproof.render.generated import MANY, MAX_EMPTY
from portproof.render.model import NotRendered, RenderFailure, Rendering
from portproof.render.tool_output import error_text
from portproof.source import Tree

from .support.rendering import engine, failed, overlay_target, place, refused, rendered, write_files

HEAD = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n"
DEPLOYMENT = "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\nspec:\n  replicas: 1\n"
SERVICE = "apiVersion: v1\nkind: Service\nmetadata:\n  name: web\nspec:\n  ports:\n  - port: 80\n"
TWICE = "apiVersion: v1\nkind: Service\nmetadata: {name: api}\nspec:\n  type: ClusterIP\n  type: NodePort\n"
OTHER = DEPLOYMENT.replace("name: web", "name: other")


@pytest.fixture(scope="module")
def kustomize(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with engine(tmp_path_factory.mktemp("cache")) as made:
        yield made


def test_an_overlay_is_built_in_place_and_as_edited(kustomize: Engine, tmp_path: Path) -> None:
    files = {
        "base/kustomization.yaml": f"{HEAD}resources: [service.yaml, deployment.yaml]\n",
        "base/service.yaml": SERVICE,
        "base/deployment.yaml": DEPLOYMENT,
        "overlays/prod/kustomization.yaml": f"{HEAD}resources: [../../base]\nnamePrefix: prod-\n",
    }
    tree = write_files(tmp_path, files)
    target = overlay_target(tree, "overlays/prod")
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    for folder in (path for path in before if path.is_dir()):
        folder.chmod(0o555)
    documents = rendered(kustomize.render(target, tree)).documents
    assert [document.source for document in documents] == [None, None]
    assert "name: prod-web" in documents[0].text
    edited = Tree(tmp_path, {"base/service.yaml": SERVICE.replace("80", "8080"), "unrelated": "x"})
    assert "port: 8080" in rendered(kustomize.render(target, edited)).documents[0].text
    for folder in (path for path in before if path.is_dir()):
        folder.chmod(0o755)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


@dataclass(frozen=True)
class Case:
    """The overlay in ``o``, other files, the place that is blamed and a part of the message."""

    name: str
    overlay: str
    files: dict[str, str]
    place: str
    says: str


RESOURCES = "resources:\n- d.yaml\n"
D = {"o/d.yaml": DEPLOYMENT}
K = "o/kustomization.yaml"

CASES = [
    Case(
        "a resource that is not there",
        "resources:\n- a.yaml\n",
        {},
        f"{K}:4:3",
        "o cannot be built: o/a.yaml is missing",
    ),
    Case(
        "a base that is not there",
        "resources:\n- ../no\n",
        {},
        f"{K}:4:3",
        "o cannot be built: no is missing",
    ),
    Case(
        "a base without kustomization",
        "resources:\n- base/\n",
        {"o/base/x.yaml": DEPLOYMENT},
        f"{K}:4:3",
        "o cannot be built: o/base has no kustomization.yaml",
    ),
    Case(
        "a base without kustomization, beside a file outside",
        "resources:\n- ../n.yaml\n- ../rbac\n",
        {"n.yaml": DEPLOYMENT, "rbac/x.yaml": DEPLOYMENT},
        f"{K}:5:3",
        "o cannot be built: rbac has no kustomization.yaml",
    ),
    Case(
        "a broken base",
        "resources:\n- base\n",
        {
            "o/base/kustomization.yaml": f"{HEAD}resources:\n- d.yaml\n- no.yaml\n",
            "o/base/d.yaml": DEPLOYMENT,
        },
        "o/base/kustomization.yaml:5:3",
        "o/base cannot be built: o/base/no.yaml is missing",
    ),
    Case(
        "a resource that is not YAML",
        RESOURCES,
        {"o/d.yaml": f"{DEPLOYMENT}---\na: 1\n  b: 2\n"},
        "o/d.yaml:9:4",
        "d.yaml",
    ),
    Case(
        "a resource of a base that is not YAML",
        "resources:\n- base\n",
        {"o/base/kustomization.yaml": f"{HEAD}{RESOURCES}", "o/base/d.yaml": "a: 1\n b: 2\n"},
        "o/base/d.yaml:2:3",
        "d.yaml",
    ),
    Case(
        "a kustomization that is not YAML",
        "resources:\n- d.yaml\n  x: 1\n",
        D,
        f"{K}:5:4",
        "invalid Kustomization",
    ),
    Case("an unknown field", "resourcess:\n- d.yaml\n", D, f"{K}:3:1", "resourcess"),
    Case("an unknown field further down", f"{RESOURCES}images:\n- nam: x\n", D, f"{K}:6:3", "nam"),
    Case(
        "a patch that is not there",
        f"{RESOURCES}patches:\n- path: p.yaml\n",
        D,
        f"{K}:6:9",
        "o cannot be built: o/p.yaml is missing",
    ),
    Case(
        "a patch of nothing",
        f"{RESOURCES}patches:\n- path: p.yaml\n",
        D | {"o/p.yaml": OTHER},
        "o/p.yaml:4:3",
        "o cannot be built: a patch is for Deployment/other, which no resource there makes",
    ),
    Case(
        "a patch that is not YAML",
        f"{RESOURCES}patches:\n- path: p.yaml\n",
        D | {"o/p.yaml": "a: 1\n b: 2\n"},
        "o/p.yaml:2:3",
        "unable to parse",
    ),
    Case(
        "an inline patch that is not YAML",
        f"{RESOURCES}patches:\n- patch: |-\n    apple: 1\n      b: 2\n",
        D,
        f"{K}:7:5",
        "unable to parse",
    ),
    Case(
        "an inline patch that names nothing",
        f"{RESOURCES}patches:\n- target: {{kind: Deployment}}\n  patch: |-\n    $patch: delete\n",
        D,
        f"{K}:8:5",
        "o cannot be built: a patch names no `kind` and `metadata.name`",
    ),
    Case(
        "a JSON patch that does not apply",
        f"{RESOURCES}patches:\n- path: p.yaml\n  target: {{kind: Deployment}}\n",
        D | {"o/p.yaml": "- op: replace\n  path: /spec/a/b\n  value: 1\n"},
        "o/p.yaml:2:3",
        "o cannot be built: a patch replaces /spec/a/b, which is not there",
    ),
    Case(
        "a JSON patch that adds below nothing",
        f"{RESOURCES}patches:\n- path: p.yaml\n  target: {{kind: Deployment}}\n",
        D | {"o/p.yaml": "- op: add\n  path: /spec/a/b\n  value: 1\n"},
        "o/p.yaml:2:3",
        "o cannot be built: a patch adds /spec/a/b, and /spec/a is not there",
    ),
    Case(
        "a JSON patch that removes what is not there",
        f"{RESOURCES}patches:\n- path: p.yaml\n  target: {{kind: Deployment}}\n",
        D | {"o/p.yaml": "- op: remove\n  path: /spec/a\n"},
        "o/p.yaml:2:3",
        "o cannot be built: a patch removes /spec/a, which is not there",
    ),
    Case(
        "an overlay in the folder of its base",
        "resources:\n- ..\n",
        {"kustomization.yaml": f"{HEAD}resources:\n- d.yaml\n", "d.yaml": DEPLOYMENT},
        f"{K}:4:3",
        "o cannot be built: o lies in",
    ),
    Case(
        "the same object twice",
        "resources:\n- d.yaml\n- e.yaml\n",
        D | {"o/e.yaml": DEPLOYMENT},
        f"{K}:5:3",
        "o cannot be built: e.yaml adds Deployment/",
    ),
    Case(
        "a generator that merges into nothing",
        f"{RESOURCES}configMapGenerator:\n- name: x\n  behavior: merge\n  literals: [A=1]\n",
        D,
        f"{K}:6:9",
        "o cannot be built: a generator merges into ConfigMap/x without a namespace, which no resource there makes",
    ),
    Case(
        "a generator that merges into what has another namespace",
        f"{RESOURCES}configMapGenerator:\n- name: x\n  namespace: dev\n  behavior: merge\n  literals: [A=1]\n",
        D,
        f"{K}:6:9",
        "o cannot be built: a generator merges into ConfigMap/x of namespace dev, which no resource there makes",
    ),
    Case(
        "two namespaces that become one",
        f"namespace: shop\n{RESOURCES}",
        {
            "o/d.yaml": "---\n".join(
                f"apiVersion: v1\nkind: Namespace\nmetadata: {{name: {one}}}\n" for one in "ab"
            )
        },
        f"{K}:1:1",
        "o cannot be built: its `namespace` gives several Namespaces the same name",
    ),
    Case(
        "a key twice",
        "resources:\n- d.yaml\n- s.yaml\n",
        D | {"o/s.yaml": f"# a Service\n{SERVICE}---\n{TWICE}"},
        "o/s.yaml:15:3",
        'mapping key "type" already defined',
    ),
    Case(
        "a generator file that is not there",
        "configMapGenerator:\n- name: x\n  files: [a.txt]\n",
        {},
        f"{K}:5:11",
        "o/a.txt",
    ),
    Case(
        "a component that is not there",
        f"{RESOURCES}components:\n- ./c\n",
        D,
        f"{K}:6:3",
        "o cannot be built: o/c is missing",
    ),
    Case(
        "a replacement file that is not there",
        f"{RESOURCES}replacements:\n- path: r.yaml\n",
        D,
        f"{K}:6:9",
        "o/r.yaml",
    ),
    Case(
        "a replacement from nothing",
        f"{RESOURCES}replacements:\n- source: {{kind: Service, name: zz}}\n  targets: [{{select: {{kind: Deployment}}, fieldPaths: [spec.x]}}]\n",
        D,
        f"{K}:6:33",
        "zz",
    ),
    Case(
        "a circle",
        "resources:\n- ./a\n",
        {"o/a/kustomization.yaml": f"{HEAD}resources:\n- ../\n"},
        "o/a/kustomization.yaml:4:3",
        "o/a cannot be built: o/a lies in o, which it includes",
    ),
    Case(
        "no kind",
        RESOURCES,
        {"o/d.yaml": f"{SERVICE}---\napiVersion: v1\nmetadata: {{name: x}}\n"},
        "o/d.yaml:9:1",
        "missing kind",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("copied", [False, True], ids=["in place", "in a copy"])
def test_message_and_place(kustomize: Engine, tmp_path: Path, case: Case, *, copied: bool) -> None:
    files = {K: HEAD + case.overlay, **case.files}
    write_files(tmp_path, files)
    tree = Tree(tmp_path, {K: files[K]} if copied else {})
    failure = failed(kustomize.render(overlay_target(tree, "o"), tree))
    assert place(failure) == case.place
    assert case.says in failure.message
    for never in (str(tmp_path), "portproof-", "must build at directory", "0xc0"):
        assert never not in failure.message


@pytest.mark.parametrize(
    ("overlay", "reason"),
    [
        ("resources:\n- https://127.0.0.1:9/x.yaml\n", "something remote"),
        ("resources:\n- github.com/example/repository//base?ref=1\n", "something remote"),
        ("helmCharts:\n- name: x\n  repo: https://charts.example.com\n", "helmCharts are not rendered"),
        ("generators:\n- g.yaml\n", "plugin Secrets"),
    ],
)
def test_what_is_nobodys_mistake_is_a_reason(
    kustomize: Engine, tmp_path: Path, overlay: str, reason: str
) -> None:
    generator = "apiVersion: example.com/v1\nkind: Secrets\nmetadata:\n  name: x\n"
    tree = write_files(tmp_path, {K: HEAD + overlay, "o/g.yaml": generator})
    assert reason in refused(kustomize.render(overlay_target(tree, "o"), tree))


@pytest.mark.parametrize(
    ("missing", "more", "reason"),
    [
        ("o//secret.env", {".gitignore": "*.env\n"}, "needs o/secret.env, which is git-ignored"),
        ("o//deep/secret.env", {"o/.gitignore": "deep/\n"}, "needs o/deep, which is git-ignored"),
        ("config/webhook//manifests.yaml", {}, "needs config/webhook/manifests.yaml, which controller-gen"),
        ("config/crd//bases/x.yaml", {}, "needs config/crd/bases, which controller-gen generates"),
        ("config/crd//bases/x.yaml", {"config/crd/bases/y.yaml": SERVICE}, "which controller-gen generates"),
        ("config/manifests//bases/x.clusterserviceversion.yaml", {}, "which operator-sdk generates"),
        ("clusters/a/flux-system//gotk-sync.yaml", {}, "which `flux bootstrap` writes"),
        ("o//base", {"Makefile": "x:\n\tcp -r crd o/base && true\n"}, "needs o/base, which Makefile writes"),
    ],
)
def test_what_is_made_elsewhere_is_a_reason(
    kustomize: Engine, tmp_path: Path, missing: str, more: dict[str, str], reason: str
) -> None:
    folder, _, entry = missing.partition("//")
    files = {f"{folder}/kustomization.yaml": f"{HEAD}resources:\n- {entry}\n", **more}
    tree = write_files(
        tmp_path, {**files, "PROJECT": "domain: example.com\nlayout:\n- go.kubebuilder.io/v4\n"}
    )
    assert reason in refused(kustomize.render(overlay_target(tree, folder), tree))


@pytest.mark.slow
@pytest.mark.parametrize(
    "line",
    ["\\#*\\", "a\\", "!", "[z-a]", "[[:alpha:]]", "[a&&b]", "*a" * 40, "**/" * 40, "[a"],
)
def test_a_pattern_that_is_none_or_takes_long_ignores_nothing(
    kustomize: Engine, tmp_path: Path, line: str
) -> None:
    missing = "a" * 180
    tree = write_files(tmp_path, {K: f"{HEAD}resources:\n- {missing}\n", ".gitignore": f"{line}\n" * 5000})
    started = time.process_time()
    failed(kustomize.render(overlay_target(tree, "o"), tree))
    write_files(tmp_path, {".gitignore": f"{line}\n" * 100 + f"{missing}\n"})
    refused(kustomize.render(overlay_target(tree, "o"), tree))
    assert time.process_time() - started < 20


SECRETS = """secretGenerator:
- {name: a, envs: [a.env], files: [key=b.env]}
- {name: b, env: a.env}
"""


@pytest.mark.parametrize("copied", [False, True], ids=["in place", "in a copy"])
def test_what_only_secrets_are_made_of_is_not_missed(
    kustomize: Engine, tmp_path: Path, *, copied: bool
) -> None:
    files = {".gitignore": "*.env\n", "o/d.yaml": SERVICE, K: f"{HEAD}{RESOURCES}{SECRETS}"}
    write_files(tmp_path, files)
    tree = Tree(tmp_path, {"o/d.yaml": SERVICE.replace("name: web", "name: edited")} if copied else {})
    target = overlay_target(tree, "o")
    done = rendered(kustomize.render(target, tree))
    assert done.target is target
    assert sorted("kind: Secret" in one.text for one in done.documents) == [False, True, True]
    assert any("name: edited" in one.text for one in done.documents) is copied
    assert not list(tmp_path.rglob("*.env"))


def test_what_is_broken_beside_a_missing_secret_is_said(kustomize: Engine, tmp_path: Path) -> None:
    more = "secretGenerator:\n- {name: a, files: [key=secrets/key.txt]}\npatches:\n- path: gone.yaml\n"
    tree = write_files(tmp_path, {"o/d.yaml": SERVICE, K: f"{HEAD}{RESOURCES}{more}"})
    failure = failed(kustomize.render(overlay_target(tree, "o"), tree))
    assert failure.message == "o cannot be built: o/gone.yaml is missing"


COPIES = """resources: [all.yaml]
configMapGenerator: [{name: host, envs: [env/host.env]}]
replacements:
- source: {kind: ConfigMap, name: host, fieldPath: data.HOST}
  targets: [{select: {kind: Service}, fieldPaths: [FIELD], options: {create: true}}]
"""
FROM_A_FILE = "replacements: [{path: copies.yaml}]\n"


@pytest.mark.parametrize("in_a_file", [False, True])
def test_what_would_be_copied_from_a_file_that_is_made_elsewhere_stays_as_it_is(
    kustomize: Engine, tmp_path: Path, in_a_file: bool
) -> None:
    overlay = HEAD + COPIES.replace("FIELD", "metadata.annotations.host")
    files = {K: overlay, "o/all.yaml": SERVICE, ".gitignore": "env/\n"}
    if in_a_file:
        head, _, copies = overlay.partition("replacements:\n")
        files |= {K: head + FROM_A_FILE, "o/copies.yaml": copies}
    tree = write_files(tmp_path, files)
    result = kustomize.render(overlay_target(tree, "o"), tree)
    assert isinstance(result, Rendering)
    assert result.without == ("o/env/host.env, which is git-ignored and generated outside the repository",)
    assert "kind: Service" in "".join(one.text for one in result.documents)


@pytest.mark.parametrize(
    "field", ["spec.ports.0.port", "metadata.name", "spec.selector.app", "spec.ports.0.name"]
)
def test_what_a_file_that_is_made_elsewhere_says_of_ports_is_not_known(
    kustomize: Engine, tmp_path: Path, field: str
) -> None:
    files = {K: HEAD + COPIES.replace("FIELD", field), "o/all.yaml": SERVICE, ".gitignore": "env/\n"}
    tree = write_files(tmp_path, files)
    assert "o/env, which is git-ignored" in refused(kustomize.render(overlay_target(tree, "o"), tree))


def test_the_folder_of_a_secret_may_be_missing(kustomize: Engine, tmp_path: Path) -> None:
    overlay = f"{HEAD}{RESOURCES}secretGenerator:\n- {{name: a, envs: [secrets/a.txt]}}\n"
    tree = write_files(tmp_path, {".gitignore": "**/secrets/**\n", "o/d.yaml": SERVICE, K: overlay})
    result = kustomize.render(overlay_target(tree, "o"), tree)
    assert isinstance(result, Rendering)
    assert len(result.documents) == 2


def test_patches_of_what_something_else_adds_are_nobodys_mistake(kustomize: Engine, tmp_path: Path) -> None:
    patch = "patches:\n- path: d.yaml\n"
    tree = write_files(tmp_path, {"o/d.yaml": SERVICE, "o/a.yaml": DEPLOYMENT, K: HEAD + patch})
    said = "o has patches, and no resources that they are for"
    assert said in refused(kustomize.render(overlay_target(tree, "o"), tree))
    write_files(tmp_path, {K: f"{HEAD}resources:\n- a.yaml\n{patch}"})
    assert "a patch is for Service/web" in failed(kustomize.render(overlay_target(tree, "o"), tree)).message


def test_a_component_for_what_its_overlay_lacks_is_a_mistake(kustomize: Engine, tmp_path: Path) -> None:
    component = "kind: Component\npatches:\n- path: d.yaml\n"
    overlay = f"{HEAD}{RESOURCES}components:\n- ../c\n"
    files = {K: overlay, "o/d.yaml": SERVICE, "c/kustomization.yaml": component, "c/d.yaml": DEPLOYMENT}
    failure = failed(kustomize.render(overlay_target(write_files(tmp_path, files), "o"), Tree(tmp_path)))
    assert (
        failure.message == "c cannot be built: a patch is for Deployment/web, which no resource there makes"
    )
    assert place(failure) == "c/d.yaml:4:3"


@pytest.mark.parametrize("count", [MAX_EMPTY, MAX_EMPTY + 1])
def test_only_so_many_files_are_taken_for_empty(kustomize: Engine, tmp_path: Path, count: int) -> None:
    names = ", ".join(f"{number}.env" for number in range(count))
    overlay = f"{HEAD}{RESOURCES}secretGenerator:\n- {{name: a, envs: [{names}]}}\n"
    tree = write_files(tmp_path, {".gitignore": "*.env\n", "o/d.yaml": SERVICE, K: overlay})
    result = kustomize.render(overlay_target(tree, "o"), tree)
    assert isinstance(result, Rendering if count == MAX_EMPTY else NotRendered)


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ("patches:\n- path: c.env\n", "needs o/a.env, which is git-ignored"),
    ],
    ids=["beside something else"],
)
def test_what_more_than_generators_read_is_missed(
    kustomize: Engine, tmp_path: Path, more: str, reason: str
) -> None:
    files = {".gitignore": "*.env\n", "o/d.yaml": SERVICE, K: f"{HEAD}{RESOURCES}{SECRETS}{more}"}
    tree = write_files(tmp_path, files)
    assert reason in refused(kustomize.render(overlay_target(tree, "o"), tree))


WRITTEN = {
    "copied by a Makefile": ("Makefile", "crd:\n\tcp crd/x.yaml o/made.yaml\n\tkustomize build o\n"),
    "moved by a Makefile, quietly": ("Makefile", "crd:\n\t@mv x.yaml ./o/made.yaml\n"),
    "redirected": ("hack/release.sh", 'envsubst < x.tpl > "$ROOT/o/made.yaml"\n'),
    "through tee": ("o/build.sh", "helm template . | tee made.yaml | wc -l\n"),
    "named by an option": (".github/workflows/x.yaml", "run: kustomize build x --output=o/made.yaml\n"),
    "under a name": ("o/run.sh", 'OUT="${DIR}/made.yaml"\ncp x "${DIR}/"\nyq . x > "${OUT}"\n'),
}
READ = {
    "applied": ("Makefile", "crd:\n\tkubectl apply -f o/made.yaml\n"),
    "copied from": ("Makefile", "crd:\n\tcp o/made.yaml x.yaml\n"),
    "another folder's": ("Makefile", "crd:\n\tcp x.yaml p/made.yaml\n"),
    "a longer name": ("Makefile", "crd:\n\tcp x.yaml o/made.yaml.bak\n"),
    "a name that is read": ("o/run.sh", 'IN="o/made.yaml"\nyq . "${IN}" > x.yaml\n'),
    "errors": ("o/run.sh", "yq . x.yaml 2>made.yaml\n"),
}


@pytest.mark.parametrize("script", WRITTEN.values(), ids=WRITTEN)
def test_a_resource_that_a_script_writes_is_done_without(
    kustomize: Engine, tmp_path: Path, script: tuple[str, str]
) -> None:
    where, text = script
    files = {K: f"{HEAD}resources:\n- d.yaml\n- made.yaml\n", "o/d.yaml": SERVICE, where: text}
    tree = write_files(tmp_path, files)
    found = kustomize.render(overlay_target(tree, "o"), tree)
    assert isinstance(found, Rendering)
    assert found.without == (f"o/made.yaml, which {where} writes",)


@pytest.mark.parametrize("script", READ.values(), ids=READ)
def test_a_resource_that_scripts_only_read_is_missed(
    kustomize: Engine, tmp_path: Path, script: tuple[str, str]
) -> None:
    where, text = script
    files = {K: f"{HEAD}resources:\n- d.yaml\n- made.yaml\n", "o/d.yaml": SERVICE, where: text}
    tree = write_files(tmp_path, files)
    assert "o/made.yaml is missing" in failed(kustomize.render(overlay_target(tree, "o"), tree)).message


def test_scripts_outside_the_repository_are_not_read(kustomize: Engine, tmp_path: Path) -> None:
    write_files(tmp_path, {"out/build.sh": "cp x.yaml o/made.yaml\n"})
    files = {K: f"{HEAD}resources:\n- d.yaml\n- made.yaml\n", "o/d.yaml": SERVICE}
    tree = write_files(tmp_path / "in", files)
    (tmp_path / "in/hack").symlink_to(tmp_path / "out")
    (tmp_path / "in/o/build.sh").symlink_to(tmp_path / "out/build.sh")
    found = kustomize.render(KustomizeTarget("o", ("o/d.yaml", K)), tree)
    assert "o/made.yaml is missing" in failed(found).message


@pytest.mark.parametrize("line", ["cp " * 90, "a_=/" * 70, "> a/" * 70, "mv x/ y/ " * 30])
def test_long_scripts_are_looked_at_in_little_time(tmp_path: Path, line: str) -> None:
    tree = write_files(tmp_path, {"Makefile": f"{line}made.yamlx\n" * 600})
    started = time.process_time()
    assert written.writer("o/made.yaml", tree) == ""
    assert time.process_time() - started < 2


SECRET = "apiVersion: v1\nkind: Secret\nmetadata: {name: login}\n"
KEPT_OUT = [
    ("login.yaml", {".gitignore": "o/login.yaml\n"}, "o/login.yaml, which is git-ignored"),
    ("secret.yaml", {}, "o/secret.yaml, which looks like a Secret that is kept out"),
    ("git-repo-secret.yaml", {"o/app-secret-store.yaml": SERVICE}, "which looks like a Secret"),
    ("db_secrets.prod.json", {}, "which looks like a Secret that is kept out of the repository"),
]


@pytest.mark.parametrize(("name", "more", "said"), KEPT_OUT)
def test_a_resource_that_is_kept_out_of_the_repository_is_done_without(
    kustomize: Engine, tmp_path: Path, name: str, more: dict[str, str], said: str
) -> None:
    overlay = f"{HEAD}{RESOURCES}- {name}\n"
    tree = write_files(tmp_path, {K: overlay, "o/d.yaml": SERVICE, **more})
    done = rendered(kustomize.render(overlay_target(tree, "o"), tree))
    assert ["kind: Service" in one.text for one in done.documents] == [True]
    (without,) = done.without
    assert said in without
    alone = overlay.replace(RESOURCES, "resources:\n")
    patched = f"{overlay}patchesStrategicMerge:\n- s.yaml\n"
    for text in (alone, patched):
        write_files(tmp_path, {K: text, "o/s.yaml": SECRET})
        assert said in refused(kustomize.render(overlay_target(tree, "o"), tree))


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("secret.yaml", {"o/secrets.yaml": SECRET}),
        ("sealed-secret.yaml", {}),
        ("secret.enc.yaml", {}),
        ("external-secrets.yaml", {}),
        ("secretary.yaml", {}),
        ("secrets", {}),
    ],
)
def test_a_resource_that_has_another_name_or_is_meant_to_be_kept_is_missed(
    kustomize: Engine, tmp_path: Path, name: str, more: dict[str, str]
) -> None:
    tree = write_files(tmp_path, {K: f"{HEAD}{RESOURCES}- {name}\n", "o/d.yaml": SERVICE, **more})
    failure = failed(kustomize.render(overlay_target(tree, "o"), tree))
    assert failure.message == f"o cannot be built: o/{name} is missing"


@pytest.mark.parametrize("there", range(MANY + 1))
def test_a_kustomization_that_something_else_fills_in_is_nobodys_mistake(
    kustomize: Engine, tmp_path: Path, there: int
) -> None:
    names = [f"{number}.yaml" for number in range(MANY + 1)]
    overlay = f"{HEAD}resources: {json.dumps(names)}\n"
    service = {f"o/{name}": SERVICE.replace("web", name[0]) for name in names[:there]}
    tree = write_files(tmp_path, {K: overlay, **service})
    result = kustomize.render(overlay_target(tree, "o"), tree)
    if len(names) - there < MANY:
        assert isinstance(result, Rendering if there == len(names) else RenderFailure)
    else:
        assert f"{len(names) - there} of the {len(names)} resources of {K}" in refused(result)


@pytest.mark.parametrize(
    ("folder", "namespace", "copied"),
    [
        ("templates", "${CLUSTER_NAME}", True),
        ("templates", "shop", False),
        ("overlay", "${CLUSTER_NAME}", False),
    ],
)
def test_a_kustomization_that_a_script_copies_is_nobodys_mistake(
    kustomize: Engine, tmp_path: Path, folder: str, namespace: str, copied: bool
) -> None:
    files = {
        f"{folder}/kustomization.yaml": f"{HEAD}resources: [made.yaml, there.yaml]\n",
        f"{folder}/there.yaml": SERVICE.replace("name: web", f"name: web\n  namespace: {namespace}", 1),
    }
    tree = write_files(tmp_path, files)
    result = kustomize.render(overlay_target(tree, folder), tree)
    if copied:
        assert f"{folder}/kustomization.yaml is a template: it can be built once" in refused(result)
    else:
        assert isinstance(result, RenderFailure)
        assert "made.yaml is missing" in result.message


@pytest.mark.parametrize("filled", [False, True])
def test_a_template_that_is_no_object_yet_is_nobodys_mistake(
    kustomize: Engine, tmp_path: Path, filled: bool
) -> None:
    folder = "templates/app"
    service = SERVICE.replace("name: web", "name: web" if filled else "name: {{APP_NAME}}")
    files = {f"{folder}/kustomization.yaml": f"{HEAD}resources: [web.yaml]\n", f"{folder}/web.yaml": service}
    tree = write_files(tmp_path, files)
    result = kustomize.render(overlay_target(tree, folder), tree)
    if filled:
        assert isinstance(result, Rendering)
    else:
        assert f"{folder}/kustomization.yaml is a template" in refused(result)


IGNORED = {".gitignore": "*.env\n"}


@pytest.mark.parametrize(
    ("generator", "more", "said"),
    [
        ("secretGenerator: [{name: s, envs: [a.env]}]", {}, ("o/a.env, which is missing",)),
        ("secretGenerator: [{name: s, files: [deep/a]}]", {}, ("o/deep/a, which is missing",)),
        (
            "configMapGenerator: [{name: c, envs: [a.env]}]",
            IGNORED,
            ("o/a.env, which is git-ignored and generated outside the repository",),
        ),
        (
            "configMapGenerator: [{name: c, files: [a.conf]}]",
            IGNORED,
            ("o/a.conf, which is missing", "o cannot be built: o/a.conf is missing"),
        ),
    ],
)
def test_a_missing_file_of_a_generator_is_taken_for_empty_and_named(
    kustomize: Engine, tmp_path: Path, generator: str, more: dict[str, str], said: tuple[str, ...]
) -> None:
    tree = write_files(tmp_path, {"o/d.yaml": SERVICE, K: f"{HEAD}{RESOURCES}{generator}\n", **more})
    done = rendered(kustomize.render(overlay_target(tree, "o"), tree))
    assert "kind: Service" in done.documents[-1].text
    assert (*done.without, *(one.message for one in done.problems)) == said


@pytest.mark.parametrize("more", [{}, {"PROJECT": "about us\n"}, {".gitignore": "other.yaml\n"}])
def test_the_same_file_is_missed_where_nobody_makes_it(
    kustomize: Engine, tmp_path: Path, more: dict[str, str]
) -> None:
    overlay = "config/webhook/kustomization.yaml"
    tree = write_files(tmp_path, {overlay: f"{HEAD}resources:\n- manifests.yaml\n", **more})
    failure = failed(kustomize.render(overlay_target(tree, "config/webhook"), tree))
    assert place(failure) == f"{overlay}:4:3"


def test_a_stand_in_git_is_never_called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    marker = tmp_path / "marker"
    program = tmp_path / "bin" / "git"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\ntouch {marker}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    tree = write_files(
        tmp_path / "r", {K: f"{HEAD}resources:\n- github.com/example/repository//base?ref=1\n"}
    )
    with engine(tmp_path) as made:
        refused(made.render(overlay_target(tree, "o"), tree))
    assert not marker.exists()


def test_the_log_line_of_an_older_kubectl_is_read() -> None:
    line = 'E1123 23:14:55.195999   12286 run.go:72] "command failed" err="a \\"b\\"\\nc: d"\n'
    assert error_text(line) == 'a "b"\nc: d'
