"""Schedules: which slots come, that each starts one run or says why not, and what somebody may choose."""

from __future__ import annotations

from datetime import datetime, time, timedelta, timezone
from itertools import islice, takewhile
from zoneinfo import ZoneInfo

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone as clock

from connections.jobs import services as jobs
from connections.jobs.lease import LeaseLost
from connections.jobs.models import Job, JobState
from connections.jobs.tasks import sweep, work
from connections.sync import schedule, services, slots
from connections.sync.due_times import TimesOfDay
from connections.sync.models import (
    RunState,
    Schedule,
    ScheduleKind,
    ScheduleSlot,
    SlotOutcome,
    StreamProgress,
    SyncRun,
    Trigger,
)
from connections.sync.schedule import ScheduleChoice
from connections.tenancy.models import AuditEvent, TenantState
from connections.tenancy.scope import SYSTEM, Actor, tenant_scope
from connections.tenancy.settings import time_zone_of
from connections.vault.models import Connection, ConnectionState
from connections.vault.services import ActionRefused
from tests.roles import acting_as

ALICE = Actor(7, "Alice Aalto")
UTC = timezone.utc
MINUTE = timedelta(minutes=1)


def start(place):
    with acting_as("web"), tenant_scope(place.tenant_id):
        return services.start_run(connection=place, trigger=Trigger.HAND, actor=ALICE)


def change(place, kind=ScheduleKind.INTERVAL, **chosen):
    with acting_as("web"), tenant_scope(place.tenant_id):
        schedule.set_schedule(connection=place, choice=ScheduleChoice(kind, **chosen), actor=ALICE)


def the_job(place):
    return Job.objects.get(kind=schedule.SCHEDULED, subject=place.id, state=JobState.QUEUED)


def row(place):
    return Schedule.objects.get(connection=place)


def end_runs():
    SyncRun.objects.update(state=RunState.SUCCEEDED)
    Job.objects.filter(kind=services.RUN).delete()


def come(place, ago):
    """So much time goes by that the next slot of an interval came `ago`; no run is under way. Returns its job."""
    end_runs()
    by = the_job(place).due_at - schedule.start_time(place, clock.now() - ago)
    by = timedelta(minutes=by // MINUTE)
    plan = row(place)
    Schedule.objects.update(anchor_at=plan.anchor_at - by, settled_at=plan.settled_at - by)
    Job.objects.filter(id=the_job(place).id).update(due_at=the_job(place).due_at - by)
    return the_job(place)


def outcomes(place):
    return list(ScheduleSlot.objects.filter(connection=place).order_by("due_at").values_list("outcome", flat=True))


def scheduled_runs():
    return SyncRun.objects.filter(trigger=Trigger.SCHEDULE).count()


def beat(place, job):
    """What a sweep's message makes a worker do; a doubled one, too."""
    with acting_as("worker"):
        work(str(job.id))


# -- planning ----------------------------------------------------------------------------------------------------------


def test_the_first_start_plans_the_first_slot(place):
    start(place)
    [first] = islice(schedule.slots_after(row(place), "UTC", clock.now()), 1)
    assert first.second == first.microsecond == 0
    assert timedelta(hours=6) - MINUTE <= first - clock.now() <= timedelta(hours=6)
    assert the_job(place).due_at == schedule.start_time(place, first)
    end_runs()
    start(place)
    assert Job.objects.filter(kind=schedule.SCHEDULED).count() == 1


def test_runs_of_one_minute_begin_all_over_it(place):
    slot = datetime(2026, 11, 30, 6, tzinfo=UTC)
    begun = {schedule.start_time(Connection(), slot) for _number in range(500)}
    assert len(begun) > 40
    assert all(slot <= each < slot + MINUTE for each in begun)
    assert schedule.start_time(place, slot) == schedule.start_time(place, slot)


def test_another_interval_moves_the_slot_and_by_hand_takes_it_away(place):
    start(place)
    for hours in (2, 48):
        change(place, every_hours=hours)
        assert abs(the_job(place).due_at - clock.now() - timedelta(hours=hours)) < 2 * MINUTE
    change(place, ScheduleKind.HAND)
    assert schedule.next_slots(row(place), "UTC") == []
    end_runs()
    start(place)
    assert not Job.objects.filter(kind=schedule.SCHEDULED, state=JobState.QUEUED).exists()
    event = AuditEvent.objects.filter(action="sync.scheduled").order_by("happened_at").last()
    assert (event.actor_name, event.details["kind"]) == ("Alice Aalto", "hand")


def test_other_streams_leave_the_times_alone(place):
    change(place, every_hours=2)
    before, job = row(place), the_job(place)
    change(place, every_hours=2, streams=["partners"])
    after = row(place)
    assert (after.anchor_at, after.settled_at, the_job(place).id) == (before.anchor_at, before.settled_at, job.id)
    assert after.streams_left_out == ["invoices"]


@pytest.mark.parametrize(
    "chosen",
    [
        {"every_hours": 0},
        {"every_hours": 169},
        {"kind": ScheduleKind.TIMES},
        {"kind": ScheduleKind.TIMES, "times": [time(hour) for hour in range(schedule.MOST_TIMES + 1)]},
        {"kind": ScheduleKind.TIMES, "times": [time(6)], "weekdays": [8]},
        {"streams": []},
        {"streams": ["partners", "salaries"]},
    ],
)
def test_what_is_impossible_is_refused(place, chosen):
    change(place, every_hours=2)
    with pytest.raises(ActionRefused):
        change(place, **chosen)
    assert (row(place).kind, row(place).every_hours, row(place).streams_left_out) == ("interval", 2, [])


def test_a_connection_that_is_disconnected_has_no_schedule_any_more(place):
    Connection.objects.update(state=ConnectionState.DISCONNECTED)
    with pytest.raises(ActionRefused):
        change(place, every_hours=2)
    assert not Schedule.objects.exists()


def test_what_does_not_stand_yet_is_planned_by_its_first_sync(place):
    Connection.objects.update(state=ConnectionState.SETUP)
    change(place, every_hours=2)
    assert not Job.objects.filter(kind=schedule.SCHEDULED).exists()
    with acting_as("web"), tenant_scope(place.tenant_id):
        services.start_run(connection=place, trigger=Trigger.FIRST, actor=ALICE)
    assert clock.now() < the_job(place).due_at < clock.now() + timedelta(hours=2) + MINUTE


# -- the time zone -----------------------------------------------------------------------------------------------------


def test_times_of_day_are_those_of_the_tenants_zone(place):
    change(place, ScheduleKind.TIMES, times=[time(6)], weekdays=[1])
    [first] = islice(schedule.slots_after(row(place), time_zone_of_place(place), clock.now()), 1)
    assert f"{first.astimezone(ZoneInfo('Europe/Helsinki')):%a %H:%M}" == "Mon 06:00"
    assert the_job(place).due_at == schedule.start_time(place, first)


def time_zone_of_place(place):
    with acting_as("web"), tenant_scope(place.tenant_id):
        return time_zone_of(place.tenant_id)


def test_another_zone_moves_every_schedule_of_the_tenant(place, work_off):
    change(place, ScheduleKind.TIMES, times=[time(6)])
    planned = the_job(place)
    with acting_as("web"), tenant_scope(place.tenant_id):
        schedule.change_time_zone(tenant=place.tenant, time_zone="Asia/Tehran", actor=ALICE)
        schedule.change_time_zone(tenant=place.tenant, time_zone="Asia/Tehran", actor=ALICE)
    assert time_zone_of_place(place) == "Asia/Tehran"
    assert AuditEvent.objects.filter(action="tenant.time_zone_changed").count() == 1
    work_off()
    assert the_job(place).id == planned.id
    seconds = timedelta(seconds=place.id.int % 60)
    assert f"{(the_job(place).due_at - seconds).astimezone(ZoneInfo('Asia/Tehran')):%H:%M:%S}" == "06:00:00"
    assert clock.now() < the_job(place).due_at < clock.now() + timedelta(days=1, minutes=1)
    assert (scheduled_runs(), outcomes(place)) == (0, [])


def test_a_change_of_zone_leaves_intervals_alone(place):
    change(place, every_hours=2)
    planned = the_job(place).due_at
    with acting_as("web"), tenant_scope(place.tenant_id):
        schedule.change_time_zone(tenant=place.tenant, time_zone="Asia/Tehran", actor=ALICE)
    assert the_job(place).due_at == planned


# -- slots -------------------------------------------------------------------------------------------------------------


def test_a_slot_starts_one_run_and_plans_the_next(place):
    start(place)
    job = come(place, 2 * MINUTE)
    beat(place, job)
    beat(place, job)
    run = SyncRun.objects.get(trigger=Trigger.SCHEDULE)
    assert run.asked_by == SYSTEM.name
    slot = ScheduleSlot.objects.get()
    assert (slot.outcome, slot.run_id) == (SlotOutcome.STARTED, run.id)
    assert (the_job(place).id, the_job(place).due_at) == (job.id, job.due_at + timedelta(hours=6))


def test_slots_missed_while_nobody_worked_make_one_run_and_are_noted(place):
    start(place)
    job = come(place, timedelta(days=3, hours=1))
    beat(place, job)
    assert scheduled_runs() == 1
    assert outcomes(place) == ["missed"] * 12 + ["started"]
    following = the_job(place).due_at
    assert clock.now() < following < clock.now() + timedelta(hours=6)
    assert (following - job.due_at) % timedelta(hours=6) == timedelta(0)


def test_three_beats_then_none_for_ten_minutes_then_one(place, settings):
    """Each slot once, or reported as missed."""
    zone = ZoneInfo("Europe/Helsinki")
    begun = (clock.now() - timedelta(minutes=13)).replace(second=0, microsecond=0)
    due = [begun + minutes * MINUTE for minutes in (1, 4, 6, 9, 12)]
    local = [each.astimezone(zone).time() for each in due]
    change(place, ScheduleKind.TIMES, times=local)
    job = the_job(place)

    # The first slot has come: three beats at once.
    Schedule.objects.update(settled_at=begun, times=[f"{local[0]:%H:%M}"])
    Job.objects.update(due_at=due[0])
    for _number in range(3):
        beat(place, job)
    assert outcomes(place) == ["started"]
    assert the_job(place).due_at > clock.now()
    end_runs()

    # None for ten minutes, in which four come; then one.
    Schedule.objects.update(times=sorted(f"{each:%H:%M}" for each in local))
    Job.objects.update(due_at=due[1])
    with acting_as("worker"):
        sweep()
    beat(place, job)
    assert outcomes(place) == ["started", "missed", "missed", "missed", "started"]
    assert list(ScheduleSlot.objects.order_by("due_at").values_list("due_at", flat=True)) == due
    assert scheduled_runs() == 2


def test_a_slot_has_one_row_whatever_happens(place):
    """The database holds it: a second start of one slot would be undone as a whole."""
    start(place)
    come(place, 2 * MINUTE)
    beat(place, the_job(place))
    slot = ScheduleSlot.objects.get()
    slot.id = None
    twin = ScheduleSlot(tenant_id=place.tenant_id, connection=place, due_at=slot.due_at, outcome=SlotOutcome.MISSED)
    with pytest.raises(IntegrityError), transaction.atomic():
        twin.save(force_insert=True)
    # The schedule goes back, as after a restored backup of its row alone: the slot is known already.
    end_runs()
    Schedule.objects.update(settled_at=slot.due_at - MINUTE)
    Job.objects.filter(kind=schedule.SCHEDULED).update(due_at=clock.now())
    beat(place, the_job(place))
    assert (outcomes(place), scheduled_runs(), the_job(place).failures) == (["started"], 1, 0)


def test_a_death_right_after_the_slot_starts_no_second_run(place):
    """The run, the slot's row and the next slot are one commit: whoever takes the job over finds the slot settled."""
    start(place)
    job = come(place, 2 * MINUTE)
    with acting_as("worker"):
        slots.start_due(jobs.claim(job.id))  # and here the worker dies
    end_runs()
    Job.objects.filter(id=job.id).update(due_at=clock.now() - MINUTE)
    beat(place, job)
    assert (outcomes(place), scheduled_runs()) == (["started"], 1)


def test_a_stale_holder_of_the_job_starts_nothing(place):
    start(place)
    job = come(place, 2 * MINUTE)
    with acting_as("worker"):
        stale = jobs.claim(job.id)
        Job.objects.filter(id=job.id).update(lease_until=clock.now() - timedelta(seconds=1))
        assert jobs.claim(job.id) is not None
        with pytest.raises(LeaseLost):
            slots.start_due(stale)
    assert (outcomes(place), scheduled_runs()) == ([], 0)


def test_while_a_run_is_active_the_slot_joins_it(place):
    start(place)
    job = come(place, 2 * MINUTE)
    run = start(place)
    beat(place, job)
    assert SyncRun.objects.active().get().id == run.id
    slot = ScheduleSlot.objects.get()
    assert (slot.outcome, slot.run_id) == (SlotOutcome.JOINED, run.id)
    assert the_job(place).due_at > clock.now()


@pytest.mark.parametrize("state", [ConnectionState.PAUSED, ConnectionState.DISCONNECTED])
def test_what_does_not_stand_has_no_slots(place, state):
    start(place)
    job = come(place, 2 * MINUTE)
    Connection.objects.update(state=state)
    beat(place, job)
    assert (outcomes(place), scheduled_runs()) == ([], 0)
    assert Job.objects.get(id=job.id).state == JobState.SUCCEEDED


def test_a_suspended_tenants_slots_go_by_and_say_so(place):
    start(place)
    job = come(place, 2 * MINUTE)
    type(place.tenant).objects.update(state=TenantState.SUSPENDED)
    beat(place, job)
    assert (outcomes(place), scheduled_runs()) == (["held"], 0)
    assert the_job(place).due_at > clock.now()


CHANGES = [  # the day before each change, to the day after
    ("Europe/Helsinki", datetime(2026, 3, 28, tzinfo=UTC)),
    ("Europe/Helsinki", datetime(2026, 10, 24, tzinfo=UTC)),
    ("Asia/Tehran", datetime(2022, 3, 20, tzinfo=UTC)),
    ("Asia/Tehran", datetime(2022, 9, 20, tzinfo=UTC)),
]
TIMES = (time(0, 30), time(3, 30), time(23, 15))


@pytest.mark.parametrize(("zone", "begun"), CHANGES)
def test_when_clocks_change_each_slot_is_settled_once(place, monkeypatch, zone, begun):
    """Every quarter of an hour a beat, or two, or for some hours none."""
    with acting_as("web"), tenant_scope(place.tenant_id):
        schedule.change_time_zone(tenant=place.tenant, time_zone=zone, actor=ALICE)
    change(place, ScheduleKind.TIMES, times=TIMES)
    job = the_job(place)
    Schedule.objects.update(settled_at=begun)
    end, now = begun + timedelta(days=3), begun
    real_now = clock.now
    for number in range(int((end - begun) / timedelta(minutes=15))):
        now = begun + (number + 1) * timedelta(minutes=15)
        if number % 40 > 25:
            continue  # ten minutes without a beat, and more
        for _beat in range(1 + number % 2):
            end_runs()
            Job.objects.filter(id=job.id).update(due_at=real_now() - MINUTE)
            monkeypatch.setattr(clock, "now", lambda now=now: now)
            beat(place, job)
            monkeypatch.setattr(clock, "now", real_now)
    expected = list(takewhile(lambda each: each <= now, TimesOfDay(TIMES, (), ZoneInfo(zone)).after(begun)))
    assert (
        list(ScheduleSlot.objects.order_by("due_at").values_list("due_at", flat=True))
        == expected[: len(outcomes(place))]
    )
    assert len(expected) - len(outcomes(place)) <= 2  # those of a last stretch without a beat
    assert set(outcomes(place)) <= {"started", "missed"}
    assert scheduled_runs() == outcomes(place).count("started")


# -- what is read ------------------------------------------------------------------------------------------------------


def test_a_run_reads_the_chosen_streams_alone(place):
    change(place, streams=["invoices"])
    run = start(place)
    assert list(StreamProgress.objects.filter(run=run).values_list("stream", flat=True)) == ["invoices"]


def test_only_an_own_connection_is_scheduled(place, kaste):
    start(place)
    with acting_as("web"), pytest.raises(Connection.DoesNotExist), tenant_scope(kaste.id):
        schedule.set_schedule(connection=place, choice=ScheduleChoice(ScheduleKind.HAND), actor=ALICE)
    with acting_as("web"), tenant_scope(kaste.id):
        assert not Schedule.objects.exists()
        assert not ScheduleSlot.objects.exists()
    assert row(place).kind == "interval"
