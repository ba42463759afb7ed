"""Asks for a certification report, and computes it in a worker: from raw rows, and again whenever somebody doubts it."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta, timezone
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models.functions import Now
from django.utils import timezone as django_timezone

from connections.jobs.lease import Lease, LeaseLost
from connections.jobs.services import enqueue
from connections.providers import registry
from connections.spec.certification import Certification
from connections.spec.provider import Environment, Provider
from connections.tenancy import audit
from connections.tenancy.scope import Actor
from connections.transport.log.partitions import month
from connections.vault.models import ClientRegistration
from portal.certification.board import measured_board
from portal.certification.models import HOUSE, CertificationReport, ChainLink, ReportState
from portal.certification.traffic import Span, TenantTraffic, read_traffic, tenant_ids

COMPUTE = "certification.compute_report"
MOST_DAYS = 92
SETTLED_AFTER = timedelta(hours=1)  # entries of a day's last minutes may be written a little later


class SpanRefused(ValueError):
    """Days of which no report can be made."""


def programmes() -> Iterator[tuple[Provider, Certification, Environment]]:
    """Every provider's environment that has a certification."""
    for provider in registry.all_providers().values():
        if provider.certification is not None:
            for environment in registry.environments(provider):
                yield provider, provider.certification, environment


def last_settled_day() -> date:
    """The last whole day (UTC) of which everything is written."""
    return (django_timezone.now() - SETTLED_AFTER).astimezone(timezone.utc).date() - timedelta(days=1)


def first_kept_day() -> date:
    """The first day of which the request log is kept."""
    today = django_timezone.now().astimezone(timezone.utc).date()
    return month(today.replace(day=1), -int(settings.REQUEST_LOG_MONTHS))


def ask_report(*, provider: str, environment: str, first_day: date, last_day: date, actor: Actor) -> UUID:
    """Have a report computed; returns its id. In the staff's scope. Raises LookupError for a place without a certification,
    SpanRefused for days that are not over or no longer kept, or too many of them.
    """
    if not any((each.slug, side.value) == (provider, environment) for each, _certification, side in programmes()):
        message = f"{provider} has no certification for {environment}"
        raise LookupError(message)
    if not first_kept_day() <= first_day <= last_day <= last_settled_day():
        raise SpanRefused
    if (last_day - first_day).days >= MOST_DAYS:
        raise SpanRefused
    report_id = uuid.uuid4()
    audit.insert_named(
        CertificationReport,
        {
            "id": report_id,
            "provider": provider,
            "environment": environment,
            "first_day": first_day,
            "last_day": last_day,
        },
    )
    _note(actor, "certification.report_asked", report_id, provider=provider, environment=environment)
    enqueue(kind=COMPUTE, subject=report_id, tenant_id=None)
    return report_id


def ask_again(report: CertificationReport, *, actor: Actor) -> None:
    """Have it computed again from the raw rows, and compared. In the staff's scope."""
    CertificationReport.objects.filter(id=report.id).update(again_asked_at=Now())
    _note(actor, "certification.report_asked_again", report.id)
    enqueue(kind=COMPUTE, subject=report.id, tenant_id=None)


def _note(actor: Actor, action: str, report_id: UUID, **details: str) -> None:
    audit.record_system(actor=actor, action=action, subject=str(report_id), **details)


def compute_report(lease: Lease) -> None:
    """Job: compute the bytes, and keep them; of a report that has them, compare. Twice is once."""
    report = CertificationReport.objects.filter(id=lease.subject).first()
    if report is None or not report.is_waiting:
        return
    content = report_content(report, lease)
    digest = hashlib.sha256(content.encode()).hexdigest()
    own = CertificationReport.objects.filter(id=report.id)
    with lease.scope():
        if report.state == ReportState.COMPUTED:
            own.update(again_at=Now(), again_digest=digest)
        else:
            own.update(state=ReportState.COMPUTED, content=content, digest=digest, computed_at=Now())


def give_up(lease: Lease) -> None:
    """The job was parked: say so on the page."""
    own = CertificationReport.objects.filter(id=lease.subject)
    own.filter(state=ReportState.ASKED).update(state=ReportState.FAILED)


def report_content(report: CertificationReport, lease: Lease) -> str:
    """The report's bytes, from raw rows. Raises LeaseLost between two tenants."""
    provider = registry.all_providers()[report.provider]
    if provider.certification is None:
        message = f"{provider.slug} has no certification any more"
        raise LookupError(message)
    span = Span(_midnight(report.first_day), _midnight(report.last_day + timedelta(days=1)))
    registration = ClientRegistration.objects.filter(provider=report.provider, environment=report.environment)
    client_id = registration.values_list("client_id", flat=True).first() or ""
    tenants = _tenants(provider, report.environment, span, lease)
    board = measured_board(provider, provider.certification, report.environment, tenants, client_id)
    return board.report(report.first_day, report.last_day, chain=_head_for(report))


def _head_for(report: CertificationReport) -> dict[str, Any]:
    """The head of the house's chain of evidence: the newest, or that which stands in the report, looked up once more."""
    links = ChainLink.objects.filter(chain=HOUSE)
    if report.content:
        links = links.filter(position=json.loads(report.content)["chain"]["position"])
    head = links.order_by("-position").first()
    return {"position": head.position, "hash": head.hash} if head else {"position": 0, "hash": ""}


def _tenants(provider: Provider, environment: str, span: Span, lease: Lease) -> Iterator[TenantTraffic]:
    for tenant_id in tenant_ids():
        if lease.is_lost:
            raise LeaseLost(str(lease.job_id))
        yield from read_traffic(tenant_id, provider, environment, span)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), timezone.utc)
