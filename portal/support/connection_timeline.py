"""A connection on one axis: its requests, runs, waits, findings, incidents, logins, changes with who made them, and mails."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from heapq import merge
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import admin
from django.db.models import Model, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from connections.providers import registry
from connections.spec.text import Text
from connections.sync import sentences
from connections.sync.models import RunLogLine, SyncRun
from connections.tenancy.models import AuditEvent
from connections.transport.models import AuthorizationAttempt, RequestLogEntry
from connections.vault.models import Connection
from portal.incidents.models import Incident, Notice
from portal.members.run_words import share_rows
from portal.members.statuses import status_of
from portal.onboarding.models import Evidence
from portal.onboarding.progress import sentence
from portal.support.formatting import badge, fault_words, outcome
from portal.support.time_parameters import (
    SINCE,
    SPANS,
    UNTIL,
    format_time_parameter,
    local_input,
    parse_time,
    with_absolute_times,
)

KIND = "kind"
SHOWN = 100  # moments at once
AROUND = timedelta(minutes=10)  # before and after a moment that is pressed
FIRST_SPAN = "7d"  # without a time in the address
# Of a run's log: where it waits, stands still or loses something. Everything else stands on the run's own page.
WAITS = (sentences.WAITING, sentences.PAUSED, sentences.RESUMED, sentences.TAKEN_OVER, sentences.SMALLER_PAGES)
DETAILS_SHOWN = ("reason", "checkpoint", "name", "before", "after", "trigger", "networks")  # of an event
QUICK = ("1h", "24h", "7d", "30d", "365d")


@dataclass(frozen=True)
class ConnectionMoment:
    """One thing that happened. `address`: the page of it; `more`: a quieter line."""

    at: datetime
    kind: str
    what: object
    mark: SafeString | str = ""
    more: str = ""
    who: str = ""
    address: str = ""

    @property
    def label(self) -> Text:
        return KINDS[self.kind][0]


@dataclass(frozen=True)
class TimelineSpan:
    """Which connection, and from when to when; both ends belong to it."""

    connection: Connection
    since: datetime
    until: datetime

    def rows(self, rows: QuerySet[Any], column: str) -> QuerySet[Any]:
        """The newest of these, one more than is shown."""
        within = {f"{column}__gte": self.since, f"{column}__lte": self.until}
        return rows.filter(**within, tenant_id=self.connection.tenant_id).order_by(f"-{column}", "-id")[: SHOWN + 1]


def connection_timeline(request: HttpRequest, key: UUID) -> HttpResponse:
    """One page of it, the newest first; one query for each kind that is shown. Raises Http404."""
    connection = Connection.objects.select_related("tenant").filter(pk=key).first()
    if connection is None:
        raise Http404
    moments_asked = with_absolute_times(request.GET, timezone.now())
    if moments_asked is not None:
        return redirect(f"{request.path}?{moments_asked.urlencode()}")
    until = parse_time(request.GET.get(UNTIL, "")) or timezone.now()
    since = parse_time(request.GET.get(SINCE, "")) or until - SPANS[FIRST_SPAN]
    kind = request.GET.get(KIND, "")
    moments, earlier = read_moments(TimelineSpan(connection, since, until), kind if kind in KINDS else "")
    chosen = {name: request.GET[name] for name in (SINCE, UNTIL, KIND) if request.GET.get(name)}
    context = {
        **admin.site.each_context(request),
        "title": _("Timeline of a connection"),
        "connection": connection,
        "moments": [(moment, _around(request.path, moment.at, kind)) for moment in moments],
        "since": since,
        "until": until,
        "since_input": local_input(since),
        "until_input": local_input(until),
        "kind": kind,
        "kinds": [("", _("everything")), *((name, label) for name, (label, _read) in KINDS.items())],
        "spans": [(span, _with(request.path, {SINCE: span, KIND: kind})) for span in QUICK],
        "earlier": _with(request.path, {**chosen, SINCE: _exact(since), UNTIL: _exact(earlier)}) if earlier else "",
    }
    return TemplateResponse(request, "admin/vault/connection/timeline.html", context)


def read_moments(span: TimelineSpan, kind: str = "") -> tuple[list[ConnectionMoment], datetime | None]:
    """The newest of a span, and the instant with which the part before begins; None where there is none."""
    kinds = [kind] if kind else list(KINDS)
    moments = list(merge(*(KINDS[name][1](span) for name in kinds), key=lambda each: each.at, reverse=True))
    if len(moments) <= SHOWN:
        return moments, None
    earlier = moments[SHOWN].at
    # What happened in one and the same instant stays together, or the next part would begin in its middle.
    part = [moment for moment in moments[:SHOWN] if moment.at > earlier]
    return (part, earlier) if part else (moments[:SHOWN], earlier - timedelta(microseconds=1))


def _requests(span: TimelineSpan) -> Iterator[ConnectionMoment]:
    for entry in span.rows(RequestLogEntry.objects.filter(connection_id=span.connection.id), "at"):
        call = f"{entry.method} {entry.path_template}"
        attempt = _("attempt %(n)d") % {"n": entry.attempt} if entry.attempt > 1 else ""
        more = ", ".join(filter(None, (f"{entry.duration_ms} ms", attempt, fault_words(entry.provider, entry.fault))))
        yield ConnectionMoment(entry.at, "requests", call, outcome(entry), more, address=_page(entry))


def _runs(span: TimelineSpan) -> Iterator[ConnectionMoment]:
    for run in span.rows(SyncRun.objects.filter(connection_id=span.connection.id), "queued_at"):
        spent = ", ".join(f"{share.label}: {share.percent} %" for share in share_rows(run)[:4])
        lasted = _("lasted %(time)s") % {"time": str(run.ended_at - run.queued_at)[:7]} if run.ended_at else ""
        more = "; ".join(filter(None, (lasted, spent, fault_words(span.connection.provider, run.fault))))
        yield ConnectionMoment(
            run.queued_at,
            "runs",
            run.get_trigger_display(),
            badge(status_of(run)),
            more,
            who=run.asked_by,
            address=_page(run),
        )


def _waits(span: TimelineSpan) -> Iterator[ConnectionMoment]:
    # A wait belongs to a run that was asked for before it, perhaps long before.
    lately = SyncRun.objects.for_connection(span.connection).filter(
        Q(ended_at=None) | Q(ended_at__gte=span.since), queued_at__lte=span.until
    )
    runs = lately.filter(tenant_id=span.connection.tenant_id).order_by("-queued_at").values("id")[:SHOWN]
    for line in span.rows(RunLogLine.objects.filter(run_id__in=runs, code__in=WAITS), "at"):
        words = sentences.read(line, span.connection.provider)
        address = reverse("admin:sync_syncrun_change", args=[line.run_id])
        yield ConnectionMoment(line.at, "waits", words.sentence, badge(status_of(line, "level")), address=address)


def _findings(span: TimelineSpan) -> Iterator[ConnectionMoment]:
    provider = registry.find(span.connection.provider)
    evidence = Evidence.objects.filter(mark__onboarding__connection_id=span.connection.id).select_related("mark")
    for row in span.rows(evidence, "at"):
        words = sentence(provider, row.code, row.values) if provider else row.code
        address = reverse("admin:transport_requestlogentry_change", args=[row.entry_id]) if row.entry_id else ""
        yield ConnectionMoment(
            row.at, "findings", row.mark.checkpoint, badge(status_of(row)), words, row.actor_name, address
        )


def _incidents(span: TimelineSpan) -> Iterator[ConnectionMoment]:
    """When each was opened and when it was over."""
    mine = Incident.objects.filter(tenant_id=span.connection.tenant_id, connection_id=span.connection.id)
    within = Q(opened_at__range=(span.since, span.until)) | Q(closed_at__range=(span.since, span.until))
    both = []
    for row in mine.filter(within).order_by("-opened_at")[: SHOWN + 1]:
        words = fault_words(span.connection.provider, row.cause)
        for at, what in ((row.opened_at, _("An incident began")), (row.closed_at, _("An incident was over"))):
            if at is not None and span.since <= at <= span.until:
                both.append(ConnectionMoment(at, "incidents", what, more=words, address=_page(row)))
    return iter(sorted(both, key=lambda each: each.at, reverse=True))


def _changes(span: TimelineSpan) -> Iterator[ConnectionMoment]:
    for event in span.rows(AuditEvent.objects.filter(subject=str(span.connection.id)), "happened_at"):
        details = [f"{name}: {event.details[name]}" for name in DETAILS_SHOWN if event.details.get(name)]
        yield ConnectionMoment(
            event.happened_at,
            "changes",
            event.action,
            more=", ".join(details),
            who=event.actor_name,
            address=_page(event),
        )


def _logins(span: TimelineSpan) -> Iterator[ConnectionMoment]:
    # Of the columns staff may read.
    columns = ("id", "login", "actor_name", "state", "started_at", "reason_code", "entry_id")
    mine = AuthorizationAttempt.objects.filter(connection_id=span.connection.id).only(*columns)
    for row in span.rows(mine, "started_at"):
        address = reverse("admin:transport_requestlogentry_change", args=[row.entry_id]) if row.entry_id else ""
        why = fault_words(span.connection.provider, row.reason_code)
        yield ConnectionMoment(
            row.started_at, "logins", row.login, badge(status_of(row)), why, row.actor_name, address
        )


def _mails(span: TimelineSpan) -> Iterator[ConnectionMoment]:
    ended = Notice.objects.filter(connection_id=span.connection.id).exclude(outcome="").select_related("user")
    for row in span.rows(ended.defer("user__password"), "ended_at"):
        yield ConnectionMoment(
            row.ended_at, "mails", row.get_kind_display(), badge(status_of(row, "outcome")), who=row.user.email
        )


KINDS: dict[str, tuple[Text, Callable[[TimelineSpan], Iterator[ConnectionMoment]]]] = {
    "requests": (gettext_lazy("request"), _requests),
    "runs": (gettext_lazy("run"), _runs),
    "waits": (gettext_lazy("wait"), _waits),
    "findings": (gettext_lazy("finding"), _findings),
    "incidents": (gettext_lazy("incident"), _incidents),
    "logins": (gettext_lazy("login"), _logins),
    "changes": (gettext_lazy("change"), _changes),
    "mails": (gettext_lazy("mail"), _mails),
}


def _page(row: Model) -> str:
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])


def _exact(at: datetime) -> str:
    return at.isoformat()


def _with(path: str, query: dict[str, str]) -> str:
    return f"{path}?{urlencode({name: value for name, value in query.items() if value})}"


def _around(path: str, at: datetime, kind: str) -> str:
    ends = {SINCE: format_time_parameter(at - AROUND), UNTIL: format_time_parameter(at + AROUND)}
    return _with(path, {**ends, KIND: kind})
