"""Bringing people in and letting them go: invitations, roles, memberships. Each is audited in the tenant."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from allauth.account.models import EmailAddress
from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from connections.spec.text import Text
from connections.tenancy import audit
from connections.tenancy.models import Lookup, Tenant, TenantState
from connections.tenancy.scope import Actor, tenant_scope
from connections.tenancy.settings import time_zone_of
from portal.members.mailing import TrackedMail
from portal.members.models import Invitation, Membership, User
from portal.members.permissions import Action, Role, StaffAction, StaffRole
from portal.members.sessions import end_sessions
from portal.rate_limits import limits
from portal.rate_limits.limits import Scope
from portal.rate_limits.spending import spend

VALID_FOR = timedelta(days=7)
TOKEN_BYTES = 32
PURPOSE = "invitation"


LAST_OWNER = _("This is the last owner. Make somebody else an owner first.")


class NotAllowed(Exception):
    """A wish that breaks a rule of the team; the text is a sentence for the person who asked."""

    def __init__(self, sentence: Text, field: str = "") -> None:
        super().__init__(str(sentence))
        self.sentence = sentence
        self.field = field  # of the form, when one is to blame


@dataclass(frozen=True)
class OpenInvitation:
    """An invitation that can be accepted now, as its link names it."""

    id: UUID
    tenant: Tenant
    email: str
    role: Role
    invited_by: str

    @property
    def role_label(self) -> str:
        return str(self.role.label)


def invite(*, tenant: Tenant, email: str, role: Role, actor: Actor, up_to: Role, by_mail: bool = True) -> str:
    """Mail a single-use link and return its address. Needs the tenant's scope, or the staff's. Raises NotAllowed, RateLimited.

    `up_to` is the inviter's own role: nobody gives more than they have. An invitation that still waits for the same
    address is withdrawn, so that one link is valid at a time. Without `by_mail` the caller hands the link over.
    """
    email = email.strip().lower()
    _within(role, up_to)
    if Membership.objects.filter(tenant=tenant, user_id__in=_user_ids_with_address(email)).exists():
        raise NotAllowed(_("This person is a member already."), field="email")
    if by_mail:
        spend(
            limits.INVITATION,
            {
                Scope.PERSON: actor.id,
                Scope.TENANT: tenant.id,
                Scope.RECIPIENT: email,
                Scope.TENANT_AND_RECIPIENT: f"{tenant.id} {email}",
            },
        )
    for earlier in _waiting().filter(tenant=tenant, email=email):
        _withdraw(earlier)
    token = secrets.token_urlsafe(TOKEN_BYTES)
    invitation = Invitation(
        tenant=tenant,
        email=email,
        role=role,
        digest=_digest(token),
        inviter_id=actor.id,
        invited_by=actor.name,
        expires_at=timezone.now() + VALID_FOR,
    )
    invitation.save(force_insert=True)
    Lookup(digest=invitation.digest, tenant=tenant, purpose=PURPOSE).save(force_insert=True)
    address = settings.ORIGIN + reverse("invitation", args=[token])
    if by_mail:
        _mail(invitation, tenant, address)
    _audit(tenant.id, actor, "member.invited", str(invitation.id), email=email, role=role.value)
    return address


def invite_again(*, invitation: Invitation, email: str, actor: Actor, up_to: Role) -> None:
    """A new link for the same role, to the same address or a corrected one; the old one is withdrawn.

    Needs the tenant's scope. Raises NotAllowed, RateLimited.
    """
    if invitation.accepted_at is not None or invitation.revoked_at is not None:
        raise NotAllowed(_("This invitation has been used already or was withdrawn."))
    with transaction.atomic():
        invite(tenant=invitation.tenant, email=email, role=Role(invitation.role), actor=actor, up_to=up_to)
        revoke(invitation=invitation, actor=actor)


def revoke(*, invitation: Invitation, actor: Actor) -> None:
    """Withdraw an invitation that was not accepted yet; withdrawing it twice changes nothing."""
    if _withdraw(invitation):
        _audit(invitation.tenant_id, actor, "invitation.revoked", str(invitation.id), email=invitation.email)


@contextmanager
def opened(token: str) -> Iterator[OpenInvitation | None]:
    """The offer behind a link, inside its tenant's scope; None when it cannot be accepted, whatever the reason."""
    digest = _digest(token)
    tenant = Tenant.objects.filter(
        id__in=Lookup.objects.filter(digest=digest, purpose=PURPOSE).values("tenant_id")
    ).first()
    if tenant is None or tenant.state == TenantState.SUSPENDED:
        yield None
        return
    with tenant_scope(tenant.id):
        invitation = _waiting().filter(digest=digest).first()
        if invitation is None or not _inviter_may_still_give(invitation):
            yield None
            return
        yield OpenInvitation(invitation.id, tenant, invitation.email, Role(invitation.role), invitation.invited_by)


def joined_by(token: str, user: User) -> Tenant | None:
    """The tenant that this person joined by a link, while they belong to it; None, alike, for everybody else."""
    digest = _digest(token)
    tenant_ids = Lookup.objects.filter(digest=digest, purpose=PURPOSE).values("tenant_id")
    membership = Membership.objects.select_related("tenant").filter(user=user, tenant_id__in=tenant_ids).first()
    if membership is None or membership.tenant.state == TenantState.SUSPENDED:
        return None
    with tenant_scope(membership.tenant_id):
        used = Invitation.objects.filter(digest=digest, accepted_at__isnull=False).first()
        is_theirs = used is not None and user.pk in _user_ids_with_address(used.email)
    return membership.tenant if is_theirs else None


def accept(*, offer: OpenInvitation, user: User) -> None:
    """Join as the invited address. Needs the tenant's scope. Raises NotAllowed when it is not yours or not valid any more.

    The person has other rights now, so every session ends; the caller keeps the one at hand (portal.members.sessions).
    """
    if not is_addressee(user, offer):
        raise NotAllowed(_("This invitation is for another address."))
    with transaction.atomic():
        _take(offer)
        _join(offer, user)
        end_sessions(user.pk)


def accept_as_new(*, offer: OpenInvitation, name: str, password: str) -> User:
    """Make the person the invitation was sent to, and join. Raises NotAllowed when the address has signed up meanwhile."""
    exists = NotAllowed(_("There is a sign-in for this address already. Sign in first, then open the link again."))
    if _user_ids_with_address(offer.email):
        raise exists
    try:
        with transaction.atomic():
            _take(offer)
            user = User.objects.create_user(
                offer.email, password, name=name.strip(), time_zone=time_zone_of(offer.tenant.id)
            )
            _join(offer, user)
    except IntegrityError:
        raise exists from None
    return user


def _take(offer: OpenInvitation) -> None:
    # Of two accepts at the same moment the database lets one through.
    if not _waiting().filter(id=offer.id).update(accepted_at=timezone.now()):
        raise NotAllowed(_("This invitation has been used already or was withdrawn."))
    # The look-up stays: whoever joined by the link may open it again (`joined_by`).


def _join(offer: OpenInvitation, user: User) -> None:
    if user.email == offer.email:
        _prove(user)  # the link reached the address
    if not Membership.objects.filter(tenant=offer.tenant, user=user).exists():
        Membership(tenant=offer.tenant, user=user, role=offer.role).save(force_insert=True)
    _audit(offer.tenant.id, user.actor, "invitation.accepted", str(offer.id), role=offer.role.value)


def change_role(*, membership: Membership, role: Role, actor: Actor, up_to: Role) -> None:
    """Raises NotAllowed for more than the actor's own role, and when no owner would be left."""
    _within(role, up_to)
    _within(Role(membership.role), up_to)
    if membership.role == role:
        return
    with transaction.atomic():
        if membership.can(Action.MANAGE_TEAM) and not role.can(Action.MANAGE_TEAM):
            _keep_an_owner(membership)
        Membership.objects.filter(id=membership.id).update(role=role)
        if not role.includes(Role(membership.role)):
            withdraw_invitations_of(membership.user_id, membership.tenant_id)
        end_sessions(membership.user_id)
        _audit(
            membership.tenant_id,
            actor,
            "member.role_changed",
            str(membership.user_id),
            email=membership.user.email,
            before=membership.role,
            after=role.value,
        )
        membership.role = role


def remove(*, membership: Membership, actor: Actor, up_to: Role) -> None:
    """End a membership at once, with the invitations its person had sent. Raises NotAllowed for the last owner."""
    _within(Role(membership.role), up_to)
    with transaction.atomic():
        if membership.can(Action.MANAGE_TEAM):
            _keep_an_owner(membership)
        withdraw_invitations_of(membership.user_id, membership.tenant_id)
        end_sessions(membership.user_id)
        _audit(membership.tenant_id, actor, "member.removed", str(membership.user_id), email=membership.user.email)
        Membership.objects.filter(id=membership.id).delete()


def describe(*, user: User, name: str, time_zone: str) -> None:
    """How a person is called, and in which zone times are shown to them."""
    User.objects.filter(id=user.pk).update(name=name.strip(), time_zone=time_zone)


def is_last_owner(membership: Membership) -> bool:
    """Whether nobody else could change the team. For pages: the deed asks once more, under a lock."""
    owners = Membership.objects.filter(tenant_id=membership.tenant_id, role__in=Role.that_can(Action.MANAGE_TEAM))
    return membership.can(Action.MANAGE_TEAM) and not owners.exclude(id=membership.id).exists()


def _within(role: Role, up_to: Role) -> None:
    if not up_to.includes(role):
        raise NotAllowed(_("Nobody can give or take more than their own role."), field="role")


def _keep_an_owner(leaving: Membership) -> None:
    # Locks every owner's row: two owners who demote each other at the same moment do it one after the other.
    owners = list(
        Membership.objects.select_for_update()
        .filter(tenant_id=leaving.tenant_id, role__in=Role.that_can(Action.MANAGE_TEAM))
        .order_by("id")
        .values_list("id", flat=True)
    )
    if not [owner for owner in owners if owner != leaving.id]:
        raise NotAllowed(LAST_OWNER)


def _waiting() -> QuerySet[Invitation]:
    return Invitation.objects.filter(
        Q(accepted_at__isnull=True) & Q(revoked_at__isnull=True) & Q(expires_at__gt=timezone.now())
    )


def _withdraw(invitation: Invitation) -> bool:
    done = Invitation.objects.filter(id=invitation.id, accepted_at__isnull=True, revoked_at__isnull=True).update(
        revoked_at=timezone.now()
    )
    _forget(invitation.id)
    return bool(done)


def withdraw_invitations_of(user_id: int, tenant_id: UUID | None = None) -> None:
    """What a person promised while they had a role does not outlive it, whatever their address is now.

    In one tenant, in its scope; or everywhere, in the staff's.
    """
    invitations = _waiting().filter(inviter_id=user_id)
    for invitation in invitations if tenant_id is None else invitations.filter(tenant_id=tenant_id):
        _withdraw(invitation)


def _inviter_may_still_give(invitation: Invitation) -> bool:
    """Whether its inviter may still give that role: as a member, as an admin of the portal, or as the portal itself."""
    if invitation.inviter_id is None:
        return True
    admins = User.objects.filter(staff_role__in=StaffRole.that_can(StaffAction.CHANGE), is_active=True)
    if admins.filter(pk=invitation.inviter_id).exists():
        return True
    inviter = Membership.objects.filter(
        tenant_id=invitation.tenant_id, user_id=invitation.inviter_id, user__is_active=True
    ).first()
    return inviter is not None and Role(inviter.role).includes(Role(invitation.role))


def is_addressee(user: User, offer: OpenInvitation) -> bool:
    """Whether the invitation went to an address that this person has confirmed as theirs."""
    return user.pk in _user_ids_with_address(offer.email)


def _user_ids_with_address(email: str) -> list[int]:
    """Who has shown that this address is theirs, primary or not: one person at most, by the database's own rule."""
    user_ids = EmailAddress.objects.filter(email__iexact=email, verified=True).values_list("user_id", flat=True)
    return list(user_ids) or list(User.objects.filter(email=email).values_list("pk", flat=True))


def _forget(invitation_id: UUID) -> None:
    Lookup.objects.filter(
        digest__in=Invitation.objects.filter(id=invitation_id).values_list("digest", flat=True), purpose=PURPOSE
    ).delete()


def _prove(user: User) -> None:
    """The address is verified, as allauth keeps it."""
    address, is_new = EmailAddress.objects.get_or_create(
        user=user, email=user.email, defaults={"verified": True, "primary": True}
    )
    if not is_new and not address.verified:
        EmailAddress.objects.filter(pk=address.pk).update(verified=True)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _mail(invitation: Invitation, tenant: Tenant, address: str) -> None:
    words = {
        "invitation": invitation,
        "tenant": tenant,
        "time_zone": time_zone_of(tenant.id),
        "address": address,
        "role": Role(invitation.role).label,
    }
    subject = " ".join(render_to_string("members/mail/invitation_subject.txt", words).split())
    body = render_to_string("members/mail/invitation.txt", words)
    message = TrackedMail(subject=subject, body=body, to=[invitation.email])
    message.about = invitation.id
    message.send()


def _audit(tenant_id: UUID, actor: Actor, action: str, subject: str, **details: str) -> None:
    audit.record(tenant_id=tenant_id, actor=actor, action=action, subject=subject, **details)
