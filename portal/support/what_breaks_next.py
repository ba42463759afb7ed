"""What breaks next: what ends within thirty days, of all tenants, the nearest first, with who was told of it and when."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.contrib.postgres.aggregates import ArrayAgg
from django.db.models import (
    Case,
    Count,
    DateTimeField,
    DurationField,
    Exists,
    ExpressionWrapper,
    F,
    Max,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Value,
    When,
)
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext as _

from connections.providers import registry
from connections.spec.changes import AnnouncedChange
from connections.spec.grants import AuthorizationCode
from connections.spec.provider import Provider
from connections.transport.models import AttemptState, AuthorizationAttempt
from connections.vault.models import Connection, ConnectionState, Credential, Grant, Pin
from portal.incidents.budgets import budgets_in_use
from portal.incidents.forecast import (
    UNUSED_AFTER,
    WARNED_DAYS,
    Forecast,
    access_end,
    ceiling_reached,
    certificate_end,
    change_due,
    unused_from,
)
from portal.incidents.kinds import MailKind
from portal.incidents.models import Notice
from portal.members.models import User

SEEN_AHEAD = timedelta(days=30)
SHOWN = 50
SEPARATOR = "~"
NEVER = Value(None, DateTimeField())


@dataclass(frozen=True)
class Position:
    """After which row a page begins: rows are ordered by when they are due, and by an id of what is due."""

    due_at: datetime
    row_id: UUID

    def __str__(self) -> str:
        return f"{self.due_at.isoformat()}{SEPARATOR}{self.row_id}"


@dataclass(frozen=True)
class WarnedPerson:
    """One person who was mailed, or will be; `outcome` is what became of the notice, '' while it waits."""

    email: str
    at: datetime
    outcome: str


@dataclass(frozen=True)
class ComingRow:
    """One line of the calendar."""

    position: Position
    forecast: Forecast
    connection: Connection
    people: Sequence[WarnedPerson] = ()


@dataclass(frozen=True)
class _Due:
    """What one of the queries gave: when, of which connection, and what it is made of."""

    due_at: datetime
    row_id: UUID
    connection_id: UUID
    facts: Any
    kind: str = field(kw_only=True)


def what_breaks_next(request: HttpRequest) -> HttpResponse:
    """The calendar, and what is used of long budgets. A fixed number of queries, but for one of each announced change."""
    rows, following = coming_rows(parse_position(request.GET.get("after", "")))
    context = {
        **admin.site.each_context(request),
        "title": _("What breaks next"),
        "rows": rows,
        "next": following,
        "is_first": "after" not in request.GET,
        "budgets": list(budgets_in_use()),
    }
    return TemplateResponse(request, "admin/what_breaks_next.html", context)


def parse_position(text: str) -> Position | None:
    """None for what is no position."""
    at, _separator, row_id = text.partition(SEPARATOR)
    try:
        position = Position(datetime.fromisoformat(at), UUID(row_id))
    except (ValueError, OverflowError):
        return None
    return position if position.due_at.tzinfo is not None else None


def coming_rows(position: Position | None) -> tuple[list[ComingRow], str]:
    """The rows after a position, and the one after which the next page begins, '' on the last. In the staff's scope."""
    now = timezone.now()
    due = sorted(_due(position, now), key=lambda each: (each.due_at, each.row_id))
    page = due[:SHOWN]
    ids = {each.connection_id for each in page}
    connections = {row.id: row for row in Connection.objects.select_related("tenant").filter(id__in=ids)}
    rows = []
    for each in page:
        connection = connections.get(each.connection_id)
        forecast = _forecast(each, connection, now) if connection is not None else None
        if connection is not None and forecast is not None:
            rows.append(ComingRow(Position(each.due_at, each.row_id), forecast, connection))
    following = str(Position(page[-1].due_at, page[-1].row_id)) if len(due) > SHOWN else ""
    return _with_people(rows), following


def _forecast(due: _Due, connection: Connection, now: datetime) -> Forecast | None:
    provider = registry.find(connection.provider)
    if provider is None or not provider.offers(connection.auth_method):
        return None
    match due.kind:
        case "access":
            return access_end(provider, connection, due.facts)
        case "certificate":
            return certificate_end(provider, connection, due.facts, due.due_at)
        case "unused":
            return unused_from(connection, due.facts)
        case "ceiling":
            return ceiling_reached(provider, connection, due.facts, now)
        case _:
            return change_due(connection, due.facts)


def _with_people(rows: Sequence[ComingRow]) -> list[ComingRow]:
    """Two queries, whatever the rows."""
    abouts = {row.forecast.about(row.connection.id, days): row for row in rows for days in WARNED_DAYS}
    notices = list(Notice.objects.filter(kind=MailKind.EXPIRES, about__in=abouts).order_by("created_at", "id"))
    users = User.objects.filter(id__in={notice.user_id for notice in notices})
    emails = dict(users.values_list("id", "email"))
    people_by_row: dict[Position, list[WarnedPerson]] = {}
    for notice in notices:
        row = abouts[notice.about]
        person = WarnedPerson(emails.get(notice.user_id, "?"), notice.ended_at or notice.due_at, notice.outcome)
        people_by_row.setdefault(row.position, []).append(person)
    return [
        ComingRow(row.position, row.forecast, row.connection, tuple(people_by_row.get(row.position, ())))
        for row in rows
    ]


# -- what is due, one query for each kind --------------------------------------------------------------------------------


def _due(position: Position | None, now: datetime) -> Iterator[_Due]:
    living = ~Q(connection__state=ConnectionState.DISCONNECTED)
    accesses = Grant.objects.filter(living).annotate(due=_access_due())
    for row in _within(accesses, position, now).values_list("due", "id", "connection_id", "refresh_issued_at"):
        yield _Due(*row, kind="access")
    newer = Pin.objects.filter(
        connection_id=OuterRef("connection_id"),
        tenant_id=OuterRef("tenant_id"),
        host=OuterRef("host"),
        confirmed_at__gt=OuterRef("confirmed_at"),
    )
    pins = Pin.objects.filter(living, ~Exists(newer), confirmed_at__isnull=False).annotate(due=F("ends_at"))
    for row in _within(pins, position, now).values_list("due", "id", "connection_id", "host"):
        yield _Due(*row, kind="certificate")
    for row in _within(_unused(), position, now).values_list("due", "id", "id", "unused_since"):
        yield _Due(*row, kind="unused")
    yield from _ceilings(position, now)
    for provider in registry.all_providers().values():
        for change in provider.changes:
            yield from _changes(provider, change, position, now)


def _within(rows: QuerySet[Any], position: Position | None, now: datetime) -> QuerySet[Any]:
    """Of rows with their `due`, those of the next thirty days that come after the position: one page, and one more."""
    coming = rows.filter(due__gt=now, due__lte=now + SEEN_AHEAD)
    if position is not None:
        coming = coming.filter(Q(due__gt=position.due_at) | Q(due=position.due_at, id__gt=position.row_id))
    return coming.order_by("due", "id")[: SHOWN + 1]


def _access_due() -> Case:
    """When a person's access ends, by what its provider says of its own; NULL where it says nothing."""
    cases = [
        When(
            connection__provider=provider.slug,
            connection__auth_method=grant.name,
            then=ExpressionWrapper(
                F("refresh_issued_at") + Value(grant.refresh_lifetime, DurationField()), DateTimeField()
            ),
        )
        for provider in registry.all_providers().values()
        for grant in provider.grants
        if isinstance(grant, AuthorizationCode) and grant.refresh_lifetime is not None
    ]
    return Case(*cases, default=NEVER, output_field=DateTimeField())


def _unused() -> QuerySet[Connection]:
    credentials = Credential.objects.filter(tenant_id=OuterRef("tenant_id"), connection_id=OuterRef("id"))
    given_at = credentials.order_by().values("connection_id").annotate(at=Max("changed_at")).values("at")
    since = Case(
        When(state=ConnectionState.PAUSED, then=F("paused_at")),
        When(state=ConnectionState.SETUP, then=Subquery(given_at)),
        default=NEVER,
        output_field=DateTimeField(),
    )
    return Connection.objects.annotate(unused_since=since).annotate(
        due=ExpressionWrapper(F("unused_since") + Value(UNUSED_AFTER, DurationField()), DateTimeField())
    )


def _changes(provider: Provider, change: AnnouncedChange, position: Position | None, now: datetime) -> Iterable[_Due]:
    ways = change.auth_methods or [grant.name for grant in provider.grants]
    affected = Connection.objects.not_disconnected().filter(provider=provider.slug, auth_method__in=ways)
    if change.environments:
        affected = affected.filter(environment__in=change.environments)
    sample = Connection(provider=provider.slug, auth_method=ways[0], environment=(*change.environments, "")[0])
    forecast = change_due(sample, change)
    if forecast is None:
        return
    dated = affected.annotate(due=Value(forecast.due_at, DateTimeField()))
    for due_at, key in _within(dated, position, now).values_list("due", "id"):
        yield _Due(due_at, key, key, change, kind="change")


def _ceilings(position: Position | None, now: datetime) -> Iterator[_Due]:
    """Companies that are signed in to so often that a provider's ceiling comes near: over all tenants, as it counts them.

    Few have more than half of it; these are looked at one by one, without a query.
    """
    for provider in registry.all_providers().values():
        for grant in provider.grants:
            if not isinstance(grant, AuthorizationCode) or not grant.most_refresh_tokens:
                continue
            lifetime = grant.refresh_lifetime or UNUSED_AFTER
            rows = AuthorizationAttempt.objects.filter(
                state=AttemptState.EXCHANGED,
                login=grant.name,
                ended_at__gt=now - lifetime,
                connection__provider=provider.slug,
            ).exclude(connection__company_id="")
            groups = rows.order_by().values("connection__environment", "connection__company_id")
            groups = groups.annotate(number=Count("id"), ids=ArrayAgg("connection_id"), ended=ArrayAgg("ended_at"))
            for group in groups.filter(number__gte=grant.most_refresh_tokens // 2).order_by("-number")[:SHOWN]:
                sample = Connection(provider=provider.slug, auth_method=grant.name)
                sample.company_id = group["connection__company_id"]
                forecast = ceiling_reached(provider, sample, group["ended"], now)
                if forecast is None or forecast.due_at > now + SEEN_AHEAD:
                    continue
                first = min(group["ids"])
                due = _Due(forecast.due_at, first, first, group["ended"], kind="ceiling")
                if position is None or (due.due_at, due.row_id) > (position.due_at, position.row_id):
                    yield due
