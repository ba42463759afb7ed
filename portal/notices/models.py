"""Mail that waits to be sent, sealed with the system key as it may let somebody in, and the kinds of errors that are mailed."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from connections.spec.uses import Use
from connections.tenancy.row_security import NoRowSecurity
from connections.vault.fields import SealedField


class MailState(models.TextChoices):
    QUEUED = "queued", _("queued")
    SENT = "sent", _("sent")
    REFUSED = "refused", _("refused")  # by the recipient's mail server, for good
    FAILED = "failed", _("failed")


class OutgoingMail(models.Model):
    """One message with its recipients, sealed. The content is wiped once it is sent."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    # The row that somebody waits at for this mail, such as an invitation; its page says what became of it.
    about = models.UUIDField(_("about"), null=True)
    tries = models.PositiveSmallIntegerField(_("tries without success"), default=0)
    trouble = models.CharField(
        _("last trouble"), max_length=60, blank=True
    )  # a reply code or an error's type, no text
    # Whom it is for, as far as staff see it: the first letter and the domain.
    recipients_hint = models.CharField(_("for"), max_length=200, blank=True, default="", db_default="")
    key_version = models.PositiveIntegerField()
    ciphertext = SealedField(owner="system", uses=frozenset({Use.MAIL}))
    state = models.CharField(_("state"), max_length=8, choices=MailState.choices, default=MailState.QUEUED)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    sent_at = models.DateTimeField(_("sent at"), null=True)

    class Meta:
        verbose_name = _("mail")
        verbose_name_plural = _("mails")
        indexes = [
            models.Index(fields=["about", "-created_at"], name="notices_mail_about", condition=Q(about__isnull=False)),
            models.Index(
                fields=["-created_at"], name="notices_mail_unsent", condition=Q(state__in=("failed", "refused"))
            ),
        ]
        constraints = [
            NoRowSecurity(
                name="notices_mail_rights",
                reason="a mail may go to a person who belongs to no tenant yet; sealed for the house",
                web="INSERT, SELECT (id, about, state, tries, created_at, sent_at)",
                worker="SELECT, INSERT, UPDATE, DELETE",
                staff="INSERT, SELECT (id, about, state, tries, trouble, recipients_hint, created_at, sent_at)",
            )
        ]

    def __str__(self) -> str:
        return f"{self.state} {self.id}"


class ErrorGroup(models.Model):
    """Errors of one kind: the same exception at the same place. Mailed at once, then as a count, more and more seldom.

    One row per kind, and of kinds a fixed number at most (error_groups.py).
    """

    id = models.UUIDField(primary_key=True, editable=False)
    label = models.CharField(_("what and where"), max_length=300)
    mailed_at = models.DateTimeField(_("mailed at"), null=True)
    last_at = models.DateTimeField(_("last seen"), null=True)
    more = models.PositiveIntegerField(_("more since then"), default=0)
    wait_seconds = models.PositiveIntegerField(_("wait (seconds)"), default=0)
    next_at = models.DateTimeField(_("next mail not before"), null=True)

    class Meta:
        verbose_name = _("kind of error")
        verbose_name_plural = _("kinds of errors")
        constraints = [
            NoRowSecurity(
                name="notices_error_group_rights",
                reason="errors of our own side: types, places in our code, counts and times; nothing of any tenant",
                web="SELECT, INSERT, UPDATE",
                worker="SELECT, INSERT, UPDATE",
                staff="SELECT, INSERT, UPDATE",
            )
        ]

    def __str__(self) -> str:
        return self.label
