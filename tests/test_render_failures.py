"""Why helm failed: the words and the place, the same for helm 3 and helm 4."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from portproof.discover.find import discover
from portproof.render.engine import Engine
from portproof.render.model import Rendering
from portproof.rules.run.render_failed import OtherTargets, severity
from portproof.rules.severity import Severity
from portproof.source import Tree

from .support.rendering import (
    HELMS,
    chart,
    engine,
    failed,
    helm_target,
    place,
    refused,
    rendered,
    write_files,
)


@dataclass(frozen=True)
class Case:
    """Files of a chart in ``charts/x``, the place that is blamed, a part of the message, and whether it is meant."""

    name: str
    files: dict[str, str]
    place: str
    says: str
    expected: bool = False
    more: str = field(default="")


HELPERS = "templates/_helpers.tpl"
X = "templates/x.yaml"

CASES = [
    Case(
        "unclosed block",
        {X: "a: 1\n{{ if .Values.a }}\nb: 2\n"},
        f"{X}:3:1",
        "cannot be parsed: unexpected EOF",
    ),
    Case(
        "a version that is yet to be filled in",
        {
            X: 'a: {{ semverCompare ">=1.0.0" .Values.image.tag }}\n',
            "values.yaml": "image:\n  tag: placeholder\n",
        },
        f"{X}:1:7",
        "invalid semantic version",
        expected=True,
    ),
    Case(
        "a version that is none",
        {X: 'a: {{ semverCompare ">=1.0.0" .Values.image.tag }}\n', "values.yaml": "image:\n  tag: stable\n"},
        f"{X}:1:7",
        "invalid semantic version",
    ),
    Case("unknown function", {X: "a: 1\nb: {{ nosuch 1 }}\n"}, f"{X}:2:1", 'function "nosuch" not defined'),
    Case(
        "nil pointer",
        {X: "a: 1\nb: é {{ .Values.a.b }}\n"},
        f"{X}:2:16",
        "nil pointer evaluating",
        expected=True,
    ),
    Case(
        "the innermost template",
        {
            X: 'a: {{ include "one" . }}\n',
            HELPERS: '{{ define "one" }}\n{{ include "two" . }}{{ end }}\n{{ define "two" }}\n\n{{ .Values.a.b }}{{ end }}',
        },
        f"{HELPERS}:5:11",
        f"charts/x/{X}:1",
        expected=True,
    ),
    Case("an include of nothing", {X: 'a: {{ include "no" . }}\n'}, f"{X}:1:7", 'no template "no"'),
    Case("runtime error", {X: "a: {{ div 1 0 }}\n"}, f"{X}:1:7", "divide by zero"),
    Case(
        "inside tpl",
        {"values.yaml": 't: "{{ .Values.x.y }}"', X: "a: {{ tpl .Values.t . }}\n"},
        f"{X}:1:7",
        "nil pointer",
        expected=True,
    ),
    Case(
        "recursion",
        {X: '{{ include "r" . }}', HELPERS: '{{ define "r" }}{{ include "r" . }}{{ end }}'},
        f"{HELPERS}:1:20",
        "more)",
    ),
    Case("bare fail", {X: 'a: 1\n{{ fail "no way" }}\n'}, f"{X}:2:4", "no way"),
    Case(
        "bare fail in a helper",
        {X: '{{ include "f" . }}\n', HELPERS: '{{ define "f" }}{{ fail "no way" }}{{ end }}'},
        f"{HELPERS}:1:17",
        "no way",
    ),
    Case(
        "guarded fail",
        {X: '{{ if not .Values.a }}\n{{ fail "set a" }}{{ end }}\n'},
        f"{X}:2:4",
        "set a",
        expected=True,
    ),
    Case(
        "guarded fail in a helper",
        {
            X: '{{ include "f" . }}\n',
            HELPERS: '{{ define "f" }}\n{{ if not .Values.a }}{{ fail (printf "set %s now" "a") }}{{ end }}{{ end }}',
        },
        f"{HELPERS}:2:23",
        "set a now",
        expected=True,
    ),
    Case("credential", {X: "a: {{ .Values.a | b64enc }}\n"}, f"{X}:1:19", "expected string", expected=True),
    Case(
        "a text that no placeholder cures",
        {X: 'a: {{ .Values.a | upper }}{{ if .Values.a }}{{ fail "not that" }}{{ end }}\n'},
        f"{X}:1:19",
        "expected string",
    ),
    Case("required", {X: 'a: {{ required "set a" .Values.a }}\n'}, f"{X}:1:7", "set a", expected=True),
    Case(
        "required in a helper",
        {
            X: 'a: {{ include "f" . | nindent 2 }}\n',
            HELPERS: '{{ define "f" }}\n{{ required "set a" .Values.a }}{{ end }}',
        },
        f"{HELPERS}:2:1",
        "set a",
        expected=True,
    ),
    Case(
        "refusal in the notes",
        {X: "a: 1\n", "templates/NOTES.txt": '{{ if not .Values.a }}{{ fail "no" }}{{ end }}'},
        "templates/NOTES.txt:1:26",
        "no",
        expected=True,
    ),
    Case(
        "rendered text that is not YAML, below a loop",
        {X: "kind: A\nlist:\n{{ range until 3 }}\n- {{ . }}\n{{ end }}\nspec:\n  port: {{ 1 }}: 2\n"},
        f"{X}:7:1",
        "valid YAML",
    ),
    Case("the second document is not YAML", {X: "kind: A\n---\nkind: B\n c: 1\n"}, f"{X}:4:1", "valid YAML"),
    Case("a list", {X: "- a\n"}, f"{X}:1:1", "array where a mapping is expected"),
    Case(
        "values that are not YAML",
        {"values.yaml": "a: 1\nb:\n  - c\n d: 4\n", X: "a: 1\n"},
        "values.yaml:4:2",
        "values.yaml",
    ),
    Case("values that are a list", {"values.yaml": "- a\n", X: "a: 1\n"}, "values.yaml:1:1", "values.yaml"),
    Case(
        "values of a subchart",
        {
            X: "a: 1\n",
            "charts/y/Chart.yaml": "apiVersion: v2\nname: leaf\nversion: 0.1.0\n",
            "charts/y/values.yaml": "a: b: c\n",
        },
        "charts/y/values.yaml:1:5",
        "values.yaml",
    ),
    Case(
        "a subchart in a folder of another name",
        {
            "charts/f/Chart.yaml": "apiVersion: v2\nname: leaf\nversion: 0.1.0\n",
            "charts/f/templates/y.yaml": "{{ .Values.a.b }}",
        },
        "charts/f/templates/y.yaml:1:11",
        "nil pointer",
        expected=True,
    ),
    Case(
        "Chart.yaml is not YAML",
        {"Chart.yaml": "apiVersion: v2\nname: x\n version: 1\n"},
        "Chart.yaml:3:9",
        "Chart.yaml",
    ),
    Case(
        "a version that is none",
        {"Chart.yaml": "apiVersion: v2\nname: x\nversion: abc\n"},
        "Chart.yaml:3:1",
        '"abc" is invalid',
    ),
    Case("no name", {"Chart.yaml": "apiVersion: v2\nversion: 1.0.0\n"}, "Chart.yaml:1:1", "name is required"),
    Case("no Kubernetes", {X: "a: 1\n"}, "Chart.yaml:4:1", "kubeVersion", more='kubeVersion: "about 9"\n'),
    Case("control characters", {X: '{{ fail "\\u001b[31mred\\u0007\\r\\n::error::x" }}'}, f"{X}:1:4", "red"),
]


@pytest.fixture(params=HELMS, scope="module")
def helm(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with engine(tmp_path_factory.mktemp("cache"), helm=HELMS[request.param]()) as made:
        yield made


@pytest.fixture(scope="module")
def current(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with engine(tmp_path_factory.mktemp("cache")) as made:
        yield made


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_message_and_place(helm: Engine, tmp_path: Path, case: Case) -> None:
    _assert_told(helm, tmp_path, case, write_files(tmp_path, chart("charts/x", case.files, more=case.more)))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_message_and_place_in_a_copy(current: Engine, tmp_path: Path, case: Case) -> None:
    """Edited files are rendered in a copy, whichever helm it is; the places are those of the tree all the same."""
    files = chart("charts/x", case.files, more=case.more)
    write_files(tmp_path, dict.fromkeys(files, ""))
    _assert_told(current, tmp_path, case, Tree(tmp_path, files))


def _assert_told(helm: Engine, tmp_path: Path, case: Case, tree: Tree) -> None:
    failure = failed(helm.render(helm_target("charts/x"), tree))
    assert place(failure) == f"charts/x/{case.place}"
    assert case.says in failure.message
    assert severity([failure], OtherTargets()) is (Severity.NOTE if case.expected else Severity.ERROR)
    for never in (str(tmp_path), "portproof-", "\x1b", "\x07", "\r", "Use --debug", "level="):
        assert never not in failure.message


def test_a_values_file_that_is_not_yaml(helm: Engine, tmp_path: Path) -> None:
    files = chart("x", {"templates/a.yaml": "a: 1\n"}) | {"env/prod.yaml": "a: 1\n b: 2\n"}
    tree = write_files(tmp_path, files)
    for one in (tree, Tree(tmp_path, {"env/prod.yaml": "a: 1\n b: 2\n"})):
        failure = failed(helm.render(helm_target("x", "env/prod.yaml"), one))
        assert place(failure) == "env/prod.yaml:2:3"
        assert "env/prod.yaml" in failure.message
        assert str(tmp_path) not in failure.message


def test_a_refusal_with_values_files_is_not_expected(helm: Engine, tmp_path: Path) -> None:
    files = chart(
        "x", {"templates/a.yaml": 'a: {{ required "set a" .Values.a }}\n', "ci/a-values.yaml": "b: 1\n"}
    )
    failure = failed(helm.render(helm_target("x", "x/ci/a-values.yaml"), write_files(tmp_path, files)))
    assert severity([failure], OtherTargets()) is Severity.ERROR


def test_a_dependency_that_discovery_did_not_see_is_a_reason(helm: Engine, tmp_path: Path) -> None:
    more = "dependencies:\n- {name: redis, version: 1.2.3, repository: 'https://charts.example.com'}\n"
    tree = write_files(tmp_path, chart("x", {"templates/a.yaml": "a: 1\n"}, more=more))
    reason = refused(helm.render(helm_target("x"), tree))
    assert reason == "dependencies not vendored: redis; run `helm dependency build x` first"


@pytest.mark.parametrize("place_of", ["charts/web", "../web"])
def test_a_dependency_that_is_named_otherwise_is_a_mistake(
    helm: Engine, tmp_path: Path, place_of: str
) -> None:
    """Building the dependencies does not help: helm looks for them by the names of their own files."""
    more = f"dependencies:\n- repository: file://{place_of}\n  name: web\n  version: 0.1.0\n"
    own = chart("web", {"templates/a.yaml": "a: 1\n"}) | {
        "web/Chart.yaml": "apiVersion: v2\nname: shop-web\nversion: 0.1.0\n"
    }
    files = {
        f"x/{place_of}".replace("x/../", "") + path.removeprefix("web"): text for path, text in own.items()
    }
    tree = write_files(tmp_path, chart("x", {"templates/a.yaml": "a: 1\n"}, more=more) | files)
    target = next(one for one in discover(tree).targets if one.path == "x")
    failure = failed(helm.render(target, tree))
    assert (place(failure) or "").startswith("x/Chart.yaml:")
    where = f"x/{place_of}".replace("x/../", "")
    assert (
        failure.message
        == f"the chart in {where} is named shop-web, not web: helm finds no dependency of that name"
    )


LIBRARY = chart(
    "charts/common",
    {"templates/_n.tpl": '{{ define "common.name" }}x{{ end }}'},
    name="common",
    more="type: library\n",
)
INCLUDES = {"templates/a.yaml": 'a: {{ include "common.name" . }}\n'}


def umbrella(*parts: str) -> dict[str, str]:
    entries = "".join(f"- {{name: {one}, version: 0.1.0, repository: 'file://../{one}'}}\n" for one in parts)
    return chart("charts/whole", {}, name="whole", more=f"dependencies:\n{entries}")


def test_a_part_of_an_umbrella_has_templates_from_another_part(helm: Engine, tmp_path: Path) -> None:
    files = LIBRARY | chart("charts/web", INCLUDES, name="web") | umbrella("common", "web")
    tree = write_files(tmp_path, files)
    targets = {one.path: one for one in discover(tree).targets}
    reason = refused(helm.render(targets["charts/web"], tree))
    assert reason == 'a part of charts/whole, which has the template "common.name"'
    assert rendered(helm.render(targets["charts/whole"], tree)).documents


@pytest.mark.parametrize(
    ("name", "parts"), [("common.names", ("common", "web")), ("common.name", ("web",)), ("common.name", ())]
)
def test_a_template_that_no_umbrella_has_is_a_mistake(
    helm: Engine, tmp_path: Path, name: str, parts: tuple[str, ...]
) -> None:
    own = {"templates/a.yaml": f'a: {{{{ include "{name}" . }}}}\n'}
    tree = write_files(tmp_path, LIBRARY | chart("charts/web", own, name="web") | umbrella(*parts))
    target = next(one for one in discover(tree).targets if one.path == "charts/web")
    assert f'no template "{name}"' in failed(helm.render(target, tree)).message


def test_what_lies_beside_a_chart_may_be_no_chart(helm: Engine, tmp_path: Path) -> None:
    odd = {"charts/a/Chart.yaml": "dependencies: 3\n", "charts/b/Chart.yaml": "- [\n", "charts/c": "x"}
    tree = write_files(tmp_path, odd | LIBRARY | chart("charts/web", INCLUDES, name="web"))
    target = next(one for one in discover(tree).targets if one.path == "charts/web")
    assert 'no template "common.name"' in failed(helm.render(target, tree)).message


def test_a_template_of_what_a_subchart_lacks_is_a_reason(helm: Engine, tmp_path: Path) -> None:
    lacks = "dependencies:\n- {name: redis, version: 1.2.3, repository: 'https://charts.example.com'}\n"
    own = {"templates/a.yaml": 'a: {{ include "redis.host" . }}\n'}
    tree = write_files(tmp_path, chart("charts/web", own, name="web", more=lacks) | umbrella("web"))
    target = next(one for one in discover(tree).targets if one.path == "charts/whole")
    reason = refused(helm.render(target, tree))
    assert (
        reason
        == "dependencies of charts/web not vendored: redis; run `helm dependency build charts/web` first"
    )


def test_a_template_of_a_subchart_that_is_there_is_a_mistake(helm: Engine, tmp_path: Path) -> None:
    lacks = "dependencies:\n- {name: redis, version: 1.2.3, repository: 'https://charts.example.com'}\n"
    own = {"templates/a.yaml": 'a: {{ include "web.host" . }}\n'}
    tree = write_files(tmp_path, chart("charts/web", own, name="web", more=lacks) | umbrella("web"))
    target = next(one for one in discover(tree).targets if one.path == "charts/whole")
    assert 'no template "web.host"' in failed(helm.render(target, tree)).message


def test_a_value_that_a_function_gets_instead_of_a_text_is_one_that_the_chart_wants(
    helm: Engine, tmp_path: Path
) -> None:
    own = {
        "templates/a.yaml": 'a: {{ "X" | replace "A" .Values.account | replace "X" .Values.stage }}\n',
        "values.yaml": "account: '1'\n",
    }
    tree = write_files(tmp_path, chart("x", own))
    found = helm.render(helm_target("x"), tree)
    failure = failed(found)
    assert (failure.wants, failure.has) == ("stage", ("account",))
    assert isinstance(found, Rendering)
    assert found.documents[0].text.endswith("a: x-placeholder\n")


def test_a_value_that_is_there_and_empty_is_one_that_the_chart_wants(helm: Engine, tmp_path: Path) -> None:
    own = {"templates/a.yaml": "a: {{ b64enc .Values.db.host }}\n", "values.yaml": "db:\n  host:\n"}
    failure = failed(helm.render(helm_target("x"), write_files(tmp_path, chart("x", own))))
    assert (failure.wants, failure.has) == ("db.host", ())


def test_a_key_below_one_that_is_there_is_one_that_the_chart_wants(helm: Engine, tmp_path: Path) -> None:
    own = {
        "templates/a.yaml": "a: {{ .Values.image.registry.host }}\n",
        "values.yaml": "image: {name: web, tag: v1}\n",
    }
    failure = failed(helm.render(helm_target("x"), write_files(tmp_path, chart("x", own))))
    assert (failure.wants, failure.has) == ("image.registry", ("image.name", "image.tag"))


@pytest.mark.parametrize("text", ["index .Values .Values.appName", "index .Values.appName"])
def test_a_value_that_an_index_asks_for_is_one_that_the_chart_wants(
    helm: Engine, tmp_path: Path, text: str
) -> None:
    files = chart(
        "x", {"templates/a.yaml": f'a: {{{{ {text} "port" }}}}\n', "values.yaml": "app: {port: 80}\n"}
    )
    failure = failed(helm.render(helm_target("x"), write_files(tmp_path, files)))
    assert (failure.wants, failure.has) == ("appName", ("app",))


def test_a_library_chart_is_a_reason(helm: Engine, tmp_path: Path) -> None:
    tree = write_files(tmp_path, chart("x", {}, more="type: library\n"))
    assert refused(helm.render(helm_target("x"), tree)) == "a library chart"


def test_long_messages_are_cut(helm: Engine, tmp_path: Path) -> None:
    template = '{{ fail (printf "%s%s" (repeat 5000 "x") (repeat 50 "\\nline")) }}'
    failure = failed(
        helm.render(helm_target("x"), write_files(tmp_path, chart("x", {"templates/a.yaml": template})))
    )
    lines = failure.message.split("\n")
    assert len(lines) == 10
    assert max(map(len, lines)) <= 400
    assert lines[-1].endswith("more lines)")
