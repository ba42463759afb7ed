"""Values of records as people read them: in one form where they are of their kind, and else as they came."""

from __future__ import annotations

import pytest
from django.utils import timezone, translation

from connections.spec.columns import Column, ColumnKind
from portal.records.values import at_path, content_of, flat, parsed, read_text


@pytest.mark.parametrize(
    ("text", "kind", "words"),
    [
        ("2025-03-04", ColumnKind.DATE, "4 Mar 2025"),
        ("2025-03-04T00:00:00", ColumnKind.DATE, "4 Mar 2025"),
        ("2025-02-30", ColumnKind.DATE, "2025-02-30"),
        ("2025-03-04 08:05:00", ColumnKind.MOMENT, "4 Mar 2025, 08:05"),
        ("2025-03-04T08:05:00Z", ColumnKind.MOMENT, "4 Mar 2025, 10:05"),
        ("-0001-11-30 00:00:00", ColumnKind.MOMENT, "-0001-11-30 00:00:00"),
        ("1672560000", ColumnKind.SECONDS, "1 Jan 2023, 10:00"),
        ("1672560000000", ColumnKind.SECONDS, "1 Jan 2023, 10:00"),
        ("۱۶۷۲۵۶۰۰۰۰", ColumnKind.SECONDS, "1 Jan 2023, 10:00"),
        ("9" * 40, ColumnKind.SECONDS, "9" * 40),
        ("soon", ColumnKind.SECONDS, "soon"),
        ("1", ColumnKind.FLAG, "yes"),
        ("False", ColumnKind.FLAG, "no"),
        ("perhaps", ColumnKind.FLAG, "perhaps"),
        ("00012.50", ColumnKind.AMOUNT, "00012.50"),
        ("1E+2", ColumnKind.AMOUNT, "1E+2"),
        ("", ColumnKind.DATE, ""),
    ],
)
def test_a_value_of_its_kind_is_written_in_one_form_and_any_other_as_it_came(
    text: str, kind: ColumnKind, words: str
) -> None:
    with timezone.override("Europe/Helsinki"), translation.override("en"):
        assert read_text(text, kind) == words


def test_what_is_no_object_or_nests_too_deep_is_not_read() -> None:
    assert parsed("[1]") is None
    assert parsed('{"a":' * 100_000 + "1" + "}" * 100_000) is None
    assert parsed('{"a"') is None


def test_every_value_stands_once_declared_ones_first() -> None:
    record = parsed(
        '{"id": 1, "b": {"c": 1.50, "empty": {}}, "rows": [{"n": 1}, {"m": [1, 2]}], "tags": [], "a": "x", "z": [{"s": 0.10}]}'
    )
    assert record is not None
    content = content_of(
        record, [Column("A", "a"), Column("First", "z.0.s", ColumnKind.AMOUNT), Column("Gone", "none")]
    )
    assert [(row.label, row.text, row.is_named) for row in content.fields] == [
        ("A", "x", True),
        ("First", "0.10", True),
        ("id", "1", False),
        ("b.c", "1.50", False),
    ]
    assert [(each.label, each.columns, each.rows) for each in content.lists] == [
        ("rows", ["n", "m"], [["1", ""], ["", "1, 2"]]),
        ("z", ["s"], [["0.10"]]),
    ]
    assert content.empty == ["b.empty", "tags"]
    assert flat(record)["rows.1.m"] == "1, 2"
    assert at_path(record, "rows.7.n") is at_path(record, "rows.x") is at_path(record, "a.b") is None
