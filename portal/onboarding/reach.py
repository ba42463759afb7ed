"""How a page takes hold of a walk and of one of its marks."""

from __future__ import annotations

from uuid import UUID

from portal.members.access import MemberRequest
from portal.members.rows import own
from portal.onboarding.models import Mark, Onboarding


def onboarding_of(request: MemberRequest, connection: UUID) -> Onboarding:
    """Raises Http404, alike for a missing connection and another tenant's."""
    return own(request, Onboarding.objects.select_related("connection"), connection_id=connection)


def mark_of(request: MemberRequest, connection: UUID, checkpoint: str) -> Mark:
    return own(
        request,
        Mark.objects.select_related("onboarding__connection"),
        onboarding__connection_id=connection,
        checkpoint=checkpoint,
    )
