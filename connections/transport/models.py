"""The request log and the quota windows."""

from __future__ import annotations

import uuid

from django.db import models
from django.utils.translation import gettext_lazy as _

from connections.tenancy.models import Tenant
from connections.tenancy.row_security import Unfenced
from connections.vault.models import Connection


class Outcome(models.TextChoices):
    """How an attempt ended, in one word."""

    ANSWERED = "answered", _("answered")  # 2xx, readable
    REFUSED = "refused", _("refused")  # 4xx
    TROUBLED = "troubled", _("troubled")  # 5xx
    UNREACHABLE = "unreachable", _("no answer")
    UNREADABLE = "unreadable", _("unreadable")
    BLOCKED = "blocked", _("blocked")  # our own egress door


class RequestLogEntry(models.Model):
    """One attempt at one HTTP call. An allow-list: never a URL, a header, a body or a secret.

    The table is partitioned by month and made by SQL in the first migration (its database key is `(at, id)`), so Django
    does not manage it; there is no foreign key but the tenant's.
    """

    id = models.UUIDField(_("entry id"), primary_key=True, default=uuid.uuid4, editable=False)
    at = models.DateTimeField(_("time"))
    tenant = models.ForeignKey(Tenant, on_delete=models.DO_NOTHING, related_name="+")
    connection = models.ForeignKey(
        Connection, on_delete=models.DO_NOTHING, db_constraint=False, related_name="entries"
    )
    run_id = models.UUIDField(_("run"), null=True)
    checkpoint = models.CharField(_("checkpoint"), max_length=60, blank=True)
    provider = models.CharField(_("provider"), max_length=40)
    environment = models.CharField(_("environment"), max_length=12)
    api_version = models.CharField(_("API version"), max_length=20, blank=True)
    operation = models.CharField(_("operation"), max_length=60)
    method = models.CharField(_("method"), max_length=8)
    path_template = models.CharField(_("path"), max_length=200)
    status = models.PositiveSmallIntegerField(_("status"), null=True)
    outcome = models.CharField(_("outcome"), max_length=12, choices=Outcome.choices)
    fault = models.CharField(_("fault"), max_length=60, blank=True)
    attempt = models.PositiveSmallIntegerField(_("attempt"), default=1)
    duration_ms = models.PositiveIntegerField(_("duration (ms)"))
    bytes_in = models.PositiveIntegerField(_("bytes"), default=0)
    provider_request_id = models.CharField(_("provider request id"), max_length=140, blank=True)
    token_age_s = models.PositiveIntegerField(_("token age (s)"), null=True)
    quota_left = models.IntegerField(_("quota left"), null=True)

    class Meta:
        managed = False
        db_table = "transport_entry"
        verbose_name = _("request")
        verbose_name_plural = _("request log")
        ordering = ["-at", "-id"]

    def __str__(self) -> str:
        return f"{self.method} {self.path_template}"


class QuotaWindow(models.Model):
    """When the next call of one counted thing may start. One row per quota and key, moved by one atomic statement."""

    key = models.CharField(primary_key=True, max_length=200)
    next_at = models.DateTimeField(null=True)  # spacing quotas: the next free slot
    window_ends_at = models.DateTimeField(null=True)  # budgets: when the counted span ends
    used = models.PositiveIntegerField(default=0)  # budgets: calls counted in it

    class Meta:
        verbose_name = _("quota window")
        verbose_name_plural = _("quota windows")
        constraints = [
            Unfenced(
                name="transport_quota_rights",
                reason="a provider may count a client registration, which all tenants share; keys and times only",
                worker="SELECT, INSERT, UPDATE, DELETE",
                staff="SELECT",
            )
        ]

    def __str__(self) -> str:
        return self.key
