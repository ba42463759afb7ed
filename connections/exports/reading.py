"""Reads the records of one stream as the tenant's worker would: one snapshot, a cursor on the server, few rows at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, NamedTuple

import psycopg

from connections.exports.frames import FileRequest

ROWS_AT_A_TIME = 200
# A text that is longer comes by itself, so that what is held at a time is bounded, however long the records are.
LONG_BYTES = 32 * 1024
# One that is longer still comes as bytes and is not taken apart: as text it may need four times as much memory.
HUGE_BYTES = 1_000_000

_ROLE = "SET LOCAL ROLE portal_worker"
_LIST = """
SELECT external_id, CASE WHEN octet_length(body::text) <= %(long)s THEN body::text END, change_number, added_at, changed_at,
    gone_at
FROM sync_record
WHERE tenant_id = %(tenant)s AND connection_id = %(connection)s AND stream = %(stream)s AND external_id > %(after)s
ORDER BY external_id
"""
_LONG = """
SELECT CASE WHEN octet_length(body::text) <= %(huge)s THEN body::text END,
    CASE WHEN octet_length(body::text) > %(huge)s THEN convert_to(body::text, 'UTF8') END
FROM sync_record
WHERE tenant_id = %(tenant)s AND connection_id = %(connection)s AND stream = %(stream)s AND external_id = %(id)s
"""


class RecordRow(NamedTuple):
    """One record, with its text as it came: as UTF-8 where it is huge."""

    key: str
    text: str | bytes
    change_number: int
    first_seen_at: datetime
    changed_at: datetime
    gone_at: datetime | None


class Snapshot:
    """The records as they stood at one moment, as often as they are read."""

    def __init__(self, connection: psycopg.Connection[Any], request: FileRequest) -> None:
        self._connection = connection
        self._values = {
            "tenant": request.tenant,
            "connection": request.connection,
            "stream": request.stream,
            "after": request.after,
            "long": LONG_BYTES,
            "huge": HUGE_BYTES,
        }

    def rows(self) -> Iterator[RecordRow]:
        with self._connection.cursor(name="records") as cursor:
            cursor.execute(_LIST, self._values)
            while rows := cursor.fetchmany(ROWS_AT_A_TIME):
                for key, text, *others in rows:
                    yield RecordRow(key, self._long(key) if text is None else text, *others)

    def _long(self, key: str) -> str | bytes:
        row = self._connection.execute(_LONG, {**self._values, "id": key}, binary=True).fetchone()
        if row is None:
            message = "a record left its own snapshot"
            raise LookupError(message)
        text, huge = row
        return bytes(huge) if text is None else str(text)


@contextmanager
def snapshot(request: FileRequest) -> Iterator[Snapshot]:
    """One read-only transaction, in which only this tenant's rows are seen. It changes nothing, and can change nothing."""
    with psycopg.connect(**request.database) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        connection.execute(_ROLE)
        connection.execute(
            "SELECT set_config('portal.tenant_id', %s, true), set_config('TimeZone', 'UTC', true)", [request.tenant]
        )
        yield Snapshot(connection, request)
