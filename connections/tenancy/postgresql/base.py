"""A connection is usable only while its server takes writes.

A server that has been made a standby goes on answering, so Django would keep the connections it has there for as long as
CONN_MAX_AGE, and every page and job that writes would fail until then.
"""

from __future__ import annotations

import psycopg
from django.db.backends.postgresql import base


class DatabaseWrapper(base.DatabaseWrapper):
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
