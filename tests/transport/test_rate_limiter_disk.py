"""What the limiter asks of the disk, and that a session is left as it was."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import connection as database

from connections.providers import registry
from connections.spec.errors import QuotaExhausted
from connections.spec.provider import CountedBy, Quota
from connections.transport.limits import rate_limiter
from tests.transport.test_rate_limiter import BUDGET, DAY, connection, crashed, database_now


def is_on_the_disk(write):
    """Whether what was written is when it returns. Other processes may write meanwhile, so only its beginning is looked at."""
    with database.cursor() as cursor:
        cursor.execute("SELECT pg_current_wal_insert_lsn()")
        [before] = cursor.fetchone()
        write()
        cursor.execute("SELECT pg_current_wal_flush_lsn() > %s::pg_lsn", [before])
        return cursor.fetchone()[0]


def test_a_slot_does_not_wait_for_the_disk(committed_db):
    with database.cursor() as cursor:
        cursor.execute("SET synchronous_commit = on")
    rate_limiter.next_slot("line", 0.001)
    assert not all(is_on_the_disk(lambda: rate_limiter.next_slot("line", 0.001)) for _ in range(20))


def test_a_spent_call_is_on_the_disk_before_it_is_sent(committed_db):
    """Whatever this session prefers: the statement asks for it itself."""
    with database.cursor() as cursor:
        cursor.execute("SET synchronous_commit = off")
        for _ in range(10):
            assert is_on_the_disk(lambda: rate_limiter.count_call("budget", Quota(100, DAY, CountedBy.CLIENT)))
        cursor.execute("RESET synchronous_commit")


@pytest.mark.parametrize("preferred", ["on", "off"])
def test_what_a_session_prefers_is_left_to_it(committed_db, preferred):
    with database.cursor() as cursor:
        cursor.execute(f"SET synchronous_commit = {preferred}")
        for what in (lambda: rate_limiter.count_call("budget", BUDGET), lambda: rate_limiter.next_slot("line", 0.001)):
            what()
            cursor.execute("SHOW synchronous_commit")
            assert cursor.fetchone() == (preferred,)
        cursor.execute("RESET synchronous_commit")


def test_after_a_crash_a_long_span_must_go_by_as_well(db):
    provider = replace(registry.find("procountor"), quotas=(Quota(100, timedelta(seconds=10), CountedBy.CLIENT),))
    with database.cursor() as cursor:
        cursor.execute(crashed(0.5))
    with pytest.raises(QuotaExhausted) as caught:
        rate_limiter.wait_for_quota(provider, connection(), "c1")
    assert 10 < caught.value.retry_at.timestamp() - database_now() < 11.5
