"""What is read through a connection, how often and as whom: from declarations, the schedule and the request log alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Max, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from connections.spec.checklist import Tells
from connections.spec.operations import SAFE
from connections.spec.provider import Provider
from connections.spec.text import Text
from connections.sync.models import StreamCursor
from connections.sync.schedule import chosen_streams, fetched_schedule
from connections.tenancy.settings import tenant_time_zone
from connections.transport.models import Outcome, RequestLogEntry
from connections.vault.models import Connection, Credential
from portal.dashboard.request_log_rows import labels_of
from portal.members.schedule_words import schedule_words
from portal.onboarding.marks import provider_of
from portal.onboarding.models import Onboarding
from portal.onboarding.progress import ChecklistStep, progress

SHOWN_FOR = timedelta(days=30)


@dataclass(frozen=True)
class StreamRow:
    """One of the provider's lists: whether it is read, which rights that takes, when it was read to its end."""

    label: Text
    is_read: bool
    needs: tuple[str, ...]
    records: int
    read_at: datetime | None


@dataclass(frozen=True)
class OperationRow:
    """Every request of one kind that left within the time that is shown."""

    label: Text
    is_write: bool
    requests: int
    answered: int
    last_at: datetime


@dataclass(frozen=True)
class DataStatement:
    """One connection's statement. Its counts are those of the request log, line by line."""

    connection: Connection
    provider: Provider
    auth_method: Text
    schedule_words: str
    streams: list[StreamRow]
    operations: list[OperationRow]
    since: datetime
    user: ChecklistStep | None  # the checkpoint whose finding says as whom we sign in, where something was found
    rights: ChecklistStep | None
    given_by: list[Credential]  # who handed over what opens it

    @property
    def requests(self) -> int:
        return sum(row.requests for row in self.operations)

    @property
    def writes(self) -> list[OperationRow]:
        return [row for row in self.operations if row.is_write]


def connections_for_statement() -> QuerySet[Connection]:
    """Every one, to be filtered, with its schedule, its onboarding and the tenant's `time_zone`."""
    return Connection.objects.select_related("schedule", "onboarding").annotate(time_zone=tenant_time_zone())


def data_statement(connection: Any) -> DataStatement:
    """Four queries. Needs the tenant's scope, and a connection fetched by `connections_for_statement`."""
    provider, schedule = provider_of(connection), fetched_schedule(connection)
    chosen = {stream.name for stream in chosen_streams(connection, schedule)}
    cursors = {cursor.stream: cursor for cursor in StreamCursor.objects.for_connection(connection)}
    onboarding: Onboarding | None = getattr(connection, "onboarding", None)
    steps = progress(onboarding, provider).steps if onboarding is not None else []
    since = timezone.now() - SHOWN_FOR
    is_offered = provider.offers(connection.auth_method)
    return DataStatement(
        connection=connection,
        provider=provider,
        auth_method=provider.grant(connection.auth_method).label if is_offered else _("no longer offered"),
        schedule_words=schedule_words(schedule, connection.time_zone),
        streams=[
            StreamRow(
                stream.label,
                stream.name in chosen,
                tuple(map(stream.permission.in_words, stream.permission.needs)) if stream.permission else (),
                cursors[stream.name].records if stream.name in cursors else 0,
                cursors[stream.name].read_at if stream.name in cursors else None,
            )
            for stream in provider.streams
        ],
        operations=_operations(connection, provider, since),
        since=since,
        user=_finding_of(Tells.USER, steps),
        rights=_finding_of(Tells.RIGHTS, steps),
        given_by=list(
            Credential.objects.for_connection(connection)
            .only("id", "tenant_id", "connection_id", "name", "changed_at", "changed_by")
            .order_by("name")
        ),
    )


def _operations(connection: Connection, provider: Provider, since: datetime) -> list[OperationRow]:
    """By the log: what was asked most comes first."""
    labels = labels_of(provider)
    entries = RequestLogEntry.objects.filter(tenant_id=connection.tenant_id, connection_id=connection.id, at__gt=since)
    declared = {operation.name: operation.is_write for operation in provider.operations}
    totals = (
        entries.order_by()
        .values("operation", "method")
        .annotate(requests=Count("id"), answered=Count("id", filter=Q(outcome=Outcome.ANSWERED)), last_at=Max("at"))
    )
    return [
        OperationRow(
            labels.get(row["operation"], row["operation"]),
            # Sessions are asked for by POST as well, and change nothing.
            declared.get(row["operation"], False) and row["method"] not in SAFE,
            row["requests"],
            row["answered"],
            row["last_at"],
        )
        for row in totals.order_by("-requests", "operation", "method")
    ]


def _finding_of(what: Tells, steps: list[ChecklistStep]) -> ChecklistStep | None:
    """The step whose finding, not a person's word, says it."""
    telling = [step for step in steps if step.checkpoint.tells is what]
    return next((step for step in telling if step.evidence is not None and step.evidence.entry_id is not None), None)
