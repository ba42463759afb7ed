"""Records taken apart: nothing respelled, nothing lost, whatever a record looks like."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connections.exports import flattening
from connections.exports.flattening import Bare, Columns, Flattener, rest

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=12,
)


def expected(value: dict[str, Any], prefix: str = "", depth: int = 1) -> dict[str, Any]:
    """The same by a way of its own: values instead of texts."""
    fields = {}
    for name, each in value.items():
        escaped = name.replace("\\", "\\\\").replace(".", "\\.") or "\\"
        path = f"{prefix}.{escaped}" if prefix else escaped
        if isinstance(each, dict) and each and depth < flattening.DEEPEST:
            fields |= expected(each, path, depth + 1)
        elif each is not None:
            fields[path] = each
    return fields


@given(st.dictionaries(st.text(max_size=4), VALUES, max_size=5), st.sampled_from([None, 2]))
def test_every_value_is_found_under_its_name(record: dict[str, Any], indent: int | None) -> None:
    text = json.dumps(record, indent=indent)
    for short in (flattening.SHORT, 0):
        before, flattening.SHORT = flattening.SHORT, short
        try:
            fields, names = Flattener().fields(text), set(Flattener().names(text))
        finally:
            flattening.SHORT = before
        wanted = expected(record)
        assert {
            name: fields[name] if isinstance(each, str) else json.loads(fields[name]) for name, each in wanted.items()
        } == wanted
        assert all(isinstance(fields[name], Bare) is isinstance(each, int | float) for name, each in wanted.items())
        assert set(fields) == names == set(wanted)


@pytest.mark.parametrize("is_short", [True, False])
def test_digits_and_lists_are_as_they_came(is_short: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not is_short:
        monkeypatch.setattr(flattening, "SHORT", 0)
    text = '{"a":1.70e1, "b" : [ 1.0 , "]\\"" ], "c":{"d":-0,"e":true,"f":{}},\n"n":null, "s":"00" }'
    assert Flattener().fields(text) == {
        "a": "1.70e1",
        "b": '[ 1.0 , "]\\"" ]',
        "c.d": "-0",
        "c.e": "true",
        "c.f": "{}",
        "s": "00",
    }


@pytest.mark.parametrize(
    "text",
    [
        '{"a":',
        "[1]",
        '"x"',
        "",
        "{",
        '{"a" 1}',
        '{"a":1,}',
        "[" * 100_000,
        '{"a":' * 100_000,
        json.dumps({str(number): 1 for number in range(9999)}),
    ],
    ids=range(10),
)
def test_what_cannot_be_taken_apart_is_kept_whole(text: str) -> None:
    fields = Flattener().fields(text)
    assert rest(fields, frozenset()) == text or json.loads(str(rest(fields, frozenset())))


def test_names_with_dots_are_not_taken_for_nested_ones() -> None:
    assert Flattener().fields('{"a":{"b":1},"a.b":2,"":3,"a\\\\":4}') == {
        "a.b": "1",
        "a\\.b": "2",
        "\\": "3",
        "a\\\\": "4",
    }


def test_what_has_no_column_is_left_over() -> None:
    columns = Columns(2)
    columns.add(["a", "x" * 121, "b", "c"])
    assert list(columns) == ["a", "b"]
    fields = Flattener().fields('{"a":1,"c":"ä\\"","d":[1],"e":2.50}')
    assert rest(fields, frozenset(columns)) == '{"c":"ä\\"","d":"[1]","e":2.50}'
    assert rest(Flattener().fields('{"b":1}'), frozenset(columns)) is None
