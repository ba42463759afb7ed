"""What is wrong now, for the first page of the staff: and what was wrong within the last day, so that a recovery is seen.

Each question is one statement that an index answers, whatever there is of it. What is open is never left out for its age.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db.models import (
    BooleanField,
    Count,
    ExpressionWrapper,
    F,
    Max,
    Min,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Value,
)
from django.utils import timezone

from connections.jobs.models import OPEN, Job, JobState
from connections.jobs.registry import LANES, QUEUES
from connections.transport.limits.circuit_breaker import is_open
from connections.transport.models import Breaker
from connections.vault.models import Connection
from connections.vault.states import STANDING
from portal.incidents.models import Incident, Outage
from portal.notices.models import MailState, OutgoingMail

RECOVERY_SHOWN_FOR = timedelta(days=1)
LATE = timedelta(minutes=2)  # a job that is due for so long has nobody who does it
SILENT = timedelta(minutes=1)  # a worker whose lease ended so long ago no longer says that it lives
MOST = 30  # of each, with a link to its list
MOST_GROUPS = 4 * MOST  # of causes, open and over


@dataclass(frozen=True)
class CauseGroup:
    """Incidents of one cause at one provider: open ones, or those that are over."""

    provider: str
    environment: str
    cause: str
    responsible: str
    connections: int
    tenants: int
    since: datetime
    last_seen: datetime
    over_at: datetime | None


@dataclass(frozen=True)
class Queue:
    """A queue in which something is due since `since`."""

    name: str
    since: datetime


@dataclass
class WhatsWrong:
    """All of it. `is_all_well`: nothing is wrong now; what is over may still be shown."""

    causes: list[CauseGroup] = field(default_factory=list)
    recovered: list[CauseGroup] = field(default_factory=list)
    outages: list[Any] = field(default_factory=list)
    breakers: list[Any] = field(default_factory=list)
    parked: list[dict[str, Any]] = field(default_factory=list)
    late: list[Queue] = field(default_factory=list)
    silent_since: datetime | None = None
    mails: list[OutgoingMail] = field(default_factory=list)
    is_cut: bool = False  # there are more causes than are shown

    @property
    def is_all_well(self) -> bool:
        return not (
            self.causes
            or self.parked
            or self.late
            or self.silent_since
            or self.mails
            or any(outage.closed_at is None for outage in self.outages)
            or any(is_open(breaker) for breaker in self.breakers)
        )


def whats_wrong() -> WhatsWrong:
    """Six statements. Needs the staff's scope."""
    now = timezone.now()
    recently = now - RECOVERY_SHOWN_FOR
    causes = _causes(recently)
    is_open_now = [each for each in causes if each.over_at is None]
    breakers = _breakers(recently)
    late, silent_since = _late(now)
    return WhatsWrong(
        causes=is_open_now[:MOST],
        recovered=[each for each in causes if each.over_at is not None][:MOST],
        outages=_outages(recently, breakers),
        breakers=breakers,
        parked=_parked(),
        late=late,
        silent_since=silent_since,
        mails=_mails(),
        is_cut=len(is_open_now) > MOST,
    )


def _causes(recently: datetime) -> list[CauseGroup]:
    """Those that are open, then those that are over for less than a day; the oldest first."""
    groups: QuerySet[Any, Any] = (
        Incident.objects.filter(Q(closed_at=None) | Q(closed_at__gte=recently))
        .annotate(
            provider=F("connection__provider"),
            environment=F("connection__environment"),
            is_over=ExpressionWrapper(Q(closed_at__isnull=False), output_field=BooleanField()),
        )
        .values("provider", "environment", "cause", "responsible", "is_over")
        .annotate(
            connections=Count("connection_id", distinct=True),
            tenants=Count("tenant_id", distinct=True),
            since=Min("opened_at"),
            last_seen=Max("last_seen_at"),
            over_at=Max("closed_at"),
        )
        .order_by("is_over", "since")
    )
    rows = groups[: MOST_GROUPS + 1]
    return [CauseGroup(**{name: value for name, value in each.items() if name != "is_over"}) for each in rows]


def _breakers(recently: datetime) -> list[Any]:
    """Those that are open, and those that healed within the last day; servers' first. Each with whose call opened it."""
    of = Connection.objects.filter(pk=OuterRef("by"))
    rows = Breaker.objects.filter(opened_at__isnull=False).filter(Q(healed_at=None) | Q(healed_at__gte=recently))
    named: QuerySet[Any] = rows.annotate(
        provider=Subquery(of.values("provider")),
        environment=Subquery(of.values("environment")),
        company=Subquery(of.values("company_name")),
        tenant_name=Subquery(of.values("tenant__name")),
    )
    return list(named.order_by("of_connection", "-opened_at")[:MOST])


def _outages(recently: datetime, breakers: Collection[Any]) -> list[Any]:
    """Those under way, and those that ended within the last day; each with the customers that it hits and the next try."""
    hit = (
        Connection.objects.filter(
            provider=OuterRef("provider"), environment=OuterRef("environment"), state__in=STANDING
        )
        .order_by()
        .values("provider")
        .annotate(tenants=Count("tenant_id", distinct=True))
        .values("tenants")
    )
    rows = Outage.objects.filter(Q(closed_at=None) | Q(closed_at__gte=recently))
    outages: list[Any] = list(rows.annotate(tenants=Subquery(hit)).order_by("-opened_at")[:MOST])
    for outage in outages:
        tries = [
            each.next_at
            for each in breakers
            if (each.provider, each.environment) == (outage.provider, outage.environment)
            and not each.of_connection
            and is_open(each)
            and each.next_at
        ]
        outage.next_at = min(tries, default=None)
    return outages


def _parked() -> list[dict[str, Any]]:
    """Jobs that were given up, by kind and reason; the newest first."""
    groups: QuerySet[Any, Any] = (
        Job.objects.filter(state=JobState.PARKED)
        .order_by()
        .values("kind", "reason")
        .annotate(
            jobs=Count("id"), tenants=Count("tenant_id", distinct=True), since=Min("ended_at"), last=Max("ended_at")
        )
    )
    return list(groups.order_by("-last")[:MOST])


def _late(now: datetime) -> tuple[list[Queue], datetime | None]:
    """Queues whose oldest due job waits for too long: the beat, or the workers of that queue, are late. And when the lease
    of a job ended that nobody has taken over; None where every worker says that it lives.
    """
    oldest = [
        Job.objects.filter(OPEN, queue=queue, lane=lane, due_at__lt=now - LATE)
        .order_by("due_at")
        .values_list("queue", "due_at")[:1]
        for queue in QUEUES
        for lane in LANES
    ]
    leases = Job.objects.filter(lease_until__isnull=False, ended_at__isnull=True, lease_until__lt=now - SILENT)
    silent = leases.order_by("lease_until").values_list(Value(""), "lease_until")[:1]
    since: dict[str, datetime] = {}
    for queue, at in oldest[0].union(*oldest[1:], silent, all=True):
        since[queue] = min(at, since.get(queue, at))
    return [Queue(queue, since[queue]) for queue in QUEUES if queue in since], since.get("")


def _mails() -> list[OutgoingMail]:
    """Those that did not arrive, the newest first."""
    unsent = OutgoingMail.objects.filter(state__in=(MailState.FAILED, MailState.REFUSED))
    columns = ("id", "about", "state", "tries", "trouble", "recipients_hint", "created_at")
    return list(unsent.only(*columns).order_by("-created_at")[:MOST])
