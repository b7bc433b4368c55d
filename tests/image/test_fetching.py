"""Charts of registries and remote bases, fetched in the container: by whom it is allowed, and with nothing of the runner's."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.program import Repository
from tests.e2e.test_remote_bases import DEPLOYMENT, PATCH, SERVICE
from tests.e2e.test_remote_charts import RELEASE, REPOSITORY, VERSIONS
from tests.hostile.support import forms_of
from tests.image.container import IMAGE, Runner
from tests.support.registry import Host, Reply, certificate, publish, push, serve_git
from tests.support.registry import host as started
from tests.support.rendering import write_files

pytestmark = pytest.mark.skipif(not IMAGE, reason="no PORTPROOF_IMAGE; .ci/image builds one and runs these")

TOKEN = "canary-of-the-image"
VARIABLES = {
    "INPUT_GITHUB-TOKEN": TOKEN,
    "GITHUB_TOKEN": TOKEN,
    "ACTIONS_RUNTIME_TOKEN": TOKEN,
    "INPUT_REPORT-FILE": "report.json",
    "SSL_CERT_FILE": "/opt/certificate.pem",
}


@pytest.fixture
def hosts() -> Iterator[tuple[Host, Host]]:
    with started() as allowed, started() as private:
        yield allowed, private


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    write_files(tmp_path, {"workflow/event.json": json.dumps({"repository": {"full_name": "octo/shop"}})})
    return Runner(tmp_path, tmp_path / "workspace")


def run(runner: Runner, files: dict[str, str]) -> dict[str, str | None]:
    """What became of each target."""
    write_files(runner.workspace, {".git/HEAD": "ref: refs/heads/main\n", **files})
    public = runner.folder / "certificate.pem"
    public.write_bytes(certificate().read_bytes())
    public.chmod(0o644)
    done = runner.act(VARIABLES, options=("-v", f"{public}:/opt/certificate.pem:ro"))
    assert done.code in (0, 1), done.stdout + done.stderr
    report = json.loads((runner.workspace / "report.json").read_text())
    found = {
        one["id"]: one["reason"] if one["status"] != "checked" else one["status"] for one in report["targets"]
    }
    return found | {
        one["rule"]: one["location"]["path"] for one in report["findings"] if one["severity"] == "error"
    }


def test_what_is_allowed_is_fetched(runner: Runner, hosts: tuple[Host, Host], tmp_path: Path) -> None:
    allowed, _ = hosts
    publish(allowed, "web", VERSIONS)
    push(allowed, "charts/web", VERSIONS, realm=f"{allowed.url()}/token")
    guard = allowed.guard
    allowed.guard = lambda asked: guard(asked) if asked.path.startswith("/v2/") else None
    made = Repository(tmp_path / "upstream" / "work")
    made.root.mkdir(parents=True)
    made.write(
        {
            "base/kustomization.yaml": "resources: [all.yaml]\n",
            "base/all.yaml": f"{SERVICE}---\n{DEPLOYMENT}",
        }
    )
    made.commit()
    made.git("tag", "v1.0.0")
    subprocess.run(
        ["git", "clone", "--quiet", "--bare", made.root, made.root.parent / "shop.git"], check=True
    )
    serve_git(allowed, made.root.parent)
    release = RELEASE.replace("%VERSION%", "1.0.0").replace("%TARGET%", "http")
    oci = release.replace("name: shop", "name: oci").replace("name: charts", "name: registry")
    files = {
        "portproof.yaml": "allow-hosts: [127.0.0.1]\n",
        "apps/shop.yaml": release,
        "apps/oci.yaml": oci,
        "apps/charts.yaml": REPOSITORY.replace("%HTTPS%", allowed.url()),
        "apps/registry.yaml": REPOSITORY.replace("%HTTPS%", f"oci://127.0.0.1:{allowed.port}/charts").replace(
            "name: charts", "name: registry"
        ),
        "prod/kustomization.yaml": (
            f"resources: ['{allowed.url()}/shop.git//base?ref=v1.0.0']\npatches: [{{path: port.yaml}}]\n"
        ),
        "prod/port.yaml": PATCH % "htpp",
    }
    assert run(runner, files) == {
        "helm:apps/shop.yaml#shop": "checked",
        "helm:apps/oci.yaml#oci": "checked",
        "kustomize:prod": "checked",
        "service-target-name": "prod/port.yaml",
    }
    asked = json.dumps([[one.path, dict(one.headers)] for one in allowed.asked])
    assert not [form for form in forms_of(TOKEN) if form in asked]


def test_what_is_not_allowed_is_skipped_and_nobody_else_is_asked(
    runner: Runner, hosts: tuple[Host, Host]
) -> None:
    allowed, private = hosts
    allowed.replies["/index.yaml"] = Reply(status=302, headers={"Location": f"{private.url('localhost')}/x"})
    release = RELEASE.replace("%VERSION%", "1.0.0").replace("%TARGET%", "http")
    files = {
        "portproof.yaml": "allow-hosts: [127.0.0.1]\n",
        "apps/shop.yaml": release,
        "apps/charts.yaml": REPOSITORY.replace("%HTTPS%", allowed.url()),
        "prod/kustomization.yaml": f"resources: ['{private.url('localhost')}/a/b?ref=v1']\n",
    }
    found = run(runner, files)
    assert "localhost has an address that is not public" in (found["helm:apps/shop.yaml#shop"] or "")
    assert "not fetched" in (found["kustomize:prod"] or "")
    assert allowed.paths == ["/index.yaml"]
    assert private.asked == []
