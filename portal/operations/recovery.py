"""The way back in for an admin who lost the second factor, where no other admin is left to vouch for them."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import transaction

from connections.tenancy import audit
from connections.tenancy.scope import SYSTEM
from portal.members.enrolment import make_link
from portal.members.models import User
from portal.members.permissions import StaffAction, StaffRole
from portal.members.security_events import notify_security
from portal.members.staff import password_link
from portal.members.stepup import has_second_factor
from portal.operations.bootstrap import PersonNotFound, can_mail
from portal.operations.dispatch import account


class OthersCanHelp(Exception):
    """There are admins who can make the link; the text names them."""


@dataclass(frozen=True)
class RecoveryLinks:
    """The one for the second factor, and '' or the one for a password. Each works once."""

    enrolment: str
    password: str


def admins_who_can_help(user: User) -> list[User]:
    """Other admins whose sign-in is on and who have a second factor."""
    admins = User.objects.filter(staff_role__in=StaffRole.that_can(StaffAction.CHANGE), is_active=True).order_by(
        "email"
    )
    return [admin for admin in admins.exclude(pk=user.pk) if has_second_factor(admin)]


@transaction.atomic
def recover(email: str, *, with_password: bool = False, although_others: bool = False) -> RecoveryLinks:
    """Void the second factor and the sessions of a staff person and make what lets them in again.

    It stands in the audit trail with the account of whoever did it, and every admin is mailed. Needs the owner's role.
    Raises PersonNotFound, OthersCanHelp, NotAllowed.
    """
    user = User.objects.filter(email=email.strip().lower()).first()
    if user is None:
        text = f"nobody signs in with {email}."
        raise PersonNotFound(text)
    others = admins_who_can_help(user)
    if others and not although_others:
        names = ", ".join(other.email for other in others)
        text = f"{names} can make that link in the admin, and would vouch for the person. With --although-others it is made here."
        raise OthersCanHelp(text)
    links = RecoveryLinks(make_link(user=user, made_by=None), password_link(user) if with_password else "")
    audit.record_system(
        actor=SYSTEM, action="staff.recovered", subject=user.email, by=account(), with_password=with_password
    )
    if can_mail():
        for whom in (user, *others):
            notify_security(whom, "staff.recovered", email=user.email)
    return links
