"""What the page of a connection's schedule shows: when it is read and what, and which times were missed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone

from connections.spec.provider import Provider
from connections.sync.models import ScheduleSlot, SlotOutcome
from connections.sync.schedule import chosen_streams, fetched_schedule, next_slots
from connections.tenancy.settings import tenant_time_zone
from connections.vault.models import Connection
from portal.dashboard.schedule_form import StreamChoice, stream_choices
from portal.members.schedule_words import schedule_words
from portal.onboarding.marks import provider_of

MISSED_SHOWN = 10
MISSED_SHOWN_FOR = timedelta(days=30)
NOT_AS_PLANNED = (SlotOutcome.MISSED, SlotOutcome.HELD)


@dataclass(frozen=True)
class SchedulePage:
    """One connection's schedule, with its times in the tenant's zone."""

    connection: Connection
    provider: Provider
    time_zone: str
    words: str
    next: list[datetime]
    missed: list[ScheduleSlot]
    streams: list[StreamChoice]

    @property
    def is_offered(self) -> bool:
        """Whether there is anything to set: not of what is disconnected, or uses a way that is no longer offered."""
        return not self.connection.is_disconnected and self.provider.offers(self.connection.auth_method)


def connections_for_schedule() -> QuerySet[Connection]:
    """Every one, to be filtered, with its schedule and the tenant's `time_zone`."""
    return Connection.objects.select_related("schedule").annotate(time_zone=tenant_time_zone())


def schedule_page(connection: Any) -> SchedulePage:
    """One query. Needs the tenant's scope, and a connection fetched by `connections_for_schedule`."""
    schedule, provider = fetched_schedule(connection), provider_of(connection)
    since = timezone.now() - MISSED_SHOWN_FOR
    slots = ScheduleSlot.objects.for_connection(connection).filter(outcome__in=NOT_AS_PLANNED, due_at__gt=since)
    chosen = {stream.name for stream in chosen_streams(connection, schedule)}
    return SchedulePage(
        connection=connection,
        provider=provider,
        time_zone=connection.time_zone,
        words=schedule_words(schedule, connection.time_zone),
        next=next_slots(schedule, connection.time_zone) if connection.is_standing else [],
        missed=list(slots.order_by("-due_at")[:MISSED_SHOWN]),
        streams=[choice for choice in stream_choices(provider) if choice.name in chosen],
    )
