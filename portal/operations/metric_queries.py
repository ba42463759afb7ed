"""The questions behind the metrics that only tables can tell. In the staff's scope; each by an index, or of a small table."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import timedelta

from django.db import connection
from django.db.models import Count, Min
from django.db.models.functions import Now
from django.utils import timezone
from prometheus_client.core import GaugeMetricFamily, Metric

from connections.jobs.registry import QUEUES, kinds
from connections.providers.registry import all_providers
from connections.sync.models import RunState, SyncRun
from connections.sync.time_shares import stuck_runs
from connections.transport.limits.rate_limiter import COUNTED_FROM, SLICES
from connections.transport.models import Breaker, Outcome, RequestLogEntry
from portal.notices.models import MailState, OutgoingMail

CALLS_WINDOW = timedelta(minutes=5)
RUNS_WINDOW = timedelta(hours=1)
OLDEST_JOBS = 10_000  # of each queue, whose kinds are told apart
OTHER = "other"  # stands for every name that is none of ours

_OLDEST_BY_KIND = """
SELECT kind, extract(epoch FROM statement_timestamp() - min(due_at))::float8, count(*)
FROM unnest(%s::text[]) AS line (queue) CROSS JOIN LATERAL (
    SELECT kind, due_at FROM jobs_job WHERE lease_until IS NULL AND ended_at IS NULL AND state || '' = 'queued'
    AND queue = line.queue AND due_at <= statement_timestamp() ORDER BY lane, due_at LIMIT %s
) AS job GROUP BY kind
"""

_LARGEST_COUNT = """
SELECT coalesce(max((SELECT sum(kept.used::int) FROM jsonb_each_text(counts) AS kept (slice, used)
    WHERE kept.slice::bigint >= floor(extract(epoch FROM clock_timestamp()) / %s)::bigint - %s)), 0)
FROM transport_quotawindow WHERE starts_with(key, %s) AND counts <> '{}'
"""


def families() -> Iterator[Metric]:
    """Raises DatabaseError."""
    yield from _jobs_by_kind()
    yield from _calls()
    yield from (_runs(), _stuck_runs())
    yield _breakers()
    yield from _mails()
    yield _quotas()


def _jobs_by_kind() -> Iterator[Metric]:
    known = {kind.name for kind in kinds()}
    late, due = dict.fromkeys(known, 0.0), dict.fromkeys(known, 0)
    with connection.cursor() as cursor:
        cursor.execute(_OLDEST_BY_KIND, [list(QUEUES), OLDEST_JOBS])
        for kind, seconds, count in cursor.fetchall():
            name = kind if kind in known else OTHER
            late[name] = max(late.get(name, 0.0), seconds)
            due[name] = due.get(name, 0) + count
    ages = GaugeMetricFamily(
        "pilotage_job_age_seconds", "For how long the oldest due job of a kind is due.", labels=["kind"]
    )
    counts = GaugeMetricFamily("pilotage_due_jobs_of_kind", "Due jobs by kind.", labels=["kind"])
    for name in sorted(late):
        ages.add_metric([name], late[name])
        counts.add_metric([name], due[name])
    yield from (ages, counts)


def _calls() -> Iterator[Metric]:
    """Of the last minutes; a call is written down with the page that it brought, some seconds later."""
    entries = RequestLogEntry.objects.filter(at__gt=Now() - CALLS_WINDOW).order_by()
    names = list(all_providers())
    calls = GaugeMetricFamily(
        "pilotage_calls_last_5_minutes", "Requests to providers, by how they ended.", labels=["provider", "outcome"]
    )
    tokens = GaugeMetricFamily(
        "pilotage_token_requests_last_5_minutes", "Those of them for tokens.", labels=["provider", "outcome"]
    )
    for family, rows in (
        (calls, entries),
        (tokens, entries.filter(operation__in=("token", "token.code"))),
    ):
        counted: dict[tuple[str, str], int] = defaultdict(int)
        for provider, outcome, count in rows.values_list("provider", "outcome").annotate(count=Count("id")):
            counted[provider if provider in names else OTHER, outcome] += count
        for name in names:
            for outcome in Outcome.values:
                family.add_metric([name, outcome], counted[name, outcome])
        yield family


def _runs() -> Metric:
    rows = SyncRun.objects.filter(queued_at__gt=Now() - RUNS_WINDOW).order_by()
    counted = dict(rows.values_list("state").annotate(count=Count("id")))
    family = GaugeMetricFamily(
        "pilotage_runs_last_hour", "Sync runs that were asked for within the hour, by state.", labels=["state"]
    )
    for state in RunState.values:
        family.add_metric([state], counted.get(state, 0))
    return family


def _stuck_runs() -> Metric:
    """Those that the staff's list of runs calls stuck: they do not go on by themselves, or wait for more than a day."""
    count = SyncRun.objects.filter(stuck_runs(timezone.now())).order_by().count()
    return GaugeMetricFamily("pilotage_stuck_runs", "Sync runs that do not go on, or wait very long.", value=count)


def _breakers() -> Metric:
    open_ones = Breaker.objects.filter(opened_at__isnull=False, healed_at=None).order_by()
    counted = dict(open_ones.values_list("of_connection").annotate(count=Count("key")))
    family = GaugeMetricFamily(
        "pilotage_open_breakers", "Servers, and connections, that are in trouble just now.", labels=["of"]
    )
    family.add_metric(["server"], counted.get(False, 0))
    family.add_metric(["connection"], counted.get(True, 0))
    return family


def _mails() -> Iterator[Metric]:
    rows = OutgoingMail.objects.order_by().values_list("state").annotate(count=Count("id"), oldest=Min("created_at"))
    by_state = {state: (count, oldest) for state, count, oldest in rows}
    family = GaugeMetricFamily("pilotage_mails", "Mails that are kept, by state.", labels=["state"])
    for state in MailState.values:
        family.add_metric([state], by_state.get(state, (0, None))[0])
    yield family
    _count, oldest = by_state.get(MailState.QUEUED, (0, None))
    seconds = (timezone.now() - oldest).total_seconds() if oldest else 0.0
    yield GaugeMetricFamily("pilotage_oldest_mail_seconds", "For how long a mail waits to be sent.", value=seconds)


def _quotas() -> Metric:
    """Of quotas over an hour or more: shorter ones only give places in a line."""
    family = GaugeMetricFamily(
        "pilotage_quota_share", "Part of a quota that is used up, of whoever used most.", labels=["provider"]
    )
    for provider in all_providers().values():
        shares = []
        for quota in provider.quotas:
            if quota.per >= COUNTED_FROM:
                with connection.cursor() as cursor:
                    slice_seconds = quota.per.total_seconds() / SLICES
                    cursor.execute(_LARGEST_COUNT, [slice_seconds, SLICES + 1, f"{provider.slug}:"])
                    shares.append(cursor.fetchone()[0] / quota.calls)
        if shares:
            family.add_metric([provider.slug], max(shares))
    return family
