"""Asking for a call, and what a person says about one whose outcome nobody knows."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from connections.calls.models import Call, CallState, Reason
from connections.calls.validation import check
from connections.jobs import services as jobs
from connections.providers import registry
from connections.spec import json_numbers
from connections.spec.operations import Arguments, Operation
from connections.tenancy import audit
from connections.tenancy.models import TenantState
from connections.tenancy.scope import Actor
from connections.transport import faults as transport_faults
from connections.vault.models import Connection
from connections.vault.services import ActionRefused, refuse_disconnected

SEND = "calls.send"
ANSWER_LIFETIME = timedelta(hours=24)
WRITES_OFF_SENTENCE = _(
    "Requests that write are switched off for this connection, so nothing was sent. An owner of your company can switch"
    " them on under Try a request."
)


def ask(
    *, connection: Connection, operation: str, arguments: Arguments, actor: Actor, call_id: UUID | None = None
) -> Call:
    """Store the call and queue it, in the caller's transaction and scope. The caller has checked who asks.

    `call_id` is chosen by who asks: asking twice with the same one gives the same call, and nothing is sent twice.
    Raises ActionRefused (the connection does not stand, may not write, no such operation) and BadCall (what was typed, at
    its field).
    """
    description = operation_of(connection, operation)
    check(description, arguments)
    return _store(connection, description, arguments, actor, call_id=call_id)


def switch_writes(*, connection: Connection, on: bool, actor: Actor) -> bool:
    """Let requests that write be sent with this connection, or end that. In the tenant's scope. False where it is so already.

    Raises ActionRefused for a connection that was disconnected.
    """
    rows = Connection.objects.not_disconnected().filter(id=connection.id)
    if not rows.filter(allows_writes=not on).update(allows_writes=on):
        refuse_disconnected(connection)
        return False
    audit.record(
        tenant_id=connection.tenant_id,
        actor=actor,
        action="connection.writes_allowed" if on else "connection.writes_forbidden",
        subject=str(connection.id),
    )
    return True


def settle(*, call: Call, done: bool, actor: Actor) -> bool:
    """A person looked, and says what became of a call of unknown outcome. False when it is not, or no longer, unknown."""
    if not Call.objects.filter(id=call.id, state=CallState.UNKNOWN).exists():
        return False
    # The job's row first, as the worker takes them.
    jobs.cancel(kind=SEND, subject=call.id)
    state = CallState.SETTLED_DONE if done else CallState.SETTLED_NOT_DONE
    values = {"state": state, "next_at": None, "ended_at": timezone.now(), "settled_by": actor.name}
    if not Call.objects.filter(id=call.id, state=CallState.UNKNOWN).update(**values):
        return False
    for name, value in values.items():
        setattr(call, name, value)
    _record(call, actor, "call.settled", outcome=state.value)
    return True


def send_again(*, call: Call, actor: Actor) -> Call:
    """Send the same once more, as a call of its own that points back to the first; asked for twice, it is one.

    Raises ActionRefused unless a person said that the first one was not done.
    """
    if Call.objects.values_list("state", flat=True).get(id=call.id) != CallState.SETTLED_NOT_DONE:
        raise ActionRefused(_("It can be sent again only after somebody looked and said that it was not done."))
    description = operation_of(call.connection, call.operation)
    check(description, call.call_arguments)
    return _store(call.connection, description, call.call_arguments, actor, instead_of=call)


def undecided(connection: Connection, most: int = 20) -> list[Call]:
    """Calls whose outcome only a person can tell, newest first. Needs the tenant's scope. One query."""
    return list(undecided_calls(connection)[:most])


def undecided_calls(connection: Connection) -> QuerySet[Call]:
    unknown = Call.objects.for_connection(connection).filter(
        tenant_id=connection.tenant_id, state=CallState.UNKNOWN, next_at=None
    )
    return unknown.only("id", "tenant_id", "connection_id", "operation", "state", "asked_at")


def clear_answers() -> int:
    """Delete what providers answered more than a day ago, not that they did. Of every tenant, as the owner. Returns how many."""
    old = timezone.now() - ANSWER_LIFETIME
    with_answer = Call.objects.exclude(answer="", troubles=[])
    return with_answer.filter(Q(ended_at__lt=old) | Q(ended_at=None, sent_at__lt=old)).update(
        answer="", is_cut=False, troubles=[]
    )


def operation_of(connection: Connection, name: str) -> Operation:
    """The description of this operation of the connection's provider. Raises ActionRefused where there is none."""
    provider = registry.find(connection.provider)
    operations = {each.name: each for each in provider.operations} if provider else {}
    if name not in operations:
        raise ActionRefused(_("The provider offers no such operation."))
    return operations[name]


def can_send(connection: Connection) -> bool:
    """Whether anything may be sent: connected in a way that is offered, to the right company, for a customer who is not
    suspended.
    """
    provider = registry.find(connection.provider)
    return (
        connection.is_standing
        and provider is not None
        and provider.offers(connection.auth_method)
        and connection.fault not in transport_faults.COMPANY_FAULTS
        and connection.tenant.state != TenantState.SUSPENDED
    )


def _store(
    connection: Connection,
    operation: Operation,
    arguments: Arguments,
    actor: Actor,
    *,
    call_id: UUID | None = None,
    instead_of: Call | None = None,
) -> Call:
    row = Connection.objects.select_related("tenant").get(id=connection.id)
    if not can_send(row):
        raise ActionRefused(_("This connection does not stand, so nothing can be sent."))
    if operation.is_write and not row.allows_writes:
        raise ActionRefused(WRITES_OFF_SENTENCE)
    call = Call(
        id=call_id or uuid.uuid4(),
        tenant_id=connection.tenant_id,
        connection_id=connection.id,
        operation=operation.name,
        is_write=operation.is_write,
        arguments=_as_text(
            {"path": dict(arguments.path), "query": dict(arguments.query), "headers": dict(arguments.headers)}
        ),
        body="" if arguments.body is None else _as_text(arguments.body),
        reason=Reason.AGAIN if instead_of else Reason.HAND,
        instead_of=instead_of,
        asked_by=actor.name,
        actor_id=actor.id,
    )
    identity = {"instead_of": instead_of} if instead_of else {"id": call.id}
    same = Call.objects.for_connection(connection).filter(**identity)
    if (existing := same.first()) is not None:
        return existing
    try:
        with transaction.atomic():
            call.save(force_insert=True)
    except IntegrityError:  # of two that ask for the same at once, the later one waits here
        if (existing := same.first()) is None:
            raise ActionRefused(_("This request cannot be sent. Begin again with an empty form.")) from None
        return existing
    jobs.enqueue(kind=SEND, subject=call.id, tenant_id=call.tenant_id)
    if call.is_write:
        _record(call, actor, "call.asked", **({"instead_of": str(instead_of.id)} if instead_of else {}))
    return call


def _as_text(value: Any) -> str:
    return json_numbers.dumps(value).decode()


def _record(call: Call, actor: Actor, action: str, **details: str) -> None:
    audit.record(
        tenant_id=call.tenant_id,
        actor=actor,
        action=action,
        subject=str(call.connection_id),
        call=str(call.id),
        operation=call.operation,
        **details,
    )
