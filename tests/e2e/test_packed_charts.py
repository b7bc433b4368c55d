"""Charts that lie in the repository as archives: rendered as they are installed, behind the guards of every archive."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.program import Program, Repository, place
from tests.e2e.test_remote_charts import BROKEN, HEALTHY
from tests.support.registry import archive, packaged

AT = "charts/web-1.0.0.tgz"
RELEASE = f"""apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {{name: shop, namespace: sales}}
spec:
  chart: {{spec: {{chart: ./{AT}, sourceRef: {{kind: GitRepository, name: here}}}}}}
"""
VALUES = "  values: {service: {target: TARGET}}\n"
SKAFFOLD = f"""apiVersion: skaffold/v4beta6
kind: Config
manifests:
  helm: {{releases: [{{name: shop, chartPath: {AT}, overrides: {{service: {{target: TARGET}}}}}}]}}
"""
TERRAFORM = f"""resource "helm_release" "shop" {{
  name = "shop"
  chart = "${{path.module}}/{AT}"
  set {{
    name = "service.target"
    value = "TARGET"
  }}
}}
"""
INSTALLED = {
    "a HelmRelease of Flux": ("apps/shop.yaml", RELEASE + VALUES),
    "a release of helmfile": (
        "helmfile.yaml",
        f"releases:\n- {{name: shop, chart: ./{AT}, values: [{{service: {{target: TARGET}}}}]}}\n",
    ),
    "a release of Skaffold": ("skaffold.yaml", SKAFFOLD),
    "a release of Terraform": ("main.tf", TERRAFORM),
}


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    monkeypatch.chdir(tmp_path)
    return Repository(tmp_path)


@pytest.mark.parametrize("how", INSTALLED)
def test_a_packed_chart_is_rendered_as_it_is_installed(
    portproof: Program, repository: Repository, how: str
) -> None:
    file, text = INSTALLED[how]
    repository.write({AT: packaged("web", "1.0.0", HEALTHY), file: text.replace("TARGET", "htpp")})
    (finding,) = portproof.check("--offline")["findings"]
    assert finding["rule"] == "service-target-name"
    if file != "main.tf":  # whose values are options, which nobody traces
        assert place(finding["location"]).startswith(f"{file}:")
        assert finding["fix"]["edits"][0]["path"] == file
    repository.write({file: text.replace("TARGET", "http")})
    report = portproof.check("--offline")
    assert (report["findings"], report["unread"], report["summary"]["checked"]) == ([], [], 1)


def test_what_a_packed_chart_brings_is_found_where_it_is_named(
    portproof: Program, repository: Repository
) -> None:
    repository.write({AT: packaged("web", "1.0.0", HEALTHY), "apps/shop.yaml": RELEASE})
    repository.commit()
    assert portproof.check("--offline")["findings"] == []
    repository.write({AT: packaged("web", "1.0.0", BROKEN)})
    (finding,) = portproof.check("--offline", "--base", "HEAD")["findings"]
    assert finding["introduced"] is True
    assert place(finding["location"]) == f"apps/shop.yaml:5:25-5:{25 + len(AT) + 2}"


UMBRELLA = {
    "shop/Chart.yaml": "apiVersion: v2\nname: shop\nversion: 1.0.0\ndependencies: [{name: web, version: 1.0.0}]\n",
    "shop/values.yaml": "{}\n",
}
SCRAPED = """apiVersion: v1
kind: Pod
metadata: {name: web, annotations: {prometheus.io/scrape: "true", prometheus.io/port: http}}
spec: {containers: [{name: web, image: "web:1", ports: [{name: http, containerPort: 8080}, {name: grpc, containerPort: 9090}]}]}
"""


def test_what_may_be_wrong_in_a_chart_of_others_and_has_no_line_here_is_a_note(
    portproof: Program, repository: Repository
) -> None:
    repository.write(
        {**UMBRELLA, "shop/charts/web-1.0.0.tgz": packaged("web", "1.0.0", {"templates/a.yaml": SCRAPED})}
    )
    (finding,) = portproof.check("--offline")["findings"]
    assert (finding["rule"], finding["severity"]) == ("scrape-annotation-port", "note")
    assert finding["location"] is None
    repository.write({"shop/templates/a.yaml": SCRAPED.replace("name: web,", "name: own,")})
    assert [one["severity"] for one in portproof.check("--offline")["findings"]] == ["warning", "note"]


def _refused() -> Iterator[tuple[str, bytes, str]]:
    link = tarfile.TarInfo("web/secret")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    yield "a link", archive({"web/Chart.yaml": "name: web\n", "web/secret": link}), "which is a link"
    yield "a bomb", archive({"web/big": bytes(4_000_000)}), "unfolds to more than 200 times its size"
    yield "cut off", packaged("web", "1.0.0", HEALTHY)[:-40], "cannot be read"
    yield "no archive", b"version https://git-lfs.github.com/spec/v1\n", "is not an archive"


REFUSED = list(_refused())


@pytest.mark.parametrize(("packed", "reason"), [one[1:] for one in REFUSED], ids=[one[0] for one in REFUSED])
def test_an_archive_that_no_packaged_chart_is_like_is_not_given_to_helm(
    portproof: Program, repository: Repository, packed: bytes, reason: str
) -> None:
    repository.write({AT: packed, "apps/shop.yaml": RELEASE})
    report = portproof.check("--offline")
    (target,) = report["targets"]
    assert target["status"] == "skipped"
    assert AT in target["reason"]
    assert reason in target["reason"]
