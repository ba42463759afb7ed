"""Tells a tenant's owners by mail what has changed about a connection of theirs, and what they are to do."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from django.template.loader import render_to_string

from portal.members.mailing import TrackedMail, mailbox
from portal.members.models import Membership
from portal.members.permissions import Action, Role


def mail_owners(*, tenant_id: UUID, template: str, words: Mapping[str, object]) -> int:
    """One mail to each owner who can sign in, queued in the caller's transaction. Needs the tenant's scope.

    `template`: a name below templates/, its subject in `{name}_subject.txt` and its text in `{name}.txt`. Gives how many.
    """
    roles = Role.that_can(Action.RECEIVE_WARNINGS)
    owners = Membership.objects.filter(tenant_id=tenant_id, role__in=roles, user__is_active=True)
    addresses = list(owners.order_by("joined_at").values_list("user__email", flat=True))
    for address in addresses:
        subject = " ".join(render_to_string(f"{template}_subject.txt", dict(words)).split())
        body = render_to_string(f"{template}.txt", dict(words))
        mail = TrackedMail(subject=subject, body=body, to=[address])
        mail.is_urgent, mail.about = True, mailbox(address)
        mail.send()
    return len(addresses)
