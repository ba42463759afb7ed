"""Whom a mail about a connection goes to: whoever connected it, else the tenant's contact, else its owners."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from connections.tenancy.models import AuditEvent
from connections.vault.models import Connection
from portal.incidents.kinds import MailKind
from portal.incidents.models import MailChoice
from portal.members.models import Membership, TenantContact
from portal.members.permissions import Action, Role


def recipients_of(connection: Connection, kind: MailKind) -> list[Membership]:
    """Members who may act and want this kind: the first of these groups that has one. Needs the tenant's scope.

    One person, but for owners: where nobody else is known, each of them.
    """
    opened = AuditEvent.objects.filter(
        tenant_id=connection.tenant_id, subject=str(connection.id), action="connection.opened"
    )
    opener_id = opened.order_by("happened_at").values_list("actor_id", flat=True).first()
    contact_id = TenantContact.objects.filter(tenant_id=connection.tenant_id).values_list("user_id", flat=True).first()
    for user_id in (opener_id, contact_id):
        if user_id is not None and (members := _wanting(connection.tenant_id, kind, [user_id])):
            return members
    return _wanting(connection.tenant_id, kind, None)


def opener_of(connection: Connection, kind: MailKind) -> list[Membership]:
    """Whoever began to connect it, and nobody else."""
    opened = AuditEvent.objects.filter(
        tenant_id=connection.tenant_id, subject=str(connection.id), action="connection.opened"
    )
    opener_id = opened.order_by("happened_at").values_list("actor_id", flat=True).first()
    return [] if opener_id is None else _wanting(connection.tenant_id, kind, [opener_id])


def may_be_told(membership: Membership, kind: str) -> bool:
    """Whether this member may still act and wants this kind of mail, as it is now."""
    choice = choice_of(membership.tenant_id, membership.user_id)
    return membership.can(Action.CONNECT) and kind not in choice.refused


def choice_of(tenant_id: UUID, user_id: int) -> MailChoice:
    """What this person has chosen for this tenant; one that is not stored where they have not chosen. In its scope."""
    row = MailChoice.objects.filter(tenant_id=tenant_id, user_id=user_id).first()
    return row or MailChoice(tenant_id=tenant_id, user_id=user_id)


def members_wanting(tenant_id: UUID, kind: MailKind, user_ids: Collection[int]) -> list[Membership]:
    """Of these people, the members who may act and want this kind. In the tenant's scope."""
    return _wanting(tenant_id, kind, user_ids)


def _wanting(tenant_id: UUID, kind: MailKind, user_ids: Collection[int] | None) -> list[Membership]:
    """Of these people, or of the owners where it is None."""
    roles = Role.that_can(Action.CONNECT if user_ids is not None else Action.RECEIVE_WARNINGS)
    members = Membership.objects.filter(tenant_id=tenant_id, role__in=roles, user__is_active=True)
    if user_ids is not None:
        members = members.filter(user_id__in=user_ids)
    refusing = MailChoice.objects.filter(tenant_id=tenant_id, refused__contains=[kind.value]).values("user_id")
    return list(members.exclude(user_id__in=refusing).order_by("joined_at"))
