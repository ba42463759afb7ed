"""Does a call: sends a write once and never again blindly, looks for one whose answer was lost, follows one to its end.

A write is marked as sent, with the id of its entry in the request log, in a transaction of its own right before it
leaves (SECURITY JOB-11). A worker that takes over a call with that mark knows that the write may have happened.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.utils import timezone

from connections.calls import entries, faults, outcomes, reconciliation
from connections.calls.models import Call, CallState, Why
from connections.calls.services import can_send, operation_of
from connections.calls.validation import BadCall, check
from connections.jobs.lease import LeaseLost, TenantLease
from connections.jobs.registry import Again
from connections.spec.errors import (
    CallFailed,
    Forbidden,
    OutcomeUnknown,
    Rejected,
    Unauthorized,
    Unavailable,
    Unreadable,
)
from connections.spec.operations import Operation
from connections.transport.client import Client, Reply
from connections.transport.models import Outcome, RequestLogEntry
from connections.vault.services import ActionRefused

SHORTEST_PAUSE = timedelta(seconds=1)
LONGEST_NAME = 200  # characters, of the column


def send(lease: TenantLease) -> Again | None:
    """Job: go on with one call. HTTP never happens inside a transaction."""
    with lease.scope():
        call = Call.objects.select_related("connection__tenant").filter(id=lease.subject).first()
        if call is None or not call.is_in_progress:
            return None
        try:
            operation = operation_of(call.connection, call.operation)
        except ActionRefused:
            operation = None
        if operation is None or not _may_go_on(call, operation):
            _stop(call, operation)
            return None
    return Dispatch(lease, call, operation, Client(connection=call.connection)).go_on()


def end_parked_call(lease: TenantLease) -> None:
    """The job was parked: what was sent waits for a person, what was not is not sent any more. In the tenant's scope."""
    call = Call.objects.filter(id=lease.subject).first()
    if call is None or not call.is_in_progress:
        return
    if call.state == CallState.QUEUED:
        outcomes.fail(call, faults.GAVE_UP.code)
    else:
        outcomes.leave_open(call, Why.NO_NEWS if call.follow_up else Why.NOT_HEARD, fault=faults.GAVE_UP.code)


def _may_go_on(call: Call, operation: Operation) -> bool:
    """Checked at every turn: the connection or the description may have changed while the call waited."""
    if call.state == CallState.SENT:
        return True  # nothing more leaves for it here
    if not can_send(call.connection):
        return False
    if call.state != CallState.QUEUED:
        return True
    if call.is_write and not call.connection.allows_writes:
        return False
    try:
        check(operation, call.call_arguments)
    except BadCall:
        return False
    return timezone.now() < call.asked_at + faults.LONGEST_WAIT


def _stop(call: Call, operation: Operation | None) -> None:
    """End a call that may not go on. One that may have been sent is left to a person, whatever the reason."""
    if call.state != CallState.QUEUED:
        outcomes.leave_open(call, Why.NO_NEWS if call.follow_up else Why.NOT_HEARD)
    elif not can_send(call.connection):
        outcomes.fail(call, faults.NOT_STANDING.code)
    elif call.is_write and not call.connection.allows_writes:
        outcomes.fail(call, faults.WRITES_OFF.code)
    elif timezone.now() >= call.asked_at + faults.LONGEST_WAIT:
        outcomes.fail(call, faults.TOO_LATE.code)
    else:
        outcomes.fail(call, faults.NOT_DECLARED.code)


@dataclass
class Dispatch:
    """One worker's turn at one call."""

    lease: TenantLease
    call: Call
    operation: Operation
    client: Client

    def go_on(self) -> Again | None:
        """Send it, look it up, or ask whether it was confirmed, by the state it is in. None once a worker can do no more."""
        if self.call.state == CallState.QUEUED:
            return self._send()
        if self.call.state == CallState.SENT:
            return self._take_over()
        now = timezone.now()
        if self.call.next_at is not None and self.call.next_at > now:
            return Again(self.call.next_at)  # woken too early, after a worker's death
        if self.call.state == CallState.WAITING:
            return reconciliation.follow(self.lease, self.call, self.operation, self.client)
        return reconciliation.look_up(self.lease, self.call, self.operation, self.client)

    # -- sending ---------------------------------------------------------------------------------------------------

    def _send(self) -> Again | None:
        try:
            reply = self.client.send(self.operation.name, self.call.call_arguments, before_write=self._mark_sent)
        except CallFailed as failed:
            return self._judge(failed)
        return self._record_answer(reply)

    def _mark_sent(self, entry_id: UUID) -> None:
        """Committed before the write leaves. Raises LeaseLost: then it does not leave."""
        with self.lease.scope():
            not_yet_answered = Call.objects.filter(id=self.call.id, state__in=(CallState.QUEUED, CallState.SENT))
            if not not_yet_answered.update(
                state=CallState.SENT, entry_id=entry_id, sent_at=timezone.now(), next_at=None, fault=""
            ):
                raise LeaseLost(str(self.lease.job_id))
        self.call.state, self.call.entry_id = CallState.SENT, entry_id

    def _record_answer(self, reply: Reply) -> Again | None:
        with self.lease.scope():
            self.client.write_pending()
            if self.operation.follow_up is None or not self._awaits(reply.status):
                outcomes.answer(self.call, reply)
                return None
            name = _name_of(reply.body, self.operation.follow_up.field)
            if not name:
                outcomes.leave_open(self.call, Why.NO_NEWS, reply=reply)
                return None
            next_at = timezone.now() + reconciliation.FIRST_POLL
            outcomes.wait_for_confirmation(self.call, reply, name, next_at)
            return Again(next_at)

    def _judge(self, failed: CallFailed) -> Again | None:
        """A refusal of the call itself, one on the way to it, or an answer that leaves open what happened."""
        with self.lease.scope():
            self.client.write_pending()
            entry = entries.of_failure(failed, self.operation.name)
            if self.operation.is_write and entry is not None and self._is_open(failed, entry):
                return reconciliation.begin(self.call, self.operation, failed)
            if isinstance(failed, Unavailable):
                return self._wait(failed)
            if entry is not None and isinstance(failed, Rejected | Forbidden | Unauthorized | Unreadable):
                outcomes.refuse(self.call, failed, entry)
            else:
                outcomes.fail(self.call, failed.fault.code, entry_id=failed.entry_id)
            return None

    def _is_open(self, failed: CallFailed, entry: RequestLogEntry) -> bool:
        """Whether a write may have been carried out although this came back.

        More careful than the send loop: behind a 503 stand gateways that lost an answer, behind a 3xx servers that
        send on whoever is done, and an answer that is too large to read is no refusal.
        """
        return (
            isinstance(failed, OutcomeUnknown | Unreadable)
            or (isinstance(failed, Unavailable) and failed.may_have_arrived and not self.operation.may_retry)
            or 300 <= (entry.status or 0) < 400
        )

    def _wait(self, failed: Unavailable) -> Again | None:
        """Nothing happened there; the same call goes once the provider or the quota allows. Needs the scope."""
        retry_at = max(failed.retry_at, timezone.now() + SHORTEST_PAUSE)
        if retry_at > self.call.asked_at + faults.LONGEST_WAIT:
            outcomes.fail(self.call, faults.TOO_LATE.code, entry_id=failed.entry_id)
            return None
        outcomes.put_back(self.call, failed, retry_at)
        return Again(retry_at, failed.fault.code)

    # -- after a worker's death ---------------------------------------------------------------------------------------------

    def _take_over(self) -> Again | None:
        """The worker that sent it died. Where its entry was written, the log knows what came back; else it must be looked up."""
        with self.lease.scope():
            entry = entries.by_id(self.call.entry_id)
            if entry is not None and entry.outcome == Outcome.ANSWERED and not self._awaits(entry.status):
                outcomes.answer_from_log(self.call, entry)
                return None
            if entry is not None and entry.outcome == Outcome.REFUSED and 400 <= (entry.status or 0) != 408:
                outcomes.refuse_from_log(self.call, entry)
                return None
            return reconciliation.begin(self.call, self.operation, None)

    def _awaits(self, status: int | None) -> bool:
        """Whether somebody must confirm it at the provider first."""
        return self.operation.follow_up is not None and status == 202


def _name_of(body: Any, field: str) -> str:
    """What the provider calls the thing that must be confirmed; '' where it names none that can be used."""
    name = body.get(field) if isinstance(body, dict) else None
    return str(name) if isinstance(name, str | int) and 0 < len(str(name)) <= LONGEST_NAME else ""
