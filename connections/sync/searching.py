"""What records are found by: values of the columns that their stream declares, in columns of their own.

A sync writes them with the record. Those that were read before a column was declared get theirs from the maintenance.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db import connection as database
from django.db import transaction
from django.db.models.expressions import RawSQL

from connections.providers import registry
from connections.spec.columns import searchable
from connections.spec.streams import Stream
from connections.sync.models import StreamCursor

RECORDS_AT_ONCE = 1000
# A text or number at a path of a record; of a long one more than can be compared.
_TEXT_AT = "CASE WHEN json_typeof(body #> {path}) IN ('string', 'number') THEN left(body #>> {path}, 1000) END"
TEXTS = f"{_TEXT_AT.format(path='%(path_1)s')}, {_TEXT_AT.format(path='%(path_2)s')}"

_NEXT = """
SELECT external_id, change_number, {texts}
FROM sync_record
WHERE tenant_id = %(tenant)s AND connection_id = %(connection)s AND stream = %(stream)s AND external_id > %(after)s
ORDER BY external_id LIMIT %(count)s
""".replace(  # nosec B608  (a constant)
    "{texts}", TEXTS
)
_FILL = """
UPDATE sync_record AS record SET search_1 = page.search_1, search_2 = page.search_2
FROM unnest(%(ids)s::text[], %(numbers)s::bigint[], %(search_1)s::text[], %(search_2)s::text[])
    AS page (external_id, change_number, search_1, search_2)
WHERE record.tenant_id = %(tenant)s AND record.connection_id = %(connection)s AND record.stream = %(stream)s
    AND record.external_id = page.external_id AND record.change_number = page.change_number
    AND (record.search_1, record.search_2) IS DISTINCT FROM (page.search_1, page.search_2)
"""


def texts_at(paths: Sequence[Sequence[str]], *, longest: int) -> RawSQL:
    """For a query of records: the values at these paths as a list of texts, cut at `longest` characters.

    A number is written as it came; null where there is nothing.
    """
    each = "left(sync_record.body #>> %s::text[], %s)"
    values = [value for path in paths for value in (list(path), longest)]
    sql = f"ARRAY[{', '.join([each] * len(paths))}]::text[]"
    return RawSQL(sql, values)  # noqa: S611  # nosec B611  (paths are parameters)


def text_of_body(*, longest: int) -> RawSQL:
    """For a query of records, or of their versions: the content to the letter, cut at `longest` characters."""
    return RawSQL("left(body::text, %s)", [longest])  # nosec B611  (a constant)


def searched_by(stream: Stream) -> str:
    """The columns that its records can be found by, as a cursor remembers them."""
    return " ".join(column.path for column in stream.searched)


def paths(stream: Stream) -> tuple[list[str] | None, list[str] | None]:
    """The two paths of a stream's searched columns, None for a place that it does not use."""
    declared: list[list[str] | None] = [list(column.steps) for column in stream.searched]
    first, second = [*declared, None, None][:2]
    return first, second


def fill() -> int:
    """Make all records findable by what their streams declare today; returns of how many streams. Across tenants.

    In batches, each a transaction of its own; a record that a sync changes meanwhile has its values from there. A stream
    that was not filled to its end is begun anew the next time.
    """
    count = 0
    for cursor in StreamCursor.objects.select_related("connection").order_by("id"):
        provider = registry.find(cursor.connection.provider)
        stream = next((each for each in provider.streams if each.name == cursor.stream), None) if provider else None
        if stream is None or cursor.searched_by == searched_by(stream):
            continue
        _fill_stream(cursor.tenant_id, cursor.connection_id, stream)
        StreamCursor.objects.filter(id=cursor.id).update(searched_by=searched_by(stream))
        count += 1
    return count


def _fill_stream(tenant_id: UUID, connection_id: UUID, stream: Stream) -> None:
    first, second = paths(stream)
    place: dict[str, Any] = {"tenant": tenant_id, "connection": connection_id, "stream": stream.name}
    after = ""
    while True:
        with transaction.atomic(), database.cursor() as cursor:
            cursor.execute(
                _NEXT, {**place, "path_1": first, "path_2": second, "after": after, "count": RECORDS_AT_ONCE}
            )
            rows = cursor.fetchall()
            if not rows:
                return
            ids, numbers, ones, others = zip(*rows, strict=True)
            values = {"search_1": list(map(searchable, ones)), "search_2": list(map(searchable, others))}
            cursor.execute(_FILL, {**place, **values, "ids": list(ids), "numbers": list(numbers)})
        after = ids[-1]
