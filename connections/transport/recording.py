"""Keeps what a connection sends and hears, for an hour at most and where an owner asked for it (SECURITY LOG-2).

Of a body the names of its fields are kept, and values only of those that are known to hold codes, dates, ids and the
like; whatever else stands there is told by its kind and length. Token requests are never recorded.
"""

from __future__ import annotations

import logging
import re
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
from django.db.models import F, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from connections.jobs.lease import Lease
from connections.jobs.services import enqueue
from connections.spec.wire import Wire
from connections.tenancy import audit
from connections.tenancy.scope import Actor, tenant_scope
from connections.transport import parsing
from connections.transport.caller import Caller
from connections.transport.egress import Answer
from connections.transport.models import RecordedCall, Recording, RequestLogEntry
from connections.transport.redaction import as_text, without_live
from connections.vault.models import Connection
from connections.vault.sealing import Place, open_with, seal_to, web_pair
from connections.vault.services import refuse_left

logger = logging.getLogger(__name__)

FORGET = "transport.forget_recording"
LONGEST = timedelta(hours=1)
KEPT = timedelta(days=1)  # after the start
MOST_CALLS = 200
MOST_ITEMS = 3  # of a list: the others look alike
MOST_FIELDS = 200
MOST_CHARACTERS = 8000  # of one body as text
LONGEST_VALUE = 200
DEEPEST = 12
FIELD = re.compile(r"[A-Za-z_@$][A-Za-z0-9_.:@$-]{0,60}")
# Fields that hold a code, an id, a date or a count, at every provider so far; each may name more of its own.
OPEN = (
    "active code count created currency date hasMore has_more id language languageCode limit meta modified next_page"
    " offset page pageNumber pageSize page_size pages size status totalCount total_count type updated uuid version"
)
# What a refusal says. Elsewhere such fields hold what people wrote.
OPEN_IN_REFUSALS = (
    "detail error errorCode errorMessage error_description errors field instance message messages path reason title"
    " traceId"
)


# -- an owner's side ---------------------------------------------------------------------------------------------------


def start(*, connection: Connection, lasts: timedelta, actor: Actor) -> Recording:
    """Record from now on; what was recorded before is gone. In the tenant's scope, in the web process.

    Raises Refused for a connection that has left, KeyUnavailable.
    """
    refuse_left(connection)
    destroy(connection)
    now = timezone.now()
    made = Recording(
        tenant_id=connection.tenant_id,
        connection_id=connection.id,
        started_by=actor.name,
        started_at=now,
        until_at=now + min(lasts, LONGEST),
    )
    made.public_keyset, made.wrapped_keyset = web_pair(_of_pair(made.id))
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
    """The one there is. Needs the tenant's scope."""
    return Recording.objects.filter(connection_id=connection.id).first()


def live(connection: Connection) -> Recording | None:
    """The one that is under way. Needs the tenant's scope."""
    found = newest(connection)
    return found if found is not None and is_live(found) else None


def is_live(recording: Recording) -> bool:
    """Whether the next call will be kept."""
    return recording.stopped_at is None and recording.until_at > timezone.now() and recording.kept < MOST_CALLS


def deleted_at(recording: Recording) -> datetime:
    """When its day is over."""
    return recording.started_at + KEPT


def opened(call: RecordedCall) -> tuple[str, str]:
    """What was sent and what was answered, as text. In the web process. Raises Unopenable, KeyUnavailable."""
    text = open_with(
        call.recording.wrapped_keyset, _of_pair(call.recording_id), place_of(call.id), bytes(call.ciphertext)
    )
    sent, answered = orjson.loads(text)
    return sent, answered


def _audit(connection: Connection, actor: Actor, action: str, **details: Any) -> None:
    audit.record(tenant_id=connection.tenant_id, actor=actor, action=action, subject=str(connection.id), **details)


def destroy(connection: Connection) -> None:
    """Whatever was recorded of a connection. Needs the tenant's scope."""
    _delete(Recording.objects.filter(connection_id=connection.id))


# -- a worker's side ---------------------------------------------------------------------------------------------------


def forget(lease: Lease) -> None:
    """Job: its day is over."""
    if lease.tenant_id is not None:
        with tenant_scope(lease.tenant_id):
            lease.check()
            _delete(Recording.objects.filter(id=lease.subject))


@contextmanager
def listening(caller: Caller, entry: RequestLogEntry, sent: Any, wire: Wire) -> Iterator[list[Answer]]:
    """Around one attempt: what is put into the list is kept beside what was sent, if somebody wants it recorded."""
    heard: list[Answer] = []
    try:
        yield heard
    finally:
        try:
            if caller.recording is not None:
                _keep(caller, caller.recording, entry, _told(caller, sent, heard, wire))
        except Exception as error:  # noqa: BLE001  (what became of the call must be told, whatever became of this)
            logger.warning("entry %s could not be recorded: %s", entry.id, type(error).__name__)


def _keep(caller: Caller, live: Recording, entry: RequestLogEntry, told: tuple[str, str]) -> None:
    call_id = uuid.uuid4()
    with tenant_scope(caller.connection.tenant_id):
        wanted = Recording.objects.filter(id=live.id, stopped_at=None, until_at__gt=Now(), kept__lt=MOST_CALLS)
        if not wanted.update(kept=F("kept") + 1):
            caller.recording = None
            return
        RecordedCall(
            id=call_id,
            tenant_id=caller.connection.tenant_id,
            recording_id=live.id,
            entry_id=entry.id,
            at=entry.at,
            operation=entry.operation,
            status=entry.status,
            ciphertext=seal_to(live.public_keyset, place_of(call_id), orjson.dumps(told).decode()),
        ).save(force_insert=True)


def _told(caller: Caller, sent: Any, heard: list[Answer], wire: Wire) -> tuple[str, str]:
    known = frozenset(f"{OPEN} {caller.provider.open_fields}".split())
    body = _text(sent, known) if sent is not None else ""
    if not heard:
        return body, ""
    answer = heard[0]
    try:
        values = parsing.read(answer.body, wire)
    except ValueError:
        return body, f"({len(answer.body)} bytes that cannot be read)"
    is_good = 200 <= answer.status < 300 and not caller.provider.faults.in_good(values)
    return body, _text(
        values, known if is_good else known.union(OPEN_IN_REFUSALS.split())
    ) if values is not None else ""


def _text(values: Any, known: frozenset[str]) -> str:
    text = as_text(outline(values, known))
    return text if len(text) <= MOST_CHARACTERS else f"{text[:MOST_CHARACTERS]}\n…"


def outline(value: Any, known: frozenset[str], *, is_open: bool = False, depth: int = 0) -> Any:
    """The values of a body as far as they may be kept: those of `known` fields, cut; of the others kind and length."""
    if depth > DEEPEST:
        return "…"
    if isinstance(value, Mapping):
        return {
            _field(name): outline(each, known, is_open=name in known, depth=depth + 1)
            for name, each in list(value.items())[:MOST_FIELDS]
        }
    if isinstance(value, list | tuple):
        shown = [outline(each, known, is_open=is_open, depth=depth + 1) for each in value[:MOST_ITEMS]]
        return [*shown, f"… {len(value) - MOST_ITEMS} more"] if len(value) > MOST_ITEMS else shown
    if value is None:
        return None
    if isinstance(value, str):
        return _cut(value) if is_open else f"(text, {len(value)})"
    if is_open:
        return value
    return "(yes or no)" if isinstance(value, bool) else "(number)"


def _cut(text: str) -> str:
    """Searched for secrets first: of one that is cut nobody would know it again."""
    text = without_live(text)
    return f"{text[:LONGEST_VALUE]}…" if len(text) > LONGEST_VALUE else text


def _field(name: object) -> str:
    """Some bodies hold people's words where others have the names of fields."""
    return str(name) if FIELD.fullmatch(str(name)) else f"(name, {len(str(name))})"


# -- both --------------------------------------------------------------------------------------------------------------


def _delete(recordings: QuerySet[Recording]) -> int:
    # No more than the id is looked at on the way: the rest of a row is not for workers.
    count, _models = recordings.only("id").delete()
    return count


def _of_pair(recording_id: UUID) -> Place:
    return Place("transport_recording", recording_id, "wrapped_keyset")


def place_of(call_id: UUID) -> Place:
    """Where a recorded request is sealed to."""
    return Place("transport_recordedcall", call_id, "ciphertext")
