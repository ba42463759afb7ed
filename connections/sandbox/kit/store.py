"""The SQLite file a simulator keeps its state in, shared by all request threads."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_VALUES = "CREATE TABLE IF NOT EXISTS kept (name TEXT PRIMARY KEY, value TEXT NOT NULL)"


class Store:
    """One connection behind one lock: a statement takes microseconds, and so nothing ever meets a locked database."""

    def __init__(self, path: Path, *, schema: str) -> None:
        self._lock = threading.RLock()
        self._link = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._link.row_factory = sqlite3.Row
        self._link.execute("PRAGMA journal_mode = WAL")
        # A killed simulator loses nothing; only a power cut may lose the last moments, which a stand-in may.
        self._link.execute("PRAGMA synchronous = NORMAL")
        self._link.execute("PRAGMA foreign_keys = ON")
        self._link.execute(_VALUES)
        self._link.executescript(schema)

    def rows(self, sql: str, *values: Any) -> list[sqlite3.Row]:
        with self._lock:
            return self._link.execute(sql, values).fetchall()

    def row(self, sql: str, *values: Any) -> sqlite3.Row | None:
        with self._lock:
            row: sqlite3.Row | None = self._link.execute(sql, values).fetchone()
            return row

    def write(self, sql: str, *values: Any) -> sqlite3.Cursor:
        with self._lock:
            return self._link.execute(sql, values)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All writes of the block or none; may be nested, the outermost block commits."""
        with self._lock:
            if self._link.in_transaction:
                yield
                return
            self._link.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._link.execute("ROLLBACK")
                raise
            self._link.execute("COMMIT")

    def copy(self) -> sqlite3.Connection:
        """Everything as it stands now, in memory, for `bring_back`."""
        copy = sqlite3.connect(":memory:", check_same_thread=False)
        with self._lock:
            self._link.backup(copy)
        return copy

    def bring_back(self, copy: sqlite3.Connection) -> None:
        """Everything as it stood when `copy` was made."""
        with self._lock:
            copy.backup(self._link)

    def get(self, name: str, default: Any) -> Any:
        row = self.row("SELECT value FROM kept WHERE name = ?", name)
        return default if row is None else json.loads(row["value"])

    def set(self, name: str, value: Any) -> None:
        self.write("INSERT OR REPLACE INTO kept (name, value) VALUES (?, ?)", name, json.dumps(value))
