"""Several at a recording at once: nobody waits for long, nothing is left behind, and one is begun once."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Event, Thread

import pytest
from django.db import connection as database
from django.db import transaction

from connections.tenancy.scope import tenant_scope
from connections.transport.log import recording
from connections.transport.models import RecordedCall, Recording
from connections.vault.services import ActionRefused
from tests.roles import acting_as
from tests.transport.test_client_sending import answering, client, quick_steps, send
from tests.transport.test_recording import ALICE, recorded

__all__ = ["client", "quick_steps", "recorded"]  # fixtures
pytestmark = pytest.mark.usefixtures("committed_db")


def test_a_call_does_not_wait_for_a_locked_recording(hostile, recorded):
    held, end = Event(), Event()

    def hold():
        with transaction.atomic():
            list(Recording.objects.select_for_update())
            held.set()
            end.wait(20)
        database.close()

    holder = Thread(target=hold)
    holder.start()
    held.wait(10)
    answering(hostile, (200, {"id": 7}))
    try:
        assert send(recorded).body == {"id": 7}
    finally:
        end.set()
        holder.join()
    # Whoever had waited would have written it down.
    assert RecordedCall.objects.count() == 0


def test_two_who_start_at_once_start_one(client):
    connection = client.connection

    def start(_):
        try:
            with tenant_scope(connection.tenant_id):
                recording.start(connection=connection, lasts=timedelta(minutes=15), actor=ALICE)
        except ActionRefused:
            return "refused"
        finally:
            database.close()
        return "started"

    with acting_as("web"), ThreadPoolExecutor(2) as together:
        assert sorted(together.map(start, range(2))) == ["refused", "started"]
    assert Recording.objects.count() == 1


def test_what_is_being_deleted_takes_nothing_more(hostile, recorded, monkeypatch):
    """A worker that is writing meanwhile would leave a row behind that belongs to nothing, and break the deletion."""
    answering(hostile, (200, {}))
    real, writing = recording.seal_to, Event()

    def slowly(*what):
        writing.set()
        time.sleep(0.5)
        return real(*what)

    monkeypatch.setattr(recording, "seal_to", slowly)
    told = []

    def call():
        try:
            told.append(recorded.send("session").status)
        finally:
            database.close()

    with acting_as("worker"):
        worker = Thread(target=call)
        worker.start()
        assert writing.wait(20)
        with tenant_scope(recorded.connection.tenant_id):
            recording.destroy(recorded.connection)
        worker.join()
    assert told == [200]
    assert (Recording.objects.count(), RecordedCall.objects.count()) == (0, 0)
