"""What was read through a connection that was left is deleted where its owner wants that, a day after a worker saw it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from connections.jobs.models import Job
from connections.sync import erasure
from connections.sync.models import Record, RecordVersion, StreamCursor
from connections.tenancy.models import AuditEvent
from connections.tenancy.scope import tenant_scope
from connections.transport.models import Departure
from connections.vault.models import Connection
from connections.vault.services import mark_healthy, open_connection
from portal.dashboard.disconnection import disconnect

pytestmark = pytest.mark.usefixtures("committed_db")


def read_records(connection: Any, count: int) -> None:
    now = timezone.now()
    place = {"tenant_id": connection.tenant_id, "connection_id": connection.id, "stream": "invoices"}
    for number in range(count):
        times = {"change_number": number, "changed_at": now}
        Record(**place, external_id=str(number), body={"n": number}, added_at=now, **times).save(force_insert=True)
        RecordVersion(**place, external_id=str(number), body={}, replaced_at=now, **times).save(force_insert=True)
    StreamCursor(**place, records=count, read_at=now, shape={"n": "int"}).save(force_insert=True)


@pytest.fixture
def left(aamu: Any, alice: Any, work_off: Callable[..., int], monkeypatch: pytest.MonkeyPatch) -> Any:
    """A connection that was read, and left with the wish that nothing of it stays; and another one beside it."""
    monkeypatch.setattr(erasure, "BATCH_ROWS", 2)
    connections = []
    with tenant_scope(aamu.id):
        for _each in range(2):
            connection = open_connection(tenant=aamu, provider="procountor", environment="test", actor=alice.actor)
            mark_healthy(connection=connection)
            connection.refresh_from_db()
            read_records(connection, 5)
            connections.append(connection)
        disconnect(connection=connections[0], actor=alice.actor, keeps_records=False)
    work_off()
    return connections[0]


def make_due() -> None:
    Departure.objects.exclude(deletes_at=None).update(deletes_at=timezone.now() - timedelta(seconds=1))
    Job.objects.filter(kind=erasure.DELETE_RECORDS, state="queued").update(due_at=timezone.now())


def of(connection: Any) -> tuple[int, int]:
    return tuple(each.objects.filter(connection_id=connection.id).count() for each in (Record, RecordVersion))


def test_it_stays_for_a_day_and_goes_then_with_its_history(left: Any, work_off: Callable[..., int]) -> None:
    departure = Departure.objects.get()
    assert of(left) == (5, 5)
    assert departure.deletes_at is not None
    assert timedelta(hours=23) < departure.deletes_at - timezone.now() <= erasure.TAKEN_BACK_WITHIN
    make_due()
    work_off()
    departure.refresh_from_db()
    assert of(left) == (0, 0)
    assert (departure.deleted_records, departure.deleted_at is not None) == (5, True)
    cursor = StreamCursor.objects.get(connection=left)
    assert (cursor.records, cursor.shape, cursor.read_at is not None) == (0, {}, True)
    event = AuditEvent.objects.get(action="connection.records_deleted")
    assert (event.subject, event.details) == (str(left.id), {"records": 5})
    other = Connection.objects.exclude(id=left.id).get()
    assert of(other) == (5, 5), "nobody else's"


def test_within_the_day_the_owner_may_keep_it(
    left: Any, alice: Any, sign_in: Callable[..., Any], work_off: Callable[..., int]
) -> None:
    owner, page = sign_in(alice), f"/t/aamu/c/{left.id}/departure/"
    assert "until then it can be kept" in owner.get(page).content.decode()
    owner.post(f"{page}records/", {"records": "keep"})
    work_off()
    make_due()
    work_off()
    assert of(left) == (5, 5)
    assert "kept, as the owner chose: 5 records" in owner.get(page).content.decode()
    # Chosen once more, the day begins anew.
    owner.post(f"{page}records/", {"records": "delete"})
    work_off()
    assert of(left) == (5, 5)
    make_due()
    work_off()
    assert of(left) == (0, 0)
    answer = owner.post(f"{page}records/", {"records": "keep"}, follow=True).content.decode()
    assert "that cannot be taken back" in answer
    assert "deleted: 5 records, with their history" in answer


def test_a_connection_that_stands_loses_nothing(left: Any, work_off: Callable[..., int]) -> None:
    Connection.objects.filter(id=left.id).update(state="connected")
    make_due()
    work_off()
    assert of(left) == (5, 5)
