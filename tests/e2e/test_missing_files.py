"""A file that an overlay names and nobody has: a mistake where something here says so, else something to be made first."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.program import Program, Repository
from tests.e2e.test_layouts import broken_manifests

SOUND = broken_manifests().replace("8081", "8080")
OVERLAY = "resources: [../../base, ports.yaml]\n"
TREE = {
    "base/kustomization.yaml": "resources: [all.yaml]\n",
    "base/all.yaml": SOUND,
    "overlays/prod/kustomization.yaml": OVERLAY,
}
NETWORK = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ports}\n"
APPLICATION = """apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: shop}
spec:
  destination: {namespace: shop}
  source: {repoURL: https://example.com/shop.git, path: overlays/prod}
"""


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    monkeypatch.chdir(tmp_path)
    found = Repository(tmp_path)
    found.write(TREE)
    found.commit()
    return found


OTHER = APPLICATION.replace("overlays/prod", "base")
WRONG = {
    "nothing says what is deployed": {},
    "an Application deploys it": {"apps/shop.yaml": APPLICATION},
    "a script deploys it": {"deploy.sh": 'kubectl apply -k "$ROOT/overlays/$ENV"\n', "a.yaml": OTHER},
    "the documentation deploys it": {
        "README.md": "Run `kustomize build overlays/prod | kubectl apply -f -`.\n",
        "a.yaml": OTHER,
    },
    "a file of nearly its name is there": {"overlays/prod/portz.yaml": NETWORK, "a.yaml": OTHER},
    "a file of another ending is there": {"overlays/prod/ports.yml": NETWORK, "a.yaml": OTHER},
}


@pytest.mark.parametrize("case", WRONG)
def test_a_missing_file_is_a_mistake_where_something_says_so(
    portproof: Program, repository: Repository, case: str
) -> None:
    repository.write(WRONG[case])
    found = portproof.check()
    ((finding),) = (one for one in found["findings"] if one["rule"] == "render-failed")
    assert finding["severity"] == "error"
    assert "overlays/prod/ports.yaml is missing" in finding["message"]
    assert finding["location"]["path"] == "overlays/prod/kustomization.yaml"


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({}, "Nothing here deploys overlays/prod: add what is missing, or take its name out of"),
        ({"overlays/prod/other.yaml": NETWORK}, "Nothing here deploys overlays/prod"),
        ({"deploy.sh": "kubectl apply -k overlays/stage\n"}, "Nothing here deploys overlays/prod"),
    ],
)
def test_a_missing_file_that_nothing_speaks_of_is_to_be_made_first(
    portproof: Program, repository: Repository, files: dict[str, str], said: str
) -> None:
    repository.write({**files, "apps/shop.yaml": OTHER})
    found = portproof.check()
    assert found["findings"] == []
    (target,) = (one for one in found["targets"] if one["id"] == "kustomize:overlays/prod")
    assert target["status"] == "skipped"
    assert target["reason"].startswith("overlays/prod cannot be built: overlays/prod/ports.yaml is missing. ")
    assert said in target["reason"]
    assert portproof("check", "--strict").code == 1


@pytest.mark.parametrize("missing", ["secrets.yaml", "https://git.example.com/org/base?ref=v1"])
def test_an_object_that_is_there_twice_is_a_mistake_whatever_is_missing_besides(
    portproof: Program, repository: Repository, missing: str
) -> None:
    resources = f"resources: [../../base, ports.yaml, again.yaml, '{missing}']\n"
    repository.write(
        {
            "overlays/prod/kustomization.yaml": resources,
            "overlays/prod/ports.yaml": NETWORK,
            "overlays/prod/again.yaml": NETWORK,
            ".gitignore": "secrets.yaml\n",
        }
    )
    ((finding),) = portproof.check("--offline")["findings"]
    assert (finding["rule"], finding["severity"]) == ("render-failed", "error")
    assert "again.yaml adds ConfigMap/ports once more" in finding["message"]
    repository.write({"overlays/prod/again.yaml": NETWORK.replace("ports", "other")})
    assert portproof.check("--offline")["findings"] == []


MAKERS = {
    "deploy.sh": "sops -d secrets/ports.yaml > overlays/prod/ports.yaml\nkubectl apply -k overlays/prod\n",
    ".github/workflows/deploy.yaml": "run: |\n  yq .ports all.yaml > overlays/$ENV/ports.yaml\n",
    "tools/make.py": "for env in envs:\n    write(f'overlays/{env}/ports.yaml')\n",
    "README.md": "Copy `ports.yaml` from the vault: `cp ~/ports.yaml overlays/prod/ports.yaml`.\n",
    "hack/all.sh": 'for each in a b; do render "$each" > "overlays/prod/$each.yaml"; done\n',
}


@pytest.mark.parametrize("path", MAKERS)
def test_a_missing_file_that_something_here_may_make_is_nobodys_mistake(
    portproof: Program, repository: Repository, path: str
) -> None:
    repository.write({"apps/shop.yaml": APPLICATION, path: MAKERS[path]})
    found = portproof.check()
    assert [one["rule"] for one in found["findings"]] == []
    reasons = [one["reason"] for one in found["targets"] if one["path"] == "overlays/prod"]
    assert any(path in reason for reason in reasons if reason), reasons


def test_a_manifest_of_tests_may_be_no_yaml(portproof: Program, repository: Repository) -> None:
    broken = "kind: Service\napiVersion: v1\nspec: {ports: [\n"
    repository.write({"test/e2e/broken.yaml": broken, "test/e2e/all.yaml": SOUND})
    found = portproof.check("test/e2e")
    assert [one for one in found["findings"] if one["rule"] == "render-failed"] == []
    (unread,) = found["unread"]
    assert unread["kind"] == "manifest"
    assert "not YAML" in unread["reason"]
    repository.write({"deploy/broken.yaml": broken, "deploy/all.yaml": SOUND})
    assert [one["rule"] for one in portproof.check("deploy")["findings"]] == ["render-failed"]


@pytest.mark.parametrize("folder", ["templates/shop", "archive/shop", "boilerplate"])
def test_what_is_copied_or_kept_is_no_mistake(
    portproof: Program, repository: Repository, folder: str
) -> None:
    repository.write(
        {f"{folder}/kustomization.yaml": "resources: [gone.yaml]\n", "x.sh": f"kubectl apply -k {folder}\n"}
    )
    assert [one for one in portproof.check(folder)["findings"] if one["rule"] == "render-failed"] == []
    repository.write(
        {"shop/kustomization.yaml": "resources: [gone.yaml]\n", "x.sh": "kubectl apply -k shop\n"}
    )
    assert [one["severity"] for one in portproof.check("shop")["findings"]] == ["error"]


@pytest.mark.parametrize("moved", [True, False])
def test_files_that_have_moved_are_not_written_by_something_else(
    portproof: Program, repository: Repository, *, moved: bool
) -> None:
    names = [f"part-{letter}.yaml" for letter in "abcdefgh"]
    listed = ", ".join(f"../../parts/{name}" for name in names)
    inner = "parts/network" if moved else "other"
    repository.write(
        {
            "overlays/prod/kustomization.yaml": f"resources: [{listed}]\n",
            **{f"{inner}/{name}": NETWORK.replace("ports", name[:-5]) for name in names},
        }
    )
    found = [one["severity"] for one in portproof.check()["findings"] if one["rule"] == "render-failed"]
    assert found == (["error"] if moved else [])


FLUX = """apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: shop}
spec:
  path: ./base
  components: [../gone]
  sourceRef: {kind: GitRepository, name: flux-system}
"""


@pytest.mark.parametrize(("folder", "severities"), [("archive", []), ("clusters", ["error"])])
def test_what_an_object_in_an_archive_describes_is_deployed_by_nobody(
    portproof: Program, repository: Repository, folder: str, severities: list[str]
) -> None:
    repository.write({f"{folder}/flux/shop.yaml": FLUX, "overlays/prod/ports.yaml": NETWORK})
    found = [one for one in portproof.check()["findings"] if one["rule"] == "render-failed"]
    assert [one["severity"] for one in found] == severities


def test_a_change_that_takes_away_a_file_breaks_the_overlay_whatever_else_is_known(
    portproof: Program, repository: Repository
) -> None:
    repository.write({"overlays/prod/ports.yaml": NETWORK})
    repository.commit()
    (repository.root / "overlays/prod/ports.yaml").rename(repository.root / "overlays/prod/network.yaml")
    (finding,) = portproof.check("--base", "HEAD")["findings"]
    assert (finding["rule"], finding["severity"], finding["introduced"]) == ("render-failed", "error", True)
    repository.commit()
    repository.write({"base/all.yaml": broken_manifests(), "apps/shop.yaml": OTHER})
    assert "render-failed" not in {one["rule"] for one in portproof.check("--base", "HEAD")["findings"]}


def test_a_change_that_names_a_file_which_is_not_there_breaks_the_overlay(
    portproof: Program, repository: Repository
) -> None:
    repository.write({"overlays/prod/kustomization.yaml": "resources: [../../base]\n"})
    repository.commit()
    repository.write({"overlays/prod/kustomization.yaml": OVERLAY})
    (finding,) = portproof.check("--base", "HEAD")["findings"]
    assert (finding["rule"], finding["severity"], finding["introduced"]) == ("render-failed", "error", True)


CHART = "apiVersion: v2\nname: web\nversion: 1.0.0\n"
CHARTS = {
    "a values file to be filled in": (
        {
            "web/values-tmpl.yaml": "a: ${A}\n",
            "web/templates/a.yaml": "{{ if .Values.a }}{{ .Values.a.b.c }}{{ end }}\n",
        },
        "helm:web?values=values-tmpl.yaml",
    ),
    "a function of another tool": ({"web/templates/a.yaml": 'a: {{ werf_image "web" }}\n'}, "helm:web"),
    "a chart that another engine fills in": (
        {"web/templates/a.yaml": "a: {{ .Release.Name }}: <APP_NAME>: b\n"},
        "helm:web",
    ),
    "a version that is filled in": (
        {"web/Chart.yaml": "apiVersion: v2\nname: web\nversion: %VERSION%\n"},
        "helm:web",
    ),
    "a value that a pipeline gives": (
        {
            "web/templates/a.yaml": "a: {{ .Values.image.tag.x }}\n",
            "web/values-prod.yaml": "b: 1\n",
            ".github/workflows/cd.yaml": "run: helm upgrade web web -f web/values-prod.yaml --set a=1,image.tag.x=$X\n",
        },
        "helm:web?values=values-prod.yaml",
    ),
    "an image without a tag yet": (
        {
            "web/values.yaml": "image: {name: web, tag: }\n",
            "web/templates/a.yaml": "image: {{ .Values.image.name }}:{{ .Values.image.tag }}: x\n",
        },
        "helm:web",
    ),
    "a value that another file may give": (
        {
            "web/templates/a.yaml": "a: {{ .Values.image.tag.x }}\n",
            "web/values-prod.yaml": "b: 1\n",
            "web/values-common.yaml": "image: {tag: {x: 1}}\n",
        },
        "helm:web?values=values-prod.yaml",
    ),
    "defaults that nothing here installs": (
        {
            "web/values.yaml": "live: true\n",
            "web/templates/a.yaml": "a: {{ .Values.live.x }}\n",
            "a.yaml": OTHER,
        },
        "helm:web",
    ),
}


@pytest.mark.parametrize("case", CHARTS)
def test_a_chart_that_nobody_installs_as_it_lies_here_is_no_mistake(
    portproof: Program, repository: Repository, case: str
) -> None:
    files, id_ = CHARTS[case]
    repository.write({"web/Chart.yaml": CHART, **files})
    found = portproof.check("web")
    assert "error" not in {one["severity"] for one in found["findings"]}
    assert {one["id"]: one["status"] for one in found["targets"]}[id_] in ("skipped", "checked")


def test_a_chart_that_fails_with_its_defaults_is_a_mistake_where_nothing_says_what_is_deployed(
    portproof: Program, repository: Repository
) -> None:
    files, _ = CHARTS["defaults that nothing here installs"]
    repository.write(
        {"web/Chart.yaml": CHART, **{path: text for path, text in files.items() if path != "a.yaml"}}
    )
    assert [one["severity"] for one in portproof.check("web")["findings"]] == ["error"]
