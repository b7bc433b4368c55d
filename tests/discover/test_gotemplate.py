"""Go templates of ApplicationSets: what Go prints, where it fails, and what is not followed."""

from __future__ import annotations

from typing import Any

import pytest

from portproof.discover.gitops.fasttemplate import fill as fill_fast
from portproof.discover.gitops.fasttemplate import flatten
from portproof.discover.gitops.gotemplate import TemplateError, fill, normalised, shown

DATA: dict[str, Any] = {
    "name": "Shop_API",
    "env": "prod",
    "port": 8080,
    "m": {"k": "v", "n": None},
    "list": ["a", 1],
    "nested": [{"c": [], "a": {"b": "1"}}, [True, "on"]],
    "on": True,
    "off": False,
    "path": {"path": "apps/shop", "basename": "shop", "segments": ["apps", "shop"]},
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{{.env}}", "prod"),
        ("{{ .path.basename }}-{{.env}}", "shop-prod"),
        ("{{ $.path.path }}", "apps/shop"),
        ("{{index .path.segments 1}}", "shop"),
        ('{{index .m "k"}}', "v"),
        ('{{index .m "missing"}}', "<no value>"),
        ("{{.missing}}", "<no value>"),
        ("{{.missing.sub}}", "<no value>"),
        ("{{.port}} {{.on}} {{.list}} {{.m.n}}", "8080 true [a 1] <no value>"),
        ("{{.m}}", "map[k:v n:<no value>]"),
        ("a {{- .env -}} b", "aprodb"),
        ("a{{/* nothing */}}b", "ab"),
        ("{{`{{ .x }}`}}", "{{ .x }}"),
        ('{{ "}}" }}', "}}"),
        ('{{ if eq .env "prod" }}yes{{ else }}no{{ end }}', "yes"),
        ('{{ if ne .env "prod" }}a{{ else if .off }}b{{ else }}c{{ end }}', "c"),
        ("{{ if .off }}{{ range .x }}{{ end }}", TemplateError),
        ("{{ if and .on (not .off) }}{{ if .m.k }}x{{ end }}{{ end }}", "x"),
        ('{{ .name | lower | replace "_" "-" | quote }}', '"shop-api"'),
        ("{{ .name | normalize }}", "shop-api"),
        ('{{ .missing | default "x" }}', "x"),
        ('{{ printf "%s-%v" .env .port }}', "prod-8080"),
        ('{{ (splitList "/" .path.path) | last }}', "shop"),
        ("{{ base .path.path }} {{ dir .path.path }}", "shop apps"),
        ('{{ dig "a" "b" "c" .m }}', "c"),
        ("{{ toJson .list }}", '["a",1]'),
        ('{{ hasKey .m "n" }} {{ hasKey .m "x" }}', "true false"),
        ('{{ if or (hasKey .m "x") (hasKey .path "segments") }}x{{ end }}', "x"),
        ('{{ hasKey .env "x" }}', TemplateError),
        ('{{ hasKey .missing "x" }}', TemplateError),
        ("{{ toYaml .path }}", "basename: shop\npath: apps/shop\nsegments:\n- apps\n- shop"),
        ("{{ toYaml .nested }}", '- a:\n    b: "1"\n  c: []\n- - true\n  - "on"'),
        ("x:{{ .list | toYaml | nindent 2 }}", "x:\n  - a\n  - 1"),
        ("{{ indent 2 .env }}", "  prod"),
        ("{{ indent 1000000 .env }}", TemplateError),
        ('{{ trimPrefix "pr" .env }}{{ trimSuffix "od" .env }}', "odpr"),
    ],
)
def test_what_go_prints(text: str, expected: str | type[TemplateError]) -> None:
    if isinstance(expected, str):
        assert fill(text, DATA) == expected
    else:
        with pytest.raises(expected):
            fill(text, DATA)


@pytest.mark.parametrize(
    "text",
    [
        "{{.m.k-1}}",
        "{{name}}",
        "{{index .path.segments 5}}",
        "{{.env.sub}}",
        "{{range .list}}{{.}}{{end}}",
        "{{$x := .env}}{{$x}}",
        "{{ .env | sha256sum }}",
        "{{ .env",
        "{{end}}",
        "{{else}}",
        "{{if .on}}x{{else}}y{{else}}z{{end}}",
        "{{ with .m }}{{ .k }}{{ end }}",
        '{{ printf "%d" .port }}',
        "{{ lower .port }}",
        "{{ (.env }}",
        "{{ .env .port }}",
    ],
)
def test_what_go_rejects_or_is_not_followed_is_an_error_with_the_expression(text: str) -> None:
    with pytest.raises(TemplateError, match=r"\{\{|cannot be read"):
        fill(text, DATA)


@pytest.mark.parametrize("text", ["{{.missing}}", "{{.missing.sub}}", "{{.m.missing}}"])
def test_a_missing_key_may_be_an_error(text: str) -> None:
    with pytest.raises(TemplateError, match="there is no"):
        fill(text, DATA, "error")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (8080, "8080"),
        (65535.0, "65535"),
        (30000000, "3e+07"),
        (1234567, "1.234567e+06"),
        (0.5, "0.5"),
        (0.00001, "1e-05"),
        (-3, "-3"),
        (False, "false"),
        (None, "<no value>"),
    ],
)
def test_numbers_are_floats_as_go_prints_them(value: Any, expected: str) -> None:
    assert shown(value) == expected


def test_a_name_is_made_fit_for_an_object() -> None:
    assert normalised("My_App.") == "my-app"


def test_the_older_syntax_looks_keys_up_whole_and_leaves_what_it_does_not_know() -> None:
    flat = flatten({"cluster": {"name": "prod", "port": 8080}, "a": ["x", True]})
    assert flat == {"cluster.name": "prod", "cluster.port": "8080", "a.0": "x", "a.1": "true"}
    text = "{{cluster.name}} {{ cluster.port }} {{a.0}} {{ .cluster }} {{missing}}"
    assert fill_fast(text, flat) == "prod 8080 x {{ .cluster }} {{missing}}"
