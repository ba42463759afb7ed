"""How many attempts the request log holds, counted where it is written: by the minute, and by the day for all tenants."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from connections.tenancy.models import Tenant, TenantOwned
from connections.tenancy.row_security import NoRowSecurity, RowSecurity


class MinuteTally(TenantOwned):
    """How many attempts of one connection and operation ended in one way within one minute.

    A trigger of the request log counts (migration 0006), in the statement that writes the entries: so a tally is there
    when its entries are, whoever wrote them. No process writes one by itself.
    """

    # Its index is the constraint's, which begins with it.
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", editable=False, db_index=False)
    connection_id = models.UUIDField(
        _("connection"), null=True
    )  # as in the log: none while companies are being chosen
    minute = models.DateTimeField(_("minute"))
    provider = models.CharField(_("provider"), max_length=40)
    environment = models.CharField(_("environment"), max_length=12)
    operation = models.CharField(_("operation"), max_length=60)
    outcome = models.CharField(_("outcome"), max_length=12)
    attempts = models.PositiveIntegerField(_("attempts"))

    class Meta:
        verbose_name = _("minute tally")
        verbose_name_plural = _("minute tallies")
        indexes = [models.Index(fields=["minute"], name="transport_tally_of_minute")]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "minute", "connection_id", "provider", "environment", "operation", "outcome"],
                nulls_distinct=False,
                name="transport_tally_once",
            ),
            RowSecurity(
                name="transport_tally_fence",
                worker="SELECT, INSERT, UPDATE (attempts)",
                staff="SELECT",
                is_target=False,
            ),
        ]

    def __str__(self) -> str:
        return f"{self.attempts} {self.operation} {self.outcome}"


class DayTally(models.Model):
    """The same of one day (UTC) and of all tenants together; added up by the maintenance once the day is over."""

    day = models.DateField(_("day"))
    provider = models.CharField(_("provider"), max_length=40)
    environment = models.CharField(_("environment"), max_length=12)
    operation = models.CharField(_("operation"), max_length=60)
    outcome = models.CharField(_("outcome"), max_length=12)
    attempts = models.PositiveBigIntegerField(_("attempts"))

    class Meta:
        verbose_name = _("day tally")
        verbose_name_plural = _("day tallies")
        constraints = [
            models.UniqueConstraint(
                fields=["day", "provider", "environment", "operation", "outcome"], name="transport_day_tally_once"
            ),
            NoRowSecurity(
                name="transport_day_tally_rights",
                reason="numbers of attempts at a provider by all tenants together; nothing of any one of them",
                staff="SELECT",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.attempts} {self.operation} {self.outcome}"
