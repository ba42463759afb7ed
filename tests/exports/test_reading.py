"""The process sees the rows of one tenant, whatever it is asked for, and changes none."""

from __future__ import annotations

import json
from typing import Any

import psycopg
import pytest

from connections.exports import reading
from connections.exports.child import database_parameters
from connections.exports.frames import FileRequest
from tests.exports.conftest import keep, numbered


def request(tenant: Any, connection: Any, **values: Any) -> FileRequest:
    fields: dict[str, Any] = {
        "database": database_parameters(),
        "tenant": str(tenant.id),
        "connection": str(connection.id),
        "stream": "invoices",
        "format": "csv",
        "after": "",
        "columns": None,
        "most_records": 10,
        "fields_seconds": 60,
        "records_seconds": 60,
    }
    return FileRequest(**{**fields, **values})


def test_row_security_stands_below_what_the_statement_asks_for(
    books: Any, aamu: Any, kaste: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(books, "invoices", numbered(3))
    monkeypatch.setattr(reading, "_LIST", reading._LIST.replace("tenant_id = %(tenant)s AND", ""))
    for tenant, count in ((aamu, 3), (kaste, 0)):
        with reading.snapshot(request(tenant, books)) as records:
            assert len(list(records.rows())) == count


def test_nothing_can_be_written(books: Any, aamu: Any) -> None:
    with reading.snapshot(request(aamu, books)) as records:
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            records._connection.execute("DELETE FROM sync_record")


def test_it_is_one_moment(books: Any, aamu: Any) -> None:
    keep(books, "invoices", numbered(3))
    with reading.snapshot(request(aamu, books)) as records:
        assert len(list(records.rows())) == 3
        type(books).objects.get(id=books.id).records.all()._raw_delete("default")
        assert [row.key for row in records.rows()] == ["0000000", "0000001", "0000002"]


def test_long_records_come_one_by_one(books: Any, aamu: Any) -> None:
    long = json.dumps({"text": "x" * 2 * reading.LONG_BYTES})
    keep(books, "invoices", [("1", '{"id": 1}'), ("2", long), ("3", '{"id": 3}')])
    with reading.snapshot(request(aamu, books, after="1")) as records:
        assert [(row.key, row.text) for row in records.rows()] == [("2", long), ("3", '{"id": 3}')]
