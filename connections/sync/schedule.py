"""A connection's schedule: when it is due by the tenant's clock, the job that waits for it, and which streams are read."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from itertools import islice
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from connections.jobs import services as jobs
from connections.jobs.models import Job, JobState
from connections.providers import registry
from connections.spec.streams import Stream
from connections.spec.text import Text, isolate
from connections.spec.times import zone_named
from connections.sync.due_times import DueTimes, Interval, TimesOfDay
from connections.sync.schedule_models import DEFAULT_HOURS, MOST_TIMES, Schedule, ScheduleKind
from connections.tenancy import audit
from connections.tenancy import settings as tenant_settings
from connections.tenancy.models import Tenant
from connections.tenancy.scope import Actor
from connections.vault.models import Connection
from connections.vault.services import DISCONNECTED_SENTENCE, ActionRefused

SCHEDULED = "sync.scheduled"

LONGEST_INTERVAL_HOURS = 7 * 24
WEEKDAYS = range(1, 8)  # 1 is Monday
SPREAD_SECONDS = 60  # over which the runs of one minute begin
NEXT_SHOWN = 5


@dataclass(frozen=True)
class ScheduleChoice:
    """What somebody chose for a schedule. `weekdays`: 1 is Monday, none for every day; `streams`: the names of those read."""

    kind: ScheduleKind
    every_hours: int = DEFAULT_HOURS
    times: Collection[time] = ()
    weekdays: Collection[int] = ()
    streams: Collection[str] | None = None  # None for all


def schedule_of(connection: Connection) -> Schedule:
    """The connection's schedule as it stands, or the one that it has by default. One query."""
    return Schedule.objects.for_connection(connection).first() or _default(connection)


def fetched_schedule(connection: Connection) -> Schedule:
    """The same of a connection that was fetched with its schedule (`select_related`). No query."""
    return getattr(connection, "schedule", None) or _default(connection)


def _default(connection: Connection) -> Schedule:
    # Not by its connection: Django would then take the new one for the connection's own.
    return Schedule(tenant_id=connection.tenant_id, connection_id=connection.id)


def due_times(schedule: Schedule, time_zone: str) -> DueTimes | None:
    """When it is due; None where it is read only by hand. What stands in the row beyond what the form takes is passed over."""
    if schedule.kind == ScheduleKind.INTERVAL:
        # To the minute, as pages show it.
        return Interval(schedule.every_hours, schedule.anchor_at.replace(second=0, microsecond=0))
    weekdays = [day for day in schedule.weekdays if day in WEEKDAYS]
    if schedule.kind == ScheduleKind.TIMES and schedule.times and (weekdays or not schedule.weekdays):
        return TimesOfDay(schedule.times_of_day[:MOST_TIMES], weekdays, zone_named(time_zone))
    return None


def slots_after(schedule: Schedule, time_zone: str, moment: datetime) -> Iterator[datetime]:
    """In order, without end; none where it is read only by hand."""
    due = due_times(schedule, time_zone)
    return due.after(moment) if due is not None else iter(())


def next_slots(schedule: Schedule, time_zone: str) -> list[datetime]:
    """The next ones, as a page shows them."""
    return list(islice(slots_after(schedule, time_zone, timezone.now()), NEXT_SHOWN))


def start_time(connection: Connection, slot: datetime) -> datetime:
    """When a worker looks at this slot: everybody's at six o'clock do not begin in the same second."""
    return slot + timedelta(seconds=connection.id.int % SPREAD_SECONDS)


# -- the job that waits ------------------------------------------------------------------------------------------------


def ensure_planned(*, connection: Connection) -> None:
    """See that one job of the connection waits for the next slot, where it is read by the clock."""
    waiting = Job.objects.filter(kind=SCHEDULED, subject=connection.id, state__in=(JobState.QUEUED, JobState.RUNNING))
    if not waiting.exists():
        _plan(connection)


def cancel_planned(*, connection: Connection) -> None:
    """No slot starts anything until it is planned anew."""
    jobs.cancel(kind=SCHEDULED, subject=connection.id)


def _plan(connection: Connection) -> None:
    """From now on: what was due before started something, or nothing was meant to."""
    now = timezone.now()
    if not Schedule.objects.for_connection(connection).update(settled_at=now):
        Schedule.objects.bulk_create([_default(connection)], ignore_conflicts=True)
    schedule = Schedule.objects.for_connection(connection).get()
    following = next(slots_after(schedule, tenant_settings.time_zone_of(connection.tenant_id), now), None)
    if following is not None:
        jobs.enqueue(
            kind=SCHEDULED,
            subject=connection.id,
            tenant_id=connection.tenant_id,
            due_at=start_time(connection, following),
        )


def change_time_zone(*, tenant: Tenant, time_zone: str, actor: Actor) -> None:
    """The tenant's times of day are those of another zone from now on. In the tenant's scope."""
    if not tenant_settings.set_time_zone(tenant=tenant, time_zone=time_zone, actor=actor):
        return
    by_the_clock = Schedule.objects.filter(tenant=tenant, kind=ScheduleKind.TIMES)
    # Jobs first, as whoever settles slots locks them. Each wakes once, finds nothing due, and waits for its next slot.
    waiting = Job.objects.filter(tenant=tenant, kind=SCHEDULED, subject__in=by_the_clock.values("connection_id"))
    waiting.filter(state__in=(JobState.QUEUED, JobState.RUNNING)).update(due_at=timezone.now())
    by_the_clock.update(settled_at=timezone.now())


# -- what is read ------------------------------------------------------------------------------------------------------


def chosen_streams(connection: Connection, schedule: Schedule) -> list[Stream]:
    """The provider's streams that are read by this schedule, in its order. One whose lists are found by a stream that was
    left out brings that along.
    """
    streams = registry.all_providers()[connection.provider].streams
    left_out = set(schedule.streams_left_out)
    needed = {each.each.stream for each in streams if each.name not in left_out and each.each is not None}
    return [each for each in streams if each.name not in left_out or each.name in needed]


# -- changing it -------------------------------------------------------------------------------------------------------


def set_schedule(*, connection: Connection, choice: ScheduleChoice, actor: Actor) -> None:
    """In the tenant's scope. Raises ActionRefused for what cannot be done, and for a connection that is disconnected."""
    streams = registry.all_providers()[connection.provider].streams
    for sentence in impossible(choice, streams).values():
        raise ActionRefused(sentence)
    read = {each.name for each in streams} if choice.streams is None else set(choice.streams)
    row = Connection.objects.only("state").get(id=connection.id)
    if row.is_disconnected:
        raise ActionRefused(DISCONNECTED_SENTENCE)
    before = schedule_of(connection)
    values: dict[str, Any] = {
        "kind": choice.kind,
        "every_hours": choice.every_hours,
        "times": sorted(f"{each:%H:%M}" for each in set(choice.times)),
        "weekdays": sorted(set(choice.weekdays)),
    }
    is_same_time = all(getattr(before, name) == value for name, value in values.items())
    if not is_same_time:
        values["anchor_at"] = timezone.now()
        cancel_planned(connection=connection)
    values["streams_left_out"] = sorted({each.name for each in streams} - read)
    if not Schedule.objects.for_connection(connection).update(**values):
        schedule = Schedule(tenant_id=connection.tenant_id, connection_id=connection.id, **values)
        schedule.save(force_insert=True)
    if row.is_standing:
        ensure_planned(connection=connection)
    audit.record(
        tenant_id=connection.tenant_id,
        actor=actor,
        action="sync.scheduled",
        subject=str(connection.id),
        kind=choice.kind.value,
        every_hours=choice.every_hours,
        times=", ".join(values["times"]),
        weekdays=", ".join(map(str, values["weekdays"])),
        streams_left_out=", ".join(values["streams_left_out"]),
    )


def impossible(choice: ScheduleChoice, streams: Collection[Stream]) -> dict[str, Text]:
    """What cannot be wanted of a connection with these streams, as a sentence by the choice's field."""
    troubles: dict[str, Text] = {}
    if not 1 <= choice.every_hours <= LONGEST_INTERVAL_HOURS:
        troubles["every_hours"] = _("Choose between 1 and %(most)s hours.") % {"most": LONGEST_INTERVAL_HOURS}
    if len(set(choice.times)) > MOST_TIMES or (choice.kind == ScheduleKind.TIMES and not choice.times):
        troubles["times"] = _("Enter between one and %(most)s times of day.") % {"most": MOST_TIMES}
    if not set(choice.weekdays) <= set(WEEKDAYS):
        troubles["weekdays"] = _("Choose days of the week.")
    labels = {each.name: each.label for each in streams}
    read = set(labels) if choice.streams is None else set(choice.streams)
    lacking = [each for each in streams if each.each and each.name in read and each.each.stream not in read]
    if not read or not read <= set(labels):
        troubles["streams"] = _("Choose at least one. To read nothing for a while, pause the connection.")
    elif lacking:
        parents = dict.fromkeys(labels[each.each.stream] for each in lacking if each.each)
        troubles["streams"] = _("“%(streams)s” can only be read together with “%(parents)s”: choose that, too.") % {
            "streams": isolate("”, “".join(str(each.label) for each in lacking)),
            "parents": isolate("”, “".join(map(str, parents))),
        }
    return troubles
