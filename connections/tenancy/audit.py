"""Writes the audit trails: a tenant's own, and the system's."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Model
from psycopg.types.json import Jsonb

from connections.tenancy.models import AuditEvent, AuditTally, SystemAuditEvent, WhoDidWhat
from connections.tenancy.scope import SYSTEM, Actor, person_scope, session_person, visitor_scope

LONGEST_ACTION, LONGEST_SUBJECT, LONGEST_DETAIL = 80, 120, 500


class NotTheActor(Exception):
    """Code that runs in one person's session said that somebody else acts."""


def record(*, tenant_id: UUID, actor: Actor, action: str, subject: str = "", **details: Any) -> None:
    """Append one event of a tenant; `details` holds ids, names and counts, never a secret. Needs the tenant's scope.

    Who acts is the person whose session this is, whatever `actor` says: raises NotTheActor for anybody else. Where it is
    nobody's (a worker acts for the person who asked; somebody who is just signing in), `actor` is taken at its word.
    """
    _append(AuditEvent, actor, {"tenant_id": tenant_id, **_event(action, subject, details)})


def record_system(*, actor: Actor, action: str, subject: str = "", **details: Any) -> None:
    """Append one event of the system, in any scope. `actor` as for `record`; SYSTEM for a visitor whom nobody knows."""
    _append(SystemAuditEvent, actor, _event(action, subject, details))


def record_repeated(*, actor: Actor, action: str, group: str, subject: str = "", **details: Any) -> int:
    """Append an event that anybody can make happen a thousand times: in one hour and group, only the first time and each
    doubling of the count is appended, with the count. Returns the count.

    `group` tells apart what is counted by itself, such as a person's id; there must be few of them.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {AuditTally._meta.db_table} AS tally (name, count)"  # noqa: S608  # nosec B608
            " VALUES (to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24 ') || %s, 1)"
            " ON CONFLICT (name) DO UPDATE SET count = tally.count + 1 RETURNING count",
            [_storable_text(f"{action} {group}", 180)],
        )
        count = int(cursor.fetchone()[0])
    if count & (count - 1) == 0:
        record_system(actor=actor, action=action, subject=subject, **details, count=count)
    return count


def _event(action: str, subject: str, details: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": uuid.uuid4(),
        "action": _storable_text(action, LONGEST_ACTION),
        "subject": _storable_text(subject, LONGEST_SUBJECT),
        "details": Jsonb({name: _storable_detail(value) for name, value in details.items()}),
    }


def _append(model: type[WhoDidWhat], actor: Actor, values: Mapping[str, Any]) -> None:
    with actor_session(actor):
        insert_named(model, values)


@contextmanager
def actor_session(actor: Actor) -> Iterator[None]:
    """The session is this actor's: what the database writes of it by itself names them. Raises NotTheActor."""
    person = session_person()
    if person is None and actor.id is not None:
        with person_scope(actor.id, actor.name):
            yield
        return
    if person != actor.id:
        message = f"the session of person {person} cannot act as {actor.id or SYSTEM.name}"
        raise NotTheActor(message)
    with visitor_scope(actor.name) if person is None and actor != SYSTEM else nullcontext():
        yield


def insert_named(model: type[Model], values: Mapping[str, Any]) -> None:
    """Insert a row with these columns, and the database's own defaults in all others.

    In plain SQL, because Django names every column, and no process may write who acted and when.
    """
    places = ", ".join(["%s"] * len(values))
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {model._meta.db_table} ({', '.join(values)}) VALUES ({places})",  # noqa: S608  # nosec B608
            list(values.values()),
        )


def _storable_detail(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _storable_detail(each) for name, each in value.items()}
    return _storable_text(value, LONGEST_DETAIL) if isinstance(value, str) else value


def _storable_text(value: str, longest: int) -> str:
    """The text as a column takes it: without NUL or half a character, and no longer than it holds."""
    return str(value)[:longest].replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()
