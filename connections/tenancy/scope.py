"""The three ways to look: inside one tenant, as one person, as staff. A scope lives in a transaction and dies with it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID

from django.db import connection, transaction

from connections.tenancy.row_security import STAFF


@dataclass(frozen=True)
class Actor:
    """Who acts: the portal's user id (None for the portal itself) and the name shown in the audit trail."""

    id: int | None
    name: str


SYSTEM = Actor(None, "Pilotage")


@contextmanager
def _variable(name: str, value: str) -> Iterator[None]:
    # Inside a longer transaction the old value comes back at the end: a released savepoint would keep the new one.
    # After an error the rollback to the savepoint restores it.
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT coalesce(current_setting(%s, true), ''), set_config(%s, %s, true)", [name, name, value]
            )
            before = cursor.fetchone()[0]
        yield
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config(%s, %s, true)", [name, before])


@contextmanager
def tenant_scope(tenant_id: UUID) -> Iterator[None]:
    """Rows of this tenant, and only these, may be read and written until the block ends."""
    with _variable("portal.tenant_id", str(UUID(str(tenant_id)))):
        yield


@contextmanager
def person_scope(user_id: int) -> Iterator[None]:
    """This person's own memberships may be read, whatever the tenant."""
    with _variable("portal.user_id", str(int(user_id))):
        yield


@contextmanager
def staff_scope() -> Iterator[None]:
    """The staff's role: metadata of every tenant, no records, no bodies, no sealed columns. The caller has checked who asks."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_user")
            before = cursor.fetchone()[0]
            cursor.execute(f"SET LOCAL ROLE {STAFF}")
        yield
        with connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL ROLE {connection.ops.quote_name(before)}")
