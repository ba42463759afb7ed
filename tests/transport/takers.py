"""A worker process that takes places in a quota as fast as it gets them. Prints the slots in database time."""

from __future__ import annotations

import json
import sys
import time

import django

django.setup()

from django.db import connection  # noqa: E402

from connections.transport import limiter  # noqa: E402

name, calls, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])


def database_now() -> float:
    with connection.cursor() as cursor:
        cursor.execute("SELECT extract(epoch FROM clock_timestamp())")
        return float(cursor.fetchone()[0])


granted = []
until = time.monotonic() + seconds
while time.monotonic() < until:
    wait = limiter.slot(name, 1 / calls * limiter.MARGIN)
    if wait > 0:
        time.sleep(wait)
    granted.append(database_now())
json.dump(granted, sys.stdout)
