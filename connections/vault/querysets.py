"""Filters that several packages share, as methods of querysets. What they give needs the tenant's scope, as its rows do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self, TypeVar

from django.db.models import Model, QuerySet

from connections.vault.fields import sealed_columns
from connections.vault.states import STANDING, ConnectionState

if TYPE_CHECKING:
    from connections.vault.models import Connection, NetworkExemption, Pin  # noqa: F401  (named as text below)

Row = TypeVar("Row", bound=Model, covariant=True)


class ConnectionQuerySet(QuerySet["Connection"]):
    def standing(self) -> Self:
        """Set up once, and neither paused nor given up since: connected, or in need of attention."""
        return self.filter(state__in=STANDING)

    def paused(self) -> Self:
        return self.filter(state=ConnectionState.PAUSED)

    def disconnected(self) -> Self:
        return self.filter(state=ConnectionState.DISCONNECTED)

    def not_disconnected(self) -> Self:
        return self.exclude(state=ConnectionState.DISCONNECTED)


class ConnectionOwnedQuerySet(QuerySet[Row]):
    """For models whose rows belong to a connection."""

    def for_connection(self, connection: Connection) -> Self:
        return self.filter(connection_id=connection.id)


class SealedQuerySet(QuerySet[Row]):
    """For models with sealed columns, of which a process may have to fetch rows without the right to read these."""

    def without_sealed(self) -> Self:
        """Without the sealed columns and the versions of their keys, which the web may write and not read."""
        return self.defer(*sealed_columns(self.model))


class ExemptionQuerySet(ConnectionOwnedQuerySet["NetworkExemption"]):
    def in_force(self) -> Self:
        """Exemptions that no admin has ended. Those older than the connection's move to another server do not count either."""
        return self.filter(ended_at=None)


class PinQuerySet(ConnectionOwnedQuerySet["Pin"]):
    def confirmed(self) -> Self:
        """Trusted: a person compared the fingerprint and said so."""
        return self.exclude(confirmed_at=None)

    def unconfirmed(self) -> Self:
        return self.filter(confirmed_at=None)
