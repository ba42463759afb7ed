"""What of a pause stands in the connection's own row: that it is paused, since when, by whom and why."""

from __future__ import annotations

from django.db.models import Case, Value, When
from django.utils import timezone

from connections.vault.models import Connection, ConnectionState


def pause(*, connection: Connection, reason: str, who: str) -> bool:
    """Nobody reads with it until it is resumed. Needs the tenant's scope. False where it does not stand."""
    standing = Connection.objects.standing().filter(id=connection.id)
    values = {"paused_at": timezone.now(), "paused_by": who, "pause_reason": reason}
    return bool(standing.update(state=ConnectionState.PAUSED, **values))


def ask_pause(*, connection: Connection, reason: str, who: str) -> bool:
    """The staff's part of it: they may write that it is to be paused, and not its state. False where it does not stand."""
    standing = Connection.objects.standing().filter(id=connection.id)
    return bool(standing.update(paused_at=timezone.now(), paused_by=who, pause_reason=reason))


def ask_resume(*, connection: Connection) -> bool:
    """The same of resuming it. False where nobody has paused it."""
    paused = Connection.objects.not_disconnected().filter(id=connection.id, paused_at__isnull=False)
    return bool(paused.update(paused_at=None, paused_by="", pause_reason=""))


def resume(*, connection: Connection) -> bool:
    """It stands again, with whatever fault was found meanwhile. False where it is not paused."""
    paused = Connection.objects.paused().filter(id=connection.id)
    state = Case(When(fault="", then=Value(ConnectionState.CONNECTED)), default=Value(ConnectionState.BROKEN))
    return bool(paused.update(state=state, paused_at=None, paused_by="", pause_reason=""))
