"""What became of mails to an address, for the pages where its person waits for them."""

from __future__ import annotations

from django import template

from portal.members.mailing import Delivery, deliveries_of, mailbox

register = template.Library()


@register.simple_tag
def newest_mail(address: str) -> Delivery | None:
    """Of the newest mail to that address about its person's own sign-in or company; None where none is kept."""
    return deliveries_of([mailbox(address)]).get(mailbox(address))
