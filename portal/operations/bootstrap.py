"""The first admin, the first tenant and its owner, on an installation that holds nobody yet."""

from __future__ import annotations

from dataclasses import dataclass

from allauth.account.models import EmailAddress
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.mail import EmailMessage
from django.db import transaction
from django.template.loader import render_to_string

from connections.tenancy.models import Tenant
from connections.tenancy.scope import SYSTEM, tenant_scope
from connections.vault.key_models import SystemKey
from connections.vault.services import create_tenant
from portal.members.enrolment import make_link
from portal.members.models import User
from portal.members.permissions import HIGHEST_ROLE, StaffRole
from portal.members.services import invite
from portal.members.staff import password_link


class InstallationInUse(Exception):
    """There are people or tenants already; the text names the way in."""


class PersonNotFound(Exception):
    """No person has that address."""


@dataclass(frozen=True)
class BootstrapLinks:
    """The links that let the first people in, and whether the first two were mailed (then they need not be shown).

    The link for the admin's second factor is never mailed: it is what a password, or that mailbox, is not enough for.
    """

    admin_link: str
    owner_link: str
    enrolment_link: str
    mailed: bool


def refuse_unless_empty() -> None:
    """Raises NotEmpty."""
    if User.objects.exists() or Tenant.objects.exists():
        text = "this installation has people or tenants already; an admin founds further tenants at /admin/."
        raise InstallationInUse(text)


@transaction.atomic
def create_first_people(*, admin_email: str, tenant_name: str, slug: str, owner_email: str) -> BootstrapLinks:
    """All of it or nothing. Raises NotEmpty, and ValidationError for what cannot be an address or a name."""
    refuse_unless_empty()
    mailed = can_mail()
    tenant = Tenant(name=tenant_name, slug=slug)
    tenant.full_clean()
    admin = User(email=admin_email.strip().lower(), staff_role=StaffRole.ADMIN)
    admin.set_unusable_password()
    admin.full_clean(exclude=["password"])
    User(email=owner_email.strip().lower()).clean_fields(exclude=["password"])
    admin.save()
    EmailAddress.objects.create(user=admin, email=admin.email, verified=True, primary=True)
    tenant = create_tenant(name=tenant.name, slug=tenant.slug)
    with tenant_scope(tenant.id):
        owner_link = invite(
            tenant=tenant, email=owner_email, role=HIGHEST_ROLE, actor=SYSTEM, up_to=HIGHEST_ROLE, by_mail=mailed
        )
    enrolment_link = make_link(user=admin, made_by=None)
    admin_link = password_link(admin)
    if mailed:
        _mail(admin, admin_link)
    return BootstrapLinks(admin_link, owner_link, enrolment_link, mailed)


def new_enrolment_link(email: str) -> str:
    """Another link for a staff person's second factor, where no admin can make one. Raises NobodyThere, NotAllowed."""
    user = User.objects.filter(email=email.strip().lower()).first()
    if user is None:
        text = f"nobody signs in with {email}."
        raise PersonNotFound(text)
    return make_link(user=user, made_by=None)


def can_mail() -> bool:
    """Mail needs somebody to carry it, and the system key to be sealed with, which the first worker makes."""
    return bool(settings.SMTP or settings.DEMO) and SystemKey.objects.exists()


def _mail(admin: User, link: str) -> None:
    body = render_to_string("operations/mail/first_admin.txt", {"link": link})
    subject = " ".join(render_to_string("operations/mail/first_admin_subject.txt").split())
    EmailMessage(subject=subject, body=body, to=[admin.email]).send()


def problem_of(error: ValidationError) -> str:
    """One line for a person at a terminal."""
    if hasattr(error, "error_dict"):
        return " ".join(f"{field}: {' '.join(texts)}" for field, texts in error.message_dict.items())
    return " ".join(error.messages)
