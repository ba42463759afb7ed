"""The request log's monthly partitions: made ahead by the owner, dropped when they are old."""

from __future__ import annotations

from datetime import date, datetime, timezone

from django.db import connection

TABLE = "transport_entry"
MONTHS_AHEAD = 24


def month(start: date, offset: int) -> date:
    """The first day of the month `offset` months after that of `start`."""
    number = start.year * 12 + start.month - 1 + offset
    return date(number // 12, number % 12 + 1, 1)


def make_ahead(months: int = MONTHS_AHEAD) -> list[str]:
    """Make the partitions of this month, the `months` after it and the one before it; returns the names of those that it made.

    The one before: at the turn of a month a process's clock may be a minute behind the database's.
    """
    this_month = datetime.now(timezone.utc).date().replace(day=1)
    names = []
    with connection.cursor() as cursor:
        for offset in range(-1, months + 1):
            begin, end = month(this_month, offset), month(this_month, offset + 1)
            name = f"{TABLE}_{begin:%Y_%m}"
            cursor.execute("SELECT to_regclass(%s)", [name])
            if cursor.fetchone()[0] is None:
                cursor.execute(
                    f"CREATE TABLE {name} PARTITION OF {TABLE} FOR VALUES FROM ('{begin} 00:00Z') TO ('{end} 00:00Z')"
                )
                names.append(name)
    return names


def _month_of(partition: str) -> date:
    year, number = partition.rsplit("_", 2)[1:]
    return date(int(year), int(number), 1)


def last_month() -> date | None:
    """The first day of the last month that has a partition; None without any. One query."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT max(c.relname) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
            " WHERE i.inhparent = %s::regclass",
            [TABLE],
        )
        (name,) = cursor.fetchone()
    if name is None:
        return None
    return _month_of(name)


def drop_older(months: int) -> list[str]:
    """Detach and drop the partitions that ended more than `months` months ago; returns their names."""
    oldest = month(datetime.now(timezone.utc).date().replace(day=1), -months)
    dropped = []
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
            " WHERE i.inhparent = %s::regclass ORDER BY c.relname",
            [TABLE],
        )
        for (name,) in cursor.fetchall():
            if _month_of(name) < oldest:
                cursor.execute(f"ALTER TABLE {TABLE} DETACH PARTITION {name}")
                cursor.execute(f"DROP TABLE {name}")
                dropped.append(name)
    return dropped
