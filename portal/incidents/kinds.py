"""The kinds of mail that a person may have or not have, tenant by tenant."""

from __future__ import annotations

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class MailKind(TextChoices):
    """The label completes "Mail me when ..."."""

    BROKEN = "broken", _("a connection needs somebody")
    HEALED = "healed", _("what I was told of is over")
    LIVE = "live", _("a connection has been read for the first time")
    WAITS = "waits", _("a connection that I began waits for me")
    ASKED = "asked", _("support asks for me at a connection")
    EXPIRES = "expires", _("something of a connection is about to end, or its provider changes something")
    OUTAGE = "outage", _("a provider has been in trouble for a while, and when that is over")


KINDS = [kind.value for kind in MailKind]
# In the links of mails to our staff, in the place of a kind: their subscription as a whole.
STAFF = "staff"
