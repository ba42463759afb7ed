"""Staff as admins make, change and remove them: a role in the portal itself, for people who need belong to no tenant."""

from __future__ import annotations

from allauth.account import app_settings
from allauth.account.models import EmailAddress
from allauth.account.utils import user_pk_to_url_str
from django.conf import settings
from django.core.mail import EmailMessage
from django.db import transaction
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from portal.members.enrolment import remove_factors, revoke_links
from portal.members.models import NO_PASSWORD, User
from portal.members.permissions import StaffAction, StaffRole
from portal.members.security_events import notify_security, record
from portal.members.services import NotAllowed, withdraw_invitations_of
from portal.members.sessions import end_sessions


@transaction.atomic
def add(*, user: User, request: HttpRequest | None = None) -> None:
    """Keep a new staff person, whose address, name and role are set, and mail a link by which they set a password.

    Needs the staff's scope, or the owner.
    """
    user.email = user.email.strip().lower()
    user.password = NO_PASSWORD
    user.save(force_insert=True)
    # The mailed link alone sets a password, so whoever signs in has read mail at this address.
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    record(user, "staff.added", request, role=user.staff_role)
    words = {"link": password_link(user), "role": user.get_staff_role_display()}
    subject = " ".join(render_to_string("members/mail/staff_subject.txt", words).split())
    body = render_to_string("members/mail/staff.txt", words)
    EmailMessage(subject=subject, body=body, to=[user.email]).send()


@transaction.atomic
def change(*, user: User, staff_role: StaffRole, is_active: bool, actor: User, request: HttpRequest) -> None:
    """Give or take a staff role, switch a sign-in on or off. Needs the staff's scope. Raises NotAllowed.

    Every session of the person ends with it, and so does what they promised as what they were.
    """
    # Locks every admin's row: two who demote each other at the same moment do it one after the other.
    admins = set(
        User.objects.select_for_update()
        .filter(staff_role__in=StaffRole.that_can(StaffAction.CHANGE), is_active=True)
        .order_by("id")
        .values_list("id", flat=True)
    )
    if actor.pk not in admins:
        raise NotAllowed(_("You are no admin any more."))
    if user.pk == actor.pk:
        raise NotAllowed(_("Nobody changes their own staff role or sign-in. Ask another admin."))
    before_role, was_active = User.objects.values_list("staff_role", "is_active").get(pk=user.pk)
    if (before_role, was_active) == (staff_role, is_active):
        return
    User.objects.filter(pk=user.pk).update(staff_role=staff_role, is_active=is_active)
    end_sessions(user.pk)
    if not staff_role.includes(StaffRole(before_role)) or not is_active:
        withdraw_invitations_of(user.pk)
        revoke_links(user=user, request=request)
    if before_role != staff_role:
        if not before_role:
            # It was set up by whoever had the password; staff's needs a link as well.
            remove_factors(user)
        record(user, "staff.role_changed", request, before=before_role, after=staff_role.value)
        notify_security(user, "staff.role_changed")
    if was_active != is_active:
        name = "staff.switched_on" if is_active else "staff.switched_off"
        record(user, name, request)
        notify_security(user, name)


def password_link(user: User) -> str:
    """A link with which this person sets a password, once, within three days."""
    key = app_settings.PASSWORD_RESET_TOKEN_GENERATOR().make_token(user)
    path = reverse("account_reset_password_from_key", kwargs={"uidb36": user_pk_to_url_str(user), "key": key})
    return f"{settings.ORIGIN}{path}"
