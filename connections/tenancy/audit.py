"""Writes the audit trail."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from connections.tenancy.models import AuditEvent
from connections.tenancy.scope import Actor


def record(*, tenant_id: UUID, actor: Actor, action: str, subject: str = "", **details: Any) -> None:
    """Append one event; `details` holds ids, names and counts, never a secret."""
    AuditEvent(
        tenant_id=tenant_id,
        action=action,
        actor_id=actor.id,
        actor_name=actor.name,
        subject=subject,
        details=details,
    ).save(force_insert=True)
