"""Which Applications a set makes: patterns of folders and files, selectors, merges, and what is bounded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from portproof.discover.gitops.applicationset import MAX_SETS, applications
from portproof.discover.gitops.described import Described
from portproof.discover.walk import walk
from portproof.source import Tree

FOLDERS = ["apps/a/x", "apps/b", "apps/.hidden/c", ".github/d", "other/apps/e"]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for folder in FOLDERS:
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "config.json").write_text(json.dumps({"env": folder[-1], "n": 8080}))
    (tmp_path / "apps/list.yaml").write_text("- {env: one}\n- {env: two}\n")
    (tmp_path / "apps/empty.yaml").write_text("")
    (tmp_path / "apps/odd.yaml").write_text("a text\n")
    return tmp_path


def made(
    root: Path, *generators: dict[str, Any], name: str = "{{.path.path}}", go: bool = True, **spec: Any
) -> tuple[list[str], list[str]]:
    data = {
        "spec": {
            "goTemplate": go,
            "generators": list(generators),
            "template": {"metadata": {"name": name}},
            **spec,
        }
    }
    one = Described("apps/set.yaml", 0, yaml.safe_load(yaml.safe_dump(data)))
    found, reasons = applications(Tree(root), walk(root, ("."), ()), one)
    return [str(application["metadata"]["name"]) for _, application in found], reasons


def directories(*paths: str, **more: Any) -> dict[str, Any]:
    entries = [{"path": path.removeprefix("!"), "exclude": path.startswith("!")} for path in paths]
    return {"git": {"directories": entries, **more}}


def files(*paths: str) -> dict[str, Any]:
    return {"git": {"files": [{"path": path} for path in paths]}}


def elements(*several: dict[str, Any]) -> dict[str, Any]:
    return {"list": {"elements": list(several)}}


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        (["apps/*"], ["apps/a", "apps/b"]),
        (["apps/**"], ["apps/a", "apps/b"]),
        (["*"], ["apps", "other"]),
        (["*/*"], ["apps/a", "apps/b", "other/apps"]),
        (["apps/[^a]"], ["apps/b"]),
        (["apps/?"], ["apps/a", "apps/b"]),
        (["apps/b"], ["apps/b"]),
        (["apps/*", "!apps/b"], ["apps/a"]),
        (["!apps/b", "apps/*"], ["apps/a"]),
        (["apps/{a,b}"], []),
        (["./apps/*"], []),
    ],
)
def test_directories_are_matched_as_go_matches_paths(
    root: Path, patterns: list[str], expected: list[str]
) -> None:
    assert made(root, directories(*patterns)) == (expected, [])


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("apps/*.json", ["apps/.hidden/c", "apps/a/x", "apps/b"]),
        ("**/config.json", [".github/d", "apps/.hidden/c", "apps/a/x", "apps/b", "other/apps/e"]),
        ("apps/b", ["apps/b"]),
        ("apps/b/config.json", ["apps/b"]),
        ("apps/list.yaml", ["apps", "apps"]),
        ("apps/empty.yaml", ["apps"]),
        ("none/*.json", []),
    ],
)
def test_files_are_matched_as_git_matches_a_pathspec(root: Path, pattern: str, expected: list[str]) -> None:
    assert made(root, files(pattern)) == (expected, [])


def test_a_file_gives_its_content_and_its_path(root: Path) -> None:
    name = "{{.env}}-{{.n}}-{{.path.filename}}-{{index .path.segments 1}}"
    assert made(root, files("apps/b/*"), name=name) == (["b-8080-config.json-b"], [])
    fast = "{{env}}-{{n}}-{{path.filename}}-{{path[1]}}-{{path.basename}}-{{ path }}"
    assert made(root, files("apps/b/*"), name=fast, go=False) == (["b-8080-config.json-b-b-apps/b"], [])


def test_a_prefix_and_values_of_the_generator(root: Path) -> None:
    generator = directories("apps/b", pathParamPrefix="p", values={"x": "v-{{.p.path.basename}}"})
    assert made(root, generator, name="{{.p.path.path}} {{.values.x}}") == (["apps/b v-b"], [])
    fast = directories("apps/b", pathParamPrefix="p", values={"x": "v-{{p.path.basename}}"})
    assert made(root, fast, name="{{p.path}} {{values.x}}", go=False) == (["apps/b v-b"], [])


def test_a_selector_chooses_among_what_is_generated(root: Path) -> None:
    several = elements({"env": "prod", "tier": "a"}, {"env": "dev", "tier": "b"}, {"env": "test"})
    for selector, expected in (
        ({"matchLabels": {"env": "prod"}}, ["prod"]),
        ({"matchExpressions": [{"key": "env", "operator": "In", "values": ["dev", "x"]}]}, ["dev"]),
        ({"matchExpressions": [{"key": "env", "operator": "NotIn", "values": ["dev"]}]}, ["prod", "test"]),
        ({"matchExpressions": [{"key": "tier", "operator": "DoesNotExist"}]}, ["test"]),
    ):
        assert made(root, {**several, "selector": selector}, name="{{.env}}") == (expected, [])


def test_a_merge_keeps_the_sets_of_the_first_generator(root: Path) -> None:
    base = elements({"env": "prod", "n": "1"}, {"env": "dev", "n": "2"})
    other = elements({"env": "prod", "n": "3"}, {"env": "new", "n": "4"})
    merge = {"merge": {"mergeKeys": ["env"], "generators": [base, other]}}
    assert made(root, merge, name="{{.env}}{{.n}}") == (["dev2", "prod3"], [])
    twice = {"merge": {"mergeKeys": ["env"], "generators": [elements({"env": "a"}, {"env": "a"}), other]}}
    assert made(root, twice)[1] == [
        "its generator merge has a set without its mergeKeys, or two with the same"
    ]


def test_the_second_generator_of_a_matrix_may_use_the_first(root: Path) -> None:
    matrix = {"matrix": {"generators": [elements({"at": "apps"}), directories("{{.at}}/*")]}}
    assert made(root, matrix) == (["apps/a", "apps/b"], [])
    twice = {"matrix": {"generators": [directories("apps/*"), directories("other/*")]}}
    assert made(root, twice, go=False)[1] == ["its generator matrix gives path two values"]


def test_a_generator_may_have_a_template_and_a_set_a_patch(root: Path) -> None:
    generator = {"list": {"elements": [{"env": "prod"}], "template": {"metadata": {"name": "own-{{.env}}"}}}}
    assert made(root, generator) == (["own-prod"], [])
    patch = "metadata:\n  name: patched-{{.env}}\n"
    assert made(root, elements({"env": "prod"}), name="x", templatePatch=patch) == (["patched-prod"], [])


def test_a_file_that_is_no_mapping_is_said(root: Path) -> None:
    assert made(root, files("apps/odd.yaml")) == (
        [],
        ["its generator git reads apps/odd.yaml, which is neither a mapping nor a list of mappings"],
    )


def test_what_strangers_can_make_is_bounded(root: Path) -> None:
    many = elements(*({f"k{at}": str(n)} for at in "ab" for n in range(40)))
    matrix = {"matrix": {"generators": [many, many]}}
    assert made(root, matrix) == ([], [f"its generator matrix makes more than {MAX_SETS} sets of parameters"])
    assert made(root, directories(*["apps/*"] * 101))[1] == [
        "its generator git has more than 100 patterns, or no list of them"
    ]
    assert made(root, directories("*a" * 200))[1] == ["its generator git has a pattern that is too long"]
    large = made(root, elements(*({"n": str(n)} for n in range(900))), name="x" * 20_000)
    assert large == ([], ["it makes more than 8 MiB of Applications"])
