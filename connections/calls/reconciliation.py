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

# A provider may finish late: what is not there yet may be there in a minute.
PAUSES = (timedelta(seconds=3), timedelta(seconds=12), timedelta(seconds=45))
UNHEARD = timedelta(seconds=30)  # between looks that could not be asked
PATIENCE = timedelta(hours=1)  # with a provider that cannot be asked, before a person is
POLL = timedelta(seconds=3)
LONGEST_POLL = timedelta(minutes=1)
LONGEST_CONFIRMATION = timedelta(days=1)
NOT_THERE = 404
WAITING = 202
CLOCKS = timedelta(minutes=2)  # a provider's clock and ours may be apart so far
MAY_BE_DONE = (CallState.SENT, CallState.ANSWERED, CallState.WAITING, CallState.UNKNOWN, CallState.SETTLED_DONE)


def begin(call: Call, operation: Operation, failed: CallFailed | None) -> Again | None:
    """The outcome became unknown. Looked for later where that can prove anything; else a person decides. Needs the scope."""
    values: dict[str, Any] = {"fault": (failed.fault if failed else transport_faults.UNKNOWN_OUTCOME).code}
    if failed is not None and failed.entry_id is not None:
        values |= {"entry_id": failed.entry_id, "provider_request_id": failed.provider_request_id}
    asked = _question(call, operation)
    if asked is None:
        outcomes.leave_open(call, Why.NOT_OFFERED, **values)
        return None
    if has_twin(call, asked[0]):
        outcomes.leave_open(call, Why.TWIN, **values)
        return None
    next_at = timezone.now() + PAUSES[0]
    outcomes.look_later(call, next_at, **values)
    return Again(next_at)


def look(lease: TenantLease, call: Call, operation: Operation, client: Client) -> Again | None:
    """Ask once whether it is there. Not there is concluded only after several looks, and then left to a person.

    Found is concluded only where exactly one thing is there that can be nobody else's.
    """
    asked = _question(call, operation)
    if asked is None:
        with lease.scope():
            outcomes.leave_open(call, Why.NOT_OFFERED)
        return None
    look_up, arguments = asked
    reply: Reply | None = None
    failed: CallFailed | None = None
    try:
        reply = client.send(look_up.operation, arguments)
    except CallFailed as refused:
        failed = refused
    shown: Sequence[Any] = ()
    ours: list[Any] = []
    if reply is not None:
        try:
            shown = look_up.found(reply.exact(), call.filled)
            ours = [each for each in shown if _may_be_ours(each, call, look_up)]
        except (AttributeError, LookupError, TypeError):  # not what the document promises: nothing was looked through
            failed = Unreadable(transport_faults.UNREADABLE, entry_id=reply.entry_id)
    with lease.scope():
        client.write_ledger()
        # Asked after the answer came: a twin that left while the look was out may be what it found.
        if len(ours) > 1 or has_twin(call, look_up):
            outcomes.leave_open(call, Why.TWIN)
            return None
        if ours:
            outcomes.found(call, ours[0])
            return None
        if failed is not None:
            entry = entries.of_failure(failed, look_up.operation)
            if entry is None or entry.status != NOT_THERE:
                return _unheard(call, failed)
        return _not_there(call, Why.TWIN if shown else Why.NOT_FOUND)


def _not_there(call: Call, why: Why) -> Again | None:
    """`why`: what a person is told after the last look."""
    looks = call.looks + 1
    if looks >= len(PAUSES):
        outcomes.leave_open(call, why, looks=looks)
        return None
    next_at = timezone.now() + PAUSES[looks]
    outcomes.look_later(call, next_at, looks=looks)
    return Again(next_at)


def _unheard(call: Call, failed: CallFailed) -> Again | None:
    """The question itself failed, which says nothing of the write."""
    next_at = max(failed.retry_at, timezone.now() + UNHEARD) if isinstance(failed, Unavailable) else None
    if next_at is None or next_at > (call.sent_at or call.asked_at) + PATIENCE:
        outcomes.leave_open(call, Why.NOT_HEARD)
        return None
    outcomes.look_later(call, next_at)
    return Again(next_at, failed.fault.code)


def _question(call: Call, operation: Operation) -> tuple[LookUp, Arguments] | None:
    """What to ask for; None where the provider, or what was sent, offers nothing to find it by."""
    look_up = operation.look_up
    arguments = look_up.arguments(call.filled) if look_up else None
    return (look_up, arguments) if look_up and arguments else None


def has_twin(call: Call, look_up: LookUp) -> bool:
    """Whether a look for this one may find what another call did, however long ago. Needs the scope. One query."""
    reference = look_up.reference(call.filled)
    others = Call.objects.filter(
        tenant_id=call.tenant_id,
        connection_id=call.connection_id,
        operation=call.operation,
        state__in=MAY_BE_DONE,
    ).exclude(id=call.id)
    # Compared here, as the reference is the provider's own reading of a body: calls are asked for by hand, and are few.
    rows = others.only("id", "tenant_id", "arguments", "body").iterator(chunk_size=50)
    return any(look_up.reference(other.filled) == reference for other in rows)


def _may_be_ours(thing: Any, call: Call, look_up: LookUp) -> bool:
    """Not where it was there before the write left, or where a provider that tells ages does not tell this one."""
    if look_up.created is None:
        return True
    created = look_up.created(thing)
    return created is not None and created >= (call.sent_at or call.asked_at) - CLOCKS


# -- waiting for a person at the provider ------------------------------------------------------------------------------


def follow(lease: TenantLease, call: Call, operation: Operation, client: Client) -> Again | None:
    """Ask once whether it was confirmed (Procountor: 202, the Key app, then 200 or 403, 404, 406, 408, 409)."""
    awaited = operation.follow_up
    if awaited is None or not call.follow_up:
        with lease.scope():
            outcomes.leave_open(call, Why.NO_NEWS)
        return None
    reply: Reply | None = None
    failed: CallFailed | None = None
    try:
        reply = client.send(awaited.operation, Arguments(path={awaited.parameter: call.follow_up}))
    except CallFailed as refused:
        failed = refused
    with lease.scope():
        client.write_ledger()
        if reply is not None and reply.status != WAITING:
            outcomes.answer(call, reply)
            return None
        if failed is not None:
            entry = entries.of_failure(failed, awaited.operation)
            if entry is not None and entry.status in awaited.ended:
                outcomes.refuse(call, failed, entry)
                return None
            if not isinstance(failed, Unavailable):
                outcomes.leave_open(call, Why.NO_NEWS, fault=failed.fault.code)
                return None
        return _ask_later(call, failed)


def _ask_later(call: Call, failed: CallFailed | None) -> Again | None:
    now = timezone.now()
    waited = now - (call.sent_at or call.asked_at)
    if waited > LONGEST_CONFIRMATION:
        outcomes.leave_open(call, Why.NO_NEWS)
        return None
    next_at = now + min(max(POLL, waited / 20), LONGEST_POLL)
    if isinstance(failed, Unavailable):
        next_at = max(next_at, failed.retry_at)
    outcomes.wait_on(call, next_at)
    return Again(next_at)
