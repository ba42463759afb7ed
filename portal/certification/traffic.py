"""Reads what a certification measures: the raw rows of one tenant after the other, in that tenant's scope and a fixed order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from uuid import UUID

from django.db.models import Min

from connections.spec.certification import CertifiedConnection, ListPass, LoggedRequest, Traffic
from connections.spec.provider import Environment, Provider
from connections.sync.models import ProgressState, StreamProgress
from connections.tenancy.models import Tenant
from connections.tenancy.scope import tenant_scope
from connections.transport.models import Departure, RequestLogEntry
from connections.vault.models import Connection
from portal.onboarding.models import Evidence, Onboarding

TENANTS_AT_ONCE = 200
ROWS_AT_ONCE = 2000


@dataclass(frozen=True)
class Span:
    """From an instant to just before another one."""

    begins_at: datetime
    ends_at: datetime


@dataclass(frozen=True)
class TenantTraffic:
    """What one tenant has at one environment: by company, and when its first company was connected there, and at the test
    server.
    """

    tenant_id: UUID
    companies: Sequence[Traffic]
    first_connected: tuple[datetime, UUID] | None
    first_tested_at: datetime | None


def tenant_ids() -> Iterator[UUID]:
    """Every tenant, by id."""
    last: UUID | None = None
    while True:
        tenants = Tenant.objects.order_by("id")
        if last is not None:
            tenants = tenants.filter(id__gt=last)
        ids = list(tenants.values_list("id", flat=True)[:TENANTS_AT_ONCE])
        if not ids:
            return
        yield from ids
        last = ids[-1]


def read_traffic(tenant_id: UUID, provider: Provider, environment: str, span: Span) -> Iterator[TenantTraffic]:
    """One, or nothing where the tenant never had a connection there. A transaction of its own."""
    with tenant_scope(tenant_id):
        connections = _connections(tenant_id, provider.slug, environment, span)
        tested = Connection.objects.filter(
            tenant_id=tenant_id, provider=provider.slug, environment=Environment.TEST, created_at__lt=span.ends_at
        ).exclude(company_id="")
        first_tested_at = tested.aggregate(at=Min("created_at"))["at"]
        if not connections and first_tested_at is None:
            return
        companies = []
        for _company, rows in groupby(connections, key=_company_of):
            group = list(rows)
            ids = [each.id for each in group]
            requests = list(_requests(tenant_id, ids, span))
            companies.append(Traffic(provider, group, requests, _passes(tenant_id, ids, span)))
        known = [(each.created_at, each.id) for each in connections if each.company_id]
        yield TenantTraffic(tenant_id, companies, min(known, default=None), first_tested_at)


def _company_of(connection: CertifiedConnection) -> tuple[str, str]:
    """Connections to the same company stand together; one without is alone."""
    return connection.company_id, "" if connection.company_id else str(connection.id)


def _connections(tenant_id: UUID, provider: str, environment: str, span: Span) -> list[CertifiedConnection]:
    """As they were when the span ended: from rows that are only ever added, wherever something may change later."""
    rows = Connection.objects.filter(
        tenant_id=tenant_id, provider=provider, environment=environment, created_at__lt=span.ends_at
    )
    walked = Onboarding.objects.filter(tenant_id=tenant_id, started_at__lt=span.ends_at)
    left = Departure.objects.filter(tenant_id=tenant_id, asked_at__lt=span.ends_at)
    with_checklist = set(walked.values_list("connection_id", flat=True))
    with_departure = set(left.values_list("connection_id", flat=True))
    marks = _marks(tenant_id, span)
    certified = [
        CertifiedConnection(
            id=row.id,
            tenant_id=row.tenant_id,
            company_id=row.company_id,
            auth_method=row.auth_method,
            created_at=row.created_at,
            left_at=row.left_at if row.left_at is not None and row.left_at < span.ends_at else None,
            has_checklist=row.id in with_checklist,
            has_departure=row.id in with_departure,
            marks=marks.get(row.id, {}),
        )
        for row in rows
    ]
    return sorted(certified, key=lambda each: (_company_of(each), each.id))


def _marks(tenant_id: UUID, span: Span) -> dict[UUID, dict[str, str]]:
    """By connection: the state that the newest evidence of each checkpoint gave it."""
    newest = (
        Evidence.objects.filter(tenant_id=tenant_id, at__lt=span.ends_at)
        .order_by("mark_id", "-at", "-id")
        .distinct("mark_id")
        .values_list("mark__onboarding__connection_id", "mark__checkpoint", "state")
    )
    by_connection: dict[UUID, dict[str, str]] = {}
    for connection_id, checkpoint, state in newest:
        by_connection.setdefault(connection_id, {})[checkpoint] = state
    return by_connection


def _requests(tenant_id: UUID, connection_ids: Sequence[UUID], span: Span) -> Iterator[LoggedRequest]:
    entries = RequestLogEntry.objects.filter(
        tenant_id=tenant_id, connection_id__in=connection_ids, at__gte=span.begins_at, at__lt=span.ends_at
    )
    columns = (
        "id", "at", "connection_id", "run_id", "operation", "method", "path_template", "status", "outcome", "fault",
        "attempt", "duration_ms", "token_age_s", "api_version",
    )  # fmt: skip
    for row in entries.order_by("at", "id").values_list(*columns).iterator(chunk_size=ROWS_AT_ONCE):
        yield LoggedRequest(*row)


def _passes(tenant_id: UUID, connection_ids: Sequence[UUID], span: Span) -> list[ListPass]:
    """Of runs that ended within the span: those that go on may change yet."""
    rows = StreamProgress.objects.filter(
        tenant_id=tenant_id,
        run__connection_id__in=connection_ids,
        run__ended_at__gte=span.begins_at,
        run__ended_at__lt=span.ends_at,
        state=ProgressState.DONE,
        started_at__isnull=False,
    ).order_by("started_at", "id")
    columns = ("run_id", "run__connection_id", "stream", "started_at", "since", "pages", "seen")
    return [
        ListPass(run_id, connection_id, stream, started_at, not since, pages, seen)
        for run_id, connection_id, stream, started_at, since, pages, seen in rows.values_list(*columns)
    ]
