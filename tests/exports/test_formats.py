"""What stands in the files: every digit, zero and spelling, read back by others' libraries."""

from __future__ import annotations

import csv
import io
import json

import pyarrow.parquet as pq
import pytest

from connections.exports import formats
from tests.exports.conftest import keep

pytestmark = pytest.mark.process

ODD = (
    '{"id" : 17.0, "no":"00123", "sum":-12.50,"big":12345678901234567890, "e": 1.70E1,\n "list":[ 1.00, {"x":"]"} ],'
    '"partner":'
    '{"name":"=HYPERLINK(\\"x\\")","a.b":true,"none":null,"deep":{}}, "u":"\\u00e4\\/Ä\\r\\n\\"\\u0000","half":"\\ud800"}'
)


def rows_of(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline="")))


def test_json_lines_hold_the_record_to_the_letter(books, export_of):
    keep(books, "invoices", [("17", ODD), ("18", '{"id":18}')])
    (data,) = export_of(books, "invoices", "jsonl")
    first, second = data.decode().splitlines()
    assert first == (
        '{"key":"17","first_seen":"2026-01-02T03:04:05.678000Z","changed":"2026-02-03T00:00:00.000000Z","gone":null,'
        f'"change_number":1,"record":{ODD.replace(chr(10), " ")}}}'
    )
    assert json.loads(second)["record"] == {"id": 18}


def test_csv_is_a_table_of_every_field(books, export_of):
    keep(books, "invoices", [("17", ODD), ("18", '{"id":18,"new":"x"}')])
    (data,) = export_of(books, "invoices")
    assert data.startswith(b"\xef\xbb\xbf")
    assert data.endswith(b"\r\n")
    first, second = rows_of(data)
    assert {name: value for name, value in first.items() if value} == {
        "record key": "17",
        "first seen": "2026-01-02T03:04:05.678000Z",
        "changed": "2026-02-03T00:00:00.000000Z",
        "change number": "1",
        "id": "17.0",
        "no": "'00123",
        "sum": "-12.50",
        "big": "'12345678901234567890",
        "e": "1.70E1",
        "list": '[ 1.00, {"x":"]"} ]',
        "partner.name": '\'=HYPERLINK("x")',
        "partner.a\\.b": "true",
        "partner.deep": "{}",
        "u": 'ä/Ä\r\n"\N{REPLACEMENT CHARACTER}',
        "half": "?",
    }
    assert (second["id"], second["new"], second["no"]) == ("18", "x", "")


def test_parquet_holds_texts_as_they_came_and_our_columns_with_types(books, export_of):
    keep(books, "invoices", [("17", ODD), ("18", '{"id":18,"new":"x"}')])
    (data,) = export_of(books, "invoices", "parquet")
    table = pq.read_table(io.BytesIO(data))
    types = {field.name: str(field.type) for field in table.schema}
    assert types["first seen"] == types["gone"] == "timestamp[us, tz=UTC]"
    assert (types["change number"], types["id"], types["sum"]) == ("int64", "string", "string")
    first, second = table.to_pylist()
    assert (first["sum"], first["no"], first["big"], first["e"]) == (
        "-12.50",
        "00123",
        "12345678901234567890",
        "1.70E1",
    )
    assert first["u"] == 'ä/Ä\r\n"\0'
    assert (first["gone"], first["other fields"], second["no"], second["new"]) == (None, None, None, "x")


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_fields_that_find_no_column_stand_together(books, export_of, monkeypatch, form):
    fields = {f"f{number}": number for number in range(formats.MOST_COLUMNS + 2)}
    long = {"x" * 121: "y", "=1": 2}
    keep(books, "invoices", [("1", json.dumps({"z": {"a": long}})), ("2", json.dumps(fields)), ("3", "{}")])
    (data,) = export_of(books, "invoices", form)
    rows = rows_of(data) if form == "csv" else pq.read_table(io.BytesIO(data)).to_pylist()
    assert len(rows[0]) == formats.MOST_COLUMNS + 6
    assert json.loads(rows[0]["other fields"]) == {f"z.a.{'x' * 121}": "y"}
    assert json.loads(rows[1]["other fields"]) == {"f299": 299, "f300": 300, "f301": 301}
    assert not rows[2]["other fields"]


def test_a_stream_without_records_is_a_file_with_headings_alone(books, export_of):
    (data,) = export_of(books, "invoices")
    assert data.decode("utf-8-sig") == '"record key","first seen","changed","gone","change number","other fields"\r\n'
    (data,) = export_of(books, "invoices", "parquet")
    assert pq.read_table(io.BytesIO(data)).num_rows == 0
    assert export_of(books, "invoices", "jsonl") == [b""]


def test_names_that_are_taken_get_another(books, export_of):
    keep(books, "invoices", [("1", '{"record key":"a","change number":"b","=2+3":1,"other fields":"c"}')])
    (data,) = export_of(books, "invoices")
    (row,) = rows_of(data)
    assert (row["record key"], row["record key_"], row["change number_"]) == ("1", "a", "b")
    assert (row["'=2+3"], row["other fields"], row["other fields_"]) == ("1", "c", "")
