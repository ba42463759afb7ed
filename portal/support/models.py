"""What staff keep: views of a list under names of their own, what they set going, and notes on connections."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from connections.tenancy.models import Tenant, TenantOwned
from connections.tenancy.row_security import NoRowSecurity, RowSecurity, SameTenant
from connections.vault.models import Connection
from portal.members.models import User
from portal.support.visit_models import Visit

# Django looks for models in this module.
__all__ = ["Visit"]


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


class PlannedAction(models.TextChoices):
    """What staff set going; a worker does it, once for each item."""

    SYNC = "sync", _("sync again")
    CHECK = "check", _("check again")
    CANCEL = "cancel", _("cancel the run")
    ASK = "ask", _("ask the customer by mail")
    QUEUE = "queue", _("queue again what was given up")
    MAIL = "mail", _("send the mail again")


class ActionPlan(models.Model):
    """One thing to be done to some rows, with the reason: planned, then started, then done bit by bit; it can be stopped."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    action = models.CharField(_("what is done"), max_length=10, choices=PlannedAction.choices)
    # How its items were chosen: a fault's code, a kind of job; empty where somebody pressed at one row.
    chosen_by = models.CharField(_("all with"), max_length=120, blank=True)
    reason = models.CharField(_("reason"), max_length=200, blank=True)
    actor_id = models.BigIntegerField(_("who, by id"))
    actor_name = models.CharField(_("who"), max_length=254)
    created_at = models.DateTimeField(_("planned at"), auto_now_add=True)
    started_at = models.DateTimeField(_("started at"), null=True)
    stopped_at = models.DateTimeField(_("stopped at"), null=True)
    stopped_by = models.CharField(_("stopped by"), max_length=254, blank=True)
    ended_at = models.DateTimeField(_("ended"), null=True)

    class Meta:
        verbose_name = _("action of staff")
        verbose_name_plural = _("actions of staff")
        indexes = [models.Index(fields=["-created_at", "-id"], name="support_plan_newest")]
        constraints = [
            NoRowSecurity(
                name="support_plan_rights",
                reason="what staff set going over all tenants: its name, its reason and times; no tenant's data",
                worker="SELECT, UPDATE (ended_at)",
                staff="SELECT, INSERT, UPDATE (reason, started_at, stopped_at, stopped_by)",
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_action_display()} {self.chosen_by}".strip()

    @property
    def is_open(self) -> bool:
        """Whether it may still be started or stopped."""
        return self.stopped_at is None and self.ended_at is None


class ItemState(models.TextChoices):
    WAITING = "waiting", _("to come")
    DONE = "done", _("done")
    NEEDLESS = "needless", _("not needed any more")
    REFUSED = "refused", _("refused")


class ActionItem(models.Model):
    """One row that a plan is about, by its id, and what became of it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    plan = models.ForeignKey(ActionPlan, on_delete=models.CASCADE, related_name="items", editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, null=True, related_name="+", editable=False)
    subject = models.UUIDField(_("about"))
    place = models.PositiveIntegerField(_("place"))
    state = models.CharField(_("state"), max_length=8, choices=ItemState.choices, default=ItemState.WAITING)
    answer = models.CharField(_("why"), max_length=300, blank=True)
    ended_at = models.DateTimeField(_("ended"), null=True)

    class Meta:
        verbose_name = _("item of an action")
        verbose_name_plural = _("items of actions")
        ordering = ["place"]
        indexes = [models.Index(fields=["plan", "place"], name="support_item_next", condition=Q(state="waiting"))]
        constraints = [
            models.UniqueConstraint(fields=["plan", "place"], name="support_item_once"),
            NoRowSecurity(
                name="support_item_rights",
                reason="ids of rows of all tenants that staff set something going for; what it is stands in fenced rows",
                worker="SELECT, UPDATE (state, answer, ended_at)",
                staff="SELECT, INSERT",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.state} {self.subject}"


class ConnectionNote(TenantOwned):
    """What one of our people wants the others to know about a connection. The customer does not see it."""

    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, db_constraint=False, related_name="+")
    text = models.TextField(_("note"), max_length=2000)
    author_name = models.CharField(_("who"), max_length=254)
    written_at = models.DateTimeField(_("written at"), auto_now_add=True)

    class Meta:
        verbose_name = _("note on a connection")
        verbose_name_plural = _("notes on connections")
        ordering = ["-written_at", "-id"]
        indexes = [models.Index(fields=["tenant", "connection", "-written_at"], name="support_note_of_connection")]
        constraints = [
            RowSecurity(name="support_note_fence", staff="SELECT, INSERT", is_target=False),
            SameTenant(name="support_note_connection_tenant", field="connection"),
        ]

    def __str__(self) -> str:
        return self.text[:60]
