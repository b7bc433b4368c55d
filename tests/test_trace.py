"""Tracing by sentinels, with a renderer that needs no binary; the real ones are in tests/e2e."""

from __future__ import annotations

from pathlib import Path

import pytest

from portproof import resources, yamldoc
from portproof.discover.model import HelmTarget, KustomizeTarget, ManifestTarget
from portproof.graph.model import Site
from portproof.render.model import RenderedDocument, Rendering
from portproof.source import Tree
from portproof.trace import hints
from portproof.trace.model import Origin, Proof
from portproof.trace.probe import MAX_RENDERS, origins
from portproof.trace.sentinels import Sentinels
from portproof.yamldoc import FieldPath
from tests.support.fake_renderer import FakeRenderer, chart

SERVICE = """apiVersion: v1
kind: Service
metadata: {{name: web}}
spec:
  ports:
    - name: http
      port: 80
      targetPort: {target}
"""
TARGET: FieldPath = ("spec", "ports", 0, "targetPort")


def trace(
    root: Path, target: HelmTarget, *paths: FieldPath, render: FakeRenderer | None = None
) -> dict[FieldPath, Origin]:
    render = render or FakeRenderer()
    tree = Tree(root)
    answer = render(target, tree)
    assert isinstance(answer, Rendering)
    read = resources.read(answer)
    sites = [
        Site(one.key, path, yamldoc.lookup(one.data, path))
        for one in read.resources
        for path in paths
        if one.key.kind == "Service"
    ]
    return {site.path: origin for site, origin in origins(read, sites, tree, render).items()}


def at(root: Path, origin: Origin) -> str:
    """``file:line: text``, with the text read back from the span."""
    text = (root / origin.span.path).read_text()
    line = text.count("\n", 0, origin.span.start) + 1
    return f"{origin.span.path}:{line}: {text[origin.span.start : origin.span.end]}"


def test_a_value_is_found_among_equal_ones(tmp_path: Path) -> None:
    target = chart(
        tmp_path,
        {
            "values.yaml": "container: 8080\nservice:\n  port: 8080\nother: 8080\n",
            "templates/s.yaml": SERVICE.format(target="${service.port}"),
        },
    )
    origin = trace(tmp_path, target, TARGET)[TARGET]
    assert at(tmp_path, origin) == "web/values.yaml:3: 8080"
    assert origin.proof is Proof.PROVEN


def test_the_last_values_file_that_sets_it_is_the_origin(tmp_path: Path) -> None:
    files = {
        "values.yaml": "port: 8080\n",
        "values-a.yaml": "port: 8080\n",
        "values-b.yaml": "# port: 8080\n",
        "templates/s.yaml": SERVICE.format(target="${port}"),
    }
    target = chart(tmp_path, files, values=("values-a.yaml", "values-b.yaml"))
    assert at(tmp_path, trace(tmp_path, target, TARGET)[TARGET]) == "web/values-a.yaml:1: 8080"


def test_of_an_object_that_a_chart_makes_twice_no_place_is_proven(tmp_path: Path) -> None:
    files = {
        "values.yaml": "port: 8080\n",
        "templates/a.yaml": SERVICE.format(target="${port}"),
        "templates/b.yaml": SERVICE.format(target=9090),
    }
    target = chart(tmp_path, files)
    origin = trace(tmp_path, target, TARGET)[TARGET]
    assert origin.proof is Proof.HINTED
    assert at(tmp_path, origin) in ("web/templates/a.yaml:8: ${port}", "web/templates/b.yaml:8: 9090")
    sole = chart(tmp_path, {**files, "templates/b.yaml": SERVICE.format(target=9090).replace("web", "other")})
    assert trace(tmp_path, sole, TARGET)[TARGET].proof is Proof.PROVEN


def test_one_render_answers_for_every_field(tmp_path: Path) -> None:
    target = chart(
        tmp_path,
        {"values.yaml": "port: 8080\n", "templates/s.yaml": SERVICE.format(target="${port}")},
    )
    render = FakeRenderer()
    name: FieldPath = ("spec", "ports", 0, "name")
    port: FieldPath = ("spec", "ports", 0, "port")
    found = trace(tmp_path, target, TARGET, name, port, render=render)
    assert {at(tmp_path, origin) for origin in found.values()} == {
        "web/values.yaml:1: 8080",
        "web/templates/s.yaml:6: http",
        "web/templates/s.yaml:7: 80",
    }
    assert len(render.asked) == 2  # the rendering itself and one probe


def test_a_candidate_that_breaks_the_render_does_not_hide_the_origin(tmp_path: Path) -> None:
    target = chart(
        tmp_path,
        {
            "values.yaml": "port: 8080\nmode: 8080\nflag: 8080\n",
            "templates/s.yaml": SERVICE.format(target="${port}") + "# ${8080!mode} ${8080!flag}\n",
        },
    )
    render = FakeRenderer()
    assert at(tmp_path, trace(tmp_path, target, TARGET, render=render)[TARGET]) == "web/values.yaml:1: 8080"
    assert len(render.asked) - 1 <= MAX_RENDERS


def test_a_computed_field_is_only_hinted(tmp_path: Path) -> None:
    target = chart(
        tmp_path,
        {"values.yaml": "port: 8079\n", "templates/s.yaml": SERVICE.format(target="${+port}")},
    )
    origin = trace(tmp_path, target, TARGET)[TARGET]
    assert origin.proof is Proof.HINTED
    assert at(tmp_path, origin) == "web/templates/s.yaml:8: ${+port}"


LABELS = """apiVersion: v1
kind: Service
metadata:
  name: "{{ .Release.Name }}-web"
  labels:
    part: ${part}
spec:
  selector:
    part: ${part}
---
apiVersion: v1
kind: Service
metadata:
  name: "{{ .Release.Name }}-db"
spec:
  ports:
  - name: db
    port: 5432
  selector:
    part: ${part}
"""


@pytest.mark.parametrize(("name", "line"), [("shop-web", 9), ("shop-db", 20)])
def test_a_hint_is_within_the_keys_of_the_field_and_in_the_document_of_the_resource(
    tmp_path: Path, name: str, line: int
) -> None:
    target = chart(tmp_path, {"values.yaml": "{}\n", "templates/s.yaml": LABELS})
    text = f"apiVersion: v1\nkind: Service\nmetadata: {{name: {name}}}\nspec: {{selector: {{part: x}}}}\n"
    read = resources.read(Rendering(target, (RenderedDocument(text, "web/templates/s.yaml"),)))
    site = Site(read.resources[0].key, ("spec", "selector", "part"), "x")
    origin = hints.best(read, site, Tree(tmp_path))
    assert origin is not None
    assert at(tmp_path, origin) == f"web/templates/s.yaml:{line}: ${{part}}"


VARIABLES = """apiVersion: v1
kind: Pod
metadata:
  name: web
spec:
  containers:
  - name: web
    env:
    {{- include "web.database" . | nindent 4 }}
    - name: MODE
      value: "hostname"
    {{- if .Values.driver }}
    - name: DRIVER
      value: {{ .Values.driver | quote }}
    {{- else }}
    - name: DRIVER
      value: http://{{ include "web.fullname" . }}-{{ .Values.name }}:4444
    {{- end }}
    - value: {{ .Values.level }}
      name: LEVEL
"""


@pytest.mark.parametrize(
    ("number", "line"),
    [
        (2, '17: http://{{ include "web.fullname" . }}-{{ .Values.name }}:4444'),
        (3, "19: {{ .Values.level }}"),
    ],
)
def test_a_hint_is_beside_the_name_of_the_variable_and_spells_its_value(
    tmp_path: Path, number: int, line: str
) -> None:
    target = chart(tmp_path, {"values.yaml": "{}\n", "templates/p.yaml": VARIABLES})
    env = [
        {"name": "DATABASE", "value": "db"},
        {"name": "MODE", "value": "hostname"},
        {"name": "DRIVER", "value": "http://web-chrome:4444"},
        {"name": "LEVEL", "value": "1"},
    ]
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "web"},
        "spec": {"containers": [{"name": "web", "env": env}]},
    }
    read = resources.read(Rendering(target, (RenderedDocument(yamldoc.dump(pod), "web/templates/p.yaml"),)))
    path = ("spec", "containers", 0, "env", number, "value")
    origin = hints.best(read, Site(read.resources[0].key, path, env[number]["value"]), Tree(tmp_path))
    assert origin is not None
    assert at(tmp_path, origin) == f"web/templates/p.yaml:{line}"


def test_words_that_are_parts_of_other_words_are_no_candidates(tmp_path: Path) -> None:
    target = chart(
        tmp_path,
        {
            "values.yaml": "url: http://x/http\nhttpPort: 1\nhttp-alt: x\nname: http\n",
            "templates/s.yaml": SERVICE.format(target="${name}") + "# ${url} ${http-alt}\n",
        },
    )
    assert at(tmp_path, trace(tmp_path, target, TARGET)[TARGET]) == "web/values.yaml:4: http"


def test_plain_manifests_are_traced_by_position(tmp_path: Path) -> None:
    text = "# first\r\n---\r\n" + SERVICE.format(target='"http" # quoted').replace("\n", "\r\n")
    (tmp_path / "a.yaml").write_bytes(text.encode())
    target = ManifestTarget(".", ("a.yaml",))
    documents = tuple(
        RenderedDocument(part, "a.yaml", offset, text.count("\n", 0, offset) + 1)
        for offset, part in yamldoc.split(text)
    )
    read = resources.read(Rendering(target, documents))
    site = Site(read.resources[0].key, TARGET, "http")
    origin = origins(read, [site], Tree(tmp_path), FakeRenderer())[site]
    assert text[origin.span.start : origin.span.end] == "http"
    assert origin.proof is Proof.PROVEN


ABSENT = """apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  ports:
  - {name: first, port: 80}
  - name: second
    targetPort: http
"""


@pytest.mark.parametrize(
    ("path", "line"),
    [(("spec", "ports", 1, "port"), "7: second"), (("spec", "ports", 1, "appProtocol", "x"), "7: second")],
)
def test_a_field_that_is_not_there_is_hinted_at_by_what_stands_beside_it(
    tmp_path: Path, path: yamldoc.FieldPath, line: str
) -> None:
    (tmp_path / "a.yaml").write_text(ABSENT)
    target = ManifestTarget(".", ("a.yaml",))
    read = resources.read(Rendering(target, (RenderedDocument(ABSENT, "a.yaml", 0),)))
    site = Site(read.resources[0].key, path, None)
    origin = origins(read, [site], Tree(tmp_path), FakeRenderer())[site]
    assert (at(tmp_path, origin), origin.proof) == (f"a.yaml:{line}", Proof.HINTED)


def test_nothing_is_hinted_at_in_one_of_two_variants(tmp_path: Path) -> None:
    documents = tuple(RenderedDocument(ABSENT, file, 0) for file in ("a.yaml", "b.yaml"))
    read = resources.read(Rendering(ManifestTarget(".", ("a.yaml", "b.yaml")), documents))
    site = Site(read.resources[0].key, ("spec", "ports", 1, "port"), None)
    assert origins(read, [site], Tree(tmp_path), FakeRenderer()) == {}


def test_an_overlays_field_that_is_not_there_is_hinted_at_where_the_others_are(tmp_path: Path) -> None:
    (tmp_path / "patch.yaml").write_text(ABSENT.partition("  - {")[0] + "  - {name: other, port: 1}\n")
    (tmp_path / "web.yaml").write_text(ABSENT)
    target = KustomizeTarget(".", ("patch.yaml", "web.yaml"))
    read = resources.read(Rendering(target, (RenderedDocument(ABSENT),)))
    site = Site(read.resources[0].key, ("spec", "ports", 1, "port"), None)
    origin = hints.best(read, site, Tree(tmp_path))
    assert origin is not None
    assert at(tmp_path, origin) == "web.yaml:7: second"


@pytest.mark.parametrize("text", ["http", "a-very-long-port-name", "web-ui", "8080"])
def test_sentinels_are_unused_and_of_the_same_grammar(text: str) -> None:
    taken = Sentinels([]).next(text)
    sentinels = Sentinels([f"x {taken} y"])
    given = {sentinels.next(text) for _ in range(200)}
    assert len(given) == 200
    assert taken not in given
    for one in given:
        assert one.isdigit() == text.isdigit()
        if text.isdigit():
            assert 1024 < int(one) < 65536
        else:
            assert len(one) <= 15
            assert "--" not in one
            assert one[0] == text[0]
