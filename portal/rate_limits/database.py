"""A database connection beside the request's: what is counted stays, whatever becomes of the request's transaction.

A page that fails is rolled back, and a wrong password or a used code must count all the same; and a counter that many
people share may not stay locked until the slowest of their pages is done.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper

ALIAS = "rate_limits"
EXPIRED_AT_ONCE = 4  # how many expired rows every write takes away with it

_local = threading.local()


class _Own:
    """A thread's connection, which ends with its thread."""

    def __init__(self, wrapper: BaseDatabaseWrapper) -> None:
        self.wrapper = wrapper

    def __del__(self) -> None:
        if self.wrapper.connection is not None:
            self.wrapper.connection.close()


def connection() -> BaseDatabaseWrapper:
    """This thread's own, in autocommit, signed in as the process is."""
    existing = _existing()
    if existing is None:
        existing = connections[DEFAULT_DB_ALIAS].copy(alias=ALIAS)
        _local.own = _Own(existing)
    return existing


def _existing() -> BaseDatabaseWrapper | None:
    own: _Own | None = getattr(_local, "own", None)
    return own.wrapper if own is not None else None


@contextmanager
def cursor() -> Iterator[Any]:
    with connection().cursor() as cursor:
        yield cursor


def is_open() -> bool:
    existing = _existing()
    return existing is not None and existing.connection is not None


def close_if_old() -> None:
    existing = _existing()
    if existing is not None:
        existing.close_if_unusable_or_obsolete()


def close() -> None:
    existing = _existing()
    if existing is not None:
        existing.close()
        del _local.own


def delete_expired(cursor: Any, table: str, key: str, moment: str) -> None:
    """A few rows that have expired, and no others: however many there are, nothing is lost before its time."""
    cursor.execute(
        f'DELETE FROM "{table}" WHERE "{key}" IN (SELECT "{key}" FROM "{table}" WHERE "{moment}" <= clock_timestamp()'  # noqa: S608  # nosec B608  (names of our own models)
        f' ORDER BY "{moment}" LIMIT {EXPIRED_AT_ONCE} FOR UPDATE SKIP LOCKED)'
    )
