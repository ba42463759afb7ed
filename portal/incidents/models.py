"""Incidents, providers' outages, what people want to be mailed about, and the notices that wait or were mailed."""

from __future__ import annotations

import uuid

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from connections.spec.faults import Responsible
from connections.spec.provider import Environment
from connections.tenancy.models import TenantOwned
from connections.tenancy.row_security import NoRowSecurity, RowSecurity, SameTenant
from connections.vault.models import Connection, ProviderField
from portal.incidents.kinds import MailKind
from portal.members.models import User

RESPONSIBLE = [
    (Responsible.CUSTOMER.value, _("the customer")),
    (Responsible.US.value, _("our staff")),
    (Responsible.PROVIDER.value, _("the provider")),
    (Responsible.NOBODY.value, _("nobody")),
]


class Evident(models.TextChoices):
    """What showed that an incident began or was over."""

    RUN = "run", _("a sync")
    CHECK = "check", _("a check")
    DURATION = "duration", _("how long it had lasted")
    LEFT = "left", _("the connection was disconnected")


class Incident(TenantOwned):
    """One cause that keeps one connection from working, from the first evidence of it to the one that disproves it."""

    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, db_constraint=False, related_name="incidents")
    cause = models.CharField(_("cause"), max_length=60)  # a fault's code, or that of a check's sentence
    checkpoint = models.CharField(_("checkpoint"), max_length=60, blank=True)  # where it is mended; "" for none
    values = models.JSONField(default=dict)  # for the sentence
    responsible = models.CharField(_("who can mend it"), max_length=12, choices=RESPONSIBLE)
    opened_at = models.DateTimeField(_("since"))
    opened_by = models.CharField(_("shown by"), max_length=10, choices=Evident.choices)
    entry_id = models.UUIDField(_("request that showed it"), null=True)
    run_id = models.UUIDField(_("run that showed it"), null=True)
    last_seen_at = models.DateTimeField(_("last seen"))
    times_seen = models.PositiveIntegerField(_("times seen"), default=1)
    # Others told people of it: the urgent mail to owners when reading is held.
    is_told_elsewhere = models.BooleanField(default=False)
    closed_at = models.DateTimeField(_("over since"), null=True)
    closed_by = models.CharField(_("its end shown by"), max_length=10, choices=Evident.choices, blank=True)
    closing_entry_id = models.UUIDField(_("request that showed its end"), null=True)
    closing_run_id = models.UUIDField(_("run that showed its end"), null=True)

    class Meta:
        verbose_name = _("incident")
        verbose_name_plural = _("incidents")
        ordering = ["-opened_at", "-id"]
        indexes = [
            models.Index(fields=["tenant", "connection", "-opened_at"], name="incidents_of_connection"),
            models.Index(fields=["-opened_at", "-id"], name="incidents_newest"),
            models.Index(fields=["closed_at"], name="incidents_over"),
            models.Index(fields=["cause", "-opened_at"], name="incidents_of_cause"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "connection", "cause"], condition=Q(closed_at=None), name="incidents_one_open"
            ),
            RowSecurity(
                name="incidents_incident_fence", web="SELECT", worker="SELECT, INSERT, UPDATE", staff="SELECT"
            ),
            SameTenant(name="incidents_connection_tenant", field="connection"),
        ]

    def __str__(self) -> str:
        return f"{self.cause} {self.opened_at:%Y-%m-%d}"

    @property
    def is_open(self) -> bool:
        return self.closed_at is None


class Outage(models.Model):
    """A provider's environment is in trouble for everybody: one row from the first evidence to the end of it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    provider = ProviderField(_("provider"), max_length=40)
    environment = models.CharField(_("environment"), max_length=12, choices=Environment.choices())
    opened_at = models.DateTimeField(_("since"))
    customers_told_at = models.DateTimeField(_("customers told at"), null=True)
    closed_at = models.DateTimeField(_("over since"), null=True)

    class Meta:
        verbose_name = _("outage")
        verbose_name_plural = _("outages")
        ordering = ["-opened_at", "-id"]
        indexes = [models.Index(fields=["-opened_at", "-id"], name="incidents_outage_newest")]
        constraints = [
            models.UniqueConstraint(
                fields=["provider", "environment"], condition=Q(closed_at=None), name="incidents_outage_open_once"
            ),
            NoRowSecurity(
                name="incidents_outage_rights",
                reason="a provider's trouble is that of all tenants who use it; a name and times, nothing of any tenant",
                web="SELECT",
                worker="SELECT, INSERT, UPDATE",
                staff="SELECT",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.provider} {self.environment}"


class MailChoice(TenantOwned):
    """What one person wants to be mailed about one tenant. Who has chosen nothing has no row, and gets every kind at once."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+", editable=False)
    refused = ArrayField(models.CharField(max_length=10, choices=MailKind.choices), default=list, blank=True)
    is_digest = models.BooleanField(_("all together, each morning"), default=False)
    # In the person's own time zone; both or none.
    quiet_from = models.TimeField(_("quiet from"), null=True)
    quiet_until = models.TimeField(_("quiet until"), null=True)

    class Meta:
        verbose_name = _("choice of mails")
        verbose_name_plural = _("choices of mails")
        constraints = [
            models.UniqueConstraint(fields=["tenant", "user"], name="incidents_mail_choice_once"),
            RowSecurity(
                name="incidents_mail_choice_fence",
                web="SELECT, INSERT, UPDATE (refused, is_digest, quiet_from, quiet_until)",
                worker="SELECT",
                staff="SELECT",
                is_target=False,
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user_id}"


class NoticeOutcome(models.TextChoices):
    MAILED = "mailed", _("mailed")
    REFUSED = "refused", _("not wanted any more")
    OVERTAKEN = "overtaken", _("over before it was due")


class Notice(TenantOwned):
    """One thing that one person is to be told, once. It waits for its time, and is then mailed alone or with others."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+", editable=False)
    kind = models.CharField(_("kind"), max_length=10, choices=MailKind.choices)
    about = models.UUIDField(_("about"))  # an incident, an outage or a connection
    connection_id = models.UUIDField(_("connection"), null=True)
    created_at = models.DateTimeField(_("since"))
    due_at = models.DateTimeField(_("due at"))
    ended_at = models.DateTimeField(_("ended"), null=True)
    outcome = models.CharField(_("outcome"), max_length=10, choices=NoticeOutcome.choices, blank=True)

    class Meta:
        verbose_name = _("notice")
        verbose_name_plural = _("notices")
        indexes = [
            models.Index(fields=["tenant", "user", "-created_at"], name="incidents_notice_of_person"),
            models.Index(fields=["ended_at"], name="incidents_notice_ended"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "kind", "about", "user"], name="incidents_notice_once"),
            RowSecurity(
                name="incidents_notice_fence",
                worker="SELECT, INSERT, UPDATE (ended_at, outcome)",
                staff="SELECT",
                is_target=False,
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.about}"


class StaffSubscription(models.Model):
    """One of our people wants to be mailed about outages, and about incidents that are ours to mend."""

    user = models.OneToOneField(User, on_delete=models.CASCADE, primary_key=True, related_name="+", editable=False)
    since = models.DateTimeField(_("since"), auto_now_add=True)

    class Meta:
        verbose_name = _("subscription of staff")
        verbose_name_plural = _("subscriptions of staff")
        constraints = [
            NoRowSecurity(
                name="incidents_subscription_rights",
                reason="staff belong to no tenant; whom it names is mailed only while they are staff, which the web cannot write",
                web="SELECT, INSERT, DELETE",
                worker="SELECT",
            )
        ]

    def __str__(self) -> str:
        return f"{self.user_id}"
