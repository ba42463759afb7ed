"""Connections that are usable only while their server takes writes, and whose dearest statements are prepared there.

A server that has been made a standby goes on answering, so Django would keep the connections it has there for as long as
CONN_MAX_AGE, and every page and job that writes would fail until then.
"""

from __future__ import annotations

from typing import Any

import psycopg
from django.db.backends.postgresql import base, operations

from connections.tenancy.postgresql import arrays


class DatabaseOperations(operations.DatabaseOperations):
    def last_executed_query(self, cursor: Any, sql: str, params: Any) -> str:
        """For logs and tests; a prepared cursor has only the statement to tell, as its values went beside it."""
        return super().last_executed_query(cursor, sql, params) or sql


class DatabaseWrapper(base.DatabaseWrapper):
    ops_class = DatabaseOperations

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        connection = super().get_new_connection(conn_params)
        arrays.register(connection)
        return connection

    def is_usable(self) -> bool:
        """Asked at the start of every request and job that uses an open connection, and after every error."""
        if self.connection is None:
            return False
        try:
            with self.connection.cursor() as cursor:
                cursor.execute("SELECT pg_is_in_recovery() OR current_setting('default_transaction_read_only')::bool")
                return not cursor.fetchone()[0]
        except psycopg.Error:
            return False

    def prepared_cursor(self) -> Any:
        """A cursor like any other, whose statements stay prepared on the server for as long as the connection lives.

        For the few that are sent with every page or call. Parameters go beside the statement, so their types must be
        plain from it. Where `prepare_threshold` is None (env.py), nothing is prepared: behind a pooler that gives each
        transaction another connection.
        """
        self.ensure_connection()
        with self.wrap_database_errors:
            return self._prepare_cursor(base.ServerBindingCursor(self.connection))  # type: ignore[attr-defined, call-arg]
