"""Recording bodies: only while somebody wants it, only what may be kept, readable by the web process alone, gone in a day."""

from __future__ import annotations

import json
import logging
from datetime import timedelta

import pytest
from django.db import ProgrammingError, transaction
from django.utils import timezone

from connections.jobs.models import Job
from connections.spec.errors import CallFailed
from connections.spec.operations import Arguments
from connections.tenancy.models import AuditEvent
from connections.tenancy.scope import Actor, tenant_scope
from connections.transport.client import Client
from connections.transport.log import recording
from connections.transport.models import DeathProof, RecordedCall, Recording
from connections.transport.oauth import revocation
from connections.vault.keys import KeyUnavailable
from connections.vault.models import Connection, ConnectionState, Leaving
from connections.vault.sealing import Unopenable
from connections.vault.services import ActionRefused
from tests.roles import acting_as
from tests.transport.conftest import API_KEY
from tests.transport.test_client_sending import TOKEN, answering, client, quick_steps, send

__all__ = ["client", "quick_steps"]  # fixtures
pytestmark = pytest.mark.usefixtures("db")
ALICE = Actor(7, "alice@aamu.example")
PERSONAL = "Maija Keksitty"


@pytest.fixture
def recorded(client):
    begin(client.connection)
    return client


def begin(connection, minutes=15):
    with acting_as("web"), tenant_scope(connection.tenant_id):
        return recording.start(connection=connection, lasts=timedelta(minutes=minutes), actor=ALICE)


def kept(connection):
    """What the web process reads: (status, sent, answered), oldest first."""
    with acting_as("web"), tenant_scope(connection.tenant_id):
        rows = RecordedCall.objects.select_related("recording").order_by("at", "id")
        return [(row.status, *recording.open_call(row)) for row in rows]


# -- what is kept ------------------------------------------------------------------------------------------------------


def test_what_was_sent_and_answered_is_kept_field_by_field(hostile, recorded):
    body = {"id": 7, "name": PERSONAL, "rows": [{"status": "NEW", "amount": 12.5}] * 5}
    answering(
        hostile, (200, {"id": 7, "name": PERSONAL, "status": "NEW", "iban": "FI00", "isCompany": True, "end": None})
    )
    send(recorded, Arguments(body=body), "send")
    [(status, sent, answered)] = kept(recorded.connection)
    assert status == 200
    rows = [{"status": "NEW", "amount": "(number)"}] * 3
    assert json.loads(sent) == {"id": 7, "name": "(text, 14)", "rows": [*rows, "… 2 more"]}
    told = {
        "id": 7,
        "name": "(text, 14)",
        "status": "NEW",
        "iban": "(text, 4)",
        "isCompany": "(yes or no)",
        "end": None,
    }
    assert json.loads(answered) == told
    assert PERSONAL not in sent + answered


def test_a_value_that_is_kept_has_the_digits_that_came(hostile, recorded):
    answering(hostile, (200, b'{"id": 12345678901234567890123, "version": 12345678901234567.89}'))
    send(recorded)
    [(_status, _sent, answered)] = kept(recorded.connection)
    assert answered.split() == ["{", '"id":', "12345678901234567890123,", '"version":', "12345678901234567.89", "}"]


def test_a_refusal_says_why_and_an_answer_that_is_good_does_not_quote_people(hostile, recorded):
    refusal = {"errors": [{"status": "INVALID", "message": "no such product"}]}
    answering(hostile, (400, refusal), (200, {"message": PERSONAL}))
    with pytest.raises(CallFailed):
        send(recorded, operation="send")
    send(recorded)
    (_, _, refused), (_, _, good) = kept(recorded.connection)
    assert json.loads(refused) == refusal
    assert json.loads(good) == {"message": "(text, 14)"}


def test_a_refusal_does_not_repeat_what_was_sent(hostile, recorded):
    said = f"{PERSONAL} with FI2112345600000785 and 4711.5 has no product 17"
    answering(
        hostile, (400, {"message": said, "errors": {"email": ["is not one", f"maija of {PERSONAL}"], "sum": 4711.5}})
    )
    body = {"id": 17, "name": PERSONAL, "rows": [{"iban": "FI2112345600000785", "sum": 4711.5}]}
    with pytest.raises(CallFailed):
        send(recorded, Arguments(body=body), "send")
    [(_, _, answered)] = kept(recorded.connection)
    assert json.loads(answered) == {
        "message": "… with … and … has no product 17",
        "errors": {"email": ["is not one", "maija of …"], "sum": "…"},
    }


def test_what_a_refusal_holds_of_records_is_no_word_of_its_own(hostile, recorded):
    record = {"title": PERSONAL, "message": PERSONAL, "code": "1234567-8"}
    answering(hostile, (409, {"error": {"hint": "it exists"}, "existing": record, "data": [record]}))
    with pytest.raises(CallFailed):
        send(recorded, operation="send")
    [(_, _, answered)] = kept(recorded.connection)
    assert PERSONAL not in answered
    assert "1234567-8" not in answered
    assert "it exists" in answered


def test_what_lets_us_in_is_left_out_even_where_a_provider_repeats_it(hostile, recorded):
    answering(hostile, (400, {"message": f"{TOKEN} is wrong", "path": API_KEY, TOKEN: 1}))
    with pytest.raises(CallFailed):
        send(recorded, operation="send")
    [(_, sent, answered)] = kept(recorded.connection)
    assert TOKEN not in sent + answered
    assert API_KEY not in sent + answered
    assert "is wrong" in answered


def test_what_sounds_like_a_secret_is_left_out_although_nobody_knows_it(hostile, recorded):
    answering(hostile, (400, {"message": "Bearer abcdefgh12345678 is wrong, password=hunter22"}))
    with pytest.raises(CallFailed):
        send(recorded, operation="send")
    [(_, _, answered)] = kept(recorded.connection)
    assert "abcdefgh" not in answered
    assert "hunter22" not in answered
    assert "is wrong" in answered


def test_a_request_for_a_token_is_never_recorded(hostile, recorded):
    answering(hostile, (200, {}))
    send(recorded)
    assert hostile.asked[0].asked.endswith("/oauth/token")
    assert [row.operation for row in RecordedCall.objects.all()] == ["session"]


def test_without_an_answer_what_was_sent_is_kept(hostile, recorded):
    answering(hostile, lambda line: line.hang_up())
    with pytest.raises(CallFailed):
        send(recorded, Arguments(body={"id": 7}), "send")
    [(status, sent, answered)] = kept(recorded.connection)
    assert (status, json.loads(sent), answered) == (None, {"id": 7}, None)


def test_what_cannot_be_read_is_told_by_its_size(hostile, recorded):
    answering(hostile, (200, f"<html>{PERSONAL}</html>".encode()), (204, b""))
    with pytest.raises(CallFailed):
        send(recorded)
    send(recorded)
    (_, _, page), (_, sent, nothing) = kept(recorded.connection)
    assert page == "(27 bytes that cannot be read)"
    assert (sent, nothing) == ("", "")


def test_long_things_are_cut(hostile, recorded):
    answering(hostile, (200, {"status": "x" * 400, **{f"f{n}": {"id": "y" * 150} for n in range(50)}}))
    send(recorded)
    [(_, _, answered)] = kept(recorded.connection)
    assert "x" * 200 + "…" in answered
    assert "x" * 201 not in answered
    assert len(answered) < 8100
    assert answered.endswith("…")


def test_an_answer_that_is_too_large_is_told_by_its_size(hostile, recorded, monkeypatch):
    monkeypatch.setattr(recording, "LARGEST_ANSWER_BYTES", 10)
    answering(hostile, (200, {"status": "x" * 20}))
    send(recorded)
    assert kept(recorded.connection)[0][2] == "(34 bytes: too large to be recorded)"


# -- as long as it is wanted -------------------------------------------------------------------------------------------


def test_nothing_is_recorded_where_nobody_asked(hostile, client):
    answering(hostile, (200, {}))
    send(client)
    assert RecordedCall.objects.count() == 0


@pytest.mark.parametrize("how", ["stopped", "over", "deleted", "full"])
def test_a_stopped_recording_ends_for_a_client_that_is_at_work(hostile, recorded, how):
    answering(hostile, (200, {}))
    send(recorded)
    row = Recording.objects.get()
    if how == "stopped":
        with acting_as("web"), tenant_scope(row.tenant_id):
            recording.stop(recording=row, actor=ALICE)
    elif how == "over":
        Recording.objects.update(until_at=timezone.now())
    elif how == "deleted":
        with acting_as("web"), tenant_scope(row.tenant_id):
            recording.delete(recording=row, actor=ALICE)
    else:
        Recording.objects.update(kept=recording.MOST_CALLS)
    send(recorded)
    assert RecordedCall.objects.count() == (0 if how == "deleted" else 1)


def test_a_recording_never_lasts_longer_than_an_hour(client):
    row = begin(client.connection, minutes=600)
    assert row.until_at - row.started_at == timedelta(hours=1)


def test_a_new_one_takes_the_place_of_the_old(hostile, recorded):
    answering(hostile, (200, {}))
    send(recorded)
    old = Recording.objects.get().id
    with pytest.raises(ActionRefused):
        begin(recorded.connection)
    assert Recording.objects.get().id == old
    Recording.objects.update(until_at=timezone.now())
    begin(recorded.connection)
    assert Recording.objects.get().id != old
    assert RecordedCall.objects.count() == 0


def test_a_recording_is_deleted_after_a_day(hostile, recorded, work_off):
    answering(hostile, (200, {}))
    send(recorded)
    job = Job.objects.get(kind=recording.FORGET)
    row = Recording.objects.get()
    assert abs(job.due_at - row.started_at - timedelta(days=1)) < timedelta(seconds=1)
    assert work_off() == 0
    Job.objects.update(due_at=timezone.now())
    assert work_off() == 1
    assert (Recording.objects.count(), RecordedCall.objects.count()) == (0, 0)


def test_a_recording_cannot_be_read_after_a_day_even_before_it_is_deleted(hostile, recorded):
    answering(hostile, (200, {}))
    send(recorded)
    assert recording.delete_old() == 0
    Recording.objects.update(started_at=timezone.now() - timedelta(days=1, seconds=1))
    with acting_as("web"), tenant_scope(recorded.connection.tenant_id):
        assert recording.newest(recorded.connection) is None
        assert not recording.calls(recorded.connection).exists()
    assert recording.delete_old() == 1
    assert RecordedCall.objects.count() == 0


def test_whoever_disconnects_leaves_nothing_recorded(hostile, recorded):
    answering(hostile, (200, {}))
    send(recorded)
    connection = recorded.connection
    with acting_as("worker"), tenant_scope(connection.tenant_id):
        revocation._destroy(connection, Leaving.NOTHING, DeathProof.NOTHING)
    assert Recording.objects.count() == 0
    Connection.objects.update(state=ConnectionState.DISCONNECTED)
    with pytest.raises(ActionRefused):
        begin(Connection.objects.get())


def test_starting_stopping_and_deleting_are_audited(client):
    row = begin(client.connection)
    with acting_as("web"), tenant_scope(row.tenant_id):
        for _ in range(2):
            recording.stop(recording=row, actor=ALICE)
        for _ in range(2):
            recording.delete(recording=row, actor=ALICE)
    told = AuditEvent.objects.filter(action__startswith="recording.").order_by("happened_at")
    assert [event.action for event in told] == ["recording.started", "recording.stopped", "recording.deleted"]
    assert {(event.actor_name, event.subject) for event in told} == {(ALICE.name, str(client.connection.id))}


def test_a_recording_that_fails_does_not_fail_the_call(hostile, recorded, monkeypatch, caplog):
    def breaks(*_):
        message = f"no room for {PERSONAL}"
        raise OSError(message)

    monkeypatch.setattr(recording, "seal_to", breaks)
    answering(hostile, (200, {"id": 7}))
    with caplog.at_level(logging.WARNING):
        assert send(recorded).body == {"id": 7}
    assert "could not be recorded: OSError" in caplog.text
    assert PERSONAL not in caplog.text
    assert (Recording.objects.get().kept, RecordedCall.objects.count()) == (0, 0)


# -- who may read it ---------------------------------------------------------------------------------------------------


@pytest.fixture
def one(hostile, recorded):
    answering(hostile, (200, {"status": "canary-value"}))
    send(recorded)
    return RecordedCall.objects.select_related("recording").get()


def test_a_recorded_call_is_sealed(one):
    assert b"canary-value" not in bytes(one.ciphertext)
    assert "canary-value" in recording.open_call(one)[1]


@pytest.mark.parametrize(
    ("role", "table", "column"),
    [
        ("worker", "transport_recording", "wrapped_keyset"),
        ("worker", "transport_recordedcall", "ciphertext"),
        ("staff", "transport_recording", "id"),
        ("staff", "transport_recordedcall", "id"),
    ],
)
def test_neither_workers_nor_staff_may_read_a_recording(one, role, table, column):
    from django.db import connection as database

    with acting_as(role), tenant_scope(one.tenant_id), database.cursor() as cursor:
        with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
            cursor.execute(f'SELECT "{column}" FROM {table}')


def test_another_tenant_sees_nothing(one, kaste):
    with acting_as("web"), tenant_scope(kaste.id):
        assert not Recording.objects.exists()
        assert not RecordedCall.objects.exists()


def test_a_recorded_call_opens_only_in_its_own_place_and_with_its_own_key(one, hostile, recorded):
    send(recorded)
    other = RecordedCall.objects.exclude(id=one.id).select_related("recording").get()
    other.ciphertext = one.ciphertext
    with pytest.raises(Unopenable):
        recording.open_call(other)
    old = one.recording.wrapped_keyset
    Recording.objects.update(until_at=timezone.now())
    begin(recorded.connection)
    one.recording = Recording.objects.get()
    with pytest.raises(Unopenable):
        recording.open_call(one)
    one.recording.wrapped_keyset = old
    with pytest.raises(KeyUnavailable):
        recording.open_call(one)


def test_a_client_looks_once_whether_it_is_recorded(hostile, client, django_assert_max_num_queries):
    answering(hostile, (200, {}))
    send(client)
    connection = client.connection
    recorder = Client(connection=connection)._recorder
    with acting_as("worker"), django_assert_max_num_queries(6):
        assert recorder._recording is None
        assert recorder._recording is None
