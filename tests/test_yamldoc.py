from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portproof import yamldoc, yamlnodes
from portproof.yamldoc import YamlError
from tests.support.boxed import boxed


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
        ("1e3", 1000),
        ("8080.0", 8080),
        ("8.08e3", 8080),
        ("8e1", 80),
        ("8080.", 8080),
        ("8080.5", 8080.5),
        ("1e20", 10**20),
        ("1e21", 1e21),
        ("-", "-"),
        ("-1", -1),
        ("http", "http"),
        ("8" * 5000, "8" * 5000),
        ("0x_", "0x_"),
        ("-0b_", "-0b_"),
        ("0o_", "0o_"),
        ("0o9", "0o9"),
        (".inf", ".inf"),
        ("-.INF", "-.INF"),
        (".nan", ".nan"),
        ("1e999", "1e999"),
        ("-1e999", "-1e999"),
        ("8\u0660", "8\u0660"),
        ("8\u00b2", "8\u00b2"),
    ],
)
def test_plain_scalars_mean_what_they_mean_to_kubernetes(text: str, value: object) -> None:
    got = yamldoc.plain_value(text)
    assert got == value
    assert type(got) is type(value)


@pytest.mark.parametrize("text", ["'8080'", '"8080"', "!!str 8080", "|-\n  8080"])
def test_quoted_and_tagged_scalars_are_text(text: str) -> None:
    assert yamldoc.load(f"port: {text}\n") == {"port": "8080"}


@pytest.mark.parametrize("text", ['!!int "8080"', "!!int 8080", "!!float 8080", "!!float '8080.0'"])
def test_scalars_tagged_as_numbers_are_numbers(text: str) -> None:
    assert yamldoc.load(f"port: {text}\n") == {"port": 8080}


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


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("m:\n  q: 3\n  <<: {p: 1, q: 2}\n", {"p": 1, "q": 2}),
        ("m:\n  <<: {p: 1, q: 2}\n  q: 3\n  <<: {p: 4}\n", {"p": 4, "q": 3}),
        ("m:\n  q: 3\n  <<: [{q: 4, q: 5}, {p: 6, q: 7}]\n", {"p": 6, "q": 5}),
    ],
)
def test_of_keys_and_merges_the_last_counts(text: str, value: object) -> None:
    """As seen with kustomize 5.5 and 5.7, and kubectl 1.35, which read with go-yaml v2: merges undo keys before them."""
    assert yamldoc.load(text)["m"] == value
    assert {key: int(value) for key, value in spans(text).items()} == {
        f"m.{key}": one for key, one in yamldoc.load(text)["m"].items()
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
        ('a: "\\ud800"\n', "invalid Unicode"),
        ('a: &x 1\nb: &x "\\ud800"\n', "invalid Unicode"),
        ('a: &x 1\nb: &x 2\n"\\udc80": 3\n', "invalid Unicode"),
    ],
)
def test_what_cannot_be_read_is_an_error_with_its_place(text: str, problem: str) -> None:
    with pytest.raises(YamlError, match=problem):
        yamldoc.load_all(text)


def test_errors_name_line_and_column() -> None:
    with pytest.raises(YamlError) as caught:
        yamldoc.load("a: 1\nb: c: d\n")
    assert (caught.value.line, caught.value.column) == (2, 5)


def test_aliases_that_stay_small_are_shared_and_walked() -> None:
    data = yamldoc.load("a: &a [1, 2]\nb: [*a, *a]\nc: &c {k: *a}\nd: {<<: *c, j: 1}\n")
    assert data == {"a": [1, 2], "b": [[1, 2], [1, 2]], "c": {"k": [1, 2]}, "d": {"k": [1, 2], "j": 1}}
    assert len(list(yamldoc.leaves(data))) == 11


BOMBS = {
    "aliases": "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
    + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12)),
    "nested-merges": "m0: &m0 {k: v}\n"
    + "".join(f"m{n}: &m{n}\n  <<: [*m{n - 1}, *m{n - 1}]\n" for n in range(1, 26)),
    "wide-merges": f"a: &a {{{', '.join(f'k{n}: 1' for n in range(2000))}}}\nb:\n  <<: [{', '.join(['*a'] * 2000)}]\n",
    "long-texts": f"a: &a {'x' * 1_000_000}\nb: [{', '.join(['*a'] * 100)}]\n",
    "deep-by-aliases": "a0: &a0 x\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 2000)),
    "deep-by-few-aliases": "a0: &a0 x\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 150)),
    "circle-by-merge": "a: &a\n  <<: *a\n",
    "flow-lists": "[" * 200_000,
    "flow-maps": "{a: " * 200_000,
    "block-maps": "".join(f"{'  ' * n}a:\n" for n in range(2_000)),
    "lists-in-lists": "- " * 100_000,
    "values": "- a\n" * 600_000,
    "documents": "---\na\n" * 600_000,
    "anchors-defined-twice": "".join(f"k{n}: &a v\n" for n in range(200_000)),
    "size": f"a: {'x' * 5 * 1024 * 1024}\n",
}


@pytest.mark.slow
@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_before_it_is_built(name: str) -> None:
    """Without the bounds the parser overflows the stack, fills the memory or takes minutes."""
    with boxed(10), pytest.raises(YamlError) as caught:
        yamldoc.documents(BOMBS[name])
    assert caught.value.line >= 1


TWICE = "p: &x 1\nq: &x 2\n"
"""An anchor that is defined twice: only the slow parser reads what begins so."""


@pytest.mark.slow
@pytest.mark.parametrize("before", ["", TWICE], ids=["libyaml", "the slow parser"])
@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: \ud800\n", "surrogates not allowed"),
        ('a: "\\ud800"\n', "escape"),
        ('a: "\\U00110000"\n', "escape|chr"),
        ("a: \x01\n", "control characters are not allowed|not acceptable"),
        ("a: \x1b[2J\n", "control characters are not allowed|not acceptable"),
        ("\ta: b\n", "tab character|cannot start any token"),
        (f"a: {'[' * 5000}\n", "more than 100 levels"),
    ],
)
def test_no_parser_lets_through_what_the_other_refuses(before: str, text: str, problem: str) -> None:
    with boxed(10), pytest.raises(YamlError, match=problem):
        yamldoc.documents(before + text)


@pytest.mark.slow
@pytest.mark.parametrize("before", ["", TWICE], ids=["libyaml", "the slow parser"])
def test_directives_are_bounded_too(before: str) -> None:
    with boxed(10), pytest.raises(YamlError):
        yamldoc.documents(f"{before}...\n%YAML {'1' * 5000}.1\n---\na: 1\n")


@pytest.mark.slow
def test_depth_ends_without_its_bound_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yamlnodes, "MAX_DEPTH", 10**9)
    with boxed(10), pytest.raises(YamlError, match="nested too deeply"):
        yamldoc.documents(f"{TWICE}a: {'[' * 5000}\n")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("!!python/object/apply:os.system [exit 1]", ["exit 1"]),
        ("!!python/name:os.system x", "x"),
        ("!!binary '%'", "%"),
        ("!!timestamp x", "x"),
        ("!<tag:example.com,2000:x> {b: 1}", {"b": 1}),
        ("{b: 1, b: 2}", {"b": 2}),
        ("b\t\t# c", "b"),
    ],
)
def test_tags_make_nothing(text: str, value: object) -> None:
    assert yamldoc.load(f"a: {text}\n") == {"a": value}
    assert yamldoc.load(f"%TAG !! tag:yaml.org,2002:python/\n---\na: {text}\n") == {"a": value}


def test_spans_of_the_slow_parser_hold_after_a_byte_order_mark() -> None:
    assert spans("\ufeff" + TWICE + "port: 80\n") == {"p": "1", "q": "2", "port": "80"}


def test_odd_scalars_are_texts() -> None:
    for text in (
        "9" * 5000,
        ":".join(["1"] * 50_000),
        "0x" + "f" * 5000,
        "2001-99-99",
        "1_" * 3000,
        "1e999999",
    ):
        value = yamldoc.load(f"a: {text}\n")["a"]
        assert value == text or value == float("inf")


def test_only_the_first_document_is_read_when_one_is_asked_for() -> None:
    assert yamldoc.load("a: 1\n" + "---\n- a\n" * 600_000) == {"a": 1}


def test_what_is_remembered_is_bounded_by_the_size_of_the_texts() -> None:
    memory = yamldoc._Memory(100)
    memory.put("a" * 51, 0)
    assert memory.get("a" * 51) is None, "larger than half"
    for letter in "abcde":
        memory.put(letter * 25, letter)
    assert [memory.get(letter * 25) for letter in "abcde"] == [None, ("b",), ("c",), ("d",), ("e",)]
    assert memory.get("b" * 25) == ("b",)
    memory.put("f" * 25, "f")
    assert memory.get("c" * 25) is None, "used longest ago"
    assert memory.room == 0


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


def test_keys_that_a_mapping_has_twice() -> None:
    text = "a: &a {x: 1, x: 2}\nb: *a\n'a': 3\n---\nc: [{<<: {}, <<: {}}, {d: 1, 'd': 2}]\n"
    assert yamldoc.repeated_keys(text) == [("x", 1, 14), ("a", 3, 1), ("d", 5, 30)]
