"""The row of a visit, which the tenant's owners see as well."""

from __future__ import annotations

from datetime import timedelta

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from connections.tenancy.models import TenantOwned
from connections.tenancy.row_security import RowSecurity

LONGEST_VISIT = timedelta(hours=1)


class Visit(TenantOwned):
    """One of our people may look inside one tenant, until a time, for a reason. The database allows no longer one."""

    user_id = models.BigIntegerField(_("who, by id"))
    visitor_name = models.CharField(_("who"), max_length=254)
    reason = models.CharField(_("reason"), max_length=200)
    ticket = models.CharField(_("ticket"), max_length=60)
    started_at = models.DateTimeField(_("since"))
    until_at = models.DateTimeField(_("until"))
    ended_at = models.DateTimeField(_("ended"), null=True)

    class Meta:
        verbose_name = _("visit")
        verbose_name_plural = _("visits")
        ordering = ["-started_at", "-id"]
        indexes = [models.Index(fields=["-started_at", "-id"], name="support_visit_newest")]
        constraints = [
            # One tenant at a time.
            models.UniqueConstraint(fields=["user_id"], name="support_one_visit", condition=Q(ended_at=None)),
            models.CheckConstraint(
                name="support_visit_short",
                condition=Q(until_at__gt=F("started_at"), until_at__lte=F("started_at") + LONGEST_VISIT),
            ),
            RowSecurity(
                name="support_visit_fence",
                worker="SELECT",
                staff="SELECT, INSERT, UPDATE (ended_at)",
                is_target=False,
            ),
        ]

    def __str__(self) -> str:
        return f"{self.visitor_name} {self.ticket}"
