"""Manifests beside a kustomization that does not list them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from portproof.discover.find import discover
from portproof.discover.model import ManifestTarget
from portproof.source import Tree
from tests.e2e.program import Program, Repository
from tests.e2e.test_deployed import DEPLOYMENT, OVERLAY, SERVICE

ROUTE = SERVICE.replace("name: web}", "name: other}").replace("PORT", "8080")
LISTED = {f"k8s/{path.partition('/')[2]}": text for path, text in OVERLAY.items()}
FILE = "k8s/other.yaml"


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    monkeypatch.chdir(tmp_path)
    found = Repository(tmp_path)
    found.write({**LISTED, FILE: ROUTE})
    return found


def found_in(repository: Repository, *paths: str) -> tuple[list[str], list[str]]:
    """The files of the plain targets, and what is unread."""
    found = discover(Tree(repository.root), paths or (".",))
    files = [file for one in found.targets if isinstance(one, ManifestTarget) for file in one.files]
    return files, [one.path for one in found.unread]


def test_what_nobody_lists_or_applies_is_unread_and_fails_a_strict_check(
    portproof: Program, repository: Repository
) -> None:
    repository.commit()
    report = portproof.check()
    assert report["summary"]["checked"] == 1
    reason = (
        "no kustomization lists it, and no command applies it; `portproof check k8s/other.yaml` checks it"
    )
    assert report["unread"] == [{"path": FILE, "kind": "manifest", "reason": reason}]
    run = portproof("check", "--strict")
    assert (run.code, "Unread: 1 manifest" in run.stdout) == (1, True)


def test_who_names_it_has_it_checked(portproof: Program, repository: Repository) -> None:
    repository.write(
        {FILE: ROUTE.replace("8080", "http") + f"---\n{DEPLOYMENT.replace('name: http', 'name: web')}"}
    )
    repository.commit()
    report = portproof.check(FILE)
    assert [one["id"] for one in report["targets"]] == ["manifests:k8s"]
    assert [one["rule"] for one in report["findings"]] == ["service-target-name"]


@pytest.mark.parametrize(
    ("script", "text"),
    [
        ("deploy.sh", "kubectl apply -f k8s/other.yaml\n"),
        ("k8s/deploy.sh", 'if x; then\n  kubectl -n shop apply -f "other.yaml" 2>/dev/null || true\nfi\n'),
        ("scripts/up.sh", 'kubectl apply --namespace x -f "$ROOT/k8s/other.yaml"\n'),
        ("scripts/up.sh", "kubectl apply -f ../k8s/other.yaml\n"),
        ("Makefile", "up:\n\tkubectl apply -f k8s/service.yaml -f k8s/other.yaml\n"),
        ("README.md", "Run\n\n    kubectl apply \\\n      -f k8s/\n"),
        (
            ".github/workflows/deploy.yml",
            "jobs:\n  x:\n    steps:\n    - run: kubectl create --filename=k8s/other.yaml\n",
        ),
    ],
)
def test_what_a_command_applies_is_a_target(repository: Repository, script: str, text: str) -> None:
    repository.write({script: text})
    assert found_in(repository) == ([FILE], [])


@pytest.mark.parametrize(
    ("script", "text"),
    [
        ("deploy.sh", "kubectl delete -f k8s/other.yaml\n"),
        ("deploy.sh", "kubectl apply -k k8s\n"),
        ("deploy.sh", "kubectl apply -f k8s/another.yaml; echo -f k8s/other.yaml\n"),
        ("deploy.sh", "kubectl apply -f https://example.org/k8s/other.yaml\n"),
        ("deploy.sh", 'kubectl apply -f "$FILE"\n'),
        ("deploy.sh", "kubectl apply -f k8s/$NAME.yaml\n"),
        ("notes.bin", "kubectl apply -f k8s/other.yaml\n"),
    ],
)
def test_a_command_that_does_not_say_it_is_not_taken_for_one(
    repository: Repository, script: str, text: str
) -> None:
    repository.write({script: text})
    assert found_in(repository) == ([], [FILE])


def test_a_name_alone_says_which_file_only_where_there_is_one(repository: Repository) -> None:
    repository.write({"scripts/up.sh": "cd ../k8s && kubectl apply -f other.yaml\n"})
    assert found_in(repository) == ([FILE], [])
    repository.write({"apps/other.yaml": "a: 1\n"})
    assert found_in(repository) == ([], [FILE])


NOISE = {
    "a patch of a Deployment": DEPLOYMENT.replace("  selector: {matchLabels: {app: web}}\n", ""),
    "a patch without an image": DEPLOYMENT.replace("image: registry.example.org/web:1, ", ""),
    "a patch of a Service": "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {type: NodePort}\n",
    "a patch that removes": ROUTE + "$patch: delete\n",
    "values": "replicas: 1\nservice: {port: 80}\n",
    "no object with ports": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n",
    "what somebody starts once": DEPLOYMENT.replace("kind: Deployment", "kind: Job"),
    "what is no YAML": ROUTE + "x: [\n",
}


@pytest.mark.parametrize("text", NOISE.values(), ids=NOISE)
def test_what_nobody_would_apply_by_itself_is_not_unread(repository: Repository, text: str) -> None:
    repository.write({FILE: text})
    assert found_in(repository) == ([], [])


@pytest.mark.parametrize(
    "name", ["web-patch.yaml", "service.example.yaml", "old/other.yaml", "other-disabled.yaml"]
)
def test_what_is_called_so_is_not_unread(repository: Repository, name: str) -> None:
    (repository.root / FILE).unlink()
    folder = f"k8s/{name}".rpartition("/")[0]
    repository.write({f"k8s/{name}": ROUTE, f"{folder}/kustomization.yaml": LISTED["k8s/kustomization.yaml"]})
    assert found_in(repository)[1] == []


def test_what_somebody_has_switched_off_is_not_unread(repository: Repository) -> None:
    repository.write(
        {"k8s/kustomization.yaml": "resources:\n- service.yaml\n- deployment.yaml\n# - other.yaml\n"}
    )
    assert found_in(repository) == ([], [])


def test_what_is_switched_off_in_a_kustomization_of_another_ending_is_not_unread(
    repository: Repository,
) -> None:
    repository.replace("k8s/kustomization.yaml", "resources:", "# - other.yaml\nresources:")
    (repository.root / "k8s/kustomization.yaml").rename(repository.root / "k8s/kustomization.yml")
    assert found_in(repository) == ([], [])


def test_what_git_ignores_is_not_unread(portproof: Program, repository: Repository) -> None:
    repository.write({".gitignore": "other.yaml\n"})
    repository.commit()
    assert portproof.check()["unread"] == []


class TestTemplates:
    """Templates of OpenShift, whose parameters somebody gives when they are processed."""

    TEMPLATE = """\
apiVersion: VERSION
kind: Template
metadata: {name: web}
objects:
  - apiVersion: apps.openshift.io/v1
    kind: DeploymentConfig
    metadata: {name: "${NAME}"}
    spec: {template: {metadata: {labels: {app: web}}, spec: {containers: [{name: web, image: web}]}}}
parameters: [{name: NAME, required: true}]
"""

    @pytest.mark.parametrize("version", ["v1", "template.openshift.io/v1", '"v1"'])
    def test_they_are_unread(self, portproof: Program, repository: Repository, version: str) -> None:
        repository.write({"openshift/web.yml": self.TEMPLATE.replace("VERSION", version)})
        repository.commit()
        (found,) = [one for one in portproof.check()["unread"] if one["path"] == "openshift/web.yml"]
        assert found["kind"] == "openshift-template"
        assert "oc process --local -f openshift/web.yml" in found["reason"]
        assert "1 OpenShift Template" in portproof("check", "openshift").stdout

    def test_in_json(self, repository: Repository) -> None:
        made = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}}
        text = json.dumps(
            {"kind": "Template", "apiVersion": "v1", "metadata": {"name": "web"}, "objects": [made]}, indent=2
        )
        repository.write({"openshift/web.json": text})
        assert "openshift/web.json" in found_in(repository)[1]

    def test_beside_manifests(self, repository: Repository) -> None:
        repository.write(
            {"openshift/a.yaml": self.TEMPLATE.replace("VERSION", "v1"), "openshift/b.yaml": ROUTE}
        )
        files, unread = found_in(repository, "openshift")
        assert "openshift/b.yaml" in files
        assert unread == ["openshift/a.yaml"]

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ("VERSION", "scaffolder.backstage.io/v1beta3"),
            ("DeploymentConfig", "BuildConfig"),
        ],
    )
    def test_what_has_no_ports_or_is_of_another_group(
        self, repository: Repository, old: str, new: str
    ) -> None:
        text = self.TEMPLATE.replace(old, new).replace("VERSION", "v1")
        repository.write({"openshift/web.yaml": text})
        assert "openshift/web.yaml" not in found_in(repository)[1]

    @pytest.mark.usefixtures("repository")
    def test_what_one_makes_is_checked_from_a_pipe(self, portproof: Program) -> None:
        made = """\
apiVersion: v1
kind: List
items:
  - apiVersion: apps.openshift.io/v1
    kind: DeploymentConfig
    metadata: {name: web}
    spec:
      template:
        metadata: {labels: {app: web}}
        spec: {containers: [{name: web, image: web, ports: [{name: http, containerPort: 8080}]}]}
  - {apiVersion: v1, kind: Service, metadata: {name: web}, spec: {selector: {app: web}, ports: [{port: 80, targetPort: web}]}}
"""
        report = portproof.piped(made, "check", "-", "--format", "json").report
        assert [one["rule"] for one in report["findings"]] == ["service-target-name"]
