"""One checkpoint that a member gave to somebody without an account, by a link: what it may do, for whom, until when."""

from __future__ import annotations

from typing import Self

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from connections.tenancy.models import TenantOwned
from connections.tenancy.row_security import RowSecurity, SameTenant


class HandoffEnd(models.TextChoices):
    """Why it ended before it was done."""

    WITHDRAWN = "withdrawn", _("withdrawn")
    TRIES = "tries", _("too many tries")


class HandoffQuerySet(models.QuerySet["Handoff"]):
    def open(self) -> Self:
        """Those that can still be used: neither done, nor ended, nor over."""
        return self.filter(done_at=None, ended_at=None, expires_at__gt=timezone.now())


class Handoff(TenantOwned):
    """Of the link's token, and of the secret in the cookie of whoever pressed it, only the SHA-256 is kept.

    `key` stands in the address of the receiver's page and tells nothing: without the cookie it opens nothing.
    """

    mark = models.ForeignKey("onboarding.Mark", on_delete=models.CASCADE, db_constraint=False, related_name="handoffs")
    key = models.CharField(max_length=32, editable=False)
    digest = models.CharField(max_length=64, editable=False)
    session_digest = models.CharField(max_length=64, blank=True, editable=False)
    email = models.EmailField(_("given to"), max_length=254)
    given_by = models.CharField(_("given by"), max_length=254)
    giver_id = models.BigIntegerField(null=True)
    given_at = models.DateTimeField(_("given at"), auto_now_add=True)
    expires_at = models.DateTimeField(_("valid until"))
    opened_at = models.DateTimeField(_("opened at"), null=True)
    tries = models.PositiveSmallIntegerField(_("tries"), default=0)
    done_at = models.DateTimeField(_("done at"), null=True)
    ended_at = models.DateTimeField(_("ended at"), null=True)
    end_reason = models.CharField(_("ended by"), max_length=10, choices=HandoffEnd.choices, blank=True)
    reminders = models.PositiveSmallIntegerField(_("reminders"), default=0)
    stopped_at = models.DateTimeField(_("reminders stopped at"), null=True)

    objects = HandoffQuerySet.as_manager()

    class Meta:
        verbose_name = _("hand-off")
        verbose_name_plural = _("hand-offs")
        ordering = ["-given_at", "-id"]
        indexes = [
            models.Index(fields=["tenant", "mark", "-given_at"], name="onboarding_handoff_newest"),
            models.Index(fields=["-given_at", "-id"], name="onboarding_handoffs_by_time"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "mark"],
                name="onboarding_handoff_one",
                condition=Q(done_at=None, ended_at=None),
            ),
            RowSecurity(
                name="onboarding_handoff_fence",
                web="SELECT, INSERT, UPDATE (session_digest, opened_at, tries, done_at, ended_at, end_reason, stopped_at)",
                worker="SELECT, UPDATE (reminders, done_at)",
                staff="SELECT (id, tenant_id, mark_id, email, given_by, given_at, expires_at, opened_at, done_at, ended_at,"
                " end_reason, reminders)",
            ),
            SameTenant(name="onboarding_handoff_mark_tenant", field="mark"),
        ]

    def __str__(self) -> str:
        return f"hand-off to {self.email}"

    @property
    def is_over(self) -> bool:
        """Nobody did it in time."""
        return self.done_at is None and self.ended_at is None and self.expires_at <= timezone.now()

    @property
    def is_open(self) -> bool:
        return self.done_at is None and self.ended_at is None and not self.is_over

    @property
    def visitor(self) -> str:
        """How whoever uses the link is named: it never reads like a member."""
        return f"{self.email} (by a link of {self.given_by})"[:254]
