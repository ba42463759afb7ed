"""Requests of a day against what a provider allows: a customer's own share of it, and for staff all of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Case, Count, IntegerField, OuterRef, Q, QuerySet, Subquery, Value, When
from django.db.models.functions import Coalesce, Now
from django.utils import timezone

from connections.providers import registry
from connections.spec.provider import CountedBy, Provider, Quota
from connections.transport.limits.rate_limiter import COUNTED_FROM, SLICES
from connections.transport.models import QuotaWindow, RequestLogEntry
from connections.vault.models import Connection

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
MOST_SHOWN = 100


@dataclass(frozen=True)
class BudgetShare:
    """How many requests one connection made in a span, of how many that are allowed in it."""

    calls: int
    most: int
    is_shared: bool  # counted for all customers together

    @property
    def percent(self) -> int:
        return round(100 * self.calls / self.most)


@dataclass(frozen=True)
class BudgetUse:
    """One counted budget as it stands: staff see these."""

    provider: str
    key: str
    used: int
    most: int
    last_hour: int

    @property
    def percent(self) -> int:
        return round(100 * self.used / self.most)

    @property
    def used_up_at(self) -> datetime | None:
        """At the pace of the last hour; None where that is not within a day."""
        if not self.last_hour or (self.most - self.used) / self.last_hour > DAY / HOUR:
            return None
        return timezone.now() + HOUR * max(self.most - self.used, 0) / self.last_hour


def daily_quota(provider: Provider) -> Quota | None:
    """What it allows in a day, None where it counts no days."""
    return next((quota for quota in provider.quotas if quota.per == DAY), None)


def with_budget_calls(connections: QuerySet[Connection]) -> QuerySet[Connection]:
    """With `budget_calls`, the requests of the last day, counted for those alone whose provider counts them by the day."""
    counted = [provider.slug for provider in registry.all_providers().values() if daily_quota(provider) is not None]
    entries = RequestLogEntry.objects.filter(
        tenant_id=OuterRef("tenant_id"), connection_id=OuterRef("id"), at__gt=Now() - DAY
    )
    number = entries.order_by().values("connection_id").annotate(number=Count("*")).values("number")
    return connections.annotate(
        budget_calls=Case(
            When(Q(provider__in=counted), then=Coalesce(Subquery(number), Value(0))),
            default=None,
            output_field=IntegerField(),
        )
    )


def budget_share(connection: Connection) -> BudgetShare | None:
    """Of a connection fetched `with_budget_calls`. No query."""
    facts: Any = connection
    provider = registry.find(connection.provider)
    quota = daily_quota(provider) if provider is not None else None
    if quota is None or facts.budget_calls is None or connection.is_disconnected:
        return None
    return BudgetShare(facts.budget_calls, quota.calls, quota.counted_by is CountedBy.CLIENT)


def budgets_in_use() -> Iterator[BudgetUse]:
    """What is used of every long budget, over all tenants. One query, for staff."""
    quotas = {
        provider.slug: quota
        for provider in registry.all_providers().values()
        for quota in provider.quotas
        if quota.per >= COUNTED_FROM
    }
    of_slugs = Q(pk=None)
    for slug in quotas:
        of_slugs |= Q(key__startswith=f"{slug}:")
    for row in QuotaWindow.objects.filter(of_slugs).exclude(counts={}).order_by("key")[:MOST_SHOWN]:
        slug = row.key.partition(":")[0]
        yield _use_of(slug, row, quotas[slug])


def _use_of(slug: str, row: QuotaWindow, quota: Quota) -> BudgetUse:
    """The slices that still count, and those of the last hour."""
    slice_seconds = quota.per.total_seconds() / SLICES
    now = int(timezone.now().timestamp() // slice_seconds)
    ages = {now - int(number): int(used) for number, used in row.counts.items()}
    in_an_hour = max(int(HOUR.total_seconds() // slice_seconds), 1)
    return BudgetUse(
        slug,
        row.key,
        used=sum(used for age, used in ages.items() if age <= SLICES + 1),
        most=quota.calls,
        last_hour=sum(used for age, used in ages.items() if age < in_an_hour),
    )
