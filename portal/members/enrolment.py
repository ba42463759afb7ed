"""A staff person's second factor: set up with the password and a one-time link that another admin made."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta
from uuid import UUID

from allauth.mfa.models import Authenticator
from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal.members.models import EnrolmentLink, User
from portal.members.permissions import StaffAction, StaffRole
from portal.members.security_events import notify_security, record
from portal.members.services import NotAllowed
from portal.members.sessions import end_sessions
from portal.members.stepup import has_second_factor

VALID_FOR = timedelta(hours=24)
TOKEN_BYTES = 32
SESSION_KEY = "members_enrolment_link"


@transaction.atomic
def make_link(*, user: User, made_by: User | None, request: HttpRequest | None = None) -> str:
    """The address of a new link; `made_by` None is the command at the machine. Needs the staff's scope, or the owner.

    What the person had as a second factor, and every earlier link, is void from now on: whoever set it up was vouched
    for by nobody, or has lost it. Raises NotAllowed.
    """
    if not (user.is_staff and user.is_active):
        raise NotAllowed(_("Only staff whose sign-in is on set up a second factor by a link."))
    if made_by is not None and made_by.pk == user.pk:
        raise NotAllowed(_("Another admin must make this link: nobody vouches for themselves."))
    remove_factors(user)
    waiting_links(user).update(revoked_at=timezone.now())
    token = secrets.token_urlsafe(TOKEN_BYTES)
    EnrolmentLink(user=user, digest=_digest(token), made_by=made_by, expires_at=timezone.now() + VALID_FOR).save(
        force_insert=True
    )
    record(user, "second_factor.link_made", request)
    if made_by is not None:
        notify_security(user, "second_factor.link_made")
    return settings.ORIGIN + reverse("enrolment", args=[token])


def revoke_links(*, user: User, request: HttpRequest | None = None) -> bool:
    """Withdraw what waits; twice changes nothing. Needs the staff's scope."""
    is_revoked = bool(waiting_links(user).update(revoked_at=timezone.now()))
    if is_revoked:
        record(user, "second_factor.link_revoked", request)
    return is_revoked


def remove_factors(user: User) -> None:
    """Whatever second factor the person has, and every session. Needs the staff's scope, or the owner."""
    Authenticator.objects.filter(user_id=user.pk).delete()
    end_sessions(user.pk)


def waiting_links(user: User) -> QuerySet[EnrolmentLink]:
    return EnrolmentLink.objects.filter(user_id=user.pk, used_at=None, revoked_at=None, expires_at__gt=timezone.now())


def link_for_token(user: User, token: str) -> EnrolmentLink | None:
    """The link behind a token, if it is this person's and can be used now."""
    return waiting_links(user).filter(digest=_digest(token)).first()


def needs_link(user: User) -> bool:
    """Whether this person may set up a second factor by a link only. In the demo staff need no factor at all."""
    return user.is_staff and not settings.DEMO and not has_second_factor(user)


def keep_in_session(request: HttpRequest, link: EnrolmentLink) -> None:
    """This session came with the link."""
    request.session[SESSION_KEY] = str(link.pk)


def link_of_session(request: HttpRequest, user: User) -> EnrolmentLink | None:
    try:
        key = UUID(request.session.get(SESSION_KEY, ""))
    except ValueError:
        return None
    return waiting_links(user).filter(pk=key).first()


def use_link(request: HttpRequest, user: User) -> None:
    """The link of this session is used up. Raises NotAllowed when there is none that waits."""
    link = link_of_session(request, user)
    if link is None or not waiting_links(user).filter(pk=link.pk).update(used_at=timezone.now()):
        raise NotAllowed(_("The link for your second factor was used up or withdrawn. Ask an admin for another one."))
    del request.session[SESSION_KEY]
    record(user, "second_factor.link_used", request)


def admins_to_ask(user: User) -> list[str]:
    """Names of those who can make a link for this person; no addresses, as a password may be all that was shown."""
    admins = User.objects.filter(staff_role__in=StaffRole.that_can(StaffAction.CHANGE), is_active=True)
    return list(admins.exclude(pk=user.pk).exclude(name="").order_by("name").values_list("name", flat=True))


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
