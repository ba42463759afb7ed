"""Mail leaves by a worker: the web process seals the message and queues it, a job opens and sends it."""

from __future__ import annotations

import base64
import json
import smtplib
import uuid
from collections.abc import Sequence
from email.utils import parseaddr
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from connections.jobs.lease import Lease
from connections.jobs.registry import Parked
from connections.jobs.services import enqueue
from connections.spec.uses import Use
from connections.vault import sealing
from connections.vault.secret import Secret
from portal.members.mailing import masked
from portal.notices import smtp
from portal.notices.models import MailState, OutgoingMail

SEND = "notices.send_mail"
SEND_URGENT = "notices.send_urgent_mail"
# A mail server may be out of order for hours, and one that does not know us yet asks us to come back: about a day in all.
RETRY_WAITS_SECONDS = (15, 60, 180, 600, 1800, 3600, 7200, 14400, 21600, 36000)
LONGEST_HINT = 200
FILES = "django.core.mail.backends.filebased.EmailBackend"
SMTP = "portal.notices.smtp.Backend"


class QueuedBackend(BaseEmailBackend):
    """Django's mail backend for every process: a sealed row and a job in the caller's transaction. Sends nothing itself.

    A message may say what it is `about` (a row's id), and that it `is_urgent`: see portal/members/mailing.py.
    """

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        for message in email_messages:
            envelope = {
                "from": message.from_email,
                "to": message.recipients(),
                "message": base64.b64encode(message.message().as_bytes()).decode(),
            }
            with transaction.atomic():
                about, hint = getattr(message, "about", None), hint_of(message.recipients())
                mail = OutgoingMail(about=about, recipients_hint=hint)
                sealing.seal(mail, "ciphertext", Secret(json.dumps(envelope)))
                mail.save(force_insert=True)
                kind = SEND_URGENT if getattr(message, "is_urgent", False) else SEND
                enqueue(kind=kind, subject=mail.id, tenant_id=None)
        return len(email_messages)


def hint_of(recipients: Sequence[str]) -> str:
    """`a…@aamu.example, b…@aamu.example`: enough to tell people apart who are known, and too little to write to them."""
    hints = ", ".join(masked(parseaddr(each)[1]) for each in recipients)
    return hints if len(hints) <= LONGEST_HINT else f"{hints[: LONGEST_HINT - 1]}…"


class WireMessage:
    """A message in wire form, as far as Django's backends ask for it."""

    def __init__(self, raw: bytes) -> None:
        self._lines = raw.splitlines()

    def as_bytes(self, unixfrom: bool = False, linesep: str = "\n") -> bytes:
        end = linesep.encode()
        return end.join(self._lines) + end

    def get_charset(self) -> None:
        return None


class ReadyMessage(EmailMessage):
    """A message that is already in wire form."""

    def __init__(self, raw: bytes, sender: str, to: list[str]) -> None:
        super().__init__(from_email=sender, to=to)
        self._wire = WireMessage(raw)

    def message(self, **kwargs: Any) -> Any:
        return self._wire


def send(lease: Lease) -> None:
    """Job: open one mail, send it, wipe its content. A mail sent twice by a crash in between is better than one lost.

    What a server refuses for good is not tried again, and said where somebody waits for it.
    """
    with transaction.atomic():
        mail = OutgoingMail.objects.filter(id=lease.subject).first()
    if mail is None or mail.state == MailState.SENT:
        return
    try:
        secret = sealing.unseal(mail, "ciphertext")
    except sealing.Unopenable:
        message = "the sealed mail does not open"
        raise Parked(message) from None
    envelope = json.loads(secret.reveal_for(Use.MAIL))
    ready = ReadyMessage(base64.b64decode(envelope["message"]), envelope["from"], envelope["to"])
    try:
        _outgoing().send_messages([ready])
    except (OSError, smtplib.SMTPException) as error:
        _note(lease, mail.id, error)
        if smtp.is_for_good(error):
            message = f"the mail server refuses it for good ({smtp.code_of(error)})"
            raise Parked(message) from None
        raise
    with lease.scope():
        OutgoingMail.objects.filter(id=mail.id).update(state=MailState.SENT, sent_at=timezone.now(), ciphertext=b"")


def _note(lease: Lease, mail_id: uuid.UUID, error: Exception) -> None:
    """Keep what kind of trouble it was: the reply's code or the error's type, as its text may quote the mail."""
    code = smtp.code_of(error)
    with lease.scope():
        OutgoingMail.objects.filter(id=mail_id).update(
            state=MailState.REFUSED if smtp.is_for_good(error) else MailState.QUEUED,
            tries=F("tries") + 1,
            trouble=type(error).__name__ if code is None else f"{type(error).__name__} {code}",
        )


def _outgoing() -> BaseEmailBackend:
    if settings.SMTP:
        return get_connection(SMTP, **settings.SMTP)
    if settings.DEMO:
        return get_connection(FILES, file_path=settings.DEMO_MAIL_DIR)
    message = "PORTAL_SMTP_URL is not set, so no mail can leave"
    raise Parked(message)


def parked(lease: Lease) -> None:
    OutgoingMail.objects.filter(id=lease.subject, state=MailState.QUEUED).update(state=MailState.FAILED)
