"""The one place where transport asks for the time."""

from __future__ import annotations

from datetime import datetime, timezone


def now() -> datetime:
    """Aware, in UTC. Leases, claims and quota slots use the database's clock instead."""
    return datetime.now(timezone.utc)
