"""Whose rows the database shows: one tenant's, one person's, or to staff all. A scope lasts as long as its transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass
from threading import local
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from psycopg.pq import TransactionStatus

from connections.tenancy.row_security import STAFF, WEB


@dataclass(frozen=True)
class Actor:
    """Who acts: the portal's user id (None for the portal itself) and the name shown in the audit trail."""

    id: int | None
    name: str


SYSTEM = Actor(None, "Pilotage")


TENANT_SETTING = "portal.tenant_id"  # of the database, by which the policies know the tenant

# The person whose scope this process has entered; the database knows it by `portal.user_id`.
_session_person: ContextVar[int | None] = ContextVar("session_person", default=None)


def session_person() -> int | None:
    """The person whose scope was entered, None where nobody's was: a worker, a command, a visitor."""
    return _session_person.get()


class _EndedScopes:
    """Puts back what ended scopes had changed, before the next statement of their transaction.

    A transaction mostly ends with its scope, and takes the changes with it: then nothing is sent at all.
    """

    def __init__(self) -> None:
        self.before: dict[str, str] = {}  # by setting

    def __call__(self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        # In a transaction that has failed nothing else can be sent, and the rollback puts back by itself.
        if not sql.startswith("ROLLBACK TO SAVEPOINT"):
            self.put_back()
        return execute(sql, params, many, context)

    def add(self, before: dict[str, str]) -> None:
        self.before |= before
        if self not in connection.execute_wrappers:
            connection.execute_wrappers.insert(0, self)

    def put_back(self) -> None:
        connection.execute_wrappers.remove(self)
        before, self.before = self.before, {}
        is_over = connection.connection.info.transaction_status == TransactionStatus.IDLE
        if not is_over:
            _set(before)


# Connections belong to a thread, and so does what is to be put back on them.
_threads = local()


def _ended_scopes() -> _EndedScopes:
    if not hasattr(_threads, "ended_scopes"):
        _threads.ended_scopes = _EndedScopes()
    ended: _EndedScopes = _threads.ended_scopes
    return ended


def _set(values: dict[str, str]) -> dict[str, str]:
    """Change settings of the database for this transaction; returns what they were. One statement."""
    changes = ", ".join(["coalesce(current_setting(%s, true), ''), set_config(%s, %s, true)"] * len(values))
    with connection.cursor() as cursor:
        parameters = [part for name, value in values.items() for part in (name, name, value)]
        cursor.execute(f"SELECT {changes}", parameters)  # nosec B608
        return dict(zip(values, cursor.fetchone()[::2], strict=True))


@contextmanager
def _settings(values: dict[str, str], *, savepoint: bool) -> Iterator[None]:
    # A released savepoint keeps the new values, so they are put back at the end of the block, where the transaction is
    # longer. After an error the rollback to the savepoint has done that.
    is_outermost = not connection.in_atomic_block
    with transaction.atomic() if savepoint or is_outermost else nullcontext():
        before = _set(values)
        try:
            yield
        except BaseException:
            if not savepoint and not is_outermost:
                _ended_scopes().add(before)
            raise
    if not is_outermost:
        _ended_scopes().add(before)


@contextmanager
def tenant_scope(tenant_id: UUID, *, savepoint: bool = True, **settings: str) -> Iterator[None]:
    """Rows of this tenant, and only these, may be read and written until the block ends.

    `settings`: others of the database's that hold for as long; they are set by the same statement.

    What a block has written is undone when it raises. `savepoint=False` spares two statements where a block only reads
    within a transaction.
    """
    with _settings({TENANT_SETTING: str(UUID(str(tenant_id))), **settings}, savepoint=savepoint):
        yield


@contextmanager
def person_scope(user_id: int, name: str = "", *, savepoint: bool = True) -> Iterator[None]:
    """This person's own memberships may be read, whatever the tenant, and what is audited is audited as theirs."""
    person = int(user_id)
    token = _session_person.set(person)
    try:
        with _settings({"portal.user_id": str(person), "portal.user_name": name}, savepoint=savepoint):
            yield
    finally:
        _session_person.reset(token)


@contextmanager
def visitor_scope(name: str, *, savepoint: bool = True) -> Iterator[None]:
    """Somebody without an account acts, and is audited by this name; whoever is signed in in the same browser does not."""
    token = _session_person.set(None)
    try:
        with _settings({"portal.user_id": "", "portal.user_name": name}, savepoint=savepoint):
            yield
    finally:
        _session_person.reset(token)


@contextmanager
def staff_scope(*, savepoint: bool = True) -> Iterator[None]:
    """The staff's role: metadata of every tenant, no records, no bodies, no sealed columns. The caller has checked who asks."""
    with _settings({"role": STAFF}, savepoint=savepoint):
        yield


@contextmanager
def visit_scope(tenant_id: UUID) -> Iterator[None]:
    """Inside the staff's scope: what one tenant's own members may read. The caller has checked that a visit allows it."""
    with _settings({"role": WEB, TENANT_SETTING: str(UUID(str(tenant_id)))}, savepoint=False):
        yield
