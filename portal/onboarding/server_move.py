"""Moving a connection to another server: the one act by which the address of what was connected changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from connections.spec.origins import origin_of
from connections.spec.provider import CredentialField
from connections.tenancy import audit
from connections.tenancy.scope import Actor
from connections.vault.models import Connection, ConnectionState
from connections.vault.services import (
    ActionRefused,
    destroy_secrets,
    lock_unless_disconnected,
    refuse_changed,
    store_settings,
)
from portal.notices.owners import mail_owners
from portal.onboarding.credentials import address_fields, clean_value
from portal.onboarding.marks import provider_of
from portal.onboarding.services import hold_reading, reopen_for_server


@dataclass(frozen=True)
class Change:
    """One address, as it was and as it is to be."""

    field: CredentialField
    before: str
    after: str


def can_move(connection: Connection) -> bool:
    """Whether this is offered: the customer gave the address, and it has been connected there in a way that still is."""
    stands = connection.state not in (ConnectionState.SETUP, ConnectionState.DISCONNECTED)
    return stands and provider_of(connection).offers(connection.auth_method) and bool(address_fields(connection))


def changes(*, connection: Connection, values: Mapping[str, str]) -> list[Change]:
    """What a move would change; empty where every address is the same. Needs the tenant's scope.

    Raises ValidationError with a sentence for each field by name.
    """
    errors, addresses = {}, []
    for field in address_fields(connection):
        before = connection.settings.get(field.name, "")
        try:
            after = clean_value(field, values.get(field.name, ""), connection)
        except ValidationError as error:
            errors[field.name] = error
        else:
            addresses.append(Change(field, before, after))
    if errors:
        raise ValidationError(errors)
    return [change for change in addresses if change.before != change.after]


def move(*, connection: Connection, values: Mapping[str, str], actor: Actor) -> None:
    """Change the addresses, destroy what was stored for the old server, and hold reading until the company is proved.

    In the tenant's scope; that an owner asks, and who they are, the caller has checked. Every owner is told by mail.
    Raises ValidationError; ActionRefused where there is nothing to move.
    """
    moved = changes(connection=connection, values=values)
    if not moved or not can_move(connection):
        raise ActionRefused(_("There is no other address in it, so nothing was changed."))
    provider = provider_of(connection)
    with transaction.atomic():
        hold_reading(connection=connection, actor=actor)
        lock_unless_disconnected(connection)
        refuse_changed(connection)
        destroy_secrets(connection=connection)
        store_settings(
            connection=connection, values={change.field.name: change.after for change in moved}, actor=actor
        )
        moved_to: dict[str, object] = {"moved_at": timezone.now()}
        if not provider.tells_company:
            moved_to["company_id"] = ""  # the server was a part of it; the owner's word binds it anew
        Connection.objects.filter(id=connection.id).update(**moved_to)
        connection.refresh_from_db()
        reopen_for_server(connection)
        before = {f"{change.field.name}_before": _host(change.before) for change in moved}
        after = {f"{change.field.name}_after": _host(change.after) for change in moved}
        audit.record(
            tenant_id=connection.tenant_id,
            actor=actor,
            action="connection.server_moved",
            subject=str(connection.id),
            **before,
            **after,
        )
        words = {
            "connection": connection,
            "provider": provider,
            "changes": moved,
            "who": actor.name,
            "address": settings.ORIGIN + reverse("connection", args=[connection.tenant.slug, connection.id]),
        }
        mail_owners(tenant_id=connection.tenant_id, template="onboarding/mail/server_moved", words=words)


def _host(address: str) -> str:
    try:
        return origin_of(address)
    except ValueError:
        return ""
