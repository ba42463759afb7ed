"""Leaves a provider in trouble alone: opened by failures, one caller at a time while it lasts, then in little by little.

Two rows of the database are a call's breakers, shared by all workers: the server's, which opens when more than one
connection fails there, and that of the connection at this server. Only server errors and missing answers count.
"""

from __future__ import annotations

import hashlib
import logging
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from uuid import UUID

from django.db import DatabaseError, models, transaction
from django.db import connection as database
from django.db.models import F, Func

from connections.providers import registry
from connections.spec.errors import Unavailable
from connections.transport import faults
from connections.transport.models import Breaker
from connections.vault.models import Connection

if TYPE_CHECKING:
    from connections.transport.request_context import RequestContext

logger = logging.getLogger(__name__)

WINDOW = timedelta(seconds=60)  # failures and good answers are counted for this long, from the first failure on
LEAST = 4  # failures, and at least as many as good answers, open it; with the first look, five calls in a minute
EVERY = timedelta(seconds=30)  # one caller is let through this often: a token request and a call at most
SPREAD = 15.0  # seconds over which those who were turned away come back
RAMP = timedelta(seconds=30)  # after the first good answer: a call a second, twice as many every five seconds
DOUBLES = 5.0
MOST_RELAPSES = 3  # failures on the way in that close the door again
PATIENCE = 2.0  # seconds a caller waits in place for its turn on the way in
KNOWN_FOR = timedelta(minutes=10)  # without anybody asking there, nobody knows whether the trouble lasts


class Clock(Func):
    function = "clock_timestamp"
    output_field = models.DateTimeField()


# -- one row ---------------------------------------------------------------------------------------------------------


def is_open(row: Breaker) -> bool:
    return row.opened_at is not None and row.healed_at is None


def is_recovering(row: Breaker, now: datetime) -> bool:
    return row.healed_at is not None and now < row.healed_at + RAMP


def is_counting(row: Breaker, now: datetime) -> bool:
    """There were failures within the window, so good answers are worth writing down."""
    return is_open(row) or is_recovering(row, now) or now < row.began_at + WINDOW


def admit(row: Breaker, now: datetime) -> float | None:
    """Seconds to wait for the caller's turn, which is taken; None where it is turned away until `row.next_at`."""
    if is_open(row):
        if row.next_at and now < row.next_at:
            return None
        row.next_at = now + EVERY
        return 0.0
    if not is_recovering(row, now) or row.healed_at is None:
        return 0.0
    turn = max(row.next_at or now, now)
    wait = (turn - now).total_seconds()
    if wait > PATIENCE:
        return None
    rate = 2 ** ((now - row.healed_at).total_seconds() / DOUBLES)
    row.next_at = turn + timedelta(seconds=1 / rate)
    return wait


def failed(row: Breaker, now: datetime, by: UUID) -> None:
    """Count a failure, and open where they are too many."""
    if is_open(row):
        return
    if is_recovering(row, now):
        row.bad += 1
        if row.bad >= min(row.good, MOST_RELAPSES):
            row.healed_at, row.next_at = None, now + EVERY
        return
    if now >= row.began_at + WINDOW or row.opened_at is not None:
        row.began_at, row.good, row.bad, row.by, row.is_shared = now, 0, 0, by, False
        row.opened_at = row.healed_at = row.next_at = None
    row.bad += 1
    row.is_shared = row.is_shared or row.by != by
    is_enough = row.bad >= LEAST and row.bad >= row.good
    if is_enough and (row.is_shared or row.of_connection):
        row.opened_at, row.next_at = now, now + EVERY


def succeeded(row: Breaker, now: datetime) -> None:
    """Count a good answer; the first one after trouble begins the way in."""
    if is_open(row):
        row.healed_at, row.next_at = now, now + timedelta(seconds=1)
        row.good, row.bad = 0, 0
    row.good += 1


# -- a call's two rows -----------------------------------------------------------------------------------------------


@contextmanager
def guard(context: RequestContext, url: str) -> Iterator[None]:
    """Around one attempt at `url`: raises Unavailable instead of letting it be sent, waits two seconds at most.

    What is asked at the same server inside, such as for a token, has passed already.
    """
    wanted = [key for key in _keys(context.connection, url) if key not in context.passed]
    if wanted:
        _admit(context, wanted)
    context.passed.update(wanted)
    try:
        yield
    finally:
        context.passed.difference_update(wanted)


def note(context: RequestContext, url: str, *, is_good: bool) -> None:
    """Tell the breakers what became of a request. Costs nothing while all is well.

    Never takes an answer away from the caller: it may hold a token that works once.
    """
    server, own = _keys(context.connection, url)
    try:
        if not is_good:
            for key, of_connection in ((server, False), (own, True)):
                _fail(key, context.connection.id, of_connection=of_connection)
            return
        for key in {server, own} & context.tried:
            with _locked(key) as (row, now):
                succeeded(row, now)
        counting = {server, own} & context.counted
        if counting:
            Breaker.objects.filter(key__in=counting, opened_at=None).update(good=F("good") + 1)
    except (DatabaseError, Breaker.DoesNotExist) as error:
        logger.warning("a breaker was not told of an answer (%s)", type(error).__name__)


def trouble_since(connection: Connection) -> datetime | None:
    """Since when the connection's provider has been in trouble; None while it is not, or nobody knows."""
    try:
        hosts = registry.hosts_of(
            registry.all_providers()[connection.provider], connection.environment, connection.settings
        )
    except LookupError:
        return None
    keys = [*_keys(connection, hosts.api), *_keys(connection, hosts.token)]
    troubled = Breaker.objects.filter(key__in=keys, opened_at__isnull=False, healed_at=None)
    current = troubled.filter(next_at__gt=Clock() - KNOWN_FOR).order_by("opened_at")
    return current.values_list("opened_at", flat=True).first()


def _keys(connection: Connection, url: str) -> tuple[str, str]:
    """The server's and this connection's at the server. Addresses are customers' business: a hash stands for them."""
    place = hashlib.sha256(urlsplit(url).netloc.encode()).hexdigest()[:16]
    server = f"{connection.provider}:{connection.environment}:{place}"
    return server, f"{server}:{connection.id}"


def _admit(context: RequestContext, keys: list[str]) -> None:
    """Raises Unavailable."""
    context.tried.difference_update(keys)
    context.counted.difference_update(keys)
    rows = {row.key: row for row in Breaker.objects.filter(key__in=keys).annotate(clock=Clock())}
    for key in keys:
        row = rows.get(key)
        if row is None or not is_counting(row, row.clock):
            continue
        if not is_open(row) and not is_recovering(row, row.clock):
            context.counted.add(key)
            continue
        with _locked(key) as (locked, now):
            was_open = is_open(locked)
            wait = admit(locked, now)
        if wait is None:
            again = (locked.next_at or now) + timedelta(seconds=random.uniform(0, SPREAD))  # noqa: S311
            raise Unavailable(faults.TROUBLE, retry_at=again)
        context.tried.add(key)
        time.sleep(wait)
        if was_open:
            # Whoever goes to see how the server is goes for its own connection, too.
            context.tried.update(other for other in keys if other in rows and is_open(rows[other]))
            return


def _fail(key: str, by: UUID, *, of_connection: bool) -> None:
    first = Breaker(key=key, began_at=Clock(), by=by, of_connection=of_connection)
    Breaker.objects.bulk_create([first], ignore_conflicts=True)
    with _locked(key) as (row, now):
        was_open = is_open(row)
        failed(row, now, by)
        if is_open(row) and not was_open:
            logger.warning("%s is in trouble: %d failures, %d good answers", key, row.bad, row.good)


@contextmanager
def _locked(key: str) -> Iterator[tuple[Breaker, datetime]]:
    """The row and the database's time; kept when the block ends. Nobody can stand still with it for long."""
    with transaction.atomic():
        with database.cursor() as cursor:
            cursor.execute("SELECT set_config('idle_in_transaction_session_timeout', '5s', true)")
        row = Breaker.objects.select_for_update().get(key=key)
        with database.cursor() as cursor:
            cursor.execute("SELECT clock_timestamp()")
            now: datetime = cursor.fetchone()[0]
        yield row, now
        row.save(force_update=True)
