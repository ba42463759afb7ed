"""Records what a connection sends and receives, for an hour at most and where an owner asked for it (SECURITY LOG-2).

Token requests are never recorded, and of bodies only what body_filter.py lets through.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any
from uuid import UUID

import orjson
from django.db import connection as database
from django.db.models import F, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from connections.jobs.lease import TenantLease
from connections.jobs.services import enqueue
from connections.spec.provider import Provider
from connections.tenancy import audit
from connections.tenancy.scope import Actor, tenant_scope
from connections.transport.log import body_filter
from connections.transport.models import RecordedCall, Recording, RecordingQuerySet, RequestLogEntry
from connections.vault.models import Connection
from connections.vault.sealing import Place, make_web_pair, open_with, seal_to
from connections.vault.services import ActionRefused, lock_unless_disconnected

logger = logging.getLogger(__name__)

FORGET = "transport.forget_recording"
LONGEST_RECORDING_MINUTES = 60
KEPT_FOR = timedelta(days=1)  # after the start
MOST_CALLS = 200
LARGEST_ANSWER_BYTES = 1_000_000
LOCK_TIMEOUT = "500ms"  # for a row that somebody else holds: the call matters more than its recording


# -- in the web: an owner starts and stops it --------------------------------------------------------------------------


def start(*, connection: Connection, lasts: timedelta, actor: Actor) -> Recording:
    """Record from now on; what was recorded before is gone. In the tenant's scope, in the web process.

    Raises ActionRefused for a connection that has left or is recorded already, KeyUnavailable.
    """
    lock_unless_disconnected(connection)  # first: whoever waits for this lock finds what is begun here
    if live_recordings().for_connection(connection.id).exists():
        raise ActionRefused(_("This connection is being recorded already."))
    if destroy(connection):
        _audit(connection, actor, "recording.deleted")
    now = timezone.now()
    recording = Recording(
        tenant_id=connection.tenant_id,
        connection_id=connection.id,
        started_by=actor.name,
        started_at=now,
        until_at=now + min(lasts, timedelta(minutes=LONGEST_RECORDING_MINUTES)),
    )
    recording.public_keyset, recording.wrapped_keyset = make_web_pair(
        recording.tenant_id, _place_of_pair(recording.id)
    )
    recording.save(force_insert=True)
    enqueue(kind=FORGET, subject=recording.id, tenant_id=recording.tenant_id, due_at=now + KEPT_FOR)
    _audit(connection, actor, "recording.started", until=recording.until_at.isoformat())
    return recording


def stop(*, recording: Recording, actor: Actor) -> None:
    """Record nothing more; what there is stays until it is deleted. Twice changes nothing. Needs the tenant's scope."""
    if Recording.objects.filter(id=recording.id, stopped_at=None).update(stopped_at=timezone.now()):
        _audit(recording.connection, actor, "recording.stopped")


def delete(*, recording: Recording, actor: Actor) -> None:
    """In the tenant's scope. What was recorded cannot be read by anybody from here on: its key goes with it."""
    if _delete(Recording.objects.filter(id=recording.id)):
        _audit(recording.connection, actor, "recording.deleted")


def newest(connection: Connection) -> Recording | None:
    """The connection's recording, without its keys; None where there is none or its day is over. In the tenant's scope."""
    recordings = Recording.objects.for_connection(connection.id).filter(started_at__gt=timezone.now() - KEPT_FOR)
    return recordings.defer("public_keyset", "wrapped_keyset").first()


def live_recordings() -> RecordingQuerySet:
    """Those that `is_live` is true of, for a subquery as well. Needs the tenant's scope."""
    return Recording.objects.live().filter(kept__lt=MOST_CALLS)


def is_live(recording: Recording) -> bool:
    """Whether the next call will be kept."""
    return recording.stopped_at is None and recording.until_at > timezone.now() and recording.kept < MOST_CALLS


def deleted_at(recording: Recording) -> datetime:
    """When the recording is deleted: a day after its start."""
    return recording.started_at + KEPT_FOR


def calls(connection: Connection) -> QuerySet[RecordedCall]:
    """The recorded calls of a connection that can be read, each with its recording. Needs the tenant's scope."""
    return RecordedCall.objects.select_related("recording").filter(
        recording__connection_id=connection.id, recording__started_at__gt=timezone.now() - KEPT_FOR
    )


def open_call(call: RecordedCall) -> tuple[str, str | None]:
    """What was sent, and what was answered (None: nothing was), as text. In the web process.

    Raises Unopenable, KeyUnavailable.
    """
    pair = _place_of_pair(call.recording_id)
    text = open_with(call.recording.wrapped_keyset, pair, call.tenant_id, place_of(call.id), bytes(call.ciphertext))
    sent, answered = orjson.loads(text)
    return sent, answered


def destroy(connection: Connection) -> int:
    """Delete whatever was recorded of a connection; returns how many recordings. Needs the tenant's scope."""
    return _delete(Recording.objects.for_connection(connection.id))


def _audit(connection: Connection, actor: Actor, action: str, **details: Any) -> None:
    audit.record(tenant_id=connection.tenant_id, actor=actor, action=action, subject=str(connection.id), **details)


# -- in workers: calls are kept and deleted ----------------------------------------------------------------------------


def forget(lease: TenantLease) -> None:
    """Job: delete a recording whose day is over."""
    with lease.scope():
        _delete(Recording.objects.filter(id=lease.subject))


@dataclass
class Conversation:
    """What one attempt sent, and what came back, as far as it came and could be read: filled in by the caller."""

    sent: Any
    answer_bytes: int | None = None  # None: nothing was answered
    read_values: Callable[[], Any] | None = None  # gives the values with all their digits; None: they cannot be read
    is_good: bool = False  # else the answer is a refusal


class Recorder:
    """Keeps what the calls of one client send and hear, if an owner wants it; looked up once, at the end of its first call."""

    def __init__(self, connection: Connection, provider: Provider) -> None:
        self._connection, self._provider = connection, provider
        self._is_finished = False

    @cached_property
    def _recording(self) -> Recording | None:
        with tenant_scope(self._connection.tenant_id):
            live = Recording.objects.for_connection(self._connection.id).live()
            return live.only("id", "tenant_id", "connection_id", "public_keyset", "until_at").first()

    @contextmanager
    def attempt(self, entry: RequestLogEntry, sent: Any) -> Iterator[Conversation]:
        """Around one attempt, the writing of its entry included: what the block notes is kept when it ends.

        Trouble with keeping it is no trouble of the call's: it is logged.
        """
        conversation = Conversation(sent)
        try:
            yield conversation
        finally:
            try:
                if not self._is_finished and self._recording is not None:
                    self._store(self._recording, entry, conversation)
            except Exception as error:  # noqa: BLE001  (the outcome of the call must be reported, whatever became of its recording)
                logger.warning("entry %s could not be recorded: %s", entry.id, type(error).__name__)

    def _store(self, recording: Recording, entry: RequestLogEntry, conversation: Conversation) -> None:
        call_id, tenant_id = uuid.uuid4(), self._connection.tenant_id
        with tenant_scope(tenant_id):
            with database.cursor() as cursor:
                cursor.execute("SELECT set_config('lock_timeout', %s, true)", [LOCK_TIMEOUT])
            wanted = live_recordings().filter(id=recording.id)
            if not wanted.update(kept=F("kept") + 1):
                self._is_finished = True
                return
            texts = [body_filter.outline(self._provider, conversation.sent), self._answer_text(conversation)]
            RecordedCall(
                id=call_id,
                tenant_id=tenant_id,
                recording_id=recording.id,
                entry_id=entry.id,
                at=entry.at,
                operation=entry.operation,
                status=entry.status,
                ciphertext=seal_to(
                    recording.public_keyset, tenant_id, place_of(call_id), orjson.dumps(texts).decode()
                ),
            ).save(force_insert=True)

    def _answer_text(self, conversation: Conversation) -> str | None:
        size = conversation.answer_bytes
        if size is None:
            return None
        if size > LARGEST_ANSWER_BYTES:
            return f"({size} bytes: too large to be recorded)"
        if conversation.read_values is None:
            return f"({size} bytes that cannot be read)"
        values = conversation.read_values()
        if conversation.is_good:
            return body_filter.outline(self._provider, values)
        return body_filter.outline_of_refusal(self._provider, values, conversation.sent)


# -- in maintenance ----------------------------------------------------------------------------------------------------


def delete_old() -> int:
    """Delete recordings whose day is over although no worker did; returns how many. Across tenants, as the owner."""
    return _delete(Recording.objects.filter(started_at__lt=timezone.now() - KEPT_FOR))


def _delete(recordings: QuerySet[Recording]) -> int:
    # Locked first: nothing may be added to one that is being deleted. Only the id is read, as the rest of a row is not
    # for workers.
    ids = list(recordings.select_for_update().values_list("id", flat=True))
    Recording.objects.filter(id__in=ids).only("id").delete()
    return len(ids)


def _place_of_pair(recording_id: UUID) -> Place:
    return Place("transport_recording", recording_id, "wrapped_keyset")


def place_of(call_id: UUID) -> Place:
    """The place that a recorded call's ciphertext is bound to."""
    return Place("transport_recordedcall", call_id, "ciphertext")
