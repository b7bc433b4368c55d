"""What a change did to the edge of a finding, and the line of the change at which the finding stands."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from tests.e2e.program import Program, Repository

Make = Callable[[str], Repository]

SERVICE = """apiVersion: v1
kind: Service
metadata:
  name: web
spec:
  selector:
    app: web
  ports:
    - name: http
      port: 80
      targetPort: 8080
    - name: admin
      port: 81
      targetPort: admin
"""
DEPLOYMENT = """apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  selector:
    matchLabels:
      app: web
  template:
    metadata:
      labels:
        app: web
    spec:
      containers:
        - name: web
          image: registry.example.org/web:1
          ports:
            - name: http
              containerPort: 8080
            - name: admin
              containerPort: 9000
          readinessProbe:
            httpGet:
              path: /
              port: 8080
"""
INGRESS = """apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: web
spec:
  defaultBackend:
    service:
      name: web
      port:
        name: http
"""
MANIFESTS = {"k8s/service.yaml": SERVICE, "k8s/deployment.yaml": DEPLOYMENT, "k8s/ingress.yaml": INGRESS}
CHART = {
    "chart/Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.0.0\n",
    "chart/values.yaml": "service:\n  name: http\n  target: 8080\nlabel: web\n",
    "chart/templates/service.yaml": SERVICE.replace("name: http", "name: {{ .Values.service.name }}")
    .replace("targetPort: 8080", "targetPort: {{ .Values.service.target }}")
    .replace("app: web", "app: {{ .Values.label }}"),
    "chart/templates/deployment.yaml": DEPLOYMENT,
    "chart/templates/ingress.yaml": INGRESS,
}
PATCH = """apiVersion: v1
kind: Service
metadata:
  name: web
spec:
  type: NodePort
"""
OVERLAY = {
    "base/kustomization.yaml": "resources: [service.yaml, deployment.yaml, ingress.yaml]\n",
    "base/service.yaml": SERVICE,
    "base/deployment.yaml": DEPLOYMENT,
    "base/ingress.yaml": INGRESS,
    "overlays/prod/kustomization.yaml": "resources:\n  - ../../base\npatches:\n  - path: patch.yaml\n",
    "overlays/prod/patch.yaml": PATCH,
}

Edit = tuple[str, str, str]
"""A file, a text of it, and what stands there after the change."""


def found(portproof: Program, make: Make, files: Mapping[str, str], *edits: Edit) -> list[dict[str, Any]]:
    """What a change of `files` brings in."""
    repository = make("")
    repository.write(files)
    repository.commit()
    for path, old, new in edits:
        repository.replace(path, old, new)
    with repository.untouched():
        report = portproof.check("--base", "HEAD")
    return [one for one in report["findings"] if one["introduced"]]


def lines(finding: Mapping[str, Any]) -> str:
    place = finding["location"]
    return f"{place['path']}:{place['line']} {place['proof']}"


TARGET = "Service/web spec.ports[0].targetPort"
DECLARED = "Deployment/web spec.template.spec.containers[0].ports[0].containerPort"
BACKEND = "Ingress/web spec.defaultBackend.service.port.name"
MOVED = {"end": TARGET, "before": 8080, "after": 9090, "other_end": DECLARED, "stayed": 8080}
RENAMED = {
    "end": "Service/web spec.ports[0].name",
    "before": "http",
    "after": "web",
    "other_end": BACKEND,
    "stayed": "http",
}
LEFT = {
    "end": "Deployment/web spec.template.spec.containers[0].ports[1].name",
    "before": "admin",
    "after": None,
    "other_end": "Service/web spec.ports[1].targetPort",
    "stayed": "admin",
}
CASES: dict[str, tuple[Mapping[str, str], list[Edit], str, str, Mapping[str, object]]] = {
    "manifests-target-moves": (
        MANIFESTS,
        [("k8s/service.yaml", "8080", "9090")],
        "service-target-number",
        "k8s/service.yaml:11 proven",
        MOVED,
    ),
    "manifests-port-is-renamed": (
        MANIFESTS,
        [("k8s/service.yaml", "name: http", "name: web")],
        "ingress-backend-port",
        "k8s/service.yaml:9 proven",
        RENAMED,
    ),
    "manifests-declaration-is-removed": (
        MANIFESTS,
        [("k8s/deployment.yaml", "            - name: admin\n              containerPort: 9000\n", "")],
        "service-target-name",
        "k8s/deployment.yaml:19 hinted",
        LEFT,
    ),
    "chart-value-moves": (
        CHART,
        [("chart/values.yaml", "8080", "9090")],
        "service-target-number",
        "chart/values.yaml:3 proven",
        MOVED,
    ),
    "chart-port-is-renamed": (
        CHART,
        [("chart/values.yaml", "name: http", "name: web")],
        "ingress-backend-port",
        "chart/values.yaml:2 proven",
        RENAMED,
    ),
    "chart-selector-moves": (
        CHART,
        [("chart/values.yaml", "label: web", "label: shop")],
        "service-lost-pods",
        "chart/values.yaml:4 proven",
        {
            "end": "Service/web spec.selector.app",
            "before": "web",
            "after": "shop",
            "other_end": "Deployment/web spec.template.metadata.labels.app",
            "stayed": "web",
        },
    ),
    "overlay-patch-moves-the-target": (
        OVERLAY,
        [
            (
                "overlays/prod/patch.yaml",
                "  type: NodePort\n",
                "  type: NodePort\n  ports:\n    - port: 80\n      targetPort: 9090\n",
            )
        ],
        "service-target-number",
        "overlays/prod/patch.yaml:9 proven",
        MOVED,
    ),
    "overlay-base-port-is-renamed": (
        OVERLAY,
        [("base/service.yaml", "name: http", "name: web")],
        "ingress-backend-port",
        "base/service.yaml:9 proven",
        RENAMED,
    ),
    "overlay-declaration-is-removed": (
        OVERLAY,
        [("base/deployment.yaml", "            - name: admin\n              containerPort: 9000\n", "")],
        "service-target-name",
        "base/deployment.yaml:19 hinted",
        LEFT,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_finding_stands_at_the_line_of_the_change(
    portproof: Program, make_repository: Make, case: str
) -> None:
    files, edits, rule, place, change = CASES[case]
    several = found(portproof, make_repository, files, *edits)
    assert [(one["rule"], lines(one), one["change"]) for one in several] == [(rule, place, change)]


def test_a_patch_that_is_removed_leaves_its_line(portproof: Program, make_repository: Make) -> None:
    ports = "  ports:\n    - port: 80\n      targetPort: 8080\n"
    files = {
        **OVERLAY,
        "base/service.yaml": SERVICE.replace("8080", "9999"),
        "overlays/prod/patch.yaml": PATCH + ports,
    }
    (one,) = found(portproof, make_repository, files, ("overlays/prod/patch.yaml", ports, ""))
    assert (lines(one), one["change"]["before"], one["change"]["after"]) == (
        "overlays/prod/patch.yaml:7 hinted",
        8080,
        9999,
    )
    field = {"path": "base/service.yaml", "line": 11}
    assert field.items() <= one["related"][0]["location"].items()


def test_a_new_edge_has_no_change(portproof: Program, make_repository: Make) -> None:
    other = INGRESS.replace("  name: web\nspec", "  name: other\nspec").replace("name: http", "name: grpc")
    edit = ("k8s/ingress.yaml", INGRESS, f"{INGRESS}---\n{other}")
    (one,) = found(portproof, make_repository, MANIFESTS, edit)
    assert (lines(one), one["change"]) == ("k8s/ingress.yaml:21 proven", None)


def test_both_ends_that_moved_have_no_other_end(portproof: Program, make_repository: Make) -> None:
    several = found(
        portproof,
        make_repository,
        MANIFESTS,
        ("k8s/service.yaml", "8080", "9090"),
        ("k8s/deployment.yaml", "containerPort: 8080", "containerPort: 9091"),
    )
    (one,) = (each for each in several if each["rule"] == "service-target-number")
    assert (one["change"]["after"], one["change"]["other_end"], one["change"]["stayed"]) == (9090, None, None)


# what is new


BROKEN = {**MANIFESTS, "k8s/service.yaml": SERVICE.replace("8080", "8081")}


def introduced(portproof: Program) -> list[tuple[str, bool | None]]:
    return [(one["rule"], one["introduced"]) for one in portproof.check("--base", "HEAD")["findings"]]


def test_an_entry_above_makes_no_news(portproof: Program, make_repository: Make) -> None:
    repository = make_repository("")
    repository.write(BROKEN)
    repository.commit()
    above = "  ports:\n    - name: extra\n      port: 82\n      targetPort: http\n"
    repository.replace("k8s/service.yaml", "  ports:\n", above)
    assert introduced(portproof) == [("service-target-number", False)]


def test_another_wrong_value_is_news(portproof: Program, make_repository: Make) -> None:
    repository = make_repository("")
    repository.write(BROKEN)
    repository.commit()
    repository.replace("k8s/service.yaml", "8081", "8082")
    (one,) = portproof.check("--base", "HEAD")["findings"]
    assert (one["introduced"], one["change"]["before"], one["change"]["after"]) == (True, 8081, 8082)


def test_nothing_is_new_where_the_base_does_not_render(portproof: Program, make_repository: Make) -> None:
    repository = make_repository("")
    repository.write({**CHART, "chart/templates/more.yaml": "{{ if }}"})
    repository.commit()
    (repository.root / "chart/templates/more.yaml").unlink()
    repository.replace("chart/values.yaml", "8080", "8081")
    assert introduced(portproof) == [("service-target-number", None)]
    run = portproof("check", "--base", "HEAD")
    assert run.code == 0
    assert (
        "Not compared: helm:chart\n      the base could not be rendered, so no finding counts as new"
        in run.stdout
    )


def test_what_the_other_branch_broke_is_not_of_this_change(portproof: Program, make_repository: Make) -> None:
    repository = make_repository("")
    repository.write(MANIFESTS)
    repository.commit()
    repository.git("branch", "feature")
    repository.replace("k8s/service.yaml", "8080", "8081")
    repository.commit()
    repository.git("switch", "--quiet", "feature")
    repository.replace("k8s/ingress.yaml", "name: http", "name: htpp")
    repository.commit()
    for _ in ("behind main", "with main merged in"):
        report = portproof.check("--base", "main")
        new = [one["rule"] for one in report["findings"] if one["introduced"]]
        assert new == ["ingress-backend-port"]
        repository.git("merge", "--quiet", "--no-edit", "main")


def test_a_comment_at_the_line_of_the_change_suppresses(portproof: Program, make_repository: Make) -> None:
    said = "name: web  # portproof: ignore[ingress-backend-port] the Ingress follows"
    assert (
        found(portproof, make_repository, MANIFESTS, ("k8s/service.yaml", "- name: http", f"- {said}")) == []
    )


def test_what_one_of_several_alternatives_lost_is_reported(portproof: Program, make_repository: Make) -> None:
    """The Services are applied with either route, and only one of them asks for the Service that is renamed."""
    routes = {
        f"k8s/{name}.yaml": INGRESS.replace("      name: web\n", f"      name: {service}\n")
        for name, service in (("first", "web"), ("second", "other"))
    }
    other = SERVICE.replace("name: web\n", "name: other\n", 1)
    files = {"k8s/service.yaml": f"{SERVICE}---\n{other}", "k8s/deployment.yaml": DEPLOYMENT, **routes}
    (one,) = found(
        portproof, make_repository, files, ("k8s/service.yaml", "  name: web\nspec", "  name: shop\nspec")
    )
    assert (one["rule"], lines(one)) == ("service-gone", "k8s/service.yaml:4 proven")
    assert one["targets"] == ["manifests:k8s/first.yaml"]


# many at once


@pytest.mark.parametrize(("count", "findings"), [(30, 30), (31, 1)])
def test_more_than_thirty_edges_that_one_line_breaks_are_one_finding(
    portproof: Program, make_repository: Make, count: int, findings: int
) -> None:
    names = [f"web-{number:02}" for number in range(count)]
    many = "---\n".join(INGRESS.replace("  name: web\nspec", f"  name: {name}\nspec") for name in names)
    files = {**MANIFESTS, "k8s/ingress.yaml": many}
    several = found(portproof, make_repository, files, ("k8s/service.yaml", "name: http", "name: web"))
    assert len(several) == findings
    assert {lines(one) for one in several} == {"k8s/service.yaml:9 proven"}
    if findings == 1:
        (one,) = several
        assert one["message"].endswith(" The same line breaks 30 more of these, in 31 objects together.")
        assert len(one["related"]) == 12  # the Ingress itself, the other port, and ten more of them
        offers = [edit["new"] for edit in _edits(one)]
        assert offers == ["http"], "the Service's name is what cures them all"
        assert one["change"] == {
            **RENAMED,
            "other_end": "Ingress/web-00 spec.defaultBackend.service.port.name",
        }


def _edits(finding: Mapping[str, Any]) -> list[dict[str, Any]]:
    fixes = [*([finding["fix"]] if finding["fix"] else []), *finding["alternatives"]]
    return [edit for fix in fixes for edit in fix["edits"]]


# folders that move

FOLDERS = {"chart": (CHART, "chart"), "overlay": (OVERLAY, "overlays/prod"), "manifests": (MANIFESTS, "k8s")}
WRONG = {"chart": "chart/values.yaml", "overlay": "base/service.yaml", "manifests": "k8s/service.yaml"}


@pytest.mark.parametrize("form", FOLDERS)
def test_what_is_only_moved_to_another_folder_has_nothing_new(
    portproof: Program, make_repository: Make, form: str
) -> None:
    files, folder = FOLDERS[form]
    repository = make_repository("")
    repository.write({**files, WRONG[form]: files[WRONG[form]].replace("8080", "8081")})
    repository.commit()
    (repository.root / folder).rename(repository.root / f"{folder}-moved")
    assert introduced(portproof) == [("service-target-number", False)]


@pytest.mark.parametrize("form", ["chart", "manifests"])
def test_a_folder_that_moves_and_changes_is_held_against_what_it_was(
    portproof: Program, make_repository: Make, form: str
) -> None:
    files, folder = FOLDERS[form]
    repository = make_repository("")
    repository.write(files)
    repository.commit()
    (repository.root / folder).rename(repository.root / "moved")
    path = WRONG[form].replace(folder, "moved")
    repository.replace(path, "8080", "9090")
    (one,) = portproof.check("--base", "HEAD")["findings"]
    line = 3 if form == "chart" else 11
    assert (one["rule"], lines(one), one["change"]) == (
        "service-target-number",
        f"{path}:{line} proven",
        MOVED,
    )


def test_a_chart_that_failed_before_it_was_moved_is_no_news(
    portproof: Program, make_repository: Make
) -> None:
    repository = make_repository("")
    repository.write({**CHART, "chart/templates/more.yaml": "{{ if }}"})
    repository.commit()
    (repository.root / "chart").rename(repository.root / "moved")
    assert introduced(portproof) == [("render-failed", False)]


def test_a_new_alternative_brings_no_news_of_the_files_that_it_shares(
    portproof: Program, make_repository: Make
) -> None:
    """The Service misses its port beside either of two alternatives; a change adds a third."""
    repository = make_repository("")
    alternatives = {
        f"k8s/{name}.yaml": INGRESS.replace("name: http", f"name: {port}")
        for name, port in (("first", "http"), ("second", "admin"))
    }
    shared = SERVICE.replace("targetPort: admin", "targetPort: console")
    repository.write({"k8s/service.yaml": shared, "k8s/deployment.yaml": DEPLOYMENT, **alternatives})
    repository.commit()
    # It has something of its own: what repeats another one to the letter is no alternative to it.
    third = INGRESS.replace("name: web\nspec", "name: web\n  labels: {tier: third}\nspec")
    repository.write({"k8s/third.yaml": third})
    (one,) = portproof.check("--base", "HEAD")["findings"]
    assert (one["rule"], one["introduced"]) == ("service-target-name", False)
    assert "manifests:k8s/third.yaml" in one["targets"]
