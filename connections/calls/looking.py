"""Finds out what became of a write whose answer was lost, or which a person must confirm at the provider first."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.utils import timezone

from connections.calls import entries, keeping
from connections.calls.models import Call, CallState, Why
from connections.jobs.lease import Lease
from connections.jobs.registry import Again
from connections.spec.errors import CallFailed, Unavailable, Unreadable
from connections.spec.operations import Arguments, LookUp, Operation
from connections.tenancy.scope import tenant_scope
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


def begin(call: Call, operation: Operation, failed: CallFailed | None) -> Again | None:
    """The outcome became unknown. Looked for later where that can prove anything; else a person decides. Needs the scope."""
    values: dict[str, Any] = {"fault": (failed.fault if failed else transport_faults.UNKNOWN_OUTCOME).code}
    if failed is not None and failed.entry_id is not None:
        values |= {"entry_id": failed.entry_id, "provider_request_id": failed.provider_request_id}
    if _question(call, operation) is None:
        keeping.leave_open(call, Why.NOT_OFFERED, **values)
        return None
    if _has_twin(call):
        keeping.leave_open(call, Why.TWIN, **values)
        return None
    next_at = timezone.now() + PAUSES[0]
    keeping.look_later(call, next_at, **values)
    return Again(next_at)


def look(lease: Lease, call: Call, operation: Operation, client: Client) -> Again | None:
    """Ask once whether it is there. Not there is concluded only after several looks, and then left to a person."""
    asked = _question(call, operation)
    if asked is None:
        with tenant_scope(call.tenant_id):
            lease.check()
            keeping.leave_open(call, Why.NOT_OFFERED)
        return None
    look_up, arguments = asked
    reply: Reply | None = None
    failed: CallFailed | None = None
    try:
        reply = client.send(look_up.operation, arguments)
    except CallFailed as refused:
        failed = refused
    shown = None
    if reply is not None:
        try:
            shown = look_up.found(reply.body, call.filled)
        except (AttributeError, LookupError, TypeError):  # not what the document promises: nothing was looked through
            failed = Unreadable(transport_faults.UNREADABLE, entry_id=reply.entry_id)
    with tenant_scope(call.tenant_id):
        lease.check()
        client.write_ledger()
        if reply is not None and shown is not None:
            keeping.found(call, shown)
            return None
        if failed is not None:
            entry = entries.of_failure(failed, look_up.operation)
            if entry is None or entry.status != NOT_THERE:
                return _unheard(call, failed)
        return _not_there(call)


def _not_there(call: Call) -> Again | None:
    looks = call.looks + 1
    if looks >= len(PAUSES):
        keeping.leave_open(call, Why.NOT_FOUND, looks=looks)
        return None
    next_at = timezone.now() + PAUSES[looks]
    keeping.look_later(call, next_at, looks=looks)
    return Again(next_at)


def _unheard(call: Call, failed: CallFailed) -> Again | None:
    """The question itself failed, which says nothing of the write."""
    next_at = max(failed.retry_at, timezone.now() + UNHEARD) if isinstance(failed, Unavailable) else None
    if next_at is None or next_at > (call.sent_at or call.asked_at) + PATIENCE:
        keeping.leave_open(call, Why.NOT_HEARD)
        return None
    keeping.look_later(call, next_at)
    return Again(next_at, failed.fault.code)


def _question(call: Call, operation: Operation) -> tuple[LookUp, Arguments] | None:
    """What to ask for; None where the provider, or what was sent, offers nothing to find it by."""
    look_up = operation.look_up
    arguments = look_up.arguments(call.filled) if look_up else None
    return (look_up, arguments) if look_up and arguments else None


def _has_twin(call: Call) -> bool:
    """Whether the very same was done before: then finding it proves nothing about this one."""
    done = (CallState.ANSWERED, CallState.SETTLED_DONE)
    earlier = Call.objects.filter(connection_id=call.connection_id, operation=call.operation, state__in=done)
    return earlier.filter(arguments=call.arguments, body=call.body).exclude(id=call.id).exists()


# -- waiting for a person at the provider ------------------------------------------------------------------------------


def follow(lease: Lease, call: Call, operation: Operation, client: Client) -> Again | None:
    """Ask once whether it was confirmed (Procountor: 202, the Key app, then 200 or 403, 404, 406, 408, 409)."""
    awaited = operation.follow_up
    if awaited is None or not call.follow_up:
        with tenant_scope(call.tenant_id):
            lease.check()
            keeping.leave_open(call, Why.NO_NEWS)
        return None
    reply: Reply | None = None
    failed: CallFailed | None = None
    try:
        reply = client.send(awaited.operation, Arguments(path={awaited.parameter: call.follow_up}))
    except CallFailed as refused:
        failed = refused
    with tenant_scope(call.tenant_id):
        lease.check()
        client.write_ledger()
        if reply is not None and reply.status != WAITING:
            keeping.answer(call, reply)
            return None
        if failed is not None:
            entry = entries.of_failure(failed, awaited.operation)
            if entry is not None and entry.status in awaited.ended:
                keeping.refuse(call, failed, entry)
                return None
            if not isinstance(failed, Unavailable):
                keeping.leave_open(call, Why.NO_NEWS, fault=failed.fault.code)
                return None
        return _ask_later(call, failed)


def _ask_later(call: Call, failed: CallFailed | None) -> Again | None:
    now = timezone.now()
    waited = now - (call.sent_at or call.asked_at)
    if waited > LONGEST_CONFIRMATION:
        keeping.leave_open(call, Why.NO_NEWS)
        return None
    next_at = now + min(max(POLL, waited / 20), LONGEST_POLL)
    if isinstance(failed, Unavailable):
        next_at = max(next_at, failed.retry_at)
    keeping.wait_on(call, next_at)
    return Again(next_at)
