"""The audit page of a tenant's owners: who did what, when and from which side, our support among them."""

from __future__ import annotations

from urllib.parse import urlencode

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from portal.dashboard.audit_page import audit_page, chosen_filters
from portal.dashboard.audit_words import KINDS
from portal.members.access import MemberRequest, member
from portal.members.permissions import Action


@require_GET
@never_cache
@member(Action.SEE_AUDIT)
def audit(request: MemberRequest) -> HttpResponse:
    """Newest first, narrowed by person, kind and days."""
    chosen = chosen_filters(request.GET)
    after = request.GET.get("after", "")
    rows, following = audit_page(request.tenant, chosen, after)
    narrowed = {name: text for name, text in chosen.items() if text}
    context = {
        "rows": rows,
        "next": f"?{urlencode({**narrowed, 'after': following})}" if following else "",
        "is_first": not after,
        "chosen": chosen,
        "kinds": [(name, label) for name, (_prefix, label) in KINDS.items()],
    }
    return render(request, "dashboard/audit.html", context)
