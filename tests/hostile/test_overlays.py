"""Kustomizations of an attacker's (K1-K12)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from tests.hostile.support import Case, Part, Place, overlay, run_case, united
from tests.hostile.test_charts import bomb

pytestmark = pytest.mark.slow

SERVICE = "apiVersion: v1\nkind: Service\nmetadata: {name: x}\nspec: {ports: [{port: 80}]}\n"
MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n"

REMOTE = (
    "https://127.0.0.1:{port}/x.yaml",
    "http://127.0.0.1:{port}/x.git//base?ref=main",
    "127.0.0.1:{port}/x.git?ref=main",
    "localhost.test:{port}/a/b?ref=main",
    "git::https://127.0.0.1:{port}/x",
    "git@127.0.0.1:a/b.git",
    "ssh://git@127.0.0.1:{port}/a/b",
    "git://127.0.0.1:{port}/a/b",
    "file://{outside}/folder",
    "git::file://{outside}/folder",
    "gh:a/b",
    "github.com/a/b?ref=main",
    "https://github.com/a/b//base?ref=v1",
    "_git/../x.git//y?ref=z",
    # each by one part of what tells a remote reference only
    "git@127.0.0.1:a/b",
    "localhost.test:{port}/a/b",
    "127/_git/y",
    "127/a/b.git",
)
FIELDS = (
    "resources: ['{}']",
    "bases: ['{}']",
    "components: ['{}']",
    "patches: [{{path: '{}'}}]",
    "patchesStrategicMerge: ['{}']",
    "patchesJson6902: [{{path: '{}', target: {{kind: Service, name: x, version: v1}}}}]",
    "configurations: ['{}']",
    "crds: ['{}']",
    "openapi: {{path: '{}'}}",
    "replacements: [{{path: '{}'}}]",
    "generators: ['{}']",
    "transformers: ['{}']",
    "validators: ['{}']",
    "configMapGenerator: [{{name: x, files: ['{}']}}]",
    "configMapGenerator: [{{name: x, files: ['key={}']}}]",
    "configMapGenerator: [{{name: x, envs: ['{}']}}]",
    "configMapGenerator: [{{name: x, env: '{}'}}]",
    "secretGenerator: [{{name: x, files: ['{}']}}]",
    "secretGenerator: [{{name: x, envs: ['{}']}}]",
    "secretGenerator: [{{name: x, env: '{}'}}]",
    "helmCharts: [{{name: x, repo: '{}'}}]",
    "helmCharts: [{{name: x, valuesFile: '{}'}}]",
    "helmCharts: [{{name: x, additionalValuesFiles: ['{}']}}]",
    "helmChartInflationGenerator: [{{chartName: x, chartRepoUrl: '{}'}}]",
    "helmChartInflationGenerator: [{{chartName: x, values: '{}'}}]",
    *(f"transformers: ['{{{{apiVersion: builtin, kind: {kind}, metadata: {{{{name: x}}}}, {field}}}}}']" for kind, field in (
        ("PatchTransformer", 'path: "{}"'),
        ("PatchJson6902Transformer", 'path: "{}"'),
        ("PatchStrategicMergeTransformer", 'paths: ["{}"]'),
        ("ReplacementTransformer", 'replacements: [{{path: "{}"}}]'),
        ("ValueAddTransformer", 'targetFilePath: "{}"'),
    )),
    *(f"generators: ['{{{{apiVersion: builtin, kind: {kind}, metadata: {{{{name: x}}}}, {field}: [\"{{}}\"]}}}}']" for kind in (
        "ConfigMapGenerator",
        "SecretGenerator",
    ) for field in ("files", "envs")),
    "transformers: ['{{kind: List, items: [{{apiVersion: builtin, kind: PatchTransformer, metadata: {{name: x}}, path: \"{}\"}}]}}']",
)  # fmt: skip
URL = "http://127.0.0.1:{port}/x"
OUTSIDE = "../../outside/secret.yaml"
DISGUISED: dict[str, str | bytes] = {
    "fields in another case": f"Resources: ['{URL}']",
    "fields with a long s": f"re\u017fources: ['{URL}']",
    "fields of entries in another case": f"patches: [{{PATH: '{URL}'}}]",
    "fields of generators in another case": f"configMapGenerator: [{{name: x, FILES: ['{URL}']}}]",
    "fields of plugins in another case": f"transformers: ['{{apiVersion: builtin, kind: PatchTransformer, metadata: {{name: x}}, Path: \"{URL}\"}}']",
    "a merge that undoes a key": f"resources: [s.yaml]\n<<: {{resources: ['{URL}']}}",
    "two fields of one name": f"resources: [s.yaml]\nRESOURCES: ['{URL}']",
    "an address that looks like a patch": f"patchesStrategicMerge: ['{URL}?a: b']",
    "an address that looks like a plugin": f"generators: ['{URL}?a: b']",
    "an address in escapes": 'resources: ["\\x68ttp:\\/\\/127.0.0.1:{port}/x"]',
    "a second document that is broken": f"resources: ['{URL}']\n---\n'",
    "a second document that is broken, and out of the tree": "resources: ['{outside}/folder']\n---\n'",
    "a document end, and rubbish": f"resources: ['{URL}']\n...\n@@",
    "another encoding": ("resources: ['http://127.0.0.1:80/x']\n").encode("utf-16"),
    "more than is read": f"resources: ['{URL}']\n" + "# x\n" * 1_500_000,
    "more values than are read": f"resources: ['{URL}']\ncommonAnnotations:\n" + "".join(f"  k{n}: v\n" for n in range(150_000)),
    "more values than are read, and escapes": 'resources: ["\\x68ttp:\\/\\/127.0.0.1:{port}/x"]\ncommonAnnotations:\n' + "".join(f"  k{n}: v\n" for n in range(150_000)),
}  # fmt: skip
"""What kustomize reads and we might not: each has it ask for an address while it can (seen with 5.5 and 5.7)."""


def many(name: str, texts: Sequence[str | bytes], reason: str = "") -> Case:
    """One repository with a kustomization for each text, all of them refused where they say so.

    One lists a file apart from what is refused, and is built without that.
    """

    def build(place: Place) -> dict[str, str | bytes]:
        files: dict[str, str | bytes] = {}
        for number, text in enumerate(texts):
            files |= overlay(f"k{number}", "", **{"s.yaml": SERVICE})
            if isinstance(text, str):
                named = text.replace("{port}", str(place.port)).replace("{outside}", str(place.outside))
                files[f"k{number}/kustomization.yaml"] = f"{named}\n"
            else:
                files[f"k{number}/kustomization.yaml"] = text
        return files

    whole = [f"resources: [s.yaml]\nRESOURCES: ['{URL}']" == text for text in texts]
    return Case(
        name,
        build,
        {
            f"kustomize:k{number}": "checked: without a part" if rest else f"skipped: {reason}"
            for number, rest in enumerate(whole)
        },
        silent=("no place",),
    )


def base(name: str, build: Callable[[Place, str], Mapping[str, str | bytes]], reason: str) -> Part:
    """A kustomization that is refused."""
    return Part(name, build, f"skipped: {reason}", "kustomize:{x}")


def transformer(name: str, text: str, reason: str) -> Part:
    def build(place: Place, x: str) -> dict[str, str | bytes]:
        place.program(place.repository / x / "run.sh")
        named = text.replace("{marker}", str(place.marker)).replace(
            "{run}", str(place.repository / x / "run.sh")
        )
        return {
            **overlay(
                x,
                "resources: [s.yaml]\ntransformers: [t.yaml]\ngenerators: [t.yaml]\n",
                **{"s.yaml": SERVICE, "t.yaml": named},
            )
        }

    return base(name, build, reason)


FUNCTION = """apiVersion: example.com/v1
kind: Fn
metadata:
  name: x
  annotations:
    config.kubernetes.io/function: |
      {}
"""
REFUSED = [
    base(
        "a folder that is called like a host",
        lambda place, x: {**overlay(x, "resources: [github.com/a/b]\n"), **overlay(f"{x}/github.com/a/b", "resources: [s.yaml]\n", **{"s.yaml": place.config_map()})},
        "remote base github.com/a/b: not fetched ({x}/kustomization.yaml:1)",
    ),
    transformer("a program as a function", FUNCTION.format("exec: {path: {run}}"), "the Fn runs a program (config.kubernetes.io/function), which portproof does not allow ({x}/t.yaml:6)"),
    transformer("a container as a function", FUNCTION.format("container: {image: x, network: true}"), "the Fn runs a program"),
    transformer("helm's inflator as a plugin", "apiVersion: builtin\nkind: HelmChartInflationGenerator\nmetadata: {name: x}\nname: x\nchartHome: .\n", "its helmCharts are not rendered ({x}/t.yaml:2)"),
    transformer("a plugin", "apiVersion: example.com/v1\nkind: Evil\nmetadata: {name: x}\n", "it needs the plugin example.com/v1 Evil, which portproof does not run ({x}/t.yaml:1)"),
    base(
        "a generator's file is a link out of the tree",
        lambda place, x: {**overlay(x, "configMapGenerator: [{name: x, files: [data]}]\n"), f"{x}/data": f"-> {place.outside}/secret"},
        "the file data points to an absolute path ({x}/kustomization.yaml:1)",
    ),
    base(
        "a base behind a link",
        lambda _, x: {**overlay(x, "resources: [base]\n"), f"{x}/base": "-> ../../outside/folder"},
        "the base base points outside the repository ({x}/kustomization.yaml:1)",
    ),
    base(
        "a resource that is a link",
        lambda place, x: {**overlay(x, "resources: [s.yaml]\n"), f"{x}/s.yaml": f"-> {place.outside}/secret.yaml"},
        "the base s.yaml points to an absolute path ({x}/kustomization.yaml:1)",
    ),
    base(
        "a base that climbs out",
        lambda _, x: overlay(x, "resources: [../../../../../../outside/folder]\n"),
        "the base ../../../../../../outside/folder points outside the repository",
    ),
    base(
        "a base in .git",
        lambda place, x: {**overlay(x, "resources: [../.git/k]\n"), ".git/k/kustomization.yaml": "resources: [s.yaml]\n", ".git/k/s.yaml": place.config_map(), ".git/HEAD": "x\n"},
        "the base ../.git/k points into .git",
    ),
    base(
        "a kustomization that is a link",
        lambda place, x: {f"{x}/kustomization.yaml": f"-> {place.outside}/folder/kustomization.yaml"},
        "the kustomization kustomization.yaml points to an absolute path",
    ),
]  # fmt: skip
HARMLESS = [
    Part(
        "variables of the environment by their name",
        lambda _, x: overlay(x, "configMapGenerator: [{name: x, envs: [e.env]}]\n", **{"e.env": "CANARY\nGITHUB_TOKEN\n"}),
        "checked",
        "kustomize:{x}",
    ),
    Part(
        "a false origin",
        lambda _, x: overlay(x, "resources: [s.yaml]\n", **{"s.yaml": MAP.replace("{name: x}", "{name: x, annotations: {config.kubernetes.io/origin: 'path: ../../forged', internal.config.kubernetes.io/path: forged}}")}),
        "checked",
        "kustomize:{x}",
    ),
    Part(
        "manifests that are links out of the tree",
        lambda place, x: {f"{x}/a.yaml": SERVICE, f"{x}/b.yaml": f"-> {place.outside}/secret.yaml", f"{x}/c": f"-> {place.outside}/folder"},
        "checked",
        "manifests:{x}",
    ),
]  # fmt: skip
CASES = [
    many("all forms of remote bases", [f"resources: ['{form}']" for form in REMOTE]),
    many("every field with an address", [field.format("http://127.0.0.1:{port}/x.yaml") for field in FIELDS]),
    many("every field with a path out of the tree", [field.format("../../outside/secret.yaml") for field in FIELDS]),
    many("every field with an absolute path", [field.format("{outside}/secret.yaml") for field in FIELDS]),
    many("an address behind every disguise", [*DISGUISED.values()]),
    many("helm's options in the fields of an inflator", [
        "helmCharts: [{name: '--post-renderer=run.sh', releaseName: '--debug', repo: 'http://127.0.0.1:{port}'}]",
        "helmGlobals: {configHome: ../home, chartHome: '{outside}'}\nhelmCharts: [{name: x}]",
    ]),
    united("what is refused before anything reads it", *REFUSED),
    united("what asks for something and does not get it", *HARMLESS, silent=("forged",)),
    Case(
        "overlays that multiply",
        lambda _: {
            "portproof.yaml": "timeout: 6\n",
            **overlay("k0", "resources: [s.yaml]\n", **{"s.yaml": MAP}),
            **{path: text for n in range(1, 15) for half in "ab" for path, text in overlay(f"k{n}{half}", f"namePrefix: {half}\nresources: [../k{n - 1}{'a' if n > 1 else ''}, ../k{n - 1}{'b' if n > 1 else ''}]\n" if n > 1 else f"namePrefix: {half}\nresources: [../k0]\n").items()},
        },
        {"kustomize:k14a": "failed: ", "kustomize:k14b": "failed: "},
        code=1,
        seconds=80,
    ),
    Case("a bomb of aliases in a resource", lambda _: {"portproof.yaml": "timeout: 6\n", **overlay("k", "resources: [s.yaml]\n", **{"s.yaml": MAP + bomb()})}, {"kustomize:k": "failed: "}, code=1),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_overlay(case: Case, tmp_path: Path) -> None:
    run_case(case, tmp_path)
