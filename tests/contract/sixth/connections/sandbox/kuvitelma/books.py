"""What Kuvitelma keeps: who was let in, and the things."""

from __future__ import annotations

import secrets
import sqlite3

from connections.sandbox.kit import Kit

SCHEMA = """
CREATE TABLE IF NOT EXISTS held (kind TEXT NOT NULL, value TEXT PRIMARY KEY, ends_at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS clients (id TEXT PRIMARY KEY, secret TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS things (
    id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, edits INTEGER NOT NULL DEFAULT 0,
    made_by TEXT NOT NULL DEFAULT 'person'
);
"""
SECONDS = {"code": 600.0, "access": 3600.0, "refresh": 90 * 86400.0}
FIRST_THINGS = 120


class Books:
    """Everything stands in the store."""

    def __init__(self, kit: Kit) -> None:
        self._kit, self._store = kit, kit.store
        if not self.count():
            self.reset()

    def reset(self) -> None:
        for emptied in ("DELETE FROM held", "DELETE FROM clients", "DELETE FROM things"):
            self._store.write(emptied)
        self.hold(FIRST_THINGS)

    # -- who was let in ----------------------------------------------------------------------------------------------

    def issue(self, kind: str) -> str:
        value = secrets.token_urlsafe(24)
        self._store.write("INSERT INTO held VALUES (?, ?, ?)", kind, value, self._kit.clock.now() + SECONDS[kind])
        return value

    def holds(self, kind: str, value: str) -> bool:
        sql = "SELECT 1 FROM held WHERE kind = ? AND value = ? AND ends_at > ?"
        return self._store.row(sql, kind, value, self._kit.clock.now()) is not None

    def use_up(self, kind: str, value: str) -> bool:
        """Once: of two who come with the same one, the second is refused."""
        with self._store.transaction():
            good = self.holds(kind, value)
            self._store.write("DELETE FROM held WHERE value = ?", value)
        return good

    def living(self, kind: str) -> int:
        row = self._store.row("SELECT count(*) AS n FROM held WHERE kind = ?", kind)
        return int(row["n"]) if row else 0

    def add_client(self) -> tuple[str, str]:
        made = secrets.token_hex(6), secrets.token_urlsafe(24)
        self._store.write("INSERT INTO clients VALUES (?, ?)", *made)
        return made

    def secret_of(self, client_id: str) -> str | None:
        row = self._store.row("SELECT secret FROM clients WHERE id = ?", client_id)
        return str(row["secret"]) if row else None

    def revoke(self) -> None:
        self._store.write("DELETE FROM held")
        self._store.write("DELETE FROM clients")

    # -- things ------------------------------------------------------------------------------------------------------

    def count(self) -> int:
        row = self._store.row("SELECT count(*) AS n FROM things")
        return int(row["n"]) if row else 0

    def created(self) -> int:
        row = self._store.row("SELECT count(*) AS n FROM things WHERE made_by = 'api'")
        return int(row["n"]) if row else 0

    def page(self, begin: int, size: int) -> list[dict[str, object]]:
        rows = self._store.rows("SELECT * FROM things ORDER BY id LIMIT ? OFFSET ?", size, begin)
        return [shown(row) for row in rows]

    def one(self, ident: int) -> dict[str, object] | None:
        row = self._store.row("SELECT * FROM things WHERE id = ?", ident)
        return shown(row) if row else None

    def make(self, name: str, made_by: str = "person") -> dict[str, object] | None:
        made = self._store.write("INSERT INTO things (name, made_by) VALUES (?, ?)", name, made_by)
        return self.one(int(made.lastrowid or 0))

    def remove(self, ident: int) -> None:
        self._store.write("DELETE FROM things WHERE id = ?", ident)

    def touch(self, ident: int) -> None:
        self._store.write("UPDATE things SET edits = edits + 1 WHERE id = ?", ident)

    def hold(self, count: int) -> None:
        with self._store.transaction():
            sql = "DELETE FROM things WHERE id NOT IN (SELECT id FROM things ORDER BY id LIMIT ?)"
            self._store.write(sql, count)
            for number in range(self.count(), count):
                self.make(f"Thing {number}")


def shown(row: sqlite3.Row) -> dict[str, object]:
    return {"id": row["id"], "name": row["name"], "edits": row["edits"]}
