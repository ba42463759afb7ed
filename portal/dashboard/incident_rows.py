"""A connection's incidents as its page lists them: what is wrong since when, and what was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import F, OuterRef
from django.db.models.functions import JSONObject

from connections.vault.models import Connection
from portal.incidents.models import Incident
from portal.incidents.sentences import cause_sentence, checkpoint_title

INCIDENTS_SHOWN = 5
COLUMNS = ("cause", "checkpoint", "values", "opened_at", "closed_at")


@dataclass(frozen=True)
class IncidentRow:
    """One of them, with its sentence and the checkpoint where it is mended; its title is "" where there is none."""

    sentence: str
    checkpoint: str
    title: str
    opened_at: datetime
    closed_at: datetime | None


def newest_incidents() -> ArraySubquery:
    """For a query of connections, without a statement of its own: the open ones first, then the newest that are over."""
    rows = Incident.objects.filter(connection=OuterRef("id"))
    newest = rows.order_by(F("closed_at").desc(nulls_first=True), "-opened_at")[:INCIDENTS_SHOWN]
    return ArraySubquery(newest.values(row=JSONObject(**{column: column for column in COLUMNS})))


def incident_rows(connection: Connection, incidents: Sequence[Mapping[str, Any]]) -> list[IncidentRow]:
    """Of what `newest_incidents` gave. No query."""
    return [
        IncidentRow(
            sentence=cause_sentence(connection.provider, each["cause"], each["values"]),
            checkpoint=each["checkpoint"],
            title=checkpoint_title(connection.provider, connection.auth_method, each["checkpoint"]),
            opened_at=datetime.fromisoformat(each["opened_at"]),
            closed_at=datetime.fromisoformat(each["closed_at"]) if each["closed_at"] else None,
        )
        for each in incidents
    ]
