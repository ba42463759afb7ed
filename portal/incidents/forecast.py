"""What is going to end, and when: accesses, certificates, what nobody uses, a provider's announced changes.

Computed whenever it is asked for, from what is stored and declared, so that nothing here outlives what it is about. A fact
about a provider is one of its description; where that says nothing, nothing is forecast.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta, timezone
from typing import Any
from uuid import UUID, uuid5

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Max, OuterRef, QuerySet, Subquery
from django.db.models.functions import JSONObject
from django.utils import timezone as django_timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from connections.providers import registry
from connections.spec.changes import AnnouncedChange
from connections.spec.grants import AuthorizationCode
from connections.spec.provider import Provider
from connections.spec.times import format_day
from connections.transport.models import AttemptState, AuthorizationAttempt
from connections.vault.models import Connection, ConnectionState, Credential, Grant, Pin

WARNED_DAYS = (30, 7, 1)  # before the day, the person who can act is mailed
UNUSED_AFTER = timedelta(days=90)
PACE_SPAN = timedelta(days=30)  # of sign-ins that a pace is taken from
MOST_SIGN_INS = 200  # that are looked at


@dataclass(frozen=True)
class ForecastKind:
    """One sort of end; its name stands in ids of notices and never changes."""

    name: str
    label: Promise | str


ACCESS = ForecastKind("access", _("Access"))
CERTIFICATE = ForecastKind("certificate", _("Certificate"))
UNUSED = ForecastKind("unused", _("Unused access"))
CEILING = ForecastKind("ceiling", _("Number of sign-ins"))
CHANGE = ForecastKind("change", _("Announced change"))


@dataclass(frozen=True)
class Forecast:
    """One end of one connection. `key` tells it from others of its kind, and from what was before it was renewed.

    `values` are for its sentences; `checkpoint`: where it is put off, '' where that is none of the checklist.
    """

    kind: ForecastKind
    provider: str
    key: str
    due_at: datetime
    values: Mapping[str, str] = field(default_factory=dict)
    checkpoint: str = ""
    change: AnnouncedChange | None = None

    @property
    def day(self) -> str:
        """Of an announced change, which has no hour; '' for what has one."""
        return format_day(self.change.due_on) if self.change is not None else ""

    def about(self, connection_id: UUID, days: int) -> UUID:
        """What a notice of it, so many days before, is about."""
        return uuid5(connection_id, f"{self.kind.name} {self.key} {days}")

    def warned_days(self, now: datetime) -> int | None:
        """Of WARNED_DAYS, the one that has come last; None before the first."""
        passed = [days for days in WARNED_DAYS if self.due_at - now <= timedelta(days=days)]
        return min(passed) if passed else None


def with_forecast_facts(connections: QuerySet[Connection]) -> QuerySet[Connection]:
    """With what forecasts are made of, in no query of their own. In the tenant's scope they are this tenant's alone."""
    mine = {"tenant_id": OuterRef("tenant_id"), "connection_id": OuterRef("id")}
    pins = Pin.objects.filter(confirmed_at__isnull=False, **mine).order_by("host", "-confirmed_at").distinct("host")
    credentials = Credential.objects.filter(**mine).order_by().values("connection_id").annotate(at=Max("changed_at"))
    sign_ins = AuthorizationAttempt.objects.filter(
        tenant_id=OuterRef("tenant_id"),
        state=AttemptState.EXCHANGED,
        login=OuterRef("auth_method"),
        connection__provider=OuterRef("provider"),
        connection__environment=OuterRef("environment"),
        connection__company_id=OuterRef("company_id"),
    )
    return connections.annotate(
        forecast_refresh_at=Subquery(Grant.objects.filter(**mine).values("refresh_issued_at")[:1]),
        forecast_pins=ArraySubquery(pins.values(row=JSONObject(host="host", ends_at="ends_at"))),
        forecast_given_at=Subquery(credentials.values("at")[:1]),
        forecast_sign_ins=ArraySubquery(sign_ins.order_by("-ended_at").values("ended_at")[:MOST_SIGN_INS]),
    )


def forecasts_of(connection: Connection) -> list[Forecast]:
    """What is to come, the nearest first; of a connection fetched `with_forecast_facts`. No query."""
    facts: Any = connection
    provider = registry.find(connection.provider)
    if provider is None or connection.is_disconnected or not provider.offers(connection.auth_method):
        return []
    now = django_timezone.now()
    coming = [
        access_end(provider, connection, facts.forecast_refresh_at),
        *(
            certificate_end(provider, connection, pin["host"], datetime.fromisoformat(pin["ends_at"]))
            for pin in facts.forecast_pins
        ),
        unused_from(connection, facts.forecast_given_at),
        ceiling_reached(provider, connection, facts.forecast_sign_ins, now),
        *(change_due(connection, change) for change in provider.changes),
    ]
    ahead = [each for each in coming if each is not None and each.due_at > now]
    return sorted(ahead, key=lambda each: each.due_at)


def announced_changes(connection: Connection) -> list[Forecast]:
    """What the provider has announced of it and is still to come. No query, of any connection."""
    provider = registry.find(connection.provider)
    if provider is None or connection.is_disconnected:
        return []
    changes = [change_due(connection, change) for change in provider.changes]
    ahead = [each for each in changes if each is not None and each.due_at > django_timezone.now()]
    return sorted(ahead, key=lambda each: each.due_at)


def find_forecast(connection: Connection, about: UUID) -> Forecast | None:
    """The one that a notice is about; None where it has passed, or was put off."""
    for forecast in forecasts_of(connection):
        if about in [forecast.about(connection.id, days) for days in WARNED_DAYS]:
            return forecast
    return None


# -- one by one ----------------------------------------------------------------------------------------------------------


def access_end(provider: Provider, connection: Connection, issued_at: datetime | None) -> Forecast | None:
    """The end of what a person's sign-in gave, where the provider says how long that lives."""
    grant = provider.grant(connection.auth_method)
    if not isinstance(grant, AuthorizationCode) or grant.refresh_lifetime is None or issued_at is None:
        return None
    declared = provider.checkpoints(connection.auth_method)
    checkpoint = next((each.slug for each in declared if grant.name in each.connect), "")
    values = {"days": str(grant.refresh_lifetime.days)}
    due_at = issued_at + grant.refresh_lifetime
    return Forecast(ACCESS, provider.slug, issued_at.isoformat(), due_at, values, checkpoint)


def certificate_end(provider: Provider, connection: Connection, host: str, ends_at: datetime) -> Forecast:
    """The end of a certificate that a person compared."""
    declared = provider.checkpoints(connection.auth_method)
    checkpoint = next((each.slug for each in declared if each.pins), "")
    key = f"{host} {ends_at.isoformat()}"
    return Forecast(CERTIFICATE, provider.slug, key, ends_at, {"host": host}, checkpoint)


def unused_from(connection: Connection, given_at: datetime | None) -> Forecast | None:
    """When what is stored has been of no use for long: of a paused connection, and of a set-up that was left lying."""
    since = connection.paused_at if connection.is_paused else None
    if connection.state == ConnectionState.SETUP:
        since = given_at
    if since is None:
        return None
    return Forecast(UNUSED, connection.provider, since.isoformat(), since + UNUSED_AFTER)


def ceiling_reached(
    provider: Provider, connection: Connection, sign_ins: Sequence[datetime], now: datetime
) -> Forecast | None:
    """When so many sign-ins stand beside each other that the provider ends one, at the pace of the last days.

    Counted for the company: whose sign-in each one was, we do not know. The newest come first.
    """
    grant = provider.grant(connection.auth_method)
    if not isinstance(grant, AuthorizationCode) or not grant.most_refresh_tokens or not connection.company_id:
        return None
    lifetime = grant.refresh_lifetime or UNUSED_AFTER
    living = len([at for at in sign_ins if at and at > now - lifetime])
    lately = len([at for at in sign_ins if at and at > now - PACE_SPAN])
    left = grant.most_refresh_tokens - living
    if not lately or PACE_SPAN * left / lately > lifetime:
        return None  # by then those of today are over
    due_at = now + max(PACE_SPAN * left / lately, timedelta(minutes=1))
    values = {"count": str(living), "most": str(grant.most_refresh_tokens)}
    return Forecast(CEILING, provider.slug, "", due_at, values)


def change_due(connection: Connection, change: AnnouncedChange) -> Forecast | None:
    """A provider's announced change, where it concerns this connection."""
    if not change.affects(connection.auth_method, connection.environment):
        return None
    due_at = datetime.combine(change.due_on, time(), timezone.utc)
    return Forecast(CHANGE, connection.provider, change.slug, due_at, {}, change.checkpoint, change)
