"""Statements that the server keeps prepared, for the few that are sent with every page or call."""

from __future__ import annotations

from typing import Any

from django.db import connection


def prepared_cursor() -> Any:
    """A cursor of the default database whose statements stay prepared there (postgresql/base.py)."""
    return connection.prepared_cursor()  # type: ignore[attr-defined]  # of our own backend
