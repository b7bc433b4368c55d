"""What installs a chart, and where a value is given anew: any object or values file of a stranger's."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from portproof import yamldoc
from portproof.discover.find import discover
from portproof.discover.gitops.given import GivenError
from portproof.discover.model import HelmTarget, Install
from portproof.override import override
from portproof.render.install_values import MAX_OPTIONS, install_values
from portproof.source import Span, Tree
from tests.fuzz.target import Target, scratch
from tests.test_installs import application, release
from tests.test_override import PROD, SHARED
from tests.test_patch import git_applies

OBJECT = "apps/shop.yaml"
SHOP = HelmTarget("web", (OBJECT,), install=Install("shop", 0, ("spec", "values")))
_GIVEN = {"8081": ("a", "b", "port"), "'http'": ("name",)}
"""Values of the chart, and their paths."""


def installs(text: str) -> None:
    """An object installs the chart, or it is told why not; what it gives are files, values and ``--set``."""
    folder = _repository()
    (folder / OBJECT).write_bytes(text.encode("utf-8", "surrogatepass"))
    tree = Tree(folder)
    found = discover(tree)
    assert all(one.reason for one in found.skips)
    for one in found.targets:
        if not isinstance(one, HelmTarget) or one.install is None:
            continue
        assert one.chart == (OBJECT if one.remote else "charts/web")
        assert one.values[-1] == OBJECT
        assert all((folder / path).is_file() for path in one.values)
        assert all(re.fullmatch(r"[a-z0-9.-]+", name) for name in (one.release, one.namespace))
        assert re.fullmatch(r"[a-z0-9.-]+", one.install.name)
        try:
            given = install_values(one, one.install, tree)
        except GivenError:
            continue
        assert all(re.match(r"--set(-string)?=", option) and "\0" not in option for option in given.options)
        assert sum(map(len, given.options)) <= MAX_OPTIONS
        own = yamldoc.lookup(yamldoc.load_all(text)[one.install.document], one.install.values)
        if one.install.values and isinstance(own, dict):
            assert json.loads(given.values).keys() == {str(key) for key in own}


def _repository() -> Path:
    folder = scratch() / "installs"
    if not folder.exists():
        for path, text in {
            "charts/web/Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.0.0\n",
            "charts/web/values.yaml": "port: 80\n",
            "charts/web/values-prod.yaml": "port: 81\n",
            OBJECT: "",
        }.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)
    return folder


def given_anew(text: str) -> None:
    """One value more in the file, where it was meant to be, and no other byte; git takes the patch for a part of the inputs."""
    for target in (PROD, SHOP):
        path = target.values[-1]
        tree = Tree(scratch(), {"web/values.yaml": SHARED, path: text})
        for value, steps in _GIVEN.items():
            start = SHARED.index(value) + value.count("'") // 2
            span = Span("web/values.yaml", start, start + len(value.strip("'")))
            edit = override(target, span, 8080, tree)
            if edit is None:
                continue
            assert edit.old == ""
            at = edit.span.start
            after = tree.with_edits([edit]).text(path)
            assert after == f"{text[:at]}{edit.new}{text[at:]}"
            whole = (*(target.install.values if target.install else ()), *steps)
            wanted = copy.deepcopy(yamldoc.load_all(text))
            _put(wanted[0], whole, 8080)
            assert _said(yamldoc.load_all(after)) == _said(wanted)
            if len(text) % 8 == 0 and not re.search(r"[\ud800-\udfff]", text):
                assert git_applies({path: (text, after)}) == {path: after.encode()}


def _put(data: Any, path: yamldoc.FieldPath, value: int) -> None:
    for step in path[:-1]:
        data = data.setdefault(step, {})
    assert path[-1] not in data
    data[path[-1]] = value


def _said(data: Sequence[Any]) -> list[str]:
    """Every value with its path; texts, because no ``.nan`` is equal to another."""
    return sorted(
        f"{number} {path!r} {value!r}"
        for number, one in enumerate(data)
        for path, value in yamldoc.leaves(one)
    )


_WORDS = (
    "apiVersion: argoproj.io/v1alpha1\n", "apiVersion: helm.toolkit.fluxcd.io/v2\n", "kind: Application\n", "kind: HelmRelease\n",
    "metadata: {name: shop}\n", "spec:\n", "  source:\n", "  sources:\n", "    path: charts/web\n", "    helm:\n", "      values: |\n",
    "      valuesObject:\n", "      parameters:\n", "      - name: a.b\n        value: x\n", "        forceString: true\n",
    "      valueFiles: [values-prod.yaml]\n", "/charts/web/values-prod.yaml", "$ref/charts/web/values.yaml", "../..", "http://x/y",
    "  chart:\n    spec:\n", "      chart: ./charts/web\n", "      sourceRef: {kind: GitRepository}\n", "  valuesFrom:\n", "  values:\n",
    "  patches:\n", "  postRenderers: []\n", "  releaseName: x\n", "  targetNamespace: y\n", "{{ .x }}", "{{x}}", "${x}", "kubeVersion: 1.30\n",
    "a:\n", "  b:\n", "    port: 1\n", "a: {}\n", "{a: 1}", "- ", "---\n", "&a ", "*a", "<<: *a\n", "\r\n", "\ufeff", "    ", "# x\n", "? a\n",
    "null", "~", "[", "]", "'a'", '"name": ',
)  # fmt: skip
_OBJECTS = (
    application({"values": "port: 80\n", "valueFiles": ["values-prod.yaml"]}),
    application({"valuesObject": {"a": {"x": 1}}, "parameters": [{"name": "a.b", "value": "1,2", "forceString": True}]}),
    application({"kubeVersion": "1.30", "apiVersions": ["a/v1"], "ignoreMissingValueFiles": True, "valueFiles": ["x.yaml"]}),
    release({"valuesFiles": ["charts/web/values.yaml", "charts/web/values-prod.yaml"]}, values={"a": {"b": {"x": 1}}}),
    release(values={"x": 1}, valuesFrom=[{"kind": "Secret", "name": "x"}], targetNamespace="y", releaseName="z"),
)  # fmt: skip
_VALUES = (
    "x: 1\n", "a:\n  b:\n    # here\n    x: 1\n", "a:\r\n    x: 1\r\n", "---\n# x\nb: 1\n", "spec:\n  values:\n    a:\n      x: 1\n---\nb: 1\n",
    "spec:\n  values:\n    x: 1", "x: &a\n  b: {y: 1}\na:\n  <<: *a\n", "name: a\nb: 'c\n  d'\n", "\ufeffx: 1\n",
)  # fmt: skip

TARGETS = (
    Target("installs", installs, _WORDS, _OBJECTS),
    Target("override", given_anew, _WORDS, (*_VALUES, *_OBJECTS[3:])),
)
