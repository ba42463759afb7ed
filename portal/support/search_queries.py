"""The conditions (`Q`) by which a search text finds rows in each table, for the search over all and for that of each list."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from hashlib import sha256
from typing import Any
from uuid import UUID

from allauth.account.models import EmailAddress
from django.db.models import Model, Q, QuerySet
from django.db.models.fields.json import KeyTextTransform
from django.urls import ResolverMatch

from connections.jobs.registry import kinds
from connections.providers import registry
from connections.spec.provider import FieldKind
from connections.tenancy.models import Lookup, Tenant
from connections.transport.models import RequestLogEntry
from connections.vault.models import ClientRegistration, Connection, Pin
from portal.members.models import EnrolmentLink, Invitation, User
from portal.support.row_owners import person_of, slug_of, token_of
from portal.support.search_text import SearchText


def search_conditions(
    model: type[Model], search_text: SearchText, pages: Iterable[ResolverMatch] = (), *, is_named: bool = True
) -> Iterator[Q]:
    """Conditions of which a row must meet one; ids of ours are not among them.

    `pages`: addresses of ours without a row of their own. `is_named`: names count, too.
    """
    if model is RequestLogEntry:
        if numbers := request_ids(search_text):
            yield with_request_ids(numbers)
    elif model is Connection:
        yield from _connections(search_text, is_named=is_named)
    elif model is Tenant:
        yield from _tenants(search_text, pages, is_named=is_named)
    elif model is User:
        yield from _people(search_text, pages, is_named=is_named)
    elif model is ClientRegistration:
        yield _registrations(search_text, pages)


def pk_in_ranges(spans: Collection[tuple[UUID, UUID]]) -> Q:
    question = Q()
    for first, last in spans:
        question |= Q(pk__range=(first, last))
    return question


def request_ids(search_text: SearchText) -> set[str]:
    """A provider's request id may look like one of our own, with hyphens or without."""
    return {
        *search_text.words,
        *(form for key in search_text.ids for form in (str(key), key.hex)),
        *_upper_case(search_text),
    }


def _upper_case(search_text: SearchText) -> Iterator[str]:
    return (form.upper() for key in search_text.ids for form in (str(key), key.hex))


def with_request_ids(numbers: Collection[str]) -> Q:
    # What is said twice is what lets the database take its index, which leaves out those without an id.
    return Q(provider_request_id__in=[each for each in numbers if len(each) <= 140]) & ~Q(provider_request_id="")


def connections_with_client_ids(numbers: Collection[str]) -> QuerySet[Connection]:
    """Connections by the client id that the customer typed."""
    return Connection.objects.annotate(client=KeyTextTransform("client_id", "settings")).filter(client__in=numbers)


def _connections(search_text: SearchText, *, is_named: bool) -> Iterator[Q]:
    if search_text.words:
        yield Q(company_id__in=search_text.words)
        yield Q(pk__in=connections_with_client_ids(search_text.words).values("pk"))
    if search_text.fingerprints:
        yield Q(pk__in=Pin.objects.filter(sha256__in=search_text.fingerprints).values("connection_id"))
    servers = [each for each in search_text.addresses if each.startswith("http")]
    if servers:
        yield _typed_addresses(servers)
    if search_text.name and is_named:
        yield _with_part(Connection, "company_name", search_text.name)


def _with_part(model: type[Model], column: str, part: str) -> Q:
    """By itself, so that the column's index answers, whatever else a row may be found by."""
    return Q(pk__in=model._default_manager.order_by().filter(**{f"{column}__has_part": part}).values("pk"))


def _typed_addresses(servers: Iterable[str]) -> Q:
    fields = {
        field.name
        for provider in registry.all_providers().values()
        for field in provider.credentials
        if not field.secret and field.kind is FieldKind.ADDRESS
    }
    question = Q()
    for server in servers:
        for form in {server, server.rstrip("/"), server.rstrip("/") + "/"}:
            for name in sorted(fields):
                question |= Q(settings__contains={name: form})
    return question


def _tenants(search_text: SearchText, pages: Iterable[ResolverMatch], *, is_named: bool) -> Iterator[Q]:
    slugs = {each.lower() for each in (*search_text.words, *filter(None, map(slug_of, pages)))}
    if slugs:
        yield Q(slug__in=slugs)
    if digests := [sha256(token.encode()).hexdigest() for token in filter(None, map(token_of, pages))]:
        # Of a link that we mailed, nobody keeps more than this.
        yield Q(pk__in=Lookup.objects.filter(digest__in=digests).values("tenant_id"))
        yield Q(pk__in=Invitation.objects.filter(digest__in=digests).values("tenant_id"))
    if search_text.name and is_named:
        yield _with_part(Tenant, "name", search_text.name)


def _people(search_text: SearchText, pages: Iterable[ResolverMatch], *, is_named: bool) -> Iterator[Q]:
    pages = list(pages)
    if people := {*search_text.people, *filter(None, map(person_of, pages))}:
        yield Q(pk__in=people)
    if digests := [sha256(token.encode()).hexdigest() for token in filter(None, map(token_of, pages))]:
        yield Q(pk__in=EnrolmentLink.objects.filter(digest__in=digests).values("user_id"))
    parts = [search_text.name] if search_text.name and is_named else []
    if search_text.emails:
        # Somebody may sign in with several addresses. What is nobody's whole address is a part of one.
        other = EmailAddress.objects.filter(email__in=search_text.emails).values("user_id")
        whole = Q(email__in=search_text.emails) | Q(pk__in=other)
        if User.objects.filter(whole).exists():
            yield whole
        else:
            parts += search_text.emails
    for part in parts:
        other = EmailAddress.objects.order_by().filter(email__has_part=part).values("user_id")
        yield _with_part(User, "email", part) | Q(pk__in=other) | _with_part(User, "name", part)


def _registrations(search_text: SearchText, pages: Iterable[ResolverMatch]) -> Q:
    providers = [page.kwargs["provider_slug"] for page in pages if page.url_name in ("callback", "activation_arrived")]
    return Q(client_id__in=search_text.words) | Q(redirect_uri__in=search_text.addresses) | Q(provider__in=providers)


def jobs_about(subjects: Collection[Any]) -> Q:
    """Jobs by what they work on: the index begins with the kind, of which the code knows all."""
    return Q(kind__in=[kind.name for kind in kinds()], subject__in=subjects)
