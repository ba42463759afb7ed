"""Creating tenants, opening connections, storing what the customer gave, and reading it where it is used: in workers."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from uuid import UUID

from django.db.models import DateTimeField, OuterRef, QuerySet, Value
from django.db.models.functions import Coalesce
from django.utils import timezone as django_timezone
from django.utils.translation import gettext_lazy as _

from connections.jobs.services import enqueue
from connections.providers import registry
from connections.tenancy import audit
from connections.tenancy.models import Tenant
from connections.tenancy.scope import Actor
from connections.vault import keys, sealing
from connections.vault.models import (
    ClientRegistration,
    Connection,
    ConnectionState,
    Credential,
    Exemption,
    Grant,
    NetworkExemption,
    Pin,
)
from connections.vault.secret import BoundSecret, Secret

OLD_PIN_LIFETIME = timedelta(days=7)  # a replaced certificate stays trusted, while a host changes from one to the next
FOREVER_AGO = datetime(1, 1, 2, tzinfo=timezone.utc)


class ActionRefused(Exception):
    """A request that breaks a rule; the text is a sentence for the person who asked."""


DISCONNECTED_SENTENCE = _(
    "This connection has been disconnected. To go on, connect the system anew from your list of connections."
)


def create_tenant(*, name: str, slug: str) -> Tenant:
    """Create a tenant and queue the making of its key pair; it becomes active when a worker has made it."""
    tenant = Tenant(name=name, slug=slug)
    tenant.save(force_insert=True)
    enqueue(kind=keys.MAKE_TENANT_KEY, subject=tenant.id, tenant_id=tenant.id)
    return tenant


def refuse_disconnected(connection: Connection) -> None:
    """Raises ActionRefused for a connection that was disconnected. Needs the tenant's scope."""
    if Connection.objects.disconnected().filter(id=connection.id).exists():
        raise ActionRefused(DISCONNECTED_SENTENCE)


def lock_unless_disconnected(connection: Connection) -> None:
    """Raises ActionRefused for a connection that was disconnected, and keeps it from being so until the caller's transaction
    ends: for those who store a secret.

    Its row is locked last of all that a transaction locks, as a worker that writes a finding does.
    """
    rows = Connection.objects.select_for_update().filter(id=connection.id)
    if rows.values_list("state", flat=True).first() == ConnectionState.DISCONNECTED:
        raise ActionRefused(DISCONNECTED_SENTENCE)


CHANGED_SENTENCE = _("This connection was changed by somebody else meanwhile. Look at it once more, then do it again.")


def refuse_changed(connection: Connection) -> None:
    """Raises ActionRefused where its addresses, or its being set up, have changed since the caller read it.

    To be called after `lock_unless_disconnected`.
    """
    row = Connection.objects.only("state", "settings").get(id=connection.id)
    was_in_setup, is_in_setup = (each.state == ConnectionState.SETUP for each in (connection, row))
    if was_in_setup != is_in_setup or row.settings != connection.settings:
        raise ActionRefused(CHANGED_SENTENCE)


def open_connection(
    *, tenant: Tenant, provider: str, environment: str, auth_method: str = "", actor: Actor
) -> Connection:
    """A new connection in set-up. Needs the tenant's scope. `auth_method`: the name of a grant, '' for the recommended one.

    Raises ActionRefused for an unknown provider, environment or auth method.
    """
    description = registry.find(provider)
    if description is None or environment not in registry.environments(description):
        raise ActionRefused(_("This system or environment is not offered."))
    auth_method = auth_method or description.grants[0].name
    if auth_method not in [grant.name for grant in description.grants]:
        raise ActionRefused(_("This way to connect is not offered."))
    connection = Connection(tenant=tenant, provider=provider, environment=environment, auth_method=auth_method)
    connection.save(force_insert=True)
    audit.record(
        tenant_id=tenant.id,
        actor=actor,
        action="connection.opened",
        subject=str(connection.id),
        provider=provider,
        environment=environment,
    )
    return connection


def store_credential(*, connection: Connection, name: str, secret: Secret, actor: Actor) -> None:
    """Seal a credential and store it in the place of an older one of this name. In the tenant's scope. Raises KeyUnavailable."""
    rows = Credential.objects.for_connection(connection).filter(name=name)
    row_id = rows.values_list("id", flat=True).first()
    is_new = row_id is None
    row = Credential(
        id=row_id or uuid.uuid4(),
        tenant_id=connection.tenant_id,
        connection=connection,
        name=name,
        hint=secret.hint(),
        changed_at=django_timezone.now(),
        changed_by=actor.name,
    )
    sealed = sealing.seal(row, "ciphertext", secret)
    if is_new:
        row.save(force_insert=True)
    else:
        rows.update(**sealed, hint=row.hint, changed_at=row.changed_at, changed_by=row.changed_by)
    audit.record(
        tenant_id=connection.tenant_id,
        actor=actor,
        action="credential.set" if is_new else "credential.replaced",
        subject=str(connection.id),
        name=name,
    )


def store_settings(*, connection: Connection, values: dict[str, str], actor: Actor) -> None:
    """Store what the customer typed that is no secret; an empty value is taken out. Needs the tenant's scope.

    After a change of addresses, what is sealed for the old ones does not open any more: the caller has it typed anew.
    """
    merged = {**connection.settings, **values}
    connection.settings = {name: value for name, value in merged.items() if value}
    Connection.objects.filter(id=connection.id).update(settings=connection.settings)
    audit.record(
        tenant_id=connection.tenant_id,
        actor=actor,
        action="settings.changed",
        subject=str(connection.id),
        fields=", ".join(sorted(values)),
    )


def confirm_pins(*, connection: Connection, compared: Collection[str], actor: Actor) -> list[str]:
    """Trust the certificates that a person compared (Pin.compared). The ones they replace stay live for
    OLD_PIN_LIFETIME, as a host of several machines shows both for a while; older ones go at once. Returns the hosts.

    Raises ActionRefused where those that wait are not exactly these: a check since then may have met somebody in between.
    """
    # Locked, so that none of them goes meanwhile; one that comes meanwhile waits to be compared.
    waiting = Pin.objects.for_connection(connection).unconfirmed().select_for_update()
    pins = list(waiting.order_by("id"))
    if pins and {pin.compared for pin in pins} != set(compared):
        raise ActionRefused(_("A host shows another certificate now than your page did. Compare again, then confirm."))
    for pin in pins:
        confirmed = Pin.objects.for_connection(connection).confirmed().filter(host=pin.host)
        replaced = confirmed.order_by("-confirmed_at").values_list("id", flat=True)[:1]
        confirmed.exclude(id__in=list(replaced)).delete()
        Pin.objects.filter(id=pin.id).update(confirmed_at=django_timezone.now(), confirmed_by=actor.name)
        audit.record(
            tenant_id=connection.tenant_id,
            actor=actor,
            action="certificate.confirmed",
            subject=str(connection.id),
            host=pin.host,
            sha256=pin.sha256,
        )
    return [pin.host for pin in pins]


def live_pins(connection: Connection) -> list[Pin]:
    """The certificates that are trusted now: the one confirmed last of each host, and the one before it for a while."""
    rows = Pin.objects.for_connection(connection).confirmed().order_by("host", "-confirmed_at")
    now, live = django_timezone.now(), []
    newest: dict[str, Pin] = {}
    for pin in rows:
        first = newest.setdefault(pin.host, pin)
        if pin is first or (first.confirmed_at and first.confirmed_at > now - OLD_PIN_LIFETIME):
            live.append(pin)
    return live


@dataclass(frozen=True)
class OpenCredentials:
    """What a token request needs: the customer's credentials by name, and our registration. Worker only.

    What is no secret is plain text: a customer's own client id, a scope.
    """

    credentials: dict[str, str | BoundSecret]
    client_id: str
    client_secret: BoundSecret | None
    redirect_uri: str


def open_credentials(connection: Connection) -> OpenCredentials:
    """Open everything a token request for this connection needs. Needs the tenant's scope, in a worker.

    `connection`, as the caller has it, says where the request will go: what was sealed for another place does not open.
    Raises Unopenable and KeyUnavailable; a missing registration leaves `client_id` empty.
    """
    credentials: dict[str, str | BoundSecret] = dict(connection.settings)
    for row in Credential.objects.for_connection(connection):
        row.connection = connection
        credentials[row.name] = sealing.unseal(row, "ciphertext")
    return OpenCredentials(credentials, *open_registration(connection.provider, connection.environment))


def open_registration(provider: str, environment: str) -> tuple[str, BoundSecret | None, str]:
    """Our client id, secret and redirect address there; '' and None for what is not stored. In a worker.

    Raises Unopenable and KeyUnavailable.
    """
    registration = ClientRegistration.objects.filter(provider=provider, environment=environment).first()
    if registration is None:
        return "", None, ""
    secret = sealing.unseal(registration, "secret_ciphertext") if registration.secret_ciphertext else None
    return registration.client_id, secret, registration.redirect_uri


def register_client(
    *,
    provider: str,
    environment: str,
    client_id: str,
    client_secret: Secret | None,
    redirect_uri: str = "",
    activation_link: str = "",
    api_version: str = "",
    registration_id: UUID | None = None,
) -> UUID:
    """Store our registration at a provider environment; `client_secret=None` keeps the stored one. Raises KeyUnavailable."""
    rows = ClientRegistration.objects.filter(provider=provider, environment=environment)
    row_id = registration_id or rows.values_list("id", flat=True).first()
    row = ClientRegistration(
        id=row_id or uuid.uuid4(),
        provider=provider,
        environment=environment,
        client_id=client_id,
        redirect_uri=redirect_uri,
        activation_link=activation_link,
        api_version=api_version,
    )
    sealed: dict[str, object] = {}
    if client_secret is not None:
        row.secret_hint = client_secret.hint()
        sealed = {**sealing.seal(row, "secret_ciphertext", client_secret), "secret_hint": row.secret_hint}
    if row_id is None:
        row.save(force_insert=True)
    else:
        # Where it is registered never changes: the secret is sealed for that place.
        rows.filter(id=row_id).update(
            client_id=client_id,
            redirect_uri=redirect_uri,
            activation_link=activation_link,
            api_version=api_version,
            **sealed,
            changed_at=django_timezone.now(),
        )
    return row.id


@dataclass(frozen=True)
class Exemptions:
    """What an admin allows a connection beyond the ordinary, as it counts now."""

    plain_http: bool = False
    private_networks: tuple[str, ...] = ()


def standing_exemptions(connection_id: UUID | OuterRef, moved_at: Value | OuterRef) -> QuerySet[NetworkExemption]:
    """Those that count for the connection, which was moved then (NULL: never). In a subquery both are an OuterRef."""
    allowed_since = Coalesce(moved_at, Value(FOREVER_AGO, DateTimeField()))
    return NetworkExemption.objects.in_force().filter(connection_id=connection_id, granted_at__gt=allowed_since)


def exemptions_of(connection: Connection) -> Exemptions:
    """Needs the tenant's scope, or the staff's. One query."""
    rows = standing_exemptions(connection.id, Value(connection.moved_at, DateTimeField()))
    networks = dict(rows.values_list("kind", "networks"))
    return Exemptions(Exemption.PLAIN_HTTP in networks, tuple(networks.get(Exemption.PRIVATE_NETWORKS, ())))


def set_exemption(
    *, connection: Connection, kind: Exemption, networks: Collection[str] | None, reason: str, actor: Actor
) -> bool:
    """An admin allows something, or takes it back (`networks` is None): the exemption in force ends, a new one begins.

    In the staff's scope. False where nothing changed.
    """
    before = exemptions_of(connection)
    in_force = {Exemption.PLAIN_HTTP: before.plain_http, Exemption.PRIVATE_NETWORKS: bool(before.private_networks)}
    is_same = kind is Exemption.PLAIN_HTTP or before.private_networks == tuple(networks or ())
    if in_force[kind] == (networks is not None) and is_same:
        return False
    exemption = NetworkExemption.objects.for_connection(connection).in_force().filter(kind=kind)
    exemption.update(ended_at=django_timezone.now())
    if networks is not None:
        NetworkExemption(
            tenant_id=connection.tenant_id,
            connection_id=connection.id,
            kind=kind,
            networks=list(networks),
            reason=reason[:200],
            actor_id=actor.id,
            actor_name=actor.name,
        ).save(force_insert=True)
    return True


def destroy_secrets(*, connection: Connection, keep: Collection[str] = ()) -> None:
    """Destroy what is stored for this connection's servers: credentials but those in `keep`, tokens, compared certificates.

    Needs the tenant's scope.
    """
    Credential.objects.for_connection(connection).exclude(name__in=keep).delete()
    forget_tokens(connection)
    Pin.objects.for_connection(connection).delete()


def forget_tokens(connection: Connection) -> None:
    """Destroy the tokens of an access that goes or is being replaced: they would open the company of the old one.

    Needs the tenant's scope. A token request under way finds its row gone and stores nothing.
    """
    Grant.objects.for_connection(connection).delete()


def bind_company(*, connection: Connection, company_id: str, company_name: str) -> bool:
    """Bind the connection to the company the provider names, once. False when it is bound to another one already."""
    if connection.company_id and connection.company_id != company_id:
        return False
    Connection.objects.filter(id=connection.id).update(company_id=company_id, company_name=company_name)
    connection.company_id, connection.company_name = company_id, company_name
    return True


def mark_broken(*, connection: Connection, fault: str) -> None:
    """A connection that was set up needs a person. `fault` is a code of the provider's catalogue; its first time is kept.

    One that is paused stays so, and is broken on the day when it is resumed.
    """
    rows = Connection.objects.filter(id=connection.id)
    values = {"fault": fault, "fault_at": django_timezone.now()}
    rows.standing().exclude(state=ConnectionState.BROKEN, fault=fault).update(state=ConnectionState.BROKEN, **values)
    rows.paused().exclude(fault=fault).update(**values)


def doubt_company(*, connection: Connection, fault: str) -> None:
    """What opens a connection was changed: nothing is read with it until its company is proved, nor once it is resumed.

    The time is always the newest: what is known of an access before this one proves nothing.
    """
    rows = Connection.objects.filter(id=connection.id)
    values = {"fault": fault, "fault_at": django_timezone.now()}
    rows.standing().update(state=ConnectionState.BROKEN, **values)
    rows.paused().update(**values)


def mark_healthy(*, connection: Connection) -> None:
    """A connection that was being set up, or needed a person, works. One that is paused stays so."""
    rows = Connection.objects.filter(id=connection.id)
    rows.filter(state__in=(ConnectionState.SETUP, ConnectionState.BROKEN)).update(
        state=ConnectionState.CONNECTED, fault="", fault_at=None
    )
    rows.paused().update(fault="", fault_at=None)
