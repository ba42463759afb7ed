"""What was just refused is not sent again at once: after 10 s, then 20, 40 and so on to five minutes, per connection.

A provider counts wrong credentials, and locks out whoever sends too many. The wait is for the very same credential only:
another one is sent at once, and so is the same one when a person has put something right (`ask_at_once`).
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.db import connection as database
from django.db.models.functions import Now

from connections.spec.errors import CallFailed, Forbidden, Unauthorized
from connections.spec.faults import Phase
from connections.tenancy.scope import tenant_scope
from connections.transport import faults, grant_store, verdict
from connections.transport.caller import Caller
from connections.transport.models import RequestLogEntry
from connections.vault.models import Connection, Grant

FIRST_SECONDS = 10
LONGEST_SECONDS = 300
MOST_WORDS = 3  # in a row that something was put right, and it was not


def raise_while_waiting(caller: Caller, row: Grant, now: datetime) -> None:
    """Raises the refusal of before, with the time at which it is asked again. Needs the tenant's scope."""
    caller.refusals = row.refusals
    if row.wait_until is None or row.wait_until <= now:
        return
    if row.wait_with != grant_store.given(caller.connection).digest:
        return
    fault = caller.provider.faults.find(row.wait_fault) or faults.find(row.wait_fault) or faults.NO_GRANT
    entry = RequestLogEntry.objects.filter(id=row.wait_entry).first() if row.wait_entry else None
    is_forbidden = verdict.kind(fault, Phase.TOKEN, entry.status if entry else None) is Forbidden
    refused = (Forbidden if is_forbidden else Unauthorized)(fault, entry_id=row.wait_entry)
    refused.asked_again_at = row.wait_until
    raise refused


def note(caller: Caller, failed: CallFailed, digest: str) -> None:
    """The provider refused what `digest` stands for. Of many callers who hear it within one wait, one counts."""
    is_refusal = isinstance(failed, Unauthorized | Forbidden) and failed.fault.code != faults.NO_KEY.code
    if failed.entry_id is None or not is_refusal:
        return
    with tenant_scope(caller.connection.tenant_id), database.cursor() as cursor:
        cursor.execute(
            "UPDATE vault_grant SET refusals = CASE WHEN wait_with = %(digest)s THEN least(refusals + 1, 99) ELSE 1 END,"
            " wait_until = clock_timestamp() + make_interval(secs => least(%(longest)s, %(first)s * power(2,"
            " CASE WHEN wait_with = %(digest)s THEN least(refusals, 20) ELSE 0 END))),"
            " wait_with = %(digest)s, wait_fault = %(fault)s, wait_entry = %(entry)s"
            " WHERE connection_id = %(connection)s"
            " AND NOT (wait_with = %(digest)s AND coalesce(wait_until > clock_timestamp(), false))",
            {
                "digest": digest,
                "first": FIRST_SECONDS,
                "longest": LONGEST_SECONDS,
                "fault": failed.fault.code,
                "entry": failed.entry_id,
                "connection": caller.connection.id,
            },
        )
    caller.refusals = max(caller.refusals, 1)


def note_call(caller: Caller, failed: CallFailed) -> None:
    """The same of a call that was refused although its token was new."""
    with tenant_scope(caller.connection.tenant_id):
        digest = caller.asked_with or grant_store.given(caller.connection).digest
    note(caller, failed, digest)


def forget(caller: Caller) -> None:
    """A call was answered: the next refusal is the first one again. Costs nothing where there was none."""
    if caller.refusals:
        with tenant_scope(caller.connection.tenant_id):
            Grant.objects.filter(connection_id=caller.connection.id).update(refusals=0, wait_until=None, wait_with="")
        caller.refusals = 0


def ask_at_once(connection_id: UUID, *, is_typed: bool = False) -> bool:
    """Somebody has put something right, or typed something else. False where nothing waited, or words have failed before.

    The count goes on, so a wrong word costs a longer wait, and after `MOST_WORDS` of them the wait stands. Needs the
    tenant's scope.
    """
    held = Grant.objects.filter(connection_id=connection_id, wait_until__gt=Now())
    return bool((held if is_typed else held.filter(refusals__lte=MOST_WORDS)).update(wait_until=None))


def asked_again_at(connection: Connection) -> datetime | None:
    """When the connection's credential is sent again, None where it is not held back. Needs the tenant's scope."""
    held = Grant.objects.filter(connection_id=connection.id, wait_until__gt=Now())
    return held.values_list("wait_until", flat=True).first()
