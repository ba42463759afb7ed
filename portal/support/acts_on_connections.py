"""What staff may do at one connection, and what they have written about it."""

from __future__ import annotations

from django.db.models import QuerySet

from connections.providers import registry
from connections.vault.models import Connection
from portal.members.models import User
from portal.support.models import ConnectionNote, PlannedAction
from portal.support.planned_actions import MAY

NOTES_SHOWN = 50


def offered(user: User, connection: Connection) -> list[tuple[str, object]]:
    """The actions that make sense at this connection and that this person's role allows, each with its words."""
    if connection.is_disconnected:
        return []
    actions = [PlannedAction.CHECK, PlannedAction.ASK]
    if connection.is_standing:
        actions.insert(0, PlannedAction.SYNC)
    return [(action.value, action.label) for action in actions if user.can(MAY[action])]


def notes_of(connection: Connection) -> QuerySet[ConnectionNote]:
    notes = ConnectionNote.objects.filter(tenant_id=connection.tenant_id, connection=connection)
    return notes.order_by("-written_at", "-id")[:NOTES_SHOWN]


def broken_at(connection: Connection) -> str:
    """The checkpoint that the connection's fault reopens, "" for none: where its link should lead."""
    provider = registry.find(connection.provider)
    fault = provider.faults.find(connection.fault) if provider and connection.fault else None
    known = {each.slug for each in provider.checkpoints(connection.auth_method)} if provider and fault else set()
    return fault.checkpoint if fault is not None and fault.checkpoint in known else ""
