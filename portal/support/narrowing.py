"""The boxes of the lists: long tables narrowed to the first reading of a pasted text that means something there."""

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
from portal.support import belongings, matching
from portal.support.pasted import Pasted, read

MOST = 100  # tenants, connections or requests that a long table is asked for at once

Pair = tuple[UUID, UUID]  # tenant and connection: the tenant leads every index


@dataclass(frozen=True)
class Narrowed:
    """The rows that are meant, and a sentence with a link where not all that the text names could be asked for."""

    rows: QuerySet[Any]
    left_out: SafeString | str = ""


def ids_in(pasted: Pasted) -> list[UUID]:
    """Of ours, with those in addresses of ours: the most specific of each."""
    pages = [keys[0] for page in pasted.pages if (keys := belongings.keys_of(page))]
    return list(dict.fromkeys([*pasted.ids, *pages]))


def rows_named(rows: QuerySet[Any], model: type[Model], pasted: Pasted) -> Narrowed:
    """Of a table that is no log: everything that the one box would find there."""
    question = Q() if model is User else Q(pk__in=ids_in(pasted)) | matching.of_spans(pasted.beginnings)
    for each in matching.questions(model, pasted, pasted.pages):
        question |= each
    return Narrowed(rows.filter(question) if question else rows.none())


def tenants_named(pasted: Pasted) -> QuerySet[Tenant]:
    return rows_named(Tenant.objects.order_by("name", "id"), Tenant, pasted).rows


def connections(rows: QuerySet[Any], pasted: Pasted) -> Narrowed:
    """What the one box would find, and all connections of the tenants that it would find."""
    ours = rows_named(rows, Connection, pasted).rows
    tenants = rows_named(Tenant.objects.order_by(), Tenant, pasted).rows
    return Narrowed(rows.filter(Q(pk__in=ours.values("pk")) | Q(tenant_id__in=tenants.values("pk"))))


def requests(rows: QuerySet[Any], pasted: Pasted) -> Narrowed:
    """An entry id, a provider request id, a connection, a run, a call; a status; a tenant; a company or client id."""
    text = pasted.text
    if len(text) == 3 and text.isascii() and text.isdigit() and 100 <= int(text) <= 599:
        return Narrowed(rows.filter(status=int(text)))
    keys = ids_in(pasted)
    readings = [Q(id__in=keys), matching.request_ids_among(matching.request_ids(pasted))]
    named = [each for each in readings if RequestLogEntry.objects.filter(each).exists()]
    if found := _beginning_so(RequestLogEntry, pasted):
        named.append(Q(id__in=found))
    if named:
        return Narrowed(rows.filter(reduce(or_, named)))
    if keys:
        if entries := list(Call.objects.filter(id__in=keys).values_list("entry_id", flat=True)):
            return Narrowed(rows.filter(id__in=entries))
        if pairs := _pairs(Connection.objects.filter(id__in=keys)):
            return Narrowed(rows.filter(_of(pairs)))
        if not Tenant.objects.filter(id__in=keys).exists():
            return Narrowed(rows.filter(run_id__in=keys))
    return _of_tenants_or_companies(rows, pasted)


def runs(rows: QuerySet[Any], pasted: Pasted) -> Narrowed:
    """A run, a connection, the request that ended it; a company or client id; a tenant."""
    keys = ids_in(pasted)
    if keys and SyncRun.objects.filter(id__in=keys).exists():
        return Narrowed(rows.filter(id__in=keys))
    if found := _beginning_so(SyncRun, pasted):
        return Narrowed(rows.filter(id__in=found))
    if keys and (pairs := _pairs(Connection.objects.filter(id__in=keys))):
        return Narrowed(rows.filter(_of(pairs)))
    if entries := _entries(pasted, keys):
        return Narrowed(rows.filter(id__in=[run for _entry, _pair, run in entries if run]))
    return _of_tenants_or_companies(rows, pasted)


def calls(rows: QuerySet[Any], pasted: Pasted) -> Narrowed:
    """A call, a connection, its request; a company or client id; a tenant."""
    keys = ids_in(pasted)
    if keys and Call.objects.filter(id__in=keys).exists():
        return Narrowed(rows.filter(id__in=keys))
    if found := _beginning_so(Call, pasted):
        return Narrowed(rows.filter(id__in=found))
    if keys and (pairs := _pairs(Connection.objects.filter(id__in=keys))):
        return Narrowed(rows.filter(_of(pairs)))
    if entries := _entries(pasted, keys):
        # There is no index on the entry; there is one on its connection.
        question = Q()
        for entry, (tenant, connection), _run in entries:
            question |= Q(tenant_id=tenant, connection_id=connection, entry_id=entry)
        return Narrowed(rows.filter(question))
    return _of_tenants_or_companies(rows, pasted)


def jobs(rows: QuerySet[Any], pasted: Pasted) -> Narrowed:
    """A job, what it works on, its kind or the first word of that."""
    keys = ids_in(pasted)
    if keys:
        return Narrowed(rows.filter(Q(id__in=keys) | matching.jobs_about(keys)))
    if found := _beginning_so(rows.model, pasted):
        return Narrowed(rows.filter(id__in=found))
    return Narrowed(rows.filter(Q(kind=pasted.text) | Q(kind__startswith=f"{pasted.text}.")))


def mails(rows: QuerySet[Any], pasted: Pasted) -> Narrowed:
    """A mail, or what it was about, such as an invitation."""
    keys = ids_in(pasted)
    if not keys and (found := _beginning_so(rows.model, pasted)):
        return Narrowed(rows.filter(id__in=found))
    return Narrowed(rows.filter(Q(id__in=keys) | Q(about__in=keys)))


def events(rows: QuerySet[Any], pasted: Pasted) -> Narrowed:
    """An event, a subject, a person under whatever address, an action or the beginning of one."""
    keys = ids_in(pasted)
    if keys:
        if rows.model._default_manager.filter(id__in=keys).exists():
            return Narrowed(rows.filter(id__in=keys))
        return Narrowed(rows.filter(subject__in=map(str, keys)))
    people: list[int] = []
    if pasted.emails or pasted.people:
        named = rows_named(User.objects.order_by("email"), User, pasted).rows
        people = list(named.values_list("pk", flat=True)[: MOST + 1])
    subjects = [pasted.text, *pasted.emails, *pasted.words]
    names = [pasted.text, *pasted.emails]
    for question in (
        Q(subject__in=subjects) | Q(actor_id__in=people[:MOST]) | Q(actor_name__in=names),
        Q(action__startswith=pasted.text),
    ):
        if rows.model._default_manager.filter(question).exists():
            return Narrowed(rows.filter(question), _left_out(User, pasted) if len(people) > MOST else "")
    if found := _beginning_so(rows.model, pasted):
        return Narrowed(rows.filter(id__in=found))
    return Narrowed(rows.none())


def house_log(rows: QuerySet[Any], pasted: Pasted) -> Narrowed:
    """What was changed, by its id or name, or who changed it. Few rows: admins make them by hand."""
    keys = [*map(str, ids_in(pasted)), *map(str, pasted.people)]
    if keys:
        return Narrowed(rows.filter(object_id__in=keys))
    return Narrowed(rows.filter(Q(object_repr__icontains=pasted.text) | Q(user__email__icontains=pasted.text)))


def _of_tenants_or_companies(rows: QuerySet[Any], pasted: Pasted) -> Narrowed:
    tenants = list(tenants_named(pasted).values_list("id", flat=True)[: MOST + 1])
    if tenants:
        narrowed = rows.filter(tenant_id__in=tenants[:MOST])
        return Narrowed(narrowed, _left_out(Tenant, pasted) if len(tenants) > MOST else "")
    named = rows_named(Connection.objects.order_by("-created_at", "-id"), Connection, pasted).rows
    pairs = _pairs(named)
    left_out = _left_out(Connection, pasted) if len(pairs) > MOST else ""
    return Narrowed(rows.filter(_of(pairs[:MOST])) if pairs else rows.none(), left_out)


def _beginning_so(model: type[Model], pasted: Pasted) -> list[UUID]:
    if not pasted.beginnings:
        return []
    found = model._default_manager.filter(matching.of_spans(pasted.beginnings)).order_by("pk")
    return list(found.values_list("pk", flat=True)[:MOST])


def _entries(pasted: Pasted, keys: Collection[UUID]) -> list[tuple[UUID, Pair, UUID | None]]:
    """Requests that the text names, each with its connection and run."""
    columns = ("id", "tenant_id", "connection_id", "run_id")
    numbers = matching.request_ids_among(matching.request_ids(pasted))
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


def _left_out(model: type[Model], pasted: Pasted) -> SafeString:
    """Says that more go by the name than a long table is asked for, and leads to all of them."""
    kinds = str(model._meta.verbose_name_plural)
    address = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    return format_html(
        '{} <a href="{}?{}">{}</a>',
        _("More than %(most)d %(kinds)s go by this name; only what belongs to the first %(most)d is shown here.")
        % {"most": MOST, "kinds": kinds},
        address,
        urlencode({"q": pasted.text}),
        _("Show all %(kinds)s that go by it, and choose one") % {"kinds": kinds},
    )


Narrowing = Callable[[QuerySet[Any], Pasted], Narrowed]


def narrowed(rows: QuerySet[Any], typed: str, by: Narrowing | None) -> Narrowed:
    """`by`: one of the above for a log; every other table is asked for all that the one box would find."""
    pasted = read(typed)
    return by(rows, pasted) if by else rows_named(rows, rows.model, pasted)
