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
    """Done: the call itself, or the question what became of it, was answered with 2xx."""
    _end(call, CallState.ANSWERED, **_reply_columns(reply))


def answer_by_look_up(call: Call, thing: Any) -> None:
    """A write whose answer was lost was done: its look-up shows this at the provider."""
    _end(call, CallState.ANSWERED, found_by_look_up=True, fault="", **_answer_columns(thing))


def answer_from_log(call: Call, entry: RequestLogEntry) -> None:
    """The request log says that it was done; the answer itself died with the worker that received it."""
    _end(
        call, CallState.ANSWERED, status=entry.status, provider_request_id=entry.provider_request_id, fault=entry.fault
    )


def refuse(call: Call, failed: CallFailed, entry: RequestLogEntry | None) -> None:
    """The provider refused it. `entry`: the request that it refused, for its status."""
    troubles = [[_storable(path), _storable(text)] for path, text in list(failed.fields)[:MOST_TROUBLES]]
    _end(
        call,
        CallState.REFUSED,
        status=entry.status if entry else None,
        troubles=troubles,
        fault=failed.fault.code,
        entry_id=failed.entry_id,
        provider_request_id=failed.provider_request_id,
    )


def refuse_from_log(call: Call, entry: RequestLogEntry) -> None:
    """The request log says that it was refused; why died with the worker that received the answer."""
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
    _move(call, CallState.WAITING, follow_up=name, next_at=next_at, **_reply_columns(reply))


def wait_on(call: Call, next_at: datetime) -> None:
    """It is not confirmed yet, and is asked for again at `next_at`."""
    _move(call, CallState.WAITING, next_at=next_at)


def look_later(call: Call, next_at: datetime, **values: Any) -> None:
    """Nobody knows what became of it, and it will be looked up at `next_at`. `values`: further columns."""
    _move(call, CallState.UNKNOWN, next_at=next_at, **values)


def leave_open(call: Call, why: Why, *, reply: Reply | None = None, **values: Any) -> None:
    """Nobody knows what became of it, and a person must find out."""
    _move(call, CallState.UNKNOWN, why=why, next_at=None, **(_reply_columns(reply) if reply else {}), **values)


def _reply_columns(reply: Reply) -> dict[str, Any]:
    return {
        "status": reply.status,
        "fault": "",
        "entry_id": reply.entry_id,
        "provider_request_id": reply.provider_request_id,
        **_answer_columns(reply.exact()),
    }


def _answer_columns(value: Any) -> dict[str, Any]:
    if value is None:
        return {"answer": "", "is_cut": False}
    text = as_text(value)
    return {"answer": text[:LARGEST_ANSWER], "is_cut": len(text) > LARGEST_ANSWER}


def _storable(text: str) -> str:
    return str(text).replace("\x00", "")[:LONGEST_TROUBLE]


def _end(call: Call, state: CallState, **values: Any) -> None:
    _move(call, state, next_at=None, ended_at=timezone.now(), **values)


def _move(call: Call, state: CallState, **values: Any) -> None:
    Call.objects.filter(id=call.id).update(state=state, **values)
    call.state = state
