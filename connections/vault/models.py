"""What is stored: connections, and the sealed credentials and grants that belong to them."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib.postgres.indexes import GinIndex
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.db.models.fields.json import KeyTextTransform
from django.utils.translation import gettext_lazy as _

from connections.providers import registry
from connections.spec.provider import Environment
from connections.spec.uses import Use
from connections.tenancy.models import TenantOwned
from connections.tenancy.row_security import NoRowSecurity, RowSecurity, SameTenant
from connections.vault.fields import SealedField
from connections.vault.key_models import PrivateKey, SystemKey, SystemPrivateKey, TenantKey
from connections.vault.querysets import (
    ConnectionOwnedQuerySet,
    ConnectionQuerySet,
    ExemptionQuerySet,
    PinQuerySet,
)
from connections.vault.states import STANDING, ConnectionState, Leaving

# Django looks for models here, and readers for the states beside them.
__all__ = ["STANDING", "ConnectionState", "Leaving", "PrivateKey", "SystemKey", "SystemPrivateKey", "TenantKey"]


def validate_provider(slug: str) -> None:
    """Raises ValidationError for a slug that no provider has."""
    if registry.find(slug) is None:
        raise ValidationError(_("There is no provider called %(slug)s."), params={"slug": slug})


class ProviderField(models.CharField):  # type: ignore[type-arg]  # not generic when it runs
    """A provider's slug. Providers are code, so the column has no choices: a new one needs no migration."""

    default_validators = [validate_provider]

    def deconstruct(self) -> Any:
        """To migrations it is a plain column: they name nothing of ours that may move."""
        name, _path, args, kwargs = super().deconstruct()
        return name, "django.db.models.CharField", args, kwargs


class ClientRegistration(models.Model):
    """Our own client id and secret at one provider environment. The secret is sealed for the system."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    provider = ProviderField(_("provider"), max_length=40)
    environment = models.CharField(_("environment"), max_length=12, choices=Environment.choices())
    client_id = models.CharField(_("client id"), max_length=200)
    redirect_uri = models.URLField(
        _("redirect address"),
        blank=True,
        help_text=_("Exactly as registered at the provider. Leave empty if none was registered."),
    )
    activation_link = models.URLField(
        _("activation link"),
        max_length=500,
        blank=True,
        help_text=_("Where customers choose several companies at once, as the provider told us. Shown to customers."),
    )
    api_version = models.CharField(
        _("API version"),
        max_length=20,
        blank=True,
        validators=[RegexValidator(r"^[A-Za-z0-9._-]*\Z")],
        help_text=_("Stands in the address of every call. Leave empty for the provider's default."),
    )
    key_version = models.PositiveIntegerField(default=0, editable=False)
    secret_ciphertext = SealedField(
        owner="system", uses=frozenset({Use.TOKEN_REQUEST, Use.BASIC}), default=bytes, editable=False
    )
    secret_hint = models.CharField(_("client secret"), max_length=8, blank=True, editable=False)
    changed_at = models.DateTimeField(_("changed at"), auto_now=True)

    class Meta:
        verbose_name = _("client registration")
        verbose_name_plural = _("client registrations")
        constraints = [
            models.UniqueConstraint(fields=["provider", "environment"], name="vault_registration_place"),
            NoRowSecurity(
                name="vault_registration_rights",
                reason="our own registration at a provider, shared by all tenants; the secret is sealed for the system",
                web="SELECT (id, provider, environment, client_id, redirect_uri, activation_link, api_version, changed_at)",
                worker="SELECT, UPDATE (key_version, secret_ciphertext)",
                staff="SELECT (id, provider, environment, client_id, redirect_uri, activation_link, api_version, secret_hint,"
                " key_version, changed_at), INSERT, UPDATE (client_id, redirect_uri, activation_link, api_version,"
                " key_version, secret_ciphertext, secret_hint, changed_at), DELETE",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.provider} {self.environment}"


class Connection(TenantOwned):
    """One tenant's link to one company at one provider environment.

    `auth_method` names the provider's grant it uses. `settings` holds what the customer typed that is no secret, by field.
    """

    provider = ProviderField(_("provider"), max_length=40)
    environment = models.CharField(_("environment"), max_length=12, choices=Environment.choices())
    auth_method = models.CharField(_("auth method"), max_length=40, default="")
    state = models.CharField(_("state"), max_length=12, choices=ConnectionState.choices, default=ConnectionState.SETUP)
    settings = models.JSONField(_("settings"), default=dict, blank=True)
    # When an owner moved it to another server: what was allowed for the old one counts no longer.
    moved_at = models.DateTimeField(_("server changed at"), null=True)
    leaving = models.CharField(_("access at the provider"), max_length=12, choices=Leaving.choices, blank=True)
    left_at = models.DateTimeField(_("disconnected at"), null=True)
    # As the provider tells it. Bound once; another company on reconnect is refused.
    company_id = models.CharField(_("company id"), max_length=600, blank=True)
    company_name = models.CharField(_("company"), max_length=200, blank=True)
    # The fault that broke it (a code of the provider's fault catalogue) and since when.
    fault = models.CharField(_("fault"), max_length=60, blank=True)
    fault_at = models.DateTimeField(_("broken since"), null=True)
    # While somebody has it paused.
    paused_at = models.DateTimeField(_("paused at"), null=True)
    paused_by = models.CharField(_("paused by"), max_length=254, blank=True, default="", db_default="")
    pause_reason = models.CharField(_("reason of the pause"), max_length=200, blank=True, default="", db_default="")
    # Whether single requests that write may be sent with it: only after an owner switched that on.
    allows_writes = models.BooleanField(_("may write"), default=False, db_default=False)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)

    objects = ConnectionQuerySet.as_manager()

    class Meta:
        verbose_name = _("connection")
        verbose_name_plural = _("connections")
        ordering = ["created_at"]
        indexes = [
            models.Index(fields=["company_id"], name="vault_connection_company"),
            models.Index(fields=["-created_at", "-id"], name="vault_connection_newest"),
            # Staff look for the connection by a client id or a server's address.
            models.Index(KeyTextTransform("client_id", "settings"), name="vault_connection_client_id"),
            GinIndex(fields=["settings"], opclasses=["jsonb_path_ops"], name="vault_connection_settings"),
        ]
        constraints = [
            RowSecurity(
                name="vault_connection_fence",
                web="SELECT, INSERT, UPDATE (state, settings, moved_at, leaving, left_at, paused_at, paused_by,"
                " pause_reason, allows_writes, company_id, company_name, fault, fault_at)",
                worker="SELECT, INSERT, UPDATE",
                staff="SELECT, UPDATE (paused_at, paused_by, pause_reason)",
            )
        ]

    def __str__(self) -> str:
        return self.company_name or self.provider

    @property
    def is_disconnected(self) -> bool:
        return self.state == ConnectionState.DISCONNECTED

    @property
    def is_paused(self) -> bool:
        return self.state == ConnectionState.PAUSED

    @property
    def is_standing(self) -> bool:
        """Set up once, and not given up since: connected, or in need of attention."""
        return self.state in STANDING


class Exemption(models.TextChoices):
    PLAIN_HTTP = "plain-http", _("plain HTTP")
    PRIVATE_NETWORKS = "private-networks", _("private networks")


class NetworkExemption(TenantOwned):
    """What an admin allowed one connection beyond the ordinary, who and why. The newest of a kind that was not ended counts.

    One that was given before the connection was moved to another server counts no longer.
    """

    connection = models.ForeignKey(
        Connection, on_delete=models.CASCADE, db_constraint=False, related_name="exemptions"
    )
    kind = models.CharField(_("allowed"), max_length=20, choices=Exemption.choices)
    # Networks of private addresses that a customer's own server may be in (SECURITY NET-8).
    networks = models.JSONField(_("networks"), default=list, blank=True)
    reason = models.CharField(_("reason"), max_length=200)
    actor_id = models.BigIntegerField(null=True)
    actor_name = models.CharField(_("allowed by"), max_length=254)
    granted_at = models.DateTimeField(_("allowed at"), auto_now_add=True)
    ended_at = models.DateTimeField(_("ended at"), null=True)

    objects = ExemptionQuerySet.as_manager()

    class Meta:
        verbose_name = _("exemption")
        verbose_name_plural = _("exemptions")
        ordering = ["-granted_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "connection", "kind"],
                name="vault_exemption_one_stands",
                condition=models.Q(ended_at=None),
            ),
            RowSecurity(
                name="vault_exemption_fence",
                web="SELECT",
                worker="SELECT",
                staff="SELECT, INSERT, UPDATE (ended_at)",
            ),
            SameTenant(name="vault_exemption_connection_tenant", field="connection"),
        ]

    def __str__(self) -> str:
        return self.kind


def credential_uses(row: Credential) -> frozenset[Use]:
    """What the provider declares the field for; nothing, where it does not declare it."""
    provider = registry.find(row.connection.provider)
    declared = {field.name: field for field in provider.credentials if field.secret} if provider else {}
    return frozenset({declared[row.name].use}) if row.name in declared else frozenset()


def access_token_uses(row: Grant) -> frozenset[Use]:
    """The use that the provider's placement of access tokens asks for."""
    provider = registry.find(row.connection.provider)
    return frozenset({provider.placement.use}) if provider else frozenset()


class Credential(TenantOwned):
    """One thing the customer gave us for a connection (API key, client secret), sealed. The web can write it, not read it."""

    connection = models.ForeignKey(
        Connection, on_delete=models.CASCADE, db_constraint=False, related_name="credentials"
    )
    name = models.CharField(_("name"), max_length=40)
    key_version = models.PositiveIntegerField()
    ciphertext = SealedField(uses=credential_uses, named_by="name")
    hint = models.CharField(_("ends with"), max_length=8, blank=True)
    changed_at = models.DateTimeField(_("changed at"))
    changed_by = models.CharField(_("changed by"), max_length=254)

    objects = ConnectionOwnedQuerySet["Credential"].as_manager()

    class Meta:
        verbose_name = _("credential")
        verbose_name_plural = _("credentials")
        constraints = [
            models.UniqueConstraint(fields=["tenant", "connection", "name"], name="vault_credential_once"),
            RowSecurity(
                name="vault_credential_fence",
                web="SELECT (id, tenant_id, connection_id, name, hint, changed_at, changed_by), INSERT,"
                " UPDATE (key_version, ciphertext, hint, changed_at, changed_by), DELETE",
                worker="SELECT, INSERT, UPDATE, DELETE",
                staff="SELECT (id, tenant_id, connection_id, name, hint, key_version, changed_at, changed_by)",
            ),
            SameTenant(name="vault_credential_connection_tenant", field="connection"),
        ]

    def __str__(self) -> str:
        return self.name


class Grant(TenantOwned):
    """What the provider gave us: the token pair, sealed, and the claim that lets one caller at a time fetch a new one."""

    connection = models.OneToOneField(Connection, on_delete=models.CASCADE, db_constraint=False, related_name="grant")
    key_version = models.PositiveIntegerField(default=0)
    access_ciphertext = SealedField(uses=access_token_uses, null=True)
    # The two are sealed apart: a refresh token may outlive many access tokens, and a rotation of the tenant's key.
    refresh_key_version = models.PositiveIntegerField(default=0)
    refresh_ciphertext = SealedField(key_version="refresh_key_version", uses=frozenset({Use.TOKEN_REQUEST}), null=True)
    token_type = models.CharField(_("token type"), max_length=40, blank=True)
    scope = models.CharField(_("scope"), max_length=400, blank=True)
    issued_at = models.DateTimeField(_("issued at"), null=True)
    expires_at = models.DateTimeField(_("expires at"), null=True)
    refresh_issued_at = models.DateTimeField(_("refresh token issued at"), null=True)
    # The client that got the refresh token, which is good for this client alone (RFC 6749 6).
    client_id = models.CharField(_("client id"), max_length=200, blank=True)
    # A token request was sent and its answer was lost: nobody can tell whether the refresh token still works.
    uncertain_at = models.DateTimeField(_("answer lost at"), null=True)
    # The refresh token that is stored was refused for the first time: a second time, later, is the end of it.
    refresh_refused_at = models.DateTimeField(_("refresh token refused at"), null=True)
    # Moves by one with every stored token; whoever stores compares it, so a late answer never overwrites a newer one.
    generation = models.BigIntegerField(_("generation"), default=0)
    claimed_by = models.CharField(_("claimed by"), max_length=120, blank=True)
    claimed_until = models.DateTimeField(_("claimed until"), null=True)
    # The last token request was refused: callers that waited for it share its refusal instead of asking again.
    refused_at = models.DateTimeField(_("refused at"), null=True)
    refused_fault = models.CharField(_("fault"), max_length=60, blank=True)
    refused_entry = models.UUIDField(_("entry id"), null=True)
    # Set where that refusal stands until something else can be asked with: a digest of what was asked with.
    refused_with = models.CharField(max_length=64, blank=True)
    # Token requests in a row that met trouble, and when the provider wants the next one: nobody asks before.
    failures = models.PositiveSmallIntegerField(_("failures in a row"), default=0)
    ask_after = models.DateTimeField(_("not to be asked before"), null=True)
    # Refusals in a row of the very same credential, by the token endpoint or by a call; each one doubles the wait before
    # it is sent again. `wait_with`: a digest of what was refused, as anything else is tried at once.
    refusals = models.PositiveSmallIntegerField(_("refusals in a row"), default=0)
    wait_until = models.DateTimeField(_("not sent again before"), null=True)
    wait_with = models.CharField(max_length=64, blank=True)
    # '' holds everything back; a name this operation alone, as its endpoint may refuse what all others take.
    wait_operation = models.CharField(_("operation that was refused"), max_length=60, blank=True)
    wait_is_alone = models.BooleanField(_("others are answered"), default=False)
    wait_fault = models.CharField(_("fault of the refusal"), max_length=60, blank=True)
    wait_entry = models.UUIDField(_("entry id of the refusal"), null=True)

    objects = ConnectionOwnedQuerySet["Grant"].as_manager()

    class Meta:
        verbose_name = _("grant")
        verbose_name_plural = _("grants")
        constraints = [
            RowSecurity(
                name="vault_grant_fence",
                web="SELECT (id, tenant_id, connection_id, scope, issued_at, expires_at, refresh_issued_at, generation,"
                " refusals, wait_until), UPDATE (wait_until), DELETE",
                worker="SELECT, INSERT, UPDATE, DELETE",
                staff="SELECT (id, tenant_id, connection_id, scope, issued_at, expires_at, refresh_issued_at, generation,"
                " refusals, wait_until)",
            ),
            SameTenant(name="vault_grant_connection_tenant", field="connection"),
        ]

    def __str__(self) -> str:
        return f"grant {self.generation}"


class Pin(TenantOwned):
    """The certificate one host of a connection showed, and whether a person compared and confirmed it.

    Only a confirmed one is trusted. Where a host shows another one later, that one waits in a row of its own.
    """

    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, db_constraint=False, related_name="pins")
    host = models.CharField(_("host"), max_length=260)  # host:port
    certificate = models.TextField(_("certificate"))  # PEM
    sha256 = models.CharField(_("SHA-256 fingerprint"), max_length=95)
    ends_at = models.DateTimeField(_("valid until"))
    seen_at = models.DateTimeField(_("seen at"))
    confirmed_at = models.DateTimeField(_("confirmed at"), null=True)
    confirmed_by = models.CharField(_("confirmed by"), max_length=254, blank=True)

    objects = PinQuerySet.as_manager()

    class Meta:
        verbose_name = _("pin")
        verbose_name_plural = _("pins")
        indexes = [models.Index(fields=["sha256"], name="vault_pin_fingerprint")]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "connection", "host", "sha256"], name="vault_pin_once"),
            RowSecurity(
                name="vault_pin_fence",
                web="SELECT, UPDATE (confirmed_at, confirmed_by), DELETE",
                worker="SELECT, INSERT, UPDATE, DELETE",
                staff="SELECT",
            ),
            SameTenant(name="vault_pin_connection_tenant", field="connection"),
        ]

    def __str__(self) -> str:
        return self.host

    @property
    def compared(self) -> str:
        """What a person compares of it, as one text: a fingerprint counts for its host only."""
        return f"{self.host}={self.sha256}"


class LegacySeal(models.Model):
    """One value that was sealed before values were bound to what they are for, and what its row was bound to at that time.

    Filled by a migration of the release that brought the binding, emptied by the job that seals those values anew (resealing.py).
    """

    id = models.BigAutoField(primary_key=True)
    tenant_id = models.UUIDField(null=True)
    table = models.CharField(max_length=63)
    row = models.UUIDField()
    field = models.CharField(max_length=63)
    binding = models.TextField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["table", "row", "field"], name="vault_legacyseal_once"),
            NoRowSecurity(
                name="vault_legacyseal_rights",
                reason="ids, a table's and a column's name, and the host a customer typed; workers only",
                worker="SELECT, DELETE",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.table}.{self.field}"
