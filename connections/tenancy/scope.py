"""Whose rows the database shows: one tenant's, one person's, or to staff all. A scope lasts as long as its transaction."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
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


# The person whose scope this process has entered; the database knows it by `portal.user_id`.
_session_person: ContextVar[int | None] = ContextVar("session_person", default=None)


def session_person() -> int | None:
    """The person whose scope was entered, None where nobody's was: a worker, a command, a visitor."""
    return _session_person.get()


@contextmanager
def _variables(**values: str) -> Iterator[None]:
    # Inside a longer transaction the old values come back at the end: a released savepoint would keep the new ones.
    # After an error the rollback to the savepoint restores them.
    names = [f"portal.{name}" for name in values]
    changes = ", ".join(["coalesce(current_setting(%s, true), ''), set_config(%s, %s, true)"] * len(names))
    with transaction.atomic():
        with connection.cursor() as cursor:
            new = zip(names, names, values.values(), strict=True)
            cursor.execute(f"SELECT {changes}", [each for change in new for each in change])  # nosec B608
            before = cursor.fetchone()[::2]
        yield
        with connection.cursor() as cursor:
            restored = ", ".join(["set_config(%s, %s, true)"] * len(names))
            old = zip(names, before, strict=True)
            cursor.execute(f"SELECT {restored}", [each for change in old for each in change])  # nosec B608


@contextmanager
def tenant_scope(tenant_id: UUID) -> Iterator[None]:
    """Rows of this tenant, and only these, may be read and written until the block ends."""
    with _variables(tenant_id=str(UUID(str(tenant_id)))):
        yield


@contextmanager
def person_scope(user_id: int, name: str = "") -> Iterator[None]:
    """This person's own memberships may be read, whatever the tenant, and what is audited is audited as theirs."""
    person = int(user_id)
    token = _session_person.set(person)
    try:
        with _variables(user_id=str(person), user_name=name):
            yield
    finally:
        _session_person.reset(token)


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
