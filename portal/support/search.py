"""Paste anything - an entry id, a provider request id, a run, a tenant, a company, an e-mail - and land on it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Model, Q, QuerySet
from django.urls import reverse
from django.utils.translation import gettext as _

from connections.calls.models import Call
from connections.jobs.models import Job
from connections.sync.models import SyncRun
from connections.tenancy.models import Tenant
from connections.transport.models import RequestLogEntry
from connections.vault.models import Connection
from portal.members.models import Invitation, User
from portal.support.showing import place
from portal.support.showing import text as harmless

MOST = 10  # of each kind
LONGEST = 200


@dataclass(frozen=True)
class Hit:
    """One thing that was found: what it is, what tells it apart, and its staff page."""

    kind: str
    title: str
    detail: str
    address: str


def find(pasted: str) -> list[Hit]:
    """Everything that goes by this name or number, at most ten of a kind. Needs the staff's scope.

    Each look-up is an equality on an index; only names of tenants, companies and people, of which there are few, are
    searched in the middle.
    """
    text = _bare(pasted)
    if not text:
        return []
    key = as_uuid(text)
    # A provider's request id may look like one of our own ids.
    return [*_by_id(key), *_by_request_id(text)] if key else [*_by_request_id(text), *_by_text(text)]


def _bare(pasted: str) -> str:
    return pasted.strip().strip("\"'<>").strip()[:LONGEST]


def as_uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _by_id(key: UUID) -> Iterator[Hit]:
    for entry in RequestLogEntry.objects.filter(id=key)[:1]:
        yield _entry(entry)
    for run in SyncRun.objects.select_related("connection__tenant").filter(id=key):
        detail = f"{run.connection.tenant.name}, {run.get_state_display()}"
        yield _hit(run, _("Sync run"), f"{run.queued_at:%Y-%m-%d %H:%M} UTC", detail)
    calls = Call.objects.select_related("tenant").only("id", "operation", "state", "asked_at", "tenant")
    for call in calls.filter(id=key):
        detail = f"{call.tenant.name}, {call.get_state_display()}"
        yield _hit(call, _("Call"), f"{call.operation} {call.asked_at:%Y-%m-%d %H:%M} UTC", detail)
    for connection in Connection.objects.select_related("tenant").filter(id=key):
        yield _connection(connection)
    for tenant in Tenant.objects.filter(id=key):
        yield _tenant(tenant)
    for job in Job.objects.filter(id=key):
        yield _hit(job, _("Job"), job.kind, job.get_state_display())


def _by_request_id(text: str) -> Iterator[Hit]:
    for entry in RequestLogEntry.objects.filter(provider_request_id=text).order_by("-at", "-id")[:MOST]:
        yield _entry(entry)


def _by_text(text: str) -> Iterator[Hit]:
    if "@" in text:
        yield from _people(text.lower())
        return
    for tenant in tenants_named(text)[:MOST]:
        yield _tenant(tenant)
    companies = Connection.objects.select_related("tenant").filter(
        Q(company_id=text) | Q(company_name__icontains=text)
    )
    for connection in companies[:MOST]:
        yield _connection(connection)
    for user in User.objects.defer("password").filter(name__icontains=text)[:MOST]:
        yield _hit(user, _("Person"), str(user), user.email)


def _people(email: str) -> Iterator[Hit]:
    for user in User.objects.defer("password").filter(Q(email=email) | Q(emailaddress__email=email)).distinct():
        yield _hit(user, _("Person"), str(user), user.email)
    invited = Invitation.objects.select_related("tenant").filter(email=email, accepted_at=None)
    for invitation in invited.order_by("-created_at")[:MOST]:
        yield _hit(invitation.tenant, _("Invitation"), invitation.email, invitation.tenant.name)


def tenants_named(text: str) -> QuerySet[Tenant]:
    return Tenant.objects.filter(Q(slug=text.lower()) | Q(name__icontains=text)).order_by("name")


def entries(requests: QuerySet[RequestLogEntry], pasted: str) -> QuerySet[RequestLogEntry]:
    """The request log narrowed to what was pasted: the first of these readings that means anything.

    An entry id, a run, a connection; a status; a provider request id; a tenant; a company id. Whatever it is, the
    query that comes back is an equality on an indexed column.
    """
    text = _bare(pasted)
    key = as_uuid(text)
    if key is not None:
        return _entries_by_id(requests, key, text)
    if len(text) == 3 and text.isascii() and text.isdigit() and 100 <= int(text) <= 599:
        return requests.filter(status=int(text))
    # Cheap questions first, so that the long table is asked for one thing only.
    if RequestLogEntry.objects.filter(provider_request_id=text).exists():
        return requests.filter(provider_request_id=text)
    tenants = list(tenants_named(text).values_list("id", flat=True)[:MOST])
    if tenants:
        return requests.filter(tenant_id=tenants[0]) if len(tenants) == 1 else requests.filter(tenant_id__in=tenants)
    return _of_connections(requests, Connection.objects.filter(company_id=text))


def _entries_by_id(requests: QuerySet[RequestLogEntry], key: UUID, text: str) -> QuerySet[RequestLogEntry]:
    if RequestLogEntry.objects.filter(id=key).exists():
        return requests.filter(id=key)
    if RequestLogEntry.objects.filter(provider_request_id=text).exists():
        return requests.filter(provider_request_id=text)
    connections = Connection.objects.filter(id=key)
    if connections.exists():
        return _of_connections(requests, connections)
    return requests.filter(run_id=key)


def _of_connections(
    requests: QuerySet[RequestLogEntry], connections: QuerySet[Connection]
) -> QuerySet[RequestLogEntry]:
    # The tenant leads the index, so it is part of the question.
    found = list(connections.values_list("tenant_id", "id")[:MOST])
    if not found:
        return requests.none()
    narrowed = Q()
    for tenant_id, connection_id in found:
        narrowed |= Q(tenant_id=tenant_id, connection_id=connection_id)
    return requests.filter(narrowed)


def _entry(entry: RequestLogEntry) -> Hit:
    detail = f"{entry.at:%Y-%m-%d %H:%M:%S} UTC, {place(entry.provider, entry.environment)}, {entry.status or '–'}"
    return _hit(entry, _("Request"), str(entry), detail)


def _tenant(tenant: Tenant) -> Hit:
    return _hit(tenant, _("Tenant"), tenant.name, f"{tenant.slug}, {tenant.get_state_display()}")


def _connection(connection: Connection) -> Hit:
    where = place(connection.provider, connection.environment)
    return _hit(connection, _("Connection"), f"{where} {connection.company_name}".strip(), connection.tenant.name)


def _hit(row: Model, kind: str, title: str, detail: Any) -> Hit:
    meta = row._meta
    address = reverse(f"admin:{meta.app_label}_{meta.model_name}_change", args=[row.pk])
    return Hit(kind, harmless(title), harmless(detail), address)
