"""Paste anything - an id of ours or a provider's, an address, an e-mail, a whole mail with several - and land on it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import islice
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.db.models import Model, Q, QuerySet, Value
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from connections.calls.models import Call
from connections.jobs.models import Job
from connections.sync.models import SyncRun
from connections.tenancy.models import AuditEvent, SystemAuditEvent, Tenant
from connections.transport.models import RequestLogEntry
from connections.vault.fields import sealed_columns
from connections.vault.models import ClientRegistration, Connection
from portal.incidents.models import Incident, Outage
from portal.members.models import Invitation, User
from portal.notices.models import OutgoingMail
from portal.support import row_owners, search_queries
from portal.support.formatting import place
from portal.support.formatting import text as harmless
from portal.support.formatting import when_in_words as when
from portal.support.search_text import SearchText, parse_search_text
from portal.support.time_parameters import format_time_parameter

MOST_OF_A_KIND = 10  # of each kind; its list shows the rest
MOST_INVITED = 50
AROUND = timedelta(minutes=5)  # a time that stands in a mail


@dataclass(frozen=True)
class Hit:
    """One thing that was found: what it is, what tells it apart, its staff page, and its tenant's slug, if it has one."""

    kind: str
    title: str
    detail: str
    address: str
    tenant: str = ""
    number: str = ""  # a provider's, of a request


@dataclass
class SearchResult:
    """What goes by the text. `more`: lists with the rest of a kind. `around`: the request log at the times in it."""

    hits: list[Hit] = field(default_factory=list)
    more: list[tuple[str, str]] = field(default_factory=list)
    around: list[tuple[datetime, str]] = field(default_factory=list)
    is_cut: bool = False


@dataclass(frozen=True)
class SearchedModel:
    """What has a staff page. `rows` are those that an id of ours, or what `search_queries` reads for the model, may name."""

    model: type[Model]
    label: Promise | str
    rows: Callable[[], QuerySet[Any]]
    title: Callable[[Any], object]
    detail: Callable[[Any], object]

    def hit(self, row: Any) -> Hit:
        tenant = row if isinstance(row, Tenant) else getattr(row, "tenant", None)
        return Hit(
            str(self.label),
            harmless(self.title(row)),
            harmless(self.detail(row)),
            address_of(self.model, row.pk),
            tenant.slug if tenant is not None else "",
            getattr(row, "provider_request_id", "").lower() if self.model is RequestLogEntry else "",
        )


def address_of(model: type[Model], key: object) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_change", args=[key])


def list_of(model: type[Model], **query: str) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist") + f"?{urlencode(query)}"


def _request(entry: RequestLogEntry) -> str:
    return f"{when(entry.at)}, {place(entry.provider, entry.environment)}, {entry.status or '–'}"


def _where(connection: Connection) -> str:
    return f"{place(connection.provider, connection.environment)} {connection.company_name}".strip()


# In the order of the answer. The staff's role has no right on the other columns of calls, registrations and mails.
KINDS = (
    SearchedModel(
        RequestLogEntry,
        gettext_lazy("Request"),
        lambda: RequestLogEntry.objects.prefetch_related("tenant").order_by("-at", "-id"),
        str,
        _request,
    ),
    SearchedModel(
        SyncRun,
        gettext_lazy("Sync run"),
        lambda: SyncRun.objects.select_related("tenant"),
        lambda run: when(run.queued_at),
        lambda run: f"{run.tenant.name}, {run.get_state_display()}",
    ),
    SearchedModel(
        Incident,
        gettext_lazy("Incident"),
        lambda: Incident.objects.select_related("tenant", "connection"),
        lambda incident: f"{incident.cause} {when(incident.opened_at)}",
        lambda incident: (
            f"{incident.tenant.name}, {place(incident.connection.provider, incident.connection.environment)}"
        ),
    ),
    SearchedModel(
        Outage,
        gettext_lazy("Outage"),
        lambda: Outage.objects.all(),
        lambda outage: place(outage.provider, outage.environment),
        lambda outage: when(outage.opened_at),
    ),
    SearchedModel(
        Call,
        gettext_lazy("Call"),
        lambda: Call.objects.select_related("tenant").only("id", "operation", "state", "asked_at", "tenant"),
        lambda call: f"{call.operation} {when(call.asked_at)}",
        lambda call: f"{call.tenant.name}, {call.get_state_display()}",
    ),
    SearchedModel(
        Tenant,
        gettext_lazy("Tenant"),
        lambda: Tenant.objects.order_by("name", "id"),
        lambda tenant: tenant.name,
        lambda tenant: f"{tenant.slug}, {tenant.get_state_display()}",
    ),
    SearchedModel(
        Connection,
        gettext_lazy("Connection"),
        lambda: Connection.objects.select_related("tenant").order_by("-created_at", "-id"),
        _where,
        lambda connection: connection.tenant.name,
    ),
    SearchedModel(
        User,
        gettext_lazy("Person"),
        lambda: User.objects.defer("password").order_by("email"),
        str,
        lambda user: user.email,
    ),
    SearchedModel(
        ClientRegistration,
        gettext_lazy("Client registration"),
        lambda: ClientRegistration.objects.defer(*sealed_columns(ClientRegistration)).order_by(
            "provider", "environment"
        ),
        lambda row: place(row.provider, row.environment),
        lambda row: row.client_id,
    ),
    SearchedModel(
        Job,
        gettext_lazy("Job"),
        lambda: Job.objects.select_related("tenant").order_by("-created_at", "-id"),
        lambda job: job.kind,
        lambda job: job.get_state_display(),
    ),
    SearchedModel(
        OutgoingMail,
        gettext_lazy("Mail"),
        lambda: OutgoingMail.objects.only("id", "state", "created_at"),
        lambda mail: when(mail.created_at),
        lambda mail: mail.get_state_display(),
    ),
    SearchedModel(
        AuditEvent,
        gettext_lazy("Audit event"),
        lambda: AuditEvent.objects.select_related("tenant"),
        str,
        lambda event: f"{event.tenant.name}, {when(event.happened_at)}",
    ),
    SearchedModel(
        SystemAuditEvent,
        gettext_lazy("System audit event"),
        lambda: SystemAuditEvent.objects.all(),
        str,
        lambda event: f"{event.actor_name}, {when(event.happened_at)}",
    ),
)
_KIND_OF = {kind.model: kind for kind in KINDS}


def find(text: str) -> SearchResult:
    """Everything that a text names, ten of a kind at most, with the lists that show the rest. Needs the staff's scope.

    The number of queries depends on the text's sorts of ids, never on how many there are. Each look-up is an equality
    or a range on an index; only names of tenants, companies and people, and parts of people's e-mail addresses, are
    searched in the middle.
    """
    search_text = parse_search_text(text)
    result = SearchResult(is_cut=search_text.is_cut)
    if not search_text.text:
        return result
    pages = [row_owners.keys_of(page) for page in search_text.pages]
    keys = {*search_text.ids, *(key for keys in pages for key in keys)}
    all_hits = list(_rows_matching(KINDS[0], search_text, [], result, is_named=False))
    if all_hits and len(search_text.text.split()) == 1 and search_text.text in search_text.words:
        # One word, and it is a provider's id of requests: every other table is spared the question. Ours may stand there,
        # too, where a provider gives back what it was sent.
        ours = KINDS[0].rows().filter(pk__in=keys) if keys else ()
        result.hits = list({hit.address: hit for hit in [*all_hits, *map(KINDS[0].hit, ours)]}.values())
        return result
    numbers = {key for key in keys if any(hit.number in (str(key), key.hex) for hit in all_hits)}
    hits = _by_key(keys, search_text, result, is_theirs=numbers)
    ordered_keys = [*search_text.ids, *(next((key for key in each if key in hits), None) for each in pages)]
    all_hits += [hit for key in ordered_keys if key is not None for hit in hits.get(key, ())]
    all_hits += [hit for key in hits.keys() - keys for hit in hits[key]]  # by their beginnings
    pages_without_row = [
        page for page, each in zip(search_text.pages, pages, strict=True) if not any(key in hits for key in each)
    ]
    is_named = not any(hit.kind == str(KINDS[0].label) for hit in all_hits)
    for kind in KINDS[1:]:
        all_hits += _rows_matching(kind, search_text, pages_without_row, result, is_named=is_named)
    all_hits += _invited(search_text, result)
    order = [str(kind.label) for kind in KINDS]
    rank = {label: place for place, label in enumerate(order)}
    distinct = {hit.address: hit for hit in reversed(all_hits)}
    result.hits = sorted(reversed(distinct.values()), key=lambda hit: rank.get(hit.kind, len(rank)))
    result.around = [(at, _requests_around(at, result.hits)) for at in search_text.times]
    return result


def _by_key(
    keys: set[UUID], search_text: SearchText, result: SearchResult, *, is_theirs: set[UUID]
) -> dict[UUID, list[Hit]]:
    """What these ids, and those that begin so, are of; where an id has no page, the page of what it belongs to; else the
    jobs that work on it. `is_theirs`: ids that are a provider's, and are not looked for everywhere.
    """
    if not keys and not search_text.beginnings:
        return {}
    hits: dict[UUID, list[Hit]] = {}
    for kind, there in _there(Q(pk__in=keys) | search_queries.pk_in_ranges(search_text.beginnings)):
        for row in kind.rows().filter(pk__in=there):
            hits.setdefault(row.pk, []).append(kind.hit(row))
    if missing := keys - hits.keys() - is_theirs:
        for owner, name, owned in row_owners.owners(missing):
            kind = _KIND_OF[owner]
            hits_by_owner = {row.pk: kind.hit(row) for row in kind.rows().filter(pk__in=set(owned.values()))}
            for key, of in owned.items():
                if of in hits_by_owner:
                    hits.setdefault(key, []).append(replace(hits_by_owner[of], kind=capfirst(str(name))))
    if missing := keys - hits.keys() - is_theirs:
        rows = list(_KIND_OF[Job].rows().filter(search_queries.jobs_about(missing))[: MOST_OF_A_KIND + 1])
        for job in rows[:MOST_OF_A_KIND]:
            hits.setdefault(job.subject, []).append(_KIND_OF[Job].hit(job))
        if len(rows) > MOST_OF_A_KIND:
            result.more.append((str(Job._meta.verbose_name_plural), list_of(Job, q=" ".join(map(str, missing)))))
    return hits


def _there(question: Q) -> Iterator[tuple[SearchedModel, list[UUID]]]:
    """The kinds that have such ids, with the ids. One query, of primary keys alone."""
    kinds = [kind for kind in KINDS if kind.model is not User]
    queries = [
        kind.model._default_manager.order_by().filter(question).values_list(Value(number), "pk")
        for number, kind in enumerate(kinds)
    ]
    there: dict[int, list[UUID]] = {}
    for number, key in queries[0].union(*queries[1:], all=True):
        there.setdefault(number, []).append(key)
    for number, ids in sorted(there.items()):
        yield kinds[number], ids


def _rows_matching(
    kind: SearchedModel, search_text: SearchText, pages: list[Any], result: SearchResult, *, is_named: bool
) -> Iterable[Hit]:
    """By everything that is no id of ours."""
    rows: dict[Any, Any] = {}
    for question in search_queries.search_conditions(kind.model, search_text, pages, is_named=is_named):
        for row in kind.rows().filter(question)[: MOST_OF_A_KIND + 1]:
            rows[row.pk] = row
    if len(rows) > MOST_OF_A_KIND:
        result.more.append((str(kind.model._meta.verbose_name_plural), list_of(kind.model, q=search_text.text)))
    return [kind.hit(row) for row in islice(rows.values(), MOST_OF_A_KIND)]


def _invited(search_text: SearchText, result: SearchResult) -> Iterator[Hit]:
    """People who were invited and have not come: the page is the tenant's."""
    if not search_text.emails:
        return
    invited = Invitation.objects.select_related("tenant").filter(email__in=search_text.emails, accepted_at=None)
    rows = list(invited.order_by("-created_at")[: MOST_INVITED + 1])
    result.is_cut |= len(rows) > MOST_INVITED  # there is no list of them: whoever reads pastes fewer addresses at once
    for invitation in rows[:MOST_INVITED]:
        tenant = invitation.tenant
        yield Hit(_("Invitation"), invitation.email, tenant.name, address_of(Tenant, tenant.pk), tenant.slug)


def _requests_around(at: datetime, hits: list[Hit]) -> str:
    """The request log around a moment, of the one tenant that the rest of the text is about."""
    tenants = {hit.tenant for hit in hits if hit.tenant}
    filters = {"tenant": next(iter(tenants))} if len(tenants) == 1 else {}
    return list_of(
        RequestLogEntry, since=format_time_parameter(at - AROUND), until=format_time_parameter(at + AROUND), **filters
    )
