"""What became of mails, for the pages where somebody waits for them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from uuid import UUID

from portal.members.mailing import Delivery
from portal.notices.models import MailState, OutgoingMail


def deliveries_of(rows: Collection[UUID]) -> Mapping[UUID, Delivery]:
    """By the id of the row that a mail is about; the newest mail counts."""
    newest = OutgoingMail.objects.filter(about__in=rows).order_by("about", "-created_at").distinct("about")
    states = newest.values_list("about", "state", "tries")
    return {about: _delivery(state, tries) for about, state, tries in states if about is not None}


def _delivery(state: str, tries: int) -> Delivery:
    if state == MailState.SENT:
        return Delivery.SENT
    if state == MailState.REFUSED:
        return Delivery.REFUSED
    if state == MailState.FAILED:
        return Delivery.FAILED
    return Delivery.DELAYED if tries else Delivery.ON_ITS_WAY
