"""Keeps one page of records with one statement; the database splits the page, so no record becomes an object here."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection as database

from connections.spec.streams import BadPage
from connections.vault.models import Connection

# An unchanged record is neither written nor locked: it is dropped by the join, before the insert would touch its row.
# LIMIT keeps that join one look into the index per record; left to itself the planner merges the page with all records
# of the stream, because right after the first pages its statistics know of none.
# ON CONFLICT still decides, since a row may have come in between. A row that was inserted has no xmax; one that was
# updated carries ours.
_WRITE = """
WITH page AS (
    SELECT DISTINCT ON (external_id) external_id, body
    FROM (
        SELECT %(prefix)s || (item ->> %(key)s) AS external_id, item AS body, place
        FROM jsonb_array_elements(%(document)s::jsonb #> %(path)s) WITH ORDINALITY AS list (item, place)
    ) AS listed
    ORDER BY external_id, place DESC
), news AS (
    SELECT page.external_id, page.body
    FROM page LEFT JOIN LATERAL (
        SELECT id, body FROM sync_record AS one
        WHERE one.tenant_id = %(tenant)s AND one.connection_id = %(connection)s AND one.stream = %(stream)s
            AND one.external_id = page.external_id
        LIMIT 1
    ) AS kept ON true
    WHERE kept.id IS NULL OR kept.body IS DISTINCT FROM page.body
), written AS (
    INSERT INTO sync_record AS record (id, tenant_id, connection_id, stream, external_id, body, added_at, changed_at)
    SELECT gen_random_uuid(), %(tenant)s, %(connection)s, %(stream)s, external_id, body,
        statement_timestamp(), statement_timestamp()
    FROM news
    ON CONFLICT (tenant_id, connection_id, stream, external_id)
    DO UPDATE SET body = excluded.body, changed_at = excluded.changed_at
    WHERE record.body IS DISTINCT FROM excluded.body
    RETURNING xmax = 0 AS is_new
)
SELECT count(*) FILTER (WHERE is_new), count(*) FILTER (WHERE NOT is_new) FROM written
"""


@dataclass(frozen=True)
class Written:
    """How many records of a page were new, and how many had changed."""

    added: int
    changed: int


def write(
    *, connection: Connection, stream: str, key: str, document: str, path: Sequence[str] = (), prefix: str = ""
) -> Written:
    """Insert and update the records in the JSON list at `path` of `document`; identical ones are left alone.

    In the caller's transaction and scope. Where an id comes twice, its last place counts. Raises DataError for what
    the database cannot keep (`repaired` mends most of it).
    """
    with database.cursor() as cursor:
        cursor.execute(
            _WRITE,
            {
                "document": document,
                "path": list(path),
                "key": key,
                "prefix": prefix,
                "tenant": connection.tenant_id,
                "connection": connection.id,
                "stream": stream,
            },
        )
        added, changed = cursor.fetchone()
    return Written(added, changed)


def repaired(records: list[dict[str, Any]]) -> str:
    """The records as JSON without what jsonb refuses: NUL characters and halves of surrogate pairs become U+FFFD.

    Raises BadPage for numbers that are none.
    """
    try:
        return json.dumps(_mend(records), ensure_ascii=False, allow_nan=False)
    except ValueError:
        message = "a number that is none"
        raise BadPage(message) from None


def _mend(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\x00", "\ufffd").encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if isinstance(value, list):
        return [_mend(each) for each in value]
    if isinstance(value, dict):
        return {_mend(name): _mend(each) for name, each in value.items()}
    return value
