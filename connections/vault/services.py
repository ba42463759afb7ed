"""Founding keys, opening connections, storing what the customer gave, and reading it where it is used: in workers."""

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

FOREVER_AGO = datetime(1, 1, 2, tzinfo=timezone.utc)
CHANGE_OVER = timedelta(days=7)  # a replaced certificate stays trusted, while a host changes from one to the next


class Refused(Exception):
    """A request that breaks a rule; the text is a sentence for the person who asked."""


LEFT = _("This connection has been disconnected. To go on, connect the system anew from your list of connections.")


def create_tenant(*, name: str, slug: str) -> Tenant:
    """Create a tenant and queue the making of its key pair; it becomes active when a worker has made it."""
    tenant = Tenant(name=name, slug=slug)
    tenant.save(force_insert=True)
    enqueue(kind=keys.MAKE_TENANT_KEY, subject=tenant.id, tenant_id=tenant.id)
    return tenant


def refuse_left(connection: Connection) -> None:
    """Raises Refused for a connection that was disconnected. Needs the tenant's scope."""
    if Connection.objects.filter(id=connection.id, state=ConnectionState.DISCONNECTED).exists():
        raise Refused(LEFT)


def hold_open(connection: Connection) -> None:
    """The same, and nobody disconnects it before the caller's transaction ends: for those who store a secret.

    Comes last of the rows that a transaction locks, as it does for a worker that draws its conclusions.
    """
    rows = Connection.objects.select_for_update().filter(id=connection.id)
    if rows.values_list("state", flat=True).first() == ConnectionState.DISCONNECTED:
        raise Refused(LEFT)


CHANGED_MEANWHILE = _(
    "This connection was changed by somebody else meanwhile. Look at it once more, then do it again."
)


def refuse_changed(connection: Connection) -> None:
    """Raises Refused where its addresses, or whether it stands, are no longer what the caller judged; after `hold_open`."""
    row = Connection.objects.only("state", "settings").get(id=connection.id)
    was_setup, is_setup = (each.state == ConnectionState.SETUP for each in (connection, row))
    if was_setup != is_setup or row.settings != connection.settings:
        raise Refused(CHANGED_MEANWHILE)


def open_connection(
    *, tenant: Tenant, provider: str, environment: str, auth_method: str = "", actor: Actor
) -> Connection:
    """A new connection in set-up. Needs the tenant's scope. `way`: the name of a grant, '' for the recommended one.

    Raises Refused for an unknown provider, environment or way.
    """
    found = registry.find(provider)
    if found is None or environment not in registry.environments(found):
        raise Refused(_("This system or environment is not offered."))
    auth_method = auth_method or found.grants[0].name
    if auth_method not in [grant.name for grant in found.grants]:
        raise Refused(_("This way to connect is not offered."))
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
    """Seal and store, replacing what was there. Needs the tenant's scope. Raises KeyUnavailable."""
    rows = Credential.objects.filter(connection_id=connection.id, name=name)
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


def keep_settings(*, connection: Connection, values: dict[str, str], actor: Actor) -> None:
    """Keep what the customer typed that is no secret; an empty value is taken out. Needs the tenant's scope.

    The caller answers for addresses: what is sealed for the old ones opens no more.
    """
    kept = {**connection.settings, **values}
    connection.settings = {name: value for name, value in kept.items() if value}
    Connection.objects.filter(id=connection.id).update(settings=connection.settings)
    audit.record(
        tenant_id=connection.tenant_id,
        actor=actor,
        action="settings.changed",
        subject=str(connection.id),
        fields=", ".join(sorted(values)),
    )


def confirm_pins(*, connection: Connection, compared: Collection[str], actor: Actor) -> list[str]:
    """Trust the certificates that a person compared (Pin.compared). The ones they replace stay live for CHANGE_OVER, as a
    host of several machines shows both for a while; what was there before those goes at once. Gives the hosts.

    Raises Refused where those that wait are not exactly these: a check since then may have met somebody in between.
    """
    # Held, so that none of them goes between this look and the word on it; one that comes meanwhile waits for its own.
    waiting = Pin.objects.select_for_update().filter(connection_id=connection.id, confirmed_at=None)
    found = list(waiting.order_by("id"))
    if found and {pin.compared for pin in found} != set(compared):
        raise Refused(_("A host shows another certificate now than your page did. Compare again, then confirm."))
    for pin in found:
        confirmed = Pin.objects.filter(connection_id=connection.id, host=pin.host, confirmed_at__isnull=False)
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
    return [pin.host for pin in found]


def live_pins(connection: Connection) -> list[Pin]:
    """The certificates that are trusted now: the one confirmed last of each host, and the one before it for a while."""
    rows = Pin.objects.filter(connection_id=connection.id, confirmed_at__isnull=False).order_by(
        "host", "-confirmed_at"
    )
    now, live = django_timezone.now(), []
    newest: dict[str, Pin] = {}
    for pin in rows:
        first = newest.setdefault(pin.host, pin)
        if pin is first or (first.confirmed_at and first.confirmed_at > now - CHANGE_OVER):
            live.append(pin)
    return live


@dataclass(frozen=True)
class Opened:
    """What a token request needs: what the customer gave by name, and our registration. Worker only.

    What is no secret is plain text: a customer's own client id, a scope.
    """

    credentials: dict[str, str | BoundSecret]
    client_id: str
    client_secret: BoundSecret | None
    redirect_uri: str


def open_credentials(connection: Connection) -> Opened:
    """Open everything a token request for this connection needs. Needs the tenant's scope, in a worker.

    `connection`, as the caller has it, says where the request will go: what was sealed for another place does not open.
    Raises Unopenable and KeyUnavailable; a missing registration leaves `client_id` empty.
    """
    credentials: dict[str, str | BoundSecret] = dict(connection.settings)
    for row in Credential.objects.filter(connection_id=connection.id):
        row.connection = connection
        credentials[row.name] = sealing.unseal(row, "ciphertext")
    return Opened(credentials, *open_registration(connection.provider, connection.environment))


def open_registration(provider: str, environment: str) -> tuple[str, BoundSecret | None, str]:
    """Our client id, secret and redirect address there; '' and None for what is not stored. In a worker.

    Raises Unopenable and KeyUnavailable.
    """
    ours = ClientRegistration.objects.filter(provider=provider, environment=environment).first()
    if ours is None:
        return "", None, ""
    secret = sealing.unseal(ours, "secret_ciphertext") if ours.secret_ciphertext else None
    return ours.client_id, secret, ours.redirect_uri


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
    return NetworkExemption.objects.filter(connection_id=connection_id, ended_at=None, granted_at__gt=allowed_since)


def exemptions_of(connection: Connection) -> Exemptions:
    """Needs the tenant's scope, or the staff's. One query."""
    rows = standing_exemptions(connection.id, Value(connection.moved_at, DateTimeField()))
    networks = dict(rows.values_list("kind", "networks"))
    return Exemptions(Exemption.PLAIN_HTTP in networks, tuple(networks.get(Exemption.PRIVATE_NETWORKS, ())))


def set_exemption(
    *, connection: Connection, kind: Exemption, networks: Collection[str] | None, reason: str, actor: Actor
) -> bool:
    """An admin's word, in the staff's scope: what stood before ends, and where `networks` is not None a new one begins.

    False where nothing changed.
    """
    before = exemptions_of(connection)
    standing = {Exemption.PLAIN_HTTP: before.plain_http, Exemption.PRIVATE_NETWORKS: bool(before.private_networks)}
    is_same = kind is Exemption.PLAIN_HTTP or before.private_networks == tuple(networks or ())
    if standing[kind] == (networks is not None) and is_same:
        return False
    NetworkExemption.objects.filter(connection_id=connection.id, kind=kind, ended_at=None).update(
        ended_at=django_timezone.now()
    )
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
    Credential.objects.filter(connection_id=connection.id).exclude(name__in=keep).delete()
    forget_tokens(connection)
    Pin.objects.filter(connection_id=connection.id).delete()


def forget_tokens(connection: Connection) -> None:
    """Destroy what was got with an access that goes or is being replaced: it would open the company of the old one.

    Needs the tenant's scope. A token request under way finds its row gone and stores nothing.
    """
    Grant.objects.filter(connection_id=connection.id).delete()


def bind_company(*, connection: Connection, company_id: str, company_name: str) -> bool:
    """Bind the connection to the company the provider names, once. False when it is bound to another one already."""
    if connection.company_id and connection.company_id != company_id:
        return False
    Connection.objects.filter(id=connection.id).update(company_id=company_id, company_name=company_name)
    connection.company_id, connection.company_name = company_id, company_name
    return True


def mark_broken(*, connection: Connection, fault: str) -> None:
    """A connection that stood needs a person; `fault` is a code of the provider's catalogue. The first time stands."""
    standing = Connection.objects.filter(
        id=connection.id, state__in=(ConnectionState.CONNECTED, ConnectionState.BROKEN)
    )
    standing.exclude(state=ConnectionState.BROKEN, fault=fault).update(
        state=ConnectionState.BROKEN, fault=fault, fault_at=django_timezone.now()
    )


def doubt_company(*, connection: Connection, fault: str) -> None:
    """What opens a connection that stood is changed: nothing is read with it until its company is proved.

    The time is always the newest: what was found out about an access before this one proves nothing.
    """
    standing = (ConnectionState.CONNECTED, ConnectionState.BROKEN)
    Connection.objects.filter(id=connection.id, state__in=standing).update(
        state=ConnectionState.BROKEN, fault=fault, fault_at=django_timezone.now()
    )


def mark_healthy(*, connection: Connection) -> None:
    Connection.objects.filter(id=connection.id, state__in=(ConnectionState.SETUP, ConnectionState.BROKEN)).update(
        state=ConnectionState.CONNECTED, fault="", fault_at=None
    )
