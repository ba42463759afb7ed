"""A connection's incidents as its page lists them: what is wrong since when, and what was."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import F

from connections.vault.models import Connection
from portal.incidents.models import Incident
from portal.incidents.sentences import cause_sentence, checkpoint_title

INCIDENTS_SHOWN = 5


@dataclass(frozen=True)
class IncidentRow:
    """One of them, with its sentence and the checkpoint where it is mended; "" where there is none."""

    incident: Incident
    sentence: str
    title: str


def incident_rows(connection: Connection) -> list[IncidentRow]:
    """The open ones first, then the newest that are over. One query, in the tenant's scope."""
    rows = Incident.objects.filter(tenant_id=connection.tenant_id, connection_id=connection.id)
    newest = rows.order_by(F("closed_at").desc(nulls_first=True), "-opened_at")[:INCIDENTS_SHOWN]
    return [
        IncidentRow(
            incident,
            cause_sentence(connection.provider, incident.cause, incident.values),
            checkpoint_title(connection.provider, connection.auth_method, incident.checkpoint),
        )
        for incident in newest
    ]
