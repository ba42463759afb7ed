"""Finds the entry of the request log that says how a call failed. A request for a token on the way there does not."""

from __future__ import annotations

from uuid import UUID

from connections.spec.errors import CallFailed
from connections.transport.models import RequestLogEntry


def by_id(entry_id: UUID | None) -> RequestLogEntry | None:
    """Needs the tenant's scope, as does `of_failure`."""
    return RequestLogEntry.objects.filter(id=entry_id).first() if entry_id else None


def of_failure(failed: CallFailed, operation: str) -> RequestLogEntry | None:
    """The entry of this operation's own request, if it came to that."""
    entry = by_id(failed.entry_id)
    return entry if entry is not None and entry.operation == operation else None
