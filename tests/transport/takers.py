"""A worker process that takes places in a quota as fast as it gets them. Prints place and start of each in database time."""

from __future__ import annotations

import json
import sys
import time

import django

django.setup()

from django.db import connection, transaction  # noqa: E402

from connections.transport import limiter  # noqa: E402

name, calls, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])


def epoch(query: str, *values: str) -> float:
    with connection.cursor() as cursor:
        cursor.execute(query, values)
        return float(cursor.fetchone()[0])


granted = []
spacing = 1 / calls * limiter.MARGIN
until = time.monotonic() + seconds
while time.monotonic() < until:
    # Inside our transaction nobody else moves the line: what it says is our place.
    with transaction.atomic():
        wait = limiter.slot(name, spacing)
        place = epoch("SELECT extract(epoch FROM next_at) FROM transport_quotawindow WHERE key = %s", name) - spacing
    time.sleep(wait)
    granted.append((place, epoch("SELECT extract(epoch FROM clock_timestamp())")))
json.dump(granted, sys.stdout)
