"""Writes down what became of a call, in the caller's transaction and scope, after the caller has checked its lease."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.utils import timezone

from connections.calls.models import Call, CallState, Why
from connections.spec.errors import CallFailed
from connections.transport.client import Reply
from connections.transport.log.redaction import as_text
from connections.transport.models import RequestLogEntry

LARGEST_ANSWER = 256_000  # characters of JSON as text
MOST_TROUBLES = 100
LONGEST_TROUBLE = 500


def answer(call: Call, reply: Reply) -> None:
    """Done: 2xx, of the call itself or of what followed it up."""
    _end(call, CallState.ANSWERED, **_of(reply))


def found(call: Call, what: Any) -> None:
    """A lost write shows up at the provider; `what` is what its look-up shows of it."""
    _end(call, CallState.ANSWERED, found_by_look_up=True, fault="", **_written(what))


def answered_in_log(call: Call, entry: RequestLogEntry) -> None:
    """The provider said yes, and what else it said died with the worker that heard it."""
    _end(
        call, CallState.ANSWERED, status=entry.status, provider_request_id=entry.provider_request_id, fault=entry.fault
    )


def refuse(call: Call, failed: CallFailed, entry: RequestLogEntry | None) -> None:
    troubles = [[_clean(path), _clean(text)] for path, text in list(failed.fields)[:MOST_TROUBLES]]
    _end(
        call,
        CallState.REFUSED,
        status=entry.status if entry else None,
        troubles=troubles,
        fault=failed.fault.code,
        entry_id=failed.entry_id,
        provider_request_id=failed.provider_request_id,
    )


def refused_in_log(call: Call, entry: RequestLogEntry) -> None:
    _end(
        call, CallState.REFUSED, status=entry.status, provider_request_id=entry.provider_request_id, fault=entry.fault
    )


def fail(call: Call, fault: str, entry_id: UUID | None = None) -> None:
    """Surely nothing was done. `entry_id`: the request that stood in the way, if one did."""
    _end(call, CallState.FAILED, fault=fault, **({"entry_id": entry_id} if entry_id else {}))


def put_back(call: Call, failed: CallFailed, next_at: datetime) -> None:
    """Nothing was done yet; it goes once more later."""
    _move(
        call,
        CallState.QUEUED,
        fault=failed.fault.code,
        entry_id=failed.entry_id,
        provider_request_id=failed.provider_request_id,
        sent_at=None,
        next_at=next_at,
    )


def wait_for_confirmation(call: Call, reply: Reply, name: str, next_at: datetime) -> None:
    """`name`: what the provider calls the thing that a person must confirm there."""
    _move(call, CallState.WAITING, follow_up=name, next_at=next_at, **_of(reply))


def wait_on(call: Call, next_at: datetime) -> None:
    """Not confirmed yet."""
    _move(call, CallState.WAITING, next_at=next_at)


def look_later(call: Call, next_at: datetime, **values: Any) -> None:
    _move(call, CallState.UNKNOWN, next_at=next_at, **values)


def leave_open(call: Call, why: Why, *, reply: Reply | None = None, **values: Any) -> None:
    """Nobody knows what became of it, and a person must find out."""
    _move(call, CallState.UNKNOWN, why=why, next_at=None, **(_of(reply) if reply else {}), **values)


def _of(reply: Reply) -> dict[str, Any]:
    return {
        "status": reply.status,
        "fault": "",
        "entry_id": reply.entry_id,
        "provider_request_id": reply.provider_request_id,
        **_written(reply.exact()),
    }


def _written(value: Any) -> dict[str, Any]:
    if value is None:
        return {"answer": "", "is_cut": False}
    text = as_text(value)
    return {"answer": text[:LARGEST_ANSWER], "is_cut": len(text) > LARGEST_ANSWER}


def _clean(text: str) -> str:
    return str(text).replace("\x00", "")[:LONGEST_TROUBLE]


def _end(call: Call, state: CallState, **values: Any) -> None:
    _move(call, state, next_at=None, ended_at=timezone.now(), **values)


def _move(call: Call, state: CallState, **values: Any) -> None:
    Call.objects.filter(id=call.id).update(state=state, **values)
    call.state = state
