"""What was just refused is not sent again at once: after 10 s, then 20, 40 and so on to five minutes, per connection.

A provider counts wrong credentials, and locks out whoever sends too many. The wait is for the very same credential only:
another one is sent at once, and so is the same one when a person has put something right (`ask_at_once`). What the token
endpoint refuses holds everything back. A call that is refused with a new token holds back its operation, and everything
once another operation is refused as well before anything was answered.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.db import connection as database
from django.db.models import QuerySet
from django.db.models.functions import Now

from connections.spec.errors import CallFailed, Forbidden, Unauthorized
from connections.spec.faults import Phase
from connections.tenancy.scope import tenant_scope
from connections.transport import error_mapping, faults
from connections.transport.models import RequestLogEntry
from connections.transport.oauth import token_store
from connections.transport.oauth.token import RequestFingerprint
from connections.transport.request_context import RequestContext
from connections.vault.models import Connection, Grant

FIRST_WAIT_SECONDS = 10
LONGEST_REFUSAL_WAIT_SECONDS = 300
MOST_CORRECTIONS = 3  # in a row that a person said something was put right, and it was not


class RefusalWaits:
    """The wait of one connection's credential, as one caller knows it.

    `operation`: the operation that is being sent, '' for a token request. `held_operation`: the one that was refused a
    while ago, so that the wait is looked up again before it is sent. `count`: refusals in a row, as the stored grant says.
    `fingerprint`: what this caller's own token was requested with, None where another caller requested it.
    """

    def __init__(self, context: RequestContext) -> None:
        self._context = context
        self._connection = context.connection
        self.operation = ""
        self.held_operation = ""
        self.count = 0
        self.fingerprint: RequestFingerprint | None = None

    def raise_while_waiting(self, row: Grant, now: datetime) -> None:
        """Raises the refusal of before, with the time at which it is asked again. Needs the tenant's scope."""
        self.count, self.held_operation = row.refusals, row.wait_operation
        if row.wait_until is None or row.wait_until <= now:
            return
        if row.wait_operation not in ("", self.operation):
            return
        if row.wait_with != token_store.request_fingerprint(self._connection).digest:
            return
        fault = self._context.provider.faults.find(row.wait_fault) or faults.find(row.wait_fault) or faults.NO_GRANT
        entry = RequestLogEntry.objects.find(row.wait_entry)
        error = error_mapping.error_type(fault, Phase.TOKEN, entry.status if entry else None)
        if fault is not faults.TURNED_AWAY and error is not Forbidden:
            error = Unauthorized
        refusal = error_mapping.make_error(error, fault, entry or RequestLogEntry(id=row.wait_entry), row.wait_until)
        refusal.asked_again_at = row.wait_until
        raise refusal

    def raise_if_operation_waits(self) -> None:
        """The same for one more operation of a caller that has its token. No statement where that one was not refused."""
        if self.operation and self.operation == self.held_operation:
            with tenant_scope(self._connection.tenant_id):
                row, now = token_store.read(self._connection)
                self.raise_while_waiting(row, now)

    def count_refusal(self, failure: CallFailed, fingerprint: RequestFingerprint, operation: str = "") -> None:
        """Count it where the provider refused what `fingerprint` stands for; anything else is ignored.

        Of many callers who are refused within one wait, one counts. A refusal without a reason counts, too: it may mean
        the credential as well as anything else.
        """
        is_refusal = isinstance(failure, Unauthorized | Forbidden) and failure.fault.code != faults.NO_KEY.code
        is_refusal = is_refusal or failure.fault is faults.TURNED_AWAY
        if failure.entry_id is None or not is_refusal:
            return
        with tenant_scope(self._connection.tenant_id), database.cursor() as cursor:
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
                    "digest": fingerprint.digest,
                    "operation": operation,
                    "first": FIRST_WAIT_SECONDS,
                    "longest": LONGEST_REFUSAL_WAIT_SECONDS,
                    "fault": failure.fault.code,
                    "entry": failure.entry_id,
                    "connection": self._connection.id,
                },
            )
        self.count, self.held_operation = max(self.count, 1), operation

    def count_call_refusal(self, refusal: CallFailed) -> None:
        """Count the refusal of a call although its token was new."""
        with tenant_scope(self._connection.tenant_id):
            fingerprint = self.fingerprint or token_store.request_fingerprint(self._connection)
        self.count_refusal(refusal, fingerprint, self.operation)

    def forget(self) -> None:
        """A call was answered: the next refusal is the first one again. No statement where there was none.

        Where another operation was refused, that one is refused for a reason of its own, and goes on waiting.
        """
        if not self.count:
            return
        is_another = self.held_operation not in ("", self.operation)
        clear = {"refusals": 0, "wait_until": None, "wait_with": "", "wait_operation": "", "wait_is_alone": False}
        with tenant_scope(self._connection.tenant_id):
            rows = Grant.objects.filter(connection_id=self._connection.id)
            rows.update(**({"wait_is_alone": True} if is_another else clear))
        self.count = 0

    def forget_all(self) -> None:
        """A new pair came: nothing waits any more, whatever was refused."""
        self.held_operation = ""
        self.forget()


def ask_at_once(connection_id: UUID, *, is_typed: bool = False) -> bool:
    """End the wait, as a person has put something right, or typed something else (`is_typed`).

    False where nothing waited, or too many corrections have failed before. The count goes on, so that each wrong one costs
    a longer wait, and after `MOST_CORRECTIONS` of them the wait stands. Needs the tenant's scope.
    """
    waiting = _waiting(connection_id)
    return bool((waiting if is_typed else waiting.filter(refusals__lte=MOST_CORRECTIONS)).update(wait_until=None))


def asked_again_at(connection: Connection) -> datetime | None:
    """When the connection's credential is sent again, None where it does not wait. Needs the tenant's scope."""
    return _waiting(connection.id).values_list("wait_until", flat=True).first()


def _waiting(connection_id: UUID) -> QuerySet[Grant]:
    return Grant.objects.filter(connection_id=connection_id, wait_until__gt=Now())
