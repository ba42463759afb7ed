"""What the page of one connection shows, from a fixed number of queries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet, Subquery
from django.utils.translation import gettext_lazy as _

from connections.calls.models import Call
from connections.calls.services import undecided
from connections.spec.provider import CredentialField
from connections.spec.text import Text
from connections.sync.counts import runs_with_counts
from connections.sync.models import StreamCursor, SyncRun
from connections.sync.schedule import chosen_streams, fetched_schedule, next_slots
from connections.tenancy.settings import tenant_time_zone
from connections.transport.log import recording
from connections.transport.models import RequestLogEntry
from connections.vault.models import Connection, Credential, Exemption, Grant
from connections.vault.services import standing_exemptions
from portal.dashboard.departure_page import probe_sentence
from portal.dashboard.incident_rows import IncidentRow, incident_rows, newest_incidents
from portal.dashboard.request_log_rows import RequestRow, request_rows
from portal.dashboard.summaries import ConnectionStatus, Summary, connections_with_totals, summary
from portal.incidents.budgets import BudgetShare, budget_share, with_budget_calls
from portal.incidents.forecast import Forecast, forecasts_of, with_forecast_facts
from portal.members.polling import fingerprint_of
from portal.members.schedule_words import schedule_words
from portal.onboarding.credentials import address_fields
from portal.onboarding.marks import provider_of
from portal.onboarding.models import Onboarding
from portal.onboarding.progress import Progress, progress

RUNS_SHOWN = 10
REQUESTS_SHOWN = 10


@dataclass(frozen=True)
class StreamSummary:
    """One of the provider's streams, and how far it has been read: None before the first time."""

    name: str
    label: Text
    cursor: StreamCursor | None
    is_read: bool  # chosen in the schedule


@dataclass(frozen=True)
class CredentialRow:
    """A thing that was typed in, as far as anybody may see it: a secret only by whether it is set, its end, who and when."""

    label: Text
    stored: Credential | None
    value: str  # of what is no secret


@dataclass(frozen=True)
class ConnectionPage:
    """One connection."""

    summary: Summary
    progress: Progress | None
    streams: list[StreamSummary]
    credentials: list[CredentialRow]
    session_ends_at: datetime | None
    runs: list[SyncRun]
    requests: list[RequestRow]
    incidents: list[IncidentRow]
    schedule_words: str
    next_sync_at: datetime | None
    undecided: list[Call]
    recorded_until: datetime | None  # while requests and answers are recorded
    recorded_by: str | None
    is_plain_http: bool  # by an admin's leave, shown as a warning for as long as it stands
    forecasts: list[Forecast]
    budget: BudgetShare | None  # of a provider that counts requests by the day

    @property
    def is_reading(self) -> bool:
        return self.summary.run is not None and self.summary.run.is_active

    @property
    def should_poll(self) -> bool:
        """Something is under way, or its consequences are."""
        if self.summary.status is ConnectionStatus.DISCONNECTED:
            return self.is_disconnecting
        return self.summary.run is not None and self.summary.run.is_active_or_just_ended

    @property
    def is_disconnecting(self) -> bool:
        return self.summary.is_disconnecting

    @property
    def probe_fault(self) -> str:
        """Of a connection that was left: what the provider said to the last try to get in."""
        return probe_sentence(self.summary)

    @property
    def auth_method(self) -> Text:
        provider, auth_method = self.summary.provider, self.summary.connection.auth_method
        return provider.grant(auth_method).label if provider.offers(auth_method) else _("no longer offered")

    @property
    def skipped(self) -> int:
        """Records that the latest run could not keep."""
        run = self.summary.run
        return run.skipped if run is not None and self.summary.status is ConnectionStatus.INCOMPLETE else 0

    @property
    def fingerprint(self) -> str:
        """Changes when anything on the page does that may change while it is looked at."""
        run = self.summary.run
        return fingerprint_of(
            self.summary.connection.state,
            self.summary.connection.leaving,
            self.summary.departure and self.summary.departure.last_probe,
            self.summary.keeps_secret,
            self.is_reading,
            self.should_poll,
            run and run.id,
            run and run.state,
            self.summary.seen,
            [step.checkpoint.slug for step in self.progress.failing] if self.progress else "",
            self.requests[0].entry.id if self.requests else "",
            len(self.undecided),
            self.recorded_until,
        )


@cache
def connections_for_page() -> QuerySet[Connection]:
    """Every one, to be filtered, with what its page needs beside its totals: its schedule and the tenant's `time_zone`,
    `newest_incidents`, `session_ends_at`,
    `recorded_until` and `recorded_by` while requests are recorded, `has_exemption` from encryption.
    """
    grant = Grant.objects.filter(connection=OuterRef("id"))
    live = recording.live_recordings().filter(connection=OuterRef("id"))
    return with_budget_calls(
        with_forecast_facts(connections_with_totals())
        .select_related("onboarding", "schedule")
        .annotate(
            newest_incidents=newest_incidents(),
            session_ends_at=Subquery(grant.values("expires_at")),
            time_zone=tenant_time_zone(),
            recorded_until=Subquery(live.values("until_at")[:1]),
            recorded_by=Subquery(live.values("started_by")[:1]),
            has_exemption=Exists(
                standing_exemptions(OuterRef("id"), OuterRef("moved_at")).filter(kind=Exemption.PLAIN_HTTP)
            ),
        )
    )


def connection_page(connection: Connection) -> ConnectionPage:
    """Six queries, and one for the calls whose outcome nobody knows yet. Needs the tenant's scope, and a connection fetched by
    `connections_for_page`.
    """
    provider, schedule = provider_of(connection), fetched_schedule(connection)
    left_out = {stream.name for stream in provider.streams} - {
        stream.name for stream in chosen_streams(connection, schedule)
    }
    prefetched: Any = connection
    onboarding: Onboarding | None = getattr(connection, "onboarding", None)
    checklist = progress(onboarding, provider) if onboarding is not None else None
    cursors = {cursor.stream: cursor for cursor in StreamCursor.objects.for_connection(connection)}
    stored = {
        row.name: row
        for row in Credential.objects.for_connection(connection).only(
            "id", "tenant_id", "connection_id", "name", "hint", "changed_at", "changed_by"
        )
    }
    typed = {name for checkpoint in provider.checkpoints(connection.auth_method) for name in checkpoint.fields}
    entries = RequestLogEntry.objects.filter(tenant_id=connection.tenant_id, connection_id=connection.id)
    runs = list(runs_with_counts().for_connection(connection)[:RUNS_SHOWN])
    return ConnectionPage(
        summary=summary(connection, states=checklist.states if checklist else {}, run=runs[0] if runs else None),
        progress=checklist,
        streams=[
            StreamSummary(stream.name, stream.label, cursors.get(stream.name), stream.name not in left_out)
            for stream in provider.streams
        ],
        credentials=[
            CredentialRow(field.label, stored.get(field.name), _open_value(field, connection.settings))
            for field in provider.credentials
            if field.name in typed or field.name in stored
        ],
        session_ends_at=prefetched.session_ends_at,
        runs=runs,
        requests=request_rows(provider, entries.order_by("-at", "-id")[:REQUESTS_SHOWN]),
        incidents=incident_rows(connection, prefetched.newest_incidents),
        schedule_words=schedule_words(schedule, prefetched.time_zone),
        next_sync_at=next(iter(next_slots(schedule, prefetched.time_zone)), None) if connection.is_standing else None,
        undecided=undecided(connection),
        recorded_until=prefetched.recorded_until,
        recorded_by=prefetched.recorded_by,
        is_plain_http=bool(address_fields(connection)) and prefetched.has_exemption,
        forecasts=forecasts_of(connection),
        budget=budget_share(connection),
    )


def _open_value(field: CredentialField, settings: Mapping[str, str]) -> str:
    """What is no secret of a field, a choice by its label."""
    value = "" if field.secret else settings.get(field.name, "")
    return str(dict(field.choices).get(value, value))
