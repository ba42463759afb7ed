"""The jobs that end a stored session at the provider by a call of its own: they join oauth/ and the client above it."""

from __future__ import annotations

from connections.jobs.lease import TenantLease
from connections.jobs.registry import Again
from connections.transport.client import send_and_log
from connections.transport.oauth import authorization, revocation


def exchange(lease: TenantLease) -> None:
    """Job: exchange a code for tokens, once."""
    authorization.exchange(lease, send_and_log)


def revoke(lease: TenantLease) -> Again | None:
    """Job: give a connection's access back, and destroy what is stored, or keep it for a last probe."""
    return revocation.revoke_and_destroy(lease, send_and_log)
