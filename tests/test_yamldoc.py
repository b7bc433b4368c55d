from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portproof import yamldoc
from portproof.yamldoc import YamlError


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("8080", 8080),
        ("010", 8),
        ("0o17", 15),
        ("0x1F90", 8080),
        ("0808", 808),
        ("1_000", 1000),
        ("8080:30", "8080:30"),
        ("yes", True),
        ("off", False),
        ("~", None),
        ("", None),
        ("=", "="),
        ("2020-01-01", "2020-01-01"),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        ("-", "-"),
        ("-1", -1),
        ("http", "http"),
        ("8" * 5000, "8" * 5000),
    ],
)
def test_plain_scalars_mean_what_they_mean_to_kubernetes(text: str, value: object) -> None:
    got = yamldoc.plain_value(text)
    assert got == value
    assert type(got) is type(value)


@pytest.mark.parametrize("text", ["'8080'", '"8080"', "!!str 8080", "|-\n  8080"])
def test_quoted_and_tagged_scalars_are_text(text: str) -> None:
    assert yamldoc.load(f"port: {text}\n") == {"port": "8080"}


def spans(text: str) -> dict[str, str]:
    return {
        yamldoc.format_path(path): text[span.start : span.end]
        for document in yamldoc.documents(text)
        for path, span in document.spans.items()
    }


def test_spans_cover_the_scalar_with_its_quotes() -> None:
    assert spans('a: 8080 # c\nb:\n  - "http"\n') == {"a": "8080", "b[0]": '"http"'}


def test_spans_hold_after_a_byte_order_mark_and_wide_characters() -> None:
    assert spans("\ufeffé: '漢'\nport: 80\n")["port"] == "80"


def test_anchors_and_tags_are_not_part_of_the_scalar() -> None:
    assert spans("a: &port 8080\nb: *port\nc: !!int 9\n") == {"a": "8080", "b": "8080", "c": "9"}


def test_merged_values_are_found_where_the_anchor_stands_and_own_keys_win() -> None:
    text = "base: &b {p: 1, q: 2}\nm:\n  <<: *b\n  q: 3\n"
    assert yamldoc.load(text)["m"] == {"p": 1, "q": 3}
    assert {key: value for key, value in spans(text).items() if key.startswith("m")} == {
        "m.p": "1",
        "m.q": "3",
    }


def test_an_anchor_that_is_defined_twice_is_allowed() -> None:
    assert yamldoc.load("a: &x 1\nb: &x 2\nc: *x\n") == {"a": 1, "b": 2, "c": 2}


def test_documents_are_cut_at_markers_not_inside_of_scalars() -> None:
    text = "a: |\n  -----BEGIN KEY-----\n  ---\n---\nb: 1\n--- # comment\nc: 2\n...\n"
    assert [yamldoc.load(part) for _, part in yamldoc.split(text)][:2] == [
        {"a": "-----BEGIN KEY-----\n---\n"},
        {"b": 1},
    ]
    for offset, part in yamldoc.split(text):
        assert text[offset : offset + len(part)] == part


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: [1\n", "expected"),
        ("a: &x [*x]\n", "contains itself"),
        ("[" * 200 + "]" * 200, "nested too deeply"),
        ("{{ template }}: x\n{{", "expected"),
        ("? [a]\n: 1\n", "not a scalar"),
    ],
)
def test_what_cannot_be_read_is_an_error_with_its_place(text: str, problem: str) -> None:
    with pytest.raises(YamlError, match=problem):
        yamldoc.load_all(text)


def test_errors_name_line_and_column() -> None:
    with pytest.raises(YamlError) as caught:
        yamldoc.load("a: 1\nb: c: d\n")
    assert (caught.value.line, caught.value.column) == (2, 5)


def test_an_alias_bomb_loads_shared_and_is_stopped_when_walked() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    data = yamldoc.load("\n".join(lines))
    assert len(data["a11"]) == 10
    with pytest.raises(YamlError, match="too many values"):
        list(yamldoc.leaves(data))


def test_a_merge_bomb_is_stopped() -> None:
    wide = "{" + ", ".join(f"k{n}: 1" for n in range(2000)) + "}"
    text = f"a: &a {wide}\nb:\n  <<: [{', '.join(['*a'] * 2000)}]\n"
    with pytest.raises(YamlError, match="merges"):
        yamldoc.load(text)


def test_paths_are_written_as_people_write_them() -> None:
    assert yamldoc.format_path(("spec", "ports", 0, "targetPort")) == "spec.ports[0].targetPort"
    assert yamldoc.format_path(("metadata", "annotations", "a/b.c")) == 'metadata.annotations["a/b.c"]'


_data = st.recursive(
    st.none() | st.booleans() | st.integers(0, 65535) | st.text(alphabet="ab1:- #", max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(alphabet="abc", min_size=1), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(_data)
def test_json_is_read_as_it_was_written(data: Any) -> None:
    import json

    assert yamldoc.load(json.dumps({"x": data})) == {"x": data}


@given(_data)
def test_every_scalar_has_a_span_that_reads_its_value(data: Any) -> None:
    import json

    text = json.dumps({"x": data}, ensure_ascii=False)
    document = yamldoc.documents(text)[0]
    for path, value in yamldoc.leaves(document.data):
        if not isinstance(value, dict | list):
            place = document.spans[path]
            assert json.loads(text[place.start : place.end]) == value
