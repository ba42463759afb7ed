"""How a page gets an onboarding and one of its marks."""

from __future__ import annotations

from uuid import UUID

from django.http import Http404

from portal.members.access import MemberRequest
from portal.members.shortcuts import get_own_or_404
from portal.onboarding.checklist_page import for_checklist_page
from portal.onboarding.marks import marks_of
from portal.onboarding.models import Mark, Onboarding


def get_onboarding_or_404(request: MemberRequest, connection_id: UUID) -> Onboarding:
    """Raises Http404, alike for a missing connection and another tenant's."""
    return get_own_or_404(request, for_checklist_page(Onboarding.objects.all()), connection_id=connection_id)


def get_mark_or_404(request: MemberRequest, connection_id: UUID, checkpoint: str) -> Mark:
    """The mark of a checkpoint that is declared today, stored or not yet. Raises Http404 as above, and for any other."""
    marks = marks_of(get_onboarding_or_404(request, connection_id))
    if checkpoint not in marks:
        raise Http404
    return marks[checkpoint]
