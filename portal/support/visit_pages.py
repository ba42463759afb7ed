"""Pages of a visit: what begins and ends it, and, while it lasts, the records of that one tenant."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, cast
from uuid import UUID

from django.contrib import admin, messages
from django.db.models import Q, TextField
from django.db.models.functions import Cast, Left
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _

from connections.providers import registry
from connections.sync.models import Record
from connections.tenancy import audit
from connections.tenancy.models import Tenant
from connections.vault.models import Connection
from connections.vault.services import ActionRefused
from portal.members.models import User
from portal.members.permissions import StaffAction
from portal.members.sessions import VISIT_IN_SESSION
from portal.support import visits
from portal.support.action_views import person_allowed
from portal.support.visit_models import Visit

SHOWN = 50
LATEST = 50
LONGEST_BODY = 200_000  # characters of a record that are shown
AFTER, EXTERNAL_ID = "after", "id"


def list_visits(request: HttpRequest) -> HttpResponse:
    """The latest visits of everybody, and the one that this person is on."""
    context = {
        **admin.site.each_context(request),
        "title": _("Visits"),
        "visits": Visit.objects.select_related("tenant").order_by("-started_at", "-id")[:LATEST],
    }
    return TemplateResponse(request, "admin/visits.html", context)


def start_visit(request: HttpRequest, tenant_id: UUID) -> HttpResponse:
    """Begins one; who presses has shown lately that it is them. Raises Http404, PermissionDenied, NotAPost."""
    user = person_allowed(request, StaffAction.VISIT)
    tenant = Tenant.objects.filter(pk=tenant_id).first()
    if tenant is None:
        raise Http404
    minutes = request.POST.get("minutes", "")
    lasts = timedelta(minutes=int(minutes) if minutes.isascii() and minutes.isdigit() and len(minutes) < 5 else 0)
    try:
        visit = visits.open_visit(
            tenant=tenant,
            user=user,
            reason=request.POST.get("reason", ""),
            ticket=request.POST.get("ticket", ""),
            lasts=lasts,
        )
    except ActionRefused as refused:
        messages.error(request, str(refused))
        return redirect("admin:tenancy_tenant_change", tenant_id)
    request.session[VISIT_IN_SESSION] = {"tenant": visit.tenant.name, "until": visit.until_at.timestamp()}
    return redirect("admin:visit")


def end_visit(request: HttpRequest) -> HttpResponse:
    """Ends this person's own. Raises PermissionDenied, NotAPost."""
    user = person_allowed(request, StaffAction.VISIT)
    visit = visits.current_visit(user)
    request.session.pop(VISIT_IN_SESSION, None)
    if visit is not None:
        visits.end_visit(visit=visit, user=user)
        messages.success(request, _("The visit is over."))
    return redirect("admin:visits")


@contextmanager
def _look(request: HttpRequest, page: str, **words: Any) -> Iterator[Visit]:
    """The visit that this person is on, inside its tenant. What was looked at stands in the tenant's trail, or is not shown.

    Raises Http404.
    """
    user = cast(User, request.user)
    visit = visits.current_visit(user) if user.can(StaffAction.VISIT) else None
    if visit is None or request.method not in ("GET", "HEAD"):
        raise Http404
    with visits.inside(visit):
        yield visit
    audit.record(
        tenant_id=visit.tenant_id, actor=user.actor, action="staff.looked", subject=str(visit.id), page=page, **words
    )


def visit(request: HttpRequest) -> HttpResponse:
    """The tenant's connections, each with the lists that can be looked at."""
    with _look(request, "connections") as current:
        rows = Connection.objects.filter(tenant_id=current.tenant_id)
        after = _uuid(request.GET.get(AFTER, ""))
        last = rows.filter(pk=after).first() if after else None
        if last is not None:
            rows = rows.filter(Q(created_at__lt=last.created_at) | Q(created_at=last.created_at, id__lt=last.id))
        page = list(rows.order_by("-created_at", "-id")[: SHOWN + 1])
        connections = [(row, _streams(row)) for row in page[:SHOWN]]
    following = connections[-1][0].id if len(page) > SHOWN else None
    return _page(request, current, "admin/visit.html", connections=connections, following=following)


def visit_records(request: HttpRequest, key: UUID, stream: str) -> HttpResponse:
    """Some records of a list, those that changed last on top. Raises Http404."""
    after = request.GET.get(AFTER, "")
    with _look(request, "records", connection=str(key), stream=stream) as current:
        connection = _connection(current, key, stream)
        rows = Record.objects.for_connection(connection).filter(stream=stream, change_number__gt=0).defer("body")
        if after.isascii() and after.isdigit() and len(after) < 19:
            rows = rows.filter(change_number__lt=int(after))
        records = list(rows.order_by("-change_number")[: SHOWN + 1])
    following = records[SHOWN - 1].change_number if len(records) > SHOWN else None
    words = {"connection": connection, "stream": stream, "records": records[:SHOWN], "following": following}
    return _page(request, current, "admin/visit_records.html", **words)


def visit_record(request: HttpRequest, key: UUID, stream: str) -> HttpResponse:
    """One record as it is stored. Raises Http404."""
    external_id = request.GET.get(EXTERNAL_ID, "")
    with _look(request, "record", connection=str(key), stream=stream, record=external_id[:120]) as current:
        connection = _connection(current, key, stream)
        rows = Record.objects.for_connection(connection).filter(stream=stream, external_id=external_id[:120])
        text: Any = Left(Cast("body", TextField()), LONGEST_BODY)
        record = rows.defer("body").annotate(text=text).first()
        if record is None:
            raise Http404
    return _page(request, current, "admin/visit_record.html", connection=connection, stream=stream, record=record)


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _connection(current: Visit, key: UUID, stream: str) -> Connection:
    connection = Connection.objects.filter(pk=key, tenant_id=current.tenant_id).first()
    if connection is None or stream not in dict(_streams(connection)):
        raise Http404
    return connection


def _streams(connection: Connection) -> list[tuple[str, str]]:
    provider = registry.find(connection.provider)
    return [(each.name, str(each.label)) for each in provider.streams] if provider else []


def _page(request: HttpRequest, current: Visit, template: str, **words: Any) -> HttpResponse:
    context = {**admin.site.each_context(request), "title": current.tenant.name, "current": current, **words}
    return TemplateResponse(request, template, context)
