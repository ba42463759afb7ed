"""Staff pages that belong to no model: the one box."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _

from portal.support.pasted import LONGEST
from portal.support.search import find


def search(request: HttpRequest) -> HttpResponse:
    """Straight to the one thing that was found, or a short list. What was pasted is kept."""
    pasted = request.GET.get("q", "")
    found = find(pasted)
    if len(found.hits) == 1 and not found.more:
        return redirect(found.hits[0].address)
    context = {
        **admin.site.each_context(request),
        "title": _("Find"),
        "pasted": pasted[:LONGEST],
        "found": found,
    }
    return TemplateResponse(request, "admin/search.html", context)
