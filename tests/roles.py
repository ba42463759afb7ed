"""Switches the database role of this process's connections, so that a test acts as web, worker or staff for real."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection
from django.db.backends.signals import connection_created

from portal.rate_limits import database

ROLES = {"owner": "portal_owner", "web": "portal_web", "worker": "portal_worker", "staff": "portal_staff"}
_current = "portal_owner"


def _on_connect(connection, **kwargs):  # type: ignore[no-untyped-def]
    # Threads of a test open connections of their own: they act in the same role.
    if connection.alias == database.ALIAS:
        # Counts are the web's, also where a page has become staff; a thread's connection ends with its request.
        with connection.cursor() as cursor:
            cursor.execute("SET ROLE portal_web")
        if threading.current_thread() is not threading.main_thread():
            connection.close_at = time.monotonic()
        return
    if _current != "portal_owner":
        with connection.cursor() as cursor:
            cursor.execute(f"SET ROLE {_current}")


connection_created.connect(_on_connect)


@contextmanager
def acting_as(name: str) -> Iterator[None]:
    """Every query inside runs as this role; row security applies to it as it does to a process that logs in with it."""
    global _current
    before = _current
    _current = ROLES[name]
    with connection.cursor() as cursor:
        cursor.execute(f"SET ROLE {_current}")
    try:
        yield
    finally:
        _current = before
        if not connection.needs_rollback and connection.connection is not None:
            with connection.cursor() as cursor:
                cursor.execute(f"SET ROLE {before}")
