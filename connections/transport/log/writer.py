"""Writes the request log: an allow-list of facts per attempt, never a URL, a header or a body."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence

from django.db import connection as database

from connections.spec.provider import Provider
from connections.tenancy.prepared import prepared_cursor
from connections.tenancy.scope import tenant_scope
from connections.transport.log.redaction import holds_live
from connections.transport.models import RequestLogEntry

REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
# Many servers, and the gateways before them, number their answers without documenting it.
USUAL_REQUEST_ID_HEADERS = (
    "x-request-id",
    "request-id",
    "x-correlation-id",
    "correlation-id",
    "x-trace-id",
    "x-ms-request-id",
    "x-amzn-requestid",
    "cf-ray",
)

FIELDS = RequestLogEntry._meta.concrete_fields
COLUMNS = [str(field.column) for field in FIELDS]
# Values go to the server as text, whatever they are: so one prepared statement serves them all.
_TYPES = [str(field.db_type(database)).partition("(")[0] for field in FIELDS]
ROW = f"({', '.join(f'%s::{each}' for each in _TYPES)})"


def request_id_headers(provider: Provider) -> Sequence[str]:
    """In lower case, the documented ones first."""
    return tuple(dict.fromkeys((*(name.lower() for name in provider.request_id_headers), *USUAL_REQUEST_ID_HEADERS)))


def request_id(provider: Provider, headers: Mapping[str, str]) -> str:
    """The provider's id of the request, if it is one; anything else, such as our own token, is named by its hash.

    Of several headers the first that holds one counts.
    """
    sent = [headers[name] for name in request_id_headers(provider) if headers.get(name)]
    for value in sent:
        if REQUEST_ID.fullmatch(value) and not holds_live(value):
            return value
    return f"unprintable id, hash {hashlib.sha256(sent[0].encode()).hexdigest()[:16]}" if sent else ""


def write(entries: Sequence[RequestLogEntry]) -> None:
    """Insert in the caller's transaction and scope."""
    if entries:
        with prepared_cursor() as cursor:
            cursor.execute(*insertion(entries))


def insertion(entries: Sequence[RequestLogEntry]) -> tuple[str, list[str | None]]:
    """The statement that inserts these entries, at least one, and its values; it may stand in a WITH."""
    rows = ", ".join([ROW] * len(entries))
    statement = f"INSERT INTO {RequestLogEntry._meta.db_table} ({', '.join(COLUMNS)}) VALUES {rows}"  # noqa: S608  # nosec B608
    values = [getattr(entry, field.attname) for entry in entries for field in FIELDS]
    return statement, [None if value is None else str(value) for value in values]


def write_now(entries: Sequence[RequestLogEntry]) -> None:
    """Insert in a transaction of its own, so that nothing later can take it back."""
    if entries:
        with tenant_scope(entries[0].tenant_id):
            write(entries)
