"""Who belongs where: memberships of a person, and the team of a tenant."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils import timezone

from connections.tenancy.models import Tenant, TenantState
from portal.members.mailing import deliveries_of, mailbox
from portal.members.models import Invitation, Membership, User
from portal.members.permissions import Action


@dataclass(frozen=True)
class Team:
    """Everybody who may act for a tenant, and who is asked to."""

    members: list[Membership]
    waiting: list[Invitation]
    expired: list[Invitation]


def memberships_of(user: User) -> list[Membership]:
    """In tenants that are not suspended, by name. Needs the person's scope."""
    return list(
        Membership.objects.select_related("tenant")
        .filter(user_id=user.pk)
        .exclude(tenant__state=TenantState.SUSPENDED)
        .order_by("tenant__name")
    )


def tenants_to_connect_for(user: User) -> list[Tenant]:
    """Those in which the person may open connections, by name. Needs the person's scope."""
    return [membership.tenant for membership in memberships_of(user) if membership.can(Action.CONNECT)]


def team_of(tenant: Tenant) -> Team:
    """Two queries, and one for the mails of all of them. Needs the tenant's scope, or the staff's, which has no right
    on passwords.
    """
    now = timezone.now()
    unanswered = list(Invitation.objects.filter(tenant=tenant, accepted_at__isnull=True, revoked_at__isnull=True))
    members = list(Membership.objects.select_related("user").defer("user__password").filter(tenant=tenant))
    addresses = {member.id: mailbox(member.user.email) for member in members}
    deliveries = deliveries_of([*(invitation.id for invitation in unanswered), *addresses.values()])
    for invitation in unanswered:
        invitation.delivery = deliveries.get(invitation.id)
    for member in members:
        newest = deliveries.get(addresses[member.id])
        member.is_unreachable = newest is not None and newest.is_over
    return Team(
        members=members,
        waiting=[invitation for invitation in unanswered if invitation.expires_at > now],
        expired=[invitation for invitation in unanswered if invitation.expires_at <= now],
    )
