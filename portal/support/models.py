"""What staff keep for themselves: views of a list, under names of their own."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from connections.tenancy.row_security import NoRowSecurity
from portal.members.models import User


class SavedView(models.Model):
    """One person's filters of the request log, as its address holds them."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+", editable=False)
    name = models.CharField(_("name"), max_length=60)
    query = models.TextField(_("filters"), max_length=2000, blank=True)
    created_at = models.DateTimeField(_("kept since"), auto_now_add=True)

    class Meta:
        verbose_name = _("view of a list")
        verbose_name_plural = _("views of lists")
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["user", "name"], name="support_view_once"),
            NoRowSecurity(
                name="support_view_rights",
                reason="staff belong to no tenant; a view is what somebody would type into an address again",
                staff="SELECT, INSERT, UPDATE (query), DELETE",
            ),
        ]

    def __str__(self) -> str:
        return self.name
