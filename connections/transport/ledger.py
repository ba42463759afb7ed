"""Writes the request log: an allow-list of facts per attempt, never a URL, a header or a body."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence

from django.db import connection as database

from connections.spec.provider import Provider
from connections.tenancy.scope import tenant_scope
from connections.transport.models import RequestLogEntry
from connections.transport.redaction import holds_live

REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")

COLUMNS = [str(field.column) for field in RequestLogEntry._meta.concrete_fields]
INSERT = (
    f"INSERT INTO {RequestLogEntry._meta.db_table} ({', '.join(COLUMNS)})"  # noqa: S608  # nosec B608
    f" VALUES ({', '.join(['%s'] * len(COLUMNS))})"
)


def request_id(provider: Provider, headers: Mapping[str, str]) -> str:
    """The provider's id of the request, if it is one; anything else, such as our own token, is named by its hash."""
    for name in provider.request_id_headers:
        value = headers.get(name.lower(), "")
        if value:
            if REQUEST_ID.fullmatch(value) and not holds_live(value):
                return value
            return f"unprintable id, hash {hashlib.sha256(value.encode()).hexdigest()[:16]}"
    return ""


def write(entries: Sequence[RequestLogEntry]) -> None:
    """Insert in the caller's transaction and scope."""
    if entries:
        rows = [
            [getattr(entry, field.attname) for field in RequestLogEntry._meta.concrete_fields] for entry in entries
        ]
        with database.cursor() as cursor:
            cursor.executemany(INSERT, rows)


def write_now(entries: Sequence[RequestLogEntry]) -> None:
    """Insert in a transaction of its own, so that nothing later can take it back."""
    if entries:
        with tenant_scope(entries[0].tenant_id):
            write(entries)
