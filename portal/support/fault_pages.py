"""A page for every fault: what it means, who acts, what to say to the customer, and how often there were some lately."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast

from django.contrib import admin
from django.db.models import Count, Min
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from connections.calls import faults as call_faults
from connections.providers import registry
from connections.spec.faults import Fault
from connections.spec.text import Text, duration
from connections.sync import faults as sync_faults
from connections.transport import faults as transport_faults
from connections.transport.models import RequestLogEntry
from portal.incidents.models import RESPONSIBLE, Incident
from portal.members.models import User
from portal.support.models import PlannedAction
from portal.support.planned_actions import MAY

MOST_COUNTED = 1000  # attempts; more are not counted
LATELY = timedelta(days=7)
SPANS = (timedelta(hours=1), timedelta(days=1), LATELY)


@dataclass(frozen=True)
class Meaning:
    """What a code means at one provider, or at all of them. `staff_message` is '' for the sentence of a check."""

    code: str
    provider: str  # its name; '' for every provider
    customer_message: Text
    staff_message: str = ""
    responsible: Text = ""
    checkpoint: str = ""


def meanings() -> Iterator[Meaning]:
    """Every fault that there is, those of every provider first."""
    for fault in (*transport_faults.ALL, *sync_faults.own_faults(), *call_faults.own_faults()):
        yield from _meanings_of(fault, "")
    for provider in registry.all_providers().values():
        for fault in provider.faults.all():
            yield from _meanings_of(fault, provider.name)


def _meanings_of(fault: Fault, provider: str) -> Iterator[Meaning]:
    who = dict(RESPONSIBLE)[fault.responsible.value]
    yield Meaning(fault.code, provider, fault.customer_message, fault.staff_message, who, fault.checkpoint)


def _sentences(code: str) -> Iterator[Meaning]:
    """What checks say by this code: an incident may have one as its cause."""
    for provider in registry.all_providers().values():
        if code in provider.sentences:
            yield Meaning(code, provider.name, provider.sentences[code])


def list_faults(request: HttpRequest) -> HttpResponse:
    """All of them, by code."""
    rows = sorted({(each.code, each.provider): each for each in meanings()}.items())
    context = {**admin.site.each_context(request), "title": _("Faults"), "meanings": [each for _key, each in rows]}
    return TemplateResponse(request, "admin/faults.html", context)


def show_fault(request: HttpRequest, code: str) -> HttpResponse:
    """One code. Three statements. Raises Http404 for a code that nothing has."""
    known = list(dict.fromkeys([*(each for each in meanings() if each.code == code), *_sentences(code)]))
    if not known:
        raise Http404
    now = timezone.now()
    incidents = Incident.objects.filter(cause=code, closed_at=None).aggregate(
        connections=Count("connection_id", distinct=True),
        tenants=Count("tenant_id", distinct=True),
        since=Min("opened_at"),
    )
    log = reverse("admin:transport_requestlogentry_changelist")
    context = {
        **admin.site.each_context(request),
        "title": code,
        "code": code,
        "meanings": known,
        "attempts": _attempts(code, now),
        "most_counted": MOST_COUNTED,
        "opened_lately": Incident.objects.filter(cause=code, opened_at__gte=now - LATELY).count(),
        "incidents": incidents,
        "may_sync_again": cast(User, request.user).can(MAY[PlannedAction.SYNC]),
        "log": f"{log}?fault={code}&since=7d",
        "list": f"{reverse('admin:incidents_incident_changelist')}?cause={code}&over=True",
    }
    return TemplateResponse(request, "admin/fault.html", context)


def _attempts(code: str, now: datetime) -> list[tuple[Text, int]]:
    """How many attempts ended so lately, by the span; of many only the newest are counted."""
    rows = RequestLogEntry.objects.filter(fault=code, at__gte=now - LATELY, at__lt=now + timedelta(minutes=5))
    times = list(rows.exclude(fault="").order_by("-at").values_list("at", flat=True)[:MOST_COUNTED])
    return [(duration(span), sum(at >= now - span for at in times)) for span in SPANS]
