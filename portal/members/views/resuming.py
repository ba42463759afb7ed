"""What somebody sent before they had to sign in again: shown to them, to be sent or left."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from portal.members.access import signed_in
from portal.members.pending_request import KEPT_SECONDS, page_of, pending
from portal.members.request_labels import label_of


@require_GET
@never_cache
@signed_in
def resume(request: HttpRequest, number: str) -> HttpResponse:
    pending_request = pending(request, number)
    if pending_request is None:
        messages.warning(
            request,
            _(
                "What you pressed is no longer kept: it was carried out already, or more than %(minutes)d minutes have"
                " passed. Look whether it was; if not, press again."
            )
            % {"minutes": KEPT_SECONDS // 60},
        )
        return redirect(page_of(request, number))
    context = {
        "pending_request": pending_request,
        "label": label_of(pending_request.name),
        "minutes": KEPT_SECONDS // 60,
    }
    return render(request, "members/resume.html", context)
