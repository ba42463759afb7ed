"""Stores one page of records with one statement, in which the texts of the records are as they came."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import IntegrityError
from django.db import connection as database
from django.db.models.expressions import RawSQL

from connections.spec.columns import searchable
from connections.sync.models import Record
from connections.sync.searching import TEXTS
from connections.sync.splitting import (
    LONG_ID,
    NO_ID,
    NOT_AN_OBJECT,
    NOT_STORABLE,
    Item,
    RefusedRecord,
    split,
)
from connections.tenancy.prepared import prepared_cursor
from connections.vault.models import Connection

__all__ = ["LONG_ID", "NOT_AN_OBJECT", "NOT_STORABLE", "NO_ID", "RefusedRecord", "Written", "spelled", "write"]

MOST_LISTED = 100
LONGEST_ID: int = Record._meta.get_field("external_id").max_length or 0

# A number is one id however it is spelled (17, 17.0, 1.7e1), and so is the text of its digits.
SPELLED = """CASE json_typeof(body -> %(key)s)
        WHEN 'number' THEN trim_scale((body ->> %(key)s)::numeric)::text
        WHEN 'string' THEN NULLIF(body ->> %(key)s, '')
    END"""

# The page, as `splitting` has cut it.
_PAGE = """
WITH page AS (
    SELECT external_id, body, checksum, search_1, search_2
    FROM unnest(
        %(ids)b::text[], %(bodies)b::text[], %(checksums)b::text[]::uuid[], %(search_1)b::text[], %(search_2)b::text[]
    ) AS page (external_id, body, checksum, search_1, search_2)
)"""
# The page, cut by the database, which looks at each of the records and says which of them it does not take: slower, and
# only needed where a page holds something odd.
_CUT = """
WITH items AS (
    SELECT item, place FROM json_array_elements(
        CASE WHEN json_typeof(%(document)s::json #> %(path)s) = 'null' THEN '[]' ELSE %(document)s::json #> %(path)s END
    ) WITH ORDINALITY AS list (item, place)
), listed AS (
    SELECT body, place, %(prefix)s || {spelled} AS external_id
    FROM (SELECT CASE WHEN pg_input_is_valid(item::text, 'jsonb') THEN item END AS body, place FROM items) AS taken
)"""
# What its records are found by, as it stands in them; Python gives it the form that is compared.
_FOUND_BY = """
SELECT DISTINCT ON (external_id) external_id, {texts}
FROM listed WHERE external_id IS NOT NULL
ORDER BY external_id, place DESC
""".replace(  # nosec B608  (a constant)
    "{texts}", TEXTS
)
_PAGE_ONE_BY_ONE = """, refused AS (
    SELECT place, CASE
        WHEN body IS NULL THEN %(not_storable)s
        WHEN json_typeof(body) <> 'object' THEN %(not_an_object)s
        WHEN external_id IS NULL THEN %(no_id)s
        ELSE %(long_id)s
    END AS reason
    FROM listed WHERE external_id IS NULL OR char_length(external_id) > %(longest_id)s
), page AS (
    SELECT DISTINCT ON (external_id) external_id, body::text AS body, NULL::uuid AS checksum, search_1, search_2
    FROM listed LEFT JOIN unnest(%(ids)s::text[], %(search_1)s::text[], %(search_2)s::text[])
        AS search (external_id, search_1, search_2) USING (external_id)
    WHERE char_length(external_id) <= %(longest_id)s
    ORDER BY external_id, place DESC
)"""
# An unchanged record is neither written nor locked: it is dropped by the join, before the insert would touch its row. Its
# checksum tells that mostly. Where the text is another one, the values decide: a record that is only spelled anew is the same.
# LIMIT keeps that join one look per record; left to itself the planner merges the page with all records of the stream,
# because right after the first pages its statistics know of none.
# Numbering makes the insert wait until every record has been looked for. On an empty table every way to look costs the
# planner nothing, and the one it takes may pass through all of the rows that this very statement has inserted so far:
# the time of a first list would grow with its square.
# ON CONFLICT still decides, since a row may have come in between. A row that was inserted has no xmax; one that was
# updated carries ours.
# Records that were carried over from a release without checksums get theirs when they are met as they were: once.
# A record that was gone and is listed again has changed, whatever its text.
# The connection's row is taken so that it is there, and this tenant's, until the page is committed: no key says so.
_WRITE = """, looked AS (
    SELECT page.external_id, page.body::json AS body, page.checksum, page.search_1, page.search_2,
        kept.row_at, kept.body AS old_body, kept.change_number AS old_number, kept.changed_at AS old_changed_at,
        kept.entry_id AS old_entry_id, kept.checksum IS NULL AS is_unknown,
        kept.external_id IS NULL OR kept.gone_at IS NOT NULL OR {differ} AS is_new, kept.gone_at AS old_gone_at
    FROM page LEFT JOIN LATERAL (
        SELECT ctid AS row_at, external_id, body, checksum, change_number, changed_at, gone_at, entry_id
        FROM sync_record AS one
        WHERE one.tenant_id = %(tenant)s AND one.connection_id = %(connection)s AND one.stream = %(stream)s
            AND one.external_id = page.external_id
        LIMIT 1
    ) AS kept ON true
    WHERE page.checksum IS NULL OR page.checksum IS DISTINCT FROM kept.checksum OR kept.gone_at IS NOT NULL
), news AS (
    SELECT *, row_number() OVER (ORDER BY old_number NULLS FIRST, external_id) AS place FROM looked WHERE is_new
), recognised AS (
    UPDATE sync_record AS record SET checksum = looked.checksum FROM looked
    WHERE record.ctid = looked.row_at AND is_unknown AND NOT is_new AND looked.checksum IS NOT NULL
), counter AS (
    INSERT INTO sync_changecounter AS counter (tenant_id, last)
    SELECT %(tenant)s, count(*) FROM news HAVING count(*) > 0
    ON CONFLICT (tenant_id) DO UPDATE SET last = counter.last + excluded.last
    RETURNING last - (SELECT count(*) FROM news) AS before
), owner AS (
    SELECT 1 FROM vault_connection
    WHERE id = %(connection)s AND tenant_id = %(tenant)s AND EXISTS (SELECT FROM news)
    FOR KEY SHARE
), written AS (
    INSERT INTO sync_record AS record
        (tenant_id, connection_id, stream, external_id, body, checksum, change_number, added_at, changed_at,
        search_1, search_2, entry_id)
    SELECT %(tenant)s, %(connection)s, %(stream)s, external_id, body, checksum, before + place,
        statement_timestamp(), statement_timestamp(), search_1, search_2, %(entry)s::uuid
    FROM news, counter, owner
    ORDER BY place
    ON CONFLICT (tenant_id, connection_id, stream, external_id)
    DO UPDATE SET body = excluded.body, checksum = excluded.checksum, change_number = excluded.change_number,
        changed_at = excluded.changed_at, gone_at = NULL, search_1 = excluded.search_1, search_2 = excluded.search_2,
        entry_id = excluded.entry_id
    WHERE record.body::text <> excluded.body::text OR record.gone_at IS NOT NULL
    RETURNING external_id, xmax = 0 AS is_added
), archived AS (
    INSERT INTO sync_recordversion
        (tenant_id, connection_id, stream, external_id, change_number, body, changed_at, gone_at, replaced_at, entry_id)
    SELECT %(tenant)s, %(connection)s, %(stream)s, external_id, old_number, old_body, old_changed_at, old_gone_at,
        statement_timestamp(), old_entry_id
    FROM news JOIN written USING (external_id)
    WHERE NOT is_added AND old_number IS NOT NULL
)
SELECT
    (SELECT count(*) FROM written WHERE is_added),
    (SELECT count(*) FROM written WHERE NOT is_added),
    (SELECT count(*) FROM news JOIN written USING (external_id) WHERE NOT is_added AND old_gone_at IS NOT NULL),
    EXISTS (SELECT FROM owner) OR NOT EXISTS (SELECT FROM news)
""".replace(  # nosec B608  (a constant)
    "{differ}",
    "CASE WHEN pg_input_is_valid(page.body, 'jsonb') AND pg_input_is_valid(kept.body::text, 'jsonb')"
    " THEN page.body::jsonb <> kept.body::jsonb ELSE page.body <> kept.body::text END",
)
_ASK = """
SELECT page.external_id
FROM unnest(%(ids)b::text[], %(checksums)b::text[]::uuid[]) AS page (external_id, checksum)
LEFT JOIN LATERAL (
    SELECT checksum, gone_at FROM sync_record AS one
    WHERE one.tenant_id = %(tenant)s AND one.connection_id = %(connection)s AND one.stream = %(stream)s
        AND one.external_id = page.external_id
    LIMIT 1
) AS kept ON true
WHERE kept.checksum IS DISTINCT FROM page.checksum OR kept.gone_at IS NOT NULL
"""
_REFUSED = """,
    (SELECT count(*) FROM refused),
    ARRAY(SELECT place - 1 FROM refused ORDER BY place LIMIT %(most_listed)s),
    ARRAY(SELECT reason FROM refused ORDER BY place LIMIT %(most_listed)s)
"""
_CODES: dict[str, Any] = {
    "longest_id": LONGEST_ID,
    "most_listed": MOST_LISTED,
    "not_storable": NOT_STORABLE,
    "not_an_object": NOT_AN_OBJECT,
    "no_id": NO_ID,
    "long_id": LONG_ID,
}
_WRITE_AT_ONCE = _PAGE + _WRITE
_ITEMS = _CUT.format(spelled=SPELLED)
_WRITE_ONE_BY_ONE = _ITEMS + _PAGE_ONE_BY_ONE + _WRITE + _REFUSED
_FIND_ONE_BY_ONE = _ITEMS + _FOUND_BY


@dataclass(frozen=True)
class Written:
    """How many records of a page were new, how many had changed, and what was left out.

    `returned`: how many of the changed ones had been gone.
    `refused`: the first MOST_LISTED of the `refused_count` items that were not stored, in their order. The others were.
    """

    added: int
    changed: int
    refused: tuple[RefusedRecord, ...] = ()
    refused_count: int = 0
    returned: int = 0


def spelled(name: str) -> RawSQL:
    """For a query of records: the field of this name in them, as an id is spelled; null where it cannot be one."""
    return RawSQL(SPELLED.replace("%(key)s", "%s"), [name] * 3)  # noqa: S611  # nosec B611  (the name is a parameter)


def write(
    *,
    connection: Connection,
    stream: str,
    key: str,
    document: str,
    path: Sequence[str] = (),
    prefix: str = "",
    searched: Sequence[tuple[str, ...]] = (),
    entry_id: UUID | None = None,
    is_checked: bool = False,
    is_asked_first: bool = False,
) -> Written:
    """Insert and update the records in the JSON list at `path` of `document`; identical ones are left alone.

    In the caller's transaction and scope. `searched`: the paths of what records are found by. `entry_id`: the request that
    brought them. `document` is JSON whose texts were mended (transport/http/parsing.py);
    `is_checked`, where it comes from there. `is_asked_first`: perhaps nothing of it is new, so that the database is asked
    for that by checksums alone, and no text is sent for what is as it was. Where an id comes twice, its last place counts.
    What cannot be stored is left out and named in the result; the others are stored. Nothing at `path`, or null, is an empty
    list. Raises DataError where something else stands there, IntegrityError where the connection is gone.
    """
    at = _place(connection, stream, entry_id)
    page = split(document, path, key, prefix=prefix, longest_id=LONGEST_ID, searched=searched, is_checked=is_checked)
    if page is None:
        return _write_one_by_one(at, key, document, path, prefix, searched)
    items = _news(at, page.items) if is_asked_first and page.items else page.items
    added, changed, returned = _write_items(at, items) if items else (0, 0, 0)
    return Written(added, changed, tuple(page.refused[:MOST_LISTED]), len(page.refused), returned)


def _news(at: Mapping[str, Any], items: Sequence[Item]) -> Sequence[Item]:
    """Those of them whose text is not the one that is kept, or that were gone."""
    arrays = _arrays(items)
    values = {**at, "ids": arrays["ids"], "checksums": arrays["checksums"]}
    with prepared_cursor() as cursor:
        cursor.execute(_ASK, values)
        ids = {external_id for (external_id,) in cursor.fetchall()}
    return [each for each in items if each.external_id in ids]


def _write_items(at: Mapping[str, Any], items: Sequence[Item]) -> tuple[int, int, int]:
    values = {**at, **_arrays(items)}
    with prepared_cursor() as cursor:
        cursor.execute(_WRITE_AT_ONCE, values)
        added, changed, returned, is_owned = cursor.fetchone()
    _check_owned(is_owned)
    return added, changed, returned


def _write_one_by_one(
    at: dict[str, Any],
    key: str,
    document: str,
    path: Sequence[str],
    prefix: str,
    searched: Sequence[tuple[str, ...]],
) -> Written:
    values: dict[str, Any] = {"document": document, "path": list(path), "key": key, "prefix": prefix}
    values |= {"ids": [], "search_1": [], "search_2": []}
    with database.cursor() as cursor:
        if searched:
            paths = [list(each) for each in searched]
            cursor.execute(_FIND_ONE_BY_ONE, values | {"path_1": paths[0], "path_2": paths[1] if paths[1:] else None})
            rows = cursor.fetchall()
            values["ids"] = [row[0] for row in rows]
            values["search_1"], values["search_2"] = ([searchable(row[place]) for row in rows] for place in (1, 2))
        cursor.execute(_WRITE_ONE_BY_ONE, _CODES | values | at)
        added, changed, returned, is_owned, refused_count, places, reasons = cursor.fetchone()
    _check_owned(is_owned)
    return Written(added, changed, tuple(map(RefusedRecord, places, reasons)), refused_count, returned)


def _place(connection: Connection, stream: str, entry_id: UUID | None = None) -> dict[str, Any]:
    return {"tenant": connection.tenant_id, "connection": connection.id, "stream": stream, "entry": entry_id}


def _arrays(items: Sequence[Item]) -> dict[str, Any]:
    return {
        "ids": [each.external_id for each in items],
        "bodies": [each.body for each in items],
        "checksums": [each.checksum for each in items],
        "search_1": [each.search_1 for each in items],
        "search_2": [each.search_2 for each in items],
    }


def _check_owned(is_owned: bool) -> None:
    if not is_owned:
        message = "records of a connection that is gone"
        raise IntegrityError(message)
