"""One worker process of the rates drill: takes places as fast as it gets them and sends a call for each.

    python -m tests.drills.taking <port> <line> <calls> <per seconds> <seconds> <connections>

A database that is gone is waited for. Prints one line of JSON at the end: the database times of its slots, how often it
was told to come back later, how often the database was gone.
"""

from __future__ import annotations

import http.client
import itertools
import json
import sys
import time
import uuid
from dataclasses import replace
from datetime import timedelta
from typing import Any

import django

django.setup()

from django.db import InterfaceError, OperationalError, connection  # noqa: E402

from connections.providers import registry  # noqa: E402
from connections.spec.errors import QuotaExhausted  # noqa: E402
from connections.spec.provider import CountedBy, Quota  # noqa: E402
from connections.transport.limits import rate_limiter  # noqa: E402
from connections.vault.models import Connection  # noqa: E402

port, line, calls, per, seconds, connections = sys.argv[1], sys.argv[2], *map(float, sys.argv[3:])
quota = Quota(int(calls), timedelta(seconds=per), CountedBy.CLIENT)
provider = replace(next(iter(registry.all_providers().values())), quotas=(quota,))
fleet = [
    Connection(id=uuid.uuid5(uuid.NAMESPACE_URL, str(number)), provider="drill", environment="test")
    for number in range(int(connections))
]
slots: list[float] = []
told: dict[str, Any] = {"slots": slots, "refused": 0, "gone": 0}

inner = rate_limiter.next_slot


def noting(*args: Any, **more: Any) -> rate_limiter.Slot:
    found = inner(*args, **more)
    slots.append(found.at)
    return found


rate_limiter.next_slot = noting
link = http.client.HTTPConnection("127.0.0.1", int(port))
until = time.monotonic() + seconds
# A budget that is used up has nothing more to give today; a line always has, soon.
enough = 20 if quota.per >= rate_limiter.COUNTED_FROM else sys.maxsize
for each in itertools.cycle(fleet):
    if time.monotonic() > until or told["refused"] >= enough:
        break
    try:
        rate_limiter.wait_for_quota(provider, each, line)
    except QuotaExhausted:
        told["refused"] += 1
        time.sleep(0.01)
    except (OperationalError, InterfaceError):
        told["gone"] += 1
        connection.close()
        time.sleep(0.02)
    else:
        link.request("GET", f"/{line}?{slots[-1] if slots else 0}")
        link.getresponse().read()
json.dump(told, sys.stdout)
