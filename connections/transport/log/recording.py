"""Keeps what a connection sends and hears, for an hour at most and where an owner asked for it (SECURITY LOG-2).

Token requests are never recorded, and of bodies only what body_filter.py lets through.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
from django.db import connection as database
from django.db.models import F, QuerySet
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from connections.jobs.lease import Lease
from connections.jobs.services import enqueue
from connections.spec.wire import Wire
from connections.tenancy import audit
from connections.tenancy.scope import Actor, tenant_scope
from connections.transport.http import parsing
from connections.transport.http.session import Answer
from connections.transport.log import body_filter
from connections.transport.models import RecordedCall, Recording, RequestLogEntry
from connections.transport.request_context import RequestContext
from connections.vault.models import Connection
from connections.vault.sealing import Place, open_with, seal_to, web_pair
from connections.vault.services import Refused, hold_open

logger = logging.getLogger(__name__)

FORGET = "transport.forget_recording"
LONGEST = timedelta(hours=1)
KEPT = timedelta(days=1)  # after the start
MOST_CALLS = 200
LARGEST = 1_000_000  # bytes of an answer that is still read for this
PATIENCE = "500ms"  # for a row that somebody else holds: the call is more than its recording


# -- an owner's side ---------------------------------------------------------------------------------------------------


def start(*, connection: Connection, lasts: timedelta, actor: Actor) -> Recording:
    """Record from now on; what was recorded before is gone. In the tenant's scope, in the web process.

    Raises Refused for a connection that has left or is recorded already, KeyUnavailable.
    """
    hold_open(connection)  # first, as whoever waits for it finds what is begun here
    if live_ones().filter(connection_id=connection.id).exists():
        raise Refused(_("This connection is being recorded already."))
    if destroy(connection):
        _audit(connection, actor, "recording.deleted")
    now = timezone.now()
    made = Recording(
        tenant_id=connection.tenant_id,
        connection_id=connection.id,
        started_by=actor.name,
        started_at=now,
        until_at=now + min(lasts, LONGEST),
    )
    made.public_keyset, made.wrapped_keyset = web_pair(made.tenant_id, _place_of_pair(made.id))
    made.save(force_insert=True)
    enqueue(kind=FORGET, subject=made.id, tenant_id=made.tenant_id, due_at=now + KEPT)
    _audit(connection, actor, "recording.started", until=made.until_at.isoformat())
    return made


def stop(*, recording: Recording, actor: Actor) -> None:
    """Record nothing more; what there is stays until it is deleted. Twice changes nothing. Needs the tenant's scope."""
    if Recording.objects.filter(id=recording.id, stopped_at=None).update(stopped_at=timezone.now()):
        _audit(recording.connection, actor, "recording.stopped")


def delete(*, recording: Recording, actor: Actor) -> None:
    """In the tenant's scope. What was recorded cannot be read by anybody from here on: its key goes with it."""
    if _delete(Recording.objects.filter(id=recording.id)):
        _audit(recording.connection, actor, "recording.deleted")


def newest(connection: Connection) -> Recording | None:
    """The one there is, without its keys, until its day is over. Needs the tenant's scope."""
    kept = Recording.objects.filter(connection_id=connection.id, started_at__gt=timezone.now() - KEPT)
    return kept.defer("public_keyset", "wrapped_keyset").first()


def live_ones() -> QuerySet[Recording]:
    """Those under way, as `is_live` says. Needs the tenant's scope."""
    return Recording.objects.filter(stopped_at=None, until_at__gt=timezone.now(), kept__lt=MOST_CALLS)


def is_live(recording: Recording) -> bool:
    """Whether the next call will be kept."""
    return recording.stopped_at is None and recording.until_at > timezone.now() and recording.kept < MOST_CALLS


def deleted_at(recording: Recording) -> datetime:
    """When its day is over."""
    return recording.started_at + KEPT


def calls(connection: Connection) -> QuerySet[RecordedCall]:
    """What can be read of a connection, with the key to it. Needs the tenant's scope."""
    return RecordedCall.objects.select_related("recording").filter(
        recording__connection_id=connection.id, recording__started_at__gt=timezone.now() - KEPT
    )


def opened(call: RecordedCall) -> tuple[str, str | None]:
    """What was sent, and what was answered (None: nothing was), as text. In the web process.

    Raises Unopenable, KeyUnavailable.
    """
    pair = _place_of_pair(call.recording_id)
    text = open_with(call.recording.wrapped_keyset, pair, call.tenant_id, place_of(call.id), bytes(call.ciphertext))
    sent, answered = orjson.loads(text)
    return sent, answered


def destroy(connection: Connection) -> int:
    """Whatever was recorded of a connection. Needs the tenant's scope."""
    return _delete(Recording.objects.filter(connection_id=connection.id))


def _audit(connection: Connection, actor: Actor, action: str, **details: Any) -> None:
    audit.record(tenant_id=connection.tenant_id, actor=actor, action=action, subject=str(connection.id), **details)


# -- a worker's side ---------------------------------------------------------------------------------------------------


def forget(lease: Lease) -> None:
    """Job: its day is over."""
    with tenant_scope(lease.tenant_id):
        lease.check()
        _delete(Recording.objects.filter(id=lease.subject))


@contextmanager
def listening(context: RequestContext, entry: RequestLogEntry, sent: Any, wire: Wire) -> Iterator[list[Answer]]:
    """Around one attempt, the writing of its entry included: what is put into the list is kept beside what was sent, if
    somebody wants it recorded.
    """
    heard: list[Answer] = []
    try:
        yield heard
    finally:
        try:
            if context.recording is not None:
                _keep(context, context.recording, entry, sent, heard, wire)
        except Exception as error:  # noqa: BLE001  (what became of the call must be told, whatever became of this)
            logger.warning("entry %s could not be recorded: %s", entry.id, type(error).__name__)


def _keep(
    context: RequestContext, live: Recording, entry: RequestLogEntry, sent: Any, heard: list[Answer], wire: Wire
) -> None:
    call_id, tenant_id = uuid.uuid4(), context.connection.tenant_id
    with tenant_scope(tenant_id):
        with database.cursor() as cursor:
            cursor.execute("SELECT set_config('lock_timeout', %s, true)", [PATIENCE])
        wanted = Recording.objects.filter(id=live.id, stopped_at=None, until_at__gt=Now(), kept__lt=MOST_CALLS)
        if not wanted.update(kept=F("kept") + 1):
            context.recording = None
            return
        told = orjson.dumps([body_filter.of(context.provider, sent), _answered(context, sent, heard, wire)]).decode()
        RecordedCall(
            id=call_id,
            tenant_id=tenant_id,
            recording_id=live.id,
            entry_id=entry.id,
            at=entry.at,
            operation=entry.operation,
            status=entry.status,
            ciphertext=seal_to(live.public_keyset, tenant_id, place_of(call_id), told),
        ).save(force_insert=True)


def _answered(context: RequestContext, sent: Any, heard: list[Answer], wire: Wire) -> str | None:
    if not heard:
        return None
    [answer] = heard
    if len(answer.body) > LARGEST:
        return f"({len(answer.body)} bytes: too large to be recorded)"
    try:
        parsed = parsing.parse(answer.body, wire)
    except ValueError:
        return f"({len(answer.body)} bytes that cannot be read)"
    is_good = 200 <= answer.status < 300 and not context.provider.faults.in_good(parsed.values)
    values = parsed.exact()
    return (
        body_filter.of_refusal(context.provider, values, sent)
        if not is_good
        else body_filter.of(context.provider, values)
    )


# -- maintenance's side --------------------------------------------------------------------------------------------------


def delete_old() -> int:
    """Those whose day is over although no worker came by. Across tenants, as the owner."""
    return _delete(Recording.objects.filter(started_at__lt=timezone.now() - KEPT))


def _delete(recordings: QuerySet[Recording]) -> int:
    # Held first: nothing may be added to one that is being taken away. No more than the id is looked at on the way,
    # as the rest of a row is not for workers.
    held = list(recordings.select_for_update().values_list("id", flat=True))
    Recording.objects.filter(id__in=held).only("id").delete()
    return len(held)


def _place_of_pair(recording_id: UUID) -> Place:
    return Place("transport_recording", recording_id, "wrapped_keyset")


def place_of(call_id: UUID) -> Place:
    """Where a recorded request is sealed to."""
    return Place("transport_recordedcall", call_id, "ciphertext")
