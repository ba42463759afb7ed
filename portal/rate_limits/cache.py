"""Django's cache over a table of our own: JSON and no pickle, nothing culled, every step one statement.

allauth keeps its login limits (lists of times) and the marks of used TOTP codes here. Django's own database cache
deletes living entries once it holds 300, and its values run programs when they are read.
"""

from __future__ import annotations

import json
from typing import Any

from django.core.cache.backends.base import DEFAULT_TIMEOUT, BaseCache
from django.db import NotSupportedError
from django.utils.crypto import salted_hmac

from portal.rate_limits import database
from portal.rate_limits.models import CacheEntry

TABLE = CacheEntry._meta.db_table
LIVING = "(expires_at IS NULL OR expires_at > clock_timestamp())"
EXPIRY = "clock_timestamp() + make_interval(secs => %s)"  # NULL where the interval is


class JSONTableCache(BaseCache):
    """Values are what JSON can hold; anything else is a TypeError where it is stored."""

    def __init__(self, location: str, params: dict[str, Any]) -> None:
        super().__init__(params)

    def add(self, key: Any, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> bool:
        """Whether it was stored: of several at once, one is."""
        return self._store(
            f"INSERT INTO {TABLE} (key, value, expires_at) VALUES (%s, %s::jsonb, {EXPIRY})"  # noqa: S608  # nosec B608  (constants)
            " ON CONFLICT (key) DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at"
            f" WHERE {TABLE}.expires_at <= clock_timestamp()",
            self._name(key, version),
            value,
            timeout,
        )

    def set(self, key: Any, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> None:
        self._store(
            f"INSERT INTO {TABLE} (key, value, expires_at) VALUES (%s, %s::jsonb, {EXPIRY})"  # noqa: S608  # nosec B608  (constants)
            " ON CONFLICT (key) DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at",
            self._name(key, version),
            value,
            timeout,
        )

    def get(self, key: Any, default: Any = None, version: int | None = None) -> Any:
        with database.cursor() as cursor:
            cursor.execute(
                f"SELECT value::text FROM {TABLE} WHERE key = %s AND {LIVING}",  # noqa: S608  # nosec B608  (constants)
                [self._name(key, version)],
            )
            row = cursor.fetchone()
        return default if row is None else json.loads(row[0])

    def incr(self, key: Any, delta: int = 1, version: int | None = None) -> int:
        """Raises ValueError for a key that is not there, as Django's caches do."""
        with database.cursor() as cursor:
            cursor.execute(
                f"UPDATE {TABLE} SET value = to_jsonb((value #>> '{{}}')::bigint + %s) WHERE key = %s AND {LIVING}"  # noqa: S608  # nosec B608
                " RETURNING (value #>> '{}')::bigint",
                [delta, self._name(key, version)],
            )
            row = cursor.fetchone()
        if row is None:
            message = "there is no such key"
            raise ValueError(message)
        return int(row[0])

    def touch(self, key: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> bool:
        with database.cursor() as cursor:
            cursor.execute(
                f"UPDATE {TABLE} SET expires_at = {EXPIRY} WHERE key = %s AND {LIVING}",  # noqa: S608  # nosec B608
                [self._seconds(timeout), self._name(key, version)],
            )
            return bool(cursor.rowcount)

    def delete(self, key: Any, version: int | None = None) -> bool:
        with database.cursor() as cursor:
            cursor.execute(f"DELETE FROM {TABLE} WHERE key = %s", [self._name(key, version)])  # noqa: S608  # nosec B608
            return bool(cursor.rowcount)

    def clear(self) -> None:
        """Raises NotSupportedError: nobody needs to forget every limit and every used code at once."""
        message = "this cache loses expired entries only"
        raise NotSupportedError(message)

    def _store(self, statement: str, name: str, value: Any, timeout: Any) -> bool:
        text = json.dumps(value, allow_nan=False)
        with database.cursor() as cursor:
            cursor.execute(statement, [name, text, self._seconds(timeout)])
            stored = bool(cursor.rowcount)
            database.delete_expired(cursor, TABLE, "key", "expires_at")
        return stored

    def _name(self, key: Any, version: int | None) -> str:
        return salted_hmac("cache", self.make_key(key, version=version), algorithm="sha256").hexdigest()

    def _seconds(self, timeout: Any) -> float | None:
        """None: never. What has no time left expires at once."""
        seconds = self.default_timeout if timeout == DEFAULT_TIMEOUT else timeout
        return None if seconds is None else max(float(seconds), 0.0)
