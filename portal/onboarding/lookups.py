"""How a page takes hold of a walk and of one of its marks."""

from __future__ import annotations

from uuid import UUID

from django.http import Http404

from portal.members.access import MemberRequest
from portal.members.rows import own
from portal.onboarding.checklist_page import for_checklist_page
from portal.onboarding.marks import marks_of
from portal.onboarding.models import Mark, Onboarding


def onboarding_of(request: MemberRequest, connection: UUID) -> Onboarding:
    """Raises Http404, alike for a missing connection and another tenant's."""
    return own(request, for_checklist_page(Onboarding.objects.all()), connection_id=connection)


def mark_of(request: MemberRequest, connection: UUID, checkpoint: str) -> Mark:
    """The mark of a checkpoint that is declared today, stored or not yet. Raises Http404 as above, and for any other."""
    marks = marks_of(onboarding_of(request, connection))
    if checkpoint not in marks:
        raise Http404
    return marks[checkpoint]
