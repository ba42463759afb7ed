"""Tenants, the shape of every row a tenant owns, and the append-only audit trail."""

from __future__ import annotations

import uuid

from django.db import models
from django.utils.translation import gettext_lazy as _

from connections.tenancy.row_security import NoRowSecurity, RowSecurity
from connections.tenancy.session import clock_timestamp, session_person, session_person_name


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
        indexes = [models.Index(fields=["name", "id"], name="tenancy_tenant_by_name")]
        constraints = [
            NoRowSecurity(
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


DEFAULT_TIME_ZONE = "Europe/Helsinki"  # until an owner chooses another


class TenantSettings(TenantOwned):
    """What an owner has chosen for the whole tenant. One that has chosen nothing has no row."""

    tenant = models.OneToOneField(Tenant, on_delete=models.CASCADE, related_name="+", editable=False)
    time_zone = models.CharField(_("time zone"), max_length=60, default=DEFAULT_TIME_ZONE)

    class Meta:
        verbose_name = _("settings of a tenant")
        verbose_name_plural = _("settings of tenants")
        constraints = [
            RowSecurity(
                name="tenancy_settings_fence",
                web="SELECT, INSERT, UPDATE (time_zone)",
                worker="SELECT",
                staff="SELECT",
                is_target=False,
            )
        ]

    def __str__(self) -> str:
        return self.time_zone


# What a process may write of an event. Who and when are the database's own words: no process has a right to write them.
_WRITTEN = "id, action, subject, details"


class WhoDidWhat(models.Model):
    """One line of an audit trail, written by `connections.tenancy.audit` only.

    When it happened is the database's clock, and who did it is the person whose scope the session has entered: both are
    defaults of columns that no runtime role may write, so code that forgets, or a form that is forged, neither backdates
    an event nor speaks for somebody else. Whoever runs SQL of their own with a process's login can set the session's
    person first, and then invent events of today; they cannot write one of yesterday, nor change or delete any.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    action = models.CharField(_("action"), max_length=80)
    actor_id = models.BigIntegerField(_("actor id"), null=True, db_default=session_person())
    actor_name = models.CharField(_("actor"), max_length=254, db_default=session_person_name())
    subject = models.CharField(_("subject"), max_length=120, blank=True)
    details = models.JSONField(_("details"), default=dict)
    happened_at = models.DateTimeField(_("happened at"), db_default=clock_timestamp())

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.action} {self.subject}".strip()


class AuditEvent(WhoDidWhat, TenantOwned):
    """Who did what in a tenant. Append-only: no role may change or delete a row. Never holds a secret's value."""

    class Meta:
        verbose_name = _("audit event")
        verbose_name_plural = _("audit events")
        ordering = ["-happened_at"]
        indexes = [
            models.Index(fields=["tenant", "-happened_at"], name="tenancy_audit_of_tenant"),
            models.Index(fields=["-happened_at", "-id"], name="tenancy_audit_newest"),
            models.Index(fields=["actor_name", "-happened_at"], name="tenancy_audit_of_person"),
            models.Index(fields=["action", "-happened_at"], name="tenancy_audit_of_action"),
            models.Index(fields=["action"], opclasses=["varchar_pattern_ops"], name="tenancy_audit_action_begins"),
            models.Index(fields=["subject", "-happened_at"], name="tenancy_audit_of_subject"),
            models.Index(fields=["actor_id", "-happened_at"], name="tenancy_audit_of_actor"),
        ]
        constraints = [
            RowSecurity(
                name="tenancy_audit_fence",
                web=f"SELECT, INSERT ({_WRITTEN}, tenant_id)",
                worker=f"SELECT, INSERT ({_WRITTEN}, tenant_id)",
                staff=f"SELECT, INSERT ({_WRITTEN}, tenant_id)",
            )
        ]


class SystemAuditEvent(WhoDidWhat):
    """Who did what to the portal itself: who signed in or failed to, was turned away, became staff; what staff opened.

    Append-only as well. Never holds a secret's value; addresses of people and what staff searched for stand in it.
    """

    class Meta:
        verbose_name = _("system audit event")
        verbose_name_plural = _("system audit events")
        ordering = ["-happened_at"]
        indexes = [
            models.Index(fields=["-happened_at", "-id"], name="tenancy_system_audit_newest"),
            models.Index(fields=["actor_name", "-happened_at"], name="tenancy_system_audit_person"),
            models.Index(fields=["action", "-happened_at"], name="tenancy_system_audit_action"),
            models.Index(fields=["action"], opclasses=["varchar_pattern_ops"], name="tenancy_system_audit_begins"),
            models.Index(fields=["subject", "-happened_at"], name="tenancy_system_audit_subject"),
            models.Index(fields=["actor_id", "-happened_at"], name="tenancy_system_audit_actor"),
        ]
        constraints = [
            NoRowSecurity(
                name="tenancy_system_audit_rights",
                reason="it happens before a tenant is known, or belongs to none; customers' pages have no right to read it",
                web=f"INSERT ({_WRITTEN})",
                worker=f"INSERT ({_WRITTEN})",
                staff=f"SELECT, INSERT ({_WRITTEN})",
            )
        ]


class AuditTally(models.Model):
    """How often something that may come in floods happened within one hour; the trail keeps the first and each doubling.

    Whoever holds the web's login can change a count, but not the events that were appended for it.
    """

    name = models.CharField(primary_key=True, max_length=200)
    count = models.BigIntegerField()
    started_at = models.DateTimeField(db_default=clock_timestamp())

    class Meta:
        constraints = [
            NoRowSecurity(
                name="tenancy_audit_tally_rights",
                reason="counts sign-ins that failed and pages that were refused, before or outside of any tenant",
                web="SELECT, INSERT (name, count), UPDATE (count)",
                staff="SELECT, INSERT (name, count), UPDATE (count)",
            )
        ]

    def __str__(self) -> str:
        return f"{self.name}: {self.count}"


class Lookup(models.Model):
    """Which tenant a secret link belongs to, by the SHA-256 of its secret: the tenant and nothing else."""

    digest = models.CharField(primary_key=True, max_length=64)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    purpose = models.CharField(max_length=20)

    class Meta:
        constraints = [
            NoRowSecurity(
                name="tenancy_lookup_rights",
                reason="the one look-up by a secret before a tenant is known; it answers with the tenant's id only",
                web="SELECT, INSERT, DELETE",
                worker="SELECT, INSERT, DELETE",
                staff="SELECT, INSERT, DELETE",
            )
        ]

    def __str__(self) -> str:
        return self.purpose
