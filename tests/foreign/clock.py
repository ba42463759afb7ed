"""Lets time pass without anybody waiting: what stands in the database moves into the past, and every other clock goes on.

The database's own clock cannot be moved. A moment that is so many seconds nearer is the same.
"""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import psycopg
from django.db import connection as database
from psycopg import sql

PREFIXES = ("jobs_", "sync_", "transport_", "vault_", "onboarding_")
# Log lines and old versions have times that nobody waits for; the request log lies in partitions by time; a lease is held by
# a worker that lives, however long it is said to have slept.
LEFT_ALONE = ("sync_recordversion", "sync_runlogline", "transport_entry")
HELD = ("lease_until",)


class Clock:
    """`now` is the server's, in seconds; `monotonic` and `sleep` stand in for the ones of the module `time`."""

    def __init__(self) -> None:
        self.offset = 0.0
        parameters = {**database.get_connection_params()}
        for name in ("cursor_factory", "context", "prepare_threshold"):
            parameters.pop(name, None)
        self._line = psycopg.connect(**parameters, autocommit=True)
        self._line.execute("SET lock_timeout = '5s'")
        self._statements = self._shifts()

    def _shifts(self) -> list[sql.Composed]:
        found = self._line.execute(
            "SELECT table_name, array_agg(column_name::text) FROM information_schema.columns"
            " WHERE table_schema = 'public' AND data_type = 'timestamp with time zone'"
            " GROUP BY table_name ORDER BY table_name"
        ).fetchall()
        made = []
        for table, columns in found:
            if not table.startswith(PREFIXES) or table.startswith(LEFT_ALONE):
                continue
            moved = [
                sql.SQL("{0} = {0} - %(by)s::interval").format(sql.Identifier(each))
                for each in columns
                if each not in HELD
            ]
            made.append(sql.SQL("UPDATE {} SET {}").format(sql.Identifier(table), sql.SQL(", ").join(moved)))
        return made

    def now(self) -> float:
        return time.time() + self.offset

    def monotonic(self) -> float:
        return time.monotonic() + self.offset

    def sleep(self, seconds: float) -> None:
        self.pass_by(seconds)

    def pass_by(self, seconds: float) -> None:
        if seconds <= 0:
            return
        self.offset += seconds
        with self._line.transaction():
            for statement in self._statements:
                self._line.execute(statement, {"by": f"{seconds:.6f} s"})

    def until_due(self, *, but: tuple[str, ...]) -> float | None:
        """Seconds to the next queued job of another kind than these."""
        row = self._line.execute(
            "SELECT extract(epoch FROM min(due_at) - clock_timestamp())::float8 FROM jobs_job"
            " WHERE state = 'queued' AND kind <> ALL (%s)",
            [list(but)],
        ).fetchone()
        return None if row is None else row[0]

    def as_time(self) -> Any:
        """What stands in for the module `time`."""
        return SimpleNamespace(
            sleep=self.sleep, monotonic=self.monotonic, time=time.time, perf_counter=time.perf_counter
        )

    def clear(self) -> None:
        """Takes away what a trial left; tenants, their keys and registrations stay."""
        tables = self._line.execute(
            "SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')"
            " AND NOT c.relispartition"
        ).fetchall()
        kept = [name for (name,) in tables if not name.startswith(PREFIXES) or name in STANDING]
        self._line.execute("SELECT tests.empty_tables(%s)", [kept])

    def close(self) -> None:
        self._line.close()


STANDING = (
    "jobs_dispatchswitch",
    "vault_tenantkey",
    "vault_privatekey",
    "vault_systemkey",
    "vault_systemprivatekey",
    "vault_clientregistration",
)
