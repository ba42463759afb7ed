"""Mails that people here wait for: what a message is about, and what became of it (portal/notices registers who knows)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from uuid import UUID, uuid5

from django.core.mail import EmailMessage
from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

MAILBOXES = UUID("6f0e6c0e-8f1c-4a35-9d0f-3c1d1f4a2b77")


def masked(email: str) -> str:
    """Enough to recognise a colleague by, and no more: whoever reads it may be a stranger."""
    return f"{email[:1]}\u2026@{email.rpartition('@')[2]}" if email else ""


class TrackedMail(EmailMessage):
    """A message about one row of ours. `is_urgent`: about safety, and sent before what waits already."""

    about: UUID | None = None
    is_urgent = False


class Delivery(TextChoices):
    """What became of the newest mail about something; its label is a sentence for the page where somebody waits for it."""

    ON_ITS_WAY = "on-its-way", _("The mail is on its way.")
    SENT = "sent", _("The mail has been sent.")
    DELAYED = (
        "delayed",
        _(
            "The mail could not be delivered yet. We try again by ourselves, for about a day from when it was sent off."
        ),
    )
    REFUSED = (
        "refused",
        _(
            "The mail could not be delivered: the mail server does not take mail for this address. Check how it is"
            " written, and send it again."
        ),
    )
    FAILED = "failed", _("The mail could not be delivered. Our staff can see why. Send it again.")

    @property
    def is_trouble(self) -> bool:
        return self in (Delivery.DELAYED, Delivery.REFUSED, Delivery.FAILED)

    @property
    def is_over(self) -> bool:
        """It did not arrive, and nobody tries again."""
        return self in (Delivery.REFUSED, Delivery.FAILED)


def mailbox(address: str) -> UUID:
    """What a mail to a person about their own sign-in or company is about: their address, which pages then look up."""
    return uuid5(MAILBOXES, address.strip().lower())


_look_up: Callable[[Collection[UUID]], Mapping[UUID, Delivery]] | None = None


def connect_deliveries(look_up: Callable[[Collection[UUID]], Mapping[UUID, Delivery]]) -> None:
    """Called while the apps load, by portal/notices, which sends mail."""
    global _look_up
    _look_up = look_up


def deliveries_of(rows: Collection[UUID]) -> Mapping[UUID, Delivery]:
    """For each row that a mail was sent about, what became of the newest one. One query, none without rows."""
    return _look_up(rows) if rows and _look_up is not None else {}
