"""`manage.py maintenance`: what is old goes, what is needed stays, and a second run finds nothing to do."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta, timezone
from io import StringIO
from typing import Any

import pytest
import time_machine
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.db import connection, connections
from django.utils import timezone as django_timezone

from connections.jobs.models import Job, JobState
from connections.sync.models import ScheduleSlot, SlotOutcome
from connections.tenancy.models import AuditEvent, AuditTally, SystemAuditEvent
from connections.transport.log import partitions
from connections.transport.models import DayTally, MinuteTally, RequestLogEntry
from portal.incidents.models import Notice
from portal.notices.models import MailState, OutgoingMail
from tests.roles import acting_as


def maintenance() -> str:
    out = StringIO()
    call_command("maintenance", stdout=out)
    return out.getvalue()


def partition_names() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
            " WHERE i.inhparent = %s::regclass ORDER BY c.relname",
            [partitions.TABLE],
        )
        return [name for (name,) in cursor.fetchall()]


def test_partitions_stand_24_months_ahead_and_a_second_run_makes_none(db: None) -> None:
    newest = partition_names()[-1]
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE {newest}")
    assert f"made {newest}" in maintenance()
    assert partition_names()[-1] == newest
    assert len(partition_names()) >= 25
    assert "; made " not in maintenance()


@pytest.mark.parametrize(("months", "stays"), [(3, True), (1, False)])
def test_requests_are_dropped_by_whole_months(aamu: Any, settings: Any, months: int, stays: bool) -> None:
    settings.REQUEST_LOG_MONTHS = months
    two_months_ago = (datetime.now(timezone.utc).replace(day=1) - timedelta(days=40)).replace(day=2)
    with time_machine.travel(two_months_ago, tick=False):
        partitions.make_ahead(0)
    entry = RequestLogEntry(
        at=two_months_ago,
        tenant=aamu,
        connection_id=uuid.uuid4(),
        provider="procountor",
        environment="sandbox",
        operation="session",
        method="GET",
        path_template="/sessioninfo",
        outcome="answered",
        duration_ms=3,
    )
    entry.save(force_insert=True)
    output = maintenance()
    assert RequestLogEntry.objects.filter(id=entry.id).exists() is stays
    assert (f"{partitions.TABLE}_{two_months_ago:%Y_%m}" in output.partition("; dropped ")[2]) is not stays


def test_days_that_are_over_are_added_up_and_what_came_late_is_added(aamu: Any, settings: Any) -> None:
    settings.REQUEST_LOG_MONTHS = 3
    yesterday = datetime.now(timezone.utc) - timedelta(days=1, hours=2)

    def write(at: datetime) -> None:
        RequestLogEntry(
            at=at, tenant=aamu, connection_id=uuid.uuid4(), provider="procountor", environment="sandbox",
            operation="session", method="GET", path_template="/sessioninfo", outcome="answered", duration_ms=3,
        ).save(force_insert=True)  # fmt: skip

    write(yesterday)
    write(datetime.now(timezone.utc))
    assert "Added up the requests of 1 days" in maintenance()
    write(yesterday)
    maintenance()
    assert [(each.day, each.attempts) for each in DayTally.objects.all()] == [(yesterday.date(), 2)]
    MinuteTally.objects.filter(minute__date=yesterday.date()).update(minute=yesterday - timedelta(days=150))
    assert "deleted 2 counts" in maintenance()
    assert MinuteTally.objects.count() == 1


def test_only_jobs_that_ended_long_ago_are_deleted(db: None) -> None:
    now = django_timezone.now()
    ages = {"old": now - timedelta(days=15), "young": now - timedelta(days=13), "unended": None}
    jobs = {
        name: Job.objects.create(
            kind=name,
            subject=uuid.uuid4(),
            queue="sync",
            state=JobState.SUCCEEDED if ended else JobState.PARKED,
            ended_at=ended,
        )
        for name, ended in ages.items()
    }
    Job.objects.filter(id=jobs["unended"].id).update(created_at=now - timedelta(days=400))
    assert "Deleted 1 jobs" in maintenance()
    assert set(Job.objects.filter(id__in=[job.id for job in jobs.values()]).values_list("kind", flat=True)) == {
        "young",
        "unended",
    }


def test_slots_of_schedules_go_after_a_season(aamu: Any, connection: Any) -> None:
    now = django_timezone.now()
    young, gone = now - timedelta(days=89), now - timedelta(days=91)
    for due_at in (young, gone):
        slot = ScheduleSlot(tenant=aamu, connection=connection, due_at=due_at, outcome=SlotOutcome.MISSED)
        slot.save(force_insert=True)
    assert "Deleted 1 slots" in maintenance()
    assert list(ScheduleSlot.objects.values_list("due_at", flat=True)) == [young]


def test_only_mails_sent_long_ago_are_deleted(db: None) -> None:
    now = django_timezone.now()
    for state, age in ((MailState.SENT, 8), (MailState.SENT, 6), (MailState.QUEUED, 8), (MailState.FAILED, 8)):
        OutgoingMail.objects.create(
            key_version=1,
            ciphertext=b"x",
            state=state,
            sent_at=now - timedelta(days=age) if state == MailState.SENT else None,
        )
    OutgoingMail.objects.update(created_at=now - timedelta(days=8))
    assert "Deleted 1 mails" in maintenance()
    assert sorted(OutgoingMail.objects.values_list("state", flat=True)) == ["failed", "queued", "sent"]


def test_expired_sessions_and_cache_rows_go(db: None, alice: Any) -> None:
    from allauth.usersessions.models import UserSession

    now = django_timezone.now()
    for key, age in (("old", -1), ("new", 1)):
        Session.objects.create(session_key=key, session_data="", expire_date=now + timedelta(hours=age))
        UserSession.objects.create(user=alice, ip="127.0.0.1", session_key=key, user_agent="")
    cache.set("old", "old", timeout=60)
    cache.set("new", 1, timeout=600)
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE rate_limits_cacheentry SET expires_at = now() - interval '1 minute' WHERE value = '\"old\"'"
        )
        cursor.execute("INSERT INTO rate_limits_usage VALUES ('old', 1, now() - interval '1 minute')")
    output = maintenance()
    assert "Deleted 1 expired sessions" in output
    assert "Deleted 1 expired cache entries and 1 counts" in output
    assert list(Session.objects.values_list("session_key", flat=True)) == ["new"]
    assert list(UserSession.objects.values_list("session_key", flat=True)) == ["new"]
    assert cache.get("new") == 1


@pytest.mark.parametrize("trail", [AuditEvent, SystemAuditEvent])
def test_audit_events_go_after_two_years(db: None, aamu: Any, trail: Any) -> None:
    now = django_timezone.now()
    words = {"action": "tried", "actor_name": "x", **({"tenant": aamu} if trail is AuditEvent else {})}
    for days in (729, 731):
        trail(happened_at=now - timedelta(days=days), **words).save(force_insert=True)
    AuditTally(name="x", count=3, started_at=now - timedelta(days=3)).save(force_insert=True)
    assert "Deleted 1 audit events older than two years." in maintenance()
    assert trail.objects.get(action="tried").happened_at == now - timedelta(days=729)
    assert not AuditTally.objects.exists()


@pytest.mark.parametrize("role", ["web", "worker"])
def test_upkeep_is_the_owners(db: None, role: str) -> None:
    with acting_as(role), pytest.raises(CommandError, match="portal_owner"):
        maintenance()


def test_a_partition_that_somebody_reads_is_left_for_the_next_run(
    committed_db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from portal.operations import maintenance as room

    monkeypatch.setattr(room, "LOCK_TIMEOUT", "100ms")
    last_year = datetime.now(timezone.utc) - timedelta(days=400)
    with time_machine.travel(last_year, tick=False):
        partitions.make_ahead(0)
    reader = connections.create_connection("default")
    try:
        with reader.cursor() as cursor:
            reader.set_autocommit(False)
            cursor.execute(f"SELECT count(*) FROM {partitions.TABLE}")
            with pytest.raises(CommandError, match="too busy"):
                maintenance()
    finally:
        reader.close()
    assert f"{partitions.TABLE}_{last_year:%Y_%m}" in maintenance().partition("; dropped ")[2]


def test_answers_to_tried_requests_go_after_a_day(db: None, aamu: Any) -> None:
    from connections.calls.models import Call
    from connections.vault.models import Connection

    opened = Connection(tenant=aamu, provider="procountor", environment="sandbox")
    opened.save(force_insert=True)
    for hours in (23, 25):
        Call(
            tenant=aamu, connection=opened, operation="session", is_write=False, asked_by="alice", state="answered",
            status=200, answer="{}", ended_at=django_timezone.now() - timedelta(hours=hours),
        ).save(force_insert=True)  # fmt: skip
    assert "Cleared 1 answers" in maintenance()
    assert list(Call.objects.order_by("ended_at").values_list("answer", "status")) == [("", 200), ("{}", 200)]


def test_records_of_a_connection_that_is_gone_are_named(db: None, aamu: Any) -> None:
    from connections.sync.models import Record, RecordVersion

    assert "Every record belongs to a connection of its tenant." in maintenance()
    now = django_timezone.now()
    gone = {"tenant": aamu, "connection_id": uuid.uuid4(), "stream": "s", "external_id": "1", "body": {}}
    Record(**gone, change_number=2, added_at=now, changed_at=now).save(force_insert=True)
    for number, days in ((1, 91), (2, 89)):
        replaced_at = now - timedelta(days=days)
        RecordVersion(**gone, change_number=number, changed_at=now, replaced_at=replaced_at).save(force_insert=True)
    said = maintenance()
    assert f"sync_record: {gone['connection_id']} of tenant {aamu.id}" in said
    assert "Deleted 1 contents that records had until more than 90 days ago." in said


def test_old_notices_of_mails_go_and_newer_ones_stay(aamu: Any, alice: Any) -> None:
    now = django_timezone.now()
    for days in (366, 364):
        notice = Notice(tenant=aamu, user=alice, kind="broken", about=uuid.uuid4(), created_at=now, due_at=now)
        notice.ended_at = now - timedelta(days=days)
        notice.save(force_insert=True)
    assert "Deleted 1 notices" in maintenance()
    assert Notice.objects.get().ended_at == notice.ended_at
