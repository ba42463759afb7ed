"""The cache: JSON only, nothing culled, one of several at once, and what was counted outlives the page that failed."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.core.cache import cache
from django.db import NotSupportedError, ProgrammingError, connection, transaction

from portal.rate_limits import database
from portal.rate_limits.models import CacheEntry
from tests.roles import acting_as

pytestmark = pytest.mark.django_db


class Program:
    """What a pickle would run when it is read."""

    def __reduce__(self) -> Any:
        return print, ("ran",)


@pytest.mark.parametrize("value", [True, "y", 5, None, [1733000000.25, 1732999999.5], {"a": [1]}])
def test_what_json_holds_comes_back(value: Any) -> None:
    cache.set("key", value, 60)
    assert cache.get("key", "nothing") == value
    assert cache.delete("key")
    assert cache.get("key", "nothing") == "nothing"


@pytest.mark.parametrize("value", [Program(), b"\x80\x04", {1, 2}, float("nan")])
def test_nothing_else_is_stored(value: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        cache.set("key", value, 60)
    assert cache.get("key") is None


def test_an_entry_is_added_once_until_it_expires() -> None:
    assert cache.add("mark", "y", 60)
    assert not cache.add("mark", "z", 60)
    assert cache.get("mark") == "y"
    cache.set("mark", "y", 0)
    assert cache.get("mark") is None
    assert cache.add("mark", "z", 60)


def test_of_several_at_once_one_adds() -> None:
    added: list[bool] = []

    def add() -> None:
        with acting_lock:
            pass
        added.append(cache.add("mark", "y", 60))
        database.close()

    acting_lock = threading.Lock()
    with acting_lock:
        threads = [threading.Thread(target=add) for _ in range(6)]
        for thread in threads:
            thread.start()
    for thread in threads:
        thread.join()
    assert sorted(added) == [False] * 5 + [True]


def test_it_counts_in_one_statement() -> None:
    cache.set("count", 1, 60)
    assert cache.incr("count") == 2
    assert cache.incr("count", 5) == 7
    assert cache.decr("count") == 6
    with pytest.raises(ValueError, match="no such key"):
        cache.incr("other")
    assert cache.touch("count", 600)
    assert not cache.touch("other", 600)


def test_nothing_is_lost_but_what_has_expired() -> None:
    """Django's own database cache culls a third of the living entries once there are 300."""
    cache.set("limit", [1.5], 300)
    cache.set("for ever", 1, None)
    for number in range(20):
        cache.set(f"old {number}", 1, 0)
    for number in range(450):
        cache.set(f"flood {number}", 1, 300)
    assert cache.get("limit") == [1.5]
    assert cache.get("for ever") == 1
    assert [number for number in range(450) if cache.get(f"flood {number}") != 1] == []
    with database.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM rate_limits_cacheentry")
        assert cursor.fetchone() == (452,), "the expired ones went with the writes"
    with pytest.raises(NotSupportedError):
        cache.clear()


def test_a_page_that_is_rolled_back_has_counted() -> None:
    with transaction.atomic():
        cache.set("wrong tries", 1, 60)
        transaction.set_rollback(True)
    assert cache.get("wrong tries") == 1


def test_no_key_can_be_read() -> None:
    cache.set("allauth.mfa.totp.used?user=1&code=123456", "y", 60)
    with database.cursor() as cursor:
        cursor.execute("SELECT key FROM rate_limits_cacheentry")
        assert "123456" not in str(cursor.fetchall())


@pytest.mark.parametrize("role", ["staff", "worker"])
@pytest.mark.parametrize("table", ["rate_limits_cacheentry", "rate_limits_usage"])
def test_no_other_role_reads_or_writes_it(role: str, table: str) -> None:
    for statement in (f"SELECT * FROM {table}", f"DELETE FROM {table}", f"INSERT INTO {table} DEFAULT VALUES"):
        with acting_as(role), pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute(statement)


def test_the_old_table_of_pickles_is_gone() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('portal_cache')")
        assert cursor.fetchone() == (None,)
    assert CacheEntry._meta.db_table == "rate_limits_cacheentry"
