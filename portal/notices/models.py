"""Mail that waits to be sent, sealed for the house because it may carry a link that lets somebody in."""

from __future__ import annotations

import uuid

from django.db import models
from django.utils.translation import gettext_lazy as _

from connections.spec.uses import Use
from connections.tenancy.row_security import Unfenced
from connections.vault.fields import SealedField


class MailState(models.TextChoices):
    QUEUED = "queued", _("queued")
    SENT = "sent", _("sent")
    FAILED = "failed", _("failed")


class OutgoingMail(models.Model):
    """One message with its recipients, sealed. The content is wiped once it is sent."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    key_version = models.PositiveIntegerField()
    ciphertext = SealedField(owner="system", uses=frozenset({Use.MAIL}))
    state = models.CharField(_("state"), max_length=8, choices=MailState.choices, default=MailState.QUEUED)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    sent_at = models.DateTimeField(_("sent at"), null=True)

    class Meta:
        verbose_name = _("mail")
        verbose_name_plural = _("mails")
        constraints = [
            Unfenced(
                name="notices_mail_rights",
                reason="a mail may go to a person who belongs to no tenant yet; sealed for the house",
                web="INSERT",
                worker="SELECT, INSERT, UPDATE, DELETE",
                staff="INSERT, SELECT (id, state, created_at, sent_at)",
            )
        ]

    def __str__(self) -> str:
        return f"{self.state} {self.id}"
