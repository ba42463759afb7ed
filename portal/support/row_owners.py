"""Ids that stand on pages, in mails, jobs and logs without a staff page of their own, and whose page shows them."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import suppress
from typing import Any
from urllib.parse import unquote
from uuid import UUID

from allauth.account.models import get_emailconfirmation_model
from django.db.models import Model, TextField, Value
from django.db.models.functions import Cast
from django.urls import ResolverMatch
from django.utils.functional import Promise
from django.utils.http import base36_to_int

from connections.sync.models import RunLogLine, StreamCursor, StreamProgress, SyncRun
from connections.tenancy.models import Tenant
from connections.transport.models import ActivationRequest, AuthorizationAttempt
from connections.vault.models import Connection, Credential, Grant, NetworkExemption, Pin, TenantKey
from portal.members.models import EnrolmentLink, Invitation, Membership, User
from portal.onboarding.models import ActivationConsent, Evidence, Mark, Onboarding
from portal.support.search_text import as_uuid

# Each with the page that shows it and the way there. All are asked by their primary key, for these two columns alone.
OWNED: tuple[tuple[type[Model], type[Model], str], ...] = (
    (AuthorizationAttempt, Connection, "connection_id"),
    (Onboarding, Connection, "connection_id"),
    (Mark, Connection, "onboarding__connection_id"),
    (Evidence, Connection, "mark__onboarding__connection_id"),
    (Credential, Connection, "connection_id"),
    (Grant, Connection, "connection_id"),
    (Pin, Connection, "connection_id"),
    (NetworkExemption, Connection, "connection_id"),
    (StreamCursor, Connection, "connection_id"),
    (StreamProgress, SyncRun, "run_id"),
    (RunLogLine, SyncRun, "run_id"),
    (Membership, Tenant, "tenant_id"),
    (Invitation, Tenant, "tenant_id"),
    (ActivationRequest, Tenant, "tenant_id"),
    (ActivationConsent, Tenant, "tenant_id"),
    (TenantKey, Tenant, "tenant_id"),
    (EnrolmentLink, User, "user_id"),
)


def owners(keys: Collection[UUID]) -> Iterator[tuple[type[Model], str | Promise, dict[UUID, Any]]]:
    """(the model whose page shows it, what it is, {id: id of that page}) for each sort of which there are some. One query."""
    sorts = [
        model._default_manager.order_by().filter(pk__in=keys).values_list(Value(number), "pk", Cast(way, TextField()))
        for number, (model, _owner, way) in enumerate(OWNED)
    ]
    there: dict[int, dict[UUID, Any]] = {}
    for number, key, of in sorts[0].union(*sorts[1:], all=True):
        there.setdefault(number, {})[key] = OWNED[number][1]._meta.pk.to_python(of)
    for number, owned in there.items():
        model, owner, _way = OWNED[number]
        yield owner, model._meta.verbose_name or "", owned


def keys_of(page: ResolverMatch) -> list[UUID]:
    """The ids in an address of ours, the one that it is about first."""
    values = [value if isinstance(value, UUID) else as_uuid(unquote(str(value))) for value in page.kwargs.values()]
    return [value for value in reversed(values) if value is not None]


def slug_of(page: ResolverMatch) -> str | None:
    """The tenant whose page it is."""
    return page.kwargs.get("slug")


def token_of(page: ResolverMatch) -> str | None:
    """The secret of a link that we mailed."""
    return page.kwargs.get("token")


def person_of(page: ResolverMatch) -> int | None:
    """The person whose page, or whose link to a password or an address, it is."""
    with suppress(ValueError, OverflowError):
        if page.namespace == "admin" and (page.url_name or "").startswith("members_user_"):
            return int(str(page.kwargs.get("object_id", page.kwargs.get("key"))))
        if page.url_name == "account_reset_password_from_key":
            return base36_to_int(page.kwargs["uidb36"])
        if page.url_name == "account_confirm_email":
            confirmation = get_emailconfirmation_model().from_key(page.kwargs["key"])
            return confirmation.email_address.user_id if confirmation else None
    return None
