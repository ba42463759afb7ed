"""Tenants, the shape of every row a tenant owns, and the append-only audit trail."""

from __future__ import annotations

import uuid

from django.db import models
from django.utils.translation import gettext_lazy as _

from connections.tenancy.row_security import Fenced, Unfenced


class TenantState(models.TextChoices):
    FOUNDED = "founded", _("being set up")  # its key pair is not made yet
    ACTIVE = "active", _("active")
    SUSPENDED = "suspended", _("suspended")


class Tenant(models.Model):
    """The customer company that owns rows; the unit of isolation."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    slug = models.SlugField(_("address"), unique=True, max_length=50)
    name = models.CharField(_("name"), max_length=120)
    state = models.CharField(_("state"), max_length=12, choices=TenantState.choices, default=TenantState.FOUNDED)
    created_at = models.DateTimeField(_("founded at"), auto_now_add=True)

    class Meta:
        verbose_name = _("tenant")
        verbose_name_plural = _("tenants")
        constraints = [
            Unfenced(
                name="tenancy_tenant_rights",
                reason="the header that tells which tenant an address names; everything a tenant owns hangs below it",
                web="SELECT",
                worker="SELECT, UPDATE (state)",
                staff="SELECT, INSERT, UPDATE (name, state)",
            )
        ]

    def __str__(self) -> str:
        return self.name


class TenantOwned(models.Model):
    """What every row of a tenant has: a random id and its tenant. Foreign keys between such rows carry `SameTenant`."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", editable=False)

    class Meta:
        abstract = True


class AuditEvent(TenantOwned):
    """Who did what in a tenant. Append-only: no role may change or delete a row. Never holds a secret's value."""

    action = models.CharField(_("action"), max_length=80)
    actor_id = models.BigIntegerField(_("actor id"), null=True)
    actor_name = models.CharField(_("actor"), max_length=254)
    subject = models.CharField(_("subject"), max_length=120, blank=True)
    details = models.JSONField(_("details"), default=dict)
    happened_at = models.DateTimeField(_("happened at"), auto_now_add=True)

    class Meta:
        verbose_name = _("audit event")
        verbose_name_plural = _("audit events")
        ordering = ["-happened_at"]
        indexes = [
            models.Index(fields=["tenant", "-happened_at"], name="tenancy_audit_of_tenant"),
            models.Index(fields=["-happened_at", "-id"], name="tenancy_audit_newest"),
        ]
        constraints = [
            Fenced(name="tenancy_audit_fence", web="SELECT, INSERT", worker="SELECT, INSERT", staff="SELECT, INSERT")
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.subject}".strip()


class Lookup(models.Model):
    """Which tenant a secret link belongs to, by the SHA-256 of its secret: the tenant and nothing else."""

    digest = models.CharField(primary_key=True, max_length=64)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    purpose = models.CharField(max_length=20)

    class Meta:
        constraints = [
            Unfenced(
                name="tenancy_lookup_rights",
                reason="the one look-up by a secret before a tenant is known; it answers with the tenant's id only",
                web="SELECT, INSERT, DELETE",
                worker="SELECT, INSERT, DELETE",
                staff="SELECT, INSERT, DELETE",
            )
        ]

    def __str__(self) -> str:
        return self.purpose
