"""The request log's monthly partitions: made ahead by the owner, dropped when they are old."""

from __future__ import annotations

from datetime import date, datetime, timezone

from django.db import connection

from connections.tenancy.row_security import row_security_sql

TABLE = "transport_entry"
MONTHS_AHEAD = 24

CREATE = f"""
CREATE TABLE {TABLE} (
    id uuid NOT NULL,
    at timestamptz NOT NULL,
    tenant_id uuid NOT NULL REFERENCES tenancy_tenant (id) ON DELETE CASCADE,
    connection_id uuid NOT NULL,
    run_id uuid,
    checkpoint varchar(60) NOT NULL DEFAULT '',
    provider varchar(40) NOT NULL,
    environment varchar(12) NOT NULL,
    api_version varchar(20) NOT NULL DEFAULT '',
    operation varchar(60) NOT NULL,
    method varchar(8) NOT NULL,
    path_template varchar(200) NOT NULL,
    status smallint,
    outcome varchar(12) NOT NULL,
    fault varchar(60) NOT NULL DEFAULT '',
    attempt smallint NOT NULL DEFAULT 1,
    duration_ms integer NOT NULL,
    bytes_in integer NOT NULL DEFAULT 0,
    provider_request_id varchar(140) NOT NULL DEFAULT '',
    token_age_s integer,
    quota_left integer,
    PRIMARY KEY (at, id)
) PARTITION BY RANGE (at);
CREATE INDEX transport_entry_tenant ON {TABLE} (tenant_id, at DESC, id DESC);
CREATE INDEX transport_entry_newest ON {TABLE} (at DESC, id DESC);
CREATE INDEX transport_entry_connection ON {TABLE} (tenant_id, connection_id, at DESC, id DESC);
CREATE INDEX transport_entry_run ON {TABLE} (run_id, at) WHERE run_id IS NOT NULL;
CREATE INDEX transport_entry_id ON {TABLE} (id);
CREATE INDEX transport_entry_request_id ON {TABLE} (provider_request_id) WHERE provider_request_id <> '';
CREATE INDEX transport_entry_status ON {TABLE} (status, at DESC, id DESC);
"""


def create_table() -> list[str]:
    """Statements for the first migration: the partitioned table behind the fence. Nothing is granted on a partition."""
    return [
        CREATE,
        *row_security_sql(TABLE, web="SELECT", worker="SELECT, INSERT", staff="SELECT", parent=False),
    ]


def _month(start: date, offset: int) -> date:
    months = start.year * 12 + start.month - 1 + offset
    return date(months // 12, months % 12 + 1, 1)


def make_ahead(months: int = MONTHS_AHEAD) -> list[str]:
    """Make the partitions of this month and the `months` after it; returns the names of those that it made."""
    this_month = datetime.now(timezone.utc).date().replace(day=1)
    names = []
    with connection.cursor() as cursor:
        for offset in range(months + 1):
            begin, end = _month(this_month, offset), _month(this_month, offset + 1)
            name = f"{TABLE}_{begin:%Y_%m}"
            cursor.execute("SELECT to_regclass(%s)", [name])
            if cursor.fetchone()[0] is None:
                cursor.execute(
                    f"CREATE TABLE {name} PARTITION OF {TABLE} FOR VALUES FROM ('{begin} 00:00Z') TO ('{end} 00:00Z')"
                )
                names.append(name)
    return names


def drop_older(months: int) -> list[str]:
    """Detach and drop the partitions that ended more than `months` months ago; returns their names."""
    oldest = _month(datetime.now(timezone.utc).date().replace(day=1), -months)
    dropped = []
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
            " WHERE i.inhparent = %s::regclass ORDER BY c.relname",
            [TABLE],
        )
        for (name,) in cursor.fetchall():
            year, month = name.rsplit("_", 2)[1:]
            if date(int(year), int(month), 1) < oldest:
                cursor.execute(f"ALTER TABLE {TABLE} DETACH PARTITION {name}")
                cursor.execute(f"DROP TABLE {name}")
                dropped.append(name)
    return dropped
