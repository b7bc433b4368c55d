"""The objects that ``portproof connectivity`` writes: golden files, schemas of Kubernetes, names, the command line."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from kubernetes_validate.utils import all_versions

from portproof.connectivity.manifests import Form, names, objects, write
from portproof.connectivity.model import CallerTest, Placed
from portproof.connectivity.plan import plan
from portproof.replacing import replace
from tests.connectivity.test_edges import CART, POLICY, WEB
from tests.e2e.program import Program, Repository
from tests.support.mapped import port_map_of

MakeRepository = Callable[[str], Repository]
GOLDEN = Path(__file__).parents[1] / "data" / "connectivity"
KINDS = ("jobs", "cronjobs", "argocd")
IMAGE = "registry.example/portproof@sha256:0"
PODS = plan(port_map_of(prod=CART + WEB + POLICY), Placed()).pods
POD = CallerTest("prod", "shop", "shop/web", (), PODS[0].edges)


def form(kind: str) -> Form:
    return Form(kind, IMAGE, "*/5 * * * *")


@pytest.mark.parametrize(
    ("fixture", "arguments"),
    [
        ("incident/broken", ()),
        ("incident/broken", ("--format", "argocd", "--environment", "prod")),
        ("incident/broken", ("--format", "cronjobs", "--environment", "prod")),
        (
            "incident/broken",
            ("chart", "--release", "blue", "--namespace", "shop"),
        ),
        ("shop", ()),
    ],
    ids=["incident", "incident-argocd", "incident-cronjobs", "incident-release", "shop"],
)
def test_the_committed_tests_are_what_the_program_writes(
    portproof: Program,
    make_repository: MakeRepository,
    request: pytest.FixtureRequest,
    fixture: str,
    arguments: tuple[str, ...],
) -> None:
    make_repository(fixture)
    run = portproof("connectivity", "--image", IMAGE, *arguments)
    assert run.code == 0
    file = GOLDEN / f"{request.node.callspec.id}.txt"
    shown = f"{run.stderr}\n{run.stdout}"
    if request.config.getoption("--accept"):
        file.parent.mkdir(exist_ok=True)
        file.write_text(shown)
    assert shown == file.read_text()


def test_the_same_input_gives_the_same_bytes(portproof: Program, make_repository: MakeRepository) -> None:
    make_repository("shop")
    one, other = (portproof("connectivity", "k8s", "--jobs", jobs) for jobs in ("1", "2"))
    assert one == other


def test_tests_that_are_committed_are_no_callers(portproof: Program, make_repository: MakeRepository) -> None:
    make_repository("shop")
    before = portproof("connectivity", "--image", IMAGE, "--format", "argocd")
    portproof("connectivity", "--image", IMAGE, "--format", "argocd", "--output", "tests")
    assert Path("tests/prod.yaml").is_file()
    assert portproof("connectivity", "--image", IMAGE, "--format", "argocd") == before


@pytest.mark.parametrize("version", [all_versions()[0], all_versions()[-1]])
@pytest.mark.parametrize("kind", KINDS)
def test_every_object_is_valid_for_kubernetes(kind: str, version: str) -> None:
    made = list(yaml.safe_load_all(write(form(kind), PODS)))
    assert len(made) == len(PODS) == 2
    for one in made:
        kubernetes_validate.validate(one, version, strict=True)


def test_the_schema_finds_what_is_misspelt() -> None:
    (job, *_) = objects(form("jobs"), PODS)
    job["spec"]["backOffLimit"] = 0
    with pytest.raises(kubernetes_validate.ValidationError, match="backOffLimit"):
        kubernetes_validate.validate(job, all_versions()[-1], strict=True)


@pytest.mark.parametrize("kind", KINDS)
def test_every_pod_is_gated_restricted_and_outside_of_meshes(kind: str) -> None:
    for one in objects(form(kind), PODS):
        job = one["spec"]["jobTemplate"]["spec"] if kind == "cronjobs" else one["spec"]
        pod = job["template"]["spec"]
        (container,) = pod["containers"]
        assert pod["readinessGates"] == [{"conditionType": "portproof/never-ready"}]
        assert (job["backoffLimit"], pod["restartPolicy"]) == (0, "Never")
        assert pod["automountServiceAccountToken"] is False
        assert container["resources"]["requests"].keys() == {"cpu", "memory"}
        assert _is_restricted(pod, container)
        assert job["template"]["metadata"]["annotations"]["sidecar.istio.io/inject"] == "false"


def _is_restricted(pod: dict[str, Any], container: dict[str, Any]) -> bool:
    """The level "restricted" of the pod security standards."""
    return bool(
        pod["securityContext"]["runAsNonRoot"]
        and pod["securityContext"]["runAsUser"] > 0
        and pod["securityContext"]["seccompProfile"]["type"] == "RuntimeDefault"
        and container["securityContext"]["allowPrivilegeEscalation"] is False
        and container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        and not {"hostNetwork", "hostPID", "hostIPC", "volumes"} & set(pod)
    )


def test_what_kubernetes_would_replace_in_an_argument_is_kept() -> None:
    edge = replace(POD.edges[0], ask=replace(POD.edges[0].ask, path="/$(HOME)/$$"))
    (job,) = objects(form("jobs"), [replace(POD, edges=(edge,))])
    arguments = job["spec"]["template"]["spec"]["containers"][0]["args"]
    assert arguments == ["connect", "--from", "shop/web", f"{edge.address}/http/$$(HOME)/$$$$"]


@pytest.mark.parametrize(
    ("environment", "caller", "name"),
    [
        ("prod", "web", "portproof-prod-web"),
        ("prod", "prod-web", "portproof-prod-web"),
        ("PR 12/blue", "web.v1", "portproof-pr-12-blue-web-v1"),
        ("prod", "deployment/web", "portproof-prod-deployment-web"),
        ("prod", "a" * 63, "portproof-prod-aaaaa-aaaaaaaaaaaaaaaaaaaaaaaa-97ecdf"),
    ],
)
def test_a_name_is_one_that_kubernetes_takes(environment: str, caller: str, name: str) -> None:
    (made,) = names([replace(POD, environment=environment, caller=f"shop/{caller}")])
    assert re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,50}[a-z0-9])?", made)
    assert made == name


def test_names_that_would_clash_do_not() -> None:
    pods = [
        replace(POD, environment="a-b", caller="shop/c"),
        replace(POD, environment="a", caller="shop/b-c"),
        replace(POD, environment="a", caller="other/b-c", namespace="other"),
    ]
    made = names(pods)
    assert len(set(made[:2])) == 2
    assert made[2] == "portproof-a-b-c"


def test_each_environment_has_a_file(portproof: Program, make_repository: MakeRepository) -> None:
    repository = make_repository("shop")
    run = portproof("connectivity", "k8s", "--output", "tests")
    assert run.code == 0
    made = sorted(path.name for path in (repository.root / "tests").iterdir())
    assert made == ["dev.yaml", "prod.yaml", "staging.yaml"]
    assert "wrote tests/prod.yaml" in run.stderr
    assert " of 3 environments (dev, prod, staging)" in run.stderr


@pytest.mark.parametrize(
    ("arguments", "problem", "step"),
    [
        (("--release", "shop"), "--release needs --namespace", "Say where"),
        (("charts", "--release", "r", "--namespace", "n"), "--release is one chart", "--environment (defaults,"),
        (("k8s", "--release", "r", "--namespace", "n"), "no chart can be the release 'r'", "Drop --release"),
        (("k8s/apps", "--environment", "moon"), "no target is for the environment 'moon'", "Choose one of"),
        (("--format", "cronjobs", "--schedule", "hourly"), "--schedule hourly", "five fields"),
        (("--image", "Portproof:1"), "--image Portproof:1", "registry.example"),
    ],
)  # fmt: skip
def test_wrong_use_is_told_with_the_next_step(
    portproof: Program,
    make_repository: MakeRepository,
    arguments: tuple[str, ...],
    problem: str,
    step: str,
) -> None:
    make_repository("shop")
    run = portproof("connectivity", *arguments)
    assert run.code == 2
    assert problem in run.stderr
    assert step in run.stderr
