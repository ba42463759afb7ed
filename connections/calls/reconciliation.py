"""Finds out what became of a write whose answer was lost, or which a person must confirm at the provider first."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.utils import timezone

from connections.calls import entries, outcomes
from connections.calls.models import Call, CallState, Why
from connections.jobs.lease import TenantLease
from connections.jobs.registry import Again
from connections.spec.errors import CallFailed, Unavailable, Unreadable
from connections.spec.operations import Arguments, LookUp, Operation
from connections.transport import faults as transport_faults
from connections.transport.client import Client, Reply

# The waits before each look-up. A provider may finish late: what is not there yet may be there in a minute.
LOOK_UP_WAITS = (timedelta(seconds=3), timedelta(seconds=12), timedelta(seconds=45))
UNAVAILABLE_WAIT = timedelta(seconds=30)  # before the next try to ask a provider that could not be asked
LONGEST_UNAVAILABLE = timedelta(hours=1)  # that a provider cannot be asked, before a person has to look
FIRST_POLL = timedelta(seconds=3)
LONGEST_POLL = timedelta(minutes=1)
LONGEST_CONFIRMATION = timedelta(days=1)
NOT_THERE_STATUS = 404
WAITING_STATUS = 202
CLOCK_DIFFERENCE = timedelta(minutes=2)  # at most, between a provider's clock and ours
MAY_BE_DONE = (CallState.SENT, CallState.ANSWERED, CallState.WAITING, CallState.UNKNOWN, CallState.SETTLED_DONE)


def begin(call: Call, operation: Operation, failed: CallFailed | None) -> Again | None:
    """The outcome became unknown: it is looked up later where that can prove anything; else a person decides. Needs the scope."""
    values: dict[str, Any] = {"fault": (failed.fault if failed else transport_faults.UNKNOWN_OUTCOME).code}
    if failed is not None and failed.entry_id is not None:
        values |= {"entry_id": failed.entry_id, "provider_request_id": failed.provider_request_id}
    question = _question(call, operation)
    if question is None:
        outcomes.leave_open(call, Why.NOT_OFFERED, **values)
        return None
    description, _arguments = question
    if is_ambiguous(call, description):
        outcomes.leave_open(call, Why.TWIN, **values)
        return None
    next_at = timezone.now() + LOOK_UP_WAITS[0]
    outcomes.look_later(call, next_at, **values)
    return Again(next_at)


def look_up(lease: TenantLease, call: Call, operation: Operation, client: Client) -> Again | None:
    """Ask once whether the write happened.

    That it did is concluded only where exactly one thing is there that can be nobody else's; that it did not, only after
    several look-ups, and then a person decides.
    """
    question = _question(call, operation)
    if question is None:
        with lease.scope():
            outcomes.leave_open(call, Why.NOT_OFFERED)
        return None
    description, arguments = question
    reply: Reply | None = None
    failed: CallFailed | None = None
    try:
        reply = client.send(description.operation, arguments)
    except CallFailed as refused:
        failed = refused
    matches: Sequence[Any] = ()
    candidates: list[Any] = []
    if reply is not None:
        try:
            matches = description.matches(reply.exact(), call.call_arguments)
            candidates = [each for each in matches if _may_be_ours(each, call, description)]
        except (AttributeError, LookupError, TypeError):  # not what the document promises: nothing was looked through
            failed = Unreadable(transport_faults.UNREADABLE, entry_id=reply.entry_id)
    with lease.scope():
        client.write_pending()
        # Asked after the answer came: a like call that left meanwhile may have made what is there.
        if len(candidates) > 1 or is_ambiguous(call, description):
            outcomes.leave_open(call, Why.TWIN)
            return None
        if candidates:
            outcomes.answer_by_look_up(call, candidates[0])
            return None
        if failed is not None:
            entry = entries.of_failure(failed, description.operation)
            if entry is None or entry.status != NOT_THERE_STATUS:
                return _wait_for_provider(call, failed)
        return _not_there(call, Why.TWIN if matches else Why.NOT_FOUND)


def _not_there(call: Call, why: Why) -> Again | None:
    """Look once more later. `why`: what a person reads after the last look-up."""
    looks = call.looks + 1
    if looks >= len(LOOK_UP_WAITS):
        outcomes.leave_open(call, why, looks=looks)
        return None
    next_at = timezone.now() + LOOK_UP_WAITS[looks]
    outcomes.look_later(call, next_at, looks=looks)
    return Again(next_at)


def _wait_for_provider(call: Call, failed: CallFailed) -> Again | None:
    """The look-up itself failed, which says nothing of the write."""
    next_at = max(failed.retry_at, timezone.now() + UNAVAILABLE_WAIT) if isinstance(failed, Unavailable) else None
    if next_at is None or next_at > (call.sent_at or call.asked_at) + LONGEST_UNAVAILABLE:
        outcomes.leave_open(call, Why.NOT_HEARD)
        return None
    outcomes.look_later(call, next_at)
    return Again(next_at, failed.fault.code)


def _question(call: Call, operation: Operation) -> tuple[LookUp, Arguments] | None:
    """How to look the call up; None where the provider, or what was sent, offers nothing to find it by."""
    look_up = operation.look_up
    arguments = look_up.arguments(call.call_arguments) if look_up else None
    return (look_up, arguments) if look_up and arguments else None


def is_ambiguous(call: Call, look_up: LookUp) -> bool:
    """Whether a look-up of this call may find what another call did, however long ago. Needs the scope. One query."""
    reference = look_up.reference(call.call_arguments)
    same_operation = Call.objects.filter(
        tenant_id=call.tenant_id, connection_id=call.connection_id, operation=call.operation
    )
    others = same_operation.filter(state__in=MAY_BE_DONE).exclude(id=call.id)
    # Compared here, as the reference is the provider's own reading of a body: calls are asked for by hand, and are few.
    rows = others.only("id", "tenant_id", "arguments", "body").iterator(chunk_size=50)
    return any(look_up.reference(other.call_arguments) == reference for other in rows)


def _may_be_ours(thing: Any, call: Call, look_up: LookUp) -> bool:
    """Whether the call may have made this thing: not where it is older than the write, or of no known age."""
    if look_up.created is None:
        return True
    created = look_up.created(thing)
    return created is not None and created >= (call.sent_at or call.asked_at) - CLOCK_DIFFERENCE


# -- waiting for a person at the provider ------------------------------------------------------------------------------


def follow(lease: TenantLease, call: Call, operation: Operation, client: Client) -> Again | None:
    """Ask once whether it was confirmed (Procountor: 202, the Key app, then 200 or 403, 404, 406, 408, 409)."""
    follow_up = operation.follow_up
    if follow_up is None or not call.follow_up:
        with lease.scope():
            outcomes.leave_open(call, Why.NO_NEWS)
        return None
    reply: Reply | None = None
    failed: CallFailed | None = None
    try:
        reply = client.send(follow_up.operation, Arguments(path={follow_up.parameter: call.follow_up}))
    except CallFailed as refused:
        failed = refused
    with lease.scope():
        client.write_pending()
        if reply is not None and reply.status != WAITING_STATUS:
            outcomes.answer(call, reply)
            return None
        if failed is not None:
            entry = entries.of_failure(failed, follow_up.operation)
            if entry is not None and entry.status in follow_up.ended:
                outcomes.refuse(call, failed, entry)
                return None
            if not isinstance(failed, Unavailable):
                outcomes.leave_open(call, Why.NO_NEWS, fault=failed.fault.code)
                return None
        return _poll_later(call, failed)


def _poll_later(call: Call, failed: CallFailed | None) -> Again | None:
    """The longer a person takes to confirm it, the less often the provider is asked."""
    now = timezone.now()
    waited = now - (call.sent_at or call.asked_at)
    if waited > LONGEST_CONFIRMATION:
        outcomes.leave_open(call, Why.NO_NEWS)
        return None
    next_at = now + min(max(FIRST_POLL, waited / 20), LONGEST_POLL)
    if isinstance(failed, Unavailable):
        next_at = max(next_at, failed.retry_at)
    outcomes.wait_on(call, next_at)
    return Again(next_at)
