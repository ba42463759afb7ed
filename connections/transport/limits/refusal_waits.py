"""What was just refused is not sent again at once: after 10 s, then 20, 40 and so on to five minutes, per connection.

A provider counts wrong credentials, and locks out whoever sends too many. The wait is for the very same credential only:
another one is sent at once, and so is the same one when a person has put something right (`ask_at_once`). What the token
endpoint refuses holds everything back; a call that is refused with a new token holds back its operation, and everything
once another operation is refused as well before anything was answered.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.db import connection as database
from django.db.models.functions import Now

from connections.spec.errors import CallFailed, Forbidden, Unauthorized
from connections.spec.faults import Phase
from connections.tenancy.scope import tenant_scope
from connections.transport import error_mapping, faults
from connections.transport.models import RequestLogEntry
from connections.transport.oauth import token_store
from connections.transport.request_context import RequestContext
from connections.vault.models import Connection, Grant

FIRST_SECONDS = 10
LONGEST_SECONDS = 300
MOST_WORDS = 3  # in a row that something was put right, and it was not


def raise_while_waiting(context: RequestContext, row: Grant, now: datetime) -> None:
    """Raises the refusal of before, with the time at which it is asked again. Needs the tenant's scope."""
    context.refusals, context.held_operation = row.refusals, row.wait_operation
    if row.wait_until is None or row.wait_until <= now:
        return
    if row.wait_operation not in ("", context.operation):
        return
    if row.wait_with != token_store.given(context.connection).digest:
        return
    fault = context.provider.faults.find(row.wait_fault) or faults.find(row.wait_fault) or faults.NO_GRANT
    entry = RequestLogEntry.objects.filter(id=row.wait_entry).first() if row.wait_entry else None
    made = error_mapping.kind(fault, Phase.TOKEN, entry.status if entry else None)
    if fault is not faults.TURNED_AWAY and made is not Forbidden:
        made = Unauthorized
    refused = error_mapping.error(made, fault, entry or RequestLogEntry(id=row.wait_entry), row.wait_until)
    refused.asked_again_at = row.wait_until
    raise refused


def raise_if_held(context: RequestContext) -> None:
    """The same for one more operation of a caller that has its token. Costs nothing where that one was not refused."""
    if context.operation and context.operation == context.held_operation:
        with tenant_scope(context.connection.tenant_id):
            row, now = token_store.read(context.connection)
            raise_while_waiting(context, row, now)


def note(context: RequestContext, failed: CallFailed, digest: str, operation: str = "") -> None:
    """The provider refused what `digest` stands for. Of many callers who hear it within one wait, one counts.

    One that gives no reason may mean the credential as well as anything else.
    """
    is_refusal = isinstance(failed, Unauthorized | Forbidden) and failed.fault.code != faults.NO_KEY.code
    is_refusal = is_refusal or failed.fault is faults.TURNED_AWAY
    if failed.entry_id is None or not is_refusal:
        return
    with tenant_scope(context.connection.tenant_id), database.cursor() as cursor:
        cursor.execute(
            "WITH before AS (SELECT id, CASE WHEN wait_with = %(digest)s AND (wait_operation = %(operation)s"
            " OR NOT wait_is_alone) THEN refusals ELSE 0 END AS refusals FROM vault_grant"
            " WHERE connection_id = %(connection)s)"
            " UPDATE vault_grant AS g SET refusals = least(before.refusals + 1, 99),"
            " wait_until = clock_timestamp() + make_interval(secs => least(%(longest)s, %(first)s * power(2,"
            " least(before.refusals, 20)))),"
            " wait_operation = CASE WHEN before.refusals > 0 AND wait_operation <> %(operation)s"
            " THEN '' ELSE %(operation)s END, wait_is_alone = wait_is_alone AND wait_operation = %(operation)s,"
            " wait_with = %(digest)s, wait_fault = %(fault)s, wait_entry = %(entry)s"
            " FROM before WHERE g.id = before.id"
            " AND NOT (wait_with = %(digest)s AND coalesce(wait_until > clock_timestamp(), false)"
            " AND wait_operation IN ('', %(operation)s))",
            {
                "digest": digest,
                "operation": operation,
                "first": FIRST_SECONDS,
                "longest": LONGEST_SECONDS,
                "fault": failed.fault.code,
                "entry": failed.entry_id,
                "connection": context.connection.id,
            },
        )
    context.refusals, context.held_operation = max(context.refusals, 1), operation


def note_call(context: RequestContext, failed: CallFailed) -> None:
    """The same of a call that was refused although its token was new."""
    with tenant_scope(context.connection.tenant_id):
        digest = context.fingerprint or token_store.given(context.connection).digest
    note(context, failed, digest, context.operation)


def forget(context: RequestContext) -> None:
    """A call was answered: the next refusal is the first one again. Costs nothing where there was none.

    Where another operation was refused, that one is refused for a reason of its own, and goes on waiting.
    """
    if not context.refusals:
        return
    is_another = context.held_operation not in ("", context.operation)
    clear = {"refusals": 0, "wait_until": None, "wait_with": "", "wait_operation": "", "wait_is_alone": False}
    with tenant_scope(context.connection.tenant_id):
        rows = Grant.objects.filter(connection_id=context.connection.id)
        rows.update(**({"wait_is_alone": True} if is_another else clear))
    context.refusals = 0


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
