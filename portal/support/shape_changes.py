"""What changed of the records that a connection's streams hold, for staff: names of fields and kinds of values, no value."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from connections.providers import registry
from connections.spec.text import Text
from connections.sync import drift
from connections.sync.models import StreamCursor
from connections.vault.models import Connection

MOST_STREAMS = 100  # no provider has as many
WORDS: dict[str, Text] = {
    drift.NEW: _("new"),
    drift.VANISHED: _("vanished"),
    drift.RETYPED: _("another type"),
}


@dataclass(frozen=True)
class ShapeChange:
    """One field of one stream's records."""

    stream: str
    field: str
    what: Text
    was: str
    types: str
    at: datetime


def changed_cursors(connection: Connection) -> QuerySet[StreamCursor]:
    return drift.cursors_with_changes(connection).filter(tenant_id=connection.tenant_id)[:MOST_STREAMS]


def shape_changes(connection: Connection, cursors: Iterable[StreamCursor]) -> list[ShapeChange]:
    """The latest first."""
    provider = registry.find(connection.provider)
    labels = {stream.name: str(stream.label) for stream in provider.streams} if provider else {}
    changes = [
        ShapeChange(
            labels.get(row.stream, row.stream),
            change["field"],
            WORDS.get(change["kind"], change["kind"]),
            ", ".join(change["was"]),
            ", ".join(change["types"]),
            datetime.fromisoformat(change["at"]),
        )
        for row in cursors
        for change in row.shape_changes
    ]
    return sorted(changes, key=lambda change: change.at, reverse=True)
