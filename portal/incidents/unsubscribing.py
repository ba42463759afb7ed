"""The links that end a kind of mail: signed, for one person, one tenant and the kinds of the mail that they stand in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings
from django.core import signing
from django.urls import reverse

from connections.tenancy.scope import tenant_scope
from portal.incidents import subscriptions
from portal.incidents.kinds import KINDS, STAFF
from portal.incidents.models import MailChoice
from portal.incidents.recipients import choice_of
from portal.members.models import Membership

SALT = "portal.incidents.unsubscribe"


@dataclass(frozen=True)
class Unsubscription:
    """What a link ends. `tenant_id` is None in mails to our staff, whose one kind is STAFF."""

    user_id: int
    tenant_id: UUID | None
    kinds: tuple[str, ...]


def link_for(*, user_id: int, tenant_id: UUID | None, kinds: Sequence[str]) -> str:
    """The whole address. It lets nobody in and shows nothing: all it does is to end these mails."""
    value = [user_id, str(tenant_id or ""), list(kinds)]
    return settings.ORIGIN + reverse("unsubscribe", args=[signing.dumps(value, salt=SALT)])


def read(token: str) -> Unsubscription | None:
    """None for what we have not signed."""
    try:
        user_id, tenant_id, kinds = signing.loads(token, salt=SALT)
        return Unsubscription(int(user_id), UUID(tenant_id) if tenant_id else None, tuple(map(str, kinds)))
    except (signing.BadSignature, ValueError, TypeError):
        return None


def unsubscribe(link: Unsubscription) -> None:
    """End exactly these kinds. Whoever does not belong to the tenant any more gets none anyway."""
    if link.tenant_id is None:
        if STAFF in link.kinds:
            subscriptions.end(link.user_id)
        return
    with tenant_scope(link.tenant_id):
        if not Membership.objects.filter(tenant_id=link.tenant_id, user_id=link.user_id).exists():
            return
        choice = choice_of(link.tenant_id, link.user_id)
        refused = sorted({*choice.refused, *(kind for kind in link.kinds if kind in KINDS)})
        save_choice(choice, refused=refused)


def save_choice(choice: MailChoice, **values: object) -> None:
    """Store what somebody has chosen, in the tenant's scope."""
    MailChoice.objects.update_or_create(tenant_id=choice.tenant_id, user_id=choice.user_id, defaults=values)
