"""A worker process that takes places in a quota as fast as it gets them. Prints place and start of each in database time.

python -m tests.transport.quota_worker slot <name> <calls a second> <seconds>
python -m tests.transport.quota_worker spend <name> <calls a day> <attempts>
"""

from __future__ import annotations

import json
import sys
import time
from datetime import timedelta

import django

django.setup()

from django.db import connection  # noqa: E402

from connections.spec.errors import QuotaExhausted  # noqa: E402
from connections.spec.provider import CountedBy, Quota  # noqa: E402
from connections.transport.limits import rate_limiter  # noqa: E402


def now() -> float:
    with connection.cursor() as cursor:
        cursor.execute("SELECT extract(epoch FROM clock_timestamp())")
        return float(cursor.fetchone()[0])


def slots(name: str, calls: int, seconds: float) -> list[tuple[float, float]]:
    granted = []
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        found = rate_limiter.next_slot(name, 1 / calls * rate_limiter.MARGIN)
        time.sleep(found.wait)
        granted.append((found.at, now()))
    return granted


def spent(name: str, calls: int, attempts: float) -> int:
    granted = 0
    for _ in range(int(attempts)):
        try:
            rate_limiter.count_call(name, Quota(calls, timedelta(days=1), CountedBy.CLIENT))
        except QuotaExhausted:
            continue
        granted += 1
    return granted


taken = {"slot": slots, "spend": spent}[sys.argv[1]]
json.dump(taken(sys.argv[2], int(sys.argv[3]), float(sys.argv[4])), sys.stdout)
