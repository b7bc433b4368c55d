"""``portproof map`` on real renderings: every port is on it, and its documents stay true."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from portproof.config import Config
from portproof.discover.find import discover
from portproof.portmap.survey import shown_name
from portproof.render.model import Rendering
from portproof.source import Tree
from tests.e2e.program import Program, Repository
from tests.support.rendering import engine

MakeRepository = Callable[[str], Repository]
GOLDEN = Path(__file__).parents[1] / "data" / "map"
RIGHT = "  targetPort: 8080\n"


@pytest.mark.parametrize("fixture", ["incident/broken", "incident/repaired", "shop"])
def test_the_committed_map_is_what_the_program_writes(
    portproof: Program, make_repository: MakeRepository, request: pytest.FixtureRequest, fixture: str
) -> None:
    make_repository(fixture)
    run = portproof("map", "--format", "markdown")
    assert (run.code, run.stderr) == (0, "")
    file = GOLDEN / f"{fixture.replace('/', '-')}.md"
    if request.config.getoption("--accept"):
        file.write_text(run.stdout)
    assert run.stdout == file.read_text()


@pytest.mark.parametrize("fixture", ["incident/broken", "shop"])
def test_every_service_port_and_container_port_is_on_the_map(
    portproof: Program, make_repository: MakeRepository, tmp_path: Path, fixture: str
) -> None:
    repository = make_repository(fixture)
    shown = json.loads(portproof("map", "--format", "json").stdout)
    tree = Tree(repository.root)
    with engine(tmp_path / "engine") as renderer:
        for target in discover(tree, (".",), Config()).targets:
            rendering = renderer.render(target, tree)
            assert isinstance(rendering, Rendering)
            documents = [one for each in rendering.documents for one in yaml.safe_load_all(each.text) if one]
            objects = [one for each in documents for one in each.get("items", [each])]
            (mapped,) = [one for one in shown["targets"] if one["id"] == target.id]
            assert Counter(_services(mapped)) == Counter(
                (shown_name(target, one["metadata"]["name"]), port.get("port"))
                for one in objects
                if one["kind"] == "Service"
                for port in one["spec"].get("ports") or [{}]
            )
            assert set(_containers(mapped)) == {
                (
                    f"{one['kind']}/{shown_name(target, one['metadata']['name'])}",
                    container["name"],
                    port["containerPort"],
                )
                for one in objects
                for container in _of_pods(one)
                for port in container.get("ports") or ()
            }


def _services(target: Any) -> list[tuple[str, int | None]]:
    return [(one["name"], port.get("port")) for one in target["services"] for port in one["ports"] or [{}]]


def _containers(target: Any) -> list[tuple[str, str, int]]:
    ends = [end for one in target["services"] for port in one["ports"] for end in port["ends"]]
    several = [*(end for end in ends if end["container"]), *target["unserved"]]
    return [(one["workload"], one["container"], one["number"]) for one in several]


def _of_pods(one: Any) -> list[Any]:
    spec = one.get("spec") or {}
    template = spec.get("jobTemplate", {}).get("spec", spec).get("template") or {}
    pod = spec if one["kind"] == "Pod" else template.get("spec") or {}
    return [*pod.get("containers", ()), *pod.get("initContainers", ())]


def test_a_document_is_made_kept_and_found_out_of_date(
    portproof: Program, make_repository: MakeRepository
) -> None:
    repository = make_repository("incident/repaired")
    made = portproof("map", "--write", "PORTS.md")
    assert (made.code, made.stderr) == (0, "wrote PORTS.md\n")
    text = repository.read("PORTS.md")
    assert portproof("map", "--check").code == 0
    again = portproof("map", "--write")
    assert (again.code, repository.read("PORTS.md")) == (0, text)

    repository.replace("manifests/service.yaml", "targetPort: 8080", "targetPort: 8081")
    late = portproof("map", "--check")
    assert late.code == 1
    assert (
        "+| `80 (http)` → `8081` | **not reached**: `no port 8081 in Deployment/backend-v1, which declares 8080`"
        in late.stdout
    )
    assert late.stderr == (
        "the port map is out of date in 1 of 1 file\n  next: portproof map --write PORTS.md\n"
    )
    assert repository.read("PORTS.md") == text
    assert portproof("map", "--write", "PORTS.md").code == 0
    assert portproof("map", "--check").code == 0


def test_a_renamed_key_changes_its_own_lines_only(
    portproof: Program, make_repository: MakeRepository
) -> None:
    repository = make_repository("incident/repaired")
    portproof("map", "--write", "PORTS.md")
    before = repository.read("PORTS.md").decode().splitlines()
    repository.replace("chart/values.yaml", "targetPort:", "target:")
    repository.replace("chart/templates/service.yaml", ".targetPort", ".target")
    portproof("map", "--write")
    after = repository.read("PORTS.md").decode().splitlines()
    changed = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
    assert changed == [
        (
            "* target of port 80 (http): `chart/values.yaml`: `service.targetPort`",
            "* target of port 80 (http): `chart/values.yaml`: `service.target`",
        )
    ]


def test_lines_that_move_change_nothing(portproof: Program, make_repository: MakeRepository) -> None:
    repository = make_repository("incident/repaired")
    portproof("map", "--write", "PORTS.md")
    values = repository.read("chart/values.yaml")
    repository.write({"chart/values.yaml": b"# a new first line\n\n" + values})
    assert portproof("map", "--check").code == 0


@pytest.mark.parametrize(
    ("args", "problem", "step"),
    [
        (["--write", "--check"], "exclude each other", "Drop one"),
        (["--check", "--format", "json"], "do not apply", "glob"),
        (["--environment", "moon"], "no target is for the environment 'moon'", "Choose one of"),
        (["--check"], "no Markdown file has a block of the map", "PORTS.md"),
        (["--write", "values.yaml"], "not a Markdown file", "Name a .md file"),
    ],
)
def test_wrong_use_is_told_with_the_next_step(
    portproof: Program, make_repository: MakeRepository, args: list[str], problem: str, step: str
) -> None:
    make_repository("incident/broken")
    run = portproof("map", *args)
    assert run.code == 2
    assert problem in run.stderr
    assert step in run.stderr


def test_one_environment_and_what_is_broken(portproof: Program, make_repository: MakeRepository) -> None:
    make_repository("shop")
    prod = json.loads(portproof("map", "--environment", "prod", "--format", "json").stdout)
    assert {one["environment"] for one in prod["targets"]} == {"prod"}
    broken = portproof("map", "--only-broken")
    assert broken.stdout == "0 Services in 11 targets\n"


def test_of_two_services_with_one_name_the_last_is_on_the_map(
    portproof: Program, make_repository: MakeRepository
) -> None:
    repository = make_repository("")
    service = _app("web", "").partition("---\n")[0]
    repository.write({"a/web.yaml": f"{service}---\n{service.replace('port: 80,', 'port: 81,')}"})
    (target,) = json.loads(portproof("map", "--format", "json").stdout)["targets"]
    assert _services(target) == [("web", 81)]


def test_callers_of_other_targets_are_named(portproof: Program, make_repository: MakeRepository) -> None:
    repository = make_repository("")
    repository.write({"a/web.yaml": _app("web", ""), "b/cart.yaml": _app("cart", "http://web:80")})
    run = portproof("map")
    assert "called by Deployment/cart of manifests:b" in run.stdout
    repository.replace("b/cart.yaml", "http://web:80", "http://web:81")
    run = portproof("map")
    assert "Deployment/cart of manifests:b asks for port 81, which it lacks: not reached" in run.stdout
    assert "1 edge broken: `portproof check` shows the fix" in run.stdout


def _app(name: str, calls: str) -> str:
    return f"""\
apiVersion: v1
kind: Service
metadata: {{name: {name}}}
spec:
  selector: {{app: {name}}}
  ports: [{{port: 80, targetPort: 8080}}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}}}
spec:
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec:
      containers:
        - name: {name}
          image: example.com/{name}
          ports: [{{containerPort: 8080}}]
          env: [{{name: BACKEND, value: "{calls}"}}]
"""


def test_hostile_names_stay_text(portproof: Program, make_repository: MakeRepository) -> None:
    repository = make_repository("")
    evil = "x`|<img src=x>](http://e.example)"
    repository.write(
        {
            "a/web.yaml": _app("web", "")
            .replace("name: web,", "name: web,")
            .replace("app: web", f"app: '{evil}'")
        }
    )
    run = portproof("map", "--format", "markdown")
    assert run.code == 0
    assert "<img" not in run.stdout.replace(f"`{evil}`", "")


@pytest.mark.parametrize(
    ("ports", "said"),
    [
        ("", "not known: Deployment/web does not declare 8080, and may listen on it all the same"),
        (
            "ports: [{containerPort: 8081}]",
            "not reached: no port 8080 in Deployment/web, which declares 8081",
        ),
    ],
)
def test_a_number_that_nobody_declares_is_broken_only_where_check_says_so(
    portproof: Program, make_repository: MakeRepository, ports: str, said: str
) -> None:
    repository = make_repository("")
    text = f"""apiVersion: v1
kind: Service
metadata: {{name: web}}
spec: {{selector: {{app: web}}, ports: [{{port: 80, targetPort: 8080}}]}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web}}
spec:
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec: {{containers: [{{name: web, image: example.com/web:1, {ports}}}]}}
"""
    repository.write({"web.yaml": text.encode()})
    shown = portproof("map").stdout
    assert said in shown
    assert ("broken" in shown) == (portproof("check", "--fail-on", "note").code == 1)
