"""A company's connections as its home page lists them: problems first, narrowed by what is looked for, page by page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.db.models import Case, Exists, OuterRef, Q, QuerySet, Subquery, Value, When

from connections.providers import registry
from connections.spec.checklist import MarkState
from connections.sync.models import ACTIVE, RunState, SyncRun
from connections.tenancy.models import Tenant
from connections.vault.models import Connection, ConnectionState
from portal.dashboard.forms import ConnectionFilter, Group
from portal.dashboard.pagination import page
from portal.dashboard.summaries import Summary, connections_with_totals, summaries
from portal.incidents.models import Incident
from portal.onboarding.models import Mark

CONNECTIONS_SHOWN = 20
FILTER_FROM = 6  # connections: fewer are seen at a glance
KEYS: Mapping[str, type] = {"group": int, "created_at": datetime, "id": UUID}


@dataclass(frozen=True)
class HomePage:
    """One page of the connections."""

    summaries: list[Summary]
    total: int  # of all pages, whatever is looked for
    form: ConnectionFilter
    next_query: str  # of the address of the next page; "" on the last one
    first_query: str  # of the first one; "" where that is shown

    @property
    def has_filter(self) -> bool:
        return self.total >= FILTER_FROM


def home_page(tenant: Tenant, form: ConnectionFilter, position: str) -> HomePage:
    """Four queries, however many connections. Needs the tenant's scope."""
    connections = listed(tenant)
    wanted = form.wanted()
    found = page(_matching(connections, wanted), KEYS, position, size=CONNECTIONS_SHOWN)
    return HomePage(
        summaries=summaries(found.rows),
        total=connections.count(),
        form=form,
        next_query=urlencode({**wanted, "after": found.next}) if found.next else "",
        first_query=urlencode(wanted) or "all" if position else "",
    )


def listed(tenant: Tenant) -> QuerySet[Connection]:
    """What is connected, or was, each with its totals, its `group` and `incident_since`, None while nothing is wrong.

    A set-up that was removed before anything had been read is not shown any more.
    """
    runs = SyncRun.objects.filter(connection=OuterRef("id")).order_by("-queued_at", "-id")
    is_shown = ~Q(state=ConnectionState.DISCONNECTED) | Q(departure__isnull=False) | Exists(runs)
    incidents = Incident.objects.filter(connection=OuterRef("id"), closed_at=None).order_by("opened_at")
    failing = Mark.objects.filter(onboarding__connection=OuterRef("id"), state=MarkState.FAILING.value)
    offered = Q(pk=None)
    for provider in registry.all_providers().values():
        offered |= Q(provider=provider.slug, auth_method__in=[grant.name for grant in provider.grants])
    unfinished = (RunState.FAILED, RunState.INCOMPLETE)
    return (
        connections_with_totals()
        .filter(is_shown, tenant=tenant)
        .annotate(
            latest_state=Subquery(runs.values("state")[:1]),
            incident_since=Subquery(incidents.values("opened_at")[:1]),
        )
        .annotate(
            group=Case(
                # A key that is kept to be proved dead waits for somebody.
                When(departure__destroyed_at=None, departure__probed_at__isnull=False, then=Value(Group.PROBLEM)),
                When(state=ConnectionState.DISCONNECTED, then=Value(Group.DISCONNECTED)),
                When(~offered | Q(state=ConnectionState.BROKEN) | Exists(failing), then=Value(Group.PROBLEM)),
                When(state=ConnectionState.SETUP, then=Value(Group.SETUP)),
                When(state=ConnectionState.PAUSED, then=Value(Group.PAUSED)),
                When(incident_since__isnull=False, then=Value(Group.PROBLEM)),
                When(latest_state__in=unfinished, then=Value(Group.PROBLEM)),
                When(latest_state__in=ACTIVE, then=Value(Group.READING)),
                default=Value(Group.IN_ORDER),
            )
        )
    )


def _matching(connections: QuerySet[Any], wanted: Mapping[str, str]) -> QuerySet[Connection]:
    if name := wanted.get("name"):
        connections = connections.filter(Q(company_name__icontains=name) | Q(company_id__icontains=name))
    if provider := wanted.get("provider"):
        connections = connections.filter(provider=provider)
    if group := wanted.get("state"):
        connections = connections.filter(group=int(group))
    return connections
