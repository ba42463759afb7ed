"""What happens to the ways a person signs in: written down, and told to the person by mail."""

from __future__ import annotations

import logging
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from connections.spec.text import Text, isolate
from connections.tenancy import audit
from connections.tenancy.scope import Actor, person_scope, tenant_scope
from connections.vault.keys import KeyUnavailable
from portal.members.mailing import TrackedMail, mailbox
from portal.members.models import Membership, User
from portal.rate_limits import limits
from portal.rate_limits.limits import Scope
from portal.rate_limits.spending import RateLimited, spend

logger = logging.getLogger(__name__)

# What the mail says of each event; the words in it come from the event's details.
SENTENCES: dict[str, Text] = {
    "address.added": _("The address %(email)s was added to your sign-in. It must still be confirmed."),
    "address.confirmed": _("The address %(email)s of your sign-in was confirmed."),
    "address.changed": _("You sign in with %(after)s from now on, instead of %(before)s."),
    "address.removed": _("The address %(email)s was removed from your sign-in."),
    "password.changed": _("Your password was changed."),
    "second_factor.set_up": _("A second factor was set up for your sign-in."),
    "second_factor.removed": _("The second factor was removed from your sign-in."),
    "second_factor.link_made": _(
        "An admin made a link by which you set up a second factor. What was set up before no longer works."
    ),
    "recovery_codes.renewed": _("New recovery codes were made for your sign-in. The old ones no longer work."),
    "recovery_codes.shown": _("The recovery codes of your sign-in were shown."),
    "sessions.ended": _("All other sessions of your sign-in were ended."),
    "staff.recovered": _(
        "Somebody with access to the portal's own machine took away the second factor of %(email)s and made a link for"
        " another one."
    ),
    "staff.role_changed": _("Your staff role was changed."),
    "staff.switched_off": _("Your sign-in was switched off by our staff."),
    "staff.switched_on": _("Your sign-in was switched on again by our staff."),
}


def record(user: User, action: str, request: HttpRequest | None = None, **details: Any) -> None:
    """Write it down for our staff, and wherever the person belongs. `details` holds names and ids, never a secret."""
    actor = _actor(user, request)
    audit.record_system(actor=actor, action=action, subject=user.email, person=user.pk, **details)
    with person_scope(user.pk):
        tenants = list(Membership.objects.filter(user_id=user.pk).values_list("tenant_id", flat=True))
    for tenant_id in tenants:
        with tenant_scope(tenant_id):
            audit.record(tenant_id=tenant_id, actor=actor, action=action, subject=str(user.pk), **details)


def notify_security(whom: User | str, event: str, **details: Any) -> None:
    """Tell a person, or an address that was theirs, by mail. What happened is not undone by a mail that cannot leave."""
    words = {
        "sentence": SENTENCES[event] % {name: isolate(value) for name, value in details.items()},
        "at": timezone.now(),
        "time_zone": "UTC" if isinstance(whom, str) else whom.time_zone,
        "reset": settings.ORIGIN + reverse("account_reset_password"),
    }
    subject = " ".join(render_to_string("members/mail/security_subject.txt", words).split())
    body = render_to_string("members/mail/security.txt", words)
    address = whom if isinstance(whom, str) else whom.email
    mail = TrackedMail(subject=subject, body=body, to=[address])
    mail.is_urgent, mail.about = True, mailbox(address)
    try:
        spend(limits.SECURITY_MAIL, {Scope.RECIPIENT: address})
        mail.send()
    except RateLimited:
        logger.warning("no mail about %s: enough of them were sent to this address within the hour", event)
    except KeyUnavailable:
        # An installation whose first worker has not run yet: its first admin sets a password all the same.
        logger.exception("no mail about %s: the portal has no key yet", event)


def _actor(user: User, request: HttpRequest | None) -> Actor:
    if request is not None and request.user.is_authenticated:
        return request.user.actor
    return user.actor
