"""Charts through the real helm: what comes out, where it comes from, and that the user's tree stays as it is."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from portproof.discover.find import discover
from portproof.discover.model import Cluster, HelmTarget, Mount
from portproof.render.chartpaths import ChartPaths
from portproof.render.engine import Engine
from portproof.render.helm import ASSUMED
from portproof.render.model import Rendering
from portproof.source import Tree

from .support.rendering import (
    HELMS,
    chart,
    current_helm,
    engine,
    failed,
    helm_target,
    rendered,
    sources,
    write_files,
)

SERVICE = "kind: Service\nport: {{ .Values.port }}\n"


@pytest.fixture(params=HELMS)
def helm(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    with engine(tmp_path, helm=HELMS[request.param]()) as made:
        yield made


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return tmp_path / "repository"


def text(rendering: Rendering) -> str:
    return "".join(document.text for document in rendering.documents)


def listing(root: Path) -> dict[str, tuple[int, int, str]]:
    """Every entry with its mode, its time and the hash of its content."""
    found = {}
    for path in sorted(root.rglob("*")):
        status = path.lstat()
        content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        found[path.relative_to(root).as_posix()] = (status.st_mode, status.st_mtime_ns, content)
    return found


def test_documents_name_their_templates(helm: Engine, repository: Path) -> None:
    files = {"values.yaml": "port: 80\n", "templates/a.yaml": SERVICE, "templates/deep/b.yaml": "kind: Pod\n"}
    tree = write_files(repository, chart("charts/x", files))
    result = rendered(helm.render(helm_target("charts/x"), tree))
    assert sorted(map(str, sources(result))) == [
        "charts/x/templates/a.yaml",
        "charts/x/templates/deep/b.yaml",
    ]
    assert "port: 80\n" in text(result)
    assert result.seconds > 0


def test_a_chart_at_the_root_of_the_repository(helm: Engine, repository: Path) -> None:
    files = {"Chart.yaml": "apiVersion: v2\nname: top\nversion: 0.1.0\n", "templates/a.yaml": "kind: Pod\n"}
    tree = write_files(repository, files)
    assert sources(rendered(helm.render(helm_target("."), tree))) == ["templates/a.yaml"]


def test_values_files_apply_in_order_and_an_edited_one_as_edited(helm: Engine, repository: Path) -> None:
    files = chart("x", {"values.yaml": "port: 1\n", "templates/a.yaml": SERVICE})
    tree = write_files(
        repository, files | {"env/one.yaml": "port: 2\n", "env/odd,name 100%.yaml": "port: 3\n"}
    )
    target = helm_target("x", "env/one.yaml", "env/odd,name 100%.yaml")
    assert "port: 3\n" in text(rendered(helm.render(target, tree)))
    edited = Tree(tree.root, {"env/odd,name 100%.yaml": "port: 4\n"})
    assert "port: 4\n" in text(rendered(helm.render(target, edited)))


def test_an_edited_chart_is_rendered_as_edited(helm: Engine, repository: Path) -> None:
    files = {"values.yaml": "port: 80\n", "templates/a.yaml": SERVICE, "values.schema.json": "{not a schema"}
    tree = write_files(repository, chart("x", files))
    overlay = {
        "x/values.yaml": "port: 81\n",
        "x/templates/new.yaml": "kind: New\n",
        "elsewhere.yaml": "a: 1\n",
    }
    result = rendered(helm.render(helm_target("x"), Tree(tree.root, overlay)))
    assert "port: 81\n" in text(result)
    assert "x/templates/new.yaml" in sources(result)
    assert listing(repository) == listing(tree.root)
    assert not (repository / "x/templates/new.yaml").exists()


def test_release_and_namespace(helm: Engine, repository: Path) -> None:
    template = "a: {{ .Release.Name }}.{{ .Release.Namespace }}\n"
    tree = write_files(repository, chart("x", {"templates/a.yaml": template}))
    target = HelmTarget("x", release="web", namespace="prod")
    assert "a: web.prod\n" in text(rendered(helm.render(target, tree)))
    bad = HelmTarget("x", release="--post-renderer=/bin/sh")
    assert "rejects the release name" in failed(helm.render(bad, tree)).message


def test_what_the_templates_learn_of_the_cluster(helm: Engine, repository: Path) -> None:
    asks = (
        "a: {{ .Capabilities.KubeVersion.Minor }}\n"
        'b: {{ .Capabilities.APIVersions.Has "example.org/v1" }}\n'
        'c: {{ .Capabilities.APIVersions.Has "example.org/v1/Thing" }}\n'
        'd: {{ .Capabilities.APIVersions.Has "apps/v1" }}\n'
    )
    tree = write_files(repository, chart("x", {"templates/a.yaml": asks}))
    cluster = Cluster("1.23", ("example.org/v1", "example.org/v1/Thing"))
    told = text(rendered(helm.render(HelmTarget("x", cluster=cluster), tree)))
    assert "a: 23\nb: true\nc: true\nd: true\n" in told
    assert "b: false\nc: false\nd: true\n" in text(rendered(helm.render(HelmTarget("x"), tree)))


def test_monitors_are_rendered_where_a_chart_asks_for_their_kinds(helm: Engine, repository: Path) -> None:
    asks = "".join(f'{{{{ if .Capabilities.APIVersions.Has "{one}" }}}}y{{{{ end }}}}' for one in ASSUMED)
    tree = write_files(repository, chart("x", {"templates/a.yaml": f"a: {asks}\n"}))
    assert f"a: {'y' * len(ASSUMED)}\n" in text(rendered(helm.render(HelmTarget("x"), tree)))


def test_tests_of_the_chart_are_rendered_too(helm: Engine, repository: Path) -> None:
    hook = "kind: Pod\nmetadata:\n  name: t\n  annotations:\n    helm.sh/hook: test\n"
    other = "kind: Job\nmetadata:\n  name: j\n  annotations:\n    helm.sh/hook: pre-install\n"
    tree = write_files(repository, chart("x", {"templates/t.yaml": hook, "templates/j.yaml": other}))
    assert set(sources(rendered(helm.render(helm_target("x"), tree)))) == {
        "x/templates/j.yaml",
        "x/templates/t.yaml",
    }


def test_a_test_with_a_random_name_is_no_object_to_compare(helm: Engine, repository: Path) -> None:
    hook = 'kind: Pod\nmetadata:\n  name: {}\n  annotations:\n    "helm.sh/hook": test-success\n'
    other = "kind: Secret\nmetadata:\n  name: s-{{ randAlphaNum 5 | lower }}\n"
    files = {
        "templates/random.yaml": hook.format("t-{{ randAlphaNum 5 | lower }}"),
        "templates/steady.yaml": hook.format("t"),
        "templates/secret.yaml": other,
    }
    tree = write_files(repository, chart("x", files))
    assert set(sources(rendered(helm.render(helm_target("x"), tree)))) == {
        "x/templates/steady.yaml",
        "x/templates/secret.yaml",
    }


def test_documents_without_content_are_dropped(helm: Engine, repository: Path) -> None:
    files = {
        "templates/a.yaml": "# nothing\n---\n\n---\n  # more\n",
        "templates/b.yaml": "{{ if false }}x: 1{{ end }}",
    }
    tree = write_files(repository, chart("x", files))
    assert rendered(helm.render(helm_target("x"), tree)).documents == ()


def test_a_forged_source_is_not_believed(helm: Engine, repository: Path) -> None:
    claim = "# Source: shop/templates/victim.yaml\nkind: Service\n"
    forged = {
        "second-comment": claim,
        "two-markers": f"---\n---\n{claim}",
        "end-of-document": f"kind: Pod\n...\n{claim}",
        "both": f"kind: Pod\n---\n---\n{claim}...\n{claim}",
    }
    files = {f"templates/{name}.yaml": f"{body}" for name, body in forged.items()}
    tree = write_files(repository, chart("x", files | {"templates/victim.yaml": "kind: Victim\n"}))
    result = rendered(helm.render(helm_target("x"), tree))
    for document in result.documents:
        expected = "kind: Victim" in document.text
        assert (document.source == "x/templates/victim.yaml") is expected, document


def test_a_source_that_is_not_a_file_is_unknown(helm: Engine, repository: Path) -> None:
    files = chart("x", {"templates/a.yaml": "kind: Pod\n", "charts/sub.tgz": ""})
    tree = write_files(repository, files)
    sub = write_files(
        repository.parent / "sub", chart("sub", {"templates/s.yaml": "kind: Sub\n"}, name="sub")
    )
    argv = [*current_helm().argv, "package", str(sub.root / "sub"), "-d", str(repository / "x/charts")]
    subprocess.run(argv, check=True, capture_output=True, env={"HOME": str(repository.parent)})
    (repository / "x/charts/sub.tgz").unlink()
    result = rendered(helm.render(helm_target("x"), tree))
    assert sorted(map(str, sources(result))) == ["None", "x/templates/a.yaml"]


@pytest.mark.parametrize(
    "named",
    [
        "shop/templates/none.yaml",
        "shop/templates/../Chart.yaml",
        "other/templates/a.yaml",
        "shop/a.yaml",
        "shop/templates/a.yaml\n",
    ],
)
def test_a_name_that_no_template_has_is_no_place(repository: Path, named: str) -> None:
    tree = write_files(repository, chart("x", {"templates/a.yaml": "kind: A\n"}))
    paths = ChartPaths(helm_target("x"), tree)
    assert paths.template("shop/templates/a.yaml") == "x/templates/a.yaml"
    assert paths.template(named) is None


def test_subcharts_are_found_by_name_and_alias_whatever_their_folder(helm: Engine, repository: Path) -> None:
    dependencies = "dependencies:\n- {name: redis, version: 0.1.0, alias: cache}\n- {name: redis, version: 0.1.0, alias: queue}\n"
    files = chart("x", {"templates/a.yaml": "kind: Top\n"}, more=dependencies)
    files |= chart("x/charts/redis-folder", {"templates/r.yaml": "kind: Redis\n"}, name="redis")
    files |= chart("x/charts/plain", {"templates/p.yaml": "kind: Plain\n"}, name="odd-name")
    files |= chart("x/charts/plain/charts/leaf", {"templates/l.yaml": "kind: Leaf\n"}, name="leaf")
    result = rendered(helm.render(helm_target("x"), write_files(repository, files)))
    assert sorted(map(str, sources(result))) == [
        "x/charts/plain/charts/leaf/templates/l.yaml",
        "x/charts/plain/templates/p.yaml",
        "x/charts/redis-folder/templates/r.yaml",
        "x/charts/redis-folder/templates/r.yaml",
        "x/templates/a.yaml",
    ]


def test_a_mounted_chart_is_named_where_it_lies(helm: Engine, repository: Path) -> None:
    dependencies = "dependencies:\n- {name: common, version: 0.1.0, repository: 'file://../common'}\n"
    files = chart("charts/x", {"templates/a.yaml": 'kind: {{ include "word" . }}\n'}, more=dependencies)
    files |= chart(
        "charts/common",
        {
            "templates/c.yaml": SERVICE,
            "values.yaml": "port: 80\n",
            "templates/_h.tpl": '{{ define "word" }}Pod{{ end }}',
        },
        name="common",
    )
    tree = write_files(repository, files)
    target = helm_target("charts/x", mounts=(Mount("charts/lib", "charts/common"),))
    result = rendered(helm.render(target, tree))
    assert sorted(map(str, sources(result))) == [
        "charts/common/templates/c.yaml",
        "charts/x/templates/a.yaml",
    ]
    edited = Tree(tree.root, {"charts/common/values.yaml": "port: 81\n"})
    assert "port: 81\n" in text(rendered(helm.render(target, edited)))


def test_links_inside_the_repository_work_in_place_and_in_a_copy(helm: Engine, repository: Path) -> None:
    files = chart("x", {"values.yaml": "port: 80\n"}) | {"shared/a.yaml": SERVICE, "one/b.yaml": SERVICE}
    tree = write_files(repository, files)
    (repository / "x/templates").symlink_to("../shared")
    (repository / "shared/linked.yaml").symlink_to("../one/b.yaml")
    target = helm_target("x", mounts=(Mount("templates", "shared"),))
    in_place = rendered(helm.render(target, tree))
    assert sorted(map(str, sources(in_place))) == ["shared/a.yaml", "shared/linked.yaml"]
    copied = rendered(helm.render(target, Tree(tree.root, {"shared/a.yaml": "kind: Edited\n"})))
    assert "kind: Edited" in text(copied)
    assert "port: 80" in text(copied)


def test_a_copy_follows_no_link_out_of_the_repository(helm: Engine, repository: Path) -> None:
    files = {
        "templates/a.yaml": 'a: {{ .Files.Get "secret" }}{{ .Files.Get "link/secret" }}{{ .Values.b }}\n'
    }
    tree = write_files(repository, chart("x", files))
    outside = repository.parent / "outside"
    outside.mkdir()
    (outside / "secret").write_text("CANARY")
    (repository / "x/secret").symlink_to(outside / "secret")
    (repository / "x/link").symlink_to(outside)
    (repository / ".git").mkdir()
    (repository / ".git/secret").write_text("CANARY")
    (repository / "x/git").symlink_to("../.git")
    result = rendered(helm.render(helm_target("x"), Tree(tree.root, {"x/values.yaml": "b: 1\n"})))
    assert "CANARY" not in text(result)


def test_nothing_is_ever_written_into_the_tree(helm: Engine, repository: Path) -> None:
    files = chart(
        "x",
        {"values.yaml": "port: 80\n", "templates/a.yaml": SERVICE, "templates/b.yaml": "{{ .Values.a.b }}"},
    )
    tree = write_files(repository, files | {"k/kustomization.yaml": "resources: [a.yaml]\n"})
    before = listing(repository)
    folders = [repository, *(path for path in repository.rglob("*") if path.is_dir())]
    for folder in folders:
        folder.chmod(0o555)
    try:
        failed(helm.render(helm_target("x"), tree))
        rendered(helm.render(helm_target("x"), Tree(tree.root, {"x/templates/b.yaml": "kind: Pod\n"})))
        failed(helm.render(helm_target("x"), Tree(tree.root, {"x/values.yaml": "a: [\n"})))
    finally:
        for folder in folders:
            folder.chmod(0o755)
    assert listing(repository) == before


def test_the_tool_sees_nothing_of_our_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANARY", "token")
    monkeypatch.setenv("HELM_PLUGINS", str(tmp_path))
    with engine(tmp_path) as made:
        environment = made._scratch.helm_environment
        assert "CANARY" not in environment
        assert not list(Path(environment["HELM_PLUGINS"]).iterdir())
        assert not list(Path(environment["PATH"]).iterdir())
        assert environment["KUBECONFIG"] == os.devnull
        assert environment["HTTPS_PROXY"] == environment["http_proxy"] == "http://127.0.0.1:9"


def test_the_scratch_folder_is_removed_whatever_happens(tmp_path: Path) -> None:
    left = []
    with pytest.raises(ValueError, match="stop"), engine(tmp_path) as made:  # noqa: PT012
        left.append(made._scratch.root)
        raise ValueError("stop")
    assert not left[0].exists()


def test_a_copy_is_removed_after_its_render(tmp_path: Path, repository: Path) -> None:
    tree = write_files(repository, chart("x", {"templates/a.yaml": "kind: Pod\n"}))
    with engine(tmp_path) as made:
        rendered(made.render(helm_target("x"), Tree(tree.root, {"x/templates/a.yaml": "kind: Job\n"})))
        assert not list((made._scratch.root / "work").iterdir())


@pytest.mark.parametrize("kind", ["folder", "file"])
@pytest.mark.parametrize("at", [".", "sub"])
def test_no_template_sees_what_git_keeps(tmp_path: Path, kind: str, at: str) -> None:
    """A checkout leaves credentials in ``.git``; a chart at the root of the repository has it among its files."""
    template = '{{ .Files.Get ".git/config" }}{{ .Files.Get ".git" }}{{ .Files.Get "a" }}|{{ range $p, $_ := .Files }}{{ $p }} {{ end }}'
    tree = write_files(tmp_path / "r", chart("x", {"templates/t.yaml": f"a: {template!r}\n", "a": "own"}))
    git = tree.root / "x" / at / ".git"
    git.parent.mkdir(exist_ok=True)
    if kind == "folder":
        git.mkdir()
        (git / "config").write_text("canary")
    else:
        git.write_text("canary")
    target = next(one for one in discover(tree).targets if isinstance(one, HelmTarget))
    with engine(tmp_path) as made:
        text = rendered(made.render(target, tree)).documents[0].text
    assert "own" in text
    assert "canary" not in text
    assert ".git" not in text
