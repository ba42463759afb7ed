"""A circuit breaker that closes again step by step: it keeps calls away from a provider that is in trouble.

Failures open it. While it is open, one caller every 30 seconds is let through to try; after the first good answer it closes:
one call a second is let through, then twice as many every five seconds. Each call has two breakers, rows of the database
that all workers share: the server's, which opens when more than one connection fails there, and that of the connection at
this server. Only server errors and missing answers count as failures.
"""

from __future__ import annotations

import hashlib
import logging
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from urllib.parse import urlsplit
from uuid import UUID

from django.db import DatabaseError, models, transaction
from django.db import connection as database
from django.db.models import F, Func

from connections.providers import registry
from connections.spec.errors import Unavailable
from connections.transport import faults, stopwatch
from connections.transport.models import Breaker
from connections.vault.models import Connection

logger = logging.getLogger(__name__)

COUNTING_SPAN = timedelta(seconds=60)  # failures and good answers are counted for this long, from the first failure on
OPENING_FAILURES = 4  # so many, and at least as many as good answers, open it
TRIAL_INTERVAL = timedelta(seconds=30)  # an open breaker lets one caller through this often
RETURN_SPREAD_SECONDS = 15.0  # those who were turned away come back spread over this time
CLOSING_SPAN = timedelta(seconds=30)  # after the first good answer: a call a second, twice as many every five seconds
DOUBLING_SECONDS = 5.0
MOST_CLOSING_FAILURES = 3  # so many failures while it closes open it again
LONGEST_CLOSING_WAIT_SECONDS = 2.0  # a caller waits this long in place for its turn while the breaker closes
CALM_SECONDS = 1.0  # where nothing was counted, a caller looks again after so long, not at each of its calls
TROUBLE_KNOWN_FOR = timedelta(minutes=10)  # without anybody asking there, nobody knows whether the trouble lasts


# Registered by whoever wants to know that a server's breaker, or a connection's at its server, has just opened.
_on_trouble: dict[bool, Callable[[Connection], None]] = {}  # by whether it is a connection's


def connect_trouble(*, of_server: Callable[[Connection], None], of_connection: Callable[[Connection], None]) -> None:
    """Called while the apps load. Each is given the connection whose call failed last, in no scope and no transaction."""
    _on_trouble.update({False: of_server, True: of_connection})


class Clock(Func):
    """The database's time."""

    function = "clock_timestamp"
    output_field = models.DateTimeField()


# -- one row ---------------------------------------------------------------------------------------------------------


def is_open(row: Breaker) -> bool:
    return row.opened_at is not None and row.healed_at is None


def is_closing(row: Breaker, now: datetime) -> bool:
    return row.healed_at is not None and now < row.healed_at + CLOSING_SPAN


def is_counting(row: Breaker, now: datetime) -> bool:
    """Whether there were failures lately, so that good answers must be counted, too."""
    return is_open(row) or is_closing(row, now) or now < row.began_at + COUNTING_SPAN


def admit(row: Breaker, now: datetime) -> float | None:
    """Seconds to wait for the caller's turn, which is taken; None where the caller is turned away until `row.next_at`."""
    if is_open(row):
        if row.next_at and now < row.next_at:
            return None
        row.next_at = now + TRIAL_INTERVAL
        return 0.0
    if not is_closing(row, now) or row.healed_at is None:
        return 0.0
    turn = max(row.next_at or now, now)
    wait = (turn - now).total_seconds()
    if wait > LONGEST_CLOSING_WAIT_SECONDS:
        return None
    rate = 2 ** ((now - row.healed_at).total_seconds() / DOUBLING_SECONDS)
    row.next_at = turn + timedelta(seconds=1 / rate)
    return wait


def count_failure(row: Breaker, now: datetime, by: UUID) -> None:
    """Count a failure, and open where they are too many."""
    if is_open(row):
        return
    if is_closing(row, now):
        row.bad += 1
        if row.bad >= min(row.good, MOST_CLOSING_FAILURES):
            row.healed_at, row.next_at = None, now + TRIAL_INTERVAL
        return
    if now >= row.began_at + COUNTING_SPAN or row.opened_at is not None:
        row.began_at, row.good, row.bad, row.by, row.is_shared = now, 0, 0, by, False
        row.opened_at = row.healed_at = row.next_at = None
    row.bad += 1
    row.is_shared = row.is_shared or row.by != by
    is_enough = row.bad >= OPENING_FAILURES and row.bad >= row.good
    if is_enough and (row.is_shared or row.of_connection):
        row.opened_at, row.next_at = now, now + TRIAL_INTERVAL


def count_good_answer(row: Breaker, now: datetime) -> None:
    """Count a good answer; the first one after trouble begins the closing."""
    if is_open(row):
        row.healed_at, row.next_at = now, now + timedelta(seconds=1)
        row.good, row.bad = 0, 0
    row.good += 1


# -- a call's two rows -----------------------------------------------------------------------------------------------


class CircuitBreaker:
    """The breakers of one connection, as one caller meets them.

    It remembers which of them have let the caller's attempt through, which wait for the outcome of it because they are
    open or closing, and which count good answers because there were failures lately.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._passed: set[str] = set()
        self._trying: set[str] = set()
        self._counting: set[str] = set()
        self._calm_since: dict[str, float] = {}  # by this process's clock: when nothing was counted there

    @contextmanager
    def guard(self, url: str) -> Iterator[None]:
        """Around one attempt at `url`: waits two seconds at most, or raises Unavailable so that nothing is sent.

        Guards may be nested: inside of the block, a request for a token to the same server is let through without a second look.
        """
        keys = [key for key in _keys(self._connection, url) if key not in self._passed]
        if keys:
            self._admit(keys)
        self._passed.update(keys)
        try:
            yield
        finally:
            self._passed.difference_update(keys)

    def note(self, url: str, *, is_good: bool) -> None:
        """Count what became of a request. No statement is sent while all is well.

        Never raises a database error: the answer in the caller's hands may hold a token that is given once.
        """
        server, own = _keys(self._connection, url)
        try:
            if not is_good:
                self._calm_since.clear()
                for key, of_connection in ((server, False), (own, True)):
                    has_opened = _note_failure(key, self._connection.id, of_connection=of_connection)
                    if has_opened and of_connection in _on_trouble:
                        _on_trouble[of_connection](self._connection)
                return
            for key in {server, own} & self._trying:
                with _locked(key) as (row, now):
                    count_good_answer(row, now)
            counting = {server, own} & self._counting
            if counting:
                Breaker.objects.filter(key__in=counting, opened_at=None).update(good=F("good") + 1)
        except (DatabaseError, Breaker.DoesNotExist) as error:
            logger.warning("a breaker was not told of an answer (%s)", type(error).__name__)

    def _admit(self, keys: list[str]) -> None:
        """Raises Unavailable where one of the breakers lets nobody through at the moment."""
        now_here = time.monotonic()
        if all(now_here - self._calm_since.get(key, -CALM_SECONDS) < CALM_SECONDS for key in keys):
            return
        self._calm_since.clear()
        self._trying.difference_update(keys)
        self._counting.difference_update(keys)
        rows = {row.key: row for row in Breaker.objects.filter(key__in=keys).annotate(clock=Clock())}
        for key in keys:
            row = rows.get(key)
            if row is None or not is_counting(row, row.clock):
                self._calm_since[key] = now_here
                continue
            if not is_open(row) and not is_closing(row, row.clock):
                self._counting.add(key)
                continue
            with _locked(key) as (locked, now):
                was_open = is_open(locked)
                wait_seconds = admit(locked, now)
            if wait_seconds is None:
                jitter = timedelta(seconds=random.uniform(0, RETURN_SPREAD_SECONDS))  # noqa: S311
                raise Unavailable(faults.TROUBLE, retry_at=(locked.next_at or now) + jitter)
            self._trying.add(key)
            with stopwatch.measure(stopwatch.BREAKER):
                time.sleep(wait_seconds)
            if was_open:
                # Whoever tries whether the server is well again tries it for its own connection, too.
                self._trying.update(other for other in keys if other in rows and is_open(rows[other]))
                return


def trouble_since(connection: Connection) -> datetime | None:
    """Since when the breaker of the connection's provider has been open; None while it is closed.

    None as well where nobody has asked there for ten minutes, so that nobody knows whether the trouble lasts.
    """
    try:
        hosts = registry.hosts_of(
            registry.all_providers()[connection.provider], connection.environment, connection.settings
        )
    except LookupError:
        return None
    keys = [*_keys(connection, hosts.api), *_keys(connection, hosts.token)]
    troubled = Breaker.objects.filter(key__in=keys, opened_at__isnull=False, healed_at=None)
    current = troubled.filter(next_at__gt=Clock() - TROUBLE_KNOWN_FOR).order_by("opened_at")
    return current.values_list("opened_at", flat=True).first()


def _keys(connection: Connection, url: str) -> tuple[str, str]:
    """The keys of the server's breaker and of this connection's at the server. A hash stands for customers' addresses."""
    place = hashlib.sha256(urlsplit(url).netloc.encode()).hexdigest()[:16]
    server = f"{connection.provider}:{connection.environment}:{place}"
    return server, f"{server}:{connection.id}"


def _note_failure(key: str, by: UUID, *, of_connection: bool) -> bool:
    """Whether the breaker has opened by it."""
    first = Breaker(key=key, began_at=Clock(), by=by, of_connection=of_connection)
    Breaker.objects.bulk_create([first], ignore_conflicts=True)
    with _locked(key) as (row, now):
        was_open = is_open(row)
        count_failure(row, now, by)
        has_opened = is_open(row) and not was_open
        if has_opened:
            logger.warning("%s is in trouble: %d failures, %d good answers", key, row.bad, row.good)
    return has_opened


@contextmanager
def _locked(key: str) -> Iterator[tuple[Breaker, datetime]]:
    """The locked row and the database's time; the row is saved when the block ends.

    A process that stops in the middle loses the lock after five seconds.
    """
    with transaction.atomic():
        with database.cursor() as cursor:
            cursor.execute("SELECT set_config('idle_in_transaction_session_timeout', '5s', true)")
        row = Breaker.objects.select_for_update().get(key=key)
        with database.cursor() as cursor:
            cursor.execute("SELECT clock_timestamp()")
            now: datetime = cursor.fetchone()[0]
        yield row, now
        row.save(force_update=True)
