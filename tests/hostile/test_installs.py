"""Objects of an attacker's that install charts: they choose values, parameters and names, and no more than that."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.hostile.support import Case, Part, Place, run_case, united
from tests.support.rendering import chart

TEMPLATE = {
    "templates/map.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata:\n"
    "  a: {{ .Values.a | default 1 | quote }}\n  b: {{ .Release.Name }}.{{ .Release.Namespace }}\n"
}


def application(name: str, status: str, *, app: str = "app", **helm: object) -> Part:
    """A chart that an Application installs in an odd way."""

    def build(place: Place, x: str) -> dict[str, str | bytes]:
        given = json.loads(
            json.dumps(helm).replace("OUTSIDE", str(place.outside)).replace("PORT", str(place.port))
        )
        data = {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Application",
            "metadata": {"name": app},
            "spec": {"source": {"path": x, "helm": given}, "destination": {"namespace": "--debug"}},
        }
        return {**chart(x, TEMPLATE), f"apps/{x}.yaml": json.dumps(data)}

    target = "helm:{x}?values=/apps/{x}.yaml"
    return Part(name, build, status, target if status.startswith("skipped") else f"{target}#app")


def parameters(*pairs: tuple[str, str]) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in pairs]


BOMB = "a: &a [1,1,1,1,1,1,1,1,1,1]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]\n"
    for before, name in zip("abcdefg", "bcdefgh", strict=True)
)
APPLICATIONS = [
    application(
        "values from a file outside",
        "skipped: as installed by 'app': its values",
        valueFiles=["../../outside/secret"],
    ),
    application(
        "a file as a value, with a second one in its name",
        "skipped: as installed by 'app': it has a file",
        fileParameters=[{"name": "a=OUTSIDE/secret,b", "path": "Chart.yaml"}],
    ),
    application(
        "a file outside as a value",
        "skipped: as installed by 'app': its values",
        fileParameters=[{"name": "a", "path": "../../outside/secret"}],
    ),
    application(
        "values from an absolute path",
        "skipped: as installed by 'app': its values",
        valueFiles=["OUTSIDE/secret"],
    ),
    application(
        "values from an address",
        "skipped: as installed by 'app': its values",
        valueFiles=["http://127.0.0.1:PORT/v.yaml"],
    ),
    application(
        "values files that read as options",
        "skipped: as installed by 'app': its values",
        valueFiles=["--post-renderer"],
    ),
    application(
        "files that parameters take",
        "skipped: as installed by 'app': its values",
        fileParameters=[{"name": "a"}],
    ),
    application(
        "a release that reads as an option", "checked", releaseName="--post-renderer=OUTSIDE/../bin/sh"
    ),
    application(
        "a version that reads as more", "skipped: as installed by 'app': ", kubeVersion="1.30 --debug"
    ),
    application(
        "API versions that are none", "skipped: as installed by 'app': ", apiVersions=["a\n::error::"]
    ),
    application("a name with lines", "skipped: as installed by 'app\\n::error::x': ", app="app\n::error::x"),
    application(
        "parameters that read as options",
        "checked",
        parameters=parameters(("--post-renderer", "x"), ("-f", "/")),
    ),
    application("a template in values", "checked", values="a: '{{ .Files.Get \"../outside/secret\" }}'"),
]
FAILING = [
    application("a parameter with a NUL", "failed: ", parameters=parameters(("a", "x\0y"))),
    application("a parameter of a megabyte", "failed: ", parameters=parameters(("a", "x" * 1_000_000))),
    application("a list of a billion", "failed: ", parameters=parameters(("a[999999999]", "x"))),
    application("values that unfold without end", "failed: ", values=BOMB),
    application("values that are none", "failed: ", values="- a\n"),
]
CASES = [
    united("odd values, parameters and names", *APPLICATIONS),
    united("values and parameters that cannot be", *FAILING, code=1),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_applications(case: Case, tmp_path: Path) -> None:
    run_case(case, tmp_path)
