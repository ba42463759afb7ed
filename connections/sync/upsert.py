"""Stores one page of records with one statement; the database splits the page, so no record becomes an object here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import DataError, transaction
from django.db import connection as database
from django.db.models.expressions import RawSQL

from connections.sync.models import Record
from connections.vault.models import Connection

# Why a record is not stored.
NOT_AN_OBJECT = "not-an-object"
NO_ID = "no-id"  # missing, null, an empty text, or no text and no number
LONG_ID = "long-id"
NOT_STORABLE = "not-storable"  # it holds a value that the database does not take
MOST_LISTED = 100
LONGEST_ID = Record._meta.get_field("external_id").max_length

# Where the items of the list come from. `json` keeps the text as it came and looks into no value, so that an item which
# jsonb does not take can be told from its neighbours: slower, and only needed after jsonb refused the page as a whole.
_ITEMS = """
    SELECT item AS body, place
    FROM jsonb_array_elements(COALESCE(NULLIF(%(document)s::jsonb #> %(path)s, 'null'), '[]'))
        WITH ORDINALITY AS list (item, place)
"""
_ITEMS_ONE_BY_ONE = """
    SELECT CASE WHEN pg_input_is_valid(item::text, 'jsonb') THEN item::text::jsonb END AS body, place
    FROM json_array_elements(%(document)s::json #> %(path)s) WITH ORDINALITY AS list (item, place)
"""

# A number is one id however it is spelled (17, 17.0, 1.7e1), and so is the text of its digits.
_SPELLED = """CASE jsonb_typeof(body -> %(key)s)
        WHEN 'number' THEN trim_scale((body ->> %(key)s)::numeric)::text
        WHEN 'string' THEN NULLIF(body ->> %(key)s, '')
    END"""
# An unchanged record is neither written nor locked: it is dropped by the join, before the insert would touch its row.
# LIMIT keeps that join one look per record; left to itself the planner merges the page with all records of the stream,
# because right after the first pages its statistics know of none.
# ORDER BY makes the insert wait until every record has been looked for. On an empty table every way to look costs the
# planner nothing, and the one it takes may pass through all of the rows that this very statement has inserted so far:
# the time of a first list would grow with its square.
# ON CONFLICT still decides, since a row may have come in between. A row that was inserted has no xmax; one that was
# updated carries ours.
_WRITE = """
WITH listed AS (
    SELECT body, place, %(prefix)s || {spelled} AS external_id
    FROM ({items}) AS items
), refused AS (
    SELECT place, CASE
        WHEN body IS NULL THEN %(not_storable)s
        WHEN jsonb_typeof(body) <> 'object' THEN %(not_an_object)s
        WHEN external_id IS NULL THEN %(no_id)s
        ELSE %(long_id)s
    END AS reason
    FROM listed WHERE external_id IS NULL OR char_length(external_id) > %(longest_id)s
), page AS (
    SELECT DISTINCT ON (external_id) external_id, body
    FROM listed WHERE char_length(external_id) <= %(longest_id)s
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
    ORDER BY kept.id NULLS FIRST, page.external_id
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
SELECT
    (SELECT count(*) FROM written WHERE is_new),
    (SELECT count(*) FROM written WHERE NOT is_new),
    (SELECT count(*) FROM refused),
    ARRAY(SELECT place - 1 FROM refused ORDER BY place LIMIT %(most_listed)s),
    ARRAY(SELECT reason FROM refused ORDER BY place LIMIT %(most_listed)s)
"""
_CODES = {
    "longest_id": LONGEST_ID,
    "most_listed": MOST_LISTED,
    "not_storable": NOT_STORABLE,
    "not_an_object": NOT_AN_OBJECT,
    "no_id": NO_ID,
    "long_id": LONG_ID,
}
_WRITE_AT_ONCE = _WRITE.format(items=_ITEMS, spelled=_SPELLED)
_WRITE_ONE_BY_ONE = _WRITE.format(items=_ITEMS_ONE_BY_ONE, spelled=_SPELLED)


@dataclass(frozen=True)
class RefusedRecord:
    """A record that was not stored: its place in the list, counted from 0, and why: one of the codes above."""

    place: int
    reason: str


@dataclass(frozen=True)
class Written:
    """How many records of a page were new, how many had changed, and what was left out.

    `refused`: the first MOST_LISTED of the `refused_count` items that were not stored, in their order. The others were.
    """

    added: int
    changed: int
    refused: tuple[RefusedRecord, ...] = ()
    refused_count: int = 0


def spelled(name: str) -> RawSQL:
    """For a query of records: the field of this name in them, as an id is spelled; null where it cannot be one."""
    return RawSQL(_SPELLED.replace("%(key)s", "%s"), [name] * 3)  # noqa: S611  # nosec B611  (the name is a parameter)


def write(
    *, connection: Connection, stream: str, key: str, document: str, path: Sequence[str] = (), prefix: str = ""
) -> Written:
    """Insert and update the records in the JSON list at `path` of `document`; identical ones are left alone.

    In the caller's transaction and scope. `document` is JSON whose texts were mended (transport/http/parsing.py). Where an
    id comes twice, its last place counts. What cannot be stored is left out and named in the result; the others are stored.
    Nothing at `path`, or null, is an empty list. Raises DataError where something else stands there.
    """
    values: dict[str, Any] = _CODES | {
        "document": document,
        "path": list(path),
        "key": key,
        "prefix": prefix,
        "tenant": connection.tenant_id,
        "connection": connection.id,
        "stream": stream,
    }
    try:
        with transaction.atomic():
            return _execute(_WRITE_AT_ONCE, values)
    except DataError:
        return _execute(_WRITE_ONE_BY_ONE, values)


def _execute(statement: str, values: dict[str, Any]) -> Written:
    with database.cursor() as cursor:
        cursor.execute(statement, values)
        added, changed, refused_count, places, reasons = cursor.fetchone()
    return Written(added, changed, tuple(map(RefusedRecord, places, reasons)), refused_count)
