"""The search box above each list of the staff pages. A log shows the rows of the first meaning of the text that has any."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.db.models import Model, Q, QuerySet
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from connections.calls.models import Call
from connections.sync.models import SyncRun
from connections.tenancy.models import Tenant
from connections.transport.models import RequestLogEntry
from connections.vault.models import Connection
from portal.members.models import User
from portal.support import row_owners, search_queries
from portal.support.search_text import SearchText, parse_search_text

MOST = 100  # tenants, connections or requests that a long table is asked for at once

Pair = tuple[UUID, UUID]  # tenant and connection: the tenant leads every index


@dataclass(frozen=True)
class SearchedRows:
    """The rows that are meant, and a sentence with a link where not all that the text names could be asked for."""

    rows: QuerySet[Any]
    left_out: SafeString | str = ""


def ids_in(search_text: SearchText) -> list[UUID]:
    """Ids of ours in the text, and of each address of ours in it the id that the page is about."""
    pages = [keys[0] for page in search_text.pages if (keys := row_owners.keys_of(page))]
    return list(dict.fromkeys([*search_text.ids, *pages]))


def rows_matching(rows: QuerySet[Any], model: type[Model], search_text: SearchText) -> SearchedRows:
    """The rows of a table that is no log: everything that the search over all tables finds there."""
    question = (
        Q() if model is User else Q(pk__in=ids_in(search_text)) | search_queries.pk_in_ranges(search_text.beginnings)
    )
    for each in search_queries.search_conditions(model, search_text, search_text.pages):
        question |= each
    return SearchedRows(rows.filter(question) if question else rows.none())


def tenants_matching(search_text: SearchText) -> QuerySet[Tenant]:
    return rows_matching(Tenant.objects.order_by("name", "id"), Tenant, search_text).rows


def search_connections(rows: QuerySet[Any], search_text: SearchText) -> SearchedRows:
    """Connections that the search over all tables finds, and all connections of the tenants that it finds."""
    ours = rows_matching(rows, Connection, search_text).rows
    tenants = rows_matching(Tenant.objects.order_by(), Tenant, search_text).rows
    return SearchedRows(rows.filter(Q(pk__in=ours.values("pk")) | Q(tenant_id__in=tenants.values("pk"))))


def search_requests(rows: QuerySet[Any], search_text: SearchText) -> SearchedRows:
    """Log entries by their id, a provider request id, a connection, run, call, status or tenant, a company or client id."""
    text = search_text.text
    if len(text) == 3 and text.isascii() and text.isdigit() and 100 <= int(text) <= 599:
        return SearchedRows(rows.filter(status=int(text)))
    keys = ids_in(search_text)
    readings = [Q(id__in=keys), search_queries.with_request_ids(search_queries.request_ids(search_text))]
    named = [each for each in readings if RequestLogEntry.objects.filter(each).exists()]
    if ids := _ids_beginning_so(RequestLogEntry, search_text):
        named.append(Q(id__in=ids))
    if named:
        return SearchedRows(rows.filter(reduce(or_, named)))
    if keys:
        if entries := list(Call.objects.filter(id__in=keys).values_list("entry_id", flat=True)):
            return SearchedRows(rows.filter(id__in=entries))
        if pairs := _pairs(Connection.objects.filter(id__in=keys)):
            return SearchedRows(rows.filter(_of(pairs)))
        if not Tenant.objects.filter(id__in=keys).exists():
            return SearchedRows(rows.filter(run_id__in=keys))
    return _search_tenants_and_companies(rows, search_text)


def search_runs(rows: QuerySet[Any], search_text: SearchText) -> SearchedRows:
    """Runs by their id, a connection, the request that ended it; a company or client id; a tenant."""
    keys = ids_in(search_text)
    if keys and SyncRun.objects.filter(id__in=keys).exists():
        return SearchedRows(rows.filter(id__in=keys))
    if ids := _ids_beginning_so(SyncRun, search_text):
        return SearchedRows(rows.filter(id__in=ids))
    if keys and (pairs := _pairs(Connection.objects.filter(id__in=keys))):
        return SearchedRows(rows.filter(_of(pairs)))
    if entries := _entries(search_text, keys):
        return SearchedRows(rows.filter(id__in=[run for _entry, _pair, run in entries if run]))
    return _search_tenants_and_companies(rows, search_text)


def search_incidents(rows: QuerySet[Any], search_text: SearchText) -> SearchedRows:
    """Incidents by their id, a connection or the run that showed one; a company or client id; a tenant."""
    keys = ids_in(search_text)
    if keys and (pairs := _pairs(Connection.objects.filter(id__in=keys))):
        return SearchedRows(rows.filter(_of(pairs)))
    if keys and rows.model._default_manager.filter(Q(id__in=keys) | Q(run_id__in=keys)).exists():
        return SearchedRows(rows.filter(Q(id__in=keys) | Q(run_id__in=keys)))
    if ids := _ids_beginning_so(rows.model, search_text):
        return SearchedRows(rows.filter(id__in=ids))
    return _search_tenants_and_companies(rows, search_text)


def search_departures(rows: QuerySet[Any], search_text: SearchText) -> SearchedRows:
    """Departures and hand-offs by their id or a connection; a company or client id; a tenant."""
    keys = ids_in(search_text)
    if keys and (pairs := _pairs(Connection.objects.filter(id__in=keys))):
        return SearchedRows(rows.filter(_of(pairs)))
    if keys:
        return SearchedRows(rows.filter(id__in=keys))
    if ids := _ids_beginning_so(rows.model, search_text):
        return SearchedRows(rows.filter(id__in=ids))
    return _search_tenants_and_companies(rows, search_text)


def search_calls(rows: QuerySet[Any], search_text: SearchText) -> SearchedRows:
    """Calls by their id, a connection, its request; a company or client id; a tenant."""
    keys = ids_in(search_text)
    if keys and Call.objects.filter(id__in=keys).exists():
        return SearchedRows(rows.filter(id__in=keys))
    if ids := _ids_beginning_so(Call, search_text):
        return SearchedRows(rows.filter(id__in=ids))
    if keys and (pairs := _pairs(Connection.objects.filter(id__in=keys))):
        return SearchedRows(rows.filter(_of(pairs)))
    if entries := _entries(search_text, keys):
        # There is no index on the entry; there is one on its connection.
        question = Q()
        for entry, (tenant, connection), _run in entries:
            question |= Q(tenant_id=tenant, connection_id=connection, entry_id=entry)
        return SearchedRows(rows.filter(question))
    return _search_tenants_and_companies(rows, search_text)


def search_jobs(rows: QuerySet[Any], search_text: SearchText) -> SearchedRows:
    """Jobs by their id, what they work on, their kind or the first word of that."""
    keys = ids_in(search_text)
    if keys:
        return SearchedRows(rows.filter(Q(id__in=keys) | search_queries.jobs_about(keys)))
    if ids := _ids_beginning_so(rows.model, search_text):
        return SearchedRows(rows.filter(id__in=ids))
    return SearchedRows(rows.filter(Q(kind=search_text.text) | Q(kind__startswith=f"{search_text.text}.")))


def search_mails(rows: QuerySet[Any], search_text: SearchText) -> SearchedRows:
    """Mails by their id or what they were about, such as an invitation."""
    keys = ids_in(search_text)
    if not keys and (ids := _ids_beginning_so(rows.model, search_text)):
        return SearchedRows(rows.filter(id__in=ids))
    return SearchedRows(rows.filter(Q(id__in=keys) | Q(about__in=keys)))


def search_events(rows: QuerySet[Any], search_text: SearchText) -> SearchedRows:
    """Audit events by their id, a subject, a person under whatever address, an action or the beginning of one."""
    keys = ids_in(search_text)
    if keys:
        if rows.model._default_manager.filter(id__in=keys).exists():
            return SearchedRows(rows.filter(id__in=keys))
        return SearchedRows(rows.filter(subject__in=map(str, keys)))
    people: list[int] = []
    if search_text.emails or search_text.people:
        named = rows_matching(User.objects.order_by("email"), User, search_text).rows
        people = list(named.values_list("pk", flat=True)[: MOST + 1])
    subjects = [search_text.text, *search_text.emails, *search_text.words]
    names = [search_text.text, *search_text.emails]
    for question in (
        Q(subject__in=subjects) | Q(actor_id__in=people[:MOST]) | Q(actor_name__in=names),
        Q(action__startswith=search_text.text),
    ):
        if rows.model._default_manager.filter(question).exists():
            return SearchedRows(
                rows.filter(question), _sentence_left_out(User, search_text) if len(people) > MOST else ""
            )
    if ids := _ids_beginning_so(rows.model, search_text):
        return SearchedRows(rows.filter(id__in=ids))
    return SearchedRows(rows.none())


def search_log_entries(rows: QuerySet[Any], search_text: SearchText) -> SearchedRows:
    """What admins changed, by its id or name, or by who changed it. Few rows: admins make them by hand."""
    keys = [*map(str, ids_in(search_text)), *map(str, search_text.people)]
    if keys:
        return SearchedRows(rows.filter(object_id__in=keys))
    return SearchedRows(
        rows.filter(Q(object_repr__icontains=search_text.text) | Q(user__email__icontains=search_text.text))
    )


def _search_tenants_and_companies(rows: QuerySet[Any], search_text: SearchText) -> SearchedRows:
    tenants = list(tenants_matching(search_text).values_list("id", flat=True)[: MOST + 1])
    if tenants:
        search_rows = rows.filter(tenant_id__in=tenants[:MOST])
        return SearchedRows(search_rows, _sentence_left_out(Tenant, search_text) if len(tenants) > MOST else "")
    named = rows_matching(Connection.objects.order_by("-created_at", "-id"), Connection, search_text).rows
    pairs = _pairs(named)
    left_out = _sentence_left_out(Connection, search_text) if len(pairs) > MOST else ""
    return SearchedRows(rows.filter(_of(pairs[:MOST])) if pairs else rows.none(), left_out)


def _ids_beginning_so(model: type[Model], search_text: SearchText) -> list[UUID]:
    if not search_text.beginnings:
        return []
    matches = model._default_manager.filter(search_queries.pk_in_ranges(search_text.beginnings)).order_by("pk")
    return list(matches.values_list("pk", flat=True)[:MOST])


def _entries(search_text: SearchText, keys: Collection[UUID]) -> list[tuple[UUID, Pair, UUID | None]]:
    """Requests that the text names, each with its connection and run."""
    columns = ("id", "tenant_id", "connection_id", "run_id")
    numbers = search_queries.with_request_ids(search_queries.request_ids(search_text))
    for question in (Q(id__in=keys), numbers):
        rows = list(RequestLogEntry.objects.filter(question).values_list(*columns)[:MOST])
        if rows:
            return [(entry, (tenant, connection), run) for entry, tenant, connection, run in rows]
    return []


def _pairs(connections: QuerySet[Connection]) -> list[Pair]:
    return list(connections.values_list("tenant_id", "id")[: MOST + 1])


def _of(pairs: Collection[Pair]) -> Q:
    question = Q()
    for tenant, connection in pairs:
        question |= Q(tenant_id=tenant, connection_id=connection)
    return question


def _sentence_left_out(model: type[Model], search_text: SearchText) -> SafeString:
    """Says that more go by the name than a long table is asked for, and leads to all of them."""
    kinds = str(model._meta.verbose_name_plural)
    address = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    return format_html(
        '{} <a href="{}?{}">{}</a>',
        _("More than %(most)d %(kinds)s go by this name; only what belongs to the first %(most)d is shown here.")
        % {"most": MOST, "kinds": kinds},
        address,
        urlencode({"q": search_text.text}),
        _("Show all %(kinds)s that go by it, and choose one") % {"kinds": kinds},
    )


RowSearch = Callable[[QuerySet[Any], SearchText], SearchedRows]


def search_rows(rows: QuerySet[Any], typed: str, by: RowSearch | None) -> SearchedRows:
    """`by`: one of the above for a log; every other table is asked for all that the one box would find."""
    search_text = parse_search_text(typed)
    return by(rows, search_text) if by else rows_matching(rows, rows.model, search_text)
