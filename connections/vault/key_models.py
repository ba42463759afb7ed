"""Key pairs: the public half that everybody may seal with, and the wrapped private half that workers alone may read."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from connections.tenancy.models import TenantOwned
from connections.tenancy.row_security import NoRowSecurity, RowSecurity

PUBLIC = "SELECT (id, tenant_id, version, public_keyset, made_at)"


class TenantKey(TenantOwned):
    """The public half of a tenant's key pair, one row per version. Everybody may seal with the newest."""

    version = models.PositiveIntegerField(_("version"))
    public_keyset = models.TextField(_("public keyset"))
    made_at = models.DateTimeField(_("made at"), auto_now_add=True)

    class Meta:
        verbose_name = _("tenant key")
        verbose_name_plural = _("tenant keys")
        constraints = [
            models.UniqueConstraint(fields=["tenant", "version"], name="vault_tenant_key_version"),
            RowSecurity(
                name="vault_tenant_key_fence",
                web=PUBLIC,
                worker="SELECT, INSERT, DELETE",
                staff="SELECT (id, tenant_id, version, made_at)",
            ),
        ]

    def __str__(self) -> str:
        return f"key {self.version}"


class PrivateKey(TenantOwned):
    """The private half, wrapped by the key-encryption key. The web process has no right on this table at all."""

    version = models.PositiveIntegerField()
    wrapped_keyset = models.TextField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "version"], name="vault_private_key_version"),
            RowSecurity(name="vault_private_key_fence", worker="SELECT, INSERT, DELETE"),
        ]

    def __str__(self) -> str:
        return f"private key {self.version}"


class SystemKey(models.Model):
    """The public half of the system's own key pair: client registrations and mail waiting to be sent are sealed with it."""

    version = models.PositiveIntegerField(_("version"), primary_key=True)
    public_keyset = models.TextField(_("public keyset"))
    made_at = models.DateTimeField(_("made at"), auto_now_add=True)

    class Meta:
        verbose_name = _("system key")
        verbose_name_plural = _("system keys")
        constraints = [
            NoRowSecurity(
                name="vault_system_key_rights",
                reason="belongs to the system, to no tenant; a public key",
                web="SELECT",
                worker="SELECT, INSERT, DELETE",
                staff="SELECT",
            )
        ]

    def __str__(self) -> str:
        return f"system key {self.version}"


class SystemPrivateKey(models.Model):
    """The system's private half, wrapped. Workers only."""

    version = models.PositiveIntegerField(primary_key=True)
    wrapped_keyset = models.TextField()

    class Meta:
        constraints = [
            NoRowSecurity(
                name="vault_system_private_key_rights",
                reason="belongs to the system, to no tenant; workers only",
                worker="SELECT, INSERT, DELETE",
            )
        ]

    def __str__(self) -> str:
        return f"system private key {self.version}"
