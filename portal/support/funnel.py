"""Where customers are stuck: connections that are being set up, by checkpoint, whose turn it is and how long.

A connection stands at the first checkpoint that fails, else at the first that has not passed, in the order of its checklist. It
has stood there since that changed, or since the newest one that passed did.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import (
    Aggregate,
    Case,
    Count,
    DateTimeField,
    Exists,
    F,
    IntegerField,
    Max,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Value,
    When,
)
from django.db.models.functions import Greatest
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _

from connections.providers import registry
from connections.spec.checklist import MarkState
from connections.spec.text import Text
from connections.vault.models import Connection, ConnectionState
from portal.onboarding.handoff_models import Handoff
from portal.onboarding.models import Mark
from portal.support.time_parameters import parse_time

SHOWN = 100
AFTER = "after"
PASSING = [state.value for state in MarkState if state.passes]


class Middle(Aggregate):
    """The value that a part of the rows lies below; of times, as PostgreSQL interpolates none."""

    function = "percentile_disc"
    template = "%(function)s(%(fraction)s) WITHIN GROUP (ORDER BY %(expressions)s)"

    def __init__(self, expression: str, fraction: float) -> None:
        super().__init__(expression, fraction=fraction, output_field=DateTimeField())


@dataclass(frozen=True)
class FunnelStep:
    """One checkpoint of one way. `half_since`: half of those that stand there have done so since then or longer."""

    slug: str
    title: Text
    who: Text
    connections: int = 0
    tenants: int = 0
    given_away: int = 0  # whose step somebody else was asked to do
    half_since: datetime | None = None
    tenth_since: datetime | None = None


@dataclass(frozen=True)
class Funnel:
    """One way of one provider, with all its checkpoints in their order."""

    provider: str
    name: str
    way: str
    steps: list[FunnelStep]

    @property
    def connections(self) -> int:
        return sum(step.connections for step in self.steps)


def marks_in_turn() -> QuerySet[Any]:
    """Of each connection that is being set up, the mark that it stands at, with `arrived_at`. Needs the staff's scope."""
    unfinished = Mark.objects.filter(onboarding__connection__state=ConnectionState.SETUP).exclude(state__in=PASSING)
    first = Case(When(state=MarkState.FAILING, then=Value(0)), default=Value(1), output_field=IntegerField())
    standing = unfinished.order_by("onboarding_id", first, _places()).distinct("onboarding_id")
    passed = Mark.objects.filter(onboarding_id=OuterRef("onboarding_id"), tenant_id=OuterRef("tenant_id"))
    newest = passed.filter(state__in=PASSING).order_by().values("onboarding_id").annotate(at=Max("since")).values("at")
    marks: QuerySet[Any] = Mark.objects.filter(id__in=standing.values("id"))
    return marks.annotate(
        arrived_at=Greatest("since", Subquery(newest, output_field=DateTimeField())),
        provider=F("onboarding__connection__provider"),
        way=F("onboarding__connection__auth_method"),
        is_given_away=Exists(Handoff.objects.open().filter(mark_id=OuterRef("id"), tenant_id=OuterRef("tenant_id"))),
    )


def _places() -> Case:
    """The place of a checkpoint in the checklist of its way, which only the code knows."""
    places = [
        When(
            onboarding__connection__provider=provider.slug,
            onboarding__connection__auth_method=grant.name,
            checkpoint=checkpoint.slug,
            then=Value(place),
        )
        for provider in registry.all_providers().values()
        for grant in provider.grants
        for place, checkpoint in enumerate(provider.checkpoints(grant.name))
    ]
    return Case(*places, default=Value(len(places)), output_field=IntegerField())


def funnels() -> list[Funnel]:
    """Every way that somebody is being connected by, the one with most first. One statement."""
    groups = (
        marks_in_turn()
        .order_by()
        .values("provider", "way", "checkpoint")
        .annotate(
            connections=Count("id"),
            tenants=Count("tenant_id", distinct=True),
            given_away=Count("id", filter=Q(is_given_away=True)),
            half_since=Middle("arrived_at", 0.5),
            tenth_since=Middle("arrived_at", 0.1),
        )
    )
    by_way: dict[tuple[str, str], dict[str, Any]] = {}
    for group in groups:
        by_way.setdefault((group.pop("provider"), group.pop("way")), {})[group.pop("checkpoint")] = group
    known = registry.all_providers()
    result = [
        Funnel(
            provider,
            known[provider].name,
            way,
            [
                FunnelStep(checkpoint.slug, checkpoint.title, checkpoint.who, **steps.get(checkpoint.slug, {}))
                for checkpoint in known[provider].checkpoints(way)
            ],
        )
        for (provider, way), steps in by_way.items()
        if provider in known and known[provider].offers(way)
    ]
    return sorted(result, key=lambda funnel: (-funnel.connections, funnel.provider, funnel.way))


def show_funnels(request: HttpRequest) -> HttpResponse:
    context = {
        **admin.site.each_context(request),
        "title": _("Where customers are stuck"),
        "funnels": funnels(),
    }
    return TemplateResponse(request, "admin/funnels.html", context)


def show_stuck(request: HttpRequest, provider: str, way: str, checkpoint: str) -> HttpResponse:
    """The connections behind one number, those that have waited longest first. Raises Http404."""
    known = registry.find(provider)
    current = known and known.offers(way) and next((c for c in known.checkpoints(way) if c.slug == checkpoint), None)
    if not known or not current:
        raise Http404
    marks = marks_in_turn().filter(provider=provider, way=way, checkpoint=checkpoint)
    after = _position(request.GET.get(AFTER, ""))
    if after is not None:
        at, key = after
        marks = marks.filter(Q(arrived_at__gt=at) | Q(arrived_at=at, id__gt=key))
    rows = list(marks.select_related("onboarding").order_by("arrived_at", "id")[: SHOWN + 1])
    ids = [row.onboarding.connection_id for row in rows[:SHOWN]]
    connections = {row.id: row for row in Connection.objects.select_related("tenant").filter(id__in=ids)}
    last = rows[SHOWN - 1] if len(rows) > SHOWN else None
    context = {
        **admin.site.each_context(request),
        "title": str(current.title),
        "provider": known.name,
        "way": way,
        "who": current.who,
        "rows": [(row, connections[row.onboarding.connection_id]) for row in rows[:SHOWN]],
        "next": f"{last.arrived_at.isoformat()}~{last.id}" if last else "",
    }
    return TemplateResponse(request, "admin/stuck.html", context)


def _position(text: str) -> tuple[datetime, UUID] | None:
    at, _tilde, key = text.rpartition("~")
    moment = parse_time(at)
    try:
        return (moment, UUID(key)) if moment is not None else None
    except ValueError:
        return None
