"""The tallies of the request log: added up by the day once a day is over, and deleted with the months that they count."""

from __future__ import annotations

from datetime import datetime, timezone

from django.db import connection

from connections.transport.log.partitions import month
from connections.transport.models import DayTally, MinuteTally

# An entry is written a little after the time that it tells: the last days are added up once more.
DAYS_AGAIN = 3

# Not that of an hour ago, at midnight: entries of its last minutes may still be on their way.
_ADD_UP = f"""
WITH days AS (
    SELECT coalesce((SELECT max(day) FROM {DayTally._meta.db_table}) - %s, '-infinity') AS first,
        ((now() - interval '1 hour') AT TIME ZONE 'UTC')::date AS after_last
), old AS (
    DELETE FROM {DayTally._meta.db_table} USING days WHERE day >= days.first
), counted AS (
    SELECT (minute AT TIME ZONE 'UTC')::date AS day, provider, environment, operation, outcome, sum(attempts) AS attempts
    FROM {MinuteTally._meta.db_table}, days
    WHERE minute >= days.first::timestamp AT TIME ZONE 'UTC' AND minute < days.after_last::timestamp AT TIME ZONE 'UTC'
    GROUP BY 1, 2, 3, 4, 5
)
SELECT day, provider, environment, operation, outcome, attempts FROM counted
"""  # noqa: S608  # nosec B608


def add_up_days() -> int:
    """Add up the days that are over, the last few again; returns how many they are. As the owner, in a transaction."""
    with connection.cursor() as cursor:
        cursor.execute(_ADD_UP, [DAYS_AGAIN - 1])
        rows = cursor.fetchall()
    DayTally.objects.bulk_create(
        [
            DayTally(
                day=day,
                provider=provider,
                environment=environment,
                operation=operation,
                outcome=outcome,
                attempts=attempts,
            )
            for day, provider, environment, operation, outcome, attempts in rows
        ],
        batch_size=500,
    )
    return len({day for day, *_ in rows})


def delete_older(months: int) -> int:
    """Delete what counts months that ended more than `months` months ago; returns how many minutes' tallies that were."""
    oldest = month(datetime.now(timezone.utc).date().replace(day=1), -months)
    deleted, _ = MinuteTally.objects.filter(
        minute__lt=datetime(oldest.year, oldest.month, 1, tzinfo=timezone.utc)
    ).delete()
    DayTally.objects.filter(day__lt=oldest).delete()
    return deleted
